//! The parts of a chart: scales with round ticks, and paths in a square that the page stretches.
//!
//! Only lines and areas are SVG. Labels are HTML, placed in percent, so that text keeps its size
//! however wide the page is.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

use crate::units;

/// Side of the square in which paths are drawn.
pub(super) const SIDE: f64 = 1_000.0;
/// Most labels of an axis.
const TICKS_MAX: u32 = 6;
/// Places of labels beyond this would reach out of the page.
const END: f64 = 0.97;

/// Maps a number to its place between the bottom, 0, and the top, 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// From 0 to a number above 0.
    Linear(f64),
    /// Between two numbers above 0.
    Log(f64, f64),
}

impl Scale {
    /// Returns the linear scale that holds all `numbers`, and ends at a tick.
    pub(super) fn linear(numbers: impl Iterator<Item = f64>) -> Self {
        let highest = numbers.filter(|number| number.is_finite()).fold(0.0, f64::max);
        if highest == 0.0 {
            return Self::Linear(1.0);
        }
        let step = round_step(highest / 4.0);
        Self::Linear((highest / step).ceil() * step)
    }

    /// Returns the logarithmic scale that holds all `numbers` above 0.
    pub(super) fn log(numbers: impl Iterator<Item = f64>) -> Self {
        let (low, high) = numbers
            .filter(|number| *number > 0.0 && number.is_finite())
            .fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), number| {
                (low.min(number), high.max(number))
            });
        if high == 0.0 {
            return Self::Log(1.0, 10.0);
        }
        // A little room on both sides: no line runs along the edge.
        Self::Log(low / 1.2, high * 1.2)
    }

    /// Returns the place of a number, within the scale.
    pub(super) fn place(self, number: f64) -> f64 {
        let place = match self {
            Self::Linear(high) => number / high,
            Self::Log(low, high) => (number.max(low) / low).ln() / (high / low).ln(),
        };
        place.clamp(0.0, 1.0)
    }

    /// Returns round numbers on the scale.
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Self::Linear(high) => {
                let step = round_step(high / 4.0);
                let number = |tick: u32| f64::from(tick) * step;
                (0..=TICKS_MAX).map(number).take_while(|number| *number <= high * 1.000_1).collect()
            }
            Self::Log(low, high) => log_ticks(low, high),
        }
    }
}

/// Returns 1, 2 or 5 times a power of ten, and at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let found = [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power);
    found.into_iter().find(|round| *round >= step * 0.999_9).unwrap_or(10.0 * power)
}

/// Returns powers of ten, with 2 and 5 times them where few fit, or fewer where many do.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let within = |digits: &[f64], every: i32| {
        let mut found = Vec::new();
        for power in -2..20 {
            let decade = 10_f64.powi(power);
            if power % every == 0 {
                found.extend(digits.iter().map(|digit| digit * decade));
            }
        }
        found.retain(|number| (low..=high).contains(number));
        found
    };
    let choices = [
        within(&[1.0, 1.5, 2.0, 3.0, 5.0, 7.0], 1),
        within(&[1.0, 2.0, 5.0], 1),
        within(&[1.0, 3.0], 1),
        within(&[1.0], 1),
        within(&[1.0], 2),
    ];
    let fits = |found: &&Vec<f64>| found.len() <= TICKS_MAX as usize;
    choices.iter().find(fits).unwrap_or(&choices[4]).clone()
}

/// A line of a chart.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Its name in the legend; may be empty.
    pub(super) name: &'static str,
    /// Its class in the style sheet: `c1` to `c4`, or `plan`.
    pub(super) class: &'static str,
    /// Its points: place from left, 0 to 1, and number; `None` is a gap.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

impl Line {
    /// Returns whether there is anything to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.points.iter().all(|(_, number)| number.is_none())
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        self.points.iter().filter_map(|(_, number)| *number)
    }

    /// Returns the path, in whole units of the square.
    fn path(&self, scale: Scale) -> String {
        let mut path = String::new();
        let mut is_drawing = false;
        for (x, number) in &self.points {
            let Some(number) = number else {
                is_drawing = false;
                continue;
            };
            let (x, y) = (x * SIDE, (1.0 - scale.place(*number)) * SIDE);
            // A point between two gaps is a dot: `h0` with a round cap.
            let (command, end) = if is_drawing { ('L', "") } else { ('M', "h0") };
            // Writing to a string doesn't fail.
            let _ = write!(path, "{command}{x:.0} {y:.0}{end}");
            is_drawing = true;
        }
        path
    }
}

