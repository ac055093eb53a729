//! The messages of a connection that have no reply yet, and which of them a reply belongs to.
//!
//! Keeps two times per message that has no reply yet, and nothing for those that have. They are in
//! the order of their sequences, in which an honest server answers, so the usual reply takes the
//! first.

use std::collections::VecDeque;
use std::num::NonZeroU64;

use super::overdue::Overdue;

/// A message is given up for lost once this many later ones have their replies. Bounds what a
/// server can make this side remember by leaving out one reply.
const AHEAD_MAX: usize = 1_024;

/// When a message is due and when it was written, in nanoseconds after the run's begin. A time that
/// isn't known yet takes no room of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// `None` if it is due when it is written, and it hasn't been.
    pub(crate) due: Option<NonZeroU64>,
    /// `None` if it hasn't been written.
    pub(crate) written: Option<NonZeroU64>,
}

impl Sent {
    /// Marks a message whose reply came before the reply to an earlier one.
    const ANSWERED: Self = Self { due: Some(NonZeroU64::MAX), written: Some(NonZeroU64::MAX) };

    /// Returns when the message is due; 0 if that isn't known yet.
    #[inline]
    pub(crate) const fn due_ns(&self) -> u64 {
        ns(self.due)
    }

    /// Returns when the message was written; 0 if it hasn't been.
    #[inline]
    pub(crate) const fn written_ns(&self) -> u64 {
        ns(self.written)
    }

    /// Notes that the message is written, and that it is due now if it had no time.
    #[inline]
    pub(crate) fn write(&mut self, now_ns: u64) {
        self.written = NonZeroU64::new(now_ns);
        self.due = self.due.or(self.written);
    }
}

/// Returns a time; 0 if there is none, which costs nothing.
#[inline]
const fn ns(time: Option<NonZeroU64>) -> u64 {
    match time {
        Some(ns) => ns.get(),
        None => 0,
    }
}

/// Which message a reply belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// One without a reply, and no later message has one.
    InOrder(Sent),
    /// One without a reply, but a later message has one.
    Late(Sent),
    /// One that was given up because its reply was overdue, and that has had none since.
    Overdue,
    /// One that already had its reply, or was given up for lost.
    Again,
    /// None: no such message was sent.
    NeverSent,
}

/// The messages of a connection that have no reply yet. Allocates nothing until the first is sent.
#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    /// The messages from `first` on: those without reply, and marks for those that were answered
    /// early.
    ring: VecDeque<Sent>,
    first: u64,
    /// How many marks are in `ring`.
    ahead: u32,
    /// How many messages at the end of `ring` are encoded and not written.
    unwritten: u32,
    /// The messages whose replies are overdue, once there are any.
    overdue: Option<Box<Overdue>>,
}

impl Outstanding {
    /// Makes an empty set, for a connection whose next message has the sequence `first`.
    pub(crate) fn from_sequence(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    /// Returns the sequence of the next message to be sent.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.first + self.ring.len() as u64
    }

    /// Returns how many messages have no reply.
    pub(crate) fn len(&self) -> usize {
        self.ring.len() - self.ahead as usize
    }

    /// Returns the message whose reply is expected next, and its sequence.
    #[inline]
    pub(crate) fn expected(&self) -> Option<(u64, Sent)> {
        Some((self.first, *self.ring.front()?))
    }

    /// Returns when a message is due, if it has no reply yet.
    pub(crate) fn due_ns(&self, sequence: u64) -> Option<u64> {
        let place = usize::try_from(sequence.checked_sub(self.first)?).ok()?;
        let sent = self.ring.get(place).filter(|sent| **sent != Sent::ANSWERED)?;
        Some(sent.due_ns())
    }

    /// Checks whether no reply has come out of order.
    #[inline]
    pub(crate) const fn is_in_order(&self) -> bool {
        self.ahead == 0
    }

    /// Adds the next messages, which are encoded and not written yet.
    pub(crate) fn push(&mut self, due: Option<NonZeroU64>, count: usize) {
        self.ring.extend(std::iter::repeat_n(Sent { due, written: None }, count));
        self.unwritten += u32::try_from(count).unwrap_or(u32::MAX);
    }

