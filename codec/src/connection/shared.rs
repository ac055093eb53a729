//! Events that own their payload as shared bytes, sliced from the caller's buffer.

use core::fmt;

use bytes::{Buf as _, BufMut, Bytes, BytesMut};

use crate::close::{CloseCode, CloseFrame};
use crate::error::ProtocolError;
use crate::header::{Fin, FrameHeader, Opcode, Parsed, Rsv};
use crate::mask::MaskKeySource;
use crate::message::Utf8Bytes;

use super::Connection;
use super::control::parse_close;
use super::event::Event;
use super::found::{EventKind, Found};
use super::inbound::Inbound;
use super::send::Sender;

/// Like [`Event`], but owns its payload.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SharedEvent {
    /// A whole text message.
    Text(Utf8Bytes),
    /// A whole binary message.
    Binary(Bytes),
    /// The next piece of a text message: whole characters.
    TextPiece(Utf8Bytes, Fin),
    /// The next piece of a binary message.
    BinaryPiece(Bytes, Fin),
    /// A Ping. The Pong is already handled.
    Ping(Bytes),
    /// A Pong, solicited or not.
    Pong(Bytes),
    /// The peer's Close; `None` if it was empty, which other APIs report as 1005. The answer is
    /// already handled.
    Close(Option<(CloseCode, Utf8Bytes)>),
}

impl SharedEvent {
    /// Lends the event.
    #[must_use]
    pub fn as_event(&self) -> Event<'_> {
        match self {
            Self::Text(text) => Event::Text(text),
            Self::Binary(bytes) => Event::Binary(bytes),
            Self::TextPiece(text, fin) => Event::TextPiece(text, *fin),
            Self::BinaryPiece(bytes, fin) => Event::BinaryPiece(bytes, *fin),
            Self::Ping(bytes) => Event::Ping(bytes),
            Self::Pong(bytes) => Event::Pong(bytes),
            Self::Close(close) => Event::Close(
                close.as_ref().map(|(code, reason)| CloseFrame { code: *code, reason }),
            ),
        }
    }
}

/// Shows the lengths of payloads, not their bytes.
impl fmt::Debug for SharedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_event().fmt(f)
    }
}

impl<K: MaskKeySource> Connection<K> {
    /// Returns the length of the frame at the front of `input`, in bytes, header included, if it is
    /// a whole message that [`receive_shared`](Self::receive_shared) hands out without a copy once
    /// all of it is there. `None` for any other frame, while the header is not complete, and while
    /// a message is open.
    ///
    /// A caller whose buffer has room for that many bytes may read on before it calls
    /// `receive_shared`, which copies what it has to take of a message that is not whole. It takes
    /// nothing, and errors in the payload are found only when `receive_shared` gets it; an error in
    /// the header is `None`.
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use wscodec::{Config, Connection};
    ///
    /// let client = Connection::client(Config::default());
    /// let mut input = BytesMut::from(&b"\x82\x7f\0\0\0\0\0\x01\0\0the first of 64 KiB"[..]);
    /// assert_eq!(client.whole_len(&input), Some(10 + 64 * 1024));
    /// input.truncate(9);
    /// assert_eq!(client.whole_len(&input), None);
    /// ```
    #[must_use]
    pub fn whole_len(&self, input: &[u8]) -> Option<usize> {
        self.receiver.whole_len(input)
    }
}

impl Inbound {
    /// See [`Connection::whole_len`].
    pub(super) fn whole_len(&self, input: &[u8]) -> Option<usize> {
        if !self.is_at_rest {
            return None;
        }
        let Ok(Parsed::Complete { header, header_len }) =
            FrameHeader::parse(input, self.decoder.rules())
        else {
            return None;
        };
        let is_plain = matches!(header.opcode(), Opcode::Text | Opcode::Binary)
            && header.fin() == Fin::Final
            && header.rsv() == Rsv::NONE;
        let payload_len = usize::try_from(header.payload_len()).ok()?;
        if !is_plain || payload_len > self.limits.message_size_max {
            return None;
        }
        header_len.checked_add(payload_len)
    }

    /// See [`Connection::receive_shared`](super::Connection::receive_shared).
    pub(super) fn receive_shared<K: MaskKeySource>(
        &mut self,
        sender: &mut Sender<K>,
        input: &mut BytesMut,
        out: &mut impl BufMut,
    ) -> Result<Option<SharedEvent>, ProtocolError> {
        self.assembler.buffer_mut().will_be_shared();
        let step = self.receive_at(sender, input, out)?;
        let taken = step.taken();
        let (kind, payload) = match step.into_event() {
            None => {
                input.clear();
                return Ok(None);
            }
            Some(Found::Held(kind, holder)) => {
                input.advance(taken);
                let bytes = match kind {
                    EventKind::Text | EventKind::Binary => self.assembler.take_shared(),
                    _ => Bytes::copy_from_slice(self.held_payload(holder)),
                };
                (kind, bytes)
            }
            Some(Found::Input(kind, place)) => {
                let mut frame = input.split_to(taken);
                frame.truncate(place.end);
                frame.advance(place.start);
                (kind, frame.freeze())
            }
        };
        // Only this function has had the bytes since they were validated.
        Ok(Some(match kind {
            EventKind::Text => SharedEvent::Text(Utf8Bytes::validated(payload)),
            EventKind::Binary => SharedEvent::Binary(payload),
            EventKind::TextPiece(fin) => SharedEvent::TextPiece(Utf8Bytes::validated(payload), fin),
            EventKind::BinaryPiece(fin) => SharedEvent::BinaryPiece(payload, fin),
            EventKind::Ping => SharedEvent::Ping(payload),
            EventKind::Pong => SharedEvent::Pong(payload),
            EventKind::Close => {
                let code = parse_close(&payload).unwrap_or_default().map(|close| close.code);
                let reason = |code| (code, Utf8Bytes::validated(payload.slice(2..)));
                SharedEvent::Close(code.map(reason))
            }
        }))
    }
}
