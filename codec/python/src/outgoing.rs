//! What waits to be written to the socket: frames as `bytes` that were created once.
//!
//! Small frames share a tail, from which one `bytes` is made when it is asked for. A large frame is
//! a `bytes` of its own, masked while it is filled; a large `bytes` that goes out unmasked is not
//! copied at all, but referred to.

use std::mem;

use bytes::BufMut;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::{self, DETACH_LEN_MIN};

/// The largest tail that is kept when all has been taken, in bytes: an idle connection is small.
const TAIL_CAPACITY_MAX: usize = 256;

/// Frames in wire order.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pieces: Vec<Py<PyBytes>>,
    tail: Vec<u8>,
}

impl Outgoing {
    /// Returns the buffer behind the pieces, to append to.
    pub(crate) const fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Returns whether nothing waits.
    pub(crate) const fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.tail.is_empty()
    }

    /// Appends a `bytes` as it goes on the wire.
    pub(crate) fn push(&mut self, piece: &Bound<'_, PyBytes>) -> PyResult<()> {
        self.seal(piece.py())?;
        self.pieces.push(piece.clone().unbind());
        Ok(())
    }

    /// Makes the tail a piece.
    fn seal(&mut self, py: Python<'_>) -> PyResult<()> {
        if !self.tail.is_empty() {
            self.pieces.push(buffer::copy_to_bytes(py, &self.tail)?.unbind());
            self.clear_tail();
        }
        Ok(())
    }

    fn clear_tail(&mut self) {
        if self.tail.capacity() > TAIL_CAPACITY_MAX {
            self.tail = Vec::new();
        }
        self.tail.clear();
    }

    /// Takes everything as one `bytes`. A single piece is given away as it is.
    pub(crate) fn take<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        if self.pieces.is_empty() {
            let taken = buffer::copy_to_bytes(py, &self.tail)?;
            self.clear_tail();
            return Ok(taken);
        }
        if self.pieces.len() == 1
            && self.tail.is_empty()
            && let Some(piece) = self.pieces.pop()
        {
            return Ok(piece.into_bound(py));
        }
        let parts: Vec<&[u8]> = self.pieces.iter().map(|piece| piece.as_bytes(py)).collect();
        let tail = &self.tail[..];
        let len = parts.iter().map(|part| part.len()).sum::<usize>() + tail.len();
        let joined = buffer::new_bytes(py, len, len >= DETACH_LEN_MIN, |filling| {
            for part in parts {
                filling.put_slice(part);
            }
            filling.put_slice(tail);
        })?;
        self.pieces.clear();
        self.clear_tail();
        Ok(joined)
    }

    /// Takes everything in pieces, for a vectored write.
    pub(crate) fn take_pieces(&mut self, py: Python<'_>) -> PyResult<Vec<Py<PyBytes>>> {
        self.seal(py)?;
        Ok(mem::take(&mut self.pieces))
    }
}
