//! Formats a number as sixteen hexadecimal digits.

use crate::stamp::STAMP_LEN;

/// A number and its digits. Messages that are sent together have consecutive stamps, so usually
/// only the last two digits change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    value: u64,
    /// The digits of the upper and the lower half.
    halves: [u64; 2],
}

/// The two digits of each byte, as they stand at the end of a half.
const PAIRS: [u16; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = u16::from_be_bytes([DIGITS[byte / 16], DIGITS[byte % 16]]);
        byte += 1;
    }
    pairs
};

impl Stamp {
    pub(super) const fn new(value: u64) -> Self {
        Self { value, halves: [digits(value >> 32), digits(value & 0xffff_ffff)] }
    }

    /// Returns the stamp of `value`, made from this one if only the last two digits differ.
    #[inline]
    pub(super) fn followed_by(self, value: u64) -> Self {
        if (value ^ self.value) >> 8 != 0 {
            return Self::new(value);
        }
        let [upper, lower] = self.halves;
        let pair = PAIRS[usize::from(value.to_le_bytes()[0])];
        Self { value, halves: [upper, lower & !0xffff | u64::from(pair)] }
    }

    /// Returns the digits as text.
    #[inline]
    pub(super) fn digits(self) -> [u8; STAMP_LEN] {
        let [upper, lower] = self.halves.map(u128::from);
        (upper << 64 | lower).to_be_bytes()
    }

    /// Checks whether `text` has the same digits.
    #[inline]
    pub(super) fn is(self, text: &[u8; STAMP_LEN]) -> bool {
        let [upper, lower] = self.halves.map(u128::from);
        u128::from_be_bytes(*text) == upper << 64 | lower
    }
}

impl Default for Stamp {
    fn default() -> Self {
        Self::new(0)
    }
}

/// Returns the eight digits of a 32-bit number, all at once: each nibble in a byte of its own.
const fn digits(half: u64) -> u64 {
    let mut x = (half << 16 | half) & 0x0000_ffff_0000_ffff;
    x = (x << 8 | x) & 0x00ff_00ff_00ff_00ff;
    x = (x << 4 | x) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 in each byte that holds 10-15, which becomes a letter.
    let letters = (x + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    x + 0x3030_3030_3030_3030 + letters * (b'a' - b'0' - 10) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_what_the_formatter_writes_whatever_came_before() {
        let values = [0, 1, 9, 10, 15, 16, 255, 256, 0x0123_4567_89ab_cdef, u64::MAX, 1 << 32];
        for before in values {
            for value in values.into_iter().chain(before..before.saturating_add(300)) {
                let stamp = Stamp::new(before).followed_by(value);
                let text = format!("{value:016x}");
                assert_eq!(stamp.digits(), text.as_bytes(), "{before:x}");
                assert!(stamp.is(&stamp.digits()));
                assert!(!stamp.is(&Stamp::new(value ^ 1).digits()));
                assert!(!stamp.is(&Stamp::new(value ^ 1 << 63).digits()));
            }
        }
    }
}
