//! Delivers unsolicited messages to the sessions of a thread, through a bounded queue for each.
//!
//! ```text
//!   post ──▶ queue of a member ──▶ its session, when its socket takes it ──▶ codec ──▶ socket
//! ```
//!
//! A session takes from its queue only while its socket accepts data, so what a slow reader leaves
//! behind stays here, as references to messages that others share. Past a bound the client is
//! either closed or misses messages, as the configuration says; other clients are not affected.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;
use wscodec::PreparedMessage;

use super::config::SlowReader;
use super::registry::SessionKey;

/// Messages for which an empty queue keeps its memory.
const QUEUE_CAPACITY_KEPT: usize = 64;

/// The established connections of one thread, by key.
#[derive(Debug)]
pub(super) struct Hub {
    members: RefCell<Members>,
    queue_max: usize,
    slow: SlowReader,
    /// Notified when a member joins.
    pub(super) joined: Notify,
}

#[derive(Debug, Default)]
struct Members {
    by_key: Vec<Option<Member>>,
    /// Keys by topic. A topic without members is removed.
    topics: HashMap<Arc<str>, Vec<SessionKey>>,
}

#[derive(Debug)]
struct Member {
    queue: VecDeque<Arc<PreparedMessage>>,
    /// Bytes of the frames in `queue`.
    queued_len: usize,
    is_slow: bool,
    /// Messages that were pushed to this member.
    pushed: u64,
    topic: Arc<str>,
    /// The member's index among the members of its topic.
    position: usize,
}

/// What happened to a posted message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posted {
    /// It is the first in the queue: wake the session.
    First,
    /// It is queued behind others.
    Queued,
    /// There was no room: wake the session and close it.
    TooSlow,
    /// There was no room: the message is skipped.
    Skipped,
    /// The member has left.
    Gone,
}

impl Hub {
    /// Returns a hub whose queues hold at most `queue_max` bytes.
    pub(super) fn new(queue_max: usize, slow: SlowReader) -> Self {
        let members = RefCell::default();
        Self { members, queue_max, slow, joined: Notify::new() }
    }

    /// Adds an established session, which receives messages for `topic`.
    pub(super) fn join(&self, key: SessionKey, topic: &str) {
        let Members { by_key, topics } = &mut *self.members.borrow_mut();
        let topic =
            topics.get_key_value(topic).map_or_else(|| topic.into(), |(it, _)| Arc::clone(it));
        let keys = topics.entry(Arc::clone(&topic)).or_default();
        let member = Member {
            queue: VecDeque::new(),
            queued_len: 0,
            is_slow: false,
            pushed: 0,
            topic,
            position: keys.len(),
        };
        keys.push(key);
        if by_key.len() <= key.place() {
            by_key.resize_with(key.place() + 1, || None);
        }
        if let Some(entry) = by_key.get_mut(key.place()) {
            *entry = Some(member);
        }
        self.joined.notify_one();
    }

    /// Removes a session that has ended, and returns whether it was a member.
    pub(super) fn leave(&self, key: SessionKey) -> bool {
        let Members { by_key, topics } = &mut *self.members.borrow_mut();
        let Some(member) = by_key.get_mut(key.place()).and_then(Option::take) else { return false };
        let Some(keys) = topics.get_mut(&member.topic) else { return true };
        keys.swap_remove(member.position);
        if keys.is_empty() {
            topics.remove(&member.topic);
        } else if let Some(&moved) = keys.get(member.position)
            && let Some(Some(moved)) = by_key.get_mut(moved.place())
        {
            moved.position = member.position;
        }
        true
    }

    /// Returns the topic of a member.
    pub(super) fn topic(&self, key: SessionKey) -> Option<Arc<str>> {
        let members = self.members.borrow();
        Some(Arc::clone(&members.by_key.get(key.place())?.as_ref()?.topic))
    }

    /// Queues a message for all members of a topic but one, and calls `posted` for each.
    pub(super) fn post_all(
        &self,
        topic: &str,
        message: &Arc<PreparedMessage>,
        except: Option<SessionKey>,
        mut posted: impl FnMut(SessionKey, Posted),
    ) {
        let Members { by_key, topics } = &mut *self.members.borrow_mut();
        for &key in topics.get(topic).into_iter().flatten() {
            if except != Some(key)
                && let Some(Some(member)) = by_key.get_mut(key.place())
            {
                posted(key, member.post(message, self.queue_max, self.slow));
            }
        }
    }

    /// Returns the number of members of a topic.
    pub(super) fn len(&self, topic: &str) -> usize {
        self.members.borrow().topics.get(topic).map_or(0, Vec::len)
    }

    /// Returns the member of a topic whose turn it is, and the sequence of the next message to push
    /// to it.
    pub(super) fn next_turn(&self, topic: &str, cursor: &mut usize) -> Option<(SessionKey, u64)> {
        let Members { by_key, topics } = &mut *self.members.borrow_mut();
        let keys = topics.get(topic)?;
        let key = *keys.get(*cursor % keys.len())?;
        *cursor = (*cursor + 1) % keys.len();
        let member = by_key.get_mut(key.place())?.as_mut()?;
        member.pushed += 1;
        Some((key, member.pushed - 1))
    }

