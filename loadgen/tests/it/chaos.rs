//! A proxy that is as bad as a seed says: what passes through is delayed, throttled, cut small,
//! reset, ended, held up, swallowed or altered.
//!
//! Faults stand at positions in the stream, so that a seed means the same faults at the same bytes
//! whenever it is used again. Each connection has two threads, one for each direction.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Numbers from a seed (splitmix64): not random, and the same for ever.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// One of `choices`.
    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        let place = self.below(choices.len() as u64);
        choices[usize::try_from(place).unwrap()]
    }
}

/// What happens at one byte of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Both sides get a reset.
    Reset,
    /// This direction ends in good order, the other goes on.
    HalfClose,
    /// Both directions end in good order.
    Close,
    /// Nothing moves for a while.
    Stall(Duration),
    /// From here on everything is read and nothing passed on.
    Swallow,
    /// From here on nothing is read.
    Block,
    /// These bits of the byte turn over.
    Corrupt(u8),
}

/// How one direction of a connection is treated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Treatment {
    /// Each piece that was read is held back for so long.
    delay: Duration,
    /// Pieces of at most so many bytes.
    chop_len: Option<usize>,
    /// At most so many bytes in each 10 ms.
    throttle_len: Option<usize>,
    /// What happens, by position, in their order.
    events: Vec<(u64, Event)>,
}

impl Treatment {
    /// Both directions of a connection: up, from the client, and down.
    pub(crate) fn of_connection(seed: u64, number: u64) -> [Self; 2] {
        let mut dice = Dice::new(seed.wrapping_mul(1 << 20).wrapping_add(number));
        dice.next();
        let mut both = [Self::default(), Self::default()];
        // A quarter is left alone, so that there is something for the others to disturb.
        if dice.below(4) == 0 {
            return both;
        }
        for _ in 0..=dice.below(2) {
            let way = usize::try_from(dice.below(2)).unwrap();
            both[way].make_worse(&mut dice);
        }
        both
    }

    fn make_worse(&mut self, dice: &mut Dice) {
        let milliseconds = |dice: &mut Dice, most| Duration::from_millis(1 + dice.below(most));
        let event = match dice.below(10) {
            0 => {
                self.delay = milliseconds(dice, 30);
                return;
            }
            1 => {
                self.chop_len = Some(dice.one_of(&[1, 2, 3, 7, 13, 64, 1400]));
                return;
            }
            2 => {
                self.throttle_len = Some(dice.one_of(&[10, 100, 1_000, 10_000]));
                return;
            }
            3 => Event::Reset,
            4 => Event::HalfClose,
            5 => Event::Close,
            6 => Event::Stall(milliseconds(dice, 500)),
            7 => Event::Swallow,
            8 => Event::Block,
            _ => Event::Corrupt(1 << dice.below(8)),
        };
        // In the handshake, in the first frames, or anywhere, and rarer the farther away.
        let position = match dice.below(3) {
            0 => dice.below(200),
            1 => 130 + dice.below(250),
            _ => {
                let bits = 4 + dice.below(14);
                dice.below(1 << bits)
            }
        };
        self.events.push((position, event));
        self.events.sort_by_key(|(position, _)| *position);
    }
}

/// A proxy that runs until it is dropped.
pub(crate) struct Chaos {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_over: AtomicBool,
    sockets: Mutex<Vec<Arc<TcpStream>>>,
}

impl State {
    /// Waits, no longer than the proxy lives; false if it doesn't any more.
    fn wait(&self, time: Duration) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < time && !self.is_over.load(Ordering::Relaxed) {
            thread::sleep(time.saturating_sub(begin.elapsed()).min(Duration::from_millis(5)));
        }
        !self.is_over.load(Ordering::Relaxed)
    }
}

