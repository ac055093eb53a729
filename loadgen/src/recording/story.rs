//! What happened on a recorded connection: which message of the client asked for which of the
//! server, which was a heartbeat, and which came unasked.

use std::collections::BTreeMap;
use std::ops::Range;

use super::guess::Guess;
use super::kind::Kinds;
use super::protocol::Protocol;
use super::quoting::Edit;
use super::unit::Unit;
use super::{Connection, Side};

/// The longest time between two units.
const GAP_MAX_NS: u64 = 86_400_000_000_000;

/// How long the answer to a message may take in a recording.
pub(super) const ANSWER_NS: u64 = 30_000_000_000;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not known yet.
    Open,
    /// The preset sends it, or takes it.
    Preset,
    /// It is sent by a timer, or answers a rule.
    Heartbeat,
    /// It is left out, since a scenario can't say it.
    Left,
    /// A step of the client, whatever it waits for.
    Step,
    /// The answer to a step, or what a step waits for.
    Answer,
    /// A rule takes it.
    Rule,
}

/// What a step of the client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// The message with its id: this one.
    Reply(usize),
    /// The first message of the kind of this one.
    Expect(usize),
}

impl Until {
    pub(super) const fn unit(self) -> usize {
        match self {
            Self::Reply(unit) | Self::Expect(unit) => unit,
        }
    }
}

/// How requests are named, if no preset says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    /// Where a message of the server has the id of its request.
    pub(super) pointer: String,
    /// The name of a request, if it isn't its number alone.
    pub(super) named: Option<String>,
    /// A match of wrong replies.
    pub(super) fail: Option<&'static str>,
}

/// A variable of a preset, and where its value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Var {
    pub(super) name: &'static str,
    pub(super) value: VarValue,
}

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum VarValue {
    /// This.
    Text(String),
    /// A part of a message.
    Part(usize, Range<usize>),
}

/// A rule that answers, or a timer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Messages of this kind are answered with the message of this index.
    Answer {
        /// A message of the server.
        asked: usize,
        /// A message of the client.
        said: usize,
        /// Values that the answer repeats: where it has them, and how the rule names them.
        repeated: Vec<(Edit, String)>,
        name: String,
    },
    /// The message of this index is sent so often.
    Timer { said: usize, interval_ns: u64 },
}

/// What happened on a connection.
#[derive(Debug)]
pub(super) struct Story<'c> {
    pub(super) connection: &'c Connection,
    pub(super) protocol: Protocol,
    pub(super) units: Vec<Unit>,
    pub(super) kinds: Kinds,
    /// Of each unit.
    pub(super) fates: Vec<Fate>,
    /// What steps wait for, by the unit that is sent.
    pub(super) until: BTreeMap<usize, Until>,
    /// Where messages of the client have the number of a request.
    pub(super) id_edits: BTreeMap<usize, Edit>,
    pub(super) ids: Option<Ids>,
    pub(super) beats: Vec<Beat>,
    pub(super) vars: Vec<Var>,
    /// Whether the preset's handshake doesn't fit, so that its other parts are written out.
    pub(super) is_inlined: bool,
    pub(super) guesses: Vec<Guess>,
}

impl Story<'_> {
    /// Returns the units of a side whose fate is not known yet, in order.
    pub(super) fn open(&self, from: Side) -> Vec<usize> {
        let is_open =
            |place: &usize| self.fates[*place] == Fate::Open && self.units[*place].from == from;
        (0..self.units.len()).filter(is_open).collect()
    }

    /// Returns the steps of the client, in order.
    pub(super) fn steps(&self) -> Vec<usize> {
        (0..self.units.len()).filter(|place| self.fates[*place] == Fate::Step).collect()
    }

    /// Returns how long after one unit another came, in nanoseconds: a day at most, because no
    /// scenario waits longer, whatever a file says.
    pub(super) fn gap_ns(&self, from: usize, to: usize) -> u64 {
        self.units[to].at_ns.saturating_sub(self.units[from].at_ns).min(GAP_MAX_NS)
    }
}
