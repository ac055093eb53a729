//! The frame header: 2 to 14 bytes to a value and back, checked byte by byte (RFC 6455, 5.2).
//!
//! ```text
//!  0               1               2               3
//!  0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7 0 1 2 3 4 5 6 7
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |F|R|R|R| opcode|M| Payload len |  Extended payload length      |
//! |I|S|S|S|  (4)  |A|     (7)     |  (16 bits if 126, 64 if 127)  |
//! |N|V|V|V|       |S|             |                               |
//! | |1|2|3|       |K|             |                               |
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |  Masking-key (32 bits, if MASK is set)  |  Payload ...        |
//! +-----------------------------------------+---------------------+
//! ```
//!
//! Invariant: a [`FrameHeader`] may always be sent. A received header is checked in this order:
//! opcode, RSV, MASK, control frame rules, shortest form, most significant bit, limit. All checks
//! use the raw `u64`.

use crate::error::FrameError;
use crate::limits::Limits;
use crate::mask::MaskKey;
use crate::role::Role;

/// The longest header, in bytes.
pub const HEADER_LEN_MAX: usize = 14;
/// The longest payload of a control frame, in bytes (RFC 6455, 5.5).
pub const CONTROL_PAYLOAD_LEN_MAX: usize = 125;

const FIN: u8 = 0x80;
const MASK: u8 = 0x80;
const CONTROL_LEN_MAX: u8 = 125;
const LEN_16: u8 = 126;
const LEN_64: u8 = 127;

/// What a frame is (RFC 6455, 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// A later fragment of a message.
    Continuation = 0,
    /// A text message or its first fragment.
    Text = 1,
    /// A binary message or its first fragment.
    Binary = 2,
    /// Starts or answers the closing handshake.
    Close = 8,
    /// Asks for a Pong.
    Ping = 9,
    /// Answers a Ping, or is unsolicited.
    Pong = 10,
}

impl Opcode {
    /// Returns the opcode of these four bits, `None` for the reserved ones.
    #[must_use]
    #[inline]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    /// Close, Ping and Pong: at most 125 bytes, never fragmented.
    #[must_use]
    #[inline]
    pub const fn is_control(self) -> bool {
        self as u8 & 8 != 0
    }
}

/// The three reserved bits of a header, to which extensions give a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Rsv(u8);

impl Rsv {
    /// No bit set.
    pub const NONE: Self = Self(0);
    /// RSV1, which permessage-deflate sets on the first frame of a compressed message (RFC 7692,
    /// 6).
    pub const RSV1: Self = Self(4);

    /// Returns the bits for a number: RSV1 is 4, RSV2 is 2, RSV3 is 1; `None` from 8 on.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits < 8 { Some(Self(bits)) } else { None }
    }

    /// Returns the three bits as a number: RSV1 is 4, RSV2 is 2, RSV3 is 1.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns whether every bit of `other` is also set in `self`.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Whether this frame ends its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fin {
    /// FIN is 1: the last, or only, frame of the message.
    Final,
    /// FIN is 0: continuation frames follow.
    More,
}

/// What the masking bit of a received frame must be (RFC 6455, 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Masking {
    /// The rule for a server that receives.
    Required,
    /// The rule for a client that receives.
    Forbidden,
    /// For analysers, which see both directions.
    Either,
}

impl Masking {
    /// Returns what the side that is `role` must require.
    #[must_use]
    pub const fn for_receiver(role: Role) -> Self {
        match role {
            Role::Server => Self::Required,
            Role::Client => Self::Forbidden,
        }
    }
}

/// How strictly to check a received header.
///
/// ```
/// use wscodec::header::{HeaderRules, Masking, Rsv};
/// use wscodec::{Limits, Role};
///
/// // What a server receives, from a client with an extension.
/// let rules = HeaderRules::for_receiver(Role::Server, &Limits::default())
///     .with_rsv_allowed(Rsv::RSV1);
/// assert_eq!((rules.masking, rules.frame_size_max), (Masking::Required, 16 << 20));
/// // A proxy keeps no payload, so it needs no limit.
/// assert_eq!(HeaderRules::unlimited(Role::Server).frame_size_max, u64::MAX);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeaderRules {
    /// What the masking bit must be.
    pub masking: Masking,
    /// The reserved bits that a negotiated extension allows on the first frame of a message.
    pub rsv_allowed: Rsv,
    /// The longest payload of a frame, in bytes.
    pub frame_size_max: u64,
}

