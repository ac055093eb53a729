//! The page of a dated folder: the question, what it shows, what it doesn't, and the cases that
//! wscodec loses.

use std::fmt::Write;
use std::time::Duration;

use crate::group;
use crate::record::machine::Machine;
use crate::record::options::Options;
use crate::record::outcome::Outcome;
use crate::record::table::{grouped, times};
use crate::record::{bars, table};

const QUESTION: &str = "How does wscodec compare with its peers and with the machine's limits in \
    unmasking, validating, framing, whole messages and handshakes?";
const READING: &str = include_str!("reading.md");
const LIMITS: &str = include_str!("limits.md");

/// The whole page; `plots` are groups and file names.
pub(crate) fn page(
    options: &Options,
    machine: &Machine,
    outcomes: &[Outcome],
    plots: &[(&'static str, String)],
    elapsed: Duration,
) -> String {
    let mut text = head(options, machine, elapsed);
    let _ = write!(text, "## Targets\n\n{}\n", bars::markdown(outcomes));
    let _ = write!(text, "## How to read it\n\n{READING}\n## What it does not show\n\n{LIMITS}\n");
    let _ = write!(text, "## Cases that wscodec loses\n\n{}\n", lost(outcomes));
    for name in group::NAMES {
        let tables = table::markdown(name, outcomes);
        if tables.is_empty() {
            continue;
        }
        let _ = write!(text, "## {name}\n\n");
        for (_, file) in plots.iter().filter(|(group, _)| *group == name) {
            let _ = writeln!(text, "![{}]({file})", file.trim_end_matches(".svg"));
        }
        let _ = write!(text, "\n{tables}");
    }
    text
}

fn head(options: &Options, machine: &Machine, elapsed: Duration) -> String {
    let pace = options.pace();
    format!(
        "# {}: {}\n\n{QUESTION}\n\n\
         | | |\n|---|---|\n| machine | {} ([machine.txt](machine.txt)) |\n| commit | {} |\n\
         | command | `{}` |\n| rounds | {} of {} ms an entry, {:.0} s in all |\n\
         | raw data | [rounds.csv](rounds.csv) |\n\n",
        machine.date,
        options.topic,
        machine.cpu,
        machine.commit,
        options.command(),
        pace.rounds,
        pace.sample.as_secs_f64() * 1e3,
        elapsed.as_secs_f64(),
    )
}

/// Ratios from here to 1 are ties.
const TIE_MIN: f64 = 0.99;

/// A list of the contests in which a peer is faster.
pub(crate) fn lost(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        let Some(peer) = outcome.fastest_peer() else { continue };
        let Some(ratio) = outcome.times_as_fast_as(peer).filter(|ratio| ratio.median < TIE_MIN)
        else {
            continue;
        };
        let (id, bytes) = (&outcome.id, grouped(outcome.id.size));
        let (group, work) = (id.group, id.work);
        let _ = writeln!(text, "- {group}, {work}, {bytes} bytes: {} {}", times(ratio), peer.name);
    }
    if text.is_empty() { "None of those measured.\n".into() } else { text }
}
