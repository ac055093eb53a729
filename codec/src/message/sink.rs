//! Destinations for frames with shared payloads: a buffer that copies, or a queue that doesn't.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::fmt;
use core::mem;

use bytes::{Buf, BufMut, Bytes};

use crate::redacted::Redacted;

/// Payloads of up to this many bytes are copied behind the queued bytes: a separate piece costs
/// more.
const COPIED_LEN_MAX: usize = 4 << 10;

/// The largest tail that is kept when all has been written, in bytes.
const TAIL_CAPACITY_MAX: usize = 64 << 10;

/// Takes the parts of frames in wire order.
///
/// Every [`BufMut`] is one, and copies the payload; [`SendQueue`] is one that doesn't.
pub trait Sink {
    /// Returns how many bytes may be put, header and payload together.
    fn room_len(&self) -> usize;

    /// Takes headers and due replies: a few bytes, to be copied.
    fn put_head(&mut self, head: &[u8]);

    /// Takes a payload as it goes on the wire.
    fn put_payload(&mut self, payload: Bytes);
}

impl<B: BufMut> Sink for B {
    fn room_len(&self) -> usize {
        self.remaining_mut()
    }

    fn put_head(&mut self, head: &[u8]) {
        self.put_slice(head);
    }

    fn put_payload(&mut self, payload: Bytes) {
        self.put(payload);
    }
}

/// Frames waiting for a socket, with large payloads uncopied: a [`Sink`] to fill and a [`Buf`] to
/// write from, including by vectored writes.
///
/// When idle, it holds at most 64 KiB. It has no limit: stop sending while [`Buf::remaining`] is
/// above your own threshold.
///
/// ```
/// use bytes::{Buf, Bytes};
/// use wscodec::message::{SendQueue, SharedMessage};
/// use wscodec::{Config, Connection};
///
/// let mut server = Connection::server(Config::default());
/// let mut queue = SendQueue::new();
/// let payload = Bytes::from(vec![b'x'; 1 << 20]);
/// server.sender().send_into(SharedMessage::Binary(payload.clone()), &mut queue)?;
/// assert_eq!(queue.remaining(), 10 + (1 << 20));
/// queue.advance(10); // the header has been written
/// assert_eq!(queue.chunk().as_ptr(), payload.as_ptr()); // not copied
/// # Ok::<(), wscodec::SendError>(())
/// ```
#[derive(Default)]
pub struct SendQueue {
    /// What goes out first.
    pieces: VecDeque<Bytes>,
    /// What comes after the pieces, and how much of it has been written.
    tail: Vec<u8>,
    written: usize,
    /// The number of bytes in the pieces.
    pieces_len: usize,
}

impl SendQueue {
    /// Creates an empty queue, which takes no memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { pieces: VecDeque::new(), tail: Vec::new(), written: 0, pieces_len: 0 }
    }

    /// Returns the buffer behind the queued pieces, to append to: pass it to
    /// [`Connection`](crate::Connection) for replies and borrowed messages. Keep its existing
    /// content.
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Drops everything that waits.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    fn push(&mut self, piece: Bytes) {
        self.pieces_len += piece.len();
        self.pieces.push_back(piece);
    }
}

impl Sink for SendQueue {
    fn room_len(&self) -> usize {
        usize::MAX - self.remaining()
    }

    fn put_head(&mut self, head: &[u8]) {
        self.tail.extend_from_slice(head);
    }

    fn put_payload(&mut self, payload: Bytes) {
        if payload.len() <= COPIED_LEN_MAX {
            self.tail.extend_from_slice(&payload);
            return;
        }
        if self.written < self.tail.len() {
            let mut tail = Bytes::from(mem::take(&mut self.tail));
            tail.advance(self.written);
            self.push(tail);
        }
        self.tail.clear();
        self.written = 0;
        self.push(payload);
    }
}

impl Buf for SendQueue {
    fn remaining(&self) -> usize {
        self.pieces_len + self.tail.len().saturating_sub(self.written)
    }

    fn chunk(&self) -> &[u8] {
        match self.pieces.front() {
            Some(piece) => piece,
            None => self.tail.get(self.written..).unwrap_or_default(),
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, dst: &mut [std::io::IoSlice<'a>]) -> usize {
        let tail = self.tail.get(self.written..).filter(|tail| !tail.is_empty());
        let all = self.pieces.iter().map(|piece| &piece[..]).chain(tail);
        let mut filled = 0;
        for (slot, piece) in dst.iter_mut().zip(all) {
            *slot = std::io::IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut len: usize) {
        assert!(len <= self.remaining(), "advance past what is queued");
        while let Some(piece) = self.pieces.front_mut() {
            let taken = len.min(piece.len());
            piece.advance(taken);
            self.pieces_len -= taken;
            len -= taken;
            if !piece.is_empty() {
                return;
            }
            self.pieces.pop_front();
        }
        self.written += len;
        if self.written == self.tail.len() {
            self.written = 0;
            if self.tail.capacity() > TAIL_CAPACITY_MAX {
                self.tail = Vec::new();
            }
            self.tail.clear();
        }
    }
}

/// Shows how many bytes wait, not the bytes.
impl fmt::Debug for SendQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendQueue").field(&Redacted(self.remaining())).finish()
    }
}
