//! Decides how many processes a run takes, and from which addresses they connect. Pure.

use crate::config::{CONNECTIONS_MAX, Config, Processes};
use crate::host::{Demand, Host};
use crate::member::PROCESSES_MAX;
use crate::quota;
use crate::units;

/// How much of the ports of an address of the loopback is used, of 100: the kernel looks longer for
/// a free port the fewer there are, and first only among every second one.
const PORTS_USED: u64 = 25;
/// Addresses that are taken to connect from at most, of the 16 million of the loopback.
const SOURCES_MAX: u64 = 60_000;

/// What a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Muster {
    /// Processes, at least 1.
    pub processes: u64,
    /// Addresses of the loopback to connect from, from 127.0.0.2 on; 0 leaves it to the system.
    pub loopback_sources: u64,
}

/// Decides what a run takes on this machine. `pairs` is the number of pairs of addresses that its
/// connections are spread over, and `may_spread` whether more addresses may be used.
///
/// # Errors
/// One line: why there can't be several processes, if they were asked for.
pub fn muster(
    config: &Config,
    host: &Host,
    pairs: u64,
    may_spread: bool,
) -> Result<Muster, String> {
    let obstacle = obstacle(config);
    let processes = match (config.processes, obstacle) {
        (Processes::Exactly(number), Some(why)) if number.get() > 1 => return Err(why),
        (Processes::Exactly(number), _) => number.get(),
        (Processes::Auto, Some(_)) => 1, // whatever is short is said by the check for that
        (Processes::Auto, None) => needed(config, host).unwrap_or(1),
    };
    Ok(Muster {
        processes,
        loopback_sources: if may_spread { sources(config, host, pairs) } else { 0 },
    })
}

impl Muster {
    /// Says what begins: connections, processes, and where they come from.
    #[must_use]
    pub fn said(&self, config: &Config, host: &Host) -> Option<String> {
        let connections = units::counted(config.connections_of_all(), "connection");
        let mut parts = Vec::new();
        if self.processes > 1 {
            let each = config.connections_of_all().div_ceil(self.processes);
            let limit = match host.descriptors.soft {
                Some(limit) if config.processes == Processes::Auto => {
                    format!(" (descriptors: {} a process)", units::count(limit))
                }
                _ => String::new(),
            };
            let each = units::count(each);
            parts.push(format!("{} processes of {each} each{limit}", self.processes));
        }
        if self.loopback_sources > 0 {
            let range = crate::net::SourceRange::of_loopback(self.loopback_sources);
            parts.push(format!("sources {range}"));
        }
        (!parts.is_empty()).then(|| format!("{connections}: {}", parts.join(", ")))
    }
}

/// Returns why a run can't be made by several processes, if so.
fn obstacle(config: &Config) -> Option<String> {
    let with = "--processes with";
    if config.is_embedded() {
        return Some(format!(
            "{with}out a URL: the embedded server is one process; start \
             `loadgen serve --processes auto --max-connections {}` and name its URL",
            config.connections
        ));
    }
    if config.segment.is_some() {
        return Some(format!("{with} --segment: run more segments instead"));
    }
    if config.reads_stream {
        return Some(format!(
            "{with} messages or sizes from stdin: every process reads them; put them into a file"
        ));
    }
    let is_closed = config.fanout().is_some_and(|fanout| !fanout.load.is_scheduled());
    is_closed.then(|| {
        format!("{with} fanout needs -R: a publisher can't wait for copies that others receive")
    })
}

/// Returns the fewest processes that can hold all connections; `None` if none can.
fn needed(config: &Config, host: &Host) -> Option<u64> {
    let connections = config.sockets_of_all();
    let demand = |processes| Demand {
        connections: connections.div_ceil(processes),
        accepted: 0,
        threads: threads(config, processes),
        routes: u64::MAX,
    };
    let least = connections.div_ceil(CONNECTIONS_MAX);
    let found = host.processes(PROCESSES_MAX.min(config.connections), demand)?;
    Some(found.max(least))
}

