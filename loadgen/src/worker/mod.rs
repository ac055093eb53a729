//! A plan to what happened: one thread, one runtime, its own connections.
//!
//! ```text
//!   ramp ──▶ warm-up ──▶ measured ──▶ drain ──▶ close        connections all open before load begins (run)
//!   ramp ──────────────▶ measured ──▶ drain ──▶ close        the same without messages (hold, listen)
//!            measured ───────────────────────▶ close         connections come and go (connect)
//! ```
//!
//! Workers share nothing but a clock. They hear from the coordinator when load begins and whether
//! the run is to stop, and tell it when their connections are settled. Each phase has a bound of
//! its own, so that a run ends whatever a server does.

mod admission;
mod busy_workers;
mod cohort;
mod connect;
mod connector;
mod deadline;
mod deflate;
mod driver;
mod duty;
mod frames;
mod greet;
mod judge;
mod lifecycle;
mod outbox;
mod outstanding;
mod overdue;
mod pace;
mod probe;
mod reconnect;
mod run;
mod sampler;
mod sequences;
mod session;
mod sessions;
mod settings;
mod shared_fanout;
mod thread;
mod times;
pub(crate) mod usage;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use wscodec::Limits;

use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::metrics::live::Live;
use crate::net::Routes;
pub use busy_workers::BusyWorkers;
pub(crate) use outbox::{BACKLOG_MAX, UNANSWERED_MAX};
use run::{GRACE_NS, INTERRUPTED_DRAIN_NS, Worker};
pub use shared_fanout::SharedFanout;
pub(crate) use shared_fanout::run_number;
pub use times::Times;

/// What the coordinator wants of the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Open the connections.
    Ramp,
    /// Make load at these times.
    Load(Times),
    /// End at once, in good order.
    Stop,
}

/// What all workers of a run are given.
#[derive(Clone, Debug)]
pub struct Brief {
    /// When the run began.
    pub clock: Clock,
    /// What is to be done.
    pub config: Arc<Config>,
    /// The ways to whom.
    pub routes: Arc<Routes>,
    /// What the workers of a fanout share.
    pub shared_fanout: Option<Arc<SharedFanout>>,
    /// Which workers are at their load.
    pub busy: BusyWorkers,
    /// What the coordinator wants.
    pub instructions: watch::Receiver<Instruction>,
    /// Told the number of open connections once all that were planned are open or have failed.
    pub settled: mpsc::UnboundedSender<u64>,
}

/// What a worker has measured.
#[derive(Clone, Debug)]
pub struct WorkerReport {
    /// Counters and histograms.
    pub metrics: Metrics,
    /// Those of each cohort, in their order.
    pub cohorts: Vec<Metrics>,
    /// When its connections were settled.
    pub settled_ns: u64,
    /// When it began to send; `None` if it never did.
    pub load_begin_ns: Option<u64>,
    /// When it stopped sending.
    pub load_end_ns: u64,
    /// Whether it was told to stop: by a signal, or because nobody was there.
    pub is_cut: bool,
    /// When it stopped waiting for replies.
    pub drain_end_ns: u64,
    /// When its last connection had ended.
    pub end_ns: u64,
    /// How long the times that follow were counted: from the begin of load until nothing more was
    /// sent or, with `-n`, waited for; in nanoseconds.
    pub counted_ns: u64,
    /// Processor time of its thread meanwhile, in nanoseconds.
    pub cpu_ns: u64,
    /// Time that the thread waited for a processor meanwhile, in nanoseconds, where the kernel
    /// says.
    pub wait_ns: Option<u64>,
    /// Processor time that went into waiting for the next message to be due, in nanoseconds.
    pub spun_ns: u64,
}

/// Starts a worker.
///
/// # Errors
/// What the system says when it refuses the thread.
pub fn spawn(
    worker: u64,
    brief: Brief,
    live: Arc<Live>,
) -> io::Result<JoinHandle<io::Result<WorkerReport>>> {
    std::thread::Builder::new().name(format!("load-{worker}")).spawn(move || {
        let (settled, busy) = (brief.settled.clone(), brief.busy.clone());
        let report = work(worker, brief, live);
        busy.leave(worker); // also if it could not begin
        if report.is_err() {
            settled.send(0).ok(); // nobody is to wait for this one
        }
        report
    })
}

fn work(worker: u64, brief: Brief, live: Arc<Live>) -> io::Result<WorkerReport> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(LocalOptions::default())?;
    runtime.block_on(cohort::run_beside(worker, brief, live))
}

/// What a server may send: the codec's defaults, or as much as an echo has.
pub(crate) fn limits(config: &Config) -> Limits {
    let size = config.echo().map_or(0, |echo| echo.content.size_most());
    let defaults = Limits::default();
    defaults
        .with_frame_size_max(defaults.frame_size_max.max(size as u64))
        .with_message_size_max(defaults.message_size_max.max(size))
}
