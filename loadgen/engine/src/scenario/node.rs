//! Parses a TOML document into a tree in which every value knows its place, for error messages.

use std::rc::Rc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::nearest::meant;
use crate::quantity;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    place: Place,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) struct Place {
    file: Rc<str>,
    /// The line in it; `None` if it is a flag.
    line: Option<usize>,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Text(String),
    /// A number, a boolean or a time, as typed.
    Plain(String),
    List(Vec<Node>),
    /// In file order.
    Table(Vec<(String, Node)>),
}

impl Node {
    /// Reads a document.
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, String> {
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            let said = error.message().lines().next().unwrap_or_default().to_owned();
            format!("{file}:{line}: {said}")
        })?;
        let file: Rc<str> = file.into();
        let kind = of_table(&file, text, table.get_ref());
        Ok(Self { place: Place { file, line: Some(1) }, kind })
    }

    /// Returns a value that a flag gives instead of a document.
    pub(super) fn of_flag(flag: &str, kind: Kind) -> Self {
        Self { place: Place { file: flag.into(), line: None }, kind }
    }

    /// Returns an error about this value.
    pub(super) fn wrong(&self, what: impl std::fmt::Display) -> String {
        let Place { file, line } = &self.place;
        match line {
            Some(line) => format!("{file}:{line}: {what}"),
            None => format!("{file}: {what}"),
        }
    }

    fn noun(&self) -> &'static str {
        match self.kind {
            Kind::Text(_) => "text",
            Kind::Plain(_) => "a plain value",
            Kind::List(_) => "a list",
            Kind::Table(_) => "a table",
        }
    }

    pub(super) fn text(&self, what: &str) -> Result<&str, String> {
        match &self.kind {
            Kind::Text(text) => Ok(text),
            _ => Err(self.wrong(format_args!("{what} is {}; write text in quotes", self.noun()))),
        }
    }

    pub(super) fn number(&self, what: &str) -> Result<u64, String> {
        let found = match &self.kind {
            Kind::Plain(plain) => plain.replace('_', "").parse().ok(),
            _ => None,
        };
        found.ok_or_else(|| self.wrong(format_args!("{what} is not a whole number")))
    }

    pub(super) fn truth(&self, what: &str) -> Result<bool, String> {
        match &self.kind {
            Kind::Plain(plain) if plain == "true" => Ok(true),
            Kind::Plain(plain) if plain == "false" => Ok(false),
            _ => Err(self.wrong(format_args!("{what} is true or false, without quotes"))),
        }
    }

    /// Reads a duration, in nanoseconds.
    pub(super) fn span_ns(&self, what: &str, least: Duration) -> Result<u64, String> {
        self.span_of(self.text(what)?, what, least)
    }

    /// Reads a duration from a part of this text.
    pub(super) fn span_of(&self, text: &str, what: &str, least: Duration) -> Result<u64, String> {
        const MOST: Duration = Duration::from_secs(24 * 3_600);
        let span = quantity::duration(text.trim())
            .map_err(|why| self.wrong(format_args!("{what} = {text:?}: {why}")))?;
        if span < least || span > MOST {
            let [least, most] = [least, MOST].map(quantity::typed);
            return Err(self
                .wrong(format_args!("{what} = {text:?} is out of range; use {least} to {most}")));
        }
        Ok(crate::clock::nanos(span))
    }

    pub(super) fn list(&self, what: &str) -> Result<&[Self], String> {
        match &self.kind {
            Kind::List(list) => Ok(list),
            _ => Err(self.wrong(format_args!("{what} is {}; write a list: [ … ]", self.noun()))),
        }
    }

    /// Returns one value, or the values of a list.
    pub(super) fn one_or_more(&self) -> &[Self] {
        match &self.kind {
            Kind::List(list) => list,
            _ => std::slice::from_ref(self),
        }
    }

    pub(super) fn entries(&self, what: &str) -> Result<&[(String, Self)], String> {
        match &self.kind {
            Kind::Table(entries) => Ok(entries),
            _ => Err(self.wrong(format_args!("{what} is {}; write a table: {{ … }}", self.noun()))),
        }
    }

    /// Returns the entries of a table, which may have only these keys.
    pub(super) fn known(&self, what: &str, keys: &[&str]) -> Result<&[(String, Self)], String> {
        let entries = self.entries(what)?;
        for (key, value) in entries {
            if !keys.contains(&key.as_str()) {
                let hint = match meant(key, keys.iter().copied()) {
                    Some(meant) => format!("write {meant}"),
                    None => format!("there are {}", keys.join(", ")),
                };
                return Err(value.wrong(format_args!("{what} has no {key:?}; {hint}")));
            }
        }
        Ok(entries)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Kind::Table(entries) = &self.kind else { return None };
        entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Removes an entry of a table, if there is one.
    pub(super) fn remove(&mut self, key: &str) {
        if let Kind::Table(entries) = &mut self.kind {
            entries.retain(|(name, _)| name != key);
        }
    }

    /// Returns the elements of a list of tables, if there is one.
    pub(super) fn tables(&self, key: &str) -> Result<&[Self], String> {
        match self.get(key) {
            None => Ok(&[]),
            Some(node) => match &node.kind {
                Kind::List(list) => Ok(list),
                _ => Err(node
                    .wrong(format_args!("{key} is a list of tables; write [[{key}]] above each"))),
            },
        }
    }

    /// Returns the same value with all texts changed.
    pub(super) fn with_texts(
        &self,
        change: &mut impl FnMut(&Self, &str) -> Result<String, String>,
    ) -> Result<Self, String> {
        let kind = match &self.kind {
            Kind::Text(text) => Kind::Text(change(self, text)?),
            Kind::Plain(plain) => Kind::Plain(plain.clone()),
            Kind::List(list) => Kind::List(
                list.iter().map(|node| node.with_texts(change)).collect::<Result<_, _>>()?,
            ),
            Kind::Table(entries) => Kind::Table(
                entries
                    .iter()
                    .map(|(key, node)| Ok((key.clone(), node.with_texts(change)?)))
                    .collect::<Result<_, String>>()?,
            ),
        };
        Ok(Self { place: self.place.clone(), kind })
    }
}

