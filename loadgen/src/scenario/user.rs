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
//! Events are passed to an [`Observer`], which counts or prints them.

use std::hash::Hasher;

use super::file::DEPTH_MAX;
use super::matcher::{Matcher, View};
use super::text::{Context, Stamp};
use super::{Action, BEGIN, Capture, END, Exchange, Pause, Program, Rule, Step, Until, body::Body};
use crate::random::{self, Use};

/// Most steps that a user takes at once before others have their turn.
const STEPS_PER_TURN: usize = 64;
/// Requests that are remembered after their timeout or reply.
const PAST: usize = 8;
/// Most channels whose sequence numbers are followed on a connection.
const FOLLOWED_MAX: usize = 4_096;
/// The lane of random numbers that no placeholder uses.
const OWN_PLACE: u32 = 1 << 30;

/// Why an exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The answer matched `fail`.
    Refused,
    /// The answer lacks a value to capture.
    NoCapture,
    /// No answer came in time.
    TimedOut,
    /// The connection ended.
    Lost,
}

/// An event of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'e> {
    /// A step began: its message is to be written, or it waits.
    Begun {
        /// The measure of the step.
        measure: usize,
    },
    /// A step ended as it should.
    Answered {
        /// The measure of the step.
        measure: usize,
        /// From the write to the answer; for a step that only waits, from the step before; `None`
        /// if no answer was waited for.
        service_ns: Option<u64>,
        /// Whether a message ended it.
        is_message: bool,
    },
    /// A step failed.
    Failed {
        /// The measure of the step.
        measure: usize,
        /// The fault.
        fault: Fault,
        /// The server's message, if it caused the fault.
        said: &'e [u8],
    },
    /// The reply to a request that had timed out.
    Late {
        /// The measure of its step.
        measure: usize,
    },
    /// Another reply to a request that already had one.
    Again {
        /// The measure of its step.
        measure: usize,
    },
    /// An unrequested message.
    Rule {
        /// The number of its rule.
        rule: usize,
        /// Its age by the sender's clock, if it gives a time that isn't in the future.
        age_ns: Option<u64>,
        /// Its number relative to the one before.
        order: Order,
    },
    /// An unmatched message.
    Unmatched(&'e [u8]),
    /// `[[begin]]` is over.
    Ready,
    /// `[[begin]]` failed: the user can't be used.
    Refused,
    /// An iteration is over.
    Iterated {
        /// When it was due, under open loop.
        due_ns: Option<u64>,
        /// When its first message was written.
        first_ns: Option<u64>,
        /// When it began.
        begun_ns: u64,
        /// Whether all of its steps did what they should.
        is_complete: bool,
    },
}

/// The number of a message relative to the one before on its channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The message has no number.
    #[default]
    Unknown,
    /// The next, or the first.
    InOrder,
    /// This many are missing before it.
    Gap(u64),
    /// A number that came before, or should have.
    Behind,
}

/// Receives the events of users.
pub trait Observer {
    /// Called for each event.
    fn observe(&mut self, event: Event<'_>);
}

/// Messages to send, in one reused buffer.
#[derive(Debug, Default)]
pub struct Outgoing {
    bytes: Vec<u8>,
    /// Whether each message is binary, and where it ends.
    messages: Vec<(bool, usize)>,
    /// The code of a Close after the messages.
    pub close: Option<u16>,
}

impl Outgoing {
    /// Returns each message, and whether it is binary.
    pub fn messages(&self) -> impl Iterator<Item = (bool, &[u8])> {
        let mut begin = 0;
        self.messages.iter().map(move |&(is_binary, end)| {
            (is_binary, &self.bytes[std::mem::replace(&mut begin, end)..end])
        })
    }

    /// Checks whether there is anything to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.close.is_none()
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.messages.clear();
        self.close = None;
    }
}

/// The context of a call to a [`User`].
#[derive(Debug)]
pub struct Turn<'t, O> {
    /// The program of all users.
    pub program: &'t Program,
    /// The seed of the run.
    pub seed: u64,
    /// The time.
    pub now_ns: u64,
    /// The time in nanoseconds since 1970.
    pub unix_ns: u64,
    /// Messages to send.
    pub out: &'t mut Outgoing,
    /// Receives the events.
    pub observer: &'t mut O,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Begin,
    Ready,
    Running,
    Ending,
    Over,
}

/// A place in a block.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    block: u32,
    step: u32,
    /// How often the current step has been done.
    done: u32,
}

