//! Splits WebSocket messages into the units of a protocol, and wraps units in messages.
//!
//! Some protocols put several of their messages into one WebSocket message, and MQTT and STOMP may
//! spread one over several: rules and steps always see one message of the protocol.

use std::borrow::Cow;

use super::pointer::unescaped;
use super::text::escape;

/// Most bytes of an MQTT packet or a STOMP frame that are assembled, so that a hostile length takes
/// no memory.
const ASSEMBLED_LEN_MAX: usize = 16 << 20;

/// Bytes for the parts of packets that a connection keeps between two.
const PARTIAL_LEN_KEPT: usize = 4 << 10;

/// Most bytes of a STOMP frame in which the length of its body is looked for: the head of a frame
/// that comes in small pieces is read again with each.
const STOMP_HEAD_LEN_MAX: usize = 16 << 10;

/// How a protocol's messages are framed in WebSocket messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// One unit a message.
    #[default]
    Message,
    /// One unit a line; empty lines are skipped.
    Lines,
    /// Each ended by these bytes.
    Separator(Box<[u8]>),
    /// STOMP frames, however they are split: each ended by a zero byte, with line feeds between as
    /// heart-beats.
    Stomp,
    /// `SockJS`: `a["…","…"]` from the server, `["…"]` to it.
    SockJs,
    /// MQTT packets, however they are split.
    Mqtt,
}

impl Framing {
    /// Checks whether a unit may span several messages.
    #[must_use]
    pub const fn is_assembled(&self) -> bool {
        matches!(self, Self::Stomp | Self::Mqtt)
    }

    /// Calls `take` for each unit of a message; `partial` keeps an incomplete unit.
    pub fn split(&self, bytes: &[u8], partial: &mut Vec<u8>, mut take: impl FnMut(&[u8])) {
        match self {
            Self::Message => take(bytes),
            Self::Lines => {
                let lines = bytes.split(|&byte| byte == b'\n');
                lines
                    .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
                    .filter(|line| !line.is_empty())
                    .for_each(take);
            }
            Self::Separator(separator) => {
                let mut rest = bytes;
                while let Some(at) = memchr::memmem::find(rest, separator) {
                    take(&rest[..at]);
                    rest = &rest[at + separator.len()..];
                }
                if !rest.is_empty() {
                    take(rest);
                }
            }
            Self::Stomp => frames(bytes, partial, take),
            Self::SockJs => match bytes.strip_prefix(b"a") {
                None => take(bytes),
                Some(list) => strings(list).for_each(|unit| take(&unit)),
            },
            Self::Mqtt => packets(bytes, partial, take),
        }
    }

    /// Makes a message of the unit after `begin`.
    pub fn wrap(&self, begin: usize, out: &mut Vec<u8>) {
        match self {
            Self::Message | Self::Mqtt => {}
            Self::Lines => out.push(b'\n'),
            Self::Separator(separator) => out.extend_from_slice(separator),
            // A line feed alone is a heart-beat.
            Self::Stomp if out[begin..] == *b"\n" => {}
            Self::Stomp => out.push(0),
            Self::SockJs => {
                let end = out.len();
                out.extend_from_slice(b"[\"");
                for at in begin..end {
                    let byte = out[at];
                    escape(&[byte], out);
                }
                out.extend_from_slice(b"\"]");
                out.drain(begin..end);
            }
        }
    }
}

/// Iterates over the strings of a JSON list.
fn strings(list: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let begin = memchr::memchr(b'"', rest)? + 1;
        let mut end = begin;
        loop {
            end += memchr::memchr2(b'"', b'\\', rest.get(end..)?)?;
            if rest[end] == b'"' {
                break;
            }
            end += 2;
        }
        let inner = &rest[begin..end];
        rest = &rest[end + 1..];
        Some(unescaped(inner))
    })
}

/// Takes the frames of STOMP in a message, and keeps the begin of one that goes on in the next; a
/// message without any is a heart-beat.
fn frames(bytes: &[u8], partial: &mut Vec<u8>, mut take: impl FnMut(&[u8])) {
    if partial.is_empty() {
        let (used, had_frame) = whole_frames(bytes, 0, &mut take);
        if used == bytes.len() {
            if !had_frame {
                take(b"\n");
            }
            return;
        }
        return keep(&bytes[used..], partial, take);
    }
    let mut joined = std::mem::take(partial);
    let searched = joined.len();
    joined.extend_from_slice(bytes);
    let (used, _) = whole_frames(&joined, searched, &mut take);
    if used == 0 {
        *partial = joined;
        if partial.len() > ASSEMBLED_LEN_MAX {
            take(partial);
            *partial = Vec::new();
        }
        return;
    }
    keep(&joined[used..], partial, take);
    if partial.is_empty() && joined.capacity() <= PARTIAL_LEN_KEPT {
        joined.clear();
        *partial = joined;
    }
}

