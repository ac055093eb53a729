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
mod tests {
    use super::*;
    use crate::config::Rate;

    fn plan(connections: u64, workers: u64, rate: u64, number: Option<u64>) -> Plan {
        let profile = |per_s: u64| Some(RateProfile::Constant(Rate::new(per_s * 1_000).unwrap()));
        Plan {
            connections,
            senders: connections,
            workers,
            connects: profile(100),
            script: Script::Echo,
            load: Some(Load::Open { rate: Rate::new(rate * 1_000).unwrap() }),
            messages: profile(rate),
            arrivals: Arrivals::Constant,
            pings: None,
            number,
            seed: 42,
        }
    }

    fn poisson(connections: u64, workers: u64, rate: u64, number: Option<u64>) -> Plan {
        Plan { arrivals: Arrivals::Poisson, ..plan(connections, workers, rate, number) }
    }

    #[test]
    fn pings_of_many_processes_are_spread_evenly_over_an_interval() {
        let pings = Some(RateProfile::every(std::time::Duration::from_secs(60), 1_020));
        let of = |index| {
            let segment = crate::segment::Segment::new(index, 51).unwrap();
            let plan = Plan { pings: pings.clone(), ..plan(1_020, segment.workers(1), 1, None) };
            plan.pings(segment.worker(0)).unwrap().take(40).map(|ping| ping.due_ns)
        };
        let mut due: Vec<u64> = (1..=51).flat_map(of).collect();
        due.sort_unstable();
        let is_even = |pair: &[u64]| (pair[1] - pair[0]).abs_diff(60_000_000_000 / 1_020) <= 1;
        assert!(due.windows(2).all(is_even));
    }

    #[test]
    fn any_split_has_the_same_connections() {
        let whole: Vec<_> = plan(10, 1, 7, Some(33)).connections(WorkerIndex(0)).collect();
        assert_eq!(whole.len(), 10);
        assert_eq!(whole[3].start_ns, Some(30_000_000));
        assert_eq!(whole.iter().map(|c| c.messages).sum::<u64>(), 33);
        let independent: Vec<_> = poisson(10, 1, 7, Some(33)).connections(WorkerIndex(0)).collect();
        assert!(independent.is_sorted_by_key(|connection| connection.start_ns));
        assert_ne!(independent, whole);
        for workers in 1..=10 {
            for (plan, whole) in [
                (plan(10, workers, 7, Some(33)), &whole),
                (poisson(10, workers, 7, Some(33)), &independent),
            ] {
                let mut parts: Vec<_> =
                    (0..workers).flat_map(|w| plan.connections(WorkerIndex(w))).collect();
                parts.sort_by_key(|connection| connection.index);
                assert_eq!(&parts, whole, "{workers} workers");
                assert_eq!((0..workers).map(|w| plan.slots(WorkerIndex(w))).sum::<u64>(), 10);
            }
        }
    }

    #[test]
    fn any_split_has_the_same_messages_at_the_same_times() {
        let whole: Vec<_> = plan(10, 1, 1_000, Some(57)).sends(WorkerIndex(0)).unwrap().collect();
        assert_eq!(whole.len(), 57);
        assert_eq!(
            whole[12],
            Send { due_ns: 12_000_000, connection: ConnectionIndex(2), sequence: 1 }
        );
        let independent: Vec<_> =
            poisson(10, 1, 1_000, Some(57)).sends(WorkerIndex(0)).unwrap().collect();
        assert_eq!(independent.len(), 57);
        for workers in 1..=10 {
            for (plan, whole) in [
                (plan(10, workers, 1_000, Some(57)), &whole),
                (poisson(10, workers, 1_000, Some(57)), &independent),
            ] {
                let mut parts = Vec::new();
                for worker in 0..workers {
                    let sends: Vec<_> = plan.sends(WorkerIndex(worker)).unwrap().collect();
                    assert!(sends.is_sorted_by_key(|send| send.due_ns), "{workers} workers");
                    parts.extend(sends);
                }
                parts.sort_by_key(|send| send.due_ns);
                assert_eq!(&parts, whole, "{workers} workers");
            }
        }
    }

    #[test]
    fn what_is_left_is_what_would_still_come() {
        for workers in [1, 3, 7] {
            for plan in [plan(7, workers, 100, Some(240)), plan(7, workers, 100, None)] {
                for worker in 0..workers {
                    let mut sends = plan.sends(WorkerIndex(worker)).unwrap();
                    for _ in 0..40 {
                        for ns in [0, 1, 500_000_000, 1_230_000_000, 9_000_000_000] {
                            let come = sends.clone().take_while(|send| send.due_ns < ns).count();
                            assert_eq!(sends.left_before(ns), come as u64, "{worker}/{workers}");
                        }
                        sends.next();
                    }
                }
            }
        }
    }

    /// Returns every connection and every message of a command line, in order.
    fn planned(line: &str) -> (Vec<ConnectionPlan>, Vec<Send>) {
        use crate::cli::{Command, Parsed, parse};
        let words = std::iter::once("loadgen").chain(line.split(' ')).map(Into::into);
        let Parsed::Command(command) = parse(words) else { panic!("{line}") };
        let Command::Run(args) = *command else { panic!("{line}") };
        let config = Config::of_run(args).unwrap();
        let plan = Plan::new(&config);
        let (mut connections, mut sends) = (Vec::new(), Vec::new());
        for thread in 0..config.threads.get() as u64 {
            let worker = config.part().worker(thread);
            connections.extend(plan.connections(worker));
            sends.extend(plan.sends(worker).into_iter().flatten());
        }
        assert_eq!(connections.len() as u64, config.connections_here());
        (connections, sends)
    }