/// What a user waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Nothing,
    /// The answer to an exchange.
    Answer {
        id: u64,
        /// When its message was written; `None` if it hasn't been yet.
        written_ns: Option<u64>,
        until_ns: u64,
    },
    /// The end of a pause, and whether the next step has had its message meanwhile.
    Pause {
        until_ns: u64,
        early_ns: Option<u64>,
    },
    /// Its next turn, after it has taken many steps at once.
    Turn {
        at_ns: u64,
    },
}

/// A request that is over.
#[derive(Clone, Copy, Debug)]
struct Past {
    id: u64,
    measure: u32,
    has_timed_out: bool,
}

/// A user.
#[derive(Debug)]
pub struct User {
    connection: u64,
    phase: Phase,
    wait: Wait,
    frames: [Frame; DEPTH_MAX + 1],
    depth: usize,
    /// The number of the last request.
    id: u64,
    iteration: u64,
    /// Messages of the iteration so far.
    message: u64,
    stamps: u64,
    /// When the last step ended.
    step_ns: u64,
    begun_ns: u64,
    due_ns: Option<u64>,
    first_ns: Option<u64>,
    slots: Box<[Box<[u8]>]>,
    past: [Option<Past>; PAST],
    past_len: usize,
    /// When each tick is due.
    ticks: Box<[u64]>,
    /// An incomplete unit.
    partial: Vec<u8>,
    /// The last number of each channel, by the hash of its name.
    followed: Vec<(u64, u64)>,
}

impl User {
    /// Returns a user of a run, before its connection is open.
    #[must_use]
    pub fn new(program: &Program, seed: u64, connection: u64, unix_ns: u64) -> Self {
        Self {
            connection,
            phase: Phase::Begin,
            wait: Wait::Nothing,
            frames: [Frame::default(); DEPTH_MAX + 1],
            depth: 0,
            id: 0,
            iteration: 0,
            message: 0,
            stamps: 0,
            step_ns: 0,
            begun_ns: 0,
            due_ns: None,
            first_ns: None,
            slots: program.slots_of(seed, connection, unix_ns),
            past: [None; PAST],
            past_len: 0,
            ticks: Box::default(),
            partial: Vec::new(),
            followed: Vec::new(),
        }
    }

