//! Compressed payloads to messages (RFC 7692, 7.2.2), as they arrive, with zlib's `inflate`.
//!
//! "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload of the message.
//! Decompress the resulting data using DEFLATE." Whether a message ends where its last block does
//! can be seen only with its last byte available, so that byte is always held back until the next
//! arrives or the message ends. A message is whole if
//!
//! - the four octets complete an empty block, as the RFC has it;
//! - or its payload ended with a block, or is empty, and the four octets are not needed;
//! - or its last block had BFINAL set: "The next DEFLATE block follows the padded data if any"
//!   (7.2.1).
//!
//! Everything else is truncated. Invariant: between messages nothing is held but the window's
//! content, if that is taken over.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::fmt;
use std::thread_local;

use zlib_rs::{Inflate, InflateFlush, Status};

use crate::error::InflateError;
use crate::message::transform::{Decompressor, Progress};

use super::history::History;
use super::pool::{Keep, Pool, Streams, Taken, Ticket};
use super::preferences::ContextTakeover;
use super::window_bits::WindowBits;

thread_local! {
    static STREAMS: RefCell<Pool<Inflate>> = RefCell::new(Pool::new());
}

/// The window of every stream, whatever was agreed: zlib-rs always allocates this much. A peer may
/// exceed its smaller window within a message; what it refers to in earlier messages is forgotten.
/// So that this does not depend on what else the thread does, a stream continues with the next
/// message only where a window of this size was agreed; a smaller one is cheap to copy into another
/// stream.
const STREAM_WINDOW_BITS: u8 = 15;

/// More than the last byte of a whole message can expand to: five matches of 258 bytes.
const LAST_LEN_MAX: usize = 2 << 10;

/// What a byte of compressed payload pays for when the window's content is brought to another
/// stream, in bytes: about as much as inflating it may write.
///
/// A message may continue after BFINAL, as often as every two bytes, and each time a stream starts
/// over. Where that is not paid for, the stream starts with an empty window, as every stream of
/// other implementations does, so that copying windows costs no more than inflating.
const RESTORED_LEN_PER_BYTE: usize = 1 << 10;

/// Inflates the messages of one direction.
pub(super) struct Inflater {
    context: ContextTakeover,
    /// A stream's window is the one that was agreed.
    may_go_on: bool,
    /// What the next message may refer to; empty without context takeover.
    history: History,
    ticket: Option<Ticket>,
    streams: Streams<Inflate>,
    /// While a message is open.
    stream: Option<Inflate>,
    /// Compressed bytes of the open message so far.
    payload_len: usize,
    /// Bytes of history copied after a BFINAL in the open message.
    restored_len: usize,
    /// A stream of the open message has started without the window.
    lacks_window: bool,
    /// The last byte of the payload so far.
    held: Option<u8>,
    /// The output of the last byte that has not been handed out.
    rest: Vec<u8>,
    /// An error that follows bytes which are handed out first.
    failed: Option<InflateError>,
}

/// What one call of `inflate` did.
struct Step {
    taken: usize,
    written: usize,
    outcome: Result<Status, InflateError>,
}

impl Inflater {
    pub(super) fn new(context: ContextTakeover, bits: WindowBits) -> Self {
        Self {
            context,
            may_go_on: context == ContextTakeover::Allowed && bits == WindowBits::MAX,
            history: History::new(bits),
            ticket: None,
            streams: Streams::OfThread(&STREAMS),
            stream: None,
            payload_len: 0,
            restored_len: 0,
            lacks_window: false,
            held: None,
            rest: Vec::new(),
            failed: None,
        }
    }

    /// Returns the same inflater with streams from `streams` instead of the thread's pool.
    pub(super) fn with_streams(mut self, streams: Streams<Inflate>) -> Self {
        self.streams = streams;
        self
    }

    /// Returns a stream that continues from the history: that of the last message, if still
    /// available.
    fn take_stream(&mut self) -> Inflate {
        match self.streams.take(self.ticket.take(), |_| true) {
            Some(Taken::Found(stream)) => stream,
            Some(Taken::Used(mut stream)) => {
                stream.reset(false);
                self.restored(stream)
            }
            None => self.restored(Inflate::new(false, STREAM_WINDOW_BITS)),
        }
    }

    /// Returns the stream to use after a block with BFINAL: "An endpoint MAY use both DEFLATE
    /// blocks with the "BFINAL" bit set to 0 and DEFLATE blocks with the "BFINAL" bit set to 1"
    /// (7.2.1).
    fn restarted(&mut self, mut stream: Inflate) -> Inflate {
        stream.reset(false);
        let paid = self.payload_len.saturating_mul(RESTORED_LEN_PER_BYTE);
        if self.restored_len > paid {
            self.lacks_window |= self.history.len() > 0;
            return stream;
        }
        self.restored_len += self.history.len();
        self.restored(stream)
    }

