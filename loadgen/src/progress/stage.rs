//! The lines of the terminal that the view or the live line has, and the keys pressed there.

use std::io::{Stderr, stderr};

use ratatui_core::layout::Size;
use ratatui_core::style::Style;
use ratatui_core::terminal::Terminal;

use super::inline::Inline;
use super::line::Facts;
use super::modes::{self, Taken};
use super::past::{PERCENTILES, Past};
use super::view::{self, Charts, Gate, Scene};
use crate::config::{Config, LiveForm, Load, Scenario};
use crate::escape;
use crate::metrics::Metric;
use crate::metrics::live::Snapshot;
use crate::screen::Screen;
use crate::threshold::{SoFar, Threshold};
use crate::units;
use crate::worker::Times;
use crate::worker::usage::process_cpu_ns;

/// Most bytes of a URL that are shown.
const URL_LEN_MAX: usize = 200;
const SECOND_NS: u64 = 1_000_000_000;

/// What the user wants, by a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The run ends as at an interrupt.
    Stop,
}

/// A moment of a run.
pub(super) struct Moment<'m> {
    pub(super) now_ns: u64,
    pub(super) now: &'m Snapshot,
    pub(super) times: Option<Times>,
    pub(super) connections: u64,
    pub(super) pause_max_ns: u64,
}

/// The view or the line on a terminal, and what it remembers from moment to moment.
#[derive(Debug)]
pub(super) struct Stage {
    form: LiveForm,
    terminal: Option<Terminal<Inline<Stderr>>>,
    title: String,
    thresholds: Vec<Threshold>,
    /// The metric of the latencies in snapshots, if thresholds know it.
    metric: Option<Metric>,
    counts_messages: bool,
    threads: u64,
    past: Past,
    /// The snapshot at the beginning of the measured time.
    begin: Option<(u64, Snapshot)>,
    /// Processor time at the last look, when that was, and the share between the last two.
    cpu: (u64, u64, u64),
    charts: Charts,
    is_frozen: bool,
}

impl Stage {
    pub(super) fn new(config: &Config, form: LiveForm, counts_messages: bool) -> Self {
        Self {
            form,
            terminal: None,
            title: title(config),
            thresholds: config.thresholds.clone(),
            metric: config.live_metric(),
            counts_messages,
            threads: config.threads.get() as u64,
            past: Past::new(counts_messages),
            begin: None,
            cpu: (process_cpu_ns(), 0, 0),
            charts: Charts::default(),
            is_frozen: false,
        }
    }

    /// Shows a moment, and returns what the user wants.
    pub(super) fn show(&mut self, moment: &Moment<'_>, facts: &Facts) -> Option<Wish> {
        self.note(moment);
        let (wish, is_pressed) = self.keys();
        // What a key has changed is drawn, also the word that says that the view is frozen.
        if self.is_frozen && self.terminal.is_some() && !is_pressed {
            return None;
        }
        let taken = modes::take();
        if taken != Taken::Already {
            self.terminal = None;
        }
        let screen = Screen::of_stderr().filter(|_| taken != Taken::No)?;
        let gates = self.gates(moment);
        let width = u16::try_from(screen.width).unwrap_or(u16::MAX);
        let height = if self.form == LiveForm::View {
            view::height(u16::try_from(screen.height).unwrap_or(u16::MAX), gates.len())
        } else {
            1
        };
        let size = Size { width, height };
        let mut terminal =
            self.terminal.take().or_else(|| Terminal::new(Inline::new(stderr(), size)).ok())?;
        let known = terminal.size().ok()?;
        if known != size {
            terminal.backend_mut().resize(size);
        }
        let scene = self.scene(moment, facts, &gates, screen.has_colours);
        let drawn = terminal.draw(|frame| {
            let area = frame.area();
            if self.form == LiveForm::View {
                scene.draw(area, frame.buffer_mut());
            } else {
                // The last column stays free: some terminals would begin a line.
                let line = facts.line(usize::from(area.width) - 1);
                frame.buffer_mut().set_string(0, 0, line, Style::new());
            }
        });
        if drawn.is_ok() {
            self.terminal = Some(terminal);
        }
        wish
    }

