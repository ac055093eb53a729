//! Turns connection and sequence into the bytes of a message, and finds the message that received
//! bytes echo.
//!
//! Nothing is stored for a message: its expected echo is computed again from its connection and
//! sequence.
//!
//! ```text
//!   size >= 16   cccccc ssssssssss rrrr…   connection and sequence in hex (24 and 40 bits), then text made from the seed
//!   size < 16    sssss                      the last digits of the sequence
//!   -m TEXT      TEXT                       always the same
//!   -m, -f with placeholders, or many       what the template says; its time is when it was due
//! ```
//!
//! A payload of the first form names the message that it echoes, so loss, duplication and
//! reordering can be told apart. The others are compared with the next expected message, and if
//! they differ from message to message, with those expected at about that time.

mod civil;
mod greeting;
mod post;
mod rendered;
mod request;
mod stamp;

use std::cell::Cell;
use std::sync::Arc;

use wscodec::DataKind;
use wscodec::header::Opcode;

use crate::clock::Clock;
use crate::config::{Content, Echo, Fanout, Sizes, Template, turn};
use crate::index::ConnectionIndex;
use crate::stamp::STAMP_LEN;
pub use civil::rfc3339;
pub(crate) use greeting::greeting;
use post::Posts;
use rendered::Context;
pub(crate) use request::Requests;
pub use request::{Opening, first_request, request};
use stamp::Stamp;

const CONNECTION_DIGITS: usize = 6;
/// Connections and sequences are told apart modulo these.
const CONNECTION_MASK: u64 = (1 << (4 * CONNECTION_DIGITS)) - 1;
const SEQUENCE_MASK: u64 = (1 << (4 * (STAMP_LEN - CONNECTION_DIGITS))) - 1;
/// How far from the expected message to search for one that doesn't name itself: ahead for early
/// messages, behind for repeated ones.
const AHEAD_MAX: u64 = 64;
const BEHIND_MAX: u64 = 16;

/// Makes and recognises payloads. Each worker has one, with room for one message.
#[derive(Clone, Debug)]
pub struct Payload {
    buffer: Vec<u8>,
    form: Form,
    kind: DataKind,
    opcode: Opcode,
    seed: u64,
    clock: Clock,
    /// The last stamp sent, and the last expected.
    sent: Stamp,
    expected: Cell<Stamp>,
}

#[derive(Clone, Debug)]
enum Form {
    Generated(Sizes),
    Fixed,
    Templates(Arc<[Template]>),
    /// A stamp, then text made from the seed, and what is put around them.
    Posts(Posts),
}

/// A message that a reply may belong to.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Its connection in the run.
    pub connection: ConnectionIndex,
    /// Its number on that connection.
    pub sequence: u64,
    /// When it is due, in nanoseconds after the run began.
    pub due_ns: u64,
}

/// What a received message is, compared with the next expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// The echo of the message with this sequence on the same connection, byte by byte.
    Echo {
        /// Which message.
        sequence: u64,
    },
    /// Names a message of this connection, but differs from it.
    Altered {
        /// Which message.
        sequence: u64,
    },
    /// Names a message of another connection, or resembles none that was sent.
    Foreign,
    /// Names nothing, but resembles what is left of the expected message.
    Resembling,
}

impl Payload {
    /// Creates the payloads of `echo`, made from `seed`; `clock` gives the times in them.
    #[must_use]
    pub fn new(echo: &Echo, seed: u64, clock: Clock) -> Self {
        let (buffer, form) = match &echo.content {
            Content::Fixed(payload) => (payload.clone(), Form::Fixed),
            Content::Generated(sizes) => {
                (generated(sizes.most(), seed), Form::Generated(sizes.clone()))
            }
            Content::Templates(templates) => {
                // Grows as needed, which may be much less than the upper bound.
                (Vec::new(), Form::Templates(Arc::clone(templates)))
            }
        };
        let opcode = match echo.kind {
            DataKind::Text => Opcode::Text,
            DataKind::Binary => Opcode::Binary,
        };
        Self::with(buffer, form, (echo.kind, opcode), seed, clock)
    }

