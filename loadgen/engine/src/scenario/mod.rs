//! A scenario: what users do on their connections, read from a file to a typed [`Program`].
//!
//! ```text
//!   file ─▶ document, node (places) ─▶ Program ─▶ user: one program counter a connection, without I/O
//!   flags, preset ┘                      text, body, matcher, pointer, unit, feed: its parts
//! ```
//!
//! All work that can be done once is done here: pointers are split, regular expressions compiled,
//! names of variables turned into slots. A [`Program`] never changes, and all threads share it.

pub mod body;
mod command;
mod document;
pub mod explain;
pub mod feed;
mod file;
pub mod flags;
pub mod matcher;
mod node;
pub mod pointer;
pub mod preset;
mod step;
pub mod text;
pub mod unit;
pub mod user;

use crate::index::ConnectionIndex;
use std::hash::{DefaultHasher, Hasher};

use body::Body;
use feed::{Feed, Row};
pub use file::{parse, read, read_for};
use matcher::{Matcher, Pattern, Pick, View};
use text::{Context, Text};
use unit::Framing;

/// What the users of a run do.
#[derive(Clone, Debug)]
pub struct Program {
    /// The file, or the preset.
    pub name: String,
    /// Identifies the program: a digest of everything it is made of.
    pub digest: u64,
    /// How a user connects.
    pub connect: Connect,
    /// Values of each user.
    pub feed: Option<Feed>,
    /// Variables that are computed once for each user, in order, with their slots.
    pub vars: Vec<(usize, Text)>,
    /// Slots of variables and captures.
    pub slots: Vec<String>,
    /// The blocks that users repeat, in turns of a number of users; at least one.
    pub roles: Vec<Role>,
    /// How a message names the request that it answers.
    pub reply: Option<Reply>,
    /// Rules for unrequested messages. The first that matches takes a message.
    pub rules: Vec<Rule>,
    /// Messages sent on a timer.
    pub ticks: Vec<Tick>,
    /// Lists of steps.
    pub blocks: Vec<Block>,
    /// Names of measures, by [`Step::measure`].
    pub measures: Vec<String>,
    /// What an unmatched message means.
    pub unmatched: Unmatched,
    /// The highest number of a request, after which they restart at 1, as in MQTT.
    pub id_max: u64,
}

/// How a user connects.
#[derive(Clone, Debug, Default)]
pub struct Connect {
    /// The URL, unless another is given.
    pub url: Option<Text>,
    /// The URL as typed.
    pub url_typed: Option<String>,
    /// Subprotocols to offer.
    pub subprotocols: Vec<Text>,
    /// Headers of the opening request.
    pub headers: Vec<(String, Text)>,
    /// How the protocol's messages are framed in WebSocket messages.
    pub framing: Framing,
    /// Matches what precedes the JSON in a message.
    pub json_after: Option<Pattern>,
}

/// A part of the users.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name; `None` if all users do the same.
    pub name: Option<String>,
    /// How many of a turn's users have this role.
    pub share: u64,
    /// The block of an iteration.
    pub block: usize,
}

/// Steps in order.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// `begin`, `step`, `end`, or the name of a flow.
    pub name: String,
    /// The steps in order.
    pub steps: Vec<Step>,
}

/// The block of `[[begin]]`.
pub const BEGIN: usize = 0;
/// The block of `[[end]]`.
pub const END: usize = 1;
/// The block of `[[step]]`.
pub const STEP: usize = 2;

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The measure that it counts in, if it exchanges messages.
    pub measure: Option<usize>,
    /// How often it is done; at least once.
    pub times: u32,
    /// How many iterations of this one step may be under way at once on a connection; at least one.
    pub overlap: usize,
    /// What is done.
    pub action: Action,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Sends, waits, or both.
    Exchange(Box<Exchange>),
    /// Waits for a while.
    Pause(Pause),
    /// Does one of these blocks, chosen by weight.
    Choose(Vec<(usize, u64)>),
    /// Does a block.
    Do(usize),
    /// Closes the connection with a code.
    Close(u16),
}

/// A message, and what ends the wait for the answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The message to send; `None` only waits.
    pub body: Option<Body>,
    /// What ends the exchange.
    pub until: Until,
    /// Matches an answer that is wrong.
    pub fail: Option<Matcher>,
    /// Values to keep from the answer.
    pub captures: Vec<Capture>,
    /// How long the answer may take, in nanoseconds.
    pub timeout_ns: u64,
}

/// What ends an exchange.
#[derive(Clone, Debug)]
pub enum Until {
    /// The sending of the message.
    Sent,
    /// The message that names this request.
    Reply,
    /// The first message that matches.
    Match(Matcher),
}

/// A value of a message that is kept.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The slot that keeps it.
    pub slot: usize,
    /// Where it is in the message.
    pub pick: Pick,
}

/// How long a pause is, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Exactly this long.
    Fixed(u64),
    /// Uniform from the first to the second.
    Between(u64, u64),
    /// Exponential with this mean.
    Exponential(u64),
}

