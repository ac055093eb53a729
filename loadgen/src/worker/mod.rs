//! A plan to what happened: one thread, one runtime, its own connections.
//!
//! ```text
//!   ramp ──▶ warm-up ──▶ measured ──▶ drain ──▶ close        connections all open before load begins (run)
//!   ramp ──────────────▶ measured ──▶ drain ──▶ close        the same without messages (hold, listen)
//!            measured ───────────────────────▶ close         connections come and go (connect)
//! ```
//!
//! Workers share nothing but a clock. They hear from the coordinator when load begins and whether
//! the run is to stop, and tell it when their connections are settled. Each phase has a bound of
//! its own, so that a run ends whatever a server does.

mod admission;
mod busy_workers;
mod cohort;
mod connect;
mod connector;
mod deadline;
mod deflate;
mod echo;
mod fanout;
mod frames;
mod greet;
mod hold;
mod listen;
mod outstanding;
mod overdue;
mod pace;
mod probe;
mod reconnect;
mod sampler;
mod sequences;
mod session;
mod settings;
mod shared_fanout;
mod thread;
mod times;
pub(crate) mod usage;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::{spawn_local, yield_now};
use wscodec::Limits;
use wscodec::mask::ChaChaKeys;

use crate::clock::{Alarm, Clock, nanos};
use crate::config::{Config, Content, Echo, Load, Mask, Misbehaviour, Scenario};
use crate::metrics::Metrics;
use crate::metrics::live::Live;
use crate::net::Routes;
use crate::payload::{Payload, Requests};
use crate::plan::{Plan, Script};
pub use busy_workers::BusyWorkers;
use connector::connector;
use deadline::Deadlines;
use deflate::Deflating;
pub(crate) use pace::{BACKLOG_MAX, UNANSWERED_MAX};
pub use shared_fanout::SharedFanout;
pub(crate) use shared_fanout::run_number;

use fanout::FanoutState;
use greet::Greeting;
use probe::Probes;
use reconnect::Reconnects;
use session::End;
use settings::Settings;
use thread::{Parts, Thread};
pub use times::Times;
use usage::ThreadUsage;

/// Sessions that begin their closed loop, or their closing, in one go before replies are read.
const SESSIONS_PER_TURN: usize = 64;
/// So few messages without reply are waited for awake: a thread that has no more to do would be
/// asleep when each reply comes, and its wake-up most of what is measured.
const AWAKE_UNANSWERED_MAX: usize = 2;
/// How long an interrupted run waits for replies, and for Closes.
const INTERRUPTED_DRAIN_NS: u64 = 200_000_000;
const INTERRUPTED_CLOSE_NS: u64 = 1_000_000_000;
/// Beyond the bounds of its connections, how long a worker waits for their tasks.
const GRACE_NS: u64 = 500_000_000;

/// What the coordinator wants of the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Open the connections.
    Ramp,
    /// Make load at these times.
    Load(Times),
    /// End at once, in good order.
    Stop,
}

/// What all workers of a run are given.
#[derive(Clone, Debug)]
pub struct Brief {
    /// When the run began.
    pub clock: Clock,
    /// What is to be done.
    pub config: Arc<Config>,
    /// The ways to whom.
    pub routes: Arc<Routes>,
    /// What the workers of a fanout share.
    pub shared_fanout: Option<Arc<SharedFanout>>,
    /// Which workers are at their load.
    pub busy: BusyWorkers,
    /// What the coordinator wants.
    pub instructions: watch::Receiver<Instruction>,
    /// Told the number of open connections once all that were planned are open or have failed.
    pub settled: mpsc::UnboundedSender<u64>,
}

