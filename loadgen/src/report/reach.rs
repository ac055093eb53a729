//! Reports how servers were reached: URLs, addresses, TLS, and the options for them.

use std::fmt::{self, Write as _};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::Report;
use crate::config::{Config, Network, Proxy};
use crate::metrics::{AddressCounts, Http2Counts, Metric, Metrics, NetworkCounts, UrlCounts};
use crate::net::{Route, Routes};
use crate::units;

/// Most addresses that a report has a line for.
const ADDRESSES_SHOWN_MAX: usize = 16;

/// The options for the route to a server. Files are named, but their content isn't kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkReport {
    /// `IPv4` or `IPv6`, if restricted to it.
    pub family: Option<String>,
    /// Addresses to connect from: the first of each network.
    pub source_ips: Vec<String>,
    /// The proxy, without its password.
    pub proxy: Option<String>,
    /// The socket in the file system.
    pub unix_socket: Option<String>,
    /// Whether every certificate was trusted.
    pub tls_is_insecure: bool,
    /// Whether a client certificate was sent.
    pub tls_has_client_certificate: bool,
    /// The name requested instead of the URL's host.
    pub tls_server_name: Option<String>,
    /// Whether TLS sessions were resumed.
    pub tls_is_resuming: bool,
    /// WebSockets that a connection of HTTP/2 carries; `null` over HTTP/1.1.
    #[serde(default)]
    pub http2_streams: Option<u32>,
}

/// What became of the connections to one URL. Connections take the URLs in turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UrlReport {
    /// The URL.
    pub url: String,
    /// Whether the URL is for publishers only (`fanout`).
    pub is_for_publishers: bool,
    /// Addresses of its host, or of the proxy.
    pub addresses: Vec<String>,
    /// How long resolving took, once, before the run; `null` if there was nothing to resolve.
    pub dns_ns: Option<u64>,
    /// What became of its connections.
    #[serde(flatten)]
    pub counts: UrlCounts,
    /// The counts by address, if there are several; connections take them in turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_address: Vec<AddressReport>,
}

/// What became of the connections to one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressReport {
    /// The address with its port.
    pub address: String,
    /// What became of its connections.
    #[serde(flatten)]
    pub counts: AddressCounts,
}

/// The TLS parameters agreed, and the number of connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsReport {
    /// Such as `TLS 1.3`.
    pub version: String,
    /// Such as `TLS13_AES_128_GCM_SHA256`.
    pub cipher: String,
    /// Connections established.
    pub count: u64,
}

/// The server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetReport {
    /// The URL, or the first of several.
    pub url: String,
    /// Whether it ran in the same process.
    pub is_embedded: bool,
    /// Addresses of the first URL's host.
    pub addresses: Vec<String>,
    /// How long resolving took, once, before the run; `null` if there was nothing to resolve.
    pub dns_ns: Option<u64>,
    /// Each URL.
    pub urls: Vec<UrlReport>,
    /// The TLS parameters agreed.
    pub tls: Vec<TlsReport>,
}

impl NetworkReport {
    pub(super) fn new(network: &Network) -> Self {
        let shown = |path: &std::path::PathBuf| path.display().to_string();
        Self {
            family: network.family.map(|family| family.name().into()),
            source_ips: network.sources.ranges().map(ToString::to_string).collect(),
            proxy: network.proxy.as_ref().map(Proxy::to_string),
            unix_socket: network.unix_socket.as_ref().map(shown),
            tls_is_insecure: network.tls.is_insecure,
            tls_has_client_certificate: network.tls.identity.is_some(),
            tls_server_name: network.tls.server_name.clone(),
            tls_is_resuming: network.tls.is_resuming,
            http2_streams: network.http2.map(|http2| http2.streams.get()),
        }
    }
}

impl TargetReport {
    pub(super) fn new(config: &Config, routes: &Routes, metrics: &Metrics) -> Self {
        let addresses =
            |route: &Route| route.addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
        let url = |(place, (route, counts)): (usize, (&Route, &UrlCounts))| UrlReport {
            url: route.url.clone(),
            is_for_publishers: routes.is_for_publishers(place),
            addresses: addresses(route),
            dns_ns: route.dns_ns,
            counts: *counts,
            by_address: by_address(route, metrics.addresses.get(place)),
        };
        let first = routes.all().first();
        Self {
            url: first.map(|route| route.url.clone()).unwrap_or_default(),
            is_embedded: config.is_embedded(),
            addresses: first.map(addresses).unwrap_or_default(),
            dns_ns: first.and_then(|route| route.dns_ns),
            urls: routes.all().iter().zip(&metrics.urls).enumerate().map(url).collect(),
            tls: metrics
                .tls
                .iter()
                .map(|(kind, &count)| TlsReport {
                    version: kind.version.clone(),
                    cipher: kind.cipher.clone(),
                    count,
                })
                .collect(),
        }
    }

