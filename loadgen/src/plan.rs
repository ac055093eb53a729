//! Configuration and seed to what each connection does, and when: pure, and the same for every
//! split of a run.
//!
//! Everything is computed from numbers that don't depend on threads or processes: the index of a
//! connection in the whole run, and the sequence of a message on its connection. So ten processes
//! that take a tenth of the connections each send what one would have sent.
//!
//! ```text
//!   connection i   starts at i / connect rate
//!   message j of connection i   is due at (j * connections + i) / rate   after load begins
//! ```

use crate::clock::nanos;
use crate::config::{Config, Load, Rate, Scenario};

/// What a run does, connection by connection.
#[derive(Clone, Debug)]
pub struct Plan {
    connections: u64,
    workers: u64,
    connect_rate: Option<Rate>,
    script: Script,
    load: Option<Load>,
    /// Messages of the run, or connections if none are sent.
    number: Option<u64>,
}

/// What a connection does between its handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Sends messages and takes their echoes.
    Echo,
    /// Nothing: it is closed as soon as it is open, and another is opened in its place.
    OpenClose,
    /// Nothing but Pings, if any: it is there.
    Hold,
}

/// What one connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionPlan {
    /// Its place in the whole run.
    pub index: u64,
    /// When it is to begin, in nanoseconds after the run; `None` is as soon as there is room.
    pub start_ns: Option<u64>,
    /// Messages it sends at most.
    pub messages: u64,
    /// What it does.
    pub script: Script,
}

impl Plan {
    /// Plans a run on so many workers as the configuration has threads, in each of its segments: a
    /// worker's number here is its place among those of all.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let (script, load, number) = match &config.scenario {
            Scenario::Echo(echo) => (Script::Echo, Some(echo.load), echo.messages),
            Scenario::OpenClose { number } => (Script::OpenClose, None, *number),
            Scenario::Hold(_) => (Script::Hold, config.load(), None),
        };
        Self {
            connections: config.connections,
            workers: config.part().workers(config.threads.get() as u64),
            connect_rate: config.connect_rate,
            script,
            load,
            number,
        }
    }

    /// What connections do.
    #[must_use]
    pub const fn script(&self) -> Script {
        self.script
    }

    /// When messages are sent, if they are.
    #[must_use]
    pub const fn load(&self) -> Option<Load> {
        self.load
    }

    /// Whether connections begin on a schedule.
    #[must_use]
    pub const fn is_paced(&self) -> bool {
        self.connect_rate.is_some()
    }

    /// Connections of `worker` that may be open at once, at least 1.
    #[must_use]
    pub const fn slots(&self, worker: u64) -> u64 {
        let extra = if worker < self.connections % self.workers { 1 } else { 0 };
        let slots = self.connections / self.workers + extra;
        if slots == 0 { 1 } else { slots }
    }

    /// The `n`th connection of `worker`; `None` if it has no more.
    #[must_use]
    pub fn connection(&self, worker: u64, n: u64) -> Option<ConnectionPlan> {
        let index = n.checked_mul(self.workers)?.checked_add(worker)?;
        let (end, messages) = match self.script {
            Script::Echo => (self.connections, self.messages_of(index)),
            Script::OpenClose => (self.number.unwrap_or(u64::MAX), 0),
            Script::Hold => (self.connections, u64::MAX),
        };
        let start_ns = self.connect_rate.map(|rate| rate.due_ns(index));
        let plan = ConnectionPlan { index, start_ns, messages, script: self.script };
        (index < end).then_some(plan)
    }

    /// The messages of `worker` in the order in which they are due, under open loop.
    #[must_use]
    pub fn sends(&self, worker: u64) -> Option<Sends> {
        let schedule = match self.load? {
            Load::Closed { .. } => return None,
            Load::Open { rate } => Schedule::Rate(rate),
            Load::Every { interval } => Schedule::Interval(nanos(interval)),
        };
        Some(Sends {
            schedule,
            connections: self.connections,
            workers: self.workers,
            worker,
            end: self.number.unwrap_or(u64::MAX),
            connection: worker,
            sequence: 0,
        })
    }

    /// The share of a connection: message `k` of the run goes to connection `k % connections`.
    const fn messages_of(&self, index: u64) -> u64 {
        match self.number {
            None => u64::MAX,
            Some(number) => {
                let extra = if index < number % self.connections { 1 } else { 0 };
                number / self.connections + extra
            }
        }
    }
}

/// A message that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// When, in nanoseconds after load begins.
    pub due_ns: u64,
    /// On which connection of the run.
    pub connection: u64,
    /// Which message of that connection.
    pub sequence: u64,
}

/// When the messages of a run are due.
#[derive(Clone, Copy, Debug)]
enum Schedule {
    /// So many a second, connection after connection.
    Rate(Rate),
    /// One on each connection in so many nanoseconds, evenly spread over them.
    Interval(u64),
}

impl Schedule {
    /// When message `place` of the run is due, in nanoseconds after load begins.
    fn due_ns(self, place: u64, connections: u64) -> u64 {
        match self {
            Self::Rate(rate) => rate.due_ns(place),
            Self::Interval(ns) => {
                let due_ns = u128::from(place) * u128::from(ns) / u128::from(connections);
                u64::try_from(due_ns).unwrap_or(u64::MAX)
            }
        }
    }
}

/// The messages of one worker in the order in which they are due. Takes no memory for those to
/// come.
#[derive(Clone, Debug)]
pub struct Sends {
    schedule: Schedule,
    connections: u64,
    workers: u64,
    worker: u64,
    end: u64,
    connection: u64,
    sequence: u64,
}

