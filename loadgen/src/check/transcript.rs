//! The transcript of one user: each message of its connection, and what took it or why it was sent.
//!
//! ```text
//!    0.031 > 40{"token":"tok-0"}                        socket.connect
//!    0.033 < 40{"sid":"tolwykvInyVB-498AAA6"}           ends socket.connect   2.11 ms
//!          . me = "u0"
//!    0.526 < 42["news",1]                               !! unmatched
//! ```
//!
//! On a terminal a message is cut to the line; elsewhere it is whole, as far as it is bearable.

use std::fmt::Write as _;

use super::list::{List, Mark};
use super::packet;
use crate::scenario::unit::Framing;
use crate::scenario::user::{Cause, Event, Fault, Observer, Order};
use crate::scenario::{Action, Program, Unmatched};
use crate::screen::Screen;
use crate::{escape, units};

/// Bytes of a message that are shown where no terminal cuts the line.
const SHOWN_LEN_MAX: usize = 4_096;
/// Bytes of a message that are shown as the reason of a failure.
const REASON_LEN_MAX: usize = 200;
/// Where labels stand, unless a message is longer.
const LABEL_COLUMN: usize = 62;
/// What stands before a message: its time, and its direction.
const HEAD_LEN: usize = 11;
/// Least room for a message on a narrow terminal.
const SHOWN_MIN: usize = 16;

/// What a line is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tone {
    #[default]
    Plain,
    Sent,
    Dim,
    Warning,
    Failure,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Sent => "\x1b[36m",
            Self::Dim => "\x1b[2m",
            Self::Warning => "\x1b[33m",
            Self::Failure => "\x1b[1;31m",
        }
    }
}

/// A line that may still get its label.
#[derive(Debug)]
struct Line {
    direction: char,
    shown: String,
    label: String,
    tone: Tone,
}

/// What came of a step.
#[derive(Clone, Debug, Default)]
struct Tried {
    begun: u64,
    ok: u64,
    /// Time of all answers.
    service_ns: u64,
    answers: u64,
    failed: Option<String>,
}

/// A transcript that is being written.
#[derive(Debug)]
pub(super) struct Transcript<'p> {
    program: &'p Program,
    screen: Option<Screen>,
    begin_ns: u64,
    pub(super) now_ns: u64,
    /// Whether the message that is being taken is text.
    is_text: bool,
    /// Whether it had a unit.
    has_unit: bool,
    line: Option<Line>,
    /// What was captured from its message.
    values: Vec<Line>,
    lines: Vec<String>,
    steps: Vec<Tried>,
    rules: Vec<u64>,
    unmatched: u64,
    unmatched_first: String,
}

impl<'p> Transcript<'p> {
    /// Returns an empty transcript, whose times count from `begin_ns`.
    pub(super) fn new(program: &'p Program, begin_ns: u64) -> Self {
        Self {
            program,
            screen: Screen::of_stdout(),
            begin_ns,
            now_ns: begin_ns,
            is_text: true,
            has_unit: false,
            line: None,
            values: Vec::new(),
            lines: Vec::new(),
            steps: vec![Tried::default(); program.measures.len()],
            rules: vec![0; program.rules.len()],
            unmatched: 0,
            unmatched_first: String::new(),
        }
    }

    /// A message begins, whose units the user takes next.
    pub(super) fn message(&mut self, is_text: bool) {
        (self.is_text, self.has_unit) = (is_text, false);
    }

    /// All units of a message have been taken.
    pub(super) fn message_over(&mut self, bytes: &[u8]) {
        if !self.has_unit {
            let shown = self.shown(bytes, self.is_text);
            self.begin('<', shown, Tone::Dim);
            let is_part = self.program.connect.framing == Framing::Mqtt && !bytes.is_empty();
            self.label(if is_part { "a part of a packet" } else { "nothing in it" }, Tone::Dim);
        }
        self.end();
    }

