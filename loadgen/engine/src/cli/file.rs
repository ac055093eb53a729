//! Reads a file of flags into the words of a command line; typed flags take precedence.
//!
//! Keys are the long names of flags, without the dashes, so a new flag needs no change here. Those
//! in front apply to every command, those in a section to the command that it names.
//!
//! ```text
//!   url = "ws://127.0.0.1:9001/"
//!
//!   [run]
//!   connections = "1k"
//!   stage = ["10s:5k", "30s:5k"]
//!   binary = true
//! ```

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::Cli;
use crate::nearest::meant;

type Key<'f> = &'f Spanned<DeString<'f>>;
type Value<'f> = &'f Spanned<DeValue<'f>>;

/// A command line, extended by the flags in a file.
pub(super) struct Expanded {
    pub(super) words: Vec<OsString>,
    /// The arguments that were added, named as in errors, each with its place in the file.
    added: Vec<(String, String)>,
    file: String,
}

impl Expanded {
    /// Returns the place in the file that an error comes from, as a prefix of its message; empty if
    /// the error is in what was typed.
    pub(super) fn place_of(&self, typed: &[OsString], error: &clap::Error) -> String {
        let is_missing = |error: &clap::Error| error.kind() == ErrorKind::MissingRequiredArgument;
        let typed = Cli::command().try_get_matches_from(typed);
        if self.added.is_empty() || typed.is_err_and(|error| !is_missing(&error)) {
            return String::new();
        }
        let named = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(named)) => named.as_str(),
            _ => "",
        };
        let place = self.added.iter().find(|(argument, _)| argument == named);
        format!("{}: ", place.map_or(&self.file, |(_, place)| place))
    }
}

/// Adds the flags of the file that `--config` names, if there is one.
///
/// # Errors
/// One line: the file, the line in it, and what is wrong there.
pub(super) fn expand(words: Vec<OsString>) -> Result<Expanded, String> {
    let none = |words| Ok(Expanded { words, added: Vec::new(), file: String::new() });
    let is_named = |word: &OsString| word.to_string_lossy().starts_with("--config");
    if !words.iter().any(is_named) {
        return none(words);
    }
    // What is missing may be in the file; errors are reported when all words have been read.
    let Ok(matches) = lenient().try_get_matches_from(&words) else { return none(words) };
    let Some((name, typed)) = matches.subcommand() else { return none(words) };
    let Some(path) = typed.get_one::<PathBuf>("config") else { return none(words) };
    let shown = path.display().to_string().escape_debug().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| format!("--config {shown} can't be read: {error}"))?;
    let table = DeTable::parse(&text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        format!("{}: {}", place(&shown, &text, start), error.message().escape_debug())
    })?;
    let mut cli = Cli::command();
    cli.build();
    let command = cli.find_subcommand(name).ok_or_else(|| format!("no command {name}"))?;
    let mut added = Vec::new();
    let mut new_words = Vec::new();
    for (key, value) in settings(&cli, command, table.get_ref(), &shown, &text)? {
        let place = place(&shown, &text, key.span().start);
        let Some(arg) = find(command, key.get_ref()) else { continue };
        if !is_typed(typed, arg) {
            let name = key.get_ref().escape_debug();
            let of_key = words_of(arg, value).map_err(|why| format!("{place}: {name} {why}"))?;
            new_words.extend(of_key);
            added.push((arg.to_string(), place));
        }
    }
    Ok(Expanded { words: insert(words, new_words), added, file: shown })
}

/// Returns the command line without its requirements, which the file may meet.
fn lenient() -> Command {
    let relaxed = |command: Command| command.mut_args(|arg| arg.required(false));
    Cli::command().ignore_errors(true).mut_subcommands(relaxed)
}

