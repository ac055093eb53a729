//! A sink: what the rows of a run are sent to, from a thread of its own.
//!
//! A run never waits for a sink. What can't be delivered is kept for the next try, up to a bound; what
//! is lost in the end is counted, and said once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::config::Sink;
use crate::metrics::timeline::Row;
use crate::report::RowReport;
use crate::units;

/// Most rows that wait for a sink, the newest: ten minutes.
const ROWS_MAX: usize = 600;
/// How long the end of a run waits for what is still to be delivered.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time until the last try.
const PAUSE: Duration = Duration::from_millis(200);

/// Turns rows into what a sink takes.
pub(super) trait Encode: std::fmt::Debug {
    /// Returns what is sent for a row.
    fn encode(&mut self, row: &Row, shown: &RowReport) -> Vec<u8>;
}

/// Sends what a sink takes.
pub(super) trait Deliver: Send + 'static {
    /// Sends the body of a row.
    ///
    /// # Errors
    /// Why it didn't arrive, and whether it may another time.
    fn deliver(&mut self, body: &[u8]) -> Result<(), Missed>;
}

/// Why a row was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    /// It may be if it is sent again.
    Yet(String),
    /// It never will be.
    Ever(String),
}

/// A sink at work.
#[derive(Debug)]
pub(super) struct Running {
    /// The flag and where the sink is.
    name: String,
    encode: Box<dyn Encode>,
    queue: SyncSender<Vec<u8>>,
    /// Rows that there were.
    offered: u64,
    shared: Arc<Shared>,
    /// Says when the thread is done.
    done: Receiver<()>,
}

/// What the thread says while it works.
#[derive(Debug, Default)]
struct Shared {
    delivered: AtomicU64,
    /// Why the first row that was not delivered wasn't.
    why: Mutex<Option<String>>,
}

impl Running {
    pub(super) fn start(sink: &Sink, encode: Box<dyn Encode>, deliver: impl Deliver) -> Self {
        let (queue, rows) = mpsc::sync_channel(ROWS_MAX);
        let (is_done, done) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        // A sink without a thread delivers nothing, which is said at the end.
        let started = thread::Builder::new().name("sink".into()).spawn(move || {
            work(&rows, deliver, &own);
            is_done.send(()).ok();
        });
        if let Err(error) = started {
            shared.missed(format!("its thread could not be started: {error}"));
        }
        let name = format!("{} {}", sink.flag(), sink.shown());
        Self { name, encode, queue, offered: 0, shared, done }
    }

    /// Passes a row on, without waiting.
    pub(super) fn row(&mut self, row: &Row, shown: &RowReport) {
        self.offered += 1;
        if self.queue.try_send(self.encode.encode(row, shown)).is_err() {
            self.shared.missed("too many rows were waiting".into());
        }
    }

    /// Waits a little for what is still to be delivered, and returns what to say if not all was.
    pub(super) fn finish(self) -> Option<String> {
        let Self { name, encode: _, queue, offered, shared, done } = self;
        drop(queue);
        let is_done = done.recv_timeout(PATIENCE).is_ok();
        let missed = offered.saturating_sub(shared.delivered.load(Ordering::Acquire));
        if missed == 0 {
            return None;
        }
        let why = shared.why.lock().unwrap_or_else(PoisonError::into_inner).take();
        let unknown = if is_done { "its thread ended" } else { "no answer" };
        let why = why.unwrap_or_else(|| unknown.to_owned());
        Some(format!("{name}: {missed} of {} not delivered: {why}", units::counted(offered, "row")))
    }
}

impl Shared {
    fn missed(&self, why: String) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }
}

