//! When the bytes of a read arrived: one time for all that they say.
//!
//! Usually that is when this thread looks at them, since no more is known. The kernel can tell when
//! it had the last of them. What lies between the two is this program's queueing and none of the
//! server's doing, so it is kept apart.
//!
//! The kernel's stamps are by the wall clock, and all else is by the monotonic one. The two go at
//! the same pace, so the difference is measured once and looked at again now and then: reading
//! both clocks at each stamp would cost more, and a thread that loses its processor between the two
//! readings would put the arrival too early by as much.

use std::io;
use std::task::{Context, Poll};
use std::time::SystemTime;

use tokio::io::ReadBuf;

use crate::clock::{Clock, nanos};
use crate::net::{Stamped, Stream};

/// How often the difference of the clocks is looked at while bytes come in.
const CHECK_NS: u64 = 1_000_000;
/// Two readings of the monotonic clock around one of the wall clock are this close, or the thread
/// lost its processor in between.
const BRACKET_NS: u64 = 20_000;
/// A larger change of the difference is a step of the wall clock, and no inaccuracy.
const STEP_NS: u64 = 50_000;
/// Tries to measure the difference at the beginning.
const TRIES: usize = 16;

/// When the bytes of a read arrived, in nanoseconds after the run's begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// When the kernel had the last of them, or else when this program looked at them.
    pub(crate) arrived_ns: u64,
    /// From the kernel's time to this program's look; `None` if the kernel didn't say.
    pub(crate) lag_ns: Option<u64>,
}

impl Receipt {
    /// Of bytes of which no more is known than that they are there now.
    pub(crate) const fn seen(now_ns: u64) -> Self {
        Self { arrived_ns: now_ns, lag_ns: None }
    }
}

/// Reads whose bytes the kernel has stamped, on the sockets of a thread.
#[derive(Debug)]
pub(crate) struct Receipts {
    stamped: Stamped,
    /// The stamp of the last read, until its bytes are looked at.
    unix_ns: Option<u64>,
    wall: Wall,
}

impl Receipts {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { stamped: Stamped::new(), unix_ns: None, wall: Wall::new(clock) }
    }

    /// Has the kernel stamp what comes in on a stream. Where it can't, messages count as timed by
    /// this program.
    pub(crate) fn begin(stream: &Stream) {
        Stamped::begin(stream).ok();
    }

    /// Reads as `poll_read` does, and keeps the stamp for [`take`](Self::take).
    pub(crate) fn poll_read(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stamped.poll_read(stream, cx, buffer).map_ok(|unix_ns| self.unix_ns = unix_ns)
    }

    /// Returns when the bytes of the last read arrived, that are looked at now.
    pub(crate) fn take(&mut self, now_ns: u64) -> Receipt {
        let arrived_ns =
            self.unix_ns.take().and_then(|unix_ns| self.wall.arrived_ns(unix_ns, now_ns));
        match arrived_ns {
            None => Receipt::seen(now_ns),
            Some(arrived_ns) => Receipt { arrived_ns, lag_ns: Some(now_ns - arrived_ns) },
        }
    }
}

/// The wall clock's time at the begin of a run, by the difference of the clocks.
#[derive(Debug)]
struct Wall {
    clock: Clock,
    /// In nanoseconds since 1970; `None` before the first stamp.
    begin: Option<Reading>,
    /// When the difference was last looked at.
    checked_ns: u64,
    /// When the wall clock was last found to have been set: stamps from before are worth nothing.
    set_ns: u64,
}

/// A measurement of the difference between the wall clock and a [`Clock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    begin_unix_ns: u64,
    /// How far apart the readings around it were: half of it may be wrong.
    bracket_ns: u64,
}

impl Reading {
    fn of(clock: Clock) -> Self {
        let before_ns = clock.now_ns();
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let bracket_ns = clock.now_ns().saturating_sub(before_ns);
        let unix_ns = nanos(since_1970.unwrap_or_default());
        Self { begin_unix_ns: unix_ns.saturating_sub(before_ns + bracket_ns / 2), bracket_ns }
    }
}

impl Wall {
    const fn new(clock: Clock) -> Self {
        Self { clock, begin: None, checked_ns: 0, set_ns: 0 }
    }

