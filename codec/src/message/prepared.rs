//! A message encoded once and sent to many.

#[cfg(feature = "std")]
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
#[cfg(feature = "std")]
use std::sync::OnceLock;

use bytes::Bytes;

use crate::encoder::{self, header_of};
use crate::error::SendError;
use crate::header::Opcode;
use crate::redacted::Redacted;

use super::Message;
#[cfg(feature = "std")]
use super::shared::PreparedForm;

/// A message whose server frame is encoded once, for a broadcast.
///
/// Cloning shares the bytes. A client masks every frame with a fresh key, so clients share only the
/// payload.
///
/// With an extension that compresses, the first connection to send the message compresses it, from
/// an empty context, and all others send the same bytes, even those with context takeover: any peer
/// can follow from an empty context, at the cost of matches with earlier messages. Connections
/// whose window is too small for it, or whose extension differs from the first one's, each compress
/// the message themselves.
///
/// Only a [`Sender`](crate::Sender) provides the frame, after checking whether it may go out now:
/// [`send_prepared`](crate::Sender::send_prepared) copies it to a buffer,
/// [`prepared_frame`](crate::Sender::prepared_frame) shares it.
///
/// ```
/// use wscodec::{Config, Connection, Message, PreparedMessage};
/// let prepared = PreparedMessage::new(Message::Text("Hello"))?;
/// let mut members = [(); 3].map(|()| Connection::server(Config::default()));
/// for member in &mut members {
///     let frame = member.sender().prepared_frame(&prepared)?; // shared, not copied
///     assert_eq!(&frame[..], b"\x81\x05Hello");
/// }
/// # Ok::<(), wscodec::SendError>(())
/// ```
#[derive(Clone)]
pub struct PreparedMessage {
    frame: Bytes,
    opcode: Opcode,
    header_len: usize,
    #[cfg(feature = "std")]
    compressed: Arc<OnceLock<PreparedForm>>,
}

/// Shows the number of bytes, not the bytes.
impl fmt::Debug for PreparedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedMessage")
            .field("opcode", &self.opcode)
            .field("payload", &Redacted(self.payload().len()))
            .finish_non_exhaustive()
    }
}

impl PreparedMessage {
    /// Encodes `message`; copies the payload once.
    ///
    /// # Errors
    /// [`SendError::ControlTooLong`] for a Ping or Pong of more than 125 bytes.
    pub fn new(message: Message<'_>) -> Result<Self, SendError> {
        let payload = message.payload();
        let header = header_of(message.opcode(), payload)?;
        let mut frame = Vec::with_capacity(header.encode().as_bytes().len() + payload.len());
        encoder::encode(header, payload, &mut frame)?;
        let header_len = frame.len() - payload.len();
        Ok(Self {
            frame: frame.into(),
            opcode: message.opcode(),
            header_len,
            #[cfg(feature = "std")]
            compressed: Arc::default(),
        })
    }

    /// Returns the length of the frame that a server sends without an extension, in bytes: for
    /// bounding a queue.
    #[must_use]
    pub fn frame_len(&self) -> usize {
        self.frame.len()
    }

    /// Returns the unmasked frame that a server sends without an extension: header and payload.
    pub(crate) fn server_frame(&self) -> &Bytes {
        &self.frame
    }

    /// Returns the compressed form, once a connection has made it.
    #[cfg(feature = "std")]
    pub(crate) fn compressed(&self) -> &OnceLock<PreparedForm> {
        &self.compressed
    }

    /// Returns the opcode of the message.
    #[must_use]
    pub fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// Returns the payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.frame.get(self.header_len..).unwrap_or(&[])
    }
}
