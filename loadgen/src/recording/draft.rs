//! Writes what was found as a scenario file.

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::framing::Framing;
use super::guess::{Confidence, Guess};
use super::heartbeat::{rounded, shown, toml_time};
use super::kind::{Kinds, Names};
use super::opening::{self, Opening};
use super::order::{self, Order};
use super::protocol::{self, IdAt};
use super::quoting::{self, quoted};
use super::rules::{self, Rule};
use super::story::{Beat, Fate, Story, Until, VarValue};
use super::value::{self, Values};
use super::{Connection, Side, heartbeat, preset, reply, unit};
use crate::scenario;
use crate::units;

/// The largest message that a scenario repeats.
const MESSAGE_LEN_MAX: usize = 128 << 10;
/// Bytes of steps in a scenario file, which may have a mebibyte.
const STEPS_LEN_MAX: usize = 800 << 10;
/// Names of steps; all others are measured together.
const NAMES_MAX: usize = 56;
/// Answers that took longer than this get a timeout of their own.
const SLOW_NS: u64 = 2_000_000_000;

/// A scenario, made from a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The file.
    pub toml: String,
    /// The feed with the recording's secrets: CSV with one row.
    pub feed: Option<String>,
    /// Names of the feed's columns.
    pub columns: Vec<String>,
    /// Everything that was guessed.
    pub guesses: Vec<Guess>,
}

/// Makes a scenario of a connection. Secrets go to a feed of the name `feed`; without one they are
/// left out, and the scenario has empty variables for them.
#[must_use]
pub fn draft(connection: &Connection, feed: Option<&str>) -> Draft {
    let (protocol, guess) = protocol::recognise(connection);
    let (units, is_cut) = unit::units(connection, &protocol);
    let kinds = Kinds::of(&units, &protocol.framing);
    let mut story = Story {
        connection,
        fates: vec![Fate::Open; units.len()],
        units,
        kinds,
        protocol,
        until: BTreeMap::new(),
        id_edits: BTreeMap::new(),
        ids: None,
        beats: Vec::new(),
        vars: Vec::new(),
        is_inlined: false,
        guesses: vec![guess],
    };
    if is_cut {
        let kept = units::count(story.units.len() as u64);
        let says = format!("looks at the first {kept} messages");
        story.guesses.push(Guess::new("loop", Confidence::Unsure, says, "there are more"));
    }
    preset::cover(&mut story);
    heartbeat::find_named(&mut story);
    reply::find_by_id(&mut story);
    heartbeat::find_others(&mut story);
    reply::find_by_kind(&mut story);
    let greetings = reply::find_greeting(&mut story);
    let rules = rules::rules(&mut story);
    let order = order::order(&mut story);
    let mut values = value::find(&mut story, &order);
    let opening = opening::opening(&mut story, &mut values);
    if story.protocol.is("json-rpc") && order.steps.is_empty() {
        story.is_inlined = true; // or users would call what the preset calls
    }
    let mut file = File { story: &mut story, values, names: BTreeMap::new(), out: String::new() };
    file.write(&opening, (&greetings, &order), &rules, feed);
    let File { values, out, .. } = file;
    let columns: Vec<_> = values.columns.iter().map(|(name, _)| name.clone()).collect();
    let row = values.columns.into_iter().map(|(_, value)| value).collect();
    Draft {
        toml: format!("{}{out}", head(connection, &story)),
        feed: (feed.is_some() && !columns.is_empty()).then(|| csv([columns.clone(), row])),
        columns,
        guesses: story.guesses,
    }
}

fn csv(rows: [Vec<String>; 2]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        // Rows of equal length, written to memory.
        writer.write_record(&row).unwrap_or(());
    }
    writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// Returns the comment at the head: where the file is from, and all guesses.
