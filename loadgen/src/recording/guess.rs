//! A guess, with what speaks for it.

use std::fmt;

/// How well the evidence supports a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Little speaks for it; look at it.
    Unsure,
    /// The recording has several signs of it, and none against it.
    Likely,
    /// The protocol says so, or every message of the recording.
    Sure,
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unsure => "unsure",
            Self::Likely => "likely",
            Self::Sure => "sure",
        })
    }
}

/// A guess about a recorded connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guess {
    /// What it is about: `protocol`, `reply`, `heartbeat`, …
    pub about: &'static str,
    /// What the scenario does.
    pub says: String,
    /// What in the recording speaks for it.
    pub evidence: String,
    /// How well it does.
    pub confidence: Confidence,
}

impl Guess {
    /// Makes a guess.
    pub(super) fn new(
        about: &'static str,
        confidence: Confidence,
        says: impl Into<String>,
        evidence: impl Into<String>,
    ) -> Self {
        Self { about, says: says.into(), evidence: evidence.into(), confidence }
    }
}

impl fmt::Display for Guess {
    /// Writes one line, without control characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { about, says, evidence, confidence } = self;
        let line = format!("{confidence:<6}  {about:<9}  {says}: {evidence}");
        f.write_str(&crate::escape::control(&line, 400))
    }
}
