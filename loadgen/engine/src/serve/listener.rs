//! Accepts connections on a listening socket, and gives them to the least busy worker.
//!
//! Uses one socket and one accept loop rather than a socket per thread (`SO_REUSEPORT`):
//! connections are spread evenly instead of by the hash of their ports, and a port already in use
//! is an error instead of a share of the other program's connections.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::admission::admit;
use super::place::Listener;
use super::shared::{Seat, ServeOrder, Shared};
use super::worker::Worker;
use crate::net::Stream;

/// Accepts in a row before the sessions of the same thread run.
const ACCEPTS_PER_TURN: usize = 64;
/// Pauses after accept has run out of descriptors or memory: the first, and the longest.
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// Connections beyond the limit that are kept long enough to be refused with an answer; any further
/// are closed at once.
const SPARE_SEATS: usize = 256;

/// Reads an address to listen on: `host:port`, `[v6]:port`, or a port alone for the loopback.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] with a line that says what is wrong.
pub fn parse_address(text: &str) -> io::Result<SocketAddr> {
    let bad = |why: &str| {
        let help = "use host:port, such as 127.0.0.1:9001";
        io::Error::new(io::ErrorKind::InvalidInput, format!("bad address {text:?}: {why}; {help}"))
    };
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
    }
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(|| bad("no port"))?;
    let port = port.parse::<u16>().map_err(|_| bad("the port is not a number up to 65535"))?;
    if host.is_empty() {
        return Err(bad("no host"));
    }
    let mut addresses = (host, port).to_socket_addrs().map_err(|error| bad(&error.to_string()))?;
    addresses.next().ok_or_else(|| bad("the name has no address"))
}

/// Gives each connection to the worker that has the fewest, forever. `own` is this thread's worker.
pub(super) async fn accept(
    listener: Listener,
    own: Rc<Worker>,
    shared: Arc<Shared>,
    workers: Vec<UnboundedSender<ServeOrder>>,
) {
    let mut backoff = BACKOFF_MIN;
    let mut accepts_left = ACCEPTS_PER_TURN;
    loop {
        match listener.accept().await {
            Ok(stream) => {
                backoff = BACKOFF_MIN;
                if let Some(seat) = take_seat(&shared) {
                    hand_over(stream, seat, &own, &workers);
                } else {
                    own.counters.accept_errors.add("too_many_connections");
                }
            }
            Err(error) => {
                own.counters.accept_errors.add(error_name(&error));
                if is_shortage(&error) {
                    sleep(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
        accepts_left -= 1;
        if accepts_left == 0 {
            accepts_left = ACCEPTS_PER_TURN;
            yield_now().await;
        }
    }
}

/// Takes a seat at the worker with the fewest connections; `None` if even spare seats are taken.
fn take_seat(shared: &Arc<Shared>) -> Option<Seat> {
    let connections_max = shared.config.connections_max;
    let open = shared.open();
    if open >= connections_max.saturating_add(SPARE_SEATS) {
        return None;
    }
    Some(Seat::take(shared, open >= connections_max))
}

fn hand_over(
    stream: Stream,
    seat: Seat,
    own: &Rc<Worker>,
    workers: &[UnboundedSender<ServeOrder>],
) {
    match workers.get(seat.thread().place()) {
        Some(other) if seat.thread() != own.index => {
            // A socket belongs to one runtime: it leaves this one and joins the other. Only a
            // worker that has ended refuses it: the connection ends with it.
            if let Ok(stream) = stream.detach() {
                other.send(ServeOrder::Admit(stream, seat)).ok();
            }
        }
        _ => admit(own, Ok(stream), seat),
    }
}

/// Checks whether accept lacked a resource that others hold: retrying at once would spin.
fn is_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

fn error_name(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => "process_descriptors",
        Some(Errno::NFILE) => "system_descriptors",
        Some(Errno::NOBUFS | Errno::NOMEM) => "memory",
        Some(Errno::CONNABORTED) => "aborted",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e19_addresses_are_read_as_people_write_them() {
        let rows = [
            ("127.0.0.1:9001", "127.0.0.1:9001"),
            ("9001", "127.0.0.1:9001"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("[::1]:9001", "[::1]:9001"),
        ];
        for (text, address) in rows {
            assert_eq!(parse_address(text).unwrap().to_string(), address);
        }
        assert!(parse_address("localhost:9001").unwrap().ip().is_loopback());
    }

    #[test]
    fn e19_a_bad_address_says_what_is_wrong() {
        let rows = [
            ("", "no port"),
            ("localhost", "no port"),
            ("localhost:", "not a number"),
            ("localhost:65536", "not a number"),
            ("65536", "no port"),
            (":9001", "no host"),
            ("-1", "no port"),
        ];
        for (text, why) in rows {
            let error = parse_address(text).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(why), "{text:?}: {error}");
        }
    }

    #[test]
    fn e08_only_shortages_back_off() {
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(is_shortage(&errno.into()), "{errno}");
        }
        for errno in [Errno::CONNABORTED, Errno::INTR, Errno::PERM] {
            assert!(!is_shortage(&errno.into()), "{errno}");
        }
    }
}