fn head(connection: &Connection, story: &Story<'_>) -> String {
    let (first, last) = (connection.messages.first(), connection.messages.last());
    let span_ns = first.zip(last).map_or(0, |(first, last)| last.at_ns.saturating_sub(first.at_ns));
    let mut head = format!(
        "# Made by loadgen from a recording: {} sent and {} received in {}.\n\
         # What is not in a recording was guessed. Each guess, with what speaks for it:\n#\n",
        units::counted(connection.count(Side::Client) as u64, "message"),
        connection.count(Side::Server),
        units::duration(span_ns),
    );
    for guess in &story.guesses {
        // Writing to a `String` doesn't fail.
        writeln!(head, "# {guess}").unwrap_or(());
    }
    head.push('\n');
    head
}

/// A file that is being written.
struct File<'f, 'c> {
    story: &'f mut Story<'c>,
    values: Values,
    /// Names of steps, by their shapes.
    names: BTreeMap<String, String>,
    out: String,
}

impl File<'_, '_> {
    fn line(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }

    fn write(
        &mut self,
        opening: &Opening,
        (greetings, order): (&[usize], &Order),
        rules: &[Rule],
        feed: Option<&str>,
    ) {
        let preset = self.story.protocol.preset;
        let inlined = preset.filter(|_| self.story.is_inlined).and_then(scenario::preset::text);
        if let Some(preset) = preset.filter(|_| inlined.is_none()) {
            self.line(&format!("use = \"{preset}\"\n"));
        }
        self.connect(opening, inlined);
        if let Some(feed) = feed.filter(|_| !self.values.columns.is_empty()) {
            self.line(&format!(
                "# The recording's own values; add a row for each user, and then leave take out.\n\
                 [feed]\nfile = {}\ntake = \"cycle\"\n",
                quoted(feed)
            ));
        }
        self.vars(feed.is_some(), inlined);
        if let Some(ids) = self.story.ids.clone() {
            self.line(&format!("[reply]\nid = {}", quoted(&ids.pointer)));
            if let Some(named) = &ids.named {
                self.line(&format!("as = {}", quoted(named)));
            }
            if let Some(fail) = ids.fail {
                self.line(&format!("fail = {fail}"));
            }
            self.line("");
        }
        for &place in greetings {
            let kind = self.story.kinds.kind(&self.story.units[place]);
            self.line(&format!("[[begin]]\nname = \"{}\"\nwait = {}", kind.name, kind.matcher));
            self.captures(&[place]);
            self.line("");
        }
        for &place in &order.begin {
            self.step("begin", place);
        }
        self.iteration(order);
        for &place in &order.end {
            self.step("end", place);
        }
        self.rules(rules);
        if let Some(text) = inlined {
            self.inline(text);
        }
    }

    fn connect(&mut self, opening: &Opening, inlined: Option<&str>) {
        self.line(&format!("[connect]\nurl = {}", quoted(&opening.url)));
        match &opening.subprotocols[..] {
            [] => {}
            [one] => self.line(&format!("subprotocol = {}", quoted(one))),
            all => {
                let all: Vec<_> = all.iter().map(|name| quoted(name)).collect();
                self.line(&format!("subprotocol = [{}]", all.join(", ")));
            }
        }
        let of_preset = inlined.map(|text| paragraph(text, "[connect]")).unwrap_or_default();
        for line in of_preset.lines().filter(|line| !line.starts_with("subprotocol")).skip(1) {
            self.line(line);
        }
        if !opening.headers.is_empty() {
            self.line("[connect.headers]");
            for (name, value) in &opening.headers {
                self.line(&format!("{} = {}", quoted(name), quoted(value)));
            }
        }
        self.line("");
    }

