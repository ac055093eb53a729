//! The content of a message: text with placeholders, or bytes that include numbers and lengths.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::text::{Context, Text};

/// The content of a message.
#[derive(Clone, Debug)]
pub enum Body {
    /// A text message.
    Text(Text),
    /// A binary message.
    Bytes(Vec<Item>),
}

/// A part of a binary message.
#[derive(Clone, Debug)]
pub enum Item {
    /// Text, or bytes that never change.
    Text(Text),
    /// Bytes that never change.
    Plain(Box<[u8]>),
    /// Bytes that are given in base64.
    Base64(Text),
    /// An integer in this many bytes, the highest first.
    Number(Text, usize),
    /// Items, preceded by their length.
    Counted(Length, Vec<Item>),
}

/// How a length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Two bytes, the higher first.
    Two,
    /// Seven bits a byte, the lowest first, as in MQTT.
    Varying,
}

impl Body {
    /// Checks whether the message is binary.
    #[must_use]
    pub const fn is_binary(&self) -> bool {
        matches!(self, Self::Bytes(_))
    }

    /// Checks whether the content includes the number of the request.
    #[must_use]
    pub fn has_id(&self) -> bool {
        match self {
            Self::Text(text) => text.has_id(),
            Self::Bytes(items) => items.iter().any(|item| item.has(&Text::has_id)),
        }
    }

    /// Checks whether the content includes a stamp.
    #[must_use]
    pub fn has_stamp(&self) -> bool {
        match self {
            Self::Text(text) => text.has_stamp(),
            Self::Bytes(items) => items.iter().any(|item| item.has(&Text::has_stamp)),
        }
    }

    /// Appends the content of one message.
    pub fn render(&self, context: &Context<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => text.render(context, out),
            Self::Bytes(items) => {
                for item in items {
                    item.render(context, out);
                }
            }
        }
    }
}

impl Item {
    fn has(&self, what: &impl Fn(&Text) -> bool) -> bool {
        match self {
            Self::Text(text) | Self::Base64(text) | Self::Number(text, _) => what(text),
            Self::Plain(_) => false,
            Self::Counted(_, items) => items.iter().any(|item| item.has(what)),
        }
    }

    fn render(&self, context: &Context<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => text.render(context, out),
            Self::Plain(bytes) => out.extend_from_slice(bytes),
            Self::Base64(text) => {
                // Rendered after the existing bytes, decoded behind that, and moved over it.
                let begin = out.len();
                text.render(context, out);
                let middle = out.len();
                out.resize(middle + base64::decoded_len_estimate(middle - begin), 0);
                let (front, room) = out.split_at_mut(middle);
                let len = STANDARD.decode_slice(&front[begin..], room).unwrap_or(0);
                out.copy_within(middle..middle + len, begin);
                out.truncate(begin + len);
            }
            Self::Number(text, len) => {
                // Rendered after the existing bytes, read, and replaced: no buffer of its own.
                let begin = out.len();
                text.render(context, out);
                let number = str::from_utf8(&out[begin..]).ok().and_then(|text| text.parse().ok());
                out.truncate(begin);
                out.extend_from_slice(&number.unwrap_or(0_u64).to_be_bytes()[8 - len..]);
            }
            Self::Counted(how, items) => {
                let begin = out.len();
                for item in items {
                    item.render(context, out);
                }
                how.insert(begin, out);
            }
        }
    }
}

impl Length {
    /// Inserts the length of the bytes after `begin` before them.
    pub(super) fn insert(self, begin: usize, out: &mut Vec<u8>) {
        let mut len = out.len() - begin;
        let mut bytes = [0; 4];
        let mut used = 0;
        match self {
            Self::Two => {
                bytes[..2].copy_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
                used = 2;
            }
            Self::Varying => {
                while used < bytes.len() {
                    bytes[used] = u8::try_from(len & 0x7f).unwrap_or(0);
                    len >>= 7;
                    used += 1;
                    if len == 0 {
                        break;
                    }
                    bytes[used - 1] |= 0x80;
                }
            }
        }
        let end = out.len();
        out.extend_from_slice(&bytes[..used]);
        let grown = out.len() - end;
        out[begin..].rotate_right(grown);
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Scope;
    use super::super::text::tests::CONTEXT;
    use super::*;

    #[test]
    fn base64_is_decoded_for_each_message() {
        let text = |typed: &str| Text::parse(typed, &mut Scope::default()).unwrap();
        for (typed, bytes) in [("AP8{conn}Aw==", &[0, 0xff, 0x37, 3][..]), ("{conn}", b"")] {
            let body = Body::Bytes(vec![Item::Base64(text(typed)), Item::Plain([9].into())]);
            let mut out = b"x".to_vec();
            body.render(&CONTEXT, &mut out);
            assert_eq!(out, [b"x", bytes, &[9]].concat(), "{typed}");
        }
    }

    #[test]
    fn lengths_stand_in_front_of_what_they_count() {
        let text = |typed: &str| Text::parse(typed, &mut Scope::default()).unwrap();
        let topic = Item::Counted(Length::Two, vec![Item::Text(text("t/{conn}"))]);
        let id = Item::Number(text("{id}"), 2);
        let rest = vec![id, topic, Item::Plain([0].into())];
        let packet =
            Body::Bytes(vec![Item::Plain([0x82].into()), Item::Counted(Length::Varying, rest)]);
        let mut out = b"x".to_vec();
        packet.render(&CONTEXT, &mut out);
        assert_eq!(out, b"x\x82\x08\x00\x0c\x00\x03t/3\x00");
        assert!(packet.has_id() && packet.is_binary() && !packet.has_stamp());
        for (len, head) in [(127, &[0x7f][..]), (128, &[0x80, 1]), (16_384, &[0x80, 0x80, 1])] {
            let mut out = vec![b'y'; len];
            Length::Varying.insert(0, &mut out);
            assert_eq!((&out[..head.len()], out.len()), (head, len + head.len()));
        }
    }
}
