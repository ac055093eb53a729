//! Connects to one of a server's addresses: "Happy Eyeballs" (RFC 8305).
//!
//! Separate from the route because it knows nothing of URLs and proxies. An address that neither
//! answers nor refuses delays a connection by [`ATTEMPT_DELAY`], not by its whole time limit.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::family::Family;
use super::fault::Fault;
use super::socket;
use crate::clock::nanos;
use crate::units;

/// How long an attempt runs alone before the next address is tried beside it: "a recommended value
/// for a default delay is 250 milliseconds" (RFC 8305, 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Most attempts that an error lists.
const SHOWN_MAX: usize = 8;

/// Which address families worked and which failed, on one thread. A family that never worked is
/// tried last once the other has: a client that remembers which addresses it used "prefers used
/// addresses over un-used ones" (RFC 8305, 4). "localhost" is two addresses, and most servers listen
/// on one: without this, half of all connections would begin with a refusal. The addresses of a
/// family that works have equal shares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Families {
    has_worked: [bool; 2],
    has_failed: [bool; 2],
}

impl Families {
    const fn place(ip: IpAddr) -> usize {
        match ip {
            IpAddr::V4(_) => 0,
            IpAddr::V6(_) => 1,
        }
    }

    fn is_avoided(self, ip: IpAddr) -> bool {
        let own = Self::place(ip);
        self.has_failed[own] && !self.has_worked[own] && self.has_worked[1 - own]
    }

    /// Adds the outcome of another connection.
    pub(crate) fn add(&mut self, other: Self) {
        for place in 0..2 {
            self.has_worked[place] |= other.has_worked[place];
            self.has_failed[place] |= other.has_failed[place];
        }
    }
}

/// An address, and the local address to connect from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The index of the address in its route.
    pub(super) place: usize,
    pub(super) address: SocketAddr,
    pub(super) source: Option<IpAddr>,
}

/// Returns the indices of `addresses` in the order in which connection number `turn` tries them.
/// Connections start with each address in turn, then try the other family (RFC 8305, 4).
pub(super) fn order(addresses: &[SocketAddr], turn: u64, families: Families) -> Vec<usize> {
    let is_avoided = |&place: &usize| families.is_avoided(addresses[place].ip());
    let (avoided, mut rest): (Vec<usize>, Vec<usize>) = (0..addresses.len()).partition(is_avoided);
    let shift = turn.checked_rem(rest.len() as u64).unwrap_or(0);
    rest.rotate_left(usize::try_from(shift).unwrap_or(0));
    let first = rest.first().map(|&place| addresses[place].is_ipv4());
    let (one, other): (Vec<usize>, Vec<usize>) =
        rest.into_iter().partition(|&place| Some(addresses[place].is_ipv4()) == first);
    let mut order = Vec::with_capacity(addresses.len());
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    loop {
        let pair = [one.next(), other.next()];
        if pair == [None; 2] {
            break;
        }
        order.extend(pair.into_iter().flatten());
    }
    order.extend(avoided);
    order
}

/// The outcome of several attempts.
#[derive(Debug)]
pub(super) struct Raced {
    pub(super) winner: Option<(Candidate, TcpStream)>,
    /// The other attempts that were started.
    pub(super) lost: Vec<Lost>,
}

/// An attempt that produced no connection.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) candidate: Candidate,
    took: Duration,
    pub(super) why: Why,
}

/// Why an attempt produced no connection.
#[derive(Debug)]
pub(super) enum Why {
    /// The system reported an error.
    Failed(io::Error),
    /// No answer came before the deadline.
    Timeout,
    /// Another address was faster.
    Overtaken,
}

impl Raced {
    /// Returns which families worked and which failed.
    pub(super) fn families(&self) -> Families {
        let mut families = Families::default();
        if let Some((winner, _)) = &self.winner {
            families.has_worked[Families::place(winner.address.ip())] = true;
        }
        for lost in &self.lost {
            families.has_failed[Families::place(lost.candidate.address.ip())] = true;
        }
        families
    }