/// Returns the keys that apply to a command; those of its section override those in front.
fn settings<'f>(
    cli: &Command,
    command: &Command,
    table: &'f DeTable<'f>,
    shown: &str,
    text: &str,
) -> Result<Vec<(Key<'f>, Value<'f>)>, String> {
    let mut settings: Vec<(Key, Value)> = Vec::new();
    let mut own = None;
    for (key, value) in table {
        let place = place(shown, text, key.span().start);
        let name = key.get_ref();
        match value.get_ref() {
            DeValue::Table(section) => {
                let Some(of) = cli.find_subcommand(&**name) else {
                    let names = cli.get_subcommands().map(Command::get_name);
                    return Err(format!(
                        "{place}: no command {}{}",
                        quoted(name),
                        hint(name, names)
                    ));
                };
                let is_unknown = |key: &Key| find(of, key.get_ref()).is_none();
                if let Some(key) = section.keys().find(is_unknown) {
                    let place = self::place(shown, text, key.span().start);
                    return Err(format!("{place}: {}", unknown(cli, of, key.get_ref())));
                }
                if of.get_name() == command.get_name() {
                    own = Some(section);
                }
            }
            _ if find(command, name).is_some() => settings.push((key, value)),
            _ => return Err(format!("{place}: {}", unknown(cli, command, name))),
        }
    }
    let own = own.into_iter().flatten();
    for (key, value) in own {
        settings.retain(|(general, _)| general.get_ref() != key.get_ref());
        settings.push((key, value));
    }
    Ok(settings)
}

/// Returns the error for a key that a command doesn't have, with the nearest key.
fn unknown(cli: &Command, command: &Command, key: &str) -> String {
    let name = command.get_name();
    let said = format!("{} is not a key of {name}", quoted(key));
    let keys: Vec<_> = command.get_arguments().filter_map(key_of).collect();
    if let Some(near) = meant(key, keys.iter().map(String::as_str)) {
        return format!("{said}; did you mean {near}?");
    }
    let other = cli.get_subcommands().find(|other| find(other, key).is_some());
    if let Some(other) = other.map(Command::get_name) {
        return format!("{said}; put it into a section [{other}]");
    }
    format!("{said}; use the long names of its flags, without dashes (loadgen {name} --help)")
}

fn hint<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    meant(name, names).map_or_else(String::new, |near| format!("; did you mean [{near}]?"))
}

fn quoted(name: &str) -> String {
    name.chars().take(40).collect::<String>().escape_debug().to_string()
}

/// Returns a place in the file as `FILE: line N`.
fn place(shown: &str, text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    format!("{shown}: line {}", before.matches('\n').count() + 1)
}

/// Returns the key of an argument: its long flag, or the name of its value in the help.
fn key_of(arg: &Arg) -> Option<String> {
    let name = match arg.get_long() {
        Some(long) => long.to_owned(),
        None => arg.get_value_names()?.first()?.to_lowercase(),
    };
    (!matches!(&*name, "config" | "help" | "version")).then_some(name)
}

fn find<'c>(command: &'c Command, key: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|arg| key_of(arg).is_some_and(|name| name == key))
}

fn is_typed(typed: &ArgMatches, arg: &Arg) -> bool {
    typed.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
}

/// Returns the words that one would type for a value.
fn words_of(arg: &Arg, value: Value<'_>) -> Result<Vec<String>, String> {
    let flag = arg.get_long().map(|long| format!("--{long}"));
    let value = value.get_ref();
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return match value {
            DeValue::Boolean(true) => Ok(flag.into_iter().collect()),
            DeValue::Boolean(false) => Ok(Vec::new()),
            _ => Err("is a switch; use true or false".into()),
        };
    }
    let may_be_bare = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
    if let (DeValue::Boolean(is_wanted), Some(flag), true) = (value, &flag, may_be_bare) {
        return Ok(if *is_wanted { vec![flag.clone()] } else { Vec::new() });
    }
    let values: Vec<_> = match value {
        DeValue::Array(values) => values.iter().map(Spanned::get_ref).collect(),
        one => vec![one],
    };
    let is_many = matches!(arg.get_action(), ArgAction::Append)
        || arg.get_num_args().is_some_and(|range| range.max_values() > 1);
    if values.len() > 1 && !is_many {
        return Err("takes one value, not a list".into());
    }
    let word = |value: &DeValue<'_>| {
        let text = word_of(value)?;
        Ok(flag.as_ref().map_or_else(|| text.clone(), |flag| format!("{flag}={text}")))
    };
    values.into_iter().map(word).collect()
}