    /// Adds a line about the connection.
    pub(super) fn note(&mut self, direction: char, what: &str, label: &str) {
        let tone = if label == "!!" { Tone::Failure } else { Tone::Dim };
        self.begin(direction, escape::control(what, SHOWN_LEN_MAX), tone);
        self.label(label, tone);
        self.end();
    }

    /// Takes the lines so far.
    pub(super) fn take(&mut self) -> Vec<String> {
        if self.line.as_ref().is_some_and(|line| !line.label.is_empty()) {
            self.end();
        }
        std::mem::take(&mut self.lines)
    }

    /// Lists what came of each step and rule.
    pub(super) fn list(&self, list: &mut List) {
        let mut missed = Vec::new();
        for (name, tried) in self.program.measures.iter().zip(&self.steps) {
            if let Some(why) = &tried.failed {
                list.failed(name, why);
            } else if tried.begun > 0 {
                list.step(name, Ok(tried.said()));
            } else {
                missed.push(name.as_str());
            }
        }
        for (rule, &received) in self.program.rules.iter().zip(&self.rules) {
            if received > 0 {
                list.step(&format!("on {}", rule.name), Ok(times(received, "message")));
            } else {
                missed.push(&rule.name);
            }
        }
        if self.unmatched > 0 {
            let said = format!("{}: {}", times(self.unmatched, "message"), self.unmatched_first);
            match self.program.unmatched {
                Unmatched::Fail => list.failed("unmatched", &said),
                Unmatched::Count => list.put(Mark::Note, "unmatched", &said),
            }
        }
        if !missed.is_empty() {
            list.put(Mark::NotTried, "not seen", &missed.join(", "));
        }
    }

    fn begin(&mut self, direction: char, shown: String, tone: Tone) {
        self.end();
        self.line = Some(Line { direction, shown, label: String::new(), tone });
    }

    /// Labels the line; without one, begins one for the label.
    fn label(&mut self, label: &str, tone: Tone) {
        if self.line.as_ref().is_none_or(|line| !line.label.is_empty()) {
            self.begin(' ', String::new(), tone);
        }
        if let Some(line) = &mut self.line {
            label.clone_into(&mut line.label);
            line.tone = if tone == Tone::Plain { line.tone } else { tone };
        }
    }

    fn end(&mut self) {
        let at_ns = self.now_ns.saturating_sub(self.begin_ns);
        let label_len = self.label_len();
        let values = std::mem::take(&mut self.values);
        for line in self.line.take().into_iter().chain(values) {
            self.lines.push(line.shown(at_ns, self.screen, label_len));
        }
    }

    /// Returns the room for labels.
    fn label_len(&self) -> usize {
        let rules = self.program.rules.iter().map(|rule| rule.name.len());
        let names = self.program.measures.iter().map(String::len).chain(rules);
        "ends    999.9 ms".len() + names.max().unwrap_or(0)
    }

    /// Returns a message for people: binary ones in hex, packets of MQTT by name.
    fn shown(&self, bytes: &[u8], is_text: bool) -> String {
        let mut out = String::new();
        if is_text {
            return escape::control(
                &String::from_utf8_lossy(&bytes[..shown_len(bytes)]),
                SHOWN_LEN_MAX,
            ) + &size(bytes);
        }
        if self.program.connect.framing == Framing::Mqtt {
            out = packet::named(bytes) + "  ";
        }
        // Writing to a `String` doesn't fail.
        for byte in &bytes[..shown_len(bytes)] {
            write!(out, "{byte:02x} ").unwrap_or(());
        }
        out.truncate(out.trim_end().len());
        out + &size(bytes)
    }

    fn name(&self, measure: usize) -> &'p str {
        self.program.measures.get(measure).map_or("", |name| name)
    }

    fn tried(&mut self, measure: usize) -> Option<&mut Tried> {
        self.steps.get_mut(measure)
    }
}

impl Tried {
    fn said(&self) -> String {
        let mean_ns = self.service_ns.checked_div(self.answers);
        match (self.ok, mean_ns) {
            (0, _) => "begun".into(),
            (1, None) => "sent".into(),
            (1, Some(ns)) => units::duration(ns),
            (ok, None) => format!("sent {}", times(ok, "time")),
            (ok, Some(ns)) => format!("{}, {} on average", times(ok, "time"), units::duration(ns)),
        }
    }
}

