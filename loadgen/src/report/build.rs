//! Builds a [`Report`] from counters, histograms and configuration.

use std::time::SystemTime;

use rustix::system::uname;
use wscodec::DataKind;

use super::cohort::CohortReport;
use super::digest::digest;
use super::ends::{closings, errors};
use super::fanout::FanoutReport;
use super::hold::{HoldReport, PingReport};
use super::lag;
use super::push::PushReport;
use super::reconnect::{PausesReport, ReconnectReport};
use super::scenario::ScenarioReport;
use super::{
    AddressReport, Bounds, Bytes, Client, ConfigReport, Connections, DeflateReport, Generator,
    HistogramReport, HostReport, Interval, Label, LatencyReport, LoadKind, Messages, NetworkReport,
    OutcomeReport, PayloadKind, Phases, Report, RowReport, SCHEMA_VERSION, SegmentReport,
    StageReport, StagesReport, TargetReport, TimeSeries, VerdictReport, WorkerShare, seen,
};
use crate::clock::nanos;
use crate::config::{
    Cohort, Config, Content, Load, Rate, Request, Scenario, Secrets, Stage, Stages,
};
use crate::coordinator::Observed;
use crate::host::Host;
use crate::metrics::balance::imbalances;
use crate::metrics::live::Latencies;
use crate::metrics::{
    AddressCounts, Distribution, HIGHEST_NS, LOWEST_NS, MessageCounts, Metric, Metrics,
    SIGNIFICANT_DIGITS,
};
use crate::net::{Routes, masked_subprotocols};
use crate::plan::Plan;
use crate::quota;
use crate::verdict::{Evidence, SHORT_NS, Verdict};
use crate::worker::{BACKLOG_MAX, UNANSWERED_MAX, WorkerReport};

/// From this many connections on, the memory of one can be estimated.
const RSS_CONNECTIONS_MIN: u64 = 1_000;

/// The context of a report, besides what was observed.
#[derive(Clone, Debug)]
pub struct Subject<'s> {
    /// The configuration.
    pub config: &'s Config,
    /// The routes to the servers.
    pub routes: &'s Routes,
    /// When the run began.
    pub started_at: SystemTime,
    /// The machine as it was during the run.
    pub host: &'s Host,
}

impl Report {
    /// Builds a report of what was observed.
    #[must_use]
    pub fn new(subject: &Subject<'_>, observed: &Observed) -> Self {
        let config = subject.config;
        let mut metrics = Metrics::default();
        for worker in &observed.workers {
            metrics.merge(worker.metrics.clone());
        }
        let phases = phases(config, observed);
        let client = client(config, observed);
        let histograms = histograms(&metrics);
        let verdict = Verdict::new(&evidence(config, observed, &metrics, &histograms, &client));
        let cohorts = cohorts(config, observed);
        let mut imbalances = imbalances(&metrics);
        for (cohort, metrics) in &cohorts {
            let found = crate::metrics::balance::imbalances(metrics);
            imbalances
                .extend(found.iter().map(|line| format!("{}: {line}", cohort.misbehaviour.name())));
        }
        imbalances.extend(observed.faults.iter().cloned());
        let mut report = Self {
            schema_version: SCHEMA_VERSION,
            generator: Generator {
                name: env!("CARGO_PKG_NAME").into(),
                version: env!("CARGO_PKG_VERSION").into(),
            },
            command: config.scenario.name().into(),
            started_at_unix_ms: unix_ms(subject.started_at),
            is_interrupted: observed.is_interrupted,
            config: resolved(config),
            target: TargetReport::new(config, subject.routes, &metrics),
            host: host(subject.host, observed.quota.map(|quota| quota.processors)),
            connections: connections(&metrics, &phases, config),
            messages: config.echo().is_some().then(|| Messages {
                offered_per_s: offered_per_s(config, observed, &phases),
                ..messages(&metrics, &phases)
            }),
            pings: config
                .ping_interval
                .map(|interval| PingReport::beside(interval, &metrics.probes)),
            reconnect: config.reconnect.map(|_| ReconnectReport::new(&metrics)),
            hold: config.hold().map(|hold| HoldReport::new(hold, &metrics)),
            push: matches!(config.scenario, Scenario::Listen(_))
                .then(|| PushReport::new(&metrics, per_s(metrics.push.inside, &phases))),
            fanout: config.fanout().map(|fanout| {
                FanoutReport::new(config, fanout, &metrics, |events| per_s(events, &phases))
            }),
            scenario: config
                .users()
                .map(|users| ScenarioReport::new(users, &metrics, |events| per_s(events, &phases))),
            bytes: Bytes { sent: metrics.bytes_sent, received: metrics.bytes_received },
            http2: config.network.http2.is_some().then_some(metrics.http2),
            network: (metrics.network.looks > 0).then_some(metrics.network),
            deflate: DeflateReport::new(config, &metrics.deflate),
            errors: errors(&metrics.failures).chain(errors(&metrics.wrong)).collect(),
            seen: seen::of(&metrics.seen),
            closings: closings(&metrics),
            cohorts: cohorts
                .iter()
                .map(|(cohort, metrics)| CohortReport::new(config, *cohort, metrics))
                .collect(),
            histogram_bounds: Bounds {
                lowest_ns: LOWEST_NS,
                highest_ns: HIGHEST_NS,
                significant_digits: SIGNIFICANT_DIGITS,
            },
            verdict: VerdictReport::new(verdict, &histograms),
            histograms,
            time_series: time_series(observed, subject.routes),
            client,
            imbalances,
            notes: Vec::new(),
            outcome: OutcomeReport {
                is_ok: true,
                reasons: Vec::new(),
                left_to_thresholds: Vec::new(),
            },
            thresholds: Vec::new(),
            merged: None,
            phases,
        };
        report.note();
        report.judge(&config.thresholds);
        report
    }

