//! What this machine allows to what a run asks of it: descriptors and ports, and the command that
//! fixes a shortage.
//!
//! Apart from the rest because it is the only module that reads `/proc` and changes a limit of the
//! process. Everything that judges is pure: [`Host::shortages`] compares two values, and a test
//! makes both.

use std::fmt;
use std::fs;
use std::io;
use std::ops::RangeInclusive;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that a process needs beside its connections: standard streams, the epoll instance
/// and waker of each thread, listener, output files.
const DESCRIPTORS_BASE: u64 = 24;
/// Epoll instance, waker and timer of one thread.
const DESCRIPTORS_PER_THREAD: u64 = 4;

/// How many descriptors this process may have open; `None` is without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescriptorLimit {
    /// The limit in force.
    pub soft: Option<u64>,
    /// How far the process may raise it by itself.
    pub hard: Option<u64>,
}

impl DescriptorLimit {
    /// The limits as they are.
    #[must_use]
    pub fn read() -> Self {
        let limit = getrlimit(Resource::Nofile);
        Self { soft: limit.current, hard: limit.maximum }
    }

    /// Raises the soft limit to the hard one, and says what holds then.
    ///
    /// # Errors
    /// What the system says when it refuses.
    pub fn raise() -> io::Result<Self> {
        let limit = Self::read();
        if limit.soft == limit.hard {
            return Ok(limit);
        }
        setrlimit(Resource::Nofile, Rlimit { current: limit.hard, maximum: limit.hard })?;
        Ok(Self::read())
    }
}

/// What a run needs of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Connections that this process opens and holds at once.
    pub connections: u64,
    /// Connections that this process accepts at once: those of an embedded server.
    pub accepted: u64,
    /// Threads with a runtime of their own, client and server together.
    pub threads: u64,
    /// Different pairs of a source and a target address and port that the connections are spread
    /// over, at least 1.
    pub routes: u64,
}

impl Demand {
    /// Descriptors that this comes to.
    #[must_use]
    pub const fn descriptors(&self) -> u64 {
        DESCRIPTORS_BASE
            .saturating_add(self.threads.saturating_mul(DESCRIPTORS_PER_THREAD))
            .saturating_add(self.connections)
            .saturating_add(self.accepted)
    }
}

/// What the machine grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Descriptors of this process.
    pub descriptors: DescriptorLimit,
    /// The most that anyone may raise the hard limit to (`fs.nr_open`), where it could be read.
    pub descriptors_max: Option<u64>,
    /// Local ports that outgoing connections are given, where that could be read.
    pub ports: Option<RangeInclusive<u16>>,
}

impl Host {
    /// Reads what holds now; changes nothing.
    #[must_use]
    pub fn read() -> Self {
        let proc = |path| fs::read_to_string(path).ok();
        Self {
            descriptors: DescriptorLimit::read(),
            descriptors_max: proc("/proc/sys/fs/nr_open").and_then(|text| text.trim().parse().ok()),
            ports: proc("/proc/sys/net/ipv4/ip_local_port_range")
                .and_then(|text| parse_port_range(&text)),
        }
    }

    /// What `demand` asks for and this machine doesn't grant; empty when the run can go ahead.
    #[must_use]
    pub fn shortages(&self, demand: &Demand) -> Vec<Shortage> {
        let mut shortages = Vec::new();
        let needed = demand.descriptors();
        if let Some(granted) = self.descriptors.soft.filter(|&granted| granted < needed) {
            shortages.push(Shortage::Descriptors {
                needed,
                granted,
                hard: self.descriptors.hard,
                system_max: self.descriptors_max,
            });
        }
        if let Some(ports) = &self.ports {
            let per_route = u64::from(ports.end() - ports.start()) + 1;
            let granted = per_route.saturating_mul(demand.routes.max(1));
            if demand.connections > granted {
                shortages.push(Shortage::Ports {
                    needed: demand.connections,
                    granted,
                    range: ports.clone(),
                });
            }
        }
        shortages
    }
}

impl Host {
    /// Returns the fewest processes, of at most `most`, each of which can have what it needs; `None`
    /// if it can't whatever their number. `demand` says what one of so many processes needs.
    #[must_use]
    pub fn processes(&self, most: u64, demand: impl Fn(u64) -> Demand) -> Option<u64> {
        (1..=most).find(|&processes| self.shortages(&demand(processes)).is_empty())
    }
}

/// `32768\t60999` as the kernel writes it.
fn parse_port_range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    let (first, last) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (first <= last).then_some(first..=last)
}

/// Something that a run needs and the machine doesn't grant. `Display` explains it and ends with
/// the command that helps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shortage {
    /// Too few descriptors.
    Descriptors {
        /// What the run needs.
        needed: u64,
        /// The soft limit, after it was raised.
        granted: u64,
        /// The hard limit; `None` is without limit.
        hard: Option<u64>,
        /// `fs.nr_open`, where it could be read.
        system_max: Option<u64>,
    },
    /// Too few local ports for so many connections to so few addresses.
    Ports {
        /// Connections that the run opens.
        needed: u64,
        /// Connections that the ports are enough for.
        granted: u64,
        /// The ports that outgoing connections are given.
        range: RangeInclusive<u16>,
    },
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Descriptors { needed, granted, hard, system_max } => {
                write!(
                    f,
                    "{needed} descriptors are needed, and this process may open {granted}: "
                )?;
                if hard.is_none_or(|hard| hard >= *needed) {
                    return write!(f, "ulimit -n {needed}");
                }
                if system_max.is_some_and(|max| max < *needed) {
                    write!(f, "sudo sysctl -w fs.nr_open={needed} && ")?;
                }
                // A hard limit is raised by root only, from outside of the shell that has it.
                write!(f, "sudo prlimit --pid $$ --nofile={needed}:{needed}")
            }
            Self::Ports { needed, granted, range } => write_ports(f, *needed, *granted, range),
        }
    }
}