impl Iterator for Sends {
    type Item = Send;

    fn next(&mut self) -> Option<Send> {
        let place = self.sequence.checked_mul(self.connections)?.checked_add(self.connection)?;
        if place >= self.end {
            return None;
        }
        let send = Send {
            due_ns: self.schedule.due_ns(place, self.connections),
            connection: self.connection,
            sequence: self.sequence,
        };
        self.connection += self.workers;
        if self.connection >= self.connections {
            self.connection = self.worker;
            self.sequence += 1;
        }
        Some(send)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(connections: u64, workers: u64, rate: u64, number: Option<u64>) -> Plan {
        Plan {
            connections,
            workers,
            connect_rate: Rate::new(100_000),
            script: Script::Echo,
            load: Some(Load::Open { rate: Rate::new(rate * 1_000).unwrap() }),
            number,
        }
    }

    #[test]
    fn any_split_has_the_same_connections() {
        let whole: Vec<_> =
            (0..10).map_while(|n| plan(10, 1, 7, Some(33)).connection(0, n)).collect();
        assert_eq!(whole.len(), 10);
        assert_eq!(whole[3].start_ns, Some(30_000_000));
        assert_eq!(whole.iter().map(|c| c.messages).sum::<u64>(), 33);
        for workers in 1..=10 {
            let plan = plan(10, workers, 7, Some(33));
            let mut parts: Vec<_> = (0..workers)
                .flat_map(|w| (0..).map_while(move |n| Some((w, n))).take(10))
                .filter_map(|(w, n)| plan.connection(w, n))
                .collect();
            parts.sort_by_key(|connection| connection.index);
            assert_eq!(parts, whole, "{workers} workers");
            assert_eq!((0..workers).map(|w| plan.slots(w)).sum::<u64>(), 10);
        }
    }

    #[test]
    fn any_split_has_the_same_messages_at_the_same_times() {
        let whole: Vec<_> = plan(10, 1, 1_000, Some(57)).sends(0).unwrap().collect();
        assert_eq!(whole.len(), 57);
        assert_eq!(whole[12], Send { due_ns: 12_000_000, connection: 2, sequence: 1 });
        for workers in 1..=10 {
            let plan = plan(10, workers, 1_000, Some(57));
            let mut parts = Vec::new();
            for worker in 0..workers {
                let sends: Vec<_> = plan.sends(worker).unwrap().collect();
                assert!(sends.is_sorted_by_key(|send| send.due_ns), "{workers} workers");
                parts.extend(sends);
            }
            parts.sort_by_key(|send| send.due_ns);
            assert_eq!(parts, whole, "{workers} workers");
        }
    }

    /// Every connection and every message of a command line, in order.
    fn planned(line: &str) -> (Vec<ConnectionPlan>, Vec<Send>) {
        use crate::cli::{Command, Parsed, parse};
        let words = std::iter::once("loadgen").chain(line.split(' ')).map(Into::into);
        let Parsed::Command(command) = parse(words) else { panic!("{line}") };
        let Command::Run(args) = *command else { panic!("{line}") };
        let config = Config::of_run(args).unwrap();
        let plan = Plan::new(&config);
        let (mut connections, mut sends) = (Vec::new(), Vec::new());
        for worker in 0..config.threads.get() as u64 {
            let worker = config.part().worker(worker);
            connections.extend((0..).map_while(|n| plan.connection(worker, n)));
            sends.extend(plan.sends(worker).into_iter().flatten());
        }
        assert_eq!(connections.len() as u64, config.connections_here());
        (connections, sends)
    }

    #[test]
    fn segments_together_are_one_run_whatever_their_threads() {
        let line = "run ws://h/ -c 47 -n 1234 -R 333 -C 70 --seed 1";
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
        for send in plan.sends(0).unwrap().chain(plan.sends(1).unwrap()) {
            assert_eq!(sent[usize::try_from(send.connection).unwrap()], send.sequence);
            sent[usize::try_from(send.connection).unwrap()] += 1;
        }
        let shares: Vec<_> = (0..7).map(|index| plan.messages_of(index)).collect();
        assert_eq!(shares, sent);
    }

    #[test]
    fn pings_of_a_held_connection_are_an_interval_apart_and_spread_over_connections() {
        let mut plan = plan(3, 2, 1, None);
        plan.script = Script::Hold;
        plan.load = Some(Load::Every { interval: std::time::Duration::from_secs(30) });
        let due = |worker| -> Vec<_> {
            let sends = plan.sends(worker).unwrap().take(4);
            sends.map(|send| (send.connection, send.due_ns / 1_000_000_000)).collect()
        };
        assert_eq!(due(0), [(0, 0), (2, 20), (0, 30), (2, 50)]);
        assert_eq!(due(1), [(1, 10), (1, 40), (1, 70), (1, 100)]);
        assert_eq!(plan.connection(1, 0).unwrap().messages, u64::MAX);
        assert_eq!(plan.connection(1, 1), None);
    }

    #[test]
    fn connections_without_end_when_each_is_closed_at_once() {
        let mut plan = plan(4, 2, 1, None);
        plan.script = Script::OpenClose;
        assert_eq!(plan.connection(1, 1_000_000).unwrap().index, 2_000_001);
        plan.number = Some(5);
        let count = |worker| (0..10).filter_map(|n| plan.connection(worker, n)).count();
        assert_eq!((count(0), count(1)), (3, 2));
    }
}