impl HeaderRules {
    /// Rules without extensions.
    #[must_use]
    pub const fn new(masking: Masking, frame_size_max: u64) -> Self {
        Self { masking, rsv_allowed: Rsv::NONE, frame_size_max }
    }

    /// Returns the rules by which the side that is `role` checks what it receives, without
    /// extensions.
    #[must_use]
    pub const fn for_receiver(role: Role, limits: &Limits) -> Self {
        Self::new(Masking::for_receiver(role), limits.frame_size_max)
    }

    /// Like [`for_receiver`](Self::for_receiver), for frames of any length: for proxies and
    /// analysers, which pass payloads on as they arrive.
    #[must_use]
    pub const fn unlimited(role: Role) -> Self {
        Self::for_receiver(role, &Limits::unlimited())
    }

    /// Returns the same rules with this [`masking`](Self::masking).
    #[must_use]
    pub const fn with_masking(mut self, masking: Masking) -> Self {
        self.masking = masking;
        self
    }

    /// Returns the same rules with these [`rsv_allowed`](Self::rsv_allowed).
    #[must_use]
    pub const fn with_rsv_allowed(mut self, rsv_allowed: Rsv) -> Self {
        self.rsv_allowed = rsv_allowed;
        self
    }

    /// Returns the same rules with this [`frame_size_max`](Self::frame_size_max), in bytes.
    #[must_use]
    pub const fn with_frame_size_max(mut self, frame_size_max: u64) -> Self {
        self.frame_size_max = frame_size_max;
        self
    }
}

/// The header of one frame.
///
/// ```
/// use wscodec::header::{FrameHeader, HeaderRules, Opcode, Parsed};
/// use wscodec::{Limits, Role};
///
/// let rules = HeaderRules::for_receiver(Role::Client, &Limits::default());
/// let Parsed::Complete { header, header_len } = FrameHeader::parse(b"\x81\x05Hello", &rules)? else {
///     panic!("two bytes are enough here");
/// };
/// assert_eq!((header.opcode(), header.payload_len(), header_len), (Opcode::Text, 5, 2));
/// # Ok::<(), wscodec::FrameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    payload_len: u64,
    mask: Option<MaskKey>,
    opcode: Opcode,
    rsv: Rsv,
    fin: Fin,
}

/// The result of [`FrameHeader::parse`] for the bytes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The header is the first `header_len` bytes.
    Complete {
        /// The header.
        header: FrameHeader,
        /// Its length, 2 to 14 bytes.
        header_len: usize,
    },
    /// Nothing is wrong yet; at least this many more bytes are needed to continue.
    NeedMore(usize),
}

/// The bytes of an encoded header, held inline.
#[derive(Clone, Copy, Debug)]
pub struct EncodedHeader {
    bytes: [u8; 16],
    len: u8,
}

impl EncodedHeader {
    /// Returns the header of a final frame, without reserved bits.
    #[inline]
    pub(crate) fn of_final(opcode: Opcode, payload_len: u64, mask: Option<MaskKey>) -> Self {
        Self::new(FIN | opcode as u8, payload_len, mask)
    }

    #[inline]
    fn new(b0: u8, payload_len: u64, mask: Option<MaskKey>) -> Self {
        // Assembled in a register and stored once: byte stores followed by a wider load would
        // stall.
        let (masked, key) = match mask {
            Some(key) => (MASK, u128::from(u32::from_le_bytes(key.to_bytes()))),
            None => (0, 0),
        };
        let (head, len) = match payload_len {
            len @ 0..=125 => (u128::from(len) << 8 | key << 16, 2),
            len @ 126..=0xffff => {
                let len = len.swap_bytes() >> 48;
                (u128::from(LEN_16) << 8 | u128::from(len) << 16 | key << 32, 4)
            }
            len => {
                let len = len.swap_bytes();
                (u128::from(LEN_64) << 8 | u128::from(len) << 16 | key << 80, 10)
            }
        };
        let head = head | u128::from(b0) | u128::from(masked) << 8;
        Self { bytes: head.to_le_bytes(), len: len + masked / 32 }
    }

    /// Returns the bytes as a number whose lowest byte comes first, and how many of them count.
    #[inline]
    pub(crate) fn to_word(self) -> (u128, usize) {
        (u128::from_le_bytes(self.bytes), usize::from(self.len))
    }

