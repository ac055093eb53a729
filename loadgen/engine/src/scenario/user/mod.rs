//! Simulates one user of a scenario: messages and times in, messages and times out. No socket, no
//! clock.
//!
//! ```text
//!   open ─▶ Begin ─▶ Ready ─▶ Running ─▶ Ready … ─▶ Ending ─▶ Over
//!             └─ a step fails: refused        └─ a step fails: the iteration has failed, the user goes on
//! ```
//!
//! A message is taken by the first of these that matches: the waiting step; the next step, if it
//! only waits and follows a pause; a rule; a request that has timed out or had its reply. Any other
//! message is unmatched. So the order in which a server answers doesn't matter, nor what it sends
//! in between.
//!
//! Where iterations are one request each, several may be in flight.
//!
//! Events are passed to an [`Observer`], which counts or prints them.

mod event;
mod flights;
mod frames;
mod moment;
mod order;
mod past;
mod received;
mod steps;
mod turn;

pub use event::{Cause, Event, Fault, Observer};
pub use order::Order;
pub use turn::{Outgoing, Turn};

use crate::index::ConnectionIndex;
use flights::Flights;
use frames::{Frame, OuterFrames};
use moment::Moment;
use order::Followed;
use past::PastRequests;

use super::text::Context;
use super::{Action, BEGIN, END, Program, Step, body::Body};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Begin,
    Ready,
    Running,
    Ending,
    Over,
}

/// What a user waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Nothing,
    /// The answer to an exchange.
    Answer {
        /// What the name of the request comes to.
        key: u64,
        /// When its message was written; `None` if it hasn't been yet.
        written: Option<Moment>,
        until_ns: u64,
    },
    /// The end of a pause, and whether the next step has had its message meanwhile.
    Pause {
        until_ns: u64,
        early: Option<Moment>,
    },
    /// Its next turn, after it has taken many steps at once.
    Turn {
        at_ns: u64,
    },
}

/// How far a user has come, which it takes along to a new connection.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    iterations: u64,
    stamps: u64,
}

/// A user.
#[derive(Debug)]
pub struct User {
    connection: ConnectionIndex,
    phase: Phase,
    wait: Wait,
    /// How many blocks the user is in.
    depth: u8,
    /// Where it is in the innermost of them.
    top: Frame,
    /// The number of the last request.
    id: u64,
    iteration: u64,
    /// Messages of the iteration so far.
    message: u64,
    stamps: u64,
    /// Since when another iteration may begin.
    ready_ns: u64,
    /// When the last step ended.
    step_ns: u64,
    begun_ns: u64,
    due: Option<Moment>,
    /// When the first message of the iteration was written.
    first: Option<Moment>,
    slots: Box<[Box<[u8]>]>,
    past: PastRequests,
    /// Requests that overlap, if the scenario has them.
    flights: Option<Box<Flights>>,
    /// Iterations begun so far.
    iterations: u64,
    rare: Option<Box<Rare>>,
}

/// What users of few scenarios need; made when it first is.
#[derive(Debug, Default)]
struct Rare {
    outer: OuterFrames,
    /// When each tick is due.
    ticks: Box<[u64]>,
    /// An incomplete unit, where the framing has such.
    partial: Vec<u8>,
    followed: Followed,
}

