//! Turns saved results into other forms, into one result, or into a comparison.
//!
//! All files are read before anything is written, so an output may replace an input.

mod watch;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::{DiffArgs, MergeArgs, ReportArgs};
use crate::config::{Form, Output, Verbosity, output};
use crate::escape;
use crate::exit::{Exit, Failed};
use crate::outlet::Outlets;
use crate::report::diff::DiffReport;
use crate::report::html;
use crate::report::merge::{Missing, Part, merge};
use crate::report::trend::TrendReport;
use crate::report::{Report, load};
use crate::run::say_outcome;
use crate::talk::say;

/// The forms of what several results are together.
const PAGES: [Form; 3] = [Form::Text, Form::Json, Form::Html];
/// Most bytes of a file's name that are shown.
const NAME_LEN_MAX: usize = 200;

/// `loadgen report`. The outcome of the run itself is shown, but doesn't fail this command: only
/// thresholds that are given here do.
///
/// # Errors
/// [`Failed`] with the file that is not a result, or an output that can't be written.
pub fn report(args: ReportArgs) -> Result<Exit, Failed> {
    if args.file.is_dir() {
        return trend(args);
    }
    let outputs = output::outputs(args.out.outputs).map_err(Failed::usage)?;
    let mut report = read(&args.file)?;
    output::replaced(&outputs).for_each(say);
    if args.gate.thresholds.is_empty() {
        Outlets::open(&outputs)?.write(&report)?;
        return Ok(Exit::Ok);
    }
    report.judge(&args.gate.thresholds);
    Outlets::open(&outputs)?.write(&report)?;
    say_outcome(&report, Verbosity::Notes, &outputs);
    Ok(report.exit())
}

/// `loadgen merge`: exits as the whole run would have.
///
/// # Errors
/// [`Failed`] with what can't be merged, or an output that can't be written.
pub fn merge_files(args: MergeArgs) -> Result<Exit, Failed> {
    let outputs = output::outputs(args.out.outputs).map_err(Failed::usage)?;
    let parts = match (args.watch, &*args.files) {
        (Some(at_most), [folder]) => watch::results(folder, at_most)?,
        (Some(_), _) => return Err(Failed::usage("--watch takes one folder".into())),
        (None, _) => parts(args.files)?,
    };
    let if_missing = if args.allow_missing { Missing::Allow } else { Missing::Refuse };
    let mut report = merge(parts, if_missing).map_err(Failed::usage)?;
    report.judge(&args.gate.thresholds);
    output::replaced(&outputs).for_each(say);
    Outlets::open(&outputs)?.write(&report)?;
    say_outcome(&report, Verbosity::Notes, &outputs);
    Ok(report.exit())
}

/// Reads results, each named or in a folder.
fn parts(files_asked: Vec<PathBuf>) -> Result<Vec<Part>, Failed> {
    let part = |path: &PathBuf| Ok(Part { name: name(path), report: read(path)? });
    let files = files_asked.into_iter().map(files).collect::<Result<Vec<_>, Failed>>()?;
    files.iter().flatten().map(part).collect()
}

/// `loadgen diff`.
///
/// # Errors
/// [`Failed`] with the file that is not a result.
pub fn diff(args: &DiffArgs) -> Result<Exit, Failed> {
    let mut asked = args.outputs.clone();
    asked.extend(args.json.then_some(Output { form: Form::Json, file: None }));
    let outputs = output::outputs_of(&PAGES, asked).map_err(Failed::usage)?;
    let side = |path: &PathBuf| {
        let files = files(path.clone())?;
        files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()
    };
    let (before, after) = (side(&args.before)?, side(&args.after)?);
    let names = (name(&args.before), name(&args.after));
    let found = DiffReport::new((&names.0, &before), (&names.1, &after), &args.thresholds);
    // `files` finds at least one.
    let (Some(diff), Some(first), Some(last)) = (found, before.first(), after.first()) else {
        return Err(Failed::usage("no results to compare".into()));
    };
    output::replaced(&outputs).for_each(say);
    for output in &outputs {
        output::put(output, "comparison", |out| match output.form {
            Form::Json => as_json(&diff, out),
            Form::Html => html::diff::write(&diff, first, last, &mut &mut *out),
            _ => write!(out, "{diff}"),
        })?;
    }
    let failed = diff.thresholds.iter().filter(|threshold| !threshold.is_passed);
    let failed: Vec<_> = failed
        .map(|threshold| format!("{} ({})", threshold.expression, threshold.shown()))
        .collect();
    if !failed.is_empty() && !output::is_on_screen_with_stderr(&outputs) {
        say(format_args!("error: threshold failed: {}", failed.join("; ")));
    }
    Ok(diff.exit())
}

/// `loadgen report` of a folder: its results side by side.
fn trend(args: ReportArgs) -> Result<Exit, Failed> {
    if !args.gate.thresholds.is_empty() {
        return Err(Failed::usage("--threshold judges one result, not a folder".into()));
    }
    let outputs = output::outputs_of(&PAGES, args.out.outputs).map_err(Failed::usage)?;
    let result = |file: &PathBuf| {
        let shown = file.file_name().map_or_else(|| name(file), |own| name(Path::new(own)));
        Ok((shown, read(file)?))
    };
    let files = files(args.file.clone())?;
    let results = files.iter().map(result).collect::<Result<Vec<_>, Failed>>()?;
    let trend = TrendReport::new(&name(&args.file), results);
    output::replaced(&outputs).for_each(say);
    for output in &outputs {
        output::put(output, "results", |out| match output.form {
            Form::Json => as_json(&trend, out),
            Form::Html => html::trend::write(&trend, &mut &mut *out),
            _ => write!(out, "{trend}"),
        })?;
    }
    Ok(Exit::Ok)
}

fn as_json(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// Returns a file itself, or the result files in a folder.
fn files(path: PathBuf) -> Result<Vec<PathBuf>, Failed> {
    if !path.is_dir() {
        return Ok(vec![path]);
    }
    let failed =
        |error: io::Error| Failed::usage(format!("{} can't be read: {error}", name(&path)));
    let mut found = Vec::new();
    for entry in fs::read_dir(&path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            found.push(file);
        }
    }
    if found.is_empty() {
        return Err(Failed::usage(format!("{} has no *.json in it", name(&path))));
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<Report, Failed> {
    load::load(path).map_err(|why| Failed::usage(format!("{} {why}", name(path))))
}

fn name(path: &Path) -> String {
    escape::control(&path.display().to_string(), NAME_LEN_MAX)
}
