//! The compressed form of a prepared message, made once and shared by every connection whose peer
//! can read it.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::encoder::{self, header_of};
use crate::header::{HEADER_LEN_MAX, Opcode, Rsv};
use crate::redacted::Redacted;

/// What one connection sends for a message prepared for many.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    not(any(feature = "deflate", feature = "brotli")),
    expect(dead_code, reason = "made by extensions")
)]
pub(crate) enum Prepared<'f> {
    /// The shared form.
    Shared(&'f SharedFrame),
    /// The uncompressed message: it does not shrink.
    Plain,
    /// A separate form: the peer could not read the shared one.
    Own,
}

/// A message compressed from an empty context, for every connection that can take it.
#[derive(Debug)]
#[cfg_attr(
    not(any(feature = "deflate", feature = "brotli")),
    expect(dead_code, reason = "made and read by extensions")
)]
pub(crate) struct PreparedForm {
    /// The extension's name, which identifies the format.
    pub(crate) extension: &'static str,
    /// How far back the compressed form may reach, in bytes.
    #[cfg_attr(not(feature = "deflate"), expect(dead_code, reason = "read by permessage-deflate"))]
    pub(crate) window_size: usize,
    /// `None` if it does not shrink.
    pub(crate) frame: Option<SharedFrame>,
}

/// A compressed message as a server's frame.
pub(crate) struct SharedFrame {
    frame: Bytes,
    header_len: usize,
}

/// Shows the number of bytes, not the bytes.
impl fmt::Debug for SharedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedFrame")
            .field("frame", &Redacted(self.frame.len()))
            .finish_non_exhaustive()
    }
}

impl SharedFrame {
    /// Encodes a compressed payload; `None` if no frame can hold it.
    #[cfg_attr(
        not(any(feature = "deflate", feature = "brotli")),
        expect(dead_code, reason = "called by extensions")
    )]
    pub(crate) fn new(opcode: Opcode, compressed: &[u8]) -> Option<Self> {
        let header = header_of(opcode, compressed).ok()?.with_rsv(Rsv::RSV1);
        let mut frame = Vec::with_capacity(HEADER_LEN_MAX + compressed.len());
        encoder::encode(header, compressed, &mut frame).ok()?;
        let header_len = frame.len() - compressed.len();
        Some(Self { frame: frame.into(), header_len })
    }

    /// Returns the unmasked frame: header and compressed payload.
    pub(crate) fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// Returns the compressed payload.
    pub(crate) fn compressed(&self) -> &[u8] {
        self.frame.get(self.header_len..).unwrap_or_default()
    }
}
