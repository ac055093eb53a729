//! What became of published messages and their copies.

use std::fmt;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::Report;
use super::digest::digest;
use super::line::{Row, line};
use crate::clock::nanos;
use crate::config::{Config, Fanout, Load};
use crate::index::ConnectionIndex;
use crate::metrics::{CopyCounts, Followed, Metrics, Sample, Sampling};
use crate::units;
use crate::worker::run_number;

/// What became of published messages and their copies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FanoutReport {
    /// Connections that publish.
    pub publishers: u64,
    /// Connections that subscribe.
    pub subscribers: u64,
    /// Topics; connections take them in turn.
    pub topics: u64,
    /// Messages a second in total (open loop).
    pub rate_per_s: Option<f64>,
    /// Messages under way of each publisher (closed loop).
    pub pipeline: Option<u32>,
    /// Bytes of a payload.
    pub payload_size: u64,
    /// Identifies the text around a payload; `null` if there is none.
    pub publish_digest: Option<String>,
    /// Identifies what subscribers send; `null` if nothing.
    pub subscribe_digest: Option<String>,
    /// Connections whose subscription was answered, if answers were waited for.
    pub answered: Option<u64>,
    /// Connections whose subscription was not answered when load began.
    pub unanswered: Option<u64>,
    /// How long copies are waited for.
    pub copy_timeout_ns: u64,
    /// Messages sent: complete plus incomplete, where they are known.
    pub published: u64,
    /// Messages sent, a second.
    pub published_per_s: f64,
    /// Messages of which every open subscriber got a copy in time.
    /// `null` where other processes have some of the subscribers.
    pub complete: Option<u64>,
    /// Messages that some open subscriber did not get in time; the copies that came are in the
    /// latencies.
    pub incomplete: Option<u64>,
    /// Messages that no subscriber got.
    pub silent: Option<u64>,
    /// Messages due, but not sent because their publisher wasn't open.
    pub unsent_closed: u64,
    /// Messages due, but not sent because the server didn't read.
    pub unsent_backlog: u64,
    /// Messages due, but not sent because too many were under way.
    pub unsent_crowded: u64,
    /// Messages due, but not sent because the client was too late.
    pub unsent_late: u64,
    /// What became of the copies.
    pub copies: CopiesReport,
    /// What is known when several processes make one run; `null` in a run of one.
    pub split: Option<SplitReport>,
}

/// A `fanout` run by several processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitReport {
    /// The number that identifies messages of the run: the same in all processes.
    pub run: u64,
    /// The clocks that latencies are differences of.
    pub clock: String,
    /// What this process knows of publishers; empty once merged.
    pub followed: Vec<FollowedReport>,
    /// First, last and spread are of one message in this many.
    pub sampled_every: u64,
    /// When copies of these messages reached this process; empty once merged.
    pub sampled: Vec<SampleReport>,
}

/// When copies of a message came, in nanoseconds after it was due; differing clocks can make these
/// negative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleReport {
    /// Its number in the run: that of the publisher, and the number of publishers for each before.
    pub message: u64,
    /// Number of copies.
    pub copies: u64,
    /// When the first came.
    pub first_ns: i64,
    /// When the last came.
    pub last_ns: i64,
}

/// What a process knows of a publisher, its own or another process's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowedReport {
    /// Its number.
    pub publisher: ConnectionIndex,
    /// Messages that the publisher has sent, if it belongs to this process.
    pub sent: Option<u64>,
    /// Subscribers of this process that stayed to the end, if the publisher belongs to another.
    pub subscribers: u64,
    /// The sum of one more than the highest sequence that each of these subscribers received.
    pub reached: u64,
    /// The highest of those of any subscriber.
    pub reached_max: u64,
}

/// The clocks that latencies between processes are differences of.
const CLOCK: &str =
    "wall clocks (CLOCK_REALTIME) of the segments when they began; those of two machines differ";

/// What became of copies. `expected` is received plus altered plus lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopiesReport {
    /// The counts.
    #[serde(flatten)]
    pub counts: CopyCounts,
    /// Received in the measured time.
    pub arrived: u64,
    /// Received in the measured time, a second.
    pub received_per_s: f64,
}

impl FanoutReport {
    pub(super) fn new(
        config: &Config,
        fanout: &Fanout,
        metrics: &Metrics,
        per_s: impl Fn(u64) -> f64,
    ) -> Self {
        let (sent, counts) = (&metrics.measured, &metrics.fanout);
        let is_whole = config.split().is_none();
        Self {
            publishers: fanout.publishers,
            subscribers: fanout.subscribers,
            topics: fanout.topics,
            rate_per_s: match fanout.load {
                Load::Open { rate } => Some(rate.per_s()),
                _ => None,
            },
            pipeline: match fanout.load {
                Load::Closed { pipeline } => Some(pipeline),
                _ => None,
            },
            payload_size: fanout.size as u64,
            publish_digest: fanout.publish.as_ref().map(digest),
            subscribe_digest: fanout.subscribe.as_ref().map(digest),
            answered: fanout.subscribed.as_ref().map(|_| counts.answers),
            unanswered: fanout.subscribed.as_ref().map(|_| counts.untold),
            copy_timeout_ns: nanos(fanout.copy_timeout),
            published: sent.sent,
            published_per_s: per_s(sent.sent),
            complete: is_whole.then_some(counts.complete),
            incomplete: is_whole.then_some(counts.incomplete),
            silent: is_whole.then_some(counts.silent),
            unsent_closed: sent.unsent_closed,
            unsent_backlog: sent.unsent_backlog - counts.crowded,
            unsent_crowded: counts.crowded,
            unsent_late: sent.unsent_late,
            copies: CopiesReport {
                counts: metrics.copies,
                arrived: metrics.arrivals.arrived,
                received_per_s: per_s(metrics.arrivals.arrived),
            },
            split: config.split().map(|_| SplitReport::new(config, fanout, metrics)),
        }
    }
}

