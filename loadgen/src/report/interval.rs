//! How sure a ratio of two measurements is: an interval that has the true ratio in it, unless
//! chance was against it.
//!
//! A single run is cut into blocks of consecutive seconds, which are drawn again and again (a block
//! bootstrap): seconds next to each other are alike, blocks hardly. Several runs of a side are
//! compared as they are. Both give a mean of logarithms and its variance, and Student's t the rest,
//! because there are few blocks and fewer runs.

use std::collections::BTreeMap;

use super::{LatencyReport, Report, RowReport};
use crate::random;

/// Blocks of a run.
const BLOCKS: usize = 10;
/// Fewest intervals in a run that can be compared by itself.
const ROWS_MIN: usize = 5;
/// How often blocks are drawn.
const DRAWS: u64 = 400;
/// Latencies in a time series are known to this share, so no interval is narrower.
const RESOLUTION: f64 = 1.0 / 32.0;
/// The share by which two runs of the same may differ beyond what shows within each: memory lies
/// elsewhere, threads are placed elsewhere. Runs of a side show it by themselves.
const BETWEEN_RUNS: f64 = 0.01;

/// The logarithm of a number, and how far chance may have moved it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    ln: f64,
    variance: f64,
    /// Degrees of freedom of the variance.
    freedom: f64,
}

impl Estimate {
    /// Returns the estimate of what several runs measured; `None` unless there are two or more, all
    /// above zero.
    pub(super) fn of_runs(numbers: &[f64]) -> Option<Self> {
        if numbers.len() < 2 || numbers.iter().any(|number| *number <= 0.0) {
            return None;
        }
        let lns: Vec<_> = numbers.iter().map(|number| number.ln()).collect();
        let (ln, variance) = mean_and_variance(&lns);
        let number = as_f64(lns.len());
        Some(Self { ln, variance: variance / number, freedom: number - 1.0 })
    }

    /// Returns the ratio of `after` to `before`, from and to, which fails to contain the true one
    /// with a probability of `alpha`.
    pub(super) fn ratio(before: &Self, after: &Self, alpha: f64) -> (f64, f64) {
        let variance = before.variance + after.variance;
        let ln = after.ln - before.ln;
        if variance == 0.0 {
            return (ln.exp(), ln.exp());
        }
        // Welch and Satterthwaite.
        let freedom = variance.powi(2)
            / (before.variance.powi(2) / before.freedom + after.variance.powi(2) / after.freedom);
        let reach = student(1.0 - alpha, freedom.round().max(1.0)) * variance.sqrt();
        ((ln - reach).exp(), (ln + reach).exp())
    }
}

/// A number of a run that its time series has as well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// Messages received per second.
    Rate,
    /// A percentile of the latencies.
    Percentile(f64),
    /// Their mean.
    Mean,
}

/// The measured time of a run, cut into blocks.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Messages received and nanoseconds, for each block.
    received: Vec<(u64, u64)>,
    /// Latencies, ascending, each with how many of it each block has.
    latencies: Vec<(u64, Vec<u64>)>,
}

impl Blocks {
    /// Cuts the measured time; `None` if it is too short.
    pub(super) fn of(report: &Report) -> Option<Self> {
        let measured = report.phases.measured?;
        // Rows are read a little late now and then.
        let is_within = |row: &&RowReport| {
            let late_ns = row.length_ns / 10;
            row.begin_ns + late_ns >= measured.begin_ns
                && row.begin_ns + row.length_ns <= measured.end_ns + late_ns
        };
        let rows: Vec<_> = report.time_series.rows.iter().filter(is_within).collect();
        if rows.len() < ROWS_MIN {
            return None;
        }
        let number = rows.len().min(BLOCKS);
        let mut received = vec![(0, 0); number];
        let mut latencies: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (place, row) in rows.iter().enumerate() {
            let block = place * number / rows.len();
            received[block].0 += row.counts.received;
            received[block].1 += row.length_ns;
            let found = row.latency.as_ref().map(LatencyReport::distribution);
            for value in found.and_then(Result::ok).iter().flat_map(|all| {
                let values = all.histogram().iter_recorded();
                values.map(|value| (value.value_iterated_to(), value.count_at_value()))
            }) {
                latencies.entry(value.0).or_insert_with(|| vec![0; number])[block] += value.1;
            }
        }
        Some(Self { received, latencies: latencies.into_iter().collect() })
    }

    /// Returns the estimate of a number that the run measured as `measured`.
    pub(super) fn estimate(&self, number: Number, measured: f64) -> Option<Estimate> {
        let blocks = self.received.len();
        let mut lns = Vec::new();
        for draw in 0..DRAWS {
            let mut weights = vec![0; blocks];
            for place in 0..blocks {
                let drawn = random::below(random::after(draw, place as u64), blocks as u64);
                weights[usize::try_from(drawn).unwrap_or(0)] += 1;
            }
            // A draw of blocks without latencies says nothing.
            lns.extend(self.number(number, &weights).filter(|n| *n > 0.0).map(f64::ln));
        }
        if lns.len() < 2 || measured <= 0.0 {
            return None;
        }
        let blocks = as_f64(blocks);
        // Drawn variances are too small by the share of a block.
        let drawn = mean_and_variance(&lns).1 * blocks / (blocks - 1.0);
        let resolution = if number == Number::Rate { 0.0 } else { RESOLUTION.powi(2) / 12.0 };
        let variance = drawn + resolution + BETWEEN_RUNS.powi(2);
        Some(Estimate { ln: measured.ln(), variance, freedom: blocks - 1.0 })
    }

