//! Turns configuration and seed into what each connection does, and when: pure, and the same for
//! every split of a run.
//!
//! Everything is computed from numbers that don't depend on threads or processes: the index of a
//! connection in the whole run, and the sequence of a message on its connection. So ten processes
//! that take a tenth of the connections each send what one would have sent.
//!
//! ```text
//!   connection i   starts at i / connect rate
//!   message j of connection i   is due at (j * connections + i) / rate   after load begins
//! ```
//!
//! This holds for even arrivals at one rate. If the rate changes, a [`RateProfile`] turns the same
//! numbers into times. For Poisson arrivals, each connection has gaps of its own.

mod poisson;

use crate::config::{Arrivals, Config, Load, RateProfile, Scenario};
use crate::index::{ConnectionIndex, WorkerIndex};
use crate::random::{self, Use};
use poisson::Independent;

/// What a run does, connection by connection.
#[derive(Clone, Debug)]
pub struct Plan {
    connections: u64,
    /// Connections that send: the first of all.
    senders: u64,
    workers: u64,
    connects: Option<RateProfile>,
    script: Script,
    load: Option<Load>,
    messages: Option<RateProfile>,
    arrivals: Arrivals,
    /// Pings sent beside messages.
    pings: Option<RateProfile>,
    /// Messages of the run, or connections if no messages are sent.
    number: Option<u64>,
    seed: u64,
}

/// What a connection does between its handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Sends messages and receives their echoes.
    Echo,
    /// Closes the connection as soon as it is open, and opens another in its place.
    OpenClose,
    /// Stays open and sends nothing but Pings, if any.
    Hold,
    /// Receives what the server pushes.
    Listen,
    /// Publishes messages, or receives their copies: the first connections are the publishers.
    Fanout,
    /// Follows a scenario file; the schedule is of iterations.
    Play,
}

/// What one connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionPlan {
    /// Its place in the whole run.
    pub index: ConnectionIndex,
    /// When it is to start, in nanoseconds after the run began; `None` for as soon as there is
    /// room.
    pub start_ns: Option<u64>,
    /// Most messages that it sends.
    pub messages: u64,
    /// What it does.
    pub script: Script,
}

