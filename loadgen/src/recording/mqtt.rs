//! Takes MQTT packets apart, and writes them as the `bytes` of a scenario.
//!
//! MQTT 3.1.1 and 5, section 2: a type, the length of the rest in seven bits a byte, and the rest.

use std::ops::Range;

use super::place::{Field, Form, Place};
use super::quoting::{self, Edit};

/// A part of a packet after its length.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// As it is.
    Plain(Range<usize>),
    /// A string with its length before it: where the string is, and what it is.
    Text(Range<usize>, &'static str),
    /// The identifier of the packet.
    Id(Range<usize>),
    /// Text up to the end.
    Rest(Range<usize>, &'static str),
}

/// The parts of a packet.
struct Packet<'p> {
    bytes: &'p [u8],
    at: usize,
    parts: Vec<Part>,
}

/// Returns the type of a packet: its upper four bits.
pub(super) fn kind(packet: &[u8]) -> u8 {
    packet.first().map_or(0, |byte| byte >> 4)
}

/// The types that matter here (MQTT, table 2.1).
pub(super) const CONNECT: u8 = 1;
pub(super) const PUBLISH: u8 = 3;
pub(super) const PUBREC: u8 = 5;
pub(super) const PUBREL: u8 = 6;
pub(super) const SUBSCRIBE: u8 = 8;
pub(super) const UNSUBSCRIBE: u8 = 10;
pub(super) const PINGREQ: u8 = 12;
pub(super) const DISCONNECT: u8 = 14;

/// What a CONNECT packet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Connect {
    /// 4 for MQTT 3.1.1, 5 for MQTT 5.
    pub(super) level: u8,
    /// Its flags.
    pub(super) flags: u8,
    /// Seconds within which the client says something.
    pub(super) keepalive: u16,
}

/// Reads a CONNECT packet.
pub(super) fn connect(packet: &[u8]) -> Option<Connect> {
    if kind(packet) != CONNECT {
        return None;
    }
    let head = packet.get(head_len(packet)?..)?.strip_prefix(b"\0\x04MQTT")?;
    let [level, flags, high, low, ..] = *head else { return None };
    Some(Connect { level, flags, keepalive: u16::from_be_bytes([high, low]) })
}

/// Returns the quality of service of a PUBLISH packet.
pub(super) fn quality(packet: &[u8]) -> u8 {
    packet.first().map_or(0, |byte| byte >> 1 & 3)
}

/// Returns the bytes before a packet's variable header.
fn head_len(packet: &[u8]) -> Option<usize> {
    let lengths = packet.get(1..)?.iter().take(4);
    lengths.clone().position(|byte| byte & 0x80 == 0).map(|at| at + 2)
}

/// Takes a packet apart; `None` if it is cut, or if nothing in it may vary. A packet doesn't say
/// itself whether it is of MQTT 5, where some have properties.
fn parts(bytes: &[u8], is_5: bool) -> Option<Vec<Part>> {
    let mut packet = Packet { bytes, at: head_len(bytes)?, parts: Vec::new() };
    match kind(bytes) {
        CONNECT => packet.connect()?,
        PUBLISH => {
            packet.text("topic")?;
            if quality(bytes) > 0 {
                packet.id()?;
            }
            if is_5 {
                packet.properties()?;
            }
            packet.parts.push(Part::Rest(packet.at..bytes.len(), "payload"));
            packet.at = bytes.len();
        }
        SUBSCRIBE | UNSUBSCRIBE => {
            packet.id()?;
            if is_5 {
                packet.properties()?;
            }
            while packet.at < bytes.len() {
                packet.text("topic")?;
                if kind(bytes) == SUBSCRIBE {
                    packet.plain(1)?;
                }
            }
        }
        _ => return None,
    }
    let rest = packet.at..bytes.len();
    if !rest.is_empty() {
        packet.parts.push(Part::Plain(rest));
    }
    Some(packet.parts)
}

impl Packet<'_> {
    fn plain(&mut self, len: usize) -> Option<()> {
        let end = self.at.checked_add(len)?;
        self.bytes.get(self.at..end)?;
        self.parts.push(Part::Plain(self.at..end));
        self.at = end;
        Some(())
    }

    fn id(&mut self) -> Option<()> {
        self.bytes.get(self.at..self.at + 2)?;
        self.parts.push(Part::Id(self.at..self.at + 2));
        self.at += 2;
        Some(())
    }

    fn text(&mut self, what: &'static str) -> Option<()> {
        let &[high, low] = self.bytes.get(self.at..self.at + 2)? else { return None };
        let begin = self.at + 2;
        let end = begin + usize::from(u16::from_be_bytes([high, low]));
        self.bytes.get(begin..end)?;
        self.parts.push(Part::Text(begin..end, what));
        self.at = end;
        Some(())
    }

    /// Passes the properties of MQTT 5, as they are.
    fn properties(&mut self) -> Option<()> {
        let mut len = 0_usize;
        for n in 0..4 {
            let byte = *self.bytes.get(self.at + n)?;
            len |= usize::from(byte & 0x7f) << (7 * n);
            if byte & 0x80 == 0 {
                return self.plain(n + 1 + len);
            }
        }
        None
    }

    fn connect(&mut self) -> Option<()> {
        let Connect { level, flags, .. } = connect(self.bytes)?;
        self.plain(10)?;
        let is_5 = level == 5;
        if is_5 {
            self.properties()?;
        }
        self.text("client")?;
        if flags & 4 != 0 {
            if is_5 {
                self.properties()?;
            }
            self.text("will_topic")?;
            self.text("will")?;
        }
        if flags & 0x80 != 0 {
            self.text("user")?;
        }
        if flags & 0x40 != 0 {
            self.text("password")?;
        }
        Some(())
    }
}

