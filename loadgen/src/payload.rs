//! Connection and sequence to the bytes of a message, and received bytes back to what they are the
//! echo of.
//!
//! Nothing is stored for a message: what its echo must be is computed again from where it belongs.
//!
//! ```text
//!   size >= 16   cccccc ssssssssss rrrr…   connection and sequence in hex (24 and 40 bits), then text made from the seed
//!   size < 16    sssss                      the last digits of the sequence
//!   -m TEXT      TEXT                       always the same
//! ```
//!
//! A payload of the first form says itself whose echo it is, so that loss, doubling and disorder
//! are told apart. The others can only be compared with what is expected next.

use wscodec::DataKind;

use crate::config::{Content, Echo};

/// Bytes that name a message.
const STAMP_LEN: usize = 16;
const CONNECTION_DIGITS: usize = 6;
/// Connections and sequences are told apart modulo these.
const CONNECTION_MASK: u64 = (1 << (4 * CONNECTION_DIGITS)) - 1;
const SEQUENCE_MASK: u64 = (1 << (4 * (STAMP_LEN - CONNECTION_DIGITS))) - 1;

/// Makes and recognises payloads. One for each worker: it has room for one message.
#[derive(Clone, Debug)]
pub struct Payload {
    buffer: Vec<u8>,
    form: Form,
    kind: DataKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Stamped,
    Short,
    Fixed,
}

/// What a received message is, beside what was expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// The echo of the message of that sequence on the same connection, byte by byte.
    Echo {
        /// Which message.
        sequence: u64,
    },
    /// It names a message of this connection, but isn't what was sent.
    Altered {
        /// Which message.
        sequence: u64,
    },
    /// It names a message of another connection.
    Foreign,
    /// It names nothing: no more can be said than that it isn't what was expected.
    Unknown,
}

impl Payload {
    /// Payloads of `echo`, made from `seed`.
    #[must_use]
    pub fn new(echo: &Echo, seed: u64) -> Self {
        let (buffer, form) = match &echo.content {
            Content::Fixed(payload) => (payload.clone(), Form::Fixed),
            Content::Generated { size } if *size < STAMP_LEN => (vec![b'0'; *size], Form::Short),
            Content::Generated { size } => (generated(*size, seed), Form::Stamped),
        };
        Self { buffer, form, kind: echo.kind }
    }

    /// Text or binary.
    #[must_use]
    pub const fn kind(&self) -> DataKind {
        self.kind
    }

    /// Bytes of every payload.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.buffer.len()
    }

    /// The payload of a message.
    pub fn message(&mut self, connection: u64, sequence: u64) -> &[u8] {
        match self.form {
            Form::Stamped => {
                let (head, _) = self.buffer.split_at_mut(STAMP_LEN);
                head.copy_from_slice(&stamp(connection, sequence));
            }
            Form::Short => {
                let digits = hex(sequence);
                let len = self.buffer.len();
                self.buffer.copy_from_slice(&digits[STAMP_LEN - len..]);
            }
            Form::Fixed => {}
        }
        &self.buffer
    }

    /// Whether `received` is the echo of a certain message.
    #[must_use]
    pub fn is_echo(&self, received: &[u8], kind: DataKind, connection: u64, sequence: u64) -> bool {
        if kind != self.kind || received.len() != self.buffer.len() {
            return false;
        }
        match self.form {
            Form::Stamped => {
                let (head, body) = received.split_at(STAMP_LEN);
                head == stamp(connection, sequence) && body == &self.buffer[STAMP_LEN..]
            }
            Form::Short => received == &hex(sequence)[STAMP_LEN - received.len()..],
            Form::Fixed => received == self.buffer,
        }
    }

    /// What `received` is, if it isn't the echo that was expected. `near` is a sequence that it
    /// can't be far from.
    #[must_use]
    pub fn recognise(
        &self,
        received: &[u8],
        kind: DataKind,
        connection: u64,
        near: u64,
    ) -> Recognised {
        let Some((named_connection, named_sequence)) = self.named(received) else {
            return Recognised::Unknown;
        };
        if named_connection != connection & CONNECTION_MASK {
            return Recognised::Foreign;
        }
        let sequence = nearest(named_sequence, near);
        if self.is_echo(received, kind, connection, sequence) {
            Recognised::Echo { sequence }
        } else {
            Recognised::Altered { sequence }
        }
    }

    fn named(&self, received: &[u8]) -> Option<(u64, u64)> {
        if self.form != Form::Stamped {
            return None;
        }
        let stamp = received.get(..STAMP_LEN)?;
        let mut value = 0_u64;
        for &byte in stamp {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => return None,
            };
            value = value << 4 | u64::from(digit);
        }
        let sequence_bits = SEQUENCE_MASK.count_ones();
        Some((value >> sequence_bits, value & SEQUENCE_MASK))
    }
}

/// The sequence that ends in the 40 bits `named` and is nearest to `near`.
fn nearest(named: u64, near: u64) -> u64 {
    let ahead = named.wrapping_sub(near) & SEQUENCE_MASK;
    if ahead <= SEQUENCE_MASK / 2 {
        return near.saturating_add(ahead);
    }
    // Behind; before the first message there is none, so it must be ahead after all.
    near.checked_sub(SEQUENCE_MASK + 1 - ahead).unwrap_or_else(|| near.saturating_add(ahead))
}

