//! Turns publisher and sequence into a message to publish, and finds the copies in what subscribers
//! receive.
//!
//! ```text
//!   post 0000000007 0003 000012 … rrrr…                the payload: a stamp, then text from the seed
//!   {"topic":"t3","data":"post 0000000007 … rrrr…"}    in what --publish puts around it
//! ```
//!
//! A server may put anything around a payload: each stamp of this run is a copy, wherever it is in
//! a message and however many there are.

use super::rendered::{self, Context};
use super::{Expected, Form, Payload};
use crate::config::{Fanout, Template};
use crate::stamp::Post;

/// Messages to publish.
#[derive(Clone, Debug)]
pub(super) struct Posts {
    run: u64,
    topics: u64,
    /// Text around each payload, if any.
    envelope: Option<Template>,
    /// Room for a payload in its envelope.
    rendered: Vec<u8>,
}

impl Posts {
    /// Creates the messages of the run with this number.
    pub(super) fn new(fanout: &Fanout, run: u64) -> Self {
        Self { run, topics: fanout.topics, envelope: fanout.publish.clone(), rendered: Vec::new() }
    }

    /// Returns a message that was due at a time in nanoseconds since 1970; `buffer` holds the
    /// payload without its stamp.
    pub(super) fn message<'p>(
        &'p mut self,
        buffer: &'p mut [u8],
        seed: u64,
        message: Expected,
        unix_ns: u64,
    ) -> &'p [u8] {
        let Expected { connection, sequence, .. } = message;
        let topic = connection.turn(self.topics);
        let post = Post { run: self.run, topic, publisher: connection.0, sequence, unix_ns };
        post.write(buffer);
        let Some(envelope) = &self.envelope else { return buffer };
        let context =
            Context { seed, connection, sequence, unix_ns, topic, payload: buffer, lane: 0 };
        self.rendered.clear();
        rendered::append(envelope, context, &mut self.rendered);
        &self.rendered
    }
}

/// The copies in a received message, in order.
#[derive(Clone, Debug)]
pub(crate) struct PostsIn<'r> {
    payload: &'r Payload,
    rest: &'r [u8],
}

impl Payload {
    /// Returns the stamps in `received` of messages from publishers of this run, and whether
    /// everything after each stamp is unchanged. What a server put around them doesn't matter.
    #[must_use]
    pub(crate) const fn posts_in<'r>(&'r self, received: &'r [u8]) -> PostsIn<'r> {
        PostsIn { payload: self, rest: received }
    }
}

impl Iterator for PostsIn<'_> {
    type Item = (Post, bool);

    fn next(&mut self) -> Option<(Post, bool)> {
        let Form::Posts(posts) = &self.payload.form else { return None };
        loop {
            let (post, rest) = Post::find(self.rest)?;
            let body = self.payload.buffer.get(Post::LEN..).unwrap_or_default();
            let behind = rest.strip_prefix(body);
            self.rest = behind.unwrap_or(rest);
            if post.run == posts.run {
                return Some((post, behind.is_some()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::{Load, Purpose, Rate};
    use crate::index::ConnectionIndex;

    fn payload(size: usize, envelope: Option<&str>) -> Payload {
        let envelope =
            envelope.map(|text| Template::parse_for(text.as_bytes(), Purpose::Publication));
        let fanout = Fanout {
            load: Load::Open { rate: Rate::new(1_000).unwrap() },
            publish: envelope.transpose().unwrap(),
            ..Fanout::sample(size, 4)
        };
        Payload::of_posts(&fanout, 77, 42, Clock::start())
    }

    fn at(connection: u64, sequence: u64) -> Expected {
        Expected { connection: ConnectionIndex(connection), sequence, due_ns: 5_000 }
    }

    fn found(payload: &Payload, received: &[u8]) -> Vec<(u64, u64, u64, bool)> {
        let posts = payload.posts_in(received);
        posts.map(|(post, whole)| (post.publisher, post.topic, post.sequence, whole)).collect()
    }

    #[test]
    fn what_is_published_has_its_envelope_and_is_found_in_any_other() {
        let mut payload = payload(80, Some(r#"{"topic":"t{topic}","n":{seq},"data":"{payload}"}"#));
        let sent = String::from_utf8(payload.message(at(6, 41)).to_vec()).unwrap();
        assert!(
            sent.starts_with(r#"{"topic":"t2","n":41,"data":"post 0000000077 0002 "#),
            "{sent}"
        );
        let inner = sent.split('"').nth(9).unwrap();
        assert_eq!(inner.len(), 80);
        for received in [
            inner.to_owned(),
            sent.clone(),
            format!(r#"{{"topic":"t2","payload":"{inner}"}}"#),
            format!(r#"{{"ts":17,"post ":"post 1","payload":"{inner}","more":[1,2]}}"#),
            format!(r#"{{"raw":{}}}"#, serde_json::Value::from(sent.clone())),
            format!("{:9000}{inner}", ""),
        ] {
            assert_eq!(found(&payload, received.as_bytes()), [(6, 2, 41, true)], "{received}");
        }
    }

    #[test]
    fn several_in_one_message_are_as_many_copies() {
        let mut payload = payload(70, None);
        let one = payload.message(at(1, 5)).to_vec();
        let mut two = payload.message(at(2, 9)).to_vec();
        let batch = [&one[..], b"\n", &two, b"\n", &one].concat();
        let all = [(1, 1, 5, true), (2, 2, 9, true), (1, 1, 5, true)];
        assert_eq!(found(&payload, &batch), all);
        two[69] ^= 1;
        let changed = [&two[..], &one].concat();
        assert_eq!(found(&payload, &changed), [(2, 2, 9, false), (1, 1, 5, true)]);
        assert_eq!(found(&payload, &one[..69]), [(1, 1, 5, false)]);
    }

    #[test]
    fn what_nobody_of_this_run_has_sent_is_passed_over() {
        let mut payload = payload(61, None);
        let own = payload.message(at(1, 5)).to_vec();
        let other = b"post 0000000078 0001 000001 000000000005 1732198000123456789 ";
        assert_eq!(found(&payload, other), []);
        assert_eq!(found(&payload, br#"{"ok":true}"#), []);
        assert_eq!(found(&payload, &[other, &own[..]].concat()), [(1, 1, 5, true)]);
    }

    #[test]
    fn a_search_is_linear_in_what_looks_like_stamps_and_are_none() {
        // In quadratic time these would take minutes.
        let payload = payload(64, None);
        for part in ["post ", "post 1 2 3 4 ", "post 1111111111111111 ", "1", "p"] {
            let received = part.repeat((1 << 20) / part.len());
            assert_eq!(found(&payload, received.as_bytes()), []);
        }
    }
}
