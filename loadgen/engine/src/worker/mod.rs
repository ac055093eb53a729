//! Makes the planned load: each worker is a thread with its own runtime and its own connections.
//!
//! ```text
//!   ramp ──▶ warm-up ──▶ measured ──▶ drain ──▶ close        connections all open before load begins (run)
//!   ramp ──────────────▶ measured ──▶ drain ──▶ close        the same without messages (hold, listen)
//!            measured ───────────────────────▶ close         connections come and go (connect)
//! ```
//!
//! Workers share almost nothing but a clock. The coordinator tells them when load begins and
//! whether the run is to stop, and they tell it when their connections are settled. Each phase has
//! a bound, so a run ends whatever a server does.

mod busy_workers;
mod connector;
mod deflate;
mod driver;
mod duty;
mod frames;
mod judge;
mod lifecycle;
mod opening;
mod outstanding;
mod overdue;
mod pong;
mod receipt;
mod run;
mod sequences;
mod session;
mod sessions;
mod settings;
mod shared_fanout;
mod thread;
mod times;
pub mod usage;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use wscodec::Limits;

use crate::clock::Clock;
use crate::config::Config;
use crate::index::WorkerIndex;
use crate::metrics::Metrics;
use crate::metrics::live::Live;
use crate::net::Routes;
pub use busy_workers::BusyWorkers;
pub use shared_fanout::SharedFanout;
pub use shared_fanout::run_number;
pub use thread::outbox::{BACKLOG_MAX, UNANSWERED_MAX};
pub use times::Times;

/// What the coordinator tells the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Open the connections.
    Ramp,
    /// Begin and end load at these times.
    Load(Times),
    /// Stop at once, but close every connection.
    Stop,
}

/// What every worker of a run is given.
#[derive(Clone, Debug)]
pub struct Brief {
    /// When the run began.
    pub clock: Clock,
    /// What the user asked for.
    pub config: Arc<Config>,
    /// How to reach the servers.
    pub routes: Arc<Routes>,
    /// What the workers of a fanout share.
    pub shared_fanout: Option<Arc<SharedFanout>>,
    /// Which workers still have load to make.
    pub busy: BusyWorkers,
    /// What the coordinator tells the workers.
    pub instructions: watch::Receiver<Instruction>,
    /// Gets the number of open connections, once all planned ones are open or have failed.
    pub settled: mpsc::UnboundedSender<u64>,
}

/// What a worker has measured.
#[derive(Clone, Debug)]
pub struct WorkerReport {
    /// Counters and histograms.
    pub metrics: Metrics,
    /// The counters and histograms of each cohort, in their order.
    pub cohorts: Vec<Metrics>,
    /// When all planned connections were open or had failed.
    pub settled_ns: u64,
    /// When load began; `None` if it never did.
    pub load_begin_ns: Option<u64>,
    /// When load ended.
    pub load_end_ns: u64,
    /// Whether the worker was told to stop: by a signal, or because no server was there.
    pub is_cut: bool,
    /// When the worker stopped waiting for replies.
    pub drain_end_ns: u64,
    /// When its last connection had ended.
    pub end_ns: u64,
    /// The period that the times below refer to, in nanoseconds: from the begin of load until
    /// nothing more was sent or, with `-n`, waited for.
    pub counted_ns: u64,
    /// Processor time of the thread in that period, in nanoseconds.
    pub cpu_ns: u64,
    /// Time that the thread waited for a processor in that period, in nanoseconds, if the kernel
    /// says.
    pub wait_ns: Option<u64>,
    /// Processor time spent awake, waiting for the next message to be due, in nanoseconds.
    pub spun_ns: u64,
}

/// Starts a worker.
///
/// # Errors
/// The system's error if it refuses the thread.
pub fn spawn(
    worker: WorkerIndex,
    brief: Brief,
    live: Arc<Live>,
) -> io::Result<JoinHandle<io::Result<WorkerReport>>> {
    std::thread::Builder::new().name(format!("load-{}", worker.0)).spawn(move || {
        let (settled, busy) = (brief.settled.clone(), brief.busy.clone());
        let report = work(worker, brief, live);
        busy.leave(worker); // also if it could not begin
        if report.is_err() {
            settled.send(0).ok(); // nobody is to wait for this one
        }
        report
    })
}

fn work(worker: WorkerIndex, brief: Brief, live: Arc<Live>) -> io::Result<WorkerReport> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(LocalOptions::default())?;
    runtime.block_on(run::beside::run_beside(worker, brief, live))
}

/// Returns what a server may send. An embedded server takes as much.
#[must_use]
pub fn limits(config: &Config) -> Limits {
    config.request.limits(config.echo().map_or(0, |echo| echo.content.size_most()))
}
