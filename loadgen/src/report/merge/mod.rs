//! Merges the results of a run's segments into the result of the run.
//!
//! Nothing is estimated: counters and histogram slots are added, times are put on one axis by the
//! segments' wall clocks, and what can't be added is refused. So the result is that of one process
//! doing all the work, as far as there can be one: each part keeps the properties of its machine.

mod add;
mod died;
mod fanout;
mod reasons;
mod timeline;
mod watched;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::storm::StormReport;
use super::{
    HistogramReport, HostReport, Interval, OutcomeReport, Phases, Report, SegmentReport,
    VerdictReport, build,
};
use crate::metrics::{Distribution, Metric};
use crate::units;
use crate::verdict::State;
pub use died::{Died, DiedReport};

/// How far apart segments may begin to measure, as a share of the measured time.
const OUT_OF_STEP: f64 = 0.01;
/// Most missing segments that are named.
const MISSING_NAMED_MAX: usize = 10;
/// Most bytes shown of a value that differs.
const VALUE_LEN_MAX: usize = 60;

/// The parts of a merged result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergedReport {
    /// Segments of the run.
    pub of: u64,
    /// Segments that are missing.
    pub missing: Vec<u64>,
    /// Processes that ended without a result; their connections are counted, as failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub died: Vec<DiedReport>,
    /// Segments that are present.
    pub parts: Vec<PartReport>,
}

/// The properties of a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartReport {
    /// Its result file.
    pub file: String,
    /// The segment's number, from 1.
    pub segment: u64,
    /// When it began, in milliseconds since 1970, by its own clock.
    pub started_at_unix_ms: u64,
    /// Its worker threads.
    pub threads: u64,
    /// Its machine.
    pub host: HostReport,
    /// When each of its phases began and ended, after its own begin.
    pub phases: Phases,
    /// Connections established.
    pub established: u64,
    /// Echoes or copies received in the segment's measured time.
    pub received: Option<u64>,
    /// Whether the segment's measurement can be trusted.
    pub verdict: VerdictReport,
    /// Whether the server did everything it should.
    pub outcome: OutcomeReport,
}

/// A result and its file.
#[derive(Clone, Debug)]
pub struct Part {
    /// The file's name, without control characters.
    pub name: String,
    /// The result of a segment.
    pub report: Report,
}

/// What to do if the result of a segment is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Merge nothing.
    Refuse,
    /// Merge the others, and note it in the report.
    Allow,
}

/// Merges the results of segments into one.
///
/// # Errors
/// One line: what can't be merged, and in which files; or which segments are missing.
pub fn merge(mut parts: Vec<Part>, if_missing: Missing) -> Result<Report, String> {
    let segments = segments(&parts)?;
    let first = parts.first().ok_or("nothing to merge; name the segments' result files")?;
    for other in &parts[1..] {
        if let Some(difference) = difference(first, other) {
            return Err(difference);
        }
    }
    let of = segments.first().map_or(0, |segment| segment.of);
    parts.sort_by_key(|part| part.report.config.segment.map(|segment| segment.index));
    let missing: Vec<u64> =
        (1..=of).filter(|&index| segments.iter().all(|segment| segment.index != index)).collect();
    if if_missing == Missing::Refuse && !missing.is_empty() {
        return Err(missing_segments(&missing, of));
    }
    Ok(merged(&parts, of, missing, &[]))
}

/// Merges the results of the processes of a fleet into one; of those that `died`, it counts the
/// connections.
///
/// # Errors
/// One line: what can't be merged.
pub fn merge_fleet(mut parts: Vec<Part>, died: &[Died]) -> Result<Report, String> {
    let segments = segments(&parts)?;
    let of = segments.first().ok_or("no process has a result")?.of;
    parts.sort_by_key(|part| part.report.config.segment.map(|segment| segment.index));
    Ok(merged(&parts, of, Vec::new(), died))
}

/// Says which segments are missing, and what to do.
fn missing_segments(missing: &[u64], of: u64) -> String {
    let (named, is) = named(missing);
    format!(
        "{named} of {of} {is} missing; name all result files, or merge what is there with \
         --allow-missing"
    )
}

