//! Leads the processes of a run: begins it in all of them at once, shows what they do, and merges
//! their results.

use std::future::poll_fn;
use std::io;
use std::process;
use std::time::{Duration, SystemTime};

use tokio::runtime::Builder;
use tokio::time::{Instant, sleep_until};

use super::Program;
use super::members::{Heard, Members};
use super::muster::Muster;
use crate::clock::{Clock, Epoch, nanos};
use crate::config::Config;
use crate::coordinator::{INTERRUPTED, TICK, load_begin_ns, suspended, times_at_start, times_from};
use crate::exit::{Exit, Failed};
use crate::member::{Member, Order, Said};
use crate::metrics::live::Snapshot;
use crate::progress::{Progress, Wish};
use crate::quota;
use crate::report::Report;
use crate::report::merge::{Died, Part, merge_fleet};
use crate::signals::{Signals, StopSignal};
use crate::units;
use crate::worker::Times;

/// Time from a decision until it takes effect, enough for every process to be told: for the first,
/// and for each further one.
const LEAD: Duration = Duration::from_millis(50);
const LEAD_EACH: Duration = Duration::from_millis(2);

/// Runs a configuration in several processes, and returns the merged result, not judged yet. `wait`
/// waits for the time at which the run is to begin, once all processes are ready.
///
/// # Errors
/// [`Failed`] if it can't begin, for the reason that one of the processes gives, or if none of them
/// has a result.
pub fn run(
    config: &Config,
    muster: Muster,
    program: &Program,
    wait: impl FnOnce() -> Result<(), Failed>,
) -> Result<Report, Failed> {
    let first = Member {
        loopback_sources: muster.loopback_sources,
        ..Member::first(muster.processes, quota::processors().get() as u64, config.seed)
    };
    let refused = |error: io::Error| Failed::run(format!("the run could not be started: {error}"));
    let mut members = Members::start(first, |member| program.command(member)).map_err(refused)?;
    until_ready(&mut members)?;
    // Until here, an interrupt ends this process, and members with it.
    wait()?;
    let runtime =
        Builder::new_current_thread().enable_io().enable_time().build().map_err(refused)?;
    let _entered = runtime.enter();
    let signals = Signals::new().map_err(refused)?;
    let epoch = Epoch::ahead(lead(members.len()));
    members.tell_all(&Order::Begin(epoch));
    let progress = Progress::new(config);
    let stop_signal =
        progress.holds_terminal().then(StopSignal::new).transpose().map_err(refused)?;
    let states = (0..members.len()).map(|place| State::new(members.id(place))).collect();
    let mut leader = Leader {
        config,
        members,
        states,
        signals,
        clock: Clock::of(epoch),
        progress,
        stop_signal,
        pause_max_ns: 0,
        times: times_at_start(config),
        is_decided: !config.has_barrier(),
        is_interrupted: false,
    };
    runtime.block_on(leader.lead());
    leader.merged(epoch.wall())
}

/// Returns the time from a decision until it takes effect in so many processes.
fn lead(members: usize) -> Duration {
    LEAD + LEAD_EACH * u32::try_from(members).unwrap_or(u32::MAX)
}

/// Waits until all members are ready.
fn until_ready(members: &mut Members<Report>) -> Result<(), Failed> {
    for _ in 0..members.len() {
        match members.next_blocking() {
            Some((_, Heard::Said(Said::Failed { exit, line }))) => return Err(failed(exit, line)),
            Some((place, Heard::Ended(how))) => {
                let line = format!("process {} of {} {how}", place + 1, members.len());
                return Err(Failed::run(format!("the run could not be started: {line}")));
            }
            Some((_, Heard::Said(_))) | None => {}
        }
    }
    Ok(())
}

fn failed(code: u8, line: String) -> Failed {
    if code == Exit::Usage.code() { Failed::usage(line) } else { Failed::run(line) }
}

/// What is known of a member.
struct State {
    id: u32,
    last: Snapshot,
    /// Its open connections, once all of its connections have been opened or have failed.
    settled: Option<u64>,
    result: Option<Box<Report>>,
    /// Why it has no result, and when that was known.
    failure: Option<(String, u64)>,
    has_ended: bool,
}

impl State {
    fn new(id: u32) -> Self {
        Self {
            id,
            last: Snapshot::zero(),
            settled: None,
            result: None,
            failure: None,
            has_ended: false,
        }
    }

    /// Checks whether load needn't wait for the member.
    const fn is_settled(&self) -> bool {
        self.settled.is_some() || self.has_ended
    }
}

/// What happened while waiting.
enum News {
    Heard(usize, Heard<Report>),
    /// The last member has ended.
    Done,
    Signal,
    /// Ctrl-Z.
    Suspend,
    Tick,
}

/// The coordinator of a run over processes.
struct Leader<'c> {
    config: &'c Config,
    members: Members<Report>,
    states: Vec<State>,
    /// The first ends the run in good order, the second immediately.
    signals: Signals,
    clock: Clock,
    progress: Progress,
    /// Ctrl-Z, if the terminal has to be given back before this process stops.
    stop_signal: Option<StopSignal>,
    pause_max_ns: u64,
    times: Option<Times>,
    /// Whether all members have been told when load begins, or that it never does.
    is_decided: bool,
    is_interrupted: bool,
}

