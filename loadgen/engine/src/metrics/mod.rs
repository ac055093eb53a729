//! Counts and times a run: one [`Metrics`] for each worker, merged once at the end.
//!
//! Invariants, which [`balance`] checks: every connection started has one outcome, and every
//! message sent was received, altered, lost or timed out.

pub mod balance;
mod close_reasons;
pub(crate) mod counts;
mod deflate;
mod distribution;
mod drops;
mod failure;
mod fanout;
mod followed;
mod http2;
pub mod live;
mod network;
mod packed;
mod probe;
mod push;
mod reach;
mod reconnect;
mod sampled;
mod scenario;
mod seen;
pub mod timeline;

use crate::index::ConnectionIndex;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use close_reasons::CloseReasons;
use counts::counts;
pub use deflate::{DeflateCounts, Volume};
pub use distribution::rank;
pub use distribution::{Distribution, HIGHEST_NS, LOWEST_NS, SIGNIFICANT_DIGITS};
pub use drops::{DropTimes, Drops};
pub use failure::add_sample;
pub use failure::{Failure, FailurePhase, Failures, Occurrence};
pub use fanout::{CopyCounts, FanoutCounts};
pub use followed::Followed;
pub use http2::Http2Counts;
pub use live::{IntervalCounts, PlayedInterval, StepInterval};
pub use network::NetworkCounts;
pub use probe::ProbeCounts;
pub use push::PushCounts;
pub use reach::{AddressCounts, TlsKind, UrlCounts};
pub use reconnect::ReconnectCounts;
pub use sampled::{Sample, Samples, Sampling};
pub use scenario::{
    Counted, IterationCounts, RuleCounts, ScenarioMetrics, StepCounts, UnitCounts, UserCounts,
};
pub use seen::{Seen, SeenKind};

/// A duration that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// From the planned start of a connection to the actual one.
    ConnectLag,
    /// From the start to a connected socket, including attempts at other addresses of the name.
    ConnectTcp,
    /// From the connected socket to the proxy's tunnel.
    ConnectProxy,
    /// From the connected socket or tunnel to the end of a full TLS handshake.
    ConnectTls,
    /// From the connected socket or tunnel to the end of a TLS handshake that resumes a session.
    ConnectTlsResumed,
    /// From the connected socket, tunnel or TLS to the settings by which a server takes WebSockets
    /// over HTTP/2.
    ConnectHttp2,
    /// From sending the request to its validated response.
    ConnectUpgrade,
    /// From the planned start to the validated response.
    ConnectTotal,
    /// From the start of an attempt to reopen a lost connection to the validated response.
    ReconnectTotal,
    /// From the loss of a connection to the validated response that reopened it.
    ReconnectAway,
    /// From the moment a storm cut a connection to the validated response that reopened it first.
    StormBack,
    /// From the planned send to the echo (open loop).
    RttResponse,
    /// From the actual write to the echo.
    RttService,
    /// From the planned send to the actual write (open loop).
    SendLag,
    /// From when the kernel had a message to when this program looked at it, where that is known.
    RecvLag,
    /// [`RttResponse`](Self::RttResponse) of messages planned in the measured time whose echo came
    /// after it; counted there too.
    DrainResponse,
    /// [`RttService`](Self::RttService) of messages sent in the measured time whose echo came after
    /// it; counted there too.
    DrainService,
    /// [`RttResponse`](Self::RttResponse) of messages planned in the warm-up; not counted there.
    WarmupResponse,
    /// [`RttService`](Self::RttService) of messages sent in the warm-up; not counted there.
    WarmupService,
    /// From the actual write of a Ping to its Pong.
    PingRtt,
    /// From a message to its frame, sampled, where permessage-deflate was agreed.
    ClientDeflate,
    /// From a frame's last bytes to its message, sampled, where permessage-deflate was agreed.
    ClientInflate,
    /// From the timestamp in a pushed message to its arrival, by wall clocks.
    PushLatency,
    /// From one pushed message of a connection to the next.
    PushGap,
    /// Smoothed round trip between the two kernels, of the connections sampled.
    NetworkRtt,
    /// Mean deviation of that round trip.
    NetworkRttDeviation,
    /// From the planned or actual send of a published message to its first copy.
    FanoutFirst,
    /// From the planned or actual send of a published message to its last copy.
    FanoutLast,
    /// From the first copy of a published message to its last.
    FanoutSpread,
    /// From the planned or actual send of a published message to each copy.
    FanoutLatency,
    /// From when an iteration of a scenario was due to the end of its last step (open loop).
    IterationResponse,
    /// From the start of an iteration to the end of its last step.
    IterationService,
    /// From when an iteration was due to its first write (open loop).
    IterationLag,
    /// From sending Close to receiving it.
    CloseHandshake,
    /// From sending Close to the end of the stream.
    CloseTcp,
}

