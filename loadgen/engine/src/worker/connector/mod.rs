//! Starts a task for each planned connection, on schedule or as fast as the server accepts them;
//! and drives one connection from begin to end.

mod connect;
mod half_request;
mod http1;
mod http2;
mod reach;
mod reopen;

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use super::driver::Driver;
use super::session::End;
use super::sessions::SessionKey;
use super::settings::Settings;
use super::thread::Thread;
use crate::clock::Alarm;
use crate::index::{ConnectionIndex, WorkerIndex};
use crate::plan::{ConnectionPlan, Plan, Script};
use connect::connect;
use reopen::reopening;

/// How many connections a worker opens at once if no rate is given: enough to keep a server busy,
/// and few enough not to overflow its listen queue, which is as short as 128 on some systems.
const OPENING_MAX: usize = 64;
/// The same for a worker that is one of very many, who together open [`OPENING_ALL_MAX`].
const OPENING_MIN: usize = 16;
const OPENING_ALL_MAX: u64 = 1_024;
/// The shortest and longest pause after a failed connection, if no rate is given.
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Begins one connection after another until the plan has no more.
pub(crate) async fn connector(
    driver: Rc<RefCell<Driver>>,
    plan: Rc<Plan>,
    worker: WorkerIndex,
    mut alarm: Alarm,
) {
    let slots = usize::try_from(plan.slots(worker)).unwrap_or(Semaphore::MAX_PERMITS);
    let permits = match plan.script() {
        Script::OpenClose => slots,
        _ if plan.is_paced() => slots,
        _ => {
            let workers = driver.borrow().thread.settings.numbering.workers;
            let each = usize::try_from(OPENING_ALL_MAX / workers).unwrap_or(OPENING_MAX);
            slots.min(each.clamp(OPENING_MIN, OPENING_MAX))
        }
    };
    let permits = Arc::new(Semaphore::new(permits));
    for connection in plan.connections(worker) {
        if let Some(start_ns) = connection.start_ns {
            if start_ns >= driver.borrow().thread.times.window_end_ns {
                break;
            }
            alarm.until(start_ns).await;
        }
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
        {
            let thread = &mut driver.borrow_mut().thread;
            if is_hopeless(thread, slots) || is_ramp_over(thread, &connection) {
                break;
            }
            thread.attempt_begun(connection.index);
        }
        spawn_local(ConnectionTask::new(Rc::clone(&driver), connection, permit, plan.is_paced()));
    }
    let thread = &mut driver.borrow_mut().thread;
    thread.admission.end();
    thread.lifecycle.wake_main();
}

/// Checks whether as many connections as are opened at once have failed, and none ever opened:
/// there is no server, and the others needn't be tried.
fn is_hopeless(thread: &Thread, slots: usize) -> bool {
    let enough = slots.clamp(3, OPENING_MAX);
    thread.metrics.established == 0 && thread.admission.failures_in_a_row as usize >= enough
}

/// Checks whether a server accepts connections so slowly that load can't wait for the rest of them.
fn is_ramp_over(thread: &Thread, connection: &ConnectionPlan) -> bool {
    let Settings { ramp_max_ns, connect_timeout_ns, .. } = thread.settings;
    let bound_ns = ramp_max_ns.saturating_add(connect_timeout_ns);
    let late_ns = thread.clock.now_ns().saturating_sub(connection.start_ns.unwrap_or(0));
    connection.script != Script::OpenClose && late_ns > bound_ns
}

/// A connection from begin to end: a task of 128 bytes.
///
/// Written by hand, because an `async fn` would be as large as the largest future that it ever
/// awaits. Large futures are boxed here, and dropped while the connection is open.
struct ConnectionTask {
    driver: Rc<RefCell<Driver>>,
    state: TaskState,
}

/// A future behind a thin pointer: eight bytes more, and the task would take another 128.
type Thin<T> = Box<Pin<Box<dyn Future<Output = T>>>>;

enum TaskState {
    /// Yields the session's key if the connection is established.
    Opening(Thin<Option<SessionKey>>),
    Open(SessionKey),
    /// Yields the connection if it is to be opened again.
    Closing(Thin<Option<ConnectionIndex>>),
}