/// Delivers rows until there will be no more, and then tries those that wait once again.
fn work(rows: &Receiver<Vec<u8>>, mut deliver: impl Deliver, shared: &Shared) {
    let mut waiting = VecDeque::new();
    while let Ok(row) = rows.recv() {
        waiting.push_back(row);
        waiting.extend(rows.try_iter());
        let surplus = waiting.len().saturating_sub(ROWS_MAX);
        waiting.drain(..surplus);
        deliver_all(&mut waiting, &mut deliver, shared);
    }
    if !waiting.is_empty() {
        thread::sleep(PAUSE);
        deliver_all(&mut waiting, &mut deliver, shared);
    }
}

/// Delivers rows in order, up to the first that may be delivered another time.
fn deliver_all(waiting: &mut VecDeque<Vec<u8>>, deliver: &mut impl Deliver, shared: &Shared) {
    while let Some(row) = waiting.front() {
        match deliver.deliver(row) {
            Ok(()) => {
                shared.delivered.fetch_add(1, Ordering::Release);
            }
            Err(Missed::Ever(why)) => shared.missed(why),
            Err(Missed::Yet(why)) => return shared.missed(why),
        }
        waiting.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::live::{Live, Snapshot};
    use crate::metrics::timeline::Timeline;
    use crate::report;

    #[derive(Debug)]
    struct Number(u8);

    impl Encode for Number {
        fn encode(&mut self, _: &Row, _: &RowReport) -> Vec<u8> {
            self.0 += 1;
            vec![self.0]
        }
    }

    /// Answers as the script says, then takes everything; says what it took.
    struct Scripted(VecDeque<Result<(), Missed>>, mpsc::Sender<u8>);

    impl Deliver for Scripted {
        fn deliver(&mut self, body: &[u8]) -> Result<(), Missed> {
            self.0.pop_front().unwrap_or(Ok(()))?;
            self.1.send(body[0]).unwrap();
            Ok(())
        }
    }

    /// Sends three rows, each once the one before has been tried; returns what arrived and what is
    /// said.
    fn sent(script: impl IntoIterator<Item = Result<(), Missed>>) -> (Vec<u8>, Option<String>) {
        let sink = Sink::Statsd { host: "h".into(), port: 1 };
        let (taken, arrived) = mpsc::channel();
        let deliver = Scripted(script.into_iter().collect(), taken);
        let mut running = Running::start(&sink, Box::new(Number(0)), deliver);
        let mut timeline = Timeline::new(1);
        for second in 1..=3 {
            let now = Snapshot::of([&Live::new()]);
            let row = timeline.push(second * 1_000_000_000, now, None).unwrap();
            running.row(row, &report::row(row, &[]));
        }
        let said = running.finish();
        (arrived.try_iter().collect(), said)
    }

    #[test]
    fn what_did_not_arrive_is_sent_again_in_order() {
        let away = || Err(Missed::Yet("away".into()));
        let (arrived, said) = sent([]);
        assert_eq!((arrived, said), (vec![1, 2, 3], None));
        // Refused for good: that row alone is lost.
        let (arrived, said) = sent([Ok(()), Err(Missed::Ever("HTTP 400".into()))]);
        assert_eq!(arrived, [1, 3]);
        assert_eq!(said.unwrap(), "--statsd h:1: 1 of 3 rows not delivered: HTTP 400");
        // Away all the time: nothing arrives, and nothing is said twice.
        let (arrived, said) = sent((0..9).map(|_| away()));
        assert_eq!(arrived, [0; 0]);
        assert_eq!(said.unwrap(), "--statsd h:1: 3 of 3 rows not delivered: away");
    }

    #[test]
    fn a_sink_that_comes_back_has_every_row() {
        let (queue, rows) = mpsc::sync_channel(9);
        let (taken, arrived) = mpsc::channel();
        let shared = Shared::default();
        let script = [Err(Missed::Yet("away".into()))].into();
        for number in 1..=3 {
            queue.send(vec![number]).unwrap();
        }
        drop(queue);
        work(&rows, Scripted(script, taken), &shared);
        assert_eq!(arrived.iter().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(shared.delivered.load(Ordering::Acquire), 3);
    }
}
