//! Flags that stand for a scenario of a few steps: `--begin`, `--begun`, `--on`, `--reply-id` and
//! `--feed`.
//!
//! They become the same tree as a file and are read by the same reader, so a placeholder, a match
//! or an id means the same in both.

use std::time::Duration;

use serde_json::Value;

use super::node::{Kind, Node};
use super::{Program, file};
use crate::quantity;

/// The name of a scenario that flags make.
pub const NAME: &str = "flags";
/// The name of the step that sends the message of `run --reply-id`.
pub const MESSAGE: &str = "message";

/// What flags ask for.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// Messages to send once a connection is open; an empty one only waits.
    pub begin: Vec<String>,
    /// What the answer to each of them matches.
    pub begun: Vec<String>,
    /// Rules: `MATCH=TEMPLATE`, or `MATCH`.
    pub on: Vec<String>,
    /// Where a reply names its request: a JSON pointer, or a regular expression with one group.
    pub reply_id: Option<String>,
    /// A file with a row for each user, and behind a comma how rows are taken.
    pub feed: Option<String>,
    /// How long an answer to a message of `begin` may take.
    pub begin_timeout: Duration,
    /// The message that is sent again and again, if its reply has an id.
    pub message: Option<Message>,
}

/// A message whose reply is found by its id.
#[derive(Clone, Debug)]
pub struct Message {
    /// What is sent.
    pub template: String,
    /// Whether it is binary.
    pub is_binary: bool,
    /// How many may be in flight on a connection.
    pub overlap: u64,
    /// How long a reply may take.
    pub timeout: Duration,
}

impl Flags {
    /// Checks whether nothing is asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.begin.is_empty()
            && self.begun.is_empty()
            && self.on.is_empty()
            && self.reply_id.is_none()
            && self.feed.is_none()
    }

    /// Makes a program of the flags.
    ///
    /// # Errors
    /// One line: the flag, what is wrong with it, and what to write instead.
    pub fn program(&self) -> Result<Program, String> {
        let mut root = Vec::new();
        if let Some(feed) = &self.feed {
            root.push(("feed".to_owned(), feed_of(feed)));
        }
        if let Some(id) = &self.reply_id {
            let flag = "--reply-id";
            let place = if id.starts_with('/') {
                text(flag, id)
            } else {
                one(flag, "regex", text(flag, id))
            };
            root.push(("reply".to_owned(), one(flag, "id", place)));
        }
        let begin = self.steps()?;
        root.push(("begin".to_owned(), Node::of_flag("--begin", Kind::List(begin))));
        let rules = self.on.iter().map(|typed| rule(typed)).collect::<Result<_, _>>()?;
        root.push(("on".to_owned(), Node::of_flag("--on", Kind::List(rules))));
        if let Some(message) = &self.message {
            root.push(("step".to_owned(), Node::of_flag("-m", Kind::List(vec![message.step()]))));
        }
        let mut program = file::of_flags(table("flags", root), &self.texts())?;
        NAME.clone_into(&mut program.name);
        Ok(program)
    }

    fn steps(&self) -> Result<Vec<Node>, String> {
        if self.begun.len() > self.begin.len() {
            return Err(format!(
                "{} --begun for {} --begin: each is the answer to one; write --begin '' before one \
                 that comes unasked",
                self.begun.len(),
                self.begin.len()
            ));
        }
        let step = |(place, typed): (usize, &String)| {
            let mut entries = Vec::new();
            let begun = self.begun.get(place);
            match (typed.is_empty(), begun) {
                (true, None) => {
                    return Err(
                        "--begin is empty; give it a message, or a --begun to wait for".to_owned()
                    );
                }
                (true, Some(begun)) => entries.push(("wait", matching("--begun", begun)?)),
                (false, None) => entries.push(("send", text("--begin", typed))),
                (false, Some(begun)) => {
                    entries.push(("send", text("--begin", typed)));
                    entries.push(("expect", matching("--begun", begun)?));
                }
            }
            if begun.is_some() || self.reply_id.is_some() && typed.contains("{id}") {
                let timeout = quantity::typed(self.begin_timeout);
                entries.push(("timeout", text("--connect-timeout", &timeout)));
            }
            Ok(named_table("--begin", entries))
        };
        self.begin.iter().enumerate().map(step).collect()
    }

    /// Returns everything that tells two scenarios apart.
    fn texts(&self) -> Vec<String> {
        let Self { begin, begun, on, reply_id, feed, message, begin_timeout: _ } = self;
        let mut texts = [&begin[..], begun, on].map(|list| list.join("\0")).to_vec();
        texts.extend([reply_id, feed].map(|text| text.clone().unwrap_or_default()));
        texts.extend(message.as_ref().map(|message| message.template.clone()));
        texts
    }
}