impl Plan {
    /// Plans a run with as many workers as the configuration has threads, in each of its segments:
    /// the number of a worker here is its place among all of them.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let (script, load, number) = match &config.scenario {
            Scenario::Echo(echo) => (Script::Echo, Some(echo.load), echo.messages),
            Scenario::OpenClose { number } => (Script::OpenClose, None, *number),
            Scenario::Hold(_) => (Script::Hold, config.load(), None),
            Scenario::Listen(_) => (Script::Listen, None, None),
            Scenario::Play(play) => (Script::Play, Some(play.load), play.iterations),
            Scenario::Fanout(fanout) => (Script::Fanout, Some(fanout.load), fanout.messages),
        };
        let pacing = &config.pacing;
        let staged =
            pacing.stages.as_ref().map(|stages| RateProfile::staged(stages, config.warmup));
        // Stages apply to messages, if any are sent.
        let (messages, connects) = match (script, load) {
            (Script::OpenClose, _) => (None, staged),
            (_, None | Some(Load::Closed { .. })) => (None, None),
            (_, Some(Load::Open { rate })) => (staged.or(Some(RateProfile::Constant(rate))), None),
            (_, Some(Load::Every { interval })) => {
                (Some(RateProfile::every(interval, config.connections)), None)
            }
        };
        Self {
            connections: config.connections,
            senders: config.fanout().map_or(config.connections, |fanout| fanout.publishers),
            workers: config.part().workers(config.threads.get() as u64),
            connects: connects.or(config.connect_rate.map(RateProfile::Constant)),
            script,
            // The users of a scenario have a schedule of their own.
            load: load.filter(|_| script != Script::Play),
            messages,
            arrivals: pacing.arrivals,
            pings: config
                .ping_interval
                .map(|interval| RateProfile::every(interval, config.connections)),
            number,
            seed: config.seed,
        }
    }

    /// Returns what connections do.
    #[must_use]
    pub const fn script(&self) -> Script {
        self.script
    }

    /// Returns when messages are sent, if they are.
    #[must_use]
    pub const fn load(&self) -> Option<Load> {
        self.load
    }

    /// Checks whether connections start on a schedule.
    #[must_use]
    pub const fn is_paced(&self) -> bool {
        self.connects.is_some()
    }

    /// Returns how many connections of `worker` may be open at once, at least 1.
    #[must_use]
    pub const fn slots(&self, worker: WorkerIndex) -> u64 {
        let slots = worker.share(self.connections, self.workers);
        if slots == 0 { 1 } else { slots }
    }

    /// Returns the connections of `worker` in order.
    #[must_use]
    pub const fn connections(&self, worker: WorkerIndex) -> Connections<'_> {
        Connections { plan: self, next: worker.first(), drawn: 0, events: 0.0 }
    }

    /// Returns the messages of `worker` in the order in which they are due, under open loop.
    #[must_use]
    pub fn sends(&self, worker: WorkerIndex) -> Option<Sends> {
        let profile = self.messages.clone().filter(|_| worker.0 < self.senders)?;
        Some(Sends(match self.arrivals {
            Arrivals::Constant => Order::Turns(Turns {
                profile,
                connections: self.senders,
                workers: self.workers,
                worker,
                end: self.number.unwrap_or(u64::MAX),
                connection: worker.first(),
                sequence: 0,
            }),
            Arrivals::Poisson => {
                let own = (worker.0..self.senders).step_by(usize::try_from(self.workers).ok()?);
                let profile = Independent::new(
                    profile,
                    self.senders,
                    self.number,
                    self.seed,
                    own.map(ConnectionIndex),
                );
                Order::Independent(profile)
            }
        }))
    }

    /// Returns the Pings of `worker` beside its messages, in the order in which they are due after
    /// the measured time begins: the Pings of all connections are spread evenly over an interval.
    #[must_use]
    pub fn pings(&self, worker: WorkerIndex) -> Option<Sends> {
        let profile = self.pings.clone()?;
        Some(Sends(Order::Turns(Turns {
            profile,
            connections: self.connections,
            workers: self.workers,
            worker,
            end: u64::MAX,
            connection: worker.first(),
            sequence: 0,
        })))
    }

    /// Returns when the plan would continue if it had no last event, in nanoseconds after load
    /// begins: ten messages at ten a second take a second, and a rate without a number never ends.
    /// 0 if nothing has a rate.
    #[must_use]
    pub fn end_ns(&self) -> u64 {
        let profile = match self.script {
            Script::OpenClose => &self.connects,
            _ => &self.messages,
        };
        match (profile, self.number) {
            (None, _) => 0,
            (Some(_), None) => u64::MAX,
            (Some(profile), Some(number)) => profile.due_nth_ns(number),
        }
    }

    /// Returns the messages a second that are planned between two times after load begins.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate to more digits than it has")]
    pub fn offered_per_s(&self, begin_ns: u64, end_ns: u64) -> Option<f64> {
        let profile = self.messages.as_ref()?;
        if let RateProfile::Constant(rate) = profile {
            return Some(rate.per_s());
        }
        let events = profile.events_before(end_ns) - profile.events_before(begin_ns);
        Some(events * 1e9 / end_ns.saturating_sub(begin_ns).max(1) as f64)
    }
}

/// Returns a connection's share of a number of messages: message `k` of the run goes to connection
/// `k % connections`.
const fn share(number: Option<u64>, connections: u64, index: ConnectionIndex) -> u64 {
    match number {
        None => u64::MAX,
        Some(number) => {
            let extra = if index.0 < number % connections { 1 } else { 0 };
            number / connections + extra
        }
    }
}

/// The connections of one worker in order.
#[derive(Clone, Debug)]
pub struct Connections<'p> {
    plan: &'p Plan,
    next: ConnectionIndex,
    /// Independent arrivals drawn so far, for the connections of all workers: they are few, and
    /// their sum can't be computed faster.
    drawn: u64,
    events: f64,
}