    /// Returns the histogram of a metric.
    #[must_use]
    pub fn histogram(&self, metric: Metric) -> Option<&HistogramReport> {
        self.histograms.iter().find(|histogram| histogram.metric == metric.name())
    }

    /// Returns what `rtt` stands for: response latency if there is any, otherwise service latency.
    #[must_use]
    pub fn rtt(&self) -> Metric {
        match self.config.load {
            Some(LoadKind::Open) => Metric::RttResponse,
            _ => Metric::RttService,
        }
    }
}

fn resolved(config: &Config) -> ConfigReport {
    let echo = config.echo();
    let played = config.play().map(|play| play.load);
    let load = echo.map(|echo| echo.load).or(played);
    let is_staged = config.pacing.stages.is_some();
    let is_open_loop = config.load().is_some_and(Load::is_scheduled);
    ConfigReport {
        segment: config
            .segment
            .map(|segment| SegmentReport { index: segment.index(), of: segment.of() }),
        start_at_unix_ms: config.start_at.map(unix_ms),
        ramp_ns: config.ramp.map(nanos),
        connections: config.connections,
        connect_rate_per_s: config
            .connect_rate
            .filter(|_| echo.is_some() || !is_staged)
            .map(Rate::per_s),
        threads: config.threads.get() as u64,
        load: load.map(|load| match load {
            Load::Closed { .. } => LoadKind::Closed,
            Load::Open { .. } | Load::Every { .. } => LoadKind::Open,
        }),
        pipeline: echo.map(|echo| echo.load).and_then(|load| match load {
            Load::Closed { pipeline } => Some(pipeline),
            Load::Open { .. } | Load::Every { .. } => None,
        }),
        rate_per_s: load.and_then(constant_rate).filter(|_| !is_staged),
        arrivals: config.pacing.arrivals,
        stages: config.pacing.stages.as_ref().map(stages),
        catch_up_ns: is_open_loop.then(|| nanos(config.pacing.catch_up)),
        number: match &config.scenario {
            Scenario::Echo(echo) => echo.messages,
            Scenario::OpenClose { number } => *number,
            Scenario::Fanout(fanout) => fanout.messages,
            Scenario::Play(play) => play.iterations,
            Scenario::Hold(_) | Scenario::Listen(_) => None,
        },
        payload_size: echo.map(|echo| echo.content.size_most() as u64),
        payload_size_min: echo.map(|echo| echo.content.size_least() as u64),
        payload_source: echo.map(|echo| echo.content.source().into()),
        fragment_size: echo.and_then(|echo| echo.fragment).map(|size| size.get() as u64),
        payload_kind: echo.map(|echo| match echo.kind {
            DataKind::Text => PayloadKind::Text,
            DataKind::Binary => PayloadKind::Binary,
        }),
        payload_digest: echo.map(|echo| digest(&echo.content)),
        payload_is_generated: echo.map(|echo| matches!(echo.content, Content::Generated(_))),
        duration_ns: nanos(config.duration),
        warmup_ns: nanos(config.warmup),
        drain_timeout_ns: nanos(config.drain_timeout),
        connect_timeout_ns: nanos(config.request.connect_timeout),
        close_timeout_ns: nanos(config.request.close_timeout),
        reply_timeout_ns: config.reply_timeout.map(nanos),
        reconnect: config.reconnect.map(PausesReport::new),
        header_names: header_names(&config.request),
        subprotocols: subprotocols(&config.request),
        origin: config.request.origin.as_ref().map(ToString::to_string),
        network: NetworkReport::new(&config.network),
        mask: config.mask,
        seed: config.seed,
        unanswered_max_per_worker: UNANSWERED_MAX as u64,
        backlog_bytes_max_per_worker: BACKLOG_MAX as u64,
        labels: config
            .labels
            .iter()
            .map(|(key, value)| Label { key: key.clone(), value: value.clone() })
            .collect(),
    }
}

