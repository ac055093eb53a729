//! Counts what a process had done that died in the middle of a run: its connections failed, and
//! nothing else is known for sure.

use serde::{Deserialize, Serialize};

use super::add_count;
use crate::metrics::live::Snapshot;
use crate::metrics::{DropTimes, Side};
use crate::report::hold::DropReport;
use crate::report::{ClosingReport, ErrorReport, Report};
use crate::units;
use crate::verdict::State;

/// The phase and code of connections that a process took along.
const PHASE: &str = "run";
const CODE: &str = "process_died";

/// A process that ended without a result.
#[derive(Clone, Debug)]
pub struct Died {
    /// Its segment of the run, from 1.
    pub segment: u64,
    /// Its number.
    pub pid: u32,
    /// How it ended, to follow its name.
    pub cause: String,
    /// When that was known, in nanoseconds after the run began.
    pub at_ns: u64,
    /// What it had last said of itself.
    pub last: Snapshot,
}

/// A process that ended without a result, and what it took along.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiedReport {
    /// Its segment of the run, from 1.
    pub segment: u64,
    /// How it ended.
    pub cause: String,
    /// Connections that count as failed for it.
    pub connections: u64,
    /// Messages that it had sent, which are in no count.
    pub sent: u64,
}

impl DiedReport {
    /// Describes it.
    pub(in crate::report) fn said(&self, of: u64) -> String {
        let connections = units::counted(self.connections, "connection");
        format!("process {} of {of} {} and took {connections} along", self.segment, self.cause)
    }
}

/// Counts the connections of a process as failed, apart from those that had ended well.
pub(super) fn add(whole: &mut Report, died: &Died) -> DiedReport {
    let Died { segment, pid, cause, at_ns, last } = died;
    let established = last.counts.established;
    let released = last.kept.saturating_sub(last.open);
    let is_open_close = whole.connections.opened_per_s.is_some();
    let completed = if is_open_close {
        // Of the failed, some may never have been established: no more have ended well than these.
        established.saturating_sub(last.open).saturating_sub(last.counts.failed)
    } else {
        released
    };
    let completed = completed.min(established);
    let failed = last.attempted.saturating_sub(completed);
    let connections = &mut whole.connections;
    add_count(&mut connections.attempted, last.attempted);
    add_count(&mut connections.established, established);
    add_count(&mut connections.completed, completed);
    add_count(&mut connections.failed, failed);
    if let [url] = &mut whole.target.urls[..] {
        add_count(&mut url.counts.attempted, last.attempted);
        add_count(&mut url.counts.established, established);
        add_count(&mut url.counts.completed, completed);
    }
    for (code, is_clean, count) in [(1000, true, completed), (1006, false, established - completed)]
    {
        if count > 0 {
            let closing =
                ClosingReport { by: Side::Client, code, is_clean, count, reasons: Vec::new() };
            super::add::add_closing(&mut whole.closings, &closing);
        }
    }
    if let Some(hold) = &mut whole.hold {
        let dropped = established.saturating_sub(released);
        add_count(&mut hold.held, released);
        add_count(&mut hold.dropped, dropped);
        if dropped > 0 {
            let times = DropTimes { count: dropped, first_ns: *at_ns, last_ns: *at_ns };
            let drop = DropReport { phase: PHASE.into(), code: CODE.into(), times };
            super::add::add_drops(&mut hold.drops, &[drop]);
        }
    }
    if failed > 0 {
        let sample = format!("process {segment} (pid {pid}) {cause}");
        let error = ErrorReport {
            phase: PHASE.into(),
            code: CODE.into(),
            count: failed,
            sample,
            other_samples: Vec::new(),
        };
        super::add::add_error(&mut whole.errors, &error);
    }
    DiedReport {
        segment: *segment,
        cause: cause.clone(),
        connections: failed,
        sent: last.counts.sent,
    }
}

/// Says what the result doesn't know of processes that died.
pub(super) fn note(whole: &mut Report, of: u64, died: &[DiedReport]) {
    for one in died {
        whole.verdict.state = whole.verdict.state.max(State::Degraded);
        let sent = units::counted(one.sent, "message");
        let what =
            if one.sent > 0 { format!("the {sent} that it sent and ") } else { String::new() };
        whole.verdict.reasons.push(format!(
            "process {} of {of} {}: {what}its latencies are not counted",
            one.segment, one.cause
        ));
    }
}
