//! The sessions of a thread, and which of them to wake because time has passed.
//!
//! One sweep for all sessions instead of a timer for each: a session records activity with one
//! store, and only the sweep reads the clock. Deadlines are therefore late by up to one sweep,
//! never early.

use std::cell::RefCell;
use std::task::Waker;
use std::time::{Duration, Instant};

use slab::Slab;

use super::config::ServeConfig;

/// What to tell a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// The deadline of its stage has passed.
    TimedOut,
    /// The client has been silent for half of the idle timeout.
    PingDue,
    /// The server is shutting down.
    Shutdown,
}

/// What a session waits for, which determines its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// The request's head.
    Request,
    /// Messages.
    Messages,
    /// The end of the client's stream.
    End,
}

#[derive(Debug)]
struct Slot {
    waker: Option<Waker>,
    /// When the wait began or, for messages, when the last sweep saw activity.
    since: Instant,
    wait: Wait,
    heard: bool,
    pinged: bool,
    call: Option<Call>,
}

/// Which session of a thread. Another session may have the same key once this one has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SessionKey(u32);

impl SessionKey {
    /// Returns the key of a slot.
    pub(super) fn of(place: usize) -> Self {
        // A process has at most 2^31 descriptors.
        Self(u32::try_from(place).unwrap_or(u32::MAX))
    }

    /// Returns the session's slot.
    pub(super) const fn place(self) -> usize {
        self.0 as usize
    }
}

/// All sessions of one thread.
#[derive(Debug, Default)]
pub(super) struct Registry(RefCell<Slab<Slot>>);

impl Registry {
    /// Adds a session, accepted at `now`.
    pub(super) fn add(&self, now: Instant) -> SessionKey {
        let key = self.0.borrow_mut().insert(Slot {
            waker: None,
            since: now,
            wait: Wait::Request,
            heard: false,
            pinged: false,
            call: None,
        });
        SessionKey::of(key)
    }

    /// Removes a session that has ended.
    pub(super) fn remove(&self, key: SessionKey) {
        self.0.borrow_mut().try_remove(key.place());
    }

    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// Takes the session's call. Later calls wake `waker`: a task's waker never changes.
    pub(super) fn take_call(&self, key: SessionKey, waker: &Waker) -> Option<Call> {
        let mut slots = self.0.borrow_mut();
        let slot = slots.get_mut(key.place())?;
        slot.waker.get_or_insert_with(|| waker.clone());
        slot.call.take()
    }

    /// Notes that something arrived from the client.
    pub(super) fn heard(&self, key: SessionKey) {
        if let Some(slot) = self.0.borrow_mut().get_mut(key.place()) {
            slot.heard = true;
        }
    }

    /// Notes that the session now waits for something else.
    pub(super) fn wait(&self, key: SessionKey, wait: Wait) {
        if let Some(slot) = self.0.borrow_mut().get_mut(key.place()) {
            slot.wait = wait;
            slot.since = Instant::now();
        }
    }

    /// Returns what the session waits for.
    pub(super) fn waits_for(&self, key: SessionKey) -> Option<Wait> {
        self.0.borrow().get(key.place()).map(|slot| slot.wait)
    }

    /// Wakes a session.
    pub(super) fn wake(&self, key: SessionKey) {
        if let Some(waker) = self.0.borrow().get(key.place()).and_then(|slot| slot.waker.as_ref()) {
            waker.wake_by_ref();
        }
    }

    /// Tells every session `call`.
    pub(super) fn call_all(&self, call: Call) {
        for (_, slot) in self.0.borrow_mut().iter_mut() {
            slot.tell(call);
        }
    }

    /// Calls the sessions whose deadlines have passed.
    pub(super) fn sweep(&self, now: Instant, config: &ServeConfig) {
        for (_, slot) in self.0.borrow_mut().iter_mut() {
            if let Some(call) = slot.due(now, config) {
                slot.tell(call);
            }
        }
    }

    /// Returns how often to sweep: an eighth of the shortest deadline, so that none is very late.
    pub(super) fn sweep_interval(config: &ServeConfig) -> Duration {
        const SHORTEST: Duration = Duration::from_millis(5);
        const LONGEST: Duration = Duration::from_secs(1);
        let shortest = config.handshake_timeout.min(config.close_timeout);
        let shortest = config.idle_timeout.map_or(shortest, |idle| shortest.min(idle));
        (shortest / 8).clamp(SHORTEST, LONGEST)
    }
}

