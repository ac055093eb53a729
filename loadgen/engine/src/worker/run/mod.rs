//! One worker from begin to end: its phases, and what each of them waits for.

pub(super) mod beside;
mod fanout;
mod play;
mod sampler;
mod storm;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use tokio::task::{spawn_local, yield_now};
use tokio::time::timeout_at;
use wscodec::mask::ChaChaKeys;

use super::connector::connector;
use super::deflate::Deflating;
use super::driver::Driver;
use super::duty::Duty;
use super::lifecycle::Phase;
use super::receipt::Receipts;
use super::session::End;
use super::sessions::SessionKey;
use super::settings::Settings;
use super::thread::deadlines::Deadlines;
use super::thread::greeting::Greeting;
use super::thread::outbox::{Outbox, payload};
use super::thread::probes::Probes;
use super::thread::reconnects::Reconnects;
use super::thread::{Parts, Thread};
use super::times::Times;
use super::usage::ThreadUsage;
use super::{Brief, WorkerReport};
use crate::clock::{Alarm, Clock, nanos};
use crate::config::{Mask, Misbehaviour, RecvTime};
use crate::index::WorkerIndex;
use crate::metrics::live::Live;
use crate::payload::Requests;
use crate::plan::{Plan, Script};

/// How many sessions begin their closed loop, or their closing, before replies are read again.
const SESSIONS_PER_TURN: usize = 64;
/// How many connections of a run may be waiting for the answer to their Close, unless a rate is given:
/// what a machine that ends 16,000 a second does in half a second.
const CLOSING_MAX: usize = 8_192;
/// How long a worker waits for any of them to end before it closes others all the same, and how long
/// it goes on like that.
const CLOSING_STALLED_NS: u64 = 1_000_000_000;
const CLOSING_PACED_NS: u64 = 120_000_000_000;
/// Up to this many messages without reply are waited for awake: a thread with so little to do would
/// be asleep when a reply comes, and its wake-up would be most of what is measured.
const AWAKE_UNANSWERED_MAX: usize = 2;
/// How long an interrupted run waits for replies, and for Closes.
const INTERRUPTED_DRAIN_NS: u64 = 200_000_000;
const INTERRUPTED_CLOSE_NS: u64 = 1_000_000_000;
/// How long a worker waits for the tasks of its connections, beyond their bounds.
const GRACE_NS: u64 = 500_000_000;

/// A worker: the main task of a thread, which takes its connections from phase to phase.
pub(crate) struct Worker {
    pub(super) driver: Rc<RefCell<Driver>>,
    pub(super) plan: Rc<Plan>,
    pub(super) number: WorkerIndex,
    pub(super) clock: Clock,
    alarm: Alarm,
    pub(super) drain_ns: u64,
    pub(super) brief: Brief,
}

impl Worker {
    pub(super) fn new(number: WorkerIndex, brief: Brief, live: Arc<Live>) -> io::Result<Self> {
        let config = &brief.config;
        let plan = Rc::new(Plan::new(config));
        let slots = usize::try_from(plan.slots(number)).unwrap_or(0);
        let settings = Settings::new(config, &plan, number);
        let routes = Rc::new(brief.routes.for_worker());
        let sends = plan.sends(number);
        let duty = Duty::new(&brief, settings.numbering, slots, &routes, sends);
        let thread = Thread::new(Parts {
            clock: brief.clock,
            settings,
            live,
            routes,
            requests: Requests::new(config),
            deflating: Deflating::new(&config.request),
            greeting: Greeting::new(config),
            reconnects: config.reconnect.map(|pauses| Reconnects::new(pauses, config.seed)),
            outbox: Outbox::new(
                payload(config, brief.clock),
                match config.common.mask {
                    Mask::Random => Some(ChaChaKeys::from_os().map_err(io::Error::other)?),
                    Mask::Zero => None,
                },
                plan.sends(number).filter(|_| plan.script() != Script::Play),
            ),
            deadlines: config.reply_timeout.map(|timeout| Deadlines::new(nanos(timeout))),
            probes: plan.pings(number).map(|sends| Probes::new(brief.clock, sends, slots)),
            receipts: (config.common.recv_time == RecvTime::Kernel)
                .then(|| Receipts::new(brief.clock)),
            instructions: brief.instructions.clone(),
            slots,
            is_indexed: config.users().is_some(),
        });
        Ok(Self {
            driver: Rc::new(RefCell::new(Driver { thread, duty })),
            plan,
            number,
            clock: brief.clock,
            alarm: Alarm::new(brief.clock)?,
            drain_ns: nanos(config.drain_timeout),
            brief,
        })
    }

