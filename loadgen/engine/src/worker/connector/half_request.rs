//! Connections that never finish their request.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{timeout, timeout_at};

use super::super::driver::Driver;
use super::super::opening::Refusal;
use super::http1::{io_refusal, start};
use super::reach::{Reached, Steps, begin, reach, rendered};
use crate::config::Misbehaviour;
use crate::metrics::{Failure, FailurePhase, Metric};
use crate::net::Stream;
use crate::plan::ConnectionPlan;

/// The pause between two bytes of a slow request.
const BYTE_INTERVAL: Duration = Duration::from_secs(1);
/// The part of an answer that is looked at: `HTTP/1.1 408`.
const STATUS_END: usize = 12;

/// Drives a connection that never finishes its request, from begin to end.
pub(super) async fn hold_head(
    driver: &Rc<RefCell<Driver>>,
    plan: &ConnectionPlan,
    permit: OwnedSemaphorePermit,
) {
    let (mut stream, head) = match open(driver, plan).await {
        Ok(opened) => opened,
        Err(refusal) => {
            driver.borrow_mut().thread.attempt_failed(refusal);
            return;
        }
    };
    drop(permit);
    {
        let thread = &mut driver.borrow_mut().thread;
        if thread.admission.is_abandoned() {
            return;
        }
        thread.admission.pending -= 1;
        thread.admission.failures_in_a_row = 0;
        thread.admission.headless += 1;
        thread.lifecycle.wake_main();
    }
    let end = hold(driver, &mut stream, &head).await;
    let mut driver = driver.borrow_mut();
    let thread = &mut driver.thread;
    thread.admission.headless -= 1;
    match end {
        None => {
            thread.metrics.completed += 1;
            thread.url_counts(plan.index).completed += 1;
        }
        Some(Refusal { failure, sample }) => thread.metrics.failures.add(failure, || sample),
    }
    thread.lifecycle.wake_main();
}

/// Connects to the server. Returns the stream, and the request that would be sent.
async fn open(
    driver: &Rc<RefCell<Driver>>,
    plan: &ConnectionPlan,
) -> Result<(Stream, Vec<u8>), Refusal> {
    let steps = Steps::new(&driver.borrow().thread);
    let begun_ns = begin(driver, plan);
    let reached = timeout_at(steps.deadline, reach(driver, plan, &steps, begun_ns)).await;
    let Reached { route, stream, waterfall, .. } = reached
        .unwrap_or_else(|_| Err(steps.timeout(&driver.borrow().thread.routes, plan.index)))?;
    let mut driver = driver.borrow_mut();
    let thread = &mut driver.thread;
    if let Some(tcp_ns) = waterfall.tcp_ns {
        let ns = tcp_ns - waterfall.begun_ns;
        thread.metrics.distributions.record(Metric::ConnectTcp, ns);
    }
    let mut head = Vec::new();
    let rendered = rendered(thread, route, plan.index)?;
    let request = rendered.as_ref().unwrap_or(&thread.routes.all()[route].request);
    start(thread, request, &mut head)
        .map_err(|misuse| Refusal::new(FailurePhase::Handshake, "request", misuse.to_string()))?;
    Ok((stream, head))
}

/// Holds a connection until the server ends it, and returns how the server did; `None` if it never
/// does.
async fn hold(driver: &Rc<RefCell<Driver>>, stream: &mut Stream, head: &[u8]) -> Option<Refusal> {
    let (at_once, slowly) = match driver.borrow().thread.settings.misbehaviour {
        Misbehaviour::SlowHead => head.split_at(0),
        _ => head.split_at(head.len() / 2),
    };
    let is_slow = at_once.is_empty();
    let mut leaving = driver.borrow().thread.lifecycle.watch_leaving();
    tokio::select! {
        _ = leaving.wait_for(|&is_leaving| is_leaving) => None,
        refusal = talk(driver, stream, at_once, if is_slow { slowly } else { &[] }) => Some(refusal),
    }
}

/// Sends all of `at_once` and all but the last byte of `slowly`. Returns how the server ends the
/// stream.
async fn talk(
    driver: &Rc<RefCell<Driver>>,
    stream: &mut Stream,
    at_once: &[u8],
    slowly: &[u8],
) -> Refusal {
    let mut answer = Vec::new();
    if let Err(error) = send(driver, stream, at_once).await {
        return io_refusal(&error);
    }
    for byte in slowly.iter().take(slowly.len().saturating_sub(1)) {
        if let Err(error) = send(driver, stream, std::slice::from_ref(byte)).await {
            return io_refusal(&error);
        }
        if let Ok(refusal) = timeout(BYTE_INTERVAL, ended(driver, stream, &mut answer)).await {
            return refusal;
        }
    }
    ended(driver, stream, &mut answer).await
}

async fn send(driver: &Rc<RefCell<Driver>>, stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    driver.borrow_mut().thread.metrics.bytes_sent += bytes.len() as u64;
    Ok(())
}

/// Reads until the server ends the stream, and returns how it did. `answer` collects the first
/// bytes of what the server sends.
async fn ended(driver: &Rc<RefCell<Driver>>, stream: &mut Stream, answer: &mut Vec<u8>) -> Refusal {
    let mut piece = [0; 512];
    let outcome: io::Result<()> = poll_fn(|cx| {
        loop {
            let mut buffer = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            let bytes = buffer.filled();
            if bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            driver.borrow_mut().thread.metrics.bytes_received += bytes.len() as u64;
            let room = STATUS_END.saturating_sub(answer.len()).min(bytes.len());
            answer.extend_from_slice(&bytes[..room]);
        }
    })
    .await;
    let status = str::from_utf8(answer).ok().and_then(|text| text.strip_prefix("HTTP/1.1 "));
    match (status.and_then(|status| status.trim().parse::<u16>().ok()), outcome) {
        (Some(status), _) => Refusal {
            failure: Failure::numbered(FailurePhase::Http, status),
            sample: format!("the server answered half a request with {status}"),
        },
        (None, Err(error)) => io_refusal(&error),
        (None, Ok(())) => Refusal::new(
            FailurePhase::Handshake,
            "eof",
            "the server ended the stream after half a request",
        ),
    }
}
