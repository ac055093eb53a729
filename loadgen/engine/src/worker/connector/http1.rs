//! The opening handshake over HTTP/1.1. It counts only when the codec has validated it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use wscodec::deflate::{DeflateAgreed, DeflateClient};
use wscodec::handshake::{
    ClientHandshake, ClientRequest, HandshakeError, HandshakeKey, HandshakeMisuse, ResponseError,
};

use super::super::driver::Driver;
use super::super::opening::{Established, Refusal};
use super::super::thread::Thread;
use super::reach::{Reached, Steps, begin, check_deflate, reach, rendered};
use crate::metrics::{Failure, FailurePhase};
use crate::net::{Fault, Stream, open_fault, spoken};
use crate::plan::ConnectionPlan;
use crate::refusal;

type Handshake = ClientHandshake<DeflateClient>;

/// Opens a connection of its own.
pub(super) async fn attempt(
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
