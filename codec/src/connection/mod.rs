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
//! The caller reads bytes from any source, passes them to [`receive`](Connection::receive) until it
//! returns `None`, and writes what was appended to `out`. Invariant: however the input is split
//! into reads, the events are the same.

mod builder;
mod carry;
mod compressed;
mod control;
mod event;
mod found;
mod fragments;
mod inbound;
mod receive;
mod replies;
mod send;
mod send_compressed;
mod shared;
mod split;
mod streamed;

use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroUsize;

use bytes::{BufMut, Bytes, BytesMut};

pub use builder::ConnectionBuilder;
pub use event::Event;
pub use found::{EventKind, Found, Holder, Step};
pub use fragments::Fragment;
use send::Marks;
pub use send::Sender;
pub use shared::SharedEvent;
pub use split::{Receiver, Reply};

use inbound::Inbound;

use crate::close::CloseFrame;

use crate::error::{ProtocolError, SendError};
use crate::header::Fin;
use crate::limits::Limits;
use crate::mask::{DefaultKeys, MaskKeySource};
#[cfg(feature = "std")]
use crate::message::unmasked_str;
use crate::message::{Message, PreparedMessage, Room, Transform, text_of};
use crate::role::Role;

/// The number of Pings in one input that are answered one by one; of any more, only the newest is.
///
/// RFC 6455, 5.5.3: "the endpoint MAY elect to send a Pong frame for only the most recently
/// processed Ping frame". Bounds how much a flood of Pings makes this side write.
const PONGS_PER_INPUT_MAX: u8 = 32;

/// How data messages are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Delivery {
    /// As [`Event::Text`] and [`Event::Binary`], once they are whole. A message that lies whole in
    /// the input is borrowed from it; any other is assembled in a buffer that grows with what has
    /// arrived.
    #[default]
    Whole,
    /// As [`Event::TextPiece`] and [`Event::BinaryPiece`], as they arrive, borrowed from the input:
    /// for messages larger than memory. Only a split character is buffered.
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
    /// Returns the same configuration with these limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Returns the same configuration with this delivery.
    #[must_use]
    pub const fn with_delivery(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }
}

/// The state of a connection (RFC 6455, 4.1, 7.1.3, 7.1.4), like `readyState` in the browsers' API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadyState {
    /// The opening handshake is not done; see [`handshake`](crate::handshake). A [`Connection`] is
    /// never in this state.
    Connecting,
    /// Messages go both ways.
    Open,
    /// A Close has been sent and the peer's has not arrived, or the stream has ended with input
    /// left: messages may still arrive. Or a Close is due but found no room: see
    /// [`has_due_output`](Connection::has_due_output). Nothing else can be sent.
    Closing,
    /// Both Close frames have been exchanged, or the connection has failed, and nothing more is
    /// due. Write what is left in the output buffer; then a server closes TCP, and a client waits a
    /// bounded time for the server to do so (7.1.1).
    Closed,
}

/// One side of an open WebSocket connection, without I/O.
///
/// Takes a few hundred bytes, and no heap memory while nothing is half received.
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
pub struct Connection<K = DefaultKeys> {
    receiver: Inbound,
    sender: Sender<K>,
}

impl Connection {
    /// Creates either side of a connection whose opening handshake is done, with masking keys from
    /// [`ThreadKeys`](crate::mask::ThreadKeys).
    #[cfg(feature = "std")]
    #[must_use]
    pub fn new(role: Role, config: Config) -> Self {
        Self::with_mask_keys(role, config, DefaultKeys::default())
    }

    /// Creates the client's side of a connection whose opening handshake is done, with masking keys
    /// from [`ThreadKeys`](crate::mask::ThreadKeys).
    #[cfg(feature = "std")]
    #[must_use]
    pub fn client(config: Config) -> Self {
        Self::new(Role::Client, config)
    }

    /// Creates the server's side of a connection whose opening handshake is done. It masks nothing
    /// and needs no keys.
    #[must_use]
    pub fn server(config: Config) -> Self {
        Self::with_mask_keys(Role::Server, config, DefaultKeys::UNUSED)
    }
}

