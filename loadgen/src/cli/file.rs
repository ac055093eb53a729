//! A file of flags to the words of a command line: what was typed wins.
//!
//! Keys are the long names of flags, without the dashes, so a flag that is added needs nothing here.
//!
//! ```text
//!   url = "ws://127.0.0.1:9001/"
//!   connections = "1k"
//!   stage = ["10s:5k", "30s:5k"]
//!   binary = true
//! ```

use std::ffi::OsString;
use std::fs;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory};
use toml::{Table, Value};

use super::Cli;

/// Adds the flags of the file that `--config` names, if it does.
///
/// # Errors
/// One line: the file, and what is wrong in it.
pub(super) fn expand(words: Vec<OsString>) -> Result<Vec<OsString>, String> {
    let is_named = |word: &OsString| word.to_string_lossy().starts_with("--config");
    if !words.iter().any(is_named) {
        return Ok(words);
    }
    // What is wrong without the file is said by whoever reads the words next.
    let Ok(typed) = Cli::command().try_get_matches_from(&words) else { return Ok(words) };
    let Some((name, typed)) = typed.subcommand() else { return Ok(words) };
    let Some(path) = typed.get_one::<std::path::PathBuf>("config") else { return Ok(words) };
    let shown = path.display().to_string().escape_debug().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| format!("--config {shown} can't be read: {error}"))?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start].lines().count().max(1));
        format!("{shown}: line {line}: {}", error.message().escape_debug())
    })?;
    let mut cli = Cli::command();
    cli.build();
    let command = cli.find_subcommand(name).ok_or_else(|| format!("no command {name}"))?;
    let mut added = Vec::new();
    for (key, value) in &table {
        let place = format!("{shown}: {}", key.escape_debug());
        let arg = command.get_arguments().find(|arg| is_key(arg, key)).ok_or_else(|| {
            format!(
                "{place} is no key of {name}; use the long names of its flags, without dashes \
                 (loadgen {name} --help)"
            )
        })?;
        if !is_typed(typed, arg) {
            added.extend(words_of(arg, value).map_err(|why| format!("{place} {why}"))?);
        }
    }
    Ok(insert(words, added))
}

/// The file that was named, for what is said of its values.
pub(super) fn place(words: &[OsString]) -> String {
    let matches = Cli::command().try_get_matches_from(words).ok();
    let path = matches
        .as_ref()
        .and_then(|found| found.subcommand()?.1.get_one::<std::path::PathBuf>("config").cloned());
    path.map_or_else(String::new, |path| format!("{}: ", path.display().to_string().escape_debug()))
}

/// Whether `key` names the argument: its long flag, or what it is called if it has none.
fn is_key(arg: &Arg, key: &str) -> bool {
    let is_own = !matches!(key, "config" | "help" | "version");
    is_own && arg.get_long().unwrap_or(arg.get_id().as_str()) == key
}

fn is_typed(typed: &ArgMatches, arg: &Arg) -> bool {
    typed.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
}

/// What would be typed for a value.
fn words_of(arg: &Arg, value: &Value) -> Result<Vec<String>, String> {
    let flag = arg.get_long().map(|long| format!("--{long}"));
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return match value {
            Value::Boolean(true) => Ok(flag.into_iter().collect()),
            Value::Boolean(false) => Ok(Vec::new()),
            _ => Err("is a switch; use true or false".into()),
        };
    }
    let may_be_bare = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
    if let (Value::Boolean(is_wanted), Some(flag), true) = (value, &flag, may_be_bare) {
        return Ok(if *is_wanted { vec![flag.clone()] } else { Vec::new() });
    }
    let values = match value {
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    let is_many = matches!(arg.get_action(), ArgAction::Append)
        || arg.get_num_args().is_some_and(|range| range.max_values() > 1);
    if values.len() > 1 && !is_many {
        return Err("takes one value, and a list has more".into());
    }
    let word = |value: &Value| {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            other => {
                let kind = other.type_str();
                return Err(format!("has a {kind}; use a string, a number or a list of those"));
            }
        };
        Ok(flag.as_ref().map_or_else(|| text.clone(), |flag| format!("{flag}={text}")))
    };
    values.iter().map(word).collect()
}

/// Behind what was typed, but before what comes after `--`.
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
        assert_eq!(args.mask, crate::cli::Mask::Random);
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

    #[test]
    fn what_is_wrong_is_said_with_the_file_and_the_key() {
        for (name, content, why) in [
            ("unknown", "conections = 5", "F: conections is no key of run; use the long names"),
            ("self", "config = \"x\"", "F: config is no key of run"),
            ("syntax", "connections = 5\nrate =", "F: line 2: "),
            ("switch", "binary = 1", "F: binary is a switch; use true or false"),
            ("many", "duration = [\"1s\", \"2s\"]", "F: duration takes one value"),
            ("kind", "duration = true", "F: duration has a boolean"),
            ("table", "[run]\nduration = 5", "F: run is no key"),
            ("value", "connections = \"x\"", "F: invalid value 'x' for '--connections <N>'"),
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
