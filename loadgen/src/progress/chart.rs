//! Curves and heat maps of characters.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Style};
use ratatui_core::symbols::bar;

use super::past::Second;

/// Eighths of a cell, from the bottom.
const EIGHTHS: [&str; 9] = [
    " ",
    bar::ONE_EIGHTH,
    bar::ONE_QUARTER,
    bar::THREE_EIGHTHS,
    bar::HALF,
    bar::FIVE_EIGHTHS,
    bar::THREE_QUARTERS,
    bar::SEVEN_EIGHTHS,
    bar::FULL,
];
/// The shades of a heat map, by how many latencies a cell has.
const SHADES: [&str; 5] = [" ", "░", "▒", "▓", "█"];

/// Draws a column for each value, of which 0 is the bottom and 1 the top; `None` leaves a gap. The
/// newest value stands at the right.
pub(super) fn columns(values: &[Option<f64>], style: Style, area: Rect, buffer: &mut Buffer) {
    let eighths = f64::from(area.height) * 8.0;
    for (value, x) in values.iter().rev().zip((area.left()..area.right()).rev()) {
        let Some(value) = value else { continue };
        // A value is never invisible.
        let mut left = rounded(value.clamp(0.0, 1.0) * eighths).max(1);
        for y in (area.top()..area.bottom()).rev() {
            let own = left.min(8);
            left -= own;
            buffer.set_string(x, y, EIGHTHS[own], style);
        }
    }
}

/// Draws a column of shades for each second: latencies from `range`, on a logarithmic axis, short
/// ones at the bottom.
pub(super) fn heat<'s>(
    seconds: impl DoubleEndedIterator<Item = &'s Second>,
    (shortest_ns, longest_ns): (u64, u64),
    style: Style,
    area: Rect,
    buffer: &mut Buffer,
) {
    let rows = usize::from(area.height);
    for (second, x) in seconds.rev().zip((area.left()..area.right()).rev()) {
        let mut counts = vec![0_u64; rows];
        for (ns, count) in second.latencies.iter() {
            let place = rounded(logarithmic(ns, shortest_ns, longest_ns) * as_f64(rows as u64 - 1));
            counts[place.min(rows - 1)] += count;
        }
        let most = counts.iter().copied().max().unwrap_or(0);
        for (count, y) in counts.into_iter().zip((area.top()..area.bottom()).rev()) {
            // One among a million is seen: it is what a percentile hides.
            let shade = match count {
                0 => 0,
                count => 1 + rounded(3.0 * as_f64(count).ln_1p() / as_f64(most).ln_1p()),
            };
            buffer.set_string(x, y, SHADES[shade.min(SHADES.len() - 1)], style);
        }
    }
}

/// Returns where a time lies between two others on a logarithmic axis, from 0 to 1.
pub(super) fn logarithmic(ns: u64, shortest_ns: u64, longest_ns: u64) -> f64 {
    let [ns, shortest, longest] = [ns, shortest_ns, longest_ns].map(|ns| as_f64(ns.max(1)).ln());
    if longest <= shortest { 0.0 } else { ((ns - shortest) / (longest - shortest)).clamp(0.0, 1.0) }
}

/// Returns the colour of what is drawn, if colours are wanted.
pub(super) const fn coloured(has_colours: bool, colour: Color) -> Style {
    if has_colours { Style::new().fg(colour) } else { Style::new() }
}

#[expect(clippy::cast_precision_loss, reason = "drawn to an eighth of a character")]
pub(super) const fn as_f64(n: u64) -> f64 {
    n as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small, not negative")]
fn rounded(value: f64) -> usize {
    value.round() as usize
}