fn stamp(connection: u64, sequence: u64) -> [u8; STAMP_LEN] {
    let sequence_bits = SEQUENCE_MASK.count_ones();
    hex((connection & CONNECTION_MASK) << sequence_bits | sequence & SEQUENCE_MASK)
}

/// Sixteen digits, all at once: eight nibbles a step, each in a byte of its own.
fn hex(value: u64) -> [u8; STAMP_LEN] {
    let [high, low] = [value >> 32, value & 0xffff_ffff].map(|half| {
        let mut x = (half << 16 | half) & 0x0000_ffff_0000_ffff;
        x = (x << 8 | x) & 0x00ff_00ff_00ff_00ff;
        x = (x << 4 | x) & 0x0f0f_0f0f_0f0f_0f0f;
        // 1 in each byte that holds 10-15: those are letters.
        let letters = (x + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
        x + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10)
    });
    let mut digits = [0; STAMP_LEN];
    digits[..8].copy_from_slice(&high.to_be_bytes());
    digits[8..].copy_from_slice(&low.to_be_bytes());
    digits
}

/// Text of `size` bytes from `seed`, by `SplitMix64`: the same for ever.
fn generated(size: usize, seed: u64) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = seed;
    let mut text = Vec::with_capacity(size);
    while text.len() < size {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let left = size - text.len();
        text.extend(z.to_le_bytes().iter().take(left).map(|&b| ALPHABET[usize::from(b & 63)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Load;

    fn payload(content: Content) -> Payload {
        let load = Load::Closed { pipeline: 1 };
        Payload::new(&Echo { load, messages: None, kind: DataKind::Text, content }, 42)
    }

    #[test]
    fn hex_is_what_the_formatter_writes() {
        for value in [0, 1, 9, 10, 15, 16, 0x0123_4567_89ab_cdef, u64::MAX, 0xfedc_ba98_7654_3210] {
            assert_eq!(hex(value), format!("{value:016x}").as_bytes());
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_for_ever() {
        let mut payload = payload(Content::Generated { size: 32 });
        assert_eq!(payload.message(3, 255), b"00000300000000ffSfPTXnSHUjKO_hcY");
    }

    #[test]
    fn every_size_is_recognised_as_its_own_echo_and_as_no_other() {
        for size in [0, 1, 2, 15, 16, 17, 64, 125, 126, 4096] {
            let mut payload = payload(Content::Generated { size });
            let text = payload.message(7, 1000).to_vec();
            assert_eq!(text.len(), size);
            assert!(text.is_ascii());
            assert!(payload.is_echo(&text, DataKind::Text, 7, 1000), "{size}");
            assert!(!payload.is_echo(&text, DataKind::Binary, 7, 1000), "{size}");
            if size > 0 {
                assert!(!payload.is_echo(&text, DataKind::Text, 7, 1001), "{size}");
                assert!(!payload.is_echo(&text[1..], DataKind::Text, 7, 1000), "{size}");
            }
            if size >= STAMP_LEN {
                assert!(!payload.is_echo(&text, DataKind::Text, 8, 1000), "{size}");
            }
        }
    }

    #[test]
    fn a_stamped_payload_says_whose_echo_it_is() {
        let mut payload = payload(Content::Generated { size: 64 });
        let echo = payload.message(7, 1000).to_vec();
        let recognise = |received: &[u8], kind, near| payload.recognise(received, kind, 7, near);
        let echo_of = Recognised::Echo { sequence: 1000 };
        for near in [0, 999, 1000, 1005, SEQUENCE_MASK / 2] {
            assert_eq!(recognise(&echo, DataKind::Text, near), echo_of, "{near}");
        }
        let altered = Recognised::Altered { sequence: 1000 };
        assert_eq!(recognise(&echo, DataKind::Binary, 1000), altered);
        assert_eq!(recognise(&echo[..40], DataKind::Text, 1000), altered);
        let mut body = echo.clone();
        body[63] ^= 1;
        assert_eq!(recognise(&body, DataKind::Text, 1000), altered);
        let mut head = echo.clone();
        head[0] = b'!';
        assert_eq!(recognise(&head, DataKind::Text, 1000), Recognised::Unknown);
        assert_eq!(recognise(&echo[..15], DataKind::Text, 1000), Recognised::Unknown);
        assert_eq!(payload.recognise(&echo, DataKind::Text, 8, 1000), Recognised::Foreign);
    }

    #[test]
    fn sequences_beyond_40_bits_are_found_again() {
        let far = (5 << 40) + 3;
        assert_eq!(nearest(far & SEQUENCE_MASK, far - 10), far);
        assert_eq!(nearest(far & SEQUENCE_MASK, far + 10), far);
        assert_eq!(nearest(SEQUENCE_MASK, 2), SEQUENCE_MASK);
    }

    #[test]
    fn a_fixed_payload_is_compared_with_itself() {
        let mut payload = payload(Content::Fixed(b"hello".to_vec()));
        assert_eq!(payload.message(1, 2), b"hello");
        assert!(payload.is_echo(b"hello", DataKind::Text, 9, 9));
        assert_eq!(payload.recognise(b"hullo", DataKind::Text, 1, 2), Recognised::Unknown);
    }
}
