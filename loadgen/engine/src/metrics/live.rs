//! Counts for the progress line and the time series, which read them while load runs.
//!
//! Each worker writes its own [`Live`] with plain loads and stores: no locked instruction and
//! nothing shared between workers; a reader costs a worker a cache line now and then. A reader sees
//! each number at some recent moment, not all at the same one.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::counts::counts;
use super::packed::Packed;
use super::reach::AddressCounts;

/// Parts of each power of two: a latency is known to 1/32, about 3 %.
const PARTS_BITS: u32 = 5;
const PARTS: u64 = 1 << PARTS_BITS;
/// The power of two whose latencies are in the last slots: 2^40 ns is 18 minutes.
const EXPONENT_MAX: u32 = 40;
/// Slots of latencies; the last holds all longer ones.
const SLOTS: usize = ((EXPONENT_MAX - PARTS_BITS + 2) as usize) << PARTS_BITS;

/// A number that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the thread that owns the counter may call this: it is a load and a store.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Returns the current value.
    #[must_use]
    pub fn load(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

counts! {
    /// What happened in an interval of time, or since the run began.
    pub struct IntervalCounts {
        /// Connections established, for the first time or again.
        established: sum,
        /// Connections that ended in a failure.
        failed: sum,
        /// Connections lost that are to be reopened.
        lost: sum,
        /// Attempts to reopen lost connections.
        reconnect_attempts: sum,
        /// Messages sent.
        sent: sum,
        /// Echoes received unchanged.
        received: sum,
        /// Messages received that are not such echoes.
        wrong: sum,
    }
}

counts! {
    /// What happened at a step of a scenario in an interval of time, or since the run began.
    pub struct StepInterval {
        /// Ended as it should.
        ok: sum,
        /// Ended in any other way.
        failed: sum,
        /// Ended with an answer, whose time is known.
        answered: sum,
        /// The time of those answers together, in nanoseconds.
        service_ns: sum,
    }
}

impl StepInterval {
    const fn since(&self, earlier: &Self) -> Self {
        Self {
            ok: self.ok.saturating_sub(earlier.ok),
            failed: self.failed.saturating_sub(earlier.failed),
            answered: self.answered.saturating_sub(earlier.answered),
            service_ns: self.service_ns.saturating_sub(earlier.service_ns),
        }
    }
}

/// The steps of a scenario, by measure, and the messages of its rules, by rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayedInterval {
    /// Steps.
    pub steps: Vec<StepInterval>,
    /// Messages of rules.
    pub rules: Vec<u64>,
}

impl PlayedInterval {
    /// Adds what `other` has counted, of the same scenario.
    pub fn add(&mut self, other: &Self) {
        let Self { steps, rules } = other;
        self.steps.resize(self.steps.len().max(steps.len()), StepInterval::default());
        self.rules.resize(self.rules.len().max(rules.len()), 0);
        self.steps.iter_mut().zip(steps).for_each(|(own, other)| own.add(other));
        self.rules.iter_mut().zip(rules).for_each(|(own, other)| *own = own.saturating_add(*other));
    }

    fn since(&self, earlier: &Self) -> Self {
        let steps = self.steps.iter().enumerate();
        let steps = steps.map(|(at, step)| match earlier.steps.get(at) {
            Some(earlier) => step.since(earlier),
            None => *step,
        });
        let rules = self.rules.iter().enumerate();
        let rules =
            rules.map(|(at, n)| n.saturating_sub(earlier.rules.get(at).copied().unwrap_or(0)));
        Self { steps: steps.collect(), rules: rules.collect() }
    }
}

impl IntervalCounts {
    /// Returns the counts since `earlier`.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            established: self.established.saturating_sub(earlier.established),
            failed: self.failed.saturating_sub(earlier.failed),
            lost: self.lost.saturating_sub(earlier.lost),
            reconnect_attempts: self.reconnect_attempts.saturating_sub(earlier.reconnect_attempts),
            sent: self.sent.saturating_sub(earlier.sent),
            received: self.received.saturating_sub(earlier.received),
            wrong: self.wrong.saturating_sub(earlier.wrong),
        }
    }
}

/// What became of the connections to an address, as in [`AddressCounts`].
#[derive(Debug, Default)]
struct LiveAddress {
    established: Counter,
    failed: Counter,
    overtaken: Counter,
}

impl LiveAddress {
    fn add(&self, counts: &AddressCounts) {
        let AddressCounts { established, failed, overtaken } = *counts;
        self.established.add(established);
        self.failed.add(failed);
        self.overtaken.add(overtaken);
    }

    fn load(&self) -> AddressCounts {
        AddressCounts {
            established: self.established.load(),
            failed: self.failed.load(),
            overtaken: self.overtaken.load(),
        }
    }
}

