//! Packs the counts of latency slots into a few bytes and back: a time series keeps them for every
//! interval, and may not grow with the run as a list of numbers would.
//!
//! For each slot that occurs: its distance from the one before, then its count, both in groups of
//! seven bits, the lowest first; the upper bit says that more follow (LEB128).

/// Slots and their counts, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Packed(Box<[u8]>);

impl Packed {
    /// Packs the slots that occur. They must ascend.
    pub(super) fn new(counts: impl Iterator<Item = (usize, u64)>) -> Self {
        let (mut bytes, mut last) = (Vec::new(), 0);
        for (slot, count) in counts.filter(|&(_, count)| count > 0) {
            put(&mut bytes, (slot - last) as u64);
            put(&mut bytes, count);
            last = slot;
        }
        Self(bytes.into())
    }

    /// Iterates over the slots and their counts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, u64)> {
        let (mut rest, mut slot) = (&self.0[..], 0);
        std::iter::from_fn(move || {
            slot += usize::try_from(take(&mut rest)?).ok()?;
            Some((slot, take(&mut rest)?))
        })
    }
}

fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, left) = rest.split_first()?;
        *rest = left;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_and_empty_slots_do_not() {
        let counts = [(0, 1), (1, 127), (2, 0), (3, 128), (130, 16_384), (4_000, u64::MAX)];
        let packed = Packed::new(counts.into_iter());
        let back: Vec<_> = packed.iter().collect();
        assert_eq!(back, [(0, 1), (1, 127), (3, 128), (130, 16_384), (4_000, u64::MAX)]);
        assert_eq!(Packed::new(std::iter::empty()).iter().count(), 0);
    }

    #[test]
    fn an_interval_of_many_latencies_takes_little() {
        let packed = Packed::new((600..700).map(|slot| (slot, 100)));
        assert_eq!(packed.0.len(), 201, "two bytes a slot, and one more for the first");
    }
}