impl std::error::Error for Shortage {}

fn write_ports(
    f: &mut fmt::Formatter<'_>,
    needed: u64,
    granted: u64,
    range: &RangeInclusive<u16>,
) -> fmt::Result {
    /// The most that `ip_local_port_range` can be widened to: ports below are for services.
    const WIDEST: RangeInclusive<u16> = 1024..=65_535;
    let (first, last) = (range.start(), range.end());
    write!(
        f,
        "{needed} connections need as many local ports, and {first}-{last} are enough for {granted}: "
    )?;
    let routes = granted / (u64::from(last - first) + 1).max(1);
    if needed <= (u64::from(WIDEST.end() - WIDEST.start()) + 1).saturating_mul(routes) {
        write!(f, "sudo sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"")
    } else {
        f.write_str(
            "spread them over more source addresses (--source-ip), or more target addresses",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(soft: u64, hard: u64) -> Host {
        Host {
            descriptors: DescriptorLimit { soft: Some(soft), hard: Some(hard) },
            descriptors_max: Some(1_048_576),
            ports: Some(32_768..=60_999),
        }
    }

    fn demand(connections: u64) -> Demand {
        Demand { connections, accepted: 0, threads: 2, routes: 1 }
    }

    #[test]
    fn raising_makes_the_soft_limit_the_hard_one() {
        let limit = DescriptorLimit::raise().unwrap();
        assert_eq!(limit.soft, limit.hard);
        assert_eq!(limit, DescriptorLimit::read());
    }

    #[test]
    fn a_run_that_fits_has_no_shortage() {
        assert_eq!(host(20_000, 20_000).shortages(&demand(10_000)), []);
        let unlimited = DescriptorLimit { soft: None, hard: None };
        let host = Host { descriptors: unlimited, descriptors_max: None, ports: None };
        assert_eq!(host.shortages(&demand(u64::MAX)), []);
    }

    #[test]
    fn the_edge_of_the_descriptors_is_exact() {
        let needed = demand(1000).descriptors();
        assert_eq!(needed, 1000 + DESCRIPTORS_BASE + 2 * DESCRIPTORS_PER_THREAD);
        assert_eq!(host(needed, needed).shortages(&demand(1000)), []);
        assert_eq!(host(needed - 1, needed).shortages(&demand(1000)).len(), 1);
    }

    #[test]
    fn an_embedded_server_takes_a_descriptor_more_a_connection() {
        let both = Demand { accepted: 1000, ..demand(1000) };
        assert_eq!(both.descriptors(), demand(2000).descriptors());
    }

    #[test]
    fn a_process_more_is_taken_only_where_it_helps() {
        let of = |connections: u64| {
            host(1_032, 1_032).processes(9, |processes| demand(connections.div_ceil(processes)))
        };
        assert_eq!(
            [1, 1_000, 1_001, 9_000, 9_001].map(of),
            [Some(1), Some(1), Some(2), Some(9), None]
        );
    }

    #[test]
    fn descriptors_below_the_hard_limit_are_a_matter_of_ulimit() {
        let said = host(100, 20_000).shortages(&demand(1000))[0].to_string();
        assert_eq!(
            said,
            "1032 descriptors are needed, and this process may open 100: ulimit -n 1032"
        );
    }

    #[test]
    fn descriptors_above_the_hard_limit_need_root() {
        let said = host(100, 100).shortages(&demand(1000))[0].to_string();
        assert!(said.ends_with(": sudo prlimit --pid $$ --nofile=1032:1032"), "{said}");
    }

    #[test]
    fn descriptors_above_the_systems_limit_raise_that_first() {
        let said = host(100, 100).shortages(&Demand { routes: 100, ..demand(2_000_000) });
        let said = said[0].to_string();
        assert!(said.contains("sysctl -w fs.nr_open=2000032 && sudo prlimit"), "{said}");
    }

    #[test]
    fn ports_are_counted_by_route() {
        let fits = demand(60_999 - 32_768 + 1);
        assert_eq!(host(100_000, 100_000).shortages(&fits), []);
        let over = Demand { connections: fits.connections + 1, ..fits };
        let shortages = host(100_000, 100_000).shortages(&over);
        let said = shortages[0].to_string();
        assert_eq!(shortages.len(), 1);
        assert!(said.contains("32768-60999 are enough for 28232"), "{said}");
        assert!(said.ends_with("sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\""), "{said}");
        assert_eq!(host(100_000, 100_000).shortages(&Demand { routes: 2, ..over }), []);
    }

    #[test]
    fn more_connections_than_a_route_has_ports_need_more_addresses() {
        let said = host(100_000, 100_000).shortages(&demand(70_000))[0].to_string();
        assert!(said.contains("(--source-ip)"), "{said}");
    }

    #[test]
    fn a_port_range_is_read_as_the_kernel_writes_it() {
        assert_eq!(parse_port_range("32768\t60999\n"), Some(32_768..=60_999));
        for bad in ["", "1", "a b", "5 4", "1 65536"] {
            assert_eq!(parse_port_range(bad), None, "{bad:?}");
        }
    }
}
