//! Formats a [`Report`] as a table for people.

use std::fmt::{self, Display, Write as _};

use super::line::{LABEL_WIDTH, LINE_WIDTH, Row, line, wrapped};
use super::scenario::ScenarioReport;
use super::{
    ConfigReport, HistogramReport, Interval, LoadKind, Messages, PayloadKind, Report, fanout, hold,
    push, reach, reconnect, scenario, seen, storm, watched,
};
use crate::config::Arrivals;
use crate::metrics::Metric;
use crate::verdict::{Effect, LAG_DEGRADED_NS, State};
use crate::{escape, screen, units};

/// Percentiles with a column.
const COLUMNS: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9)];
/// Most kinds of errors shown with an example.
const ERRORS_MAX: usize = 10;
/// Most reasons shown for one way of closing.
const REASONS_MAX: usize = 5;
/// Replies after the measured time are shown if they are more than one in this many of all.
const DRAINED_SHOWN: u64 = 100;
const METRIC_WIDTH: usize = 20;
/// Columns of the table of latencies, without its notes.
const TABLE_WIDTH: usize = 1 + METRIC_WIDTH + 5 * 9 + 12;

/// The text of a report.
///
/// The formatter's width is the terminal's, if there is one: lines that are too long are then
/// wrapped between words. The alternate form (`#`) has colours.
#[derive(Clone, Copy, Debug)]
pub struct Text<'r>(pub &'r Report);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        head(report, f)?;
        connections(report, f)?;
        reach::write(report, |label, text| line(f, label, text))?;
        reconnect::rows(report, f)?;
        storm::rows(report, f)?;
        if let Some(messages) = report.messages.as_ref().filter(|_| is_there(report)) {
            self::messages(report, messages, f)?;
        }
        if let Some(pings) = &report.pings {
            hold::ping_row(pings, f)?;
        }
        hold::rows(report, f)?;
        if let Some(deflate) = &report.deflate {
            for said in deflate.lines(report) {
                line(f, "deflate", &said)?;
            }
        }
        push::rows(report, f)?;
        scenario::rows(report, f)?;
        fanout::rows(report, f)?;
        times(report, f)?;
        latencies(report, f)?;
        if let Some(network) = &report.network {
            line(f, "network", &reach::network(network, report))?;
        }
        closings(report, f)?;
        seen::rows(report, f)?;
        errors(report, f)?;
        for (place, said) in
            report.cohorts.iter().flat_map(|cohort| cohort.said().into_iter().enumerate())
        {
            line(f, if place == 0 { "cohort" } else { "" }, &said)?;
        }
        client(report, f)?;
        watched::rows(report, f)?;
        reasons(report, f)?;
        thresholds(report, f)
    }
}

/// Checks whether a server was there. If not, the text only says why.
fn is_there(report: &Report) -> bool {
    report.connections.established > 0
}

fn head(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let config = &report.config;
    let load = load(config);
    let server = if report.target.is_embedded { "embedded server " } else { "" };
    let said = format!(
        "{} {}  {}  {server}{}   seed {}   {}{load}",
        report.generator.name,
        report.generator.version,
        report.command,
        report.target.shown(),
        config.seed,
        units::counted(config.threads, "thread")
    );
    writeln!(f, "{}", screen::wrapped(&said, f.width(), LABEL_WIDTH))?;
    if let Some(segment) = config.segment {
        let said = format!(
            "{segment} of a run with {}; to be combined by loadgen merge",
            units::counted(config.connections, "connection")
        );
        line(f, "segment", &said)?;
    }
    if let Some(merged) = &report.merged {
        let rest = if merged.missing.is_empty() { "" } else { "; percentages are of all" };
        let said =
            format!("{} of {}{rest}", merged.parts.len(), units::counted(merged.of, "segment"));
        line(f, "merged", &said)?;
    }
    for label in &config.labels {
        let shown = escape::control(&format!("{}={}", label.key, label.value), LINE_WIDTH);
        line(f, "label", &shown)?;
    }
    Ok(())
}