impl Metric {
    /// All metrics, in the order of a connection's life.
    pub const ALL: [Self; 35] = [
        Self::ConnectLag,
        Self::ConnectTcp,
        Self::ConnectProxy,
        Self::ConnectTls,
        Self::ConnectTlsResumed,
        Self::ConnectHttp2,
        Self::ConnectUpgrade,
        Self::ConnectTotal,
        Self::ReconnectTotal,
        Self::ReconnectAway,
        Self::StormBack,
        Self::RttResponse,
        Self::RttService,
        Self::SendLag,
        Self::RecvLag,
        Self::DrainResponse,
        Self::DrainService,
        Self::WarmupResponse,
        Self::WarmupService,
        Self::PingRtt,
        Self::ClientDeflate,
        Self::ClientInflate,
        Self::PushLatency,
        Self::PushGap,
        Self::NetworkRtt,
        Self::NetworkRttDeviation,
        Self::FanoutFirst,
        Self::FanoutLast,
        Self::FanoutSpread,
        Self::FanoutLatency,
        Self::IterationResponse,
        Self::IterationService,
        Self::IterationLag,
        Self::CloseHandshake,
        Self::CloseTcp,
    ];

    /// Returns the metric with this name in reports.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Returns where the duration starts and ends, in words.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::ConnectLag => "from the planned start to the actual one",
            Self::ConnectTcp => "from the start to a connected socket, including failed addresses",
            Self::ConnectProxy => "from the socket to the proxy's tunnel",
            Self::ConnectTls => "a full TLS handshake",
            Self::ConnectTlsResumed => "a TLS handshake that resumes an earlier session",
            Self::ConnectHttp2 => "from the step before to HTTP/2 settings that allow WebSockets",
            Self::ConnectUpgrade => "from the step before to a validated response",
            Self::ConnectTotal => "from the planned start to a validated response",
            Self::ReconnectTotal => "from the start of an attempt to a validated response",
            Self::ReconnectAway => "from the loss of a connection until it was open again",
            Self::StormBack => "from the cut of a connection until it was open again",
            Self::RttResponse => "from the planned send to the echo",
            Self::RttService => "from the actual write to the echo",
            Self::SendLag => "from the planned send to the actual write",
            Self::RecvLag => "from when the kernel had a message to when loadgen looked at it",
            Self::DrainResponse => "the part of rtt.response that arrived after the measured time",
            Self::DrainService => "the part of rtt.service that arrived after the measured time",
            Self::WarmupResponse => "rtt.response of the warm-up",
            Self::WarmupService => "rtt.service of the warm-up",
            Self::PingRtt => "from the actual write of a Ping to its Pong",
            Self::ClientDeflate => "from a message to its compressed frame, of one in 13 messages",
            Self::ClientInflate => "from a compressed frame to its message, of one in 13 messages",
            Self::PushLatency => "from the time in a message to its arrival, by wall clocks",
            Self::PushGap => "from a message of a connection to its next",
            Self::NetworkRtt => "round trip between the kernels, smoothed, sampled",
            Self::NetworkRttDeviation => "mean deviation of network.rtt, sampled",
            Self::FanoutFirst => "from the send (open loop: the planned one) to the first copy",
            Self::FanoutLast => "from the send (open loop: the planned one) to the last copy",
            Self::FanoutSpread => "from the first copy of a message to its last",
            Self::FanoutLatency => "from the send (open loop: the planned one) to each copy",
            Self::IterationResponse => "from when an iteration was due to the end of its last step",
            Self::IterationService => "from the start of an iteration to the end of its last step",
            Self::IterationLag => "from when an iteration was due to its first write",
            Self::CloseHandshake => "from sending Close to receiving it",
            Self::CloseTcp => "from sending Close to the end of the stream",
        }
    }

    /// Returns the name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConnectLag => "connect.lag",
            Self::ConnectTcp => "connect.tcp",
            Self::ConnectProxy => "connect.proxy",
            Self::ConnectTls => "connect.tls",
            Self::ConnectTlsResumed => "connect.tls_resumed",
            Self::ConnectHttp2 => "connect.h2",
            Self::ConnectUpgrade => "connect.upgrade",
            Self::ConnectTotal => "connect.total",
            Self::ReconnectTotal => "reconnect.total",
            Self::ReconnectAway => "reconnect.away",
            Self::StormBack => "storm.back",
            Self::RttResponse => "rtt.response",
            Self::RttService => "rtt.service",
            Self::SendLag => "send.lag",
            Self::RecvLag => "recv.lag",
            Self::DrainResponse => "drain.rtt.response",
            Self::DrainService => "drain.rtt.service",
            Self::WarmupResponse => "warmup.rtt.response",
            Self::WarmupService => "warmup.rtt.service",
            Self::PingRtt => "ping.rtt",
            Self::ClientDeflate => "client.deflate",
            Self::ClientInflate => "client.inflate",
            Self::PushLatency => "push.latency",
            Self::PushGap => "push.gap",
            Self::NetworkRtt => "network.rtt",
            Self::NetworkRttDeviation => "network.rtt_deviation",
            Self::FanoutFirst => "fanout.first",
            Self::FanoutLast => "fanout.last",
            Self::FanoutSpread => "fanout.spread",
            Self::FanoutLatency => "fanout.latency",
            Self::IterationResponse => "iteration.response",
            Self::IterationService => "iteration.service",
            Self::IterationLag => "iteration.lag",
            Self::CloseHandshake => "close.handshake",
            Self::CloseTcp => "close.tcp",
        }
    }
}

