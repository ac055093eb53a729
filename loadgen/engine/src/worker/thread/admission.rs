//! Counts the connections of a worker that are being opened.

use super::super::opening::Refusal;
use super::Thread;
use crate::index::ConnectionIndex;
use crate::metrics::{Failure, FailurePhase};

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
    pub(crate) fn attempt_begun(&mut self, connection: ConnectionIndex) {
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