    /// Creates the payloads of Pings: connection and number of the Ping.
    #[must_use]
    pub fn of_pings(clock: Clock) -> Self {
        let form = Form::Generated(Sizes::Fixed(STAMP_LEN));
        Self::with(vec![0; STAMP_LEN], form, (DataKind::Binary, Opcode::Ping), 0, clock)
    }

    /// Creates the payloads that publishers of a fanout send.
    #[must_use]
    pub fn of_posts(fanout: &Fanout, run: u64, seed: u64, clock: Clock) -> Self {
        let form = Form::Posts(Posts::new(fanout, run));
        let kind = (DataKind::Text, Opcode::Text);
        Self::with(generated(fanout.size, seed), form, kind, seed, clock)
    }

    fn with(
        buffer: Vec<u8>,
        form: Form,
        (kind, opcode): (DataKind, Opcode),
        seed: u64,
        clock: Clock,
    ) -> Self {
        let (sent, expected) = (Stamp::default(), Cell::new(Stamp::default()));
        Self { buffer, form, kind, opcode, seed, clock, sent, expected }
    }

    /// Returns the opcode of frames with these payloads.
    #[must_use]
    pub const fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// Returns whether the payloads are text or binary.
    #[must_use]
    pub const fn kind(&self) -> DataKind {
        self.kind
    }

    /// Checks whether payloads depend on when they are due.
    #[must_use]
    pub fn has_time(&self) -> bool {
        match &self.form {
            Form::Generated(_) | Form::Fixed => false,
            Form::Posts(_) => true,
            Form::Templates(templates) => templates.iter().any(Template::has_time),
        }
    }

    /// Returns the payload of a message.
    #[inline]
    pub fn message(&mut self, message: Expected) -> &[u8] {
        let Expected { connection, sequence, .. } = message;
        match &self.form {
            Form::Generated(sizes) => {
                let size = sizes.of(self.seed, connection, sequence);
                let payload = &mut self.buffer[..size];
                if size >= STAMP_LEN {
                    self.sent = self.sent.followed_by(stamped(connection, sequence));
                    payload[..STAMP_LEN].copy_from_slice(&self.sent.digits());
                } else {
                    payload.copy_from_slice(&Stamp::new(sequence).digits()[STAMP_LEN - size..]);
                }
                payload
            }
            Form::Fixed => &self.buffer,
            Form::Posts(_) | Form::Templates(_) => self.composed(message),
        }
    }

    /// Returns the payload of a message that needs more than a new stamp. Separate, so that
    /// [`message`](Self::message) stays short.
    #[inline(never)]
    fn composed(&mut self, message: Expected) -> &[u8] {
        let Expected { connection, sequence, .. } = message;
        match &mut self.form {
            Form::Generated(_) | Form::Fixed => {}
            Form::Posts(posts) => {
                let unix_ns = self.clock.unix_ns(message.due_ns);
                return posts.message(&mut self.buffer, self.seed, message, unix_ns);
            }
            Form::Templates(templates) => {
                let template = &templates[turn(connection, sequence, templates.len())];
                let context = Context::of(self.seed, message, self.clock);
                self.buffer.clear();
                rendered::append(template, context, &mut self.buffer);
            }
        }
        &self.buffer
    }

    /// Checks whether `received` is the echo of `message`.
    #[must_use]
    #[inline]
    pub fn is_echo(&self, received: &[u8], kind: DataKind, message: Expected) -> bool {
        let Expected { connection, sequence, .. } = message;
        if kind != self.kind {
            return false;
        }
        match &self.form {
            Form::Generated(sizes) => {
                let size = sizes.of(self.seed, connection, sequence);
                if received.len() != size {
                    return false;
                }
                let Some((head, body)) = received.split_first_chunk() else {
                    return received == &Stamp::new(sequence).digits()[STAMP_LEN - size..];
                };
                let stamp = self.expected.get().followed_by(stamped(connection, sequence));
                self.expected.set(stamp);
                stamp.is(head) && body == &self.buffer[STAMP_LEN..size]
            }
            Form::Fixed => received == self.buffer,
            Form::Posts(_) => false, // nobody echoes them
            Form::Templates(templates) => {
                let template = &templates[turn(connection, sequence, templates.len())];
                rendered::is(template, Context::of(self.seed, message, self.clock), received)
            }
        }
    }