/// A [`Distribution`] for each [`Metric`] that has a value.
#[derive(Clone, Debug)]
pub struct Distributions([Option<Box<Distribution>>; Metric::ALL.len()]);

impl Default for Distributions {
    fn default() -> Self {
        Self(std::array::from_fn(|_| None))
    }
}

impl Distributions {
    /// Records a duration.
    #[inline]
    pub fn record(&mut self, metric: Metric, ns: u64) {
        self.0[metric as usize].get_or_insert_default().record(ns);
    }

    /// Records a duration `count` times.
    #[inline]
    pub fn record_n(&mut self, metric: Metric, ns: u64, count: u64) {
        self.0[metric as usize].get_or_insert_default().record_n(ns, count);
    }

    /// Returns the distribution of a metric; `None` if nothing was recorded.
    #[must_use]
    pub fn of(&self, metric: Metric) -> Option<&Distribution> {
        self.0[metric as usize].as_deref()
    }

    fn merge(&mut self, other: Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            match (own.as_mut(), other) {
                (_, None) => {}
                (Some(own), Some(other)) => own.add(&other),
                (None, other) => *own = other,
            }
        }
    }
}

/// A part of the time during which messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// Before the measured time.
    Warmup,
    /// The measured time.
    Measured,
}

counts! {
    /// What became of the messages of a [`Span`].
    ///
    /// Under open loop a message belongs to the span in which it was planned, under closed loop to
    /// the one in which it was written.
    pub struct MessageCounts {
        /// Handed to the socket, or queued because the server doesn't read.
        sent: sum,
        /// Came back unchanged.
        received: sum,
        /// Came back changed.
        altered: sum,
        /// Never came back.
        lost: sum,
        /// Did not come back within the reply timeout.
        timed_out: sum,
        /// Received, but after a later message.
        reordered: sum,
        /// Planned, but not sent because the connection wasn't open.
        unsent_closed: sum,
        /// Planned, but not sent because too much was queued for a server that doesn't read.
        unsent_backlog: sum,
        /// Planned, but not sent because this program was too late: beyond what it may catch up
        /// with, or at the end.
        unsent_late: sum,
    }
}

