//! An open connection to what it says before load begins, and to the answer to that.

use wscodec::Message;

use super::Worker;
use super::thread::Thread;
use crate::config::{Config, Template};
use crate::net::Routes;
use crate::payload;

/// What connections say once they are open.
#[derive(Clone, Debug)]
pub(crate) struct Greeting {
    template: Template,
    seed: u64,
    /// Connection `i` is of topic `i % topics`; `None` is that of its URL.
    topics: Option<u64>,
    /// So many of the first connections say nothing.
    silent: u64,
}

impl Greeting {
    /// What a configuration asks for.
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

    /// What a connection says at a time in nanoseconds since 1970.
    fn text(&self, routes: &Routes, index: u64, unix_ns: u64) -> Vec<u8> {
        let topic = self.topics.map_or_else(|| routes.place(index) as u64, |topics| index % topics);
        payload::greeting(&self.template, self.seed, index, topic, unix_ns)
    }

    /// Whether a message is what a connection has said. One that says the time isn't known again.
    pub(crate) fn is_said(&self, routes: &Routes, index: u64, payload: &[u8]) -> bool {
        self.is_of(index) && self.text(routes, index, 0) == payload
    }

    /// Whether a connection says anything.
    pub(crate) const fn is_of(&self, index: u64) -> bool {
        index >= self.silent
    }
}

impl Thread {
    /// Says what a connection is to say once it is open; its task writes it.
    pub(crate) fn greet(&mut self, key: usize) {
        let Some(greeting) = &self.greeting else { return };
        let session = &mut self.sessions[key];
        let index = session.index;
        if !greeting.is_of(index) {
            return;
        }
        let unix_ns = self.clock.unix_ns(self.clock.now_ns());
        let said = greeting.text(&self.routes, index, unix_ns);
        let Ok(said) = str::from_utf8(&said) else { return }; // it came as text
        let before = session.unsent.len();
        // Refused only if the server has closed already, which its task sees.
        session.codec.send(Message::Text(said), &mut session.unsent).ok();
        self.backlog_len += session.unsent.len() - before;
        if let Some(fanout) = &mut self.fanout {
            fanout.await_answer(self.settings.place(index));
        }
    }
}

impl Worker {
    /// Waits until every subscriber has been told that it is one, if that is to be waited for, and
    /// for as long as a connection may take to open; counts those who haven't.
    pub(super) async fn wait_for_answers(&mut self) {
        let bound_ns = self.thread.borrow().settings.connect_timeout_ns;
        let deadline_ns = self.clock.now_ns().saturating_add(bound_ns);
        let is_told =
            |thread: &Thread| thread.fanout.as_ref().is_none_or(|fanout| fanout.unanswered() == 0);
        self.wait(|_| deadline_ns, is_told).await;
        let mut thread = self.thread.borrow_mut();
        let unanswered = thread.fanout.as_ref().map_or(0, super::fanout::FanoutState::unanswered);
        thread.metrics.fanout.untold += unanswered;
    }
}