    /// Determines what `received` is, if it isn't the `expected` echo. `due_ns` returns when a
    /// message was due, if that is still known.
    #[must_use]
    pub fn recognise(
        &self,
        received: &[u8],
        kind: DataKind,
        expected: Expected,
        due_ns: impl Fn(u64) -> Option<u64>,
    ) -> Recognised {
        let Expected { connection, sequence: near, .. } = expected;
        if let Some((named_connection, named_sequence)) = self.named(received) {
            if named_connection != connection.0 & CONNECTION_MASK {
                return Recognised::Foreign;
            }
            let sequence = nearest(named_sequence, near);
            return if self.is_echo(received, kind, Expected { sequence, ..expected }) {
                Recognised::Echo { sequence }
            } else {
                Recognised::Altered { sequence }
            };
        }
        if !self.is_varied() {
            return self.unnamed(received, expected);
        }
        let ahead = near..near.saturating_add(AHEAD_MAX);
        let behind = (near.saturating_sub(BEHIND_MAX)..near).rev();
        let found = ahead.chain(behind).find(|&sequence| {
            // A message whose time is no longer known can be recognised by everything else.
            let due_ns = due_ns(sequence).unwrap_or(0);
            self.is_echo(received, kind, Expected { connection, sequence, due_ns })
        });
        found.map_or_else(
            || self.unnamed(received, expected),
            |sequence| Recognised::Echo { sequence },
        )
    }

    /// Judges a message that doesn't begin with a name: foreign unless it resembles the expected
    /// echo. A greeting, an answer or a push of the server doesn't, and the echo comes after it.
    fn unnamed(&self, received: &[u8], message: Expected) -> Recognised {
        let expected = self.rendered(message);
        let is_named = match &self.form {
            Form::Generated(_) => expected.first_chunk::<STAMP_LEN>().is_some_and(|name| {
                // Wrapped in something, or truncated.
                received.windows(STAMP_LEN).any(|part| part == name)
                    || received.len() >= STAMP_LEN / 2 && name.starts_with(received)
            }),
            Form::Fixed | Form::Templates(_) | Form::Posts(_) => false,
        };
        if is_named || resembles(received, &expected) {
            Recognised::Resembling
        } else {
            Recognised::Foreign
        }
    }

    /// Returns the bytes of a message, made separately from those being sent.
    fn rendered(&self, message: Expected) -> Vec<u8> {
        let Expected { connection, sequence, .. } = message;
        match &self.form {
            Form::Generated(sizes) => {
                let size = sizes.of(self.seed, connection, sequence);
                if size < STAMP_LEN {
                    return Stamp::new(sequence).digits()[STAMP_LEN - size..].to_vec();
                }
                let mut payload = self.buffer[..size].to_vec();
                let name = Stamp::new(stamped(connection, sequence)).digits();
                payload[..STAMP_LEN].copy_from_slice(&name);
                payload
            }
            Form::Fixed => self.buffer.clone(),
            Form::Posts(_) => Vec::new(), // never echoed
            Form::Templates(templates) => {
                let template = &templates[turn(connection, sequence, templates.len())];
                let mut payload = Vec::new();
                let context = Context::of(self.seed, message, self.clock);
                rendered::append(template, context, &mut payload);
                payload
            }
        }
    }

    /// Returns a message as it appears in a sample.
    #[must_use]
    pub fn sample(&self, message: Expected) -> Vec<u8> {
        self.rendered(message)
    }

    /// Checks whether messages name themselves, so that an echo is recognised even if it was
    /// altered.
    #[must_use]
    pub fn is_named(&self) -> bool {
        matches!(&self.form, Form::Generated(sizes) if sizes.least() >= STAMP_LEN)
    }

