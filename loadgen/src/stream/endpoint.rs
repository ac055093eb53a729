//! Serves the metrics over HTTP, from a thread of its own that workers know nothing of.
//!
//! One request a connection, answered and closed: what scrapes a run does so every few seconds.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::page::Page;
use crate::metrics::timeline::Row;

/// Time limit for reading a request and for writing its answer, each.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most bytes of a request.
const REQUEST_LEN_MAX: usize = 8_192;

/// A listening endpoint, until it is dropped.
#[derive(Debug)]
pub(super) struct Endpoint {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    page: Mutex<Page>,
    is_over: AtomicBool,
}

impl Endpoint {
    /// Listens on `address`; port 0 takes a free one.
    pub(super) fn start(address: SocketAddr, command: &'static str) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let page = Mutex::new(Page::new(command));
        let shared = Arc::new(Shared { page, is_over: AtomicBool::new(false) });
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new().name("prometheus".into()).spawn(move || {
            for stream in listener.incoming() {
                if own.is_over.load(Ordering::Relaxed) {
                    break;
                }
                // A client that has left needs no answer.
                stream.and_then(|stream| answer(stream, &own)).ok();
            }
        })?;
        Ok(Self { address, shared, thread: Some(thread) })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn add(&self, row: &Row) {
        self.shared.page.lock().unwrap_or_else(PoisonError::into_inner).add(row);
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the thread up.
        let woken = TcpStream::connect_timeout(&self.address, PATIENCE).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            thread.join().ok();
        }
    }
}

fn answer(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (mut request, mut buffer) = (Vec::new(), [0; 1_024]);
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        let len = stream.read(&mut buffer)?;
        if len == 0 || request.len() > REQUEST_LEN_MAX {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..len]);
    }
    let target =
        request.strip_prefix(b"GET ").and_then(|rest| rest.split(|byte| *byte == b' ').next());
    let path = target.and_then(|target| target.split(|byte| *byte == b'?').next());
    let (status, body) = if path == Some(b"/metrics") {
        ("200 OK", shared.page.lock().unwrap_or_else(PoisonError::into_inner).text())
    } else {
        ("404 Not Found", "GET /metrics has the metrics of the run\n".to_owned())
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        // A request that is too long is not read to its end, so the connection may be reset.
        stream.read_to_string(&mut answer).ok();
        answer
    }

    #[test]
    fn metrics_are_served_and_nothing_else() {
        let endpoint = Endpoint::start(([127, 0, 0, 1], 0).into(), "run").unwrap();
        let get = |request: &str| get(endpoint.address(), request);
        let found = get("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(found.starts_with("HTTP/1.1 200 OK\r\n"), "{found}");
        assert!(found.contains("\nloadgen_messages_sent_total 0\n"), "{found}");
        let (head, body) = found.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        assert!(get("GET /metrics?a=b HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
        for other in ["GET / HTTP/1.1\r\n\r\n", "POST /metrics HTTP/1.1\r\n\r\n"] {
            assert!(get(other).starts_with("HTTP/1.1 404"), "{other}");
        }
        assert_eq!(get(&"x".repeat(20_000)), "", "too long");
        let address = endpoint.address();
        drop(endpoint);
        assert!(TcpStream::connect(address).is_err(), "it listens no longer");
    }
}
