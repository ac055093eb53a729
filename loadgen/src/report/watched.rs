//! The watched process: what it used over the run, and what a connection and a message cost it.
//!
//! All numbers come from the rows of the time series, so a merged result has its own.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::line::{line, wrapped};
use super::{Interval, Report, RowReport};
use crate::coordinator::WatchedSamples;
use crate::process::ProcessUsage;
use crate::{escape, units};

/// From this many connections on, the memory of one can be told from everything else.
const CONNECTIONS_MIN: u64 = 1_000;
/// Rows from which a slope can be fitted.
const ROWS_MIN: usize = 5;
/// How many times the lowest rate the highest has to be for a slope.
const SPREAD_MIN: f64 = 1.5;
/// Share of the variance that a slope has to explain.
const EXPLAINED_MIN: f64 = 0.9;
/// Most bytes of a name, which any process may choose.
const NAME_MAX: usize = 64;

/// A process of this machine, with those that it has started, as the run saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchedReport {
    /// The number of the process.
    pub pid: u32,
    /// Its name, as the kernel has it; control characters are escaped.
    pub name: String,
    /// When it began, in ticks since the machine did: with the number and the machine, what tells it
    /// from other processes.
    pub begun_ticks: u64,
    /// The machine since it was last started, as Linux names that; `null` if it doesn't.
    pub boot_id: Option<String>,
    /// When it was found to have ended; `null` if it outlived the run.
    pub ended_at_ns: Option<u64>,
    /// Processor time in the measured time, as a share of one processor; `null` without a row that
    /// lies within it.
    pub cpu_share: Option<f64>,
    /// The same of the busiest row.
    pub cpu_share_max: Option<f64>,
    /// Resident memory before the first connection, in bytes.
    pub rss_begin: u64,
    /// Most resident memory of all rows.
    pub rss_max: u64,
    /// Resident memory of the last row, after the connections were closed.
    pub rss_end: u64,
    /// Most descriptors open; `null` if the system didn't say.
    pub descriptors_max: Option<u64>,
    /// Most threads.
    pub threads_max: u64,
    /// Most processes.
    pub processes_max: u64,
    /// With all connections open and nothing sent; `null` if that never was, and of merged results.
    pub opened: Option<OpenedReport>,
    /// Memory of an idle connection; `null` below 1,000 connections, or if memory didn't grow.
    pub per_connection: Option<PerConnection>,
    /// Processor time of a message; `null` without messages in the measured time.
    pub per_message: Option<PerMessage>,
}

/// A moment at which all connections were open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenedReport {
    /// Connections open.
    pub connections: u64,
    /// Resident memory, in bytes.
    pub rss: u64,
}

/// The memory of an idle connection: the slope of resident memory over open connections, by least
/// squares, of the samples before load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerConnection {
    /// Bytes.
    pub bytes: f64,
    /// Samples: before the first connection, of each row while they were opened, and with all open.
    pub samples: u64,
    /// Most connections open at a sample.
    pub connections: u64,
}

/// The processor time of a message.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerMessage {
    /// Nanoseconds.
    pub cpu_ns: f64,
    /// What counts as one.
    pub of: Counted,
    /// How it was computed.
    pub method: Method,
    /// How many there were.
    pub count: u64,
    /// Rows of the time series.
    pub rows: u64,
    /// Their length, in nanoseconds.
    pub length_ns: u64,
    /// Processor time that the slope leaves for no message at all, as a share of one processor;
    /// `null` without a slope.
    pub idle_share: Option<f64>,
}

/// What processor time is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// A message that the client sent, with its reply.
    Message,
    /// A message that the client received.
    Pushed,
    /// A copy that a subscriber received.
    Copy,
    /// A connection, opened and closed.
    Connection,
}

impl Counted {
    /// Returns what a command's run is about; `None` if nothing is sent.
    fn of(report: &Report) -> Option<Self> {
        match &*report.command {
            "run" | "play" => Some(Self::Message),
            "listen" => Some(Self::Pushed),
            "fanout" => Some(Self::Copy),
            "connect" => Some(Self::Connection),
            _ => None,
        }
    }

