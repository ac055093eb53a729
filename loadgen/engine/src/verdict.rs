//! Turns what is known about the client itself into a verdict on the measurement.
//!
//! A saturated client must never be reported as a slow server. What that means depends on the loop:
//!
//! **Open loop.** There is a schedule to compare with. `send.lag` runs from the planned send to the
//! moment at which the message was handed to the socket. It contains nothing of the server, because
//! a socket that accepts nothing doesn't stop the clock. All of it is in `rtt.response`, so it is
//! judged by its effect there: an [`Effect`] is how much of a reported percentile may be the
//! client's lateness. Two milliseconds change nothing in a p99 of 900, but they do in one of 8.
//! Above a tenth, and a millisecond, a run is `degraded`; above a quarter, and ten milliseconds, it
//! is `saturated`. Lateness below a millisecond is a wake-up of this machine, and `rtt.service` is
//! free of it. A thread that was nearly always busy is `degraded`. If more than a hundredth of the
//! messages due were not sent because the client had no time, the run is `saturated`.
//!
//! **What is missing.** Messages that were due and not sent, for whatever reason, and latencies out
//! of range are in no percentile. If they had been the longest, the reported p99 would be a lower
//! percentile: above a thousandth of all, a run is `degraded`, and the reason names that percentile.
//! A pause of the whole process counts likewise by its share of the time, above a hundredth.
//!
//! **Closed loop.** The client sends as fast as it gets replies, so a busy thread is expected, and
//! no schedule says how fast it should have been. But when the busiest thread has no time left, a
//! reply waits in the socket until the thread reads it, and that wait is in every latency. The rate
//! is then the limit of the client or the machine, and how much more the server could do is
//! unknown. The numbers are still a lower bound of the rate and an upper bound of the latency:
//! `degraded`, never `saturated`.
//!
//! **Pushed.** The server sets the pace. A listener that is nearly always busy reads late what has
//! arrived, and that wait is in the latencies: `degraded`.
//!
//! A thread is busy while it is on a processor *or waits for one*, where the kernel reports that:
//! on a machine shared with the server, a thread can be starved at 50 % processor time. A thread
//! that stays awake for the next message, because it is nearer than a wake-up, is not busy. Without
//! a schedule, a thread that waits for a processor a fifth of the time is `degraded`, however
//! much it has to do: replies wait with it.
//!
//! **The kernel's time.** With `--recv-time kernel` a latency ends when the kernel had the message.
//! What a thread that is busy, or waits for a processor, reads late is then in `recv.lag` and in no
//! latency, so it is no reason by itself. A closed loop is still `degraded`, because its rate is the
//! client's, and so is a listener, whose full sockets hold up the server.
//!
//! **No verdict.** If nothing was measured there is nothing to judge, and a load of a few
//! milliseconds is over before anything can be said of the client: `none`, unless something worse
//! is known.

mod evidence;

use serde::{Deserialize, Serialize};

use crate::units;
pub use evidence::Evidence;

/// The client's lateness in a latency, in nanoseconds, from which an open loop is degraded, if it
/// is also [`EFFECT_DEGRADED`] of the latency.
pub const LAG_DEGRADED_NS: u64 = 1_000_000;
/// The same for saturated.
pub const LAG_SATURATED_NS: u64 = 10_000_000;
/// Share of a latency that may be the client's lateness before a run is degraded: less than the
/// difference of a percentile between two runs.
pub const EFFECT_DEGRADED: f64 = 0.1;
/// The same for saturated.
pub const EFFECT_SATURATED: f64 = 0.25;
/// Share of the messages due that may be unsent when time is up.
pub const UNSENT_SATURATED: f64 = 0.01;
/// Share of the messages due, or of the latencies, that may be missing before a run is degraded: a
/// tenth of those that the 99th percentile leaves out. If all of them had been long, the reported
/// p99 would be the p98.9.
pub const MISSING_DEGRADED: f64 = 0.001;
/// Share of the load's time that the process may stand still, or that load may begin late. A p99
/// leaves out as much of the time.
pub const TIME_DEGRADED: f64 = 0.01;
/// Share of the time from which a thread is busy, under open loop.
pub const BUSY_OPEN: f64 = 0.90;
/// Share of the time from which a thread is busy, under closed loop.
pub const BUSY_CLOSED: f64 = 0.95;
/// Share of the time that a thread may wait for a processor, without a schedule.
pub const WAITING: f64 = 0.2;
/// A thread that is busy for less of the time than this, and yet sends late, is not overloaded.
pub const BUSY_LITTLE: f64 = 0.25;
/// A shorter load, in nanoseconds, can't be judged: caches are cold, threads are still waking up,
/// and one time slice of another program is most of it.
pub const SHORT_NS: u64 = 100_000_000;
/// How much later than planned connections may start, in nanoseconds, if that is also
/// [`EFFECT_DEGRADED`] of the time they take to open.
pub const CONNECT_LAG_DEGRADED_NS: u64 = 10_000_000;
/// Share of the periods in which a quota may throttle the process.
pub const THROTTLED: f64 = 0.05;
/// How long the process may stand still, in nanoseconds, however short the load.
pub const PAUSE_DEGRADED_NS: u64 = 500_000_000;
/// A worker that did less than this share of the others' average was starved, if it was busy for
/// [`STARVED_BUSY`] of the time.
pub const STARVED: f64 = 0.5;
/// A thread that was busy for less of the time than this was not starved: it had fewer connections,
/// or connections to a slower server.
pub const STARVED_BUSY: f64 = 0.5;

