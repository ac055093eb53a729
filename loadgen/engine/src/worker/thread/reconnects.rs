//! What is known of lost connections: how long each waits to be opened again, and what it takes
//! along.
//!
//! ```text
//!   open ──▶ lost ──▶ its session ends ──▶ away: pause, attempt, pause, attempt … ──▶ open
//!                                           └──────── the end of load ──▶ failed
//! ```
//!
//! The state is here and not in the session, so a connection that is never lost pays nothing for
//! it.

use std::collections::HashMap;

use super::super::opening::{Refusal, Waterfall};
use super::super::outstanding::Outstanding;
use super::super::session::{CUT, Outcome, Session};
use super::Thread;
use crate::clock::nanos;
use crate::config::Reconnect;
use crate::index::ConnectionIndex;
use crate::metrics::{Failure, FailurePhase, Metric};
use crate::plan::ConnectionPlan;

/// What is known of the lost connections of a worker.
#[derive(Debug)]
pub(crate) struct Reconnects {
    pauses: Reconnect,
    seed: u64,
    /// The connections that were ever lost.
    lost: HashMap<ConnectionIndex, LostConnection>,
    /// How many connections have no session now, and will have one again.
    away: usize,
    /// How many attempts have begun and have no outcome yet.
    pending: u64,
    /// Load has ended: what is lost stays lost.
    is_over: bool,
}

/// A connection that has been lost at least once.
#[derive(Debug)]
struct LostConnection {
    state: LossState,
    /// When it was lost last.
    lost_ns: u64,
    /// When it was opened last.
    opened_ns: u64,
    /// How many attempts there were in all.
    attempts: u64,
    /// How many attempts there were since it last stayed open for at least the longest pause.
    doublings: u32,
    /// The pause before the last of them, in nanoseconds.
    pause_ns: u64,
    /// When it was cut, if it was and has not been back since.
    cut_ns: Option<u64>,
    /// How many messages it may still send.
    quota: u64,
    /// The sequence of its next message.
    sequence: u64,
    /// The last failure.
    last: Failure,
}

/// How far a lost connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LossState {
    /// Its session has not ended yet.
    Ending,
    /// It has no session.
    Away,
    /// It is open again.
    Open,
}

impl Reconnects {
    pub(crate) fn new(pauses: Reconnect, seed: u64) -> Self {
        Self { pauses, seed, lost: HashMap::new(), away: 0, pending: 0, is_over: false }
    }

    /// Notes a loss at `now_ns`.
    fn note(&mut self, connection: ConnectionIndex, why: Failure, now_ns: u64) {
        let held_ns = nanos(self.pauses.most);
        let lost = self.lost.entry(connection).or_insert(LostConnection {
            state: LossState::Ending,
            lost_ns: now_ns,
            opened_ns: 0,
            attempts: 0,
            doublings: 0,
            pause_ns: 0,
            cut_ns: None,
            quota: 0,
            sequence: 0,
            last: why.clone(),
        });
        if now_ns.saturating_sub(lost.opened_ns) >= held_ns {
            lost.doublings = 0;
        }
        if why == CUT {
            lost.cut_ns = Some(now_ns);
        }
        (lost.state, lost.lost_ns, lost.last) = (LossState::Ending, now_ns, why);
    }

    /// Returns the pause before the next attempt of a connection, in nanoseconds; `None` if there
    /// is to be none.
    pub(crate) fn next_pause_ns(&mut self, connection: ConnectionIndex) -> Option<u64> {
        let Self { lost, pauses, seed, .. } = self;
        let lost = lost.get_mut(&connection).filter(|_| !self.is_over)?;
        let LostConnection { attempts, doublings, pause_ns: before_ns, .. } = *lost;
        lost.pause_ns = pauses.pause_ns(*seed, connection, attempts, doublings, before_ns);
        Some(lost.pause_ns)
    }
}

impl Thread {
    /// Notes that a connection that was to stay open ends.
    pub(crate) fn dropped(&mut self, connection: ConnectionIndex, why: Failure) {
        let now_ns = self.clock.now_ns();
        if let Some(reconnects) = self.reconnects.as_mut().filter(|reconnects| !reconnects.is_over)
        {
            self.metrics.reconnect.losses.add(why.clone(), now_ns);
            self.live.lost.add(1);
            reconnects.note(connection, why.clone(), now_ns);
        }
        self.metrics.drops.add(why, now_ns);
    }

    /// Checks whether a connection is to be opened again when its session ends, and keeps what that
    /// takes. If not, a connection that was lost is counted as away.
    pub(crate) fn is_to_return(&mut self, session: &Session, outcome: &Outcome) -> bool {
        let Some(reconnects) = &mut self.reconnects else { return false };
        let lost = reconnects.lost.get_mut(&session.index);
        let Some(lost) = lost.filter(|lost| lost.state == LossState::Ending) else { return false };
        if reconnects.is_over || outcome.failure.is_none() {
            lost.state = LossState::Open;
            self.metrics.reconnect.away += 1;
            return false;
        }
        lost.state = LossState::Away;
        (lost.quota, lost.sequence) = (session.quota, session.outstanding.next_sequence());
        reconnects.away += 1;
        true
    }

    /// Returns how many connections have no session now, and will have one again.
    pub(crate) fn away(&self) -> usize {
        self.reconnects.as_ref().map_or(0, |reconnects| reconnects.away)
    }

