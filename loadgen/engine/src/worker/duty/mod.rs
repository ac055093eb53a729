//! What the connections of a worker are there for: the part of a run that differs from command to
//! command, one file each.
//!
//! A [`Thread`] has what all of them share. A duty is called where they differ, in this order:
//!
//! ```text
//!   opening ─▶ begin ─▶ { encoded ─▶ writing  │  message, pong ─▶ read } … ─▶ ended         for each connection
//!   load_begins ─▶ { room, next_turn_ns, has_given_up, is_done } …               for the worker
//! ```
//!
//! Where connections have users, `begin` waits until the user is ready, and a message is for the user
//! first. A duty gets the thread, or the parts of it that judging a message takes, and never calls back into
//! the [`Driver`](super::driver::Driver). Its job is an enum, so that the calls of each message are
//! predicted, and inlined.

mod conclude;
mod counter;
pub(crate) mod echo;
pub(crate) mod fanout;
mod hold;
pub(crate) mod listen;
mod play;
mod publishers;

use std::num::NonZeroU64;
use std::ops::Range;
use std::rc::Rc;

use super::Brief;
use super::judge::{Judge, Received};
use super::outstanding::Outstanding;
use super::session::{Readiness, Session};
use super::sessions::{Numbering, SessionKey};
use super::shared_fanout::SharedFanout;
use super::thread::Thread;
use super::thread::greeting::Greeting;
use crate::config::Scenario;
use crate::index::ConnectionIndex;
use crate::metrics::SeenKind;
use crate::net::Routes;
use crate::plan::Sends;
use echo::Echo;
use fanout::FanoutState;
use listen::Listen;
pub(super) use play::Play;

/// What the connections of a worker do once they are open.
#[derive(Debug)]
pub(crate) struct Duty {
    job: Job,
    /// Users of a scenario: all that there is to do, or what each connection does beside the job.
    users: Option<Box<Play>>,
}

/// What differs between the commands.
#[derive(Debug)]
enum Job {
    /// They send messages, and take their echoes.
    Echo(Echo),
    /// Nothing: each is closed as soon as it is open, and another takes its place.
    OpenClose,
    /// They stay open, with Pings on a schedule, if any.
    Hold,
    /// They take what the server pushes.
    Listen(Listen),
    /// They publish messages, or take the copies of them.
    Fanout(FanoutState),
    /// They do what a scenario says, and no more.
    Play,
}

impl Duty {
    /// Returns the duty of a worker whose connections are numbered so, before any is open.
    ///
    /// `sends` is when iterations of a scenario are due.
    pub(super) fn new(
        brief: &Brief,
        numbering: Numbering,
        slots: usize,
        routes: &Rc<Routes>,
        sends: Option<Sends>,
    ) -> Self {
        let job = match &brief.config.scenario {
            Scenario::Echo(_) => Job::Echo(Echo::default()),
            Scenario::OpenClose { .. } => Job::OpenClose,
            Scenario::Hold(_) => Job::Hold,
            Scenario::Listen(_) => {
                let greeting = Greeting::new(&brief.config);
                Job::Listen(Listen::new(slots, numbering, greeting, Rc::clone(routes)))
            }
            Scenario::Play(_) => Job::Play,
            Scenario::Fanout(fanout) => {
                let shared = brief.shared_fanout.clone();
                let shared =
                    shared.unwrap_or_else(|| SharedFanout::new(&brief.config, fanout).into());
                Job::Fanout(FanoutState::new(shared, fanout, (numbering, brief.clock), slots))
            }
        };
        let sends = sends.filter(|_| matches!(job, Job::Play));
        let users = brief.config.users().map(|played| {
            let numbered = (numbering, brief.clock);
            Box::new(Play::new(&brief.config, played, numbered, slots, sends))
        });
        Self { job, users }
    }

    /// A connection is open, and nothing that has come on it is taken yet.
    pub(super) fn opening(&mut self, thread: &mut Thread, key: SessionKey) {
        if let Some(users) = &mut self.users {
            users.opening(thread, key);
        }
    }

    /// Has a connection begin its job if it is open and its user, if it has one, is ready; returns
    /// whether it has begun now. Its task writes what this leads to.
    pub(super) fn begin(&mut self, thread: &mut Thread, key: SessionKey) -> bool {
        let session = &thread.sessions[key];
        let users = self.users.as_ref();
        if session.is_ready() || users.is_some_and(|users| !users.is_ready(session.index)) {
            return false;
        }
        thread.sessions[key].readiness = Readiness::Ready;
        match &mut self.job {
            Job::OpenClose => {
                thread.begin_close(key);
            }
            Job::Fanout(fanout) => fanout.opened(thread, key),
            Job::Play => {}
            Job::Echo(_) | Job::Hold | Job::Listen(_) => {
                thread.greet(key);
            }
        }
        true
    }

    /// Load begins.
    pub(super) fn load_begins(&mut self, thread: &Thread) {
        if let Job::Echo(echo) = &mut self.job {
            echo.load_begins(thread);
        }
    }

    /// Returns how many of `count` messages a connection may send now.
    #[inline]
    pub(super) fn room(&self, session: &Session, count: usize) -> usize {
        match &self.job {
            _ if !session.is_ready() => 0,
            Job::Fanout(fanout) => count.min(fanout.room(session)),
            _ => count,
        }
    }

    /// Messages of a connection have been encoded, and are not written yet.
    #[inline]
    pub(super) fn encoded(
        &mut self,
        connection: ConnectionIndex,
        sequences: Range<u64>,
        due: Option<NonZeroU64>,
    ) {
        if let Job::Fanout(fanout) = &mut self.job {
            fanout.encoded(connection, sequences, due.map_or(0, NonZeroU64::get));
        }
    }

