//! One thread of the server: a runtime, its counters, and the buffers and the registry that its
//! sessions share.
//!
//! Nothing here is locked or shared with another thread while messages flow. Invariant: a buffer is
//! borrowed only within one poll of one session.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::broadcast::{self, Mailbox};
use super::budget::Budget;
use super::config::{Mode, ServeConfig};
use super::counters::Counters;
use super::hub::{Hub, Posted};
use super::listener;
use super::place::{Bound, Listener};
use super::push;
use super::registry::{Call, Registry};
use super::session::Session;
use crate::clock::{Alarm, Clock};
use crate::net::{Detached, Stream, TlsStream};

/// The buffer that all sessions of a thread read into, in bytes.
const INPUT_SIZE: usize = 64 << 10;
/// Most capacity that the buffer for replies keeps from one read to the next, in bytes.
const OUT_CAPACITY_MAX: usize = 1 << 20;

/// What all threads of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: ServeConfig,
    pub(super) counters: Vec<Arc<Counters>>,
    /// Connections by worker, including those on their way to it. Changed once per connection.
    open: Vec<AtomicUsize>,
    /// What each thread must hand on to its members.
    pub(super) mailboxes: Vec<Mailbox>,
    /// Number of connections in all hubs.
    pub(super) members: AtomicUsize,
    pub(super) budget: Budget,
}

impl Shared {
    pub(super) fn new(config: ServeConfig) -> Self {
        let threads = config.threads.get();
        Self {
            budget: Budget::new(config.held_max),
            config,
            counters: (0..threads).map(|_| Arc::default()).collect(),
            open: (0..threads).map(|_| AtomicUsize::default()).collect(),
            mailboxes: (0..threads).map(|_| Mailbox::default()).collect(),
            members: AtomicUsize::default(),
        }
    }

    /// Returns the number of connections of all workers.
    pub(super) fn open(&self) -> usize {
        self.open.iter().map(|open| open.load(Relaxed)).sum()
    }
}

/// One connection's place at a worker; given back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    shared: Arc<Shared>,
    /// There are at most 1,024 threads.
    worker: u16,
    is_spare: bool,
}

impl Seat {
    /// Takes a seat at the worker that has the fewest connections.
    pub(super) fn take(shared: &Arc<Shared>, is_spare: bool) -> Self {
        let open = shared.open.iter().map(|open| open.load(Relaxed));
        let worker = open.enumerate().min_by_key(|&(_, open)| open).map_or(0, |(worker, _)| worker);
        if let Some(open) = shared.open.get(worker) {
            open.fetch_add(1, Relaxed);
        }
        let worker = u16::try_from(worker).unwrap_or(u16::MAX);
        Self { shared: Arc::clone(shared), worker, is_spare }
    }

    /// Returns the index of the worker.
    pub(super) fn worker(&self) -> usize {
        usize::from(self.worker)
    }

    /// Checks whether the connection is beyond the limit, so that its client is only told so.
    pub(super) fn is_spare(&self) -> bool {
        self.is_spare
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(open) = self.shared.open.get(self.worker()) {
            open.fetch_sub(1, Relaxed);
        }
    }
}

/// What other threads tell a worker.
#[derive(Debug)]
pub(super) enum ServeOrder {
    /// Take this connection.
    Admit(Detached, Seat),
    /// Close all connections and end.
    Shutdown,
}

