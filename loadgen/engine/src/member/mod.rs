//! What makes this process a member of a fleet: one of several processes that a command starts and
//! that together do what it was asked for.
//!
//! ```text
//!   fleet ── lines of JSON on stdin: Order ──▶ member
//!         ◀── lines of JSON on stdout: Said ──
//! ```
//!
//! A member writes no result, judges no thresholds and shows nothing. The end of its stdin is the
//! end of the process that started it, and a member then ends in good order: none is left behind.

mod link;

use std::net::SocketAddr;
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

use crate::clock::Epoch;
use crate::metrics::live::Snapshot;
use crate::segment::Segment;
pub use link::{Link, say};

/// Most processes of a fleet.
pub const PROCESSES_MAX: u64 = 1_000;

/// How many processes a command may become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Processes {
    /// As few as the limits of a process allow.
    #[default]
    Auto,
    /// So many.
    Exactly(NonZeroU64),
}

impl Processes {
    /// Reads a number or `auto`.
    ///
    /// # Errors
    /// What is wrong, to be put after the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let number = text.parse().ok().filter(|number| (1..=PROCESSES_MAX).contains(number));
        let number = number.and_then(NonZeroU64::new);
        number.map(Self::Exactly).ok_or_else(|| format!("use 1 to {PROCESSES_MAX}, or auto"))
    }

    /// Returns the number that was asked for, if one was.
    #[must_use]
    pub const fn asked(self) -> Option<u64> {
        match self {
            Self::Auto => None,
            Self::Exactly(number) => Some(number.get()),
        }
    }
}

/// The place of a process in its fleet, and what the whole fleet has to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its number, from 1.
    pub index: u64,
    /// The number of members.
    pub of: u64,
    /// Threads, unless the user has asked for a number.
    pub threads: u64,
    /// The seed of the run.
    pub seed: u64,
    /// Addresses of the loopback to connect from, from 127.0.0.2 on; 0 leaves it to the system.
    pub loopback_sources: u64,
    /// For a server: where all members listen.
    pub listen: Option<SocketAddr>,
    /// For a server: most connections of the member.
    pub connections_max: Option<u64>,
}

impl Member {
    /// Returns the first of `of` members. They have a thread each, unless there are processors for
    /// more.
    #[must_use]
    pub fn first(of: u64, processors: u64, seed: u64) -> Self {
        let threads = (processors / of.max(1)).max(1);
        Self {
            index: 1,
            of: of.max(1),
            threads,
            seed,
            loopback_sources: 0,
            listen: None,
            connections_max: None,
        }
    }

    /// Returns all members of the fleet.
    pub fn all(self) -> impl Iterator<Item = Self> {
        (1..=self.of).map(move |index| Self { index, ..self })
    }

    /// Returns the part of the run that this member makes.
    #[must_use]
    pub fn segment(&self) -> Segment {
        Segment::new(self.index, self.of).unwrap_or(Segment::WHOLE)
    }

    /// Reads the value of the flag that makes a process a member.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let member: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let is_one = Segment::new(member.index, member.of).is_some();
        if is_one { Ok(member) } else { Err("no such member".into()) }
    }

    /// Returns the value of that flag.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// What a member is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The run begins at this moment.
    Begin(Epoch),
    /// Load begins, in nanoseconds after the run began.
    Load {
        /// When.
        begin_ns: u64,
    },
    /// No server is there: the run is over.
    Stop,
    /// The user has interrupted the command.
    Interrupt,
}

/// What a member says; `R` is its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said<R> {
    /// It could begin.
    Ready,
    /// What it has done so far.
    Snapshot(Box<Snapshot>),
    /// All of its connections are open or have failed.
    Settled {
        /// Open connections.
        open: u64,
    },
    /// A line for the user.
    Note(String),
    /// What it has done; nothing follows.
    Result(Box<R>),
    /// Why it has no result; nothing follows.
    Failed {
        /// The exit code that the command would have.
        exit: u8,
        /// The cause and the remedy.
        line: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_processes_or_auto() {
        assert_eq!(Processes::parse("auto"), Ok(Processes::Auto));
        assert_eq!(Processes::parse("56").map(Processes::asked), Ok(Some(56)));
        for wrong in ["0", "1001", "-1", "all", ""] {
            let why = Processes::parse(wrong).unwrap_err();
            assert!(why.contains("1 to 1000, or auto"), "{wrong:?}: {why}");
        }
    }

    #[test]
    fn a_member_is_told_its_place_and_the_rest_is_the_same_for_all() {
        let first = Member { loopback_sources: 36, ..Member::first(3, 8, 42) };
        let read: Vec<_> =
            first.all().map(|member| Member::parse(&member.text()).unwrap()).collect();
        let places: Vec<_> = read.iter().map(|member| Some(member.segment())).collect();
        assert_eq!(places, [1, 2, 3].map(|index| Segment::new(index, 3)));
        assert!(read.iter().all(|member| (member.threads, member.seed) == (2, 42)));
        assert_eq!(Member::first(50, 8, 1).threads, 1);
        let other = first.text().replace("\"index\":1", "\"index\":4");
        assert!(Member::parse(&other).is_err(), "{other}");
    }

    #[test]
    fn what_is_said_is_one_line() {
        let line = serde_json::to_string(&Said::<u8>::Note("a\nb".into())).unwrap();
        assert_eq!(line, r#"{"note":"a\nb"}"#);
        let order = serde_json::to_string(&Order::Load { begin_ns: 7 }).unwrap();
        assert_eq!(serde_json::from_str::<Order>(&order).unwrap(), Order::Load { begin_ns: 7 });
    }
}