impl User {
    /// Returns a user of a run, before its connection is open.
    #[must_use]
    pub fn new(program: &Program, seed: u64, connection: ConnectionIndex, unix_ns: u64) -> Self {
        let overlap = program.overlap_of(connection);
        Self {
            connection,
            phase: Phase::Begin,
            wait: Wait::Nothing,
            depth: 0,
            top: Frame::default(),
            id: 0,
            iteration: 0,
            message: 0,
            stamps: 0,
            ready_ns: 0,
            step_ns: 0,
            begun_ns: 0,
            due: None,
            first: None,
            slots: program.slots_of(seed, connection, unix_ns),
            past: PastRequests::new(overlap),
            flights: (overlap > 1).then(|| Box::new(Flights::new(overlap))),
            iterations: 0,
            rare: None,
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    fn ticks(&self) -> &[u64] {
        self.rare.as_ref().map_or(&[], |rare| &rare.ticks)
    }

    /// Returns how far the user has come.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        Progress { iterations: self.iterations, stamps: self.stamps }
    }

    /// Has a user that is not open yet go on where it was on a connection that has ended.
    pub const fn resume(&mut self, progress: Progress) {
        Progress { iterations: self.iterations, stamps: self.stamps } = progress;
        self.iteration = self.iterations;
    }

    /// Starts the user once its connection is open.
    pub fn open<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        let ticks = &turn.program.ticks;
        if !ticks.is_empty() {
            let first_ns = ticks.iter().map(|tick| turn.now_ns.saturating_add(tick.interval_ns));
            self.rare().ticks = first_ns.collect();
        }
        self.step_ns = turn.now_ns;
        self.enter(BEGIN);
        self.advance(turn);
    }

    /// Begins the next iteration, which was due at a time under open loop; it must be ready.
    pub fn iterate<O: Observer>(&mut self, due_ns: Option<u64>, turn: &mut Turn<'_, O>) {
        debug_assert!(self.is_ready(), "a user does so many iterations at a time, mostly one");
        (self.iteration, self.iterations) = (self.iterations, self.iterations + 1);
        self.phase = Phase::Running;
        (self.due, self.first, self.begun_ns) = (due_ns.map(Moment::new), None, turn.now_ns);
        (self.message, self.step_ns) = (0, turn.now_ns);
        self.enter(turn.program.role_of(self.connection));
        self.advance(turn);
    }

