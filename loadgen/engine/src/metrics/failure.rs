//! Turns what went wrong into named counters: phase, code, count, and a few examples.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use crate::{alike, escape};

/// Most bytes kept of an example.
const SAMPLE_LEN_MAX: usize = 300;
/// Most examples kept of a failure, each of another kind.
const SAMPLES_MAX: usize = 4;
/// Occurrences of a failure whose example is examined. Of later ones only one in this many is, so
/// that a flood of failures costs nothing.
const LOOKED_AT: u64 = 1_000;
/// Most failures told apart; statuses and close codes come from the peer, so there must be a
/// limit.
const KINDS_MAX: usize = 1_024;

/// Where in the life of a connection something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailurePhase {
    /// Connecting the socket.
    Tcp,
    /// Asking a proxy for a tunnel: the code is its status, or what else went wrong.
    Proxy,
    /// The TLS handshake.
    Tls,
    /// From there to the settings by which a server takes WebSockets over HTTP/2.
    Http2,
    /// Between that and the response.
    Handshake,
    /// A response with a status other than 101, or 2xx over HTTP/2: the code is the status.
    Http,
    /// While messages were exchanged.
    Open,
    /// The server broke the protocol, in any phase: the code is the codec's name for it.
    Protocol,
    /// The server closed before we did: the code is its close code.
    ServerClose,
    /// The closing handshake that we began.
    Close,
    /// The run was interrupted.
    Run,
    /// A message whose echo was wrong. Not an outcome of a connection.
    Message,
}

impl FailurePhase {
    /// Returns the part of a failure's name before the dot.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Http2 => "http2",
            Self::Handshake => "handshake",
            Self::Http => "http",
            Self::Open => "open",
            Self::Protocol => "protocol",
            Self::ServerClose => "server_close",
            Self::Close => "close",
            Self::Run => "run",
            Self::Message => "message",
        }
    }
}

/// A kind of failure, such as `tcp.refused` or `http.403`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The phase.
    pub phase: FailurePhase,
    /// The code.
    pub code: Cow<'static, str>,
}

impl Failure {
    /// Returns a kind whose code is a constant.
    #[must_use]
    pub const fn new(phase: FailurePhase, code: &'static str) -> Self {
        Self { phase, code: Cow::Borrowed(code) }
    }

    /// Returns a kind whose code is a number: a status or a close code.
    #[must_use]
    pub fn numbered(phase: FailurePhase, code: u16) -> Self {
        Self { phase, code: Cow::Owned(code.to_string()) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.phase.name(), self.code)
    }
}

/// The number of occurrences, and an example of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Occurrence {
    /// Number of occurrences.
    pub count: u64,
    /// The first example, then examples that differ from it in more than numbers; without control
    /// characters.
    pub samples: Vec<String>,
}

impl Occurrence {
    /// Counts one occurrence; calls `sample` while there is room for another kind.
    pub(super) fn add(&mut self, sample: impl FnOnce() -> String) {
        self.count += 1;
        let is_looked_at = self.count <= LOOKED_AT || self.count.is_multiple_of(LOOKED_AT);
        if is_looked_at && self.samples.len() < SAMPLES_MAX {
            self.keep(escape::control(&sample(), SAMPLE_LEN_MAX));
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.count += other.count;
        other.samples.into_iter().for_each(|sample| self.keep(sample));
    }

    fn keep(&mut self, sample: String) {
        add_sample(&mut self.samples, sample);
    }
}

/// Keeps `sample` if it is of a new kind and there is room.
pub fn add_sample(samples: &mut Vec<String>, sample: String) {
    let kind = alike::kind(&sample);
    if samples.len() < SAMPLES_MAX && samples.iter().all(|known| alike::kind(known) != kind) {
        samples.push(sample);
    }
}

/// Failures by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures(BTreeMap<Failure, Occurrence>);

impl Failures {
    /// Counts a failure. Calls `sample`, which may contain what the peer sent, until there are a
    /// few examples, each of another kind.
    pub fn add(&mut self, failure: Failure, sample: impl FnOnce() -> String) {
        if let Some(occurrence) = self.0.get_mut(&failure) {
            occurrence.add(sample);
        } else if self.0.len() < KINDS_MAX {
            self.0.entry(failure).or_default().add(sample);
        } else {
            self.0.entry(Failure::new(failure.phase, "other")).or_default().count += 1;
        }
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: Self) {
        for (failure, occurrence) in other.0 {
            self.0.entry(failure).or_default().merge(occurrence);
        }
    }

    /// Returns the total.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().map(|occurrence| occurrence.count).sum()
    }

    /// Returns the count of one kind.
    #[must_use]
    pub fn count(&self, failure: &Failure) -> u64 {
        self.0.get(failure).map_or(0, |occurrence| occurrence.count)
    }

    /// Iterates over the kinds, ordered by phase and code.
    pub fn iter(&self) -> impl Iterator<Item = (&Failure, &Occurrence)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n11_one_example_of_each_kind() {
        let unexpected = Failure::new(FailurePhase::Message, "unexpected");
        let mut failures = Failures::default();
        for n in 0..2_000_000_u64 {
            let kind = if n < 500 { "tick" } else { "user" };
            failures.add(unexpected.clone(), || format!("{{\"type\":\"{kind}\",\"n\":{n}}}"));
        }
        let mut other = Failures::default();
        for name in ["a", "b", "c", "d"] {
            other.add(unexpected.clone(), || name.into());
        }
        failures.merge(other);
        let (_, occurrence) = failures.iter().next().unwrap();
        assert_eq!(occurrence.count, 2_000_004);
        let [tick, user] = [r#"{"type":"tick","n":0}"#, r#"{"type":"user","n":500}"#];
        assert_eq!(occurrence.samples, [tick, user, "a", "b"]);
    }

    #[test]
    fn the_first_example_is_kept_without_control_characters() {
        let mut failures = Failures::default();
        failures.add(Failure::numbered(FailurePhase::Http, 403), || "no\x1b[31m entry\r\n".into());
        failures.add(Failure::numbered(FailurePhase::Http, 403), || "another".into());
        let (failure, occurrence) = failures.iter().next().unwrap();
        assert_eq!(failure.to_string(), "http.403");
        assert_eq!(occurrence.count, 2);
        assert_eq!(occurrence.samples, ["no\\x1b[31m entry\\r\\n", "another"]);
    }

    #[test]
    fn a_peer_cannot_make_kinds_without_end() {
        let mut failures = Failures::default();
        for code in 0..5_000 {
            failures.add(Failure::numbered(FailurePhase::Http, code), String::new);
        }
        assert_eq!(failures.total(), 5_000);
        assert!(failures.iter().count() <= KINDS_MAX + 1);
    }
}
