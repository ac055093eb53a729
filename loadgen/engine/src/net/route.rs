//! Turns URLs and settings into routes: all that is known about how to reach each server before the
//! first connection. Then turns a route into a connected stream, step by step.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use rustls::pki_types::ServerName;
use tokio::net::UnixStream;
use tokio::time::Instant;
use wscodec::handshake::ClientRequest;

use super::dial::{Candidate, Families, Raced, Why};
use super::family::Family;
use super::fault::Fault;
use super::http2::Http2Pool;
use super::resolve::{Names, Resolved};
use super::settings::Network;
use super::source::Sources;
use super::stream::{Agreed, Stream, TlsStream};
use super::target::Target;
use super::tls::TlsClient;
use super::{dial, proxy, socket};
use crate::exit::Failed;
use crate::index::ConnectionIndex;
use crate::segment::Segment;

/// Most source addresses that are tried before a run.
const SOURCES_TRIED: u64 = 512;

/// The route to one URL.
#[derive(Clone, Debug)]
pub struct Route {
    /// The URL.
    pub url: String,
    /// The addresses of the host, or of the proxy if there is one; empty for a Unix socket.
    pub addresses: Vec<SocketAddr>,
    /// How long the lookup took, in nanoseconds, if there was one.
    pub dns_ns: Option<u64>,
    /// The request, as connection 0 sends it.
    pub request: ClientRequest,
    /// The authority that a proxy is asked for.
    authority: String,
    /// The name that the certificate must have; `None` is without TLS.
    server_name: Option<ServerName<'static>>,
}

impl Route {
    /// Returns the route to a plain server at an address.
    #[must_use]
    pub fn direct(address: SocketAddr, request: ClientRequest) -> Self {
        Self {
            url: format!("ws://{address}/"),
            addresses: vec![address],
            dns_ns: None,
            request,
            authority: address.to_string(),
            server_name: None,
        }
    }

    fn new(
        target: &Target,
        request: ClientRequest,
        network: &Network,
        names: &mut Names<'_>,
    ) -> Result<Self, Failed> {
        let (host, port) = network.redirected(target.host(), target.port());
        let authority =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let resolved = match (&network.unix_socket, &network.proxy) {
            (Some(_), _) => Resolved::default(),
            (None, Some(proxy)) => resolved(names, network, &proxy.host, proxy.port)?,
            (None, None) => {
                let mut found = resolved(names, network, host, port)?;
                // A host that replaces the URL's host is not in its zone.
                if let Some(zone) = target.zone().filter(|_| host == target.host()) {
                    in_zone(&mut found.addresses, zone).map_err(Failed::usage)?;
                }
                found
            }
        };
        check_zones(&resolved.addresses).map_err(Failed::usage)?;
        let certified = network.tls.server_name.as_deref().unwrap_or(target.host());
        let certified = certified.strip_suffix('.').unwrap_or(certified).to_owned();
        let server_name = target.is_secure().then(|| {
            ServerName::try_from(certified.clone()).map_err(|_| {
                Failed::usage(format!(
                    "{certified:?} can't be in a certificate; name one with --sni"
                ))
            })
        });
        Ok(Self {
            url: target.to_string(),
            addresses: resolved.addresses,
            dns_ns: resolved.dns_ns,
            request,
            authority,
            server_name: server_name.transpose()?,
        })
    }

    /// Checks whether the route uses TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.server_name.is_some()
    }
}

/// The outcome of connecting.
#[derive(Debug)]
pub struct Dialled {
    /// The socket, or why there is none.
    pub stream: Result<Stream, Fault>,
    /// The index of its address in the route.
    pub place: usize,
    /// The indices of addresses that failed, or didn't answer in time.
    pub(crate) failed: Vec<usize>,
    /// The indices of addresses that were abandoned because another was faster.
    pub(crate) overtaken: Vec<usize>,
    /// Which families worked and which failed.
    pub(crate) families: Families,
}

impl Dialled {
    /// The outcome of connecting to the only address.
    fn new(stream: Result<Stream, Fault>) -> Self {
        let families = Families::default();
        Self { stream, place: 0, failed: Vec::new(), overtaken: Vec::new(), families }
    }

