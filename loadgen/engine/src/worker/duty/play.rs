//! Users of a scenario: what comes on their connections to their state machines, what those want to
//! send to the sessions, and what happens to counters.
//!
//! A user is woken by its own messages, or by a heap with one time for each user, which is touched
//! only when that time becomes earlier: a timeout that isn't needed costs nothing.

#![expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method for one `Counter<'_>` is not one for all"
)]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use wscodec::{CloseCode, Message};

use super::super::judge::{Judge, Received};
use super::super::session::{Goodbye, Session};
use super::super::sessions::{LocalIndex, Numbering, SessionKey};
use super::super::thread::Thread;
use super::super::thread::outbox::BACKLOG_MAX;
use super::super::times::Times;
use super::counter::Counter;
use crate::clock::Clock;
use crate::config::{Config, Play as Played};
use crate::index::ConnectionIndex;
use crate::metrics::live::Live;
use crate::metrics::{Failure, FailurePhase, Metric, Metrics, ScenarioMetrics};
use crate::plan::{Send, Sends};
use crate::scenario::user::{Outgoing, Progress, Turn, User};
use crate::scenario::{END, Program};

/// Users that are woken in one go before sockets are read again.
const USERS_PER_TURN: usize = 256;
/// Iterations of one user in one go, of a scenario that waits for nothing.
const ITERATIONS_PER_TURN: usize = 16;
/// Iterations that may wait for the one before on a connection; later ones are left out.
const DUE_MAX: usize = 100_000;
/// How soon a user looks again whether there is room for what it wants to send.
const ROOM_NS: u64 = 1_000_000;

/// The users of a worker.
#[derive(Debug)]
pub(crate) struct Play {
    program: Arc<Program>,
    /// Whether messages that no step and no rule takes are for something else.
    is_beside: bool,
    seed: u64,
    clock: Clock,
    numbering: Numbering,
    is_closed_loop: bool,
    is_numbered: bool,
    /// By local index.
    players: Vec<Option<Box<Player>>>,
    /// When each is to be woken.
    wakes: BinaryHeap<Reverse<(u64, LocalIndex)>>,
    outgoing: Outgoing,
    /// Iterations to come, under open loop.
    sends: Option<Sends>,
    next: Option<Send>,
    /// Iterations that users may still begin, if there is a number.
    left: u64,
    /// Until when a pause may last for its iteration to go on.
    pauses_end_ns: u64,
    /// What users take along whose connection was lost, by local index.
    away: HashMap<LocalIndex, Away>,
}

/// What a user takes along to a new connection.
#[derive(Clone, Copy, Debug)]
struct Away {
    progress: Progress,
    quota: u64,
}

/// A user, and what it is to do.
#[derive(Debug)]
struct Player {
    user: User,
    /// The time in the heap; `u64::MAX` if there is none.
    armed_ns: u64,
    /// When iterations were due that have not begun; `None` as long as none was.
    #[expect(clippy::box_collection, reason = "most users have none, and a pointer is thin")]
    due: Option<Box<VecDeque<u64>>>,
    /// Iterations that it may still begin in a closed loop.
    quota: u64,
}

/// What an idle user takes besides what its program has it keep: a size of the allocator's.
const _: () = assert!(size_of::<Player>() <= 224);

impl Player {
    /// Returns how many iterations were due and have not begun.
    fn waiting(&self) -> usize {
        self.due.as_ref().map_or(0, |due| due.len())
    }
}

impl Play {
    pub(crate) fn new(
        config: &Config,
        played: &Played,
        (numbering, clock): (Numbering, Clock),
        slots: usize,
        mut sends: Option<Sends>,
    ) -> Self {
        Self {
            program: Arc::clone(&played.program),
            is_beside: config.play().is_none(),
            seed: config.seed,
            clock,
            numbering,
            is_closed_loop: !played.load.is_scheduled(),
            is_numbered: played.iterations.is_some(),
            players: (0..slots).map(|_| None).collect(),
            // One for each user; a user whose time has become earlier has two for a while.
            wakes: BinaryHeap::with_capacity(slots),
            outgoing: Outgoing::default(),
            next: sends.as_mut().and_then(Iterator::next),
            sends,
            left: 0,
            pauses_end_ns: u64::MAX,
            away: HashMap::new(),
        }
    }