/// What happened at a step of a scenario so far.
#[derive(Debug, Default)]
pub struct LiveStep {
    ok: Counter,
    failed: Counter,
    answered: Counter,
    service_ns: Counter,
}

impl LiveStep {
    /// Counts a step that ended as it should, perhaps with an answer that took so long.
    #[inline]
    pub fn ok(&self, service_ns: Option<u64>) {
        self.ok.add(1);
        if let Some(service_ns) = service_ns {
            self.answered.add(1);
            self.service_ns.add(service_ns);
        }
    }

    /// Counts a step that ended in any other way.
    pub fn failed(&self) {
        self.failed.add(1);
    }

    fn load(&self) -> StepInterval {
        StepInterval {
            ok: self.ok.load(),
            failed: self.failed.load(),
            answered: self.answered.load(),
            service_ns: self.service_ns.load(),
        }
    }
}

/// What one worker has done so far.
#[derive(Debug)]
#[repr(align(128))] // no line of it is another worker's
pub struct Live {
    /// Connections started.
    pub attempted: Counter,
    /// Connections whose opening handshake succeeded.
    pub established: Counter,
    /// Connections that were established and have ended.
    pub ended: Counter,
    /// Ended connections that this side closed because the run ended.
    pub released: Counter,
    /// Connections that ended in a failure, established or not.
    pub failed: Counter,
    /// Connections lost that are to be reopened.
    pub lost: Counter,
    /// Attempts to reopen lost connections.
    pub reconnect_attempts: Counter,
    /// Messages sent.
    pub sent: Counter,
    /// Echoes received unchanged.
    pub received: Counter,
    /// Messages received that are not such echoes.
    pub wrong: Counter,
    /// Steps of a scenario, by measure.
    pub steps: Box<[LiveStep]>,
    /// Messages of the rules of a scenario.
    pub rules: Box<[Counter]>,
    latency: Box<[Counter]>,
    /// The addresses of each URL.
    addresses: Box<[Box<[LiveAddress]>]>,
}

impl Live {
    /// Returns counters at zero, for URLs with so many addresses, and for so many steps and rules of
    /// a scenario.
    #[must_use]
    pub fn of_run(
        addresses: impl IntoIterator<Item = usize>,
        (steps, rules): (usize, usize),
    ) -> Self {
        Self {
            steps: (0..steps).map(|_| LiveStep::default()).collect(),
            rules: (0..rules).map(|_| Counter::default()).collect(),
            ..Self::with_addresses(addresses)
        }
    }

    /// Returns counters at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::with_addresses([])
    }

    /// Returns counters at zero, for URLs with so many addresses.
    #[must_use]
    pub fn with_addresses(lens: impl IntoIterator<Item = usize>) -> Self {
        let addresses = |len| (0..len).map(|_| LiveAddress::default()).collect();
        Self {
            addresses: lens.into_iter().map(addresses).collect(),
            attempted: Counter::default(),
            established: Counter::default(),
            ended: Counter::default(),
            released: Counter::default(),
            failed: Counter::default(),
            lost: Counter::default(),
            reconnect_attempts: Counter::default(),
            sent: Counter::default(),
            received: Counter::default(),
            wrong: Counter::default(),
            steps: Box::default(),
            rules: Box::default(),
            latency: (0..SLOTS).map(|_| Counter::default()).collect(),
        }
    }

    /// Counts a latency for the progress line and the time series.
    #[inline]
    pub fn latency(&self, ns: u64) {
        self.latencies(ns, 1);
    }

    /// Counts what became of connections to an address, by its place and that of its URL.
    pub(crate) fn address(&self, url: usize, place: usize, counts: &AddressCounts) {
        if let Some(address) = self.addresses.get(url).and_then(|all| all.get(place)) {
            address.add(counts);
        }
    }

    /// Counts a latency `count` times.
    #[inline]
    pub fn latencies(&self, ns: u64, count: u64) {
        self.latency[slot(ns)].add(count);
    }
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

#[inline]
fn slot(ns: u64) -> usize {
    if ns < PARTS {
        return usize::try_from(ns).unwrap_or(0);
    }
    let exponent = ns.ilog2();
    let part = (ns >> (exponent - PARTS_BITS)) & (PARTS - 1);
    let slot = u64::from(exponent - PARTS_BITS + 1) * PARTS + part;
    usize::try_from(slot).map_or(SLOTS - 1, |slot| slot.min(SLOTS - 1))
}

/// Returns the longest latency that is counted in `slot`.
fn slot_end(slot: usize) -> u64 {
    let slot = slot as u64;
    if slot < PARTS {
        return slot;
    }
    let shift = slot / PARTS - 1;
    ((PARTS + slot % PARTS + 1) << shift) - 1
}

