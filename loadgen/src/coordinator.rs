//! Runs the workers to one result: tells them when load begins, watches, handles signals, and
//! waits.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::process;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::abort::Abort;
use crate::clock::{Clock, Epoch, nanos};
use crate::config::Config;
use crate::member::{self, Link, Order, Said};
use crate::metrics::live::{Live, Snapshot};
use crate::metrics::timeline::{Row, Timeline};
use crate::net::Routes;
use crate::process::{ProcessUsage, Watched};
use crate::progress::{Progress, Wish};
use crate::quota::Quota;
use crate::segment::Segment;
use crate::signals::{Signals, StopSignal};
use crate::units;
use crate::worker::usage::{memory, process_cpu_ns};
use crate::worker::{Brief, BusyWorkers, Instruction, SharedFanout, Times, WorkerReport, spawn};

/// Time from the decision to begin load until it begins, enough for all workers to be told.
const LEAD_NS: u64 = 5_000_000;
/// How often the progress line is drawn.
pub const TICK: Duration = Duration::from_millis(200);
/// Most often that the members of a fleet together say what they have done.
const SAID_MIN: Duration = Duration::from_millis(20);
/// The longest time for which a member is silent.
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// The exit code of an interrupted run.
pub const INTERRUPTED: i32 = 130;

/// What was observed in a run, before it is evaluated.
#[derive(Debug)]
pub struct Observed {
    /// One for each worker that ran.
    pub workers: Vec<WorkerReport>,
    /// When load began and was to end; `None` if it never began.
    pub times: Option<Times>,
    /// The time series.
    pub rows: Vec<Row>,
    /// The length of the time series' intervals.
    pub interval_ns: u64,
    /// The longest delay of a wake-up of this thread: the process, or the machine, stood still.
    pub pause_max_ns: u64,
    /// Why a threshold ended the run early; `None` if none did.
    pub aborted: Option<String>,
    /// Whether a signal ended the run.
    pub is_interrupted: bool,
    /// Processor time of the process, in nanoseconds.
    pub process_cpu_ns: u64,
    /// The time over which that was used, in nanoseconds.
    pub wall_ns: u64,
    /// Resident memory before the first connection, in bytes.
    pub rss_before: Option<u64>,
    /// Resident memory with all connections open and nothing sent, in bytes.
    pub rss_open: Option<u64>,
    /// Most resident memory, in bytes.
    pub rss_max: Option<u64>,
    /// The quota of processor time, and its effect in the run; `None` without a quota.
    pub quota: Option<Quota>,
    /// The watched process; `None` if none was.
    pub watched: Option<WatchedSamples>,
    /// The faults that made workers fail.
    pub faults: Vec<String>,
}

/// What was observed of the watched process, besides the time series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedSamples {
    /// The number of the process.
    pub pid: u32,
    /// Its name, as the kernel has it.
    pub name: String,
    /// When it began, in ticks since the machine did.
    pub begun_ticks: u64,
    /// Resident memory before the first connection, in bytes.
    pub rss_begin: u64,
    /// With all connections open and nothing sent: connections, and resident memory in bytes.
    pub opened: Option<(u64, u64)>,
    /// When it was found to have ended, in nanoseconds after the run began.
    pub ended_at_ns: Option<u64>,
}

impl WatchedSamples {
    /// Begins the samples of a process that has this now.
    #[must_use]
    pub fn new(watched: &Watched, now: &ProcessUsage) -> Self {
        Self {
            pid: watched.id(),
            name: watched.name().to_owned(),
            begun_ticks: watched.begun_ticks(),
            rss_begin: now.rss,
            opened: None,
            ended_at_ns: None,
        }
    }
}

/// The process that this one makes a run with, and what both count time from.
#[derive(Debug)]
pub struct Fleet<'l> {
    /// Where orders come from.
    pub link: &'l mut Link,
    /// When the run begins.
    pub epoch: Epoch,
}

/// What looks on while a run goes on.
pub trait Watch {
    /// Takes the row of the time series that has just ended.
    fn row(&mut self, row: &Row);
}

/// Nothing looks on.
impl Watch for () {
    fn row(&mut self, _: &Row) {}
}

