//! The times of an open connection: when to send a Ping, and when to wait no longer.
//!
//! One timer serves all of them, set again only when it has fired too early. Invariant: without a
//! time that runs there is no timer, and no memory for one.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::config::{Config, KeepAlive};

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A Ping is to be sent.
    Ping,
    /// Nothing arrived after the Ping.
    Gone,
    /// There was no message for too long.
    Idle,
    /// The closing handshake, or the end of the stream, takes too long.
    Close,
}

pub(crate) struct Deadlines {
    close_timeout: Option<Duration>,
    /// What runs, if anything does.
    running: Option<Box<Running>>,
}

struct Running {
    keep_alive: Option<KeepAlive>,
    idle_timeout: Option<Duration>,
    /// When something last arrived.
    arrived: Instant,
    /// When a Ping was sent after which nothing has arrived.
    pinged: Option<Instant>,
    /// When the last message arrived.
    message: Instant,
    /// When to stop waiting for the end. From then on nothing else counts.
    close_by: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadlines {
    pub(crate) fn new(config: &Config) -> Self {
        let is_needed = config.keep_alive.is_some() || config.idle_timeout.is_some();
        let running = is_needed.then(|| {
            let (keep_alive, idle_timeout) = (config.keep_alive, config.idle_timeout);
            Box::new(Running { keep_alive, idle_timeout, ..Running::new() })
        });
        Self { close_timeout: config.close_timeout, running }
    }

    /// Notes that something has arrived.
    pub(crate) fn note_arrival(&mut self) {
        if let Some(running) = &mut self.running
            && running.keep_alive.is_some()
        {
            running.arrived = Instant::now();
            running.pinged = None;
        }
    }

    /// Notes that a message was received or sent.
    pub(crate) fn note_message(&mut self) {
        if let Some(running) = &mut self.running
            && running.idle_timeout.is_some()
        {
            running.message = Instant::now();
        }
    }

    /// Starts the time until the end, if it doesn't run yet.
    pub(crate) fn begin_close(&mut self) {
        if self.running.as_ref().is_none_or(|running| running.close_by.is_none()) {
            self.restart_close();
        }
    }

    /// Starts the time until the end anew: both Closes are exchanged.
    pub(crate) fn restart_close(&mut self) {
        if let Some(timeout) = self.close_timeout {
            let running = self.running.get_or_insert_with(|| Box::new(Running::new()));
            running.close_by = Instant::now().checked_add(timeout);
        }
    }

    /// Returns whether the wait for the end of the stream is bounded.
    pub(crate) const fn has_close_timeout(&self) -> bool {
        self.close_timeout.is_some()
    }

    /// Waits for what is due next.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Due> {
        let Some(running) = &mut self.running else { return Poll::Pending };
        loop {
            let Some((at, due)) = running.next() else { return Poll::Pending };
            let timer = running.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if timer.deadline() > at {
                timer.as_mut().reset(at);
            }
            ready!(timer.as_mut().poll(cx));
            // What arrived since the timer was set has moved the deadline.
            let now = Instant::now();
            if now < at {
                timer.as_mut().reset(at);
                continue;
            }
            match due {
                Due::Ping => running.pinged = Some(now),
                Due::Idle => running.message = now,
                Due::Gone | Due::Close => {}
            }
            return Poll::Ready(due);
        }
    }
}

impl Running {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            keep_alive: None,
            idle_timeout: None,
            arrived: now,
            pinged: None,
            message: now,
            close_by: None,
            timer: None,
        }
    }

    /// Returns what is due next, and when. A time too far away to be counted never comes.
    fn next(&self) -> Option<(Instant, Due)> {
        if let Some(at) = self.close_by {
            return Some((at, Due::Close));
        }
        let alive = self.keep_alive.and_then(|KeepAlive { interval, timeout }| match self.pinged {
            None => Some((self.arrived.checked_add(interval)?, Due::Ping)),
            Some(pinged) => Some((pinged.checked_add(timeout)?, Due::Gone)),
        });
        let idle = self
            .idle_timeout
            .and_then(|timeout| Some((self.message.checked_add(timeout)?, Due::Idle)));
        [alive, idle].into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}