    /// Remembers what later moments are compared with.
    fn note(&mut self, moment: &Moment<'_>) {
        let Moment { now_ns, now, times, .. } = *moment;
        self.past.push(now_ns, now);
        if self.begin.is_none() && times.is_some_and(|times| now_ns >= times.window_begin_ns) {
            self.begin = Some((now_ns, now.clone()));
        }
        let (cpu_ns, then_ns, _) = self.cpu;
        let span_ns = now_ns.saturating_sub(then_ns);
        if span_ns >= SECOND_NS {
            let used_ns = process_cpu_ns();
            self.cpu = (used_ns, now_ns, used_ns.saturating_sub(cpu_ns) * 100 / span_ns);
        }
    }

    /// Heeds the keys that were pressed; returns what the user wants, and whether there were any.
    fn keys(&mut self) -> (Option<Wish>, bool) {
        let (mut wish, mut is_pressed) = (None, false);
        while let Some(key) = modes::key() {
            is_pressed = true;
            match key {
                b'q' => wish = Some(Wish::Stop),
                b'p' => self.is_frozen = !self.is_frozen,
                b'h' if self.charts == Charts::Heat => self.charts = Charts::Curves,
                b'h' => self.charts = Charts::Heat,
                _ => {}
            }
        }
        (wish, is_pressed)
    }

    fn gates(&self, moment: &Moment<'_>) -> Vec<Gate> {
        let gate = |threshold: &Threshold| {
            let measured = self.begin.as_ref().and_then(|(begin_ns, begin)| {
                let span_ns = moment.now_ns.saturating_sub(*begin_ns);
                let metric = self.metric;
                threshold.measure_so_far(&SoFar { now: moment.now, begin, span_ns, metric })
            });
            let unit = threshold.subject().unit();
            Gate {
                expression: escape::control(&threshold.to_string(), URL_LEN_MAX),
                so_far: measured
                    .map(|value| (units::number(Some(value), unit), threshold.holds(value))),
            }
        };
        self.thresholds.iter().map(gate).collect()
    }

    fn scene<'s>(
        &'s self,
        moment: &Moment<'_>,
        facts: &Facts,
        gates: &'s [Gate],
        has_colours: bool,
    ) -> Scene<'s> {
        let Moment { now_ns, now, times, connections, pause_max_ns } = *moment;
        let phase = match times {
            None => "connecting",
            Some(times) if now_ns < times.window_begin_ns => "warm-up",
            Some(times) if now_ns < times.window_end_ns => "measuring",
            Some(_) => "closing",
        };
        Scene {
            title: &self.title,
            time: time(now_ns, times),
            phase,
            done: facts.done,
            open: now.open,
            connections,
            failed: now.counts.failed,
            dropped: now.counts.lost,
            wrong: now.counts.wrong,
            sent: now.counts.sent,
            received: now.counts.received,
            events: if self.counts_messages { "received" } else { "opened" },
            whole: self
                .begin
                .as_ref()
                .and_then(|(_, begin)| now.percentiles_since(begin, PERCENTILES)),
            past: &self.past,
            gates,
            cpu_percent: self.cpu.2,
            threads: self.threads,
            pause_max_ns,
            charts: self.charts,
            is_frozen: self.is_frozen,
            has_keys: modes::has_keys(),
            has_colours,
        }
    }
}

/// Returns the time since load began, of the time that it takes.
fn time(now_ns: u64, times: Option<Times>) -> String {
    let shown = |ns: u64| format!("{}:{:02}", ns / SECOND_NS / 60, ns / SECOND_NS % 60);
    match times {
        None => shown(now_ns),
        Some(times) => {
            let whole_ns = times.window_end_ns - times.load_begin_ns;
            let done_ns = now_ns.saturating_sub(times.load_begin_ns).min(whole_ns);
            format!("{} / {}", shown(done_ns), shown(whole_ns))
        }
    }
}

fn title(config: &Config) -> String {
    let server = match config.targets.as_slice() {
        [] => "an embedded server".to_owned(),
        [one] => one.to_string(),
        [first, others @ ..] => {
            format!("{first} and {}", units::counted(others.len() as u64, "other"))
        }
    };
    let load = match &config.scenario {
        Scenario::Echo(echo) => match echo.load {
            Load::Closed { pipeline: 1 } => ", closed loop".to_owned(),
            Load::Closed { pipeline } => format!(", closed loop, {pipeline} each"),
            Load::Open { rate } => format!(", open loop, {}/s", units::per_s(rate.per_s())),
            Load::Every { .. } => ", open loop".to_owned(),
        },
        _ => String::new(),
    };
    let server = escape::control(&server, URL_LEN_MAX);
    format!("loadgen {} {server}{load}", config.scenario.name())
}