counts! {
    /// What arrived, counted once for the whole run rather than for each [`Span`].
    pub struct ArrivalCounts {
        /// Echoes that arrived within the measured time, whenever they were sent; the achieved rate
        /// is computed from them.
        arrived: sum,
        /// Messages that came back after they had timed out.
        late: sum,
        /// Messages received a second time, or after they had been counted as lost.
        duplicated: sum,
        /// Messages received without having been sent.
        unexpected: sum,
        /// Pings received and answered.
        pings: sum,
    }
}

counts! {
    /// Messages and Pongs received from the begin of the measured time on, by what says when they
    /// arrived, if the kernel was asked for it.
    pub struct ArrivalTimeCounts {
        /// The kernel.
        kernel: sum,
        /// This program's clock, because the kernel didn't say.
        user: sum,
    }
}

impl ArrivalTimeCounts {
    /// Checks whether what was received counts as timed by the kernel: all but one in a thousand,
    /// which changes no percentile that is judged.
    #[must_use]
    pub const fn is_kernels(&self) -> bool {
        self.kernel > 0 && self.user <= self.kernel / 1_000
    }
}

/// What became of Pings, besides those that the [`MessageCounts`] of their span count as received
/// or lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PingCounts {
    /// Pings answered by a Pong to a later Ping.
    pub superseded: u64,
    /// Pongs that answered no Ping.
    pub unsolicited: u64,
}

/// How a closing handshake went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Closing {
    /// The side that sent the first Close, or ended the stream without one.
    pub by: Side,
    /// The code of that Close; 1005 for an empty one, 1006 for none.
    pub code: u16,
    /// Whether both Close frames were exchanged and the stream then ended.
    pub is_clean: bool,
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// This program.
    Client,
    /// The server under load.
    Server,
}

impl Side {
    /// Returns the name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// The counts of a worker.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Connections started.
    pub attempted: u64,
    /// Connections whose opening handshake succeeded.
    pub established: u64,
    /// Connections that did everything they should and closed cleanly.
    pub completed: u64,
    /// Connections by URL, which connections take in turn.
    pub urls: Vec<UrlCounts>,
    /// Connections by address, for each URL with several, which connections take in turn.
    pub addresses: Vec<Vec<AddressCounts>>,
    /// Established connections with TLS, by the parameters agreed.
    pub tls: BTreeMap<TlsKind, u64>,
    /// Connections that did not complete, by cause.
    pub failures: Failures,
    /// Established connections, by how they were closed.
    pub closings: BTreeMap<Closing, u64>,
    /// Reasons that the server gave when it began to close.
    pub close_reasons: BTreeMap<Closing, CloseReasons>,
    /// Messages planned or written before the measured time.
    pub warmup: MessageCounts,
    /// Messages planned or written in the measured time.
    pub measured: MessageCounts,
    /// What arrived, whichever span it belongs to.
    pub arrivals: ArrivalCounts,
    /// Connections established within the measured time (`connect`).
    pub opened: u64,
    /// An example of each kind of wrong message.
    pub wrong: Failures,
    /// Messages that are shown but not judged.
    pub seen: Seen,
    /// Counts of Pings sent (`hold`) that the spans don't have.
    pub pings: PingCounts,
    /// Pings sent beside messages (`run`).
    pub probes: ProbeCounts,
    /// Messages that the server pushed (`listen`).
    pub push: PushCounts,
    /// Published messages (`fanout`).
    pub fanout: FanoutCounts,
    /// Copies of published messages (`fanout`).
    pub copies: CopyCounts,
    /// Publishers, by number, when other processes have some of the publishers or of their
    /// subscribers.
    pub followed: BTreeMap<ConnectionIndex, Followed>,
    /// Arrival times of copies of some messages, when other processes have subscribers too.
    pub sampled: Samples,
    /// Users of a scenario (`play`).
    pub scenario: ScenarioMetrics,
    /// Connections that were open when this side began to close them.
    pub held: u64,
    /// Established connections that ended before that.
    pub drops: Drops,
    /// What became of them, if they were to be reopened.
    pub reconnect: ReconnectCounts,
    /// What said when messages arrived (`--recv-time kernel`).
    pub arrival_times: ArrivalTimeCounts,
    /// The connections of HTTP/2 that carried WebSockets.
    pub http2: Http2Counts,
    /// What the kernel said about the connections sampled.
    pub network: NetworkCounts,
    /// Bytes written to sockets.
    pub bytes_sent: u64,
    /// Bytes read from sockets.
    pub bytes_received: u64,
    /// The effect of permessage-deflate, if it was offered.
    pub deflate: DeflateCounts,
    /// Durations.
    pub distributions: Distributions,
}

