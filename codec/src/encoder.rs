//! Frames to bytes, appended to the caller's buffer: header and payload in one go, masked while
//! copied.

use bytes::BufMut;

use crate::error::SendError;
use crate::header::{self, EncodedHeader, FrameHeader, Opcode};
use crate::mask::{self, MaskKey};

/// Appends a frame to `out`: `header`, then `payload`, masked if the header says so.
///
/// The payload is copied once; it is not changed. `header.payload_len()` is taken from `payload`
/// itself.
///
/// ```
/// use wscodec::encoder;
/// use wscodec::header::{FrameHeader, Opcode};
///
/// let mut out = Vec::new();
/// encoder::encode(FrameHeader::new(Opcode::Text, 5)?, b"Hello", &mut out).unwrap();
/// assert_eq!(out, b"\x81\x05Hello"); // RFC 6455, 5.7
/// # Ok::<(), wscodec::FrameError>(())
/// ```
///
/// # Errors
/// [`SendError::BufferFull`] if `out` can't take the whole frame; nothing is written then.
/// [`SendError::PayloadLength`] if `header` declares another length than `payload` has.
#[inline]
pub fn encode(header: FrameHeader, payload: &[u8], out: &mut impl BufMut) -> Result<(), SendError> {
    if header.payload_len() != payload.len() as u64 {
        return Err(SendError::PayloadLength {
            declared: header.payload_len(),
            payload_len: payload.len(),
        });
    }
    append(header.encode(), header.mask(), payload, out)
}

/// Appends a frame whose header is encoded already, with the key and the length that stand in it.
#[inline]
pub(crate) fn append(
    head: EncodedHeader,
    key: Option<MaskKey>,
    payload: &[u8],
    out: &mut impl BufMut,
) -> Result<(), SendError> {
    let (word, head_len) = head.to_word();
    let needed = head_len + payload.len();
    if out.remaining_mut() < needed {
        return Err(SendError::BufferFull { needed });
    }
    mask::put_frame((word, head_len), key, payload, out);
    Ok(())
}

/// Appends a final frame of at most 125 bytes, if `out` has the room in one piece; says whether it
/// did.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a call would cost as much as the frame")]
pub(crate) fn append_short(
    opcode: Opcode,
    key: Option<MaskKey>,
    payload: &[u8],
    out: &mut impl BufMut,
) -> bool {
    match key {
        None => mask::put_short(header::short(opcode, payload.len()), None, payload, out),
        Some(key) => mask::put_short(
            header::short_masked(opcode, payload.len(), key),
            Some(key),
            payload,
            out,
        ),
    }
}

/// As [`append_short`], of 126 to 65,535 bytes.
pub(crate) fn append_medium(
    opcode: Opcode,
    key: Option<MaskKey>,
    payload: &[u8],
    out: &mut impl BufMut,
) -> bool {
    mask::put_short(header::medium(opcode, payload.len(), key), key, payload, out)
}