    /// Starts the user once its connection is open.
    pub fn open<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        let ticks = turn.program.ticks.iter();
        self.ticks = ticks.map(|tick| turn.now_ns.saturating_add(tick.interval_ns)).collect();
        self.step_ns = turn.now_ns;
        self.enter(BEGIN);
        self.advance(turn);
    }

    /// Begins the next iteration, which was due at a time under open loop; it must be ready.
    pub fn iterate<O: Observer>(&mut self, due_ns: Option<u64>, turn: &mut Turn<'_, O>) {
        debug_assert!(self.phase == Phase::Ready, "a user does one iteration at a time");
        self.phase = Phase::Running;
        (self.due_ns, self.first_ns, self.begun_ns) = (due_ns, None, turn.now_ns);
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
        self.step_ns = turn.now_ns;
        self.enter(END);
        self.advance(turn);
    }

    /// Ends the user because its connection has ended.
    pub fn lost<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        self.give_up(turn);
        self.phase = Phase::Over;
    }

    /// Checks whether `[[begin]]` is over and the next iteration may begin.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Checks whether the user is in `[[begin]]`.
    #[must_use]
    pub fn is_beginning(&self) -> bool {
        self.phase == Phase::Begin
    }

    /// Checks whether the user is in an iteration.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
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
        self.ticks.iter().copied().fold(ns, u64::min)
    }

    /// Records that the user's messages are about to be written.
    pub fn writing(&mut self, program: &Program, now_ns: u64) {
        if self.first_ns.is_none() && self.phase == Phase::Running {
            self.first_ns = Some(now_ns);
        }
        let Wait::Answer { written_ns, until_ns, .. } = &mut self.wait else { return };
        if written_ns.is_some() {
            return;
        }
        *written_ns = Some(now_ns);
        let until = &mut *until_ns;
        let frame = self.frames[self.depth.saturating_sub(1)];
        if let Action::Exchange(exchange) = &step_at(program, frame).action {
            *until = now_ns.saturating_add(exchange.timeout_ns);
        }
    }

    /// Does what is due by now.
    pub fn wake<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        if self.phase == Phase::Over {
            return;
        }
        for place in 0..self.ticks.len() {
            let tick = &turn.program.ticks[place];
            if self.ticks[place] <= turn.now_ns {
                // From now on: after a standstill the machine sends one, not all that it missed.
                self.ticks[place] = turn.now_ns.saturating_add(tick.interval_ns);
                self.send(&tick.body, turn);
            }
        }
        match self.wait {
            Wait::Answer { until_ns, id, .. } if until_ns <= turn.now_ns => {
                let measure = self.measure(turn.program);
                self.remember(id, measure, true);
                self.fail(Fault::TimedOut, b"", turn);
            }
            Wait::Pause { until_ns, early_ns } if until_ns <= turn.now_ns => {
                self.wait = Wait::Nothing;
                if let Some(early_ns) = early_ns {
                    let measure = self.measure(turn.program);
                    turn.observer.observe(Event::Begun { measure });
                    let service_ns = Some(early_ns.saturating_sub(self.step_ns));
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
        let mut partial = std::mem::take(&mut self.partial);
        turn.program.connect.framing.split(bytes, &mut partial, |unit| self.unit(unit, turn));
        self.partial = partial;
    }

    fn unit<O: Observer>(&mut self, unit: &[u8], turn: &mut Turn<'_, O>) {
        let program = turn.program;
        let view = View::new(unit, program.connect.json_after.as_ref());
        match self.wait {
            Wait::Answer { id, written_ns, .. } => {
                let Action::Exchange(exchange) = &self.step(program).action else { return };
                if let Some(is_good) = self.judged(exchange, id, view, turn) {
                    let measure = self.measure(program);
                    if matches!(exchange.until, Until::Reply) {
                        self.remember(id, measure, false);
                    }
                    if !is_good {
                        return self.fail(Fault::Refused, unit, turn);
                    }
                    if !self.capture(&exchange.captures, view) {
                        return self.fail(Fault::NoCapture, unit, turn);
                    }
                    let from_ns = written_ns.unwrap_or(turn.now_ns);
                    let service_ns = Some(turn.now_ns.saturating_sub(from_ns));
                    let event = Event::Answered { measure, service_ns, is_message: true };
                    turn.observer.observe(event);
                    self.wait = Wait::Nothing;
                    self.step_done(turn);
                    return self.advance(turn);
                }
            }
            Wait::Pause { until_ns, early_ns: None } => {
                if let Some((matcher, captures)) = self.next_wait(program)
                    && matcher.is_match(view)
                    && self.capture(captures, view)
                {
                    self.wait = Wait::Pause { until_ns, early_ns: Some(turn.now_ns) };
                    return;
                }
            }
            _ => {}
        }
        if let Some(rule) = program.rules.iter().position(|rule| rule.when.is_match(view)) {
            return self.ruled(rule, &program.rules[rule], view, turn);
        }
        if let Some(past) = self.past_of(view, turn) {
            let measure = past.measure as usize;
            return turn.observer.observe(if past.has_timed_out {
                Event::Late { measure }
            } else {
                Event::Again { measure }
            });
        }
        turn.observer.observe(Event::Unmatched(unit));
    }

    /// Checks whether a message ends the exchange, and if so whether as it should.
    fn judged<O: Observer>(
        &self,
        exchange: &Exchange,
        id: u64,
        view: View<'_>,
        turn: &mut Turn<'_, O>,
    ) -> Option<bool> {
        let is_failure =
            |matcher: &Option<Matcher>| matcher.as_ref().is_some_and(|fail| fail.is_match(view));
        match &exchange.until {
            Until::Sent => None,
            Until::Match(matcher) if matcher.is_match(view) => Some(true),
            Until::Match(_) => is_failure(&exchange.fail).then_some(false),
            Until::Reply => {
                let reply = turn.program.reply.as_ref()?;
                let is_reply = Self::may_be_reply(view, turn.program) && self.names(id, view, turn);
                is_reply.then(|| !is_failure(&exchange.fail) && !is_failure(&reply.fail))
            }
        }
    }

    fn may_be_reply(view: View<'_>, program: &Program) -> bool {
        program.reply.as_ref().is_some_and(|reply| {
            reply.when.as_ref().is_none_or(|when| when.is_match(view))
                && reply.skip.as_ref().is_none_or(|skip| !skip.is_match(view))
        })
    }

    /// Checks whether a message names the request with this number.
    fn names<O: Observer>(&self, id: u64, view: View<'_>, turn: &mut Turn<'_, O>) -> bool {
        let Some(reply) = &turn.program.reply else { return false };
        let Some(named) = &reply.named else { return reply.id.number(view) == Some(id) };
        let Some(found) = reply.id.of(view) else { return false };
        // Rendered after the messages to send, then removed: no buffer of its own.
        let begin = turn.out.bytes.len();
        let context = Context { id, ..self.context(turn.program, turn.seed, turn.unix_ns) };
        named.render(&context, &mut turn.out.bytes);
        let is_named = turn.out.bytes[begin..] == *found;
        turn.out.bytes.truncate(begin);
        is_named
    }

    /// Returns the finished request that a message names.
    fn past_of<O: Observer>(&self, view: View<'_>, turn: &mut Turn<'_, O>) -> Option<Past> {
        if self.past_len == 0 || !Self::may_be_reply(view, turn.program) {
            return None;
        }
        self.past.iter().flatten().find(|past| self.names(past.id, view, turn)).copied()
    }

    fn remember(&mut self, id: u64, measure: usize, has_timed_out: bool) {
        let measure = u32::try_from(measure).unwrap_or(0);
        self.past[self.past_len % PAST] = Some(Past { id, measure, has_timed_out });
        self.past_len += 1;
    }

    fn ruled<O: Observer>(
        &mut self,
        place: usize,
        rule: &Rule,
        view: View<'_>,
        turn: &mut Turn<'_, O>,
    ) {
        let sent_ns = if rule.has_stamp {
            Stamp::find(view.bytes).map(|stamp| stamp.unix_ns)
        } else {
            rule.age.as_ref().and_then(|(pick, unit_ns)| pick.number(view)?.checked_mul(*unit_ns))
        };
        let age_ns = sent_ns.and_then(|sent_ns| turn.unix_ns.checked_sub(sent_ns));
        let order = self.order(rule, view);
        // A rule captures whatever the server says: missing values keep their old content.
        self.capture(&rule.captures, view);
        turn.observer.observe(Event::Rule { rule: place, age_ns, order });
        if let Some(answer) = &rule.answer {
            self.send(answer, turn);
        }
    }

    fn order(&mut self, rule: &Rule, view: View<'_>) -> Order {
        let (channel, number) = if rule.has_stamp {
            let Some(stamp) = Stamp::find(view.bytes) else { return Order::Unknown };
            (stamp.connection, stamp.sequence)
        } else {
            let Some((pick, by)) = &rule.sequence else { return Order::Unknown };
            let Some(number) = pick.number(view) else { return Order::Unknown };
            let mut hasher = std::hash::DefaultHasher::new();
            for pick in by {
                hasher.write(&pick.of(view).unwrap_or_default());
                hasher.write_u8(0xff);
            }
            (hasher.finish(), number)
        };
        let Some((_, last)) = self.followed.iter_mut().find(|(other, _)| *other == channel) else {
            if self.followed.len() < FOLLOWED_MAX {
                self.followed.push((channel, number));
            }
            return Order::InOrder;
        };
        match number.checked_sub(*last) {
            None | Some(0) => Order::Behind,
            Some(ahead) => {
                *last = number;
                if ahead == 1 { Order::InOrder } else { Order::Gap(ahead - 1) }
            }
        }
    }

    fn capture(&mut self, captures: &[Capture], view: View<'_>) -> bool {
        let mut is_all = true;
        for capture in captures {
            match capture.pick.of(view) {
                // In place if the length is the same, as for most ids.
                Some(value) => match &mut self.slots[capture.slot] {
                    slot if slot.len() == value.len() => slot.copy_from_slice(&value),
                    slot => *slot = value.into_owned().into(),
                },
                None => is_all = false,
            }
        }
        is_all
    }

    fn enter(&mut self, block: usize) {
        if let Some(frame) = self.frames.get_mut(self.depth) {
            *frame = Frame { block: u32::try_from(block).unwrap_or(0), step: 0, done: 0 };
            self.depth += 1;
        }
    }

    fn step<'p>(&self, program: &'p Program) -> &'p Step {
        step_at(program, self.frames[self.depth.saturating_sub(1)])
    }

    fn measure(&self, program: &Program) -> usize {
        self.step(program).measure.unwrap_or(0)
    }

    /// Returns what the next step waits for, if it only waits.
    fn next_wait<'p>(&self, program: &'p Program) -> Option<(&'p Matcher, &'p [Capture])> {
        let frame = self.frames[self.depth.checked_sub(1)?];
        let step = program.blocks[frame.block as usize].steps.get(frame.step as usize)?;
        let Action::Exchange(exchange) = &step.action else { return None };
        match (&exchange.body, &exchange.until) {
            (None, Until::Match(matcher)) => Some((matcher, &exchange.captures)),
            _ => None,
        }
    }

    /// Counts the step as done once more; it may have to be repeated.
    fn step_done<O: Observer>(&mut self, turn: &Turn<'_, O>) {
        let times = self.step(turn.program).times;
        let frame = &mut self.frames[self.depth.saturating_sub(1)];
        frame.done += 1;
        if frame.done >= times {
            (frame.step, frame.done) = (frame.step + 1, 0);
        }
        self.step_ns = turn.now_ns;
    }

    /// Takes steps until there is something to wait for.
    fn advance<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        for _ in 0..STEPS_PER_TURN {
            if self.wait != Wait::Nothing || matches!(self.phase, Phase::Ready | Phase::Over) {
                return;
            }
            let Some(top) = self.depth.checked_sub(1) else { return self.block_done(turn) };
            let frame = self.frames[top];
            let program = turn.program;
            match program.blocks[frame.block as usize].steps.get(frame.step as usize) {
                None => self.depth = top,
                Some(step) => self.take(step, turn),
            }
        }
        self.wait = Wait::Turn { at_ns: turn.now_ns };
    }

    fn take<O: Observer>(&mut self, step: &Step, turn: &mut Turn<'_, O>) {
        match &step.action {
            Action::Exchange(exchange) => self.exchange(step, exchange, turn),
            Action::Pause(pause) => {
                let until_ns = turn.now_ns.saturating_add(self.pause_ns(*pause, turn.seed));
                let step_ns = self.step_ns;
                self.step_done(turn);
                self.step_ns = step_ns; // a pause is no step that a wait begins after
                self.wait = Wait::Pause { until_ns, early_ns: None };
            }
            Action::Do(block) => {
                self.step_done(turn);
                self.enter(*block);
            }
            Action::Choose(choice) => {
                let all: u64 = choice.iter().map(|(_, weight)| weight).sum();
                let mut place = random::below(self.random(turn.seed), all);
                let chosen = choice.iter().find(|(_, weight)| match place.checked_sub(*weight) {
                    None => true,
                    Some(left) => {
                        place = left;
                        false
                    }
                });
                self.step_done(turn);
                self.enter(chosen.map_or(END, |(block, _)| *block));
            }
            Action::Close(code) => {
                turn.out.close = Some(*code);
                self.step_done(turn);
                if self.phase == Phase::Running {
                    self.iterated(true, turn);
                }
                self.phase = Phase::Over;
            }
        }
    }

    fn exchange<O: Observer>(&mut self, step: &Step, exchange: &Exchange, turn: &mut Turn<'_, O>) {
        let measure = step.measure.unwrap_or(0);
        turn.observer.observe(Event::Begun { measure });
        if let Some(body) = &exchange.body {
            self.id = if self.id >= turn.program.id_max { 1 } else { self.id + 1 };
            self.send(body, turn);
        }
        if matches!(exchange.until, Until::Sent) {
            let event = Event::Answered { measure, service_ns: None, is_message: false };
            turn.observer.observe(event);
            return self.step_done(turn);
        }
        self.wait = Wait::Answer {
            id: self.id,
            written_ns: exchange.body.is_none().then_some(self.step_ns),
            until_ns: turn.now_ns.saturating_add(exchange.timeout_ns),
        };
    }

    /// Fails the step, and with it the iteration, or the user during `[[begin]]`.
    fn fail<O: Observer>(&mut self, fault: Fault, said: &[u8], turn: &mut Turn<'_, O>) {
        let measure = self.measure(turn.program);
        turn.observer.observe(Event::Failed { measure, fault, said });
        (self.wait, self.depth) = (Wait::Nothing, 0);
        match self.phase {
            Phase::Begin => {
                self.phase = Phase::Over;
                turn.observer.observe(Event::Refused);
                turn.out.close = Some(1_000);
            }
            Phase::Running => {
                self.phase = Phase::Ready;
                self.iterated(false, turn);
            }
            Phase::Ending => self.phase = Phase::Over,
            Phase::Ready | Phase::Over => {}
        }
    }

    /// Abandons what the user was doing.
    fn give_up<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        if matches!(self.wait, Wait::Answer { .. }) {
            let measure = self.measure(turn.program);
            turn.observer.observe(Event::Failed { measure, fault: Fault::Lost, said: b"" });
        }
        (self.wait, self.depth) = (Wait::Nothing, 0);
    }

    fn block_done<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        match self.phase {
            Phase::Begin => {
                self.phase = Phase::Ready;
                turn.observer.observe(Event::Ready);
            }
            Phase::Running => {
                self.phase = Phase::Ready;
                self.iterated(true, turn);
            }
            Phase::Ending => self.phase = Phase::Over,
            Phase::Ready | Phase::Over => {}
        }
    }

    fn iterated<O: Observer>(&mut self, is_complete: bool, turn: &mut Turn<'_, O>) {
        let Self { due_ns, first_ns, begun_ns, .. } = *self;
        turn.observer.observe(Event::Iterated { due_ns, first_ns, begun_ns, is_complete });
        self.iteration += 1;
    }

    fn send<O: Observer>(&mut self, body: &Body, turn: &mut Turn<'_, O>) {
        let begin = turn.out.bytes.len();
        let context = self.context(turn.program, turn.seed, turn.unix_ns);
        body.render(&context, &mut turn.out.bytes);
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

    /// Returns a random number for a choice or a pause; counts as a message so that the next
    /// differs.
    fn random(&mut self, seed: u64) -> u64 {
        let first = random::number(seed, Use::Part(OWN_PLACE), self.connection, self.iteration);
        self.message += 1;
        random::after(first, self.message)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a pause of a day at most, times 37"
    )]
    fn pause_ns(&mut self, pause: Pause, seed: u64) -> u64 {
        match pause {
            Pause::Fixed(ns) => ns,
            Pause::Between(least, most) => {
                least + random::below(self.random(seed), (most - least).saturating_add(1))
            }
            Pause::Exponential(mean) => {
                (random::exponential(self.random(seed)) * mean as f64) as u64
            }
        }
    }
}