    pub(super) async fn run(mut self) -> io::Result<WorkerReport> {
        self.listen();
        self.conclude_messages();
        let alarm = Alarm::new(self.clock)?;
        let connector = spawn_local(connector(
            Rc::clone(&self.driver),
            Rc::clone(&self.plan),
            self.number,
            alarm,
        ));
        if self.brief.config.has_barrier() {
            self.play_begin().await;
            self.wait(|_| u64::MAX, |driver| driver.thread.admission.is_settled()).await;
            self.wait_for_answers().await;
            let open = self.driver.borrow().thread.connections();
            // Refused only by a coordinator that is gone, and then a stop is on its way.
            self.brief.settled.send(open).ok();
        }
        let settled_ns = self.clock.now_ns();
        self.enter(Phase::Waiting);
        self.play_wait().await;
        self.wait(|_| u64::MAX, |driver| driver.thread.times != Times::NEVER).await;
        self.wait(|driver| driver.thread.times.load_begin_ns, |_| false).await;
        let before = ThreadUsage::now();
        let load_begin_ns = (!self.is_interrupted()).then(|| self.clock.now_ns());
        if load_begin_ns.is_some() {
            let sampler = spawn_local(sampler::sample(Rc::clone(&self.driver)));
            let storm = self.brief.config.storm;
            let storm = storm.map(|storm| spawn_local(storm::cut(Rc::clone(&self.driver), storm)));
            self.enter(Phase::Load);
            self.load().await;
            sampler.abort();
            if let Some(storm) = storm {
                storm.abort();
            }
        }
        let (cpu_ns, wait_ns) = ThreadUsage::now().since(&before);
        let counted_ns = load_begin_ns.map_or(0, |ns| self.clock.now_ns().saturating_sub(ns));
        connector.abort();
        self.enter(Phase::Drain);
        let (load_end_ns, is_cut) = (self.end_load(), self.is_interrupted());
        self.drain(load_end_ns).await;
        self.wait_for_publishers().await;
        self.play_end(load_end_ns).await;
        let drain_end_ns = self.clock.now_ns();
        if self.brief.config.misbehaviour != Misbehaviour::None {
            let is_leaving = |driver: &Driver| driver.thread.lifecycle.is_leaving();
            self.wait_also_interrupted(|_| u64::MAX, is_leaving).await;
        }
        self.enter(Phase::Close);
        self.close().await;
        self.note_sent();
        Ok(WorkerReport {
            metrics: std::mem::take(&mut self.driver.borrow_mut().thread.metrics),
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

    fn enter(&self, phase: Phase) {
        self.driver.borrow_mut().thread.lifecycle.phase = phase;
    }

    /// Starts the task that passes on what the coordinator says.
    fn listen(&self) {
        let mut instructions = self.brief.instructions.clone();
        let driver = Rc::clone(&self.driver);
        spawn_local(async move {
            loop {
                let instruction = *instructions.borrow_and_update();
                driver.borrow_mut().thread.obey(instruction);
                if instructions.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// Does what the connections are there for until the measured time is over, or there is nothing
    /// left to do.
    async fn load(&mut self) {
        if self.is_subscribing() {
            return self.subscribe().await;
        }
        if self.driver.borrow().duty.is_play() {
            return self.play_load().await;
        }
        let end_ns = |driver: &Driver| driver.thread.times.window_end_ns;
        match self.plan.load() {
            None if self.plan.script() == Script::OpenClose => {
                self.wait(end_ns, |driver| driver.thread.is_empty()).await;
                // A rate is over the time that was asked for, unless nobody is there.
                let has_no_server = |driver: &Driver| driver.thread.metrics.established == 0;
                self.wait(|driver| driver.thread.plan_end_ns(), has_no_server).await;
            }
            None => self.play_until(end_ns, Driver::is_load_done).await,
            Some(load) => {
                self.driver.borrow_mut().begin_load();
                if !load.is_scheduled() {
                    self.for_each_session(|driver, key| {
                        driver.refill(key);
                        driver.flush_or_wake(key);
                    })
                    .await;
                }
                loop {
                    self.wait(Driver::next_turn_ns, Driver::is_load_done).await;
                    if self.driver.borrow_mut().take_turn() {
                        break;
                    }
                    yield_now().await; // for replies to be read between
                }
                self.outlast().await;
            }
        }
    }

    /// Stays while other workers are at their load if all connections of this one are gone, so that
    /// what is due on them meanwhile is counted.
    async fn outlast(&mut self) {
        if self.brief.config.misbehaviour != Misbehaviour::None {
            return;
        }
        let busy = self.brief.busy.clone();
        busy.leave(self.number);
        if !self.driver.borrow().is_deserted() {
            return;
        }
        let (mut others, driver) = (busy.watch(), Rc::clone(&self.driver));
        let waker = spawn_local(async move {
            while others.changed().await.is_ok() {
                driver.borrow().thread.lifecycle.wake_main();
            }
        });
        self.wait(|driver| driver.thread.times.window_end_ns, |_| busy.is_done()).await;
        waker.abort();
    }

    /// Ends load; returns when that was, or when the last reply came if others were waited for in
    /// vain since then.
    fn end_load(&self) -> u64 {
        let is_subscribing = self.is_subscribing();
        let mut driver = self.driver.borrow_mut();
        let thread = &mut driver.thread;
        thread.admission.end();
        if thread.lifecycle.is_interrupted() {
            thread.abandon_attempts();
        }
        thread.end_reconnects();
        let now_ns = self.clock.now_ns();
        let end_ns = if is_subscribing {
            now_ns.min(thread.times.window_end_ns) // it has waited for copies since
        } else if thread.is_given_up(now_ns) {
            thread.outbox.progress_ns.max(thread.plan_end_ns())
        } else {
            now_ns
        };
        // What arrives from here on has not arrived in the measured time, also if that was cut
        // short.
        thread.times.window_end_ns = thread.times.window_end_ns.min(end_ns);
        thread.times.window_begin_ns = thread.times.window_begin_ns.min(end_ns);
        thread.count_unprobed();
        driver.count_unsent();
        end_ns
    }

    /// Waits for the replies that have been due since `begin_ns`, until none can come in time.
    async fn drain(&mut self, begin_ns: u64) {
        if self.driver.borrow().has_given_up(begin_ns) {
            return;
        }
        let end_ns = begin_ns.saturating_add(self.drain_ns);
        let end_ns =
            |thread: &Thread| thread.lifecycle.cut_short(begin_ns, end_ns, INTERRUPTED_DRAIN_NS);
        loop {
            let until_ns = |driver: &Driver| {
                let deadline_ns = driver.thread.next_deadline_ns().unwrap_or(u64::MAX);
                deadline_ns.min(end_ns(&driver.thread))
            };
            self.wait_also_interrupted(until_ns, |driver| driver.thread.is_answered()).await;
            let now_ns = self.clock.now_ns();
            {
                let mut driver = self.driver.borrow_mut();
                if now_ns >= end_ns(&driver.thread) || driver.thread.is_answered() {
                    return;
                }
                driver.sweep(now_ns);
            }
            yield_now().await;
        }
    }

    /// Begins to close all connections: at the rate that was asked for, or as fast as they end, so
    /// that those of a million connections are answered in time. A server that answers none is
    /// spared none.
    async fn begin_close(&mut self) {
        let (begin_ns, numbering) = {
            let settings = &self.driver.borrow().thread.settings;
            (self.clock.now_ns(), settings.numbering)
        };
        let closing_max = CLOSING_MAX / usize::try_from(numbering.workers).unwrap_or(1).max(1);
        let closing_max = closing_max.max(SESSIONS_PER_TURN);
        let rate = self.brief.config.close_rate;
        let keys = self.driver.borrow().thread.sessions.keys();
        let per_turn = if rate.is_some() { 1 } else { SESSIONS_PER_TURN };
        for (turn, some) in (0..).zip(keys.chunks(per_turn)) {
            if let Some(rate) = rate {
                let due_ns = rate.due_ns(turn * numbering.workers + numbering.worker.0);
                self.wait(|_| begin_ns.saturating_add(due_ns), |_| false).await;
            } else {
                self.wait_for_closes(closing_max, begin_ns + CLOSING_PACED_NS).await;
            }
            for &key in some {
                let mut driver = self.driver.borrow_mut();
                if driver.thread.sessions.contains(key) {
                    driver.close(key);
                }
            }
            yield_now().await; // for replies to be read between
        }
    }

    /// Waits until fewer than `closing_max` connections are being closed, until none of them ends any
    /// more, or until `end_ns`.
    async fn wait_for_closes(&mut self, closing_max: usize, end_ns: u64) {
        let has_room = |driver: &Driver| driver.thread.sessions.closing < closing_max;
        let mut open = usize::MAX;
        loop {
            let before = std::mem::replace(&mut open, self.driver.borrow().thread.sessions.len());
            let now_ns = self.clock.now_ns();
            if open == before || now_ns >= end_ns || self.is_interrupted() {
                return;
            }
            let until_ns = end_ns.min(now_ns + CLOSING_STALLED_NS);
            self.wait(|_| until_ns, has_room).await;
            if has_room(&self.driver.borrow()) {
                return;
            }
        }
    }

    /// Closes all connections, and waits for them to end within their bounds.
    async fn close(&mut self) {
        self.begin_close().await;
        let bound_ns = {
            let thread = &self.driver.borrow().thread;
            let is_opening = thread.admission.pending > 0;
            let opening_ns = if is_opening { thread.settings.connect_timeout_ns } else { 0 };
            thread.settings.close_timeout_ns + opening_ns + GRACE_NS
        };
        let begin_ns = self.clock.now_ns();
        let end_ns = begin_ns.saturating_add(bound_ns);
        let end_ns = |driver: &Driver| {
            driver.thread.lifecycle.cut_short(begin_ns, end_ns, INTERRUPTED_CLOSE_NS)
        };
        self.wait_also_interrupted(end_ns, |driver| driver.thread.is_empty()).await;
        {
            let mut driver = self.driver.borrow_mut();
            driver.thread.abandon_attempts();
            for key in driver.thread.sessions.keys() {
                driver.retire(key, &End::Timeout);
            }
        }
        self.end_http2().await;
    }

    /// Ends the connections of HTTP/2, whose WebSockets have ended.
    async fn end_http2(&self) {
        let Some(pool) = self.driver.borrow().thread.http2.clone() else { return };
        let end_ns = self.clock.now_ns().saturating_add(GRACE_NS);
        // Those that take longer end with the thread.
        timeout_at(self.clock.instant(end_ns), pool.end()).await.ok();
    }

    /// Does something for each session, a few at a time, so that replies are read between.
    pub(super) async fn for_each_session(&self, mut act: impl FnMut(&mut Driver, SessionKey)) {
        let keys = self.driver.borrow().thread.sessions.keys();
        for some in keys.chunks(SESSIONS_PER_TURN) {
            for &key in some {
                let mut driver = self.driver.borrow_mut();
                if driver.thread.sessions.contains(key) {
                    act(&mut driver, key);
                }
            }
            yield_now().await;
        }
    }

    fn is_interrupted(&self) -> bool {
        self.driver.borrow().thread.lifecycle.is_interrupted()
    }

    /// Waits until a time, until `done`, or until an interrupt.
    pub(super) async fn wait(
        &mut self,
        until_ns: impl Fn(&Driver) -> u64,
        done: impl Fn(&Driver) -> bool,
    ) {
        let done = |driver: &Driver| driver.thread.lifecycle.is_interrupted() || done(driver);
        self.wait_also_interrupted(until_ns, done).await;
    }

    /// Waits until a time or until `done`. An interrupt doesn't end the wait, but may change
    /// either.
    pub(super) async fn wait_also_interrupted(
        &mut self,
        until_ns: impl Fn(&Driver) -> u64,
        done: impl Fn(&Driver) -> bool,
    ) {
        let Self { driver, alarm, .. } = self;
        poll_fn(|cx| {
            let mut driver = driver.borrow_mut();
            driver.thread.lifecycle.main_waker = Some(cx.waker().clone());
            if done(&driver) {
                return Poll::Ready(());
            }
            let ns = until_ns(&driver);
            if ns == u64::MAX {
                return Poll::Pending;
            }
            let Thread { outbox, lifecycle, metrics, .. } = &mut driver.thread;
            let is_near = (1..=AWAKE_UNANSWERED_MAX).contains(&outbox.unanswered);
            let is_near = is_near && lifecycle.is_loading();
            let polled = alarm.poll_until(cx, ns, metrics.bytes_received, is_near);
            lifecycle.is_asleep = !alarm.is_awake();
            polled
        })
        .await;
    }
}
