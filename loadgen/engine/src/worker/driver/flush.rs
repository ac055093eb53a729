//! Encodes and writes what sessions send, and tells the duty.

use std::num::NonZeroU64;
use std::task::{Context, Poll};

use super::super::sessions::SessionKey;
use super::Driver;

impl Driver {
    /// Appends the next messages of a session to its unsent bytes, and tells the duty.
    pub(crate) fn encode(&mut self, key: SessionKey, due: Option<NonZeroU64>, count: usize) {
        if count == 0 {
            return;
        }
        let Self { thread, duty } = self;
        let (connection, first) = thread.encode(key, due, count);
        duty.encoded(connection, first..first + count as u64, due);
    }

    /// Writes the unsent bytes of a session; returns whether the socket has taken all of them.
    pub(crate) fn flush(&mut self, key: SessionKey) -> bool {
        let Self { thread, duty } = self;
        if thread.sessions[key].unsent.is_empty() {
            return true;
        }
        let messages = thread.stamp(key);
        if messages > 0 {
            duty.writing(thread, key, messages);
        }
        thread.write(key)
    }

    /// Writes the unsent bytes of a session, and wakes its task if the socket doesn't take all of
    /// them: the task waits until the socket takes more.
    pub(crate) fn flush_or_wake(&mut self, key: SessionKey) {
        if !self.flush(key) {
            self.thread.sessions[key].wake();
        }
    }

    /// Writes as [`flush`](Self::flush) does, and has the task of `cx` woken when the socket takes
    /// more.
    pub(crate) fn poll_flush(&mut self, key: SessionKey, cx: &mut Context<'_>) {
        while !self.flush(key) {
            let session = &mut self.thread.sessions[key];
            match session.stream.poll_write_ready(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => session.write_failed(&error),
            }
        }
    }
}