/// The numbers of all workers at about one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Connections started.
    pub attempted: u64,
    /// Connections that are open.
    pub open: u64,
    /// Connections that are open, or were until this side closed them at the end of the run.
    pub kept: u64,
    /// Everything else that happened.
    pub counts: IntervalCounts,
    /// What became of the connections to each address, URL by URL.
    addresses: Vec<AddressCounts>,
    played: PlayedInterval,
    #[serde(serialize_with = "write_slots", deserialize_with = "read_slots")]
    latency: Box<[u64]>,
}

/// Writes the slots that aren't empty, each with its count: few of them are in use.
fn write_slots<S: Serializer>(slots: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(slots.iter().enumerate().filter(|(_, count)| **count > 0))
}

fn read_slots<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[u64]>, D::Error> {
    let used = Vec::<(usize, u64)>::deserialize(deserializer)?;
    let mut slots = vec![0; SLOTS];
    for (slot, count) in used {
        *slots.get_mut(slot).ok_or_else(|| serde::de::Error::custom("no such slot"))? = count;
    }
    Ok(slots.into())
}

impl Snapshot {
    /// Returns a snapshot before anything has happened.
    #[must_use]
    pub fn zero() -> Self {
        Self::of([])
    }

    /// Adds up the numbers of the workers.
    #[must_use]
    pub fn of<'l>(workers: impl IntoIterator<Item = &'l Live>) -> Self {
        let mut sum = Self {
            attempted: 0,
            open: 0,
            kept: 0,
            counts: IntervalCounts::default(),
            addresses: Vec::new(),
            played: PlayedInterval::default(),
            latency: vec![0; SLOTS].into(),
        };
        for live in workers {
            let released = live.released.load(); // before `ended`, of which it is a part
            let ended = live.ended.load(); // before `established`, so that the difference isn't negative
            let established = live.established.load();
            sum.attempted += live.attempted.load();
            let open = established.saturating_sub(ended);
            sum.open += open;
            sum.kept += open + released;
            sum.counts.add(&IntervalCounts {
                established,
                failed: live.failed.load(),
                lost: live.lost.load(),
                reconnect_attempts: live.reconnect_attempts.load(),
                sent: live.sent.load(),
                received: live.received.load(),
                wrong: live.wrong.load(),
            });
            let addresses = live.addresses.iter().flatten().map(LiveAddress::load);
            for (place, counts) in addresses.enumerate() {
                if sum.addresses.len() <= place {
                    sum.addresses.push(AddressCounts::default());
                }
                sum.addresses[place].add(&counts);
            }
            let PlayedInterval { steps, rules } = &mut sum.played;
            steps.resize(steps.len().max(live.steps.len()), StepInterval::default());
            rules.resize(rules.len().max(live.rules.len()), 0);
            steps.iter_mut().zip(&live.steps).for_each(|(sum, step)| sum.add(&step.load()));
            rules.iter_mut().zip(&live.rules).for_each(|(sum, rule)| *sum += rule.load());
            for (sum, slot) in sum.latency.iter_mut().zip(&live.latency) {
                *sum += slot.load();
            }
        }
        sum
    }

    /// Adds the numbers of another process.
    pub fn add(&mut self, other: &Self) {
        let Self { attempted, open, kept, counts, addresses, played, latency } = other;
        self.attempted += attempted;
        self.open += open;
        self.kept += kept;
        self.counts.add(counts);
        let len = self.addresses.len().max(addresses.len());
        self.addresses.resize(len, AddressCounts::default());
        self.addresses.iter_mut().zip(addresses).for_each(|(own, other)| own.add(other));
        self.played.add(played);
        self.latency.iter_mut().zip(latency).for_each(|(own, other)| *own += other);
    }

    /// Returns the addresses to which connections were opened or failed since an earlier snapshot,
    /// each with its place among those of all URLs.
    #[must_use]
    pub fn addresses_since(&self, earlier: &Self) -> Vec<(usize, AddressCounts)> {
        let earlier = |place: usize| earlier.addresses.get(place).copied().unwrap_or_default();
        let new = self.addresses.iter().enumerate();
        let new = new.map(|(place, counts)| (place, counts.since(&earlier(place))));
        new.filter(|(_, counts)| *counts != AddressCounts::default()).collect()
    }

    /// Returns what happened at the steps of a scenario since an earlier snapshot.
    #[must_use]
    pub fn played_since(&self, earlier: &Self) -> PlayedInterval {
        self.played.since(&earlier.played)
    }

    /// Returns the latencies since an earlier snapshot.
    #[must_use]
    pub fn latencies_since(&self, earlier: &Self) -> Latencies {
        let new = |slot: usize| self.latency[slot].saturating_sub(earlier.latency[slot]);
        Latencies(Packed::new((0..SLOTS).map(|slot| (slot, new(slot)))))
    }

    /// Returns percentiles of the latencies since an earlier snapshot, in nanoseconds, each at most
    /// 3 % too high; `None` if there were none. `percentiles` must ascend.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank among fewer than 2^53 latencies"
    )]
    pub fn percentiles_since<const N: usize>(
        &self,
        earlier: &Self,
        percentiles: [f64; N],
    ) -> Option<[u64; N]> {
        let new = |slot: usize| self.latency[slot].saturating_sub(earlier.latency[slot]);
        let total: u64 = (0..SLOTS).map(new).sum();
        if total == 0 {
            return None;
        }
        let (mut slot, mut seen) = (0, new(0));
        Some(percentiles.map(|percentile| {
            let rank = ((total as f64 * percentile / 100.0).ceil() as u64).clamp(1, total);
            while seen < rank && slot < SLOTS - 1 {
                slot += 1;
                seen += new(slot);
            }
            slot_end(slot)
        }))
    }
}