/// Describes what makes the load.
fn load(config: &ConfigReport) -> String {
    let arrivals = if config.arrivals == Arrivals::Poisson { ", Poisson" } else { "" };
    let what = if config.load.is_some() { "msg/s" } else { "connections/s" };
    if let Some(stages) = &config.stages {
        let rates = stages.stages.iter().map(|stage| stage.target_per_s);
        let highest = rates.fold(stages.start_per_s, f64::max);
        let number = units::counted(stages.stages.len() as u64, "stage");
        let highest = units::per_s(highest);
        return format!("   {number}, up to {highest} {what}{arrivals}");
    }
    match (config.rate_per_s, config.pipeline, config.connect_rate_per_s) {
        (Some(rate), _, _) => format!("   open loop {} {what}{arrivals}", units::per_s(rate)),
        (None, Some(pipeline), _) => format!("   closed loop, {pipeline} outstanding each"),
        (None, None, Some(rate)) => format!("   {} {what}{arrivals}", units::per_s(rate)),
        (None, None, None) => String::new(),
    }
}

fn connections(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let counts = &report.connections;
    let mut parts = Vec::new();
    match counts.opened_per_s {
        None => parts.push(format!(
            "{} / {} open",
            units::count(counts.established),
            units::count(report.connections_planned())
        )),
        Some(opened_per_s) => {
            parts.push(format!(
                "{} opened and closed, {} at once",
                units::count(counts.completed),
                units::count(report.connections_planned())
            ));
            parts.push(format!("opened {}/s", units::per_s(opened_per_s)));
        }
    }
    if let Some(ramp) = report.phases.ramp {
        parts.push(format!("ramp {}", units::duration(ramp.length_ns())));
    }
    let failed = report.errors.iter().filter(|error| error.phase != "message");
    let kinds: Vec<_> = failed
        .map(|error| format!("{}.{} {}", error.phase, error.code, units::count(error.count)))
        .collect();
    parts.push(match kinds.as_slice() {
        [] => "failed 0".into(),
        kinds => format!("failed {} ({})", units::count(counts.failed), kinds.join(", ")),
    });
    line(f, "connections", &parts.join("   "))
}

fn messages(report: &Report, messages: &Messages, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let counts = &messages.measured;
    let mut parts =
        Row::of(&[(counts.sent, "sent"), (counts.received, "received"), (counts.lost, "lost")]);
    parts.nonzero(&[
        (counts.timed_out, "timed out"),
        (messages.arrivals.late, "late"),
        (counts.altered, "altered"),
        (counts.reordered, "reordered"),
        (messages.arrivals.duplicated, "duplicated"),
        (messages.arrivals.unexpected, "unexpected"),
        (counts.unsent_closed, "unsent (closed)"),
        (counts.unsent_backlog, "unsent (backlog)"),
        (counts.unsent_late, "unsent (late)"),
    ]);
    let share = match report.achieved_percent() {
        Some(percent) if percent > 100.0 => {
            format!(" ({percent:.1} %, including what was due before)")
        }
        Some(percent) => format!(" ({percent:.1} %)"),
        None => String::new(),
    };
    parts.push(format!("achieved {}/s{share}", units::per_s(messages.achieved_per_s)));
    parts.write(f, "messages")?;
    if messages.warmup.sent > 0 {
        let warmup = &messages.warmup;
        let said = format!(
            "sent {}   received {}   lost {}   (apart)",
            units::count(warmup.sent),
            units::count(warmup.received),
            units::count(warmup.lost)
        );
        line(f, "warm-up", &said)?;
    }
    let kind = report.config.payload_kind.map_or("", PayloadKind::name);
    let most = units::count(report.config.payload_size.unwrap_or(0));
    let least = units::count(report.config.payload_size_min.unwrap_or(0));
    let size =
        if least == most { format!("{most} B each") } else { format!("{least} to {most} B") };
    let fragments = report.config.fragment_size;
    let frames = fragments.map_or_else(String::new, |size| format!(" in frames of {size} B"));
    let said = format!(
        "{kind}, {size}{frames}   {} {} out, {} in",
        if report.target.tls.is_empty() { "on the wire" } else { "before TLS" },
        units::bytes(report.bytes.sent),
        units::bytes(report.bytes.received)
    );
    line(f, "payload", &said)
}

/// Writes when the reported phases began and ended.
fn times(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let phases = &report.phases;
    let said = |name: &str, interval: Option<Interval>| {
        let interval = interval?;
        let [begin, end] = [interval.begin_ns, interval.end_ns].map(units::seconds);
        Some(format!("{name} {begin}-{end} s"))
    };
    let parts: Vec<_> = [
        said("warm-up", phases.warmup),
        said("measured", phases.measured),
        said("drain", phases.drain),
        said("close", phases.close),
    ]
    .into_iter()
    .flatten()
    .collect();
    line(f, "time", &parts.join("   "))
}