impl Connections<'_> {
    /// Returns when the next connection is to start.
    fn start_ns(&mut self) -> Option<u64> {
        let profile = self.plan.connects.as_ref()?;
        if self.plan.arrivals == Arrivals::Constant {
            return Some(profile.due_nth_ns(self.next.0));
        }
        while self.drawn <= self.next.0 {
            let number = random::number(
                self.plan.seed,
                Use::ConnectionArrival,
                ConnectionIndex(self.drawn),
                0,
            );
            self.events += random::exponential(number);
            self.drawn += 1;
        }
        Some(profile.due_ns(self.events))
    }
}

impl Iterator for Connections<'_> {
    type Item = ConnectionPlan;

    fn next(&mut self) -> Option<ConnectionPlan> {
        let (plan, index) = (self.plan, self.next);
        let (end, messages) = match plan.script {
            Script::Echo | Script::Play => {
                (plan.connections, share(plan.number, plan.connections, index))
            }
            Script::OpenClose => (plan.number.unwrap_or(u64::MAX), 0),
            Script::Hold | Script::Listen => (plan.connections, u64::MAX),
            Script::Fanout if index.0 < plan.senders => {
                (plan.connections, share(plan.number, plan.senders, index))
            }
            Script::Fanout => (plan.connections, 0),
        };
        if index.0 >= end {
            return None;
        }
        let start_ns = self.start_ns();
        self.next = ConnectionIndex(index.0.checked_add(plan.workers)?);
        Some(ConnectionPlan { index, start_ns, messages, script: plan.script })
    }
}

/// A message that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// When it is due, in nanoseconds after load begins.
    pub due_ns: u64,
    /// Its connection in the run.
    pub connection: ConnectionIndex,
    /// Its number on that connection.
    pub sequence: u64,
}

/// The messages of one worker in the order in which they are due. Takes no memory for future
/// messages.
#[derive(Clone, Debug)]
pub struct Sends(Order);

#[derive(Clone, Debug)]
enum Order {
    Turns(Turns),
    Independent(Independent),
}

impl Sends {
    /// Returns how many remaining messages are due before `ns`; for very many independent ones, the
    /// expected number.
    #[must_use]
    pub fn left_before(&self, ns: u64) -> u64 {
        match &self.0 {
            Order::Turns(turns) => turns.left_before(ns),
            Order::Independent(independent) => independent.left_before(ns),
        }
    }
}

impl Iterator for Sends {
    type Item = Send;

    #[inline]
    fn next(&mut self) -> Option<Send> {
        match &mut self.0 {
            Order::Turns(turns) => turns.next(),
            Order::Independent(independent) => independent.next(),
        }
    }
}

/// Even arrivals: the connections in turn, again and again.
#[derive(Clone, Debug)]
struct Turns {
    profile: RateProfile,
    connections: u64,
    workers: u64,
    worker: WorkerIndex,
    end: u64,
    connection: ConnectionIndex,
    sequence: u64,
}

impl Turns {
    fn left_before(&self, ns: u64) -> u64 {
        let place =
            self.sequence.saturating_mul(self.connections).saturating_add(self.connection.0);
        let end = self.profile.due_before(ns).min(self.end);
        self.own_before(end).saturating_sub(self.own_before(place))
    }

    /// Returns how many of the first `places` messages of the run belong to this worker.
    fn own_before(&self, places: u64) -> u64 {
        let own_of = |connections| self.worker.share(connections, self.workers);
        let (rounds, rest) = (places / self.connections, places % self.connections);
        rounds * own_of(self.connections) + own_of(rest)
    }
}

impl Iterator for Turns {
    type Item = Send;

    fn next(&mut self) -> Option<Send> {
        let place = self.sequence.checked_mul(self.connections)?.checked_add(self.connection.0)?;
        if place >= self.end {
            return None;
        }
        let send = Send {
            due_ns: self.profile.due_nth_ns(place),
            connection: self.connection,
            sequence: self.sequence,
        };
        self.connection.0 += self.workers;
        if self.connection.0 >= self.connections {
            self.connection = self.worker.first();
            self.sequence += 1;
        }
        Some(send)
    }
}

#[cfg(test)]
mod tests;
