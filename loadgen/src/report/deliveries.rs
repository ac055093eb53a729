//! Messages that servers pass on, counted where they arrive: the part that `listen` and `fanout`
//! share, for the outcome and for thresholds.

use super::Report;
use crate::threshold::Counter;
use crate::units;

/// What became of messages, or copies of messages, on their way to listeners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deliveries {
    /// Messages that were to arrive, as far as known.
    pub(crate) expected: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) altered: u64,
    pub(crate) reordered: u64,
    pub(crate) duplicated: u64,
    pub(crate) unexpected: u64,
}

impl Deliveries {
    /// Returns the value of a counter, if it is about messages.
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

    /// Describes what is wrong, each with the counter that counts it. `what` names one delivery.
    pub(super) fn faults(&self, what: &str) -> Vec<(Counter, String)> {
        [
            (Counter::Lost, "lost"),
            (Counter::Altered, "altered"),
            (Counter::Reordered, "received out of order"),
            (Counter::Duplicated, "received twice"),
            (Counter::Unexpected, "received by the wrong connection"),
        ]
        .into_iter()
        .filter_map(|(counter, how)| {
            let count = self.count(counter).filter(|&count| count > 0)?;
            Some((counter, format!("{} {how}", units::counted(count, what))))
        })
        .collect()
    }
}

impl Report {
    /// Returns what became of messages that were only received.
    pub(crate) fn deliveries(&self) -> Option<Deliveries> {
        if let Some(fanout) = &self.fanout {
            let copies = &fanout.copies;
            return Some(Deliveries {
                expected: copies.counts.expected,
                received: copies.counts.received,
                lost: copies.counts.lost,
                altered: copies.counts.altered,
                reordered: copies.counts.reordered + copies.counts.stale,
                duplicated: copies.counts.duplicated,
                unexpected: copies.counts.unexpected,
            });
        }
        let push = &self.push.as_ref()?.counts;
        let stamped = push.in_order + push.reordered;
        Some(Deliveries {
            expected: stamped + push.foreign + push.lost,
            received: push.inside,
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
    fn each_fault_is_said() {
        let deliveries = Deliveries { expected: 9, received: 7, lost: 2, ..Deliveries::default() };
        assert_eq!(deliveries.faults("message"), [(Counter::Lost, "2 messages lost".into())]);
        assert_eq!(Deliveries::default().faults("message"), []);
    }
}