    /// Returns the bytes in wire order, 2 to 14 of them.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&self.bytes)
    }
}

impl FrameHeader {
    /// Returns the header of a final, unmasked frame with no reserved bit.
    ///
    /// # Errors
    /// [`FrameError::ControlTooLong`] for a control frame of more than 125 bytes,
    /// [`FrameError::LengthMsb`] for a length of 2^63 and more.
    pub const fn new(opcode: Opcode, payload_len: u64) -> Result<Self, FrameError> {
        if opcode.is_control() && payload_len > CONTROL_PAYLOAD_LEN_MAX as u64 {
            return Err(FrameError::ControlTooLong { opcode: opcode as u8 });
        }
        if payload_len >> 63 != 0 {
            return Err(FrameError::LengthMsb { payload_len });
        }
        Ok(Self { payload_len, mask: None, opcode, rsv: Rsv::NONE, fin: Fin::Final })
    }

    /// Returns the same header with this FIN.
    ///
    /// # Errors
    /// [`FrameError::ControlFragmented`] for a control frame and [`Fin::More`].
    pub const fn with_fin(mut self, fin: Fin) -> Result<Self, FrameError> {
        if self.opcode.is_control() && matches!(fin, Fin::More) {
            return Err(FrameError::ControlFragmented { opcode: self.opcode as u8 });
        }
        self.fin = fin;
        Ok(self)
    }

    /// Returns the same header, masked with `key`, or not masked.
    #[must_use]
    pub const fn with_mask(mut self, key: Option<MaskKey>) -> Self {
        self.mask = key;
        self
    }

    /// Returns the same header with these reserved bits, which an extension must have negotiated.
    #[must_use]
    pub const fn with_rsv(mut self, rsv: Rsv) -> Self {
        self.rsv = rsv;
        self
    }

    /// Returns the opcode.
    #[must_use]
    #[inline]
    pub const fn opcode(&self) -> Opcode {
        self.opcode
    }

    /// Returns whether the frame ends its message.
    #[must_use]
    #[inline]
    pub const fn fin(&self) -> Fin {
        self.fin
    }

    /// Returns the reserved bits.
    #[must_use]
    #[inline]
    pub const fn rsv(&self) -> Rsv {
        self.rsv
    }

    /// Returns the masking key, if the frame is masked.
    #[must_use]
    #[inline]
    pub const fn mask(&self) -> Option<MaskKey> {
        self.mask
    }

    /// Returns the number of payload bytes that follow the header; below 2^63.
    #[must_use]
    #[inline]
    pub const fn payload_len(&self) -> u64 {
        self.payload_len
    }

    /// Parses the header at the start of `bytes` and checks it by `rules`, as early as the bytes
    /// allow: the opcode, the reserved bits and FIN by the first byte, MASK and the length of
    /// control frames by the second.
    ///
    /// # Errors
    /// Every [`FrameError`].
    #[inline]
    pub fn parse(bytes: &[u8], rules: &HeaderRules) -> Result<Parsed, FrameError> {
        let [b0, rest @ ..] = bytes else { return Ok(Parsed::NeedMore(2)) };
        let (opcode, rsv, fin) = judge_first_byte(*b0, rules)?;
        let [b1, rest @ ..] = rest else { return Ok(Parsed::NeedMore(1)) };
        judge_second_byte(*b1, opcode, rules)?;

        let (payload_len, rest) = match b1 & !MASK {
            LEN_16 => {
                let Some((len, rest)) = rest.split_first_chunk::<2>() else {
                    return Ok(Parsed::NeedMore(2 - rest.len()));
                };
                (u64::from(u16::from_be_bytes(*len)), rest)
            }
            LEN_64 => {
                let Some((len, rest)) = rest.split_first_chunk::<8>() else {
                    return Ok(Parsed::NeedMore(8 - rest.len()));
                };
                (u64::from_be_bytes(*len), rest)
            }
            len => (u64::from(len), rest),
        };
        judge_length(payload_len, *b1, rules)?;

        let (mask, rest) = if b1 & MASK == 0 {
            (None, rest)
        } else {
            let Some((key, rest)) = rest.split_first_chunk::<4>() else {
                return Ok(Parsed::NeedMore(4 - rest.len()));
            };
            (Some(MaskKey::new(*key)), rest)
        };
        let header = Self { payload_len, mask, opcode, rsv, fin };
        Ok(Parsed::Complete { header, header_len: bytes.len() - rest.len() })
    }

