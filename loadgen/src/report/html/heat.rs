//! The heat map: how many messages had which latency at which time. It shows stalls, and groups of
//! fast and slow replies, which percentiles hide.

use std::collections::BTreeMap;
use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

use super::columns::{Column, bucket_begin};
use super::plot::{Chart, SIDE, Scale, time};

/// Most rows of the map.
const ROWS_MAX: i32 = 40;
/// Shades from few messages to most, on a logarithmic scale.
const SHADES: usize = 6;

/// Draws the heat map; nothing without latencies.
pub(super) fn map(columns: &[Column], length_s: f64, ticks: &[(f64, String)]) -> Markup {
    let buckets = || columns.iter().flat_map(|column| &column.heat);
    let lowest = buckets().map(|(bucket, _)| *bucket).min();
    let highest = buckets().map(|(bucket, _)| *bucket).max();
    let Some((lowest, highest)) = lowest.zip(highest) else { return html! {} };
    let each = (highest - lowest + 1).div_euclid(ROWS_MAX) + 1;
    let rows = (highest - lowest) / each + 1;
    let (low, high) = (bucket_begin(lowest), bucket_begin(lowest + rows * each));
    let behind = PreEscaped(cells(columns, length_s, lowest, each, rows));
    let (scale, about) = (Scale::Log(low, high), "Messages by time and latency");
    html! {
        h3 { "Latency; each shade is about three times as many messages" }
        (Chart { lines: &[], scale, unit: time, ticks, behind, about }.draw())
    }
}

/// Returns a path for each shade, of rectangles.
#[expect(clippy::cast_possible_truncation, reason = "within the square")]
fn cells(columns: &[Column], length_s: f64, lowest: i32, each: i32, rows: i32) -> String {
    let mut paths: [String; SHADES] = Default::default();
    let y = |row: i32| (SIDE * (1.0 - f64::from(row) / f64::from(rows))).round() as i32;
    let x = |seconds: f64| (SIDE * seconds / length_s).round() as i32;
    let mut sums = Vec::new();
    for column in columns {
        let mut of_column = BTreeMap::<i32, u64>::new();
        for (bucket, count) in &column.heat {
            *of_column.entry((bucket - lowest) / each).or_default() += count;
        }
        sums.push(of_column);
    }
    let most = sums.iter().flat_map(BTreeMap::values).max().copied().unwrap_or(1);
    for (column, sums) in columns.iter().zip(&sums) {
        let (left, right) = (x(column.begin_s), x(column.end_s));
        for (&row, &count) in sums {
            let width = (right - left).max(1);
            let (top, bottom) = (y(row + 1), y(row));
            // Writing to a string doesn't fail.
            let _ = write!(
                paths[shade(count, most)],
                "M{left} {top}h{width}v{height}h-{width}z",
                height = bottom - top
            );
        }
    }
    let path = |(shade, path): (usize, &String)| format!(r#"<path class="h{shade}" d="{path}"/>"#);
    paths.iter().enumerate().map(path).collect()
}

/// Returns the shade of a count: 0 for one or few, `SHADES - 1` for the most.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a logarithm is small, and not negative"
)]
fn shade(count: u64, most: u64) -> usize {
    let below = (most as f64 / count.max(1) as f64).log(3.0);
    (SHADES - 1).saturating_sub(below.round() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_are_by_ratio() {
        for (count, found) in [(1_000, 5), (900, 5), (333, 4), (111, 3), (1, 0)] {
            assert_eq!(shade(count, 1_000), found, "{count}");
        }
        assert_eq!(shade(1, 1), SHADES - 1);
    }

    #[test]
    fn a_cell_for_each_time_and_latency() {
        let column = |second: u32, heat: &[(i32, u64)]| Column {
            begin_s: f64::from(second),
            end_s: f64::from(second + 1),
            heat: heat.to_vec(),
            ..Column::default()
        };
        let columns = [column(0, &[(48, 9)]), column(1, &[(48, 9), (49, 1)])];
        let svg = cells(&columns, 2.0, 48, 1, 2);
        assert!(
            svg.contains(r#"<path class="h5" d="M0 500h500v500h-500zM500 500h500v500h-500z"/>"#)
        );
        assert!(svg.contains(r#"<path class="h3" d="M500 0h500v500h-500z"/>"#), "{svg}");
        assert_eq!(map(&[], 1.0, &[]).into_string(), "");
    }
}
