//! Makes scenarios from recordings: `loadgen import` reads a file, `loadgen record` records.

mod log;
mod opening;
mod proxy;
mod relay;
mod save;

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write, stdin};
use std::path::Path;

use crate::cli::{ImportArgs, RecordArgs, RecordingForm};
use crate::exit::{Exit, Failed};
use crate::recording::{Recording, har};
use crate::replacement::Replacement;
use crate::talk::say;

/// Bytes of a read.
const READ_LEN: usize = 1 << 18;

/// Makes a scenario from a file.
///
/// # Errors
/// [`Failed`] with what is wrong with the file, or with where the scenario should go.
pub fn import(args: &ImportArgs) -> Result<Exit, Failed> {
    let RecordingForm::Har = args.form;
    let recording =
        read(&args.file).map_err(|why| Failed::usage(format!("{}: {why}", args.file.display())))?;
    let named = args.file.display().to_string();
    save::scenario(&recording, &named, &args.draft)
}

fn read(path: &Path) -> Result<Recording, String> {
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(stdin().lock())
    } else {
        Box::new(File::open(path).map_err(|error| error.to_string())?)
    };
    har::read(BufReader::with_capacity(READ_LEN, input))
}

/// Records connections, and makes a scenario of one.
///
/// # Errors
/// [`Failed`] with what was typed wrong, or that nothing was recorded.
pub fn run(args: RecordArgs) -> Result<Exit, Failed> {
    // A file that can't be written is known before there is anything to lose.
    for path in args.draft.out.iter().chain(&args.har) {
        Replacement::create(path).map_err(|error| save::unwritable(path, &error))?;
    }
    let RecordArgs { draft, har, .. } = &args;
    let (draft, har) = (draft.clone(), har.clone());
    let recording = proxy::record(args)?;
    if recording.connections.is_empty() {
        return Err(Failed::run("nothing was recorded: no client opened a WebSocket".into()));
    }
    if let Some(path) = har {
        let file = Replacement::create(&path).map_err(|error| save::unwritable(&path, &error))?;
        let write = |file: &mut File| {
            let mut out = BufWriter::new(file);
            har::write(&recording, &mut out)?;
            out.flush()
        };
        file.finish(write).map_err(|error| save::unwritable(&path, &error))?;
        if !draft.quiet {
            say(format_args!("{} is written, with all secrets in clear", path.display()));
        }
    }
    save::scenario(&recording, "recorded", &draft)
}