/// Whether the client's measurement can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is nothing to judge, or too little.
    #[default]
    None,
    /// The measurement can be trusted.
    Valid,
    /// The measurement can be trusted, with the reservations in the reasons.
    Degraded,
    /// The measurement can't be trusted: the client itself was the limit.
    Saturated,
}

impl State {
    /// All states, from the best known to the worst.
    pub const ALL: [Self; 4] = [Self::None, Self::Valid, Self::Degraded, Self::Saturated];

    /// Returns the name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Valid => "valid",
            Self::Degraded => "degraded",
            Self::Saturated => "saturated",
        }
    }
}

/// How much of a reported latency may be the client's own lateness.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// Which percentile, of 100.
    pub percentile: f64,
    /// The latency, in nanoseconds, including the lateness.
    pub reported_ns: u64,
    /// The most of the latency that may be the client's, in nanoseconds.
    pub client_ns: u64,
}

impl Effect {
    /// Returns the client's share of the latency: 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share to three digits")]
    pub fn share(&self) -> f64 {
        if self.reported_ns == 0 { 0.0 } else { self.client_ns as f64 / self.reported_ns as f64 }
    }

    /// Says how much too long the latency may be.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio to three digits")]
    pub fn said(&self) -> String {
        let name = format!("p{} ({})", self.percentile, units::duration(self.reported_ns));
        let rest_ns = self.reported_ns.saturating_sub(self.client_ns);
        let high = self.client_ns as f64 / rest_ns as f64;
        let digits = usize::from(high < 0.1);
        if rest_ns == 0 {
            format!("all of {name} may be the client's")
        } else if high < 1.0 {
            format!("{name} may be up to {:.digits$} % high", 100.0 * high)
        } else {
            format!("{name} may be up to {:.1} times too long", 1.0 + high)
        }
    }
}

/// How late the client did what was due.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lag {
    /// 99th percentile, in nanoseconds.
    pub p99_ns: u64,
    /// The effect on the median and the 99th percentile of the latency that includes the lateness;
    /// empty without one.
    pub effects: Vec<Effect>,
}

impl Lag {
    /// Checks whether the lateness is at least this long, and at least this share of a latency.
    fn reaches(&self, ns: u64, share: f64) -> bool {
        let reaches = |effect: &Effect| effect.client_ns > ns && effect.share() > share;
        self.p99_ns > ns && self.effects.is_empty() || self.effects.iter().any(reaches)
    }

    /// Describes the effects that matter, after a colon.
    fn said(&self) -> String {
        let matters = |effect: &&Effect| effect.share() > EFFECT_DEGRADED;
        let said: Vec<_> = self.effects.iter().filter(matters).map(Effect::said).collect();
        if said.is_empty() { String::new() } else { format!(": {}", said.join(", ")) }
    }
}

/// A verdict with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The worst state that a reason leads to.
    pub state: State,
    /// Why; empty if valid.
    pub reasons: Vec<String>,
}

impl Verdict {
    /// Judges the evidence by the rules in the module's documentation.
    #[must_use]
    pub fn new(evidence: &Evidence) -> Self {
        let mut verdict = Self { state: State::Valid, reasons: Vec::new() };
        let is_short = evidence.load_ns < SHORT_NS;
        if !is_short {
            verdict.late(evidence);
            verdict.busy(evidence);
            verdict.starved(evidence);
        }
        verdict.unsent(evidence);
        verdict.circumstances(evidence);
        let nothing = if evidence.is_unmeasured {
            "nothing was measured".to_owned()
        } else if is_short {
            let [lasted, needed] = [evidence.load_ns, SHORT_NS].map(units::duration);
            format!(
                "too short to judge: load lasted {lasted}, and a verdict needs {needed}; use more \
                 messages or connections (-n), or a longer -d"
            )
        } else {
            return verdict;
        };
        if verdict.state == State::Valid {
            verdict.state = State::None;
            verdict.reasons.push(nothing);
        }
        verdict
    }

