//! What the connections of one thread share, whatever they are there for.
//!
//! There is one of everything a thread: one clock, one read buffer, one pool of write buffers, one
//! set of histograms. It is borrowed once a wake-up, and nothing of it is locked.

pub(crate) mod admission;
pub(crate) mod deadlines;
pub(crate) mod greeting;
pub(crate) mod outbox;
mod pace;
pub(crate) mod probes;
pub(crate) mod reconnects;

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::watch;
use wscodec::{CloseCode, CloseFrame, ReadyState};

use super::Instruction;
use super::deflate::Deflating;
use super::judge::Judge;
use super::lifecycle::Lifecycle;
use super::receipt::{Receipt, Receipts};
use super::session::NO_CLOSE;
use super::sessions::{LocalIndex, SessionKey, Sessions};
use super::settings::Settings;
use super::times::Times;
use crate::clock::Clock;
use crate::config::Misbehaviour;
use crate::index::ConnectionIndex;
use crate::metrics::live::Live;
use crate::metrics::{Metric, Metrics, Side, UrlCounts};
use crate::net::{Families, Http2Pool, Routes, Stream};
use crate::payload::Requests;
use admission::Admission;
use deadlines::Deadlines;
use greeting::Greeting;
use outbox::Outbox;
use probes::Probes;
use reconnects::Reconnects;

/// Bytes of a read, shared by all connections of a thread.
const READ_SIZE: usize = 64 << 10;

/// What the connections of one thread share.
pub(crate) struct Thread {
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) times: Times,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) metrics: Metrics,
    pub(crate) live: Arc<Live>,

    pub(crate) routes: Rc<Routes>,
    /// Of each route, which families of addresses worked.
    pub(crate) families: Vec<Families>,
    /// The connections of HTTP/2, where WebSockets are opened over it.
    pub(crate) http2: Option<Rc<Http2Pool>>,
    /// The requests, where connections don't all send the same.
    pub(crate) requests: Option<Requests>,
    pub(crate) deflating: Deflating,
    /// What a connection says once it is open.
    pub(crate) greeting: Option<Greeting>,
    pub(crate) admission: Admission,
    /// What is known of lost connections, where they are opened again.
    pub(crate) reconnects: Option<Reconnects>,

    pub(crate) sessions: Sessions,
    pub(crate) outbox: Outbox,
    /// How long replies may take, if that has a bound.
    pub(crate) deadlines: Option<Deadlines>,
    /// Pings beside messages, if there are any.
    pub(crate) probes: Option<Probes>,
    pub(crate) read_buffer: Box<[u8]>,
    /// Reads with the kernel's time, if that is what messages are timed by.
    pub(crate) receipts: Option<Receipts>,
}

/// What a thread is made of.
pub(crate) struct Parts {
    pub(crate) clock: Clock,
    pub(crate) settings: Settings,
    pub(crate) live: Arc<Live>,
    pub(crate) routes: Rc<Routes>,
    pub(crate) requests: Option<Requests>,
    pub(crate) deflating: Deflating,
    pub(crate) greeting: Option<Greeting>,
    pub(crate) reconnects: Option<Reconnects>,
    pub(crate) outbox: Outbox,
    pub(crate) deadlines: Option<Deadlines>,
    pub(crate) probes: Option<Probes>,
    pub(crate) receipts: Option<Receipts>,
    pub(crate) instructions: watch::Receiver<Instruction>,
    /// Connections that may be open at once.
    pub(crate) slots: usize,
    /// Sessions are looked up by their local index, whatever is scheduled.
    pub(crate) is_indexed: bool,
}

