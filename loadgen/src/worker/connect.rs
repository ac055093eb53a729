//! A planned connection to an open one, with the time that each step took, or to the reason why
//! not.
//!
//! A handshake counts only when the codec has validated it. One deadline stands over TCP and
//! handshake together, so that a server which answers a byte a second is not waited for any longer
//! than one that says nothing.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;

use rustix::io::Errno;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout_at;
use wscodec::deflate::{DeflateAgreed, DeflateClient};
use wscodec::handshake::{
    ClientHandshake, HandshakeError, HandshakeKey, HandshakeMisuse, ResponseError,
};

use super::shard::Shard;
use crate::metrics::{Failure, Metric, Phase};
use crate::net::Stream;
use crate::report::escape;

type Handshake = ClientHandshake<DeflateClient>;

/// Bytes of a reason phrase that are shown.
const REASON_LEN_MAX: usize = 100;

/// When each step of a connection's opening ended, in nanoseconds after the run's begin.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "units come last in names")]
pub(crate) struct Waterfall {
    /// When it was to begin.
    pub(crate) planned_ns: u64,
    /// When it began.
    pub(crate) begun_ns: u64,
    /// When TCP was connected.
    pub(crate) tcp_ns: u64,
    /// When the response was validated.
    pub(crate) upgraded_ns: u64,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) stream: Stream,
    pub(crate) waterfall: Waterfall,
    /// What was agreed of permessage-deflate.
    pub(crate) deflate: Option<DeflateAgreed>,
    /// What came behind the response: the first frames.
    pub(crate) rest: Vec<u8>,
}

/// Why a connection didn't open, and what was seen.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) failure: Failure,
    pub(crate) sample: String,
}

impl Refusal {
    fn new(phase: Phase, code: &'static str, sample: impl Into<String>) -> Self {
        Self { failure: Failure::new(phase, code), sample: sample.into() }
    }
}

/// Opens a connection that was to begin at `planned_ns`.
pub(crate) async fn connect(
    shard: &Rc<RefCell<Shard>>,
    planned_ns: Option<u64>,
) -> Result<Established, Refusal> {
    let (clock, deadline_ns) = {
        let shard = shard.borrow();
        (shard.clock, shard.clock.now_ns().saturating_add(shard.settings.connect_timeout_ns))
    };
    let phase = Cell::new(Phase::Tcp);
    let attempt = attempt(shard, planned_ns, &phase);
    match timeout_at(clock.instant(deadline_ns), attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::new(
            phase.get(),
            "timeout",
            match phase.get() {
                Phase::Tcp => "no TCP connection within the connect timeout",
                _ => "no complete response within the connect timeout",
            },
        )),
    }
}

async fn attempt(
    shard: &Rc<RefCell<Shard>>,
    planned_ns: Option<u64>,
    phase: &Cell<Phase>,
) -> Result<Established, Refusal> {
    let clock = shard.borrow().clock;
    let begun_ns = clock.now_ns();
    if let Some(planned_ns) = planned_ns {
        let lag_ns = begun_ns.saturating_sub(planned_ns);
        shard.borrow_mut().metrics.distributions.record(Metric::ConnectLag, lag_ns);
    }
    let mut stream = connect_tcp(shard).await?;
    let tcp_ns = clock.now_ns();
    phase.set(Phase::Handshake);
    let (deflate, rest) = upgrade(shard, &mut stream).await?;
    let waterfall = Waterfall {
        planned_ns: planned_ns.unwrap_or(begun_ns),
        begun_ns,
        tcp_ns,
        upgraded_ns: clock.now_ns(),
    };
    Ok(Established { stream, waterfall, deflate, rest })
}

/// Tries the addresses one after the other, that which worked last time first.
async fn connect_tcp(shard: &Rc<RefCell<Shard>>) -> Result<Stream, Refusal> {
    let (addresses, preferred) = {
        let shard = shard.borrow();
        (Rc::clone(&shard.addresses), shard.preferred_address)
    };
    let mut refusal = Refusal::new(Phase::Tcp, "other", "no address");
    for turn in 0..addresses.len() {
        let place = (preferred + turn) % addresses.len();
        match connect_to(addresses[place]).await {
            Ok(stream) => {
                shard.borrow_mut().preferred_address = place;
                return Ok(Stream::Tcp(stream));
            }
            Err(error) => {
                let sample = format!("{}: {error}", addresses[place]);
                refusal = Refusal::new(Phase::Tcp, tcp_code(&error), sample);
            }
        }
    }
    Err(refusal)
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

fn tcp_code(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::TimedOut => "timeout",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => "reset",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            "unreachable"
        }
        ErrorKind::AddrNotAvailable => "no_ports",
        ErrorKind::PermissionDenied => "not_permitted",
        _ => match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE) => "no_descriptors",
            Some(Errno::NOBUFS | Errno::NOMEM) => "no_memory",
            _ => "other",
        },
    }
}

