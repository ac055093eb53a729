//! Compares facts about a machine with what a run needs: lists what is enough, what is not, and
//! which command helps. Pure.

use serde::Serialize;

use super::facts::Facts;
use crate::host::{Demand, Shortage};
use crate::member::PROCESSES_MAX;
use crate::units;

/// Memory of an idle connection, in bytes: 4.2 KiB in the kernel (measured from its slabs, Linux
/// 6.18) and less than one KiB in this program.
const CONNECTION_SIZE: u64 = 5 << 10;
/// Memory of a further process with nothing open, in bytes: an estimate, with its program's pages.
const PROCESS_SIZE: u64 = 8 << 20;
/// Connections that arrive at once from here on are waiting to be accepted: what servers have room
/// for when they are set up well.
const QUEUE_LEN: u64 = 4_096;
/// Half-open ones.
const SYN_QUEUE_LEN: u64 = 1_024;
/// Clock sources that are read from a register. Others cost a system call, or a microsecond.
const FAST_CLOCKS: [&str; 5] =
    ["tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "riscv_clocksource"];

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) state: State,
    pub(super) said: String,
    /// The command that helps.
    pub(super) fix: Option<String>,
}

/// How good the result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Enough.
    Ok,
    /// Not enough.
    Low,
    /// The system doesn't say.
    Unknown,
}

impl State {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Low => "low",
            Self::Unknown => "unknown",
        }
    }
}

impl Check {
    fn ok(name: &'static str, said: impl Into<String>) -> Self {
        Self { name, state: State::Ok, said: said.into(), fix: None }
    }

    fn low(name: &'static str, said: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, state: State::Low, said: said.into(), fix: Some(fix.into()) }
    }

    fn unknown(name: &'static str) -> Self {
        Self { name, state: State::Unknown, said: "this system doesn't say".into(), fix: None }
    }
}

/// Checks all facts.
pub(super) fn checks(facts: &Facts, demand: &Demand) -> Vec<Check> {
    let mut checks = vec![
        descriptors(facts, demand),
        files(facts, demand),
        ports(facts, demand),
        tw_reuse(facts),
        queue("somaxconn", "net.core.somaxconn", facts.somaxconn, demand, QUEUE_LEN),
        queue(
            "syn backlog",
            "net.ipv4.tcp_max_syn_backlog",
            facts.syn_backlog,
            demand,
            SYN_QUEUE_LEN,
        ),
    ];
    checks.extend([
        conntrack(facts, demand),
        memory(facts, demand),
        processors(facts),
        quota(facts),
        governor(facts),
        clock(facts),
    ]);
    checks
}

fn descriptors(facts: &Facts, demand: &Demand) -> Check {
    const NAME: &str = "descriptors";
    let shortages = facts.host.shortages(demand);
    let of = |shortage: &&Shortage| matches!(shortage, Shortage::Descriptors { .. });
    if let Some(shortage) = shortages.iter().find(of) {
        let granted = facts.host.descriptors.soft.unwrap_or(0);
        return match processes(facts, demand) {
            Some(number) => Check::ok(
                NAME,
                format!(
                    "{} a process: {number} processes of {} connections each (--processes auto)",
                    units::count(granted),
                    units::count(demand.connections.div_ceil(number))
                ),
            ),
            None => said_and_fix(NAME, shortage),
        };
    }
    let granted = facts.host.descriptors.soft.map_or("no limit".into(), units::count);
    Check::ok(NAME, format!("{granted}, {} needed", units::count(demand.descriptors())))
}

/// Returns how many processes a run takes; `None` if no number of them is enough.
fn processes(facts: &Facts, demand: &Demand) -> Option<u64> {
    let each = |processes| Demand {
        connections: demand.connections.div_ceil(processes),
        threads: (facts.processors / processes).max(1),
        routes: u64::MAX,
        ..*demand
    };
    facts.host.processes(PROCESSES_MAX.min(demand.connections), each)
}

