//! Messages that are shown and not judged, and what follows from them.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use super::Report;
use super::line::line;
use crate::metrics::{Occurrence, Seen, SeenKind, add_sample};
use crate::units;

/// Messages of one kind that a server sent and that this program doesn't judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenReport {
    /// `pushed`, `foreign`, `answer` or `returned`.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// The first, and a few that differ from it, and from each other, in more than numbers; control
    /// characters are escaped.
    pub samples: Vec<String>,
}

pub(super) fn of(seen: &Seen) -> Vec<SeenReport> {
    let one = |(kind, occurrence): (SeenKind, &Occurrence)| SeenReport {
        kind: kind.name().into(),
        count: occurrence.count,
        samples: occurrence.samples.clone(),
    };
    seen.iter().map(one).collect()
}

/// Adds what a segment has seen.
pub(super) fn add(whole: &mut Vec<SeenReport>, part: &[SeenReport]) {
    for seen in part {
        match whole.iter_mut().find(|own| own.kind == seen.kind) {
            Some(own) => {
                own.count = own.count.saturating_add(seen.count);
                seen.samples.iter().for_each(|one| add_sample(&mut own.samples, one.clone()));
            }
            None => whole.push(seen.clone()),
        }
    }
}

impl Report {
    /// What was seen of a kind, if anything was.
    pub(super) fn seen(&self, kind: SeenKind) -> Option<&SeenReport> {
        self.seen.iter().find(|seen| seen.kind == kind.name())
    }
}

impl SeenReport {
    fn is(&self, kind: SeenKind) -> bool {
        self.kind == kind.name()
    }
}

/// The rows of what was seen.
pub(super) fn rows(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for seen in &report.seen {
        let (label, what) = if seen.is(SeenKind::Pushed) {
            ("pushed", "by the server, not judged")
        } else if seen.is(SeenKind::Answer) {
            ("answers", "to --subscribe")
        } else if seen.is(SeenKind::Returned) {
            ("returned", "as --subscribe had sent them")
        } else if report.fanout.is_some() {
            ("others", "that are no copies, not judged")
        } else {
            ("others", "without a stamp, not judged")
        };
        let mut said = format!("{} {what}", units::count(seen.count));
        if let Some(first) = seen.samples.first() {
            write!(said, "   first: {first}")?;
        }
        line(f, label, &said)?;
        for sample in seen.samples.iter().skip(1) {
            line(f, "", &format!("also: {sample}"))?;
        }
    }
    Ok(())
}
