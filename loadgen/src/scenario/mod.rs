//! A scenario: what users do on their connections, read from a file to a typed [`Program`].
//!
//! ```text
//!   file ─▶ node (places) ─▶ Program ─▶ user: one program counter a connection, without I/O
//!           preset ┘           text, body, matcher, pointer, unit, feed: its parts
//! ```
//!
//! All that a message costs is prepared here: pointers are split, regular expressions compiled,
//! names of variables turned into slots. A [`Program`] never changes, and all threads share it.

pub mod body;
pub mod explain;
pub mod feed;
mod file;
pub mod matcher;
mod node;
pub mod pointer;
pub mod preset;
mod step;
pub mod text;
pub mod unit;
pub mod user;

use body::Body;
use feed::{Feed, Row};
pub use file::read;
use matcher::{Matcher, Pattern, Pick};
use text::{Context, Text};
use unit::Framing;

/// What the users of a run do.
#[derive(Clone, Debug)]
pub struct Program {
    /// The file, or the preset.
    pub name: String,
    /// Tells programs apart: a number of all that they are made of.
    pub digest: u64,
    /// How a user connects.
    pub connect: Connect,
    /// Values of each user.
    pub feed: Option<Feed>,
    /// Variables that are computed once for each user, in their order, with their slots.
    pub vars: Vec<(usize, Text)>,
    /// Slots of variables and captures.
    pub slots: Vec<String>,
    /// Which block users run again and again, in turns of so many users; at least one.
    pub roles: Vec<Role>,
    /// How a message names the request that it answers.
    pub reply: Option<Reply>,
    /// What comes unasked. The first that matches takes a message.
    pub rules: Vec<Rule>,
    /// What is sent by the clock.
    pub ticks: Vec<Tick>,
    /// Lists of steps.
    pub blocks: Vec<Block>,
    /// Names of what is measured, by [`Step::measure`].
    pub measures: Vec<String>,
    /// What a message means that nothing takes.
    pub unmatched: Unmatched,
    /// The highest number of a request; then they begin at 1 again, as MQTT's do.
    pub id_max: u64,
}

/// How a user connects.
#[derive(Clone, Debug, Default)]
pub struct Connect {
    /// The URL, unless another is given.
    pub url: Option<Text>,
    /// As it was typed.
    pub url_typed: Option<String>,
    /// Subprotocols to offer.
    pub subprotocols: Vec<Text>,
    /// Headers of the opening request.
    pub headers: Vec<(String, Text)>,
    /// How the protocol's messages stand in those of WebSocket.
    pub framing: Framing,
    /// What stands in front of the JSON in a message.
    pub json_after: Option<Pattern>,
}

/// A part of the users.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name; `None` if all users do the same.
    pub name: Option<String>,
    /// How many of a turn's users have it.
    pub share: u64,
    /// The block of an iteration.
    pub block: usize,
}

/// Steps, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// `begin`, `step`, `end`, or the name of a flow.
    pub name: String,
    /// In their order.
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
    /// Which measure it counts in, if it exchanges messages.
    pub measure: Option<usize>,
    /// How often it is done, at least once.
    pub times: u32,
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
    /// Does one of these blocks, with these weights.
    Choose(Vec<(usize, u64)>),
    /// Does a block.
    Do(usize),
    /// Closes the connection with a code.
    Close(u16),
}

/// A message, and what ends the wait for the answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What is sent; `None` only waits.
    pub body: Option<Body>,
    /// What ends it.
    pub until: Until,
    /// A message that is the answer, but a wrong one.
    pub fail: Option<Matcher>,
    /// What the answer says.
    pub captures: Vec<Capture>,
    /// How long the answer may take, in nanoseconds.
    pub timeout_ns: u64,
}

/// What ends an exchange.
#[derive(Clone, Debug)]
pub enum Until {
    /// That the message is sent.
    Sent,
    /// The message that names this request.
    Reply,
    /// The first message that is like this.
    Match(Matcher),
}

/// A value of a message that is kept.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Where it is kept.
    pub slot: usize,
    /// Where it stands.
    pub pick: Pick,
}

/// How long a pause is, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// So long.
    Fixed(u64),
    /// From the first to the second, each as likely.
    Between(u64, u64),
    /// Exponential with this mean.
    Exponential(u64),
}

/// How a message names the request that it answers.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Where the name stands.
    pub id: Pick,
    /// What the name of a request is; `None` is its number.
    pub named: Option<Text>,
    /// Messages that name a request; `None` is all that have a name.
    pub when: Option<Matcher>,
    /// Messages that name a request and aren't its reply.
    pub skip: Option<Matcher>,
    /// Replies that are wrong, whatever was asked.
    pub fail: Option<Matcher>,
}

/// A message that comes unasked.
#[derive(Clone, Debug)]
pub struct Rule {
    /// As reports call it.
    pub name: String,
    /// Which message it is.
    pub when: Matcher,
    /// What is sent back.
    pub answer: Option<Body>,
    /// Whether it has a stamp.
    pub has_stamp: bool,
    /// When the server sent it, and nanoseconds of a unit of that.
    pub age: Option<(Pick, u64)>,
    /// Its number, and what it is a number of.
    pub sequence: Option<(Pick, Vec<Pick>)>,
    /// What it says.
    pub captures: Vec<Capture>,
}

/// What is sent by the clock.
#[derive(Clone, Debug)]
pub struct Tick {
    /// From one to the next, in nanoseconds.
    pub interval_ns: u64,
    /// What is sent.
    pub body: Body,
}

/// What a message means that nothing takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unmatched {
    /// It is counted.
    #[default]
    Count,
    /// The run fails.
    Fail,
}

impl Program {
    /// Returns the row of the feed that a user has.
    #[must_use]
    pub fn row_of(&self, seed: u64, connection: u64) -> Row<'_> {
        self.feed.as_ref().map_or(Row::NONE, |feed| feed.row(seed, connection))
    }

    /// Computes the variables of a user; captures are empty.
    #[must_use]
    pub fn slots_of(&self, seed: u64, connection: u64, unix_ns: u64) -> Box<[Box<[u8]>]> {
        let mut slots = vec![Box::default(); self.slots.len()].into_boxed_slice();
        for (slot, text) in &self.vars {
            let mut value = Vec::new();
            text.render(&self.opening(seed, connection, unix_ns, &slots), &mut value);
            slots[*slot] = value.into();
        }
        slots
    }

    /// Returns what the placeholders of an opening request stand for.
    #[must_use]
    pub fn opening<'c>(
        &'c self,
        seed: u64,
        connection: u64,
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

    /// Returns the block that a user runs again and again.
    #[must_use]
    pub fn role_of(&self, connection: u64) -> usize {
        let turn = self.roles.iter().map(|role| role.share).sum::<u64>().max(1);
        let mut place = connection % turn;
        for role in &self.roles {
            match place.checked_sub(role.share) {
                None => return role.block,
                Some(left) => place = left,
            }
        }
        STEP
    }
}
