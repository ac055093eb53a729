//! Messages to bytes (RFC 6455, 5 and 6.1).

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::{BufMut, Bytes};

use crate::close::CloseFrame;
use crate::encoder;
use crate::error::{ProtocolError, SendError};
use crate::header::{CONTROL_PAYLOAD_LEN_MAX, EncodedHeader, HEADER_LEN_MAX, Opcode};
use crate::mask::{self, DefaultKeys, MaskKey, MaskKeySource};
use crate::message::{DataKind, Message, Outflow, PreparedMessage, SharedMessage, Sink, spare};
use crate::role::Role;

use super::control::ControlPayload;
use super::{PONGS_PER_INPUT_MAX, ReadyState};

/// The greatest total length of due replies: a Pong and a Close, masked.
const DUE_LEN_MAX: usize = 2 * (6 + CONTROL_PAYLOAD_LEN_MAX);

/// The sending half of a [`Connection`](super::Connection): what may be sent, and the replies that
/// are due.
///
/// [`Connection::receive_with_sender`](super::Connection::receive_with_sender) lends it together
/// with an event, so that a message can be answered while it is still borrowed.
#[derive(Debug)]
pub struct Sender<K = DefaultKeys> {
    keys: K,
    role: Role,
    /// Why the fast path can't be taken. Usually empty, so sending tests one value.
    pub(super) marks: Marks,
    /// The message that is being sent in fragments.
    pub(super) sending: Option<DataKind>,
    pub(super) failed: Option<ProtocolError>,
    pub(super) pongs_left: u8,
    /// Replies that are due but not written yet.
    pub(super) pong_due: Option<ControlPayload>,
    pub(super) close_due: Option<ControlPayload>,
    /// The compressor of messages, if one was agreed.
    pub(super) outflow: Option<Box<Outflow>>,
}

/// The marks of a connection, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(u8);

impl Marks {
    pub(super) const CLOSE_SENT: Self = Self(1);
    pub(super) const CLOSE_RECEIVED: Self = Self(2);
    pub(super) const EOF_RECEIVED: Self = Self(4);
    /// A message is being sent in fragments.
    pub(super) const SENDING: Self = Self(8);
    /// A reply waits for room, or for the input to be used up.
    pub(super) const REPLY_DUE: Self = Self(16);
    /// Data messages go through an extension.
    pub(super) const EXTENDED: Self = Self(32);

    #[inline]
    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[inline]
    const fn has(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }

    pub(super) fn set(&mut self, mark: Self, is_set: bool) {
        self.0 = if is_set { self.0 | mark.0 } else { self.0 & !mark.0 };
    }
}

impl<K> Sender<K> {
    /// Returns whether the connection has this mark.
    #[inline]
    pub(super) const fn has(&self, mark: Marks) -> bool {
        self.marks.has(mark)
    }

    pub(super) fn mark(&mut self, mark: Marks) {
        self.marks.set(mark, true);
    }
}

impl<K: MaskKeySource> Sender<K> {
    /// Begins a sending half. Data messages go through `outflow`, if there is one.
    pub(super) fn new(role: Role, keys: K, outflow: Option<Box<Outflow>>) -> Self {
        Self {
            keys,
            role,
            marks: if outflow.is_some() { Marks::EXTENDED } else { Marks::default() },
            sending: None,
            failed: None,
            pongs_left: PONGS_PER_INPUT_MAX,
            pong_due: None,
            close_due: None,
            outflow,
        }
    }

    /// Returns the state, see [`Connection::ready_state`](super::Connection::ready_state).
    #[must_use]
    #[inline]
    pub const fn ready_state(&self) -> ReadyState {
        if self.is_open() {
            return ReadyState::Open;
        }
        let is_over =
            self.failed.is_some() || self.has(Marks::CLOSE_SENT) && self.has(Marks::CLOSE_RECEIVED);
        if is_over && self.close_due.is_none() { ReadyState::Closed } else { ReadyState::Closing }
    }