fn step_at(program: &Program, frame: Frame) -> &Step {
    &program.blocks[frame.block as usize].steps[frame.step as usize]
}

#[cfg(test)]
mod tests {
    use super::super::file::tests::program;
    use super::*;

    /// The events, a line each.
    #[derive(Default)]
    struct Log(Vec<String>);

    impl Observer for Log {
        fn observe(&mut self, event: Event<'_>) {
            self.0.push(match event {
                Event::Begun { measure } => format!("begun {measure}"),
                Event::Answered { measure, service_ns, .. } => {
                    format!("ok {measure} {}", service_ns.map_or("-".into(), |ns| ns.to_string()))
                }
                Event::Failed { measure, fault, said } => {
                    format!("{fault:?} {measure} {}", String::from_utf8_lossy(said))
                }
                Event::Late { measure } => format!("late {measure}"),
                Event::Again { measure } => format!("again {measure}"),
                Event::Rule { rule, age_ns, order } => format!("rule {rule} {age_ns:?} {order:?}"),
                Event::Unmatched(said) => format!("unmatched {}", String::from_utf8_lossy(said)),
                Event::Ready => "ready".into(),
                Event::Refused => "refused".into(),
                Event::Iterated { due_ns, first_ns, is_complete, .. } => {
                    format!("iterated {due_ns:?} {first_ns:?} {is_complete}")
                }
            });
        }
    }

