//! Opens a planned connection as a stream of HTTP/2 (RFC 8441), on a connection that several share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wscodec::handshake::ResponseError;

use super::super::driver::Driver;
use super::super::opening::{Established, Refusal, Waterfall};
use super::reach::{Reached, Steps, begin, check_deflate, reach, rendered};
use crate::metrics::{Failure, FailurePhase};
use crate::net::{Accepted, Fault, Http2Connection, Http2Pool, Opened, Refused};
use crate::plan::ConnectionPlan;
use crate::refusal;

/// Opens a connection on one of HTTP/2, which it opens first if no other does.
pub(super) async fn attempt(
    driver: &Rc<RefCell<Driver>>,
    plan: &ConnectionPlan,
    steps: &Steps,
    pool: &Http2Pool,
) -> Result<Established, Refusal> {
    let begun_ns = begin(driver, plan);
    let (clock, routes) = {
        let thread = &driver.borrow().thread;
        (thread.clock, Rc::clone(&thread.routes))
    };
    let place = routes.place(plan.index);
    let connection = pool.take(place);
    steps.phase.set(FailurePhase::Http2); // of another that opens it
    let own = Cell::new(None);
    let opening = async {
        steps.phase.set(FailurePhase::Tcp);
        let reached = reach(driver, plan, steps, begun_ns).await?;
        let Reached { stream, waterfall, tls, .. } = reached;
        own.set(Some((waterfall, tls)));
        steps.phase.set(FailurePhase::Http2);
        let opened = pool.start(&connection, stream).await;
        let opened =
            opened.map_err(|Fault { code, said }| Refusal::new(FailurePhase::Http2, code, said))?;
        driver.borrow_mut().thread.metrics.http2.connections += 1;
        Ok(opened)
    };
    let opened = connection.opened(opening).await?;
    let http2_ns = Some(clock.now_ns());
    let (waterfall, tls) = own.take().unwrap_or_else(|| {
        let shared = Waterfall {
            due_ns: plan.start_ns.unwrap_or(begun_ns),
            begun_ns,
            tcp_ns: None,
            proxy_ns: None,
            tls: None,
            http2_ns: None,
            upgraded_ns: begun_ns,
        };
        (shared, None)
    });
    steps.phase.set(FailurePhase::Handshake);
    let accepted = connect(driver, plan, place, &connection, opened).await?;
    let waterfall = Waterfall { http2_ns, upgraded_ns: clock.now_ns(), ..waterfall };
    let counts = &mut driver.borrow_mut().thread.metrics.http2;
    counts.streams_max = counts.streams_max.max(connection.streams());
    let Accepted { stream, deflate, .. } = accepted;
    Ok(Established { stream, waterfall, deflate, tls, rest: Vec::new() })
}

/// Opens a WebSocket on an open connection.
async fn connect(
    driver: &Rc<RefCell<Driver>>,
    plan: &ConnectionPlan,
    place: usize,
    connection: &Http2Connection,
    opened: &Opened,
) -> Result<Accepted, Refusal> {
    let (routes, rendered, offers) = {
        let thread = &driver.borrow().thread;
        let rendered = rendered(thread, place, plan.index)?;
        (Rc::clone(&thread.routes), rendered, thread.deflating.offers.clone())
    };
    let route = &routes.all()[place];
    let request = rendered.as_ref().unwrap_or(&route.request);
    let accepted = connection.connect(opened, request, route.is_secure(), offers).await;
    let accepted = accepted.map_err(refused)?;
    check_deflate(&driver.borrow().thread, accepted.deflate.as_ref())?;
    Ok(accepted)
}

fn refused(refused: Refused) -> Refusal {
    match refused {
        Refused::Stream(Fault { code, said }) => Refusal::new(FailurePhase::Handshake, code, said),
        Refused::Response(ResponseError::Refused { status }, response) => Refusal {
            failure: Failure::numbered(FailurePhase::Http, status),
            sample: refusal::of_http2(&response),
        },
        Refused::Response(error, _) => {
            let error = wscodec::handshake::HandshakeError::Response(error);
            Refusal::new(FailurePhase::Handshake, error.name(), error.to_string())
        }
    }
}
