//! Builds a [`Report`] from counters, histograms and configuration.

use std::time::SystemTime;

use rustix::system::uname;

use super::cohort::CohortReport;
use super::configured::unix_ms;
use super::ends::{closings, errors};
use super::evidence::{client, evidence};
use super::fanout::FanoutReport;
use super::hold::{HoldReport, PingReport};
use super::push::PushReport;
use super::reconnect::ReconnectReport;
use super::scenario::ScenarioReport;
use super::storm::StormReport;
use super::watched::WatchedReport;
use super::{
    AddressReport, Bounds, Bytes, ConfigReport, Connections, DeflateReport, Generator,
    HistogramReport, HostReport, Interval, LatencyReport, LoadKind, Messages, OutcomeReport,
    Phases, Report, RowReport, SCHEMA_VERSION, TargetReport, TimeSeries, VerdictReport, seen,
};
use crate::config::{Cohort, Config, RecvTime, Scenario};
use crate::coordinator::Observed;
use crate::host::Host;
use crate::metrics::balance::imbalances;
use crate::metrics::live::Latencies;
use crate::metrics::timeline::Row;
use crate::metrics::{
    AddressCounts, Distribution, HIGHEST_NS, LOWEST_NS, Metric, Metrics, SIGNIFICANT_DIGITS,
};
use crate::net::Routes;
use crate::plan::Plan;
use crate::quota;
use crate::verdict::Verdict;
use crate::worker::WorkerReport;

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
            // A run that a threshold has ended is not one that a user gave up.
            is_interrupted: observed.is_interrupted && observed.aborted.is_none(),
            aborted_by: observed.aborted.clone(),
            config: ConfigReport::new(config),
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
            storm: None,
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
            arrival_times: (config.common.recv_time == RecvTime::Kernel)
                .then_some(metrics.arrival_times),
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
            watched: observed.watched.as_ref().map(WatchedReport::new),
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
        report.storm = StormReport::of(&report);
        report.conclude_watched();
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
        achieved_per_s: per_s(metrics.arrivals.arrived, phases),
        arrivals: metrics.arrivals,
        measured: metrics.measured,
        warmup: metrics.warmup,
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
        messages.achieved_per_s = per_s(messages.arrivals.arrived, phases);
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
    let rows = observed.rows.iter().map(|found| row(found, &addresses));
    TimeSeries { interval_ns: observed.interval_ns, rows: rows.collect() }
}

/// Converts a row of the time series; `addresses` names those of all URLs with several, in turn.
#[must_use]
pub fn row(row: &Row, addresses: &[String]) -> RowReport {
    RowReport {
        begin_ns: row.begin_ns,
        length_ns: row.length_ns,
        open: row.open,
        counts: row.counts,
        by_address: of_addresses(&row.addresses, addresses),
        p50_ns: row.p50_ns,
        p99_ns: row.p99_ns,
        latency: latency(&row.latencies),
        steps: row.played.steps.clone(),
        rules: row.played.rules.clone(),
        watched: row.watched,
    }
}

/// Names the addresses of an interval.
fn of_addresses(found: &[(usize, AddressCounts)], addresses: &[String]) -> Vec<AddressReport> {
    let named = |&(place, counts): &(usize, AddressCounts)| {
        Some(AddressReport { address: addresses.get(place)?.clone(), counts })
    };
    found.iter().filter_map(named).collect()
}

fn histograms(metrics: &Metrics) -> Vec<HistogramReport> {
    let of = |metric| Some(HistogramReport::new(metric, metrics.distributions.of(metric)?));
    Metric::ALL.into_iter().filter_map(of).collect()
}
