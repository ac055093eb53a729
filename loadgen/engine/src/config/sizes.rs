//! Payload sizes: fixed, from a range, or from a list.

use std::path::Path;
use std::sync::Arc;

use super::{PAYLOAD_SIZE_MAX, lines};
use crate::cli::SizesAsked;
use crate::index::ConnectionIndex;
use crate::quantity;
use crate::random::{self, Use};

/// Bytes of each payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// The same size every time.
    Fixed(usize),
    /// Each size with the same probability, both ends included.
    Range {
        /// The smallest.
        least: usize,
        /// The largest.
        most: usize,
    },
    /// Taken in turn, starting over at the end; connection `i` begins with the `i`th.
    Listed(Arc<[u32]>),
}

impl Sizes {
    /// Checks the sizes that were asked for, and reads their file.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn new(asked: &SizesAsked) -> Result<Self, String> {
        match asked {
            SizesAsked::One(size) => Ok(Self::Fixed(checked("-s", *size)?)),
            SizesAsked::Range(least, most) if least == most => {
                Ok(Self::Fixed(checked("-s", *most)?))
            }
            SizesAsked::Range(least, most) => {
                Ok(Self::Range { least: checked("-s", *least)?, most: checked("-s", *most)? })
            }
            SizesAsked::File(path) => Self::read(path),
        }
    }

    fn read(path: &Path) -> Result<Self, String> {
        let shown = format!("-s file:{}", path.display().to_string().escape_debug());
        let bytes = lines::read(path, &shown)?;
        let text = lines::without_mark(&bytes).unwrap_or(&bytes);
        let mut sizes = Vec::new();
        for (number, line) in lines::of(text) {
            let line = String::from_utf8_lossy(line);
            let place = format!("{shown}: line {number}");
            let size = quantity::size(line.trim()).map_err(|why| format!("{place}: {why}"))?;
            sizes.push(u32::try_from(checked(&place, size)?).unwrap_or(u32::MAX));
            lines::check_number(&shown, sizes.len())?;
        }
        match sizes.as_slice() {
            [] => Err(format!("{shown} has no sizes; write one per line, such as 64 or 4k")),
            [size] => Ok(Self::Fixed(*size as usize)),
            _ => Ok(Self::Listed(sizes.into())),
        }
    }

    /// Returns the payload size of a message.
    #[must_use]
    #[inline]
    pub fn of(&self, seed: u64, connection: ConnectionIndex, sequence: u64) -> usize {
        match self {
            Self::Fixed(size) => *size,
            Self::Range { least, most } => {
                let number = random::number(seed, Use::Size, connection, sequence);
                let more = random::below(number, (most - least) as u64 + 1);
                least + usize::try_from(more).unwrap_or(0)
            }
            Self::Listed(sizes) => sizes[turn(connection, sequence, sizes.len())] as usize,
        }
    }

    /// Returns the smallest size.
    #[must_use]
    pub fn least(&self) -> usize {
        match self {
            Self::Fixed(size) => *size,
            Self::Range { least, .. } => *least,
            Self::Listed(sizes) => sizes.iter().min().map_or(0, |&size| size as usize),
        }
    }

    /// Returns the largest size.
    #[must_use]
    pub fn most(&self) -> usize {
        match self {
            Self::Fixed(size) => *size,
            Self::Range { most, .. } => *most,
            Self::Listed(sizes) => sizes.iter().max().map_or(0, |&size| size as usize),
        }
    }
}

/// Returns the index of the next of `len` items that are taken in turn; each connection starts at a
/// different one.
#[inline]
pub(crate) fn turn(connection: ConnectionIndex, sequence: u64, len: usize) -> usize {
    let turn = connection.0.wrapping_add(sequence) % (len as u64).max(1);
    usize::try_from(turn).unwrap_or(0)
}

/// Checks that a payload of this size can be sent.
fn checked(place: &str, size: u64) -> Result<usize, String> {
    let size = usize::try_from(size).ok().filter(|&size| size as u64 <= PAYLOAD_SIZE_MAX);
    size.ok_or_else(|| too_large(place))
}

/// Returns the error about a payload that is too large.
pub(super) fn too_large(place: &str) -> String {
    let most = quantity::typed_size(PAYLOAD_SIZE_MAX);
    format!("{place} is larger than a payload may be; use at most {most}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_ends_and_all_between_as_often() {
        let sizes = Sizes::new(&SizesAsked::Range(3, 6)).unwrap();
        let mut counts = [0_u32; 10];
        for n in 0..40_000 {
            counts[sizes.of(9, ConnectionIndex(n % 7), n / 7)] += 1;
        }
        assert_eq!(counts.iter().sum::<u32>(), counts[3..=6].iter().sum::<u32>());
        assert!(counts[3..=6].iter().all(|&count| (9_400..10_600).contains(&count)), "{counts:?}");
        assert_eq!((sizes.least(), sizes.most()), (3, 6));
    }

    #[test]
    fn a_list_is_gone_through_again_and_again_from_a_place_of_each_connection() {
        let sizes = Sizes::Listed([5, 6, 9].into());
        let of = |connection| {
            [0, 1, 2, 3].map(|sequence| sizes.of(1, ConnectionIndex(connection), sequence))
        };
        assert_eq!((of(0), of(1)), ([5, 6, 9, 5], [6, 9, 5, 6]));
        assert_eq!((sizes.least(), sizes.most()), (5, 9));
    }
}