fn files(facts: &Facts, demand: &Demand) -> Check {
    const NAME: &str = "all descriptors";
    let Some((used, most)) = facts.files else { return Check::unknown(NAME) };
    let more = processes(facts, demand).unwrap_or(1) - 1;
    let more = Demand { connections: 0, accepted: 0, ..*demand }.descriptors() * more;
    let needed = used.saturating_add(demand.descriptors()).saturating_add(more);
    let said = format!(
        "{} of the whole system, {} with those in use",
        units::count(most),
        units::count(needed)
    );
    if needed <= most {
        Check::ok(NAME, said)
    } else {
        Check::low(NAME, said, format!("sudo sysctl -w fs.file-max={}", needed.saturating_mul(2)))
    }
}

fn ports(facts: &Facts, demand: &Demand) -> Check {
    const NAME: &str = "local ports";
    let Some(range) = &facts.host.ports else { return Check::unknown(NAME) };
    let shortages = facts.host.shortages(demand);
    if let Some(shortage) = shortages.iter().find(|it| matches!(it, Shortage::Ports { .. })) {
        let check = said_and_fix(NAME, shortage);
        // Nothing need be done for that; elsewhere it is up to the user.
        let fix = check.fix.map(|fix| format!("{fix}; to 127.0.0.1, a run spreads them by itself"));
        return Check { fix, ..check };
    }
    let each = u64::from(range.end() - range.start()) + 1;
    let pairs = if demand.routes == 1 {
        String::new()
    } else {
        format!(" for each of {} pairs of addresses", units::count(demand.routes))
    };
    Check::ok(NAME, format!("{}-{}: {}{pairs}", range.start(), range.end(), units::count(each)))
}

/// Splits a shortage's text into the problem and the command that helps, which ends it.
fn said_and_fix(name: &'static str, shortage: &Shortage) -> Check {
    let text = shortage.to_string();
    match text.split_once(": ") {
        Some((said, fix)) => Check::low(name, said, fix),
        None => Check { name, state: State::Low, said: text, fix: None },
    }
}

fn tw_reuse(facts: &Facts) -> Check {
    const NAME: &str = "port reuse";
    match facts.tw_reuse {
        None => Check::unknown(NAME),
        Some(0) => Check::low(
            NAME,
            "tcp_tw_reuse 0: a port rests for a minute after its connection",
            "sudo sysctl -w net.ipv4.tcp_tw_reuse=1",
        ),
        Some(2) => Check::ok(NAME, "tcp_tw_reuse 2: at once on the loopback, else after a minute"),
        Some(value) => Check::ok(NAME, format!("tcp_tw_reuse {value}")),
    }
}

fn queue(
    name: &'static str,
    sysctl: &str,
    found: Option<u64>,
    demand: &Demand,
    enough: u64,
) -> Check {
    let Some(found) = found else { return Check::unknown(name) };
    let needed = demand.connections.min(enough);
    let said =
        format!("{} may wait for a server on this machine", units::counted(found, "connection"));
    if found >= needed {
        Check::ok(name, said)
    } else {
        Check::low(name, said, format!("sudo sysctl -w {sysctl}={enough}"))
    }
}

fn conntrack(facts: &Facts, demand: &Demand) -> Check {
    const NAME: &str = "conntrack";
    let Some((used, most)) = facts.conntrack else {
        return Check::ok(NAME, "no connection-tracking firewall found");
    };
    let needed = used.saturating_add(demand.connections);
    let said = format!(
        "{} tracked at most, {} with those in use",
        units::count(most),
        units::count(needed)
    );
    if needed <= most {
        Check::ok(NAME, said)
    } else {
        let most = needed.saturating_mul(2);
        Check::low(NAME, said, format!("sudo sysctl -w net.netfilter.nf_conntrack_max={most}"))
    }
}