    #[test]
    fn segments_together_are_one_run_whatever_their_threads() {
        for arrivals in ["", " --arrivals poisson", " --stage 2s:900"] {
            segments_are_one_run(&format!(
                "run ws://h/ -c 47 -n 1234 -R 333 -C 70 --seed 1{arrivals}"
            ));
        }
    }

    fn segments_are_one_run(line: &str) {
        let (mut connections, mut sends) = planned(&format!("{line} -t 1"));
        connections.sort_by_key(|connection| connection.index);
        sends.sort_by_key(|send| send.due_ns);
        assert_eq!((connections.len(), sends.len()), (47, 1_234));
        for of in [2, 10, 47] {
            let mut parts = (Vec::new(), Vec::new());
            for index in 1..=of {
                let (some, more) =
                    planned(&format!("{line} -t {} --segment {index}/{of}", index % 5 + 1));
                parts.0.extend(some);
                parts.1.extend(more);
            }
            parts.0.sort_by_key(|connection| connection.index);
            parts.1.sort_by_key(|send| send.due_ns);
            assert_eq!(parts.0, connections, "{of}");
            assert_eq!(parts.1, sends, "{of}");
        }
    }

    #[test]
    fn shares_of_a_number_are_what_the_schedule_sends() {
        let plan = plan(7, 2, 100, Some(24));
        let mut sent = [0; 7];
        for send in plan.sends(WorkerIndex(0)).unwrap().chain(plan.sends(WorkerIndex(1)).unwrap()) {
            assert_eq!(sent[usize::try_from(send.connection.0).unwrap()], send.sequence);
            sent[usize::try_from(send.connection.0).unwrap()] += 1;
        }
        let shares: Vec<_> =
            (0..7).map(|index| share(Some(24), 7, ConnectionIndex(index))).collect();
        assert_eq!(shares, sent);
    }

    #[test]
    fn pings_of_a_held_connection_are_an_interval_apart_and_spread_over_connections() {
        let mut plan = plan(3, 2, 1, None);
        plan.script = Script::Hold;
        let interval = std::time::Duration::from_secs(30);
        plan.load = Some(Load::Every { interval });
        plan.messages = Some(RateProfile::every(interval, plan.connections));
        let due = |worker| -> Vec<_> {
            let sends = plan.sends(WorkerIndex(worker)).unwrap().take(4);
            sends.map(|send| (send.connection.0, send.due_ns / 1_000_000_000)).collect()
        };
        assert_eq!(due(0), [(0, 0), (2, 20), (0, 30), (2, 50)]);
        assert_eq!(due(1), [(1, 10), (1, 40), (1, 70), (1, 100)]);
        let connections: Vec<_> = plan.connections(WorkerIndex(1)).collect();
        assert_eq!((connections.len(), connections[0].messages), (1, u64::MAX));
    }

    #[test]
    fn pings_beside_messages_are_spread_over_an_interval_by_any_split() {
        let interval = std::time::Duration::from_millis(500);
        for workers in [1, 3] {
            // Only messages have Poisson arrivals.
            let plan = Plan {
                pings: Some(RateProfile::every(interval, 10)),
                ..poisson(10, workers, 1_000, Some(7))
            };
            let own = |worker| {
                plan.pings(WorkerIndex(worker)).unwrap().take_while(|send| send.sequence < 3)
            };
            let mut pings: Vec<_> = (0..workers).flat_map(own).collect();
            pings.sort_by_key(|send| send.due_ns);
            let due_ms: Vec<_> = pings.iter().map(|send| send.due_ns / 1_000_000).collect();
            assert_eq!(due_ms, (0..30).map(|n| n * 50).collect::<Vec<_>>());
            assert!((0..30).all(|n| pings[n].connection.0 == n as u64 % 10));
        }
        assert!(plan(10, 1, 5, None).pings(WorkerIndex(0)).is_none());
    }

    #[test]
    fn connections_without_end_when_each_is_closed_at_once() {
        let mut plan = plan(4, 2, 1, None);
        plan.script = Script::OpenClose;
        assert_eq!(plan.connections(WorkerIndex(1)).nth(100_000).unwrap().index.0, 200_001);
        plan.number = Some(5);
        let count = |worker| plan.connections(WorkerIndex(worker)).count();
        assert_eq!((count(0), count(1)), (3, 2));
    }

    #[test]
    fn connections_begin_faster_and_faster_in_a_stage() {
        let stages = crate::config::Stages {
            start_per_1000_s: 0,
            stages: [crate::config::Stage {
                length: std::time::Duration::from_secs(10),
                per_1000_s: 100_000,
            }]
            .into(),
        };
        let mut plan = plan(4, 2, 1, None);
        plan.script = Script::OpenClose;
        plan.connects = Some(RateProfile::staged(&stages, std::time::Duration::ZERO));
        let starts: Vec<_> =
            plan.connections(WorkerIndex(1)).map_while(|c| c.start_ns).take(250).collect();
        let early = starts.iter().filter(|&&ns| ns < 5_000_000_000).count();
        assert!(early.abs_diff(62) <= 1, "a quarter of them in half of the time: {early}");
    }
}
