//! What the segments of a `fanout` know of each other's publishers to what was lost of all copies.
//!
//! A segment counts what is missing before the last copy that a subscriber got of a publisher of
//! another segment. How much came after that only the other one knows: here the two meet.

use std::collections::BTreeMap;

use super::add::add_count;
use crate::metrics::Followed;
use crate::report::fanout::{CopiesReport, FanoutReport, FollowedReport, SplitReport};

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
        let SplitReport { run: _, clock: _, followed } = split; // the same in all
        whole.followed.extend(followed.iter().cloned());
    }
}

fn add_copies(whole: &mut CopiesReport, part: &CopiesReport) {
    let CopiesReport {
        expected,
        received,
        early,
        arrived,
        received_per_s: _, // of the sum
        altered,
        lost,
        reordered,
        duplicated,
        stale,
        unexpected,
        foreign,
        overheard,
    } = part;
    add_count(&mut whole.expected, *expected);
    add_count(&mut whole.received, *received);
    add_count(&mut whole.early, *early);
    add_count(&mut whole.arrived, *arrived);
    add_count(&mut whole.altered, *altered);
    add_count(&mut whole.lost, *lost);
    add_count(&mut whole.reordered, *reordered);
    add_count(&mut whole.duplicated, *duplicated);
    add_count(&mut whole.stale, *stale);
    add_count(&mut whole.unexpected, *unexpected);
    add_count(&mut whole.foreign, *foreign);
    add_count(&mut whole.overheard, *overheard);
}

/// Counts what was sent after the last copies that came, once all segments are added; returns what
/// can't be known, in words.
pub(super) fn conclude(whole: &mut FanoutReport) -> Vec<String> {
    let Some(split) = &mut whole.split else { return Vec::new() };
    let mut publishers: BTreeMap<u64, Followed> = BTreeMap::new();
    for followed in std::mem::take(&mut split.followed) {
        let FollowedReport { publisher, sent, subscribers, reached, reached_max } = followed;
        let own = Followed { sent, subscribers, reached, reached_max };
        publishers.entry(publisher).or_default().add(&own);
    }
    let (mut silent, mut wrong) = (0_u64, 0_u64);
    for followed in publishers.values() {
        match followed.tail() {
            Some(tail) => {
                add_count(&mut whole.copies.expected, tail);
                add_count(&mut whole.copies.lost, tail);
            }
            None if followed.sent.is_none() => silent += 1,
            None => wrong += 1,
        }
    }
    let mut said = Vec::new();
    if silent > 0 {
        said.push(format!(
            "{silent} publishers are of segments that are missing: what was lost after the last of \
             their copies is in no number"
        ));
    }
    if wrong > 0 {
        said.push(format!(
            "subscribers got messages of {wrong} publishers that these have not sent: what was \
             lost of them is not counted right"
        ));
    }
    said
}
