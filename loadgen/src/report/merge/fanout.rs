//! Combines what the segments of a `fanout` know of each other's publishers into the lost copies.
//!
//! A segment counts what is missing before the last copy that a subscriber got from a publisher of
//! another segment. Only the other segment knows how much came after that; this module combines the
//! two.

use std::collections::BTreeMap;

use super::add_count;
use crate::index::ConnectionIndex;
use crate::metrics::{Distributions, Followed, Metric, Sample};
use crate::report::HistogramReport;
use crate::report::fanout::{
    CopiesReport, FanoutReport, FollowedReport, SampleReport, SplitReport,
};
use crate::units;

/// Adds a segment's counts.
pub(super) fn add(whole: &mut FanoutReport, part: &FanoutReport) {
    let FanoutReport {
        publishers: _, // asked for in the same way by all, as what follows
        subscribers: _,
        topics: _,
        rate_per_s: _,
        pipeline: _,
        payload_size: _,
        publish_digest: _,
        subscribe_digest: _,
        answered,
        unanswered,
        copy_timeout_ns: _,
        published,
        published_per_s: _, // of the sum
        complete: _,        // not known to any
        incomplete: _,
        silent: _,
        unsent_closed,
        unsent_backlog,
        unsent_crowded,
        unsent_late,
        copies,
        split,
    } = part;
    let sum = |one: Option<u64>, other: Option<u64>| Some(one?.saturating_add(other?));
    whole.answered = sum(whole.answered, *answered);
    whole.unanswered = sum(whole.unanswered, *unanswered);
    add_count(&mut whole.published, *published);
    add_count(&mut whole.unsent_closed, *unsent_closed);
    add_count(&mut whole.unsent_backlog, *unsent_backlog);
    add_count(&mut whole.unsent_crowded, *unsent_crowded);
    add_count(&mut whole.unsent_late, *unsent_late);
    add_copies(&mut whole.copies, copies);
    if let (Some(whole), Some(split)) = (&mut whole.split, split) {
        let SplitReport { run: _, clock: _, sampled_every: _, followed, sampled } = split;
        whole.followed.extend(followed.iter().cloned());
        whole.sampled.extend(sampled.iter().cloned());
    }
}

fn add_copies(whole: &mut CopiesReport, part: &CopiesReport) {
    let CopiesReport { counts, arrived, received_per_s: _ } = part; // a rate of the sum
    whole.counts.add(counts);
    add_count(&mut whole.arrived, *arrived);
}

/// Counts what was sent after the last copies that came, once all segments are added; returns what
/// can't be known, in words.
pub(super) fn conclude(whole: &mut FanoutReport) -> Vec<String> {
    let Some(split) = &mut whole.split else { return Vec::new() };
    let mut publishers: BTreeMap<ConnectionIndex, Followed> = BTreeMap::new();
    for followed in std::mem::take(&mut split.followed) {
        let FollowedReport { publisher, sent, subscribers, reached, reached_max } = followed;
        let own = Followed { sent, subscribers, reached, reached_max };
        publishers.entry(publisher).or_default().add(&own);
    }
    let (mut silent, mut wrong) = (0_u64, 0_u64);
    for followed in publishers.values() {
        match followed.tail() {
            Some(tail) => {
                add_count(&mut whole.copies.counts.expected, tail);
                add_count(&mut whole.copies.counts.lost, tail);
            }
            None if followed.sent.is_none() => silent += 1,
            None => wrong += 1,
        }
    }
    let mut said = Vec::new();
    if silent > 0 {
        said.push(format!(
            "{} of missing segments: losses after their last copies aren't counted",
            units::counted(silent, "publisher")
        ));
    }
    if wrong > 0 {
        said.push(format!(
            "subscribers received more messages than {} sent: losses of these are miscounted",
            units::counted(wrong, "publisher")
        ));
    }
    said
}

