//! All that the connections of one thread share: clock, buffers, counters, and the sessions
//! themselves.
//!
//! Each connection has a task, which does no more than to be woken and to call
//! [`Thread::poll_open`]. So there is one borrow a wake-up, one read buffer, one pool of write
//! buffers and one set of histograms, and nothing of it is locked.
//!
//! ```text
//!   woken task ─▶ read into the shared buffer ─▶ codec ─▶ Judge ─▶ next messages, replies ─▶ one write
//!                 └────────────────── again until the socket is known to be empty ──────────────┘
//! ```

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use slab::Slab;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::watch;
use wscodec::mask::ChaChaKeys;
use wscodec::{CloseCode, CloseFrame, DataKind, Event, ReadyState};

use super::Instruction;
use super::deadline::Deadlines;
use super::deflate::Deflating;
use super::echo::{EchoBatch, Judge, Received};
use super::fanout::{CopyJudge, FanoutState};
use super::greet::Greeting;
use super::listen::{Feed, Listener};
use super::probe::{Pong, Probes};
use super::reconnect::Reconnects;
use super::session::{End, Session};
use super::settings::Settings;
use super::times::Times;
use crate::clock::Clock;
use crate::config::{Load, Misbehaviour};
use crate::metrics::live::Live;
use crate::metrics::{Failure, FailurePhase, Metric, Metrics, Side, UrlCounts};
use crate::net::{Routes, Stream};
use crate::payload::{Payload, Requests};
use crate::plan::{Script, Send, Sends};

/// Bytes of a read, shared by all connections of a thread.
const READ_SIZE: usize = 64 << 10;
/// Bytes that may wait for a socket before Pongs are held back, of which the codec keeps the
/// newest: what a server that floods with Pings and doesn't read can pile up.
const UNSENT_MAX: usize = 1 << 20;

/// The connections of one thread, and what they share.
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a run")]
pub(crate) struct Thread {
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) routes: Rc<Routes>,
    /// Of each route, the address that worked last time.
    pub(crate) preferred: Vec<usize>,
    pub(crate) deflating: Deflating,
    pub(crate) payload: Payload,
    /// Messages depend on when they were planned.
    pub(crate) has_time: bool,
    /// Where the keys of data frames come from; `None` is the key of zeros.
    pub(crate) keys: Option<ChaChaKeys>,
    pub(crate) metrics: Metrics,
    pub(crate) live: Arc<Live>,
    pub(crate) times: Times,
    instructions: watch::Receiver<Instruction>,
    pub(crate) sessions: Slab<Session>,
    /// The key of each session by the place of its connection among the worker's, where something
    /// is due by that.
    pub(crate) keys_by_place: Vec<Option<usize>>,
    pub(crate) sends: Option<Sends>,
    /// How long replies may take, if that has a bound.
    pub(crate) deadlines: Option<Deadlines>,
    /// Pings beside messages, if there are any.
    pub(crate) probes: Option<Probes>,
    pub(crate) next_send: Option<Send>,
    /// What each connection was pushed, by its place among the worker's, where that is what is
    /// measured.
    pub(crate) feeds: Vec<Feed>,
    /// What is known of published messages, where there are any.
    pub(crate) fanout: Option<FanoutState>,
    /// What is known of lost connections, where they are opened again.
    pub(crate) reconnects: Option<Reconnects>,
    /// What a connection says once it is open.
    pub(crate) greeting: Option<Greeting>,
    /// The requests, where connections don't all send the same.
    pub(crate) requests: Option<Requests>,
    /// Buffers without content, for the next that writes.
    pub(crate) spare: Vec<Vec<u8>>,
    /// Sessions with something new to write.
    pub(crate) dirty: Vec<usize>,
    /// Bytes that wait for all sockets together.
    pub(crate) backlog_len: usize,
    /// Messages without reply on all connections together.
    pub(crate) unanswered: usize,
    /// Connections begun that are not established yet.
    pub(crate) pending: u64,
    pub(crate) failures_in_a_row: u32,
    /// Sessions whose closing has begun.
    pub(crate) closing: usize,
    /// Sessions that have sent all they may.
    pub(crate) spent: usize,
    pub(crate) is_sending: bool,
    /// Messages that came before load and were no echoes, such as greetings.
    pub(crate) greeted: u64,
    /// When a message was written last, or had its reply.
    pub(crate) progress_ns: u64,
    /// Its main task sleeps until it is woken.
    pub(crate) is_asleep: bool,
    pub(crate) is_connector_done: bool,
    pub(crate) is_interrupted: bool,
    /// When it was; later than anything if it wasn't.
    interrupted_ns: u64,
    /// Attempts that are still pending have been counted as interrupted.
    pub(crate) is_abandoned: bool,
    /// Connections that are held with half a request (a cohort).
    pub(crate) headless: u64,
    /// The healthy connections are closed: a cohort is over.
    pub(crate) is_leaving: bool,
    /// Tells those that hold half a request.
    pub(crate) leaving: watch::Sender<bool>,
    pub(crate) main_waker: Option<Waker>,
    read_buffer: Box<[u8]>,
}

