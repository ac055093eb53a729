//! When load begins, is measured and ends.

use crate::metrics::Span;

/// The times of a run, in nanoseconds after its begin, which are the same for all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Load begins.
    pub load_begin_ns: u64,
    /// The warm-up is over: the measured time begins.
    pub window_begin_ns: u64,
    /// Nothing more is sent.
    pub window_end_ns: u64,
}

impl Times {
    /// Not known yet.
    pub(crate) const NEVER: Self =
        Self { load_begin_ns: u64::MAX, window_begin_ns: u64::MAX, window_end_ns: u64::MAX };

    /// Returns the first time at which a message can have been due: the run's begin if this worker
    /// has not heard when load begins, since messages of other workers may come before.
    pub(crate) const fn earliest_ns(&self) -> u64 {
        if self.load_begin_ns == Self::NEVER.load_begin_ns { 0 } else { self.load_begin_ns }
    }

    /// Returns the span that a message belongs to.
    #[inline]
    pub(crate) const fn span(&self, due_ns: u64) -> Span {
        if due_ns < self.window_begin_ns { Span::Warmup } else { Span::Measured }
    }

    /// Checks whether `ns` lies in the measured time.
    pub(crate) const fn is_measured(&self, ns: u64) -> bool {
        self.window_begin_ns <= ns && ns < self.window_end_ns
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::task::Poll;

    use tokio::net::TcpStream;
    use tokio::runtime::Builder;
    use tokio::sync::{mpsc, watch};

    use super::super::opening::{Established, Waterfall};
    use super::super::run::Worker;
    use super::super::{Brief, BusyWorkers, Instruction, SharedFanout};
    use super::*;
    use crate::cli::{self, Parsed, parse};
    use crate::clock::Clock;
    use crate::config::Config;
    use crate::index::{ConnectionIndex, WorkerIndex};
    use crate::metrics::Metrics;
    use crate::metrics::live::Live;
    use crate::net::{Routes, Stream};
    use crate::payload;
    use crate::payload::Expected;

    #[test]
    fn what_comes_before_the_begin_is_known_can_have_been_due() {
        assert_eq!(Times::NEVER.earliest_ns(), 0);
        let times = Times { load_begin_ns: 7, window_begin_ns: 9, window_end_ns: 20 };
        assert_eq!(times.earliest_ns(), 7);
    }

    /// Returns how the subscriber of a fanout judges a copy that was due at `due_ns`, if `said`
    /// is what all workers are told and the task of this one that takes instructions hasn't run.
    fn judged_before_hearing(said: Instruction, due_ns: u64) -> (Metrics, Times) {
        let line = "loadgen fanout ws://127.0.0.1:9/ -c 1 -t 1";
        let Parsed::Command(command) = parse(line.split(' ').map(Into::into)) else { panic!() };
        let cli::Command::Fanout(args) = *command else { panic!("{line}") };
        let config = Arc::new(Config::of_fanout(args).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let request = payload::first_request(config.targets.first(), &config.request).unwrap();
        let (_instructor, instructions) = watch::channel(said);
        let brief = Brief {
            clock: Clock::start(),
            routes: Arc::new(Routes::direct(address, request, &config.network)),
            shared_fanout: Some(Arc::new(SharedFanout::new(&config, config.fanout().unwrap()))),
            busy: BusyWorkers::new([WorkerIndex(0)].into_iter()),
            instructions,
            settled: mpsc::unbounded_channel().0,
            config,
        };
        let shared = brief.shared_fanout.clone().unwrap();
        let runtime = Builder::new_current_thread().enable_io().enable_time().build().unwrap();
        runtime.block_on(async {
            let stream = Stream::Tcp(TcpStream::connect(address).await.unwrap());
            let (mut server, _) = listener.accept().unwrap();
            let worker = Worker::new(WorkerIndex(0), brief, Arc::new(Live::new())).unwrap();
            let subscriber = worker.plan.connections(WorkerIndex(0)).last().unwrap();
            let waterfall = Waterfall {
                due_ns: 0,
                begun_ns: 0,
                tcp_ns: Some(0),
                http2_ns: None,
                proxy_ns: None,
                tls: None,
                upgraded_ns: 0,
            };
            let opened =
                Established { stream, waterfall, deflate: None, tls: None, rest: Vec::new() };
            worker.driver.borrow_mut().thread.attempt_begun(subscriber.index);
            let key = worker.driver.borrow_mut().admit(&subscriber, opened, None).unwrap();
            shared.add_sent(ConnectionIndex(0), 1);
            let post = Expected { connection: ConnectionIndex(0), sequence: 0, due_ns };
            let post = worker.driver.borrow_mut().thread.outbox.payload.message(post).to_vec();
            server.write_all(&[&[0x81, post.len().to_le_bytes()[0]], &post[..]].concat()).unwrap();
            poll_fn(|cx| {
                let mut driver = worker.driver.borrow_mut();
                match driver.poll_open(key, cx) {
                    Poll::Pending if driver.thread.metrics.bytes_received == 0 => Poll::Pending,
                    Poll::Pending => {
                        Poll::Ready((driver.thread.metrics.clone(), driver.thread.times))
                    }
                    Poll::Ready(end) => panic!("{end:?}"),
                }
            })
            .await
        })
    }

    #[test]
    fn a_copy_that_comes_before_its_worker_has_heard_of_the_begin_is_judged_as_any() {
        let times = Times { load_begin_ns: 2, window_begin_ns: 2, window_end_ns: u64::MAX - 1 };
        // What was said, when the copy was due, and how often it is received, arrives in the
        // measured time, and is altered.
        for (said, due_ns, counts, heard) in [
            // Another worker or process has heard and published; this one checks for itself.
            (Instruction::Load(times), 2, (1, 1, 0), times),
            (Instruction::Load(times), 1, (0, 0, 1), times),
            // Not even that: a publisher of another process.
            (Instruction::Ramp, 1, (1, 0, 0), Times::NEVER),
        ] {
            let (metrics, times) = judged_before_hearing(said, due_ns);
            let copies = &metrics.copies;
            let counted = (copies.received, metrics.arrivals.arrived, copies.altered);
            assert_eq!(counted, counts, "{said:?}, due at {due_ns}");
            assert_eq!(times, heard);
        }
    }
}