/// What a worker has measured.
#[derive(Clone, Debug)]
pub struct WorkerReport {
    /// Counters and histograms.
    pub metrics: Metrics,
    /// Those of each cohort, in their order.
    pub cohorts: Vec<Metrics>,
    /// When its connections were settled.
    pub settled_ns: u64,
    /// When it began to send; `None` if it never did.
    pub load_begin_ns: Option<u64>,
    /// When it stopped sending.
    pub load_end_ns: u64,
    /// Whether it was told to stop: by a signal, or because nobody was there.
    pub is_cut: bool,
    /// When it stopped waiting for replies.
    pub drain_end_ns: u64,
    /// When its last connection had ended.
    pub end_ns: u64,
    /// How long the times that follow were counted: from the begin of load until nothing more was
    /// sent or, with `-n`, waited for; in nanoseconds.
    pub counted_ns: u64,
    /// Processor time of its thread meanwhile, in nanoseconds.
    pub cpu_ns: u64,
    /// Time that the thread waited for a processor meanwhile, in nanoseconds, where the kernel
    /// says.
    pub wait_ns: Option<u64>,
    /// Processor time that went into waiting for the next message to be due, in nanoseconds.
    pub spun_ns: u64,
}

/// Starts a worker.
///
/// # Errors
/// What the system says when it refuses the thread.
pub fn spawn(
    worker: u64,
    brief: Brief,
    live: Arc<Live>,
) -> io::Result<JoinHandle<io::Result<WorkerReport>>> {
    std::thread::Builder::new().name(format!("load-{worker}")).spawn(move || {
        let (settled, busy) = (brief.settled.clone(), brief.busy.clone());
        let report = work(worker, brief, live);
        busy.leave(worker); // also if it could not begin
        if report.is_err() {
            settled.send(0).ok(); // nobody is to wait for this one
        }
        report
    })
}

fn work(worker: u64, brief: Brief, live: Arc<Live>) -> io::Result<WorkerReport> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(LocalOptions::default())?;
    runtime.block_on(cohort::run_beside(worker, brief, live))
}

struct Worker {
    thread: Rc<RefCell<Thread>>,
    plan: Rc<Plan>,
    number: u64,
    clock: Clock,
    alarm: Alarm,
    drain_ns: u64,
    brief: Brief,
}

impl Worker {
    fn new(number: u64, brief: Brief, live: Arc<Live>) -> io::Result<Self> {
        let config = &brief.config;
        let plan = Rc::new(Plan::new(config));
        let settings = Settings {
            connect_timeout_ns: nanos(config.request.connect_timeout),
            close_timeout_ns: nanos(config.request.close_timeout),
            script: plan.script(),
            misbehaviour: config.misbehaviour,
            catch_up_ns: nanos(config.pacing.catch_up),
            load: plan.load(),
            plan_end_ns: plan.end_ns(),
            drain_ns: config
                .echo()
                .filter(|_| config.reply_timeout.is_none())
                .map(|_| nanos(config.drain_timeout)),
            mask: config.mask,
            fragment: config.echo().and_then(|echo| echo.fragment),
            limits: limits(config),
            worker: number,
            workers: config.part().workers(config.threads.get() as u64),
        };
        // A payload that is never sent.
        let none = Echo {
            load: Load::Closed { pipeline: 1 },
            messages: None,
            kind: wscodec::DataKind::Text,
            content: Content::Fixed(Vec::new()),
            fragment: None,
        };
        let slots = usize::try_from(plan.slots(number)).unwrap_or(0);
        let thread = Thread::new(Parts {
            clock: brief.clock,
            settings,
            routes: Rc::new(brief.routes.for_worker()),
            deflating: Deflating::new(&config.request),
            payload: match &config.scenario {
                Scenario::Echo(echo) => Payload::new(echo, config.seed, brief.clock),
                Scenario::Hold(_) => Payload::of_pings(brief.clock),
                Scenario::Fanout(fanout) => {
                    let run = run_number(brief.clock.unix_ns(0), config.seed);
                    Payload::of_posts(fanout, run, config.seed, brief.clock)
                }
                Scenario::OpenClose { .. } | Scenario::Listen(_) => {
                    Payload::new(&none, config.seed, brief.clock)
                }
            },
            keys: match config.mask {
                Mask::Random => Some(ChaChaKeys::from_os().map_err(io::Error::other)?),
                Mask::Zero => None,
            },
            live,
            greeting: Greeting::new(config),
            requests: Requests::new(config),
            reconnects: config.reconnect.map(|pauses| Reconnects::new(pauses, config.seed)),
            fanout: brief.shared_fanout.as_ref().zip(config.fanout()).map(|(shared, fanout)| {
                FanoutState::new(Arc::clone(shared), fanout, number, slots)
            }),
            sends: plan.sends(number),
            deadlines: config.reply_timeout.map(|timeout| Deadlines::new(nanos(timeout))),
            probes: plan.pings(number).map(|sends| Probes::new(brief.clock, sends, slots)),
            instructions: brief.instructions.clone(),
            slots,
        });
        Ok(Self {
            thread: Rc::new(RefCell::new(thread)),
            plan,
            number,
            clock: brief.clock,
            alarm: Alarm::new(brief.clock)?,
            drain_ns: nanos(config.drain_timeout),
            brief,
        })
    }

