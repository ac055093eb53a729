//! What a connection says once it is open, before load begins.

use wscodec::Message;

use super::super::sessions::SessionKey;
use super::Thread;
use crate::config::{Config, Template};
use crate::index::ConnectionIndex;
use crate::net::Routes;
use crate::payload;

/// What connections say once they are open.
#[derive(Clone, Debug)]
pub(crate) struct Greeting {
    template: Template,
    seed: u64,
    /// Connection `i` has topic `i % topics`; with `None`, the topic of its URL.
    topics: Option<u64>,
    /// How many of the first connections say nothing.
    silent: u64,
}

impl Greeting {
    /// Returns the greeting that a configuration asks for.
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let fanout = config.fanout();
        let speaks = |publishers, is_speaking| if is_speaking { 0 } else { publishers };
        Some(Self {
            template: config.greeting()?.clone(),
            seed: config.seed,
            topics: fanout.map(|fanout| fanout.topics),
            silent: fanout
                .map_or(0, |fanout| speaks(fanout.publishers, fanout.is_publisher_subscribed)),
        })
    }

    /// Returns what a connection says at a time in nanoseconds since 1970.
    fn text(&self, routes: &Routes, index: ConnectionIndex, unix_ns: u64) -> Vec<u8> {
        let topic =
            self.topics.map_or_else(|| routes.place(index) as u64, |topics| index.turn(topics));
        payload::greeting(&self.template, self.seed, index, topic, unix_ns)
    }

    /// Checks whether a message is what a connection has said. One that contains the time isn't
    /// recognised.
    pub(crate) fn is_said(&self, routes: &Routes, index: ConnectionIndex, payload: &[u8]) -> bool {
        self.is_of(index) && self.text(routes, index, 0) == payload
    }

    /// Checks whether a connection says anything.
    pub(crate) const fn is_of(&self, index: ConnectionIndex) -> bool {
        index.0 >= self.silent
    }
}

impl Thread {
    /// Appends what a connection says once it is open to its unsent bytes; returns whether it says
    /// anything.
    pub(crate) fn greet(&mut self, key: SessionKey) -> bool {
        let Some(greeting) = &self.greeting else { return false };
        let session = &mut self.sessions[key];
        let index = session.index;
        if !greeting.is_of(index) {
            return false;
        }
        let unix_ns = self.clock.unix_ns(self.clock.now_ns());
        let said = greeting.text(&self.routes, index, unix_ns);
        let Ok(said) = str::from_utf8(&said) else { return false }; // it came as text
        let before = session.unsent.len();
        // Refused only if the server has closed already, which its task sees.
        session.codec.send(Message::Text(said), &mut session.unsent).ok();
        self.outbox.backlog_len += session.unsent.len() - before;
        true
    }
}
