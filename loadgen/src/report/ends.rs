//! How connections ended, and what went wrong, as rows of a report.

use super::{CloseReasonReport, ClosingReport, ErrorReport};
use crate::metrics::{CloseReasons, Failures, Metrics};

/// Returns a row for each kind of failure.
pub(super) fn errors(failures: &Failures) -> impl Iterator<Item = ErrorReport> {
    failures.iter().map(|(failure, occurrence)| ErrorReport {
        phase: failure.phase.name().into(),
        code: failure.code.clone().into_owned(),
        count: occurrence.count,
        sample: occurrence.samples.first().cloned().unwrap_or_default(),
        other_samples: occurrence.samples.iter().skip(1).cloned().collect(),
    })
}

/// Returns a row for each way in which connections were closed.
pub(super) fn closings(metrics: &Metrics) -> Vec<ClosingReport> {
    metrics
        .closings
        .iter()
        .map(|(closing, &count)| ClosingReport {
            by: closing.by,
            code: closing.code,
            is_clean: closing.is_clean,
            count,
            reasons: metrics.close_reasons.get(closing).map(close_reasons).unwrap_or_default(),
        })
        .collect()
}

fn close_reasons(reasons: &CloseReasons) -> Vec<CloseReasonReport> {
    let one = |(reason, count): (Option<&str>, u64)| CloseReasonReport {
        reason: reason.map(ToOwned::to_owned),
        count,
    };
    reasons.iter().map(one).collect()
}
