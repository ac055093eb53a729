//! Chooses the address that a connection comes from, out of addresses and networks of this machine.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::family::Family;

/// Consecutive addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRange {
    first: IpAddr,
    len: u64,
    prefix: Option<u8>,
}

impl SourceRange {
    /// Returns the first `len` addresses of the loopback after 127.0.0.1.
    #[must_use]
    pub const fn of_loopback(len: u64) -> Self {
        Self { first: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), len, prefix: None }
    }

    /// Reads an address, or a network such as `10.0.0.0/24`, whose hosts are taken.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        const HELP: &str = "use an address or a network, like 10.0.0.7 or 10.0.0.0/24";
        let Some((ip, prefix)) = text.split_once('/') else {
            let first = text.parse().map_err(|_| format!("not an address; {HELP}"))?;
            return Ok(Self { first, len: 1, prefix: None });
        };
        let ip: IpAddr = ip.parse().map_err(|_| format!("not an address; {HELP}"))?;
        let bits = if ip.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = prefix
            .parse()
            .ok()
            .filter(|&prefix| prefix <= bits)
            .ok_or_else(|| format!("the prefix is not 0 to {bits}; {HELP}"))?;
        let host_bits = u32::from(bits - prefix);
        let number = number_of(ip);
        let network = number >> host_bits.min(127) << host_bits.min(127);
        let network = if host_bits == 128 { 0 } else { network };
        let all = 1_u64.checked_shl(host_bits).filter(|_| host_bits < 64).unwrap_or(u64::MAX);
        // In IPv4, the first address names the network and the last is its broadcast address.
        let (skipped, len) = if ip.is_ipv4() && host_bits > 1 { (1, all - 2) } else { (0, all) };
        let first = ip_of(network + skipped, ip.is_ipv4());
        Ok(Self { first, len, prefix: Some(prefix) })
    }

    fn nth(self, n: u64) -> IpAddr {
        let number = number_of(self.first).wrapping_add(u128::from(n % self.len));
        ip_of(number, self.first.is_ipv4())
    }
}

impl fmt::Display for SourceRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix {
            None if self.len > 1 => write!(f, "{}-{}", self.first, self.nth(self.len - 1)),
            None => self.first.fmt(f),
            Some(prefix) => write!(f, "{} and on, /{prefix}", self.first),
        }
    }
}

fn number_of(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

fn ip_of(number: u128, is_v4: bool) -> IpAddr {
    if is_v4 {
        Ipv4Addr::from_bits(u32::try_from(number & 0xffff_ffff).unwrap_or(0)).into()
    } else {
        Ipv6Addr::from_bits(number).into()
    }
}

/// The addresses to connect from, in turn; if empty, the system chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(Vec<SourceRange>);

impl Sources {
    /// Chains ranges in this order.
    #[must_use]
    pub fn new(ranges: Vec<SourceRange>) -> Self {
        Self(ranges)
    }

    /// Checks whether the system chooses.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of addresses of a family.
    #[must_use]
    pub fn addresses_of(&self, family: Family) -> u64 {
        let of = self.0.iter().filter(|range| family.has(range.first));
        of.fold(0, |sum, range| sum.saturating_add(range.len))
    }

    /// Returns the address that a connection to `target` comes from, for the `turn`th connection of
    /// those that take the addresses in turn; `None` lets the system choose.
    #[must_use]
    pub fn of(&self, turn: u64, target: IpAddr) -> Option<IpAddr> {
        let family = if target.is_ipv4() { Family::V4 } else { Family::V6 };
        let all = self.addresses_of(family);
        let mut n = turn.checked_rem(all)?;
        for range in self.0.iter().filter(|range| family.has(range.first)) {
            if n < range.len {
                return Some(range.nth(n));
            }
            n -= range.len;
        }
        None
    }

    /// Returns the first `len` addresses, or all if there are fewer.
    pub(super) fn first(&self, len: u64) -> impl Iterator<Item = IpAddr> {
        let each = move |range: &SourceRange| {
            let range = *range;
            (0..range.len).map(move |n| range.nth(n))
        };
        self.0.iter().flat_map(each).take(usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// Returns the ranges.
    pub fn ranges(&self) -> impl Iterator<Item = &SourceRange> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(texts: &[&str]) -> Sources {
        Sources::new(texts.iter().map(|text| SourceRange::parse(text).unwrap()).collect())
    }

    #[test]
    fn networks_are_the_hosts_in_them() {
        for (text, first, len) in [
            ("127.0.0.1", "127.0.0.1", 1),
            ("127.0.0.77/24", "127.0.0.1", 254),
            ("10.0.0.8/31", "10.0.0.8", 2),
            ("10.0.0.8/32", "10.0.0.8", 1),
            ("10.0.0.9/30", "10.0.0.9", 2),
            ("0.0.0.0/0", "0.0.0.1", (1 << 32) - 2),
            ("::1", "::1", 1),
            ("fd00::5/126", "fd00::4", 4),
            ("fd00::5/128", "fd00::5", 1),
            ("fd00::5/64", "fd00::", u64::MAX),
            ("::/0", "::", u64::MAX),
        ] {
            let range = SourceRange::parse(text).unwrap();
            assert_eq!((range.first.to_string().as_str(), range.len), (first, len), "{text}");
        }
        for bad in ["", "x", "1.2.3", "1.2.3.4/33", "1.2.3.4/-1", "::1/129", "1.2.3.4/"] {
            assert!(SourceRange::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_of_the_loopback_follow_each_other() {
        let range = SourceRange::of_loopback(255);
        assert_eq!(range.to_string(), "127.0.0.2-127.0.1.0");
        assert_eq!(SourceRange::of_loopback(1).to_string(), "127.0.0.2");
        let sources = Sources::new(vec![range]);
        let target = "127.0.0.1".parse().unwrap();
        assert_eq!(sources.of(254, target), Some("127.0.1.0".parse().unwrap()));
        assert_eq!(sources.of(255, target), Some("127.0.0.2".parse().unwrap()));
    }

    #[test]
    fn connections_take_them_in_turn_and_by_family() {
        let sources = sources(&["127.0.0.5", "10.0.0.0/30", "::1"]);
        let v4 = "192.0.2.1".parse().unwrap();
        let taken: Vec<_> = (0..4).map(|n| sources.of(n, v4).unwrap().to_string()).collect();
        assert_eq!(taken, ["127.0.0.5", "10.0.0.1", "10.0.0.2", "127.0.0.5"]);
        let v6 = "2001:db8::1".parse().unwrap();
        assert_eq!(sources.of(17, v6), Some("::1".parse().unwrap()));
        assert_eq!(Sources::default().of(0, v4), None);
        assert_eq!(super::Sources::new(vec![]).addresses_of(Family::V4), 0);
    }
}
