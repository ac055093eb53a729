//! Adds a segment's numbers to another's, field by field: a new field does not compile until this
//! module says how it adds up.

use super::{add_count, histograms};
use crate::metrics::add_sample;
use crate::report::hold::{DropReport, HoldReport, PingReport};
use crate::report::push::PushReport;
use crate::report::reconnect::ReconnectReport;
use crate::report::{
    AgreedReport, Bytes, Client, CloseReasonReport, ClosingReport, CohortReport, ConfigReport,
    Connections, DeflateReport, ErrorReport, Messages, Report, TargetReport, TlsReport, UrlReport,
    reach, seen,
};

/// Adds what simply adds up. The caller does what needs all segments at once.
pub(super) fn add(whole: &mut Report, part: &Report) {
    let Report {
        schema_version: _,     // the same in all
        generator: _,          // the same in all
        command: _,            // the same in all
        started_at_unix_ms: _, // the earliest: the caller's
        is_interrupted,
        aborted_by,
        config,
        target,
        host: _,   // stays with each part
        phases: _, // the caller's
        connections,
        messages,
        pings,
        reconnect,
        storm: _, // the caller's
        hold,
        push,
        scenario,
        arrival_times,
        http2,
        network,
        fanout,
        deflate,
        bytes,
        errors,
        seen,
        closings,
        cohorts,
        histogram_bounds: _, // the same in all
        histograms: _,       // the caller's
        time_series: _,      // the caller's
        client,
        watched: _,    // the caller's
        imbalances: _, // the caller's, as all that follow
        notes: _,
        verdict: _,
        outcome: _,
        thresholds: _,
        merged: _,
    } = part;
    whole.is_interrupted |= is_interrupted;
    if whole.aborted_by.is_none() {
        whole.aborted_by.clone_from(aborted_by);
    }
    add_config(&mut whole.config, config);
    add_target(&mut whole.target, target);
    add_connections(&mut whole.connections, connections);
    if let (Some(whole), Some(messages)) = (&mut whole.messages, messages) {
        add_messages(whole, messages);
    }
    if let (Some(whole), Some(pings)) = (&mut whole.pings, pings) {
        add_pings(whole, pings);
    }
    if let (Some(whole), Some(reconnect)) = (&mut whole.reconnect, reconnect) {
        add_reconnect(whole, reconnect);
    }
    if let (Some(whole), Some(hold)) = (&mut whole.hold, hold) {
        add_hold(whole, hold);
    }
    if let (Some(whole), Some(push)) = (&mut whole.push, push) {
        add_push(whole, push);
    }
    if let (Some(whole), Some(part)) = (&mut whole.scenario, scenario) {
        whole.add(part);
    }
    if let (Some(whole), Some(part)) = (&mut whole.fanout, fanout) {
        super::fanout::add(whole, part);
    }
    if let (Some(whole), Some(times)) = (&mut whole.arrival_times, arrival_times) {
        whole.add(times);
    }
    if let (Some(whole), Some(http2)) = (&mut whole.http2, http2) {
        whole.add(http2);
    }
    if let Some(network) = network {
        match &mut whole.network {
            Some(whole) => whole.add(network),
            // On some machines the kernel says nothing.
            None => whole.network = Some(*network),
        }
    }
    if let (Some(whole), Some(deflate)) = (&mut whole.deflate, deflate) {
        add_deflate(whole, deflate);
    }
    let Bytes { sent, received } = bytes;
    add_count(&mut whole.bytes.sent, *sent);
    add_count(&mut whole.bytes.received, *received);
    for error in errors {
        add_error(&mut whole.errors, error);
    }
    seen::add(&mut whole.seen, seen);
    for closing in closings {
        add_closing(&mut whole.closings, closing);
    }
    // The same cohorts in the same order, as `merge` has checked.
    for (whole, cohort) in whole.cohorts.iter_mut().zip(cohorts) {
        add_cohort(whole, cohort);
    }
    add_client(&mut whole.client, client);
}