    const fn count(self, row: &RowReport) -> u64 {
        match self {
            Self::Message => row.counts.sent,
            Self::Pushed | Self::Copy => row.counts.received,
            Self::Connection => row.counts.established,
        }
    }

    /// Returns the noun in reports.
    const fn noun(self) -> &'static str {
        match self {
            Self::Message | Self::Pushed => "message",
            Self::Copy => "copy",
            Self::Connection => "connection",
        }
    }
}

/// How processor time was divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// All of it, by the number of messages.
    Ratio,
    /// The slope of processor time over messages, by least squares: what doesn't depend on messages
    /// is left out. Where the rate varied enough.
    Slope,
}

impl WatchedReport {
    /// Starts from the samples; [`conclude`](Self::conclude) does the rest.
    pub(super) fn new(samples: &WatchedSamples) -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        Self {
            pid: samples.pid,
            name: escape::control(&samples.name, NAME_MAX),
            begun_ticks: samples.begun_ticks,
            boot_id: boot_id.map(|id| escape::control(id.trim(), NAME_MAX)),
            ended_at_ns: samples.ended_at_ns,
            cpu_share: None,
            cpu_share_max: None,
            rss_begin: samples.rss_begin,
            rss_max: samples.rss_begin,
            rss_end: samples.rss_begin,
            descriptors_max: None,
            threads_max: 0,
            processes_max: 0,
            opened: samples.opened.map(|(connections, rss)| OpenedReport { connections, rss }),
            per_connection: None,
            per_message: None,
        }
    }

    /// Returns what tells the process from others.
    pub(super) fn identity(&self) -> (u32, u64, Option<&str>) {
        (self.pid, self.begun_ticks, self.boot_id.as_deref())
    }

    /// Returns the process as reports name it.
    pub(super) fn shown(&self) -> String {
        format!("pid {} ({})", self.pid, self.name)
    }

    /// Computes everything that the rows of a report tell.
    pub(super) fn conclude(&mut self, report: &Report) {
        let rows = &report.time_series.rows;
        let seen: Vec<_> = rows.iter().filter_map(|row| Some((row, row.watched?))).collect();
        let most = |of: fn(&ProcessUsage) -> u64| seen.iter().map(|(_, it)| of(it)).max();
        self.rss_max = most(|it| it.rss).unwrap_or(0).max(self.rss_begin);
        self.rss_max = self.opened.map_or(0, |opened| opened.rss).max(self.rss_max);
        self.rss_end = seen.last().map_or(self.rss_begin, |(_, it)| it.rss);
        self.descriptors_max = seen.iter().filter_map(|(_, it)| it.descriptors).max();
        self.threads_max = most(|it| it.threads).unwrap_or(0);
        self.processes_max = most(|it| it.processes).unwrap_or(0);
        let measured = within(&seen, report.phases.measured);
        let cpu_ns = measured.iter().map(|(_, it)| it.cpu_ns).sum();
        let length_ns = measured.iter().map(|(row, _)| row.length_ns).sum();
        self.cpu_share = (length_ns > 0).then(|| exact(cpu_ns) / exact(length_ns));
        let shares = measured.iter().map(|(row, it)| exact(it.cpu_ns) / exact(row.length_ns));
        self.cpu_share_max = shares.reduce(f64::max);
        let ramp = within(&seen, report.phases.ramp);
        self.per_connection = per_connection(self.rss_begin, &ramp, self.opened);
        self.per_message = Counted::of(report).and_then(|of| per_message(of, &measured));
    }
}

type Seen<'r> = (&'r RowReport, ProcessUsage);

/// Returns the rows that lie within a phase.
fn within<'r>(seen: &[Seen<'r>], phase: Option<Interval>) -> Vec<Seen<'r>> {
    let Some(phase) = phase else { return Vec::new() };
    let is_in = |(row, _): &&Seen<'r>| {
        let end_ns = row.begin_ns.saturating_add(row.length_ns);
        row.begin_ns >= phase.begin_ns && end_ns <= phase.end_ns && row.length_ns > 0
    };
    seen.iter().filter(is_in).copied().collect()
}