/// What the sessions of one thread share.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) index: usize,
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
    fn new(index: usize, shared: &Arc<Shared>) -> Option<Rc<Self>> {
        Some(Rc::new(Self {
            index,
            shared: Arc::clone(shared),
            counters: Arc::clone(shared.counters.get(index)?),
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

    /// Starts a session for a socket that has just been accepted.
    pub(super) fn admit(self: &Rc<Self>, stream: io::Result<Stream>, seat: Seat) {
        let accepted_at = Instant::now();
        self.counters.accepted.add(1);
        let stream = stream.and_then(|stream| {
            if let Some(tcp) = stream.tcp() {
                tcp.set_nodelay(true)?;
            }
            match &self.config().tls {
                None => Ok(stream),
                Some(tls) => TlsStream::accept(stream, tls).map(Stream::tls),
            }
        });
        let Ok(stream) = stream else {
            self.counters.rejected.add("reset");
            self.counters.ended.add(1);
            return;
        };
        let key = self.registry.add(accepted_at);
        spawn_local(Session::new(stream, Rc::clone(self), key, seat));
    }

    /// Notes that a session is established.
    pub(super) fn join(&self, place: usize, topic: &str) {
        if let Some(hub) = &self.hub {
            hub.join(place, topic);
            self.shared.members.fetch_add(1, Relaxed);
        }
    }

    /// Notes that a session that may have been established is over.
    pub(super) fn leave(&self, place: usize) {
        if self.hub.as_ref().is_some_and(|hub| hub.leave(place)) {
            self.shared.members.fetch_sub(1, Relaxed);
        }
    }

    /// Notes that a message was posted to a session.
    pub(super) fn posted(&self, place: usize, posted: Posted) {
        match posted {
            Posted::First | Posted::TooSlow => self.registry.wake(place),
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

    async fn sweep(self: Rc<Self>) {
        let mut ticks = interval(Registry::sweep_interval(self.config()));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.registry.sweep(Instant::now(), self.config());
        }
    }

    /// Tells all clients, and waits for them, no longer than the configuration allows.
    async fn shut_down(&self) {
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

/// The listening socket and the channels to the workers, for the worker that accepts.
pub(super) type Intake = (Bound, Vec<UnboundedSender<ServeOrder>>);

/// Runs a worker on this thread until it is told to shut down. Calls `started` once it runs, or
/// with the reason why it doesn't.
pub(super) fn run(
    index: usize,
    shared: &Arc<Shared>,
    intake: Option<Intake>,
    orders: UnboundedReceiver<ServeOrder>,
    started: impl FnOnce(io::Result<()>),
) {
    let Some(worker) = Worker::new(index, shared) else { return };
    let (runtime, listener, workers) = match set_up(intake) {
        Ok(parts) => parts,
        Err(error) => return started(Err(error)),
    };
    if let Err(error) = start_posting(&runtime, &worker) {
        return started(Err(error));
    }
    started(Ok(()));
    runtime.block_on(serve(worker, listener, workers, orders));
}

/// Starts pushing or handing on messages, in the modes that do.
fn start_posting(runtime: &LocalRuntime, worker: &Rc<Worker>) -> io::Result<()> {
    let Some(hub) = worker.hub.clone() else { return Ok(()) };
    let _entered = runtime.enter();
    if worker.config().mode == Mode::Push {
        let clock = Clock::start();
        runtime.spawn_local(push::push(Rc::clone(worker), hub, Alarm::new(clock)?, clock));
    } else {
        runtime.spawn_local(broadcast::hand_on(Rc::clone(worker), hub));
    }
    Ok(())
}

type Parts = (LocalRuntime, Option<Listener>, Vec<UnboundedSender<ServeOrder>>);

fn set_up(intake: Option<Intake>) -> io::Result<Parts> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(LocalOptions::default())?;
    let Some((listener, workers)) = intake else { return Ok((runtime, None, Vec::new())) };
    let listener = {
        let _entered = runtime.enter();
        listener.attach()?
    };
    Ok((runtime, Some(listener), workers))
}

async fn serve(
    worker: Rc<Worker>,
    listener: Option<Listener>,
    workers: Vec<UnboundedSender<ServeOrder>>,
    mut orders: UnboundedReceiver<ServeOrder>,
) {
    spawn_local(Rc::clone(&worker).sweep());
    let accepting = listener.map(|listener| {
        let shared = Arc::clone(&worker.shared);
        spawn_local(listener::accept(listener, Rc::clone(&worker), shared, workers))
    });
    while let Some(ServeOrder::Admit(stream, seat)) = orders.recv().await {
        worker.admit(stream.attach(), seat);
    }
    if let Some(accepting) = accepting {
        accepting.abort();
    }
    worker.shut_down().await;
}
