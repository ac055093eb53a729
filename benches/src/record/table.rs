//! Markdown tables: a row a size, a column an entry, and how wscodec stands to the fastest peer.

use std::fmt::Write;

use crate::contest::Standing;
use crate::record::outcome::{Outcome, Spread};

/// Below this, nanoseconds an item say more than gigabytes a second.
const SMALL_LEN: usize = 512;
/// Marks for what an entry pays around its work, taken off for the last column.
const AROUND: [(&str, &str); 2] = [("decode", "the read alone"), ("mask", WALK_ALONE)];
/// It touches no payload, so it has no throughput.
pub(crate) const WALK_ALONE: &str = "the walk alone";

/// The tables of one group, each under the name of its work.
pub(crate) fn markdown(group: &str, outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    let of_group: Vec<&Outcome> = outcomes.iter().filter(|o| o.id.group == group).collect();
    let mut works: Vec<&str> = Vec::new();
    for outcome in &of_group {
        if !works.contains(&outcome.id.work) {
            works.push(outcome.id.work);
        }
    }
    for work in works {
        let rows: Vec<&Outcome> = of_group.iter().copied().filter(|o| o.id.work == work).collect();
        let _ = writeln!(text, "**{group}: {work}**\n");
        one(&rows, &mut text);
        text.push('\n');
    }
    text
}

fn one(rows: &[&Outcome], text: &mut String) {
    let Some(first) = rows.first() else { return };
    let around = AROUND.iter().find(|(group, _)| *group == first.id.group);
    let around = around.map(|(_, name)| *name);
    let is_ranked = first.fastest_peer().is_some() && first.subject().is_some();
    text.push_str("| bytes | unit |");
    for series in &first.series {
        let _ = write!(text, " {} |", series.name);
    }
    text.push_str(if is_ranked { " to the fastest peer |" } else { "" });
    if let Some(name) = around {
        let _ = write!(text, " net of {name} |");
    }
    text.push_str("\n|--:|---|");
    text.push_str(&"--:|".repeat(first.series.len()));
    text.push_str(if is_ranked { "---|" } else { "" });
    text.push_str(if around.is_some() { "---|\n" } else { "\n" });
    for outcome in rows {
        row(outcome, around, text);
    }
}

fn row(outcome: &Outcome, around: Option<&str>, text: &mut String) {
    let is_time = is_time(outcome);
    let unit = if is_time { "ns each" } else { "GB/s" };
    let _ = write!(text, "| {} | {unit} |", grouped(outcome.id.size));
    for series in &outcome.series {
        let value = if is_time { outcome.item_ns(series) } else { outcome.gb_per_s(series) };
        let value = short(value);
        let _ = match series.standing {
            Standing::Subject => write!(text, " **{value}** |"),
            _ if series.name == WALK_ALONE && !is_time => write!(text, " |"),
            _ => write!(text, " {value} |"),
        };
    }
    if let Some(peer) = outcome.fastest_peer() {
        if let Some(ratio) = outcome.times_as_fast_as(peer) {
            let _ = write!(text, " {} {} |", times(ratio), peer.name);
        }
        if let Some(mark) = around.and_then(|name| outcome.named(name))
            && let Some(ratio) = outcome.times_as_fast_net_of(peer, mark)
        {
            let _ = write!(text, " {} |", times(ratio));
        }
    }
    text.push('\n');
}

fn is_time(outcome: &Outcome) -> bool {
    is_always_time(outcome) || outcome.id.size < SMALL_LEN
}

/// Whether throughput would say nothing: handshakes, headers, and what need not touch its payload.
pub(crate) fn is_always_time(outcome: &Outcome) -> bool {
    outcome.work.bytes == 0 || ["encode", "handshake"].contains(&outcome.id.group)
}

/// `1.53 × (1.49–1.60)`: the median and the ends.
pub(crate) fn times(ratio: Spread) -> String {
    format!("{:.2} × ({:.2}–{:.2})", ratio.median, ratio.min, ratio.max)
}

/// Three significant digits.
pub(crate) fn short(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

/// `65,536`.
pub(crate) fn grouped(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_grouped() {
        assert_eq!([short(1.234), short(56.78), short(910.1)], ["1.23", "56.8", "910"]);
        assert_eq!([grouped(4), grouped(1024), grouped(16_777_216)], ["4", "1,024", "16,777,216"]);
    }
}
