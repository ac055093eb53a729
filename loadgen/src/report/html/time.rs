//! Charts over time: rates, latencies, connections, and what went wrong.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

use super::columns::Column;
use super::plot::{Chart, Line, SIDE, Scale, clock, numbers, rate, short, size, time, time_ticks};
use super::{heat, shown};
use crate::report::{Interval, Report};
use crate::units;

/// A fault that is counted: its name, its class in the style sheet, its count.
type Fault = (&'static str, &'static str, fn(&Column) -> u64);

/// The time axis that all charts share.
pub(super) struct Axis<'a> {
    report: &'a Report,
    columns: &'a [Column],
    length_s: f64,
    ticks: Vec<(f64, String)>,
}

/// Draws all charts over time; nothing if there is no time series.
pub(super) fn charts(report: &Report, columns: &[Column]) -> Markup {
    let Some(last) = columns.last().filter(|last| last.end_s > 0.0) else { return html! {} };
    let length_s = last.end_s;
    let axis = Axis { report, columns, length_s, ticks: time_ticks(length_s) };
    html! {
        section {
            h2 { "Over time" }
            (axis.legend())
            (axis.rates())
            (axis.latencies())
            (heat::map(columns, length_s, &axis.ticks))
            (axis.connections())
            (axis.faults())
            (axis.watched())
        }
    }
}