/// Returns all numbers of lines, for a scale.
pub(super) fn numbers(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(Line::numbers)
}

/// A chart: lines over a background, between two axes.
#[derive(Debug)]
pub(super) struct Chart<'c> {
    /// What is drawn.
    pub(super) lines: &'c [Line],
    /// The vertical axis.
    pub(super) scale: Scale,
    /// Formats a tick of the vertical axis.
    pub(super) unit: fn(f64) -> String,
    /// Ticks of the horizontal axis: place, 0 to 1, and label.
    pub(super) ticks: &'c [(f64, String)],
    /// SVG behind the lines.
    pub(super) behind: PreEscaped<String>,
    /// What a screen reader says of it.
    pub(super) about: &'c str,
}

impl Chart<'_> {
    /// Draws the chart, with a legend if its lines have names.
    pub(super) fn draw(&self) -> Markup {
        let ticks = self.scale.ticks();
        let y = |tick: f64| 100.0 * (1.0 - self.scale.place(tick));
        html! {
            @if self.lines.iter().any(|line| !line.name.is_empty()) {
                div.legend {
                    @for line in self.lines { span class=(line.class) { (line.name) } }
                }
            }
            div.chart {
                div.y {
                    @for &tick in &ticks {
                        span style={ "top:" (short(y(tick))) "%" } { ((self.unit)(tick)) }
                    }
                }
                div.plot {
                    svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-label=(self.about) {
                        (self.behind)
                        path.grid d=(grid(&ticks, self.scale)) {}
                        @for line in self.lines {
                            path class=(line.class) d=(line.path(self.scale)) {}
                        }
                    }
                }
                div.x {
                    @for (place, label) in self.ticks {
                        // The last one ends where the chart does.
                        span.end[*place > END] style={ "left:" (short(100.0 * place)) "%" } { (label) }
                    }
                }
            }
        }
    }
}

fn grid(ticks: &[f64], scale: Scale) -> String {
    let mut path = String::new();
    for tick in ticks {
        let y = (1.0 - scale.place(*tick)) * SIDE;
        let _ = write!(path, "M0 {y:.0}h1000");
    }
    path
}

/// Formats a percentage for a style.
pub(super) fn short(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// Returns ticks of a time axis, in seconds.
pub(super) fn time_ticks(length_s: f64) -> Vec<(f64, String)> {
    const STEPS_S: [f64; 20] = [
        0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
        120.0, 300.0, 600.0, 1_800.0, 3_600.0,
    ];
    let fits = |step: &f64| length_s / step <= 6.0;
    let step = STEPS_S.into_iter().find(fits).unwrap_or_else(|| round_step(length_s / 5.0));
    let seconds = |tick: u32| f64::from(tick) * step;
    let ticks = (0..=TICKS_MAX).map(seconds).take_while(|seconds| *seconds <= length_s * 1.000_1);
    ticks.map(|seconds| (seconds / length_s.max(f64::MIN_POSITIVE), clock(seconds))).collect()
}

/// Formats seconds since the begin: `40 ms`, `2.5 s`, `5 s`, `1:30`, `2:00:00`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    if seconds == 0.0 {
        "0".into()
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 60.0 {
        format!("{} s", short(seconds))
    } else if whole < 3_600 {
        format!("{}:{:02}", whole / 60, whole % 60)
    } else {
        format!("{}:{:02}:{:02}", whole / 3_600, whole / 60 % 60, whole % 60)
    }
}

/// Formats a tick of counts or rates: `500`, `20k`, `1.5M`.
pub(super) fn rate(number: f64) -> String {
    match number {
        number if number >= 1e6 => format!("{}M", short(number / 1e6)),
        number if number >= 1e4 => format!("{}k", short(number / 1e3)),
        number if number >= 10.0 => format!("{number:.0}"),
        number => short(number),
    }
}

