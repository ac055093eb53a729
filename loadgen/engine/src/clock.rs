//! Reads the monotonic clock as nanoseconds after a run began, and rings an alarm at such a time.
//!
//! tokio's timers have a resolution of a millisecond, which would be most of what is measured here.
//! The alarm is a kernel timer on the thread's own poller: it rings when asked to, give or take the
//! wake-up of the thread. For a time that is nearer than a wake-up, the thread stays awake.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe;
use tokio::task::yield_now;

/// When a run begins, for the processes of a machine to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// In nanoseconds of the clock that all processes of a machine share (`CLOCK_MONOTONIC`).
    monotonic_ns: u64,
    /// In nanoseconds since 1970.
    unix_ns: u64,
}

impl Epoch {
    /// Returns the moment that is this far ahead.
    #[must_use]
    pub fn ahead(ahead: Duration) -> Self {
        let ahead_ns = nanos(ahead);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self {
            monotonic_ns: monotonic_ns().saturating_add(ahead_ns),
            unix_ns: nanos(now).saturating_add(ahead_ns),
        }
    }

    /// Returns the moment by the wall clock.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(self.unix_ns)
    }

    /// Returns the time left until the moment; zero once it is over.
    #[must_use]
    pub fn left(&self) -> Duration {
        Duration::from_nanos(self.monotonic_ns.saturating_sub(monotonic_ns()))
    }
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let [seconds, nanos] = [now.tv_sec, now.tv_nsec].map(|n| u64::try_from(n).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// Nanoseconds since a run began. Unaffected by jumps of the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
    /// When the run began by the wall clock, in nanoseconds since 1970.
    epoch_unix_ns: u64,
}

impl Clock {
    /// Starts a clock for a run that begins now.
    #[must_use]
    pub fn start() -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self { epoch: Instant::now(), epoch_unix_ns: nanos(since_1970.unwrap_or_default()) }
    }

    /// Starts a clock for a run that began, or will begin, at a time of the wall clock. Later jumps
    /// of the wall clock have no effect.
    #[must_use]
    pub fn started_at(at: SystemTime) -> Self {
        let (wall, now) = (SystemTime::now(), Instant::now());
        let epoch = match wall.duration_since(at) {
            Ok(ago) => now.checked_sub(ago),
            Err(ahead) => now.checked_add(ahead.duration()),
        };
        let since_1970 = at.duration_since(SystemTime::UNIX_EPOCH);
        Self { epoch: epoch.unwrap_or(now), epoch_unix_ns: nanos(since_1970.unwrap_or_default()) }
    }

    /// Returns the clock of a run that begins at a moment several processes agreed on. Their clocks
    /// agree to the time between two readings here, less than a microsecond.
    #[must_use]
    pub fn of(epoch: Epoch) -> Self {
        let (now, now_ns) = (Instant::now(), monotonic_ns());
        let begin = match now_ns.checked_sub(epoch.monotonic_ns) {
            Some(ago_ns) => now.checked_sub(Duration::from_nanos(ago_ns)),
            None => now.checked_add(Duration::from_nanos(epoch.monotonic_ns - now_ns)),
        };
        Self { epoch: begin.unwrap_or(now), epoch_unix_ns: epoch.unix_ns }
    }

    /// Returns the time since the run began; saturates after 584 years.
    #[must_use]
    #[inline]
    pub fn now_ns(&self) -> u64 {
        nanos(self.epoch.elapsed())
    }

    /// Converts nanoseconds after the begin to nanoseconds since 1970, assuming that the wall clock
    /// has been right since then.
    #[must_use]
    pub const fn unix_ns(&self, ns: u64) -> u64 {
        self.epoch_unix_ns.saturating_add(ns)
    }

    /// Converts nanoseconds after the begin to an instant for a timer.
    #[must_use]
    pub fn instant(&self, ns: u64) -> tokio::time::Instant {
        (self.epoch + Duration::from_nanos(ns)).into()
    }
}