    /// Returns the header in its wire format, with the length in the shortest form.
    #[must_use]
    #[inline]
    pub fn encode(&self) -> EncodedHeader {
        let fin = if self.fin == Fin::Final { FIN } else { 0 };
        EncodedHeader::new(fin | self.rsv.0 << 4 | self.opcode as u8, self.payload_len, self.mask)
    }
}

/// Returns the header of a final frame of at most 125 bytes as a number whose lowest byte comes
/// first, and its length.
#[inline]
pub(crate) fn short(opcode: Opcode, payload_len: usize) -> (u64, usize) {
    (u64::from(FIN | opcode as u8) | (payload_len as u64) << 8, 2)
}

/// Like [`short`], masked with `key`.
#[inline]
pub(crate) fn short_masked(opcode: Opcode, payload_len: usize, key: MaskKey) -> (u64, usize) {
    let key = u64::from(u32::from_le_bytes(key.to_bytes()));
    (short(opcode, payload_len).0 | u64::from(MASK) << 8 | key << 16, 6)
}

/// Like [`short`], for 126 to 65,535 bytes, masked if there is a key.
#[inline]
pub(crate) fn medium(opcode: Opcode, payload_len: usize, key: Option<MaskKey>) -> (u64, usize) {
    let len = (payload_len as u64).swap_bytes() >> 48;
    let head = u64::from(FIN | opcode as u8) | u64::from(LEN_16) << 8 | len << 16;
    match key {
        None => (head, 4),
        Some(key) => {
            let key = u64::from(u32::from_le_bytes(key.to_bytes()));
            (head | u64::from(MASK) << 8 | key << 32, 8)
        }
    }
}

#[inline]
fn judge_first_byte(b0: u8, rules: &HeaderRules) -> Result<(Opcode, Rsv, Fin), FrameError> {
    let bits = b0 & 0x0f;
    let Some(opcode) = Opcode::from_bits(bits) else {
        return Err(FrameError::ReservedOpcode { opcode: bits });
    };
    // "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values"
    // (5.2); RFC 7692, 6 gives RSV1 a meaning on the first frame of a message only.
    let rsv = Rsv(b0 >> 4 & 7);
    let allowed = match opcode {
        Opcode::Text | Opcode::Binary => rules.rsv_allowed,
        _ => Rsv::NONE,
    };
    if !allowed.contains(rsv) {
        return Err(FrameError::ReservedBits { rsv: rsv.0 });
    }
    let fin = if b0 & FIN == 0 { Fin::More } else { Fin::Final };
    // "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be
    // fragmented" (5.5).
    if opcode.is_control() && fin == Fin::More {
        return Err(FrameError::ControlFragmented { opcode: bits });
    }
    Ok((opcode, rsv, fin))
}

#[inline]
fn judge_second_byte(b1: u8, opcode: Opcode, rules: &HeaderRules) -> Result<(), FrameError> {
    // "The server MUST close the connection upon receiving a frame that is not masked. [...] A
    // client MUST close a connection if it detects a masked frame." (5.1)
    match (rules.masking, b1 & MASK != 0) {
        (Masking::Required, false) => return Err(FrameError::MaskRequired),
        (Masking::Forbidden, true) => return Err(FrameError::MaskForbidden),
        _ => {}
    }
    if opcode.is_control() && b1 & !MASK > CONTROL_LEN_MAX {
        return Err(FrameError::ControlTooLong { opcode: opcode as u8 });
    }
    Ok(())
}

#[inline]
fn judge_length(payload_len: u64, b1: u8, rules: &HeaderRules) -> Result<(), FrameError> {
    // "in all cases, the minimal number of bytes MUST be used to encode the length" (5.2). The
    // sentence binds the sender; refusing violations removes a way to make two parsers disagree.
    let form = b1 & !MASK;
    if form == LEN_16 && payload_len < 126 || form == LEN_64 && payload_len <= 0xffff {
        return Err(FrameError::LengthNotMinimal { payload_len });
    }
    // "the most significant bit MUST be 0" (5.2)
    if payload_len >> 63 != 0 {
        return Err(FrameError::LengthMsb { payload_len });
    }
    if payload_len > rules.frame_size_max {
        return Err(FrameError::FrameTooBig { payload_len, frame_size_max: rules.frame_size_max });
    }
    Ok(())
}