impl SplitReport {
    fn new(config: &Config, fanout: &Fanout, metrics: &Metrics) -> Self {
        let sampling = Sampling::new(fanout.messages_max(config.duration));
        let sampled = |(message, sample)| {
            let Sample { copies, first_ns, last_ns } = sample;
            SampleReport { message, copies, first_ns, last_ns }
        };
        let begin = config.start_at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        let followed = |(&publisher, followed): (&ConnectionIndex, &Followed)| {
            let Followed { sent, subscribers, reached, reached_max } = *followed;
            FollowedReport { publisher, sent, subscribers, reached, reached_max }
        };
        Self {
            run: run_number(nanos(begin.unwrap_or_default()), config.seed),
            clock: CLOCK.into(),
            followed: metrics.followed.iter().map(followed).collect(),
            sampled_every: sampling.every,
            sampled: metrics.sampled.iter(sampling).map(sampled).collect(),
        }
    }

    fn rows(&self, early: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let every = units::count(self.sampled_every);
        let said = if !self.followed.is_empty() {
            "loadgen merge computes copies lost after the last received one, and first, last and \
             spread"
                .into()
        } else if self.sampled_every > 1 {
            format!("first, last and spread cover one message in {every}")
        } else {
            "first, last and spread cover all messages".into()
        };
        line(f, "split", &said)?;
        line(f, "clock", &self.clock)?;
        if early > 0 {
            let early = units::counted(early, "copy");
            let said = format!("{early} arrived before being sent: the clocks differ");
            line(f, "clock", &said)?;
        }
        Ok(())
    }
}

impl FanoutReport {
    /// Describes what is wrong, besides the faults of the copies.
    pub(super) fn faults(&self) -> Option<String> {
        let unanswered = self.unanswered.filter(|&count| count > 0)?;
        Some(format!(
            "without an answer to --subscribe that contains --subscribed when load began: {}",
            units::counted(unanswered, "connection")
        ))
    }
}

/// Writes the rows of published messages and their copies, if there were to be any.
pub(super) fn rows(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(fanout) = &report.fanout else { return Ok(()) };
    let copies = &fanout.copies;
    let pace = match (fanout.rate_per_s, fanout.pipeline) {
        (Some(rate), _) => format!("open loop {} msg/s", units::per_s(rate)),
        (None, pipeline) => {
            format!("closed loop, {} under way each", pipeline.unwrap_or(0))
        }
    };
    let who = format!(
        "{} to {}   {}   {pace}   {} B each{}",
        units::counted(fanout.publishers, "publisher"),
        units::counted(fanout.subscribers, "subscriber"),
        units::counted(fanout.topics, "topic"),
        units::count(fanout.payload_size),
        if fanout.publish_digest.is_some() { " in an envelope" } else { "" }
    );
    line(f, "fanout", &who)?;
    if let (Some(answered), Some(unanswered)) = (fanout.answered, fanout.unanswered) {
        let [answered, unanswered] = [answered, unanswered].map(units::count);
        line(f, "subscribed", &format!("answered {answered}   not answered {unanswered}"))?;
    }
    let mut parts = Row::of(&[(fanout.published, "published")]);
    if let (Some(complete), Some(incomplete)) = (fanout.complete, fanout.incomplete) {
        parts.push(format!("complete {}", units::count(complete)));
        parts.push(format!("incomplete {}", units::count(incomplete)));
    }
    parts.nonzero(&[
        (fanout.silent.unwrap_or(0), "without any copy"),
        (fanout.unsent_closed, "unsent (closed)"),
        (fanout.unsent_backlog, "unsent (backlog)"),
        (fanout.unsent_crowded, "unsent (too many under way)"),
        (fanout.unsent_late, "unsent (late)"),
    ]);
    parts.push(format!("{}/s", units::per_s(fanout.published_per_s)));
    parts.write(f, "messages")?;
    let mut parts = Row::of(&[
        (copies.counts.expected, "expected"),
        (copies.counts.received, "received"),
        (copies.counts.lost, "lost"),
    ]);
    parts.nonzero(&[
        (copies.counts.altered, "altered"),
        (copies.counts.reordered, "reordered"),
        (copies.counts.duplicated, "duplicated"),
        (copies.counts.stale, "stale"),
        (copies.counts.unexpected, "unexpected"),
        (copies.counts.foreign, "foreign"),
        (copies.counts.overheard, "to publishers"),
    ]);
    parts.push(format!("{}/s", units::per_s(copies.received_per_s)));
    parts.write(f, "copies")?;
    fanout.split.as_ref().map_or(Ok(()), |split| split.rows(copies.counts.early, f))
}
