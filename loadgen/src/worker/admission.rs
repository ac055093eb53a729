//! An opening handshake's outcome to a session, or to a counter: how connections come into a thread.

use tokio::sync::OwnedSemaphorePermit;
use wscodec::{ConnectionBuilder, Role};

use super::connect::{Established, Refusal};
use super::outstanding::Outstanding;
use super::session::{CloseState, Keys, Session};
use super::thread::Thread;
use crate::config::Misbehaviour;
use crate::metrics::{Failure, FailurePhase};
use crate::plan::{ConnectionPlan, Script};

impl Thread {
    /// Counts the begin of a connection.
    pub(crate) fn attempt_begun(&mut self, connection: u64) {
        self.metrics.attempted += 1;
        self.url_counts(connection).attempted += 1;
        self.live.attempted.add(1);
        self.pending += 1;
    }

    /// Counts a connection that didn't open; returns how many in a row have not.
    pub(crate) fn attempt_failed(&mut self, refusal: Refusal) -> u32 {
        if self.is_abandoned {
            return 0;
        }
        self.pending -= 1;
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.live.failed.add(1);
        self.metrics.failures.add(refusal.failure, || refusal.sample);
        self.wake_main();
        self.failures_in_a_row
    }

    /// Counts what is pending as interrupted; whatever comes of it is dropped.
    pub(crate) fn abandon_attempts(&mut self) {
        self.is_abandoned = true;
        for _ in 0..std::mem::take(&mut self.pending) {
            self.live.failed.add(1);
            let failure = Failure::new(FailurePhase::Run, "interrupted");
            self.metrics.failures.add(failure, || "the run ended before it was open".into());
        }
    }

    /// Takes an open connection in; `None` if nobody waits for it any more.
    pub(crate) fn admit(
        &mut self,
        plan: &ConnectionPlan,
        opened: Established,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Option<usize> {
        if self.is_abandoned {
            return None;
        }
        self.pending -= 1;
        self.failures_in_a_row = 0;
        self.metrics.established += 1;
        self.live.established.add(1);
        let times = opened.waterfall;
        if self.times.is_measured(times.upgraded_ns) {
            self.metrics.opened += 1;
        }
        times.record(&mut self.metrics.distributions);
        self.url_counts(plan.index).established += 1;
        if let Some(agreed) = &opened.tls {
            self.metrics.tls_agreed(agreed);
        }
        if plan.messages == 0 {
            self.spent += 1;
        }
        Some(self.take_in(plan, opened, Outstanding::default(), permit))
    }

    /// Makes a session of an open connection; returns its key.
    pub(super) fn take_in(
        &mut self,
        plan: &ConnectionPlan,
        opened: Established,
        outstanding: Outstanding,
        permit: Option<OwnedSemaphorePermit>,
    ) -> usize {
        if self.deflating.is_offered {
            self.metrics.deflate.handshake(opened.deflate);
        }
        let keys = Keys::new(self.settings.mask);
        let key = self.sessions.insert(Session {
            stream: match self.settings.misbehaviour {
                Misbehaviour::Slow { bytes_per_s } => opened.stream.slowed(bytes_per_s),
                _ => opened.stream,
            },
            codec: ConnectionBuilder::with_mask_keys(Role::Client, keys)
                .limits(self.settings.limits)
                .extension(opened.deflate.as_ref())
                .open(),
            index: plan.index,
            quota: plan.messages,
            outstanding,
            unsent: Vec::new(),
            unsent_begin: 0,
            waker: None,
            is_dirty: false,
            is_deflated: opened.deflate.is_some(),
            is_held: self.settings.misbehaviour == Misbehaviour::NeverPong,
            close: CloseState::default(),
            _permit: permit,
        });
        let place = self.place(plan.index);
        if let Some(entry) = self.keys_by_place.get_mut(place) {
            *entry = Some(key);
        }
        // Its task, which is about to call `poll_open`, sees what this leads to.
        let mut rest = opened.rest;
        self.receive(key, &mut rest);
        match plan.script {
            Script::OpenClose => self.close(key),
            Script::Fanout => {
                self.join_fanout(plan.index, key);
                self.greet(key);
            }
            _ => self.greet(key),
        }
        self.wake_main();
        key
    }
}
