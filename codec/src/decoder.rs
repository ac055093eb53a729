//! Frames from a stream of bytes: resumable at any byte, without a buffer (RFC 6455, 5.2).
//!
//! The state between calls is a partial header (at most 13 bytes), the remaining payload length,
//! and the masking key rotated to the next byte. Invariant: payload bytes are handed out once, as
//! [`MaskedPayload`], and unmasking consumes it, so no byte is unmasked twice.

use core::fmt;
use core::mem;

use crate::error::{FrameError, Utf8Error};
use crate::header::{FrameHeader, HEADER_LEN_MAX, HeaderRules, Parsed};
use crate::mask::{self, MaskKey};
use crate::redacted::Redacted;
use crate::text;
use crate::utf8::Utf8Validator;

/// Decodes frames: checks headers, and unmasks payloads in place.
///
/// This layer knows frames, not messages: [`Connection`](crate::Connection) decides whether a
/// continuation is due, what a Close means and whether text is UTF-8. Use it directly for analysers
/// and proxies.
///
/// ```
/// use wscodec::decoder::{Decoded, FrameDecoder};
/// use wscodec::header::HeaderRules;
/// use wscodec::{Limits, Role};
///
/// let rules = HeaderRules::for_receiver(Role::Server, &Limits::default());
/// let mut decoder = FrameDecoder::new(rules);
/// let mut bytes = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // RFC 6455, 5.7
/// let mut input = &mut bytes[..];
/// assert!(matches!(decoder.decode(&mut input)?, Decoded::Header(header) if header.payload_len() == 5));
/// assert!(matches!(decoder.decode(&mut input)?, Decoded::Payload(payload) if payload == b"Hello"));
/// assert!(matches!(decoder.decode(&mut input)?, Decoded::NeedMore));
/// # Ok::<(), wscodec::FrameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FrameDecoder {
    rules: HeaderRules,
    /// The number of payload bytes of the current frame that have not arrived.
    remaining: u64,
    /// The key of the current frame, rotated so that it starts at the next payload byte; zero if
    /// the frame is not masked.
    key: MaskKey,
    partial: [u8; HEADER_LEN_MAX],
    partial_len: u8,
}

/// What [`FrameDecoder::decode`] finds next.
pub enum Decoded<'i> {
    /// All input is taken; the rest of a header or payload is still to come.
    NeedMore,
    /// A frame begins; [`payload_len`](FrameHeader::payload_len) bytes follow as `Payload`.
    Header(FrameHeader),
    /// The next piece of the payload, unmasked in place, never empty.
    Payload(&'i mut [u8]),
}

/// Shows the lengths of payloads, not their bytes.
impl fmt::Debug for Decoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedMore => f.write_str("NeedMore"),
            Self::Header(header) => f.debug_tuple("Header").field(header).finish(),
            Self::Payload(bytes) => f.debug_tuple("Payload").field(&Redacted(bytes.len())).finish(),
        }
    }
}

/// Payload bytes as they arrived, still masked if their frame is. Unmasking consumes it.
#[must_use = "these bytes have left the decoder"]
pub struct MaskedPayload<'i> {
    bytes: &'i mut [u8],
    key: MaskKey,
}

/// Shows the number of bytes, not the bytes.
impl fmt::Debug for MaskedPayload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaskedPayload")
            .field("bytes", &Redacted(self.bytes.len()))
            .finish_non_exhaustive()
    }
}

impl FrameDecoder {
    /// Creates a decoder at the start of a stream.
    #[must_use]
    pub const fn new(rules: HeaderRules) -> Self {
        Self {
            rules,
            remaining: 0,
            key: MaskKey::ZERO,
            partial: [0; HEADER_LEN_MAX],
            partial_len: 0,
        }
    }

    /// Returns the rules for checking headers.
    #[must_use]
    pub const fn rules(&self) -> &HeaderRules {
        &self.rules
    }

    /// Returns the number of payload bytes of the current frame still to come; 0 between frames.
    #[must_use]
    #[inline]
    pub const fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Returns whether the next byte is the first of a frame.
    #[must_use]
    #[inline]
    pub const fn is_between_frames(&self) -> bool {
        self.remaining == 0 && self.partial_len == 0
    }