    /// Checks whether lost connections come back, and there is any connection that could.
    pub(crate) fn awaits_return(&self) -> bool {
        let is_there = |away: usize| away > 0 || !self.sessions.is_empty();
        self.reconnects.as_ref().is_some_and(|own| !own.is_over && is_there(own.away))
    }

    /// Counts an attempt to open a connection again; `None` if there is to be none.
    pub(crate) fn reattempt_begun(&mut self, index: ConnectionIndex) -> Option<ConnectionPlan> {
        let reconnects = self.reconnects.as_mut().filter(|reconnects| !reconnects.is_over)?;
        let lost = reconnects.lost.get_mut(&index)?;
        lost.attempts += 1;
        lost.doublings = lost.doublings.saturating_add(1);
        reconnects.pending += 1;
        self.metrics.reconnect.attempted += 1;
        self.live.reconnect_attempts.add(1);
        let script = self.settings.script;
        Some(ConnectionPlan { index, start_ns: None, messages: lost.quota, script })
    }

    /// Counts an attempt that succeeded; returns the connection's outstanding messages, which
    /// continue with its next sequence. `None` if it is not waited for any more.
    pub(crate) fn reattempt_succeeded(
        &mut self,
        index: ConnectionIndex,
        times: &Waterfall,
    ) -> Option<Outstanding> {
        let reconnects = self.reconnects.as_mut().filter(|reconnects| !reconnects.is_over)?;
        let lost = reconnects.lost.get_mut(&index)?;
        reconnects.pending -= 1;
        reconnects.away -= 1;
        (lost.state, lost.opened_ns) = (LossState::Open, times.upgraded_ns);
        self.metrics.reconnect.established += 1;
        self.live.established.add(1);
        let durations = &mut self.metrics.distributions;
        let since = |ns: u64| times.upgraded_ns.saturating_sub(ns);
        durations.record(Metric::ReconnectTotal, since(times.begun_ns));
        durations.record(Metric::ReconnectAway, since(lost.lost_ns));
        if let Some(cut_ns) = lost.cut_ns.take() {
            durations.record(Metric::StormBack, since(cut_ns));
        }
        Some(Outstanding::from_sequence(lost.sequence))
    }

    /// Counts an attempt that failed.
    pub(crate) fn reattempt_failed(&mut self, index: ConnectionIndex, refusal: Refusal) {
        let Some(reconnects) = self.reconnects.as_mut().filter(|own| !own.is_over) else { return };
        reconnects.pending -= 1;
        if let Some(lost) = reconnects.lost.get_mut(&index) {
            lost.last = refusal.failure.clone();
        }
        self.metrics.reconnect.failures.add(refusal.failure, || refusal.sample);
    }

    /// Ends the attempts, when load has ended: counts connections that are away as failed, and
    /// attempts without an outcome as cut off.
    pub(crate) fn end_reconnects(&mut self) {
        let Some(reconnects) = &mut self.reconnects else { return };
        reconnects.is_over = true;
        reconnects.away = 0;
        for _ in 0..std::mem::take(&mut reconnects.pending) {
            let failure = Failure::new(FailurePhase::Run, "ended");
            let said = || "load ended before it was open".into();
            self.metrics.reconnect.failures.add(failure, said);
        }
        let away = std::mem::take(&mut reconnects.lost).into_iter();
        let (away, others) = away.partition(|(_, lost)| lost.state == LossState::Away);
        reconnects.lost = others;
        let away: HashMap<ConnectionIndex, LostConnection> = away;
        for (index, LostConnection { last, sequence, .. }) in away {
            self.metrics.reconnect.away += 1;
            self.url_counts(index).messages += sequence;
            self.live.failed.add(1);
            self.metrics.failures.add(Failure::new(FailurePhase::Open, "away"), || {
                format!("lost, and not open again when load ended; last: {last}")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Jitter;

    #[test]
    fn bounds_grow_until_a_connection_has_held_for_the_longest_pause() {
        const MS: u64 = 1_000_000;
        const LOST: ConnectionIndex = ConnectionIndex(3);
        let (first, most) = (Duration::from_millis(10), Duration::from_secs(1));
        let mut reconnects = Reconnects::new(Reconnect { first, most, jitter: Jitter::Full }, 7);
        let doublings = |reconnects: &Reconnects| reconnects.lost[&LOST].doublings;
        let why = || Failure::new(FailurePhase::Open, "eof");
        reconnects.note(LOST, why(), 5 * MS);
        assert_eq!(doublings(&reconnects), 0);
        for (opened_ms, lost_ms, expected) in
            [(10, 20, 4), (30, 1_029, 8), (1_100, 2_100, 0), (2_200, 2_300, 4)]
        {
            let lost = reconnects.lost.get_mut(&LOST).unwrap();
            lost.doublings += 4;
            (lost.attempts, lost.opened_ns) = (lost.attempts + 4, opened_ms * MS);
            reconnects.note(LOST, why(), lost_ms * MS);
            assert_eq!(doublings(&reconnects), expected, "open from {opened_ms} to {lost_ms} ms");
        }
        assert_eq!(reconnects.lost[&LOST].attempts, 16, "each attempt has a pause of its own");
        assert!(reconnects.next_pause_ns(LOST).unwrap() <= 160 * MS);
        reconnects.is_over = true;
        assert_eq!(reconnects.next_pause_ns(LOST), None);
    }
}
