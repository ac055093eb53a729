//! Turns a host into its addresses, from the flags or from the system's resolver, once for a whole
//! run.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::family::Family;
use super::settings::Network;
use crate::clock::nanos;

/// Names the servers that look up names.
const RESOLVER: &str = "/etc/resolv.conf";

/// The result of resolving a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resolved {
    /// In the order in which to try them.
    pub(super) addresses: Vec<SocketAddr>,
    /// How long the lookup took, if there was one.
    pub(super) dns_ns: Option<u64>,
}

/// The function that looks up names.
type Ask = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// Looks up each name once, however many URLs contain it.
#[derive(Debug)]
pub(super) struct Names<'n> {
    network: &'n Network,
    /// Time limit for each lookup.
    bound: Duration,
    ask: Ask,
    known: HashMap<(String, u16), Resolved>,
}

impl<'n> Names<'n> {
    /// Uses the system's resolver.
    pub(super) fn new(network: &'n Network, bound: Duration) -> Self {
        let ask: Ask = |host, port| (host, port).to_socket_addrs().map(Vec::from_iter);
        Self { network, bound, ask, known: HashMap::new() }
    }

    /// Finds the addresses of `host`.
    ///
    /// # Errors
    /// One line with the host and what is wrong.
    pub(super) fn resolve(&mut self, host: &str, port: u16) -> Result<Resolved, String> {
        let name = (host.to_owned(), port);
        if let Some(known) = self.known.get(&name) {
            return Ok(known.clone());
        }
        let resolved = resolve(host, port, self.network, self.bound, self.ask)?;
        self.known.insert(name, resolved.clone());
        Ok(resolved)
    }
}

fn resolve(
    host: &str,
    port: u16,
    network: &Network,
    bound: Duration,
    ask: Ask,
) -> Result<Resolved, String> {
    let failed = |why: String| format!("host {host:?} can't be resolved: {why}");
    let (found, dns_ns) = if let Some(known) = network.overridden(host, port) {
        (known, None)
    } else if let Ok(ip) = host.parse::<IpAddr>() {
        (vec![SocketAddr::new(ip, port)], None)
    } else {
        let begin = Instant::now();
        let found = look_up(host, port, bound, ask).map_err(failed)?;
        (found, Some(nanos(begin.elapsed())))
    };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        let is_asked = network.family.is_none_or(|family| family.has(address.ip()));
        if is_asked && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        let said = network.family.map_or_else(
            || "it has no address".to_owned(),
            |family| {
                format!("it has no {} address, which {} requires", family.name(), family.flag())
            },
        );
        return Err(failed(said));
    }
    // A connection from a local address needs a target of the same family.
    let has_source = |address: &SocketAddr| {
        network.sources.is_empty() || network.sources.of(0, address.ip()).is_some()
    };
    let shown = addresses[0].ip();
    addresses.retain(has_source);
    if addresses.is_empty() {
        let family = if shown.is_ipv4() { Family::V4 } else { Family::V6 };
        return Err(format!(
            "{host} is {shown}, and --source-ip has no {} address; add one",
            family.name()
        ));
    }
    Ok(Resolved { addresses, dns_ns })
}

/// Says what to do where there is no resolver, as in a root directory with nothing but this program.
fn explained(error: &io::Error, resolver: &Path) -> String {
    if resolver.exists() {
        return error.to_string();
    }
    format!(
        "{error}: there is no {}; use an address instead of the name, or --resolve",
        resolver.display()
    )
}

