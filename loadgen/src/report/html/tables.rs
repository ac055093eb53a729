//! The tables: latencies, steps, counts, errors, closings, segments, this machine, configuration.

use maud::{Markup, html};

use super::facts::facts;
use super::shown;
use crate::report::{HistogramReport, Report, ScenarioReport, watched};
use crate::units;

/// Percentiles with a column.
const COLUMNS: [(&str, f64); 5] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0)];
/// Most rows of a table whose length a server decides.
const ROWS_MAX: usize = 100;

/// Writes all histograms.
pub(super) fn latencies(report: &Report) -> Markup {
    let of_scenario = report.scenario.iter().flat_map(ScenarioReport::histograms);
    let found = report.histograms.iter().chain(of_scenario).filter(|found| found.count > 0);
    let found: Vec<&HistogramReport> = found.collect();
    if found.is_empty() {
        return html! {};
    }
    html! {
        section {
            h2 { "All latencies" }
            div.wide { table {
                thead { tr {
                    th { "" }
                    @for (name, _) in COLUMNS { th.n { (name) } }
                    th.n { "count" }
                    th.about { "measured" }
                } }
                tbody { @for histogram in found { tr {
                    th { (shown(&histogram.metric)) }
                    @for (_, percentile) in COLUMNS {
                        td.n { (histogram.percentile(percentile).map_or("-".into(), units::duration)) }
                    }
                    td.n { (units::count(histogram.count)) }
                    td.about { (shown(&histogram.description)) }
                } } }
            } }
        }
    }
}

/// Writes the steps and rules of a scenario.
pub(super) fn scenario(report: &Report) -> Markup {
    let Some(scenario) = &report.scenario else { return html! {} };
    let time = |found: Option<&HistogramReport>, percentile| {
        let found = found.and_then(|found| found.percentile(percentile));
        found.map_or_else(|| "-".into(), units::duration)
    };
    html! {
        section {
            h2 { "Scenario " (shown(&scenario.name)) }
            div.wide { table {
                thead { tr {
                    th { "step" }
                    @for name in ["sent", "ok", "failed", "timed out", "lost", "p50", "p99"] {
                        th.n { (name) }
                    }
                } }
                tbody { @for step in &scenario.steps { tr {
                    th { (shown(&step.name)) }
                    td.n { (units::count(step.counts.sent)) }
                    td.n { (units::count(step.counts.ok)) }
                    @for count in [step.counts.failed, step.counts.timed_out, step.counts.lost] {
                        td.n.bad[count > 0] { (units::count(count)) }
                    }
                    td.n { (time(step.service.as_ref(), 50.0)) }
                    td.n { (time(step.service.as_ref(), 99.0)) }
                } } }
            } }
            @if !scenario.rules.is_empty() {
                div.wide { table {
                    thead { tr {
                        th { "rule" }
                        @for name in ["received", "missing before", "behind", "age p50", "age p99"] {
                            th.n { (name) }
                        }
                    } }
                    tbody { @for rule in &scenario.rules { tr {
                        th { (shown(&rule.name)) }
                        td.n { (units::count(rule.counts.received)) }
                        @for count in [rule.counts.missing, rule.counts.behind] {
                            td.n.bad[count > 0] { (units::count(count)) }
                        }
                        td.n { (time(rule.age.as_ref(), 50.0)) }
                        td.n { (time(rule.age.as_ref(), 99.0)) }
                    } } }
                } }
            }
            @if let Some(sample) = &scenario.unmatched_sample {
                p { "First message that no step and no rule took: " code { (shown(sample)) } }
            }
        }
    }
}

/// Writes the counts of whatever the command counts.
pub(super) fn counts(report: &Report) -> Markup {
    let mut groups = vec![("Connections", facts(&report.connections))];
    let mut add = |name, facts: Vec<_>| groups.push((name, facts));
    if let Some(messages) = &report.messages {
        add("Messages", facts(messages));
    }
    if let Some(scenario) = &report.scenario {
        add("Users", facts(&scenario.users));
        add("Iterations", facts(&scenario.iterations));
        add("Messages", facts(&scenario.messages));
    }
    if let Some(hold) = &report.hold {
        add("Held connections", facts(hold));
    }
    if let Some(pings) = &report.pings {
        add("Pings", facts(pings));
    }
    if let Some(push) = &report.push {
        add("Pushed messages", facts(push));
    }
    if let Some(fanout) = &report.fanout {
        add("Fan-out", facts(fanout));
    }
    if let Some(reconnect) = &report.reconnect {
        add("Reconnects", facts(reconnect));
    }
    if let Some(storm) = &report.storm {
        add("Storm", facts(storm));
    }
    if let Some(deflate) = &report.deflate {
        add("permessage-deflate", facts(deflate));
    }
    if let Some(http2) = &report.http2 {
        add("HTTP/2", facts(http2));
    }
    if let Some(network) = &report.network {
        add("Network", facts(network));
    }
    add("Bytes on sockets", bytes(report));
    html! {
        section {
            h2 { "Counts" }
            div.groups {
                @for (name, facts) in groups.iter().filter(|(_, facts)| !facts.is_empty()) {
                    div { h3 { (name) } (pairs(facts)) }
                }
            }
        }
    }
}

fn bytes(report: &Report) -> Vec<(String, String)> {
    let named = |name: &str, bytes| (name.to_owned(), units::bytes(bytes));
    vec![named("sent", report.bytes.sent), named("received", report.bytes.received)]
}