    /// Calls a user, if there is one; returns whether it passes a message on.
    fn call(
        &mut self,
        (metrics, live, times): (&mut Metrics, &Live, &Times),
        (local, connection): (LocalIndex, ConnectionIndex),
        now_ns: u64,
        call: impl FnOnce(&mut User, &mut Turn<'_, Counter<'_>>),
    ) -> bool {
        let Self { program, players, outgoing, clock, seed, is_beside, .. } = self;
        let is_beside = *is_beside;
        let Some(Some(player)) = players.get_mut(local.0) else { return is_beside };
        if metrics.scenario.steps.len() < program.measures.len()
            || metrics.scenario.rules.len() < program.rules.len()
        {
            metrics.scenario = ScenarioMetrics::new(program.measures.len(), program.rules.len());
        }
        let (has_passed, program) = (false, &**program);
        let mut counter =
            Counter { program, metrics, live, times, connection, now_ns, is_beside, has_passed };
        let mut turn = Turn {
            program,
            seed: *seed,
            now_ns,
            unix_ns: clock.unix_ns(now_ns),
            out: outgoing,
            observer: &mut counter,
        };
        call(&mut player.user, &mut turn);
        counter.has_passed
    }

    fn call_of(
        &mut self,
        thread: &mut Thread,
        connection: ConnectionIndex,
        now_ns: u64,
        call: impl FnOnce(&mut User, &mut Turn<'_, Counter<'_>>),
    ) {
        let local = self.numbering.local(connection);
        let Thread { metrics, live, times, .. } = thread;
        self.call((metrics, live, times), (local, connection), now_ns, call);
    }

    /// A connection is open: its user begins. Messages may have come with the handshake.
    pub(crate) fn opening(&mut self, thread: &mut Thread, key: SessionKey) {
        let session = &thread.sessions[key];
        let connection = session.index;
        let now_ns = self.clock.now_ns();
        let local = self.numbering.local(connection);
        let mut user = User::new(&self.program, self.seed, connection, self.clock.unix_ns(now_ns));
        let quota = if let Some(Away { progress, quota }) = self.away.remove(&local) {
            user.resume(progress);
            quota
        } else {
            self.left = self.left.saturating_add(session.quota);
            session.quota
        };
        let player = Player { user, armed_ns: u64::MAX, due: None, quota };
        if let Some(slot) = self.players.get_mut(local.0) {
            *slot = Some(Box::new(player));
        }
        self.call_of(thread, connection, now_ns, |user, turn| user.open(turn));
        self.go_on(thread, key);
    }

    /// Checks whether the user of a connection has done `[[begin]]`.
    pub(crate) fn is_ready(&self, connection: ConnectionIndex) -> bool {
        let player = self.players.get(self.numbering.local(connection).0);
        let user = player.and_then(Option::as_ref).map(|player| &player.user);
        user.is_some_and(|user| !user.is_beginning() && !user.is_over())
    }

    /// Takes a message; what it leads to is sent by [`go_on`](Self::go_on). Returns whether the
    /// message is a user's, and not for what is done beside.
    pub(crate) fn message(&mut self, judge: &mut Judge<'_>, received: Received<'_>) -> bool {
        let Received { payload, connection, arrived_ns, .. } = received;
        let local = self.numbering.local(connection);
        let parts = (&mut *judge.metrics, judge.live, judge.times);
        !self.call(parts, (local, connection), arrived_ns, |user, turn| user.message(payload, turn))
    }

    /// Sends what a user wants to send, begins its next iteration if that is due, and sees to it
    /// that it is woken.
    pub(crate) fn go_on(&mut self, thread: &mut Thread, key: SessionKey) {
        let connection = thread.sessions[key].index;
        let local = self.numbering.local(connection);
        let mut at_ns = u64::MAX;
        for iteration in 0.. {
            self.deliver(thread, key, local);
            self.rest(thread, local);
            let now_ns = self.clock.now_ns();
            let Some(due_ns) = self.next_iteration(thread, key, local, now_ns) else { break };
            if thread.outbox.backlog_len >= BACKLOG_MAX {
                at_ns = now_ns.saturating_add(ROOM_NS);
                break;
            }
            if iteration == ITERATIONS_PER_TURN {
                at_ns = now_ns;
                break;
            }
            self.begin(thread, local, due_ns, now_ns);
            self.call_of(thread, connection, now_ns, |user, turn| user.iterate(due_ns, turn));
        }
        self.arm(local, at_ns);
    }

    /// Cuts the iteration of a user whose pause ends too late for what is behind it.
    fn rest(&mut self, thread: &mut Thread, local: LocalIndex) {
        let Some(Some(player)) = self.players.get_mut(local.0) else { return };
        if player.user.rest(self.pauses_end_ns) {
            thread.metrics.scenario.iterations.cut += 1;
        }
    }

    /// Load is over: a user whose pause lasts longer than this begins no step after it, since there
    /// would be no time for its answer.
    pub(crate) const fn end_pauses(&mut self, latest_ns: u64) {
        self.pauses_end_ns = latest_ns;
    }

