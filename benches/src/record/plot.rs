//! Charts as SVG: size across, throughput or time up, both in powers; a line an entry.

use std::fmt::Write;

use crate::contest::Standing;
use crate::record::outcome::Outcome;
use crate::record::table::{WALK_ALONE, grouped, is_always_time, short};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 60.0;
/// Peers, told apart by hue; wscodec is black and thick, marks are grey and dashed.
const HUES: [&str; 9] = [
    "#d62728", "#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#17becf",
    "#bcbd22",
];
const GREYS: [&str; 3] = ["#888888", "#333333", "#bbbbbb"];

/// One line of a chart.
struct Line {
    name: &'static str,
    standing: Standing,
    points: Vec<(f64, f64)>,
}

/// The chart of one work; `None` if there is nothing to draw.
pub(crate) fn svg(outcomes: &[&Outcome]) -> Option<String> {
    let first = outcomes.first()?;
    let is_time = sized(outcomes).any(is_always_time);
    let lines = lines(outcomes, is_time);
    let xs: Vec<f64> = lines.iter().flat_map(|line| line.points.iter().map(|p| p.0)).collect();
    let ys: Vec<f64> = lines.iter().flat_map(|line| line.points.iter().map(|p| p.1)).collect();
    let x = Axis::around(&xs, LEFT, WIDTH - RIGHT)?;
    let y = Axis::around(&ys, HEIGHT - BOTTOM, TOP)?;
    let unit = if is_time { "nanoseconds each" } else { "GB/s of payload" };
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{}: {} ({unit}, by bytes)</text>\n",
        first.id.group, first.id.work,
    );
    grid(&x, &y, outcomes, &mut text);
    draw(&lines, &x, &y, &mut text);
    text.push_str("</svg>\n");
    Some(text)
}

/// A size of zero has no place on an axis of powers; it is in the table.
fn sized<'o>(outcomes: &'o [&Outcome]) -> impl Iterator<Item = &'o Outcome> {
    outcomes.iter().copied().filter(|outcome| outcome.id.size > 0)
}

fn lines(outcomes: &[&Outcome], is_time: bool) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for outcome in sized(outcomes) {
        for series in outcome.series.iter().filter(|series| series.name != WALK_ALONE) {
            let value = if is_time { outcome.item_ns(series) } else { outcome.gb_per_s(series) };
            let point = (outcome.id.size as f64, value);
            match lines.iter_mut().find(|line| line.name == series.name) {
                Some(line) => line.points.push(point),
                None => lines.push(Line {
                    name: series.name,
                    standing: series.standing,
                    points: vec![point],
                }),
            }
        }
    }
    lines
}

/// From values, by their logarithm, to places on the page.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn around(values: &[f64], from: f64, to: f64) -> Option<Self> {
        let valid = || values.iter().copied().filter(|value| *value > 0.0 && value.is_finite());
        let low = valid().min_by(f64::total_cmp)?;
        let high = valid().max_by(f64::total_cmp)?;
        Some(Self { low: low * 0.85, high: high * 1.18, from, to })
    }

    fn place(&self, value: f64) -> f64 {
        let part = (value.max(self.low) / self.low).ln() / (self.high / self.low).ln();
        self.from + part * (self.to - self.from)
    }

    /// 1, 2 and 5 times the powers of ten between the ends.
    fn ticks(&self) -> Vec<f64> {
        let mut ticks: Vec<f64> = (-4..10)
            .flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)))
            .collect();
        ticks.retain(|tick| (self.low..=self.high).contains(tick));
        ticks
    }
}

fn grid(x: &Axis, y: &Axis, outcomes: &[&Outcome], text: &mut String) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for tick in y.ticks() {
        let at = y.place(tick);
        let label = if tick < 1.0 { format!("{tick:.2}") } else { format!("{tick:.0}") };
        let _ = writeln!(
            text,
            "<line x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT - 6.0,
            at + 4.0,
        );
    }
    let mut last = f64::NEG_INFINITY;
    for size in sized(outcomes).map(|outcome| outcome.id.size) {
        let at = x.place(size as f64);
        let _ = writeln!(
            text,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" stroke=\"#eeeeee\"/>"
        );
        // 64 and 125, or 65,535 and 65,536, would stand on top of each other.
        if at - last > 18.0 {
            last = at;
            let (label, below) = (size_label(size), bottom + 16.0);
            let _ = writeln!(
                text,
                "<text x=\"{at:.1}\" y=\"{below}\" text-anchor=\"end\" \
                 transform=\"rotate(-35 {at:.1} {below})\">{label}</text>"
            );
        }
    }
}

fn draw(lines: &[Line], x: &Axis, y: &Axis, text: &mut String) {
    let (mut hues, mut greys) = (HUES.iter().cycle(), GREYS.iter().cycle());
    for (i, line) in lines.iter().enumerate() {
        let (colour, style) = match line.standing {
            Standing::Subject => ("#000000", "stroke-width=\"3\""),
            Standing::Peer => (*hues.next().unwrap_or(&"#000000"), "stroke-width=\"1.5\""),
            Standing::Mark => (
                *greys.next().unwrap_or(&"#999999"),
                "stroke-width=\"1.5\" stroke-dasharray=\"6 4\"",
            ),
        };
        let mut points = String::new();
        for (size, value) in &line.points {
            let (at_x, at_y) = (x.place(*size), y.place(*value));
            let _ = write!(points, "{at_x:.1},{at_y:.1} ");
            let _ = writeln!(
                text,
                "<circle cx=\"{at_x:.1}\" cy=\"{at_y:.1}\" r=\"2.5\" fill=\"{colour}\">\
                 <title>{}, {size} bytes: {}</title></circle>",
                line.name,
                short(*value),
            );
        }
        let (from, at) = (WIDTH - RIGHT + 16.0, TOP + 10.0 + 20.0 * i as f64);
        let _ = writeln!(
            text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" {style}/>\n\
             <line x1=\"{from}\" x2=\"{}\" y1=\"{at}\" y2=\"{at}\" stroke=\"{colour}\" {style}/>\
             <text x=\"{}\" y=\"{}\">{}</text>",
            points.trim_end(),
            from + 24.0,
            from + 30.0,
            at + 4.0,
            line.name,
        );
    }
}

fn size_label(size: usize) -> String {
    match size {
        size if size >= 1 << 20 && size.is_multiple_of(1 << 20) => format!("{} MiB", size >> 20),
        size if size >= 1 << 10 && size.is_multiple_of(1 << 10) => format!("{} KiB", size >> 10),
        size => grouped(size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axis_places_its_ends_and_the_middle_of_powers() {
        let axis = Axis { low: 1.0, high: 100.0, from: 0.0, to: 200.0 };
        assert!((axis.place(1.0) - 0.0).abs() < 1e-9);
        assert!((axis.place(10.0) - 100.0).abs() < 1e-9);
        assert_eq!(axis.ticks().len(), 7);
        let labels = [size_label(125), size_label(4096), size_label(1 << 20)];
        assert_eq!(labels, ["125", "4 KiB", "1 MiB"]);
    }
}