impl Line {
    fn shown(&self, at_ns: u64, screen: Option<Screen>, label_len: usize) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a few minutes")]
        let seconds = at_ns as f64 / 1e9;
        let head =
            if self.direction == '.' { " ".repeat(HEAD_LEN - 3) } else { format!("{seconds:8.3}") };
        let width = screen.map(|screen| screen.width.saturating_sub(HEAD_LEN));
        // Labels are as short as names; messages are as long as they like.
        let column = width.map_or(LABEL_COLUMN - HEAD_LEN, |width| {
            width.saturating_sub(label_len.min(width / 2) + 2).max(SHOWN_MIN)
        });
        let room = match width {
            Some(width) if self.label.is_empty() => width,
            Some(_) => column,
            None => usize::MAX,
        };
        let shown = cut(&self.shown, room);
        let mut text = format!("{head} {} {shown}", self.direction);
        if !self.label.is_empty() {
            let used = shown.chars().count();
            let label = width.map_or_else(
                || self.label.clone(),
                |width| cut(&self.label, width.saturating_sub(column.max(used) + 2)),
            );
            text.extend(std::iter::repeat_n(' ', column.saturating_sub(used) + 2));
            text.push_str(&label);
        }
        match screen {
            Some(Screen { has_colours: true, .. }) if self.tone != Tone::Plain => {
                format!("{}{text}\x1b[0m", self.tone.code())
            }
            _ => text,
        }
    }
}

/// Cuts text to so many characters.
fn cut(text: &str, room: usize) -> String {
    match text.char_indices().nth(room) {
        None => text.to_owned(),
        Some(_) => text.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
    }
}

fn shown_len(bytes: &[u8]) -> usize {
    bytes.len().min(SHOWN_LEN_MAX)
}

/// Returns the size of a message that isn't shown whole.
fn size(bytes: &[u8]) -> String {
    if bytes.len() <= SHOWN_LEN_MAX {
        return String::new();
    }
    format!("… of {}", units::bytes(bytes.len() as u64))
}