    /// Returns a fresh stream with the history as its window.
    fn restored(&self, mut stream: Inflate) -> Inflate {
        for piece in self.history.pieces().into_iter().filter(|piece| !piece.is_empty()) {
            stream.set_dictionary(piece).ok(); // a raw stream takes any dictionary, at any time
        }
        stream
    }

    fn remember(&mut self, message: &[u8]) {
        if self.context == ContextTakeover::Allowed {
            self.history.push(message);
        }
    }

    /// Inflates `compressed`, which shrinks, to `room` from `written` on, until either is used up.
    fn run(
        &mut self,
        compressed: &mut &[u8],
        room: &mut [u8],
        written: &mut usize,
    ) -> Result<(), InflateError> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.take_stream(),
        };
        let outcome = loop {
            let free = room.get_mut(*written..).unwrap_or_default();
            if free.is_empty() {
                break Ok(());
            }
            let step = step(&mut stream, compressed, free, InflateFlush::NoFlush);
            let (message, _) = free.split_at(step.written.min(free.len()));
            self.remember(message);
            *written += message.len();
            *compressed = compressed.get(step.taken..).unwrap_or_default();
            self.payload_len = self.payload_len.saturating_add(step.taken);
            match step.outcome {
                Err(error) => break Err(error),
                Ok(Status::StreamEnd) => stream = self.restarted(stream),
                Ok(_) if compressed.is_empty() || *written == room.len() => {}
                Ok(_) if step.taken == 0 && step.written == 0 => break Err(InflateError::Corrupt),
                Ok(_) => {}
            }
            if compressed.is_empty() {
                break Ok(());
            }
        };
        self.stream = Some(stream);
        outcome
    }

    /// Inflates the last byte and what the RFC appends to it, to `room`; returns the number of
    /// bytes written.
    fn run_last(&mut self, last: u8, room: &mut [u8]) -> Result<usize, InflateError> {
        // The sixth byte is meant to be left over: if the stream stops before it, a block ends
        // there.
        let input = [last, 0x00, 0x00, 0xff, 0xff, 0x00];
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.take_stream(),
        };
        let (mut taken, mut written) = (0, 0);
        let mut ended_with_payload = false;
        let outcome = loop {
            let rest = input.get(taken..).unwrap_or_default();
            let room = room.get_mut(written..).unwrap_or_default();
            if room.is_empty() {
                break Err(InflateError::Truncated);
            }
            let step = step(&mut stream, rest, room, InflateFlush::Block);
            taken += step.taken;
            written += step.written;
            match (step.outcome, taken) {
                (Err(error), _) => break Err(error),
                (Ok(Status::StreamEnd), 0) => stream = self.restarted(stream),
                (Ok(Status::StreamEnd), 1 | 5) => break Ok(Keep::Nothing),
                (Ok(Status::StreamEnd), _) => break Err(InflateError::Truncated),
                (Ok(_), 1) if !ended_with_payload => ended_with_payload = true,
                (Ok(_), 5) => break Ok(Keep::State),
                (Ok(_), 6) if ended_with_payload => break Ok(Keep::Nothing),
                (Ok(_), _) => break Err(InflateError::Truncated),
            }
        };
        let keep = match outcome {
            Ok(keep) if self.may_go_on && !self.lacks_window => keep,
            _ => Keep::Nothing,
        };
        (self.payload_len, self.restored_len, self.lacks_window) = (0, 0, false);
        self.ticket = self.streams.put(stream, keep);
        outcome.map(|_| written)
    }

    /// Like [`decompress`](Decompressor::decompress), but an error may follow written bytes.
    fn decompress_to(
        &mut self,
        compressed: &mut &[u8],
        room: &mut [u8],
        written: &mut usize,
    ) -> Result<(), InflateError> {
        if let (Some(held), false) = (self.held, compressed.is_empty()) {
            let held = [held];
            let mut rest = &held[..];
            self.run(&mut rest, room, written)?;
            if !rest.is_empty() {
                return Ok(());
            }
            self.held = None;
        }
        let (body, last) = match compressed.split_last() {
            Some((last, body)) => (body, Some(*last)),
            None => (&[][..], None),
        };
        let mut rest = body;
        if self.stream.is_some() || !body.is_empty() {
            self.run(&mut rest, room, written)?;
        }
        if rest.is_empty() && *written < room.len() {
            self.held = last.or(self.held);
            *compressed = &[];
        } else {
            let taken = body.len() - rest.len();
            *compressed = compressed.get(taken..).unwrap_or_default();
        }
        Ok(())
    }
}