    fn raced(raced: Raced, prefix: &str) -> Self {
        let places = |is_overtaken: bool| {
            let lost = raced.lost.iter();
            let lost = lost.filter(|lost| matches!(lost.why, Why::Overtaken) == is_overtaken);
            lost.map(|lost| lost.candidate.place).collect::<Vec<_>>()
        };
        let (failed, overtaken) = (places(false), places(true));
        let families = raced.families();
        let (stream, place) = match raced.winner {
            None => (Err(raced.fault(prefix)), 0),
            Some((winner, stream)) => (Ok(Stream::Tcp(stream)), winner.place),
        };
        Self { stream, place, failed, overtaken, families }
    }
}

/// The routes to all URLs of a run; connections take them in turn.
#[derive(Clone, Debug)]
pub struct Routes {
    all: Vec<Route>,
    /// How many of the first connections have URLs of their own.
    publishers: u64,
    /// How many of the last URLs are for these connections.
    publish: usize,
    /// The segment whose connections take the routes.
    segment: Segment,
    network: Network,
    tls: Option<TlsClient>,
}

impl Routes {
    /// Reads the TLS files and looks up the names in the URLs, each name once and within `bound`.
    ///
    /// # Errors
    /// [`Failed`] with what can't be read, connected from or resolved.
    pub fn new(
        targets: &[Target],
        requests: Vec<ClientRequest>,
        network: &Network,
        bound: Duration,
    ) -> Result<Self, Failed> {
        let is_secure = targets.iter().any(Target::is_secure);
        let tls = is_secure.then(|| TlsClient::new(&network.tls, network.http2.is_some()));
        let tls = tls.transpose().map_err(Failed::usage)?;
        try_sources(network).map_err(Failed::usage)?;
        let mut names = Names::new(network, bound);
        let all = targets
            .iter()
            .zip(requests)
            .map(|(target, request)| Route::new(target, request, network, &mut names))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            all,
            publishers: 0,
            publish: 0,
            segment: Segment::WHOLE,
            network: network.clone(),
            tls,
        })
    }

    /// Reserves the last `publish` URLs for the first `publishers` connections.
    #[must_use]
    pub fn with_publishers(self, publishers: u64, publish: usize) -> Self {
        Self { publishers, publish: publish.min(self.all.len()), ..self }
    }

    /// Sets the segment that the connections belong to; it takes all URLs in turn.
    #[must_use]
    pub fn in_segment(self, segment: Segment) -> Self {
        Self { segment, ..self }
    }

    /// Has connections come from these addresses in turn.
    #[must_use]
    pub fn with_sources(mut self, sources: Sources) -> Self {
        self.network.sources = sources;
        self
    }

    /// Checks whether more addresses of the loopback can be taken to connect from: all servers are
    /// there, and the user has named no source.
    #[must_use]
    pub fn may_spread(&self) -> bool {
        let is_there = |address: &SocketAddr| address.is_ipv4() && address.ip().is_loopback();
        let mut addresses = self.all.iter().flat_map(|route| &route.addresses).peekable();
        self.network.sources.is_empty() && addresses.peek().is_some() && addresses.all(is_there)
    }

    /// Returns the route to one server with a known address.
    #[must_use]
    pub fn direct(address: SocketAddr, request: ClientRequest, network: &Network) -> Self {
        let all = vec![Route::direct(address, request)];
        Self {
            all,
            publishers: 0,
            publish: 0,
            segment: Segment::WHOLE,
            network: network.clone(),
            tls: None,
        }
    }

    /// Returns all routes, one per URL.
    #[must_use]
    pub fn all(&self) -> &[Route] {
        &self.all
    }

    /// Returns the addresses that the connections of each route take in turn: none if it has one.
    pub fn addresses_in_turn(&self) -> impl Iterator<Item = &[SocketAddr]> {
        let several = |route: &'_ Route| route.addresses.len() > 1;
        self.all.iter().map(move |route| if several(route) { &route.addresses[..] } else { &[] })
    }

    /// Checks whether the route at an index is for publishers only.
    #[must_use]
    pub fn is_for_publishers(&self, place: usize) -> bool {
        place >= self.all.len() - self.publish
    }

    /// Returns the index of the route that connection `index` takes.
    #[must_use]
    pub fn place(&self, index: ConnectionIndex) -> usize {
        let shared = self.all.len() - self.publish;
        let (from, len) = if self.publish > 0 && index.0 < self.publishers {
            (shared, self.publish)
        } else {
            (0, shared)
        };
        from + usize::try_from(self.segment.turn(index, len as u64)).unwrap_or(0)
    }

    /// Returns the number of distinct pairs of source and target address, each of which has its own
    /// ports; `u64::MAX` where no ports are needed.
    #[must_use]
    pub fn pairs(&self) -> u64 {
        let mut firsts: Vec<SocketAddr> =
            self.all.iter().flat_map(|route| dial::beginnings(&route.addresses)).collect();
        if firsts.is_empty() {
            return u64::MAX;
        }
        firsts.sort_unstable();
        firsts.dedup();
        let sources = |ip: IpAddr| self.network.sources.addresses_of(Family::of(ip)).max(1);
        firsts.iter().fold(0, |sum, address| sum.saturating_add(sources(address.ip())))
    }

    /// Returns a copy for a worker, with TLS sessions of its own, so that workers share no lock.
    #[must_use]
    pub fn for_worker(&self) -> Self {
        let is_resuming = self.network.tls.is_resuming;
        Self { tls: self.tls.as_ref().map(|tls| tls.for_worker(is_resuming)), ..self.clone() }
    }

    /// Checks whether there is a proxy.
    #[must_use]
    pub const fn has_proxy(&self) -> bool {
        self.network.proxy.is_some()
    }

    /// Connects a socket for connection `index`. Connections start with each address in turn; one
    /// that doesn't answer is tried beside the next, until `deadline`. For a route with one address
    /// the caller must enforce it. `families` is the outcome of earlier connections.
    pub async fn connect(
        &self,
        route: &Route,
        index: ConnectionIndex,
        deadline: Instant,
        families: Families,
    ) -> Dialled {
        if let Some(path) = &self.network.unix_socket {
            let stream = UnixStream::connect(path).await.map(Stream::unix);
            return Dialled::new(stream.map_err(|e| Fault::of_connect(&path.display(), &e)));
        }
        // Every URL uses every source address, even if their numbers have a common factor, and so
        // does every address of a URL.
        let turn = self.segment.place_of(index) / (self.all.len() as u64).max(1);
        let source = |turn, address: SocketAddr| self.network.sources.of(turn, address.ip());
        if let [address] = route.addresses[..] {
            let source = source(turn, address);
            let stream = socket::connect(address, source).await.map(Stream::Tcp);
            return Dialled::new(stream.map_err(|e| self.connect_fault(address, source, &e)));
        }
        let len = (route.addresses.len() as u64).max(1);
        let begin = turn.wrapping_add(self.segment.turn(ConnectionIndex(0), len));
        let order = dial::order(&route.addresses, begin, families);
        let candidate = |place| {
            let address: SocketAddr = route.addresses[place];
            Candidate { place, address, source: source(turn / len, address) }
        };
        let candidates: Vec<_> = order.into_iter().map(candidate).collect();
        let raced = dial::race(&candidates, deadline).await;
        Dialled::raced(raced, if self.has_proxy() { "proxy " } else { "" })
    }

    /// Describes a connection attempt that took too long, for a route with one address.
    pub(crate) fn timeout(&self, route: &Route) -> Option<String> {
        let [address] = route.addresses[..] else { return None };
        let proxy = if self.has_proxy() { "proxy " } else { "" };
        Some(format!("{proxy}{address}: no TCP connection within the connect timeout"))
    }

    fn connect_fault(
        &self,
        address: SocketAddr,
        source: Option<IpAddr>,
        error: &std::io::Error,
    ) -> Fault {
        let proxy = if self.has_proxy() { "proxy " } else { "" };
        match source {
            Some(source) => Fault::of_connect(&format!("{proxy}{address} from {source}"), error),
            None => Fault::of_connect(&format!("{proxy}{address}"), error),
        }
    }

    /// Opens a tunnel through the proxy, if there is one.
    ///
    /// # Errors
    /// What the proxy said, or how its stream failed.
    pub async fn tunnel(&self, route: &Route, stream: &mut Stream) -> Result<(), Fault> {
        match &self.network.proxy {
            Some(proxy) => proxy::tunnel(stream, proxy, &route.authority).await,
            None => Ok(()),
        }
    }

    /// Starts TLS, if the URL asks for it.
    ///
    /// # Errors
    /// Why there is no TLS, or no HTTP/2 over it if that was asked for.
    pub async fn secure(
        &self,
        route: &Route,
        stream: Stream,
    ) -> Result<(Stream, Option<Agreed>), Fault> {
        let (Some(tls), Some(name)) = (&self.tls, &route.server_name) else {
            return Ok((stream, None));
        };
        let connection =
            tls.connection(name).map_err(|error| Fault::new("protocol", error.to_string()))?;
        let connected = TlsStream::connect(stream, connection).await;
        let (stream, agreed) = match connected {
            Err(fault) if self.network.http2.is_some() && fault.code == "no_alpn" => {
                return Err(no_http2("the server refused h2"));
            }
            connected => connected?,
        };
        if self.network.http2.is_some() && agreed.alpn.as_deref() != Some("h2") {
            return Err(no_http2("the server did not choose h2"));
        }
        Ok((Stream::tls(stream), Some(agreed)))
    }

    /// Returns the connections of HTTP/2 of a worker, if WebSockets are opened over it.
    #[must_use]
    pub fn http2_pool(&self) -> Option<Http2Pool> {
        self.network.http2.map(|http2| Http2Pool::new(http2.streams, self.all.len()))
    }
}

