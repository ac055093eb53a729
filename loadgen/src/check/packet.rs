//! Names an MQTT packet (3.1.1 and 5) and what identifies it, for people.

use std::fmt::Write;

use crate::escape;

/// Bytes of a name or payload that are shown.
const SHOWN_LEN_MAX: usize = 60;

const NAMES: [&str; 16] = [
    "reserved",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// Returns the packet in words: `SUBSCRIBE id 1 "t/3" qos 0`. What can't be read is left out.
pub(super) fn named(packet: &[u8]) -> String {
    let Some(&first) = packet.first() else { return "no packet".into() };
    let mut out = NAMES[usize::from(first >> 4)].to_owned();
    let mut rest = Rest(&packet[1..]);
    if rest.varying().is_some() {
        // A part that is missing ends the description.
        let _ = match first >> 4 {
            1 => connect(rest, &mut out),
            2 => connack(rest, &mut out),
            3 => publish(first, rest, &mut out),
            4..=7 | 11 => acknowledged(rest, &mut out),
            8 => subscribe(rest, 1, &mut out),
            9 => suback(rest, &mut out),
            10 => subscribe(rest, 0, &mut out),
            14 | 15 => rest.byte().map(|code| reason(code, &mut out)),
            _ => None,
        };
    }
    out
}

/// What has not been read of a packet.
#[derive(Clone, Copy)]
struct Rest<'p>(&'p [u8]);