/// Computes first, last and spread of messages from when their copies came to each segment; returns
/// what can't be known, in words.
pub(super) fn spread(
    whole: &mut FanoutReport,
    is_complete: bool,
) -> (Vec<HistogramReport>, Vec<String>) {
    let Some(split) = &mut whole.split else { return Default::default() };
    let mut messages: BTreeMap<u64, Sample> = BTreeMap::new();
    for SampleReport { message, copies, first_ns, last_ns } in std::mem::take(&mut split.sampled) {
        let sample = Sample { copies, first_ns, last_ns };
        messages.entry(message).and_modify(|own| own.add(&sample)).or_insert(sample);
    }
    if !is_complete {
        let said = "first, last and spread need the copies of every segment, and are left out";
        return (Vec::new(), vec![said.into()]);
    }
    let mut durations = Distributions::default();
    let mut early = 0_u64;
    for Sample { first_ns, last_ns, .. } in messages.into_values() {
        match (u64::try_from(first_ns), u64::try_from(last_ns)) {
            (Ok(first_ns), Ok(last_ns)) => {
                durations.record(Metric::FanoutFirst, first_ns);
                durations.record(Metric::FanoutLast, last_ns);
                durations.record(Metric::FanoutSpread, last_ns.saturating_sub(first_ns));
            }
            _ => early += 1,
        }
    }
    let histogram = |metric| Some(HistogramReport::new(metric, durations.of(metric)?));
    let metrics = [Metric::FanoutFirst, Metric::FanoutLast, Metric::FanoutSpread];
    let said = (early > 0).then(|| {
        format!(
            "copies of {} arrived before being sent: the clocks differ, and first, last and spread \
             leave these out",
            units::counted(early, "message")
        )
    });
    (metrics.into_iter().filter_map(histogram).collect(), said.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::merge::{Missing, Part, merge};
    use crate::report::{Report, sample_of};
    use crate::verdict::State;

    /// Returns segments of a run in which each of two has a publisher and subscribers of both.
    fn parts() -> Vec<Part> {
        let part = |index: u64, followed: [FollowedReport; 2], sampled: Vec<SampleReport>| {
            let line = format!(
                "fanout ws://h/ -c 10 --publishers 2 -R 50k -d 1s -t 1 --seed 7 --start-at +9s \
                 --ramp 1s --segment {index}/2"
            );
            let mut report = sample_of(&line);
            let fanout = report.fanout.as_mut().unwrap();
            let split = fanout.split.as_mut().unwrap();
            assert_eq!(split.sampled_every, 5, "of 50,000");
            (split.run, split.followed, split.sampled) = (1, followed.into(), sampled);
            (
                fanout.copies.counts.expected,
                fanout.copies.counts.received,
                fanout.copies.counts.lost,
            ) = (100, 90, 10);
            Part { name: format!("{index}.json"), report }
        };
        let own = |publisher, sent| FollowedReport {
            publisher: ConnectionIndex(publisher),
            sent: Some(sent),
            subscribers: 0,
            reached: 0,
            reached_max: 0,
        };
        let other = |publisher, reached, reached_max| FollowedReport {
            publisher: ConnectionIndex(publisher),
            sent: None,
            subscribers: 5,
            reached,
            reached_max,
        };
        let sample = |message, copies, first_ns, last_ns| SampleReport {
            message,
            copies,
            first_ns,
            last_ns,
        };
        vec![
            part(
                1,
                [own(0, 20), other(1, 90, 20)],
                vec![sample(0, 5, 3_000, 9_000), sample(5, 5, -1, 70), sample(10, 1, 100, 100)],
            ),
            part(
                2,
                [other(0, 100, 20), own(1, 20)],
                vec![sample(0, 5, 2_000, 5_000), sample(5, 5, 50, 60)],
            ),
        ]
    }

    fn of(report: &Report, metric: Metric) -> (u64, u64, u64) {
        let found = report.histogram(metric).unwrap();
        (found.count + found.below, found.min_ns, found.max_ns)
    }

    #[test]
    fn what_two_segments_know_is_put_together() {
        let whole = merge(parts(), Missing::Allow).unwrap();
        let copies = &whole.fanout.as_ref().unwrap().copies;
        // Ten of publisher 1 reached no subscriber of the first segment after the last received.
        assert_eq!(
            (copies.counts.expected, copies.counts.received, copies.counts.lost),
            (210, 180, 30)
        );
        assert_eq!(of(&whole, Metric::FanoutFirst), (2, 100, 2_000));
        assert_eq!(of(&whole, Metric::FanoutLast).0, 2);
        let (spreads, _, longest) = of(&whole, Metric::FanoutSpread);
        assert!(spreads == 2 && longest.abs_diff(7_000) < 10, "{longest}");
        let reasons = whole.verdict.reasons.join("; ");
        assert!(reasons.contains("copies of 1 message arrived before being sent"), "{reasons}");
        assert_eq!(whole.verdict.state, State::Degraded);
        let text = crate::report::text::Text(&whole).to_string();
        assert!(text.contains("first, last and spread cover one message in 5"), "{text}");
    }

    #[test]
    fn segments_that_began_at_different_times_are_told_what_to_do() {
        let mut parts = parts();
        parts[1].report.fanout.as_mut().unwrap().split.as_mut().unwrap().run = 2;
        let said = merge(parts, Missing::Allow).unwrap_err();
        assert!(said.contains("1.json and 2.json began at different times"), "{said}");
        assert!(said.contains("the same --start-at TIME, not +T"), "{said}");
    }

    #[test]
    fn what_contradicts_itself_or_is_missing_is_said_and_not_counted() {
        let mut odd = parts();
        odd[0].report.fanout.as_mut().unwrap().split.as_mut().unwrap().followed[1].reached_max = 21;
        let whole = merge(odd, Missing::Allow).unwrap();
        assert_eq!(whole.fanout.as_ref().unwrap().copies.counts.lost, 20);
        let reasons = whole.verdict.reasons.join("; ");
        assert!(reasons.contains("more messages than 1 publisher sent"), "{reasons}");
        let alone = merge(parts().into_iter().take(1).collect(), Missing::Allow).unwrap();
        assert_eq!(alone.fanout.as_ref().unwrap().copies.counts.lost, 10);
        assert!(alone.histogram(Metric::FanoutFirst).is_none());
        let huge = FollowedReport {
            publisher: ConnectionIndex(1),
            sent: None,
            subscribers: u64::MAX,
            reached: 0,
            reached_max: 0,
        };
        let mut files = parts();
        let split = files[0].report.fanout.as_mut().unwrap().split.as_mut().unwrap();
        split.followed[1] = huge;
        assert_eq!(
            merge(files, Missing::Allow).unwrap().fanout.unwrap().copies.counts.lost,
            20,
            "a file can say anything"
        );
    }
}