/// Explains that ALPN has not agreed on HTTP/2.
fn no_http2(what: &str) -> Fault {
    let said = format!("{what} in ALPN: enable HTTP/2 on it, or leave out --http2");
    Fault::new("no_alpn", said)
}

/// Puts link-local addresses into the zone of an interface, given by name or number.
fn in_zone(addresses: &mut [SocketAddr], zone: &str) -> Result<(), String> {
    let number = zone.parse().or_else(|_| if_nametoindex(zone)).map_err(|_| {
        format!("no network interface {zone:?} on this machine; list them with ip link")
    })?;
    for address in addresses {
        if let SocketAddr::V6(address) = address {
            address.set_scope_id(number);
        }
    }
    Ok(())
}

/// Refuses link-local addresses without a zone, which names the interface that reaches them.
fn check_zones(addresses: &[SocketAddr]) -> Result<(), String> {
    let is_zoneless = |address: &SocketAddr| match address {
        SocketAddr::V6(address) => address.ip().is_unicast_link_local() && address.scope_id() == 0,
        SocketAddr::V4(_) => false,
    };
    match addresses.first() {
        Some(first) if addresses.iter().all(is_zoneless) => Err(format!(
            "{ip} is link-local: name its interface, as in ws://[{ip}%25eth0]/",
            ip = first.ip()
        )),
        _ => Ok(()),
    }
}

