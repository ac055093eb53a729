//! Takes in the outcome of an opening handshake: a session, or a counter.

use tokio::sync::OwnedSemaphorePermit;
use wscodec::{ConnectionBuilder, Role};

use super::connect::{Established, Refusal};
use super::driver::Driver;
use super::outstanding::Outstanding;
use super::session::{CloseState, Keys, Session};
use super::sessions::SessionKey;
use super::thread::Thread;
use crate::config::Misbehaviour;
use crate::metrics::{Failure, FailurePhase};
use crate::plan::ConnectionPlan;

/// The connections of a worker that are being opened.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    state: AdmissionState,
    /// How many connections have begun and have no outcome yet.
    pub(crate) pending: u64,
    /// How many connections have failed since one was last established.
    pub(crate) failures_in_a_row: u32,
    /// How many connections are held with half a request (a cohort).
    pub(crate) headless: u64,
}

/// Whether connections are still taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum AdmissionState {
    /// More connections are begun.
    #[default]
    Beginning,
    /// No more connections are begun.
    Begun,
    /// Pending connections have been counted as interrupted, and their outcomes are ignored.
    Abandoned,
}

impl Admission {
    /// Checks whether all planned connections have been established or have failed.
    pub(crate) fn is_settled(&self) -> bool {
        self.state != AdmissionState::Beginning && self.pending == 0
    }

    /// Begins no more connections.
    pub(crate) fn end(&mut self) {
        if self.state == AdmissionState::Beginning {
            self.state = AdmissionState::Begun;
        }
    }

    /// Checks whether pending connections are not waited for any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.state == AdmissionState::Abandoned
    }
}

impl Thread {
    /// Counts a connection that is begun.
    pub(crate) fn attempt_begun(&mut self, connection: u64) {
        self.metrics.attempted += 1;
        self.url_counts(connection).attempted += 1;
        self.live.attempted.add(1);
        self.admission.pending += 1;
    }

    /// Counts a connection that didn't open. Returns how many in a row have not.
    pub(crate) fn attempt_failed(&mut self, refusal: Refusal) -> u32 {
        let admission = &mut self.admission;
        if admission.is_abandoned() {
            return 0;
        }
        admission.pending -= 1;
        admission.failures_in_a_row = admission.failures_in_a_row.saturating_add(1);
        let failures_in_a_row = admission.failures_in_a_row;
        self.live.failed.add(1);
        self.metrics.failures.add(refusal.failure, || refusal.sample);
        self.lifecycle.wake_main();
        failures_in_a_row
    }

    /// Counts pending connections as interrupted; their outcomes are ignored.
    pub(crate) fn abandon_attempts(&mut self) {
        self.admission.state = AdmissionState::Abandoned;
        for _ in 0..std::mem::take(&mut self.admission.pending) {
            self.live.failed.add(1);
            let failure = Failure::new(FailurePhase::Run, "interrupted");
            self.metrics.failures.add(failure, || "the run ended before it was open".into());
        }
    }
}

impl Driver {
    /// Takes in an open connection; `None` if it is not waited for any more.
    pub(crate) fn admit(
        &mut self,
        plan: &ConnectionPlan,
        opened: Established,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Option<SessionKey> {
        let thread = &mut self.thread;
        if thread.admission.is_abandoned() {
            return None;
        }
        thread.admission.pending -= 1;
        thread.admission.failures_in_a_row = 0;
        thread.metrics.established += 1;
        thread.live.established.add(1);
        let times = opened.waterfall;
        if thread.times.is_measured(times.upgraded_ns) {
            thread.metrics.opened += 1;
        }
        times.record(&mut thread.metrics.distributions);
        thread.url_counts(plan.index).established += 1;
        if let Some(agreed) = &opened.tls {
            thread.metrics.tls_agreed(agreed);
        }
        if plan.messages == 0 {
            thread.outbox.spent += 1;
        }
        Some(self.take_in(plan, opened, Outstanding::default(), permit))
    }

    /// Makes a session of an open connection. Returns its key.
    pub(super) fn take_in(
        &mut self,
        plan: &ConnectionPlan,
        opened: Established,
        outstanding: Outstanding,
        permit: Option<OwnedSemaphorePermit>,
    ) -> SessionKey {
        let thread = &mut self.thread;
        if thread.deflating.is_offered {
            thread.metrics.deflate.handshake(opened.deflate);
        }
        let keys = Keys::new(thread.settings.mask);
        let key = thread.sessions.insert(Session {
            stream: match thread.settings.misbehaviour {
                Misbehaviour::Slow { bytes_per_s } => opened.stream.slowed(bytes_per_s),
                _ => opened.stream,
            },
            codec: ConnectionBuilder::with_mask_keys(Role::Client, keys)
                .limits(thread.settings.limits)
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
            is_held: thread.settings.misbehaviour == Misbehaviour::NeverPong,
            close: CloseState::default(),
            _permit: permit,
        });
        // The task is about to call `poll_open`, and sees what this leads to.
        let mut rest = opened.rest;
        self.duty.opening(&mut self.thread, key);
        self.receive(key, &mut rest);
        let Self { thread, duty } = self;
        duty.opened(thread, key);
        thread.lifecycle.wake_main();
        key
    }
}