/// What a thread is made of.
pub(crate) struct Parts {
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) routes: Rc<Routes>,
    pub(crate) deflating: Deflating,
    pub(crate) payload: Payload,
    pub(crate) keys: Option<ChaChaKeys>,
    pub(crate) live: Arc<Live>,
    pub(crate) greeting: Option<Greeting>,
    pub(crate) requests: Option<Requests>,
    pub(crate) fanout: Option<FanoutState>,
    pub(crate) reconnects: Option<Reconnects>,
    pub(crate) sends: Option<Sends>,
    pub(crate) deadlines: Option<Deadlines>,
    pub(crate) probes: Option<Probes>,
    pub(crate) instructions: watch::Receiver<Instruction>,
    pub(crate) slots: usize,
}

impl Thread {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { clock, settings, routes, deflating, payload, .. } = parts;
        let Parts { keys, live, greeting, fanout, reconnects, mut sends, probes, slots, .. } =
            parts;
        let Parts { deadlines, instructions, requests, .. } = parts;
        let next_send = sends.as_mut().and_then(Iterator::next);
        Self {
            clock,
            settings,
            preferred: vec![0; routes.all().len()],
            metrics: Metrics::with_urls(routes.all().len()),
            routes,
            deflating,
            has_time: payload.has_time(),
            payload,
            keys,
            live,
            times: Times::NEVER,
            instructions,
            sessions: Slab::with_capacity(slots),
            keys_by_place: if sends.is_some() || probes.is_some() || deadlines.is_some() {
                vec![None; slots]
            } else {
                Vec::new()
            },
            sends,
            deadlines,
            probes,
            next_send,
            feeds: match settings.script {
                Script::Listen => vec![Feed::default(); slots],
                _ => Vec::new(),
            },
            fanout,
            reconnects,
            greeting,
            requests,
            spare: Vec::new(),
            dirty: Vec::new(),
            backlog_len: 0,
            unanswered: 0,
            pending: 0,
            failures_in_a_row: 0,
            closing: 0,
            spent: 0,
            is_sending: false,
            greeted: 0,
            progress_ns: 0,
            is_asleep: false,
            is_connector_done: false,
            is_interrupted: false,
            interrupted_ns: u64::MAX,
            is_abandoned: false,
            headless: 0,
            is_leaving: false,
            leaving: watch::Sender::new(false),
            main_waker: None,
            read_buffer: vec![0; READ_SIZE].into(),
        }
    }

    /// Takes in what the coordinator wants.
    pub(crate) fn obey(&mut self, instruction: Instruction) {
        match instruction {
            Instruction::Ramp => {}
            Instruction::Load(times) => self.times = times,
            Instruction::Stop => {
                self.is_interrupted = true;
                self.interrupted_ns = self.interrupted_ns.min(self.clock.now_ns());
            }
        }
        self.wake_main();
    }

    /// The end of a wait that began at `begin_ns`: an interrupt, before it or meanwhile, leaves no
    /// more than `grace_ns` of it.
    pub(crate) fn cut_short(&self, begin_ns: u64, end_ns: u64, grace_ns: u64) -> u64 {
        end_ns.min(self.interrupted_ns.max(begin_ns).saturating_add(grace_ns))
    }

    /// Looks whether load has begun: other workers may be at it before the task of this one that
    /// waits for commands has had its turn.
    #[cold]
    fn look_for_begin(&mut self) {
        if let Instruction::Load(times) = *self.instructions.borrow() {
            self.times = times;
        }
    }

    /// Tells the worker's main task that something it may wait for has happened.
    pub(crate) fn wake_main(&self) {
        if let Some(waker) = &self.main_waker {
            waker.wake_by_ref();
        }
    }

    /// Whether all connections that were planned have been established or have failed.
    pub(crate) const fn is_settled(&self) -> bool {
        self.is_connector_done && self.pending == 0
    }

    /// Whether no connection is left in any state.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_settled() && self.sessions.is_empty() && self.headless == 0
    }

    /// Whether nothing waits for its reply.
    pub(crate) fn is_answered(&self) -> bool {
        self.unanswered == 0 && self.is_probed()
    }

    /// The place of a connection among those of this worker.
    pub(crate) fn place(&self, connection: u64) -> usize {
        self.settings.place(connection)
    }

    /// The counts of the URL that a connection goes to.
    pub(super) fn url_counts(&mut self, connection: u64) -> &mut UrlCounts {
        let place = self.routes.place(connection);
        &mut self.metrics.urls[place]
    }

    /// Ends a session, and counts what it came to.
    /// Returns the connection if it is to be opened again.
    pub(crate) fn retire(&mut self, key: usize, end: &End) -> Option<u64> {
        let mut session = self.sessions.remove(key);
        self.backlog_len -= session.unsent_len();
        self.give_back(std::mem::take(&mut session.unsent));
        if session.close.is_seen {
            self.closing -= 1;
        }
        let place = self.place(session.index);
        if let Some(entry) = self.keys_by_place.get_mut(place) {
            *entry = None;
        }
        self.forget_feed(place);
        self.forget_probes(place);
        self.unanswered -= session.outstanding.len();
        self.leave_fanout(session.index, &mut session.outstanding);
        let lost = session.outstanding.give_up_all();
        self.judge().lost(lost);
        if session.close.is_received
            && let Some(sent_ns) = session.close.sent_ns
            && !matches!(end, End::Timeout | End::Protocol(_))
        {
            let ended_ns = self.clock.now_ns();
            self.metrics.distributions.record(Metric::CloseTcp, ended_ns.saturating_sub(sent_ns));
        }
        let mut outcome = session.outcome(end);
        // The codec has answered the server's Close, and this side kept the answer back.
        let is_kept_back =
            outcome.closing.by == Side::Server && self.settings.misbehaviour.is_silent();
        outcome.closing.is_clean &= !is_kept_back;
        if !session.close.is_seen
            && session.close.sent_ns.is_none()
            && let Some((why, _)) = &outcome.failure
        {
            self.dropped(session.index, why.clone());
        }
        *self.metrics.closings.entry(outcome.closing).or_default() += 1;
        if let Some(reason) = &session.close.reason {
            self.metrics.close_reasons.entry(outcome.closing).or_default().add(reason);
        }
        if session.close.begun.is_some_and(|(by, _)| by == Side::Client)
            && self.settings.script != Script::OpenClose
        {
            self.live.released.add(1);
        }
        self.live.ended.add(1);
        self.wake_main();
        if self.is_to_return(&session, &outcome) {
            return Some(session.index);
        }
        if session.quota == 0 {
            self.spent -= 1;
        }
        self.url_counts(session.index).messages += session.outstanding.next_sequence();
        match outcome.failure {
            None => {
                self.metrics.completed += 1;
                self.url_counts(session.index).completed += 1;
            }
            Some((failure, sample)) => {
                self.live.failed.add(1);
                self.metrics.failures.add(failure, || sample);
            }
        }
        None
    }

    /// Reads from a connection whose handshake isn't done: `take` gets the bytes, `None` at the end
    /// of the stream.
    pub(crate) fn poll_response<T, E>(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
        mut take: impl FnMut(io::Result<Option<&mut [u8]>>) -> Result<Option<T>, E>,
    ) -> Poll<Result<T, E>> {
        loop {
            let mut buffer = ReadBuf::new(&mut self.read_buffer);
            let taken = match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => take(Err(error)),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => take(Ok(None)),
                Poll::Ready(Ok(())) => {
                    self.metrics.bytes_received += buffer.filled().len() as u64;
                    take(Ok(Some(buffer.filled_mut())))
                }
            };
            match taken {
                Ok(None) => {}
                Ok(Some(value)) => return Poll::Ready(Ok(value)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Drives a session until its closing has begun (`None`) or it has ended.
    pub(crate) fn poll_open(&mut self, key: usize, cx: &mut Context<'_>) -> Poll<Option<End>> {
        match self.poll_end(key, cx) {
            Poll::Ready(end) => Poll::Ready(Some(end)),
            Poll::Pending if self.sessions[key].close.begun.is_some() => {
                self.sessions[key].close.is_seen = true;
                self.closing += 1;
                if let Some((Side::Server, code)) = self.sessions[key].close.begun {
                    let index = self.sessions[key].index;
                    self.dropped(index, Failure::numbered(FailurePhase::ServerClose, code));
                }
                if self.is_load_done() {
                    self.wake_main();
                }
                Poll::Ready(None)
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Drives a session until it has ended.
    pub(crate) fn poll_end(&mut self, key: usize, cx: &mut Context<'_>) -> Poll<End> {
        if self.sessions[key].waker.is_none() {
            self.sessions[key].waker = Some(cx.waker().clone());
        }
        loop {
            self.poll_flush(key, cx);
            if let Some(error) = self.sessions[key].codec.error() {
                return Poll::Ready(End::Protocol(error));
            }
            let session = &mut self.sessions[key];
            let is_free = self.settings.misbehaviour != Misbehaviour::NeverPong;
            if session.is_held && is_free && session.unsent_len() <= UNSENT_MAX {
                session.is_held = false;
                self.receive(key, &mut []); // there is room again for what the codec holds
                continue;
            }
            let mut buffer = ReadBuf::new(&mut self.read_buffer);
            match Pin::new(&mut session.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(End::Io(error)),
                Poll::Ready(Ok(())) => {}
            }
            let len = buffer.filled().len();
            if len == 0 {
                return Poll::Ready(End::Eof);
            }
            self.metrics.bytes_received += len as u64;
            if self.times == Times::NEVER {
                self.look_for_begin();
            }
            let mut buffer = std::mem::take(&mut self.read_buffer);
            let now_ns = self.receive(key, &mut buffer[..len]);
            self.read_buffer = buffer;
            if self.is_due(now_ns) {
                self.pace(now_ns);
            }
        }
    }

    /// Takes what a connection has received; what is to be sent because of it is encoded, not
    /// written. Returns the time.
    pub(super) fn receive(&mut self, key: usize, mut input: &mut [u8]) -> u64 {
        let now_ns = self.clock.now_ns();
        let Self { sessions, payload, metrics, live, times, settings, .. } = self;
        let Self { clock, deflating, feeds, fanout, probes, greeting, routes, .. } = self;
        let session = &mut sessions[key];
        let is_open_loop = settings.load.is_some_and(Load::is_scheduled);
        let (clock, stopwatch) = (*clock, &mut deflating.inflate);
        let greeting = greeting.as_ref().map(|greeting| (greeting, &**routes));
        if session.is_deflated {
            metrics.deflate.received.wire_bytes += input.len() as u64;
        }
        let (unsent_len, outstanding) = (session.unsent.len(), session.outstanding.len());
        let received = metrics.warmup.received + metrics.measured.received;
        // A protocol error stays in the codec, and ends the session when it is polled next.
        let may_send = self.is_sending && now_ns < times.window_end_ns;
        session.is_held |= session.unsent_len() > UNSENT_MAX;
        let mut no_room: &mut [u8] = &mut [];
        let mut echoes = EchoBatch::default();
        while let Ok(Some(event)) = {
            stopwatch.begin(session.is_deflated, clock);
            if session.is_held {
                session.codec.receive(&mut input, &mut no_room)
            } else {
                session.codec.receive(&mut input, &mut session.unsent)
            }
        } {
            let (kind, bytes) = match event {
                Event::Text(text) => (DataKind::Text, text.as_bytes()),
                Event::Binary(bytes) => (DataKind::Binary, bytes),
                Event::Close(frame) => {
                    if let Some(sent_ns) = session.close.sent_ns
                        && !session.close.is_received
                    {
                        let ns = now_ns.saturating_sub(sent_ns);
                        metrics.distributions.record(Metric::CloseHandshake, ns);
                    }
                    session.close.received(frame);
                    // Nothing more is written, and so no answer.
                    session.close.is_write_broken |=
                        settings.misbehaviour == Misbehaviour::NeverClose;
                    continue;
                }
                Event::Ping(_) => {
                    metrics.pings_received += 1;
                    continue;
                }
                Event::Pong(pong) if settings.script == Script::Hold => {
                    let mut judge = Judge { payload, metrics, live, times, is_open_loop };
                    judge.pong(&mut session.outstanding, pong, session.index, now_ns);
                    continue;
                }
                Event::Pong(payload) => {
                    if let Some(probes) = probes {
                        let (connection, place) = (session.index, settings.place(session.index));
                        probes.pong(metrics, Pong { payload, connection, place, now_ns });
                    }
                    continue;
                }
                _ => continue,
            };
            if session.is_deflated {
                stopwatch.end(clock, &mut metrics.distributions, Metric::ClientInflate);
                metrics.deflate.received.payload_bytes += bytes.len() as u64;
            }
            let message = Received { kind, payload: bytes, connection: session.index, now_ns };
            if matches!(settings.script, Script::OpenClose | Script::Hold | Script::Listen) {
                let feed = feeds.get_mut(settings.place(session.index));
                Listener { metrics, live, times, greeting }.message(feed, message);
                continue;
            }
            if let Some(fanout) = fanout {
                let mut judge = CopyJudge { payload, metrics, live, times, clock, settings };
                fanout.message(&mut judge, message);
                continue;
            }
            let mut judge = Judge { payload, metrics, live, times, is_open_loop };
            judge.message(&mut session.outstanding, message, &mut echoes);
        }
        Judge { payload, metrics, live, times, is_open_loop }.record_batch(&mut echoes, now_ns);
        let answered = outstanding - session.outstanding.len();
        self.unanswered -= answered;
        if answered > 0 {
            self.progress_ns = now_ns;
        }
        self.backlog_len += session.unsent.len() - unsent_len;
        let received = metrics.warmup.received + metrics.measured.received - received;
        live.received.add(received);
        if may_send && !is_open_loop {
            self.refill(key);
        }
        if self.is_asleep {
            self.is_asleep = false;
            self.wake_main();
        }
        if self.unanswered == 0
            && self.fanout.is_none()
            && (if self.is_sending { self.is_load_done() } else { self.is_answered() })
        {
            self.wake_main();
        }
        now_ns
    }

    /// Begins the closing handshake of a session, if it can be.
    pub(crate) fn close(&mut self, key: usize) {
        let session = &mut self.sessions[key];
        if session.codec.ready_state() != ReadyState::Open {
            return;
        }
        if self.settings.misbehaviour == Misbehaviour::NeverClose {
            return self.leave(key);
        }
        let before = session.unsent.len();
        let frame = CloseFrame { code: CloseCode::NORMAL, reason: "" };
        // Refused only if it isn't open, which has been seen to.
        if session.codec.close(Some(frame), &mut session.unsent).is_ok() {
            session.close.begun = Some((Side::Client, CloseCode::NORMAL.as_u16()));
            self.metrics.held += 1;
        }
        self.backlog_len += session.unsent.len() - before;
        session.close.sent_ns = Some(self.clock.now_ns());
        self.flush(key);
        if let Some(waker) = &self.sessions[key].waker {
            waker.wake_by_ref();
        }
    }

    /// What judging received messages takes.
    pub(crate) fn judge(&mut self) -> Judge<'_> {
        Judge {
            payload: &self.payload,
            metrics: &mut self.metrics,
            live: &self.live,
            times: &self.times,
            is_open_loop: self.settings.load.is_some_and(Load::is_scheduled),
        }
    }
}