fn latencies(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if report.target.dns_ns.is_none() && !report.histograms.iter().any(|it| is_shown(report, it)) {
        return Ok(());
    }
    write!(f, " {:<METRIC_WIDTH$}", "latency")?;
    for (name, _) in COLUMNS {
        write!(f, "{name:>9}")?;
    }
    writeln!(f, "{:>9}{:>12}", "max", "count")?;
    if let Some(dns_ns) = report.target.dns_ns {
        let column = units::duration(dns_ns);
        writeln!(f, "  {:<METRIC_WIDTH$}{column:>8}  (once, before the run)", "connect.dns")?;
    }
    let of_scenario = report.scenario.iter().flat_map(ScenarioReport::histograms);
    for histogram in report.histograms.iter().chain(of_scenario) {
        if !is_shown(report, histogram) {
            continue;
        }
        write!(f, "  {:<width$}", histogram.metric, width = METRIC_WIDTH - 1)?;
        for (_, percentile) in COLUMNS {
            let value = histogram.percentile(percentile).map_or("-".into(), units::duration);
            write!(f, "{value:>9}")?;
        }
        let max = units::duration(histogram.max_ns);
        write!(f, "{max:>9}{:>12}", units::count(histogram.count))?;
        match note(report, histogram) {
            None => writeln!(f)?,
            Some(note) if f.width().is_none_or(|width| TABLE_WIDTH + 2 + note.len() <= width) => {
                writeln!(f, "  {note}")?;
            }
            Some(note) => {
                let under = format!("{:METRIC_WIDTH$} {note}", "");
                writeln!(f)?;
                writeln!(f, "{}", screen::wrapped(&under, f.width(), METRIC_WIDTH + 1))?;
            }
        }
    }
    Ok(())
}

/// The client's lateness is in the line of the client, and a few replies after the end are not
/// worth a line.
fn is_shown(report: &Report, histogram: &HistogramReport) -> bool {
    let is = |metrics: [Metric; 2]| metrics.iter().any(|it| it.name() == histogram.metric);
    let total = report.histogram(Metric::RttService).map_or(0, |service| service.count);
    let is_rest = is([Metric::DrainResponse, Metric::DrainService])
        && histogram.count <= total / DRAINED_SHOWN;
    histogram.count > 0
        && !is([Metric::SendLag, Metric::ConnectLag])
        && histogram.metric != Metric::RecvLag.name()
        && !is([Metric::NetworkRtt, Metric::NetworkRttDeviation])
        && !is_rest
}

fn note(report: &Report, histogram: &HistogramReport) -> Option<&'static str> {
    let is = |metric: Metric| histogram.metric == metric.name();
    let is_open_loop = report.config.load == Some(LoadKind::Open);
    let is_by_kernel = report.arrival_times.is_some_and(|times| times.is_kernels());
    if is(Metric::RttService) && is_by_kernel {
        Some("from the write until the kernel had the echo")
    } else if is(Metric::RttResponse) {
        Some("from the planned send")
    } else if is(Metric::RttService) && is_open_loop {
        Some("from the write")
    } else if is(Metric::RttService) {
        Some("from the write; a closed loop has no other")
    } else if is(Metric::DrainResponse) || is(Metric::DrainService) {
        Some("part of the above")
    } else if is(Metric::WarmupResponse) || is(Metric::WarmupService) {
        Some("apart")
    } else if is(Metric::ConnectTotal) && report.histogram(Metric::ConnectLag).is_some() {
        Some("from the planned start")
    } else if is(Metric::ClientDeflate) || is(Metric::ClientInflate) {
        Some("one message in 13")
    } else {
        None
    }
}

fn closings(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if !is_there(report) {
        return Ok(());
    }
    if report.closings.is_empty() {
        return line(f, "close", "nothing to close");
    }
    for closing in &report.closings {
        let code = match closing.code {
            1005 => "without code (1005)".into(),
            1006 => "without Close (1006)".into(),
            code => code.to_string(),
        };
        let how = if closing.is_clean { "clean" } else { "not clean" };
        let mut said =
            format!("{code} by {}, {how}: {}", closing.by.name(), units::count(closing.count));
        for reason in closing.reasons.iter().take(REASONS_MAX) {
            let count = units::count(reason.count);
            match &reason.reason {
                Some(reason) => write!(said, "   \"{reason}\" {count}")?,
                None => write!(said, "   other reasons {count}")?,
            }
        }
        if closing.reasons.len() > REASONS_MAX {
            said.push_str("   more in -o json=FILE");
        }
        line(f, "close", &said)?;
    }
    Ok(())
}

