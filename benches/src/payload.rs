//! Payloads of any length: random bytes, and text of four kinds that is valid UTF-8 to the last
//! byte.
//!
//! Invariant: the text stays valid under XOR of each of its bytes with 1, 2 or 3, so that a key of
//! such bytes ([`Payloads::gentle_key`]) can mask and unmask it in place again and again, and a
//! validator passes both states.

/// What a payload consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Random bytes, sent as a binary message.
    Binary,
    /// One byte a character.
    Ascii,
    /// ASCII, Cyrillic and CJK words in turn: one, two and three bytes a character.
    Mixed,
    /// Three bytes a character.
    Cjk,
    /// Four bytes a character.
    Emoji,
}

impl Content {
    /// The kinds of text.
    pub(crate) const TEXTS: [Self; 4] = [Self::Ascii, Self::Mixed, Self::Cjk, Self::Emoji];

    pub(crate) fn is_text(self) -> bool {
        self != Self::Binary
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Ascii => "ASCII",
            Self::Mixed => "mixed",
            Self::Cjk => "CJK",
            Self::Emoji => "emoji",
        }
    }
}

/// A deterministic source of payloads and keys: the same seed gives the same bytes (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Payloads {
    state: u64,
}

impl Payloads {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u32) -> u32 {
        u32::try_from(self.next() % u64::from(bound)).unwrap_or(0)
    }

    /// Any key but zero.
    pub(crate) fn key(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.next().to_le_bytes();
        [a | 1, b, c, d]
    }

    /// A key of bytes 1 to 3, which keeps text of this module valid.
    pub(crate) fn gentle_key(&mut self) -> [u8; 4] {
        self.next().to_le_bytes().first_chunk::<4>().copied().unwrap_or_default().map(|b| b % 3 + 1)
    }

    /// `len` bytes of `content`.
    pub(crate) fn payload(&mut self, content: Content, len: usize) -> Vec<u8> {
        if content == Content::Binary {
            let mut bytes = Vec::with_capacity(len + 8);
            while bytes.len() < len {
                bytes.extend_from_slice(&self.next().to_le_bytes());
            }
            bytes.truncate(len);
            return bytes;
        }
        let mut text = String::with_capacity(len + 4);
        let mut word = 0;
        while text.len() < len {
            if self.below(6) == 0 {
                word += 1;
            }
            let character = self.character(content, word);
            // The last bytes of a text too short for a whole character more are ASCII.
            let room = len - text.len();
            text.push(if character.len_utf8() <= room { character } else { 'x' });
        }
        text.into_bytes()
    }

    fn character(&mut self, content: Content, word: u32) -> char {
        let (first, count) = match (content, word % 3) {
            (Content::Binary | Content::Ascii, _) | (Content::Mixed, 0) => (0x20, 0x5f),
            (Content::Mixed, 1) => (0x410, 0x40),
            (Content::Mixed | Content::Cjk, _) => (0x4e00, 0x5000),
            (Content::Emoji, _) => (0x1f300, 0x340),
        };
        char::from_u32(first + self.below(count)).unwrap_or('x')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_as_long_as_asked_and_stays_valid_under_gentle_keys() {
        let mut payloads = Payloads::new(1);
        for content in Content::TEXTS {
            for len in (0..70).chain([4096, 65_537]) {
                let mut text = payloads.payload(content, len);
                assert_eq!(text.len(), len);
                assert!(std::str::from_utf8(&text).is_ok(), "{content:?} of {len}");
                let key = payloads.gentle_key();
                for (byte, key) in text.iter_mut().zip(key.iter().cycle()) {
                    *byte ^= key;
                }
                assert!(std::str::from_utf8(&text).is_ok(), "{content:?} of {len}, masked");
            }
        }
    }
}
