//! Samples what the kernel knows about a few connections, so that a slow network can be told from a
//! slow server.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use super::super::driver::Driver;
use super::super::thread::Thread;
use crate::index::ConnectionIndex;
use crate::metrics::Metric;
use crate::net::{TcpDiag, TcpInfo};

/// The time between two samples: five connections a second, a few microseconds each.
const INTERVAL: Duration = Duration::from_millis(200);
/// How many slots are tried for a connection before a sample is skipped.
const TRIES: usize = 64;
/// How many connections' counts are remembered, to add up only what is new.
const KNOWN_MAX: usize = 4_096;

/// Samples one connection after another during load. Returns if the kernel doesn't answer.
pub(super) async fn sample(driver: Rc<RefCell<Driver>>) {
    let Ok(diag) = TcpDiag::open() else { return };
    let mut sampler = Sampler { diag, place: 0, known: HashMap::new() };
    loop {
        if sampler.look(&mut driver.borrow_mut().thread).is_err() {
            return;
        }
        sleep(INTERVAL).await;
    }
}

struct Sampler {
    diag: TcpDiag,
    /// The slot to try next.
    place: usize,
    /// Retransmissions and segments that have been counted, by connection.
    known: HashMap<ConnectionIndex, (u32, u32)>,
}

impl Sampler {
    /// # Errors
    /// The system's error, after which there is no use in asking again.
    fn look(&mut self, thread: &mut Thread) -> std::io::Result<()> {
        if !thread.times.is_measured(thread.clock.now_ns()) {
            return Ok(());
        }
        let Some((index, local, peer)) = self.next(thread) else { return Ok(()) };
        if let Some(info) = self.diag.ask(local, peer)? {
            self.count(thread, index, &info);
        }
        Ok(())
    }

    /// Returns the next connection over TCP, and its two addresses.
    fn next(
        &mut self,
        thread: &Thread,
    ) -> Option<(ConnectionIndex, std::net::SocketAddr, std::net::SocketAddr)> {
        let slots = thread.sessions.slots();
        for _ in 0..TRIES.min(slots) {
            let place = self.place % slots;
            self.place = place + 1;
            let Some(session) = thread.sessions.in_slot(place) else { continue };
            let tcp = session.stream.tcp()?;
            // A socket that has just been reset has no peer.
            if let (Ok(local), Ok(peer)) = (tcp.local_addr(), tcp.peer_addr()) {
                return Some((session.index, local, peer));
            }
        }
        None
    }

    fn count(&mut self, thread: &mut Thread, index: ConnectionIndex, info: &TcpInfo) {
        let rtt_ns = u64::from(info.rtt_us) * 1_000;
        thread.metrics.distributions.record(Metric::NetworkRtt, rtt_ns);
        let deviation_ns = u64::from(info.rtt_deviation_us) * 1_000;
        thread.metrics.distributions.record(Metric::NetworkRttDeviation, deviation_ns);
        let counts = &mut thread.metrics.network;
        counts.looks += 1;
        counts.zero_windows += u64::from(info.is_window_zero);
        counts.unacked_max = counts.unacked_max.max(info.unacked.into());
        counts.notsent_bytes_max = counts.notsent_bytes_max.max(info.notsent_len.into());
        if self.known.len() >= KNOWN_MAX && !self.known.contains_key(&index) {
            return;
        }
        let known = self.known.entry(index).or_insert_with(|| {
            counts.connections += 1;
            (0, 0)
        });
        if info.segments < known.1 {
            *known = (0, 0); // it was lost, and this is another socket
        }
        counts.retransmits += u64::from(info.retransmits.saturating_sub(known.0));
        counts.segments += u64::from(info.segments.saturating_sub(known.1));
        *known = (info.retransmits, info.segments);
    }
}
