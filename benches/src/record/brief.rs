//! The table of the project's front page: times in plain columns, the cases that wscodec loses among
//! them.

use std::fmt::Write;

use crate::contest::Standing;
use crate::record::outcome::Outcome;
use crate::record::table::{grouped, short};

/// The contests that are shown, by group and work, with what the page calls them and the sizes.
const SHOWN: [(&str, &str, &str, &[usize]); 8] = [
    ("mask", "unmask in place", "unmask", &[64, 16_384]),
    ("utf8", "unmask and validate ASCII", "unmask and validate ASCII", &[4_096]),
    ("utf8", "unmask and validate CJK", "unmask and validate CJK", &[64, 4_096]),
    ("decode", "binary", "decode a binary frame", &[64, 16_384]),
    ("encode", "client's frames", "encode a client's frame", &[64]),
    ("encode", "server's frames", "encode a server's frame", &[64, 16_384]),
    ("message", "echo", "echo a message", &[125, 65_536]),
    ("handshake", "accept", "accept a handshake", &[161]),
];

/// Makes the table: medians of each, and the median of the ratios within rounds.
pub(crate) fn markdown(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| work | bytes | wscodec | fastest peer | its time | times as fast |\n\
         |---|--:|--:|---|--:|--:|\n",
    );
    for (group, work, name, sizes) in SHOWN {
        for &size in sizes {
            let is_it = |outcome: &&Outcome| {
                (outcome.id.group, outcome.id.work, outcome.id.size) == (group, work, size)
            };
            if let Some(row) = outcomes.iter().find(is_it).and_then(|it| row(name, it)) {
                text.push_str(&row);
            }
        }
    }
    text
}

fn row(name: &str, outcome: &Outcome) -> Option<String> {
    let peer = outcome.fastest_peer()?;
    let subject = outcome.series.iter().find(|series| series.standing == Standing::Subject)?;
    let ratio = outcome.times_as_fast_as(peer)?.median;
    let mut row = String::new();
    let _ = writeln!(
        row,
        "| {name} | {} | {} | {} | {} | {} |",
        grouped(outcome.id.size),
        time(outcome.item_ns(subject)),
        peer.name,
        time(outcome.item_ns(peer)),
        short(ratio),
    );
    Some(row)
}

/// Nanoseconds with their unit.
fn time(ns: f64) -> String {
    if ns < 1e3 { format!("{} ns", short(ns)) } else { format!("{} µs", short(ns / 1e3)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::ContestId;
    use crate::record::outcome::Series;
    use crate::sink::Work;

    #[test]
    fn times_stand_in_plain_columns_and_losses_among_them() {
        let series =
            |name, standing, ns: f64| Series { name, standing, iterations: 1, run_ns: vec![ns; 3] };
        let outcome = |id, ours, theirs| Outcome {
            id,
            work: Work { items: 10, bytes: 640 },
            series: vec![
                series("wscodec", Standing::Subject, ours),
                series("yawc", Standing::Peer, theirs),
                series("slow", Standing::Peer, 1e9),
                series("memcpy", Standing::Mark, 1.0),
            ],
        };
        let unmask = ContestId { group: "mask", work: "unmask in place", size: 64 };
        let accept = ContestId { group: "handshake", work: "accept", size: 161 };
        let other = ContestId { group: "mask", work: "unmask in place", size: 65 };
        let outcomes = [
            outcome(accept, 20_000.0, 10_000.0),
            outcome(other, 1.0, 1.0),
            outcome(unmask, 19.4, 30.7),
        ];
        let table = markdown(&outcomes);
        let rows: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| unmask | 64 | 1.94 ns | yawc | 3.07 ns | 1.58 |",
                "| accept a handshake | 161 | 2.00 µs | yawc | 1.00 µs | 0.50 |",
            ]
        );
    }
}