impl<'p> Rest<'p> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn two(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// Reads a number of seven bits a byte, the lowest first.
    fn varying(&mut self) -> Option<usize> {
        let mut number = 0;
        for place in 0..4 {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn bytes(&mut self, len: usize) -> Option<&'p [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<&'p [u8]> {
        let len = self.two()?;
        self.bytes(len.into())
    }
}

// Writing to a `String` doesn't fail.

fn quoted(what: &[u8], out: &mut String) {
    write!(out, " \"{}\"", escape::bytes(what, SHOWN_LEN_MAX)).unwrap_or(());
}

fn connect(mut rest: Rest<'_>, out: &mut String) -> Option<()> {
    rest.text()?;
    let level = rest.byte()?;
    let version = match level {
        4 => "3.1.1",
        5 => "5",
        _ => "of another version",
    };
    write!(out, " {version}").unwrap_or(());
    let _flags = rest.byte()?;
    let keep_alive_s = rest.two()?;
    if level == 5 {
        let len = rest.varying()?;
        rest.bytes(len)?;
    }
    quoted(rest.text()?, out);
    write!(out, " keep alive {keep_alive_s} s").unwrap_or(());
    Some(())
}

fn connack(mut rest: Rest<'_>, out: &mut String) -> Option<()> {
    let is_kept = rest.byte()? & 1 == 1;
    let code = rest.byte()?;
    match code {
        0 => out.push_str(" accepted"),
        1 => out.push_str(" refused: protocol version"),
        2 => out.push_str(" refused: client identifier"),
        3 => out.push_str(" refused: server unavailable"),
        4 => out.push_str(" refused: bad user name or password"),
        5 => out.push_str(" refused: not authorized"),
        _ => reason(code, out),
    }
    out.push_str(if is_kept { ", session present" } else { "" });
    Some(())
}

fn publish(first: u8, mut rest: Rest<'_>, out: &mut String) -> Option<()> {
    let qos = first >> 1 & 3;
    write!(out, " qos {qos}").unwrap_or(());
    out.push_str(if first & 8 == 0 { "" } else { " dup" });
    out.push_str(if first & 1 == 0 { "" } else { " retain" });
    let topic = rest.text()?;
    if qos > 0 {
        write!(out, " id {}", rest.two()?).unwrap_or(());
    }
    quoted(topic, out);
    quoted(rest.0, out);
    Some(())
}

fn acknowledged(mut rest: Rest<'_>, out: &mut String) -> Option<()> {
    write!(out, " id {}", rest.two()?).unwrap_or(());
    rest.byte().map(|code| reason(code, out))
}

/// Topics, each followed by so many bytes of options. Version 5 has properties before them; what
/// fits to the last byte shows which it is.
fn subscribe(mut rest: Rest<'_>, options: usize, out: &mut String) -> Option<()> {
    write!(out, " id {}", rest.two()?).unwrap_or(());
    let mut after = rest;
    let len = after.varying();
    let behind = len.and_then(|len| after.bytes(len)).map(|_| after);
    let found = topics(rest, options).or_else(|| topics(behind?, options))?;
    out.push_str(&found);
    Some(())
}

fn topics(mut rest: Rest<'_>, options: usize) -> Option<String> {
    let mut out = String::new();
    while !rest.0.is_empty() {
        let topic = rest.text().filter(|topic| !topic.is_empty())?;
        quoted(topic, &mut out);
        if let Some(option) = rest.bytes(options)?.first() {
            write!(out, " qos {}", option & 3).unwrap_or(());
        }
    }
    (!out.is_empty()).then_some(out)
}

fn suback(mut rest: Rest<'_>, out: &mut String) -> Option<()> {
    write!(out, " id {}", rest.two()?).unwrap_or(());
    // Of version 5, properties come first, mostly none: a zero, like the lowest of the codes.
    for &code in rest.0 {
        match code {
            0..=2 => write!(out, " {code}").unwrap_or(()),
            _ => reason(code, out),
        }
    }
    Some(())
}

fn reason(code: u8, out: &mut String) {
    let name = match code {
        0 => return,
        0x04 => "with the will",
        0x10 => "no subscribers",
        0x80 => "refused",
        0x81 => "malformed packet",
        0x82 => "protocol error",
        0x84 => "unsupported version",
        0x85 => "client identifier",
        0x86 => "bad user name or password",
        0x87 => "not authorized",
        0x88 => "server unavailable",
        0x8b => "server shutting down",
        0x8d => "keep alive timeout",
        0x8e => "session taken over",
        0x8f | 0x90 => "bad topic",
        0x93..=0x95 => "too much",
        0x97 => "quota exceeded",
        _ => "",
    };
    write!(out, " reason 0x{code:02x}").unwrap_or(());
    if !name.is_empty() {
        write!(out, " ({name})").unwrap_or(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_named_with_what_identifies_them() {
        let rows: [(&[u8], &str); 14] = [
            (
                b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05ann-1",
                "CONNECT 3.1.1 \"ann-1\" keep alive 60 s",
            ),
            (
                b"\x10\x12\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x05ann-1",
                "CONNECT 5 \"ann-1\" keep alive 60 s",
            ),
            (b"\x20\x02\x00\x00", "CONNACK accepted"),
            (b"\x20\x02\x01\x05", "CONNACK refused: not authorized, session present"),
            (b"\x20\x03\x00\x87\x00", "CONNACK reason 0x87 (not authorized)"),
            (b"\x30\x07\x00\x03t/3hi", "PUBLISH qos 0 \"t/3\" \"hi\""),
            (b"\x3b\x09\x00\x03t/3\x00\x07hi", "PUBLISH qos 1 dup retain id 7 \"t/3\" \"hi\""),
            (b"\x40\x02\x00\x07", "PUBACK id 7"),
            (b"\x82\x08\x00\x01\x00\x03t/3\x01", "SUBSCRIBE id 1 \"t/3\" qos 1"),
            (b"\x82\x09\x00\x01\x00\x00\x03t/3\x00", "SUBSCRIBE id 1 \"t/3\" qos 0"),
            (b"\x90\x03\x00\x01\x80", "SUBACK id 1 reason 0x80 (refused)"),
            (b"\xc0\x00", "PINGREQ"),
            (b"\x82\x08\x00", "SUBSCRIBE"),
            (b"", "no packet"),
        ];
        for (packet, text) in rows {
            assert_eq!(named(packet), text, "{packet:02x?}");
        }
    }
}
