//! An open connection: frames and messages in, events and replies out, by the rules of RFC 6455.
//!
//! ```text
//!                     close()                      receive: Close
//!   Connecting ──▶ Open ───────▶ Closing (sent) ───────────────────▶ Closed
//!   (handshake)     │                                                   ▲
//!                   ├── receive: Close, answered at once ────────────────┤
//!                   └── ProtocolError, Close(code) sent; or end of stream ┘
//! ```
//!
//! The caller reads bytes from wherever they come, passes them to [`receive`](Connection::receive) until it returns
//! `None`, and writes what has been appended to `out`. Invariant: whatever the reads, the events are the same.

mod control;
mod event;
mod receive;
mod send;
mod streamed;

use control::ControlPayload;
pub use event::Event;
pub use send::Fragment;

use crate::decoder::FrameDecoder;
use crate::error::ProtocolError;
use crate::header::{CONTROL_PAYLOAD_LEN_MAX, HeaderRules, Opcode};
use crate::limits::Limits;
#[cfg(feature = "std")]
use crate::mask::ThreadKeys;
use crate::mask::{FixedKey, MaskKey, MaskKeySource};
use crate::message::{Assembler, DataKind};
use crate::role::Role;

/// Pings answered one by one in one input; of further ones only the newest is.
///
/// RFC 6455, 5.5.3: "the endpoint MAY elect to send a Pong frame for only the most recently processed Ping frame".
/// Bounds what a flood of Pings makes this side write.
const PONGS_PER_INPUT_MAX: u8 = 32;

/// How data messages are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Delivery {
    /// As [`Event::Text`] and [`Event::Binary`], once they are whole. A message that lies whole in the input is borrowed
    /// from it; any other is put together in a buffer that grows with what has arrived.
    #[default]
    Whole,
    /// As [`Event::TextPiece`] and [`Event::BinaryPiece`], as they arrive, borrowed from the input: for messages larger
    /// than memory. Nothing is buffered but a split character.
    Streamed,
}

/// How a connection behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Config {
    /// What the peer may send.
    pub limits: Limits,
    /// How messages are delivered.
    pub delivery: Delivery,
}

impl Config {
    /// The same configuration with these limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same configuration with this delivery.
    #[must_use]
    pub const fn with_delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }
}

/// Where a connection stands (RFC 6455, 4.1, 7.1.3, 7.1.4), as the `readyState` of the browsers' API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadyState {
    /// The opening handshake is not done: what [`handshake`](crate::handshake) is about. A [`Connection`] never is.
    Connecting,
    /// Messages go both ways.
    Open,
    /// A Close has been sent and the peer's has not arrived. Nothing more can be sent; messages may still arrive.
    Closing,
    /// Both Close frames have been exchanged, or the connection failed, or the stream ended. Write what is left in the
    /// output buffer; then a server closes TCP, and a client waits a bounded time for the server to do so (7.1.1).
    Closed,
}

/// One side of an open WebSocket connection, without I/O.
///
/// A few hundred bytes, and no memory on the heap while nothing is half received.
///
/// ```
/// use wscodec::{Connection, Config, Event, Message, Role};
///
/// let mut client = Connection::new(Role::Client, Config::default());
/// let mut server = Connection::new(Role::Server, Config::default());
/// let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
///
/// client.send(Message::Text("Hello"), &mut to_server)?;
///
/// let mut input = &mut to_server[..]; // what the server has read
/// while let Some(event) = server.receive(&mut input, &mut to_client)? {
///     assert_eq!(event, Event::Text("Hello"));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each of one bit")]
pub struct Connection<K = DefaultKeys> {
    decoder: FrameDecoder,
    assembler: Assembler,
    /// A control frame whose payload spans reads.
    control: ControlPayload,
    /// Replies that are due and not written yet.
    pong_due: Option<ControlPayload>,
    close_due: Option<ControlPayload>,
    failed: Option<ProtocolError>,
    limits: Limits,
    keys: K,
    role: Role,
    delivery: Delivery,
    phase: Phase,
    /// The message that is being sent in fragments.
    sending: Option<DataKind>,
    close_sent: bool,
    close_received: bool,
    eof_received: bool,
    /// Between messages and with nothing due: the next frame may take the short path.
    is_at_rest: bool,
    /// Something is held that goes once the input is used up.
    is_holding: bool,
    /// The longest payload for the short path: 125, or less if a limit says so.
    short_len_max: u8,
    pongs_left: u8,
    /// The character that was completed last, under `Delivery::Streamed`.
    carry: streamed::Carry,
}

