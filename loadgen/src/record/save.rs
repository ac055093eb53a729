//! Chooses a connection of a recording, and writes its scenario with the feed beside it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write, stdout};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::DraftArgs;
use crate::exit::{Exit, Failed};
use crate::recording::{Connection, Draft, Recording, Side, draft};
use crate::replacement::Replacement;
use crate::talk::say;
use crate::{escape, scenario, units};

/// Bytes of a URL that are shown.
const URL_LEN_MAX: usize = 80;

/// Makes a scenario of a recording, writes it, and says what was guessed.
///
/// # Errors
/// [`Failed`] with the connection that isn't there, or the file that can't be written.
pub(super) fn scenario(
    recording: &Recording,
    named: &str,
    args: &DraftArgs,
) -> Result<Exit, Failed> {
    let place = chosen(recording, args.connection).map_err(Failed::usage)?;
    let connection = &recording.connections[place];
    let feed = args.out.as_deref().map(feed_of);
    let feed_name = feed.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy());
    let draft = draft(connection, feed_name.as_deref());
    let mut notes = Vec::new();
    if recording.is_cut {
        notes.push(format!("{named} is larger than what is kept; the rest was left out"));
    }
    if let (Some(out), Some(feed)) = (&args.out, feed) {
        let is_kept = write_feed(&feed, &draft)?;
        let file = Replacement::create(out);
        file.and_then(|file| file.finish(|file| file.write_all(draft.toml.as_bytes())))
            .map_err(|error| unwritable(out, &error))?;
        notes.extend(written(out, &feed, &draft, is_kept));
    } else {
        // A reader who has left needs no more.
        stdout().write_all(draft.toml.as_bytes()).ok();
        if !draft.columns.is_empty() {
            notes.push(format!(
                "left out as secrets: {}; fill them with --set, or write them beside the scenario \
                 with -o",
                draft.columns.join(", ")
            ));
        }
    }
    if !args.quiet {
        list(recording, place, named);
        draft.guesses.iter().for_each(say);
        notes.iter().for_each(say);
    }
    Ok(Exit::Ok)
}

/// Returns the place of the connection that is asked for, or of that with the most messages.
fn chosen(recording: &Recording, asked: Option<u64>) -> Result<usize, String> {
    let all = recording.connections.len();
    if let Some(asked) = asked {
        let place = usize::try_from(asked).unwrap_or(usize::MAX);
        if (1..=all).contains(&place) {
            return Ok(place - 1);
        }
        return Err(format!("--connection {asked}: there is 1 to {all}"));
    }
    let messages = |connection: &Connection| connection.messages.len();
    let most = recording.connections.iter().map(messages).max().unwrap_or(0);
    let found = recording.connections.iter().position(|connection| messages(connection) == most);
    found.ok_or_else(|| "there are no connections".into())
}

/// Lists the connections of a recording.
fn list(recording: &Recording, chosen: usize, named: &str) {
    let all = recording.connections.len();
    let hint = if all > 1 { "; --connection N takes another" } else { "" };
    let counted = units::counted(all as u64, "WebSocket connection");
    say(format_args!("{}: {counted}{hint}", escape::control(named, URL_LEN_MAX)));
    for (place, connection) in recording.connections.iter().enumerate() {
        let mark = if place == chosen { '*' } else { ' ' };
        let (sent, received) = (connection.count(Side::Client), connection.count(Side::Server));
        let url = connection.url.split('?').next().unwrap_or_default();
        let url = escape::control(url, URL_LEN_MAX);
        say(format_args!("{mark} {}  {url}  {sent} sent, {received} received", place + 1));
    }
}

/// Returns the file for the secrets of a scenario: `chat.users.csv` for `chat.toml`.
fn feed_of(scenario: &Path) -> PathBuf {
    scenario.with_extension("users.csv")
}

pub(super) fn unwritable(path: &Path, error: &io::Error) -> Failed {
    Failed::usage(format!("{} can't be written: {error}", path.display()))
}

/// Writes the feed, for its owner only. Returns whether there was one, which is kept: users may
/// have been added to it.
fn write_feed(path: &Path, draft: &Draft) -> Result<bool, Failed> {
    let Some(rows) = &draft.feed else { return Ok(false) };
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match created {
        Ok(mut file) => {
            file.write_all(rows.as_bytes()).map_err(|error| unwritable(path, &error))?;
            Ok(false)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let known = fs::read_to_string(path).map_err(|error| unwritable(path, &error))?;
            if known.lines().next() == rows.lines().next() {
                return Ok(true);
            }
            Err(Failed::usage(format!(
                "{} is there, with other columns than {}; remove it, or name another file with -o",
                path.display(),
                draft.columns.join(", ")
            )))
        }
        Err(error) => Err(unwritable(path, &error)),
    }
}

/// Says what was written, and what to do next; checks that the scenario can be read.
fn written(out: &Path, feed: &Path, draft: &Draft, is_kept: bool) -> Vec<String> {
    let shown = out.display();
    let mut notes = Vec::new();
    if draft.feed.is_some() {
        let columns = draft.columns.join(", ");
        notes.push(if is_kept {
            format!("{} was there, and is kept", feed.display())
        } else {
            format!(
                "{} has {columns} of the recording in clear, and only you can read it; all users \
                 share its row until you add more",
                feed.display()
            )
        });
    }
    match scenario::read(&out.to_string_lossy(), &[]) {
        Ok(_) => notes.push(format!(
            "{shown} is written; try it with: loadgen check {shown} --try, then loadgen play \
             {shown} -c 5"
        )),
        Err(why) => notes.push(format!("{shown} is written, but needs an edit: {why}")),
    }
    notes
}
