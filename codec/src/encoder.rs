//! Frames to bytes, appended to the caller's buffer: header and payload together, masked while
//! copied.

use bytes::BufMut;

use crate::error::SendError;
use crate::header::{self, CONTROL_PAYLOAD_LEN_MAX, EncodedHeader, FrameHeader, Opcode};
use crate::mask::{self, MaskKey};

/// Appends a frame to `out`: `header`, then `payload`, masked if the header says so.
///
/// The payload is copied once; it is not changed. `header.payload_len()` must equal the length of
/// `payload`.
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
/// [`SendError::PayloadLength`] if `header` declares a length other than that of `payload`.
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

/// Returns the header of a final, unmasked frame that carries `payload`.
#[inline]
pub(crate) fn header_of(opcode: Opcode, payload: &[u8]) -> Result<FrameHeader, SendError> {
    if opcode.is_control() && payload.len() > CONTROL_PAYLOAD_LEN_MAX {
        return Err(SendError::ControlTooLong { payload_len: payload.len() });
    }
    FrameHeader::new(opcode, payload.len() as u64)
        .map_err(|_| SendError::BufferFull { needed: usize::MAX })
}

/// Appends a frame whose header is already encoded, with the key and the length in that header.
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

/// Appends a final frame of at most 125 bytes, if `out` has contiguous room for it; returns whether
/// it did.
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

/// Like [`append_short`], for 126 to 65,535 bytes.
pub(crate) fn append_medium(
    opcode: Opcode,
    key: Option<MaskKey>,
    payload: &[u8],
    out: &mut impl BufMut,
) -> bool {
    mask::put_short(header::medium(opcode, payload.len(), key), key, payload, out)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// The fast paths are taken exactly where there is contiguous room, and write what the slow
    /// path writes, which other tests check.
    #[test]
    fn short_and_medium_frames_go_out_at_once_if_there_is_room() {
        for key in [None, Some(MaskKey::new([1, 2, 3, 4]))] {
            for len in [0, 1, 125, 126, 127, 65_535] {
                let payload = &alloc::vec![7; len][..];
                let append = |out: &mut &mut [u8]| match len {
                    0..=125 => append_short(Opcode::Binary, key, payload, out),
                    _ => append_medium(Opcode::Binary, key, payload, out),
                };
                let mut expected = Vec::new();
                let header = FrameHeader::new(Opcode::Binary, len as u64);
                let header = header.unwrap().with_mask(key);
                encode(header, payload, &mut expected).unwrap();
                // The longest short header is always written, however much of it is needed.
                for room in [8 + len, 70_000] {
                    let mut memory = alloc::vec![0; room];
                    let mut out = &mut memory[..];
                    assert!(append(&mut out), "{len} in {room}");
                    let written = room - out.len();
                    assert_eq!(memory[..written], expected);
                }
                for room in [0, expected.len() - 1, 7 + len] {
                    let mut memory = alloc::vec![0; room];
                    let mut out = &mut memory[..];
                    assert!(!append(&mut out), "{len} in {room}");
                    assert_eq!(out.len(), room);
                    assert_eq!(memory, alloc::vec![0; room]);
                }
            }
        }
    }
}
