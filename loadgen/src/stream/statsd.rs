//! The metrics of a run for `StatsD`, over UDP: counts as what was added, everything else as it is.

use std::fmt::Write;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};

use super::sink::{Deliver, Encode, Missed};
use super::totals::{Kind, Totals, Unit};
use crate::metrics::timeline::Row;
use crate::report::RowReport;

/// Most bytes of a datagram: what Ethernet carries whole.
const DATAGRAM_MAX: usize = 1_432;

/// Makes lines, which don't have labels: plain `StatsD` knows none.
#[derive(Debug, Default)]
pub(super) struct Lines {
    totals: Totals,
    /// What each counter was in the row before.
    before: Vec<(&'static str, u64)>,
}

impl Encode for Lines {
    fn encode(&mut self, row: &Row, _: &RowReport) -> Vec<u8> {
        self.totals.add(row);
        let mut lines = String::new();
        // Writing to a string doesn't fail.
        let mut put = |name: &str, value: u64, unit: Unit, kind: &str| {
            let (name, value) = match unit {
                Unit::Time => (format!("{name}_ms"), milliseconds(value)),
                Unit::Bytes => (format!("{name}_bytes"), value.to_string()),
                Unit::Things => (name.to_owned(), value.to_string()),
            };
            let _ = writeln!(lines, "loadgen.{name}:{value}|{kind}");
        };
        let metrics = self.totals.metrics();
        for metric in &metrics {
            match metric.kind {
                Kind::Gauge => put(metric.name, metric.value, metric.unit, "g"),
                Kind::Counter => {
                    let known = self.before.iter().find(|(name, _)| *name == metric.name);
                    let added = metric.value.saturating_sub(known.map_or(0, |(_, value)| *value));
                    put(metric.name, added, metric.unit, "c");
                }
            }
        }
        for (name, ns) in [("latency.p50", row.p50_ns), ("latency.p99", row.p99_ns)] {
            if let Some(ns) = ns {
                put(name, ns, Unit::Time, "g");
            }
        }
        self.before = metrics.iter().map(|metric| (metric.name, metric.value)).collect();
        lines.into_bytes()
    }
}

/// Returns nanoseconds in milliseconds, exactly.
fn milliseconds(ns: u64) -> String {
    let text = format!("{}.{:06}", ns / 1_000_000, ns % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Sends datagrams.
pub(super) struct Datagrams {
    host: String,
    port: u16,
    socket: Option<UdpSocket>,
}

impl Datagrams {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, socket: None }
    }

    fn send(&mut self, lines: &[u8]) -> std::io::Result<()> {
        if self.socket.is_none() {
            let address = (&*self.host, self.port).to_socket_addrs()?.next();
            let address = address.ok_or(std::io::ErrorKind::NotFound)?;
            let any: SocketAddr = match address {
                SocketAddr::V4(_) => ([0; 4], 0).into(),
                SocketAddr::V6(_) => ([0; 16], 0).into(),
            };
            let socket = UdpSocket::bind(any)?;
            // Connected, so that a port where nothing listens is an error of the next datagram.
            socket.connect(address)?;
            self.socket = Some(socket);
        }
        let Some(socket) = &self.socket else { return Ok(()) };
        datagrams(lines).iter().try_for_each(|datagram| socket.send(datagram).map(drop))
    }
}

impl Deliver for Datagrams {
    /// What was sent in part would count twice if it were sent again.
    fn deliver(&mut self, body: &[u8]) -> Result<(), Missed> {
        self.send(body).map_err(|error| Missed::Ever(error.to_string()))
    }
}

/// Splits lines into datagrams, each of whole lines.
fn datagrams(lines: &[u8]) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match found.last_mut().filter(|last| last.len() + 1 + line.len() <= DATAGRAM_MAX) {
            Some(last) => {
                last.push(b'\n');
                last.extend_from_slice(line);
            }
            None => found.push(line.to_vec()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::live::{Live, Snapshot};
    use crate::metrics::timeline::Timeline;
    use crate::report;

    #[test]
    fn counts_are_what_was_added() {
        let (live, mut lines, mut timeline) = (Live::new(), Lines::default(), Timeline::new(1));
        let mut row = |seconds: u64| {
            live.sent.add(3);
            live.latency(1_500_000);
            let now = Snapshot::of([&live]);
            let row = timeline.push(seconds * 1_000_000_000, now, None).unwrap();
            String::from_utf8(lines.encode(row, &report::row(row, &[]))).unwrap()
        };
        for second in 1..=2 {
            let text = row(second);
            assert!(text.contains("loadgen.messages.sent:3|c\n"), "{text}");
            assert!(text.contains("loadgen.connections.open:0|g\n"), "{text}");
            let p50 = text.lines().find_map(|line| line.strip_prefix("loadgen.latency.p50_ms:"));
            let p50: f64 = p50.unwrap().strip_suffix("|g").unwrap().parse().unwrap();
            assert!((1.4..1.6).contains(&p50), "{p50}");
        }
    }

    #[test]
    fn datagrams_are_whole_lines_and_fit() {
        let line = "a".repeat(99);
        let lines = format!("{line}\n").repeat(40);
        let found = datagrams(lines.as_bytes());
        assert_eq!(found.len(), 3);
        for datagram in &found {
            assert!(datagram.len() <= DATAGRAM_MAX);
            assert!(datagram.split(|byte| *byte == b'\n').all(|found| found == line.as_bytes()));
        }
        assert_eq!(milliseconds(1_500_001), "1.500001");
        assert_eq!(milliseconds(2_000_000), "2");
    }
}