    /// Returns the number of a run that has each block as often as its weight says.
    fn number(&self, number: Number, weights: &[u64]) -> Option<f64> {
        if number == Number::Rate {
            let sum = |of: fn(&(u64, u64)) -> u64| -> u64 {
                self.received.iter().zip(weights).map(|(block, weight)| of(block) * weight).sum()
            };
            return Some(ratio(sum(|block| block.0), sum(|block| block.1)));
        }
        let counts = self.latencies.iter().map(|(ns, counts)| {
            let count: u64 = counts.iter().zip(weights).map(|(count, weight)| count * weight).sum();
            (*ns, count)
        });
        let total: u64 = counts.clone().map(|(_, count)| count).sum();
        if total == 0 {
            return None;
        }
        match number {
            Number::Percentile(percentile) => {
                let rank = crate::metrics::rank(percentile, total);
                let mut seen = 0;
                let mut counts = counts;
                counts.find_map(|(ns, count)| {
                    seen += count;
                    (seen >= rank).then(|| ratio(ns, 1))
                })
            }
            Number::Mean | Number::Rate => {
                let sum: u128 = counts.map(|(ns, count)| u128::from(ns) * u128::from(count)).sum();
                Some(ratio(u64::try_from(sum / u128::from(total)).unwrap_or(u64::MAX), 1))
            }
        }
    }
}

/// Returns the mean, and the variance of a single value.
fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let number = as_f64(values.len());
    let mean = values.iter().sum::<f64>() / number;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, squares / (number - 1.0))
}

/// Returns how many standard errors around a mean contain `share` of Student's t distribution with
/// this many degrees of freedom.
///
/// With t = sqrt(freedom) tan(angle), the distribution is a power of the cosine, so that its
/// integral needs no gamma function: sums over the quarter of a circle tell.
fn student(share: f64, freedom: f64) -> f64 {
    const STEPS: u32 = 20_000;
    let angle =
        |step: u32| (f64::from(step) + 0.5) / f64::from(STEPS) * std::f64::consts::FRAC_PI_2;
    let density = |step: u32| angle(step).cos().powf(freedom - 1.0);
    let whole: f64 = (0..STEPS).map(density).sum();
    let mut sum = 0.0;
    for step in 0..STEPS {
        sum += density(step);
        if sum >= share * whole {
            return freedom.sqrt() * angle(step).tan();
        }
    }
    f64::INFINITY
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
const fn as_f64(n: usize) -> f64 {
    n as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts and times below 2^53")]
fn ratio(n: u64, of: u64) -> f64 {
    n as f64 / of.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_as_in_the_tables() {
        for (share, freedom, t) in [
            (0.95, 1.0, 12.706),
            (0.95, 2.0, 4.303),
            (0.95, 9.0, 2.262),
            (0.99, 18.0, 2.878),
            (0.95, 1_000.0, 1.962),
        ] {
            let found = student(share, freedom);
            assert!((found - t).abs() < 0.01, "{share} of {freedom}: {found}, not {t}");
        }
    }

    #[test]
    fn several_runs_of_a_side_are_compared_as_they_are() {
        let before = Estimate::of_runs(&[100.0, 102.0, 98.0]).unwrap();
        let slower = Estimate::of_runs(&[120.0, 123.0, 118.0]).unwrap();
        let (from, to) = Estimate::ratio(&before, &slower, 0.05);
        assert!(from > 1.1 && to < 1.3 && from < 1.2 && to > 1.2, "{from} {to}");
        let (from, to) = Estimate::ratio(&before, &before, 0.05);
        assert!(from < 1.0 && to > 1.0 && to / from < 1.15, "{from} {to}");
        assert_eq!(Estimate::of_runs(&[1.0]), None);
        assert_eq!(Estimate::of_runs(&[1.0, 0.0]), None);
    }

    /// Runs whose seconds vary by chance: of intervals with a confidence of 95 %, about that many
    /// have the true ratio in them, whether it is 1 or another.
    #[test]
    fn an_interval_has_the_truth_in_it_as_often_as_it_says() {
        let blocks = |seed: u64, scale: f64| {
            let mut latencies: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
            for block in 0..BLOCKS {
                // Each second has an offset of its own, as a busy machine gives it.
                let offset = uniform(seed << 20 | (block as u64) << 10);
                for place in 0..20_u64 {
                    let own = uniform(seed << 20 | (block as u64) << 10 | (place + 1));
                    let ns = whole(1e6 * scale * (1.0 + 0.2 * offset + 0.3 * own));
                    latencies.entry(ns).or_insert_with(|| vec![0; BLOCKS])[block] += 1;
                }
            }
            let received = vec![(20, 1_000_000_000); BLOCKS];
            Blocks { received, latencies: latencies.into_iter().collect() }
        };
        for scale in [1.0, 1.25] {
            let pairs = 60;
            let held = (0..pairs).filter(|pair| {
                let (before, after) = (blocks(2 * pair, 1.0), blocks(2 * pair + 1, scale));
                let estimate = |blocks: &Blocks| {
                    let median = Number::Percentile(50.0);
                    let measured = blocks.number(median, &[1; BLOCKS]).unwrap();
                    let mut found = blocks.estimate(median, measured).unwrap();
                    // What is added for real runs isn't in these.
                    found.variance -= RESOLUTION.powi(2) / 12.0 + BETWEEN_RUNS.powi(2);
                    found
                };
                let (from, to) = Estimate::ratio(&estimate(&before), &estimate(&after), 0.05);
                from <= scale && scale <= to
            });
            let held = held.count();
            assert!((51..=60).contains(&held), "{held} of {pairs} at {scale}");
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "about 10^6")]
    fn whole(ns: f64) -> u64 {
        ns as u64
    }

    #[expect(clippy::cast_precision_loss, reason = "a number from 0 to 1")]
    fn uniform(number: u64) -> f64 {
        (random::after(number, 0) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