fn times(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Returns how long the answer of a step may take.
fn timeout_of(program: &Program, measure: usize) -> Option<u64> {
    let steps = program.blocks.iter().flat_map(|block| &block.steps);
    steps.filter(|step| step.measure == Some(measure)).find_map(|step| match &step.action {
        Action::Exchange(exchange) => Some(exchange.timeout_ns),
        _ => None,
    })
}

impl Observer for Transcript<'_> {
    fn received(&mut self, unit: &[u8]) {
        self.has_unit = true;
        let shown = self.shown(unit, self.is_text);
        self.begin('<', shown, Tone::Plain);
    }

    fn sending(&mut self, cause: Cause, unit: &[u8], is_binary: bool) {
        let is_text = !is_binary && str::from_utf8(unit).is_ok();
        let shown = self.shown(unit, is_text);
        let label = match cause {
            Cause::Step(measure) => self.name(measure).to_owned(),
            Cause::Rule(rule) => {
                let name = self.program.rules.get(rule).map_or("", |rule| &rule.name);
                format!("answers {name}")
            }
            Cause::Tick(tick) => {
                let ns = self.program.ticks.get(tick).map_or(0, |tick| tick.interval_ns);
                format!("every {}", units::duration(ns))
            }
        };
        self.begin('>', shown, Tone::Sent);
        self.label(&label, Tone::Plain);
    }

    fn early(&mut self, measure: usize) {
        self.label(&format!("ends {} after the pause", self.name(measure)), Tone::Plain);
    }

    fn captured(&mut self, slot: usize, value: &[u8]) {
        let name = self.program.slots.get(slot).map_or("", |name| name);
        let shown = format!("{name} = \"{}\"", escape::bytes(value, SHOWN_LEN_MAX));
        self.values.push(Line { direction: '.', shown, label: String::new(), tone: Tone::Dim });
    }

    fn pausing(&mut self, ns: u64) {
        self.begin(' ', format!("pause {}", units::duration(ns)), Tone::Dim);
        self.end();
    }

    fn observe(&mut self, event: Event<'_>) {
        match event {
            Event::Begun { measure } => {
                if let Some(tried) = self.tried(measure) {
                    tried.begun += 1;
                }
            }
            Event::Answered { measure, service_ns, is_message } => {
                let is_waiting = self.line.as_ref().is_some_and(|line| line.label.is_empty());
                if is_message && is_waiting {
                    let took = service_ns.map_or_else(String::new, units::duration);
                    self.label(&format!("ends {}   {took}", self.name(measure)), Tone::Plain);
                }
                if let Some(tried) = self.tried(measure) {
                    tried.ok += 1;
                    tried.answers += u64::from(service_ns.is_some());
                    tried.service_ns = tried.service_ns.saturating_add(service_ns.unwrap_or(0));
                }
            }
            Event::Failed { measure, fault, said } => self.failed(measure, fault, said),
            Event::Late { measure } => {
                let label = format!("!! late: answers {} after its timeout", self.name(measure));
                self.label(&label, Tone::Warning);
            }
            Event::Again { measure } => {
                self.label(&format!("!! answers {} again", self.name(measure)), Tone::Warning);
            }
            Event::Rule { rule, age_ns, order, .. } => self.ruled(rule, age_ns, order),
            Event::Unmatched(said) => {
                self.unmatched += 1;
                if self.unmatched == 1 {
                    self.unmatched_first = escape::bytes(said, REASON_LEN_MAX);
                }
                self.label("!! unmatched", Tone::Warning);
            }
            Event::Ready => {
                self.begin(' ', "ready".into(), Tone::Dim);
                self.end();
            }
            Event::Refused => {
                self.begin(' ', "[[begin]] failed, so the user leaves".into(), Tone::Failure);
                self.end();
            }
            Event::Iterated { begun_ns, is_complete, .. } => {
                let took = units::duration(self.now_ns.saturating_sub(begun_ns));
                let (said, tone) = if is_complete {
                    (format!("iteration over   {took}"), Tone::Dim)
                } else {
                    (format!("iteration failed   {took}"), Tone::Failure)
                };
                self.begin(' ', said, tone);
                self.end();
            }
        }
    }
}

impl Transcript<'_> {
    fn failed(&mut self, measure: usize, fault: Fault, said: &[u8]) {
        let name = self.name(measure);
        let said = escape::bytes(said, REASON_LEN_MAX);
        let (what, why) = match fault {
            Fault::Refused => ("refused", format!("refused: {said}")),
            Fault::NoCapture => {
                ("has not all that is captured", format!("a value to capture is missing: {said}"))
            }
            Fault::TimedOut => {
                let bound =
                    timeout_of(self.program, measure).map_or_else(String::new, units::duration);
                ("timed out", format!("no answer within {bound}"))
            }
            Fault::Lost => ("got no answer", "no answer before the end".into()),
        };
        self.label(&format!("!! {name} {what}"), Tone::Failure);
        if let Some(tried) = self.tried(measure) {
            tried.failed.get_or_insert(why);
        }
    }

    fn ruled(&mut self, rule: usize, age_ns: Option<u64>, order: Order) {
        if let Some(received) = self.rules.get_mut(rule) {
            *received += 1;
        }
        let name = self.program.rules.get(rule).map_or("", |rule| &rule.name);
        let mut label = format!("on {name}");
        if let Some(age_ns) = age_ns {
            write!(label, "   {} old", units::duration(age_ns)).unwrap_or(());
        }
        match order {
            Order::Gap(missing) => write!(label, "   {missing} missing before it").unwrap_or(()),
            Order::Behind => label.push_str("   behind"),
            Order::Unknown | Order::InOrder => {}
        }
        self.label(&label, Tone::Plain);
    }
}
