//! Says what a run would do, without opening a connection: `--dry-run`.

use std::fmt::Write;

use crate::config::{Arrivals, Config, Load, Scenario};
use crate::escape;
use crate::host::{Demand, Host};
use crate::quantity;
use crate::units;

/// Most bytes of a text from the command line.
const SHOWN_MAX: usize = 300;

/// Returns the plan of a run, a line for each of its parts.
#[must_use]
pub fn plan(config: &Config, processes: u64, demand: &Demand, host: &Host) -> String {
    let mut out = String::new();
    let mut line = |label: &str, text: &str| {
        // Writing to a string doesn't fail.
        let _ = writeln!(out, " {label:<13}{}", escape::control(text, SHOWN_MAX));
    };
    line("command", config.scenario.name());
    match config.targets.as_slice() {
        [] => line("server", "an embedded one"),
        targets => targets.iter().for_each(|target| line("server", &target.to_string())),
    }
    line("connections", &connections(config));
    if let Scenario::Echo(_) = config.scenario {
        line("load", &load(config));
    }
    line("time", &time(config));
    if let Some(messages) = messages(config) {
        line("messages", &messages);
    }
    if processes > 1 {
        line("processes", &units::count(processes));
    }
    line("threads", &units::count(config.threads.get() as u64));
    let available = match host.descriptors_max {
        Some(most) => format!("{} that this process may have", units::count(most)),
        None => "no limit".to_owned(),
    };
    line("descriptors", &format!("{} of {available}", units::count(demand.descriptors())));
    if let Some(ports) = &host.ports {
        let number = u64::from(*ports.end()) - u64::from(*ports.start()) + 1;
        line("local ports", &format!("{} to each address of a server", units::count(number)));
    }
    for shortage in host.shortages(demand) {
        line("too few", &shortage.to_string());
    }
    line("seed", &config.seed.to_string());
    for threshold in &config.thresholds {
        line("threshold", &threshold.to_string());
    }
    if let Some(pid) = config.watch_pid {
        line("watched", &format!("pid {pid}"));
    }
    if let Some(address) = config.prometheus {
        line("metrics", &format!("at http://{address}/metrics"));
    }
    for sink in &config.sinks {
        line("metrics", &format!("{} to {}", sink.flag().trim_start_matches('-'), sink.shown()));
    }
    for output in &config.outputs {
        let file = output.file.as_ref().map_or("stdout".into(), |file| file.display().to_string());
        line("output", &format!("{} to {file}", output.form.name()));
    }
    config.notes.iter().for_each(|note| line("note", note));
    out
}

fn connections(config: &Config) -> String {
    let number = units::count(config.connections_here());
    let pace = match config.connect_rate {
        Some(rate) => format!("opened at {rate}/s"),
        None => "opened as fast as the server accepts them".to_owned(),
    };
    match config.part().of() {
        1 => format!("{number}, {pace}"),
        parts => format!(
            "{number} of {} in this of {parts} processes, {pace}",
            units::count(config.connections)
        ),
    }
}

fn load(config: &Config) -> String {
    let Some(echo) = config.echo() else { return String::new() };
    let arrivals = match config.pacing.arrivals {
        Arrivals::Constant => "",
        Arrivals::Poisson => ", Poisson arrivals",
    };
    let stages = config.pacing.stages.as_ref().map_or("", |_| " at most, in stages");
    match echo.load {
        Load::Closed { pipeline } => {
            format!("closed loop, {pipeline} outstanding on each connection")
        }
        Load::Open { rate } => format!("open loop, {rate}/s{stages}{arrivals}"),
        Load::Every { interval } => {
            format!("open loop, every {} on each connection", quantity::typed(interval))
        }
    }
}

fn time(config: &Config) -> String {
    let typed = quantity::typed;
    let mut text = format!("measured {}", typed(config.duration));
    if !config.warmup.is_zero() {
        text = format!("warm-up {}, {text}", typed(config.warmup));
    }
    if !config.drain_timeout.is_zero() {
        let _ = write!(text, ", then at most {} for replies", typed(config.drain_timeout));
    }
    text
}

/// Returns how many messages are sent, and how much that is, as far as that is known before.
fn messages(config: &Config) -> Option<String> {
    let echo = config.echo()?;
    let within = match echo.load {
        Load::Open { rate } if config.pacing.stages.is_none() => {
            let whole = config.warmup + config.duration;
            Some(rate.due_before(crate::clock::nanos(whole)))
        }
        _ => None,
    };
    let number = within.into_iter().chain(echo.messages).min()?;
    let most = number.saturating_mul(echo.content.size_most() as u64);
    Some(format!("{}, {} of payload at most", units::count(number), units::bytes(most)))
}