fn per_connection(
    begin: u64,
    ramp: &[Seen<'_>],
    opened: Option<OpenedReport>,
) -> Option<PerConnection> {
    let mut samples = vec![(0, begin)];
    samples.extend(ramp.iter().map(|(row, it)| (row.open, it.rss)));
    samples.extend(opened.map(|opened| (opened.connections, opened.rss)));
    let connections = samples.iter().map(|(open, _)| *open).max().unwrap_or(0);
    let points: Vec<_> = samples.iter().map(|&(open, rss)| (exact(open), exact(rss))).collect();
    let fit = Fit::of(&points)?;
    (connections >= CONNECTIONS_MIN && fit.slope > 0.0).then_some(PerConnection {
        bytes: fit.slope,
        samples: samples.len() as u64,
        connections,
    })
}

fn per_message(of: Counted, measured: &[Seen<'_>]) -> Option<PerMessage> {
    let count: u64 = measured.iter().map(|(row, _)| of.count(row)).sum();
    let length_ns: u64 = measured.iter().map(|(row, _)| row.length_ns).sum();
    let cpu_ns: u64 = measured.iter().map(|(_, it)| it.cpu_ns).sum();
    if count == 0 {
        return None;
    }
    let ratio = PerMessage {
        cpu_ns: exact(cpu_ns) / exact(count),
        of,
        method: Method::Ratio,
        count,
        rows: measured.len() as u64,
        length_ns,
        idle_share: None,
    };
    let points: Vec<_> = measured
        .iter()
        .map(|(row, it)| {
            let seconds = exact(row.length_ns) / 1e9;
            (exact(of.count(row)) / seconds, exact(it.cpu_ns) / seconds)
        })
        .collect();
    let rates = || points.iter().map(|(rate, _)| *rate);
    let (least, most) = (rates().fold(f64::MAX, f64::min), rates().fold(0.0, f64::max));
    let is_spread = points.len() >= ROWS_MIN && most >= least * SPREAD_MIN;
    let fit = Fit::of(&points).filter(|fit| {
        is_spread && fit.slope > 0.0 && fit.intercept >= 0.0 && fit.explained >= EXPLAINED_MIN
    });
    Some(fit.map_or(ratio, |fit| PerMessage {
        cpu_ns: fit.slope,
        method: Method::Slope,
        idle_share: Some(fit.intercept / 1e9),
        ..ratio
    }))
}

/// A line through points, by least squares.
#[derive(Clone, Copy, Debug)]
struct Fit {
    slope: f64,
    intercept: f64,
    /// Share of the variance that the line explains.
    explained: f64,
}

impl Fit {
    /// `None` if all points have the same place.
    fn of(points: &[(f64, f64)]) -> Option<Self> {
        let number = exact(points.len() as u64);
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / number;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let sum = |of: &dyn Fn(f64, f64) -> f64| {
            points.iter().map(|point| of(point.0 - x, point.1 - y)).sum::<f64>()
        };
        let (xx, xy, yy) = (sum(&|x, _| x * x), sum(&|x, y| x * y), sum(&|_, y| y * y));
        if xx <= 0.0 {
            return None;
        }
        let slope = xy / xx;
        let explained = if yy > 0.0 { xy * xy / (xx * yy) } else { 1.0 };
        Some(Self { slope, intercept: y - slope * x, explained })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a mean to three digits")]
const fn exact(n: u64) -> f64 {
    n as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
const fn whole(n: f64) -> u64 {
    n as u64
}

/// Returns what a connection and a message cost, with how that was computed.
pub(super) fn costs(watched: &WatchedReport) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(PerConnection { bytes, samples, connections }) = watched.per_connection {
        said.push(format!(
            "memory {} a connection: slope over {} while {} were opened, nothing sent yet",
            units::bytes(whole(bytes.round())),
            units::counted(samples, "sample"),
            units::counted(connections, "connection"),
        ));
    }
    if let Some(cost) = &watched.per_message {
        let seconds = units::duration(cost.length_ns);
        let number = units::counted(cost.count, cost.of.noun());
        let how = match (cost.method, cost.idle_share) {
            (Method::Slope, Some(idle)) => format!(
                "slope over {} of changing rates, {number} in {seconds}; {:.1} % of a core without any",
                units::counted(cost.rows, "row"),
                idle * 100.0
            ),
            _ => format!("all of {seconds} within the measured time, divided by {number}"),
        };
        let ns = if cost.cpu_ns < 1_000.0 {
            format!("{:.0} ns", cost.cpu_ns)
        } else {
            units::duration(whole(cost.cpu_ns.round()))
        };
        said.push(format!("cpu {ns} a {}: {how}", cost.of.noun()));
    }
    said
}

/// Returns how the process is described in one line, without its name.
pub(super) fn used(watched: &WatchedReport) -> String {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let mut parts = Vec::new();
    if let Some((mean, most)) = watched.cpu_share.zip(watched.cpu_share_max) {
        parts.push(format!("cpu {} of a core, most {}", percent(mean), percent(most)));
    }
    parts.push(format!(
        "memory {} at first, most {}, {} at the end",
        units::bytes(watched.rss_begin),
        units::bytes(watched.rss_max),
        units::bytes(watched.rss_end)
    ));
    parts.join("   ")
}

/// Returns how many of what the process has had at most.
pub(super) fn had(watched: &WatchedReport) -> String {
    let mut parts = vec![units::counted(watched.processes_max.max(1), "process")];
    parts.push(units::counted(watched.threads_max, "thread"));
    parts.extend(watched.descriptors_max.map(|open| units::counted(open, "descriptor")));
    parts.join(", ")
}

/// Writes the rows of the watched process, if there was one.
pub(super) fn rows(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(watched) = &report.watched else { return Ok(()) };
    line(f, "watched", &format!("{}, at most {}", watched.shown(), had(watched)))?;
    line(f, "", &used(watched))?;
    costs(watched).iter().try_for_each(|said| wrapped(f, "", said))
}

impl Report {
    /// Computes what the time series tells of the watched process.
    pub(super) fn conclude_watched(&mut self) {
        let mut watched = self.watched.take();
        if let Some(watched) = &mut watched {
            watched.conclude(self);
        }
        self.watched = watched;
    }

    /// Says that the watched process didn't outlive the run.
    pub(super) fn watched_note(&self) -> Option<String> {
        let watched = self.watched.as_ref()?;
        let at = units::seconds(watched.ended_at_ns?);
        Some(format!(
            "the watched process, {}, had ended {at} s after the run began",
            watched.shown()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::IntervalCounts;
    use crate::report::sample_of;

    const SECOND_NS: u64 = 1_000_000_000;

    fn row(second: u64, open: u64, sent: u64, cpu_ns: u64, rss: u64) -> RowReport {
        RowReport {
            begin_ns: second * SECOND_NS,
            length_ns: SECOND_NS,
            open,
            counts: IntervalCounts { sent, ..IntervalCounts::default() },
            by_address: Vec::new(),
            p50_ns: None,
            p99_ns: None,
            latency: None,
            steps: Vec::new(),
            rules: Vec::new(),
            watched: Some(ProcessUsage {
                cpu_ns,
                rss,
                descriptors: Some(open),
                threads: 3,
                processes: 2,
            }),
        }
    }

    /// A run that opens connections for two seconds and then sends so many messages in each second.
    fn report(rates: &[u64], cpu_ns: impl Fn(u64) -> u64) -> Report {
        let mut report = sample_of("run ws://127.0.0.1:9001/ -c 2000 -t 1 -d 5s --seed 7");
        let load = rates
            .iter()
            .zip(2..)
            .map(|(&rate, second)| row(second, 2_000, rate, cpu_ns(rate), 30_000_000));
        report.time_series.rows =
            [row(0, 500, 0, 5_000_000, 11_000_000), row(1, 1_500, 0, 5_000_000, 13_000_000)]
                .into_iter()
                .chain(load)
                .collect();
        let seconds = |begin: u64, end: u64| {
            Some(Interval { begin_ns: begin * SECOND_NS, end_ns: end * SECOND_NS })
        };
        report.phases.ramp = seconds(0, 2);
        report.phases.measured = seconds(2, 2 + rates.len() as u64);
        report.watched = Some(WatchedReport::new(&WatchedSamples {
            pid: 7,
            name: "a\nb".into(),
            begun_ticks: 9,
            rss_begin: 10_000_000,
            opened: Some((2_000, 14_000_000)),
            ended_at_ns: None,
        }));
        report.conclude_watched();
        report
    }

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < expected.abs() * 1e-9
    }

    #[test]
    fn costs_at_one_rate_are_ratios() {
        let report = report(&[100_000; 5], |_| 250_000_000);
        let watched = report.watched.as_ref().unwrap();
        assert!(close(watched.cpu_share.unwrap(), 0.25), "{watched:?}");
        assert_eq!(
            (watched.rss_begin, watched.rss_max, watched.rss_end),
            (10_000_000, 30_000_000, 30_000_000)
        );
        assert_eq!((watched.threads_max, watched.descriptors_max), (3, Some(2_000)));
        let memory = watched.per_connection.unwrap();
        assert!(close(memory.bytes, 2_000.0), "{memory:?}");
        assert_eq!((memory.samples, memory.connections), (4, 2_000));
        let cost = watched.per_message.unwrap();
        assert!(close(cost.cpu_ns, 2_500.0), "{cost:?}");
        assert_eq!((cost.method, cost.count, cost.rows), (Method::Ratio, 500_000, 5));
        let text = crate::report::text::Text(&report).to_string();
        for line in [
            " watched      pid 7 (a\\nb), at most 2 processes, 3 threads, 2,000 descriptors\n",
            "cpu 25 % of a core, most 25 %   memory 10.0 MB at first, most 30.0 MB, 30.0 MB at the end\n",
            "memory 2.00 KB a connection: slope over 4 samples while 2,000 connections were opened,",
            "cpu 2.50 us a message: all of 5.00 s within the measured time, divided by 500,000",
        ] {
            assert!(text.contains(line), "{line}:\n{text}");
        }
    }

    #[test]
    fn where_rates_change_what_is_always_used_is_left_out() {
        let cpu_ns = |rate: u64| 100_000_000 + rate * 2_000;
        let report = report(&[10_000, 50_000, 100_000, 150_000, 200_000], cpu_ns);
        let cost = report.watched.unwrap().per_message.unwrap();
        assert!(close(cost.cpu_ns, 2_000.0) && close(cost.idle_share.unwrap(), 0.1), "{cost:?}");
        assert_eq!(cost.method, Method::Slope);
    }

    #[test]
    fn a_slope_that_explains_nothing_is_none() {
        let noise = |rate: u64| if rate.is_multiple_of(3) { 400_000_000 } else { 100_000_000 };
        let report = report(&[10_000, 30_000, 50_000, 60_000, 20_000], noise);
        assert_eq!(report.watched.unwrap().per_message.unwrap().method, Method::Ratio);
    }

    #[test]
    fn a_server_whose_memory_did_not_grow_has_no_cost_of_connections() {
        let mut report = report(&[1; 5], |_| 1);
        let watched = report.watched.as_mut().unwrap();
        watched.opened = Some(OpenedReport { connections: 200_000, rss: 0 });
        report.conclude_watched();
        assert_eq!(report.watched.as_ref().unwrap().per_connection, None);
        report.watched.as_mut().unwrap().opened =
            Some(OpenedReport { connections: 999, rss: 90_000_000 });
        report.phases.ramp = None;
        report.conclude_watched();
        assert_eq!(report.watched.unwrap().per_connection, None, "too few");
    }
}
