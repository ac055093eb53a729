//! The way to a server, up to the opening handshake, with the time that each step took.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::time::Instant;
use wscodec::deflate::DeflateAgreed;
use wscodec::handshake::ClientRequest;

use super::super::driver::Driver;
use super::super::opening::{Refusal, Waterfall};
use super::super::thread::Thread;
use crate::index::ConnectionIndex;
use crate::metrics::{AddressCounts, FailurePhase, Metric};
use crate::net::{Agreed, Dialled, Fault, Routes, Stream};
use crate::plan::ConnectionPlan;

/// How far an attempt has come, for who gives it up.
pub(super) struct Steps {
    pub(super) phase: Cell<FailurePhase>,
    /// The places of the route and the address that a socket is connected to, where the route has
    /// several addresses.
    pub(super) address: Cell<Option<(usize, usize)>>,
    pub(super) deadline: Instant,
}

impl Steps {
    /// An attempt that begins.
    pub(super) fn new(thread: &Thread) -> Self {
        let timeout_ns = thread.settings.connect_timeout_ns;
        let deadline = thread.clock.instant(thread.clock.now_ns().saturating_add(timeout_ns));
        Self { phase: Cell::new(FailurePhase::Tcp), address: Cell::new(None), deadline }
    }

    /// It took longer than it may.
    pub(super) fn timeout(&self, routes: &Routes, index: ConnectionIndex) -> Refusal {
        let mut refusal = Refusal::timeout(self.phase.get());
        if self.phase.get() == FailurePhase::Tcp {
            let said = routes.timeout(&routes.all()[routes.place(index)]);
            refusal.sample = said.unwrap_or(refusal.sample);
        }
        refusal
    }
}

/// A stream on which the opening handshake has not begun yet.
pub(super) struct Reached {
    /// The index of its route.
    pub(super) route: usize,
    pub(super) stream: Stream,
    /// The steps up to now.
    pub(super) waterfall: Waterfall,
    pub(super) tls: Option<Agreed>,
}

/// Notes that an attempt begins; returns when.
pub(super) fn begin(driver: &Rc<RefCell<Driver>>, plan: &ConnectionPlan) -> u64 {
    let thread = &mut driver.borrow_mut().thread;
    let begun_ns = thread.clock.now_ns();
    if let Some(due_ns) = plan.start_ns {
        let lag_ns = begun_ns.saturating_sub(due_ns);
        thread.metrics.distributions.record(Metric::ConnectLag, lag_ns);
    }
    begun_ns
}

/// Connects to a server, up to the point where the opening handshake begins.
pub(super) async fn reach(
    driver: &Rc<RefCell<Driver>>,
    plan: &ConnectionPlan,
    steps: &Steps,
    begun_ns: u64,
) -> Result<Reached, Refusal> {
    let phase = &steps.phase;
    let (clock, routes) = {
        let driver = driver.borrow();
        let thread = &driver.thread;
        (thread.clock, Rc::clone(&thread.routes))
    };
    let refused = |fault: Fault| Refusal::new(phase.get(), fault.code, fault.said);
    let place = routes.place(plan.index);
    let route = &routes.all()[place];
    let families = driver.borrow().thread.families[place];
    let dialled = routes.connect(route, plan.index, steps.deadline, families).await;
    if route.addresses.len() > 1 {
        driver.borrow_mut().thread.dialled(place, &dialled);
        steps.address.set(dialled.stream.is_ok().then_some((place, dialled.place)));
    }
    let mut stream = dialled.stream.map_err(refused)?;
    let tcp_ns = clock.now_ns();
    let mut proxy_ns = None;
    if routes.has_proxy() {
        phase.set(FailurePhase::Proxy);
        routes.tunnel(route, &mut stream).await.map_err(refused)?;
        proxy_ns = Some(clock.now_ns());
    }
    phase.set(FailurePhase::Tls);
    let (stream, agreed) = routes.secure(route, stream).await.map_err(refused)?;
    let reached_ns = clock.now_ns();
    let waterfall = Waterfall {
        due_ns: plan.start_ns.unwrap_or(begun_ns),
        begun_ns,
        tcp_ns: Some(tcp_ns),
        proxy_ns,
        tls: agreed.as_ref().map(|agreed| (reached_ns, agreed.is_resumed)),
        http2_ns: None,
        upgraded_ns: reached_ns,
    };
    Ok(Reached { route: place, stream, waterfall, tls: agreed })
}

impl Thread {
    /// Counts what came of the addresses of a route beside the one that is connected.
    fn dialled(&mut self, route: usize, dialled: &Dialled) {
        self.families[route].add(dialled.families);
        for &place in &dialled.failed {
            self.reached(route, place, &AddressCounts::FAILED);
        }
        for &place in &dialled.overtaken {
            self.reached(route, place, &AddressCounts::OVERTAKEN);
        }
    }

    /// Counts what became of an attempt to reach an address.
    pub(super) fn reached(&mut self, route: usize, place: usize, counts: &AddressCounts) {
        self.metrics.address(route, place).add(counts);
        self.live.address(route, place, counts);
    }
}

/// Renders the request of a connection to the URL at `place`, unless all connections send the same.
pub(super) fn rendered(
    thread: &Thread,
    place: usize,
    connection: ConnectionIndex,
) -> Result<Option<ClientRequest>, Refusal> {
    let unix_ns = thread.clock.unix_ns(thread.clock.now_ns());
    let requests = thread.requests.as_ref();
    requests
        .map(|requests| requests.of(place, connection, unix_ns))
        .transpose()
        .map_err(|why| Refusal::new(FailurePhase::Handshake, "request", why))
}

/// Refuses a server that declined what is required.
pub(super) fn check_deflate(
    thread: &Thread,
    deflate: Option<&DeflateAgreed>,
) -> Result<(), Refusal> {
    if deflate.is_none() && thread.deflating.is_required {
        let sample = "the server declined permessage-deflate (--deflate-required)";
        return Err(Refusal::new(FailurePhase::Handshake, "deflate_declined", sample));
    }
    Ok(())
}