/// Returns the strings of a packet.
pub(super) fn fields(bytes: &[u8], is_5: bool) -> Vec<Field> {
    let field = |part: Part| match part {
        Part::Text(span, what) | Part::Rest(span, what)
            if str::from_utf8(&bytes[span.clone()]).is_ok() =>
        {
            let value = bytes[span.clone()].to_vec();
            Some(Field { place: Place::Mqtt(what), span, form: Form::Plain, value })
        }
        _ => None,
    };
    parts(bytes, is_5).unwrap_or_default().into_iter().filter_map(field).collect()
}

/// Returns the identifier of a packet that waits for an answer, or that is one.
pub(super) fn id(bytes: &[u8], is_5: bool) -> Option<u16> {
    let is_answer = matches!(kind(bytes), 4..=7 | 9 | 11);
    let span = if is_answer {
        let begin = head_len(bytes)?;
        begin..begin + 2
    } else {
        let mut parts = parts(bytes, is_5)?.into_iter();
        parts.find_map(|part| if let Part::Id(span) = part { Some(span) } else { None })?
    };
    let &[high, low] = bytes.get(span)? else { return None };
    Some(u16::from_be_bytes([high, low]))
}

/// Returns the `bytes` of a scenario that make this packet, but for the edits.
pub(super) fn toml(bytes: &[u8], is_5: bool, edits: &[Edit]) -> String {
    let Some(parts) = parts(bytes, is_5) else {
        return format!("[{{ hex = \"{}\" }}]", quoting::hex(bytes));
    };
    let plain = |span: Range<usize>| format!("{{ hex = \"{}\" }}", quoting::hex(&bytes[span]));
    let item = |part: &Part| match part {
        Part::Plain(span) => plain(span.clone()),
        Part::Id(_) => "{ u16 = \"{id}\" }".into(),
        Part::Text(span, _) => text(bytes, span, edits).map_or_else(
            || plain(span.start - 2..span.end),
            |text| format!("{{ len16 = [{text}] }}"),
        ),
        Part::Rest(span, _) => text(bytes, span, edits).unwrap_or_else(|| plain(span.clone())),
    };
    let items: Vec<_> = parts
        .iter()
        .filter(|part| !matches!(part, Part::Plain(span) | Part::Rest(span, _) if span.is_empty()))
        .map(item)
        .collect();
    format!("[{{ hex = \"{:02x}\" }}, {{ varlen = [{}] }}]", bytes[0], items.join(", "))
}

fn text(bytes: &[u8], span: &Range<usize>, edits: &[Edit]) -> Option<String> {
    let text = str::from_utf8(&bytes[span.clone()]).ok()?;
    let inside: Vec<Edit> = edits
        .iter()
        .filter(|(edit, _)| edit.start >= span.start && edit.end <= span.end)
        .map(|(edit, new)| (edit.start - span.start..edit.end - span.start, new.clone()))
        .collect();
    Some(quoting::quoted(&quoting::template(text, &inside)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBSCRIBE_A: &[u8] = b"\x82\x06\x00\x07\x00\x01a\x00";

    #[test]
    fn packets_are_written_as_items() {
        for (packet, toml_of) in [
            (
                SUBSCRIBE_A,
                r#"[{ hex = "82" }, { varlen = [{ u16 = "{id}" }, { len16 = ['a'] }, { hex = "00" }] }]"#,
            ),
            (b"\x30\x05\x00\x01ahi", r#"[{ hex = "30" }, { varlen = [{ len16 = ['a'] }, 'hi'] }]"#),
            (
                b"\x32\x06\x00\x01a\x00\x09\xff",
                r#"[{ hex = "32" }, { varlen = [{ len16 = ['a'] }, { u16 = "{id}" }, { hex = "ff" }] }]"#,
            ),
            (b"\xc0\x00", r#"[{ hex = "c0 00" }]"#),
        ] {
            assert_eq!(toml(packet, false, &[]), toml_of);
        }
    }

    #[test]
    fn packets_of_mqtt_5_have_properties() {
        let packet = b"\x82\x0a\x00\x07\x03\x0b\x01\x00\x00\x01a\x00";
        assert_eq!(
            toml(packet, true, &[]),
            r#"[{ hex = "82" }, { varlen = [{ u16 = "{id}" }, { hex = "03 0b 01 00" }, { len16 = ['a'] }, { hex = "00" }] }]"#
        );
    }

    #[test]
    fn a_connect_has_its_strings() {
        let packet = b"\x10\x16\x00\x04MQTT\x04\xc2\x00\x3c\x00\x02me\x00\x01u\x00\x03abc";
        let expected = Connect { level: 4, flags: 0xc2, keepalive: 60 };
        assert_eq!(connect(packet), Some(expected));
        let found = fields(packet, false);
        let found: Vec<_> = found.iter().map(|field| (field.place.name(), &*field.value)).collect();
        let expected = [("client", &b"me"[..]), ("user", b"u"), ("password", b"abc")];
        assert_eq!(found, expected);
    }

    #[test]
    fn ids_are_those_of_requests_and_answers() {
        assert_eq!(id(SUBSCRIBE_A, false), Some(7));
        assert_eq!(id(b"\x90\x03\x00\x07\x00", false), Some(7));
        assert_eq!(id(b"\x40\x02\x01\x00", false), Some(256));
        assert_eq!(id(b"\x30\x03\x00\x01a", false), None);
        for cut in 0..SUBSCRIBE_A.len() {
            id(&SUBSCRIBE_A[..cut], false);
            fields(&SUBSCRIBE_A[..cut], false);
            toml(&SUBSCRIBE_A[..cut.max(1)], true, &[]);
        }
    }
}