fn subprotocols(request: &Request) -> Vec<String> {
    let names: Vec<_> = request.subprotocols.iter().map(ToString::to_string).collect();
    match request.secrets {
        Secrets::Mask => masked_subprotocols(&names),
        Secrets::Show => names,
    }
}

/// Returns only the names of headers: the values may be secrets.
fn header_names(request: &Request) -> Vec<String> {
    let host = request.host.iter().map(|_| "Host".to_owned());
    host.chain(request.headers.iter().map(|(name, _)| name.clone())).collect()
}

fn unix_ms(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH);
    nanos(since_1970.unwrap_or_default()) / 1_000_000
}

fn constant_rate(load: Load) -> Option<f64> {
    match load {
        Load::Closed { .. } | Load::Every { .. } => None,
        Load::Open { rate } => Some(rate.per_s()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 10^11, which an f64 holds exactly")]
fn stages(stages: &Stages) -> StagesReport {
    let per_s = |per_1000_s: u64| per_1000_s as f64 / 1_000.0;
    let stage = |stage: &Stage| StageReport {
        length_ns: nanos(stage.length),
        target_per_s: per_s(stage.per_1000_s),
    };
    StagesReport {
        start_per_s: per_s(stages.start_per_1000_s),
        stages: stages.stages.iter().map(stage).collect(),
    }
}

fn host(host: &Host, quota: Option<f64>) -> HostReport {
    let name = uname();
    HostReport {
        system: format!(
            "{} {} {}",
            name.sysname().to_string_lossy(),
            name.release().to_string_lossy(),
            name.machine().to_string_lossy()
        ),
        processors: quota::processors().get() as u64,
        cpu_quota: quota,
        descriptors_max: host.descriptors.soft,
        ports: host.ports.as_ref().map(|ports| (*ports.start(), *ports.end())),
    }
}

/// Returns the earliest begin and the latest end of each phase, over all workers.
fn phases(config: &Config, observed: &Observed) -> Phases {
    let latest = |of: fn(&WorkerReport) -> u64| observed.workers.iter().map(of).max().unwrap_or(0);
    let is_lasting = config.scenario.is_lasting();
    let load_end_ns = latest(|worker| worker.load_end_ns);
    let drain_end_ns = latest(|worker| worker.drain_end_ns);
    let times = observed.times;
    let interval = |begin_ns, end_ns| Interval { begin_ns, end_ns };
    let warmup = times.filter(|times| times.window_begin_ns > times.load_begin_ns);
    Phases {
        ramp: config.has_barrier().then(|| interval(0, latest(|worker| worker.settled_ns))),
        warmup: warmup
            .map(|times| interval(times.load_begin_ns, times.window_begin_ns.min(load_end_ns))),
        measured: times
            .filter(|times| times.window_begin_ns < load_end_ns)
            .map(|times| interval(times.window_begin_ns, times.window_end_ns.min(load_end_ns))),
        drain: times.filter(|_| is_lasting).map(|_| interval(load_end_ns, drain_end_ns)),
        close: Some(interval(drain_end_ns, latest(|worker| worker.end_ns))),
    }
}

fn connections(metrics: &Metrics, phases: &Phases, config: &Config) -> Connections {
    let is_open_close = matches!(config.scenario, Scenario::OpenClose { .. });
    Connections {
        attempted: metrics.attempted,
        established: metrics.established,
        completed: metrics.completed,
        failed: metrics.failures.total(),
        opened: metrics.opened,
        opened_per_s: is_open_close.then(|| per_s(metrics.opened, phases)),
    }
}

/// Returns the metrics of each cohort, of all workers together.
fn cohorts(config: &Config, observed: &Observed) -> Vec<(Cohort, Metrics)> {
    let mut cohorts: Vec<_> =
        config.cohorts.iter().map(|&cohort| (cohort, Metrics::default())).collect();
    for worker in &observed.workers {
        for ((_, sum), metrics) in cohorts.iter_mut().zip(&worker.cohorts) {
            sum.merge(metrics.clone());
        }
    }
    cohorts
}

/// Returns the rate planned for the measured time.
#[expect(clippy::cast_precision_loss, reason = "a share of 10^10 connections at most")]
fn offered_per_s(config: &Config, observed: &Observed, phases: &Phases) -> Option<f64> {
    let begin_ns = observed.times?.load_begin_ns;
    let [begin_ns, end_ns] = phases.measured.map(|measured| {
        [measured.begin_ns, measured.end_ns].map(|ns| ns.saturating_sub(begin_ns))
    })?;
    let share = config.connections_here() as f64 / config.connections as f64;
    Plan::new(config).offered_per_s(begin_ns, end_ns).map(|rate| rate * share)
}

fn messages(metrics: &Metrics, phases: &Phases) -> Messages {
    Messages {
        offered_per_s: None,
        achieved_per_s: per_s(metrics.arrived, phases),
        arrived: metrics.arrived,
        measured: metrics.measured,
        warmup: metrics.warmup,
        late: metrics.late,
        duplicated: metrics.duplicated,
        unexpected: metrics.unexpected,
        pings: metrics.pings_received,
    }
}

/// Returns the events of the measured time, a second.
#[expect(clippy::cast_precision_loss, reason = "a rate to more digits than it has")]
fn per_s(events: u64, phases: &Phases) -> f64 {
    match phases.measured {
        Some(measured) if measured.length_ns() > 0 => {
            events as f64 * 1e9 / measured.length_ns() as f64
        }
        _ => 0.0,
    }
}

fn latency(latencies: &Latencies) -> Option<LatencyReport> {
    let mut found = Distribution::new();
    for (ns, count) in latencies.iter() {
        found.record_n(ns, count);
    }
    LatencyReport::new(&found)
}

/// Recomputes all rates from the counts and the times.
pub(super) fn rates(report: &mut Report) {
    let phases = &report.phases;
    if let Some(messages) = &mut report.messages {
        messages.achieved_per_s = per_s(messages.arrived, phases);
    }
    if let Some(scenario) = &mut report.scenario {
        scenario.iterations_per_s = per_s(scenario.iterations.inside, phases);
    }
    if let Some(push) = &mut report.push {
        push.received_per_s = per_s(push.counts.inside, phases);
    }
    if let Some(fanout) = &mut report.fanout {
        fanout.published_per_s = per_s(fanout.published, phases);
        fanout.copies.received_per_s = per_s(fanout.copies.arrived, phases);
    }
    let connections = &mut report.connections;
    if connections.opened_per_s.is_some() {
        connections.opened_per_s = Some(per_s(connections.opened, phases));
    }
}

fn time_series(observed: &Observed, routes: &Routes) -> TimeSeries {
    let addresses: Vec<_> = routes.addresses_in_turn().flatten().map(ToString::to_string).collect();
    let rows = observed.rows.iter().map(|row| RowReport {
        begin_ns: row.begin_ns,
        length_ns: row.length_ns,
        open: row.open,
        counts: row.counts,
        by_address: of_addresses(&row.addresses, &addresses),
        p50_ns: row.p50_ns,
        p99_ns: row.p99_ns,
        latency: latency(&row.latencies),
        steps: row.played.steps.clone(),
        rules: row.played.rules.clone(),
    });
    TimeSeries { interval_ns: observed.interval_ns, rows: rows.collect() }
}

/// Names the addresses of an interval.
fn of_addresses(found: &[(usize, AddressCounts)], addresses: &[String]) -> Vec<AddressReport> {
    let named = |&(place, counts): &(usize, AddressCounts)| {
        Some(AddressReport { address: addresses.get(place)?.clone(), counts })
    };
    found.iter().filter_map(named).collect()
}

/// Returns how long the load of all workers together lasted, in nanoseconds.
fn load_ns(observed: &Observed) -> u64 {
    observed.workers.iter().map(|worker| worker.counted_ns).max().unwrap_or(0)
}

/// Returns the time that a worker's share refers to: its own load, or that of all if its own was
/// over at once because it was idle while others worked.
fn whole_ns(worker: &WorkerReport, load_ns: u64) -> u64 {
    let is_over_at_once = is_empty(&worker.metrics) || worker.counted_ns < SHORT_NS;
    if is_over_at_once { load_ns } else { worker.counted_ns }
}

fn client(config: &Config, observed: &Observed) -> Client {
    let load_ns = load_ns(observed);
    let share = |part_ns: u64, worker: &WorkerReport| ratio(part_ns, whole_ns(worker, load_ns));
    let busy = |worker: &WorkerReport| {
        let worked_ns = worker.cpu_ns.saturating_sub(worker.spun_ns);
        share(worked_ns + worker.wait_ns.unwrap_or(0), worker).min(1.0)
    };
    // The fixed memory of a run is small beside its connections only if they are many.
    let is_known = config.connections_here() >= RSS_CONNECTIONS_MIN;
    let opened = observed.rss_open.zip(observed.rss_before).filter(|_| is_known);
    Client {
        cpu_share: observed.workers.iter().map(|worker| share(worker.cpu_ns, worker)).sum(),
        process_cpu_ns: observed.process_cpu_ns,
        busiest_share: observed.workers.iter().map(busy).fold(0.0, f64::max),
        workers: observed
            .workers
            .iter()
            .map(|worker| WorkerShare {
                load_ns: worker.counted_ns,
                cpu_ns: worker.cpu_ns,
                wait_ns: worker.wait_ns,
                spun_ns: worker.spun_ns,
                established: worker.metrics.established,
                received: worker.metrics.measured.received,
            })
            .collect(),
        rss_max: observed.rss_max,
        rss_per_connection: opened
            .map(|(open, before)| open.saturating_sub(before) / config.connections_here()),
        pause_max_ns: observed.pause_max_ns,
    }
}

fn histograms(metrics: &Metrics) -> Vec<HistogramReport> {
    let of = |metric| Some(HistogramReport::new(metric, metrics.distributions.of(metric)?));
    Metric::ALL.into_iter().filter_map(of).collect()
}

fn evidence(
    config: &Config,
    observed: &Observed,
    metrics: &Metrics,
    histograms: &[HistogramReport],
    client: &Client,
) -> Evidence {
    let latencies = || {
        let judged = [
            Metric::RttService,
            Metric::RttResponse,
            Metric::PingRtt,
            Metric::PushLatency,
            Metric::FanoutLatency,
        ];
        judged.into_iter().filter_map(|metric| metrics.distributions.of(metric))
    };
    let out_of_range = latencies().map(|found| found.below() + found.above()).sum();
    let load_ns = load_ns(observed);
    let due = |counts: &MessageCounts| {
        counts.sent + counts.unsent_closed + counts.unsent_backlog + counts.unsent_late
    };
    let counts = &metrics.measured;
    Evidence {
        is_open_loop: config.load().is_some_and(Load::is_scheduled),
        is_pinging: config.hold().is_some(),
        is_connecting: matches!(config.scenario, Scenario::OpenClose { .. }),
        is_empty: is_empty(metrics),
        is_unmeasured: is_unmeasured(config, metrics),
        load_ns,
        is_pushed: matches!(config.scenario, Scenario::Listen(_) | Scenario::Fanout(_)),
        is_embedded: config.is_embedded(),
        // A run without an open connection is stopped, too.
        is_cut: observed.is_interrupted && observed.workers.iter().any(|worker| worker.is_cut),
        is_interrupted: observed.is_interrupted,
        ramp_late_ns: match (config.ramp, observed.times) {
            (Some(ramp), Some(times)) => times.load_begin_ns.saturating_sub(nanos(ramp)),
            _ => 0,
        },
        send_lag: lag::of_sends(histograms),
        connect_lag: lag::of_connects(histograms),
        due: due(counts),
        due_warmup: due(&metrics.warmup),
        overdue: counts.unsent_late,
        unsent_backlog: counts.unsent_backlog + metrics.warmup.unsent_backlog
            - metrics.fanout.crowded,
        unsent_closed: counts.unsent_closed + metrics.warmup.unsent_closed,
        cpu_share: observed
            .workers
            .iter()
            .filter(|worker| !is_empty(&worker.metrics))
            .map(|worker| {
                let worked_ns = worker.cpu_ns.saturating_sub(worker.spun_ns);
                ratio(worked_ns, whole_ns(worker, load_ns))
            })
            .fold(0.0, f64::max),
        busy_share: client.busiest_share,
        pause_max_ns: observed.pause_max_ns,
        quota: observed.quota,
        latencies: latencies().map(Distribution::count).sum::<u64>() + out_of_range,
        out_of_range,
        by_worker: if config.echo().is_some() {
            let loaded = observed.workers.iter().filter(|worker| !is_empty(&worker.metrics));
            loaded
                .map(|worker| (worker.metrics.measured.received, busy_share(worker, load_ns)))
                .collect()
        } else {
            Vec::new()
        },
    }
}

/// Checks whether nothing was measured that could have a latency or a rate.
fn is_empty(metrics: &Metrics) -> bool {
    let sent = metrics.warmup.sent + metrics.measured.sent;
    let came = metrics.push.inside + metrics.push.outside + metrics.copies.received;
    let played = metrics.scenario.units.received + metrics.scenario.iterations.begun;
    sent + came + played + metrics.opened == 0
}

/// Checks whether the command's own measurement was never taken.
fn is_unmeasured(config: &Config, metrics: &Metrics) -> bool {
    let measured = match &config.scenario {
        Scenario::Echo(_) => metrics.measured.received,
        Scenario::OpenClose { .. } => metrics.opened,
        Scenario::Hold(_) => metrics.established,
        Scenario::Listen(_) => metrics.push.inside,
        Scenario::Fanout(_) => metrics.copies.received,
        Scenario::Play(play) if play.program.has_steps() => metrics.scenario.iterations.begun,
        Scenario::Play(_) => metrics.scenario.users.ready,
    };
    measured == 0
}

/// Returns the most that a thread may have been busy: if the kernel doesn't say how long it waited
/// for a processor, that may be the whole time.
fn busy_share(worker: &WorkerReport, load_ns: u64) -> f64 {
    worker.wait_ns.map_or(1.0, |wait_ns| {
        let worked_ns = worker.cpu_ns.saturating_sub(worker.spun_ns);
        ratio(worked_ns + wait_ns, whole_ns(worker, load_ns))
    })
}

#[expect(clippy::cast_precision_loss, reason = "a share to three digits")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p3_a_worker_that_was_over_at_once_is_not_busy() {
        const SECOND_NS: u64 = 1_000_000_000;
        let worker = |counted_ns, opened| WorkerReport {
            metrics: Metrics { opened, ..Metrics::default() },
            cohorts: Vec::new(),
            settled_ns: 0,
            load_begin_ns: Some(0),
            load_end_ns: counted_ns,
            is_cut: false,
            drain_end_ns: counted_ns,
            end_ns: counted_ns,
            counted_ns,
            cpu_ns: counted_ns,
            wait_ns: Some(0),
            spun_ns: 0,
        };
        let is_busy = |counted_ns, opened, share: f64| {
            (busy_share(&worker(counted_ns, opened), 2 * SECOND_NS) - share).abs() < 1e-9
        };
        assert!(is_busy(6_000_000, 1, 0.003), "of all load, not of its own");
        assert!(is_busy(SECOND_NS, 1, 1.0), "a second is enough to be busy in");
        assert!(is_busy(SECOND_NS, 0, 0.5), "it had nobody to load");
    }
}