/// Sends the request, and takes the response; returns what was agreed, and what came behind it.
async fn upgrade(
    shard: &Rc<RefCell<Shard>>,
    stream: &mut Stream,
) -> Result<(Option<DeflateAgreed>, Vec<u8>), Refusal> {
    let mut request = Vec::new();
    let mut handshake = start(&shard.borrow(), &mut request)
        .map_err(|misuse| Refusal::new(Phase::Handshake, "request", misuse.to_string()))?;
    let mut sent = 0;
    while let Some(rest) = request.get(sent..).filter(|rest| !rest.is_empty()) {
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
    shard.borrow_mut().metrics.bytes_sent += sent as u64;
    drop(request);
    let rest = poll_fn(|cx| {
        shard.borrow_mut().poll_response(stream, cx, |input| step(&mut handshake, input))
    })
    .await?;
    let deflate = handshake.extensions().agreed().copied();
    if deflate.is_none() && shard.borrow().deflating.is_required {
        let sample = "the server declined permessage-deflate (--deflate-required)";
        return Err(Refusal::new(Phase::Handshake, "deflate_declined", sample));
    }
    Ok((deflate, rest))
}

fn start(shard: &Shard, request: &mut Vec<u8>) -> Result<Handshake, HandshakeMisuse> {
    let (key, offers) = (HandshakeKey::random(), shard.deflating.offers.clone());
    ClientHandshake::start_with_extensions(&shard.request, key, offers, request)
}

/// What a piece of the response brings: `Ok(None)` if it isn't complete, else what came behind it.
/// `None` is the end of the stream.
fn step(
    handshake: &mut Handshake,
    input: io::Result<Option<&mut [u8]>>,
) -> Result<Option<Vec<u8>>, Refusal> {
    let outcome = match input {
        Err(error) => return Err(io_refusal(&error)),
        Ok(Some(mut input)) => match handshake.receive(&mut input) {
            Ok(Some(_)) => return Ok(Some(input.to_vec())),
            Ok(None) => return Ok(None),
            Err(error) => error,
        },
        Ok(None) => match handshake.receive_eof() {
            Ok(()) => HandshakeError::UnexpectedEof,
            Err(error) => error,
        },
    };
    Err(handshake_refusal(handshake, outcome))
}

fn io_refusal(error: &io::Error) -> Refusal {
    let code = match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "reset"
        }
        _ => "io",
    };
    Refusal::new(Phase::Handshake, code, error.to_string())
}

fn handshake_refusal(handshake: &Handshake, error: HandshakeError) -> Refusal {
    let status = handshake.response().map(|response| {
        let reason = escape::bytes(response.reason(), REASON_LEN_MAX);
        format!("{} {reason}", response.status())
    });
    match error {
        HandshakeError::Response(ResponseError::Refused { status: code }) => Refusal {
            failure: Failure::numbered(Phase::Http, code),
            sample: status.unwrap_or_default(),
        },
        HandshakeError::UnexpectedEof => {
            Refusal::new(Phase::Handshake, "eof", "the stream ended before a response")
        }
        error => Refusal::new(Phase::Handshake, error.name(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d23_system_errors_have_names() {
        for (errno, code) in [
            (Errno::CONNREFUSED, "refused"),
            (Errno::TIMEDOUT, "timeout"),
            (Errno::CONNRESET, "reset"),
            (Errno::HOSTUNREACH, "unreachable"),
            (Errno::NETUNREACH, "unreachable"),
            (Errno::ADDRNOTAVAIL, "no_ports"),
            (Errno::MFILE, "no_descriptors"),
            (Errno::NFILE, "no_descriptors"),
            (Errno::NOBUFS, "no_memory"),
            (Errno::ACCESS, "not_permitted"),
            (Errno::INVAL, "other"),
        ] {
            assert_eq!(tcp_code(&errno.into()), code, "{errno:?}");
        }
    }
}
