//! Encodes a message as one frame or several (RFC 6455, 5.4).

use std::num::NonZeroUsize;

use wscodec::encoder;
use wscodec::header::{Fin, FrameHeader, Opcode};
use wscodec::mask::{ChaChaKeys, MaskKey, MaskKeySource};

/// Appends a message to `out`: as one frame, or in frames of `fragment` bytes, each with a key of
/// its own. Without `keys` the key is zero.
#[inline]
pub(crate) fn append(
    opcode: Opcode,
    payload: &[u8],
    fragment: Option<NonZeroUsize>,
    keys: &mut Option<ChaChaKeys>,
    out: &mut Vec<u8>,
) {
    match fragment {
        Some(fragment) if payload.len() > fragment.get() => {
            append_fragments(opcode, payload, fragment, keys, out);
        }
        _ => append_frame(opcode, Fin::Final, payload, keys, out),
    }
}

fn append_fragments(
    opcode: Opcode,
    payload: &[u8],
    fragment: NonZeroUsize,
    keys: &mut Option<ChaChaKeys>,
    out: &mut Vec<u8>,
) {
    let (mut opcode, mut rest) = (opcode, payload);
    while let Some((part, more)) = rest.split_at_checked(fragment.get()) {
        let fin = if more.is_empty() { Fin::Final } else { Fin::More };
        append_frame(opcode, fin, part, keys, out);
        (opcode, rest) = (Opcode::Continuation, more);
    }
    if !rest.is_empty() {
        append_frame(opcode, Fin::Final, rest, keys, out);
    }
}

#[inline]
fn append_frame(
    opcode: Opcode,
    fin: Fin,
    payload: &[u8],
    keys: &mut Option<ChaChaKeys>,
    out: &mut Vec<u8>,
) {
    // Can't fail: a payload in memory is never too long, and data frames may be fragments.
    let header = FrameHeader::new(opcode, payload.len() as u64);
    let Ok(header) = header.and_then(|header| header.with_fin(fin)) else { return };
    let key = keys.as_mut().map_or(MaskKey::ZERO, MaskKeySource::next_key);
    // Can't fail: a `Vec` grows, and the header has the payload's length.
    let encoded = encoder::encode(header.with_mask(Some(key)), payload, out);
    debug_assert!(encoded.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;
    use wscodec::{Config, Connection, Event, Role};

    #[test]
    fn fragments_are_one_message_and_as_large_as_asked_for() {
        for (len, fragment, frames) in
            [(0, 1, 1), (1, 1, 1), (5, 1, 5), (6, 3, 2), (7, 3, 3), (9, 100, 1), (1_000, 126, 8)]
        {
            let payload = vec![b'x'; len];
            let mut out = Vec::new();
            let mut keys = Some(ChaChaKeys::from_os().unwrap());
            append(Opcode::Text, &payload, NonZeroUsize::new(fragment), &mut keys, &mut out);
            let mut server = Connection::new(Role::Server, Config::default());
            let mut replies: Vec<u8> = Vec::new();
            let mut input = &mut out[..];
            let event = server.receive(&mut input, &mut replies).unwrap();
            assert_eq!(event, Some(Event::Text(str::from_utf8(&payload).unwrap())), "{len}");
            let heads = len + frames * if fragment.min(len) > 125 { 8 } else { 6 };
            assert!(out.len().abs_diff(heads) <= 2, "{len} {fragment}: {}", out.len());
        }
    }
}