fn word_of(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Ok(number.to_string()),
            Err(_) => Err("has a number out of range; write it as a string".into()),
        },
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        other => {
            let kind = other.type_str();
            Err(format!("has a {kind}; use a string, a number or a list of those"))
        }
    }
}

/// Inserts words after those that were typed, but before `--`.
fn insert(mut words: Vec<OsString>, added: Vec<String>) -> Vec<OsString> {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    words.splice(end..end, added.into_iter().map(OsString::from));
    words
}

#[cfg(test)]
mod tests {
    use super::super::{Command, Parsed, RunArgs, parse};

    /// Reads `loadgen run` with a file of this content and more words.
    fn run(name: &str, content: &str, more: &[&str]) -> Result<RunArgs, String> {
        let file = format!("loadgen-config-{}-{name}.toml", std::process::id());
        let path = std::env::temp_dir().join(file);
        std::fs::write(&path, content).unwrap();
        let config = path.display().to_string();
        let words = ["loadgen", "run", "--config", &config].into_iter().chain(more.iter().copied());
        let parsed = parse(words.map(Into::into));
        std::fs::remove_file(&path).unwrap();
        match parsed {
            Parsed::Command(command) => match *command {
                Command::Run(args) => Ok(args),
                other => panic!("{other:?}"),
            },
            Parsed::Wrong(line) => Err(line.replace(&config, "F")),
            Parsed::Text(text) => panic!("{text}"),
        }
    }

    #[test]
    fn keys_are_flags_and_what_was_typed_wins() {
        let content = "connections = \"1k\"\nduration = 5\nbinary = true\nquiet = false\n\
                       stage = [\"1s:5\", \"2s:9\"]\nlabel = \"a=b\"\nmask = \"zero\"\n";
        let args =
            run("keys", content, &["-c", "7", "--label", "c=d", "--mask", "random"]).unwrap();
        assert_eq!((args.load.connections, args.message.binary, args.load.quiet), (7, true, false));
        assert_eq!(args.load.duration, Some(std::time::Duration::from_secs(5)));
        assert_eq!(args.pace.stages.len(), 2);
        assert_eq!(args.load.labels, [("c".to_owned(), "d".to_owned())]);
        assert_eq!(args.load.common.mask, crate::cli::Mask::Random);
    }

    #[test]
    fn a_flag_that_needs_no_value_may_be_true_or_false() {
        let wanted = run("bare", "deflate = true\nreconnect = true\n", &[]).unwrap();
        assert!(wanted.load.request.deflate.wanted().is_some());
        assert!(wanted.reconnect.reconnect.is_some());
        let unwanted = run("bare-not", "deflate = false\nreconnect = false\n", &[]).unwrap();
        assert!(unwanted.load.request.deflate.wanted().is_none());
        assert!(unwanted.reconnect.reconnect.is_none());
    }

    /// FIELD E4: the key that the help calls URL.
    #[test]
    fn e4_the_url_may_be_in_the_file() {
        let args = run("url", "url = \"ws://h/\"\n", &[]).unwrap();
        assert_eq!(args.load.urls, ["ws://h/"]);
        let args = run("urls", "url = [\"ws://h/\", \"ws://i/\"]\n", &[]).unwrap();
        assert_eq!(args.load.urls, ["ws://h/", "ws://i/"]);
        let args = run("url-typed", "url = \"ws://h/\"\n", &["ws://t/"]).unwrap();
        assert_eq!(args.load.urls, ["ws://t/"], "what was typed wins");
    }

