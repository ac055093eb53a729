//! Frames as they stand in a read buffer, and the messages that a decoder must find in them.
//!
//! Encoded by the simplest code that does it (RFC 6455, 5.2 and 5.3, byte by byte), which shares
//! nothing with any contestant: this is the reference.

use std::ops::Range;

use crate::payload::{Content, Payloads};

/// Whether a message is text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
}

/// Which end sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Masks what it sends.
    Client,
    Server,
}

/// Where the payload of one frame stands, and its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: usize,
    len: usize,
    pub(crate) key: [u8; 4],
}

impl Span {
    pub(crate) fn range(&self) -> Range<usize> {
        self.start..self.start + self.len
    }
}

/// A run of whole messages on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    messages: Vec<(Kind, Vec<u8>)>,
}

impl Wire {
    /// As many messages of `payload_len` bytes, a frame each, as fit into `area_len` bytes; at
    /// least one.
    pub(crate) fn filled(
        content: Content,
        payload_len: usize,
        area_len: usize,
        sender: Sender,
    ) -> Self {
        let mut payloads = Payloads::new(payload_len as u64);
        let mut wire = Self { bytes: Vec::new(), spans: Vec::new(), messages: Vec::new() };
        while wire.messages.is_empty() || wire.bytes.len() + payload_len + 14 <= area_len {
            let payload = payloads.payload(content, payload_len);
            let key = payloads.key();
            wire.push_frame(content, &payload, sender, key, Some(0), true);
            wire.push_message(content, payload);
        }
        wire
    }

    /// One message of `payload_len` bytes from a client, in frames of at most `fragment_len` bytes.
    pub(crate) fn fragmented(content: Content, payload_len: usize, fragment_len: usize) -> Self {
        let mut payloads = Payloads::new(payload_len as u64);
        let mut wire = Self { bytes: Vec::new(), spans: Vec::new(), messages: Vec::new() };
        let payload = payloads.payload(content, payload_len);
        let last = payload.chunks(fragment_len).count() - 1;
        for (i, fragment) in payload.chunks(fragment_len).enumerate() {
            let key = payloads.key();
            wire.push_frame(content, fragment, Sender::Client, key, Some(i), i == last);
        }
        wire.push_message(content, payload);
        wire
    }

    /// The same area, every text payload masked with a key under which it stays valid text.
    pub(crate) fn gentle(content: Content, payload_len: usize, area_len: usize) -> Self {
        let mut wire = Self::filled(content, payload_len, area_len, Sender::Client);
        let mut payloads = Payloads::new(payload_len as u64);
        for (span, (_, payload)) in wire.spans.iter_mut().zip(&wire.messages) {
            span.key = payloads.gentle_key();
            let masked: Vec<u8> = mask(payload, span.key).collect();
            wire.bytes[span.range()].copy_from_slice(&masked);
        }
        wire
    }

    fn push_message(&mut self, content: Content, payload: Vec<u8>) {
        let kind = if content.is_text() { Kind::Text } else { Kind::Binary };
        self.messages.push((kind, payload));
    }

    fn push_frame(
        &mut self,
        content: Content,
        payload: &[u8],
        sender: Sender,
        key: [u8; 4],
        index: Option<usize>,
        fin: bool,
    ) {
        let opcode = match (index, content) {
            (Some(0), Content::Binary) => 2,
            (Some(0), _) => 1,
            _ => 0,
        };
        self.bytes.extend(header(opcode, fin, payload.len() as u64, sender, key));
        self.spans.push(Span { start: self.bytes.len(), len: payload.len(), key });
        match sender {
            Sender::Client => self.bytes.extend(mask(payload, key)),
            Sender::Server => self.bytes.extend_from_slice(payload),
        }
    }

    /// The bytes, headers included.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One a frame, in their order.
    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// What a decoder must find.
    pub(crate) fn messages(&self) -> &[(Kind, Vec<u8>)] {
        &self.messages
    }

    /// Bytes of payload in all messages.
    pub(crate) fn payload_len_total(&self) -> u64 {
        self.messages.iter().map(|(_, payload)| payload.len() as u64).sum()
    }
}

/// A header by the letter of RFC 6455, 5.2.
pub(crate) fn header(
    opcode: u8,
    fin: bool,
    payload_len: u64,
    sender: Sender,
    key: [u8; 4],
) -> Vec<u8> {
    let masked = if sender == Sender::Client { 0x80 } else { 0 };
    let mut bytes = vec![u8::from(fin) << 7 | opcode];
    match (u8::try_from(payload_len), u16::try_from(payload_len)) {
        (Ok(len @ 0..=125), _) => bytes.push(masked | len),
        (_, Ok(len)) => {
            bytes.push(masked | 0x7e);
            bytes.extend(len.to_be_bytes());
        }
        _ => {
            bytes.push(masked | 0x7f);
            bytes.extend(payload_len.to_be_bytes());
        }
    }
    if sender == Sender::Client {
        bytes.extend(key);
    }
    bytes
}

/// RFC 6455, 5.3, byte by byte.
pub(crate) fn mask(payload: &[u8], key: [u8; 4]) -> impl Iterator<Item = u8> {
    payload.iter().zip(key.into_iter().cycle()).map(|(byte, key)| byte ^ key)
}

/// Splits a wire of unfragmented frames into payloads, unmasked, by the letter of RFC 6455, 5.2.
pub(crate) fn decode(mut bytes: &[u8], sender: Sender) -> Option<Vec<Vec<u8>>> {
    let mut payloads = Vec::new();
    while let [b0, b1, rest @ ..] = bytes {
        let masked = b1 & 0x80 != 0;
        if *b0 != 0x82 || masked != (sender == Sender::Client) {
            return None;
        }
        let (len, rest) = match b1 & 0x7f {
            126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), rest.get(2..)?),
            127 => (u64::from_be_bytes(*rest.first_chunk()?), rest.get(8..)?),
            len => (u64::from(len), rest),
        };
        let (key, rest) = if masked { rest.split_first_chunk::<4>()? } else { (&[0; 4], rest) };
        let (payload, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        payloads.push(mask(payload, *key).collect());
        bytes = rest;
    }
    bytes.is_empty().then_some(payloads)
}
