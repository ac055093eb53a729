//! One thread of the server: a runtime, and what runs on it.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::spawn_local;

use super::admission::admit;
use super::config::Mode;
use super::mailbox::ThreadIndex;
use super::place::{Bound, Listener};
use super::shared::{ServeOrder, Shared};
use super::worker::Worker;
use super::{broadcast, listener, push};
use crate::clock::{Alarm, Clock};

/// The listening socket and the channels to the workers, for the worker that accepts.
pub(super) type Intake = (Bound, Vec<UnboundedSender<ServeOrder>>);

/// Runs a worker on this thread until it is told to shut down. Calls `started` once it runs, or
/// with the reason why it doesn't.
pub(super) fn run(
    index: ThreadIndex,
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
        admit(&worker, stream.attach(), seat);
    }
    if let Some(accepting) = accepting {
        accepting.abort();
    }
    worker.shut_down().await;
}