fn errors(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for error in report.errors.iter().take(ERRORS_MAX) {
        let said = format!("{}.{} {}", error.phase, error.code, units::count(error.count));
        line(f, "error", &format!("{said}   first: {}", error.sample))?;
        for sample in &error.other_samples {
            line(f, "", &format!("also: {sample}"))?;
        }
    }
    let more = report.errors.len().saturating_sub(ERRORS_MAX);
    if more > 0 {
        let more = units::counted(more as u64, "more kind");
        line(f, "error", &format!("and {more}, in -o json=FILE"))?;
    }
    Ok(())
}

fn client(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let client = &report.client;
    let mut parts = vec![
        format!("cpu {:.0} %", client.cpu_share * 100.0),
        format!("busiest thread {:.0} %", client.busiest_share * 100.0),
    ];
    if let Some(rss_max) = client.rss_max {
        let each = client
            .rss_per_connection
            .map(|each| {
                let whose = if report.target.is_embedded { ", both ends" } else { "" };
                format!(" ({} a connection{whose})", units::bytes(each))
            })
            .unwrap_or_default();
        parts.push(format!("rss {}{each}", units::bytes(rss_max)));
    }
    for (metric, what) in
        [(Metric::SendLag, "send lag p99"), (Metric::ConnectLag, "connect lag p99")]
    {
        if let Some(p99) = report.histogram(metric).and_then(|found| found.percentile(99.0)) {
            let effect = if metric == Metric::SendLag { effect(report) } else { String::new() };
            parts.push(format!("{what} {}{effect}", units::duration(p99)));
        }
    }
    if let Some(p99) = report.histogram(Metric::RecvLag).and_then(|found| found.percentile(99.0)) {
        parts.push(format!("recv lag p99 {} (taken out)", units::duration(p99)));
    }
    parts.push(format!("-> {}", report.verdict.state.name()));
    line(f, "client", &parts.join("   "))
}

/// Describes the most that the lateness of a valid run does, if anything; otherwise the reasons say
/// it.
fn effect(report: &Report) -> String {
    let is_valid = report.verdict.state == State::Valid;
    let effects = report.verdict.effects.iter().map(|effect| Effect {
        percentile: effect.percentile,
        reported_ns: effect.reported_ns,
        client_ns: effect.client_ns,
    });
    let counts = effects.filter(|effect| is_valid && effect.client_ns > LAG_DEGRADED_NS);
    let most = counts.max_by(|one, other| one.share().total_cmp(&other.share()));
    most.map_or_else(String::new, |effect| format!(": {}", effect.said()))
}

fn reasons(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for reason in &report.verdict.reasons {
        wrapped(f, report.verdict.state.name(), reason)?;
    }
    for note in &report.notes {
        wrapped(f, "note", note)?;
    }
    if report.is_interrupted {
        line(f, "interrupted", "this is what was measured until then")?;
    }
    if let Some(by) = &report.aborted_by {
        wrapped(f, "aborted", &format!("{by}, with --abort-on-fail"))?;
    }
    for reason in &report.outcome.reasons {
        wrapped(f, "failed", reason)?;
    }
    for left in &report.outcome.left_to_thresholds {
        wrapped(f, "not failed", left)?;
    }
    Ok(())
}

fn thresholds(report: &Report, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut label = "thresholds";
    for threshold in &report.thresholds {
        let (outcome, colour) = if threshold.is_passed { ("PASS", 32) } else { ("FAIL", 31) };
        let said = format!("{} ({})", threshold.expression, threshold.shown());
        let said = escape::control(&said, LINE_WIDTH);
        if f.alternate() {
            let said = format!(" {label:<width$}{outcome} {said}", width = LABEL_WIDTH - 1);
            let said = screen::wrapped(&said, f.width(), LABEL_WIDTH);
            let coloured = format!("\x1b[{colour}m{outcome}\x1b[0m");
            writeln!(f, "{}", said.replacen(outcome, &coloured, 1))?;
        } else {
            line(f, label, &format!("{outcome} {said}"))?;
        }
        label = "";
    }
    Ok(())
}
