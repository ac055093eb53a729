//! Messages that are shown but not judged: a generator that doesn't know a server's protocol can't
//! say whether they are right, but its user can.

use std::collections::BTreeMap;

use super::failure::Occurrence;

/// The kind of message that a server sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeenKind {
    /// An unrequested message on a connection that is only opened or held.
    Pushed,
    /// A message without a stamp (`listen`), or neither a copy nor an answer (`fanout`).
    Foreign,
    /// An answer to a subscription, if one is waited for.
    Answer,
    /// A subscription that came back as it was sent.
    Returned,
}

impl SeenKind {
    /// Returns the name used in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pushed => "pushed",
            Self::Foreign => "foreign",
            Self::Answer => "answer",
            Self::Returned => "returned",
        }
    }
}

/// Unjudged messages by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<SeenKind, Occurrence>);

impl Seen {
    /// Counts a message. Calls `sample` until there are a few examples, each of another kind.
    pub fn add(&mut self, kind: SeenKind, sample: impl FnOnce() -> String) {
        self.0.entry(kind).or_default().add(sample);
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: Self) {
        for (kind, occurrence) in other.0 {
            self.0.entry(kind).or_default().merge(occurrence);
        }
    }

    /// Iterates over the kinds that occurred.
    pub fn iter(&self) -> impl Iterator<Item = (SeenKind, &Occurrence)> {
        self.0.iter().map(|(&kind, occurrence)| (kind, occurrence))
    }
}