impl Message {
    fn step(&self) -> Node {
        let content = text("-m", &self.template);
        let content = if self.is_binary {
            ("bytes", Node::of_flag("-m", Kind::List(vec![content])))
        } else {
            ("send", content)
        };
        let timeout = quantity::typed(self.timeout);
        named_table(
            "-m",
            vec![
                ("name", text("-m", MESSAGE)),
                content,
                ("reply", Node::of_flag("-m", Kind::Plain("true".into()))),
                ("timeout", text("--reply-timeout", &timeout)),
                ("overlap", Node::of_flag("-p", Kind::Plain(self.overlap.to_string()))),
            ],
        )
    }
}

/// Reads `users.csv`, or `users.csv,cycle`.
fn feed_of(typed: &str) -> Node {
    let flag = "--feed";
    let (file, take) = match typed.rsplit_once(',') {
        Some((file, take @ ("each" | "cycle" | "random"))) => (file, take),
        _ => (typed, "each"),
    };
    named_table(flag, vec![("file", text(flag, file)), ("take", text(flag, take))])
}

/// Reads `MATCH=TEMPLATE`, or `MATCH`.
fn rule(typed: &str) -> Result<Node, String> {
    let flag = "--on";
    let is_sign = |&(at, _): &(usize, &str)| !typed[..at].ends_with('\\');
    let (when, answer) = match typed.match_indices('=').find(is_sign) {
        Some((at, _)) => (&typed[..at], Some(&typed[at + 1..])),
        None => (typed, None),
    };
    let mut entries = vec![("when", matching(flag, when)?)];
    match answer {
        Some("") => {
            return Err(format!(
                "--on {typed:?} answers nothing; leave out the = if nothing is to be sent"
            ));
        }
        Some(answer) => entries.push(("send", text(flag, answer))),
        None => {}
    }
    Ok(named_table(flag, entries))
}

/// Reads what a message matches: `/type:ack` looks at a JSON value, `/id` only whether there is
/// one; anything else is the message, in which `*` stands for anything.
fn matching(flag: &str, typed: &str) -> Result<Node, String> {
    if typed.is_empty() {
        return Err(format!(
            "{flag} has an empty match; write the message, with * for what varies"
        ));
    }
    if typed.starts_with('/') {
        let Some((pointer, value)) = typed.split_once(':') else {
            return Ok(one(flag, "has", text(flag, typed)));
        };
        return Ok(one(flag, "json", one(flag, pointer, literal(flag, value))));
    }
    let parts = globbed(typed);
    let (key, value) = match &parts.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [all] => ("exact", (*all).to_owned()),
        [begin, ""] => ("prefix", (*begin).to_owned()),
        ["", middle, ""] => ("contains", (*middle).to_owned()),
        parts => {
            let escaped: Vec<_> = parts.iter().map(|part| escaped(part)).collect();
            ("regex", format!("(?s)^{}$", escaped.join(".*")))
        }
    };
    Ok(one(flag, key, text(flag, &value)))
}