/// Asks a resolver. A lookup can't be cancelled: a thread stuck in one ends with the process.
fn look_up(host: &str, port: u16, bound: Duration, ask: Ask) -> Result<Vec<SocketAddr>, String> {
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    thread::spawn(move || sender.send(ask(&name, port)));
    match receiver.recv_timeout(bound) {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(explained(&error, Path::new(RESOLVER))),
        Err(_) => Err(format!("no answer within {bound:?} (--connect-timeout)")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;
    use crate::net::Override;
    use crate::net::{SourceRange, Sources};

    const BOUND: Duration = Duration::from_secs(10);

    #[test]
    fn without_a_resolver_an_error_says_what_to_do() {
        let error = io::Error::other("no");
        assert_eq!(explained(&error, Path::new("/")), "no");
        let said = explained(&error, Path::new("/no/such"));
        assert_eq!(
            said,
            "no: there is no /no/such; use an address instead of the name, or --resolve"
        );
    }

    fn resolve(host: &str, network: &Network) -> Result<Resolved, String> {
        Names::new(network, BOUND).resolve(host, 80)
    }

    fn known(addresses: &[&str]) -> Network {
        let addresses = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        let known = Override { host: "h".into(), port: 80, addresses };
        Network { overrides: vec![known], ..Network::default() }
    }

    #[test]
    fn d24_of_many_addresses_each_is_tried_once() {
        let many: Vec<String> = (0..50).map(|n| format!("10.0.0.{}", n % 25)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let resolved = resolve("h", &known(&many)).unwrap();
        assert_eq!((resolved.addresses.len(), resolved.dns_ns), (25, None));
        assert_eq!(resolved.addresses[0].to_string(), "10.0.0.0:80");
    }

    #[test]
    fn d24_a_family_that_is_not_there() {
        let both = known(&["10.0.0.1", "::1"]);
        let v6 = Network { family: Some(Family::V6), ..both };
        let found = resolve("h", &v6).unwrap().addresses;
        assert_eq!(found, ["[::1]:80".parse::<SocketAddr>().unwrap()]);
        let said = resolve("127.0.0.1", &v6).unwrap_err();
        assert!(said.contains("it has no IPv6 address"), "{said}");
        let sources = Sources::new(vec![SourceRange::parse("::1").unwrap()]);
        let said = resolve("127.0.0.1", &Network { sources, ..known(&["::1"]) }).unwrap_err();
        assert_eq!(said, "127.0.0.1 is 127.0.0.1, and --source-ip has no IPv4 address; add one");
    }

    #[test]
    fn a_name_of_this_machine_takes_time_to_look_up() {
        let resolved = resolve("localhost", &Network::default()).unwrap();
        assert!(resolved.dns_ns.is_some());
        assert!(resolved.addresses.iter().all(|address| address.ip().is_loopback()));
    }

    #[test]
    fn d24_a_resolver_that_never_answers_is_waited_for_no_longer_than_the_bound() {
        let network = Network::default();
        let ask: Ask = |_, _| {
            thread::sleep(Duration::from_secs(3_600));
            Ok(Vec::new())
        };
        let bound = Duration::from_millis(50);
        let mut names = Names { ask, ..Names::new(&network, bound) };
        let begin = Instant::now();
        let said = names.resolve("slow.example", 80).unwrap_err();
        assert!(begin.elapsed() >= bound);
        assert_eq!(
            said,
            "host \"slow.example\" can't be resolved: no answer within 50ms (--connect-timeout)"
        );
    }

    #[test]
    fn d24_a_slow_name_is_looked_up_once_and_the_time_is_told() {
        static ASKED: AtomicU64 = AtomicU64::new(0);
        let network = Network::default();
        let ask: Ask = |host, port| {
            ASKED.fetch_add(1, Relaxed);
            thread::sleep(Duration::from_millis(30));
            let last = if host == "a.example" { 1 } else { 2 };
            Ok(vec![SocketAddr::from(([192, 0, 2, last], port))])
        };
        let mut names = Names { ask, ..Names::new(&network, BOUND) };
        for _ in 0..1_000 {
            let found = names.resolve("a.example", 80).unwrap();
            assert_eq!(found.addresses[0].to_string(), "192.0.2.1:80");
            assert!(found.dns_ns >= Some(30_000_000), "{found:?}");
        }
        assert_eq!(
            names.resolve("b.example", 80).unwrap().addresses[0].ip().to_string(),
            "192.0.2.2"
        );
        assert_eq!(names.resolve("a.example", 81).unwrap().addresses[0].port(), 81);
        assert_eq!(ASKED.load(Relaxed), 3);
    }
}
