//! The interface for per-message compression (RFC 7692, 5 and 6): what an extension does to
//! payloads, not how.
//!
//! ```text
//!  in :  payload as it arrives ─▶ Inflow (Decompressor) ─▶ MessageBuffer, under the message limit
//!  out:  payload ─▶ Outflow (Compressor) ─▶ frames, RSV1 on the first
//! ```
//!
//! The assembler and the sender know these two traits; that RSV1 marks their output is the RFC's
//! rule for every per-message compression extension. Invariant: a decompressor never writes beyond
//! the room it is given, so that the limit holds *while* a message is decompressed.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::fmt::Debug;
#[cfg(feature = "std")]
use std::sync::OnceLock;

use crate::error::{InflateError, ProtocolError, SendError};
use crate::header::Fin;
#[cfg(feature = "std")]
use crate::header::Opcode;
use crate::limits::Limits;
use crate::redacted::Redacted;
use crate::role::Role;

use super::DataKind;
use super::buffer::MessageBuffer;
pub(crate) use super::buffer::Progress;
#[cfg(feature = "std")]
pub(crate) use super::shared::{Prepared, PreparedForm};

/// The most to decompress in one step, in bytes.
const CHUNK_LEN_MAX: usize = 16 << 10;
/// The least, so that a short message does not take several steps, and so that zlib's fast loop,
/// which needs 260 bytes of room, can finish.
const CHUNK_LEN_MIN: usize = 2 << 10;
/// The most bytes that one byte may expand to: DEFLATE's best is a match of 258 bytes for two bits.
const RATIO_MAX: usize = 1032;
/// How much compressed payload is held back while pieces are delivered as they are decompressed, in
/// bytes.
const HELD_LEN_MAX: usize = 1 << 10;

/// A per-message compression extension as agreed by two peers: pass it to
/// [`ConnectionBuilder::extension`](crate::ConnectionBuilder::extension).
///
/// Sealed: only the extensions of this crate implement it, because their interface with the
/// connection may still change.
///
/// ```compile_fail,E0277
/// use wscodec::message::{PerMessageExtension, Transform};
/// struct Mine;
/// impl PerMessageExtension for Mine {
///     fn transform(&self, _: wscodec::Role) -> Transform {
///         unimplemented!()
///     }
/// }
/// ```
pub trait PerMessageExtension: sealed::Sealed {
    /// Returns what the extension does to the messages of the side that is `role`.
    fn transform(&self, role: Role) -> Transform;
}

pub(crate) mod sealed {
    /// Implemented by the extensions of this crate.
    pub trait Sealed {}
}

/// Both directions of a [`PerMessageExtension`]. Only this crate makes them.
#[derive(Debug)]
pub struct Transform {
    pub(crate) inflow: Box<Inflow>,
    pub(crate) outflow: Box<Outflow>,
}

impl Transform {
    #[cfg(any(feature = "deflate", feature = "brotli"))]
    pub(crate) fn new(
        decompressor: impl Decompressor + 'static,
        compressor: impl Compressor + 'static,
    ) -> Self {
        Self {
            inflow: Box::new(Inflow {
                decompressor: Box::new(decompressor),
                stage: Stage::Closed,
                size: 0,
                held: Vec::new(),
            }),
            outflow: Box::new(Outflow { compressor: Box::new(compressor), is_open: false }),
        }
    }
}

/// Decompresses the payloads of messages (RFC 7692, 6.2).
pub(crate) trait Decompressor: Debug + Send + Sync {
    /// Takes bytes from the front of `compressed`, which shrinks, and writes to the start of
    /// `room`, which is not empty.
    ///
    /// An error is returned at the offending bytes: an earlier call has written everything before
    /// them.
    fn decompress(
        &mut self,
        compressed: &mut &[u8],
        room: &mut [u8],
    ) -> Result<Progress, InflateError>;

    /// Continues like [`decompress`](Self::decompress) after the message's last byte was taken,
    /// until it is drained.
    fn finish(&mut self, room: &mut [u8]) -> Result<Progress, InflateError>;

    /// Nothing more will come: frees all memory.
    fn release(&mut self);
}