/// Keeps the begin of a frame, unless it is too large to wait for the rest.
fn keep(rest: &[u8], partial: &mut Vec<u8>, mut take: impl FnMut(&[u8])) {
    if rest.len() > ASSEMBLED_LEN_MAX {
        return take(rest);
    }
    partial.extend_from_slice(rest);
}

/// Takes whole frames; returns the bytes that they and what is between them take up, and whether
/// there were any. Of the first, `searched` bytes are known to have no zero byte that ends it.
fn whole_frames(bytes: &[u8], searched: usize, take: &mut impl FnMut(&[u8])) -> (usize, bool) {
    let (mut used, mut searched, mut had_frame) = (0, searched, false);
    while let Some(gap) = bytes[used..].iter().position(|byte| !b"\r\n".contains(byte)) {
        used += gap;
        let frame = &bytes[used..];
        let Some(len) = frame_len(frame, searched.saturating_sub(used)) else { break };
        take(&frame[..len]);
        (used, searched, had_frame) = (used + len + 1, 0, true);
    }
    let is_over = bytes[used..].iter().all(|byte| b"\r\n".contains(byte));
    (if is_over { bytes.len() } else { used }, had_frame)
}

/// Returns the size of a frame without the zero byte at its end; `None` if that hasn't come. A body
/// may have zero bytes of its own if its length is given (STOMP 1.2, body).
fn frame_len(frame: &[u8], searched: usize) -> Option<usize> {
    let counted = counted_len(frame);
    match counted.map(|len| frame.get(len)) {
        // The rest of the body is to come.
        Some(None) if counted < Some(ASSEMBLED_LEN_MAX) => None,
        Some(Some(0)) => counted,
        // A length that isn't right: the first zero byte ends the frame, wherever that is.
        Some(_) => memchr::memchr(0, frame),
        None => Some(searched + memchr::memchr(0, &frame[searched..])?),
    }
}

/// Returns the size of a frame by the length of its body, if it gives one.
fn counted_len(frame: &[u8]) -> Option<usize> {
    let head = &frame[..frame.len().min(STOMP_HEAD_LEN_MAX)];
    let head = &head[..memchr::memchr(0, head).unwrap_or(head.len())];
    let (head_len, gap) = [&b"\n\n"[..], b"\n\r\n"]
        .into_iter()
        .filter_map(|gap| Some((memchr::memmem::find(head, gap)?, gap.len())))
        .min()?;
    let mut lines = head[..head_len].split(|&byte| byte == b'\n');
    let len = lines.find_map(|line| line.strip_prefix(b"content-length:"))?;
    let len: usize = str::from_utf8(len).ok()?.trim().parse().ok()?;
    (head_len + gap).checked_add(len)
}

/// Takes the packets of MQTT in a message. Bytes of one that began before are only moved once, so
/// a server that sends a large packet byte by byte costs no more than it sends.
fn packets(bytes: &[u8], partial: &mut Vec<u8>, mut take: impl FnMut(&[u8])) {
    let mut rest = bytes;
    while !partial.is_empty() {
        let missing = match packet_len(partial) {
            Some(len) if len > ASSEMBLED_LEN_MAX => {
                take(partial);
                *partial = Vec::new();
                if !rest.is_empty() {
                    take(rest);
                }
                return;
            }
            Some(len) => len.saturating_sub(partial.len()),
            None => 1,
        };
        if missing == 0 {
            take(partial);
            partial.clear();
            if partial.capacity() > PARTIAL_LEN_KEPT {
                *partial = Vec::new();
            }
            break;
        }
        let (more, behind) = rest.split_at(missing.min(rest.len()));
        if more.is_empty() {
            return;
        }
        partial.extend_from_slice(more);
        rest = behind;
    }
    while !rest.is_empty() {
        match packet_len(rest) {
            Some(len) if len <= rest.len() => {
                take(&rest[..len]);
                rest = &rest[len..];
            }
            Some(len) if len > ASSEMBLED_LEN_MAX => return take(rest),
            _ => return partial.extend_from_slice(rest),
        }
    }
}