/// Refuses, before a run, a source address that no connection can use.
fn try_sources(network: &Network) -> Result<(), String> {
    for source in network.sources.first(SOURCES_TRIED) {
        if let Err(error) = socket::try_source(source) {
            let help = if error.kind() == std::io::ErrorKind::AddrNotAvailable {
                format!("it is not one of this machine; sudo ip addr add {source} dev lo")
            } else {
                error.to_string()
            };
            return Err(format!("--source-ip: nothing can be sent from {source}: {help}"));
        }
    }
    Ok(())
}

/// Resolves a name. A typed address that can't be used is wrong usage; an error of the resolver is
/// not.
fn resolved(
    names: &mut Names<'_>,
    network: &Network,
    host: &str,
    port: u16,
) -> Result<Resolved, Failed> {
    let is_typed = host.parse::<IpAddr>().is_ok() || network.overridden(host, port).is_some();
    names.resolve(host, port).map_err(if is_typed { Failed::usage } else { Failed::run })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_have_ways_of_their_own_if_there_are_any() {
        let request = ClientRequest::new("h", "/").unwrap();
        let to =
            |port: u16| Route::direct(SocketAddr::from(([127, 0, 0, 1], port)), request.clone());
        let routes = |len: u16| Routes {
            all: (1..=len).map(to).collect(),
            publishers: 0,
            publish: 0,
            segment: Segment::WHOLE,
            network: Network::default(),
            tls: None,
        };
        let places = |routes: &Routes| {
            (0..7).map(|index| routes.place(ConnectionIndex(index))).collect::<Vec<_>>()
        };
        assert_eq!(places(&routes(1)), [0; 7]);
        assert_eq!(places(&routes(3)), [0, 1, 2, 0, 1, 2, 0]);
        let apart = routes(3).with_publishers(3, 1);
        assert_eq!(places(&apart), [2, 2, 2, 1, 0, 1, 0]);
        assert_eq!([0, 1, 2].map(|place| apart.is_for_publishers(place)), [false, false, true]);
        assert_eq!(places(&routes(4).with_publishers(4, 2)), [2, 3, 2, 3, 0, 1, 0]);
        let second = routes(2).in_segment(Segment::new(2, 2).unwrap());
        assert_eq!([1, 3, 5].map(|index| second.place(ConnectionIndex(index))), [1, 0, 1], "M2");
    }
}