/// Runs a configuration against the servers that `routes` lead to, as a member of `fleet` if it is
/// given, and looks at `process` each second.
///
/// # Errors
/// The system's error when it refuses a thread, a runtime or signals.
pub fn run(
    config: &Arc<Config>,
    routes: &Arc<Routes>,
    fleet: Option<Fleet<'_>>,
    process: Option<Watched>,
    watch: &mut dyn Watch,
) -> io::Result<Observed> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let _entered = runtime.enter();
    let signals = Signals::new()?;
    let rss_before = memory().map(|(now, _)| now);
    let clock = match &fleet {
        Some(fleet) => Clock::of(fleet.epoch),
        None => config.start_at.map_or_else(Clock::start, Clock::started_at),
    };
    let times = times_at_start(config);
    let (instructor, instructions) = watch::channel(first_instruction(times));
    let (settled, mut settlements) = mpsc::unbounded_channel();
    let shared = config.fanout().map(|fanout| Arc::new(SharedFanout::new(config, fanout)));
    let workers = 0..config.threads.get() as u64;
    let busy = BusyWorkers::new(workers.clone().map(|number| config.part().worker(number)));
    let mut lives = Vec::new();
    let mut threads = Vec::new();
    for number in workers {
        let brief = Brief {
            clock,
            config: Arc::clone(config),
            routes: Arc::clone(routes),
            shared_fanout: shared.clone(),
            busy: busy.clone(),
            instructions: instructions.clone(),
            settled: settled.clone(),
        };
        let addresses = routes.addresses_in_turn().map(<[_]>::len);
        let played = config.users().map(|users| &users.program);
        let played = played.map_or((0, 0), |found| (found.measures.len(), found.rules.len()));
        let live = Arc::new(Live::of_run(addresses, played));
        lives.push(Arc::clone(&live));
        threads.push(spawn(config.part().worker(number), brief, live)?);
    }
    drop((settled, instructions));
    let expected_ns = nanos(
        config.ramp.unwrap_or_default() + config.warmup + config.duration + config.drain_timeout,
    );
    let progress = Progress::new(config);
    let stop_signal = progress.holds_terminal().then(StopSignal::new).transpose()?;
    let mut coordinator = Coordinator {
        config,
        clock,
        instructor,
        signals,
        link: fleet.map(|fleet| fleet.link),
        lives,
        timeline: Timeline::new(expected_ns),
        progress,
        stop_signal,
        abort: Abort::of(config),
        aborted: None,
        watch,
        process: process.and_then(WatchedProcess::begin),
        times,
        is_interrupted: false,
        pause_max_ns: 0,
        rss_open: None,
        workers: threads.len(),
    };
    let (cpu_before_ns, quota_before) = (process_cpu_ns(), Quota::read());
    runtime.block_on(coordinator.coordinate(&mut settlements));
    let mut observed = coordinator.observed(threads);
    observed.rss_before = rss_before;
    observed.process_cpu_ns = process_cpu_ns().saturating_sub(cpu_before_ns);
    observed.wall_ns = clock.now_ns();
    observed.quota = Quota::read().map(|quota| quota.since(quota_before));
    Ok(observed)
}

/// Returns the times of a run, if they are known before the first connection.
#[must_use]
pub fn times_at_start(config: &Config) -> Option<Times> {
    // Connections that don't last are the load, as are users that arrive: no worker may open one
    // before it knows when load is measured.
    (!config.has_barrier()).then(|| times_from(config, 0))
}

/// Returns the instruction that workers find when they start.
fn first_instruction(times: Option<Times>) -> Instruction {
    times.map_or(Instruction::Ramp, Instruction::Load)
}

/// Waits for an order; forever if there is nobody to give one.
async fn ordered(link: &mut Option<&mut Link>) -> Order {
    match link {
        Some(link) => link.order().await,
        None => std::future::pending().await,
    }
}

/// Returns when load begins, once all connections are settled: not before `earliest_ns`, by when
/// everyone has been told.
#[must_use]
pub fn load_begin_ns(config: &Config, earliest_ns: u64) -> u64 {
    let settle_ns = config.fanout().map_or(0, |fanout| nanos(fanout.settle));
    config.ramp.map_or(0, nanos).max(earliest_ns.saturating_add(settle_ns))
}

/// Returns the times of a run whose load begins at `load_begin_ns`.
#[must_use]
pub fn times_from(config: &Config, load_begin_ns: u64) -> Times {
    let window_begin_ns = load_begin_ns + nanos(config.warmup);
    Times {
        load_begin_ns,
        window_begin_ns,
        window_end_ns: window_begin_ns + nanos(config.duration),
    }
}

