//! The way to a server as it was asked for: which addresses, from where, through what.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::family::Family;
use super::source::Sources;

/// How servers are reached, beside what their URLs say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Addresses of this family only.
    pub family: Option<Family>,
    /// Addresses of names that aren't looked up.
    pub overrides: Vec<Override>,
    /// Hosts and ports that stand for others.
    pub redirects: Vec<Redirect>,
    /// A socket in the file system instead of an address.
    pub unix_socket: Option<PathBuf>,
    /// Addresses to connect from.
    pub sources: Sources,
    /// The proxy that is asked for a tunnel.
    pub proxy: Option<Proxy>,
    /// TLS of `wss://`.
    pub tls: TlsSettings,
}

/// The addresses of a name (`--resolve`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// In lower case; `*` is any.
    pub host: String,
    /// The port for which it holds.
    pub port: u16,
    /// At least one.
    pub addresses: Vec<IpAddr>,
}

/// A host and port that stand for others (`--connect-to`). `None` matches any, or leaves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Of the URL.
    pub from: (Option<String>, Option<u16>),
    /// What is connected to instead.
    pub to: (Option<String>, Option<u16>),
}

/// A proxy that speaks HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its host, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What |Proxy-Authorization| says: a secret.
    pub authorization: Option<String>,
}

impl fmt::Display for Proxy {
    /// Without the password.
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

/// What is trusted and shown under TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Trust anyone.
    pub is_insecure: bool,
    /// The CAs to trust; `None` is those of the system.
    pub ca_file: Option<PathBuf>,
    /// A chain and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name to ask for instead of the URL's host.
    pub server_name: Option<String>,
    /// Whether sessions are taken up again.
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
    /// The host and port to connect to for those of a URL.
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

    /// The addresses that were given for a name, if any were.
    #[must_use]
    pub fn overridden(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let matches = |known: &&Override| {
            known.port == port && (known.host == "*" || known.host.eq_ignore_ascii_case(host))
        };
        let known = self.overrides.iter().find(matches)?;
        Some(known.addresses.iter().map(|&ip| SocketAddr::new(ip, port)).collect())
    }
}