impl Axis<'_> {
    fn line(
        &self,
        name: &'static str,
        class: &'static str,
        number: impl Fn(&Column) -> Option<f64>,
    ) -> Line {
        let point = |column: &Column| (column.middle(self.length_s), number(column));
        Line { name, class, points: self.columns.iter().map(point).collect() }
    }

    fn draw(&self, title: &str, lines: &[Line], scale: Scale, unit: fn(f64) -> String) -> Markup {
        let behind = PreEscaped(self.shades() + &self.hovers());
        html! {
            h3 { (title) }
            (Chart { lines, scale, unit, ticks: &self.ticks, behind, about: title }.draw())
        }
    }

    /// Returns the phases, in order.
    fn phases(&self) -> impl Iterator<Item = (&'static str, Interval)> {
        let phases = &self.report.phases;
        [
            ("ramp", phases.ramp),
            ("warm-up", phases.warmup),
            ("measured", phases.measured),
            ("drain", phases.drain),
            ("close", phases.close),
        ]
        .into_iter()
        .filter_map(|(name, interval)| Some((name, interval?)))
    }

    fn legend(&self) -> Markup {
        html! {
            p.phases {
                @for (name, interval) in self.phases() {
                    span class={ "phase-" (name) } {
                        (name) " " (units::seconds(interval.begin_ns)) "–"
                        (units::seconds(interval.end_ns)) " s"
                    }
                }
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers for a chart")]
    fn shades(&self) -> String {
        let x = |ns: u64| (ns as f64 / 1e9 / self.length_s * SIDE).clamp(0.0, SIDE);
        let mut shades = String::new();
        for (name, Interval { begin_ns, end_ns }) in self.phases() {
            let (left, width) = (x(begin_ns), x(end_ns) - x(begin_ns));
            // Writing to a string doesn't fail.
            let _ = write!(
                shades,
                r#"<rect class="phase-{name}" x="{}" width="{}" height="1000"/>"#,
                short(left),
                short(width)
            );
        }
        shades
    }

    /// Returns an invisible area for each column, whose title a browser shows under the pointer.
    fn hovers(&self) -> String {
        /// Most areas: each costs about 100 bytes.
        const AREAS_MAX: usize = 120;
        let mut areas = String::new();
        let columns = if self.columns.len() <= AREAS_MAX { self.columns } else { &[] };
        for column in columns {
            let (left, right) = (column.begin_s / self.length_s, column.end_s / self.length_s);
            let _ = write!(
                areas,
                r#"<rect class="at" x="{}" width="{}" height="1000"><title>{}</title></rect>"#,
                short(left * SIDE),
                short((right - left) * SIDE),
                said(column)
            );
        }
        areas
    }

    fn rates(&self) -> Markup {
        let mut lines = if self.report.messages.is_some() || self.has(|column| column.counts.sent) {
            vec![
                self.line("sent", "c1", |column| Some(column.per_s(column.counts.sent))),
                self.line("received", "c2", |column| Some(column.per_s(column.counts.received))),
            ]
        } else if self.has(|column| column.counts.received) {
            vec![self.line("received", "c2", |column| Some(column.per_s(column.counts.received)))]
        } else {
            let opened = |column: &Column| Some(column.per_s(column.counts.established));
            vec![self.line("opened", "c1", opened)]
        };
        let is_of_messages = self.report.messages.is_some();
        lines.extend(is_of_messages.then(|| self.planned()).flatten());
        let title = if lines[0].name == "opened" {
            "Connections opened a second"
        } else {
            "Messages a second"
        };
        self.draw(title, &lines, Scale::linear(numbers(&lines)), rate)
    }

    fn has(&self, count: impl Fn(&Column) -> u64) -> bool {
        self.columns.iter().any(|column| count(column) > 0)
    }

    /// Returns the planned rate; `None` without a schedule.
    #[expect(clippy::cast_precision_loss, reason = "numbers for a chart")]
    fn planned(&self) -> Option<Line> {
        let phases = &self.report.phases;
        let end = phases.measured?.end_ns as f64 / 1e9;
        let begin = phases.warmup.or(phases.measured)?.begin_ns as f64 / 1e9;
        let config = &self.report.config;
        let mut points = Vec::new();
        if let Some(stages) = &config.stages {
            let mut at = begin;
            points.push((at, stages.start_per_s));
            for stage in &stages.stages {
                at += stage.length_ns as f64 / 1e9;
                points.push((at.min(end), stage.target_per_s));
            }
        } else {
            let rate = config.rate_per_s?;
            points.extend([(begin, rate), (end, rate)]);
        }
        let points =
            points.into_iter().map(|(at, rate)| (at / self.length_s, Some(rate))).collect();
        Some(Line { name: "planned", class: "plan", points })
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers for a chart")]
    fn latencies(&self) -> Markup {
        let of = |place: usize| {
            move |column: &Column| column.latency.map(|latencies| latencies[place] as f64)
        };
        let lines = [
            self.line("p50", "c2", of(0)),
            self.line("p99", "c1", of(1)),
            self.line("max", "c3", of(2)),
        ];
        if lines[0].is_empty() {
            return html! {};
        }
        self.draw("Latency", &lines, Scale::log(numbers(&lines)), time)
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers for a chart")]
    fn connections(&self) -> Markup {
        let lines = [self.line("", "c1", |column| Some(column.open as f64))];
        if !self.has(|column| column.open) {
            return html! {};
        }
        self.draw("Connections open", &lines, Scale::linear(numbers(&lines)), rate)
    }

    /// Draws what the watched process used, if there was one.
    fn watched(&self) -> Markup {
        let Some(watched) = &self.report.watched else { return html! {} };
        let percent = |column: &Column| column.watched.map(|found| found.cpu_percent());
        #[expect(clippy::cast_precision_loss, reason = "numbers for a chart")]
        let memory = |column: &Column| column.watched.map(|found| found.rss as f64);
        let [cpu, memory] = [[self.line("", "c1", percent)], [self.line("", "c2", memory)]];
        if cpu[0].is_empty() {
            return html! {};
        }
        let name = shown(&watched.shown());
        html! {
            (self.draw(&format!("Processor of {name}, percent of a core"), &cpu, Scale::linear(numbers(&cpu)), rate))
            (self.draw(&format!("Memory of {name}"), &memory, Scale::linear(numbers(&memory)), size))
        }
    }

    fn faults(&self) -> Markup {
        let counts: [Fault; 4] = [
            ("failed to open", "c3", |column| column.counts.failed),
            ("connections lost", "c4", |column| column.counts.lost),
            ("wrong messages", "c1", |column| column.counts.wrong),
            ("reconnect attempts", "c2", |column| column.counts.reconnect_attempts),
        ];
        let lines: Vec<_> = counts
            .into_iter()
            .filter(|(_, _, count)| self.has(count))
            .map(|(name, class, count)| {
                self.line(name, class, move |column| Some(column.per_s(count(column))))
            })
            .collect();
        if lines.is_empty() {
            return html! {};
        }
        let names: Vec<_> = lines.iter().map(|line| line.name).collect();
        let title = format!("Faults a second: {}", names.join(", "));
        self.draw(&title, &lines, Scale::linear(numbers(&lines)), rate)
    }
}

/// Describes a column.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
fn said(column: &Column) -> String {
    let mut said = format!("{}–{}", clock(column.begin_s), clock(column.end_s));
    for (name, count) in [
        ("opened", column.counts.established),
        ("sent", column.counts.sent),
        ("received", column.counts.received),
    ] {
        if count > 0 {
            let _ = write!(said, ", {name} {}/s", units::count(column.per_s(count) as u64));
        }
    }
    if let Some(latencies) = column.latency {
        let [p50, p99, max] = latencies.map(units::duration);
        let _ = write!(said, ", p50 {p50}, p99 {p99}, max {max}");
    }
    for (name, count) in [
        ("failed", column.counts.failed),
        ("lost", column.counts.lost),
        ("wrong", column.counts.wrong),
    ] {
        if count > 0 {
            let _ = write!(said, ", {name} {}", units::count(count));
        }
    }
    said
}