    fn vars(&mut self, has_feed: bool, inlined: Option<&str>) {
        let mut vars: Vec<(String, String)> = Vec::new();
        for var in self.story.vars.clone() {
            let is_beat = var.name == "heartbeat";
            if inlined.is_some() && !is_beat {
                continue;
            }
            let template = match var.value {
                VarValue::Text(text) => text,
                VarValue::Part(unit, span) => {
                    let edits: Vec<_> = self
                        .values
                        .edits_of(unit)
                        .iter()
                        .filter(|(edit, _)| edit.start >= span.start && edit.end <= span.end)
                        .map(|(edit, new)| {
                            (edit.start - span.start..edit.end - span.start, new.clone())
                        })
                        .collect();
                    let text = String::from_utf8_lossy(&self.story.units[unit].bytes[span]);
                    quoting::template(&text, &edits)
                }
            };
            // A column fills a preset's variable of its name.
            let is_column = [format!("{{{}}}", var.name), format!("{{{}:json}}", var.name)];
            if !is_column.contains(&template) {
                vars.push((var.name.to_owned(), template));
            }
        }
        if let Some(text) = inlined
            && vars.iter().all(|(name, _)| name != "heartbeat")
            && let Some(line) = text.lines().find(|line| line.starts_with("heartbeat "))
        {
            let value = line.split('"').nth(1).unwrap_or("25s");
            vars.push(("heartbeat".into(), value.to_owned()));
        }
        vars.extend(self.values.vars.clone());
        if !has_feed {
            let columns = self.values.columns.iter();
            vars.splice(0..0, columns.map(|(name, _)| (name.clone(), String::new())));
        }
        if vars.is_empty() {
            return;
        }
        self.line("[vars]");
        for (name, template) in vars {
            self.line(&format!("{name} = {}", quoted(&template)));
        }
        self.line("");
    }

    fn captures(&mut self, places: &[usize]) {
        let found = places.iter().filter_map(|place| self.values.captures.get(place)).flatten();
        let captures: Vec<_> = found.map(|(name, pick)| format!("{name} = {pick}")).collect();
        if !captures.is_empty() {
            self.line(&format!("capture = {{ {} }}", captures.join(", ")));
        }
    }

    /// Returns the name of a step, the same for all that ask for the same.
    fn name(&mut self, place: usize) -> String {
        let unit = &self.story.units[place];
        let shape = self.story.kinds.shape(unit);
        if let Some(name) = self.names.get(&shape) {
            return name.clone();
        }
        if self.names.len() >= NAMES_MAX {
            return "other".into();
        }
        let name = self.story.kinds.step_name(unit);
        let is_taken = |name: &str| self.names.values().any(|taken| taken == name);
        let mut unique = name.clone();
        for number in 2.. {
            if !is_taken(&unique) {
                break;
            }
            unique = format!("{name}-{number}");
        }
        self.names.insert(shape, unique.clone());
        unique
    }

    fn iteration(&mut self, order: &Order) {
        let has_next = |occurrences: &[usize]| occurrences.len() > 1;
        for (number, occurrences) in order.steps.iter().enumerate() {
            let Some(&first) = occurrences.first() else { continue };
            if number > 0
                && let Some(pause) = order::pause(self.story, occurrences)
            {
                self.line(&format!("[[step]]\npause = \"{pause}\"\n"));
            }
            if self.out.len() > STEPS_LEN_MAX {
                let says = format!("leaves out what follows the first {number} messages");
                let why = "the file would be too large";
                self.story.guesses.push(Guess::new("left out", Confidence::Sure, says, why));
                break;
            }
            self.step("step", first);
        }
        // The pause before the first message of the next iteration.
        if let Some(first) = order.steps.first().filter(|first| has_next(first))
            && let Some(pause) = order::pause(self.story, &first[1..])
        {
            self.line(&format!("[[step]]\npause = \"{pause}\"\n"));
        }
    }

    fn step(&mut self, block: &str, place: usize) {
        let unit = &self.story.units[place];
        if unit.bytes.len() > MESSAGE_LEN_MAX {
            let says = format!("{} is not sent", shown(self.story, place));
            let evidence = format!("it has {} bytes", unit.bytes.len());
            self.story.guesses.push(Guess::new("left out", Confidence::Sure, says, evidence));
            return;
        }
        let name = self.name(place);
        let body = self.body(place);
        self.line(&format!("[[{block}]]\nname = \"{name}\"\n{body}"));
        let until = self.story.until.get(&place).copied();
        match until {
            None if self.has_id(place) => self.line("reply = false"),
            None | Some(Until::Reply(_)) => {}
            Some(Until::Expect(answer)) => {
                let kind = self.story.kinds.kind(&self.story.units[answer]);
                self.line(&format!("expect = {}", kind.matcher));
            }
        }
        if let Some(until) = until {
            let answer = &self.story.units[until.unit()];
            let is_graphql = self.story.protocol.preset.is_some_and(|p| p.starts_with("graphql"));
            // A result may have errors beside data; the protocol's own error is another message.
            if is_graphql && answer.is_json() && !answer.has("/payload/errors") {
                self.line("fail = { has = \"/payload/errors\" }");
            }
            self.captures(&[until.unit()]);
            let took_ns = self.story.gap_ns(place, until.unit());
            if took_ns > SLOW_NS {
                self.line(&format!("timeout = \"{}\"", toml_time(rounded(took_ns * 4))));
            }
        }
        self.line("");
    }

