//! Merges the time series of segments: intervals at the same wall-clock time become one interval.

use super::Part;
use crate::metrics::{Distribution, IntervalCounts, PlayedInterval};
use crate::process::ProcessUsage;
use crate::report::reach::add_addresses;
use crate::report::{LatencyReport, Report, RowReport, TimeSeries};

/// Most intervals of a merged time series: segments whose clocks are days apart can't make more.
const ROWS_MAX: u64 = 10_000;

/// Rows of an interval, and the connections open at its end.
#[derive(Clone, Default)]
struct Slot<'p> {
    rows: Vec<&'p RowReport>,
    open: u64,
    /// What the watched process used and had, by the rows of one part.
    watched: Option<ProcessUsage>,
}

/// Puts the rows of all parts on one axis. An interval that was read a little late counts where its
/// middle lies; no row is left out, so the sums stay the same. The watched process is the one of the
/// part at the place `watching`.
pub(super) fn merge(
    parts: &[Part],
    watching: Option<usize>,
    offset_ns: impl Fn(&Report) -> u64,
) -> TimeSeries {
    let interval_ns = parts.first().map_or(1, |part| part.report.time_series.interval_ns).max(1);
    let begin_ns =
        |part: &Part, row: &RowReport| row.begin_ns.saturating_add(offset_ns(&part.report));
    let place = |part: &Part, row: &RowReport| {
        let middle_ns = begin_ns(part, row).saturating_add(row.length_ns / 2);
        usize::try_from((middle_ns / interval_ns).min(ROWS_MAX - 1)).unwrap_or(0)
    };
    let mut slots: Vec<Slot<'_>> = Vec::new();
    let mut end_ns = 0;
    for (number, part) in parts.iter().enumerate() {
        let rows = &part.report.time_series.rows;
        for (at, row) in rows.iter().enumerate() {
            let here = place(part, row);
            // Until its next row, a part has as many open connections as at the end of this one.
            let next = rows.get(at + 1).map_or(here + 1, |next| place(part, next));
            let needed = next.max(here + 1);
            if slots.len() < needed {
                slots.resize(needed, Slot::default());
            }
            slots[here].rows.push(row);
            if let Some(found) = row.watched.filter(|_| watching == Some(number)) {
                let used_ns = slots[here].watched.map_or(0, |earlier| earlier.cpu_ns);
                let cpu_ns = found.cpu_ns.saturating_add(used_ns);
                slots[here].watched = Some(ProcessUsage { cpu_ns, ..found });
            }
            for slot in &mut slots[here..next.max(here)] {
                slot.open = slot.open.saturating_add(row.open);
            }
            end_ns = end_ns.max(begin_ns(part, row).saturating_add(row.length_ns));
        }
    }
    let count = slots.len();
    let rows = slots.iter().enumerate().map(|(at, slot)| {
        let begin_ns = at as u64 * interval_ns;
        let is_last = at + 1 == count;
        let length_ns = if is_last { end_ns.saturating_sub(begin_ns) } else { interval_ns };
        sum(slot, begin_ns, length_ns.max(1))
    });
    TimeSeries { interval_ns, rows: rows.collect() }
}