/// The source of masking keys if none is named: [`ThreadKeys`] with `std`, and a key that masks nothing without, which is
/// only good for servers.
#[cfg(feature = "std")]
pub type DefaultKeys = ThreadKeys;
/// The source of masking keys if none is named: without `std` there is none, which is only good for servers.
#[cfg(not(feature = "std"))]
pub type DefaultKeys = FixedKey;

/// What the next byte of input belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Header,
    Data(DataKind),
    Control(Opcode),
}

#[cfg(feature = "std")]
impl Connection {
    /// A connection whose opening handshake is done, with masking keys from [`ThreadKeys`].
    #[must_use]
    pub fn new(role: Role, config: Config) -> Self {
        Self::with_mask_keys(role, config, ThreadKeys)
    }
}

impl Connection<FixedKey> {
    /// The server's side of a connection whose opening handshake is done: it masks nothing and needs no keys.
    #[must_use]
    pub fn server(config: Config) -> Self {
        Self::with_mask_keys(Role::Server, config, FixedKey(MaskKey::ZERO))
    }
}

impl<K: MaskKeySource> Connection<K> {
    /// A connection whose opening handshake is done, with masking keys from `keys`. A server needs none.
    #[must_use]
    pub fn with_mask_keys(role: Role, config: Config, keys: K) -> Self {
        let limits = config.limits;
        let rules = HeaderRules {
            frame_size_max: limits.frame_size_max,
            ..HeaderRules::for_receiver(role)
        };
        let size_max = limits.frame_size_max.min(limits.message_size_max as u64);
        let short_len_max = size_max.min(CONTROL_PAYLOAD_LEN_MAX as u64).to_le_bytes()[0];
        let mut connection = Self {
            decoder: FrameDecoder::new(rules),
            assembler: Assembler::default(),
            control: ControlPayload::default(),
            pong_due: None,
            close_due: None,
            failed: None,
            limits,
            keys,
            role,
            delivery: config.delivery,
            phase: Phase::Header,
            sending: None,
            close_sent: false,
            close_received: false,
            eof_received: false,
            is_at_rest: false,
            is_holding: false,
            short_len_max,
            pongs_left: PONGS_PER_INPUT_MAX,
            carry: streamed::Carry::default(),
        };
        connection.settle();
        connection
    }

    /// Which end this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Where the connection stands.
    #[must_use]
    #[inline]
    pub const fn ready_state(&self) -> ReadyState {
        let both = self.close_sent && self.close_received && self.close_due.is_none();
        if both || self.failed.is_some() || self.eof_received {
            ReadyState::Closed
        } else if self.is_open() {
            ReadyState::Open
        } else {
            ReadyState::Closing
        }
    }

    /// Whether the state is [`ReadyState::Open`]; a failure has always sent a Close or seen the end of the stream.
    #[inline]
    const fn is_open(&self) -> bool {
        !(self.close_sent | self.close_received | self.eof_received)
    }

    /// Whether both Close frames were exchanged: "the WebSocket connection is said to have been closed cleanly" (7.1.4).
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.close_sent && self.close_received && self.failed.is_none()
    }

    /// Why the connection failed, if it did.
    #[must_use]
    pub const fn error(&self) -> Option<ProtocolError> {
        self.failed
    }

    /// Tells the connection that the peer's stream has ended.
    ///
    /// # Errors
    /// [`ProtocolError::UnexpectedEof`] if the peer's Close had not arrived, what other APIs report as 1006; the error of
    /// a connection that had failed before.
    pub fn receive_eof(&mut self) -> Result<(), ProtocolError> {
        self.eof_received = true;
        self.is_at_rest = false;
        self.release();
        match self.failed {
            Some(error) => Err(error),
            None if self.close_received => Ok(()),
            None => {
                self.failed = Some(ProtocolError::UnexpectedEof);
                Err(ProtocolError::UnexpectedEof)
            }
        }
    }

    /// Works out whether the next frame may take the short path.
    fn settle(&mut self) {
        self.is_at_rest = self.phase == Phase::Header
            && self.decoder.is_between_frames()
            && !self.assembler.is_open()
            && self.delivery == Delivery::Whole
            && self.limits.fragments_max > 0
            && !self.close_received
            && !self.eof_received
            && self.failed.is_none();
    }

    fn release(&mut self) {
        self.assembler.release();
        self.control.release();
    }

    fn next_key(&mut self) -> Option<MaskKey> {
        match self.role {
            Role::Client => Some(self.keys.next_key()),
            Role::Server => None,
        }
    }
}