impl Leader<'_> {
    async fn lead(&mut self) {
        if let Some(times) = self.times {
            self.progress.load(self.clock.now_ns(), times);
        }
        let mut tick = Instant::now() + TICK;
        loop {
            let news = tokio::select! {
                biased;
                () = poll_fn(|cx| self.signals.poll(cx)) => News::Signal,
                () = suspended(self.stop_signal.as_mut()) => News::Suspend,
                heard = self.members.next() => {
                    heard.map_or(News::Done, |(place, heard)| News::Heard(place, heard))
                }
                () = sleep_until(tick) => News::Tick,
            };
            match news {
                News::Done => break,
                News::Signal if self.is_interrupted => {
                    self.progress.finish();
                    self.members.kill();
                    process::exit(INTERRUPTED);
                }
                News::Signal => self.interrupt(),
                News::Suspend => self.progress.suspend(),
                News::Heard(place, heard) => {
                    self.heard(place, heard);
                    self.decide();
                    if self.states.iter().all(|state| state.has_ended) {
                        break;
                    }
                }
                News::Tick => {
                    let late = Instant::now().saturating_duration_since(tick);
                    self.pause_max_ns = self.pause_max_ns.max(nanos(late));
                    tick = Instant::now() + TICK;
                    self.show();
                }
            }
        }
        self.progress.tell(self.clock.now_ns(), "all processes have ended");
        self.progress.finish();
    }

    fn interrupt(&mut self) {
        self.progress.tell(self.clock.now_ns(), "interrupted");
        self.is_interrupted = true;
        self.members.tell_all(&Order::Interrupt);
    }

    fn heard(&mut self, place: usize, heard: Heard<Report>) {
        let now_ns = self.clock.now_ns();
        let of = self.states.len();
        let state = &mut self.states[place];
        match heard {
            Heard::Said(Said::Snapshot(snapshot)) => state.last = *snapshot,
            Heard::Said(Said::Settled { open }) => state.settled = Some(open),
            Heard::Said(Said::Result(report)) => state.result = Some(report),
            Heard::Said(Said::Failed { line, .. }) => {
                state.failure = Some((format!("had no result: {line}"), now_ns));
            }
            Heard::Said(Said::Ready | Said::Note(_)) => {}
            Heard::Ended(how) => {
                state.has_ended = true;
                if state.result.is_none() && state.failure.is_none() {
                    let said = format!("process {} of {of} (pid {}) {how}", place + 1, state.id);
                    self.progress.tell(now_ns, &said);
                    state.failure = Some((how, now_ns));
                }
            }
        }
    }

    /// Tells all members when load begins, once all of their connections are settled.
    fn decide(&mut self) {
        if self.is_decided || self.is_interrupted || !self.states.iter().all(State::is_settled) {
            return;
        }
        self.is_decided = true;
        let open: u64 = self.states.iter().filter_map(|state| state.settled).sum();
        let now_ns = self.clock.now_ns();
        let planned = units::counted(self.config.connections, "connection");
        self.progress.tell(now_ns, &format!("{open} of {planned} open"));
        if open == 0 {
            return self.members.tell_all(&Order::Stop);
        }
        let earliest_ns = now_ns + nanos(lead(self.states.len()));
        let begin_ns = load_begin_ns(self.config, earliest_ns);
        let times = times_from(self.config, begin_ns);
        self.times = Some(times);
        self.progress.load(now_ns, times);
        self.members.tell_all(&Order::Load { begin_ns });
    }

    fn show(&mut self) {
        let now_ns = self.clock.now_ns();
        if self.progress.is_due(now_ns) {
            let mut sum = Snapshot::zero();
            self.states.iter().for_each(|state| sum.add(&state.last));
            let wish = self.progress.show(now_ns, &sum, self.pause_max_ns);
            if wish == Some(Wish::Stop) && !self.is_interrupted {
                self.interrupt();
            }
        }
    }

    /// Merges what the members have done.
    fn merged(self, started_at: SystemTime) -> Result<Report, Failed> {
        let of = self.states.len();
        let (mut parts, mut died) = (Vec::new(), Vec::new());
        for (index, state) in (1..).zip(self.states) {
            match (state.result, state.failure) {
                (Some(report), _) => {
                    parts.push(Part { name: format!("process {index}"), report: *report });
                }
                (None, failure) => {
                    let (cause, at_ns) = failure.unwrap_or_default();
                    died.push(Died {
                        segment: index,
                        pid: state.id,
                        cause,
                        at_ns,
                        last: state.last,
                    });
                }
            }
        }
        if parts.is_empty() {
            let cause = died.first().map_or("", |died| &died.cause);
            return Err(Failed::run(format!("none of {of} processes has a result: one {cause}")));
        }
        let mut report = merge_fleet(parts, &died).map_err(Failed::run)?;
        report.is_interrupted |= self.is_interrupted;
        report.config.start_at_unix_ms = self.config.start_at.and_then(|_| {
            let since = started_at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            u64::try_from(since.as_millis()).ok()
        });
        Ok(report)
    }
}