    /// Begins `[[end]]`, and cuts what the user was doing.
    pub fn finish<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        if matches!(self.phase, Phase::Over | Phase::Ending) {
            return;
        }
        let was_ready = self.phase != Phase::Begin;
        self.give_up(turn);
        if !was_ready {
            self.phase = Phase::Over;
            return;
        }
        self.phase = Phase::Ending;
        (self.iteration, self.message) = (self.iterations, 0);
        self.step_ns = turn.now_ns;
        self.enter(END);
        self.advance(turn);
    }

    /// Gives up an iteration that is in a pause beyond a time, whose next step would come too late;
    /// returns whether it has.
    pub fn rest(&mut self, latest_ns: u64) -> bool {
        let is_long = matches!(self.wait, Wait::Pause { until_ns, .. } if until_ns > latest_ns);
        if !is_long || self.phase != Phase::Running {
            return false;
        }
        (self.wait, self.depth, self.phase) = (Wait::Nothing, 0, Phase::Ready);
        true
    }

    /// Ends the user because its connection has ended.
    pub fn lost<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        self.give_up(turn);
        self.phase = Phase::Over;
    }

    /// Checks whether `[[begin]]` is over and the next iteration may begin.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let has_room = self.flights.as_ref().is_none_or(|flights| flights.has_room());
        self.phase == Phase::Ready && has_room
    }

    /// Returns since when the next iteration may begin, of a user that is ready.
    #[must_use]
    pub const fn ready_ns(&self) -> u64 {
        self.ready_ns
    }

    /// Checks whether the user is in `[[begin]]`.
    #[must_use]
    pub fn is_beginning(&self) -> bool {
        self.phase == Phase::Begin
    }

    /// Returns how many iterations the user is in.
    #[must_use]
    pub fn running(&self) -> u64 {
        let flights = self.flights.as_ref().map_or(0, |flights| flights.len() as u64);
        flights + u64::from(self.phase == Phase::Running)
    }

    /// Checks whether the user is in `[[end]]`.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.phase == Phase::Ending
    }

    /// Checks whether the user has nothing more to do.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Returns when to call [`wake`](Self::wake).
    #[must_use]
    pub fn next_ns(&self) -> u64 {
        if self.phase == Phase::Over {
            return u64::MAX;
        }
        let ns = match self.wait {
            Wait::Nothing => u64::MAX,
            Wait::Answer { until_ns, .. } | Wait::Pause { until_ns, .. } => until_ns,
            Wait::Turn { at_ns } => at_ns,
        };
        let ns = self.flights.as_ref().map_or(ns, |flights| ns.min(flights.until_ns()));
        self.ticks().iter().copied().fold(ns, u64::min)
    }

    /// Records that the user's messages are about to be written.
    pub fn writing(&mut self, program: &Program, now_ns: u64) {
        if let Some(flights) = &mut self.flights {
            flights.writing(now_ns);
        }
        if self.first.is_none() && self.phase == Phase::Running {
            self.first = Some(Moment::new(now_ns));
        }
        let Wait::Answer { written, until_ns, .. } = &mut self.wait else { return };
        if written.is_some() {
            return;
        }
        *written = Some(Moment::new(now_ns));
        if let Action::Exchange(exchange) = &step_at(program, self.top).action {
            *until_ns = now_ns.saturating_add(exchange.timeout_ns);
        }
    }

    /// Does what is due by now.
    pub fn wake<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        if self.phase == Phase::Over {
            return;
        }
        for place in 0..self.ticks().len() {
            let tick = &turn.program.ticks[place];
            if self.ticks()[place] <= turn.now_ns {
                // From now on: after a standstill the machine sends one, not all that it missed.
                self.rare().ticks[place] = turn.now_ns.saturating_add(tick.interval_ns);
                self.send(Cause::Tick(place), &tick.body, turn);
            }
        }
        self.end_overdue(turn);
        match self.wait {
            Wait::Answer { until_ns, key, .. } if until_ns <= turn.now_ns => {
                let measure = self.measure(turn.program);
                self.past.remember(key, measure, true);
                self.fail(Fault::TimedOut, b"", turn);
            }
            Wait::Pause { until_ns, early } if until_ns <= turn.now_ns => {
                self.wait = Wait::Nothing;
                if let Some(early) = early {
                    let measure = self.measure(turn.program);
                    turn.observer.observe(Event::Begun { measure });
                    let service_ns = Some(early.ns().saturating_sub(self.step_ns));
                    let event = Event::Answered { measure, service_ns, is_message: true };
                    turn.observer.observe(event);
                    self.step_done(turn);
                }
                self.advance(turn);
            }
            Wait::Turn { at_ns } if at_ns <= turn.now_ns => {
                self.wait = Wait::Nothing;
                self.advance(turn);
            }
            _ => {}
        }
    }

    /// Handles a received message.
    pub fn message<O: Observer>(&mut self, bytes: &[u8], turn: &mut Turn<'_, O>) {
        let framing = &turn.program.connect.framing;
        if !framing.is_assembled() {
            return framing.split(bytes, &mut Vec::new(), |unit| self.unit(unit, turn));
        }
        let mut partial = std::mem::take(&mut self.rare().partial);
        framing.split(bytes, &mut partial, |unit| self.unit(unit, turn));
        self.rare().partial = partial;
    }

    fn send<O: Observer>(&mut self, cause: Cause, body: &Body, turn: &mut Turn<'_, O>) {
        let begin = turn.out.bytes.len();
        let context = self.context(turn.program, turn.seed, turn.unix_ns);
        body.render(&context, &mut turn.out.bytes);
        turn.observer.sending(cause, &turn.out.bytes[begin..], body.is_binary());
        turn.program.connect.framing.wrap(begin, &mut turn.out.bytes);
        turn.out.messages.push((body.is_binary(), turn.out.bytes.len()));
        self.message += 1;
        self.stamps += u64::from(body.has_stamp());
    }

    fn context<'c>(&'c self, program: &'c Program, seed: u64, unix_ns: u64) -> Context<'c> {
        Context {
            seed,
            connection: self.connection,
            id: self.id,
            iteration: self.iteration,
            message: self.message,
            stamp: self.stamps,
            unix_ns,
            slots: &self.slots,
            row: program.row_of(seed, self.connection),
        }
    }
}

fn step_at(program: &Program, frame: Frame) -> &Step {
    &program.blocks[frame.block as usize].steps[frame.step as usize]
}

#[cfg(test)]
mod tests;
