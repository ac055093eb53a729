//! The recorder: every contest in interleaved rounds, then a dated folder with raw data, plots and
//! tables.
//!
//! ```text
//! options -> timing (A B C, B C A, ..) -> outcomes -> csv, plots, tables, bars -> folder -> splice
//! ```

mod bars;
mod brief;
mod csv;
mod folder;
mod machine;
mod options;
mod outcome;
mod plot;
mod readme;
mod splice;
mod table;
mod timing;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use crate::group::{self, Extent};
use options::Options;
use outcome::Outcome;

/// Does what the command line says; the exit code is 2 if the results could not be written.
///
/// # Panics
/// If a contestant did other work than the rest.
#[must_use]
pub fn record() -> ExitCode {
    let options = Options::parse();
    let core = machine::pin(options.core);
    let machine = machine::Machine::look(core);
    let start = Instant::now();
    let outcomes = measure(&options, start);
    let machine = machine.with_end();
    match folder::write(&options, &machine, &outcomes, start.elapsed()) {
        Ok(folder) => {
            eprintln!("{}", bars::markdown(&outcomes));
            eprintln!("written to {} in {:.0} s", folder.display(), start.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("record: {error}");
            ExitCode::from(2)
        }
    }
}

fn measure(options: &Options, start: Instant) -> Vec<Outcome> {
    let groups: Vec<&str> = options.groups.iter().map(String::as_str).collect();
    let mut plans = group::plans(&groups, Extent::Full);
    plans.retain(|plan| plan.id.size >= options.size_min);
    let count = plans.len();
    let mut outcomes = Vec::with_capacity(count);
    for (i, plan) in plans.into_iter().enumerate() {
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("[{:>3}/{count}] {seconds:>5.0} s  {}", i + 1, plan.id.path());
        let (id, contest) = plan.ready();
        outcomes.push(timing::time(id, contest, options.pace()));
    }
    outcomes
}
