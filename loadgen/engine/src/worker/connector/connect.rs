//! Opens a planned connection over either version of HTTP, within one deadline for all steps
//! together: a server that answers a byte a second gets no more time than a silent one.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::time::timeout_at;

use super::super::driver::Driver;
use super::super::opening::{Established, Refusal};
use super::reach::Steps;
use super::{http1, http2};
use crate::metrics::AddressCounts;
use crate::plan::ConnectionPlan;

/// Opens a connection.
pub(crate) async fn connect(
    driver: &Rc<RefCell<Driver>>,
    plan: &ConnectionPlan,
) -> Result<Established, Refusal> {
    let steps = Steps::new(&driver.borrow().thread);
    let pool = driver.borrow().thread.http2.clone();
    let outcome = match &pool {
        None => timeout_at(steps.deadline, http1::attempt(driver, plan, &steps)).await,
        Some(pool) => {
            let attempt = http2::attempt(driver, plan, &steps, pool);
            timeout_at(steps.deadline, attempt).await
        }
    };
    let thread = &mut driver.borrow_mut().thread;
    let outcome = outcome.unwrap_or_else(|_| Err(steps.timeout(&thread.routes, plan.index)));
    if let Some((route, place)) = steps.address.get() {
        let is_open = outcome.is_ok();
        let counts = if is_open { AddressCounts::ESTABLISHED } else { AddressCounts::FAILED };
        thread.reached(route, place, &counts);
    }
    outcome
}
