//! Lists what this machine has enough of for a run, and what not: `loadgen doctor`.
//!
//! Changes nothing but its own descriptor limit, as a run does, and needs no server.

mod facts;
mod judge;

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::DoctorArgs;
use crate::config::{Family, Form, output, sources};
use crate::exit::{Exit, Failed};
use crate::host::{Demand, DescriptorLimit};
use crate::talk::say;
use crate::units;
use facts::Facts;
use judge::{Check, State, checks};

/// The version of the JSON list.
const SCHEMA_VERSION: u32 = 1;
/// Connections of all processes of a run.
const CONNECTIONS_MAX: u64 = 1_000_000_000;
const TARGETS_MAX: u64 = 1_000_000;

/// The list of checks.
#[derive(Debug, Serialize)]
struct Diagnosis {
    schema_version: u32,
    connections: u64,
    /// Whether nothing is low.
    is_ok: bool,
    checks: Vec<Check>,
}

/// Checks this machine.
///
/// # Errors
/// [`Failed`] for wrong usage, and for a list that can't be written.
pub fn run(args: DoctorArgs) -> Result<Exit, Failed> {
    if !(1..=CONNECTIONS_MAX).contains(&args.connections) {
        let asked = args.connections;
        let most = units::count(CONNECTIONS_MAX);
        let line = format!("-c {} is out of range; use 1 to {most}", units::count(asked));
        return Err(Failed::usage(line));
    }
    if !(1..=TARGETS_MAX).contains(&args.targets) {
        let [asked, most] = [args.targets, TARGETS_MAX].map(units::count);
        let line = format!("--targets {asked} is out of range; use 1 to {most}");
        return Err(Failed::usage(line));
    }
    let sources = sources(&args.source_ips).map_err(Failed::usage)?;
    let addresses = sources.addresses_of(Family::V4).max(sources.addresses_of(Family::V6)).max(1);
    let outputs =
        output::outputs_of(&[Form::Text, Form::Json], args.outputs).map_err(Failed::usage)?;
    // A limit that can't be raised shows as a shortage, if it is one.
    DescriptorLimit::raise().ok();
    let facts = Facts::read();
    let demand = Demand {
        connections: args.connections,
        accepted: 0,
        threads: facts.processors,
        routes: addresses.saturating_mul(args.targets),
    };
    let checks = checks(&facts, &demand);
    let is_ok = checks.iter().all(|check| check.state != State::Low);
    let diagnosis =
        Diagnosis { schema_version: SCHEMA_VERSION, connections: args.connections, is_ok, checks };
    output::replaced(&outputs).for_each(say);
    for output in &outputs {
        let write = if output.form == Form::Json { json } else { text };
        output::put(output, "list", |out| write(&diagnosis, out))?;
    }
    Ok(if is_ok { Exit::Ok } else { Exit::Failed })
}

fn text(diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    let low = diagnosis.checks.iter().filter(|check| check.state == State::Low).count();
    writeln!(out, "doctor -c {}", diagnosis.connections)?;
    for Check { name, state, said, fix } in &diagnosis.checks {
        writeln!(out, " {:<8}{name:<17}{said}", state.name())?;
        if let Some(fix) = fix {
            writeln!(out, " {:<8}{:<17}{fix}", "", "  fix:")?;
        }
    }
    match low {
        0 => writeln!(out, "all ok"),
        1 => writeln!(out, "1 thing is low"),
        _ => writeln!(out, "{low} things are low"),
    }
}

fn json(diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, diagnosis)?;
    writeln!(out)?;
    out.flush()
}
