//! Merges what segments saw of a watched process: nothing adds up, since all saw the same.

use super::Part;
use crate::report::Report;
use crate::report::watched::WatchedReport;

/// What a merged result has of the watched process.
#[derive(Default)]
pub(super) struct Taken {
    /// The process, without what the rows tell.
    pub(super) watched: Option<WatchedReport>,
    /// The place of the part whose rows are taken.
    pub(super) part: Option<usize>,
    /// What a reader has to know of that.
    pub(super) note: Option<String>,
}

/// Takes the process of the first part that watched one, if all others that did watched the same.
pub(super) fn take(parts: &[Part], offset_ns: impl Fn(&Report) -> u64) -> Taken {
    let watching: Vec<_> = parts
        .iter()
        .enumerate()
        .filter_map(|(place, part)| Some((place, part, part.report.watched.as_ref()?)))
        .collect();
    let Some(&(place, part, watched)) = watching.first() else { return Taken::default() };
    if watching.iter().any(|(_, _, other)| other.identity() != watched.identity()) {
        let note = "the segments watched different processes, so none is in the merged result";
        return Taken { note: Some(note.into()), ..Taken::default() };
    }
    let index = part.report.config.segment.map_or(0, |segment| segment.index);
    let note = (watching.len() > 1).then(|| {
        format!(
            "{} segments watched the same process, {}; its numbers are those of segment {index}",
            watching.len(),
            watched.shown()
        )
    });
    let offset_ns = offset_ns(&part.report);
    let watched = WatchedReport {
        // The connections of this segment alone, while others had theirs.
        opened: None,
        ended_at_ns: watched.ended_at_ns.map(|at_ns| at_ns.saturating_add(offset_ns)),
        ..watched.clone()
    };
    Taken { watched: Some(watched), part: Some(place), note }
}
