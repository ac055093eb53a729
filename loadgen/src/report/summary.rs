//! The six numbers that say most of a run, for pages that show them first.

use super::{Report, fanout::FanoutReport};
use crate::metrics::Metric;
use crate::units;

/// A number with its name, and what it is to be compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    /// What the number counts or measures.
    pub(super) name: String,
    /// The number with its unit; `-` if there is none.
    pub(super) value: String,
    /// What it is of; may be empty.
    pub(super) note: String,
    /// Whether the number is a count of faults above zero.
    pub(super) is_bad: bool,
}

impl Tile {
    fn new(name: &str, value: String) -> Self {
        Self { name: name.into(), value, note: String::new(), is_bad: false }
    }

    fn noted(mut self, note: String) -> Self {
        self.note = note;
        self
    }

    fn faults(name: &str, count: u64) -> Self {
        Self { is_bad: count > 0, ..Self::new(name, units::count(count)) }
    }
}

/// Returns the six numbers: rate, median, 99th percentile, connections, faults, busiest thread.
pub(super) fn tiles(report: &Report) -> [Tile; 6] {
    let metric = report.main_metric();
    let percentile = |name: &str, percentile: f64| {
        let found = report.histogram(metric).and_then(|found| found.percentile(percentile));
        let value = found.map_or_else(|| "-".to_owned(), units::duration);
        Tile::new(name, value).noted(metric.name().to_owned())
    };
    let busiest = format!("{:.0} %", 100.0 * report.client.busiest_share);
    [
        rate(report),
        percentile("p50", 50.0),
        percentile("p99", 99.0),
        connections(report),
        faults(report),
        Tile::new("busiest client thread", busiest)
            .noted(format!("of {}", units::counted(report.config.threads, "thread"))),
    ]
}

fn rate(report: &Report) -> Tile {
    let per_s = |name: &str, rate: f64| Tile::new(name, format!("{}/s", units::per_s(rate)));
    if let Some(scenario) = report.played() {
        return per_s("iterations", scenario.iterations_per_s);
    }
    if let Some(messages) = &report.messages {
        let tile = per_s("achieved", messages.achieved_per_s);
        return match (messages.offered_per_s, report.achieved_percent()) {
            (Some(offered), Some(percent)) => {
                tile.noted(format!("{percent:.1} % of {}/s offered", units::per_s(offered)))
            }
            _ => tile.noted("closed loop".into()),
        };
    }
    if let Some(FanoutReport { copies, published_per_s, .. }) = &report.fanout {
        let published = format!("of {} messages/s", units::per_s(*published_per_s));
        return per_s("copies", copies.received_per_s).noted(published);
    }
    if let Some(push) = &report.push {
        return per_s("received", push.received_per_s);
    }
    if let Some(hold) = &report.hold {
        return Tile::new("held to the end", units::count(hold.held));
    }
    report.connections.opened_per_s.map_or_else(
        || Tile::new("opened", units::count(report.connections.established)),
        |rate| per_s("opened", rate),
    )
}

fn connections(report: &Report) -> Tile {
    let counts = &report.connections;
    if let Some(scenario) = report.played() {
        let ready = units::count(scenario.users.ready);
        let all = units::count(report.connections_planned());
        return Tile::new("users ready", ready).noted(format!("of {all}"));
    }
    if counts.opened_per_s.is_some() {
        let at_once = units::count(report.connections_planned());
        return Tile::new("opened and closed", units::count(counts.completed))
            .noted(format!("{at_once} at once"));
    }
    let planned = units::count(report.connections_planned());
    Tile::new("connections", units::count(counts.established)).noted(format!("of {planned}"))
}

fn faults(report: &Report) -> Tile {
    if let Some(scenario) = report.played() {
        let failed = |counts: &crate::metrics::StepCounts| {
            counts.failed.saturating_add(counts.timed_out).saturating_add(counts.lost)
        };
        let count = scenario.steps.iter().map(|step| failed(&step.counts));
        return Tile::faults("failed steps", count.fold(0, u64::saturating_add));
    }
    if let Some(messages) = &report.messages {
        let counts = &messages.measured;
        let count = counts.lost.saturating_add(counts.altered).saturating_add(counts.timed_out);
        return Tile::faults("lost, timed out, altered", count);
    }
    if let Some(fanout) = &report.fanout {
        let counts = &fanout.copies.counts;
        return Tile::faults("lost and altered", counts.lost.saturating_add(counts.altered));
    }
    if let Some(hold) = &report.hold {
        return Tile::faults("dropped", hold.dropped);
    }
    Tile::faults("failed", report.connections.failed)
}

impl Report {
    /// Returns the metric that the command is about.
    pub(super) fn main_metric(&self) -> Metric {
        match self {
            Self { scenario: Some(_), .. } => {
                let is_there = |metric: &Metric| self.histogram(*metric).is_some();
                let played = [Metric::IterationResponse, Metric::IterationService];
                played.into_iter().find(is_there).unwrap_or(Metric::ConnectTotal)
            }
            Self { messages: Some(_), .. } => self.rtt(),
            Self { push: Some(_), .. } => Metric::PushLatency,
            Self { fanout: Some(_), .. } => Metric::FanoutLatency,
            Self { pings: Some(_), .. } => Metric::PingRtt,
            _ => Metric::ConnectTotal,
        }
    }
}

impl Report {
    /// Returns the metric of the latencies in the time series; `None` if those are of none.
    pub(super) fn series_metric(&self) -> Option<Metric> {
        let metric = self.main_metric();
        match metric {
            Metric::RttResponse
            | Metric::RttService
            | Metric::PushLatency
            | Metric::FanoutLatency
            | Metric::PingRtt => Some(metric),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample_of;

    #[test]
    fn six_numbers_of_a_run() {
        let mut report = sample_of("run ws://127.0.0.1:9001/ -c 2 -t 1 -d 1s -R 4");
        report.messages.as_mut().unwrap().measured.lost = 3;
        let tiles = tiles(&report);
        let names: Vec<_> = tiles.iter().map(|tile| &*tile.name).collect();
        assert_eq!(
            names,
            [
                "achieved",
                "p50",
                "p99",
                "connections",
                "lost, timed out, altered",
                "busiest client thread"
            ]
        );
        assert_eq!((&*tiles[0].value, &*tiles[3].value, &*tiles[4].value), ("4.00/s", "2", "3"));
        assert!(tiles[0].note.ends_with("offered"), "{tiles:?}");
        assert_eq!(tiles[3].note, "of 2");
        assert_eq!(tiles.map(|tile| tile.is_bad), [false, false, false, false, true, false]);
    }

    #[test]
    fn the_numbers_are_of_what_the_command_is_about() {
        let connect = tiles(&sample_of("connect ws://127.0.0.1:9001/ -c 2 -t 1 -d 1s"));
        assert_eq!((&*connect[0].name, &*connect[4].name), ("opened", "failed"));
        assert_eq!(connect[1].note, "connect.total");
        let fanout = tiles(&sample_of("fanout ws://127.0.0.1:9001/ -c 2 -t 1 -d 1s"));
        assert_eq!((&*fanout[0].name, &*fanout[4].name), ("copies", "lost and altered"));
    }
}
