//! Streams in memory, for peers that own theirs: always ready, and nothing to wait for.
//!
//! Reading gives the wire again and again: once all of it was read, the next read starts over, so
//! that a connection lives as long as its contest and no contestant pays for setting up. Writing
//! counts, or keeps when asked to. A read or write costs a `memcpy` and a function call: the system
//! calls that a socket would cost are missing, which favours contestants that make many.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::ReadBuf;

/// Both directions of a connection.
#[derive(Debug)]
pub(crate) struct MemoryStream {
    wire: Rc<[u8]>,
    position: usize,
    read_len_max: usize,
    output: Output,
}

/// What became of the bytes that were written. Every handle sees the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output(Rc<Written>);

#[derive(Debug, Default)]
struct Written {
    len: Cell<u64>,
    is_kept: Cell<bool>,
    kept: RefCell<Vec<u8>>,
}

impl Output {
    /// Bytes written since the last call.
    pub(crate) fn take_len(&self) -> u64 {
        self.0.len.take()
    }

    /// Keeps what `write` writes, and returns it.
    pub(crate) fn kept(&self, write: impl FnOnce()) -> Vec<u8> {
        self.0.is_kept.set(true);
        write();
        self.0.is_kept.set(false);
        self.0.kept.take()
    }

    #[inline]
    fn put(&self, bytes: &[u8]) {
        std::hint::black_box(bytes.as_ptr());
        self.0.len.set(self.0.len.get() + bytes.len() as u64);
        if self.0.is_kept.get() {
            self.0.kept.borrow_mut().extend_from_slice(bytes);
        }
    }
}

impl MemoryStream {
    /// Reads give at most `read_len_max` bytes, and never across the end of the wire.
    pub(crate) fn new(wire: Rc<[u8]>, read_len_max: usize) -> Self {
        Self { wire, position: 0, read_len_max, output: Output::default() }
    }

    /// Nothing to read.
    pub(crate) fn write_only() -> Self {
        Self::new(Rc::from([].as_slice()), usize::MAX)
    }

    /// Where the written bytes go.
    pub(crate) fn output(&self) -> Output {
        self.output.clone()
    }

    /// Copies the next bytes into `buf`.
    #[inline]
    pub(crate) fn fill(&mut self, buf: &mut [u8]) -> usize {
        if self.position == self.wire.len() {
            self.position = 0;
        }
        let rest = &self.wire[self.position..];
        let len = rest.len().min(buf.len()).min(self.read_len_max);
        buf[..len].copy_from_slice(&rest[..len]);
        self.position += len;
        len
    }

    /// Appends the next bytes, at most `len_max`, to `buf`.
    #[inline]
    pub(crate) fn fill_buf(&mut self, buf: &mut impl bytes::BufMut, len_max: usize) {
        if self.position == self.wire.len() {
            self.position = 0;
        }
        let rest = &self.wire[self.position..];
        let len = rest.len().min(buf.remaining_mut()).min(len_max).min(self.read_len_max);
        buf.put_slice(&rest[..len]);
        self.position += len;
    }

    /// Takes bytes out of the contestant's hands.
    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.output.put(bytes);
    }

    fn put_all(&mut self, slices: &[IoSlice<'_>]) -> usize {
        for slice in slices {
            self.put(slice);
        }
        slices.iter().map(|slice| slice.len()).sum()
    }
}

impl io::Read for MemoryStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.fill(buf))
    }
}

impl io::Write for MemoryStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.put(buf);
        Ok(buf.len())
    }

    #[inline]
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(self.put_all(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tokio::io::AsyncRead for MemoryStream {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.position == self.wire.len() {
            self.position = 0;
        }
        let rest = &self.wire[self.position..];
        let len = rest.len().min(buf.remaining()).min(self.read_len_max);
        buf.put_slice(&rest[..len]);
        self.position += len;
        Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for MemoryStream {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.put(buf);
        Poll::Ready(Ok(buf.len()))
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.put_all(bufs)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl futures_io::AsyncRead for MemoryStream {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.fill(buf)))
    }
}

impl futures_io::AsyncWrite for MemoryStream {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.put(buf);
        Poll::Ready(Ok(buf.len()))
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(self.put_all(bufs)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The output of a future that is ready when first polled, as all on a [`MemoryStream`] are.
///
/// # Panics
/// If it is not.
#[inline]
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a stream in memory is always ready"),
    }
}