    /// Takes the next header, or the next piece of the current payload, from the front of `input`,
    /// which shrinks.
    ///
    /// # Errors
    /// Every [`FrameError`], as early as the bytes allow. The stream can't be resynchronised after
    /// an error: don't continue.
    #[inline]
    pub fn decode<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Decoded<'i>, FrameError> {
        if self.remaining > 0 {
            if input.is_empty() {
                return Ok(Decoded::NeedMore);
            }
            return Ok(Decoded::Payload(self.payload(input).unmask()));
        }
        Ok(self.header(input)?.map_or(Decoded::NeedMore, Decoded::Header))
    }

    /// Takes the next header; `None` if `input` ended before it did. Call it only when
    /// [`remaining`](Self::remaining) is 0: otherwise the rest of a payload is taken for a header.
    ///
    /// # Errors
    /// See [`decode`](Self::decode).
    #[inline]
    pub fn header(&mut self, input: &mut &mut [u8]) -> Result<Option<FrameHeader>, FrameError> {
        if self.partial_len > 0 {
            return self.header_resumed(input);
        }
        match FrameHeader::parse(input, &self.rules)? {
            Parsed::Complete { header, header_len } => {
                advance(input, header_len);
                self.begin(&header);
                Ok(Some(header))
            }
            Parsed::NeedMore(_) => {
                self.stash(input, HEADER_LEN_MAX);
                Ok(None)
            }
        }
    }

    /// Takes as much of the current payload as `input` holds, which may be nothing.
    #[inline]
    pub fn payload<'i>(&mut self, input: &mut &'i mut [u8]) -> MaskedPayload<'i> {
        self.payload_at_most(input, usize::MAX)
    }

    /// Takes at most `len_max` bytes of the current payload.
    #[inline]
    pub fn payload_at_most<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        len_max: usize,
    ) -> MaskedPayload<'i> {
        let arrived = mem::take(input);
        let len = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let len = len.min(arrived.len()).min(len_max);
        let (bytes, rest) = arrived.split_at_mut(len);
        *input = rest;
        self.remaining -= len as u64;
        let key = self.key;
        self.key = key.rotated(len);
        MaskedPayload { bytes, key }
    }

    fn begin(&mut self, header: &FrameHeader) {
        self.remaining = header.payload_len();
        self.key = header.mask().unwrap_or(MaskKey::ZERO);
    }

    /// Continues a header whose first bytes came with an earlier read: takes only the bytes it
    /// needs.
    #[cold]
    fn header_resumed(&mut self, input: &mut &mut [u8]) -> Result<Option<FrameHeader>, FrameError> {
        loop {
            let partial = self.partial.get(..usize::from(self.partial_len)).unwrap_or(&[]);
            match FrameHeader::parse(partial, &self.rules)? {
                Parsed::Complete { header, .. } => {
                    self.partial_len = 0;
                    self.begin(&header);
                    return Ok(Some(header));
                }
                Parsed::NeedMore(_) if input.is_empty() => return Ok(None),
                Parsed::NeedMore(missing) => self.stash(input, missing),
            }
        }
    }

    /// Moves at most `len_max` bytes from `input` to the partial header.
    fn stash(&mut self, input: &mut &mut [u8], len_max: usize) {
        let free = self.partial.iter_mut().skip(usize::from(self.partial_len));
        let mut moved = 0;
        for (to, from) in free.zip(input.iter().take(len_max)) {
            *to = *from;
            moved += 1;
        }
        self.partial_len += moved;
        advance(input, usize::from(moved));
    }
}

/// Drops the first `len` bytes of `input`.
#[inline]
pub(crate) fn advance(input: &mut &mut [u8], len: usize) {
    let all = mem::take(input);
    *input = all.get_mut(len..).unwrap_or_default();
}

impl<'i> MaskedPayload<'i> {
    /// Creates the payload of a frame that needs no decoder because it lies whole in the input.
    #[inline]
    pub(crate) fn new(key: MaskKey, bytes: &'i mut [u8]) -> Self {
        Self { bytes, key }
    }

    /// Returns the number of bytes.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns whether there are no bytes.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Unmasks the bytes in place and returns them.
    #[must_use]
    #[inline]
    pub fn unmask(self) -> &'i mut [u8] {
        if self.key != MaskKey::ZERO {
            mask::apply(self.key, self.bytes, 0);
        }
        self.bytes
    }

    /// Unmasks the bytes in place, pushes them to `validator` in the same pass, and returns them.
    ///
    /// # Errors
    /// [`Utf8Error`] as for [`Utf8Validator::push`].
    #[inline]
    pub fn unmask_text(self, validator: &mut Utf8Validator) -> Result<&'i mut [u8], Utf8Error> {
        if self.key == MaskKey::ZERO {
            validator.push(self.bytes)?;
        } else {
            text::unmask(self.key, self.bytes, 0, validator)?;
        }
        Ok(self.bytes)
    }

    /// Masks the bytes with `key` instead, in place and in one pass, and returns them: for a relay,
    /// which forwards them with its own key.
    ///
    /// `key` applies from the first of these bytes on: for later pieces of a frame, pass the
    /// frame's key [rotated](MaskKey::rotated) by the length of the earlier pieces.
    ///
    /// ```
    /// use wscodec::decoder::FrameDecoder;
    /// use wscodec::header::HeaderRules;
    /// use wscodec::mask::{self, MaskKey};
    /// use wscodec::Role;
    ///
    /// let mut decoder = FrameDecoder::new(HeaderRules::unlimited(Role::Server));
    /// let mut bytes = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // RFC 6455, 5.7
    /// let mut input = &mut bytes[..];
    /// decoder.header(&mut input)?.expect("the header is complete");
    /// let own = MaskKey::new([1, 2, 3, 4]);
    /// let masked = decoder.payload(&mut input).remask(own);
    /// mask::apply(own, masked, 0);
    /// assert_eq!(masked, b"Hello");
    /// # Ok::<(), wscodec::FrameError>(())
    /// ```
    #[must_use]
    pub fn remask(self, key: MaskKey) -> &'i mut [u8] {
        let key = self.key.combined(key);
        MaskedPayload { key, ..self }.unmask()
    }

    /// Returns the bytes, still masked, and the key that unmasks them from the first byte on:
    /// [`MaskKey::ZERO`] if they are not masked.
    #[must_use]
    #[inline]
    pub fn into_parts(self) -> (MaskKey, &'i mut [u8]) {
        (self.key, self.bytes)
    }
}