/// Converts a duration to nanoseconds; saturates after 584 years.
#[must_use]
#[inline]
pub fn nanos(duration: Duration) -> u64 {
    const NANOS_PER_S: u64 = 1_000_000_000;
    duration
        .as_secs()
        .saturating_mul(NANOS_PER_S)
        .saturating_add(u64::from(duration.subsec_nanos()))
}

/// Below this distance no timer is set. Setting one and being woken by it takes the machine as
/// long, and a virtual machine longer.
const SPIN_NS: u64 = 50_000;
/// If two looks at the clock are further apart, the thread did more in between than poll the
/// sockets.
const LOOK_NS: u64 = 20_000;

/// Rings at a time of a [`Clock`]. Each alarm waits for one time.
///
/// For a time that is near, it looks at the clock and the sockets in turn, which costs a busy
/// thread less than a wake-up, and an idle one at most a few microseconds for each time.
#[derive(Debug)]
pub struct Alarm {
    /// The timer's descriptor is read like a pipe's: the bytes say how often it has rung. tokio has
    /// no type for it that can be made without `unsafe`.
    timer: pipe::Receiver,
    clock: Clock,
    /// The time the timer is set to.
    set_ns: Option<u64>,
    /// The last look at the clock while spinning, and the value of `done` at it.
    looked: Option<(u64, u64)>,
    spun_ns: u64,
    /// The last value of `done`, and when it last grew.
    last_done: (u64, u64),
}

impl Alarm {
    /// Creates an alarm on the current runtime.
    ///
    /// # Errors
    /// The system's error if no descriptor is left.
    pub fn new(clock: Clock) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let timer = pipe::Receiver::from_owned_fd_unchecked(timer)?;
        Ok(Self { timer, clock, set_ns: None, looked: None, spun_ns: 0, last_done: (0, 0) })
    }

    /// Ready once it is `ns` or later. `done` grows with the work of the thread: only time in which
    /// it stays the same counts as [spun](Self::spun_ns). If more `is_expected` soon, the thread
    /// stays awake for it as it does for a time that is near.
    pub fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        ns: u64,
        done: u64,
        is_expected: bool,
    ) -> Poll<()> {
        loop {
            let now_ns = self.clock.now_ns();
            if let Some((looked_ns, before)) = self.looked.take()
                && before == done
                && now_ns.saturating_sub(looked_ns) <= LOOK_NS
            {
                self.spun_ns += now_ns.saturating_sub(looked_ns);
            }
            if now_ns >= ns {
                return Poll::Ready(());
            }
            if self.last_done.0 != done {
                self.last_done = (done, now_ns);
            }
            let is_expected = is_expected && now_ns.saturating_sub(self.last_done.1) < SPIN_NS;
            if ns - now_ns <= SPIN_NS || is_expected {
                self.looked = Some((now_ns, done));
                // Lets another thread run on the same processor; it may be the server's.
                std::thread::yield_now();
                // Wakes again once the runtime has polled the sockets.
                return pin!(yield_now()).poll(cx);
            }
            if self.set_ns != Some(ns) {
                // Setting the timer again clears pending and past rings.
                if timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once(ns - now_ns))
                    .is_err()
                {
                    // Can't happen with a valid descriptor and time; a late ring is better than
                    // none.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                self.set_ns = Some(ns);
            }
            // Longer than the number that is read: a short read tells the runtime that no more
            // follows.
            let mut rings = [0; 16];
            match Pin::new(&mut self.timer).poll_read(cx, &mut ReadBuf::new(&mut rings)) {
                Poll::Pending => return Poll::Pending,
                // A ring for an earlier setting, or one slightly too early: set the timer again.
                Poll::Ready(Ok(())) => self.set_ns = None,
                Poll::Ready(Err(_)) => return Poll::Ready(()), // the runtime is going down
            }
        }
    }

    /// Checks whether the thread is waiting awake.
    #[must_use]
    pub const fn is_awake(&self) -> bool {
        self.looked.is_some()
    }

    /// Returns the processor time spent waiting for near times, in nanoseconds: the thread was free
    /// to do anything else.
    #[must_use]
    pub const fn spun_ns(&self) -> u64 {
        self.spun_ns
    }

    /// Waits until it is `ns` or later.
    pub async fn until(&mut self, ns: u64) {
        std::future::poll_fn(|cx| self.poll_until(cx, ns, 0, false)).await;
    }
}

