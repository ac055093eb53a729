//! Messages to compressed payloads (RFC 7692, 7.2.1), with zlib's `deflate`.
//!
//! A message goes out compressed only if that makes it shorter. Invariant: the history holds
//! exactly what the peer's window holds, so a message that was compressed in vain, or could not be
//! written, leaves no trace.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use std::sync::OnceLock;
use std::thread_local;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use crate::error::SendError;
use crate::header::{Fin, Opcode};
use crate::message::shared::SharedFrame;
use crate::message::transform::{
    Compressor, Prepared, PreparedForm, Put, Sent, compressed_len_max,
};

use super::NAME;
use super::history::History;
use super::pool::{self, Keep, Pool, Streams, Taken, Ticket};
use super::preferences::{ContextTakeover, DeflateLevel};
use super::window_bits::WindowBits;

thread_local! {
    static STREAMS: RefCell<Pool<Stream>> = RefCell::new(Pool::new());
}

/// The end of a `Z_SYNC_FLUSH`, an empty stored block, which a compressed message omits.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// An empty DEFLATE block without its tail (RFC 7692, 7.2.3.6).
const EMPTY_BLOCK: u8 = 0x00;
/// The least room for a call: with six bytes or fewer, zlib may repeat the flush.
const ROOM_LEN_MIN: usize = 64;

/// Deflates the messages of one direction.
pub(super) struct Deflater {
    context: ContextTakeover,
    bits: WindowBits,
    level: DeflateLevel,
    size_min: usize,
    /// What the next message may refer to; empty without context takeover.
    history: History,
    ticket: Option<Ticket>,
    streams: Streams<Stream>,
    /// While a message is being sent in fragments.
    stream: Option<Stream>,
}

/// A zlib stream, and the parameters it was made for.
pub(super) struct Stream {
    deflate: Deflate,
    bits: WindowBits,
    level: DeflateLevel,
}

impl Stream {
    fn new(bits: WindowBits, level: DeflateLevel) -> Self {
        // zlib has no raw stream with a window of 256 bytes. One of 512 never reaches back further
        // than 250: it keeps the longest match (258) and a few bytes more between what it compares
        // and the window's end.
        let window_bits = -i32::from(bits.get().max(9));
        let config = DeflateConfig {
            window_bits,
            level: i32::from(level.get()),
            ..DeflateConfig::default()
        };
        Self { deflate: Deflate::new_with_config(config), bits, level }
    }

    /// Compresses all of `input` and flushes, appending at most `len_max` bytes to `out`; returns
    /// whether that was enough.
    fn flush(&mut self, input: &[u8], out: &mut Vec<u8>, len_max: usize) -> bool {
        let mut rest = input;
        let len_max = out.len().saturating_add(len_max);
        loop {
            let start = out.len();
            let room_len = (rest.len() / 4).max(start / 2).max(4 * ROOM_LEN_MIN);
            let room_len = room_len.min(len_max - start);
            if room_len < ROOM_LEN_MIN {
                return false;
            }
            out.resize(start + room_len, 0);
            let (taken, written) = (self.deflate.total_in(), self.deflate.total_out());
            let room = out.get_mut(start..).unwrap_or_default();
            let outcome = self.deflate.compress(rest, room, DeflateFlush::SyncFlush);
            let since = |now: u64, then: u64| usize::try_from(now - then).unwrap_or(usize::MAX);
            let taken = since(self.deflate.total_in(), taken);
            let written = since(self.deflate.total_out(), written);
            rest = rest.get(taken..).unwrap_or_default();
            out.truncate(start + written.min(room_len));
            if outcome.is_err() {
                return false;
            }
            if written < room_len {
                return rest.is_empty();
            }
        }
    }

    /// Like [`flush`](Self::flush), for a whole message, if that makes it shorter.
    fn shrink(&mut self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        self.flush(payload, out, payload.len().saturating_add(ROOM_LEN_MIN))
            && strip_tail(out)
            && out.len() < payload.len()
    }
}

/// "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the tail end." (7.2.1)
fn strip_tail(out: &mut Vec<u8>) -> bool {
    let is_flushed = out.ends_with(&TAIL);
    out.truncate(out.len().saturating_sub(TAIL.len()));
    is_flushed
}

impl Deflater {
    pub(super) fn new(
        context: ContextTakeover,
        bits: WindowBits,
        level: DeflateLevel,
        size_min: usize,
    ) -> Self {
        let history = History::new(bits);
        let streams = Streams::OfThread(&STREAMS);
        Self { context, bits, level, size_min, history, ticket: None, streams, stream: None }
    }

    /// Returns the same deflater with streams from `streams` instead of the thread's pool.
    pub(super) fn with_streams(mut self, streams: Streams<Stream>) -> Self {
        self.streams = streams;
        self
    }

    /// Returns a stream that starts with an empty window, or with the one that `history` holds.
    fn stream_after(&self, history: Option<&History>, ticket: Option<Ticket>) -> Stream {
        let (bits, level) = (self.bits, self.level);
        let fits = |stream: &Stream| stream.bits == bits && stream.level == level;
        let mut stream = match self.streams.take(ticket, fits) {
            Some(Taken::Found(stream)) => return stream,
            Some(Taken::Used(mut stream)) => {
                stream.deflate.reset();
                stream
            }
            None => Stream::new(bits, level),
        };
        for piece in history.iter().flat_map(|history| history.pieces()) {
            if !piece.is_empty() {
                stream.deflate.set_dictionary(piece).ok(); // a raw stream takes any between blocks
            }
        }
        stream
    }