    /// When the next iteration of a user was due, under open loop, if it is to begin now.
    #[expect(clippy::option_option, reason = "whether it begins, and whether it was due at a time")]
    fn next_iteration(
        &self,
        thread: &Thread,
        key: SessionKey,
        local: LocalIndex,
        now_ns: u64,
    ) -> Option<Option<u64>> {
        let player = self.players.get(local.0)?.as_ref()?;
        if !player.user.is_ready()
            || !self.program.has_steps()
            || !thread.may_send(now_ns)
            || !thread.sessions[key].is_open()
        {
            return None;
        }
        if self.is_closed_loop {
            return (player.quota > 0).then_some(None);
        }
        player.due.as_ref()?.front().map(|&due_ns| Some(due_ns))
    }

    /// Counts an iteration that begins.
    fn begin(&mut self, thread: &mut Thread, local: LocalIndex, due_ns: Option<u64>, now_ns: u64) {
        let Some(Some(player)) = self.players.get_mut(local.0) else { return };
        let counts = &mut thread.metrics.scenario.iterations;
        counts.begun += 1;
        if let Some(due_ns) = due_ns {
            player.due.as_mut().and_then(|due| due.pop_front());
            // Only what this program is late by: not the wait for the iteration before.
            if thread.times.is_measured(due_ns) {
                let late_ns = now_ns.saturating_sub(due_ns.max(player.user.ready_ns()));
                thread.metrics.distributions.record(Metric::SendLag, late_ns);
            }
        } else {
            counts.due += 1;
            player.quota -= 1;
            self.left = self.left.saturating_sub(1);
        }
    }

    /// Hands what is to be sent to the session; its task, or the turn, writes it.
    fn deliver(&mut self, thread: &mut Thread, key: SessionKey, local: LocalIndex) {
        if self.outgoing.is_empty() {
            return;
        }
        let Thread { sessions, outbox, live, .. } = &mut *thread;
        let session = &mut sessions[key];
        if session.unsent.capacity() == 0 {
            session.unsent = outbox.spare();
        }
        let before = session.unsent.len();
        for (is_binary, bytes) in self.outgoing.messages() {
            let message = match str::from_utf8(bytes) {
                Ok(text) if !is_binary => Message::Text(text),
                _ => Message::Binary(bytes),
            };
            // Refused only if the connection is closing, which its task sees.
            if session.codec.send(message, &mut session.unsent).is_ok() {
                live.sent.add(1);
            }
        }
        outbox.backlog_len += session.unsent.len() - before;
        let close = self.outgoing.close.take();
        self.outgoing.clear();
        if let Some(Some(player)) = self.players.get_mut(local.0) {
            player.user.writing(&self.program, self.clock.now_ns());
        }
        if let Some(code) = close {
            let code = CloseCode::try_from(code).unwrap_or(CloseCode::NORMAL);
            let is_begun = thread.begin_close_with(key, code);
            if is_begun && self.is_beside && !thread.sessions[key].is_ready() {
                // It has never been what it was opened for.
                thread.metrics.held -= 1;
                let why = Failure::new(FailurePhase::Message, "refused");
                thread.metrics.drops.add(why, self.clock.now_ns());
            }
            thread.sessions[key].wake();
        }
    }

    /// Notes when a user is to be woken, if that is earlier than it was.
    fn arm(&mut self, local: LocalIndex, at_ns: u64) {
        let Some(Some(player)) = self.players.get_mut(local.0) else { return };
        let next_ns = player.user.next_ns().min(at_ns);
        if next_ns < player.armed_ns {
            player.armed_ns = next_ns;
            self.wakes.push(Reverse((next_ns, local)));
        }
    }

    /// Returns when there is something to do next.
    pub(crate) fn next_ns(&self, thread: &Thread) -> u64 {
        let woken_ns = self.wakes.peek().map_or(u64::MAX, |Reverse((ns, _))| *ns);
        let due_ns = self.next.filter(|_| thread.lifecycle.is_loading());
        let due_ns = due_ns.map(|send| send.due_ns.saturating_add(thread.times.load_begin_ns));
        woken_ns.min(due_ns.unwrap_or(u64::MAX))
    }

