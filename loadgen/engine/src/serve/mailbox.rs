//! The messages that threads leave for each other, in `serve broadcast`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use tokio::sync::Notify;
use wscodec::PreparedMessage;

use super::registry::SessionKey;

/// Bytes in a mailbox before senders must wait.
const MAIL_MAX: usize = 4 << 20;

/// Which thread of the server, from 0. There are at most 1,024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ThreadIndex(u16);

impl ThreadIndex {
    /// Returns the index of the thread at a place in a table of all threads.
    pub(super) fn of(place: usize) -> Self {
        Self(u16::try_from(place).unwrap_or(u16::MAX))
    }

    /// Returns the thread's place in a table of all threads.
    pub(super) fn place(self) -> usize {
        self.0.into()
    }
}

/// A message and its recipients.
#[derive(Clone, Debug)]
pub(super) struct Post {
    pub(super) topic: Arc<str>,
    pub(super) message: Arc<PreparedMessage>,
    /// Thread and key of the sending client, if it gets no copy.
    pub(super) except: Option<(ThreadIndex, SessionKey)>,
}

/// The messages that other threads have left for one thread.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    mail: Mutex<Mail>,
    /// Whether senders must wait.
    is_full: AtomicBool,
    /// Rings when there is mail.
    pub(super) rung: Notify,
}

#[derive(Debug, Default)]
struct Mail {
    posts: VecDeque<Post>,
    /// Bytes in `posts` or about to be handed on.
    len: usize,
    /// Senders that are waiting.
    paused: Vec<Waker>,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Mail> {
        // The mail is consistent whenever the lock is free, even after a panic.
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message.
    pub(super) fn send(&self, post: Post) {
        let mut mail = self.lock();
        mail.len += post.message.frame_len();
        self.is_full.store(mail.len > MAIL_MAX, Relaxed);
        mail.posts.push_back(post);
        drop(mail);
        self.rung.notify_one();
    }

    /// Takes all messages.
    pub(super) fn take(&self) -> VecDeque<Post> {
        std::mem::take(&mut self.lock().posts)
    }

    /// Notes that `len` bytes have been handed on.
    pub(super) fn handed_on(&self, len: usize) {
        let mut mail = self.lock();
        mail.len -= len;
        if mail.len <= MAIL_MAX / 2 {
            self.is_full.store(false, Relaxed);
            mail.paused.drain(..).for_each(Waker::wake);
        }
    }

    /// Checks whether a sender must wait; if so, it is woken later.
    pub(super) fn is_full(&self, cx: &Context<'_>) -> bool {
        if !self.is_full.load(Relaxed) {
            return false;
        }
        let mut mail = self.lock();
        if mail.len > MAIL_MAX / 2 {
            mail.paused.push(cx.waker().clone());
            true
        } else {
            false
        }
    }
}
