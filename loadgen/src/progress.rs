//! Snapshots to a live line on stderr, if that is a terminal: what is left, what is open, how fast,
//! how slow, how wrong.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

use crate::config::{Config, Scenario, Verbosity};
use crate::metrics::live::Snapshot;
use crate::talk::say;
use crate::units;
use crate::worker::Times;

/// The live line, or nothing where it isn't wanted.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    /// Whether phases are told as they begin.
    is_verbose: bool,
    connections: u64,
    times: Option<Times>,
    counts_messages: bool,
    last: Snapshot,
    last_ns: u64,
}

impl Progress {
    /// A line for a run, if stderr is a terminal and nobody has said no.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let is_shown = config.verbosity == Verbosity::Progress && stderr().is_terminal();
        Self {
            bar: is_shown.then(bar),
            is_verbose: config.verbosity == Verbosity::Phases,
            connections: config.connections_here(),
            times: None,
            counts_messages: !matches!(config.scenario, Scenario::OpenClose { .. }),
            last: Snapshot::zero(),
            last_ns: 0,
        }
    }

    /// Whether anybody sees it.
    #[must_use]
    pub const fn is_shown(&self) -> bool {
        self.bar.is_some()
    }

    /// Load begins and ends at these times, as is known at `now_ns`.
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

    /// Tells what has happened, if that is wanted.
    pub fn tell(&self, now_ns: u64, what: &str) {
        if self.is_verbose {
            say(format_args!("{:>9} s  {what}", units::seconds(now_ns)));
        }
    }

    /// Draws what is known at `now_ns`.
    pub fn show(&mut self, now_ns: u64, now: &Snapshot) {
        let Some(bar) = &self.bar else { return };
        let span_ns = now_ns.saturating_sub(self.last_ns).max(1);
        let (place, left) = match self.times {
            None => (now.established * 1_000 / self.connections, None),
            Some(times) => {
                let whole_ns = (times.window_end_ns - times.load_begin_ns).max(1);
                let done_ns = now_ns.saturating_sub(times.load_begin_ns).min(whole_ns);
                let place = u128::from(done_ns) * 1_000 / u128::from(whole_ns);
                (u64::try_from(place).unwrap_or(1_000), Some(whole_ns - done_ns))
            }
        };
        let mut parts = vec![match left {
            None => "connecting".to_owned(),
            Some(0) => "closing".to_owned(),
            Some(left_ns) => format!("{} s left", left_ns.div_ceil(1_000_000_000)),
        }];
        parts.push(format!("open {}", units::count(now.open)));
        let events = |snapshot: &Snapshot| {
            if self.counts_messages { snapshot.received } else { snapshot.established }
        };
        let rate = events(now) - events(&self.last);
        let per_s = u128::from(rate) * 1_000_000_000 / u128::from(span_ns);
        parts.push(format!("{}/s", units::count(u64::try_from(per_s).unwrap_or(u64::MAX))));
        if let Some([p50, p99]) = now.percentiles_since(&self.last, [50.0, 99.0]) {
            parts.push(format!("p50 {}  p99 {}", units::duration(p50), units::duration(p99)));
        }
        let errors = now.failed + now.wrong;
        if errors > 0 {
            parts.push(format!("errors {}", units::count(errors)));
        }
        bar.set_message(parts.join("   "));
        bar.set_position(place.min(1_000));
        self.last = now.clone();
        self.last_ns = now_ns;
    }

    /// Takes the line away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(1_000);
    // The template is a constant that a test reads.
    bar.set_style(style().unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn style() -> Result<ProgressStyle, indicatif::style::TemplateError> {
    Ok(ProgressStyle::with_template(" [{bar:24}] {wide_msg}")?.progress_chars("=> "))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_template_is_one() {
        assert!(super::style().is_ok());
    }
}
