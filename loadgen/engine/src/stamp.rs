//! Writes the number and send time of a message as text into its payload, and reads them back.
//!
//! ```text
//!   push <sequence> <unix ns>                                    what a server pushes to a connection
//!   post <run> <topic> <publisher> <sequence> <unix ns>          what a publisher of a fanout sends
//! ```
//!
//! Decimal numbers separated by single spaces; whatever follows is padding. Written with a fixed
//! width, read with any, and found anywhere: also inside whatever another server wraps around it,
//! such as `{"data":"push 42 1732198000123456789 ..."}`. A stamp has no byte that JSON would
//! escape, so it is the same in a string within a string. Sequences count up by one.
//!
//! A message is searched completely, in linear time: a stamp is read as digits and spaces, in which
//! no other stamp begins.

use std::time::SystemTime;

use memchr::memmem;

use crate::clock::nanos;

/// Bytes that name a message of a `run`, see [`payload`](crate::payload).
pub const STAMP_LEN: usize = 16;

/// Digits of a sequence and of a time when written.
const SEQUENCE_DIGITS: usize = 12;
const TIME_DIGITS: usize = 19;

/// Returns the wall-clock time in nanoseconds since 1970. Other processes and machines share this
/// clock, as far as it is kept in step.
#[must_use]
pub fn unix_ns() -> u64 {
    nanos(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// The stamp of a message that a server pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Push {
    /// Number of the message on its connection.
    pub sequence: u64,
    /// When it was sent.
    pub unix_ns: u64,
}

impl Push {
    const WORD: &[u8] = b"push ";
    /// Bytes of the stamp when written.
    pub const LEN: usize = Self::WORD.len() + SEQUENCE_DIGITS + 1 + TIME_DIGITS + 1;

    /// Writes the stamp to the begin of `payload`, which must have at least [`LEN`](Self::LEN)
    /// bytes; the rest is unchanged.
    pub fn write(self, payload: &mut [u8]) {
        let mut rest = payload;
        put(&mut rest, Self::WORD);
        put_number(&mut rest, self.sequence, SEQUENCE_DIGITS);
        put_number(&mut rest, self.unix_ns, TIME_DIGITS);
    }

    /// Finds the first stamp in a payload.
    #[must_use]
    pub fn find(payload: &[u8]) -> Option<Self> {
        let read =
            |rest: &mut &[u8]| Some(Self { sequence: number(rest)?, unix_ns: number(rest)? });
        Some(find(payload, Self::WORD, read)?.0)
    }
}

/// The stamp of a message that is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Post {
    /// The run it belongs to.
    pub run: u64,
    /// Its topic.
    pub topic: u64,
    /// The number of the publisher.
    pub publisher: u64,
    /// Number of the message of its publisher.
    pub sequence: u64,
    /// When it was to be sent.
    pub unix_ns: u64,
}

impl Post {
    const WORD: &[u8] = b"post ";
    const RUN_DIGITS: usize = 10;
    const TOPIC_DIGITS: usize = 4;
    const PUBLISHER_DIGITS: usize = 6;
    /// Bytes of the stamp when written.
    pub const LEN: usize = Self::WORD.len()
        + (Self::RUN_DIGITS + 1)
        + (Self::TOPIC_DIGITS + 1)
        + (Self::PUBLISHER_DIGITS + 1)
        + (SEQUENCE_DIGITS + 1)
        + (TIME_DIGITS + 1);

    /// Writes the stamp to the begin of `payload`, which must have at least [`LEN`](Self::LEN)
    /// bytes; the rest is unchanged.
    pub fn write(self, payload: &mut [u8]) {
        let mut rest = payload;
        put(&mut rest, Self::WORD);
        put_number(&mut rest, self.run, Self::RUN_DIGITS);
        put_number(&mut rest, self.topic, Self::TOPIC_DIGITS);
        put_number(&mut rest, self.publisher, Self::PUBLISHER_DIGITS);
        put_number(&mut rest, self.sequence, SEQUENCE_DIGITS);
        put_number(&mut rest, self.unix_ns, TIME_DIGITS);
    }