/// Formats a tick of bytes.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
pub(super) fn size(bytes: f64) -> String {
    units::bytes(bytes as u64)
}

/// Formats a tick of nanoseconds.
pub(super) fn time(ns: f64) -> String {
    let (number, unit) = match ns {
        ns if ns >= 1e9 => (ns / 1e9, "s"),
        ns if ns >= 1e6 => (ns / 1e6, "ms"),
        ns if ns >= 1e3 => (ns / 1e3, "us"),
        ns => (ns, "ns"),
    };
    format!("{} {unit}", short(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let linear = |high| Scale::linear([high].into_iter());
        for (high, top, ticks) in [
            (0.0, 1.0, vec![0.0, 0.5, 1.0]),
            (1_998.0, 2_000.0, vec![0.0, 500.0, 1_000.0, 1_500.0, 2_000.0]),
            (2_100.0, 3_000.0, vec![0.0, 1_000.0, 2_000.0, 3_000.0]),
            (7.0, 8.0, vec![0.0, 2.0, 4.0, 6.0, 8.0]),
        ] {
            assert_eq!(linear(high), Scale::Linear(top), "{high}");
            assert_eq!(linear(high).ticks(), ticks, "{high}");
        }
        for (low, high, ticks) in [
            (90.0, 2_000.0, vec![100.0, 200.0, 500.0, 1_000.0, 2_000.0]),
            (1.0, 1e9, vec![1.0, 1e2, 1e4, 1e6, 1e8]),
        ] {
            assert_eq!(Scale::Log(low, high).ticks(), ticks);
        }
        for high in 1..2_000 {
            let Scale::Linear(top) = linear(f64::from(high)) else { panic!() };
            assert!(
                top >= f64::from(high)
                    && linear(f64::from(high)).ticks().len() <= TICKS_MAX as usize
            );
            let ticks = Scale::Log(3.0, 3.0 + f64::from(high)).ticks();
            assert!(ticks.len() <= TICKS_MAX as usize, "{high}: {ticks:?}");
        }
    }

    #[test]
    fn places_are_within_the_chart() {
        let log = Scale::log([100.0, 0.0, f64::NAN, 10_000.0].into_iter());
        assert!(log.place(100.0) > 0.0 && log.place(10_000.0) < 1.0);
        assert!((log.place(1_000.0) - 0.5).abs() < 1e-9);
        assert_eq!((log.place(0.0), log.place(1e12)), (0.0, 1.0));
        assert_eq!(Scale::log(std::iter::empty()), Scale::Log(1.0, 10.0));
    }

    #[test]
    fn a_gap_ends_a_line_and_a_lone_point_is_a_dot() {
        let points = vec![(0.0, Some(0.0)), (0.5, Some(10.0)), (0.6, None), (1.0, Some(5.0))];
        let line = Line { name: "", class: "c1", points };
        assert_eq!(line.path(Scale::Linear(10.0)), "M0 1000h0L500 0M1000 500h0");
    }

    #[test]
    fn times_on_an_axis() {
        let labels = |length_s| -> Vec<String> {
            time_ticks(length_s).into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels(10.0), ["0", "2 s", "4 s", "6 s", "8 s", "10 s"]);
        assert_eq!(labels(0.25), ["0", "50 ms", "100 ms", "150 ms", "200 ms", "250 ms"]);
        assert_eq!(labels(600.0), ["0", "2:00", "4:00", "6:00", "8:00", "10:00"]);
        assert_eq!(labels(7_200.0).last().unwrap(), "2:00:00");
    }

    #[test]
    fn ticks_are_short() {
        for (number, shown) in
            [(0.0, "0"), (0.5, "0.5"), (1_500.0, "1500"), (20_000.0, "20k"), (2.5e6, "2.5M")]
        {
            assert_eq!(rate(number), shown);
        }
        for (ns, shown) in [(500.0, "500 ns"), (2e4, "20 us"), (1.5e6, "1.5 ms"), (1e9, "1 s")] {
            assert_eq!(time(ns), shown);
        }
    }
}