/// How a message names the request that it answers.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Where the name is in a message.
    pub id: Pick,
    /// The name of a request; `None` is its number.
    pub named: Option<Text>,
    /// Matches messages that name a request; `None` is all that have a name.
    pub when: Option<Matcher>,
    /// Matches messages that name a request but aren't its reply.
    pub skip: Option<Matcher>,
    /// Matches replies that are wrong, whatever the request.
    pub fail: Option<Matcher>,
    /// Where a wrong reply says why; `None` is the whole of it.
    pub words: Option<Pick>,
}

impl Reply {
    /// Returns what the name of the request in a message comes to: its number, or a hash of its
    /// text; `None` if the message is no reply.
    #[must_use]
    pub fn key_of(&self, view: View<'_>) -> Option<u64> {
        if !self.may_be_one(view) {
            return None;
        }
        match self.named {
            None => self.id.number(view),
            Some(_) => self.id.of(view).map(|name| Self::key(&name)),
        }
    }

    /// Checks whether a message could be a reply, and names no request.
    #[must_use]
    pub fn is_unnamed(&self, view: View<'_>) -> bool {
        self.may_be_one(view) && self.id.of(view).is_none_or(|name| *name == b"null"[..])
    }

    fn may_be_one(&self, view: View<'_>) -> bool {
        self.when.as_ref().is_none_or(|when| when.is_match(view))
            && self.skip.as_ref().is_none_or(|skip| !skip.is_match(view))
    }

    /// Returns what a name comes to if it is text.
    #[must_use]
    pub fn key(name: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(name);
        hasher.finish()
    }
}

/// A rule for an unrequested message.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The name used in reports.
    pub name: String,
    /// Matches its messages.
    pub when: Matcher,
    /// What is sent back.
    pub answer: Option<Body>,
    /// Whether its messages report a failure, as a server's last words do.
    pub is_fault: bool,
    /// Whether its messages have a stamp.
    pub has_stamp: bool,
    /// Where the send time is in a message, and the nanoseconds in a unit of that time.
    pub age: Option<(Pick, u64)>,
    /// Where a sequence number is, and the values that identify its sequence.
    pub sequence: Option<(Pick, Vec<Pick>)>,
    /// Values to keep from the message.
    pub captures: Vec<Capture>,
}

/// A message sent on a timer.
#[derive(Clone, Debug)]
pub struct Tick {
    /// Time from one message to the next, in nanoseconds.
    pub interval_ns: u64,
    /// The message.
    pub body: Body,
}

/// What an unmatched message means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unmatched {
    /// It is counted.
    #[default]
    Count,
    /// The run fails.
    Fail,
}

impl Program {
    /// Returns a user's row of the feed.
    #[must_use]
    pub fn row_of(&self, seed: u64, connection: ConnectionIndex) -> Row<'_> {
        self.feed.as_ref().map_or(Row::NONE, |feed| feed.row(seed, connection))
    }

    /// Computes the variables of a user; captures are empty.
    #[must_use]
    pub fn slots_of(
        &self,
        seed: u64,
        connection: ConnectionIndex,
        unix_ns: u64,
    ) -> Box<[Box<[u8]>]> {
        let mut slots = vec![Box::default(); self.slots.len()].into_boxed_slice();
        for (slot, text) in &self.vars {
            let mut value = Vec::new();
            text.render(&self.opening(seed, connection, unix_ns, &slots), &mut value);
            slots[*slot] = value.into();
        }
        slots
    }

    /// Returns the values of the placeholders of an opening request.
    #[must_use]
    pub fn opening<'c>(
        &'c self,
        seed: u64,
        connection: ConnectionIndex,
        unix_ns: u64,
        slots: &'c [Box<[u8]>],
    ) -> Context<'c> {
        let row = self.row_of(seed, connection);
        Context { seed, connection, id: 0, iteration: 0, message: 0, stamp: 0, unix_ns, slots, row }
    }

    /// Checks whether users repeat anything; if not, they are held.
    #[must_use]
    pub fn has_steps(&self) -> bool {
        self.roles.iter().any(|role| !self.blocks[role.block].steps.is_empty())
    }

    /// Returns how many iterations of a user may be under way at once.
    #[must_use]
    pub fn overlap_of(&self, connection: ConnectionIndex) -> usize {
        match &self.blocks[self.role_of(connection)].steps[..] {
            [step] => step.overlap,
            _ => 1,
        }
    }

    /// Returns the block that a user repeats.
    #[must_use]
    pub fn role_of(&self, connection: ConnectionIndex) -> usize {
        let turn = self.roles.iter().map(|role| role.share).sum::<u64>().max(1);
        let mut place = connection.turn(turn);
        for role in &self.roles {
            match place.checked_sub(role.share) {
                None => return role.block,
                Some(left) => place = left,
            }
        }
        STEP
    }
}