    /// Explains why there is no connection: each address tried, and for how long. Addresses are
    /// prefixed with `prefix`.
    pub(super) fn fault(&self, prefix: &str) -> Fault {
        let place = |lost: &Lost| match lost.candidate.source {
            Some(source) => format!("{prefix}{} from {source}", lost.candidate.address),
            None => format!("{prefix}{}", lost.candidate.address),
        };
        let mut said = format!("none of {}", units::counted(self.lost.len() as u64, "address"));
        let mut code = "other";
        for (number, lost) in self.lost.iter().enumerate() {
            let fault = match &lost.why {
                Why::Failed(error) => Fault::of_connect(&place(lost), error),
                Why::Timeout | Why::Overtaken => {
                    Fault::new("timeout", format!("{}: no answer", place(lost)))
                }
            };
            code = fault.code;
            if number < SHOWN_MAX {
                let took = units::duration(nanos(lost.took));
                let separator = if number == 0 { ": " } else { "; " };
                // Writing to a String can't fail.
                write!(said, "{separator}{fault} (after {took})").ok();
            }
        }
        if let Some(more @ 1..) = self.lost.len().checked_sub(SHOWN_MAX) {
            write!(said, "; and {more} more").ok();
        }
        Fault::new(code, said)
    }
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>;

/// An attempt in progress.
struct Attempt {
    candidate: Candidate,
    begun: Instant,
    connecting: Connecting,
}

impl Attempt {
    fn lost(self, why: Why) -> Lost {
        Lost { candidate: self.candidate, took: self.begun.elapsed(), why }
    }
}

/// Tries candidates in order, each beside the earlier ones that have not answered, until one is
/// connected, none is left or `deadline` has passed.
pub(super) async fn race(candidates: &[Candidate], deadline: Instant) -> Raced {
    let mut race = Race {
        waiting: candidates,
        running: Vec::new(),
        raced: Raced { winner: None, lost: Vec::new() },
        next: Instant::now(),
        deadline,
    };
    let mut timer = pin!(sleep_until(race.next));
    poll_fn(|cx| race.poll(cx, timer.as_mut())).await;
    race.raced
}

struct Race<'c> {
    waiting: &'c [Candidate],
    running: Vec<Attempt>,
    raced: Raced,
    /// When to start the next candidate.
    next: Instant,
    deadline: Instant,
}

impl Race<'_> {
    fn poll(&mut self, cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>) -> Poll<()> {
        loop {
            self.poll_running(cx);
            let now = Instant::now();
            let why: fn() -> Why = match (&self.raced.winner, now >= self.deadline) {
                (Some(_), _) => || Why::Overtaken,
                (None, true) => || Why::Timeout,
                (None, false) => match self.waiting.split_first() {
                    Some((&candidate, rest)) if now >= self.next => {
                        self.waiting = rest;
                        self.begin(candidate, now);
                        continue;
                    }
                    None if self.running.is_empty() => return Poll::Ready(()),
                    waiting => {
                        let next = waiting.map_or(self.deadline, |_| self.next);
                        timer.as_mut().reset(next.min(self.deadline));
                        if timer.as_mut().poll(cx).is_ready() {
                            continue;
                        }
                        return Poll::Pending;
                    }
                },
            };
            self.raced.lost.extend(self.running.drain(..).map(|attempt| attempt.lost(why())));
            return Poll::Ready(());
        }
    }

    fn begin(&mut self, candidate: Candidate, now: Instant) {
        let Candidate { address, source, .. } = candidate;
        let connecting = Box::pin(socket::connect(address, source));
        self.running.push(Attempt { candidate, begun: now, connecting });
        self.next = now + ATTEMPT_DELAY;
    }

    /// Removes attempts that have ended. After a failure the next candidate starts at once.
    fn poll_running(&mut self, cx: &mut Context<'_>) {
        let mut place = 0;
        while let Some(attempt) = self.running.get_mut(place) {
            let Poll::Ready(outcome) = attempt.connecting.as_mut().poll(cx) else {
                place += 1;
                continue;
            };
            let attempt = self.running.remove(place);
            match outcome {
                Ok(stream) => {
                    self.raced.winner = Some((attempt.candidate, stream));
                    return;
                }
                Err(error) => {
                    self.raced.lost.push(attempt.lost(Why::Failed(error)));
                    self.next = Instant::now();
                }
            }
        }
    }
}

