//! The bars that the codec has to reach, judged by the medians of ratios within rounds.

use std::fmt::Write;

use crate::group::message::{FRAGMENTS, SEGMENTS, WHOLE};
use crate::record::outcome::{Outcome, Spread};
use crate::record::table::{grouped, short, times};

/// One line of the table.
#[derive(Clone, Debug)]
struct Verdict {
    /// Without its size.
    work: String,
    size: usize,
    /// What the bar is a multiple of, or a distance to.
    against: String,
    bar: String,
    /// With its spread, and with whom.
    reached: String,
    passes: bool,
}

/// The table, and how many bars were reached.
pub(crate) fn markdown(outcomes: &[Outcome]) -> String {
    let verdicts: Vec<Verdict> = outcomes.iter().flat_map(verdicts).collect();
    if verdicts.is_empty() {
        return String::from("No bar was measured.\n");
    }
    let passed = verdicts.iter().filter(|verdict| verdict.passes).count();
    let mut text = format!("{passed} of {} targets reached.\n\n", verdicts.len());
    text.push_str(
        "| work | bar | reached: median (min–max of the rounds) | |\n|---|---|---|---|\n",
    );
    for Verdict { work, size, against, bar, reached, passes, .. } in verdicts {
        let mark = if passes { "pass" } else { "**fail**" };
        let size = grouped(size);
        let _ = writeln!(text, "| {work}, {size} bytes | {bar} {against} | {reached} | {mark} |");
    }
    text
}

fn verdicts(outcome: &Outcome) -> Vec<Verdict> {
    let (work, size) = (outcome.id.work, outcome.id.size);
    match (outcome.id.group, size) {
        ("mask", 4..=125) => {
            [near_memcpy(outcome), beside_peers(outcome, work, 1.5)].into_iter().flatten().collect()
        }
        ("mask", 1024..=16_384) => {
            let bare = beside(outcome, work, "bare XOR", 0.95);
            [bare, beside_peers(outcome, work, 1.5)].into_iter().flatten().collect()
        }
        ("utf8", _) => two_passes_bar(work, size)
            .and_then(|bar| beside(outcome, work, "two passes", bar))
            .into_iter()
            .collect(),
        ("decode", 16 | 64 | 125) if work == "binary" => {
            beside_peers(outcome, "decode binary frames", 2.0).into_iter().collect()
        }
        ("encode", 16 | 64 | 125) => {
            beside_peers(outcome, &format!("encode {work}"), 1.5).into_iter().collect()
        }
        ("message", _) => {
            [FRAGMENTS, SEGMENTS].into_iter().filter_map(|way| split(outcome, way)).collect()
        }
        _ => Vec::new(),
    }
}

fn two_passes_bar(work: &str, size: usize) -> Option<f64> {
    let bars = match work {
        "unmask and validate ASCII" => [1.3, 1.5, 1.6],
        "unmask and validate mixed" | "unmask and validate CJK" => [1.1; 3],
        _ => return None,
    };
    let i = [4096, 65_536, 64 << 20].iter().position(|&measured| measured == size)?;
    bars.get(i).copied()
}

fn beside_peers(outcome: &Outcome, what: &str, bar: f64) -> Option<Verdict> {
    let peer = outcome.fastest_peer()?;
    let ratio = outcome.times_as_fast_as(peer)?;
    Some(Verdict {
        work: what.to_owned(),
        size: outcome.id.size,
        against: "× the fastest peer".to_owned(),
        bar: bar.to_string(),
        reached: format!("{} {}", times(ratio), peer.name),
        passes: ratio.median >= bar,
    })
}

fn beside(outcome: &Outcome, what: &str, other: &str, bar: f64) -> Option<Verdict> {
    let ratio = outcome.times_as_fast_as(outcome.named(other)?)?;
    Some(Verdict {
        work: what.to_owned(),
        size: outcome.id.size,
        against: format!("× {other}"),
        bar: bar.to_string(),
        reached: times(ratio),
        passes: ratio.median >= bar,
    })
}

fn near_memcpy(outcome: &Outcome) -> Option<Verdict> {
    const MORE_NS_MAX: f64 = 3.0;
    let more: Spread = outcome.item_ns_more_than(outcome.named("memcpy")?)?;
    Some(Verdict {
        work: outcome.id.work.to_owned(),
        size: outcome.id.size,
        against: "ns more than memcpy".to_owned(),
        bar: MORE_NS_MAX.to_string(),
        reached: format!("{:+.2} ns ({:+.2} to {:+.2})", more.median, more.min, more.max),
        passes: more.median <= MORE_NS_MAX,
    })
}

/// The cost of a byte when the message comes this way, beside the whole message's.
fn split(outcome: &Outcome, way: &str) -> Option<Verdict> {
    const COST_MAX: f64 = 1.3;
    let (whole, split) = (outcome.named(WHOLE)?, outcome.named(way)?);
    let rounds = split.run_ns.iter().zip(&whole.run_ns);
    let cost = Spread::of(rounds.map(|(split, whole)| split / whole).collect());
    Some(Verdict {
        work: format!("a message in {way}"),
        size: outcome.id.size,
        against: "× the time of the whole, at most".to_owned(),
        bar: COST_MAX.to_string(),
        reached: format!("{} of {} µs", times(cost), short(whole.median_ns() / 1e3)),
        passes: cost.median <= COST_MAX,
    })
}