    fn take_stream(&mut self) -> Stream {
        let ticket = self.ticket.take();
        self.stream_after(Some(&self.history), ticket)
    }

    /// Returns a stream to the pool after a message has gone out.
    fn commit(&mut self, payload: &[u8], stream: Stream) {
        let keep = self.remember(payload);
        self.ticket = self.streams.put(stream, keep);
    }

    /// Records that the peer's window now ends with `payload`.
    fn remember(&mut self, payload: &[u8]) -> Keep {
        match self.context {
            ContextTakeover::Allowed => {
                self.history.push(payload);
                Keep::State
            }
            ContextTakeover::Off => Keep::Nothing,
        }
    }

    /// Compresses `payload` for any connection whose window is as large.
    fn form_of(&self, opcode: Opcode, payload: &[u8]) -> PreparedForm {
        let mut stream = self.stream_after(None, None);
        let frame = pool::with_scratch(|scratch| {
            let is_shorter = stream.shrink(payload, scratch);
            is_shorter.then(|| SharedFrame::new(opcode, scratch)).flatten()
        });
        self.streams.put(stream, Keep::Nothing);
        let window_size = self.bits.window_size().min(payload.len());
        PreparedForm { extension: NAME, window_size, frame }
    }
}

impl Compressor for Deflater {
    fn compress(&mut self, payload: &[u8], put: Put<'_>) -> Result<Sent, SendError> {
        if payload.len() < self.size_min {
            return Ok(Sent::Declined);
        }
        let mut stream = self.take_stream();
        let sent = pool::with_scratch(|scratch| {
            if !stream.shrink(payload, scratch) {
                return Ok(Sent::Declined);
            }
            put(scratch).map(|()| Sent::Compressed)
        });
        if sent == Ok(Sent::Compressed) {
            self.commit(payload, stream);
        } else {
            self.streams.put(stream, Keep::Nothing);
        }
        sent
    }

    fn prepare<'f>(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        form: &'f OnceLock<PreparedForm>,
    ) -> Prepared<'f> {
        if payload.len() < self.size_min {
            return Prepared::Plain;
        }
        let form = form.get_or_init(|| self.form_of(opcode, payload));
        if form.extension != NAME || form.window_size > self.bits.window_size() {
            return Prepared::Own;
        }
        form.frame.as_ref().map_or(Prepared::Plain, Prepared::Shared)
    }

    fn prepared_sent(&mut self, payload: &[u8]) {
        // The peer's window has moved on; this side's window follows when it compresses again.
        self.remember(payload);
        self.ticket = None;
    }

    fn compress_fragment(
        &mut self,
        payload: &[u8],
        fin: Fin,
        put: Put<'_>,
    ) -> Result<(), SendError> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.take_stream(),
        };
        let put = pool::with_scratch(|scratch| {
            let is_flushed = stream.flush(payload, scratch, compressed_len_max(payload.len()));
            // "Note that for non-final fragments, the removal of 0x00 0x00 0xff 0xff MUST NOT be
            // done." (7.2.1)
            if fin == Fin::Final && !strip_tail(scratch) {
                scratch.push(EMPTY_BLOCK); // flushed already, so nothing was written
            }
            debug_assert!(is_flushed, "the bound is one");
            put(scratch)
        });
        match fin {
            Fin::More => {
                self.remember(payload);
                self.stream = Some(stream);
            }
            Fin::Final => self.commit(payload, stream),
        }
        put
    }

    fn release(&mut self) {
        self.history.release();
        self.ticket = None;
        if let Some(stream) = self.stream.take() {
            self.streams.put(stream, Keep::Nothing);
        }
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater")
            .field("context", &self.context)
            .field("history", &self.history)
            .field("level", &self.level)
            .field("size_min", &self.size_min)
            .field("is_open", &self.stream.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn noise(len: usize, seed: u64) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        (0..len).map(|_| next()).collect()
    }

    fn stream() -> Stream {
        Stream::new(WindowBits::MAX, DeflateLevel::default())
    }

    /// A message that doesn't shrink is given up as soon as that is known, not after compressing
    /// all of it.
    #[test]
    fn no_more_is_written_than_may_be() {
        let payload = noise(100_000, 7);
        for len_max in [0, 1, 63, 64, 1_000, 50_000] {
            let mut out = Vec::from(*b"before");
            assert!(!stream().flush(&payload, &mut out, len_max), "{len_max}");
            assert!(out.len() <= 6 + len_max, "{len_max}: {}", out.len());
            assert!(out.starts_with(b"before"));
        }
        let mut out = Vec::new();
        assert!(stream().flush(&payload, &mut out, 101_000));
    }

    /// "before being sent": a message that gets no shorter is sent as it is.
    #[test]
    fn a_message_of_the_same_length_has_not_shrunk() {
        let mut same = 0;
        for seed in 0..3_000 {
            let mut payload = noise(12, seed);
            payload.extend_from_within(..5);
            let mut out = Vec::new();
            assert!(stream().flush(&payload, &mut out, 1_000) && strip_tail(&mut out));
            let mut shrunk = Vec::new();
            assert_eq!(stream().shrink(&payload, &mut shrunk), out.len() < payload.len());
            same += u32::from(out.len() == payload.len());
        }
        assert!(same > 0, "none was of the same length");
    }
}
