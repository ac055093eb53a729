//! The size of an LZ77 sliding window, as given by the parameters `*_max_window_bits` (RFC 7692,
//! 7.1.2).

/// The base-2 logarithm of a window's size: 8 to 15, for 256 bytes to 32 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 256 bytes.
    pub const MIN: Self = Self(8);
    /// 32 KiB, the size if none is agreed.
    pub const MAX: Self = Self(15);

    /// Returns the window of 2^`bits` bytes; `None` unless `bits` is 8 to 15.
    ///
    /// ```
    /// use wscodec::deflate::WindowBits;
    /// assert_eq!(WindowBits::new(10).map(WindowBits::window_size), Some(1024));
    /// assert_eq!(WindowBits::new(16), None);
    /// ```
    #[must_use]
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            8..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// Returns the logarithm.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Returns the size, in bytes.
    #[must_use]
    pub const fn window_size(self) -> usize {
        1 << self.0
    }

    /// "a decimal integer value without leading zeroes between 8 to 15, inclusive" (7.1.2.1)
    pub(super) fn parse(value: &str) -> Option<Self> {
        (8..=15).map(Self).find(|bits| bits.as_str() == value)
    }

    /// Returns the parameter's value.
    pub(super) const fn as_str(self) -> &'static str {
        match self.0 {
            8 => "8",
            9 => "9",
            10 => "10",
            11 => "11",
            12 => "12",
            13 => "13",
            14 => "14",
            _ => "15",
        }
    }
}