/// Writes the errors, with samples, and the closings.
pub(super) fn failures(report: &Report) -> Markup {
    html! {
        @if !report.errors.is_empty() {
            section {
                h2 { "Errors" }
                div.wide { table {
                    thead { tr { th { "error" } th.n { "count" } th { "samples" } } }
                    tbody { @for error in report.errors.iter().take(ROWS_MAX) { tr {
                        th { (shown(&error.phase)) "." (shown(&error.code)) }
                        td.n { (units::count(error.count)) }
                        td.text {
                            code { (shown(&error.sample)) }
                            @for sample in error.other_samples.iter().take(ROWS_MAX) {
                                br; code { (shown(sample)) }
                            }
                        }
                    } } }
                } }
            }
        }
        @if !report.closings.is_empty() {
            section {
                h2 { "Closings" }
                div.wide { table {
                    thead { tr { th { "code" } th { "begun by" } th { "" } th.n { "count" } th { "reasons" } } }
                    tbody { @for closing in report.closings.iter().take(ROWS_MAX) { tr {
                        th { (closing.code) }
                        td { (closing.by.name()) }
                        td { (if closing.is_clean { "clean" } else { "not clean" }) }
                        td.n { (units::count(closing.count)) }
                        td.text {
                            @for reason in closing.reasons.iter().take(ROWS_MAX) {
                                code { (shown(reason.reason.as_deref().unwrap_or("other reasons"))) }
                                " " (units::count(reason.count)) " "
                            }
                        }
                    } } }
                } }
            }
        }
        @if !report.seen.is_empty() {
            section {
                h2 { "Messages that were not judged" }
                @for seen in &report.seen {
                    p { (shown(&seen.kind)) ": " (units::count(seen.count)) }
                    @for sample in seen.samples.iter().take(ROWS_MAX) {
                        p { code { (shown(sample)) } }
                    }
                }
            }
        }
    }
}

/// Writes servers, clients that misbehaved on purpose, and segments.
pub(super) fn parts(report: &Report) -> Markup {
    html! {
        @if report.target.urls.len() > 1 {
            section {
                h2 { "Servers" }
                div.wide { table {
                    thead { tr {
                        th { "URL" }
                        @for name in ["attempted", "open", "completed", "messages"] { th.n { (name) } }
                    } }
                    tbody { @for url in report.target.urls.iter().take(ROWS_MAX) { tr {
                        th { (shown(&url.url)) }
                        @for count in [url.counts.attempted, url.counts.established, url.counts.completed, url.counts.messages] {
                            td.n { (units::count(count)) }
                        }
                    } } }
                } }
            }
        }
        @if !report.cohorts.is_empty() {
            section {
                h2 { "Clients that misbehaved on purpose" }
                @for cohort in &report.cohorts {
                    @for said in cohort.said() { p { (shown(&said)) } }
                }
            }
        }
        @if let Some(merged) = &report.merged {
            section {
                h2 { "Segments: " (merged.parts.len()) " of " (merged.of) }
                div.wide { table {
                    thead { tr { th { "" } th { "file" } th { "host" } th.n { "open" } th.n { "received" } th { "verdict" } } }
                    tbody { @for part in &merged.parts { tr {
                        th { (part.segment) }
                        td { (shown(&part.file)) }
                        td { (shown(&part.host.system)) }
                        td.n { (units::count(part.established)) }
                        td.n { (part.received.map_or("-".into(), units::count)) }
                        td { (part.verdict.state.name()) }
                    } } }
                } }
                @if !merged.missing.is_empty() {
                    @let missing: Vec<_> = merged.missing.iter().map(u64::to_string).collect();
                    p.bad { "Missing: " (missing.join(", ")) "; percentages are of all" }
                }
            }
        }
    }
}

/// Writes what the run used of its machine, what the watched process used, and the configuration.
pub(super) fn setup(report: &Report) -> Markup {
    html! {
        @if let Some(watched) = &report.watched {
            section {
                h2 { "Watched: " (shown(&watched.shown())) }
                p { (watched::used(watched)) }
                p { "At most " (watched::had(watched)) }
                @for said in watched::costs(watched) { p { (shown(&said)) } }
            }
        }
        section {
            h2 { "This client" }
            div.groups {
                div { h3 { "Use" } (pairs(&client(report))) }
                div { h3 { "Host" } (pairs(&facts(&report.host))) }
            }
            @if !report.client.workers.is_empty() {
                details {
                    summary { (units::counted(report.client.workers.len() as u64, "thread")) }
                    div.wide { table {
                        thead { tr { th { "" } @for name in ["on a processor", "waiting for one", "connections", "received"] { th.n { (name) } } } }
                        tbody { @for (place, worker) in report.client.workers.iter().enumerate().take(ROWS_MAX) { tr {
                            th { (place + 1) }
                            td.n { (units::duration(worker.cpu_ns)) }
                            td.n { (worker.wait_ns.map_or("-".into(), units::duration)) }
                            td.n { (units::count(worker.established)) }
                            td.n { (units::count(worker.received)) }
                        } } }
                    } }
                }
            }
        }
        section {
            h2 { "Configuration" }
            details { summary { "all settings, with their defaults" } (pairs(&facts(&report.config))) }
        }
    }
}

fn client(report: &Report) -> Vec<(String, String)> {
    let client = &report.client;
    let mut facts = vec![
        ("processor under load".to_owned(), format!("{:.0} %", 100.0 * client.cpu_share)),
        ("busiest thread".to_owned(), format!("{:.0} %", 100.0 * client.busiest_share)),
        ("longest pause".to_owned(), units::duration(client.pause_max_ns)),
    ];
    if let Some(bytes) = client.rss_max {
        facts.push(("memory at most".into(), units::bytes(bytes)));
    }
    if let Some(bytes) = client.rss_per_connection {
        facts.push(("memory of an idle connection".into(), units::bytes(bytes)));
    }
    facts
}

fn pairs(facts: &[(String, String)]) -> Markup {
    html! { dl { @for (name, text) in facts { dt { (name) } dd { (text) } } } }
}