fn add_cohort(whole: &mut CohortReport, part: &CohortReport) {
    let CohortReport {
        conduct: _, // the same in all
        read_bytes_per_s: _,
        planned,
        attempted,
        established,
        completed,
        failed,
        messages,
        pings,
        bytes: Bytes { sent, received },
        errors,
        closings,
        histograms: more,
    } = part;
    add_count(&mut whole.planned, *planned);
    add_count(&mut whole.attempted, *attempted);
    add_count(&mut whole.established, *established);
    add_count(&mut whole.completed, *completed);
    add_count(&mut whole.failed, *failed);
    if let (Some(whole), Some(messages)) = (&mut whole.messages, messages) {
        whole.add(messages);
    }
    add_count(&mut whole.pings, *pings);
    add_count(&mut whole.bytes.sent, *sent);
    add_count(&mut whole.bytes.received, *received);
    for error in errors {
        add_error(&mut whole.errors, error);
    }
    for closing in closings {
        add_closing(&mut whole.closings, closing);
    }
    whole.histograms = histograms(&[&whole.histograms, more]);
}

/// Combines what both know; if either doesn't know, the result is unknown.
fn both(one: Option<u64>, other: Option<u64>, of: impl Fn(u64, u64) -> u64) -> Option<u64> {
    one.zip(other).map(|(one, other)| of(one, other))
}

/// Everything that is of the whole run is the same in all parts.
fn add_config(whole: &mut ConfigReport, part: &ConfigReport) {
    add_count(&mut whole.threads, part.threads);
    for label in &part.labels {
        if !whole.labels.contains(label) {
            whole.labels.push(label.clone());
        }
    }
}

fn add_target(whole: &mut TargetReport, part: &TargetReport) {
    let TargetReport { url: _, is_embedded: _, addresses, dns_ns, urls, tls } = part;
    add_addresses(&mut whole.addresses, addresses);
    whole.dns_ns = whole.dns_ns.max(*dns_ns);
    // The same URLs in the same order, as `merge` has checked.
    for (whole, part) in whole.urls.iter_mut().zip(urls) {
        let UrlReport { url: _, is_for_publishers: _, addresses, dns_ns, counts, by_address } =
            part;
        add_addresses(&mut whole.addresses, addresses);
        whole.dns_ns = whole.dns_ns.max(*dns_ns);
        whole.counts.add(counts);
        reach::add_addresses(&mut whole.by_address, by_address);
    }
    for TlsReport { version, cipher, count } in tls {
        let is_it = |own: &&mut TlsReport| own.version == *version && own.cipher == *cipher;
        match whole.tls.iter_mut().find(is_it) {
            Some(own) => add_count(&mut own.count, *count),
            None => whole.tls.push(TlsReport {
                version: version.clone(),
                cipher: cipher.clone(),
                count: *count,
            }),
        }
    }
}

fn add_addresses(whole: &mut Vec<String>, part: &[String]) {
    for address in part {
        if !whole.contains(address) {
            whole.push(address.clone());
        }
    }
}

fn add_connections(whole: &mut Connections, part: &Connections) {
    let Connections { attempted, established, completed, failed, opened, opened_per_s: _ } = part;
    add_count(&mut whole.attempted, *attempted);
    add_count(&mut whole.established, *established);
    add_count(&mut whole.completed, *completed);
    add_count(&mut whole.failed, *failed);
    add_count(&mut whole.opened, *opened);
}

fn add_messages(whole: &mut Messages, part: &Messages) {
    let Messages {
        offered_per_s,
        achieved_per_s: _, // of the sum
        arrivals,
        measured,
        warmup,
    } = part;
    whole.offered_per_s = whole.offered_per_s.zip(*offered_per_s).map(|(whole, part)| whole + part);
    whole.arrivals.add(arrivals);
    whole.measured.add(measured);
    whole.warmup.add(warmup);
}

fn add_reconnect(whole: &mut ReconnectReport, part: &ReconnectReport) {
    let ReconnectReport { lost, losses, attempts, reestablished, failed, failures, away } = part;
    add_count(&mut whole.lost, *lost);
    add_drops(&mut whole.losses, losses);
    add_count(&mut whole.attempts, *attempts);
    add_count(&mut whole.reestablished, *reestablished);
    add_count(&mut whole.failed, *failed);
    for failure in failures {
        add_error(&mut whole.failures, failure);
    }
    add_count(&mut whole.away, *away);
}

