//! Renders a template for one message or request, piece by piece: into a buffer, or along a
//! received message, which is thus compared without a copy.

use super::{Expected, civil};
use crate::clock::Clock;
use crate::config::{Part, TIME_NS_LEN, Template};
use crate::index::ConnectionIndex;
use crate::random::{self, Use};

/// The letters and digits to choose from.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What a payload depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context<'p> {
    pub(super) seed: u64,
    pub(super) connection: ConnectionIndex,
    pub(super) sequence: u64,
    /// When the message was due, in nanoseconds since 1970.
    pub(super) unix_ns: u64,
    /// The topic, if there is one.
    pub(super) topic: u64,
    /// The payload that is published, if any.
    pub(super) payload: &'p [u8],
    /// The lane of the first part's random numbers: templates rendered for the same message have
    /// different lanes.
    pub(super) lane: u32,
}

impl Context<'static> {
    /// Returns the context of a message that has no topic and publishes nothing.
    pub(super) const fn of(seed: u64, message: Expected, clock: Clock) -> Self {
        Self {
            seed,
            connection: message.connection,
            sequence: message.sequence,
            unix_ns: clock.unix_ns(message.due_ns),
            topic: 0,
            payload: b"",
            lane: 0,
        }
    }
}

/// Appends the payload to `out`.
pub(super) fn append(template: &Template, context: Context<'_>, out: &mut Vec<u8>) {
    pieces(template, context, |piece| {
        out.extend_from_slice(piece);
        true
    });
}

/// Checks whether `received` is the payload.
pub(super) fn is(template: &Template, context: Context<'_>, received: &[u8]) -> bool {
    let mut rest = received;
    let is_begun = pieces(template, context, |piece| match rest.strip_prefix(piece) {
        Some(left) => {
            rest = left;
            true
        }
        None => false,
    });
    is_begun && rest.is_empty()
}

/// Passes the pieces of a payload to `take`, until it returns false; returns whether it never did.
fn pieces(template: &Template, context: Context<'_>, mut take: impl FnMut(&[u8]) -> bool) -> bool {
    template.parts().iter().zip(context.lane..).all(|(part, lane)| {
        let number =
            || random::number(context.seed, Use::Part(lane), context.connection, context.sequence);
        match part {
            Part::Literal(bytes) => take(bytes),
            Part::Sequence { digits } => take(Digits::of(context.sequence).at_least(*digits)),
            Part::Connection { digits } => take(Digits::of(context.connection.0).at_least(*digits)),
            Part::Topic => take(Digits::of(context.topic).as_bytes()),
            Part::Payload => take(context.payload),
            Part::Time => take(&civil::rfc3339(context.unix_ns)),
            Part::TimeNs => {
                let digits = Digits::of(context.unix_ns);
                take(&digits.0[Digits::LEN - TIME_NS_LEN..])
            }
            Part::Text(len) => text(number(), *len, &mut take),
            Part::Number { least, most } => {
                let more = random::below(number(), most - least + 1);
                take(Digits::of(least + more).as_bytes())
            }
        }
    })
}

/// Generates letters and digits, eight a step.
fn text(number: u64, len: usize, mut take: impl FnMut(&[u8]) -> bool) -> bool {
    (0..len.div_ceil(8)).all(|step| {
        let letters = random::after(number, step as u64).to_le_bytes();
        let letters = letters.map(|byte| ALPHABET[usize::from(byte & 63)]);
        take(&letters[..(len - 8 * step).min(8)])
    })
}

/// A number in decimal, padded with zeros.
struct Digits([u8; Self::LEN], usize);

impl Digits {
    const LEN: usize = 20;

    fn of(mut number: u64) -> Self {
        let mut digits = Self([b'0'; Self::LEN], Self::LEN - 1);
        let mut place = Self::LEN;
        while number > 0 {
            place -= 1;
            digits.0[place] = b'0' + (number % 10).to_le_bytes()[0];
            digits.1 = place;
            number /= 10;
        }
        digits
    }

    /// Returns the digits without leading zeros.
    fn as_bytes(&self) -> &[u8] {
        &self.0[self.1..]
    }

    /// Returns the digits, padded with zeros to a length of `digits`.
    fn at_least(&self, digits: usize) -> &[u8] {
        &self.0[self.1.min(Self::LEN.saturating_sub(digits))..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(connection: u64, sequence: u64) -> Context<'static> {
        let unix_ns = 1_795_269_945_123_456_789;
        let connection = ConnectionIndex(connection);
        Context { seed: 42, connection, sequence, unix_ns, topic: 0, payload: b"", lane: 0 }
    }

    fn rendered(text: &str, context: Context<'_>) -> String {
        let mut out = Vec::new();
        append(&Template::parse(text.as_bytes()).unwrap(), context, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn placeholders_are_replaced_the_same_way_for_ever() {
        assert_eq!(rendered("{conn}/{seq}", context(7, 0)), "7/0");
        assert_eq!(rendered("{seq}", context(0, u64::MAX)), u64::MAX.to_string());
        assert_eq!(
            rendered("{conn:5}|{conn:1}|{seq:20}", context(42, 7)),
            format!("00042|42|{:020}", 7)
        );
        assert_eq!(rendered("{conn:2}", context(1_234, 0)), "1234");
        assert_eq!(rendered("{time}", context(0, 0)), "2026-11-21T14:05:45.123456789Z");
        assert_eq!(rendered("{time:ns}", context(0, 0)), "1795269945123456789");
        assert_eq!(rendered("{rand:9}|{rand:10..99}", context(1, 2)), "erBXSckzw|93");
        assert_eq!(rendered("{rand:7..7}", context(1, 2)), "7");
    }

    #[test]
    fn numbers_are_within_their_bounds_and_differ() {
        let numbers: std::collections::BTreeSet<u64> = (0..1_000)
            .map(|sequence| rendered("{rand:98..103}", context(3, sequence)).parse().unwrap())
            .collect();
        assert_eq!(numbers, (98..=103).collect());
    }

    #[test]
    fn a_payload_is_itself_and_nothing_else() {
        let template = Template::parse(b"a{seq}b{rand:20}{rand:0..9}{time}{conn}").unwrap();
        let (mut one, mut other) = (Vec::new(), Vec::new());
        append(&template, context(1, 99), &mut one);
        append(&template, context(1, 100), &mut other);
        assert!((template.size_least()..=template.size_most()).contains(&one.len()));
        assert!(is(&template, context(1, 99), &one) && is(&template, context(1, 100), &other));
        assert!(!is(&template, context(1, 100), &one) && !is(&template, context(2, 99), &one));
        for len in 0..one.len() {
            assert!(!is(&template, context(1, 99), &one[..len]), "{len}");
            let mut changed = one.clone();
            changed[len] ^= 1;
            assert!(!is(&template, context(1, 99), &changed), "{len}");
        }
        one.push(b'0');
        assert!(!is(&template, context(1, 99), &one));
    }
}
