//! The codec as firmware uses it: no operating system, and an allocator that someone else brings.
//! Compiled by `codec/ci/bare`, never run.
#![no_std]

extern crate alloc;

use alloc::vec::Vec;

use wscodec::mask::ChaChaKeys;
use wscodec::{Config, Connection, Event, Message, ProtocolError, Role};

/// A device's two ends: its own server, and a client of another. `Connection` without a type
/// argument is the same type as with `std`.
#[derive(Debug)]
pub struct Device {
    server: Connection,
    client: Connection<ChaChaKeys>,
}

impl Device {
    /// A device with `seed` from its entropy source.
    pub fn new(seed: [u8; 32]) -> Self {
        let keys = ChaChaKeys::from_seed(seed);
        Self {
            server: Connection::server(Config::default()),
            client: Connection::with_mask_keys(Role::Client, Config::default(), keys),
        }
    }

    /// Answers what `input` holds, and passes text on to the other end.
    ///
    /// # Errors
    /// What the peer did wrong.
    pub fn relay(
        &mut self,
        mut input: &mut [u8],
        out: &mut Vec<u8>,
        on: &mut Vec<u8>,
    ) -> Result<(), ProtocolError> {
        while let Some((event, sender)) = self.server.receive_with_sender(&mut input, out)? {
            if let Event::Text(text) = event {
                sender.send(Message::Text(text), out).ok();
                self.client.send(Message::Text(text), on).ok();
            }
        }
        Ok(())
    }
}
