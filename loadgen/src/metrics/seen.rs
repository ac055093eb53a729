//! Messages that are shown and not judged: a generator that knows nothing of a server's protocol
//! can't say whether they are right, but its user can.

use std::collections::BTreeMap;

use super::failure::Occurrence;

/// What kind of message a server has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeenKind {
    /// One that nobody asked for, on a connection that is only opened or held.
    Pushed,
    /// One without a stamp (`listen`), or that is neither a copy nor an answer (`fanout`).
    Foreign,
    /// An answer to a subscription, where one is waited for.
    Answer,
    /// A subscription that came back as it was sent.
    Returned,
}

impl SeenKind {
    /// As reports call it.
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

/// Such messages by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<SeenKind, Occurrence>);

impl Seen {
    /// Counts a message. `sample` is asked for an example until there are a few, each of another kind.
    pub fn add(&mut self, kind: SeenKind, sample: impl FnOnce() -> String) {
        self.0.entry(kind).or_default().add(sample);
    }

    /// Adds what `other` has counted.
    pub fn merge(&mut self, other: Self) {
        for (kind, occurrence) in other.0 {
            self.0.entry(kind).or_default().merge(occurrence);
        }
    }

    /// Each kind that there is.
    pub fn iter(&self) -> impl Iterator<Item = (SeenKind, &Occurrence)> {
        self.0.iter().map(|(&kind, occurrence)| (kind, occurrence))
    }
}