    /// Returns the messages that are about to be written, for [`Sent::write`].
    pub(crate) fn take_unwritten(&mut self) -> impl ExactSizeIterator<Item = &mut Sent> {
        let written = self.ring.len() - self.unwritten as usize;
        self.unwritten = 0;
        self.ring.range_mut(written..)
    }

    /// Takes the message that [`expected`](Self::expected) names.
    #[inline]
    pub(crate) fn take_expected(&mut self) -> Option<Sent> {
        let sent = self.ring.pop_front()?;
        self.first += 1;
        if self.ahead > 0 {
            self.drop_answered();
        }
        Some(sent)
    }

    /// Takes the message of a sequence.
    pub(crate) fn take(&mut self, sequence: u64) -> Taken {
        let Some(place) = sequence.checked_sub(self.first) else {
            let is_overdue = self.overdue.as_mut().is_some_and(|overdue| overdue.take(sequence));
            return if is_overdue { Taken::Overdue } else { Taken::Again };
        };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        match self.ring.get_mut(place) {
            None => Taken::NeverSent,
            Some(sent) if *sent == Sent::ANSWERED => Taken::Again,
            Some(sent) => {
                let taken = std::mem::replace(sent, Sent::ANSWERED);
                self.ahead += 1;
                let is_late = self.has_answered_after(place);
                self.drop_answered();
                if is_late { Taken::Late(taken) } else { Taken::InOrder(taken) }
            }
        }
    }

    /// Gives up the oldest message if too many later ones have their replies.
    pub(crate) fn give_up(&mut self) -> Option<Sent> {
        if (self.ahead as usize) < AHEAD_MAX { None } else { self.take_expected() }
    }

    /// Gives up the oldest message if it was written `timeout_ns` ago or earlier. Its reply may
    /// still come.
    pub(crate) fn time_out(&mut self, now_ns: u64, timeout_ns: u64) -> Option<Sent> {
        let written_ns = self.oldest_written_ns()?;
        if written_ns.saturating_add(timeout_ns) > now_ns {
            return None;
        }
        self.overdue.get_or_insert_default().add(self.first);
        self.take_expected()
    }

    /// Returns when the oldest message was written, if there is one and it has been written.
    pub(crate) fn oldest_written_ns(&self) -> Option<u64> {
        Some(self.ring.front()?.written?.get())
    }

    /// Gives up all messages, because no more replies will come.
    pub(crate) fn give_up_all(&mut self) -> impl Iterator<Item = Sent> {
        self.ahead = 0;
        self.unwritten = 0;
        self.overdue = None;
        self.first += self.ring.len() as u64;
        std::mem::take(&mut self.ring).into_iter().filter(|sent| *sent != Sent::ANSWERED)
    }

    fn has_answered_after(&self, place: usize) -> bool {
        // The new mark is the only one unless replies are out of order, which is rare.
        self.ahead > 1 && self.ring.range(place + 1..).any(|sent| *sent == Sent::ANSWERED)
    }