    async fn run(mut self) -> io::Result<WorkerReport> {
        self.listen();
        self.conclude_messages();
        let alarm = Alarm::new(self.clock)?;
        let connector = spawn_local(connector(
            Rc::clone(&self.thread),
            Rc::clone(&self.plan),
            self.number,
            alarm,
        ));
        if self.plan.script() != Script::OpenClose {
            self.wait(|_| u64::MAX, Thread::is_settled).await;
            self.wait_for_answers().await;
            let open = {
                let thread = self.thread.borrow();
                (thread.sessions.len() + thread.away()) as u64
            };
            // Refused only by a coordinator that is gone, and then a stop is on its way.
            self.brief.settled.send(open).ok();
        }
        let settled_ns = self.clock.now_ns();
        self.wait(|_| u64::MAX, |thread| thread.times != Times::NEVER).await;
        self.wait(|thread| thread.times.load_begin_ns, |_| false).await;
        let before = ThreadUsage::now();
        let load_begin_ns = (!self.is_interrupted()).then(|| self.clock.now_ns());
        if load_begin_ns.is_some() {
            let sampler = spawn_local(sampler::sample(Rc::clone(&self.thread)));
            self.load().await;
            sampler.abort();
        }
        let (cpu_ns, wait_ns) = ThreadUsage::now().since(&before);
        let counted_ns = load_begin_ns.map_or(0, |ns| self.clock.now_ns().saturating_sub(ns));
        connector.abort();
        let (load_end_ns, is_cut) = (self.end_load(), self.is_interrupted());
        self.drain(load_end_ns).await;
        self.wait_for_publishers().await;
        let drain_end_ns = self.clock.now_ns();
        if self.brief.config.misbehaviour != Misbehaviour::None {
            self.wait_also_interrupted(|_| u64::MAX, |thread| thread.is_leaving).await;
        }
        self.close().await;
        let mut thread = self.thread.borrow_mut();
        thread.note_sent();
        Ok(WorkerReport {
            metrics: std::mem::take(&mut thread.metrics),
            cohorts: Vec::new(),
            settled_ns,
            load_begin_ns,
            load_end_ns,
            is_cut,
            drain_end_ns,
            end_ns: self.clock.now_ns(),
            counted_ns,
            cpu_ns,
            wait_ns,
            spun_ns: self.alarm.spun_ns(),
        })
    }