impl Metrics {
    /// Returns empty metrics for `len` URLs.
    #[must_use]
    pub fn with_urls(len: usize) -> Self {
        Self { urls: vec![UrlCounts::default(); len], ..Self::default() }
    }

    /// Returns the counts of a span.
    #[inline]
    pub const fn span(&mut self, span: Span) -> &mut MessageCounts {
        match span {
            Span::Warmup => &mut self.warmup,
            Span::Measured => &mut self.measured,
        }
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: Self) {
        self.attempted += other.attempted;
        self.established += other.established;
        self.completed += other.completed;
        self.merge_reach(other.urls, other.tls);
        self.merge_addresses(&other.addresses);
        self.failures.merge(other.failures);
        for (closing, count) in other.closings {
            *self.closings.entry(closing).or_default() += count;
        }
        for (closing, reasons) in other.close_reasons {
            self.close_reasons.entry(closing).or_default().merge(reasons);
        }
        self.warmup.add(&other.warmup);
        self.measured.add(&other.measured);
        self.arrivals.add(&other.arrivals);
        self.opened += other.opened;
        self.wrong.merge(other.wrong);
        self.seen.merge(other.seen);
        self.pings.superseded += other.pings.superseded;
        self.pings.unsolicited += other.pings.unsolicited;
        self.probes.add(&other.probes);
        self.push.add(&other.push);
        self.fanout.add(&other.fanout);
        self.copies.add(&other.copies);
        followed::merge(&mut self.followed, other.followed);
        self.sampled.merge(&other.sampled);
        self.scenario.merge(other.scenario);
        self.held += other.held;
        self.drops.merge(other.drops);
        self.reconnect.merge(other.reconnect);
        self.arrival_times.add(&other.arrival_times);
        self.http2.add(&other.http2);
        self.network.add(&other.network);
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.deflate.merge(other.deflate);
        self.distributions.merge(other.distributions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_stand_at_their_own_index() {
        for (index, metric) in Metric::ALL.into_iter().enumerate() {
            assert_eq!(metric as usize, index, "{}", metric.name());
        }
    }

    #[test]
    fn merging_adds_everything() {
        let mut one = Metrics { attempted: 3, established: 2, completed: 1, ..Metrics::default() };
        one.failures.add(Failure::new(FailurePhase::Tcp, "refused"), || "first".into());
        one.closings.insert(Closing { by: Side::Client, code: 1000, is_clean: true }, 1);
        one.measured.sent = 10;
        one.distributions.record(Metric::RttService, 1_000);
        let two = one.clone();
        one.merge(two);
        assert_eq!((one.attempted, one.established, one.completed), (6, 4, 2));
        assert_eq!(one.failures.count(&Failure::new(FailurePhase::Tcp, "refused")), 2);
        assert_eq!(one.closings.values().sum::<u64>(), 2);
        assert_eq!(one.measured.sent, 20);
        assert_eq!(one.distributions.of(Metric::RttService).unwrap().count(), 2);
        assert!(one.distributions.of(Metric::SendLag).is_none());
    }
}