    /// What a typed flag needs may be in the file.
    #[test]
    fn e4_a_flag_and_what_it_needs_may_stand_apart() {
        let path = std::env::temp_dir().join(format!("loadgen-config-{}", std::process::id()));
        std::fs::write(&path, "subscribe = \"x\"\n").unwrap();
        let config = path.display().to_string();
        let words = ["loadgen", "fanout", "ws://h/", "--config", &config, "--subscribed", "y"];
        let parsed = parse(words.map(Into::into));
        std::fs::remove_file(&path).unwrap();
        let Parsed::Command(command) = parsed else { panic!() };
        let Command::Fanout(args) = *command else { panic!() };
        assert_eq!((args.subscribe.as_deref(), args.subscribed.as_deref()), (Some("x"), Some("y")));
        let content = "cert = \"c\"\n[fanout]\nsubscribe = \"x\"\n";
        let args = run("apart", content, &["--key", "k"]).unwrap();
        assert_eq!(args.load.network.tls.cert, Some("c".into()));
    }

    /// FIELD E5.
    #[test]
    fn e5_wrong_key_names_nearest_and_line() {
        for (name, content, why) in [
            (
                "near",
                "\n# x\nduraton = 5",
                "F: line 3: duraton is not a key of run; did you mean duration?",
            ),
            ("flag", "max_latency = 5\n", "F: line 1: max_latency is not a key of run"),
            (
                "other",
                "publishers = 5\n",
                "F: line 1: publishers is not a key of run; put it into a section [fanout]",
            ),
            ("section", "[rum]\nduration = 5", "F: line 1: no command rum; did you mean [run]?"),
            (
                "inside",
                "[check]\nuri = 5",
                "F: line 2: uri is not a key of check; did you mean url?",
            ),
        ] {
            let said = run(name, content, &[]).unwrap_err();
            assert!(said.starts_with(why), "{name}: {said}");
        }
    }

    /// FIELD E5: a section for each command, and what holds for all in front of them.
    #[test]
    fn e5_sections_are_of_one_command() {
        let content = "connect-timeout = \"3s\"\nlabel = \"a=b\"\n\
                       [run]\nconnections = 5\nlabel = \"c=d\"\n[hold]\nconnections = 6\n\
                       [serve]\nthreads = 7\n";
        let args = run("sections", content, &[]).unwrap();
        assert_eq!(args.load.connections, 5);
        assert_eq!(args.load.request.connect_timeout, std::time::Duration::from_secs(3));
        assert_eq!(args.load.labels, [("c".to_owned(), "d".to_owned())], "the section's wins");
    }

    /// An error in what was typed isn't the file's.
    #[test]
    fn e5_what_was_typed_wrong_is_not_blamed_on_the_file() {
        let said = run("blame", "duration = 5", &["-c", "x"]).unwrap_err();
        assert!(said.starts_with("invalid value 'x' for '--connections <N>'"), "{said}");
        let said = run("blame-flag", "duration = 5", &["--nonsense"]).unwrap_err();
        assert!(said.starts_with("unexpected argument '--nonsense'"), "{said}");
    }

    #[test]
    fn what_is_wrong_is_said_with_the_file_and_the_key() {
        for (name, content, why) in [
            ("far", "zzz = 5", "F: line 1: zzz is not a key of run; use the long names"),
            ("self", "config = \"x\"", "F: line 1: config is not a key of run"),
            ("syntax", "connections = 5\nrate =", "F: line 2: "),
            ("switch", "\nbinary = 1", "F: line 2: binary is a switch; use true or false"),
            ("many", "duration = [\"1s\", \"2s\"]", "F: line 1: duration takes one value"),
            ("kind", "duration = true", "F: line 1: duration has a boolean"),
            (
                "value",
                "quiet = true\nconnections = \"x\"",
                "F: line 2: invalid value 'x' for '--con",
            ),
            ("range", "seed = 0xffff_ffff_ffff_ffff", "F: line 1: seed has a number out of range"),
        ] {
            let said = run(name, content, &[]).unwrap_err();
            assert!(said.contains(why), "{name}: {said}");
            assert!(!said.contains(char::is_control), "{name}: {said}");
        }
        let words = ["loadgen", "run", "--config", "/nonexistent"];
        let Parsed::Wrong(said) = parse(words.map(Into::into)) else { panic!() };
        assert!(said.starts_with("--config /nonexistent can't be read: No such file"), "{said}");
    }
}