fn memory(facts: &Facts, demand: &Demand) -> Check {
    const NAME: &str = "memory";
    let Some(available) = facts.memory else { return Check::unknown(NAME) };
    let connections = demand.connections.saturating_add(demand.accepted);
    let processes = processes(facts, demand).unwrap_or(1);
    let more = (processes - 1).saturating_mul(PROCESS_SIZE);
    let needed = connections.saturating_mul(CONNECTION_SIZE).saturating_add(more);
    let with = if processes == 1 { String::new() } else { format!(" in {processes} processes") };
    let said = format!(
        "{} available, {} for idle connections of {} each{with}, including the kernel's part",
        units::bytes(available),
        units::bytes(needed),
        units::bytes(CONNECTION_SIZE)
    );
    if needed <= available {
        Check::ok(NAME, said)
    } else {
        Check::low(NAME, said, "fewer connections (-c), or parts on several machines (--segment)")
    }
}

fn processors(facts: &Facts) -> Check {
    const NAME: &str = "processors";
    match facts.processors {
        1 => Check::low(
            NAME,
            "1: anything else that runs here takes time from the measurement",
            "a machine with two or more",
        ),
        found => Check::ok(NAME, found.to_string()),
    }
}

/// A process that has used up its quota is paused until the next period.
fn quota(facts: &Facts) -> Check {
    const NAME: &str = "CPU quota";
    /// Below this number of processors, a client has none to spare.
    const ENOUGH: f64 = 2.0;
    match facts.quota {
        None => Check::ok(NAME, "none"),
        Some(quota) if quota.processors >= ENOUGH => {
            Check::ok(NAME, format!("{} in processors", units::processors(quota.processors)))
        }
        Some(quota) => Check::low(
            NAME,
            format!(
                "{} in processors: above that this process is held back until the next period",
                units::processors(quota.processors)
            ),
            "a higher CPU limit of its container, or CPUQuota= of its service",
        ),
    }
}

fn governor(facts: &Facts) -> Check {
    const NAME: &str = "governor";
    match facts.governor.as_deref() {
        None => Check::ok(NAME, "none here: this system doesn't control the clock rate"),
        Some("performance") => Check::ok(NAME, "performance"),
        Some(other) => Check::low(
            NAME,
            format!("{other}: the first messages after a pause are slow"),
            "sudo cpupower frequency-set -g performance",
        ),
    }
}