/// Takes a compressed payload and writes frames with it; an error means that nothing was written.
pub(crate) type Put<'p> = &'p mut dyn FnMut(&[u8]) -> Result<(), SendError>;

/// Whether a message went out compressed. If not, both ends' contexts are as before, and the
/// message is to be sent as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Compressed,
    #[cfg_attr(
        not(any(feature = "deflate", feature = "brotli")),
        expect(dead_code, reason = "made by extensions")
    )]
    Declined,
}

/// Compresses the payloads of messages (RFC 7692, 6.1).
pub(crate) trait Compressor: Debug + Send + Sync {
    /// Compresses a whole message and passes it to `put`, unless it is too short or does not
    /// shrink.
    ///
    /// # Errors
    /// Those of `put`; the contexts are then unchanged.
    fn compress(&mut self, payload: &[u8], put: Put<'_>) -> Result<Sent, SendError>;

    /// Returns what this connection sends for a message that others also send. If no connection has
    /// compressed the message yet, this one does, from an empty context, and keeps it in `form`.
    #[cfg(feature = "std")]
    fn prepare<'f>(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        form: &'f OnceLock<PreparedForm>,
    ) -> Prepared<'f>;

    /// Notes that the shared form of a message with this payload has been sent.
    #[cfg(feature = "std")]
    fn prepared_sent(&mut self, payload: &[u8]);

    /// Compresses the next fragment of a message, the last if `fin` says so, and passes it to
    /// `put`.
    fn compress_fragment(
        &mut self,
        payload: &[u8],
        fin: Fin,
        put: Put<'_>,
    ) -> Result<(), SendError>;

    /// Nothing more will be sent: frees all memory.
    fn release(&mut self);
}

/// The sending half of an extension.
#[derive(Debug)]
pub(crate) struct Outflow {
    pub(crate) compressor: Box<dyn Compressor>,
    /// A compressed message is being sent in fragments.
    pub(crate) is_open: bool,
}

/// Returns the most bytes that `len` incompressible bytes of a fragment compress to.
///
/// Codes of nine bits a byte at worst (RFC 1951, 3.2.6), a header for each block, and the flush at
/// the end.
pub(crate) const fn compressed_len_max(len: usize) -> usize {
    len.saturating_add(len / 8 + len / 256 + 64)
}

/// The receiving half of an extension, and the progress of the open compressed message.
pub(crate) struct Inflow {
    decompressor: Box<dyn Decompressor>,
    stage: Stage,
    /// The decompressed length of the open message so far, in bytes.
    size: usize,
    /// Compressed payload taken from the input but not yet decompressed, if pieces are delivered.
    held: Vec<u8>,
}

/// Shows the number of bytes, not the bytes.
impl fmt::Debug for Inflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflow")
            .field("decompressor", &self.decompressor)
            .field("stage", &self.stage)
            .field("size", &self.size)
            .field("held", &Redacted(self.held.len()))
            .finish_non_exhaustive()
    }
}

/// The stage of the open compressed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No compressed message is open.
    Closed,
    Payload,
    /// All payload has been taken.
    Finishing,
}

impl Inflow {
    /// Returns whether a compressed message is open.
    pub(crate) fn is_open(&self) -> bool {
        self.stage != Stage::Closed
    }

    /// Begins a compressed message.
    pub(crate) fn open(&mut self) {
        self.stage = Stage::Payload;
        self.size = 0;
    }

    /// Decompresses all of `piece` to the end of `buffer`.
    pub(crate) fn append(
        &mut self,
        kind: DataKind,
        mut piece: &[u8],
        buffer: &mut MessageBuffer,
        limits: &Limits,
    ) -> Result<(), ProtocolError> {
        while !self.fill(kind, &mut piece, buffer, limits, limits.message_size_max)? {}
        Ok(())
    }

    /// Ends the message, all of whose payload has been taken.
    pub(crate) fn finish(
        &mut self,
        kind: DataKind,
        buffer: &mut MessageBuffer,
        limits: &Limits,
    ) -> Result<(), ProtocolError> {
        self.stage = Stage::Finishing;
        self.append(kind, &[], buffer, limits)?;
        self.stage = Stage::Closed;
        Ok(buffer.finish(kind)?)
    }

