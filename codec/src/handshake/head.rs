//! The head of an HTTP/1.1 message: from bytes, split anywhere, to a start line and header fields.
//!
//! One state machine examines every byte once, so a wrong byte is refused when it arrives and a
//! head costs the same however it is split. General HTTP parsers are not used because they start
//! again with every read, and accept what a handshake should not: bare LF as line end, and empty
//! lines before the start line.
//!
//! Invariant: once the head is complete, every [`Span`] lies within `bytes`, and each header name
//! is a token.

use crate::redacted::Redacted;
use alloc::vec::Vec;
use core::fmt;

use super::error::HeadError;
use super::field;
use super::limits::HandshakeLimits;

/// A header field as it was received.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header<'h> {
    /// The name, a token, in the case received. Names compare case-insensitively.
    pub name: &'h str,
    /// The value, without surrounding white space. Bytes from 0x80 on may occur and mean nothing.
    pub value: &'h [u8],
}

/// Shows the number of bytes, not the bytes.
impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("name", &self.name)
            .field("value", &Redacted(self.value.len()))
            .finish_non_exhaustive()
    }
}

impl Header<'_> {
    /// Returns whether this header has that name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The headers of a message in the order in which they were received.
#[derive(Clone)]
pub struct Headers<'h> {
    bytes: &'h [u8],
    fields: core::slice::Iter<'h, Field>,
}

