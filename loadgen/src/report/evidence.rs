//! What the client did and had, from which the verdict is reached: how busy its threads were, and
//! what it could not send in time.

use super::{Client, HistogramReport, WorkerShare, lag};
use crate::clock::nanos;
use crate::config::{Config, Load, Scenario};
use crate::coordinator::Observed;
use crate::metrics::{Distribution, MessageCounts, Metric, Metrics};
use crate::verdict::{Evidence, SHORT_NS};
use crate::worker::WorkerReport;

/// From this many connections on, the memory of one can be estimated.
const RSS_CONNECTIONS_MIN: u64 = 1_000;

/// Gathers what the verdict is reached from.
pub(super) fn evidence(
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
        is_timed_by_kernel: metrics.arrival_times.is_kernels(),
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

/// Returns what the client used.
pub(super) fn client(config: &Config, observed: &Observed) -> Client {
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

/// Returns the most that a thread may have been busy: if the kernel doesn't say how long it waited
/// for a processor, that may be the whole time.
fn busy_share(worker: &WorkerReport, load_ns: u64) -> f64 {
    worker.wait_ns.map_or(1.0, |wait_ns| {
        let worked_ns = worker.cpu_ns.saturating_sub(worker.spun_ns);
        ratio(worked_ns + wait_ns, whole_ns(worker, load_ns))
    })
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