impl Thread {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { clock, settings, live, routes, requests, deflating, greeting, .. } = parts;
        let Parts {
            reconnects,
            outbox,
            deadlines,
            probes,
            receipts,
            instructions,
            slots,
            is_indexed,
            ..
        } = parts;
        let is_indexed =
            is_indexed || outbox.sends.is_some() || probes.is_some() || deadlines.is_some();
        Self {
            clock,
            times: Times::NEVER,
            lifecycle: Lifecycle::new(instructions),
            metrics: Metrics::with_urls(routes.all().len()),
            live,
            families: vec![Families::default(); routes.all().len()],
            http2: routes.http2_pool().map(Rc::new),
            routes,
            requests,
            deflating,
            greeting,
            admission: Admission::default(),
            reconnects,
            sessions: Sessions::new(slots, settings.numbering, is_indexed),
            settings,
            outbox,
            deadlines,
            probes,
            read_buffer: vec![0; READ_SIZE].into(),
            receipts,
        }
    }

    /// Takes in what the coordinator wants.
    pub(crate) fn obey(&mut self, instruction: Instruction) {
        match instruction {
            Instruction::Ramp => {}
            Instruction::Load(times) => self.times = times,
            Instruction::Stop => self.lifecycle.interrupt(self.clock.now_ns()),
        }
        self.lifecycle.wake_main();
    }

    /// Checks whether load has started. Another worker may be sending before the task of this one
    /// that waits for instructions has run.
    #[cold]
    pub(crate) fn look_for_begin(&mut self) {
        if let Some(times) = self.lifecycle.announced() {
            self.times = times;
        }
    }

    /// Returns when the bytes arrived that are looked at now.
    #[inline]
    pub(crate) fn receipt(&mut self, now_ns: u64) -> Receipt {
        match &mut self.receipts {
            None => Receipt::seen(now_ns),
            Some(receipts) => receipts.take(now_ns),
        }
    }

    /// Notes how long messages of one read have waited for this thread.
    #[inline]
    pub(crate) fn waited(&mut self, receipt: Receipt, messages: u64) {
        if self.receipts.is_none() || receipt.arrived_ns < self.times.window_begin_ns {
            return;
        }
        let Metrics { arrival_times, distributions, .. } = &mut self.metrics;
        match receipt.lag_ns {
            None => arrival_times.user += messages,
            Some(lag_ns) if messages > 0 => {
                arrival_times.kernel += messages;
                distributions.record_n(Metric::RecvLag, lag_ns, messages);
            }
            Some(_) => {}
        }
    }

    /// Checks whether new messages may be sent.
    pub(crate) fn may_send(&self, now_ns: u64) -> bool {
        self.lifecycle.is_loading() && now_ns < self.times.window_end_ns
    }

    /// Returns how many connections are open, or will be open again.
    pub(crate) fn connections(&self) -> u64 {
        (self.sessions.len() + self.away()) as u64
    }

    /// Checks whether no connection is left in any state.
    pub(crate) fn is_empty(&self) -> bool {
        self.admission.is_settled() && self.sessions.is_empty() && self.admission.headless == 0
    }

    /// Checks whether nothing waits for its reply.
    pub(crate) fn is_answered(&self) -> bool {
        self.outbox.unanswered == 0 && self.is_probed()
    }

    /// Returns the place of a connection among those of this worker.
    pub(crate) fn local(&self, connection: ConnectionIndex) -> LocalIndex {
        self.settings.numbering.local(connection)
    }

    /// Returns the counts of the URL that a connection goes to.
    pub(crate) fn url_counts(&mut self, connection: ConnectionIndex) -> &mut UrlCounts {
        let place = self.routes.place(connection);
        &mut self.metrics.urls[place]
    }

    /// Returns what judging received messages takes.
    pub(crate) fn judge(&mut self) -> Judge<'_> {
        Judge {
            payload: &self.outbox.payload,
            metrics: &mut self.metrics,
            live: &self.live,
            times: &self.times,
            is_open_loop: self.settings.is_open_loop,
        }
    }

    /// Begins the closing handshake of a session, if it can be begun; returns whether there is a
    /// Close to write.
    pub(crate) fn begin_close(&mut self, key: SessionKey) -> bool {
        self.begin_close_with(key, CloseCode::NORMAL)
    }

    /// Begins the closing handshake as [`begin_close`](Self::begin_close) does, with a code.
    pub(crate) fn begin_close_with(&mut self, key: SessionKey, code: CloseCode) -> bool {
        let session = &mut self.sessions[key];
        if session.codec.ready_state() != ReadyState::Open {
            return false;
        }
        if self.settings.misbehaviour == Misbehaviour::NeverClose {
            self.leave(key);
            return false;
        }
        let before = session.unsent.len();
        let frame = CloseFrame { code, reason: "" };
        // Refused only if it isn't open, which is checked above.
        if session.codec.close(Some(frame), &mut session.unsent).is_ok() {
            session.close.begun = Some((Side::Client, code.as_u16()));
            self.metrics.held += 1;
        }
        self.outbox.backlog_len += session.unsent.len() - before;
        session.close.sent_ns = Some(self.clock.now_ns());
        true
    }

    /// Ends a session without a Close, the next time that its task runs.
    pub(crate) fn leave(&mut self, key: SessionKey) {
        let session = &mut self.sessions[key];
        if session.close.begun.is_none() {
            session.close.begun = Some((Side::Client, NO_CLOSE));
            self.metrics.held += 1;
        }
        session.wake();
    }

    /// Checks whether a session was ended by [`leave`](Self::leave).
    pub(crate) fn is_left(&self, key: SessionKey) -> bool {
        let session = self.sessions.get(key);
        session.is_some_and(|session| session.close.begun == Some((Side::Client, NO_CLOSE)))
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
}