    /// A user and its surroundings, driven by a script of calls.
    struct Stage {
        program: Program,
        user: User,
        out: Outgoing,
        log: Log,
        now_ns: u64,
    }

    impl Stage {
        fn new(text: &str) -> Self {
            let program = program(text).unwrap();
            let user = User::new(&program, 1, 3, 1_000);
            Self { program, user, out: Outgoing::default(), log: Log::default(), now_ns: 0 }
        }

        /// Calls the user at a time; returns what it sends, and the events.
        fn at(
            &mut self,
            now_ns: u64,
            call: impl FnOnce(&mut User, &mut Turn<'_, Log>),
        ) -> (Vec<String>, Vec<String>) {
            self.now_ns = now_ns;
            let mut turn = Turn {
                program: &self.program,
                seed: 1,
                now_ns,
                unix_ns: 1_000 + now_ns,
                out: &mut self.out,
                observer: &mut self.log,
            };
            call(&mut self.user, &mut turn);
            let shown = |(_, bytes): (bool, &[u8])| String::from_utf8_lossy(bytes).into_owned();
            let mut sent: Vec<_> = self.out.messages().map(shown).collect();
            sent.extend(self.out.close.map(|code| format!("close {code}")));
            self.out.clear();
            self.user.writing(&self.program, now_ns);
            (sent, std::mem::take(&mut self.log.0))
        }

        fn says(&mut self, now_ns: u64, text: &str) -> (Vec<String>, Vec<String>) {
            self.at(now_ns, |user, turn| user.message(text.as_bytes(), turn))
        }
    }

