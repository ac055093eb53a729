//! The two halves of a connection, for two tasks that share nothing.
//!
//! Information goes one way, from the receiving half to the sending half, as values: a [`Reply`]
//! for each Pong, Close or failure. Invariant: the receiving half writes nothing, and the sending
//! half sends nothing twice.

use alloc::vec::Vec;
use core::fmt;

use bytes::{BufMut, BytesMut};

use crate::error::ProtocolError;
use crate::mask::{FixedKey, MaskKeySource};
use crate::role::Role;

use super::control::ControlPayload;
use super::inbound::Inbound;
use super::send::{Marks, Sender};
use super::shared::SharedEvent;
use super::{Connection, Event};

/// The receiving half of a [`Connection`], from [`Connection::split`].
#[derive(Debug)]
pub struct Receiver {
    inbound: Inbound,
    /// The sending half's view of what has been received; it writes replies unmasked.
    state: Sender<FixedKey>,
}

/// A reply from the receiving half to the sending half: pass it to [`Sender::reply`].
///
/// It owns its data, so it can go through a channel.
#[must_use = "the peer waits for it"]
pub struct Reply(Kind);

enum Kind {
    /// The payload of the Ping.
    Pong(ControlPayload),
    /// The peer's Close has arrived; holds the answer, to be sent unless this side has sent a
    /// Close.
    Close(ControlPayload),
    /// The connection has failed; holds the Close that reports it, if one is to be sent.
    Failed(ProtocolError, Option<ControlPayload>),
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Pong(_) => "Reply(Pong)",
            Kind::Close(_) => "Reply(Close)",
            Kind::Failed(..) => "Reply(Failed)",
        })
    }
}

impl<K: MaskKeySource> Connection<K> {
    /// Splits the connection into halves that share nothing, so that one task may receive and
    /// another send without a lock.
    ///
    /// The receiving half does not write: it returns replies as values, for the task that sends.
    ///
    /// ```
    /// use wscodec::{Config, Connection, Event, Message};
    ///
    /// let (mut receiver, mut sender) = Connection::server(Config::default()).split();
    /// let mut replies = Vec::new();
    /// let mut read = *b"\x89\x82\0\0\0\0hi"; // a Ping
    /// let event = receiver.receive(&mut &mut read[..], &mut replies)?;
    /// assert_eq!(event, Some(Event::Ping(b"hi")));
    ///
    /// // In the other task, with what came through a channel:
    /// let mut out = Vec::new();
    /// for reply in replies {
    ///     sender.reply(reply, &mut out);
    /// }
    /// sender.send(Message::Text("yes"), &mut out)?;
    /// assert_eq!(out, b"\x8a\x02hi\x81\x03yes");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn split(self) -> (Receiver, Sender<K>) {
        let Self { receiver: inbound, sender } = self;
        let state = sender.shadow();
        (Receiver { inbound, state }, sender)
    }
}