/// Returns the segments' numbers, and the verb for them.
fn named(segments: &[u64]) -> (String, &'static str) {
    let mut named: Vec<_> =
        segments.iter().take(MISSING_NAMED_MAX).map(ToString::to_string).collect();
    if segments.len() > MISSING_NAMED_MAX {
        named.push(format!("and {} more", segments.len() - MISSING_NAMED_MAX));
    }
    let (noun, verb) = if segments.len() == 1 { ("segment", "is") } else { ("segments", "are") };
    (format!("{noun} {}", named.join(", ")), verb)
}

/// Returns the segments, checking that each occurs once and all give the same total.
fn segments(parts: &[Part]) -> Result<Vec<SegmentReport>, String> {
    let mut found: Vec<(SegmentReport, &str)> = Vec::new();
    for Part { name, report } in parts {
        if report.merged.is_some() {
            return Err(format!(
                "{name} is already a merged result; merge the segments' own files"
            ));
        }
        let Some(segment) = report.config.segment else {
            return Err(format!(
                "{name} is a complete run, not a segment; run the parts with --segment i/N"
            ));
        };
        if let Some((other, at)) = found.first().filter(|(other, _)| other.of != segment.of) {
            return Err(format!(
                "{at} is one of {} segments and {name} one of {}",
                other.of, segment.of
            ));
        }
        if let Some((_, at)) = found.iter().find(|(other, _)| *other == segment) {
            return Err(format!("segment {segment} is in {at} and in {name}"));
        }
        found.push((segment, name));
    }
    Ok(found.into_iter().map(|(segment, _)| segment).collect())
}

/// Returns what must be the same in all parts, but isn't.
fn difference(one: &Part, other: &Part) -> Option<String> {
    let [left, right] = [one, other].map(|part| comparable(&part.report));
    let (path, left, right) = differing(&left, &right).into_iter().next()?;
    if path == "fanout.split.run" {
        let (one, other) = (&one.name, &other.name);
        return Some(format!(
            "{one} and {other} began at different times, so neither knows the other's messages; \
             give all segments the same --start-at TIME, not +T"
        ));
    }
    Some(format!("{path} is {left} in {}, but {right} in {}", one.name, other.name))
}

/// Returns what must be the same in all parts.
fn comparable(report: &Report) -> Value {
    let mut config = serde_json::to_value(&report.config).unwrap_or_default();
    if let Some(config) = config.as_object_mut() {
        // Specific to a segment or its machine.
        for own in ["segment", "threads", "labels", "start_at_unix_ms"] {
            config.remove(own);
        }
        if let Some(network) = config.get_mut("network").and_then(Value::as_object_mut) {
            network.remove("source_ips");
        }
    }
    let mut fanout = serde_json::to_value(&report.fanout).unwrap_or_default();
    if let Some(fanout) = fanout.as_object_mut() {
        let asked = [
            "publishers",
            "subscribers",
            "topics",
            "rate_per_s",
            "payload_size",
            "publish_digest",
            "subscribe_digest",
            "copy_timeout_ns",
            "split",
        ];
        fanout.retain(|name, _| asked.contains(&name.as_str()));
        if let Some(split) = fanout.get_mut("split").and_then(Value::as_object_mut) {
            split.remove("followed");
            split.remove("sampled");
        }
    }
    serde_json::json!({
        "fanout": fanout,
        "scenario": report.scenario.as_ref().map(|scenario| &scenario.digest),
        "schema_version": report.schema_version,
        "generator": report.generator,
        "command": report.command,
        "is_embedded": report.target.is_embedded,
        "urls": report.target.urls.iter().map(|url| &url.url).collect::<Vec<_>>(),
        "histogram_bounds": report.histogram_bounds,
        "interval_ns": report.time_series.interval_ns,
        "cohorts": report
            .cohorts
            .iter()
            .map(|cohort| (&cohort.conduct, cohort.read_bytes_per_s))
            .collect::<Vec<_>>(),
        "ping_interval_ns": ping_interval_ns(report),
        "config": config,
    })
}

