//! Cuts a share of the connections at one moment, as when a network or a proxy fails.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::task::yield_now;
use tokio::time::sleep_until;

use super::super::driver::Driver;
use super::SESSIONS_PER_TURN;
use crate::clock::nanos;
use crate::config::Storm;

/// Waits for the moment, and cuts the connections of this worker that are open then.
pub(super) async fn cut(driver: Rc<RefCell<Driver>>, storm: Storm) {
    let at = {
        let thread = &driver.borrow().thread;
        let at_ns = thread.times.window_begin_ns.saturating_add(nanos(storm.at));
        thread.clock.instant(at_ns)
    };
    sleep_until(at).await;
    let keys = driver.borrow().thread.sessions.keys();
    for some in keys.chunks(SESSIONS_PER_TURN) {
        for &key in some {
            let sessions = &mut driver.borrow_mut().thread.sessions;
            if sessions.get(key).is_some_and(|session| storm.cuts(session.index)) {
                let session = &mut sessions[key];
                session.is_cut = true;
                session.wake();
            }
        }
        yield_now().await; // for their tasks to end them
    }
}