    fn has_id(&self, place: usize) -> bool {
        let is_packet = self.story.protocol.id_at == Some(IdAt::Packet);
        self.story.id_edits.contains_key(&place) || is_packet && self.body(place).contains("{id}")
    }

    /// Returns `send = …` or `bytes = …`.
    fn body(&self, place: usize) -> String {
        let unit = &self.story.units[place];
        let edits = self.values.edits_of(place);
        if let Framing::Mqtt { is_5 } = self.story.protocol.framing {
            return format!("bytes = {}", super::mqtt::toml(&unit.bytes, is_5, edits));
        }
        match str::from_utf8(&unit.bytes) {
            Ok(text) if unit.is_text => {
                format!("send = {}", quoted(&quoting::template(text, edits)))
            }
            Ok(text) => format!("bytes = [{}]", quoted(&quoting::template(text, edits))),
            Err(_) if unit.bytes.len() > 64 => {
                format!("bytes = [{{ base64 = \"{}\" }}]", STANDARD.encode(&unit.bytes))
            }
            Err(_) => format!("bytes = [{{ hex = \"{}\" }}]", quoting::hex(&unit.bytes)),
        }
    }

    fn rules(&mut self, rules: &[Rule]) {
        let mut names = Names::default();
        if let Some(program) = &self.story.protocol.program {
            program.rules.iter().for_each(|rule| {
                names.unique(&rule.name);
            });
        }
        for beat in self.story.beats.clone() {
            match beat {
                Beat::Answer { asked, said, repeated, name } => {
                    let kind = self.story.kinds.kind(&self.story.units[asked]);
                    let captures: Vec<_> = repeated.iter().map(|(_, kept)| kept.clone()).collect();
                    for (edit, _) in repeated {
                        self.values.edit(said, edit);
                    }
                    let body = self.body(said);
                    let name = names.unique(&name);
                    self.line(&format!(
                        "[[on]]\nname = \"{name}\"\nwhen = {}\n{body}",
                        kind.matcher
                    ));
                    if !captures.is_empty() {
                        self.line(&format!("capture = {{ {} }}", captures.join(", ")));
                    }
                    self.line("");
                }
                Beat::Timer { said, interval_ns } => {
                    let body = self.body(said);
                    let interval = toml_time(interval_ns);
                    self.line(&format!("[[every]]\ninterval = \"{interval}\"\n{body}\n"));
                }
            }
        }
        for rule in rules {
            let name = names.unique(&rule.kind.name);
            self.line(&format!("[[on]]\nname = \"{name}\"\nwhen = {}", rule.kind.matcher));
            self.captures(&rule.units);
            self.line("");
        }
    }

    /// Writes the parts of a preset that are not its handshake.
    fn inline(&mut self, text: &str) {
        const KEPT: [&str; 4] = ["[reply]", "[[every]]", "[[on]]", "[[end]]"];
        for part in text.split("\n\n") {
            if KEPT.iter().any(|kept| part.starts_with(kept)) {
                self.line(&format!("{}\n", part.trim_end()));
            }
        }
    }
}

/// Returns the paragraph of a file that begins so.
fn paragraph<'t>(text: &'t str, begin: &str) -> &'t str {
    text.split("\n\n").find(|part| part.starts_with(begin)).unwrap_or_default()
}