    /// Checks whether payloads that don't name their message can still be told apart. Digits of one
    /// length can't: an altered message would look like another.
    const fn is_varied(&self) -> bool {
        match &self.form {
            Form::Generated(Sizes::Fixed(_)) | Form::Fixed => false,
            Form::Generated(_) | Form::Templates(_) | Form::Posts(_) => true,
        }
    }

    fn named(&self, received: &[u8]) -> Option<(u64, u64)> {
        if !matches!(self.form, Form::Generated(_)) {
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

/// Checks whether `received` is what a fault on the way may leave of `expected`: the same length,
/// with at least half of its bytes in place; or its begin, at least half as long.
fn resembles(received: &[u8], expected: &[u8]) -> bool {
    let half = expected.len().div_ceil(2).max(1);
    if received.len() == expected.len() {
        let equal = received.iter().zip(expected).filter(|(one, other)| one == other).count();
        return equal >= half;
    }
    received.len() >= half && expected.starts_with(received)
}

/// Returns the sequence that ends in the 40 bits `named` and is nearest to `near`.
fn nearest(named: u64, near: u64) -> u64 {
    let ahead = named.wrapping_sub(near) & SEQUENCE_MASK;
    if ahead <= SEQUENCE_MASK / 2 {
        return near.saturating_add(ahead);
    }
    // Behind; before the first message there is none, so it must be ahead.
    near.checked_sub(SEQUENCE_MASK + 1 - ahead).unwrap_or_else(|| near.saturating_add(ahead))
}

/// Returns the name of a message: its connection and its sequence.
const fn stamped(connection: ConnectionIndex, sequence: u64) -> u64 {
    let sequence_bits = SEQUENCE_MASK.count_ones();
    (connection.0 & CONNECTION_MASK) << sequence_bits | sequence & SEQUENCE_MASK
}

/// Returns text of `size` bytes from `seed`, by `SplitMix64`; it never changes.
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
        let kind = DataKind::Text;
        let echo = Echo { load, messages: None, kind, content, fragment: None };
        Payload::new(&echo, 42, Clock::start())
    }

    fn sized(size: usize) -> Payload {
        payload(Content::Generated(Sizes::Fixed(size)))
    }

    fn templates(lines: &[&str]) -> Payload {
        let lines = lines.iter().map(|line| Template::parse(line.as_bytes()).unwrap());
        payload(Content::Templates(lines.collect()))
    }

    fn at(connection: u64, sequence: u64) -> Expected {
        Expected { connection: ConnectionIndex(connection), sequence, due_ns: sequence * 1_000 }
    }

    fn recognise(payload: &Payload, received: &[u8], kind: DataKind, near: u64) -> Recognised {
        payload.recognise(received, kind, at(7, near), |sequence| Some(sequence * 1_000))
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_for_ever() {
        assert_eq!(sized(32).message(at(3, 255)), b"00000300000000ffSfPTXnSHUjKO_hcY");
    }

    #[test]
    fn every_size_is_recognised_as_its_own_echo_and_as_no_other() {
        for size in [0, 1, 2, 15, 16, 17, 64, 125, 126, 4096] {
            let mut payload = sized(size);
            let text = payload.message(at(7, 1000)).to_vec();
            assert_eq!(text.len(), size);
            assert!(text.is_ascii());
            assert!(payload.is_echo(&text, DataKind::Text, at(7, 1000)), "{size}");
            assert!(!payload.is_echo(&text, DataKind::Binary, at(7, 1000)), "{size}");
            if size > 0 {
                assert!(!payload.is_echo(&text, DataKind::Text, at(7, 1001)), "{size}");
                assert!(!payload.is_echo(&text[1..], DataKind::Text, at(7, 1000)), "{size}");
            }
            if size >= STAMP_LEN {
                assert!(!payload.is_echo(&text, DataKind::Text, at(8, 1000)), "{size}");
            }
        }
    }

    #[test]
    fn sizes_from_a_range_are_recognised_short_or_long_and_out_of_order() {
        let mut payload = payload(Content::Generated(Sizes::Range { least: 4, most: 40 }));
        let all: Vec<_> =
            (0..60).map(|sequence| payload.message(at(7, sequence)).to_vec()).collect();
        assert!(all.iter().any(|text| text.len() < STAMP_LEN));
        assert!(all.iter().any(|text| text.len() > STAMP_LEN));
        for (sequence, text) in (0..).zip(&all) {
            assert!(payload.is_echo(text, DataKind::Text, at(7, sequence)));
            let found = recognise(&payload, text, DataKind::Text, 10);
            assert_eq!(found, Recognised::Echo { sequence }, "{}", text.len());
        }
    }

    #[test]
    fn templates_are_taken_in_turn_and_recognised_out_of_order() {
        let mut payload = templates(&["{seq} {rand:9}", "{time} {conn}", "always {rand:1..9}"]);
        assert!(payload.has_time());
        let all: Vec<_> =
            (0..9).map(|sequence| payload.message(at(7, sequence)).to_vec()).collect();
        assert!(all[1].starts_with(b"always ") && all[2].starts_with(b"2 "));
        for (sequence, text) in (0..).zip(&all).filter(|(sequence, _)| sequence % 3 != 1) {
            assert!(payload.is_echo(text, DataKind::Text, at(7, sequence)));
            assert!(!payload.is_echo(text, DataKind::Binary, at(7, sequence)));
            for near in [0, 4, 9] {
                let found = recognise(&payload, text, DataKind::Text, near);
                assert_eq!(found, Recognised::Echo { sequence }, "{sequence} {near}");
            }
        }
        assert_eq!(recognise(&payload, b"neither", DataKind::Text, 3), Recognised::Foreign);
    }

    #[test]
    fn the_time_is_that_of_the_plan() {
        let mut payload = templates(&["{time:ns}"]);
        let due_ns = 5_000_000_000;
        let message = Expected { connection: ConnectionIndex(0), sequence: 0, due_ns };
        let text = String::from_utf8(payload.message(message).to_vec()).unwrap();
        assert_eq!(text, payload.clock.unix_ns(due_ns).to_string());
        assert!(!payload.is_echo(
            text.as_bytes(),
            DataKind::Text,
            Expected { due_ns: due_ns + 1, ..message }
        ));
    }

    #[test]
    fn a_stamped_payload_says_whose_echo_it_is() {
        let mut payload = sized(64);
        let echo = payload.message(at(7, 1000)).to_vec();
        let of = |received: &[u8], kind, near| recognise(&payload, received, kind, near);
        let echo_of = Recognised::Echo { sequence: 1000 };
        for near in [0, 999, 1000, 1005, SEQUENCE_MASK / 2] {
            assert_eq!(of(&echo, DataKind::Text, near), echo_of, "{near}");
        }
        let altered = Recognised::Altered { sequence: 1000 };
        assert_eq!(of(&echo, DataKind::Binary, 1000), altered);
        assert_eq!(of(&echo[..40], DataKind::Text, 1000), altered);
        let mut body = echo.clone();
        body[63] ^= 1;
        assert_eq!(of(&body, DataKind::Text, 1000), altered);
        let mut head = echo.clone();
        head[0] = b'!';
        assert_eq!(of(&head, DataKind::Text, 1000), Recognised::Resembling);
        assert_eq!(of(&echo[..15], DataKind::Text, 1000), Recognised::Resembling);
        assert_eq!(of(b"", DataKind::Text, 1000), Recognised::Foreign);
        let push = [b'x'; 64];
        assert_eq!(of(&push, DataKind::Text, 1000), Recognised::Foreign, "as long, and no echo");
        let of_another = payload.recognise(&echo, DataKind::Text, at(8, 1000), |_| None);
        assert_eq!(of_another, Recognised::Foreign);
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
        assert_eq!(payload.message(at(1, 2)), b"hello");
        assert!(payload.is_echo(b"hello", DataKind::Text, at(9, 9)));
        assert_eq!(recognise(&payload, b"hullo", DataKind::Text, 2), Recognised::Resembling);
        for other in [&b""[..], b"he", b"olleh", b"hello, world"] {
            assert_eq!(recognise(&payload, other, DataKind::Text, 2), Recognised::Foreign);
        }
    }
}