impl Receiver {
    /// Like [`Connection::receive`], but pushes replies instead of writing them: per input, at most
    /// 33, one more than the number of Pings answered one by one.
    ///
    /// # Errors
    /// See [`Connection::receive`]; the reply that tells the peer has been pushed with the first.
    #[inline]
    pub fn receive<'e, 'i: 'e>(
        &'e mut self,
        input: &mut &'i mut [u8],
        replies: &mut Vec<Reply>,
    ) -> Result<Option<Event<'e>>, ProtocolError> {
        let was_failed = self.state.failed.is_some();
        let mut out = Vec::new(); // takes no memory unless there is a reply
        let outcome = self.inbound.receive(&mut self.state, input, &mut out);
        if !out.is_empty() || outcome.is_err() && !was_failed {
            push_replies(&out, outcome.as_ref().err(), replies);
        }
        outcome
    }

    /// Like [`Connection::receive_shared`], but pushes replies instead of writing them.
    ///
    /// # Errors
    /// See [`receive`](Self::receive).
    pub fn receive_shared(
        &mut self,
        input: &mut BytesMut,
        replies: &mut Vec<Reply>,
    ) -> Result<Option<SharedEvent>, ProtocolError> {
        let was_failed = self.state.failed.is_some();
        let mut out = Vec::new();
        let outcome = self.inbound.receive_shared(&mut self.state, input, &mut out);
        if !out.is_empty() || outcome.is_err() && !was_failed {
            push_replies(&out, outcome.as_ref().err(), replies);
        }
        outcome
    }

    /// See [`Connection::whole_len`].
    #[must_use]
    pub fn whole_len(&self, input: &[u8]) -> Option<usize> {
        self.inbound.whole_len(input)
    }

    /// See [`Connection::receive_eof`]; a failure is pushed for the sending half, too.
    ///
    /// # Errors
    /// See [`Connection::receive_eof`].
    pub fn receive_eof(&mut self, replies: &mut Vec<Reply>) -> Result<(), ProtocolError> {
        self.state.mark(Marks::EOF_RECEIVED);
        self.inbound.settle(&self.state);
        let outcome = self.inbound.end_of_stream(&mut self.state);
        if let Err(error) = outcome {
            replies.push(Reply(Kind::Failed(error, None)));
        }
        outcome
    }

    /// Returns whether the peer's Close has arrived or the connection has failed: no event will
    /// follow.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.state.has(Marks::CLOSE_RECEIVED) || self.state.failed.is_some()
    }

    /// Returns why the connection failed, if it did.
    #[must_use]
    pub const fn error(&self) -> Option<ProtocolError> {
        self.state.failed
    }

    /// See [`Connection::buffered`].
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.inbound.buffered()
    }

    /// See [`Connection::room`].
    #[must_use]
    pub fn room(&mut self) -> Option<crate::message::Room<'_>> {
        self.inbound.room(&self.state)
    }

    /// Joins the halves of a [split](Connection::split) connection, which continues where they
    /// were.
    ///
    /// Pass every reply to the sending half before: one that is lost is never sent. Halves of
    /// different connections make no sense together, which this function can't notice.
    ///
    /// ```
    /// use wscodec::{Config, Connection, Event};
    ///
    /// let (mut receiver, sender) = Connection::server(Config::default()).split();
    /// let mut begun = *b"\x82\x82\0\0\0\0a"; // half a message
    /// assert_eq!(receiver.receive(&mut &mut begun[..], &mut Vec::new())?, None);
    /// let mut server = receiver.reunite(sender);
    /// let mut rest = *b"b";
    /// let event = server.receive(&mut &mut rest[..], &mut Vec::new())?;
    /// assert_eq!(event, Some(Event::Binary(b"ab")));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn reunite<K: MaskKeySource>(self, mut sender: Sender<K>) -> Connection<K> {
        let Self { mut inbound, state } = self;
        for mark in [Marks::CLOSE_RECEIVED, Marks::EOF_RECEIVED] {
            if state.has(mark) {
                sender.mark(mark);
            }
        }
        sender.failed = sender.failed.or(state.failed);
        inbound.settle(&sender);
        Connection { receiver: inbound, sender }
    }
}

/// Parses control frames as a server writes them.
#[cold]
fn push_replies(mut frames: &[u8], error: Option<&ProtocolError>, replies: &mut Vec<Reply>) {
    let has_close = !frames.is_empty();
    while let [b0, len, rest @ ..] = frames {
        let (payload, rest) = rest.split_at_checked(usize::from(*len)).unwrap_or((rest, &[]));
        frames = rest;
        let mut held = ControlPayload::default();
        held.append(payload);
        replies.push(Reply(match (b0 & 0x0f, error) {
            (0xa, _) => Kind::Pong(held),
            (_, Some(error)) => Kind::Failed(*error, Some(held)),
            _ => Kind::Close(held),
        }));
    }
    // The end of the stream, which sends no Close.
    if let (false, Some(error)) = (has_close, error) {
        replies.push(Reply(Kind::Failed(*error, None)));
    }
}

impl<K: MaskKeySource> Sender<K> {
    /// Appends a reply from the receiving half of a [split](Connection::split) connection, if it
    /// may still be sent. If `out` has no room, the reply stays due.
    pub fn reply(&mut self, reply: Reply, out: &mut impl BufMut) {
        self.flush(out);
        match reply.0 {
            Kind::Pong(payload) => {
                self.renew_pongs(); // the receiving half has counted
                if self.failed.is_none() {
                    self.answer_ping(payload.as_bytes(), out);
                }
            }
            Kind::Close(payload) => {
                self.mark(Marks::CLOSE_RECEIVED);
                self.reply_close(&payload, out);
            }
            Kind::Failed(error, payload) => {
                if self.failed.is_some() || self.is_clean() {
                    return;
                }
                self.failed = Some(error);
                self.drop_pong();
                self.release();
                match payload {
                    Some(payload) => self.reply_close(&payload, out),
                    None => self.mark(Marks::EOF_RECEIVED),
                }
            }
        }
    }

    fn reply_close(&mut self, payload: &ControlPayload, out: &mut impl BufMut) {
        if !self.has(Marks::CLOSE_SENT) {
            self.mark(Marks::CLOSE_SENT);
            self.send_close(payload.as_bytes(), out);
        }
    }

    /// Returns the state that a separate receiving half needs, without keys and due replies.
    fn shadow(&self) -> Sender<FixedKey> {
        let mut state = Sender::new(Role::Server, FixedKey::default(), None);
        // A Close from this side is left out, so that the peer's answer is passed on.
        for mark in [Marks::CLOSE_RECEIVED, Marks::EOF_RECEIVED] {
            if self.has(mark) {
                state.mark(mark);
            }
        }
        state.failed = self.failed;
        state
    }
}
