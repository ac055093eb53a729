//! Opens lost connections again.

use crate::index::ConnectionIndex;
use std::cell::RefCell;
use std::rc::Rc;

use tokio::time::sleep_until;

use super::super::driver::Driver;
use super::super::sessions::SessionKey;
use super::connect::connect;

/// Opens a lost connection again, in as many attempts as it takes. Returns the session's key, or
/// `None` once load has ended.
pub(super) async fn reopening(
    driver: Rc<RefCell<Driver>>,
    connection: ConnectionIndex,
) -> Option<SessionKey> {
    loop {
        let at = {
            let thread = &mut driver.borrow_mut().thread;
            let pause_ns = thread.reconnects.as_mut()?.next_pause_ns(connection)?;
            thread.clock.instant(thread.clock.now_ns().saturating_add(pause_ns))
        };
        sleep_until(at).await;
        let plan = driver.borrow_mut().thread.reattempt_begun(connection)?;
        match connect(&driver, &plan).await {
            Ok(opened) => return driver.borrow_mut().readmit(&plan, opened),
            Err(refusal) => driver.borrow_mut().thread.reattempt_failed(connection, refusal),
        }
    }
}