impl<K: MaskKeySource> Connection<K> {
    /// Creates either side of a connection whose opening handshake is done, with masking keys from
    /// `keys`. A server needs none.
    #[must_use]
    pub fn with_mask_keys(role: Role, config: Config, keys: K) -> Self {
        Self::open(role, config, keys, None)
    }

    fn open(role: Role, config: Config, keys: K, transform: Option<Transform>) -> Self {
        let (inflow, outflow) = match transform {
            Some(Transform { inflow, outflow }) => (Some(inflow), Some(outflow)),
            None => (None, None),
        };
        let sender = Sender::new(role, keys, outflow);
        Self { receiver: Inbound::new(role, config, inflow, &sender), sender }
    }

    /// Returns which end of the connection this is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.sender.role()
    }

    /// Returns the state of the connection.
    #[must_use]
    #[inline]
    pub const fn ready_state(&self) -> ReadyState {
        self.sender.ready_state()
    }

    /// Returns whether both Close frames were exchanged: "the WebSocket connection is said to have
    /// been closed cleanly" (7.1.4). `false` while the answer to the peer's Close waits for room.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.sender.is_clean()
    }

    /// Returns whether a reply waits for room in the output: a Pong, or a Close.
    /// [`flush`](Self::flush) appends it, as does the next call that receives or sends.
    #[must_use]
    #[inline]
    pub const fn has_due_output(&self) -> bool {
        self.sender.has_due_output()
    }

    /// Appends the replies that are due to `out`, as far as it has room.
    ///
    /// ```
    /// use wscodec::{Config, Connection, ReadyState};
    /// let mut server = Connection::server(Config::default());
    /// let mut no_room: &mut [u8] = &mut [];
    /// server.receive(&mut &mut b"\x88\x80\0\0\0\0".to_owned()[..], &mut no_room)?; // a Close
    /// assert!(server.has_due_output() && !server.is_clean());
    /// assert_eq!(server.ready_state(), ReadyState::Closing);
    ///
    /// let mut out = Vec::new();
    /// server.flush(&mut out);
    /// assert_eq!(out, b"\x88\0");
    /// assert!(!server.has_due_output() && server.is_clean());
    /// assert_eq!(server.ready_state(), ReadyState::Closed);
    /// # Ok::<(), wscodec::ProtocolError>(())
    /// ```
    pub fn flush(&mut self, out: &mut impl BufMut) {
        self.sender.flush(out);
    }

    /// Returns the heap memory that an incomplete message takes, in bytes: 0 between messages. For
    /// a caller that bounds the total over its connections; the windows of an extension are not
    /// included.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.receiver.buffered()
    }

    /// Returns why the connection failed, if it did.
    #[must_use]
    pub const fn error(&self) -> Option<ProtocolError> {
        self.sender.failed
    }

    /// Takes bytes from the front of `input`, which shrinks, and returns the next event; `None`
    /// once all of `input` has been taken. Call it until then: an event may come from earlier
    /// input.
    ///
    /// Payloads are unmasked in place, once. A message that lies whole in `input` is borrowed from
    /// it; an incomplete end of `input` is copied and kept, so the caller's memory is free again.
    /// Replies (Pong, Close) are appended to `out`, at the latest when `None` is returned; if `out`
    /// has no room they stay due for the next call.
    ///
    /// After a Close has been received, further input is dropped (5.5.1).
    ///
    /// # Errors
    /// [`ProtocolError`] once the peer has broken the protocol or a limit; every complete message
    /// before the violation has been returned by then. A Close with [`ProtocolError::close_code`]
    /// has been appended to `out`. The connection has failed for good: further calls return the
    /// same error and take nothing.
    #[inline]
    pub fn receive<'e, 'i: 'e>(
        &'e mut self,
        input: &mut &'i mut [u8],
        out: &mut impl BufMut,
    ) -> Result<Option<Event<'e>>, ProtocolError> {
        self.receiver.receive(&mut self.sender, input, out)
    }

    /// Like [`receive`](Self::receive), but lends the sending half with the event, so a message can
    /// be answered while it is borrowed.
    ///
    /// ```
    /// # use wscodec::{Connection, Config, Event, Message, ProtocolError, Role};
    /// /// Echoes every message that `input` holds.
    /// fn echo(connection: &mut Connection, mut input: &mut [u8], out: &mut Vec<u8>) -> Result<(), ProtocolError> {
    ///     while let Some((event, sender)) = connection.receive_with_sender(&mut input, out)? {
    ///         let message = match event {
    ///             Event::Text(text) => Message::Text(text),
    ///             Event::Binary(bytes) => Message::Binary(bytes),
    ///             _ => continue,
    ///         };
    ///         sender.send(message, out).ok(); // refused only once a Close has been sent
    ///     }
    ///     Ok(())
    /// }
    /// # let mut server = Connection::new(Role::Server, Config::default());
    /// # let mut out = Vec::new();
    /// # echo(&mut server, &mut b"\x81\x82\0\0\0\0Hi".to_owned()[..], &mut out)?;
    /// # assert_eq!(out, b"\x81\x02Hi");
    /// # Ok::<(), ProtocolError>(())
    /// ```
    ///
    /// # Errors
    /// See [`receive`](Self::receive).
    #[inline]
    pub fn receive_with_sender<'e, 'i: 'e>(
        &'e mut self,
        input: &mut &'i mut [u8],
        out: &mut impl BufMut,
    ) -> Result<Option<(Event<'e>, &'e mut Sender<K>)>, ProtocolError> {
        match self.receiver.receive(&mut self.sender, input, out) {
            Ok(Some(event)) => Ok(Some((event, &mut self.sender))),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Like [`receive`](Self::receive), but returns where the event lies instead of lending it: for
    /// callers that keep using their own buffer, such as one that lends from a loop of reads, or
    /// one that hands out `Bytes`.
    ///
    /// [`Step::taken`] bytes of `input` have been taken. Payloads in `input` are unmasked where
    /// they lie; get those that the connection holds from [`event`](Self::event) or
    /// [`take_message`](Self::take_message) before the next call.
    ///
    /// ```
    /// use std::io::{self, Read, Write};
    /// use wscodec::{Connection, Event};
    ///
    /// struct WebSocket<S> {
    ///     stream: S,
    ///     connection: Connection,
    ///     input: Vec<u8>,
    ///     out: Vec<u8>,
    ///     taken: usize,
    ///     end: usize,
    /// }
    ///
    /// impl<S: Read + Write> WebSocket<S> {
    ///     fn next(&mut self) -> io::Result<Option<Event<'_>>> {
    ///         let found = loop {
    ///             let unread = &mut self.input[self.taken..self.end];
    ///             let start = self.taken;
    ///             let step = self.connection.receive_at(unread, &mut self.out);
    ///             self.stream.write_all(&self.out)?;
    ///             self.out.clear();
    ///             let step = step.map_err(io::Error::other)?;
    ///             self.taken += step.taken();
    ///             if let Some(found) = step.into_event() {
    ///                 break (start, found);
    ///             }
    ///             (self.taken, self.end) = (0, self.stream.read(&mut self.input)?);
    ///             if self.end == 0 {
    ///                 return Ok(None);
    ///             }
    ///         };
    ///         let (start, found) = found;
    ///         Ok(Some(self.connection.event(&found, &self.input[start..])))
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// See [`receive`](Self::receive).
    #[inline]
    pub fn receive_at(
        &mut self,
        input: &mut [u8],
        out: &mut impl BufMut,
    ) -> Result<Step, ProtocolError> {
        self.receiver.receive_at(&mut self.sender, input, out)
    }

    /// Lends the event that [`receive_at`](Self::receive_at) found, from the connection or from
    /// `input`, which must be the input passed to that call.
    ///
    /// Text in `input` is validated again, since the caller may have changed it; if it is no longer
    /// valid, or `input` is too short, the payload is empty. Text that the connection holds is not
    /// validated again.
    #[must_use]
    pub fn event<'e>(&'e self, found: &Found, input: &'e [u8]) -> Event<'e> {
        self.event_by(found, input, text_of)
    }

    /// Like [`event`](Self::event), for an adapter whose buffer no other code can have changed.
    #[cfg(feature = "std")]
    pub(crate) fn event_unchanged<'e>(&'e self, found: &Found, input: &'e [u8]) -> Event<'e> {
        self.event_by(found, input, unmasked_str)
    }

    fn event_by<'e>(
        &'e self,
        found: &Found,
        input: &'e [u8],
        as_text: fn(&'e [u8]) -> &'e str,
    ) -> Event<'e> {
        let (kind, place) = match found {
            Found::Held(_, holder) => return self.receiver.held_event(holder.0),
            Found::Input(kind, place) => (*kind, place.clone()),
        };
        let payload = input.get(place).unwrap_or_default();
        match kind {
            EventKind::Text => Event::Text(as_text(payload)),
            EventKind::Binary => Event::Binary(payload),
            EventKind::TextPiece(fin) => Event::TextPiece(as_text(payload), fin),
            EventKind::BinaryPiece(fin) => Event::BinaryPiece(payload, fin),
            EventKind::Ping => Event::Ping(payload),
            EventKind::Pong => Event::Pong(payload),
            EventKind::Close => Event::Close(control::parse_close(payload).unwrap_or_default()),
        }
    }

    /// Takes the message that the last call found in the connection ([`Found::Held`]), with its
    /// memory and without a copy. Empty if there is none.
    ///
    /// ```
    /// use wscodec::connection::{EventKind, Found};
    /// use wscodec::{Config, Connection};
    ///
    /// let mut client = Connection::client(Config::default());
    /// let mut out = Vec::new();
    /// let [mut first, mut second] = [*b"\x82\x06abc", *b"defxx"]; // a message that spans reads
    /// assert_eq!(client.receive_at(&mut first, &mut out)?.event(), None);
    /// let step = client.receive_at(&mut second[..3], &mut out)?;
    /// assert!(matches!(step.event(), Some(Found::Held(EventKind::Binary, _))));
    /// assert_eq!(client.take_message(), b"abcdef");
    /// # Ok::<(), wscodec::ProtocolError>(())
    /// ```
    #[must_use]
    pub fn take_message(&mut self) -> Vec<u8> {
        self.receiver.assembler.take_message()
    }

    /// Like [`take_message`](Self::take_message), for a text message, which is not validated again;
    /// `None` if the last call found none.
    #[must_use]
    pub fn take_text(&mut self) -> Option<String> {
        self.receiver.assembler.take_text()
    }

    /// Like [`receive`](Self::receive), from a buffer that is handed over piece by piece: the event
    /// owns its payload, either an uncopied slice of `input` or the assembled message.
    ///
    /// When it returns `None`, all of `input` has been taken and `input` is empty. A payload keeps
    /// alive the whole buffer it was read with: copy small ones that you keep for long.
    ///
    /// ```
    /// use bytes::BytesMut;
    /// use wscodec::connection::SharedEvent;
    /// use wscodec::{Config, Connection};
    ///
    /// let mut server = Connection::server(Config::default());
    /// let mut out = Vec::new();
    /// let mut input = BytesMut::from(&b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"[..]);
    /// let event = server.receive_shared(&mut input, &mut out)?;
    /// assert_eq!(event, Some(SharedEvent::Text("Hello".into())));
    /// assert_eq!(server.receive_shared(&mut input, &mut out)?, None);
    /// # Ok::<(), wscodec::ProtocolError>(())
    /// ```
    ///
    /// # Errors
    /// See [`receive`](Self::receive).
    pub fn receive_shared(
        &mut self,
        input: &mut BytesMut,
        out: &mut impl BufMut,
    ) -> Result<Option<SharedEvent>, ProtocolError> {
        self.receiver.receive_shared(&mut self.sender, input, out)
    }

    /// Lends room for the rest of a large data frame's payload, so that it can be read from the
    /// socket straight into the message, without a copy. `None` if there is no such frame, if less
    /// than 8 KiB of it is to come, or if the message is compressed or delivered in pieces.
    ///
    /// Call it once [`receive`](Self::receive) has returned `None`; the next call that receives,
    /// which may be passed an empty input, takes what was written to the room. A room is at most
    /// three times as long as the part of the message that has arrived, or 64 KiB at the beginning:
    /// memory follows the bytes that arrive, not what the header claims.
    ///
    /// ```
    /// use bytes::BufMut;
    /// use wscodec::{Config, Connection, Event};
    ///
    /// let mut client = Connection::client(Config::default());
    /// let mut out = Vec::new();
    /// let mut header = *b"\x82\x7f\0\0\0\0\0\x01\0\0"; // 64 KiB follow
    /// assert_eq!(client.receive(&mut &mut header[..], &mut out)?, None);
    /// let mut room = client.room().expect("a large frame is open");
    /// assert_eq!(room.remaining_mut(), 64 * 1024);
    /// room.put_bytes(b'x', 64 * 1024); // with tokio: `stream.read_buf(&mut room).await`
    /// let event = client.receive(&mut &mut [][..], &mut out)?;
    /// assert_eq!(event, Some(Event::Binary(&[b'x'; 64 * 1024])));
    /// # Ok::<(), wscodec::ProtocolError>(())
    /// ```
    #[must_use]
    pub fn room(&mut self) -> Option<Room<'_>> {
        self.receiver.room(&self.sender)
    }

    /// Tells the connection that the peer's stream has ended.
    ///
    /// Call it when a read has returned nothing, after [`receive`](Self::receive) has returned
    /// `None`. If `receive` had not yet returned `None`, input may be left: pass it to `receive`,
    /// which still returns its events, and the verdict once all is taken. Nothing is lost in either
    /// order.
    ///
    /// # Errors
    /// [`ProtocolError::UnexpectedEof`] if all input is taken and held no Close from the peer,
    /// which other APIs report as 1006; the error of a connection that had failed before.
    pub fn receive_eof(&mut self) -> Result<(), ProtocolError> {
        let sender = &mut self.sender;
        sender.mark(Marks::EOF_RECEIVED);
        self.receiver.settle(sender);
        self.receiver.end_of_stream(sender)
    }

    /// Returns the sending half.
    pub fn sender(&mut self) -> &mut Sender<K> {
        &mut self.sender
    }

    /// See [`Sender::send`].
    ///
    /// # Errors
    /// See [`Sender::send`].
    #[inline]
    pub fn send(&mut self, message: Message<'_>, out: &mut impl BufMut) -> Result<(), SendError> {
        self.sender.send(message, out)
    }

    /// See [`Sender::send_uncompressed`].
    ///
    /// # Errors
    /// See [`Sender::send_uncompressed`].
    pub fn send_uncompressed(
        &mut self,
        message: Message<'_>,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        self.sender.send_uncompressed(message, out)
    }

    /// See [`Sender::send_prepared`].
    ///
    /// # Errors
    /// See [`Sender::send_prepared`].
    pub fn send_prepared(
        &mut self,
        prepared: &PreparedMessage,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        self.sender.send_prepared(prepared, out)
    }

    /// See [`Sender::prepared_frame`].
    ///
    /// # Errors
    /// See [`Sender::prepared_frame`].
    pub fn prepared_frame(&mut self, prepared: &PreparedMessage) -> Result<Bytes, SendError> {
        self.sender.prepared_frame(prepared)
    }

    /// See [`Sender::send_fragment`].
    ///
    /// # Errors
    /// See [`Sender::send_fragment`].
    pub fn send_fragment(
        &mut self,
        fragment: Fragment<'_>,
        fin: Fin,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        self.sender.send_fragment(fragment, fin, out)
    }

    /// See [`Sender::send_fragmented`].
    ///
    /// # Errors
    /// See [`Sender::send_fragmented`].
    pub fn send_fragmented(
        &mut self,
        message: Message<'_>,
        fragment_size_max: NonZeroUsize,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        self.sender.send_fragmented(message, fragment_size_max, out)
    }

    /// See [`Sender::close`].
    ///
    /// # Errors
    /// See [`Sender::close`].
    pub fn close(
        &mut self,
        close: Option<CloseFrame<'_>>,
        out: &mut impl BufMut,
    ) -> Result<(), SendError> {
        self.sender.close(close, out)
    }
}
