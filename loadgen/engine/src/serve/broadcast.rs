//! Sends a client's message to all others of its topic, on every thread of the server.
//!
//! ```text
//!   session ──▶ mailbox of each thread ──▶ its hub ──▶ queues of the topic's members
//! ```
//!
//! A message is encoded once, and all threads share it. All messages of a sender take the same path
//! to a thread, even to its own, so every member receives them in order. A full mailbox makes
//! senders wait, and so their sockets; a member that doesn't read makes no other client wait, see
//! [`hub`](super::hub).

use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;

use tokio::task::yield_now;
use wscodec::{Connection, Event, Message, PreparedMessage};

use super::config::SenderCopy;
use super::heard::Heard;
use super::hub::Hub;
use super::mailbox::Post;
use super::registry::SessionKey;
use super::worker::Worker;

/// Messages that a thread hands to its members before it lets their sockets run.
const POSTS_PER_TURN: usize = 64;

impl Worker {
    /// Checks whether a session must stop reading because a thread can't hand on what was sent. If
    /// so, the session is woken when it may read again.
    pub(super) fn is_congested(&self, cx: &Context<'_>) -> bool {
        self.shared.mailboxes.iter().any(|mailbox| mailbox.is_full(cx))
    }

    fn broadcast(&self, hub: &Hub, key: SessionKey, message: PreparedMessage) {
        let Some(topic) = hub.topic(key) else { return };
        let except =
            (self.config().sender_copy == SenderCopy::Exclude).then_some((self.index, key));
        let post = Post { topic, message: Arc::new(message), except };
        for mailbox in &self.shared.mailboxes {
            mailbox.send(post.clone());
        }
    }
}

/// Hands the messages in a worker's mailbox to its members, forever.
pub(super) async fn hand_on(worker: Rc<Worker>, hub: Rc<Hub>) {
    let shared = Arc::clone(&worker.shared);
    let Some(mailbox) = shared.mailboxes.get(worker.index.place()) else { return };
    // A member whose socket takes everything it is given is never considered slow.
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
                hub.post_all(&post.topic, &post.message, except.map(|(_, key)| key), |it, how| {
                    worker.posted(it, how);
                });
                if len > turn_len {
                    break;
                }
            }
            yield_now().await;
            mailbox.handed_on(len);
        }
    }
}

/// Reads all messages in `input` and broadcasts them.
pub(super) fn relay(
    worker: &Worker,
    hub: &Hub,
    key: SessionKey,
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
                heard.closed(close);
                continue;
            }
            Ok(Some(_)) => continue,
            Ok(None) => return heard,
            Err(error) => {
                heard.failed(error);
                return heard;
            }
        };
        heard.messages += 1;
        // Only control frames are refused.
        if let Ok(prepared) = PreparedMessage::new(message) {
            worker.broadcast(hub, key, prepared);
        }
    }
}
