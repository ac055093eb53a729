//! Planned connections to tasks, on schedule or as fast as the server takes them; and one connection from begin to end.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use super::connect::connect;
use super::session::End;
use super::shard::Shard;
use crate::clock::Alarm;
use crate::plan::{ConnectionPlan, Plan, Script};

/// Connections of a worker that are being opened at once if no rate is asked for: enough to keep a server busy, and few enough
/// that its listen queue, which is 128 here and there, doesn't drop any.
const OPENING_MAX: usize = 64;
/// Pauses after a connection failed, if no rate is asked for: the first, and the longest.
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Begins one connection after the other until the plan has no more.
pub(crate) async fn connector(
    shard: Rc<RefCell<Shard>>,
    plan: Rc<Plan>,
    worker: u64,
    mut alarm: Alarm,
) {
    let slots = usize::try_from(plan.slots(worker)).unwrap_or(Semaphore::MAX_PERMITS);
    let permits = match plan.script() {
        Script::OpenClose => slots,
        Script::Echo if plan.is_paced() => slots,
        Script::Echo => slots.min(OPENING_MAX),
    };
    let permits = Arc::new(Semaphore::new(permits));
    for connection in (0..).map_while(|n| plan.connection(worker, n)) {
        if let Some(start_ns) = connection.start_ns {
            if start_ns >= shard.borrow().times.window_end_ns {
                break;
            }
            alarm.until(start_ns).await;
        }
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
        if is_hopeless(&shard.borrow(), slots) {
            break;
        }
        shard.borrow_mut().attempt_begun();
        spawn_local(live(Rc::clone(&shard), connection, permit, !plan.is_paced()));
    }
    let mut shard = shard.borrow_mut();
    shard.is_connector_done = true;
    shard.wake_main();
}

/// Whether as many connections as may be open at once have failed, and none ever opened: nobody is there.
fn is_hopeless(shard: &Shard, slots: usize) -> bool {
    shard.settings.script == Script::OpenClose
        && shard.metrics.established == 0
        && shard.failures_in_a_row as usize >= slots.max(3)
}

/// A connection from its begin to its end.
async fn live(
    shard: Rc<RefCell<Shard>>,
    plan: ConnectionPlan,
    permit: OwnedSemaphorePermit,
    is_backing_off: bool,
) {
    // In a box, which is gone once the connection is open: a task is as large as the largest thing it waits for.
    let opened = match Box::pin(connect(&shard, plan.start_ns)).await {
        Ok(opened) => opened,
        Err(refusal) => {
            let failures = shard.borrow_mut().attempt_failed(refusal);
            if is_backing_off && plan.script == Script::OpenClose {
                sleep(backoff(failures)).await;
            }
            return;
        }
    };
    let Some(key) = shard.borrow_mut().admit(&plan, opened) else { return };
    // With messages to send it stays open for long, and makes room for the next that is to be opened.
    let permit = (plan.script == Script::OpenClose).then_some(permit);
    let end = match poll_fn(|cx| shard.borrow_mut().poll_open(key, cx)).await {
        Some(end) => end,
        None => Box::pin(closing(&shard, key)).await,
    };
    shard.borrow_mut().retire(key, &end);
    drop(permit);
}

async fn closing(shard: &Rc<RefCell<Shard>>, key: usize) -> End {
    let bound = Duration::from_nanos(shard.borrow().settings.close_timeout_ns);
    let ended = poll_fn(|cx| shard.borrow_mut().poll_end(key, cx));
    timeout(bound, ended).await.unwrap_or(End::Timeout)
}

fn backoff(failures_in_a_row: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(1 << failures_in_a_row.min(7)).min(BACKOFF_MAX)
}
