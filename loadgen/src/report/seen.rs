//! Messages that are shown but not judged, and what follows from them.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use super::Report;
use super::line::line;
use crate::metrics::{Occurrence, Seen, SeenKind, add_sample};
use crate::units;

/// Messages of one kind that a server sent and this program doesn't judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenReport {
    /// `pushed`, `foreign`, `answer` or `returned`.
    pub kind: String,
    /// Number of messages.
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

/// Adds the messages of a segment.
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

/// Names what a server may be that only sends back what it was sent.
const IS_ECHO: &str = "is this an echo server?";
/// Names a server to try `listen` with.
const PUSH_SERVER: &str = "`loadgen serve push` sends messages of its own";

impl Report {
    /// Returns what was seen of a kind, if anything.
    pub(super) fn seen(&self, kind: SeenKind) -> Option<&SeenReport> {
        self.seen.iter().find(|seen| seen.kind == kind.name())
    }

    /// Checks whether listeners received only what they had sent themselves.
    pub(super) fn is_returned(&self) -> bool {
        self.push.is_some()
            && matches!(&self.seen[..], [seen] if seen.is(SeenKind::Returned))
            && self.deliveries().is_some_and(|all| all.expected == self.seen[0].count)
    }

    /// Returns the line for copies or messages of which none was received: what came instead, and
    /// what to do.
    pub(super) fn nothing_came(&self, what: &str) -> String {
        let begin = format!("no {what} received");
        let shown = |kind| {
            let seen = self.seen(kind)?;
            Some((seen.count, seen.samples.first().map_or("", String::as_str)))
        };
        let Some(fanout) = &self.fanout else {
            return if self.is_returned() {
                format!("{begin} but --subscribe, which came back: {IS_ECHO} {PUSH_SERVER}")
            } else if let Some((count, sample)) = shown(SeenKind::Foreign) {
                format!("{begin} in the measured time, and {count} before or after it ({sample})")
            } else if self.connections.completed == 0 {
                begin
            } else {
                format!(
                    "{begin}: the server pushed nothing; {IS_ECHO} {PUSH_SERVER}, and other \
                    servers may need a --subscribe first"
                )
            };
        };
        let own = units::counted(fanout.copies.counts.overheard, "message");
        let published = units::counted(fanout.published, "message");
        if fanout.published == 0 {
            format!("{begin}: nothing was published")
        } else if fanout.copies.counts.overheard > 0 {
            format!(
                "{begin}: {IS_ECHO} Publishers got {own} of their own back, and subscribers got \
                none; `loadgen serve broadcast` passes messages on"
            )
        } else if let Some((count, sample)) = shown(SeenKind::Answer) {
            format!(
                "{begin}: {published} published, none delivered, though {} to --subscribe \
                contained --subscribed ({sample}). Does such an answer mean that the connection is \
                in the room, and does --publish name the same one?",
                units::counted(count, "answer")
            )
        } else if let Some((count, sample)) = shown(SeenKind::Foreign) {
            format!(
                "{begin}: {published} published, none delivered; the server sent {} ({sample})",
                units::counted(count, "other message")
            )
        } else if self.connections.completed == 0 {
            begin
        } else {
            format!(
                "{begin}: {published} published, and the server sent nothing; does it want \
                --subscribe, and does it pass messages on? `loadgen serve broadcast` does"
            )
        }
    }
}

impl SeenReport {
    fn is(&self, kind: SeenKind) -> bool {
        self.kind == kind.name()
    }
}

/// Writes the rows of what was seen.
pub(super) fn rows(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for seen in &report.seen {
        let (label, what) = if seen.is(SeenKind::Pushed) {
            ("pushed", "by the server, not judged")
        } else if seen.is(SeenKind::Answer) {
            ("answers", "to --subscribe")
        } else if seen.is(SeenKind::Returned) {
            ("returned", "just as --subscribe sent them")
        } else if report.fanout.is_some() {
            ("others", "that aren't copies, not judged")
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