    fn drop_answered(&mut self) {
        while self.ring.front() == Some(&Sent::ANSWERED) {
            self.ring.pop_front();
            self.first += 1;
            self.ahead -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(n: u64) -> Outstanding {
        let mut outstanding = Outstanding::default();
        for due_ns in 1..=n {
            outstanding.push(NonZeroU64::new(due_ns), 1);
        }
        outstanding.take_unwritten().for_each(|sent| sent.write(sent.due_ns() + 100));
        outstanding
    }

    /// The message of a sequence.
    fn at(sequence: u64) -> Sent {
        let due_ns = sequence + 1;
        Sent { due: NonZeroU64::new(due_ns), written: NonZeroU64::new(due_ns + 100) }
    }

    #[test]
    fn replies_in_order_take_one_after_the_other() {
        let mut outstanding = sent(3);
        for n in 0..3 {
            assert_eq!(outstanding.expected(), Some((n, at(n))));
            assert_eq!(outstanding.due_ns(n), Some(n + 1));
            assert_eq!(outstanding.take_expected(), Some(at(n)));
        }
        assert_eq!((outstanding.expected(), outstanding.len()), (None, 0));
        assert_eq!(outstanding.next_sequence(), 3);
        assert_eq!(outstanding.take_expected(), None);
    }

    #[test]
    fn only_what_is_new_is_written() {
        let mut outstanding = sent(2);
        outstanding.push(NonZeroU64::new(7), 1);
        assert_eq!(outstanding.take_unwritten().count(), 1);
        assert_eq!(outstanding.take_unwritten().count(), 0);
    }

    #[test]
    fn swapped_replies_are_one_early_and_one_late() {
        let mut outstanding = sent(3);
        assert_eq!(outstanding.take(1), Taken::InOrder(at(1)));
        assert_eq!(outstanding.len(), 2);
        assert_eq!(outstanding.take(0), Taken::Late(at(0)));
        assert_eq!(outstanding.expected(), Some((2, at(2))));
        assert_eq!([1, 2, 3].map(|n| outstanding.due_ns(n)), [None, Some(3), None]);
        assert_eq!(outstanding.take(2), Taken::InOrder(at(2)));
        assert_eq!(outstanding.len(), 0);
    }

    #[test]
    fn a_reply_twice_is_told_from_one_to_nothing() {
        let mut outstanding = sent(3);
        assert_eq!(outstanding.take(0), Taken::InOrder(at(0)));
        assert_eq!(outstanding.take(0), Taken::Again);
        assert_eq!(outstanding.take(2), Taken::InOrder(at(2)));
        assert_eq!(outstanding.take(2), Taken::Again);
        assert_eq!(outstanding.take(3), Taken::NeverSent);
        assert_eq!(outstanding.take(u64::MAX), Taken::NeverSent);
    }

    #[test]
    fn a_missing_reply_is_given_up_once_many_later_ones_have_come() {
        let mut outstanding = Outstanding::default();
        let mut lost = Vec::new();
        for n in 0..100_000 {
            outstanding.push(NonZeroU64::new(n), 1);
            if n % 10_000 != 5 {
                assert_ne!(outstanding.take(n), Taken::Again);
            }
            lost.extend(outstanding.give_up());
            assert!(outstanding.ring.len() <= AHEAD_MAX + 1);
        }
        assert_eq!(lost.len(), 10);
        assert_eq!(outstanding.take(5), Taken::Again);
    }

    #[test]
    fn d10_what_has_waited_too_long_is_given_up_and_its_reply_is_known_when_it_comes() {
        let mut outstanding = sent(4);
        outstanding.push(NonZeroU64::new(9), 1); // not written yet
        assert_eq!(outstanding.take(2), Taken::InOrder(at(2)));
        let mut up_to = |now_ns| outstanding.time_out(now_ns, 50);
        assert_eq!([150, 151, 151].map(&mut up_to), [None, Some(at(0)), None]);
        // The third has had its reply, and what isn't written has not begun to wait.
        assert_eq!([u64::MAX; 3].map(&mut up_to), [Some(at(1)), Some(at(3)), None]);
        assert_eq!((outstanding.len(), outstanding.next_sequence()), (1, 5));
        for (sequence, taken) in [
            (1, Taken::Overdue),
            (1, Taken::Again),
            (2, Taken::Again),
            (3, Taken::Overdue),
            (5, Taken::NeverSent),
            (0, Taken::Overdue),
            (0, Taken::Again),
        ] {
            assert_eq!(outstanding.take(sequence), taken, "{sequence}");
        }
        assert_eq!(size_of::<Outstanding>(), 56, "it is part of every connection");
    }

    #[test]
    fn at_the_end_those_without_reply_are_lost() {
        let mut outstanding = sent(5);
        outstanding.take(3);
        outstanding.take(0);
        let lost: Vec<_> = outstanding.give_up_all().collect();
        assert_eq!(lost, [at(1), at(2), at(4)]);
        assert_eq!((outstanding.len(), outstanding.next_sequence()), (0, 5));
    }
}