struct Coordinator<'c> {
    config: &'c Config,
    clock: Clock,
    instructor: watch::Sender<Instruction>,
    /// The first ends the run in good order, the second immediately.
    signals: Signals,
    /// The process that decides when load begins, if it isn't this one.
    link: Option<&'c mut Link>,
    lives: Vec<Arc<Live>>,
    timeline: Timeline,
    progress: Progress,
    /// Ctrl-Z, if the terminal has to be given back before this process stops.
    stop_signal: Option<StopSignal>,
    /// What ends the run early, if anything may.
    abort: Option<Abort>,
    /// Why it did.
    aborted: Option<String>,
    watch: &'c mut dyn Watch,
    /// The process that is looked at with each row.
    process: Option<WatchedProcess>,
    times: Option<Times>,
    is_interrupted: bool,
    pause_max_ns: u64,
    rss_open: Option<u64>,
    workers: usize,
}

/// The watched process, and what was seen of it.
struct WatchedProcess {
    watched: Watched,
    samples: WatchedSamples,
}

impl WatchedProcess {
    fn begin(mut watched: Watched) -> Option<Self> {
        let now = watched.look()?;
        let samples = WatchedSamples::new(&watched, &now);
        Some(Self { watched, samples })
    }

    /// Looks at the process; `None` once it has ended.
    fn look(&mut self, now_ns: u64) -> Option<ProcessUsage> {
        if self.samples.ended_at_ns.is_some() {
            return None;
        }
        let found = self.watched.look();
        if found.is_none() {
            self.samples.ended_at_ns = Some(now_ns);
        }
        found
    }
}

/// Becomes ready with each Ctrl-Z, if those are taken at all.
pub async fn suspended(signal: Option<&mut StopSignal>) {
    match signal {
        Some(signal) => poll_fn(|cx| signal.poll(cx)).await,
        None => std::future::pending().await,
    }
}

/// When a coordinator looks at what its workers have done.
///
/// The members of a fleet begin at the same moment. Did all look at the same moment as well, what
/// is due meanwhile would wait until a few processors have served all of them. So each has a moment
/// of its own within a [`TICK`], and the more there are, the less often each speaks.
struct Looks {
    next: Instant,
    /// How many looks until the member speaks.
    silent: u32,
    /// It speaks at each look of this number.
    every: u32,
}

impl Looks {
    fn new(part: Segment, now: Instant) -> Self {
        let of = u32::try_from(part.of()).unwrap_or(u32::MAX);
        let place = u32::try_from(part.index()).unwrap_or(u32::MAX);
        let silence = SAID_MIN.saturating_mul(of).clamp(TICK, SILENCE_MAX);
        let every = u32::try_from(silence.as_millis().div_ceil(TICK.as_millis())).unwrap_or(1);
        // Neighbours speak at different looks, and those that speak at the same one do so at
        // different moments of it.
        let next = now + TICK.mul_f64(f64::from(place) / f64::from(of));
        Self { next, silent: place % every, every }
    }

    /// Takes the look that is due, and sets the next; returns whether the member speaks.
    fn take(&mut self, now: Instant) -> bool {
        while self.next <= now {
            self.next += TICK;
        }
        let speaks = self.silent == 0;
        self.silent = self.silent.checked_sub(1).unwrap_or(self.every - 1);
        speaks
    }
}

/// What happened while waiting.
enum News {
    Settled(u64),
    /// The last worker is done.
    Done,
    Signal,
    /// Ctrl-Z.
    Suspend,
    Ordered(Order),
    Tick,
}