impl TaskState {
    /// Returns the state in which a lost connection is opened again.
    fn again(driver: &Rc<RefCell<Driver>>, connection: ConnectionIndex) -> Self {
        Self::Opening(Box::new(Box::pin(reopening(Rc::clone(driver), connection))))
    }
}

impl ConnectionTask {
    fn new(
        driver: Rc<RefCell<Driver>>,
        plan: ConnectionPlan,
        permit: OwnedSemaphorePermit,
        is_paced: bool,
    ) -> Self {
        let opening = opening(Rc::clone(&driver), plan, permit, is_paced);
        Self { driver, state: TaskState::Opening(Box::new(Box::pin(opening))) }
    }
}

impl Future for ConnectionTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Self { driver, state } = &mut *self;
            match state {
                TaskState::Opening(opening) => match ready!(opening.as_mut().as_mut().poll(cx)) {
                    None => return Poll::Ready(()),
                    Some(key) => *state = TaskState::Open(key),
                },
                TaskState::Open(key) => {
                    let mut borrowed = driver.borrow_mut();
                    if let Some(end) = ready!(borrowed.poll_open(*key, cx)) {
                        let again = borrowed.retire(*key, &end);
                        drop(borrowed);
                        let Some(connection) = again else { return Poll::Ready(()) };
                        *state = TaskState::again(driver, connection);
                        continue;
                    }
                    drop(borrowed);
                    let closing = closing(Rc::clone(driver), *key);
                    *state = TaskState::Closing(Box::new(Box::pin(closing)));
                }
                TaskState::Closing(closing) => match ready!(closing.as_mut().as_mut().poll(cx)) {
                    None => return Poll::Ready(()),
                    Some(connection) => *state = TaskState::again(driver, connection),
                },
            }
        }
    }
}

async fn opening(
    driver: Rc<RefCell<Driver>>,
    plan: ConnectionPlan,
    permit: OwnedSemaphorePermit,
    is_paced: bool,
) -> Option<SessionKey> {
    let misbehaviour = driver.borrow().thread.settings.misbehaviour;
    if misbehaviour.is_headless() {
        half_request::hold_head(&driver, &plan, permit).await;
        return None;
    }
    match connect(&driver, &plan).await {
        // A connection that stays open makes room at once for the next one to be opened.
        Ok(opened) => {
            let permit = (plan.script == Script::OpenClose).then_some(permit);
            driver.borrow_mut().admit(&plan, opened, permit)
        }
        Err(refusal) => {
            let failures = driver.borrow_mut().thread.attempt_failed(refusal);
            if !is_paced && plan.script == Script::OpenClose {
                sleep(backoff(failures)).await;
            }
            None
        }
    }
}

async fn closing(driver: Rc<RefCell<Driver>>, key: SessionKey) -> Option<ConnectionIndex> {
    if driver.borrow().thread.is_left(key) {
        return driver.borrow_mut().retire(key, &End::Left);
    }
    let bound = Duration::from_nanos(driver.borrow().thread.settings.close_timeout_ns);
    let ended = poll_fn(|cx| {
        let mut driver = driver.borrow_mut();
        // The session may have been given up meanwhile, if this thread still waits for others.
        if driver.thread.sessions.contains(key) {
            driver.poll_end(key, cx)
        } else {
            Poll::Ready(End::Timeout)
        }
    });
    let end = timeout(bound, ended).await.unwrap_or(End::Timeout);
    let mut driver = driver.borrow_mut();
    if driver.thread.sessions.contains(key) { driver.retire(key, &end) } else { None }
}

fn backoff(failures_in_a_row: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(1 << failures_in_a_row.min(7)).min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_has_room_for_it_in_128_bytes() {
        // A task adds 96 bytes, and 8 for its state, and its size is a multiple of 128.
        assert!(size_of::<ConnectionTask>() <= 24, "{}", size_of::<ConnectionTask>());
    }

    #[test]
    fn pauses_double_up_to_a_bound() {
        assert_eq!(backoff(0), BACKOFF_MIN);
        assert_eq!(backoff(3), Duration::from_millis(80));
        assert_eq!(backoff(u32::MAX), BACKOFF_MAX);
    }
}
