//! permessage-brotli: an experiment that shows that the extension interface fits more than DEFLATE.
//!
//! The name is not registered and the format is not a standard, so both ends must use this crate.
//! There are no parameters and no context takeover: each compressed message is one Brotli stream
//! (RFC 7932) with a window of 64 KiB, flushed at the end of each fragment. Invariant: a stream
//! that asks for another window is refused by its first bit, before memory is taken for it. Unlike
//! with DEFLATE, whether a faulty text fails by its UTF-8 or by its stream may depend on the reads;
//! both are 1007.
//!
//! ```
//! use wscodec::brotli::{Brotli, BrotliAgreed};
//! use wscodec::handshake::{ClientHandshake, ClientRequest, HandshakeKey};
//! let request = ClientRequest::new("localhost", "/")?;
//! let mut out = Vec::new();
//! let key = HandshakeKey::random();
//! let handshake =
//!     ClientHandshake::start_with_extensions(&request, key, Brotli::default(), &mut out)?;
//! // ... until the handshake is done; then `ConnectionBuilder::extension(handshake.extensions().agreed())`
//! assert_eq!(handshake.extensions().agreed(), None::<&BrotliAgreed>);
//! # Ok::<_, wscodec::handshake::HandshakeMisuse>(())
//! ```

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use std::io::Write;
use std::sync::OnceLock;

use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, CompressorWriter};

use crate::error::{InflateError, SendError};
use crate::handshake::{
    ClientExtensions, ExtensionMismatch, ExtensionWriter, Extensions, HandshakeMisuse,
    ServerExtensions,
};
use crate::header::{Fin, Opcode};
use crate::message::shared::SharedFrame;
use crate::message::transform::{
    Compressor, Decompressor, Prepared, PreparedForm, Progress, Put, Sent,
};
use crate::message::{PerMessageExtension, Transform};
use crate::role::Role;

/// The extension's name, which is not registered.
pub const NAME: &str = "permessage-brotli";

/// The window, as its base-2 logarithm; the only one that Brotli writes as a single bit 0 (RFC
/// 7932, 9.1).
const WINDOW_BITS: u32 = 16;
/// The window, in bytes.
const WINDOW_SIZE: usize = 1 << WINDOW_BITS;
/// 0 to 11. At this level, text gets smaller than with DEFLATE at about the same cost.
const QUALITY: u32 = 4;
/// Messages of fewer bytes are sent uncompressed.
const SIZE_MIN: usize = 64;
/// The compressor's own buffer, in bytes.
const BUFFER_LEN: usize = 4096;

/// Either side's part in the negotiation: a client that offers the extension, or a server that
/// accepts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brotli {
    agreed: Option<BrotliAgreed>,
}

/// The agreement that both sides use the extension: pass it to
/// [`ConnectionBuilder::extension`](crate::ConnectionBuilder::extension).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrotliAgreed(());

impl Brotli {
    /// Returns what was agreed; `None` unless both sides want it.
    #[must_use]
    pub const fn agreed(&self) -> Option<&BrotliAgreed> {
        self.agreed.as_ref()
    }
}

impl ClientExtensions for Brotli {
    fn offer(&self, offers: &mut ExtensionWriter) -> Result<(), HandshakeMisuse> {
        offers.extension(NAME).map(drop)
    }

    fn accept(&mut self, mut answer: Extensions<'_>) -> Result<(), ExtensionMismatch> {
        if let Some(answer) = answer.find(|extension| extension.name() == NAME) {
            if answer.parameters().next().is_some() {
                return Err(ExtensionMismatch);
            }
            self.agreed = Some(BrotliAgreed(()));
        }
        Ok(())
    }
}

impl ServerExtensions for Brotli {
    fn negotiate(
        &mut self,
        mut offers: Extensions<'_>,
        answer: &mut ExtensionWriter,
    ) -> Result<(), HandshakeMisuse> {
        if offers.any(|offer| offer.name() == NAME && offer.parameters().next().is_none()) {
            answer.extension(NAME)?;
            self.agreed = Some(BrotliAgreed(()));
        }
        Ok(())
    }
}

impl crate::message::transform::sealed::Sealed for BrotliAgreed {}

impl PerMessageExtension for BrotliAgreed {
    fn transform(&self, _: Role) -> Transform {
        Transform::new(BrotliDecompressor::default(), BrotliCompressor::default())
    }
}

type Stream = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// One stream per message, and nothing between messages.
#[derive(Default)]
struct BrotliDecompressor {
    stream: Option<Box<Stream>>,
    is_ended: bool,
    failed: Option<InflateError>,
}