/// Returns a setting that rings once, after `ns`.
#[expect(clippy::cast_possible_wrap, reason = "u64::MAX nanoseconds are 2^34 seconds")]
fn once(ns: u64) -> Itimerspec {
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    let after =
        Timespec { tv_sec: (ns / 1_000_000_000) as i64, tv_nsec: (ns % 1_000_000_000) as i64 };
    Itimerspec { it_interval: never, it_value: after }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_rings_after_its_time_and_can_be_set_again() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let clock = Clock::start();
            let mut alarm = Alarm::new(clock).unwrap();
            for ns in [0, 200_000, 100_000, 3_000_000, 3_000_000] {
                alarm.until(ns).await;
                assert!(clock.now_ns() >= ns, "{ns}");
            }
        });
    }

    #[test]
    fn a_near_time_is_waited_for_awake_and_others_have_their_turn() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let local = tokio::task::LocalSet::new();
        let turns = std::rc::Rc::new(std::cell::Cell::new(0));
        local.block_on(&runtime, async {
            let clock = Clock::start();
            let mut alarm = Alarm::new(clock).unwrap();
            alarm.until(1_000_000).await;
            let spun_ns = alarm.spun_ns(); // a timer may ring a hair too early
            assert!(spun_ns <= SPIN_NS, "a timer for what is far: {spun_ns}");
            let others = std::rc::Rc::clone(&turns);
            tokio::task::spawn_local(async move {
                loop {
                    others.set(others.get() + 1);
                    yield_now().await;
                }
            });
            for _ in 0..200 {
                let ns = clock.now_ns() + SPIN_NS;
                alarm.until(ns).await;
                assert!(clock.now_ns() >= ns);
            }
            let spun_ns = alarm.spun_ns();
            assert!((1..=clock.now_ns()).contains(&spun_ns), "{spun_ns}");
        });
        assert!(turns.get() >= 200, "{}", turns.get());
    }

    #[test]
    fn a_begin_by_the_wall_clock() {
        let wall = SystemTime::now();
        let ago = Clock::started_at(wall - Duration::from_secs(5));
        assert!(ago.now_ns() >= 5_000_000_000);
        let slack_ns = 1_000_000_000; // the wall clock may be slewed
        assert!(ago.now_ns() <= nanos(wall.elapsed().unwrap()) + 5_000_000_000 + slack_ns);
        assert_eq!(Clock::started_at(wall + Duration::from_secs(3_600)).now_ns(), 0);
    }

    #[test]
    fn clocks_of_one_epoch_agree() {
        let epoch = Epoch::ahead(Duration::from_secs(3_600));
        assert!(epoch.left() > Duration::from_secs(3_590));
        let ahead = Clock::of(epoch);
        assert_eq!(ahead.now_ns(), 0, "not yet");
        let epoch = Epoch { monotonic_ns: monotonic_ns() - 5_000_000_000, ..epoch };
        let clocks = [(); 2].map(|()| Clock::of(epoch));
        let [one, other] = clocks.map(|clock| clock.instant(0));
        let apart = one.max(other) - one.min(other);
        assert!(apart < Duration::from_millis(100), "{apart:?}");
        assert!(clocks[0].now_ns() >= 5_000_000_000);
        assert_eq!(epoch.left(), Duration::ZERO);
    }

    #[test]
    fn durations_saturate() {
        assert_eq!(nanos(Duration::from_millis(1_500)), 1_500_000_000);
        assert_eq!(nanos(Duration::MAX), u64::MAX);
    }
}
