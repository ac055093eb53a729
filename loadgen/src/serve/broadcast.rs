//! A message of a client to all others of its topic, on every thread of the server.
//!
//! ```text
//!   session ──▶ mailbox of each thread ──▶ its hub ──▶ queues of the topic's members
//! ```
//!
//! A message is encoded once, and all threads share it. What a sender sends goes the same way to a
//! thread, its own too, so its order holds for every member. A mailbox that is full makes senders
//! wait, and so their sockets; a member that doesn't read makes nobody wait, see
//! [`hub`](super::hub).

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use tokio::sync::Notify;
use tokio::task::yield_now;
use wscodec::{Connection, Event, Message, PreparedMessage};

use super::config::SenderCopy;
use super::hub::Hub;
use super::session::{Heard, NO_STATUS};
use super::worker::Worker;

/// Bytes that wait in a mailbox before senders wait.
const MAIL_MAX: usize = 4 << 20;
/// Messages that a thread hands to its members before their sockets have their turn.
const POSTS_PER_TURN: usize = 64;

/// A message and who is to get it.
#[derive(Clone, Debug)]
pub(super) struct Post {
    topic: Arc<str>,
    message: Arc<PreparedMessage>,
    /// Worker and place of the client that has sent it, if it gets no copy.
    except: Option<(usize, usize)>,
}

/// What other threads have for one.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    mail: Mutex<Mail>,
    /// Whether senders are to wait.
    is_full: AtomicBool,
    rung: Notify,
}

#[derive(Debug, Default)]
struct Mail {
    posts: VecDeque<Post>,
    /// Bytes of what is in `posts` or about to be handed on.
    len: usize,
    /// Senders that wait.
    paused: Vec<Waker>,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Mail> {
        // It is whole whenever the lock is free, also after a panic.
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, post: Post) {
        let mut mail = self.lock();
        mail.len += post.message.frame_len();
        self.is_full.store(mail.len > MAIL_MAX, Relaxed);
        mail.posts.push_back(post);
        drop(mail);
        self.rung.notify_one();
    }

    /// All that is there.
    fn take(&self) -> VecDeque<Post> {
        std::mem::take(&mut self.lock().posts)
    }

    /// So many bytes have been handed on.
    fn handed_on(&self, len: usize) {
        let mut mail = self.lock();
        mail.len -= len;
        if mail.len <= MAIL_MAX / 2 {
            self.is_full.store(false, Relaxed);
            mail.paused.drain(..).for_each(Waker::wake);
        }
    }

    /// Whether a sender is to wait; it is woken then.
    fn is_full(&self, cx: &Context<'_>) -> bool {
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

impl Worker {
    /// Whether a session is to read nothing for now, because a thread can't hand on what was sent;
    /// it is woken when it may.
    pub(super) fn is_congested(&self, cx: &Context<'_>) -> bool {
        self.shared.mailboxes.iter().any(|mailbox| mailbox.is_full(cx))
    }

    fn broadcast(&self, hub: &Hub, place: usize, message: PreparedMessage) {
        let Some(topic) = hub.topic(place) else { return };
        let except =
            (self.config().sender_copy == SenderCopy::Exclude).then_some((self.index, place));
        let post = Post { topic, message: Arc::new(message), except };
        for mailbox in &self.shared.mailboxes {
            mailbox.send(post.clone());
        }
    }
}

/// Hands what is in a worker's mailbox to its members, for ever.
pub(super) async fn hand_on(worker: Rc<Worker>, hub: Rc<Hub>) {
    let shared = Arc::clone(&worker.shared);
    let Some(mailbox) = shared.mailboxes.get(worker.index) else { return };
    // A member whose socket takes what it is given is never found to be slow.
    let turn_len = worker.config().queue_max / 4;
    loop {
        let mut posts = mailbox.take();
        if posts.is_empty() {
            mailbox.rung.notified().await;
            continue;
        }
        while !posts.is_empty() {
            let mut len = 0;
            for _ in 0..POSTS_PER_TURN {
                let Some(post) = posts.pop_front() else { break };
                len += post.message.frame_len();
                let except = post.except.filter(|&(index, _)| index == worker.index);
                hub.post_all(
                    &post.topic,
                    &post.message,
                    except.map(|(_, place)| place),
                    |it, how| {
                        worker.posted(it, how);
                    },
                );
                if len > turn_len {
                    break;
                }
            }
            yield_now().await;
            mailbox.handed_on(len);
        }
    }
}

/// Takes all messages of `input` and broadcasts them.
pub(super) fn relay(
    worker: &Worker,
    hub: &Hub,
    place: usize,
    connection: &mut Connection,
    mut input: &mut [u8],
    out: &mut Vec<u8>,
) -> Heard {
    let mut heard = Heard::default();
    loop {
        let message = match connection.receive(&mut input, out) {
            Ok(Some(Event::Text(text))) => Message::Text(text),
            Ok(Some(Event::Binary(payload))) => Message::Binary(payload),
            Ok(Some(Event::Close(close))) => {
                heard.close_code = Some(close.map_or(NO_STATUS, |close| close.code.as_u16()));
                continue;
            }
            Ok(Some(_)) => continue,
            Ok(None) => return heard,
            Err(error) => {
                heard.close_code = Some(error.close_code().as_u16());
                return heard;
            }
        };
        heard.messages += 1;
        // Refused only for control frames.
        if let Ok(prepared) = PreparedMessage::new(message) {
            worker.broadcast(hub, place, prepared);
        }
    }
}
