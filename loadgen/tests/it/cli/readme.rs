//! The pages: what they tell a reader to type works, in the order in which it stands there.

use std::fs;
use std::path::Path;

use super::outputs::Scratch;
use crate::scripted::{command, finish};
use crate::served::Served;
use loadgen::cli::{Command, Parsed, parse};
use loadgen::config::Config;

/// The page of the crate.
const OWN: &str = "README.md";
/// The front page of the repository, which a packaged crate doesn't have.
const FRONT: &str = "../README.md";
/// Flags whose values are made small, so that each command takes a moment.
const SMALL: [(&str, &str); 5] =
    [("-c", "10"), ("-d", "300ms"), ("-R", "100"), ("-C", "100"), ("--stage", "300ms:200")];

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The pages that are there.
fn pages() -> impl Iterator<Item = &'static str> {
    let is_there = |name: &&str| Path::new(env!("CARGO_MANIFEST_DIR")).join(name).exists();
    [OWN].into_iter().chain(Some(FRONT).filter(is_there))
}

/// The lines of a page's shell blocks, without comments, as words.
fn lines(page: &str) -> Vec<Vec<String>> {
    let blocks = page.split("\n```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    blocks.flat_map(str::lines).map(words).filter(|words| !words.is_empty()).collect()
}

/// Splits a line as a shell does that knows single quotes and comments.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut is_word) =
        (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            '\'' => (is_quoted, is_word) = (!is_quoted, true),
            '#' if !is_quoted && !is_word => break,
            ' ' if !is_quoted => {
                if std::mem::take(&mut is_word) {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => {
                word.push(c);
                is_word = true;
            }
        }
    }
    words.extend(is_word.then_some(word));
    words
}

/// What is typed of `loadgen` on a page, without its name.
fn commands(page: &str) -> Vec<Vec<String>> {
    let own = |words: Vec<String>| match words.first().map(String::as_str) {
        Some("loadgen") => Some(words[1..].to_vec()),
        Some("cargo") if words.contains(&"run".to_owned()) => {
            words.iter().position(|word| word == "--").map(|at| words[at + 1..].to_vec())
        }
        _ => None,
    };
    lines(page).into_iter().filter_map(own).collect()
}

/// The same command with small numbers.
fn small(mut words: Vec<String>) -> Vec<String> {
    if words[0] == "search" {
        for (flag, value) in [("-R", "50..60"), ("-d", "300ms")] {
            if let Some(at) = words.iter().position(|word| word == flag) {
                value.clone_into(&mut words[at + 1]);
            }
        }
    }
    let is_load = matches!(&*words[0], "run" | "connect" | "hold" | "listen" | "fanout");
    if !is_load {
        return words;
    }
    for (flag, value) in SMALL {
        if let Some(at) = words.iter().position(|word| word == flag) {
            value.clone_into(&mut words[at + 1]);
        }
    }
    if !words.iter().any(|word| word == "-d" || word == "--stage") {
        words.extend(["-d", "300ms"].map(ToOwned::to_owned));
    }
    words
}

/// Checks a command that needs another machine as far as that is possible.
fn check_usage(words: &[String]) {
    let words = std::iter::once("loadgen").chain(words.iter().map(String::as_str));
    let Parsed::Command(command) = parse(words.clone().map(Into::into)) else {
        panic!("{:?}", words.collect::<Vec<_>>());
    };
    let config = match *command {
        Command::Run(args) => Config::of_run(args).map(drop),
        Command::Connect(args) => Config::of_connect(args).map(drop),
        Command::Hold(args) => Config::of_hold(args).map(drop),
        _ => Ok(()),
    };
    assert_eq!(config, Ok(()));
}

/// FIELD N9 and S9: every line works against the servers that the page starts.
#[test]
fn s9_every_line_of_the_pages_works() {
    for name in pages() {
        let scratch = Scratch::new(&format!("s9-{}", name.len()));
        let mut servers: Vec<(String, Served)> = Vec::new();
        let all = commands(&page(name));
        assert!(all.len() >= 4, "{all:?}");
        for mut words in all {
            if words[0] == "serve" {
                assert_eq!(words.pop().unwrap(), "&", "a server that blocks the shell: {words:?}");
                let at = words.iter().position(|word| word == "--listen");
                let address = match at {
                    Some(at) => words.drain(at..at + 2).next_back().unwrap(),
                    None => "127.0.0.1:9001".to_owned(),
                };
                let args: Vec<_> = words[1..].iter().map(String::as_str).collect();
                servers.push((address, Served::start(&args)));
                continue;
            }
            let is_elsewhere = |word: &String| word.contains("://") && !word.contains("127.0.0.1");
            if words.iter().any(is_elsewhere) {
                check_usage(&words);
                continue;
            }
            let mut words = small(words);
            for (address, server) in &servers {
                let actual = server.address.to_string();
                for word in &mut words {
                    *word = word.replace(address, &actual);
                }
            }
            if let Some(at) = words.iter().position(|word| word == "--watch-pid") {
                words[at + 1] = servers[0].1.id().to_string();
            }
            let is_left = words.iter().find(|word| word.contains("127.0.0.1:900"));
            assert_eq!(is_left, None, "{words:?} against a server that the page doesn't start");
            let args: Vec<_> = words.iter().map(String::as_str).collect();
            let ran = finish(command(&args).current_dir(scratch.path("")).spawn().unwrap());
            // 97 and 99 are for a machine that is busy with other tests, 1 for what doctor finds.
            let is_expected = match (ran.code, args[0]) {
                (Some(0 | 97), _) | (Some(1), "doctor") => true,
                (Some(99), _) => args.iter().any(|arg| ["--threshold", "--until"].contains(arg)),
                _ => false,
            };
            assert!(is_expected, "{args:?}: {:?}\n{}{}", ran.code, ran.stdout, ran.stderr);
        }
    }
}

/// FIELD S9: a stranger can install before typing `loadgen`, and knows whether it will run.
#[test]
fn s9_the_pages_install_first_and_name_the_platform() {
    for name in pages() {
        let page = page(name);
        let typed = lines(&page);
        let first = |is: fn(&Vec<String>) -> bool| typed.iter().position(is);
        let installed = first(|words| words[0] == "cargo" && words[1] == "install");
        let used = first(|words| words[0] == "loadgen");
        assert!(installed.is_some() && installed < used, "{name}: {installed:?}, {used:?}");
        let platform = page.find("Linux").unwrap_or(usize::MAX);
        assert!(platform < page.find("\nloadgen ").unwrap(), "{name}");
        // Output stands there as it is.
        let texts = page.split("```text\n").map(|part| part.rsplit("\n```\n").next().unwrap());
        for line in texts.flat_map(str::lines) {
            assert!(line.chars().count() <= 100, "{name}: {line}");
        }
    }
    for front in pages().filter(|name| *name == FRONT).map(page) {
        assert!(front.lines().count() <= 130, "{}", front.lines().count());
        for command in ["cargo run --release -p loadgen -- run", "cargo test --workspace"] {
            assert!(front.lines().any(|line| line == command), "{command}");
        }
    }
}

/// The reader of the pages understands what shells do.
#[test]
fn s9_words_are_read_as_a_shell_does() {
    assert_eq!(words("a  'b c' --x='d # e' # f"), ["a", "b c", "--x=d # e"]);
    assert_eq!(words("# only"), [""; 0]);
    assert_eq!(words("a '' b#c"), ["a", "", "b#c"]);
}