    /// Returns the server in one word, or the number of servers.
    pub(super) fn shown(&self) -> String {
        match self.urls.len() {
            0 | 1 => self.url.clone(),
            len => format!("{} and {} more", self.url, len - 1),
        }
    }
}

/// Returns the counts of each address of a route that has several.
fn by_address(route: &Route, counts: Option<&Vec<AddressCounts>>) -> Vec<AddressReport> {
    if route.addresses.len() < 2 {
        return Vec::new();
    }
    let report = |(place, address): (usize, &SocketAddr)| AddressReport {
        address: address.to_string(),
        counts: counts.and_then(|counts| counts.get(place)).copied().unwrap_or_default(),
    };
    route.addresses.iter().enumerate().map(report).collect()
}

/// Adds the counts of addresses, each to those of the same address.
pub(super) fn add_addresses(whole: &mut Vec<AddressReport>, part: &[AddressReport]) {
    for AddressReport { address, counts } in part {
        match whole.iter_mut().find(|own| own.address == *address) {
            Some(own) => own.counts.add(counts),
            None => whole.push(AddressReport { address: address.clone(), counts: *counts }),
        }
    }
}

/// Describes what the kernel said about the connections sampled, in a line with the round trips.
pub(super) fn network(counts: &NetworkCounts, report: &Report) -> String {
    let rtt = report.histogram(Metric::NetworkRtt);
    let rtt_of = |percentile| {
        let found = rtt.and_then(|rtt| rtt.percentile(percentile));
        found.map_or("-".into(), units::duration)
    };
    let mut parts = vec![
        format!("rtt p50 {}  p99 {}", rtt_of(50.0), rtt_of(99.0)),
        format!(
            "retransmits {} of {}",
            units::count(counts.retransmits),
            units::counted(counts.segments, "segment")
        ),
    ];
    if counts.zero_windows > 0 {
        parts.push(format!("server had no room {}", units::counted(counts.zero_windows, "time")));
    }
    if counts.notsent_bytes_max > 0 {
        parts.push(format!("up to {} not sent", units::bytes(counts.notsent_bytes_max)));
    }
    parts.push(format!("({} at connections)", units::counted(counts.looks, "look")));
    parts.join("   ")
}

/// Describes the connections of HTTP/2.
fn http2(counts: &Http2Counts) -> String {
    let carried = units::counted(counts.connections, "TCP connection");
    let most = units::counted(counts.streams_max, "WebSocket");
    format!("{carried}, up to {most} at once on one")
}

/// Writes the lines about the route: whatever differs from the defaults.
pub(super) fn write(
    report: &Report,
    mut line: impl FnMut(&str, &str) -> fmt::Result,
) -> fmt::Result {
    let target = &report.target;
    if target.urls.len() > 1 {
        for url in &target.urls {
            let said = format!(
                "{}{}   {} / {} open   completed {}   messages {}",
                url.url,
                if url.is_for_publishers { " (publishers)" } else { "" },
                units::count(url.counts.established),
                units::count(url.counts.attempted),
                units::count(url.counts.completed),
                units::count(url.counts.messages)
            );
            line("url", &said)?;
        }
    }
    let addresses: Vec<_> = target.urls.iter().flat_map(|url| &url.by_address).collect();
    for AddressReport { address, counts } in addresses.iter().take(ADDRESSES_SHOWN_MAX) {
        let mut said = format!("{address}   {} open", units::count(counts.established));
        for (what, count) in
            [("failed", counts.failed), ("dropped for a quicker one", counts.overtaken)]
        {
            if count > 0 {
                write!(said, "   {what} {}", units::count(count))?;
            }
        }
        line("address", &said)?;
    }
    if let Some(more @ 1..) = addresses.len().checked_sub(ADDRESSES_SHOWN_MAX) {
        line("address", &format!("{more} more, in the JSON result"))?;
    }
    for tls in &target.tls {
        let said = format!("{} {}: {}", tls.version, tls.cipher, units::count(tls.count));
        line("tls", &said)?;
    }
    if let Some(http2) = &report.http2 {
        line("http2", &self::http2(http2))?;
    }
    let network = &report.config.network;
    if network.tls_is_insecure {
        line("note", "no certificate was checked (-k)")?;
    }
    if let Some(proxy) = &network.proxy {
        line("note", &format!("through the proxy {proxy}"))?;
    }
    if let Some(path) = &network.unix_socket {
        line("note", &format!("over the socket {path}, not over TCP"))?;
    }
    Ok(())
}
