//! When the copies of some messages reached a process: together with the times of all other
//! processes, they give the first, the last and the spread of each message. Sampled, so that memory
//! and result files are bounded.

/// Most messages sampled; all are sampled in a run with no more.
const SAMPLED_MAX: u64 = 10_000;

/// Which messages of a run are sampled: the same in every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    messages: u64,
    /// One message in this many is sampled.
    pub every: u64,
}

impl Sampling {
    /// Returns the sampling of a run with at most `messages` messages.
    #[must_use]
    pub const fn new(messages: u64) -> Self {
        let every = messages.div_ceil(SAMPLED_MAX);
        Self { messages, every: if every == 0 { 1 } else { every } }
    }

    /// Returns the place of a message of the run among the sampled ones, if it is one.
    pub(crate) fn place(self, message: u64) -> Option<usize> {
        let is_noted = message < self.messages && message.is_multiple_of(self.every);
        is_noted.then(|| usize::try_from(message / self.every).ok())?
    }
}

/// When copies of a message came, in nanoseconds after it was due; differing clocks can make these
/// negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Number of copies.
    pub copies: u64,
    /// When the first came.
    pub first_ns: i64,
    /// When the last came.
    pub last_ns: i64,
}

impl Sample {
    const NONE: Self = Self { copies: 0, first_ns: i64::MAX, last_ns: i64::MIN };

    /// Adds copies that came to other processes.
    pub fn add(&mut self, other: &Self) {
        self.copies = self.copies.saturating_add(other.copies);
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
    }
}

/// Samples by their place among the sampled messages.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<Sample>);

impl Samples {
    /// Records a copy.
    pub(crate) fn note(&mut self, place: usize, latency_ns: i64) {
        self.add(place, &Sample { copies: 1, first_ns: latency_ns, last_ns: latency_ns });
    }

    fn add(&mut self, place: usize, sample: &Sample) {
        if self.0.len() <= place {
            self.0.resize(place + 1, Sample::NONE);
        }
        self.0[place].add(sample);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (place, sample) in other.0.iter().enumerate() {
            self.add(place, sample);
        }
    }

    /// Iterates over the messages with a copy, each with its number in the run.
    pub fn iter(&self, sampling: Sampling) -> impl Iterator<Item = (u64, Sample)> {
        let numbered = self.0.iter().zip(0_u64..);
        numbered
            .filter(|(sample, _)| sample.copies > 0)
            .map(move |(&sample, place)| (place * sampling.every, sample))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_run_is_noted_whole_and_a_large_one_evenly() {
        for (messages, every, noted) in
            [(0, 1, 0), (1, 1, 1), (10_000, 1, 10_000), (10_001, 2, 5_001), (1 << 20, 105, 9_987)]
        {
            let sampling = Sampling::new(messages);
            assert_eq!(sampling.every, every, "{messages}");
            let places = (0..messages + 1_000).filter_map(|message| sampling.place(message));
            let places: Vec<_> = places.collect();
            assert_eq!(places, (0..noted).collect::<Vec<_>>(), "{messages}");
        }
        assert_eq!(Sampling::new(u64::MAX).place(u64::MAX - 1), None);
    }

    #[test]
    fn samples_of_workers_are_put_together() {
        let (mut one, mut other) = (Samples::default(), Samples::default());
        one.note(0, 500);
        one.note(0, 300);
        other.note(0, 400);
        other.note(2, -7);
        one.merge(&other);
        let found: Vec<_> = one.iter(Sampling::new(20_000)).collect();
        let sample = |copies, first_ns, last_ns| Sample { copies, first_ns, last_ns };
        assert_eq!(found, [(0, sample(3, 300, 500)), (4, sample(1, -7, -7))]);
    }
}