/// Adds up what happened in an interval, in all parts.
fn sum(slot: &Slot<'_>, begin_ns: u64, length_ns: u64) -> RowReport {
    let mut latencies = Distribution::new();
    let mut whole = RowReport {
        begin_ns,
        length_ns,
        open: slot.open,
        counts: IntervalCounts::default(),
        by_address: Vec::new(),
        p50_ns: None,
        p99_ns: None,
        latency: None,
        steps: Vec::new(),
        rules: Vec::new(),
        watched: slot.watched,
    };
    let mut played = PlayedInterval::default();
    for row in &slot.rows {
        let RowReport {
            begin_ns: _,
            length_ns: _,
            open: _, // a level, not a count
            counts,
            by_address,
            p50_ns: _,
            p99_ns: _,
            latency,
            steps,
            rules,
            watched: _, // of one part
        } = row;
        played.add(&PlayedInterval { steps: steps.clone(), rules: rules.clone() });
        whole.counts.add(counts);
        add_addresses(&mut whole.by_address, by_address);
        // Unreadable data was refused with its file.
        if let Some(Ok(latency)) = latency.as_ref().map(LatencyReport::distribution) {
            latencies.add(&latency);
        }
    }
    whole.p50_ns = latencies.percentile(50.0);
    whole.p99_ns = latencies.percentile(99.0);
    whole.latency = LatencyReport::new(&latencies);
    (whole.steps, whole.rules) = (played.steps, played.rules);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{AddressCounts, StepInterval};
    use crate::report::{AddressReport, sample};

    const SECOND_NS: u64 = 1_000_000_000;

    fn row(begin_ns: u64, length_ns: u64, open: u64, latencies: &[u64]) -> RowReport {
        let mut found = Distribution::new();
        for &ns in latencies {
            found.record(ns);
        }
        let sent = latencies.len() as u64;
        RowReport {
            begin_ns,
            length_ns,
            open,
            counts: IntervalCounts { sent, received: sent, ..IntervalCounts::default() },
            by_address: Vec::new(),
            p50_ns: found.percentile(50.0),
            p99_ns: found.percentile(99.0),
            latency: LatencyReport::new(&found),
            steps: vec![StepInterval { ok: sent, ..StepInterval::default() }],
            rules: vec![open],
            watched: None,
        }
    }

    fn part(started_ms: u64, rows: Vec<RowReport>) -> Part {
        let mut report = sample();
        report.started_at_unix_ms = started_ms;
        report.time_series = TimeSeries { interval_ns: SECOND_NS, rows };
        Part { name: "x".into(), report }
    }

    fn merged(parts: &[Part]) -> Vec<RowReport> {
        merge(parts, Some(1), |report| report.started_at_unix_ms * 1_000_000).rows
    }

    #[test]
    fn rows_are_put_beside_those_of_their_time() {
        let late = 40_000_000;
        let one = part(
            0,
            vec![
                row(0, SECOND_NS + late, 5, &[1_000; 3]),
                row(SECOND_NS + late, SECOND_NS - late, 5, &[9_000; 3]),
            ],
        );
        let other =
            part(2_000, vec![row(0, SECOND_NS, 7, &[3_000; 5]), row(SECOND_NS, 1_000, 0, &[])]);
        let rows = merged(&[one, other]);
        let column = |of: fn(&RowReport) -> u64| rows.iter().map(of).collect::<Vec<_>>();
        assert_eq!(column(|row| row.counts.sent), [3, 3, 5, 0]);
        assert_eq!(column(|row| row.steps[0].ok), [3, 3, 5, 0]);
        assert_eq!(column(|row| row.rules[0]), [5, 5, 7, 0]);
        assert_eq!(column(|row| row.open), [5, 5, 7, 0]);
        assert_eq!(column(|row| row.begin_ns), [0, 1, 2, 3].map(|n| n * SECOND_NS));
        assert_eq!(rows[3].length_ns, 1_000);
        assert_eq!(rows[3].p50_ns, None);
        assert_eq!(rows[0].p50_ns, Some(1_000));
    }

    #[test]
    fn p8_addresses_add_up_by_name() {
        let one = |address: &str, established| AddressReport {
            address: address.into(),
            counts: AddressCounts { established, ..AddressCounts::default() },
        };
        let part =
            |by_address| part(0, vec![RowReport { by_address, ..row(0, SECOND_NS, 1, &[]) }]);
        let parts = [part(vec![one("a:1", 1), one("b:1", 2)]), part(vec![one("b:1", 4)])];
        assert_eq!(merged(&parts)[0].by_address, [one("a:1", 1), one("b:1", 6)]);
    }

    #[test]
    fn percentiles_are_those_of_all_and_a_gap_keeps_what_was_open() {
        let mut slow = row(0, SECOND_NS, 2, &[50_000; 10]);
        slow.p99_ns = Some(1); // made from the data, not from what other rows say
        let one = part(0, vec![slow, row(2 * SECOND_NS, SECOND_NS, 1, &[])]);
        let other = part(0, vec![row(0, SECOND_NS, 3, &[1_000; 990])]);
        let rows = merged(&[one, other]);
        assert_eq!(rows.iter().map(|row| row.open).collect::<Vec<_>>(), [5, 2, 1]);
        assert_eq!(rows[0].p50_ns, Some(1_000));
        assert_eq!(rows[0].p99_ns, Some(1_000));
        assert_eq!(rows[0].latency.as_ref().unwrap().distribution().unwrap().count(), 1_000);
        let p995 = rows[0].latency.as_ref().unwrap().distribution().unwrap().percentile(99.5);
        assert!(p995.unwrap() >= 50_000, "{p995:?}");
    }

    #[test]
    fn clocks_that_are_years_apart_make_no_endless_series() {
        let parts = [
            part(0, vec![row(0, SECOND_NS, 1, &[5])]),
            part(1 << 44, vec![row(0, SECOND_NS, 1, &[5])]),
        ];
        let rows = merged(&parts);
        assert!(rows.len() as u64 <= ROWS_MAX);
        assert_eq!(rows.iter().map(|row| row.counts.sent).sum::<u64>(), 2);
    }
}
