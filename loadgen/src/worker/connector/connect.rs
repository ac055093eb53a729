//! Opens a planned connection, with the time that each step took, or says why it didn't open.
//!
//! A handshake counts only when the codec has validated it. One deadline covers all steps together,
//! so a server that answers a byte a second gets no more time than a silent one.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use tokio::time::{Instant, timeout_at};
use wscodec::deflate::{DeflateAgreed, DeflateClient};
use wscodec::handshake::{
    ClientHandshake, ClientRequest, HandshakeError, HandshakeKey, HandshakeMisuse, ResponseError,
};

use super::super::driver::Driver;
use super::super::opening::{Established, Refusal, Waterfall};
use super::super::thread::Thread;
use super::http2;
use crate::metrics::{AddressCounts, Failure, FailurePhase, Metric};
use crate::net::{Agreed, Dialled, Fault, Routes, Stream, open_fault, spoken};
use crate::plan::ConnectionPlan;
use crate::refusal;

type Handshake = ClientHandshake<DeflateClient>;

/// Opens a connection.
pub(crate) async fn connect(
    driver: &Rc<RefCell<Driver>>,
    plan: &ConnectionPlan,
) -> Result<Established, Refusal> {
    let steps = Steps::new(&driver.borrow().thread);
    let pool = driver.borrow().thread.http2.clone();
    let outcome = match &pool {
        None => timeout_at(steps.deadline, attempt(driver, plan, &steps)).await,
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

/// How far an attempt has come, for who gives it up.
pub(super) struct Steps {
    pub(super) phase: Cell<FailurePhase>,
    /// The places of the route and the address that a socket is connected to, where the route has
    /// several addresses.
    address: Cell<Option<(usize, usize)>>,
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
    pub(super) fn timeout(&self, routes: &Routes, index: u64) -> Refusal {
        let mut refusal = Refusal::timeout(self.phase.get());
        if self.phase.get() == FailurePhase::Tcp {
            let said = routes.timeout(&routes.all()[routes.place(index)]);
            refusal.sample = said.unwrap_or(refusal.sample);
        }
        refusal
    }
}

async fn attempt(
    driver: &Rc<RefCell<Driver>>,
    plan: &ConnectionPlan,
    steps: &Steps,
) -> Result<Established, Refusal> {
    let begun_ns = begin(driver, plan);
    let reached = reach(driver, plan, steps, begun_ns).await?;
    let Reached { route, mut stream, mut waterfall, tls } = reached;
    steps.phase.set(FailurePhase::Handshake);
    let (clock, routes) = {
        let driver = driver.borrow();
        let thread = &driver.thread;
        (thread.clock, Rc::clone(&thread.routes))
    };
    let rendered = rendered(&driver.borrow().thread, route, plan.index)?;
    let request = rendered.as_ref().unwrap_or(&routes.all()[route].request);
    let (deflate, rest) = upgrade(driver, request, &mut stream).await?;
    waterfall.upgraded_ns = clock.now_ns();
    Ok(Established { stream, waterfall, deflate, tls, rest })
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
    fn reached(&mut self, route: usize, place: usize, counts: &AddressCounts) {
        self.metrics.address(route, place).add(counts);
        self.live.address(route, place, counts);
    }
}

/// Sends the request and reads the response. Returns the parameters of permessage-deflate, and the
/// bytes that followed the response.
async fn upgrade(
    driver: &Rc<RefCell<Driver>>,
    request: &ClientRequest,
    stream: &mut Stream,
) -> Result<(Option<DeflateAgreed>, Vec<u8>), Refusal> {
    let mut head = Vec::new();
    let mut handshake = start(&driver.borrow().thread, request, &mut head)
        .map_err(|misuse| Refusal::new(FailurePhase::Handshake, "request", misuse.to_string()))?;
    let mut sent = 0;
    while let Some(rest) = head.get(sent..).filter(|rest| !rest.is_empty()) {
        match stream.try_write(rest) {
            Ok(len) => sent += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                poll_fn(|cx| stream.poll_write_ready(cx))
                    .await
                    .map_err(|error| io_refusal(&error))?;
            }
            Err(error) => return Err(io_refusal(&error)),
        }
    }
    driver.borrow_mut().thread.metrics.bytes_sent += sent as u64;
    drop(head);
    let rest = poll_fn(|cx| {
        driver.borrow_mut().thread.poll_response(stream, cx, |input| step(&mut handshake, input))
    })
    .await?;
    let deflate = handshake.extensions().agreed().copied();
    check_deflate(&driver.borrow().thread, deflate.as_ref())?;
    Ok((deflate, rest))
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

/// Renders the request of a connection to the URL at `place`, unless all connections send the same.
pub(super) fn rendered(
    thread: &Thread,
    place: usize,
    connection: u64,
) -> Result<Option<ClientRequest>, Refusal> {
    let unix_ns = thread.clock.unix_ns(thread.clock.now_ns());
    let requests = thread.requests.as_ref();
    requests
        .map(|requests| requests.of(place, connection, unix_ns))
        .transpose()
        .map_err(|why| Refusal::new(FailurePhase::Handshake, "request", why))
}

pub(super) fn start(
    thread: &Thread,
    request: &ClientRequest,
    head: &mut Vec<u8>,
) -> Result<Handshake, HandshakeMisuse> {
    let (key, offers) = (HandshakeKey::random(), thread.deflating.offers.clone());
    ClientHandshake::start_with_extensions(request, key, offers, head)
}

/// Takes a piece of the response (`None` is the end of the stream). Returns the bytes that followed
/// the response, or `None` while it is incomplete.
fn step(
    handshake: &mut Handshake,
    input: io::Result<Option<&mut [u8]>>,
) -> Result<Option<Vec<u8>>, Refusal> {
    let outcome = match input {
        Err(error) => return Err(io_refusal(&error)),
        Ok(Some(mut input)) => {
            let spoken = spoken(input);
            match handshake.receive(&mut input) {
                Ok(Some(_)) => return Ok(Some(input.to_vec())),
                Ok(None) => return Ok(None),
                Err(error) => match spoken.filter(|_| error.name() == "not_http") {
                    Some(said) => {
                        return Err(Refusal::new(FailurePhase::Handshake, "not_http", said));
                    }
                    None => error,
                },
            }
        }
        Ok(None) => match handshake.receive_eof() {
            Ok(()) => HandshakeError::UnexpectedEof,
            Err(error) => error,
        },
    };
    Err(handshake_refusal(handshake, outcome))
}

pub(super) fn io_refusal(error: &io::Error) -> Refusal {
    if let Some(Fault { code, said }) = open_fault(error) {
        return Refusal::new(FailurePhase::Tls, code, said);
    }
    let code = match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "reset"
        }
        _ => "io",
    };
    Refusal::new(FailurePhase::Handshake, code, error.to_string())
}

fn handshake_refusal(handshake: &Handshake, error: HandshakeError) -> Refusal {
    let status = handshake.response().map(refusal::said);
    match error {
        HandshakeError::Response(ResponseError::Refused { status: code }) => Refusal {
            failure: Failure::numbered(FailurePhase::Http, code),
            sample: status.unwrap_or_default(),
        },
        HandshakeError::UnexpectedEof => {
            Refusal::new(FailurePhase::Handshake, "eof", "the stream ended before a response")
        }
        error => Refusal::new(FailurePhase::Handshake, error.name(), error.to_string()),
    }
}