/// The latencies of an interval, to 3 %, in a few hundred bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies(Packed);

impl Latencies {
    /// Returns the longest latency of each slot in nanoseconds, at most 3 % too high, and the
    /// slot's count. Ascending, without empty slots.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(slot, count)| (slot_end(slot), count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_in_order_and_end_where_the_next_begins() {
        for ns in (0..100_000).chain((17..41).map(|bits| 1 << bits)) {
            let slot = slot(ns);
            assert!(slot_end(slot) >= ns, "{ns}");
            assert!(slot == 0 || slot_end(slot - 1) < ns, "{ns}");
            assert!(slot_end(slot) <= ns + ns / 32, "{ns}");
        }
        assert_eq!(slot(u64::MAX), SLOTS - 1);
    }

    #[test]
    fn p8_addresses_are_counted_by_worker_and_interval() {
        let lives = [(); 2].map(|()| Live::with_addresses([0, 2, 1]));
        lives[0].address(1, 1, &AddressCounts::ESTABLISHED);
        lives[1].address(2, 0, &AddressCounts::FAILED);
        let earlier = Snapshot::of(&lives);
        assert_eq!(
            earlier.addresses_since(&Snapshot::zero()),
            [(1, AddressCounts::ESTABLISHED), (2, AddressCounts::FAILED)]
        );
        lives[0].address(2, 0, &AddressCounts::OVERTAKEN);
        lives[1].address(2, 0, &AddressCounts::FAILED);
        lives[1].address(0, 0, &AddressCounts::FAILED); // a URL with one address
        let both = AddressCounts { established: 0, failed: 1, overtaken: 1 };
        assert_eq!(Snapshot::of(&lives).addresses_since(&earlier), [(2, both)]);
    }

    #[test]
    fn snapshots_of_processes_add_up_as_those_of_workers() {
        let lives = [(); 2].map(|()| Live::of_run([2], (1, 1)));
        for (n, live) in (1..).zip(&lives) {
            live.attempted.add(3 * n);
            live.established.add(2 * n);
            live.ended.add(n);
            live.sent.add(5 * n);
            live.address(0, 1, &AddressCounts::ESTABLISHED);
            live.steps[0].ok(Some(7));
            live.latencies(1_000 * n, n);
        }
        let of_each = lives.each_ref().map(|live| Snapshot::of([live]));
        let mut sum = Snapshot::zero();
        for snapshot in &of_each {
            let line = serde_json::to_string(snapshot).unwrap();
            assert!(line.len() < 600 && !line.contains('\n'), "{line}");
            let read: Snapshot = serde_json::from_str(&line).unwrap();
            assert_eq!(read, *snapshot);
            sum.add(&read);
        }
        assert_eq!(sum, Snapshot::of(&lives));
        let beyond = serde_json::to_string(&of_each[0]).unwrap().replace("[190,", "[99999,");
        assert!(serde_json::from_str::<Snapshot>(&beyond).is_err(), "{beyond}");
    }

    #[test]
    fn percentiles_are_of_what_came_since() {
        let live = Live::new();
        for _ in 0..1_000 {
            live.latency(5_000_000);
        }
        let earlier = Snapshot::of([&live]);
        for ns in (1..=100).map(|us| us * 1_000) {
            live.latency(ns);
        }
        let now = Snapshot::of([&live]);
        let [p50, p99] = now.percentiles_since(&earlier, [50.0, 99.0]).unwrap();
        assert!((50_000..52_000).contains(&p50), "{p50}");
        assert!((99_000..103_000).contains(&p99), "{p99}");
        assert_eq!(now.percentiles_since(&now, [50.0]), None);
        let new: Vec<_> = now.latencies_since(&earlier).iter().collect();
        assert_eq!(new.iter().map(|(_, count)| count).sum::<u64>(), 100);
        assert!(new.is_sorted() && new.iter().all(|&(ns, _)| (1_000..103_000).contains(&ns)));
    }
}
