//! Sends messages through permessage-deflate where a server has agreed on it, and times that.
//!
//! Without permessage-deflate this costs a message one branch; with it, the message goes to the
//! codec's sender, which compresses, instead of to the encoder. Only one message in [`TIMED_EVERY`]
//! is timed each way, since reading the clock twice takes long beside a short message.

use std::num::NonZeroUsize;

use wscodec::Message;
use wscodec::deflate::DeflateClient;
use wscodec::header::Opcode;

use super::session::Session;
use crate::clock::Clock;
use crate::config::Request;
use crate::metrics::{Distributions, Metric, Metrics};
use crate::payload::{Expected, Payload};

/// One message in this many is timed. A prime, so that it can't fall in step with a pattern in the
/// messages.
const TIMED_EVERY: u32 = 13;

/// What the connections of a thread offer, and the stopwatches for what they send and receive.
#[derive(Debug, Default)]
pub(crate) struct Deflating {
    /// Makes no offers unless permessage-deflate is asked for.
    pub(crate) offers: DeflateClient,
    pub(crate) is_offered: bool,
    pub(crate) is_required: bool,
    pub(crate) deflate: Stopwatch,
    pub(crate) inflate: Stopwatch,
}

impl Deflating {
    pub(crate) fn new(request: &Request) -> Self {
        let Some(offer) = &request.deflate else { return Self::default() };
        Self {
            offers: DeflateClient::new(offer.deflate),
            is_offered: true,
            is_required: offer.is_required,
            ..Self::default()
        }
    }

    /// Appends a message to the unsent bytes of a session, compressed if that makes it shorter, in
    /// frames of at most `fragment` bytes. Returns false, and appends nothing, if it can't be
    /// compressed: a Ping, or a text message that isn't valid text.
    pub(crate) fn send(
        &mut self,
        session: &mut Session,
        payload: &mut Payload,
        message: Expected,
        fragment: Option<NonZeroUsize>,
        clock: Clock,
        metrics: &mut Metrics,
    ) -> bool {
        self.deflate.begin(true, clock);
        let before = session.unsent.len();
        let opcode = payload.opcode();
        let payload = payload.message(message);
        let message = match (opcode, str::from_utf8(payload)) {
            (Opcode::Text, Ok(text)) => Message::Text(text),
            (Opcode::Binary, _) => Message::Binary(payload),
            _ => return false,
        };
        let done = match fragment {
            Some(fragment) => session.codec.send_fragmented(message, fragment, &mut session.unsent),
            None => session.codec.send(message, &mut session.unsent),
        };
        if done.is_err() {
            return false;
        }
        self.deflate.end(clock, &mut metrics.distributions, Metric::ClientDeflate);
        let sent = &mut metrics.deflate.sent;
        sent.payload_bytes += payload.len() as u64;
        sent.wire_bytes += (session.unsent.len() - before) as u64;
        true
    }
}

/// Times one message in [`TIMED_EVERY`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stopwatch {
    turn: u32,
    begun_ns: Option<u64>,
}

impl Stopwatch {
    /// Starts timing what may become a message, if `is_on`.
    #[inline]
    pub(crate) fn begin(&mut self, is_on: bool, clock: Clock) {
        self.begun_ns = None;
        if is_on && self.turn == 0 {
            self.begun_ns = Some(clock.now_ns());
        }
    }

    /// Records the time: a message is complete.
    pub(crate) fn end(&mut self, clock: Clock, durations: &mut Distributions, metric: Metric) {
        self.turn = (self.turn + 1) % TIMED_EVERY;
        if let Some(begun_ns) = self.begun_ns.take() {
            durations.record(metric, clock.now_ns().saturating_sub(begun_ns));
        }
    }
}