    /// Returns whether both Close frames have been exchanged, including this side's; see
    /// [`Connection::is_clean`](super::Connection::is_clean).
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.has(Marks::CLOSE_SENT)
            && self.has(Marks::CLOSE_RECEIVED)
            && self.close_due.is_none()
            && self.failed.is_none()
    }

    /// See [`Connection::has_due_output`](super::Connection::has_due_output).
    #[must_use]
    #[inline]
    pub const fn has_due_output(&self) -> bool {
        self.has(Marks::REPLY_DUE)
    }

    /// Returns why the connection failed, if it did. The sending half of a
    /// [split](super::Connection::split) connection knows it from a [`Reply`](super::Reply).
    #[must_use]
    pub const fn error(&self) -> Option<ProtocolError> {
        self.failed
    }

    /// Returns whether the state is [`ReadyState::Open`]; a failure has always sent a Close or seen
    /// the end of the stream.
    #[inline]
    pub(super) const fn is_open(&self) -> bool {
        let over = Marks::CLOSE_SENT.0 | Marks::CLOSE_RECEIVED.0 | Marks::EOF_RECEIVED.0;
        !self.has(Marks(over))
    }

    /// Returns which end of the connection this is.
    #[must_use]
    #[inline]
    pub fn role(&self) -> Role {
        self.role
    }

    #[inline]
    pub(super) fn next_key(&mut self) -> Option<MaskKey> {
        match self.role {
            Role::Client => Some(self.keys.next_key()),
            Role::Server => None,
        }
    }

    /// Appends a message to `out` as one frame; a client masks it with a fresh key while it is
    /// copied.
    ///
    /// Pings and Pongs may go between the fragments of a message. With an extension that
    /// compresses, a message that it makes shorter is sent compressed, any other as it is.
    ///
    /// # Errors
    /// Nothing of the message is written, though a due Pong may be: [`SendError::NotOpen`] after a
    /// Close or a failure, [`SendError::MessageOpen`] for a data message while
    /// [`send_fragment`](Self::send_fragment) has one open, [`SendError::ControlTooLong`],
    /// [`SendError::BufferFull`].
    #[inline]
    pub fn send(&mut self, message: Message<'_>, out: &mut impl BufMut) -> Result<(), SendError> {
        self.send_frame(message.opcode(), message.payload(), out)
    }

    /// Like [`send`](Self::send), but never compressed: for payloads that are compressed already,
    /// and for secrets that must not share a context with attacker-chosen data (RFC 7692, 8).
    ///
    /// # Errors
    /// See [`send`](Self::send).
    pub fn send_uncompressed(
        &mut self,
        message: Message<'_>,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        let key = self.next_key();
        self.send_plain(message.opcode(), key, message.payload(), out)
    }

    /// Appends a prepared message to `out`: for a server, a copy of its bytes, compressed if that
    /// was agreed.
    ///
    /// # Errors
    /// See [`send`](Self::send).
    pub fn send_prepared(
        &mut self,
        prepared: &PreparedMessage,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        #[cfg(feature = "std")]
        if self.has(Marks::EXTENDED) && !prepared.opcode().is_control() {
            return self.send_prepared_compressed(prepared, out);
        }
        self.send_frame(prepared.opcode(), prepared.payload(), out)
    }

    /// Returns the frame of a prepared message, to be written after everything sent before: for a
    /// server, the bytes that all connections share, compressed if that was agreed; for a client, a
    /// masked copy.
    ///
    /// The message counts as sent. Due replies are not part of the frame: append them with
    /// [`flush`](Self::flush).
    ///
    /// # Errors
    /// See [`send`](Self::send), except [`SendError::BufferFull`]; the connection is then
    /// unchanged.
    pub fn prepared_frame(&mut self, prepared: &PreparedMessage) -> Result<Bytes, SendError> {
        self.check_sendable(prepared.opcode())?;
        #[cfg(feature = "std")]
        if self.has(Marks::EXTENDED) && !prepared.opcode().is_control() {
            return self.prepared_frame_compressed(prepared);
        }
        Ok(self.plain_frame(prepared))
    }

    /// Returns the header of a message whose payload the caller sends itself, after it, and for a
    /// client the key to mask that payload with: for vectored writes and registered buffers. The
    /// payload goes out uncompressed; a text payload must be UTF-8.
    ///
    /// The message counts as sent. Due replies are not part of it: append them first with
    /// [`flush`](Self::flush).
    ///
    /// ```
    /// use wscodec::header::Opcode;
    /// use wscodec::{Config, Connection};
    /// let mut server = Connection::server(Config::default());
    /// let (header, key) = server.sender().head(Opcode::Binary, 1 << 20)?;
    /// assert_eq!(header.as_bytes(), b"\x82\x7f\0\0\0\0\0\x10\0\0");
    /// assert!(key.is_none()); // a server masks nothing
    /// # Ok::<(), wscodec::SendError>(())
    /// ```
    ///
    /// # Errors
    /// See [`send`](Self::send), except [`SendError::BufferFull`]; and [`SendError::Opcode`] for a
    /// Close, which [`close`](Self::close) sends, and for a continuation. The connection is then
    /// unchanged.
    pub fn head(
        &mut self,
        opcode: Opcode,
        payload_len: u64,
    ) -> Result<(EncodedHeader, Option<MaskKey>), SendError> {
        if matches!(opcode, Opcode::Close | Opcode::Continuation) {
            return Err(SendError::Opcode { opcode: opcode as u8 });
        }
        self.check_sendable(opcode)?;
        if opcode.is_control() && payload_len > CONTROL_PAYLOAD_LEN_MAX as u64 {
            let payload_len = usize::try_from(payload_len).unwrap_or(usize::MAX);
            return Err(SendError::ControlTooLong { payload_len });
        }
        if payload_len >> 63 != 0 {
            return Err(SendError::BufferFull { needed: usize::MAX });
        }
        let key = self.next_key();
        Ok((EncodedHeader::of_final(opcode, payload_len, key), key))
    }

    /// Like [`send`](Self::send), with a payload of shared bytes, which a server without
    /// compression passes on without a copy. A client masks it in place if it is the only holder,
    /// otherwise while copying it.
    ///
    /// # Errors
    /// See [`send`](Self::send).
    pub fn send_into(
        &mut self,
        message: SharedMessage,
        sink: &mut impl Sink,
    ) -> Result<(), SendError> {
        let opcode = message.as_message().opcode();
        let payload_len = message.as_message().payload().len();
        self.check_sendable(opcode)?;
        // A compressed frame is shorter than the plain one.
        let due_len = if self.has_due_output() { DUE_LEN_MAX } else { 0 };
        let mask = (self.role == Role::Client).then_some(MaskKey::ZERO);
        let header = EncodedHeader::of_final(opcode, payload_len as u64, mask);
        let needed = due_len + header.as_bytes().len() + payload_len;
        if sink.room_len() < needed {
            return Err(SendError::BufferFull { needed });
        }
        if self.has_due_output() {
            let mut due = Vec::new();
            self.flush(&mut due);
            sink.put_head(&due);
        }
        if self.has(Marks::EXTENDED) && !opcode.is_control() {
            let mut frame = Vec::new();
            self.send_frame(opcode, message.as_message().payload(), &mut frame)?;
            sink.put_payload(frame.into());
            return Ok(());
        }
        let (header, key) = self.head(opcode, payload_len as u64)?;
        sink.put_head(header.as_bytes());
        sink.put_payload(match key {
            None => message.into_payload(),
            Some(key) => masked(key, message.into_payload()),
        });
        Ok(())
    }

    /// Returns the uncompressed frame of a prepared message.
    pub(super) fn plain_frame(&mut self, prepared: &PreparedMessage) -> Bytes {
        let Some(key) = self.next_key() else { return prepared.server_frame().clone() };
        let payload = prepared.payload();
        let mut frame = Vec::with_capacity(HEADER_LEN_MAX + payload.len());
        let head = EncodedHeader::of_final(prepared.opcode(), payload.len() as u64, Some(key));
        mask::put_frame(head.to_word(), Some(key), payload, &mut frame);
        frame.into()
    }

    /// Starts the closing handshake: appends a Close to `out`. Messages may still arrive until the
    /// peer's Close does.
    ///
    /// `None` sends an empty Close, which the peer reports as 1005.
    ///
    /// # Errors
    /// [`SendError::NotOpen`] if a Close has been sent or the connection has failed,
    /// [`SendError::ReasonTooLong`] for a reason of more than 123 bytes, [`SendError::BufferFull`].
    pub fn close(
        &mut self,
        close: Option<CloseFrame<'_>>,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::NotOpen);
        }
        let mut payload = ControlPayload::default();
        if let Some(CloseFrame { code, reason }) = close {
            if reason.len() > CONTROL_PAYLOAD_LEN_MAX - 2 {
                return Err(SendError::ReasonTooLong { reason_len: reason.len() });
            }
            payload.append(&code.as_u16().to_be_bytes());
            payload.append(reason.as_bytes());
        }
        self.send_frame(Opcode::Close, payload.as_bytes(), out)?;
        self.drop_pong();
        self.mark(Marks::CLOSE_SENT);
        Ok(())
    }

    /// Frees memory: nothing more will be sent.
    pub(super) fn release(&mut self) {
        if let Some(outflow) = &mut self.outflow {
            outflow.compressor.release();
        }
    }

    #[inline]
    fn send_frame(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        let key = self.next_key();
        // Most messages: the fast path is open, and the message is not large.
        if self.marks.is_empty() {
            let is_written = match payload.len() {
                0..=CONTROL_PAYLOAD_LEN_MAX => encoder::append_short(opcode, key, payload, out),
                126..=0xffff if !opcode.is_control() => {
                    encoder::append_medium(opcode, key, payload, out)
                }
                _ => false,
            };
            if is_written {
                return Ok(());
            }
        }
        self.send_checked(opcode, key, payload, out)
    }

    #[inline(never)]
    fn send_checked(
        &mut self,
        opcode: Opcode,
        key: Option<MaskKey>,
        payload: &[u8],
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        if self.has(Marks::EXTENDED) && !opcode.is_control() {
            return self.send_compressed(opcode, key, payload, out);
        }
        self.send_plain(opcode, key, payload, out)
    }

    /// Appends due replies, then the uncompressed message.
    pub(super) fn send_plain(
        &mut self,
        opcode: Opcode,
        key: Option<MaskKey>,
        payload: &[u8],
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        self.check_sendable(opcode)?;
        if opcode.is_control() && payload.len() > CONTROL_PAYLOAD_LEN_MAX {
            return Err(SendError::ControlTooLong { payload_len: payload.len() });
        }
        self.flush(out);
        let head = EncodedHeader::of_final(opcode, payload.len() as u64, key);
        encoder::append(head, key, payload, out)
    }

    #[inline]
    pub(super) fn check_sendable(&self, opcode: Opcode) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::NotOpen);
        }
        if self.sending.is_some() && !opcode.is_control() {
            return Err(SendError::MessageOpen);
        }
        Ok(())
    }
}

/// Masks a payload in place if this is its only holder, otherwise while copying it.
fn masked(key: MaskKey, payload: Bytes) -> Bytes {
    match payload.try_into_mut() {
        Ok(mut payload) => {
            mask::apply(key, &mut payload, 0);
            payload.freeze()
        }
        Err(payload) => {
            let mut masked = spare::with_room(payload.len());
            let start = masked.len();
            mask::put(key, &payload, &mut masked);
            spare::share(masked, start)
        }
    }
}