fn clock(facts: &Facts) -> Check {
    const NAME: &str = "clock";
    let Some((current, available)) = &facts.clock else { return Check::unknown(NAME) };
    if FAST_CLOCKS.contains(&current.as_str()) {
        return Check::ok(NAME, current.as_str());
    }
    let said = format!("{current}: each reading costs a system call or a microsecond");
    let better = available.split_whitespace().find(|name| FAST_CLOCKS.contains(name));
    let fix = better.map_or_else(
        || "another machine: this one has no better clock".to_owned(),
        |better| {
            format!(
                "echo {better} | sudo tee \
                 /sys/devices/system/clocksource/clocksource0/current_clocksource"
            )
        },
    );
    Check::low(NAME, said, fix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{DescriptorLimit, Host};
    use crate::quota::Quota;

    fn facts() -> Facts {
        Facts {
            host: Host {
                descriptors: DescriptorLimit { soft: Some(100_000), hard: Some(100_000) },
                descriptors_max: Some(1_048_576),
                ports: Some(32_768..=60_999),
            },
            files: Some((1_000, 1_000_000)),
            tw_reuse: Some(1),
            somaxconn: Some(4_096),
            syn_backlog: Some(2_048),
            conntrack: Some((5, 262_144)),
            memory: Some(8 << 30),
            processors: 4,
            quota: Some(Quota { processors: 4.0, ..Quota::default() }),
            governor: Some("performance".into()),
            clock: Some(("tsc".into(), "tsc hpet".into())),
        }
    }

    fn demand(connections: u64) -> Demand {
        Demand { connections, accepted: 0, threads: 2, routes: 1 }
    }

    #[test]
    fn a_good_machine_is_good() {
        let checks = checks(&facts(), &demand(10_000));
        assert_eq!(checks.len(), 12);
        for check in checks {
            assert_eq!((check.state, check.fix.as_ref()), (State::Ok, None), "{check:?}");
        }
    }

    #[test]
    fn each_thing_that_is_low_is_named_with_the_command_that_helps() {
        type Spoil = fn(&mut Facts);
        let rows: [(&str, Spoil, &str); 12] = [
            (
                "descriptors",
                |facts| facts.host.descriptors = DescriptorLimit { soft: Some(9), hard: Some(9) },
                "--nofile=10032:10032",
            ),
            ("all descriptors", |facts| facts.files = Some((0, 10)), "fs.file-max=20064"),
            ("local ports", |facts| facts.host.ports = Some(50_000..=51_000), "\"1024 65535\""),
            ("port reuse", |facts| facts.tw_reuse = Some(0), "tcp_tw_reuse=1"),
            ("somaxconn", |facts| facts.somaxconn = Some(128), "net.core.somaxconn=4096"),
            ("syn backlog", |facts| facts.syn_backlog = Some(128), "max_syn_backlog=1024"),
            ("conntrack", |facts| facts.conntrack = Some((5, 9)), "nf_conntrack_max=20010"),
            ("memory", |facts| facts.memory = Some(1 << 20), "-c"),
            ("processors", |facts| facts.processors = 1, "two"),
            (
                "CPU quota",
                |facts| facts.quota = Some(Quota { processors: 0.2, ..Quota::default() }),
                "CPUQuota=",
            ),
            ("governor", |facts| facts.governor = Some("powersave".into()), "cpupower"),
            (
                "clock",
                |facts| facts.clock = Some(("hpet".into(), "hpet tsc".into())),
                "echo tsc | sudo tee",
            ),
        ];
        for (name, spoil, fix) in rows {
            let mut facts = facts();
            spoil(&mut facts);
            let low: Vec<Check> = checks(&facts, &demand(10_000))
                .into_iter()
                .filter(|check| check.state == State::Low)
                .collect();
            assert_eq!(low.len(), 1, "{low:?}");
            assert_eq!(low[0].name, name);
            let said = low[0].fix.as_deref().unwrap_or_default();
            assert!(said.contains(fix), "{name}: {said}");
        }
    }

    #[test]
    fn a_million_connections_take_several_processes_with_memory_and_descriptors_for_each() {
        let limit = DescriptorLimit { soft: Some(20_000), hard: Some(20_000) };
        let facts = Facts {
            host: Host { descriptors: limit, ..facts().host },
            files: Some((0, 9_000_000)),
            conntrack: None,
            ..facts()
        };
        let million = Demand { routes: 100, ..demand(1_000_000) };
        let found = checks(&facts, &million);
        let said = |name| {
            let check = found.iter().find(|check| check.name == name).unwrap();
            assert_eq!(check.state, State::Ok, "{check:?}");
            check.said.clone()
        };
        assert!(said("descriptors").contains("51 processes of 19,608 connections each"));
        assert!(said("all descriptors").contains("1,001,632 with"), "{}", said("all descriptors"));
        assert!(said("memory").contains("in 51 processes"), "{}", said("memory"));
        let low = Facts { memory: Some(5 << 30), ..facts };
        let short = checks(&low, &million);
        let memory = short.iter().find(|check| check.name == "memory").unwrap();
        assert_eq!(memory.state, State::Low, "{memory:?}");
    }

    #[test]
    fn few_connections_need_little() {
        let mut facts = facts();
        (facts.somaxconn, facts.syn_backlog) = (Some(128), Some(128));
        assert!(checks(&facts, &demand(100)).iter().all(|check| check.state == State::Ok));
    }

    #[test]
    fn what_a_system_does_not_say_is_unknown_and_no_reason_to_fail() {
        let facts = Facts { files: None, tw_reuse: None, memory: None, clock: None, ..facts() };
        let checks = checks(&facts, &demand(10_000));
        let unknown = checks.iter().filter(|check| check.state == State::Unknown).count();
        assert_eq!((unknown, checks.iter().any(|check| check.state == State::Low)), (4, false));
    }
}