    /// Finds the first stamp in a payload; returns it with the bytes after it.
    #[must_use]
    pub fn find(payload: &[u8]) -> Option<(Self, &[u8])> {
        find(payload, Self::WORD, |rest| {
            Some(Self {
                run: number(rest)?,
                topic: number(rest)?,
                publisher: number(rest)?,
                sequence: number(rest)?,
                unix_ns: number(rest)?,
            })
        })
    }
}

/// Finds the first place in `payload` where `read` succeeds after `word`, and returns the result
/// with the bytes left.
fn find<'p, T>(
    payload: &'p [u8],
    word: &[u8],
    read: impl Fn(&mut &'p [u8]) -> Option<T>,
) -> Option<(T, &'p [u8])> {
    let mut rest = payload;
    loop {
        // Without a wrapper, the stamp is at the begin.
        let place = if rest.starts_with(word) { 0 } else { memmem::find(rest, word)? };
        rest = rest.get(place + word.len()..)?;
        if let Some(found) = read(&mut rest) {
            return Some((found, rest));
        }
    }
}

/// Reads a number of up to 64 bits and the space after it.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if len == 0 {
        return None;
    }
    let (digits, left) = rest.split_at(len);
    *rest = left.strip_prefix(b" ").unwrap_or(left);
    digits.iter().try_fold(0_u64, |value, &digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

fn put(rest: &mut &mut [u8], bytes: &[u8]) {
    let (head, left) = std::mem::take(rest).split_at_mut(bytes.len());
    head.copy_from_slice(bytes);
    *rest = left;
}

/// Writes the last `digits` digits of a number, and a space.
fn put_number(rest: &mut &mut [u8], mut value: u64, digits: usize) {
    let (head, left) = std::mem::take(rest).split_at_mut(digits);
    for digit in head.iter_mut().rev() {
        *digit = b'0' + (value % 10).to_le_bytes()[0];
        value /= 10;
    }
    *rest = left;
    put(rest, b" ");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_found_again() {
        let push = Push { sequence: 42, unix_ns: 1_732_198_000_123_456_789 };
        let mut payload = [b'.'; 64];
        push.write(&mut payload);
        assert_eq!(&payload[..Push::LEN], b"push 000000000042 1732198000123456789 ");
        assert_eq!(Push::find(&payload), Some(push));
        let mut exact = [0; Push::LEN];
        push.write(&mut exact);
        assert_eq!(Push::find(&exact), Some(push));
    }

    #[test]
    fn a_post_is_found_again_with_what_follows_it() {
        let post = Post { run: 7, topic: 3, publisher: 12, sequence: 42, unix_ns: 1 << 60 };
        let mut payload = [b'.'; 64];
        post.write(&mut payload);
        assert_eq!(
            &payload[..Post::LEN],
            b"post 0000000007 0003 000012 000000000042 1152921504606846976 "
        );
        assert_eq!(Post::find(&payload), Some((post, &b"..."[..])));
        assert_eq!(Post::find(b"post 1 2 3 4 x"), None);
    }

    #[test]
    fn it_is_found_in_what_another_server_makes_of_it() {
        let found = Some(Push { sequence: 7, unix_ns: 123 });
        for text in [
            "push 7 123",
            "push 7 123 more",
            r#"{"a":1,"data":"push 7 123"}"#,
            r#"{"raw":"{\"data\":\"push 7 123\"}"}"#,
            "push push 1 push push 7 123",
            r#"{"event":"push ","of":"push 1 x","data":"push 7 123"}"#,
        ] {
            assert_eq!(Push::find(text.as_bytes()), found, "{text}");
        }
        let far = format!("{:60000}push 7 123", "");
        assert_eq!(Push::find(far.as_bytes()), found, "far behind");
    }

    #[test]
    fn anything_else_has_none() {
        for text in [
            "",
            "push",
            "push ",
            "push 1",
            "push 1 ",
            "push x 1",
            "push -1 5",
            "push 1  2",
            "push 99999999999999999999 1",
            "hello",
        ] {
            assert_eq!(Push::find(text.as_bytes()), None, "{text}");
        }
    }
}