impl Decompressor for Inflater {
    fn decompress(
        &mut self,
        compressed: &mut &[u8],
        room: &mut [u8],
    ) -> Result<Progress, InflateError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut written = 0;
        match self.decompress_to(compressed, room, &mut written) {
            Ok(()) => {
                let is_drained = compressed.is_empty() && written < room.len();
                Ok(Progress { written, is_drained })
            }
            Err(error) if written == 0 => Err(error),
            Err(error) => {
                self.failed = Some(error);
                Ok(Progress { written, is_drained: false })
            }
        }
    }

    fn finish(&mut self, room: &mut [u8]) -> Result<Progress, InflateError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if let Some(last) = self.held.take() {
            let mut scratch = [0; LAST_LEN_MAX];
            let len = self.run_last(last, &mut scratch)?;
            let message = scratch.get(..len).unwrap_or_default();
            self.remember(message);
            self.rest.extend_from_slice(message);
        }
        let written = self.rest.len().min(room.len());
        let (now, _) = self.rest.split_at(written);
        room.split_at_mut(written).0.copy_from_slice(now);
        self.rest.drain(..written);
        let is_drained = self.rest.is_empty();
        if is_drained {
            self.rest = Vec::new();
        }
        Ok(Progress { written, is_drained })
    }

    fn release(&mut self) {
        self.held = None;
        self.rest = Vec::new();
        self.history.release();
        self.ticket = None;
        if let Some(stream) = self.stream.take() {
            self.streams.put(stream, Keep::Nothing);
        }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("context", &self.context)
            .field("history", &self.history)
            .field("is_open", &self.stream.is_some())
            .finish_non_exhaustive()
    }
}

/// One call of `inflate`.
fn step(stream: &mut Inflate, input: &[u8], room: &mut [u8], flush: InflateFlush) -> Step {
    let (taken, written) = (stream.total_in(), stream.total_out());
    let outcome = stream.decompress(input, room, flush).map_err(|_| InflateError::Corrupt);
    let since = |now: u64, then: u64| usize::try_from(now - then).unwrap_or(usize::MAX);
    Step {
        taken: since(stream.total_in(), taken).min(input.len()),
        written: since(stream.total_out(), written).min(room.len()),
        outcome,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    /// Work, not time: the bytes copied for restarted streams are bounded by the payload.
    #[test]
    fn c16_restarts_behind_bfinal_copy_no_more_than_the_payload_pays_for() {
        for (bits, per_byte) in [(WindowBits::MAX, RESTORED_LEN_PER_BYTE), (WindowBits::MIN, 256)] {
            let mut inflater = Inflater::new(ContextTakeover::Allowed, bits);
            let window = bits.window_size();
            inflater.remember(&vec![b'x'; window]);
            let payload = [0x03, 0x00].repeat(100_000);
            let mut room = [0; 16];
            for piece in payload.chunks(777) {
                let mut piece = piece;
                let progress = inflater.decompress(&mut piece, &mut room);
                assert_eq!(progress, Ok(Progress { written: 0, is_drained: true }));
            }
            assert!(inflater.restored_len > payload.len() * per_byte / 3, "restored it is");
            assert!(inflater.restored_len <= payload.len() * per_byte + window);
            let progress = inflater.finish(&mut room);
            assert_eq!(progress, Ok(Progress { written: 0, is_drained: true }));
            assert_eq!((inflater.payload_len, inflater.restored_len), (0, 0));
            assert_eq!(inflater.history.len(), window, "the next message has it all");
        }
    }

    #[test]
    fn c16_a_restart_is_paid_for_as_long_as_the_payload_reaches() {
        for (beyond, is_restored) in [(0, true), (1, false)] {
            let mut inflater = Inflater::new(ContextTakeover::Allowed, WindowBits::MIN);
            inflater.remember(&[b'x'; 256]);
            inflater.payload_len = 2;
            inflater.restored_len = 2 * RESTORED_LEN_PER_BYTE + beyond;
            let stream = inflater.take_stream();
            inflater.restarted(stream);
            assert_eq!(inflater.lacks_window, !is_restored);
            let restored_len = inflater.restored_len - 2 * RESTORED_LEN_PER_BYTE - beyond;
            assert_eq!(restored_len, if is_restored { 256 } else { 0 });
        }
    }

    /// A stream that already has the window is not given it again, which would copy it for every
    /// message.
    #[test]
    fn the_stream_of_a_whole_message_is_kept_for_the_next() {
        let mut inflater = Inflater::new(ContextTakeover::Allowed, WindowBits::MAX);
        for _ in 0..3 {
            // "Hello" (RFC 7692, 7.2.3.1).
            let mut compressed = &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..];
            let mut room = [0; 64];
            let before = inflater.decompress(&mut compressed, &mut room).unwrap().written;
            let after = inflater.finish(&mut room[before..]).unwrap().written;
            assert_eq!(&room[..before + after], b"Hello");
            assert!(inflater.ticket.is_some());
        }
    }
}