impl Coordinator<'_> {
    async fn coordinate(&mut self, settlements: &mut mpsc::UnboundedReceiver<u64>) {
        if let Some(times) = self.times {
            self.progress.load(self.clock.now_ns(), times);
        }
        let mut open = VecDeque::new();
        let part = if self.link.is_some() { self.config.part() } else { Segment::WHOLE };
        let mut looks = Looks::new(part, Instant::now());
        loop {
            let news = tokio::select! {
                biased;
                () = poll_fn(|cx| self.signals.poll(cx)) => News::Signal,
                () = suspended(self.stop_signal.as_mut()) => News::Suspend,
                order = ordered(&mut self.link) => News::Ordered(order),
                settled = settlements.recv() => settled.map_or(News::Done, News::Settled),
                () = sleep_until(looks.next) => News::Tick,
            };
            match news {
                News::Done => break,
                News::Signal if self.is_interrupted => {
                    self.progress.finish();
                    process::exit(INTERRUPTED);
                }
                News::Signal | News::Ordered(Order::Interrupt) => self.interrupt(),
                News::Suspend => self.progress.suspend(),
                News::Ordered(Order::Stop) => {
                    self.instructor.send_replace(Instruction::Stop);
                }
                News::Ordered(Order::Load { begin_ns }) if !self.is_interrupted => {
                    self.begin_load(begin_ns);
                }
                News::Ordered(Order::Load { .. } | Order::Begin(_)) => {}
                News::Settled(connections) => {
                    open.push_back(connections);
                    if open.len() == self.workers && self.times.is_none() && !self.is_interrupted {
                        self.all_settled(open.iter().sum());
                    }
                }
                News::Tick => {
                    let now = Instant::now();
                    let late = now.saturating_duration_since(looks.next);
                    self.pause_max_ns = self.pause_max_ns.max(nanos(late));
                    let speaks = looks.take(now);
                    self.look(speaks);
                }
            }
        }
        let now_ns = self.clock.now_ns();
        self.push_row(now_ns, self.snapshot());
        self.progress.tell(now_ns, "all connections have ended");
        self.progress.finish();
    }

    fn interrupt(&mut self) {
        self.progress.tell(self.clock.now_ns(), "interrupted");
        self.is_interrupted = true;
        self.instructor.send_replace(Instruction::Stop);
    }

    /// Called once every planned connection is open or has failed.
    fn all_settled(&mut self, open: u64) {
        self.rss_open = memory().map(|(now, _)| now);
        if let Some(process) = &mut self.process {
            process.samples.opened = process.watched.resident().map(|rss| (open, rss));
        }
        let planned = self.config.connections_here();
        let failed = self.snapshot().counts.failed;
        let said =
            format!("{open} of {} open, {failed} failed", units::counted(planned, "connection"));
        self.progress.tell(self.clock.now_ns(), &said);
        if self.link.is_some() {
            member::say(&Said::<()>::Snapshot(Box::new(self.snapshot())));
            return member::say(&Said::<()>::Settled { open });
        }
        if open == 0 {
            // No connection is open: a run that can only wait is over.
            self.instructor.send_replace(Instruction::Stop);
        } else {
            self.begin_load(load_begin_ns(self.config, self.clock.now_ns() + LEAD_NS));
        }
    }

    fn begin_load(&mut self, load_begin_ns: u64) {
        let times = times_from(self.config, load_begin_ns);
        self.times = Some(times);
        self.progress.load(self.clock.now_ns(), times);
        self.instructor.send_replace(Instruction::Load(times));
    }

    fn look(&mut self, speaks: bool) {
        let now_ns = self.clock.now_ns();
        if speaks && self.link.is_some() {
            member::say(&Said::<()>::Snapshot(Box::new(self.snapshot())));
        }
        let is_row_due = now_ns >= self.timeline.next_ns();
        if !is_row_due && !self.progress.is_due(now_ns) {
            return;
        }
        let snapshot = self.snapshot();
        let wish = self.progress.show(now_ns, &snapshot, self.pause_max_ns);
        if wish == Some(Wish::Stop) && !self.is_interrupted {
            self.interrupt();
        }
        if is_row_due {
            let failed =
                self.abort.as_mut().and_then(|abort| abort.look(now_ns, &snapshot, self.times));
            self.push_row(now_ns, snapshot);
            if failed.is_some() && !self.is_interrupted {
                self.aborted = failed;
                self.interrupt();
            }
        }
    }

    fn push_row(&mut self, now_ns: u64, snapshot: Snapshot) {
        let watched = self.process.as_mut().and_then(|process| process.look(now_ns));
        if let Some(row) = self.timeline.push(now_ns, snapshot, watched) {
            self.watch.row(row);
        }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.lives.iter().map(AsRef::as_ref))
    }

    fn observed(self, threads: Vec<JoinHandle<io::Result<WorkerReport>>>) -> Observed {
        let mut workers = Vec::new();
        let mut faults = Vec::new();
        for (number, thread) in threads.into_iter().enumerate() {
            match thread.join() {
                Ok(Ok(report)) => workers.push(report),
                Ok(Err(error)) => faults.push(format!("worker {number}: {error}")),
                Err(_) => faults.push(format!("worker {number} panicked")),
            }
        }
        Observed {
            workers,
            times: self.times,
            rows: self.timeline.rows().to_vec(),
            interval_ns: self.timeline.interval_ns(),
            pause_max_ns: self.pause_max_ns,
            aborted: self.aborted,
            is_interrupted: self.is_interrupted,
            process_cpu_ns: 0,
            wall_ns: 0,
            rss_before: None,
            rss_open: self.rss_open,
            rss_max: memory().map(|(_, most)| most),
            quota: None,
            watched: self.process.map(|process| process.samples),
            faults,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::yield_now;

    use super::*;
    use crate::cli::{self, Parsed, parse};
    use crate::index::WorkerIndex;
    use crate::payload;
    use crate::serve::{ServeConfig, Server};

    #[test]
    fn members_speak_in_turn_and_the_more_the_less_often() {
        for (of, each_ms) in [(1, 200.0), (10, 200.0), (11, 400.0), (51, 1e3), (1_000, 1e3)] {
            let now = Instant::now();
            let mut spoken_ms = Vec::new();
            for index in 1..=of {
                let mut looks = Looks::new(Segment::new(index, of).unwrap(), now);
                let mut own_ms = Vec::new();
                while own_ms.len() < 4 {
                    let at = looks.next;
                    if looks.take(at) {
                        own_ms.push((at - now).as_secs_f64() * 1e3);
                    }
                }
                assert!(own_ms[0] <= each_ms, "{index} of {of}: {own_ms:?}");
                let are_even = own_ms.windows(2).all(|two| (two[1] - two[0] - each_ms).abs() < 0.1);
                assert!(are_even, "{index} of {of}: {own_ms:?}");
                spoken_ms.extend(own_ms);
            }
            // In no tenth of an interval do more than a fair share speak, to one or two.
            let share = spoken_ms.len().div_ceil(4 * 10);
            for tenth in 10..30 {
                let span_ms = each_ms / 10.0;
                let span_ms = span_ms * f64::from(tenth)..span_ms * f64::from(tenth + 1);
                let found = spoken_ms.iter().filter(|at_ms| span_ms.contains(at_ms)).count();
                assert!(found <= share + 2, "{found} of {of} in {span_ms:?} ms");
            }
        }
    }

    #[test]
    fn a_look_that_is_late_is_not_made_twice() {
        let now = Instant::now();
        let mut looks = Looks::new(Segment::WHOLE, now);
        looks.take(now + TICK * 7 + TICK / 2);
        assert_eq!(looks.next, now + TICK * 8);
    }

    /// Longer than twenty connections take; a test that reaches it has failed.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn connects_are_measured_from_the_first_one_whenever_the_coordinator_has_its_turn() {
        const NUMBER: u64 = 20;
        let listen = ([127, 0, 0, 1], 0).into();
        let server = Server::bind(&ServeConfig { listen, ..ServeConfig::default() }).unwrap();
        let server = server.start().unwrap();
        let address = server.local_addr();
        let line = format!("loadgen connect ws://{address}/ -c 2 -t 1 -n {NUMBER} -d 600s");
        let Parsed::Command(command) = parse(line.split(' ').map(Into::into)) else { panic!() };
        let cli::Command::Connect(args) = *command else { panic!("{line}") };
        let config = Arc::new(Config::of_connect(args).unwrap());
        let request = payload::first_request(config.targets.first(), &config.request).unwrap();
        // Everything that a worker hears from the coordinator before its last connection has ended.
        let (instructor, instructions) = watch::channel(first_instruction(times_at_start(&config)));
        let brief = Brief {
            clock: Clock::start(),
            routes: Arc::new(Routes::direct(address, request, &config.network)),
            shared_fanout: None,
            busy: BusyWorkers::new([WorkerIndex(0)].into_iter()),
            instructions,
            settled: mpsc::unbounded_channel().0,
            config,
        };
        let counters = Arc::new(Live::new());
        let worker = spawn(WorkerIndex(0), brief, Arc::clone(&counters)).unwrap();
        let begin = Instant::now();
        loop {
            let seen = Snapshot::of([&*counters]);
            if seen.counts.established == NUMBER && seen.open == 0 {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "connections are opened and closed");
            yield_now();
        }
        instructor.send_replace(Instruction::Stop);
        let report = worker.join().unwrap().unwrap();
        assert_eq!((report.metrics.established, report.metrics.opened), (NUMBER, NUMBER));
        assert!(report.load_begin_ns.is_some());
    }
}