fn of_table(file: &Rc<str>, text: &str, table: &DeTable<'_>) -> Kind {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| {
            let start = key.span().start;
            (start, (key.get_ref().to_string(), of_value(file, text, value, start)))
        })
        .collect();
    entries.sort_by_key(|(start, _)| *start);
    Kind::Table(entries.into_iter().map(|(_, entry)| entry).collect())
}

/// A value's place is that of its key, or its own if it is in a list.
fn of_value(file: &Rc<str>, text: &str, value: &Spanned<DeValue<'_>>, start: usize) -> Node {
    let kind = match value.get_ref() {
        DeValue::String(string) => Kind::Text(string.to_string()),
        DeValue::Integer(integer) => Kind::Plain(match integer.radix() {
            10 => integer.as_str().to_owned(),
            radix => i64::from_str_radix(integer.as_str(), radix)
                .map_or_else(|_| integer.as_str().to_owned(), |number| number.to_string()),
        }),
        DeValue::Float(float) => Kind::Plain(float.as_str().to_owned()),
        DeValue::Boolean(truth) => Kind::Plain(truth.to_string()),
        DeValue::Datetime(time) => Kind::Plain(time.to_string()),
        DeValue::Array(list) => Kind::List(
            list.iter().map(|value| of_value(file, text, value, value.span().start)).collect(),
        ),
        DeValue::Table(table) => of_table(file, text, table),
    };
    Node { place: Place { file: Rc::clone(file), line: Some(line_of(text, start)) }, kind }
}

fn line_of(text: &str, at: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..at.min(text.len())]).count()
}