impl Slot {
    fn tell(&mut self, call: Call) {
        // Shutdown is called once, but deadlines recur with every sweep: one that passes before the
        // session has listened must not replace it.
        if self.call != Some(Call::Shutdown) {
            self.call = Some(call);
        }
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    fn due(&mut self, now: Instant, config: &ServeConfig) -> Option<Call> {
        let waited = now.saturating_duration_since(self.since);
        let timeout = match self.wait {
            Wait::Request => config.handshake_timeout,
            Wait::End => config.close_timeout,
            Wait::Messages => {
                if self.heard {
                    self.heard = false;
                    self.pinged = false;
                    self.since = now;
                    return None;
                }
                let idle_timeout = config.idle_timeout?;
                if !self.pinged && waited >= idle_timeout / 2 && waited < idle_timeout {
                    self.pinged = true;
                    return Some(Call::PingDue);
                }
                idle_timeout
            }
        };
        (waited >= timeout).then_some(Call::TimedOut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ServeConfig {
        ServeConfig {
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Some(Duration::from_secs(60)),
            close_timeout: Duration::from_secs(5),
            ..ServeConfig::default()
        }
    }

    /// Returns the calls that sweeps at these seconds make, for a session with activity at those of
    /// `heard`.
    fn calls(wait: Wait, sweeps: &[u64], heard: &[u64]) -> Vec<(u64, Call)> {
        let registry = Registry::default();
        let start = Instant::now();
        let key = registry.add(start);
        registry.0.borrow_mut()[key.place()].wait = wait;
        let mut calls = Vec::new();
        for &second in sweeps {
            if heard.contains(&second) {
                registry.heard(key);
            }
            registry.sweep(start + Duration::from_secs(second), &config());
            calls.extend(registry.take_call(key, Waker::noop()).map(|call| (second, call)));
        }
        calls
    }

    #[test]
    fn b04_a_request_has_until_its_deadline_whatever_drips_in() {
        let calls = calls(Wait::Request, &[1, 5, 9, 10], &[1, 5, 9]);
        assert_eq!(calls, [(10, Call::TimedOut)]);
    }

    #[test]
    fn e02_silence_is_pinged_at_half_and_ended_at_the_whole() {
        let call = |sweeps, heard| calls(Wait::Messages, sweeps, heard);
        let (ping, end) = (Call::PingDue, Call::TimedOut);
        assert_eq!(call(&[29, 30, 31, 59, 60], &[]), [(30, ping), (60, end)]);
        assert_eq!(call(&[29, 30, 59, 60], &[29]), [(59, ping)]);
        assert_eq!(call(&[30, 40, 70, 100], &[40]), [(30, ping), (70, ping), (100, end)]);
        assert_eq!(call(&[61], &[]), [(61, end)], "a sweep that comes late");
    }

    #[test]
    fn e12_a_shutdown_is_heard_whatever_falls_due_before_the_session_listens() {
        for wait in [Wait::Request, Wait::Messages, Wait::End] {
            for seconds in [30, 60] {
                let registry = Registry::default();
                let start = Instant::now();
                let key = registry.add(start);
                registry.0.borrow_mut()[key.place()].wait = wait;
                registry.call_all(Call::Shutdown);
                registry.sweep(start + Duration::from_secs(seconds), &config());
                assert_eq!(registry.take_call(key, Waker::noop()), Some(Call::Shutdown));
                assert_eq!(registry.take_call(key, Waker::noop()), None, "said once");
                registry.sweep(start + Duration::from_secs(60), &config());
                assert_eq!(registry.take_call(key, Waker::noop()), Some(Call::TimedOut));
            }
        }
    }

    #[test]
    fn the_end_has_its_own_deadline() {
        assert_eq!(calls(Wait::End, &[4, 5], &[4]), [(5, Call::TimedOut)]);
    }

    #[test]
    fn sweeps_follow_the_shortest_deadline() {
        let interval = |milliseconds| {
            let close_timeout = Duration::from_millis(milliseconds);
            Registry::sweep_interval(&ServeConfig { close_timeout, ..config() })
        };
        assert_eq!(interval(800), Duration::from_millis(100));
        assert_eq!(interval(1), Duration::from_millis(5));
        assert_eq!(interval(60_000), Duration::from_secs(1));
    }
}