    /// Takes a piece for [`fill_piece`](Self::fill_piece); at most
    /// [`HELD_LEN_MAX`](Self::HELD_LEN_MAX) bytes.
    pub(crate) fn hold(&mut self, piece: &[u8]) {
        self.held.extend_from_slice(piece);
    }

    /// The longest piece that [`hold`](Self::hold) takes, in bytes.
    pub(crate) const HELD_LEN_MAX: usize = HELD_LEN_MAX;

    /// Decompresses what is held to `buffer` until `buffer` is full or more payload is needed;
    /// returns whether it is.
    pub(crate) fn fill_piece(
        &mut self,
        kind: DataKind,
        buffer: &mut MessageBuffer,
        limits: &Limits,
    ) -> Result<bool, ProtocolError> {
        let mut held = core::mem::take(&mut self.held);
        let mut rest = &held[..];
        let mut is_drained = false;
        while !is_drained && buffer.as_bytes().len() < CHUNK_LEN_MAX {
            is_drained = self.fill(kind, &mut rest, buffer, limits, CHUNK_LEN_MAX)?;
        }
        let taken = held.len() - rest.len();
        held.drain(..taken);
        self.held = held;
        Ok(is_drained)
    }

    /// Notes that all payload has been taken, so the end follows. Returns whether this was noted
    /// before.
    pub(crate) fn begin_finish(&mut self) -> bool {
        core::mem::replace(&mut self.stage, Stage::Finishing) == Stage::Finishing
    }

    /// Ends the message, whose last piece is complete.
    pub(crate) fn close(&mut self) {
        self.stage = Stage::Closed;
        self.held = Vec::new();
    }

    /// Decompresses the next chunk to the end of `buffer`, which is shorter than `buffer_len_max`
    /// bytes unless the message has reached its limit; returns whether nothing is left to
    /// decompress.
    fn fill(
        &mut self,
        kind: DataKind,
        compressed: &mut &[u8],
        buffer: &mut MessageBuffer,
        limits: &Limits,
        buffer_len_max: usize,
    ) -> Result<bool, ProtocolError> {
        let message_size_max = limits.message_size_max;
        // A message that has grown is likely to keep growing, but not beyond what the input can
        // expand to: a one-byte fragment must not cost zeroing a whole chunk.
        let reach = compressed.len().saturating_mul(RATIO_MAX);
        let chunk_len = buffer.as_bytes().len().min(reach).max(compressed.len().saturating_mul(4));
        let chunk_len = chunk_len.clamp(CHUNK_LEN_MIN, CHUNK_LEN_MAX);
        // Little comes at the end, and there is usually room for it.
        let chunk_len = match buffer.spare() {
            spare @ 1.. if self.stage == Stage::Finishing => spare.min(chunk_len),
            _ => chunk_len,
        };
        let room_len = chunk_len
            .min(message_size_max.saturating_sub(self.size))
            .min(buffer_len_max.saturating_sub(buffer.as_bytes().len()));
        let (decompressor, stage) = (&mut self.decompressor, self.stage);
        let mut step = |room: &mut [u8]| match stage {
            Stage::Finishing => decompressor.finish(room),
            Stage::Payload | Stage::Closed => decompressor.decompress(compressed, room),
        };
        if room_len == 0 {
            // The limit is reached: only the end may follow.
            let Progress { written, is_drained } = step(&mut [0])?;
            if written > 0 {
                let message_size = message_size_max as u64 + 1;
                return Err(ProtocolError::MessageTooBig { message_size, message_size_max });
            }
            return Ok(is_drained);
        }
        let progress = buffer.append_decompressed(kind, room_len, buffer_len_max, step)?;
        self.size += progress.written;
        Ok(progress.is_drained)
    }

    /// Frees all memory: nothing more will be received.
    pub(crate) fn release(&mut self) {
        self.close();
        self.decompressor.release();
    }
}

/// Returns the most that the frames of a compressed message may declare together, in bytes: what
/// any encoder makes of [`message_size_max`](Limits::message_size_max) incompressible bytes.
pub(crate) const fn compressed_size_max(limits: &Limits) -> usize {
    limits.message_size_max.saturating_add(limits.message_size_max / 8).saturating_add(1024)
}