/// Returns the size of an MQTT packet in bytes; `None` if it isn't known yet.
fn packet_len(bytes: &[u8]) -> Option<usize> {
    let mut len = 0;
    for (place, &byte) in bytes.iter().skip(1).take(4).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(2 + place + len);
        }
    }
    (bytes.len() > 4).then_some(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::body::Length;
    use super::*;

    fn packet(kind: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![kind];
        out.extend_from_slice(content);
        Length::Varying.insert(1, &mut out);
        out
    }

    /// A framing, a message, and the units in it.
    type Row<'r> = (&'r Framing, &'r [u8], &'r [&'r [u8]]);

    fn split(framing: &Framing, messages: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut units, mut partial) = (Vec::new(), Vec::new());
        for message in messages {
            framing.split(message, &mut partial, |unit| units.push(unit.to_vec()));
        }
        units
    }

    #[test]
    fn units_are_taken_out_of_messages() {
        let record = Framing::Separator([0x1e].into());
        let counted = b"MESSAGE\ncontent-length:3\n\na\0b\0\nERROR\r\ncontent-length:0\r\n\r\nx\0";
        let rows: [Row<'_>; 8] = [
            (&Framing::Message, b"a\nb", &[b"a\nb"]),
            (&Framing::Lines, b"a\r\n\nb", &[b"a", b"b"]),
            (&record, b"{}\x1e{\"type\":6}\x1e", &[b"{}", b"{\"type\":6}"]),
            (&Framing::Stomp, b"\nRECEIPT\nreceipt-id:1\n\n\0\n", &[b"RECEIPT\nreceipt-id:1\n\n"]),
            (&Framing::Stomp, b"\n", &[b"\n"]),
            (
                &Framing::Stomp,
                counted,
                &[b"MESSAGE\ncontent-length:3\n\na\0b", b"ERROR\r\ncontent-length:0\r\n\r\nx"],
            ),
            (&Framing::SockJs, br#"a["x\"y","z"]"#, &[b"x\"y", b"z"]),
            (&Framing::SockJs, b"h", &[b"h"]),
        ];
        for (framing, message, units) in rows {
            assert_eq!(split(framing, &[message]), units, "{framing:?}");
        }
    }

    #[test]
    fn packets_are_put_together_however_they_are_cut() {
        let long = packet(0x30, &[7; 200]);
        let mut both = long.clone();
        both.extend_from_slice(&packet(0xd0, b""));
        let whole = split(&Framing::Mqtt, &[&both]);
        assert_eq!(whole, [long, vec![0xd0, 0]]);
        for len in 1..both.len() {
            let bytes: Vec<&[u8]> = both.chunks(len).collect();
            assert_eq!(split(&Framing::Mqtt, &bytes), whole, "{len}");
        }
        // A length has at most four bytes; more is no packet, and nothing is kept.
        let mut partial = Vec::new();
        Framing::Mqtt.split(&[0x30, 0xff, 0xff, 0xff, 0xff, 0xff], &mut partial, |_| {});
        assert!(partial.is_empty());
    }

    #[test]
    fn frames_are_put_together_however_they_are_cut() {
        let mut large = b"MESSAGE\ncontent-length:5000\n\n".to_vec();
        large.extend((0..5_000).map(|n| b"ab\0\n"[n % 4]));
        let frames = [&b"CONNECTED\nversion:1.2\n\n"[..], &large, b"RECEIPT\nreceipt-id:1\n\n"];
        let all = [&frames.join(&b"\0\n"[..])[..], b"\0"].concat();
        assert!(split(&Framing::Stomp, &[&all]) == frames);
        for len in [1, 2, 3, 7, 100, 1_000, all.len() - 1] {
            let parts: Vec<&[u8]> = all.chunks(len).collect();
            let mut units = split(&Framing::Stomp, &parts);
            units.retain(|unit| unit[..] != *b"\n");
            assert!(units == frames, "{len}");
        }
        // A heart-beat alone is one, and none while a frame is under way.
        let beats = split(&Framing::Stomp, &[b"\n", b"SEND\n", b"\n", b"x\0", b"\n"]);
        assert_eq!(beats, [&b"\n"[..], b"SEND\n\nx", b"\n"]);
    }

    #[test]
    fn a_frame_without_an_end_takes_bounded_memory() {
        let part = vec![b'a'; 1 << 20];
        let (mut partial, mut units) = (Vec::new(), 0);
        for _ in 0..40 {
            Framing::Stomp.split(&part, &mut partial, |unit| units += unit.len());
            assert!(partial.len() <= ASSEMBLED_LEN_MAX);
        }
        assert_eq!(units + partial.len(), 40 << 20);
        // Nor does a length that nothing follows.
        let mut partial = Vec::new();
        let lie = b"MESSAGE\ncontent-length:99999999999\n\nx\0";
        Framing::Stomp.split(lie, &mut partial, |unit| assert_eq!(unit, &lie[..lie.len() - 1]));
        assert!(partial.is_empty());
    }

    #[test]
    fn messages_are_made_of_units() {
        for (framing, unit, message) in [
            (Framing::Lines, "a", "a\n"),
            (Framing::Stomp, "SEND\n\nx", "SEND\n\nx\0"),
            (Framing::Stomp, "\n", "\n"),
            (Framing::SockJs, "a\"b", r#"["a\"b"]"#),
        ] {
            let mut out = format!("front{unit}").into_bytes();
            framing.wrap(5, &mut out);
            assert_eq!(out, format!("front{message}").into_bytes());
        }
    }
}