/// Returns the threads of each of so many processes.
fn threads(config: &Config, processes: u64) -> u64 {
    if processes > 1 && !config.is_threads_asked {
        (quota::processors().get() as u64 / processes).max(1)
    } else {
        config.threads.get() as u64
    }
}

/// Returns how many addresses of the loopback to connect from; 0 if ports are enough without.
fn sources(config: &Config, host: &Host, pairs: u64) -> u64 {
    let Some(ports) = &host.ports else { return 0 };
    let ports = u64::from(ports.end() - ports.start()) + 1;
    let connections = config.sockets_of_all();
    if connections <= ports.saturating_mul(pairs) {
        return 0;
    }
    let each = (ports * PORTS_USED / 100).max(1).saturating_mul(pairs.max(1));
    connections.div_ceil(each).min(SOURCES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, Parsed, parse};
    use crate::host::DescriptorLimit;

    fn config(line: &str) -> Config {
        let Parsed::Command(command) = parse(line.split(' ').map(Into::into)) else { panic!() };
        match *command {
            Command::Hold(args) => Config::of_hold(args).unwrap(),
            Command::Run(args) => Config::of_run(args).unwrap(),
            Command::Fanout(args) => Config::of_fanout(args).unwrap(),
            _ => panic!("{line}"),
        }
    }

    fn host(descriptors: u64) -> Host {
        Host {
            descriptors: DescriptorLimit { soft: Some(descriptors), hard: Some(descriptors) },
            descriptors_max: None,
            ports: Some(32_768..=60_999),
        }
    }

    fn of(line: &str, descriptors: u64) -> Muster {
        muster(&config(line), &host(descriptors), 1, true).unwrap()
    }

    #[test]
    fn as_few_processes_as_can_hold_all_connections() {
        for (asked, processes, sources) in [
            ("-c 10k -t 1", 1, 0),
            // One process has 20,000 descriptors, less those for itself and its thread.
            ("-c 19972 -t 1", 1, 0),
            ("-c 19973 -t 1", 2, 0),
            ("-c 28232", 2, 0),
            ("-c 28233", 2, 5),
            ("-c 1m", 51, 142),
            ("-c 2m", 101, 284),
            ("-c 10k --processes 3", 3, 0),
            ("-c 1m --processes 1", 1, 142),
        ] {
            let found = of(&format!("loadgen hold ws://127.0.0.1:9/ {asked}"), 20_000);
            let numbers = (found.processes, found.loopback_sources);
            assert_eq!(numbers, (processes, sources), "{asked}");
        }
        assert_eq!(of("loadgen hold ws://127.0.0.1:9/ -c 2m", 1 << 30).processes, 2);
    }

    #[test]
    fn what_begins_is_said_before() {
        let said = |line: &str| {
            let config = config(line);
            let host = host(20_000);
            muster(&config, &host, 1, true).unwrap().said(&config, &host)
        };
        assert_eq!(
            said("loadgen hold ws://127.0.0.1:9/ -c 1m").unwrap(),
            "1,000,000 connections: 51 processes of 19,608 each (descriptors: 20,000 a process), \
             sources 127.0.0.2-127.0.0.143"
        );
        assert_eq!(
            said("loadgen hold ws://127.0.0.1:9/ -c 10 --processes 3").unwrap(),
            "10 connections: 3 processes of 4 each"
        );
        assert_eq!(said("loadgen hold ws://127.0.0.1:9/ -c 10"), None);
    }

    #[test]
    fn what_several_processes_cannot_do_is_refused_in_a_line() {
        for (line, why) in [
            ("loadgen hold --processes 2", "serve --processes auto --max-connections 100`"),
            ("loadgen fanout ws://127.0.0.1:9/ --processes 2", "fanout needs -R"),
        ] {
            let said = muster(&config(line), &host(20_000), 1, true).unwrap_err();
            assert!(said.contains(why) && !said.contains('\n'), "{line}: {said}");
        }
        // Without asking for processes it is one, and what is short is said elsewhere.
        assert_eq!(of("loadgen run -c 100k", 20_000).processes, 1);
    }
}