    fn strings(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    const ECHO: &str = "[reply]\nid = \"/id\"\nfail = { has = \"/error\" }\n\
        [[on]]\nname = \"push\"\nwhen = { has = \"/push\" }\n\
        [[step]]\nname = \"ask\"\nsend = '{\"id\":{id},\"v\":\"{v}\"}'\ncapture = { v = \"/v\" }\n\
        timeout = \"1ms\"\n";

    #[test]
    fn a_reply_is_the_message_with_its_id_whatever_comes_between() {
        let mut stage = Stage::new(ECHO);
        let (sent, happened) = stage.at(0, User::open);
        assert_eq!((sent, happened), (vec![], strings(&["ready"])));
        let (sent, happened) = stage.at(10, |user, turn| user.iterate(Some(5), turn));
        assert_eq!(sent, [r#"{"id":1,"v":""}"#]);
        assert_eq!(happened, ["begun 0"]);
        for (text, event) in [
            (r#"{"push":1}"#, "rule 0 None Unknown"),
            (r#"{"id":2,"v":"no"}"#, r#"unmatched {"id":2,"v":"no"}"#),
            ("nonsense", "unmatched nonsense"),
        ] {
            assert_eq!(stage.says(20, text), (vec![], strings(&[event])), "{text}");
        }
        let (_, happened) = stage.says(30, r#"{"v":"x","id":1}"#);
        assert_eq!(happened, ["ok 0 20", "iterated Some(5) Some(10) true"]);
        assert_eq!(stage.says(31, r#"{"v":"x","id":1}"#).1, ["again 0"]);
        // The captured value is in the next message.
        let (sent, _) = stage.at(40, |user, turn| user.iterate(None, turn));
        assert_eq!(sent, [r#"{"id":2,"v":"x"}"#]);
    }

    #[test]
    fn wrong_missing_and_late_answers_are_told_apart() {
        let mut stage = Stage::new(ECHO);
        stage.at(0, User::open);
        stage.at(0, |user, turn| user.iterate(None, turn));
        let (_, happened) = stage.says(1, r#"{"id":1,"error":"no"}"#);
        assert_eq!(happened, [r#"Refused 0 {"id":1,"error":"no"}"#, "iterated None Some(0) false"]);
        stage.at(2, |user, turn| user.iterate(None, turn));
        let (_, happened) = stage.says(3, r#"{"id":2}"#);
        assert_eq!(happened[0], r#"NoCapture 0 {"id":2}"#);
        stage.at(10, |user, turn| user.iterate(None, turn));
        assert_eq!(stage.user.next_ns(), 1_000_010);
        assert_eq!(stage.at(1_000_009, User::wake).1, [""; 0]);
        let (_, happened) = stage.at(1_000_010, User::wake);
        assert_eq!(happened, ["TimedOut 0 ", "iterated None Some(10) false"]);
        assert_eq!(stage.says(1_000_020, r#"{"id":3,"v":""}"#).1, ["late 0"]);
        stage.at(1_000_030, |user, turn| user.iterate(None, turn));
        assert_eq!(stage.at(1_000_040, User::lost).1, ["Lost 0 "]);
        assert!(stage.user.is_over() && stage.user.next_ns() == u64::MAX);
    }

    #[test]
    fn begin_expects_before_it_fails_and_a_refused_user_closes() {
        const LOGIN: &str = "[[begin]]\nname = \"login\"\nsend = \"hello\"\n\
            expect = { exact = \"20 ok\" }\nfail = { prefix = \"20\" }\n";
        let mut stage = Stage::new(LOGIN);
        assert_eq!(stage.at(0, User::open).0, ["hello"]);
        assert_eq!(stage.says(7, "20 ok").1, ["ok 0 7", "ready"]);
        let mut stage = Stage::new(LOGIN);
        stage.at(0, User::open);
        let (sent, happened) = stage.says(7, "20 no");
        assert_eq!(
            (sent, happened),
            (strings(&["close 1000"]), strings(&["Refused 0 20 no", "refused"]))
        );
        assert!(stage.user.is_over());
    }

    #[test]
    fn a_wait_looks_from_the_end_of_the_step_before_it() {
        let mut stage = Stage::new(
            "[[step]]\nname = \"a\"\nsend = \"go\"\nexpect = { exact = \"done\" }\n\
             [[step]]\npause = \"1ms\"\n[[step]]\nname = \"b\"\nwait = { exact = \"news\" }\n",
        );
        stage.at(0, User::open);
        stage.at(0, |user, turn| user.iterate(None, turn));
        stage.says(10, "done");
        assert_eq!(stage.says(60, "news").1, [""; 0]);
        let (_, happened) = stage.at(1_000_010, User::wake);
        assert_eq!(happened, ["begun 1", "ok 1 50", "iterated None Some(0) true"]);
    }

    #[test]
    fn heartbeats_are_answered_and_sent_whatever_the_user_is_at() {
        let mut stage = Stage::new(
            "[[on]]\nname = \"ping\"\nwhen = { exact = \"2\" }\nsend = \"3\"\n\
             [[every]]\ninterval = \"5ms\"\nsend = \"tick\"\n[[step]]\npause = \"1s\"\n",
        );
        stage.at(0, User::open);
        assert_eq!(stage.user.next_ns(), 5_000_000);
        stage.at(0, |user, turn| user.iterate(None, turn));
        assert_eq!(stage.says(1, "2").0, ["3"]);
        assert_eq!(stage.at(5_000_001, User::wake).0, ["tick"]);
        assert_eq!(stage.user.next_ns(), 10_000_001);
    }

    #[test]
    fn flows_are_chosen_by_weight_and_repeated() {
        let mut stage = Stage::new(
            "[[step]]\nchoose = { a = 3, b = 1 }\ntimes = 1000\n\
             [[flow.a]]\nsend = \"a\"\n[[flow.b]]\ndo = \"c\"\n[[flow.c]]\nsend = \"c\"\ntimes = 2\n",
        );
        stage.at(0, User::open);
        let (mut sent, _) = stage.at(0, |user, turn| user.iterate(None, turn));
        let mut turns = 0;
        while !stage.user.is_ready() {
            sent.extend(stage.at(stage.now_ns, User::wake).0);
            turns += 1;
            assert!(turns < 1_000);
        }
        let (a, c) = (sent.iter().filter(|text| *text == "a").count(), sent.len());
        // Six standard deviations.
        assert!((668..832).contains(&a), "{a}");
        assert_eq!(a + (c - a) / 2, 1_000);
    }

    #[test]
    fn stamps_and_sequences_show_age_and_gaps() {
        let mut stage = Stage::new(
            "[[on]]\nname = \"chat\"\nwhen = { prefix = \"m\" }\nstamp = true\n\
             [[on]]\nname = \"tick\"\nwhen = { has = \"/n\" }\nage = { json = \"/t\", unit = \"ns\" }\n\
             seq = { json = \"/n\", by = [\"/c\"] }\n",
        );
        stage.at(0, User::open);
        for (text, event) in [
            ("m stamp 7 4 1100 ", "rule 0 Some(400) InOrder"),
            ("m stamp 7 7 1100 ", "rule 0 Some(400) Gap(2)"),
            ("m stamp 7 6 9100 ", "rule 0 None Behind"),
            (r#"{"n":5,"c":"x","t":1499}"#, "rule 1 Some(1) InOrder"),
            (r#"{"n":1,"c":"y","t":1499}"#, "rule 1 Some(1) InOrder"),
            (r#"{"n":6,"c":"x"}"#, "rule 1 None InOrder"),
        ] {
            assert_eq!(stage.says(500, text).1, [event], "{text}");
        }
    }

    #[test]
    fn end_comes_after_what_is_cut() {
        let mut stage =
            Stage::new(&format!("{ECHO}[[end]]\nsend = \"bye\"\n[[end]]\nclose = 3000\n"));
        stage.at(0, User::open);
        stage.at(0, |user, turn| user.iterate(None, turn));
        let (sent, happened) = stage.at(9, User::finish);
        assert_eq!(sent, ["bye", "close 3000"]);
        assert_eq!(happened[0], "Lost 0 ");
        assert!(stage.user.is_over());
    }
}