/// Returns the time from one Ping of a connection to the next.
fn ping_interval_ns(report: &Report) -> Option<u64> {
    let held = report.hold.as_ref().and_then(|hold| hold.pings.as_ref());
    report.pings.as_ref().or(held).map(|pings| pings.interval_ns)
}

/// Returns every difference: its path, and the two values as JSON, which can't contain terminal
/// control characters.
pub(super) fn differing(left: &Value, right: &Value) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    collect(left, right, String::new(), &mut found);
    found
}

fn collect(left: &Value, right: &Value, path: String, found: &mut Vec<(String, String, String)>) {
    if left == right {
        return;
    }
    if let (Value::Object(left), Value::Object(right)) = (left, right) {
        for (name, left) in left {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            collect(left, right.get(name).unwrap_or(&Value::Null), path, found);
        }
        return;
    }
    let shown = |value: &Value| crate::escape::control(&value.to_string(), VALUE_LEN_MAX);
    found.push((path, shown(left), shown(right)));
}

fn merged(parts: &[Part], of: u64, missing: Vec<u64>, died: &[Died]) -> Report {
    let begin_ms = parts.iter().map(|part| part.report.started_at_unix_ms).min().unwrap_or(0);
    let offset_ns = |report: &Report| (report.started_at_unix_ms - begin_ms) * 1_000_000;
    let mut whole = parts[0].report.clone();
    for part in &parts[1..] {
        add::add(&mut whole, &part.report);
    }
    whole.started_at_unix_ms = begin_ms;
    whole.config.segment = None;
    let of_each: Vec<_> = parts.iter().map(|part| &*part.report.histograms).collect();
    whole.histograms = histograms(&of_each);
    whole.phases = phases(parts, offset_ns);
    let taken = watched::take(parts, offset_ns);
    whole.watched = taken.watched;
    whole.time_series = timeline::merge(parts, taken.part, offset_ns);
    whole.imbalances = reasons::of_all(parts, |report| report.imbalances.clone());
    whole.verdict = verdict(parts, &missing, offset_ns);
    let died: Vec<_> = died.iter().map(|died| died::add(&mut whole, died)).collect();
    let unknown = fanout(&mut whole, missing.is_empty() && died.is_empty());
    if !unknown.is_empty() {
        if whole.verdict.state != State::Saturated {
            whole.verdict.state = State::Degraded;
        }
        whole.verdict.reasons.extend(unknown);
    }
    died::note(&mut whole, of, &died);
    whole.verdict.show_effects(&whole.histograms);
    let parts = parts.iter().map(part_report).collect();
    whole.merged = Some(MergedReport { of, missing, died, parts });
    offer_all(&mut whole);
    build::rates(&mut whole);
    whole.storm = StormReport::of(&whole);
    whole.conclude_watched();
    whole.note();
    whole.notes.extend(taken.note);
    whole.judge(&[]);
    whole
}

/// Sets the offered rate to that of the whole run, including missing segments: rates are shared out
/// by connections.
#[expect(clippy::cast_precision_loss, reason = "a share of 10^10 connections at most")]
fn offer_all(whole: &mut Report) {
    let (asked, present) = (whole.config.connections, whole.connections_reported());
    if let Some(messages) = &mut whole.messages
        && present < asked
        && present > 0
    {
        let factor = asked as f64 / present as f64;
        messages.offered_per_s = messages.offered_per_s.map(|offered| offered * factor);
    }
}

/// Computes what segments of a `fanout` only know together; returns what remains unknown.
fn fanout(whole: &mut Report, is_complete: bool) -> Vec<String> {
    let Some(fanout) = &mut whole.fanout else { return Vec::new() };
    let mut unknown = fanout::conclude(fanout);
    let (histograms, more) = fanout::spread(fanout, is_complete);
    unknown.extend(more);
    whole.histograms.extend(histograms);
    let place = |histogram: &HistogramReport| {
        Metric::ALL.into_iter().position(|metric| metric.name() == histogram.metric)
    };
    whole.histograms.sort_by_key(place);
    unknown
}