/// Returns the addresses that connections start with, as far as is known before the first: those of
/// the first address's family.
pub(super) fn beginnings(addresses: &[SocketAddr]) -> impl Iterator<Item = SocketAddr> {
    let family = addresses.first().map(|first| Family::of(first.ip()));
    addresses.iter().copied().filter(move |address| Some(Family::of(address.ip())) == family)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tokio::net::TcpSocket;

    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_io().enable_time().build().unwrap().block_on(future)
    }

    fn candidates(addresses: &[SocketAddr]) -> Vec<Candidate> {
        let numbered = addresses.iter().enumerate();
        numbered.map(|(place, &address)| Candidate { place, address, source: None }).collect()
    }

    /// Returns a listener whose queue is full, so that it drops SYNs, and what fills the queue.
    fn swallowing() -> (SocketAddr, (TcpListener, Vec<std::net::TcpStream>)) {
        let listener = run(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.5:0".parse().unwrap()).unwrap();
            socket.listen(0).unwrap().into_std().unwrap()
        });
        let address = listener.local_addr().unwrap();
        let bound = Duration::from_millis(100);
        let one = |_| std::net::TcpStream::connect_timeout(&address, bound).ok();
        let filling = (0..10).map_while(one).collect();
        (address, (listener, filling))
    }

    fn refusing() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[test]
    fn p8_addresses_are_begun_with_in_turn_and_families_alternate() {
        let addresses = ["10.0.0.1:1", "10.0.0.2:1", "[::1]:1", "[::2]:1", "10.0.0.3:1"]
            .map(|text| text.parse().unwrap());
        let order = |turn, families| order(&addresses, turn, families);
        let new = Families::default();
        assert_eq!(order(0, new), [0, 2, 1, 3, 4]);
        assert_eq!(order(1, new), [1, 2, 4, 3, 0]);
        assert_eq!(order(2, new), [2, 4, 3, 0, 1]);
        assert_eq!(order(5, new), order(0, new));
        assert_eq!(order(u64::MAX, new)[0], 0);
        // IPv6 has failed, and has never worked.
        let mut v4 = Families { has_worked: [true, false], has_failed: [true, true] };
        assert_eq!(order(0, v4), [0, 1, 4, 2, 3]);
        assert_eq!(order(2, v4), [4, 0, 1, 2, 3]);
        v4.has_worked[1] = true;
        assert_eq!(order(2, v4), order(2, new));
        let none = Families { has_worked: [false; 2], has_failed: [true; 2] };
        assert_eq!(order(3, none), order(3, new));
    }

    #[test]
    fn p1_an_address_that_swallows_syns_has_its_share_of_the_time() {
        let (dead, _kept) = swallowing();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let live = listener.local_addr().unwrap();
        let begin = Instant::now();
        let raced =
            run(race(&candidates(&[dead, refusing(), live]), begin + Duration::from_secs(60)));
        assert!(begin.elapsed() >= ATTEMPT_DELAY, "{:?}", begin.elapsed());
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
        assert_eq!(raced.winner.as_ref().map(|(winner, _)| winner.place), Some(2));
        let lost: Vec<_> = raced.lost.iter().map(|lost| lost.candidate.place).collect();
        assert_eq!(lost, [1, 0], "the second fails at once, the first is overtaken");
        assert!(matches!(raced.lost[1].why, Why::Overtaken));
    }

    #[test]
    fn p1_an_error_names_every_address_that_was_tried() {
        let (dead, _kept) = swallowing();
        let refusing = refusing();
        let bound = Duration::from_millis(400);
        let raced =
            run(async { race(&candidates(&[refusing, dead]), Instant::now() + bound).await });
        assert!(raced.winner.is_none());
        let fault = raced.fault("proxy ");
        assert_eq!(fault.code, "timeout");
        let begin = format!("none of 2 addresses: proxy {refusing}: Connection refused");
        assert!(fault.said.starts_with(&begin), "{fault}");
        assert!(fault.said.contains(&format!("; proxy {dead}: no answer (after ")), "{fault}");
        let raced = run(async { race(&candidates(&[refusing; 10]), Instant::now() + bound).await });
        let fault = raced.fault("");
        assert_eq!((fault.code, raced.lost.len()), ("refused", 10));
        assert!(fault.said.ends_with("; and 2 more"), "{fault}");
    }
}
