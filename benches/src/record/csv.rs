//! Raw data: one line an entry and round.

use std::fmt::Write;

use crate::record::outcome::Outcome;

const HEAD: &str = "group,work,size_bytes,entry,standing,round,runs_per_slice,run_ns,items_per_run,\
    payload_bytes_per_run\n";

pub(crate) fn csv(outcomes: &[Outcome]) -> String {
    let mut text = String::from(HEAD);
    for outcome in outcomes {
        let (id, work) = (&outcome.id, outcome.work);
        for series in &outcome.series {
            for (round, run_ns) in series.run_ns.iter().enumerate() {
                let _ = writeln!(
                    text,
                    "{},\"{}\",{},\"{}\",{:?},{},{},{run_ns:.1},{},{}",
                    id.group,
                    id.work,
                    id.size,
                    series.name,
                    series.standing,
                    round + 1,
                    series.iterations,
                    work.items,
                    work.bytes,
                );
            }
        }
    }
    text
}