fn part_report(part: &Part) -> PartReport {
    let report = &part.report;
    PartReport {
        file: part.name.clone(),
        segment: report.config.segment.map_or(0, |segment| segment.index),
        started_at_unix_ms: report.started_at_unix_ms,
        threads: report.config.threads,
        host: report.host.clone(),
        phases: report.phases.clone(),
        established: report.connections.established,
        received: report
            .messages
            .as_ref()
            .map(|messages| messages.measured.received)
            .or_else(|| report.fanout.as_ref().map(|fanout| fanout.copies.counts.received)),
        verdict: report.verdict.clone(),
        outcome: report.outcome.clone(),
    }
}

/// Merges histograms slot by slot.
fn histograms(parts: &[&[HistogramReport]]) -> Vec<HistogramReport> {
    let of = |metric: Metric| {
        let all = parts.iter().copied().flatten();
        let mut found = all.filter(|histogram| histogram.metric == metric.name()).peekable();
        found.peek()?;
        let mut sum = Distribution::new();
        // Unreadable data was refused with its file.
        for distribution in found.filter_map(|histogram| histogram.distribution().ok()) {
            sum.add(&distribution);
        }
        Some(HistogramReport::new(metric, &sum))
    };
    Metric::ALL.into_iter().filter_map(of).collect()
}

/// Saturates: a file can say anything.
fn add_count(whole: &mut u64, part: u64) {
    *whole = whole.saturating_add(part);
}

/// Returns the earliest begin and the latest end of each phase.
fn phases(parts: &[Part], offset_ns: impl Fn(&Report) -> u64) -> Phases {
    let of = |phase: fn(&Phases) -> Option<Interval>| {
        let moved = parts.iter().filter_map(|part| {
            let offset_ns = offset_ns(&part.report);
            let Interval { begin_ns, end_ns } = phase(&part.report.phases)?;
            Some(Interval { begin_ns: begin_ns + offset_ns, end_ns: end_ns + offset_ns })
        });
        moved.reduce(|one, other| Interval {
            begin_ns: one.begin_ns.min(other.begin_ns),
            end_ns: one.end_ns.max(other.end_ns),
        })
    };
    Phases {
        ramp: of(|phases| phases.ramp),
        warmup: of(|phases| phases.warmup),
        measured: of(|phases| phases.measured),
        drain: of(|phases| phases.drain),
        close: of(|phases| phases.close),
    }
}

/// Returns the worst verdict of all, with every reason.
fn verdict(parts: &[Part], missing: &[u64], offset_ns: impl Fn(&Report) -> u64) -> VerdictReport {
    let states = || parts.iter().map(|part| part.report.verdict.state);
    let mut state = states().max().unwrap_or(State::Degraded);
    if state == State::Valid && states().any(|state| state == State::None) {
        state = State::Degraded; // a part of what was asked for was not measured
    }
    let mut reasons = reasons::of_all(parts, |report| report.verdict.reasons.clone());
    let of = parts[0].report.config.segment.map_or(0, |segment| segment.of);
    if !missing.is_empty() {
        state = state.max(State::Degraded);
        let (named, is) = named(missing);
        reasons.push(format!("{named} of {of} {is} missing and not counted"));
    }
    let measured: Vec<_> = parts
        .iter()
        .filter_map(|part| {
            let measured = part.report.phases.measured?;
            Some((measured.begin_ns + offset_ns(&part.report), measured.length_ns()))
        })
        .collect();
    let begins = || measured.iter().map(|(begin_ns, _)| *begin_ns);
    let apart_ns = begins().max().unwrap_or(0) - begins().min().unwrap_or(0);
    let longest_ns = measured.iter().map(|(_, length_ns)| *length_ns).max().unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "a share to three digits")]
    let is_out_of_step = apart_ns as f64 > longest_ns as f64 * OUT_OF_STEP;
    if is_out_of_step {
        state = state.max(State::Degraded);
        reasons.push(format!(
            "the segments were out of step: they began measuring up to {} apart, so rates are too \
             low; use the same --start-at and --ramp for all",
            units::duration(apart_ns)
        ));
    }
    VerdictReport { state, reasons, effects: Vec::new() }
}

#[cfg(test)]
mod tests;