impl Chaos {
    /// Stands before `server`.
    pub(crate) fn start(seed: u64, server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for (number, client) in (0..).zip(listener.incoming()) {
                if shared.is_over.load(Ordering::Relaxed) {
                    return;
                }
                // A client that is gone already, or a server that has had enough: no connection.
                let Ok(client) = client else { continue };
                let Ok(server) = TcpStream::connect(server) else { continue };
                pass(seed, number, client, server, &shared);
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
        for socket in self.state.sockets.lock().unwrap().drain(..) {
            socket.shutdown(Shutdown::Both).ok();
        }
        TcpStream::connect(self.address).ok(); // wakes the one that accepts
    }
}

/// Begins to pass on what two sockets say.
fn pass(seed: u64, number: u64, client: TcpStream, server: TcpStream, state: &Arc<State>) {
    let [up, down] = Treatment::of_connection(seed, number);
    let [client, server] = [client, server].map(|socket| {
        socket.set_nodelay(true).ok();
        Arc::new(socket)
    });
    state.sockets.lock().unwrap().extend([Arc::clone(&client), Arc::clone(&server)]);
    for (treatment, from, to) in
        [(up, Arc::clone(&client), Arc::clone(&server)), (down, server, client)]
    {
        let state = Arc::clone(state);
        thread::spawn(move || Flow { from, to, treatment, position: 0, state }.run());
    }
}

/// One direction of a connection.
struct Flow {
    from: Arc<TcpStream>,
    to: Arc<TcpStream>,
    treatment: Treatment,
    /// Bytes that have gone by.
    position: u64,
    state: Arc<State>,
}

/// The direction is over.
struct Over;

impl Flow {
    fn run(mut self) {
        let mut buffer = vec![0; 16 << 10];
        loop {
            match (&*self.from).read(&mut buffer) {
                Ok(0) => {
                    self.to.shutdown(Shutdown::Write).ok();
                    return;
                }
                Ok(len) => {
                    if self.forward(&mut buffer[..len]).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.reset(),
            }
        }
    }

    /// Passes on what was read, piece by piece.
    fn forward(&mut self, mut bytes: &mut [u8]) -> Result<(), Over> {
        if !self.treatment.delay.is_zero() && !self.state.wait(self.treatment.delay) {
            return Err(Over);
        }
        while !bytes.is_empty() {
            self.events(bytes)?;
            let until_event = self.treatment.events.first().map_or(usize::MAX, |(position, _)| {
                usize::try_from(position - self.position).unwrap_or(usize::MAX)
            });
            let len = bytes.len().min(until_event);
            let len = len.min(self.treatment.chop_len.unwrap_or(len));
            let len = len.min(self.treatment.throttle_len.unwrap_or(len));
            let (piece, rest) = bytes.split_at_mut(len);
            if (&*self.to).write_all(piece).is_err() {
                self.reset();
                return Err(Over);
            }
            self.position += len as u64;
            bytes = rest;
            if self.treatment.throttle_len.is_some() && !self.state.wait(Duration::from_millis(10))
            {
                return Err(Over);
            }
        }
        Ok(())
    }

    /// Lets happen what stands at this position; `bytes` are those from here on.
    fn events(&mut self, bytes: &mut [u8]) -> Result<(), Over> {
        while let Some((_, event)) =
            self.treatment.events.first().copied().filter(|(at, _)| *at <= self.position)
        {
            self.treatment.events.remove(0);
            match event {
                Event::Stall(time) => {
                    self.state.wait(time);
                }
                Event::Corrupt(bits) => bytes[0] ^= bits,
                Event::Reset => {
                    self.reset();
                    return Err(Over);
                }
                Event::Close => {
                    self.from.shutdown(Shutdown::Both).ok();
                    self.to.shutdown(Shutdown::Both).ok();
                    return Err(Over);
                }
                Event::HalfClose => {
                    self.to.shutdown(Shutdown::Write).ok();
                    self.swallow();
                    return Err(Over);
                }
                Event::Swallow => {
                    self.swallow();
                    return Err(Over);
                }
                Event::Block => {
                    self.state.wait(Duration::from_secs(600));
                    return Err(Over);
                }
            }
        }
        Ok(())
    }

    fn swallow(&self) {
        let mut buffer = [0; 4096];
        while matches!((&*self.from).read(&mut buffer), Ok(len) if len > 0) {}
    }

    /// Lets both sides see a reset.
    fn reset(&self) {
        for socket in [&self.from, &self.to] {
            rustix::net::connect_unspec(&**socket).ok();
        }
    }
}
