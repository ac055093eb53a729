//! Takes the steps of a user's program until there is something to wait for.

use super::super::matcher::Matcher;
use super::super::{Action, Capture, END, Exchange, Pause, Program, Reply, Step, Until};
use super::event::{Cause, Event, Fault, Observer};
use super::flights::Flight;
use super::turn::Turn;
use super::{Frame, Moment, Phase, User, Wait};
use crate::random::{self, Use};

/// Most steps that a user takes at once before others have their turn.
const STEPS_PER_TURN: usize = 64;
/// The lane of random numbers that no placeholder uses.
const OWN_PLACE: u32 = 1 << 30;

impl User {
    pub(super) fn measure(&self, program: &Program) -> usize {
        self.step(program).measure.unwrap_or(0)
    }

    /// Returns what the next step waits for, if it only waits.
    pub(super) fn next_wait<'p>(
        &self,
        program: &'p Program,
    ) -> Option<(&'p Matcher, &'p [Capture])> {
        if self.depth == 0 {
            return None;
        }
        let Frame { block, step, .. } = self.top;
        let step = program.blocks[block as usize].steps.get(step as usize)?;
        let Action::Exchange(exchange) = &step.action else { return None };
        match (&exchange.body, &exchange.until) {
            (None, Until::Match(matcher)) => Some((matcher, &exchange.captures)),
            _ => None,
        }
    }

    /// Counts the step as done once more; it may have to be repeated.
    pub(super) fn step_done<O: Observer>(&mut self, turn: &Turn<'_, O>) {
        let times = self.step(turn.program).times;
        let frame = &mut self.top;
        frame.done += 1;
        if frame.done >= times {
            (frame.step, frame.done) = (frame.step + 1, 0);
        }
        self.step_ns = turn.now_ns;
    }

    /// Takes steps until there is something to wait for.
    pub(super) fn advance<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        for _ in 0..STEPS_PER_TURN {
            if self.wait != Wait::Nothing || matches!(self.phase, Phase::Ready | Phase::Over) {
                return;
            }
            if self.depth == 0 {
                return self.block_done(turn);
            }
            let (program, Frame { block, step, .. }) = (turn.program, self.top);
            match program.blocks[block as usize].steps.get(step as usize) {
                None => self.leave(),
                Some(step) => self.take(step, turn),
            }
        }
        self.wait = Wait::Turn { at_ns: turn.now_ns };
    }

    fn take<O: Observer>(&mut self, step: &Step, turn: &mut Turn<'_, O>) {
        match &step.action {
            Action::Exchange(exchange) => self.exchange(step, exchange, turn),
            Action::Pause(pause) => {
                let pause_ns = self.pause_ns(*pause, turn.seed);
                turn.observer.pausing(pause_ns);
                let until_ns = turn.now_ns.saturating_add(pause_ns);
                let step_ns = self.step_ns;
                self.step_done(turn);
                self.step_ns = step_ns; // a pause is no step that a wait begins after
                self.wait = Wait::Pause { until_ns, early: None };
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
        let key = match &exchange.body {
            Some(body) => {
                let key = self.number_request(turn);
                self.send(Cause::Step(measure), body, turn);
                key
            }
            None => 0,
        };
        if matches!(exchange.until, Until::Sent) {
            let event = Event::Answered { measure, service_ns: None, is_message: false };
            turn.observer.observe(event);
            return self.step_done(turn);
        }
        if self.flights.is_some() && self.phase == Phase::Running {
            return self.take_off(key, exchange.timeout_ns, turn);
        }
        self.wait = Wait::Answer {
            key,
            written: exchange.body.is_none().then(|| Moment::new(self.step_ns)),
            until_ns: turn.now_ns.saturating_add(exchange.timeout_ns),
        };
    }

    /// Numbers the next request, and returns what its name comes to, which no other in flight has.
    fn number_request<O: Observer>(&mut self, turn: &mut Turn<'_, O>) -> u64 {
        loop {
            self.id = if self.id >= turn.program.id_max { 1 } else { self.id + 1 };
            let Some(named) = turn.program.reply.as_ref().and_then(|reply| reply.named.as_ref())
            else {
                if self.flights.as_ref().is_some_and(|flights| flights.contains(self.id)) {
                    continue; // numbers have begun again, and this one is still to be answered
                }
                return self.id;
            };
            // Rendered after the messages to send, then removed: no buffer of its own.
            let begin = turn.out.bytes.len();
            let context = self.context(turn.program, turn.seed, turn.unix_ns);
            named.render(&context, &mut turn.out.bytes);
            let key = Reply::key(&turn.out.bytes[begin..]);
            turn.out.bytes.truncate(begin);
            if self.flights.as_ref().is_none_or(|flights| !flights.contains(key)) {
                return key;
            }
        }
    }

    /// Has the user go on while a request is in flight, whose reply ends its iteration.
    fn take_off<O: Observer>(&mut self, key: u64, timeout_ns: u64, turn: &Turn<'_, O>) {
        let Frame { block, step, .. } = self.top;
        let flight = Flight {
            block,
            step,
            due_ns: self.due.map(Moment::ns),
            begun_ns: self.begun_ns,
            written_ns: None,
            until_ns: turn.now_ns.saturating_add(timeout_ns),
        };
        if let Some(flights) = &mut self.flights {
            flights.add(key, flight);
        }
        (self.phase, self.depth) = (Phase::Ready, 0);
    }

    /// Ends the iterations of requests that have timed out.
    pub(super) fn end_overdue<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        let Self { flights: Some(flights), past, ready_ns, .. } = self else { return };
        if !flights.has_room() {
            *ready_ns = turn.now_ns;
        }
        while let Some((key, flight)) = flights.take_overdue(turn.now_ns) {
            let measure = flight.step_in(turn.program).measure.unwrap_or(0);
            past.remember(key, measure, true);
            let fault = Fault::TimedOut;
            turn.observer.observe(Event::Failed { measure, fault, said: b"" });
            turn.observer.observe(flight.over(false));
        }
    }

    /// Fails the step, and with it the iteration, or the user during `[[begin]]`.
    pub(super) fn fail<O: Observer>(&mut self, fault: Fault, said: &[u8], turn: &mut Turn<'_, O>) {
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
                (self.phase, self.ready_ns) = (Phase::Ready, turn.now_ns);
                self.iterated(false, turn);
            }
            Phase::Ending => self.phase = Phase::Over,
            Phase::Ready | Phase::Over => {}
        }
    }

    /// Abandons what the user was doing.
    pub(super) fn give_up<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        if matches!(self.wait, Wait::Answer { .. }) {
            let measure = self.measure(turn.program);
            turn.observer.observe(Event::Failed { measure, fault: Fault::Lost, said: b"" });
        }
        while let Some(flight) = self.flights.as_mut().and_then(|flights| flights.take_any()) {
            let measure = flight.step_in(turn.program).measure.unwrap_or(0);
            turn.observer.observe(Event::Failed { measure, fault: Fault::Lost, said: b"" });
        }
        (self.wait, self.depth) = (Wait::Nothing, 0);
    }

    fn block_done<O: Observer>(&mut self, turn: &mut Turn<'_, O>) {
        match self.phase {
            Phase::Begin => {
                (self.phase, self.ready_ns) = (Phase::Ready, turn.now_ns);
                turn.observer.observe(Event::Ready);
            }
            Phase::Running => {
                // Of iterations that overlap, the next could have begun beside this one.
                if self.flights.is_none() {
                    self.ready_ns = turn.now_ns;
                }
                self.phase = Phase::Ready;
                self.iterated(true, turn);
            }
            Phase::Ending => self.phase = Phase::Over,
            Phase::Ready | Phase::Over => {}
        }
    }

    fn iterated<O: Observer>(&mut self, is_complete: bool, turn: &mut Turn<'_, O>) {
        let Self { due, first, begun_ns, .. } = *self;
        let due_ns = due.map(Moment::ns);
        // What waits for nothing is over before its messages are written.
        let first_ns = first.map(Moment::ns).or((self.message > 0).then_some(turn.now_ns));
        turn.observer.observe(Event::Iterated { due_ns, first_ns, begun_ns, is_complete });
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