impl BrotliDecompressor {
    fn run(
        &mut self,
        compressed: &mut &[u8],
        room: &mut [u8],
    ) -> (usize, Result<bool, InflateError>) {
        if self.is_ended {
            let is_all = compressed.is_empty();
            return (0, if is_all { Ok(true) } else { Err(InflateError::Corrupt) });
        }
        if self.stream.is_none() {
            match compressed.first() {
                None => return (0, Ok(true)),
                Some(first) if first & 1 != 0 => return (0, Err(InflateError::Corrupt)),
                Some(_) => {}
            }
        }
        let stream = self.stream.get_or_insert_with(|| {
            let alloc = StandardAlloc::default();
            Box::new(BrotliState::new_strict(alloc, alloc, alloc))
        });
        let (mut available_in, mut taken) = (compressed.len(), 0);
        let (mut available_out, mut written, mut total) = (room.len(), 0, 0);
        let result = BrotliDecompressStream(
            &mut available_in,
            &mut taken,
            compressed,
            &mut available_out,
            &mut written,
            room,
            &mut total,
            stream,
        );
        *compressed = compressed.get(taken..).unwrap_or_default();
        let outcome = match result {
            BrotliResult::NeedsMoreInput => Ok(true),
            BrotliResult::NeedsMoreOutput => Ok(false),
            BrotliResult::ResultFailure => Err(InflateError::Corrupt),
            BrotliResult::ResultSuccess => {
                self.is_ended = true;
                self.stream = None;
                Ok(compressed.is_empty())
            }
        };
        (written, outcome)
    }
}

impl Decompressor for BrotliDecompressor {
    fn decompress(
        &mut self,
        compressed: &mut &[u8],
        room: &mut [u8],
    ) -> Result<Progress, InflateError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.run(compressed, room) {
            (written, Ok(is_drained)) => Ok(Progress { written, is_drained }),
            (0, Err(error)) => Err(error),
            (written, Err(error)) => {
                self.failed = Some(error);
                Ok(Progress { written, is_drained: false })
            }
        }
    }

    fn finish(&mut self, _: &mut [u8]) -> Result<Progress, InflateError> {
        if !self.is_ended {
            return Err(InflateError::Truncated);
        }
        self.is_ended = false;
        Ok(Progress { written: 0, is_drained: true })
    }

    fn release(&mut self) {
        *self = Self::default();
    }
}

/// One stream per message, and nothing between messages.
#[derive(Default)]
struct BrotliCompressor {
    /// While a message is being sent in fragments.
    stream: Option<Box<CompressorWriter<Vec<u8>>>>,
}

fn new_stream() -> CompressorWriter<Vec<u8>> {
    CompressorWriter::new(Vec::new(), BUFFER_LEN, QUALITY, WINDOW_BITS)
}

/// Compresses a whole message; `None` if that does not make it shorter.
fn shrink(payload: &[u8]) -> Option<Vec<u8>> {
    let mut stream = new_stream();
    stream.write_all(payload).ok()?;
    Some(stream.into_inner()).filter(|compressed| compressed.len() < payload.len())
}

impl Compressor for BrotliCompressor {
    fn compress(&mut self, payload: &[u8], put: Put<'_>) -> Result<Sent, SendError> {
        if payload.len() < SIZE_MIN {
            return Ok(Sent::Declined);
        }
        let Some(compressed) = shrink(payload) else { return Ok(Sent::Declined) };
        put(&compressed).map(|()| Sent::Compressed)
    }

    fn prepare<'f>(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        form: &'f OnceLock<PreparedForm>,
    ) -> Prepared<'f> {
        if payload.len() < SIZE_MIN {
            return Prepared::Plain;
        }
        let form = form.get_or_init(|| PreparedForm {
            extension: NAME,
            window_size: WINDOW_SIZE,
            frame: shrink(payload).and_then(|shrunk| SharedFrame::new(opcode, &shrunk)),
        });
        if form.extension != NAME {
            return Prepared::Own;
        }
        form.frame.as_ref().map_or(Prepared::Plain, Prepared::Shared)
    }

    fn prepared_sent(&mut self, _: &[u8]) {}

    fn compress_fragment(
        &mut self,
        payload: &[u8],
        fin: Fin,
        put: Put<'_>,
    ) -> Result<(), SendError> {
        // Writing to a `Vec` does not fail.
        let mut stream = self.stream.take().unwrap_or_else(|| Box::new(new_stream()));
        stream.write_all(payload).ok();
        if fin == Fin::Final {
            return put(&stream.into_inner());
        }
        stream.flush().ok();
        let compressed = core::mem::take(stream.get_mut());
        self.stream = Some(stream);
        put(&compressed)
    }

    fn release(&mut self) {
        self.stream = None;
    }
}

impl fmt::Debug for BrotliDecompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrotliDecompressor")
            .field("is_open", &self.stream.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BrotliCompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrotliCompressor")
            .field("is_open", &self.stream.is_some())
            .finish_non_exhaustive()
    }
}