    /// Queues a message for one member, or treats it as a slow reader.
    pub(super) fn post(&self, key: SessionKey, message: &Arc<PreparedMessage>) -> Posted {
        let mut members = self.members.borrow_mut();
        let Some(Some(member)) = members.by_key.get_mut(key.place()) else { return Posted::Gone };
        member.post(message, self.queue_max, self.slow)
    }

    /// Takes the next message for a member.
    pub(super) fn take(&self, key: SessionKey) -> Option<Arc<PreparedMessage>> {
        let mut members = self.members.borrow_mut();
        let member = members.by_key.get_mut(key.place())?.as_mut()?;
        let message = member.queue.pop_front()?;
        member.queued_len -= message.frame_len();
        if member.queue.is_empty() && member.queue.capacity() > QUEUE_CAPACITY_KEPT {
            member.queue = VecDeque::new();
        }
        Some(message)
    }

    /// Checks whether a member was found too slow.
    pub(super) fn is_slow(&self, key: SessionKey) -> bool {
        let members = self.members.borrow();
        members
            .by_key
            .get(key.place())
            .and_then(Option::as_ref)
            .is_some_and(|member| member.is_slow)
    }
}

impl Member {
    fn post(
        &mut self,
        message: &Arc<PreparedMessage>,
        queue_max: usize,
        slow: SlowReader,
    ) -> Posted {
        if self.is_slow {
            return Posted::Gone;
        }
        let len = message.frame_len();
        // A message on its own has room however large it is.
        if !self.queue.is_empty() && self.queued_len + len > queue_max {
            if slow == SlowReader::Skip {
                return Posted::Skipped;
            }
            // A slow member will never read what it hasn't read yet.
            (self.queue, self.queued_len, self.is_slow) = (VecDeque::new(), 0, true);
            return Posted::TooSlow;
        }
        self.queue.push_back(Arc::clone(message));
        self.queued_len += len;
        if self.queue.len() == 1 { Posted::First } else { Posted::Queued }
    }
}

#[cfg(test)]
mod tests {
    use wscodec::Message;

    use super::*;

    fn key(place: usize) -> SessionKey {
        SessionKey::of(place)
    }

    fn message(len: usize) -> Arc<PreparedMessage> {
        Arc::new(PreparedMessage::new(Message::Binary(&vec![7; len])).unwrap())
    }

    #[test]
    fn a_queue_has_its_bound_and_its_order() {
        let hub = Hub::new(100, SlowReader::Skip);
        hub.join(key(3), "t");
        let post = |len| hub.post(key(3), &message(len));
        assert_eq!(post(500), Posted::First, "alone it has room");
        assert_eq!(post(1), Posted::Skipped);
        assert_eq!(hub.take(key(3)).unwrap().payload().len(), 500);
        assert!(hub.take(key(3)).is_none());
        assert_eq!((post(47), post(48)), (Posted::First, Posted::Queued));
        assert_eq!(post(48), Posted::Skipped);
        assert_eq!(hub.take(key(3)).unwrap().payload().len(), 47);
        assert_eq!(hub.post(key(2), &message(1)), Posted::Gone);
        assert!(hub.leave(key(3)) && !hub.leave(key(3)));
        assert_eq!(post(1), Posted::Gone);
    }

    #[test]
    fn e03_a_slow_reader_is_found_once_and_its_queue_is_freed() {
        let hub = Hub::new(100, SlowReader::Close);
        hub.join(key(0), "t");
        let message = message(60);
        let post = || hub.post(key(0), &message);
        assert_eq!([post(), post(), post()], [Posted::First, Posted::TooSlow, Posted::Gone]);
        assert!(hub.is_slow(key(0)) && hub.take(key(0)).is_none());
        assert_eq!(Arc::strong_count(&message), 1);
    }

    #[test]
    fn turns_go_round_whoever_leaves() {
        let hub = Hub::new(100, SlowReader::Close);
        (0..4).for_each(|place| hub.join(key(place), "t"));
        hub.join(key(9), "other");
        let mut cursor = 0;
        let mut turn = || hub.next_turn("t", &mut cursor).unwrap();
        assert_eq!([turn(), turn(), turn()], [(key(0), 0), (key(1), 0), (key(2), 0)]);
        assert!(hub.leave(key(1)) && hub.leave(key(2)));
        let mut seen: Vec<_> = (0..4).map(|_| turn()).collect();
        seen.sort_unstable();
        assert_eq!(seen, [(key(0), 1), (key(0), 2), (key(3), 0), (key(3), 1)]);
        assert!(hub.leave(key(0)) && hub.leave(key(3)));
        assert_eq!((hub.len("t"), hub.len("other")), (0, 1));
        assert_eq!(hub.next_turn("t", &mut 0), None);
    }
}
