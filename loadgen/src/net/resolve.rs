//! A host to its addresses: as they were given, or as the system's resolver knows them, once for a
//! whole run.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::nanos;
use crate::config::{Family, Network};

/// What a name came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Resolved {
    /// In the order in which they are to be tried.
    pub(super) addresses: Vec<SocketAddr>,
    /// How long looking it up took, if it was.
    pub(super) dns_ns: Option<u64>,
}

/// Finds the addresses of `host`, within a bound.
///
/// # Errors
/// One line with the host and what is wrong.
pub(super) fn resolve(
    host: &str,
    port: u16,
    network: &Network,
    bound: Duration,
) -> Result<Resolved, String> {
    let failed = |why: String| format!("host {host:?} can't be resolved: {why}");
    let (found, dns_ns) = if let Some(known) = network.overridden(host, port) {
        (known, None)
    } else if let Ok(ip) = host.parse::<IpAddr>() {
        (vec![SocketAddr::new(ip, port)], None)
    } else {
        let begin = Instant::now();
        let found = look_up(host, port, bound).map_err(failed)?;
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
        let kind = network.family.map_or("", Family::name);
        return Err(failed(format!("it has no {kind} address").replace("  ", " ")));
    }
    // A connection from an address of this machine goes to one of the same family.
    let has_source = |address: &SocketAddr| {
        network.sources.is_empty() || network.sources.of(0, address.ip()).is_some()
    };
    let shown = addresses[0].ip();
    addresses.retain(has_source);
    if addresses.is_empty() {
        let family = if shown.is_ipv4() { Family::V4 } else { Family::V6 };
        return Err(format!("{host} is {shown}, and --source-ip has no {} address", family.name()));
    }
    Ok(Resolved { addresses, dns_ns })
}

/// Asks the system's resolver, which can't be told to hurry: a thread that it holds on to ends with
/// the process.
fn look_up(host: &str, port: u16, bound: Duration) -> Result<Vec<SocketAddr>, String> {
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    thread::spawn(move || sender.send((name.as_str(), port).to_socket_addrs().map(Vec::from_iter)));
    match receiver.recv_timeout(bound) {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {bound:?} (--connect-timeout)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Override;
    use crate::net::{SourceRange, Sources};

    const BOUND: Duration = Duration::from_secs(10);

    fn known(addresses: &[&str]) -> Network {
        let addresses = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        let known = Override { host: "h".into(), port: 80, addresses };
        Network { overrides: vec![known], ..Network::default() }
    }

    #[test]
    fn d24_of_many_addresses_each_is_tried_once() {
        let many: Vec<String> = (0..50).map(|n| format!("10.0.0.{}", n % 25)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let resolved = resolve("h", 80, &known(&many), BOUND).unwrap();
        assert_eq!((resolved.addresses.len(), resolved.dns_ns), (25, None));
        assert_eq!(resolved.addresses[0].to_string(), "10.0.0.0:80");
    }

    #[test]
    fn d24_a_family_that_is_not_there() {
        let both = known(&["10.0.0.1", "::1"]);
        let v6 = Network { family: Some(Family::V6), ..both };
        let found = resolve("h", 80, &v6, BOUND).unwrap().addresses;
        assert_eq!(found, ["[::1]:80".parse::<SocketAddr>().unwrap()]);
        let said = resolve("127.0.0.1", 80, &v6, BOUND).unwrap_err();
        assert!(said.contains("it has no IPv6 address"), "{said}");
        let sources = Sources::new(vec![SourceRange::parse("::1").unwrap()]);
        let said =
            resolve("127.0.0.1", 80, &Network { sources, ..known(&["::1"]) }, BOUND).unwrap_err();
        assert_eq!(said, "127.0.0.1 is 127.0.0.1, and --source-ip has no IPv4 address");
    }

    #[test]
    fn a_name_of_this_machine_takes_time_to_look_up() {
        let resolved = resolve("localhost", 80, &Network::default(), BOUND).unwrap();
        assert!(resolved.dns_ns.is_some());
        assert!(resolved.addresses.iter().all(|address| address.ip().is_loopback()));
    }
}