    /// Does what is due, as far as one turn goes; the sessions that have something to write are
    /// dirty.
    pub(crate) fn turn(&mut self, thread: &mut Thread) {
        let now_ns = self.clock.now_ns();
        for _ in 0..USERS_PER_TURN {
            let Some(send) = self.next.filter(|_| thread.lifecycle.is_loading()) else { break };
            let due_ns = send.due_ns.saturating_add(thread.times.load_begin_ns);
            if due_ns > now_ns || due_ns >= thread.times.window_end_ns {
                break;
            }
            self.next = self.sends.as_mut().and_then(Iterator::next);
            let local = self.numbering.local(send.connection);
            let key = thread.sessions.key_of(local).filter(|&key| thread.sessions[key].is_open());
            let counts = &mut thread.metrics.scenario.iterations;
            counts.due += 1;
            match (key, self.players.get_mut(local.0)) {
                (Some(key), Some(Some(player)))
                    if !player.user.is_over() && player.waiting() < DUE_MAX =>
                {
                    player.due.get_or_insert_default().push_back(due_ns);
                    self.go_on(thread, key);
                    thread.outbox.mark_dirty(&mut thread.sessions[key], key);
                }
                _ => counts.unsent += 1,
            }
        }
        for _ in 0..USERS_PER_TURN {
            let Some(&Reverse((ns, local))) = self.wakes.peek() else { break };
            if ns > now_ns {
                break;
            }
            self.wakes.pop();
            match self.players.get_mut(local.0) {
                Some(Some(player)) if player.armed_ns == ns => player.armed_ns = u64::MAX,
                _ => continue, // an earlier time has been set since, or it has ended
            }
            let Some(key) = thread.sessions.key_of(local) else { continue };
            let connection = thread.sessions[key].index;
            self.call_of(thread, connection, now_ns, |user, turn| user.wake(turn));
            self.go_on(thread, key);
            thread.outbox.mark_dirty(&mut thread.sessions[key], key);
        }
    }

    /// Checks whether each user has begun, or will never.
    pub(crate) fn is_begun(thread: &Thread) -> bool {
        let users = &thread.metrics.scenario.users;
        let established = thread.metrics.established + thread.metrics.reconnect.established;
        users.ready + users.refused + users.left >= established
    }

    /// Checks whether no user is at an iteration.
    pub(crate) fn is_idle(thread: &Thread) -> bool {
        let counts = &thread.metrics.scenario.iterations;
        counts.begun == counts.completed + counts.failed + counts.cut
    }

    /// Checks whether all iterations of a number are over.
    pub(crate) fn is_done(&self, thread: &Thread) -> bool {
        let counts = &thread.metrics.scenario.iterations;
        let is_all_begun = if self.is_closed_loop {
            self.left == 0
        } else {
            self.next.is_none() && counts.due == counts.begun + counts.unsent
        };
        let is_all_begun = is_all_begun && thread.admission.is_settled();
        self.is_numbered && is_all_begun && Self::is_idle(thread)
    }

    /// Checks whether each user has nothing more to do.
    pub(crate) fn is_over(&self) -> bool {
        self.players.iter().flatten().all(|player| player.user.is_over())
    }

    /// Counts the iterations that were due before load ended and have not begun.
    pub(crate) fn count_unsent(&mut self, thread: &mut Thread) {
        let times = thread.times;
        let counts = &mut thread.metrics.scenario.iterations;
        for player in self.players.iter_mut().flatten() {
            counts.unsent += player.waiting() as u64;
            player.due = None;
        }
        if let Some(next) = self.next.take()
            && times != Times::NEVER
        {
            let ns = times.window_end_ns.saturating_sub(times.load_begin_ns);
            let left = self.sends.as_ref().map_or(0, |sends| sends.left_before(ns));
            let left = left + u64::from(next.due_ns < ns);
            counts.due += left;
            counts.unsent += left;
        }
    }

    /// Has a user go on to `[[end]]`.
    pub(crate) fn finish(&mut self, thread: &mut Thread, key: SessionKey) {
        let connection = thread.sessions[key].index;
        self.cut(thread, connection);
        if !self.program.blocks[END].steps.is_empty() {
            thread.sessions[key].close.goodbye = Goodbye::Said;
        }
        self.call_of(thread, connection, self.clock.now_ns(), |user, turn| user.finish(turn));
        self.go_on(thread, key);
    }

    /// A connection has ended.
    pub(crate) fn ended(&mut self, thread: &mut Thread, session: &Session) {
        let connection = session.index;
        self.cut(thread, connection);
        self.call_of(thread, connection, self.clock.now_ns(), |user, turn| user.lost(turn));
        self.outgoing.clear();
        let local = self.numbering.local(connection);
        if let Some(player) = self.players.get_mut(local.0).and_then(Option::take) {
            thread.metrics.scenario.iterations.unsent += player.waiting() as u64;
            let away = Away { progress: player.user.progress(), quota: player.quota };
            self.away.insert(local, away);
        }
    }

    /// A connection has ended, and is not opened again.
    pub(crate) fn gone(&mut self, connection: ConnectionIndex) {
        if let Some(away) = self.away.remove(&self.numbering.local(connection)) {
            self.left = self.left.saturating_sub(away.quota);
        }
    }

    /// Counts what a user was at, which comes to nothing.
    fn cut(&mut self, thread: &mut Thread, connection: ConnectionIndex) {
        let local = self.numbering.local(connection);
        let Some(Some(player)) = self.players.get(local.0) else { return };
        let scenario = &mut thread.metrics.scenario;
        scenario.iterations.cut += player.user.running();
        scenario.users.left += u64::from(player.user.is_beginning());
    }
}
