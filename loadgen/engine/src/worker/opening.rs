//! What opening a connection comes to: a stream with what was agreed on it, or why there is none.

use wscodec::deflate::DeflateAgreed;

use crate::metrics::{Distributions, Failure, FailurePhase, Metric};
use crate::net::{Agreed, Stream};

/// When each step of a connection's opening ended, in nanoseconds after the run's begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waterfall {
    /// When the connection was due to begin.
    pub(crate) due_ns: u64,
    /// When the connection began.
    pub(crate) begun_ns: u64,
    /// When the socket was connected; `None` if another WebSocket of a connection of HTTP/2 did
    /// that.
    pub(crate) tcp_ns: Option<u64>,
    /// When the proxy had opened its tunnel.
    pub(crate) proxy_ns: Option<u64>,
    /// When TLS was established, and whether a session was resumed.
    pub(crate) tls: Option<(u64, bool)>,
    /// When the connection of HTTP/2 was there.
    pub(crate) http2_ns: Option<u64>,
    /// When the response was validated.
    pub(crate) upgraded_ns: u64,
}

impl Waterfall {
    /// Records how long each step took.
    pub(crate) fn record(&self, durations: &mut Distributions) {
        let mut last_ns = self.begun_ns;
        let mut step = |metric, ns| {
            durations.record(metric, ns - last_ns);
            last_ns = ns;
        };
        if let Some(tcp_ns) = self.tcp_ns {
            step(Metric::ConnectTcp, tcp_ns);
        }
        if let Some(proxy_ns) = self.proxy_ns {
            step(Metric::ConnectProxy, proxy_ns);
        }
        if let Some((tls_ns, is_resumed)) = self.tls {
            let kind = if is_resumed { Metric::ConnectTlsResumed } else { Metric::ConnectTls };
            step(kind, tls_ns);
        }
        match self.http2_ns {
            Some(http2_ns) if self.tcp_ns.is_some() => step(Metric::ConnectHttp2, http2_ns),
            // Opened by another, of which this one has waited for the end.
            Some(http2_ns) => last_ns = http2_ns,
            None => {}
        }
        durations.record(Metric::ConnectUpgrade, self.upgraded_ns - last_ns);
        durations.record(Metric::ConnectTotal, self.upgraded_ns.saturating_sub(self.due_ns));
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) stream: Stream,
    pub(crate) waterfall: Waterfall,
    /// The parameters of permessage-deflate, if it was agreed on.
    pub(crate) deflate: Option<DeflateAgreed>,
    /// What the TLS handshake agreed on.
    pub(crate) tls: Option<Agreed>,
    /// The bytes that followed the response: the first frames.
    pub(crate) rest: Vec<u8>,
}

/// Why a connection didn't open, and a sample of what was seen.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) failure: Failure,
    pub(crate) sample: String,
}

impl Refusal {
    pub(crate) fn new(phase: FailurePhase, code: &'static str, sample: impl Into<String>) -> Self {
        Self { failure: Failure::new(phase, code), sample: sample.into() }
    }

    /// Returns the refusal for a phase that exceeded the connect timeout.
    pub(crate) fn timeout(phase: FailurePhase) -> Self {
        let said = match phase {
            FailurePhase::Tcp => "no TCP connection within the connect timeout",
            FailurePhase::Proxy => "no answer from the proxy within the connect timeout",
            FailurePhase::Http2 => {
                "no settings of HTTP/2 within the connect timeout; does the server speak HTTP/2 \
                 here?"
            }
            FailurePhase::Tls => "no TLS within the connect timeout",
            _ => "no complete response within the connect timeout",
        };
        Self::new(phase, "timeout", said)
    }
}
