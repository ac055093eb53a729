//! Shows snapshots on stderr while a run goes on: a view, a line, or a plain line now and then.
//!
//! On a terminal the view or the line is redrawn in the terminal's size. Elsewhere, and under `CI`,
//! a plain line is written every ten seconds.

mod chart;
mod inline;
mod line;
mod modes;
mod past;
mod stage;
mod view;

use crate::config::{Config, LiveForm, Scenario, Verbosity};
use crate::metrics::live::Snapshot;
use crate::screen::Screen;
use crate::talk::say;
use crate::units;
use crate::worker::Times;
use line::Facts;
use past::per_s;
pub use stage::Wish;
use stage::{Moment, Stage};

/// How often a plain line is written without a terminal.
const PLAIN_EVERY_NS: u64 = 10_000_000_000;
/// The smallest terminal that has the view without being asked.
const VIEW_SIZE_MIN: (u16, u16) = (80, 24);

/// How progress is shown.
#[derive(Debug)]
enum Shown {
    /// The view, or a line that is redrawn.
    Live(Box<Stage>),
    /// A line every ten seconds, without a terminal or under `CI`.
    Plain,
    Nothing,
}

/// The live view, the live line, plain lines, or nothing if they aren't wanted.
#[derive(Debug)]
pub struct Progress {
    shown: Shown,
    /// Whether phases are reported as they begin.
    is_verbose: bool,
    connections: u64,
    times: Option<Times>,
    counts_messages: bool,
    last: Snapshot,
    last_ns: u64,
}

impl Progress {
    /// Returns what the configuration asks for, as far as stderr can show it.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let counts_messages = !matches!(config.scenario, Scenario::OpenClose { .. });
        let shown = match (config.verbosity, Screen::of_stderr()) {
            (
                Verbosity::Quiet
                | Verbosity::Notes
                | Verbosity::Phases
                | Verbosity::Progress(LiveForm::Off),
                _,
            ) => Shown::Nothing,
            (Verbosity::Progress(LiveForm::Plain), _) | (Verbosity::Progress(_), None) => {
                Shown::Plain
            }
            (Verbosity::Progress(form), Some(screen)) => match form_on(form, screen) {
                Some(form) => Shown::Live(Box::new(Stage::new(config, form, counts_messages))),
                None => Shown::Plain,
            },
        };
        Self {
            shown,
            is_verbose: config.verbosity == Verbosity::Phases,
            connections: config.connections_here(),
            times: None,
            counts_messages,
            last: Snapshot::zero(),
            last_ns: 0,
        }
    }

    /// Checks whether something should be shown at `now_ns`.
    #[must_use]
    pub fn is_due(&self, now_ns: u64) -> bool {
        match self.shown {
            Shown::Live(_) => true,
            Shown::Plain => now_ns.saturating_sub(self.last_ns) >= PLAIN_EVERY_NS,
            Shown::Nothing => false,
        }
    }

    /// Checks whether the terminal has to be given back before this process stops.
    #[must_use]
    pub const fn holds_terminal(&self) -> bool {
        matches!(self.shown, Shown::Live(_))
    }

    /// Gives the terminal back, and stops this process until it is continued.
    pub fn suspend(&self) {
        modes::stop();
    }

    /// Sets when load begins and ends, as known at `now_ns`.
    pub fn load(&mut self, now_ns: u64, times: Times) {
        self.times = Some(times);
        let Times { load_begin_ns, window_begin_ns, window_end_ns } = times;
        let s = units::seconds;
        let warmup = if window_begin_ns > load_begin_ns {
            format!("warm-up from {} s, ", s(load_begin_ns))
        } else {
            String::new()
        };
        let (begin, end) = (s(window_begin_ns), s(window_end_ns));
        self.tell(now_ns, &format!("{warmup}measured from {begin} s to {end} s at most"));
    }

    /// Reports an event, if that is wanted.
    pub fn tell(&self, now_ns: u64, what: &str) {
        if self.is_verbose {
            say(format_args!("{:>9} s  {what}", units::seconds(now_ns)));
        }
    }

    /// Shows a snapshot at `now_ns`, if that is [due](Self::is_due), and returns what the user wants.
    /// `pause_max_ns` is the longest delay of a wake-up so far.
    pub fn show(&mut self, now_ns: u64, now: &Snapshot, pause_max_ns: u64) -> Option<Wish> {
        if !self.is_due(now_ns) {
            return None;
        }
        let facts = self.facts(now_ns, now);
        let wish = match &mut self.shown {
            Shown::Live(stage) => {
                let (times, connections) = (self.times, self.connections);
                let moment = Moment { now_ns, now, times, connections, pause_max_ns };
                stage.show(&moment, &facts)
            }
            Shown::Plain => {
                say(format_args!("{:>6} s  {}", now_ns / 1_000_000_000, facts.words(usize::MAX)));
                None
            }
            Shown::Nothing => None,
        };
        self.last = now.clone();
        self.last_ns = now_ns;
        wish
    }

    fn facts(&self, now_ns: u64, now: &Snapshot) -> Facts {
        let span_ns = now_ns.saturating_sub(self.last_ns).max(1);
        let (done, left_ns) = match self.times {
            None => (now.counts.established * 1_000 / self.connections.max(1), None),
            Some(times) => {
                let whole_ns = (times.window_end_ns - times.load_begin_ns).max(1);
                let done_ns = now_ns.saturating_sub(times.load_begin_ns).min(whole_ns);
                let done = u128::from(done_ns) * 1_000 / u128::from(whole_ns);
                (u64::try_from(done).unwrap_or(1_000), Some(whole_ns - done_ns))
            }
        };
        let events = |snapshot: &Snapshot| {
            if self.counts_messages {
                snapshot.counts.received
            } else {
                snapshot.counts.established
            }
        };
        Facts {
            left: match left_ns {
                None => "connecting".to_owned(),
                Some(0) => "closing".to_owned(),
                Some(left_ns) => format!("{} s left", left_ns.div_ceil(1_000_000_000)),
            },
            open: now.open,
            errors: now.counts.failed + now.counts.wrong,
            per_s: per_s(events(now) - events(&self.last), span_ns),
            latency: now.percentiles_since(&self.last, [50.0, 99.0]),
            done: done.min(1_000),
        }
    }

    /// Removes the view or the line, and gives the terminal back.
    pub fn finish(&mut self) {
        if let Shown::Live(_) = self.shown {
            modes::give_back();
            self.shown = Shown::Nothing;
        }
    }
}

/// Returns the form in which a terminal shows progress; `None` if it can't draw over a line.
fn form_on(asked: LiveForm, screen: Screen) -> Option<LiveForm> {
    let is_roomy =
        screen.width >= VIEW_SIZE_MIN.0.into() && screen.height >= VIEW_SIZE_MIN.1.into();
    match asked {
        _ if screen.is_dumb => None,
        LiveForm::Auto if is_roomy && !screen.is_piped => Some(LiveForm::View),
        LiveForm::Auto => Some(LiveForm::Line),
        asked => Some(asked),
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}
