//! How to reach a server, as the flags say: which addresses, from where, through what.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use super::family::Family;
use super::source::Sources;

/// How to reach servers, beyond what their URLs say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The only address family to use.
    pub family: Option<Family>,
    /// Addresses for names, instead of looking them up.
    pub overrides: Vec<Override>,
    /// Hosts and ports that replace others.
    pub redirects: Vec<Redirect>,
    /// A Unix socket to use instead of an address.
    pub unix_socket: Option<PathBuf>,
    /// Addresses to connect from.
    pub sources: Sources,
    /// The proxy to tunnel through.
    pub proxy: Option<Proxy>,
    /// TLS of `wss://`.
    pub tls: TlsSettings,
    /// WebSockets over HTTP/2; `None` opens them over HTTP/1.1.
    pub http2: Option<Http2>,
}

/// How WebSockets share connections of HTTP/2 (RFC 8441).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2 {
    /// WebSockets that a connection carries.
    pub streams: NonZeroU32,
}

/// The addresses of a name (`--resolve`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// In lower case; `*` matches any host.
    pub host: String,
    /// The port that the addresses apply to.
    pub port: u16,
    /// At least one.
    pub addresses: Vec<IpAddr>,
}

/// A host and port that replace others (`--connect-to`). `None` matches any, or keeps the URL's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The URL's host and port.
    pub from: (Option<String>, Option<u16>),
    /// The host and port to connect to instead.
    pub to: (Option<String>, Option<u16>),
}

/// An HTTP proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The host, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The value of |Proxy-Authorization|: a secret.
    pub authorization: Option<String>,
}

impl fmt::Display for Proxy {
    /// Leaves out the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "http://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "http://{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What to trust and present in TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Whether to trust any certificate.
    pub is_insecure: bool,
    /// The CAs to trust; `None` trusts the system's.
    pub ca_file: Option<PathBuf>,
    /// A certificate chain and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name to ask for instead of the URL's host.
    pub server_name: Option<String>,
    /// Whether sessions are resumed.
    pub is_resuming: bool,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            is_insecure: false,
            ca_file: None,
            identity: None,
            server_name: None,
            is_resuming: true,
        }
    }
}

impl Network {
    /// Returns the host and port to connect to, for the host and port of a URL.
    #[must_use]
    pub fn redirected<'s>(&'s self, host: &'s str, port: u16) -> (&'s str, u16) {
        let matches = |redirect: &&Redirect| {
            let (from_host, from_port) = &redirect.from;
            from_host.as_ref().is_none_or(|from| from.eq_ignore_ascii_case(host))
                && from_port.is_none_or(|from| from == port)
        };
        match self.redirects.iter().find(matches) {
            None => (host, port),
            Some(Redirect { to: (to_host, to_port), .. }) => {
                (to_host.as_deref().unwrap_or(host), to_port.unwrap_or(port))
            }
        }
    }

    /// Returns the addresses given for a name, if any.
    #[must_use]
    pub fn overridden(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let matches = |known: &&Override| {
            known.port == port && (known.host == "*" || known.host.eq_ignore_ascii_case(host))
        };
        let known = self.overrides.iter().find(matches)?;
        Some(known.addresses.iter().map(|&ip| SocketAddr::new(ip, port)).collect())
    }
}
