//! Takes a received message: by the step that waits, by a request in flight, by a rule, or by a
//! request that is over.

use std::borrow::Cow;

use super::super::matcher::{Matcher, View};
use super::super::text::Stamp;
use super::super::{Action, Capture, Exchange, Program, Rule, Until};
use super::event::{Cause, Event, Fault, Observer};
use super::flights::Flight;
use super::past::Past;
use super::turn::Turn;
use super::{Moment, Order, User, Wait};

/// Most bytes of a value that is kept, so that no server fills the memory of a run with them.
const CAPTURED_LEN_MAX: usize = 64 << 10;

impl User {
    pub(super) fn unit<O: Observer>(&mut self, unit: &[u8], turn: &mut Turn<'_, O>) {
        let program = turn.program;
        turn.observer.received(unit);
        let view = View::new(unit, program.connect.json_after.as_ref());
        match self.wait {
            Wait::Answer { key, written, .. } => {
                let Action::Exchange(exchange) = &self.step(program).action else { return };
                if let Some(is_good) = judged(exchange, key, view, program) {
                    let measure = self.measure(program);
                    if matches!(exchange.until, Until::Reply) {
                        self.past.remember(key, measure, false);
                    }
                    if !is_good {
                        return self.fail(Fault::Refused, &words(program, view), turn);
                    }
                    if !self.capture(&exchange.captures, view, turn) {
                        return self.fail(Fault::NoCapture, unit, turn);
                    }
                    let from_ns = written.map_or(turn.now_ns, Moment::ns);
                    let service_ns = Some(turn.now_ns.saturating_sub(from_ns));
                    let event = Event::Answered { measure, service_ns, is_message: true };
                    turn.observer.observe(event);
                    self.wait = Wait::Nothing;
                    self.step_done(turn);
                    return self.advance(turn);
                }
            }
            Wait::Pause { until_ns, early: None } => {
                if let Some((matcher, captures)) = self.next_wait(program)
                    && matcher.is_match(view)
                    && self.capture(captures, view, turn)
                {
                    turn.observer.early(self.measure(program));
                    self.wait = Wait::Pause { until_ns, early: Some(Moment::new(turn.now_ns)) };
                    return;
                }
            }
            _ => {}
        }
        if let Some((key, flight)) = self.flight_of(view, (program, turn.now_ns)) {
            return self.landed(key, flight, view, turn);
        }
        if let Some(rule) = program.rules.iter().position(|rule| rule.when.is_match(view)) {
            return self.ruled(rule, &program.rules[rule], view, turn);
        }
        if let Some(past) = self.past_of(view, program) {
            let measure = past.measure();
            return turn.observer.observe(if past.has_timed_out {
                Event::Late { measure }
            } else {
                Event::Again { measure }
            });
        }
        turn.observer.observe(Event::Unmatched(unit));
    }

    /// Takes out the request in flight that a message answers.
    fn flight_of(
        &mut self,
        view: View<'_>,
        (program, now_ns): (&Program, u64),
    ) -> Option<(u64, Flight)> {
        let flights = self.flights.as_mut().filter(|flights| flights.len() > 0)?;
        let key = program.reply.as_ref()?.key_of(view)?;
        let was_full = !flights.has_room();
        let flight = flights.take(key)?;
        if was_full {
            self.ready_ns = now_ns;
        }
        Some((key, flight))
    }

    /// Ends the iteration of a request by its reply.
    fn landed<O: Observer>(
        &mut self,
        key: u64,
        flight: Flight,
        view: View<'_>,
        turn: &mut Turn<'_, O>,
    ) {
        let program = turn.program;
        let step = flight.step_in(program);
        let measure = step.measure.unwrap_or(0);
        let Action::Exchange(exchange) = &step.action else { return };
        self.past.remember(key, measure, false);
        let is_wrong = is_failure(exchange.fail.as_ref(), view)
            || is_failure(program.reply.as_ref().and_then(|reply| reply.fail.as_ref()), view);
        let fault = if is_wrong {
            Some(Fault::Refused)
        } else if self.capture(&exchange.captures, view, turn) {
            None
        } else {
            Some(Fault::NoCapture)
        };
        let words = words(program, view);
        turn.observer.observe(if let Some(fault) = fault {
            let said = if fault == Fault::Refused { &words } else { view.bytes };
            Event::Failed { measure, fault, said }
        } else {
            let from_ns = flight.written_ns.unwrap_or(turn.now_ns);
            let service_ns = Some(turn.now_ns.saturating_sub(from_ns));
            Event::Answered { measure, service_ns, is_message: true }
        });
        turn.observer.observe(flight.over(fault.is_none()));
    }

    /// Returns the finished request that a message names.
    fn past_of(&self, view: View<'_>, program: &Program) -> Option<Past> {
        if self.past.is_empty() {
            return None;
        }
        self.past.find(program.reply.as_ref()?.key_of(view)?)
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
        let order = if rule.has_stamp || rule.sequence.is_some() {
            self.rare().followed.order(rule, view)
        } else {
            Order::Unknown
        };
        // A rule captures whatever the server says: missing values keep their old content.
        self.capture(&rule.captures, view, turn);
        turn.observer.observe(Event::Rule { rule: place, age_ns, order, said: view.bytes });
        if let Some(answer) = &rule.answer {
            self.send(Cause::Rule(place), answer, turn);
        }
    }

    fn capture<O: Observer>(
        &mut self,
        captures: &[Capture],
        view: View<'_>,
        turn: &mut Turn<'_, O>,
    ) -> bool {
        let mut is_all = true;
        for capture in captures {
            match capture.pick.of(view).filter(|value| value.len() <= CAPTURED_LEN_MAX) {
                // In place if the length is the same, as for most ids.
                Some(value) => {
                    turn.observer.captured(capture.slot, &value);
                    match &mut self.slots[capture.slot] {
                        slot if slot.len() == value.len() => slot.copy_from_slice(&value),
                        slot => *slot = value.into_owned().into(),
                    }
                }
                None => is_all = false,
            }
        }
        is_all
    }
}

/// Checks whether a message ends the exchange of the request with this name, and if so whether as
/// it should.
fn judged(exchange: &Exchange, key: u64, view: View<'_>, program: &Program) -> Option<bool> {
    match &exchange.until {
        Until::Sent => None,
        Until::Match(matcher) if matcher.is_match(view) => Some(true),
        Until::Match(_) => is_failure(exchange.fail.as_ref(), view).then_some(false),
        Until::Reply => {
            let reply = program.reply.as_ref()?;
            let is_wrong = || {
                is_failure(exchange.fail.as_ref(), view) || is_failure(reply.fail.as_ref(), view)
            };
            if reply.key_of(view) == Some(key) {
                return Some(!is_wrong());
            }
            // An error that names no request, as STOMP's, is about this one: a user waits for no
            // other.
            (reply.is_unnamed(view) && is_wrong()).then_some(false)
        }
    }
}

/// Returns what a wrong reply says, or all of it.
fn words<'m>(program: &Program, view: View<'m>) -> Cow<'m, [u8]> {
    let place = program.reply.as_ref().and_then(|reply| reply.words.as_ref());
    place.and_then(|place| place.of(view)).unwrap_or(Cow::Borrowed(view.bytes))
}

fn is_failure(matcher: Option<&Matcher>, view: View<'_>) -> bool {
    matcher.is_some_and(|fail| fail.is_match(view))
}
