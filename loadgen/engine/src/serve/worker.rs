//! What the sessions of one thread share: counters, buffers, the registry, and the hub.
//!
//! Nothing here is locked or shared with another thread while messages flow. Invariant: a buffer is
//! borrowed only within one poll of one session.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::config::{Mode, ServeConfig};
use super::counters::Counters;
use super::hub::{Hub, Posted};
use super::mailbox::ThreadIndex;
use super::registry::{Call, Registry, SessionKey};
use super::shared::Shared;

/// The buffer that all sessions of a thread read into, in bytes.
const INPUT_SIZE: usize = 64 << 10;
/// Most capacity that the buffer for replies keeps from one read to the next, in bytes.
const OUT_CAPACITY_MAX: usize = 1 << 20;

/// What the sessions of one thread share.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) index: ThreadIndex,
    pub(super) shared: Arc<Shared>,
    pub(super) counters: Arc<Counters>,
    pub(super) registry: Registry,
    /// Where unsolicited messages are queued, in the modes that send them.
    pub(super) hub: Option<Rc<Hub>>,
    pub(super) buffers: RefCell<Buffers>,
    emptied: Notify,
}

/// The buffers that sessions read into and write from, one session after the other.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) input: Box<[u8]>,
    pub(super) out: Vec<u8>,
}

impl Buffers {
    /// Makes room for the next session: drops what a failed session left over, and frees memory
    /// that one large message has taken.
    pub(super) fn trim(&mut self) {
        self.out.clear();
        if self.out.capacity() > OUT_CAPACITY_MAX {
            self.out = Vec::new();
        }
    }
}

impl Worker {
    /// Returns the worker with an index; `None` if the server has no such thread.
    pub(super) fn new(index: ThreadIndex, shared: &Arc<Shared>) -> Option<Rc<Self>> {
        Some(Rc::new(Self {
            index,
            shared: Arc::clone(shared),
            counters: Arc::clone(shared.counters.get(index.place())?),
            registry: Registry::default(),
            hub: match shared.config.mode {
                Mode::Echo | Mode::Sink => None,
                Mode::Push | Mode::Broadcast => {
                    let config = &shared.config;
                    Some(Rc::new(Hub::new(config.queue_max, config.slow_reader)))
                }
            },
            buffers: RefCell::new(Buffers {
                input: vec![0; INPUT_SIZE].into_boxed_slice(),
                out: Vec::new(),
            }),
            emptied: Notify::new(),
        }))
    }

    pub(super) fn config(&self) -> &ServeConfig {
        &self.shared.config
    }

    /// Notes that a session is established.
    pub(super) fn join(&self, key: SessionKey, topic: &str) {
        if let Some(hub) = &self.hub {
            hub.join(key, topic);
            self.shared.members.fetch_add(1, Relaxed);
        }
    }

    /// Notes that a session that may have been established is over.
    pub(super) fn leave(&self, key: SessionKey) {
        if self.hub.as_ref().is_some_and(|hub| hub.leave(key)) {
            self.shared.members.fetch_sub(1, Relaxed);
        }
    }

    /// Notes that a message was posted to a session.
    pub(super) fn posted(&self, key: SessionKey, posted: Posted) {
        match posted {
            Posted::First | Posted::TooSlow => self.registry.wake(key),
            Posted::Skipped => self.counters.messages_skipped.add(1),
            Posted::Queued | Posted::Gone => {}
        }
    }

    /// Notes that a session is over.
    pub(super) fn ended(&self) {
        self.counters.ended.add(1);
        if self.registry.len() == 0 {
            self.emptied.notify_one();
        }
    }

    /// Checks, time and again, which sessions have waited too long.
    pub(super) async fn sweep(self: Rc<Self>) {
        let mut ticks = interval(Registry::sweep_interval(self.config()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.registry.sweep(Instant::now(), self.config());
        }
    }

    /// Tells all clients, and waits for them, no longer than the configuration allows.
    pub(super) async fn shut_down(&self) {
        self.registry.call_all(Call::Shutdown);
        let all_gone = async {
            while self.registry.len() > 0 {
                self.emptied.notified().await;
            }
        };
        // Remaining clients are cut off with the runtime.
        timeout(self.config().shutdown_timeout, all_gone).await.ok();
    }
}