/// Splits a text at each `*`; a backslash takes the meaning of the `*` or `=` behind it.
fn globbed(typed: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut rest = typed.chars().peekable();
    while let Some(c) = rest.next() {
        let c = match c {
            '*' => {
                parts.push(String::new());
                continue;
            }
            '\\' => rest.next_if(|c| "*=".contains(*c)).unwrap_or('\\'),
            other => other,
        };
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

/// Returns text as a regular expression that matches it alone.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_punctuation() {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Reads a JSON value; a text may leave out its quotes.
fn literal(flag: &str, typed: &str) -> Node {
    match serde_json::from_str(typed) {
        Ok(Value::String(inner)) => text(flag, &inner),
        Ok(Value::Number(_) | Value::Bool(_) | Value::Null) => {
            Node::of_flag(flag, Kind::Plain(typed.trim().to_owned()))
        }
        _ => text(flag, typed),
    }
}

fn text(flag: &str, text: &str) -> Node {
    Node::of_flag(flag, Kind::Text(text.to_owned()))
}

fn one(flag: &str, key: &str, value: Node) -> Node {
    named_table(flag, vec![(key, value)])
}

fn named_table(flag: &str, entries: Vec<(&str, Node)>) -> Node {
    table(flag, entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn table(flag: &str, entries: Vec<(String, Node)>) -> Node {
    Node::of_flag(flag, Kind::Table(entries))
}

#[cfg(test)]
mod tests {
    use super::super::matcher::View;
    use super::*;

    fn on(typed: &str) -> Result<Program, String> {
        Flags { on: vec![typed.to_owned()], ..Flags::default() }.program()
    }

    #[test]
    fn a_match_is_a_message_with_stars_or_a_json_value() {
        for (typed, yes, no) in [
            ("2", &["2"][..], &["23", "", "42[1]"][..]),
            ("40*", &["40", "40{\"sid\":1}"], &["44{}", "140"]),
            ("*ready*", &["ready", "{\"is\":\"ready\"}"], &["read"]),
            ("4*[\"a\",*]", &["42[\"a\",1]", "4\n[\"a\",]"], &["42[\"b\",1]", "42[\"a\",1] "]),
            ("a\\*b\\=c\\n", &["a*b=c\\n"], &["aab=c\\n", "a*b\\=c\\n"]),
            ("ä.*", &["ä.", "ä.x"], &["äx"]),
            ("/type:ack", &["{\"type\":\"ack\"}"], &["{\"type\":\"nack\"}", "ack"]),
            ("/n:7", &["{\"n\":7}"], &["{\"n\":\"7\"}", "{\"n\":77}"]),
            ("/n:\"7\"", &["{\"n\":\"7\"}"], &["{\"n\":7}"]),
            ("/ok:true", &["{\"ok\":true}"], &["{\"ok\":\"true\"}"]),
            ("/result", &["{\"result\":null}"], &["{\"error\":1}"]),
        ] {
            let program = on(typed).unwrap();
            let matches =
                |text: &str| program.rules[0].when.is_match(View::new(text.as_bytes(), None));
            assert!(yes.iter().all(|text| matches(text)), "{typed}");
            assert!(!no.iter().any(|text| matches(text)), "{typed}");
        }
    }

    #[test]
    fn a_rule_has_its_answer_behind_the_first_sign() {
        let answers = |typed: &str| on(typed).unwrap().rules[0].answer.is_some();
        assert!(answers("2=3") && answers("/op:ping={\"op\":\"pong\",\"a\":\"=\"}"));
        assert!(!answers("2") && !answers("a\\=b"));
    }

    #[test]
    fn steps_pair_with_their_answers() {
        let flags = Flags {
            begin: ["", "40", "42[\"join\"]"].map(str::to_owned).to_vec(),
            begun: ["0{*", "40*"].map(str::to_owned).to_vec(),
            begin_timeout: Duration::from_secs(3),
            ..Flags::default()
        };
        let program = flags.program().unwrap();
        assert_eq!(program.measures, ["begin.1", "begin.2", "begin.3"]);
        assert_eq!(
            (program.blocks[super::super::BEGIN].steps.len(), program.has_steps()),
            (3, false)
        );
        assert_eq!(program.name, NAME);
        let other = Flags { begun: vec!["1*".into(), "40*".into()], ..flags.clone() };
        assert_ne!(other.program().unwrap().digest, program.digest);
    }

    #[test]
    fn what_is_wrong_names_its_flag() {
        let begin = |begin: &[&str], begun: &[&str]| {
            let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
            let begin_timeout = Duration::from_secs(1);
            Flags { begin: own(begin), begun: own(begun), begin_timeout, ..Flags::default() }
                .program()
        };
        let id = |id: &str| Flags { reply_id: Some(id.into()), ..Flags::default() }.program();
        let feed = |feed: &str| Flags { feed: Some(feed.into()), ..Flags::default() }.program();
        let asking = |template: &str| {
            let template = template.to_owned();
            let timeout = Duration::from_secs(1);
            let message = Message { template, is_binary: false, overlap: 1, timeout };
            Flags { reply_id: Some("/id".into()), message: Some(message), ..Flags::default() }
                .program()
        };
        for (program, why) in [
            (begin(&["a"], &["b", "c"]), "2 --begun for 1 --begin"),
            (begin(&[""], &[]), "--begin is empty"),
            (begin(&["{nobody}"], &[]), "--begin: "),
            (begin(&["a"], &[""]), "--begun has an empty match"),
            (on("2="), "--on \"2=\" answers nothing"),
            (on("{user}=x"), "--on: a match has no placeholders"),
            (on("=x"), "--on has an empty match"),
            (id("43"), "--reply-id: the value is what the one (…) matches"),
            (id("("), "--reply-id: \"(\" is not a regular expression"),
            (feed("nowhere.csv"), "--feed: ./nowhere.csv can't be read"),
            (asking("{\"id\":1}"), "-m: a reply is found by the request's number; put {id}"),
        ] {
            let said = program.unwrap_err();
            assert!(said.starts_with(why), "{said}");
        }
    }
}