pub(super) fn add_drops(whole: &mut Vec<DropReport>, part: &[DropReport]) {
    for drop in part {
        let is_it = |own: &&mut DropReport| own.phase == drop.phase && own.code == drop.code;
        match whole.iter_mut().find(is_it) {
            Some(own) => own.times.add(&drop.times),
            None => whole.push(drop.clone()),
        }
    }
}

fn add_hold(whole: &mut HoldReport, part: &HoldReport) {
    let HoldReport { held, dropped, drops, pings } = part;
    add_count(&mut whole.held, *held);
    add_count(&mut whole.dropped, *dropped);
    add_drops(&mut whole.drops, drops);
    if let (Some(whole), Some(pings)) = (&mut whole.pings, pings) {
        add_pings(whole, pings);
    }
}

fn add_pings(whole: &mut PingReport, part: &PingReport) {
    let PingReport { interval_ns: _, counts } = part; // the same in all
    whole.counts.add(counts);
}

fn add_push(whole: &mut PushReport, part: &PushReport) {
    let PushReport { counts, received_per_s: _, clock: _ } = part; // of the sum; the same in all
    whole.counts.add(counts);
}

fn add_deflate(whole: &mut DeflateReport, part: &DeflateReport) {
    let DeflateReport {
        offered: _, // asked for in the same way by all, as what follows
        level: _,
        size_min: _,
        is_required: _,
        agreed,
        declined,
        sent,
        received,
    } = part;
    for AgreedReport { parameters, count } in agreed {
        match whole.agreed.iter_mut().find(|own| own.parameters == *parameters) {
            Some(own) => add_count(&mut own.count, *count),
            None => {
                whole.agreed.push(AgreedReport { parameters: parameters.clone(), count: *count });
            }
        }
    }
    whole.agreed.sort_by(|one, other| {
        other.count.cmp(&one.count).then_with(|| one.parameters.cmp(&other.parameters))
    });
    add_count(&mut whole.declined, *declined);
    whole.sent.add(sent);
    whole.received.add(received);
}

pub(super) fn add_error(whole: &mut Vec<ErrorReport>, part: &ErrorReport) {
    let ErrorReport { phase, code, count, sample, other_samples } = part;
    let Some(error) = whole.iter_mut().find(|own| own.phase == *phase && own.code == *code) else {
        return whole.push(part.clone());
    };
    add_count(&mut error.count, *count);
    let mut samples = vec![std::mem::take(&mut error.sample)];
    for sample in error.other_samples.iter().chain([sample]).chain(other_samples) {
        add_sample(&mut samples, sample.clone());
    }
    let mut samples = samples.into_iter();
    error.sample = samples.next().unwrap_or_default();
    error.other_samples = samples.collect();
}

pub(super) fn add_closing(whole: &mut Vec<ClosingReport>, part: &ClosingReport) {
    let ClosingReport { by, code, is_clean, count, reasons } = part;
    let key = |closing: &ClosingReport| (closing.by, closing.code, closing.is_clean);
    let own = (*by, *code, *is_clean);
    let Some(closing) = whole.iter_mut().find(|closing| key(closing) == own) else {
        let place = whole.partition_point(|closing| key(closing) < own);
        return whole.insert(place, part.clone());
    };
    add_count(&mut closing.count, *count);
    for CloseReasonReport { reason, count } in reasons {
        match closing.reasons.iter_mut().find(|known| known.reason == *reason) {
            Some(known) => add_count(&mut known.count, *count),
            None => {
                closing.reasons.push(CloseReasonReport { reason: reason.clone(), count: *count });
            }
        }
    }
}

fn add_client(whole: &mut Client, part: &Client) {
    let Client {
        cpu_share,
        process_cpu_ns,
        busiest_share,
        workers,
        rss_max,
        rss_per_connection,
        pause_max_ns,
    } = part;
    whole.cpu_share += cpu_share;
    add_count(&mut whole.process_cpu_ns, *process_cpu_ns);
    whole.busiest_share = whole.busiest_share.max(*busiest_share);
    whole.workers.extend(workers.iter().cloned());
    whole.rss_max = both(whole.rss_max, *rss_max, u64::saturating_add);
    // From the segment with the highest value.
    whole.rss_per_connection = both(whole.rss_per_connection, *rss_per_connection, u64::max);
    whole.pause_max_ns = whole.pause_max_ns.max(*pause_max_ns);
}