    /// Passes on what the coordinator wants.
    fn listen(&self) {
        let mut instructions = self.brief.instructions.clone();
        let thread = Rc::clone(&self.thread);
        spawn_local(async move {
            loop {
                let instruction = *instructions.borrow_and_update();
                thread.borrow_mut().obey(instruction);
                if instructions.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// Sends until the measured time is over, or there is nothing left to do.
    async fn load(&mut self) {
        if self.thread.borrow().fanout.as_ref().is_some_and(|fanout| !fanout.is_publishing()) {
            return self.subscribe().await;
        }
        match self.plan.load() {
            None if self.plan.script() == Script::OpenClose => {
                self.wait(|thread| thread.times.window_end_ns, Thread::is_empty).await;
                // A rate is over the time that was asked for, unless nobody is there.
                self.wait(Thread::plan_end_ns, |thread| thread.metrics.established == 0).await;
            }
            None => {
                self.thread.borrow_mut().is_sending = true;
                self.wait(|thread| thread.times.window_end_ns, Thread::is_load_done).await;
            }
            Some(load) => {
                {
                    let mut thread = self.thread.borrow_mut();
                    thread.is_sending = true;
                    thread.greeted = thread.metrics.unexpected;
                    thread.begin_deadlines();
                }
                if !load.is_scheduled() {
                    self.for_each_session(|thread, key| {
                        thread.refill(key);
                        thread.flush(key)
                    })
                    .await;
                }
                loop {
                    self.wait(Thread::next_turn_ns, Thread::is_load_done).await;
                    if self.thread.borrow_mut().take_turn() {
                        break;
                    }
                    yield_now().await; // for replies to be read between
                }
                self.outlast().await;
            }
        }
    }

    /// Stays while other workers are at their load, if there is nobody left here to send to: what
    /// is due meanwhile is counted.
    async fn outlast(&mut self) {
        if self.brief.config.misbehaviour != Misbehaviour::None {
            return;
        }
        let busy = self.brief.busy.clone();
        busy.leave(self.number);
        if !self.thread.borrow().is_deserted() {
            return;
        }
        let (mut others, thread) = (busy.watch(), Rc::clone(&self.thread));
        let waker = spawn_local(async move {
            while others.changed().await.is_ok() {
                thread.borrow().wake_main();
            }
        });
        self.wait(|thread| thread.times.window_end_ns, |_| busy.is_done()).await;
        waker.abort();
    }

    /// Stops sending; returns when that was, or when the last reply came if others were waited for
    /// in vain since then.
    fn end_load(&self) -> u64 {
        let mut thread = self.thread.borrow_mut();
        thread.is_sending = false;
        thread.is_connector_done = true;
        if thread.is_interrupted {
            thread.abandon_attempts();
        }
        thread.end_reconnects();
        let now_ns = self.clock.now_ns();
        let is_subscribing = thread.fanout.as_ref().is_some_and(|fanout| !fanout.is_publishing());
        let end_ns = if is_subscribing {
            now_ns.min(thread.times.window_end_ns) // it has waited for copies since
        } else if thread.is_given_up(now_ns) {
            thread.progress_ns.max(thread.plan_end_ns())
        } else {
            now_ns
        };
        // What arrives from here on has not arrived in the measured time, also if that was cut
        // short.
        thread.times.window_end_ns = thread.times.window_end_ns.min(end_ns);
        thread.times.window_begin_ns = thread.times.window_begin_ns.min(end_ns);
        thread.count_unsent();
        thread.count_unprobed();
        end_ns
    }

    /// Waits for replies since `begin_ns`, until there is none that may come in time.
    async fn drain(&mut self, begin_ns: u64) {
        if self.thread.borrow().has_no_echo(begin_ns) {
            return;
        }
        let end_ns = begin_ns.saturating_add(self.drain_ns);
        let end_ns = |thread: &Thread| thread.cut_short(begin_ns, end_ns, INTERRUPTED_DRAIN_NS);
        loop {
            let until_ns =
                |thread: &Thread| thread.next_deadline_ns().unwrap_or(u64::MAX).min(end_ns(thread));
            self.wait_also_interrupted(until_ns, Thread::is_answered).await;
            let now_ns = self.clock.now_ns();
            {
                let mut thread = self.thread.borrow_mut();
                if now_ns >= end_ns(&thread) || thread.is_answered() {
                    return;
                }
                thread.sweep(now_ns);
            }
            yield_now().await;
        }
    }

    /// Closes all connections, and waits for them to end within their bounds.
    async fn close(&mut self) {
        self.for_each_session(|thread, key| {
            thread.close(key);
            true
        })
        .await;
        let bound_ns = {
            let thread = self.thread.borrow();
            let opening_ns =
                if thread.pending > 0 { thread.settings.connect_timeout_ns } else { 0 };
            thread.settings.close_timeout_ns + opening_ns + GRACE_NS
        };
        let begin_ns = self.clock.now_ns();
        let end_ns = begin_ns.saturating_add(bound_ns);
        let end_ns = |thread: &Thread| thread.cut_short(begin_ns, end_ns, INTERRUPTED_CLOSE_NS);
        self.wait_also_interrupted(end_ns, Thread::is_empty).await;
        let mut thread = self.thread.borrow_mut();
        thread.abandon_attempts();
        let left: Vec<usize> = thread.sessions.iter().map(|(key, _)| key).collect();
        for key in left {
            thread.retire(key, &End::Timeout);
        }
    }

    /// Does something for each session, a few at a time, so that replies are read between; and
    /// wakes the tasks of those for which it returns false.
    async fn for_each_session(&self, mut act: impl FnMut(&mut Thread, usize) -> bool) {
        let keys: Vec<usize> = self.thread.borrow().sessions.iter().map(|(key, _)| key).collect();
        for some in keys.chunks(SESSIONS_PER_TURN) {
            for &key in some {
                let mut thread = self.thread.borrow_mut();
                if !thread.sessions.contains(key) || act(&mut thread, key) {
                    continue;
                }
                if let Some(waker) = &thread.sessions[key].waker {
                    waker.wake_by_ref();
                }
            }
            yield_now().await;
        }
    }

    fn is_interrupted(&self) -> bool {
        self.thread.borrow().is_interrupted
    }

    /// Waits until a time, or for something, or for an interrupt.
    async fn wait(&mut self, until_ns: impl Fn(&Thread) -> u64, done: impl Fn(&Thread) -> bool) {
        let Self { thread, alarm, .. } = self;
        poll_fn(|cx| {
            let mut thread = thread.borrow_mut();
            thread.main_waker = Some(cx.waker().clone());
            if thread.is_interrupted || done(&thread) {
                return Poll::Ready(());
            }
            let (ns, done) = (until_ns(&thread), thread.metrics.bytes_received);
            if ns == u64::MAX {
                return Poll::Pending;
            }
            let polled = alarm.poll_until(
                cx,
                ns,
                done,
                (1..=AWAKE_UNANSWERED_MAX).contains(&thread.unanswered) && thread.is_sending,
            );
            thread.is_asleep = !alarm.is_awake();
            polled
        })
        .await;
    }

    /// Waits until a time or for something, however an interrupt changes either.
    async fn wait_also_interrupted(
        &mut self,
        until_ns: impl Fn(&Thread) -> u64,
        done: impl Fn(&Thread) -> bool,
    ) {
        let Self { thread, alarm, .. } = self;
        poll_fn(|cx| {
            let mut thread = thread.borrow_mut();
            thread.main_waker = Some(cx.waker().clone());
            if done(&thread) {
                return Poll::Ready(());
            }
            let ns = until_ns(&thread);
            drop(thread);
            alarm.poll_until(cx, ns, 0, false)
        })
        .await;
    }
}

/// What a server may send: the codec's defaults, or as much as an echo has.
pub(crate) fn limits(config: &Config) -> Limits {
    let size = config.echo().map_or(0, |echo| echo.content.size_most());
    let defaults = Limits::default();
    defaults
        .with_frame_size_max(defaults.frame_size_max.max(size as u64))
        .with_message_size_max(defaults.message_size_max.max(size))
}
