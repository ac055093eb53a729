//! Takes a received message: by the step that waits, by a rule, or by a request that is over.

use super::super::matcher::{Matcher, View};
use super::super::text::{Context, Stamp};
use super::super::{Action, Capture, Exchange, Program, Rule, Until};
use super::event::{Event, Fault, Observer};
use super::past::Past;
use super::turn::Turn;
use super::{User, Wait};

impl User {
    pub(super) fn unit<O: Observer>(&mut self, unit: &[u8], turn: &mut Turn<'_, O>) {
        let program = turn.program;
        let view = View::new(unit, program.connect.json_after.as_ref());
        match self.wait {
            Wait::Answer { id, written_ns, .. } => {
                let Action::Exchange(exchange) = &self.step(program).action else { return };
                if let Some(is_good) = self.judged(exchange, id, view, turn) {
                    let measure = self.measure(program);
                    if matches!(exchange.until, Until::Reply) {
                        self.past.remember(id, measure, false);
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
            let measure = past.measure();
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
        if self.past.is_empty() || !Self::may_be_reply(view, turn.program) {
            return None;
        }
        self.past.iter().find(|past| self.names(past.id, view, turn))
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
        let order = self.followed.order(rule, view);
        // A rule captures whatever the server says: missing values keep their old content.
        self.capture(&rule.captures, view);
        turn.observer.observe(Event::Rule { rule: place, age_ns, order });
        if let Some(answer) = &rule.answer {
            self.send(answer, turn);
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
}
