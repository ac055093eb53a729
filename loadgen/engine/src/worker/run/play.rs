//! The phases of a worker whose users play a scenario: users have times of their own in each.

use tokio::task::yield_now;

use super::super::driver::Driver;
use super::super::duty::Play;
use super::super::times::Times;
use super::{INTERRUPTED_DRAIN_NS, Worker};

/// How long `[[end]]` may take.
const END_NS: u64 = 10_000_000_000;

impl Driver {
    /// Returns when a user has something to do next.
    fn play_next_ns(&self) -> u64 {
        self.duty.users().map_or(u64::MAX, |users| users.next_ns(&self.thread))
    }

    /// Has users do what is due, and writes what they send.
    pub(crate) fn play_turn(&mut self) {
        let Self { thread, duty } = self;
        if let Some(users) = duty.users_mut() {
            users.turn(thread);
        }
        self.flush_dirty();
    }
}

impl Worker {
    /// Checks whether its connections have users, beside their job or instead of one.
    pub(super) fn has_users(&self) -> bool {
        self.driver.borrow().duty.users().is_some()
    }

    /// Waits until each connection is open or has failed, and each user is ready or never will be.
    pub(super) async fn play_begin(&mut self) {
        if self.has_users() {
            let is_settled = |driver: &Driver| driver.thread.admission.is_settled();
            let done = |driver: &Driver| is_settled(driver) && Play::is_begun(&driver.thread);
            self.play_until(|_| u64::MAX, done).await;
        }
    }

    /// Waits until load begins.
    pub(super) async fn play_wait(&mut self) {
        if self.has_users() {
            self.play_until(|_| u64::MAX, |driver| driver.thread.times != Times::NEVER).await;
            self.play_until(|driver| driver.thread.times.load_begin_ns, |_| false).await;
        }
    }

    /// Has users do iterations until the measured time is over, or all are done.
    pub(super) async fn play_load(&mut self) {
        self.answer_all().await;
        self.play_until(|driver| driver.thread.times.window_end_ns, Driver::is_load_done).await;
    }

    /// Waits for iterations that are under way since `begin_ns`, and has users do `[[end]]`.
    pub(super) async fn play_end(&mut self, begin_ns: u64) {
        if !self.has_users() {
            return;
        }
        let end_ns = begin_ns.saturating_add(self.drain_ns);
        // What is sent in the first half has the second for its answer.
        self.end_pauses(begin_ns.saturating_add(self.drain_ns / 2)).await;
        // Users that have just arrived get ready, so that each is counted as what it is.
        let is_idle = |driver: &Driver| {
            let thread = &driver.thread;
            Play::is_idle(thread) && Play::is_begun(thread) && thread.admission.is_settled()
        };
        self.play_out(begin_ns, end_ns, is_idle).await;
        self.for_each_session(|driver, key| {
            let Driver { thread, duty } = driver;
            if let Some(users) = duty.users_mut() {
                users.finish(thread, key);
            }
            driver.flush_or_wake(key);
        })
        .await;
        let begin_ns = self.clock.now_ns();
        let is_over = |driver: &Driver| driver.duty.users().is_none_or(Play::is_over);
        self.play_out(begin_ns, begin_ns.saturating_add(END_NS), is_over).await;
    }

    /// Has users whose pauses last longer than this go on no more.
    async fn end_pauses(&self, latest_ns: u64) {
        if let Some(users) = self.driver.borrow_mut().duty.users_mut() {
            users.end_pauses(latest_ns);
        }
        self.answer_all().await;
    }

    /// Has each user do what it may now do.
    async fn answer_all(&self) {
        self.for_each_session(|driver, key| {
            let Driver { thread, duty } = driver;
            duty.answer(thread, key);
            driver.flush_or_wake(key);
        })
        .await;
    }

    /// Lets users go on until a time, or for something, or for an interrupt.
    pub(super) async fn play_until(
        &mut self,
        until_ns: impl Fn(&Driver) -> u64,
        done: impl Fn(&Driver) -> bool,
    ) {
        loop {
            let next_ns = |driver: &Driver| until_ns(driver).min(driver.play_next_ns());
            self.wait(next_ns, &done).await;
            {
                let mut driver = self.driver.borrow_mut();
                let now_ns = self.clock.now_ns();
                if driver.thread.lifecycle.is_interrupted()
                    || done(&driver)
                    || now_ns >= until_ns(&driver)
                {
                    return;
                }
                driver.play_turn();
            }
            yield_now().await; // for replies to be read between
        }
    }

    /// Lets users go on until a time, or for something; an interrupt shortens it.
    async fn play_out(&mut self, begin_ns: u64, end_ns: u64, done: impl Fn(&Driver) -> bool) {
        let end_ns = |driver: &Driver| {
            driver.thread.lifecycle.cut_short(begin_ns, end_ns, INTERRUPTED_DRAIN_NS)
        };
        loop {
            let next_ns = |driver: &Driver| end_ns(driver).min(driver.play_next_ns());
            self.wait_also_interrupted(next_ns, &done).await;
            {
                let mut driver = self.driver.borrow_mut();
                if done(&driver) || self.clock.now_ns() >= end_ns(&driver) {
                    return;
                }
                driver.play_turn();
            }
            yield_now().await;
        }
    }
}
