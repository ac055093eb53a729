//! The reference server: answers what clients send, using the codec, with one thread per core.
//!
//! ```text
//!   listener ── accept, one loop ──▶ worker (a thread: runtime, buffers, registry, counters)
//!                                      └─▶ session (a connection: upgrade, then messages)
//! ```
//!
//! ```no_run
//! use loadgen_engine::serve::{ServeConfig, Server};
//!
//! let server = Server::bind(&ServeConfig::default())?;
//! println!("listening on {}", server.local_addr());
//! let handle = server.start()?;
//! // ... clients come and go ...
//! let totals = handle.shutdown();
//! assert_eq!(totals.open, 0);
//! # Ok::<(), std::io::Error>(())
//! ```

mod admission;
mod broadcast;
mod budget;
mod command;
mod config;
mod counters;
mod heard;
mod http2;
mod hub;
mod listener;
mod mailbox;
mod origin;
mod place;
mod push;
mod registry;
mod session;
mod shared;
mod summary;
mod thread;
mod unsent;
mod upgrade;
mod worker;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::{Builder, JoinHandle};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub use command::announce;
pub use command::{run, run_member};
pub use config::{Mode, Push, PushRate, SenderCopy, ServeConfig, SlowReader};
pub use counters::Totals;
pub use listener::parse_address;
pub use origin::OriginPolicy;
pub use place::reserve;
pub use summary::Summary;

use mailbox::ThreadIndex;
use place::{Bound, SocketPath};
use shared::{ServeOrder, Shared};

/// A server that is listening but not yet accepting.
#[derive(Debug)]
pub struct Server {
    listener: Bound,
    socket_path: Option<SocketPath>,
    address: SocketAddr,
    config: ServeConfig,
}

impl Server {
    /// Listens on [`ServeConfig::listen`]; from now on the kernel queues connections.
    ///
    /// # Errors
    /// One line with the address and what to do: a port in use, a port that needs root, an address
    /// that isn't local.
    pub fn bind(config: &ServeConfig) -> io::Result<Self> {
        let (listener, socket_path, address) = if let Some(path) = &config.socket_path {
            let (listener, removed_with) = place::bind_path(path)?;
            (Bound::Unix(listener), Some(removed_with), config.listen)
        } else {
            let bind = if config.is_port_shared { place::bind_together } else { place::bind };
            let listener = bind(config.listen)?;
            let address = listener.local_addr()?;
            (Bound::Tcp(listener), None, address)
        };
        Ok(Self { listener, socket_path, address, config: config.clone() })
    }

    /// Returns the address, with the real port if the configuration had port 0. Meaningless if the
    /// server listens at a path.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Starts serving, on [`ServeConfig::threads`] threads of its own.
    ///
    /// # Errors
    /// The system's error when it refuses a thread or the descriptors of a runtime.
    pub fn start(self) -> io::Result<ServerHandle> {
        let shared = Arc::new(Shared::new(self.config));
        let (senders, receivers): (Vec<_>, Vec<_>) =
            shared.counters.iter().map(|_| unbounded_channel()).unzip();
        let mut handle = ServerHandle {
            address: self.address,
            socket_path: self.socket_path,
            shared,
            orders: senders.clone(),
            threads: Vec::new(),
        };
        let mut intake = Some((self.listener, senders));
        // If a thread or its runtime is refused, the handle is dropped, and so shut down.
        for (index, receiver) in receivers.into_iter().enumerate() {
            handle.start_worker(ThreadIndex::of(index), intake.take(), receiver)?;
        }
        Ok(handle)
    }
}

/// A running server. Dropping it shuts it down.
#[derive(Debug)]
pub struct ServerHandle {
    address: SocketAddr,
    socket_path: Option<SocketPath>,
    shared: Arc<Shared>,
    orders: Vec<UnboundedSender<ServeOrder>>,
    threads: Vec<JoinHandle<()>>,
}

impl ServerHandle {
    /// Returns the address that the server listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns what to tell a client: a URL, or a path after `unix:`.
    #[must_use]
    pub fn place(&self) -> String {
        let scheme = if self.shared.config.tls.is_some() { "wss" } else { "ws" };
        match &self.socket_path {
            Some(path) => format!("unix:{path} ({scheme}://)"),
            None => format!("{scheme}://{}/", self.address),
        }
    }

    /// Returns the totals so far. Costs the server nothing.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals::sum(self.shared.counters.iter().map(AsRef::as_ref))
    }

    /// Stops accepting, sends every client a Close with 1001, waits for them up to
    /// [`ServeConfig::shutdown_timeout`], and returns the totals.
    #[must_use = "dropping the handle shuts the server down too"]
    pub fn shutdown(mut self) -> Totals {
        self.stop();
        self.totals()
    }

    fn start_worker(
        &mut self,
        index: ThreadIndex,
        intake: Option<thread::Intake>,
        receiver: UnboundedReceiver<ServeOrder>,
    ) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let (started, outcome) = mpsc::sync_channel(1);
        let thread = Builder::new().name(format!("serve-{}", index.place())).spawn(move || {
            // The receiver is gone only if this call has panicked.
            thread::run(index, &shared, intake, receiver, |result| {
                started.send(result).ok();
            });
        })?;
        self.threads.push(thread);
        outcome.recv().unwrap_or_else(|_| Err(io::Error::other("the worker ended at once")))
    }

    fn stop(&mut self) {
        for orders in &self.orders {
            // Only a worker that has ended refuses it.
            orders.send(ServeOrder::Shutdown).ok();
        }
        for thread in self.threads.drain(..) {
            // A worker that panicked has reported it on stderr.
            thread.join().ok();
        }
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.stop();
    }
}