    fn because(&mut self, state: State, reason: String) {
        self.state = self.state.max(state);
        self.reasons.push(reason);
    }

    fn late(&mut self, evidence: &Evidence) {
        let late = |lag: &&Lag| lag.reaches(LAG_DEGRADED_NS, EFFECT_DEGRADED);
        if let Some(lag) = evidence.send_lag.as_ref().filter(late) {
            let is_saturated = lag.reaches(LAG_SATURATED_NS, EFFECT_SATURATED);
            let state = if is_saturated { State::Saturated } else { State::Degraded };
            let (p99, effects) = (units::duration(lag.p99_ns), lag.said());
            let why = evidence.lateness();
            let reason = format!("the client sent late (send.lag p99 {p99}){effects}; {why}");
            self.because(state, reason);
        }
        let late = |lag: &&Lag| lag.reaches(CONNECT_LAG_DEGRADED_NS, EFFECT_DEGRADED);
        if let Some(lag) = evidence.connect_lag.as_ref().filter(late) {
            let (p99, effects) = (units::duration(lag.p99_ns), lag.said());
            self.because(
                State::Degraded,
                format!(
                    "connections began late (connect.lag p99 {p99}){effects}; use a lower -C, or \
                     a higher -c"
                ),
            );
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio to three digits")]
    fn unsent(&mut self, evidence: &Evidence) {
        let overdue = evidence.overdue as f64 / evidence.due.max(1) as f64;
        if overdue > UNSENT_SATURATED {
            self.because(
                State::Saturated,
                format!(
                    "the client did not send {:.1} % of what was due: {}",
                    overdue * 100.0,
                    evidence.throttled().map_or_else(
                        || format!("use {}, more threads or more machines", evidence.lower()),
                        |throttled| format!("it was {throttled}")
                    )
                ),
            );
        } else if let Some(left_out) = evidence.left_out(evidence.overdue, evidence.due) {
            self.because(
                State::Degraded,
                format!(
                    "the client was held up for longer than --catch-up, or until time ran out: \
                     {left_out}"
                ),
            );
        }
    }

    fn busy(&mut self, evidence: &Evidence) {
        if evidence.throttled().is_some() {
            return; // a thread that was held back was not asked too much
        }
        if evidence.is_empty {
            return; // no latency and no rate that could be the client's
        }
        let is_paced = evidence.is_open_loop || evidence.is_pushed;
        let bound = if is_paced { BUSY_OPEN } else { BUSY_CLOSED };
        if evidence.busy_share < bound {
            // With a schedule, the send lag shows it.
            let waiting = evidence.busy_share - evidence.cpu_share;
            let is_told = evidence.send_lag.is_some() || evidence.is_harmless_late();
            if !is_told && waiting > WAITING {
                let (share, effect) = (waiting * 100.0, evidence.waits());
                self.because(
                    State::Degraded,
                    format!(
                        "the busiest client thread waited for a processor {share:.0} % of the \
                         time, and {effect}: something else uses this machine"
                    ),
                );
            }
            return;
        }
        if evidence.is_timed_by_kernel && evidence.is_open_loop && !evidence.is_pushed {
            return; // the send lag shows what it does to latencies
        }
        let busy = format!("{:.0} %", evidence.busy_share * 100.0);
        let waiting = evidence
            .waiting()
            .map_or_else(String::new, |share| format!(", {share:.0} % waiting for a processor"));
        let pace = match (evidence.is_connecting, evidence.connect_lag.is_some()) {
            (false, _) => "-R",
            (true, false) => "-C",
            (true, true) => "a lower -C",
        };
        let so = if evidence.is_pushed && evidence.is_timed_by_kernel {
            "the server may have been held up by full sockets; use more threads, or fewer messages"
                .to_owned()
        } else if evidence.is_pushed {
            "latencies include its queueing; use more threads, or fewer messages".to_owned()
        } else if evidence.is_pinging {
            "latencies include its queueing; use a longer --ping-interval or more threads"
                .to_owned()
        } else if evidence.is_open_loop {
            "latencies include its queueing; use a lower -R or more threads".to_owned()
        } else if evidence.is_timed_by_kernel {
            let whose = if evidence.is_embedded { "machine" } else { "client" };
            format!(
                "the rate may be the {whose}'s limit; use more threads, or {pace} for a rate that \
                 it can hold"
            )
        } else if evidence.is_embedded {
            format!(
                "client and embedded server share this machine, so the rate is the machine's \
                limit, and latencies include the client's queueing; use {pace} for latencies"
            )
        } else {
            format!(
                "the rate may be the client's limit, and latencies include its queueing; use \
                 more threads, or {pace} for latencies"
            )
        };
        let reason =
            format!("the busiest client thread was busy {busy} of the time{waiting}: {so}");
        self.because(State::Degraded, reason);
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio to one digit")]
    fn starved(&mut self, evidence: &Evidence) {
        let total: u64 = evidence.by_worker.iter().map(|(received, _)| received).sum();
        let mean = total as f64 / evidence.by_worker.len().max(1) as f64;
        let busy = evidence.by_worker.iter().filter(|(_, share)| *share >= STARVED_BUSY);
        let least = busy.map(|(received, _)| *received).min();
        if let Some(least) =
            least.filter(|&least| total >= 1_000 && (least as f64) < mean * STARVED)
        {
            self.because(
                State::Degraded,
                format!(
                    "a worker was starved: it received {}, the mean is {mean:.0}",
                    units::counted(least, "message")
                ),
            );
        }
    }

    fn circumstances(&mut self, evidence: &Evidence) {
        for (why, count) in [
            ("the server didn't read", evidence.unsent_backlog),
            ("connections were gone", evidence.unsent_closed),
        ] {
            let due = evidence.due + evidence.due_warmup;
            if let Some(left_out) = evidence.left_out(count, due) {
                self.because(State::Degraded, format!("{why}: {left_out}"));
            }
        }
        if let Some(effect) = missing(evidence.out_of_range, evidence.latencies) {
            let latencies = units::counted(evidence.out_of_range, "latency");
            self.because(
                State::Degraded,
                format!(
                    "{latencies} beyond the histogram's range count in no percentile, {effect}"
                ),
            );
        }
        let pause_ns = evidence.pause_max_ns;
        if let Some(share) =
            evidence.share_of_load(pause_ns).filter(|_| pause_ns > PAUSE_DEGRADED_NS)
        {
            let pause = units::duration(pause_ns);
            // By the kernel's time, only what begins when it was due is later for it.
            let is_inside = !evidence.is_timed_by_kernel || evidence.is_open_loop;
            let from = percentile(100.0 - share);
            let latencies = if is_inside {
                format!(", and latencies from p{from} on too long by up to {pause}")
            } else {
                String::new()
            };
            self.because(
                State::Degraded,
                format!(
                    "the process stood still for {pause}, {share:.1} % of the time: rates may be \
                    too low by as much{latencies}"
                ),
            );
        }
        // Where the client was late, that says why.
        if let Some(throttled) = evidence.throttled()
            && !self.reasons.iter().any(|reason| reason.contains(&throttled))
        {
            self.because(State::Degraded, format!("the client was {throttled}"));
        }
        if let Some(share) = evidence.share_of_load(evidence.ramp_late_ns) {
            self.because(
                State::Degraded,
                format!(
                    "load began {} later than --ramp says, because connections were still being \
                    opened: use a longer --ramp, or segments are out of step for {share:.1} % of \
                    the time",
                    units::duration(evidence.ramp_late_ns)
                ),
            );
        }
        if evidence.is_cut {
            self.because(
                State::Degraded,
                "the run was interrupted, so it is shorter than asked for".into(),
            );
        } else if evidence.is_interrupted {
            self.because(
                State::Degraded,
                "interrupted after the measured time, without waiting for what was still to come"
                    .into(),
            );
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share to three digits")]
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// Formats a percentile with one digit, if it needs that.
fn percentile(of_100: f64) -> String {
    format!("{of_100:.1}").trim_end_matches(".0").to_owned()
}

/// Says what the p99 may be of if this many of `all` are in no percentile, in case these were the
/// longest; `None` if they are too few to matter.
fn missing(count: u64, all: u64) -> Option<String> {
    let share = percent(count, all);
    if share <= 100.0 * MISSING_DEGRADED {
        return None;
    }
    // 99 % of the rest is this much of all.
    let rest = 0.99 * (100.0 - share.min(100.0));
    Some(format!("so the p99 may really be the p{}", percentile(rest)))
}

#[cfg(test)]
mod tests;