    /// So many messages of a session are about to be written.
    #[inline]
    pub(super) fn writing(&mut self, thread: &mut Thread, key: SessionKey, messages: u64) {
        if let Job::Fanout(fanout) = &mut self.job {
            fanout.writing(thread, key, messages);
        }
    }

    /// A message has come. [`read`](Self::read) has to follow once the bytes of this read are used
    /// up.
    #[inline]
    pub(super) fn message(
        &mut self,
        judge: &mut Judge<'_>,
        outstanding: &mut Outstanding,
        received: Received<'_>,
    ) {
        if let Some(users) = &mut self.users
            && users.message(judge, received)
        {
            return;
        }
        match &mut self.job {
            Job::Echo(echo) => echo.message(judge, outstanding, received),
            Job::Listen(listen) => listen.message(judge, received),
            Job::Fanout(fanout) => fanout.message(judge, received),
            Job::Play => {}
            // Nothing is sent that it could answer.
            Job::OpenClose | Job::Hold => {
                judge.metrics.seen.add(SeenKind::Pushed, || received.shown());
            }
        }
    }

    /// A Pong has come; returns whether it is the duty's, and not one of the Pings beside messages.
    pub(super) fn pong(
        &mut self,
        judge: &mut Judge<'_>,
        outstanding: &mut Outstanding,
        payload: &[u8],
        (connection, arrived_ns): (ConnectionIndex, u64),
    ) -> bool {
        let is_own = matches!(self.job, Job::Hold);
        if is_own {
            judge.pong(outstanding, payload, connection, arrived_ns);
        }
        is_own
    }

    /// All messages of a read have been handed over.
    #[inline]
    pub(super) fn read(&mut self, judge: &mut Judge<'_>, arrived_ns: u64) {
        if let Job::Echo(echo) = &mut self.job {
            echo.read(judge, arrived_ns);
        }
    }

    /// Sends what the messages of a read lead to; returns whether the connection has begun its job
    /// because of them.
    #[inline]
    pub(super) fn answer(&mut self, thread: &mut Thread, key: SessionKey) -> bool {
        let Some(users) = &mut self.users else { return false };
        users.go_on(thread, key);
        self.begin(thread, key)
    }

    /// A connection has ended.
    pub(super) fn ended(&mut self, thread: &mut Thread, session: &mut Session) {
        if let Some(users) = &mut self.users {
            users.ended(thread, session);
        }
        match &mut self.job {
            _ if !session.is_ready() => {}
            Job::Listen(listen) => listen.ended(thread, session),
            Job::Fanout(fanout) => fanout.ended(thread, session),
            Job::Echo(_) | Job::OpenClose | Job::Hold | Job::Play => {}
        }
    }

    /// A connection that has ended is not opened again.
    pub(super) fn gone(&mut self, connection: ConnectionIndex) {
        if let Some(users) = &mut self.users {
            users.gone(connection);
        }
    }

    /// Returns when there is something to decide, if that is known.
    pub(super) fn next_turn_ns(&self, thread: &Thread) -> Option<u64> {
        match &self.job {
            Job::Echo(echo) => echo.no_echo_ns(thread),
            _ => None,
        }
    }

    /// Checks whether there is no use in going on.
    pub(super) fn has_given_up(&self, thread: &Thread, now_ns: u64) -> bool {
        self.next_turn_ns(thread).is_some_and(|ns| ns <= now_ns)
    }

    /// Checks whether all is done that was to be.
    pub(super) fn is_done(&self, thread: &Thread) -> bool {
        match &self.job {
            // They end with their time.
            Job::OpenClose | Job::Listen(_) => false,
            Job::Play => self.users.as_ref().is_none_or(|users| users.is_done(thread)),
            // Only time tells when the subscribers of other processes have all of it.
            Job::Fanout(fanout) if fanout.is_split() => false,
            Job::Echo(_) | Job::Hold | Job::Fanout(_) => {
                thread.is_all_answered() && thread.clock.now_ns() >= thread.plan_end_ns()
            }
        }
    }

    /// Checks whether the reply to a message comes on the connection that it was sent on.
    pub(super) const fn has_replies(&self) -> bool {
        !matches!(self.job, Job::Fanout(_) | Job::Play)
    }

    /// Checks whether connections stay open until the end of the run.
    pub(super) const fn holds_connections(&self) -> bool {
        !matches!(self.job, Job::OpenClose)
    }

    /// Returns the users of a scenario, if there are any.
    pub(super) fn users(&self) -> Option<&Play> {
        self.users.as_deref()
    }

    /// Returns the users of a scenario, if there are any.
    pub(super) fn users_mut(&mut self) -> Option<&mut Play> {
        self.users.as_deref_mut()
    }

    /// Checks whether users do all that there is to do.
    pub(super) const fn is_play(&self) -> bool {
        matches!(self.job, Job::Play)
    }

    /// Returns the state of a fanout, if this is one.
    pub(super) const fn fanout(&self) -> Option<&FanoutState> {
        match &self.job {
            Job::Fanout(fanout) => Some(fanout),
            _ => None,
        }
    }

    /// Returns the state of a fanout, if this is one.
    pub(super) const fn fanout_mut(&mut self) -> Option<&mut FanoutState> {
        match &mut self.job {
            Job::Fanout(fanout) => Some(fanout),
            _ => None,
        }
    }
}
