//! The phases of a worker whose connections publish and subscribe.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::super::driver::Driver;
use super::super::duty::fanout::FanoutState;
use super::{GRACE_NS, INTERRUPTED_DRAIN_NS, Worker};

/// How often messages are looked for that have waited for their copies long enough.
const SWEEP: Duration = Duration::from_millis(20);
/// Messages that are concluded before sockets have their turn.
const CONCLUSIONS_PER_TURN: usize = 256;

impl Worker {
    /// Waits until every subscriber has been told that it is one, if that is to be waited for, for
    /// at most as long as a connection may take to open; counts those that have not been told.
    pub(super) async fn wait_for_answers(&mut self) {
        let bound_ns = self.driver.borrow().thread.settings.connect_timeout_ns;
        let deadline_ns = self.clock.now_ns().saturating_add(bound_ns);
        let unanswered = |driver: &Driver| driver.duty.fanout().map_or(0, FanoutState::unanswered);
        self.wait(|_| deadline_ns, |driver| unanswered(driver) == 0).await;
        let mut driver = self.driver.borrow_mut();
        driver.thread.metrics.fanout.untold += unanswered(&driver);
    }

    /// Concludes messages as their copies come in, for as long as the worker runs.
    pub(super) fn conclude_messages(&self) {
        let bells = self.driver.borrow().duty.fanout().and_then(FanoutState::bells);
        let Some(mut bells) = bells else { return };
        let driver = Rc::clone(&self.driver);
        tokio::task::spawn_local(async move {
            let mut sweeps = interval(SWEEP);
            sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    Some(message) = bells.recv() => {
                        let mut driver = driver.borrow_mut();
                        driver.has_copies(message);
                        for _ in 1..CONCLUSIONS_PER_TURN {
                            let Ok(message) = bells.try_recv() else { break };
                            driver.has_copies(message);
                        }
                    }
                    _ = sweeps.tick() => driver.borrow_mut().sweep_fanout(),
                }
            }
        });
    }

    /// Checks whether the worker has subscribers only.
    pub(super) fn is_subscribing(&self) -> bool {
        self.driver.borrow().duty.fanout().is_some_and(|fanout| !fanout.is_publishing())
    }

    /// Takes copies until the publishers, which are other workers', are done.
    pub(super) async fn subscribe(&mut self) {
        let bound_ns = self.drain_ns.saturating_add(GRACE_NS);
        let deadline_ns = |driver: &Driver| {
            let is_split = driver.duty.fanout().is_some_and(FanoutState::is_split);
            // Publishers of other processes end by the same schedule; copies are waited for later.
            let bound_ns = if is_split { 0 } else { bound_ns };
            driver.thread.times.window_end_ns.saturating_add(bound_ns)
        };
        self.wait(deadline_ns, Driver::is_fanout_over).await;
    }

    /// Says that this worker's publishers are done, and waits until those of all are, so that no
    /// subscriber leaves before.
    pub(super) async fn wait_for_publishers(&mut self) {
        match self.driver.borrow().duty.fanout() {
            None => return,
            Some(fanout) if fanout.is_publishing() => fanout.shared.done(),
            Some(_) => {}
        }
        let begin_ns = self.clock.now_ns();
        let end_ns = begin_ns.saturating_add(self.drain_ns);
        let end_ns = |driver: &Driver| {
            driver.thread.lifecycle.cut_short(begin_ns, end_ns, INTERRUPTED_DRAIN_NS)
        };
        self.wait_also_interrupted(end_ns, Driver::is_fanout_over).await;
        let mut driver = self.driver.borrow_mut();
        // Publishers of other processes may go on after an interrupt of this one.
        let is_interrupted = driver.thread.lifecycle.is_interrupted();
        if let Some(fanout) = driver.duty.fanout_mut() {
            fanout.is_over = !is_interrupted;
        }
    }

    /// Notes how much the publishers of a segment have sent.
    pub(super) fn note_sent(&self) {
        let Driver { thread, duty } = &mut *self.driver.borrow_mut();
        if let Some(fanout) = duty.fanout() {
            fanout.note_sent(&mut thread.metrics);
        }
    }
}
