//! What a server has done, in lines: of one process, or of several that shared a port.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::counters::Totals;
use crate::units;

type Counts = BTreeMap<String, u64>;

/// The totals of a server that has ended. See [`Totals`] for what they count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    accepted: u64,
    http2_connections: u64,
    established: u64,
    deflated: u64,
    messages_received: u64,
    messages_sent: u64,
    messages_skipped: u64,
    bytes_received: u64,
    bytes_sent: u64,
    closes: Counts,
    rejected: Counts,
    protocol_errors: Counts,
    accept_errors: Counts,
}

impl Summary {
    /// Returns the totals of one process.
    #[must_use]
    pub fn of(totals: &Totals) -> Self {
        Self {
            accepted: totals.accepted,
            http2_connections: totals.http2_connections,
            established: totals.established,
            deflated: totals.deflated,
            messages_received: totals.messages_received,
            messages_sent: totals.messages_sent,
            messages_skipped: totals.messages_skipped,
            bytes_received: totals.bytes_received,
            bytes_sent: totals.bytes_sent,
            closes: named(&totals.closes),
            rejected: named(&totals.rejected),
            protocol_errors: named(&totals.protocol_errors),
            accept_errors: named(&totals.accept_errors),
        }
    }

    /// Adds what another process has done.
    pub fn add(&mut self, other: &Self) {
        let Self {
            accepted,
            http2_connections,
            established,
            deflated,
            messages_received,
            messages_sent,
            messages_skipped,
            bytes_received,
            bytes_sent,
            closes,
            rejected,
            protocol_errors,
            accept_errors,
        } = other;
        for (own, other) in [
            (&mut self.accepted, accepted),
            (&mut self.http2_connections, http2_connections),
            (&mut self.established, established),
            (&mut self.deflated, deflated),
            (&mut self.messages_received, messages_received),
            (&mut self.messages_sent, messages_sent),
            (&mut self.messages_skipped, messages_skipped),
            (&mut self.bytes_received, bytes_received),
            (&mut self.bytes_sent, bytes_sent),
        ] {
            *own += other;
        }
        for (own, other) in [
            (&mut self.closes, closes),
            (&mut self.rejected, rejected),
            (&mut self.protocol_errors, protocol_errors),
            (&mut self.accept_errors, accept_errors),
        ] {
            for (name, count) in other {
                *own.entry(name.clone()).or_default() += count;
            }
        }
    }

    /// Prints a line for each group of counts; none for a group in which nothing was counted.
    ///
    /// # Errors
    /// The error of `out`.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "connections   accepted {}  established {}",
            self.accepted, self.established
        )?;
        if self.http2_connections > 0 {
            let carried = units::counted(self.http2_connections, "connection");
            writeln!(out, "http2         carried by {carried} of HTTP/2")?;
        }
        if self.deflated > 0 {
            writeln!(out, "deflate       agreed {}", self.deflated)?;
        }
        writeln!(
            out,
            "messages      received {}  sent {}",
            self.messages_received, self.messages_sent
        )?;
        if self.messages_skipped > 0 {
            let skipped = units::counted(self.messages_skipped, "message");
            writeln!(out, "skipped       {skipped}")?;
        }
        writeln!(out, "bytes         received {}  sent {}", self.bytes_received, self.bytes_sent)?;
        for (label, counts) in [
            ("closes", &self.closes),
            ("rejected", &self.rejected),
            ("violations", &self.protocol_errors),
            ("accept", &self.accept_errors),
        ] {
            let counts: Vec<_> =
                counts.iter().map(|(key, count)| format!("{key}: {count}")).collect();
            if !counts.is_empty() {
                writeln!(out, "{label:<13} {}", counts.join("  "))?;
            }
        }
        Ok(())
    }
}

fn named<K: ToString>(counts: &BTreeMap<K, u64>) -> Counts {
    counts.iter().map(|(key, &count)| (key.to_string(), count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processes_of_a_server_add_up() {
        let totals = |accepted| Totals {
            accepted,
            established: accepted,
            messages_received: 10 * accepted,
            closes: BTreeMap::from([(1000, accepted)]),
            rejected: BTreeMap::from([("timeout", 1)]),
            ..Totals::default()
        };
        let read = |summary: &Summary| {
            serde_json::from_str::<Summary>(&serde_json::to_string(summary).unwrap()).unwrap()
        };
        let mut sum = Summary::of(&totals(3));
        sum.add(&read(&Summary::of(&totals(4))));
        let mut out = Vec::new();
        sum.print(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "connections   accepted 7  established 7\n\
             messages      received 70  sent 0\n\
             bytes         received 0  sent 0\n\
             closes        1000: 7\n\
             rejected      timeout: 2\n"
        );
    }
}
