//! Draws snapshots as a line on stderr: errors, open connections, rates, latencies, time left.
//!
//! On a terminal the line is redrawn, in the terminal's width. Elsewhere, and under `CI`, a plain
//! line is written every ten seconds.

use indicatif::{ProgressBar, ProgressStyle};

use crate::config::{Config, Scenario, Verbosity};
use crate::metrics::live::Snapshot;
use crate::screen::Screen;
use crate::talk::say;
use crate::units;
use crate::worker::Times;

/// How often a plain line is written without a terminal.
const PLAIN_EVERY_NS: u64 = 10_000_000_000;
/// Separates the parts of a line.
const GAP: &str = "  ";
/// Columns of the bar, which is drawn if there is room for it.
const BAR_WIDTH: usize = 24;

/// How progress is shown.
#[derive(Debug)]
enum Shown {
    /// A line that is redrawn.
    Live(ProgressBar),
    /// A line every ten seconds, without a terminal or under `CI`.
    Plain,
    Nothing,
}

/// The live line, plain lines, or nothing if they aren't wanted.
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
    /// Returns a live line if stderr is a terminal, plain lines if it isn't, or nothing if the
    /// configuration says so.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let shown = match config.verbosity {
            Verbosity::Progress if Screen::of_stderr().is_some() => Shown::Live(bar()),
            Verbosity::Progress => Shown::Plain,
            _ => Shown::Nothing,
        };
        Self {
            shown,
            is_verbose: config.verbosity == Verbosity::Phases,
            connections: config.connections_here(),
            times: None,
            counts_messages: !matches!(config.scenario, Scenario::OpenClose { .. }),
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

    /// Shows a snapshot at `now_ns`, if that is [due](Self::is_due).
    pub fn show(&mut self, now_ns: u64, now: &Snapshot) {
        if !self.is_due(now_ns) {
            return;
        }
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
        let rate = events(now) - events(&self.last);
        let per_s = u128::from(rate) * 1_000_000_000 / u128::from(span_ns);
        let facts = Facts {
            left: match left_ns {
                None => "connecting".to_owned(),
                Some(0) => "closing".to_owned(),
                Some(left_ns) => format!("{} s left", left_ns.div_ceil(1_000_000_000)),
            },
            open: now.open,
            errors: now.counts.failed + now.counts.wrong,
            per_s: u64::try_from(per_s).unwrap_or(u64::MAX),
            latency: now.percentiles_since(&self.last, [50.0, 99.0]),
            done: done.min(1_000),
        };
        match &self.shown {
            Shown::Live(bar) => {
                let width = Screen::of_stderr().map_or(usize::MAX, |screen| screen.width - 1);
                bar.set_message(facts.line(width));
            }
            Shown::Plain => {
                say(format_args!("{:>6} s  {}", now_ns / 1_000_000_000, facts.words(usize::MAX)));
            }
            Shown::Nothing => {}
        }
        self.last = now.clone();
        self.last_ns = now_ns;
    }

    /// Removes the line.
    pub fn finish(&self) {
        if let Shown::Live(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

/// The contents of a line.
#[derive(Debug)]
struct Facts {
    left: String,
    open: u64,
    errors: u64,
    per_s: u64,
    latency: Option<[u64; 2]>,
    /// How much is done, in thousandths.
    done: u64,
}

impl Facts {
    /// Returns the words that fit in `width` columns: the most important get room first, and the
    /// errors always have it.
    fn words(&self, width: usize) -> String {
        let latency = |place: usize, name: &str| {
            self.latency.map(|values| format!("{name} {}", units::duration(values[place])))
        };
        let errors = (self.errors > 0).then(|| format!("errors {}", units::count(self.errors)));
        // In the order in which they are written, each with its rank.
        let parts = [
            (1, Some(format!("open {}", units::count(self.open)))),
            (0, errors),
            (2, Some(format!("{}/s", units::count(self.per_s)))),
            (5, latency(0, "p50")),
            (3, latency(1, "p99")),
            (4, Some(self.left.clone())),
        ];
        let mut chosen: Vec<usize> = Vec::new();
        let mut len = 0;
        for rank in 0..parts.len() {
            let found = parts.iter().position(|(own, part)| *own == rank && part.is_some());
            let Some(place) = found else { continue };
            let own = parts[place].1.as_ref().map_or(0, String::len);
            let gap = if chosen.is_empty() { 0 } else { GAP.len() };
            if rank > 0 && len + gap + own > width {
                break;
            }
            len += gap + own;
            chosen.push(place);
        }
        chosen.sort_unstable();
        let words = chosen.iter().filter_map(|&place| parts[place].1.as_deref());
        words.collect::<Vec<_>>().join(GAP)
    }

    /// Returns the words, and a bar if there is room.
    fn line(&self, width: usize) -> String {
        let words = self.words(width);
        if words.len() + 1 + BAR_WIDTH + GAP.len() > width {
            return words;
        }
        let inner = BAR_WIDTH - 2;
        let done = usize::try_from(self.done).unwrap_or(0) * inner / 1_000;
        let head = if done < inner { ">" } else { "" };
        format!(" [{:<inner$}]{GAP}{words}", "=".repeat(done) + head)
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    // The template is a constant that a test checks.
    bar.set_style(style().unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}

fn style() -> Result<ProgressStyle, indicatif::style::TemplateError> {
    ProgressStyle::with_template("{msg}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(errors: u64) -> Facts {
        Facts {
            left: "2 s left".into(),
            open: 1_000_000,
            errors,
            per_s: 1_498,
            latency: Some([344_000, 8_000_000]),
            done: 500,
        }
    }

    #[test]
    fn the_template_is_one() {
        assert!(style().is_ok());
    }

    #[test]
    fn s1_errors_are_never_cut() {
        for width in 12..200 {
            let line = facts(700).line(width);
            assert!(line.contains("errors 700"), "{width}: {line}");
            assert!(line.len() <= width, "{width}: {line}");
            // Nothing else is cut either: a part is whole or absent.
            for (begin, whole) in [("p99", "p99 8.00 ms"), ("open", "open 1,000,000")] {
                assert!(!line.contains(begin) || line.contains(whole), "{width}: {line}");
            }
        }
    }

    #[test]
    fn s1_what_matters_most_has_room_first() {
        let line = |width| facts(700).line(width);
        assert_eq!(line(40), "open 1,000,000  errors 700  1,498/s");
        assert_eq!(
            line(80),
            "open 1,000,000  errors 700  1,498/s  p50 344 us  p99 8.00 ms  2 s left"
        );
        assert_eq!(
            line(120),
            " [===========>          ]  open 1,000,000  errors 700  1,498/s  p50 344 us  p99 8.00 ms  2 s left"
        );
        assert_eq!(facts(0).line(40), "open 1,000,000  1,498/s  p99 8.00 ms");
    }
}