    /// Returns when a stamp was made; `None` if that isn't known.
    fn arrived_ns(&mut self, unix_ns: u64, now_ns: u64) -> Option<u64> {
        let reading = match self.begin {
            None => {
                let readings = (0..TRIES).map(|_| Reading::of(self.clock));
                self.checked_ns = now_ns;
                readings.min_by_key(|reading| reading.bracket_ns)?
            }
            Some(begin) if now_ns.saturating_sub(self.checked_ns) < CHECK_NS => begin,
            Some(_) => Reading::of(self.clock),
        };
        let begin = self.checked(reading, now_ns);
        let arrived_ns = unix_ns.checked_sub(begin.begin_unix_ns)?;
        // Later than now by no more than the clocks can be read.
        (self.set_ns <= arrived_ns && arrived_ns <= now_ns + STEP_NS)
            .then(|| arrived_ns.min(now_ns))
    }

    /// Takes in a measurement; returns the one that holds.
    fn checked(&mut self, reading: Reading, now_ns: u64) -> Reading {
        let Some(begin) = &mut self.begin else {
            return *self.begin.insert(reading);
        };
        if reading == *begin || reading.bracket_ns > BRACKET_NS {
            return *begin;
        }
        self.checked_ns = now_ns;
        if reading.begin_unix_ns.abs_diff(begin.begin_unix_ns) > STEP_NS {
            *begin = reading;
            self.set_ns = now_ns;
        } else if reading.bracket_ns < begin.bracket_ns {
            *begin = reading;
        }
        *begin
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: u64 = 1_000_000;

    fn wall(begin_unix_ns: u64, checked_ns: u64) -> Wall {
        let begin = Some(Reading { begin_unix_ns, bracket_ns: 100 });
        Wall { begin, checked_ns, ..Wall::new(Clock::start()) }
    }

    #[test]
    fn a_stamp_becomes_a_time_of_the_run() {
        let clock = Clock::started_at(SystemTime::now() - Duration::from_secs(5));
        let mut wall = Wall::new(clock);
        let before_ns = clock.now_ns();
        let stamp = nanos(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap());
        let after_ns = clock.now_ns();
        std::thread::sleep(Duration::from_millis(5));
        let arrived_ns = wall.arrived_ns(stamp, clock.now_ns()).unwrap();
        let near_ns = before_ns - BRACKET_NS..=after_ns + BRACKET_NS;
        assert!(near_ns.contains(&arrived_ns), "{arrived_ns} {near_ns:?}");
    }

    #[test]
    fn a_stamp_that_cannot_be_is_no_time() {
        let mut wall = wall(1_000 * MS, 10 * MS);
        let mut at = |unix_ms: u64| wall.arrived_ns(unix_ms * MS, 10 * MS);
        assert_eq!(at(1_007), Some(7 * MS));
        assert_eq!(at(1_010), Some(10 * MS));
        assert_eq!(at(1_011), None, "later than now");
        assert_eq!(at(999), None, "before the run");
        let just_now = wall.arrived_ns(1_010 * MS + 900, 10 * MS);
        assert_eq!(just_now, Some(10 * MS), "never later than now");
    }

    #[test]
    fn a_step_of_the_wall_clock_is_no_latency() {
        for step_ms in [-500_i64, 300] {
            let mut wall = wall(1_000 * MS, 20 * MS);
            let set = Reading {
                begin_unix_ns: (1_000 * MS).saturating_add_signed(step_ms * 1_000_000),
                bracket_ns: 200,
            };
            assert_eq!(wall.checked(set, 30 * MS), set);
            let stamp = |ms: u64| set.begin_unix_ns + ms * MS;
            wall.checked_ns = 40 * MS;
            assert_eq!(wall.arrived_ns(stamp(39), 40 * MS), Some(39 * MS), "{step_ms}");
            let before = wall.arrived_ns(1_000 * MS + 29 * MS, 40 * MS);
            assert_eq!(before, None, "{step_ms}: stamped by the clock as it was");
        }
    }

    #[test]
    fn a_look_without_a_processor_says_nothing() {
        let mut wall = wall(1_000 * MS, 0);
        let begin = wall.begin.unwrap();
        let torn = Reading { begin_unix_ns: 1_003 * MS, bracket_ns: 3 * MS };
        assert_eq!(wall.checked(torn, 5 * MS), begin);
        assert_eq!((wall.set_ns, wall.checked_ns), (0, 0), "to be tried again");
        let closer = Reading { begin_unix_ns: 1_000 * MS + 30, bracket_ns: 40 };
        assert_eq!(wall.checked(closer, 5 * MS), closer);
        assert_eq!(wall.set_ns, 0);
    }
}
