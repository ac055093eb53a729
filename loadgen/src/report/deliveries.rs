//! Messages that servers hand on, counted where they arrive: what `listen` and `fanout` have in
//! common, for the verdict on the server and for thresholds.

use super::Report;
use crate::threshold::Counter;
use crate::units;

/// What became of messages, or copies of messages, on their way to those who listen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deliveries {
    /// Those that were to arrive, as far as that is known.
    pub(crate) expected: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) altered: u64,
    pub(crate) reordered: u64,
    pub(crate) duplicated: u64,
    pub(crate) unexpected: u64,
}

impl Deliveries {
    /// What a counter has, if it is about messages.
    pub(crate) const fn count(&self, counter: Counter) -> Option<u64> {
        match counter {
            Counter::Received => Some(self.received),
            Counter::Lost => Some(self.lost),
            Counter::Altered => Some(self.altered),
            Counter::Reordered => Some(self.reordered),
            Counter::Duplicated => Some(self.duplicated),
            Counter::Unexpected => Some(self.unexpected),
            _ => None,
        }
    }

    /// What is wrong, in words, as far as nobody else judges it.
    pub(super) fn faults(&self, what: &str, is_judged: impl Fn(Counter) -> bool) -> Vec<String> {
        let mut faults = Vec::new();
        for (counter, how) in [
            (Counter::Lost, "lost"),
            (Counter::Altered, "altered"),
            (Counter::Reordered, "received out of order"),
            (Counter::Duplicated, "received twice"),
            (Counter::Unexpected, "received that were not for the connection"),
        ] {
            let count = self.count(counter).unwrap_or(0);
            if count > 0 && !is_judged(counter) {
                faults.push(format!("{} {what} {how}", units::count(count)));
            }
        }
        if self.received == 0 {
            faults.push(format!("no {what} received"));
        }
        faults
    }
}

impl Report {
    /// What became of messages that were only received.
    pub(crate) fn deliveries(&self) -> Option<Deliveries> {
        if let Some(fanout) = &self.fanout {
            let copies = &fanout.copies;
            return Some(Deliveries {
                expected: copies.expected,
                received: copies.received,
                lost: copies.lost,
                altered: copies.altered,
                reordered: copies.reordered + copies.stale,
                duplicated: copies.duplicated,
                unexpected: copies.unexpected,
            });
        }
        let push = self.push.as_ref()?;
        let stamped = push.in_order + push.reordered;
        Some(Deliveries {
            expected: stamped + push.foreign + push.lost,
            received: push.received,
            lost: push.lost,
            altered: 0,
            reordered: push.reordered + push.stale,
            duplicated: push.duplicated,
            unexpected: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_said_unless_a_threshold_is_about_it() {
        let deliveries = Deliveries { expected: 9, received: 7, lost: 2, ..Deliveries::default() };
        let faults = |is_judged: fn(Counter) -> bool| deliveries.faults("messages", is_judged);
        assert_eq!(faults(|_| false), ["2 messages lost"]);
        assert_eq!(faults(|counter| counter == Counter::Lost), [""; 0]);
        let nothing = Deliveries::default();
        assert_eq!(nothing.faults("messages", |_| false), ["no messages received"]);
    }
}
