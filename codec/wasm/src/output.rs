//! Frames that wait to be written, for one connection at a time.
//!
//! JavaScript places a payload here itself, behind a gap for the longest header: then it is masked where it lies, and no
//! byte of it is copied within the module.

use wscodec::header::HEADER_LEN_MAX;
#[cfg(feature = "connection")]
use wscodec::mask::{self, MaskKey};

/// The room that the replies to one input may take: 33 Pongs and a Close, masked, and some to spare.
#[cfg(feature = "connection")]
pub(crate) const REPLIES_LEN_MAX: usize = 8 << 10;

/// The most memory that is kept when the output is cleared.
const RETAINED_LEN_MAX: usize = 2 << 20;

/// Memory that always has a value, and which part of it is waiting.
pub(crate) struct Output {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Output {
    pub(crate) const fn new() -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0 }
    }

    /// Returns what waits.
    pub(crate) fn pending(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Returns how long a payload can be placed without making room first.
    pub(crate) fn spare_len(&self) -> usize {
        (self.bytes.len() - self.end).saturating_sub(HEADER_LEN_MAX)
    }

    /// Makes room for `len` more bytes.
    pub(crate) fn reserve(&mut self, len: usize) {
        let needed = self.end.saturating_add(len);
        if needed > self.bytes.len() {
            let doubled = self.bytes.len().saturating_mul(2).min(RETAINED_LEN_MAX);
            self.bytes.resize(needed.max(doubled), 0);
        }
    }

    /// Forgets what has been taken.
    pub(crate) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
        if self.bytes.len() > RETAINED_LEN_MAX {
            self.bytes = Vec::new();
        }
    }

    /// Appends what `write` puts into the room of at least `len` bytes that it is given.
    pub(crate) fn append<R>(&mut self, len: usize, write: impl FnOnce(&mut &mut [u8]) -> R) -> R {
        self.reserve(len);
        let all = self.bytes.len();
        let mut room = self.bytes.get_mut(self.end..).unwrap_or_default();
        let result = write(&mut room);
        self.end = all - room.len();
        result
    }
}

/// Payloads that are placed here.
#[cfg(feature = "connection")]
impl Output {
    /// Returns where a payload is placed.
    pub(crate) fn place(&self) -> *const u8 {
        self.bytes.as_ptr().wrapping_add(self.end + HEADER_LEN_MAX)
    }

    /// Makes room for a payload of `len` bytes and its header.
    pub(crate) fn reserve_place(&mut self, len: usize) {
        self.reserve(len.saturating_add(HEADER_LEN_MAX));
    }

    /// Returns the placed payload; `None` if there is no room for one of this length.
    pub(crate) fn placed(&self, len: usize) -> Option<&[u8]> {
        let start = self.end + HEADER_LEN_MAX;
        self.bytes.get(start..start.checked_add(len)?)
    }

    /// Puts bytes before the placed payload of `len` bytes, which moves.
    pub(crate) fn insert(&mut self, bytes: &[u8], len: usize) {
        self.reserve_place(bytes.len() + len);
        let from = self.end + HEADER_LEN_MAX;
        self.bytes.copy_within(from..from + len, from + bytes.len());
        if let Some(place) = self.bytes.get_mut(self.end..self.end + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        self.end += bytes.len();
    }

    /// Makes a frame of the placed payload of `len` bytes.
    pub(crate) fn push_placed(&mut self, header: &[u8], key: Option<MaskKey>, len: usize) {
        let place = self.end + HEADER_LEN_MAX;
        let Some(payload) = self.bytes.get_mut(place..place + len) else { return };
        if let Some(key) = key {
            mask::apply(key, payload, 0);
        }
        let begin = if self.start == self.end {
            // Nothing is before it: the output begins where the header does.
            self.start = place - header.len();
            self.start
        } else {
            self.bytes.copy_within(place..place + len, self.end + header.len());
            self.end
        };
        if let Some(place) = self.bytes.get_mut(begin..begin + header.len()) {
            place.copy_from_slice(header);
        }
        self.end = begin + header.len() + len;
    }
}