/// Shows names and the lengths of values.
impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'h> Iterator for Headers<'h> {
    type Item = Header<'h>;

    fn next(&mut self) -> Option<Header<'h>> {
        let field = self.fields.next()?;
        Some(Header {
            name: field.name.text(self.bytes),
            value: field::trim(field.value.bytes(self.bytes)),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.fields.size_hint()
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// A part of a head, by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// Returns the position of `part`, a slice of `bytes`, in it.
    pub(super) fn of(part: &[u8], bytes: &[u8]) -> Self {
        let start = part.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
        Self { start, end: start + part.len() }
    }

    /// Returns the bytes at the span; empty if the span lies outside, which the invariant excludes.
    pub(super) fn bytes(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Returns the bytes at the span as text; empty if they are not text, which the makers of such
    /// spans exclude.
    pub(super) fn text(self, bytes: &[u8]) -> &str {
        core::str::from_utf8(self.bytes(bytes)).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: Span,
    value: Span,
}

/// Which kind of message the head begins, which determines its allowed first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadKind {
    /// `method SP target SP version`: tokens to the first space.
    Request,
    /// `HTTP/` and so on.
    Response,
}

/// The position of the next byte in the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the start line, before the part that identifies HTTP.
    Opening,
    /// In the rest of the start line.
    StartLine,
    /// After the CR of the start line.
    StartLineCr,
    /// At the first byte of a line after the start line.
    LineStart,
    /// In a header name.
    Name,
    /// In a header value.
    Value,
    /// After the CR of a header line.
    ValueCr,
    /// After the CR of the blank line.
    BlankCr,
    /// After the LF of the blank line.
    End,
}

/// The head that is arriving or has arrived.
#[derive(Clone)]
pub(super) struct Head {
    kind: HeadKind,
    limits: HandshakeLimits,
    state: State,
    bytes: Vec<u8>,
    fields: Vec<Field>,
    start_line_len: usize,
    /// Where the current line began, and where its colon is.
    line_start: usize,
    colon: usize,
    /// How many times a byte has been examined: the work that tests bound.
    #[cfg(test)]
    pub(super) bytes_examined: usize,
}

/// Shows the number of bytes, not the bytes.
impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("bytes", &Redacted(self.bytes.len()))
            .field("headers", &self.headers())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Head {
    pub(super) const fn new(kind: HeadKind, limits: HandshakeLimits) -> Self {
        Self {
            kind,
            limits,
            state: State::Opening,
            bytes: Vec::new(),
            fields: Vec::new(),
            start_line_len: 0,
            line_start: 0,
            colon: 0,
            #[cfg(test)]
            bytes_examined: 0,
        }
    }

    /// Takes the bytes of the head from the front of `input`, and returns whether it is complete.
    /// What follows the head stays in `input`.
    ///
    /// # Errors
    /// The first error found; `input` is then unchanged.
    pub(super) fn receive(&mut self, input: &mut &mut [u8]) -> Result<bool, HeadError> {
        let taken = self.scan(input)?;
        if let Some(bytes) = input.split_off_mut(..taken) {
            self.append(bytes);
        }
        Ok(self.is_complete())
    }

    pub(super) const fn is_complete(&self) -> bool {
        matches!(self.state, State::End)
    }

    /// Forgets what has arrived, for the next head of the same stream, and reuses the memory.
    pub(super) fn clear(&mut self) {
        self.state = State::Opening;
        self.bytes.clear();
        self.fields.clear();
        self.start_line_len = 0;
    }

    /// Frees the memory of a head that will never be complete.
    pub(super) fn discard(&mut self) {
        self.bytes = Vec::new();
        self.fields = Vec::new();
        self.start_line_len = 0;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the start line without its line end.
    pub(super) fn start_line(&self) -> &[u8] {
        self.bytes.get(..self.start_line_len).unwrap_or_default()
    }

    pub(super) fn headers(&self) -> Headers<'_> {
        Headers { bytes: &self.bytes, fields: self.fields.iter() }
    }

    /// Returns the value of the first header with that name.
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().find(|header| header.is(name)).map(|header| header.value)
    }

    /// Examines each byte of `input` up to the end of the head, and returns how many belong to it.
    fn scan(&mut self, input: &[u8]) -> Result<usize, HeadError> {
        let before = self.bytes.len();
        for (i, &byte) in input.iter().enumerate() {
            let at = before + i;
            if at >= self.limits.head_size_max {
                return Err(HeadError::TooLarge { head_size_max: self.limits.head_size_max });
            }
            #[cfg(test)]
            {
                self.bytes_examined += 1;
            }
            self.state = self.step(at, byte)?;
            if self.is_complete() {
                return Ok(i + 1);
            }
        }
        Ok(input.len())
    }

    /// Returns the state after `byte`, the head's byte `at`.
    fn step(&mut self, at: usize, byte: u8) -> Result<State, HeadError> {
        Ok(match self.state {
            State::Opening => self.opening(at, byte)?,
            State::StartLine => self.start_line_byte(at, byte)?,
            State::StartLineCr => {
                self.start_line_len = at - 1;
                line_end(byte, State::LineStart)?
            }
            State::LineStart => self.line_start(at, byte)?,
            State::Name => match byte {
                b':' => {
                    self.colon = at;
                    State::Value
                }
                _ if field::is_token_byte(byte) => State::Name,
                _ => return Err(HeadError::HeaderName { byte }),
            },
            State::Value => match byte {
                b'\r' => {
                    self.fields.push(Field {
                        name: Span { start: self.line_start, end: self.colon },
                        value: Span { start: self.colon + 1, end: at },
                    });
                    State::ValueCr
                }
                b'\n' => return Err(HeadError::BareLf),
                _ if field::is_value_byte(byte) => State::Value,
                _ => return Err(HeadError::ControlCharacter { byte }),
            },
            State::ValueCr => line_end(byte, State::LineStart)?,
            State::BlankCr => line_end(byte, State::End)?,
            State::End => State::End,
        })
    }

    /// Refuses anything that is not HTTP at its first wrong byte.
    fn opening(&self, at: usize, byte: u8) -> Result<State, HeadError> {
        const PROTOCOL: &[u8] = b"HTTP/";
        let wrong = Err(HeadError::NotHttp { at, byte });
        match self.kind {
            HeadKind::Request if byte == b' ' && at > 0 => Ok(State::StartLine),
            HeadKind::Request if !field::is_token_byte(byte) => wrong,
            HeadKind::Response if PROTOCOL.get(at) != Some(&byte) => wrong,
            HeadKind::Response if at + 1 == PROTOCOL.len() => Ok(State::StartLine),
            HeadKind::Request | HeadKind::Response => {
                self.judge_start_line_len(at).map(|()| State::Opening)
            }
        }
    }

    fn start_line_byte(&self, at: usize, byte: u8) -> Result<State, HeadError> {
        match byte {
            b'\r' => Ok(State::StartLineCr),
            b'\n' => Err(HeadError::BareLf),
            _ if field::is_value_byte(byte) => {
                self.judge_start_line_len(at).map(|()| State::StartLine)
            }
            _ => Err(HeadError::ControlCharacter { byte }),
        }
    }

    fn judge_start_line_len(&self, at: usize) -> Result<(), HeadError> {
        let start_line_size_max = self.limits.start_line_size_max;
        if at >= start_line_size_max {
            return Err(HeadError::StartLineTooLong { start_line_size_max });
        }
        Ok(())
    }

    fn line_start(&mut self, at: usize, byte: u8) -> Result<State, HeadError> {
        match byte {
            b'\r' => Ok(State::BlankCr),
            b'\n' => Err(HeadError::BareLf),
            // RFC 9112, 5.2: "A server that receives an obs-fold in a request message [...] MUST
            // either reject the message by sending a 400 (Bad Request) [...]". A user agent might
            // replace it with spaces; this one refuses it too, since no well-meaning server has
            // sent one in decades.
            b' ' | b'\t' => Err(HeadError::Folding),
            _ if !field::is_token_byte(byte) => Err(HeadError::HeaderName { byte }),
            _ if self.fields.len() >= self.limits.headers_max => {
                Err(HeadError::TooManyHeaders { headers_max: self.limits.headers_max })
            }
            _ => {
                self.line_start = at;
                Ok(State::Name)
            }
        }
    }

    /// Keeps `bytes`, without reserving beyond the limit: doubling stops there.
    fn append(&mut self, bytes: &[u8]) {
        let needed = self.bytes.len() + bytes.len();
        let capacity = self.bytes.capacity();
        if needed > capacity {
            let doubled = capacity.saturating_mul(2).min(self.limits.head_size_max);
            self.bytes.reserve_exact(needed.max(doubled) - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }
}

/// Returns the state after a CR.
fn line_end(byte: u8, next: State) -> Result<State, HeadError> {
    if byte == b'\n' { Ok(next) } else { Err(HeadError::BareCr) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(head: &mut Head, bytes: &[u8]) -> Result<bool, HeadError> {
        head.receive(&mut &mut bytes.to_vec()[..])
    }

    /// The work bound of R29 is three examinations of each byte received; one happens here, and
    /// `judge` reads the complete head once.
    #[test]
    fn b03_r29_each_byte_is_looked_at_once_however_the_head_is_split() {
        let limits = HandshakeLimits {
            head_size_max: 128 << 10,
            start_line_size_max: 64 << 10,
            headers_max: 10_000,
        };
        let mut bytes = b"GET /".to_vec();
        bytes.resize(30_000, b'x');
        bytes.extend_from_slice(b" HTTP/1.1\r\n");
        for _ in 0..9000 {
            bytes.extend_from_slice(b"X: y\r\n");
        }
        bytes.extend_from_slice(b"\r\nframes");
        let head_len = bytes.len() - b"frames".len();
        for size in [1, 2, 7, 1000, bytes.len()] {
            let mut head = Head::new(HeadKind::Request, limits);
            for piece in bytes.chunks(size) {
                if receive(&mut head, piece) == Ok(true) {
                    break;
                }
            }
            assert!(head.is_complete());
            assert_eq!(head.bytes().len(), head_len);
            assert_eq!(head.headers().len(), 9000);
            assert_eq!(head.bytes_examined, head_len, "in pieces of {size}");
        }
    }

    /// The bytes that arrived take at most twice their size in memory, and never more than the
    /// limit.
    #[test]
    fn b01_the_memory_of_a_head_doubles_when_it_is_full_and_stops_at_the_limit() {
        let limits = HandshakeLimits { head_size_max: 1000, ..HandshakeLimits::default() };
        let mut head = Head::new(HeadKind::Request, limits);
        let capacities = [(100, 100), (60, 200), (40, 200), (1, 400), (199, 400), (1, 800)]
            .into_iter()
            .chain([(399, 800), (1, 1000), (198, 1000)]);
        let mut bytes = b"GET /".to_vec();
        bytes.resize(1000, b'x');
        let mut rest = &bytes[..];
        for (len, capacity) in capacities {
            let (piece, more) = rest.split_at(len);
            assert_eq!(receive(&mut head, piece), Ok(false));
            assert_eq!(head.bytes.capacity(), capacity, "with {} bytes", head.bytes.len());
            rest = more;
        }
    }

    #[test]
    fn fields_are_where_they_stand() {
        let mut head = Head::new(HeadKind::Response, HandshakeLimits::default());
        let bytes = b"HTTP/1.1 200 OK\r\nA:\r\nB-c:  \t\r\nD: e:f \t\r\n\r\n";
        assert_eq!(receive(&mut head, bytes), Ok(true));
        assert_eq!(head.start_line(), b"HTTP/1.1 200 OK");
        let fields: Vec<_> = head.headers().map(|header| (header.name, header.value)).collect();
        assert_eq!(fields, [("A", &b""[..]), ("B-c", b""), ("D", b"e:f")]);
        head.clear();
        assert_eq!(head.headers().len(), 0);
        assert_eq!(receive(&mut head, b"HTTP/1.1 101\r\n\r\n"), Ok(true));
        assert_eq!(head.start_line(), b"HTTP/1.1 101");
    }
}
