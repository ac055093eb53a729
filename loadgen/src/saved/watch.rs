//! Waits until all segments of a run have their results in a folder, and says meanwhile what is
//! known of them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::name;
use crate::clock::nanos;
use crate::exit::Failed;
use crate::report::merge::Part;
use crate::report::{RowReport, load};
use crate::talk::say;
use crate::units;

/// How often the folder is read.
const INTERVAL: Duration = Duration::from_millis(500);
/// How often something is said although no result has come in.
const SAID_EVERY: Duration = Duration::from_secs(10);
/// How often a file may be found that is no result before that is an error: a file that is copied
/// here is not whole at first.
const TRIES: u32 = 20;
/// How much of the end of a stream of rows is read.
const TAIL_LEN: usize = 64 * 1024;

/// Returns the results of all segments once they are there, or those that are there after
/// `at_most`.
pub(super) fn results(folder: &Path, at_most: Option<Duration>) -> Result<Vec<Part>, Failed> {
    let begin = Instant::now();
    let mut found = Found::default();
    let mut said: Option<(Instant, (usize, usize))> = None;
    loop {
        found.look(folder)?;
        if found.is_complete() || at_most.is_some_and(|at_most| begin.elapsed() >= at_most) {
            return Ok(found.parts.into_values().collect());
        }
        let rows = found.rows(folder);
        let numbers = (found.parts.len(), rows.len());
        if said.is_none_or(|(at, before)| at.elapsed() >= SAID_EVERY || before != numbers) {
            said = Some((Instant::now(), numbers));
            say(format_args!("{}", found.said(&rows, begin.elapsed())));
        }
        sleep(INTERVAL);
    }
}

/// What has been found.
#[derive(Default)]
struct Found {
    parts: BTreeMap<PathBuf, Part>,
    /// How often each file was there and no result.
    tries: BTreeMap<PathBuf, u32>,
}

impl Found {
    fn look(&mut self, folder: &Path) -> Result<(), Failed> {
        for path in files(folder, "json")? {
            if self.parts.contains_key(&path) {
                continue;
            }
            match load::load(&path) {
                Ok(report) => {
                    self.parts.insert(path.clone(), Part { name: name(&path), report });
                }
                Err(why) => {
                    let tries = self.tries.entry(path.clone()).or_default();
                    *tries += 1;
                    if *tries >= TRIES {
                        return Err(Failed::usage(format!("{} {why}", name(&path))));
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns how many segments the run has, as far as that is known.
    fn of(&self) -> Option<u64> {
        self.parts.values().find_map(|part| Some(part.report.config.segment?.of))
    }

    fn is_complete(&self) -> bool {
        self.of().is_some_and(|of| self.parts.len() as u64 >= of)
    }

    /// Returns the last row of each stream (`-o ndjson=FOLDER/N.ndjson`) that has one, and whose
    /// segment has no result yet.
    fn rows(&self, folder: &Path) -> Vec<RowReport> {
        let mut streams = files(folder, "ndjson").unwrap_or_default();
        streams.retain(|path| !self.parts.contains_key(&path.with_extension("json")));
        streams.iter().filter_map(|path| last_row(path).ok().flatten()).collect()
    }

    /// Says how many results are there, and what the rows of the others add up to.
    fn said(&self, rows: &[RowReport], waited: Duration) -> String {
        let of = self.of().map_or_else(String::new, |of| format!(" of {}", units::count(of)));
        let there = units::count(self.parts.len() as u64);
        let mut parts = vec![format!(
            "{:>6} s  results of {there}{of} segments",
            units::count(waited.as_secs())
        )];
        if !rows.is_empty() {
            let sum = |of: fn(&RowReport) -> u64| rows.iter().map(of).fold(0, u64::saturating_add);
            let per_s: f64 = rows.iter().map(received_per_s).sum();
            parts.push(format!("open {}", units::count(sum(|row| row.open))));
            parts.push(format!("received {}/s", units::per_s(per_s)));
            let failed = sum(|row| row.counts.failed);
            if failed > 0 {
                parts.push(format!("failed {} in the last second", units::count(failed)));
            }
            parts.push(format!("from {}", units::counted(rows.len() as u64, "stream")));
        }
        parts.join("   ")
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn received_per_s(row: &RowReport) -> f64 {
    let length_ns = row.length_ns.max(nanos(Duration::from_millis(1)));
    row.counts.received as f64 * 1e9 / length_ns as f64
}

fn last_row(path: &Path) -> io::Result<Option<RowReport>> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(TAIL_LEN as u64)))?;
    let mut tail = Vec::new();
    file.take(TAIL_LEN as u64).read_to_end(&mut tail)?;
    // What stands behind the last line break is not whole yet.
    let Some(end) = tail.iter().rposition(|&byte| byte == b'\n') else { return Ok(None) };
    let begin = tail[..end].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    Ok(serde_json::from_slice(&tail[begin..end]).ok())
}

fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Failed> {
    let failed =
        |error: io::Error| Failed::usage(format!("{} can't be read: {error}", name(folder)));
    let entries = fs::read_dir(folder).map_err(failed)?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    let mut paths = paths.map_err(failed)?;
    paths.retain(|path| path.extension().is_some_and(|own| own == extension));
    paths.sort();
    Ok(paths)
}
