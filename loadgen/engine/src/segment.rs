//! Turns `3/10` into the part of a run that this process makes.
//!
//! A connection belongs to the segment given by its index in the whole run modulo the number of
//! segments, so a rest is spread, and segments together do what one process would have done.

use crate::index::{ConnectionIndex, WorkerIndex};

/// One of N processes that make a run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// From 0; people count from 1.
    place: u64,
    of: u64,
}

impl Segment {
    /// A run in one process.
    pub const WHOLE: Self = Self { place: 0, of: 1 };
    /// Most segments of a run.
    pub const OF_MAX: u64 = 10_000;

    /// Reads `i/N`, where the first is `1/N`, or `index:i/N`, where the first is `index:0/N`.
    ///
    /// # Errors
    /// What is wrong, to be put after the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "use i/N, such as 1/10 for the first of ten";
        let (index, of) = text.split_once('/').ok_or(EXAMPLE)?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| EXAMPLE.to_owned());
        let (index, of) = match index.strip_prefix("index:") {
            None => (number(index)?, number(of)?),
            Some(index) => (number(index)?.saturating_add(1), number(of)?),
        };
        if of > Self::OF_MAX {
            return Err(format!("at most {} segments; {EXAMPLE}", Self::OF_MAX));
        }
        Self::new(index, of).ok_or_else(|| {
            format!("segments are counted from 1, and the last is {of}/{of}; {EXAMPLE}")
        })
    }

    /// Returns the `index`th segment of `of`, from 1; `None` if there is no such segment.
    #[must_use]
    pub const fn new(index: u64, of: u64) -> Option<Self> {
        if index == 0 || index > of { None } else { Some(Self { place: index - 1, of }) }
    }

    /// Returns the index, from 1.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.place + 1
    }

    /// Returns the number of segments.
    #[must_use]
    pub const fn of(self) -> u64 {
        self.of
    }

    /// Returns the index among all segments' workers of the one on a thread of this process.
    #[must_use]
    pub const fn worker(self, thread: u64) -> WorkerIndex {
        WorkerIndex(thread * self.of + self.place)
    }

    /// Returns the workers of all segments, if each has `workers`. Other segments may have more or
    /// fewer: this number affects what a worker here does, but not what the segment does.
    #[must_use]
    pub const fn workers(self, workers: u64) -> u64 {
        workers * self.of
    }

    /// Checks whether a connection of the run belongs to this segment.
    #[must_use]
    pub const fn has(self, connection: ConnectionIndex) -> bool {
        connection.0 % self.of == self.place
    }

    /// Returns the place of one of the segment's connections among all of its connections.
    #[must_use]
    pub const fn place_of(self, connection: ConnectionIndex) -> u64 {
        connection.0 / self.of
    }

    /// Returns which of `len` things one of its connections takes, if connections take them in
    /// turn.
    ///
    /// Each segment takes all of them in turn, starting with another than the segment before it.
    /// Taking them in turn over the whole run would leave a segment only some of them if `len` and
    /// the number of segments have a common factor.
    #[must_use]
    pub const fn turn(self, connection: ConnectionIndex, len: u64) -> u64 {
        match (self.place_of(connection) + self.place).checked_rem(len) {
            Some(turn) => turn,
            None => 0,
        }
    }

    /// Returns how many of the first `connections` of the run belong to this segment.
    #[must_use]
    pub const fn connections(self, connections: u64) -> u64 {
        let extra = if self.place < connections % self.of { 1 } else { 0 };
        connections / self.of + extra
    }

    /// Returns how many of the first `messages` of the run belong to this segment: message `k` goes
    /// to connection `k % connections`.
    #[must_use]
    pub const fn messages(self, messages: u64, connections: u64) -> u64 {
        (messages / connections) * self.connections(connections)
            + self.connections(messages % connections)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_one_on() {
        let first = Segment::parse("1/10").unwrap();
        assert_eq!((first.index(), first.of(), first.place), (1, 10, 0));
        assert_eq!(Segment::parse("1/1"), Ok(Segment::WHOLE));
        assert_eq!(Segment::parse("index:0/10"), Ok(first));
        assert_eq!(Segment::parse("index:9/10"), Segment::parse("10/10"));
        for (text, why) in [
            ("0/10", "counted from 1"),
            ("11/10", "the last is 10/10"),
            ("index:10/10", "the last is 10/10"),
            ("index:/10", "use i/N"),
            ("1/0", "counted from 1"),
            ("3", "use i/N"),
            ("", "use i/N"),
            ("a/b", "use i/N"),
            ("-1/3", "use i/N"),
            ("1/2/3", "use i/N"),
            ("1/10001", "at most 10000"),
            ("1/99999999999999999999", "use i/N"),
        ] {
            let said = Segment::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn m2_every_segment_takes_everything_in_turn() {
        for (of, len) in [(1, 1), (1, 3), (2, 2), (3, 3), (4, 2), (2, 4), (6, 4), (3, 5)] {
            let connections = of * len * 2 + 1;
            let mut whole = vec![0_u64; usize::try_from(len).unwrap()];
            for segment in (1..=of).map(|index| Segment::new(index, of).unwrap()) {
                let mut taken = whole.iter().map(|_| 0).collect::<Vec<u64>>();
                for connection in (0..connections).map(ConnectionIndex).filter(|&c| segment.has(c))
                {
                    taken[usize::try_from(segment.turn(connection, len)).unwrap()] += 1;
                }
                let (least, most) = (taken.iter().min().unwrap(), taken.iter().max().unwrap());
                assert!(*least >= 2 && most - least <= 1, "{segment:?} of {len}: {taken:?}");
                whole.iter_mut().zip(&taken).for_each(|(sum, count)| *sum += count);
            }
            let (least, most) = (whole.iter().min().unwrap(), whole.iter().max().unwrap());
            assert!(most - least <= 1, "{of} segments, {len}: {whole:?}");
        }
    }

    #[test]
    fn shares_add_up_and_are_what_the_indices_say() {
        for (of, connections) in [(1, 1), (3, 10), (10, 10), (7, 100), (10, 12_345)] {
            let segments = || (1..=of).map(|index| Segment::new(index, of).unwrap());
            for n in [0, 1, connections - 1, connections, 3 * connections + 2] {
                let shares = segments().map(|segment| segment.messages(n, connections));
                assert_eq!(shares.sum::<u64>(), n, "{of} {connections} {n}");
            }
            let owner = |k: u64| (k % connections) % of;
            for segment in segments() {
                let n = 2 * connections + 1;
                let counted = (0..n).filter(|&k| owner(k) == segment.place).count() as u64;
                assert_eq!(segment.messages(n, connections), counted, "{segment:?}");
            }
        }
    }
}
