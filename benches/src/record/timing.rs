//! Times the entries of a contest in interleaved rounds: A B C, B C A, C A B.
//!
//! Whatever changes during a contest, the clock of the CPU or a neighbour on the machine, changes
//! for all of a round, so that a ratio within a round is steadier than its parts.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::contest::{Contest, ContestId, Entry};
use crate::record::outcome::{Outcome, Series};

/// How much time a contest gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) rounds: u32,
    /// How long an entry runs in a round, if a run is short enough.
    pub(crate) sample: Duration,
}

/// Parts of a sample.
const SLICES: u32 = 4;

pub(crate) fn time(id: ContestId, mut contest: Contest, pace: Pace) -> Outcome {
    let slice = pace.sample / SLICES;
    let iterations: Vec<u64> =
        contest.entries.iter_mut().map(|entry| iterations(entry, slice)).collect();
    let mut series: Vec<Series> = contest
        .entries
        .iter()
        .zip(&iterations)
        .map(|(entry, &iterations)| Series {
            name: entry.name,
            standing: entry.standing,
            iterations,
            run_ns: Vec::new(),
        })
        .collect();
    let count = contest.entries.len();
    for round in 0..pace.rounds as usize {
        for i in (0..count).map(|i| (i + round) % count) {
            series[i].run_ns.push(sample(&mut contest.entries[i], iterations[i]));
        }
    }
    Outcome { id, work: contest.work, series }
}

/// Runs that take about `target`, found by doubling; warms up while at it.
fn iterations(entry: &mut Entry, target: Duration) -> u64 {
    let target_ns = target.as_secs_f64() * 1e9;
    let mut iterations = 1;
    loop {
        let elapsed_ns = elapsed_ns(entry, iterations);
        if elapsed_ns * 4.0 >= target_ns {
            let scaled = (target_ns / elapsed_ns * iterations as f64).round();
            #[expect(clippy::cast_possible_truncation, reason = "far below 2^53")]
            #[expect(clippy::cast_sign_loss, reason = "not negative")]
            return (scaled as u64).max(1);
        }
        iterations *= 2;
    }
}

/// Nanoseconds a run: the quickest of a few slices, after a run that isn't counted. A slice in
/// which the machine did something else, and caches that the entry before left behind, are noise
/// that only ever adds.
fn sample(entry: &mut Entry, slice_iterations: u64) -> f64 {
    black_box(entry.contestant.run());
    let slices = (0..SLICES).map(|_| elapsed_ns(entry, slice_iterations));
    slices.fold(f64::INFINITY, f64::min) / slice_iterations as f64
}

fn elapsed_ns(entry: &mut Entry, iterations: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..iterations {
        black_box(entry.contestant.run());
    }
    start.elapsed().as_secs_f64() * 1e9
}
