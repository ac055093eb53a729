//! Writes the dated folder, and splices its tables into the pages that show the newest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::group;
use crate::record::machine::Machine;
use crate::record::options::Options;
use crate::record::outcome::Outcome;
use crate::record::{bars, brief, csv, plot, readme, splice, table};

/// Writes everything; returns the folder.
///
/// # Errors
/// What the file system says.
pub(crate) fn write(
    options: &Options,
    machine: &Machine,
    outcomes: &[Outcome],
    elapsed: Duration,
) -> io::Result<PathBuf> {
    let out = options.out();
    let run = run_name(options, machine);
    let folder = out.join(&run);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("machine.txt"), machine.text())?;
    fs::write(folder.join("rounds.csv"), csv::csv(outcomes))?;
    let plots = plots(&folder, outcomes)?;
    let page = readme::page(options, machine, outcomes, &plots, elapsed);
    fs::write(folder.join("README.md"), page)?;
    if options.quick {
        return Ok(folder);
    }
    let index = out.join("README.md");
    if !index.exists() {
        fs::write(&index, new_index())?;
    }
    list(&index, &run, machine)?;
    splice_into(&index, &run, "", outcomes)?;
    if options.is_for_the_project() {
        splice_into(Path::new("README.md"), &run, "results/", outcomes)?;
    }
    Ok(folder)
}

/// The name of a folder that isn't there yet: records are not overwritten; a look is.
fn run_name(options: &Options, machine: &Machine) -> String {
    let name = format!("{}-{}", machine.date, options.topic);
    let is_free = |name: &String| options.quick || !options.out().join(name).exists();
    let later = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.clone()).chain(later).find(is_free).unwrap_or(name)
}

/// Draws a chart for each work of several sizes; returns the groups and file names.
fn plots(folder: &Path, outcomes: &[Outcome]) -> io::Result<Vec<(&'static str, String)>> {
    let mut files: Vec<(&'static str, String)> = Vec::new();
    for outcome in outcomes {
        let is_letter = |c: char| c.is_ascii_alphanumeric();
        let words = outcome.id.work.split(|c| !is_letter(c)).filter(|word| word.len() > 1);
        let work = words.collect::<Vec<_>>().join("-").to_lowercase();
        let file = format!("{}-{work}.svg", outcome.id.group);
        if files.iter().any(|(_, have)| *have == file) {
            continue;
        }
        let same: Vec<&Outcome> = outcomes
            .iter()
            .filter(|o| (o.id.group, o.id.work) == (outcome.id.group, outcome.id.work))
            .collect();
        if same.len() < 2 {
            continue;
        }
        if let Some(svg) = plot::svg(&same) {
            fs::write(folder.join(&file), svg)?;
            files.push((outcome.id.group, file));
        }
    }
    Ok(files)
}

/// The index that a first run makes.
fn new_index() -> String {
    let mut text = String::from(
        "# Results\n\nA folder for each run: what it asks, machine, commit, command, raw data, plots, \
         tables, and what it does not show.\n\n| run | what it measures |\n|---|---|\n\
         <!-- runs -->\n\n## The codec beside its peers\n\n",
    );
    text.push_str(&splice::markers("brief"));
    text
}

/// Adds the run to the table of the index, newest last.
fn list(index: &Path, run: &str, machine: &Machine) -> io::Result<()> {
    let page = fs::read_to_string(index)?;
    let line = format!("| [{run}]({run}/README.md) | {}, commit {} |", machine.cpu, machine.commit);
    let start = format!("| [{run}](");
    let kept: Vec<&str> = page.lines().filter(|have| !have.starts_with(&start)).collect();
    let page = kept.join("\n").replacen("<!-- runs -->", &format!("{line}\n<!-- runs -->"), 1);
    fs::write(index, page + "\n")
}

/// Replaces the blocks that `page` has and this run measured.
fn splice_into(page: &Path, run: &str, to_results: &str, outcomes: &[Outcome]) -> io::Result<()> {
    let Ok(mut text) = fs::read_to_string(page) else {
        eprintln!("{}: not there, nothing spliced", page.display());
        return Ok(());
    };
    let mut blocks: Vec<(&str, String)> =
        group::NAMES.iter().map(|name| (*name, table::markdown(name, outcomes))).collect();
    let is_whole = blocks.iter().all(|(_, block)| !block.is_empty());
    if is_whole {
        blocks.push(("bars", bars::markdown(outcomes)));
        blocks.push(("brief", brief::markdown(outcomes)));
        blocks.push(("lost", readme::lost(outcomes)));
    }
    let from = format!("From [{run}]({to_results}{run}/README.md).\n\n");
    let mut spliced = Vec::new();
    for (name, block) in blocks.into_iter().filter(|(_, block)| !block.is_empty()) {
        if let Some(with_block) = splice::splice(&text, name, &format!("{from}{block}")) {
            text = with_block;
            spliced.push(name);
        }
    }
    eprintln!("{}: spliced {spliced:?}", page.display());
    fs::write(page, text)
}
