//! Judges a received message where messages are echoed, and counts it.

use super::super::judge::{Judge, Received, SHOWN_LEN_MAX};
use super::super::outstanding::{Outstanding, Sent, Taken};
use super::super::thread::Thread;
use crate::escape;
use crate::metrics::{Failure, FailurePhase, MessageCounts, Metric, Span};
use crate::payload::{Expected, Recognised};

/// How long a server that sends other messages is given to echo one. A server that pushes from the
/// beginning of load, and stalls for less, is waited for.
const NO_ECHO_NS: u64 = 5_000_000_000;

/// The state of a worker whose messages are echoed.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    batch: EchoBatch,
    /// How many messages came before load, such as greetings, and were no echoes.
    greeted: u64,
}

/// Echoes of one read that have the same times. They are recorded together, since pipelined
/// messages are written together and their echoes come together.
#[derive(Debug, Default)]
struct EchoBatch {
    /// When the messages were due and written.
    sent: Option<Sent>,
    count: u64,
}

impl Echo {
    /// Notes what came before load, which says nothing about echoes.
    pub(super) fn load_begins(&mut self, thread: &Thread) {
        self.greeted = thread.metrics.arrivals.unexpected;
    }

    /// Judges a message and counts it. An echo is only counted by [`read`](Self::read), which has
    /// to follow.
    #[inline]
    pub(super) fn message(
        &mut self,
        judge: &mut Judge<'_>,
        outstanding: &mut Outstanding,
        received: Received<'_>,
    ) {
        let Received { kind, payload, connection, arrived_ns } = received;
        if outstanding.is_in_order()
            && let Some((sequence, sent)) = outstanding.expected()
            && let due_ns = sent.due_ns()
            && judge.payload.is_echo(payload, kind, Expected { connection, sequence, due_ns })
            && let Some(sent) = outstanding.take_expected()
        {
            if self.batch.sent != Some(sent) {
                self.read(judge, arrived_ns);
                self.batch.sent = Some(sent);
            }
            self.batch.count += 1;
            return;
        }
        judge.other(outstanding, received);
    }

    /// Counts the echoes of a read.
    #[inline]
    pub(super) fn read(&mut self, judge: &mut Judge<'_>, arrived_ns: u64) {
        if let Some(sent) = self.batch.sent.take() {
            judge.echoes(sent, arrived_ns, std::mem::take(&mut self.batch.count));
        }
    }

    /// Returns when load ends because the server doesn't echo: it has sent other messages than the
    /// echoes, at least half as many as it was sent, and not one echo. A server that is silent, or
    /// slow, or only greets is not meant.
    pub(super) fn no_echo_ns(&self, thread: &Thread) -> Option<u64> {
        let metrics = &thread.metrics;
        let sum = |of: fn(&MessageCounts) -> u64| of(&metrics.warmup) + of(&metrics.measured);
        let sent = sum(|counts| counts.sent);
        let others = metrics.arrivals.unexpected.saturating_sub(self.greeted);
        (sent > 0
            && sum(|counts| counts.received + counts.altered) == 0
            && others.saturating_mul(2) >= sent)
            .then(|| thread.times.load_begin_ns.saturating_add(NO_ECHO_NS))
    }
}

impl Judge<'_> {
    fn echoes(&mut self, sent: Sent, arrived_ns: u64, count: u64) {
        let service_ns = arrived_ns.saturating_sub(sent.written_ns());
        let response_ns = arrived_ns.saturating_sub(sent.due_ns());
        let span = self.times.span(sent.due_ns());
        self.metrics.span(span).received += count;
        let is_drained = arrived_ns >= self.times.window_end_ns;
        if arrived_ns >= self.times.window_begin_ns && !is_drained {
            self.metrics.arrivals.arrived += count;
        }
        let shown_ns = if self.is_open_loop { response_ns } else { service_ns };
        self.live.latencies(shown_ns, count);
        let distributions = &mut self.metrics.distributions;
        let (service, response) = match span {
            Span::Measured => (Metric::RttService, Metric::RttResponse),
            Span::Warmup => (Metric::WarmupService, Metric::WarmupResponse),
        };
        distributions.record_n(service, service_ns, count);
        if self.is_open_loop {
            distributions.record_n(response, response_ns, count);
        }
        if is_drained && span == Span::Measured {
            distributions.record_n(Metric::DrainService, service_ns, count);
            if self.is_open_loop {
                distributions.record_n(Metric::DrainResponse, response_ns, count);
            }
        }
    }

    /// Counts a message that isn't the echo which was due.
    #[cold]
    pub(super) fn other(&mut self, outstanding: &mut Outstanding, received: Received<'_>) {
        let Received { kind, payload, connection, arrived_ns } = received;
        let sequence = outstanding
            .expected()
            .map_or_else(|| outstanding.next_sequence(), |(sequence, _)| sequence);
        let due_ns = |sequence| outstanding.due_ns(sequence);
        let expected = Expected { connection, sequence, due_ns: due_ns(sequence).unwrap_or(0) };
        match self.payload.recognise(payload, kind, expected, due_ns) {
            Recognised::Echo { sequence } => match outstanding.take(sequence) {
                Taken::InOrder(sent) => self.echoes(sent, arrived_ns, 1),
                Taken::Late(sent) => {
                    self.metrics.span(self.times.span(sent.due_ns())).reordered += 1;
                    self.note("reordered", received);
                    self.echoes(sent, arrived_ns, 1);
                }
                Taken::Overdue => self.metrics.arrivals.late += 1,
                Taken::Again => self.duplicated(received),
                Taken::NeverSent => self.unexpected(received),
            },
            Recognised::Altered { sequence } => match outstanding.take(sequence) {
                Taken::InOrder(sent) | Taken::Late(sent) => self.altered(sent, received),
                Taken::Overdue => self.metrics.arrivals.late += 1,
                Taken::Again => self.duplicated(received),
                Taken::NeverSent => self.unexpected(received),
            },
            // Taken for the echo that is due, if one is and the server echoes at all: the answers
            // of one that doesn't may look like the requests.
            Recognised::Resembling if self.payload.is_named() || self.has_echo() => {
                match outstanding.take_expected() {
                    Some(sent) => self.altered(sent, received),
                    None => self.unexpected(received),
                }
            }
            Recognised::Foreign | Recognised::Resembling => self.foreign(expected, received),
        }
        // A gap in the order is given up at some time.
        while let Some(sent) = outstanding.give_up() {
            self.lost(std::iter::once(sent));
        }
    }

    /// Checks whether the server has echoed a message on this thread.
    fn has_echo(&self) -> bool {
        self.metrics.warmup.received + self.metrics.measured.received > 0
    }

    /// Counts a message that was not sent. As long as nothing was ever an echo, its sample also
    /// shows what was sent.
    fn foreign(&mut self, expected: Expected, received: Received<'_>) {
        if self.has_echo() {
            return self.unexpected(received);
        }
        self.metrics.arrivals.unexpected += 1;
        self.live.wrong.add(1);
        let payload = self.payload;
        self.metrics.wrong.add(Failure::new(FailurePhase::Message, "unexpected"), || {
            let sent = payload.sample(expected);
            let sent = match &*sent {
                [] => "an empty message".into(),
                sent => escape::bytes(sent, SHOWN_LEN_MAX),
            };
            format!("{}; sent: {sent}", received.shown())
        });
    }

    fn altered(&mut self, sent: Sent, received: Received<'_>) {
        self.metrics.span(self.times.span(sent.due_ns())).altered += 1;
        self.note("altered", received);
        self.live.wrong.add(1);
    }

    fn duplicated(&mut self, received: Received<'_>) {
        self.metrics.arrivals.duplicated += 1;
        self.note("duplicated", received);
        self.live.wrong.add(1);
    }

    fn unexpected(&mut self, received: Received<'_>) {
        self.metrics.arrivals.unexpected += 1;
        self.note("unexpected", received);
        self.live.wrong.add(1);
    }

    fn note(&mut self, code: &'static str, received: Received<'_>) {
        self.metrics.wrong.add(Failure::new(FailurePhase::Message, code), || received.shown());
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use wscodec::DataKind;

    use super::super::super::times::Times;
    use super::*;
    use crate::clock::Clock;
    use crate::config::{self, Content, Load, Sizes, Template};
    use crate::index::ConnectionIndex;
    use crate::metrics::live::Live;
    use crate::metrics::{Distribution, Metrics, balance};
    use crate::payload::Payload;

    struct Bench {
        payload: Payload,
        metrics: Metrics,
        live: Live,
        times: Times,
        outstanding: Outstanding,
    }

    impl Bench {
        fn new(size: usize) -> Self {
            Self::of(Content::Generated(Sizes::Fixed(size)))
        }

        fn of(content: Content) -> Self {
            let echo = config::Echo {
                load: Load::Open { rate: crate::config::Rate::new(1_000).unwrap() },
                messages: None,
                kind: DataKind::Text,
                content,
                fragment: None,
            };
            Self {
                payload: Payload::new(&echo, 1, Clock::start()),
                metrics: Metrics::default(),
                live: Live::new(),
                times: Times { load_begin_ns: 0, window_begin_ns: 100, window_end_ns: 200 },
                outstanding: Outstanding::default(),
            }
        }

        fn send(&mut self, due_ns: u64) -> Vec<u8> {
            let payload = self.message(7, self.outstanding.next_sequence(), due_ns);
            self.outstanding.push(NonZeroU64::new(due_ns), 1);
            self.outstanding.take_unwritten().for_each(|sent| sent.write(due_ns + 1));
            self.metrics.span(self.times.span(due_ns)).sent += 1;
            payload
        }

        fn message(&mut self, connection: u64, sequence: u64, due_ns: u64) -> Vec<u8> {
            let connection = ConnectionIndex(connection);
            self.payload.message(Expected { connection, sequence, due_ns }).to_vec()
        }

        fn receive(&mut self, payload: &[u8], arrived_ns: u64) {
            let mut judge = Judge {
                payload: &self.payload,
                metrics: &mut self.metrics,
                live: &self.live,
                times: &self.times,
                is_open_loop: true,
            };
            let received = Received {
                kind: DataKind::Text,
                payload,
                connection: ConnectionIndex(7),
                arrived_ns,
            };
            let mut echo = Echo::default();
            echo.message(&mut judge, &mut self.outstanding, received);
            echo.read(&mut judge, arrived_ns);
        }

        fn end(&mut self) {
            let mut judge = Judge {
                payload: &self.payload,
                metrics: &mut self.metrics,
                live: &self.live,
                times: &self.times,
                is_open_loop: true,
            };
            judge.lost(self.outstanding.give_up_all());
            assert_eq!(balance::imbalances(&self.metrics), [""; 0]);
        }

        fn count(&self, metric: Metric) -> u64 {
            self.metrics.distributions.of(metric).map_or(0, Distribution::count)
        }
    }

    #[test]
    fn echoes_are_counted_where_they_were_due() {
        let mut bench = Bench::new(32);
        for (due_ns, arrived_ns) in
            [(50, 60), (99, 150), (100, 110), (150, 160), (199, 205), (198, 900)]
        {
            let payload = bench.send(due_ns);
            bench.receive(&payload, arrived_ns);
        }
        bench.end();
        assert_eq!((bench.metrics.warmup.received, bench.metrics.measured.received), (2, 4));
        assert_eq!(bench.metrics.arrivals.arrived, 3);
        assert_eq!((bench.count(Metric::RttService), bench.count(Metric::RttResponse)), (4, 4));
        assert_eq!((bench.count(Metric::DrainService), bench.count(Metric::WarmupService)), (2, 2));
    }

    #[test]
    fn d12_wrong_echoes_are_told_apart() {
        let mut bench = Bench::new(32);
        let payloads: Vec<_> = (0..6).map(|n| bench.send(100 + n)).collect();
        bench.receive(&payloads[0], 150);
        bench.receive(&payloads[0], 150); // twice
        bench.receive(&payloads[2], 150); // before the second
        bench.receive(&payloads[1], 150); // late
        let mut altered = payloads[3].clone();
        altered[31] ^= 1;
        bench.receive(&altered, 150);
        bench.receive(&altered, 150); // altered, and again
        bench.receive(&payloads[4][..20], 150); // truncated
        let mut garbled = payloads[5].clone();
        garbled[..12].copy_from_slice(b"not hex here");
        bench.receive(&garbled, 150); // stands for the one that is due
        bench.receive(b"a notice of the server, 32 bytes", 150); // stands for none
        let of_another = bench.message(8, 0, 0);
        bench.receive(&of_another, 150);
        let of_the_future = bench.message(7, 1_000, 0);
        bench.receive(&of_the_future, 150);
        let lost = bench.send(120);
        assert_eq!(lost.len(), 32);
        bench.end();
        let counts = &bench.metrics.measured;
        assert_eq!((counts.sent, counts.received, counts.altered, counts.lost), (7, 3, 3, 1));
        assert_eq!(counts.reordered, 1);
        assert_eq!((bench.metrics.arrivals.duplicated, bench.metrics.arrivals.unexpected), (2, 3));
        let codes: Vec<_> = bench.metrics.wrong.iter().map(|(wrong, _)| &*wrong.code).collect();
        assert_eq!(codes, ["altered", "duplicated", "reordered", "unexpected"]);
    }

    #[test]
    fn d12_wrong_echoes_of_templates_are_told_apart() {
        let lines = ["{time} {rand:5}", "{\"n\":{seq}}"];
        let lines = lines.map(|line| Template::parse(line.as_bytes()).unwrap());
        let mut bench = Bench::of(Content::Templates(lines.into()));
        let payloads: Vec<_> = (0..8).map(|n| bench.send(100 + n)).collect();
        bench.receive(&payloads[0], 150);
        bench.receive(&payloads[0], 150); // twice
        bench.receive(&payloads[2], 150); // before the second
        bench.receive(&payloads[3], 150);
        bench.receive(&payloads[1], 150); // late
        let mut altered = payloads[4].clone();
        assert_eq!(altered, b"{\"n\":4}");
        altered[5] = b'x';
        bench.receive(&altered, 150); // stands for the one that is due
        bench.receive(&payloads[5], 150);
        bench.receive(b"{\"result\":5}", 150); // stands for none
        bench.receive(&payloads[7], 150); // one is missing
        bench.end();
        let counts = &bench.metrics.measured;
        assert_eq!((counts.sent, counts.received, counts.altered, counts.lost), (8, 6, 1, 1));
        assert_eq!((counts.reordered, bench.metrics.arrivals.duplicated), (1, 1));
        assert_eq!(bench.metrics.arrivals.unexpected, 1);
    }

    /// An answer may look like the request: where nothing was ever echoed, it is no altered echo.
    #[test]
    fn n2_answers_are_not_altered_echoes() {
        let line = r#"{"jsonrpc":"2.0","id":{seq},"method":"x"}"#;
        let template = Template::parse(line.as_bytes()).unwrap();
        let mut bench = Bench::of(Content::Templates([template].into()));
        bench.send(100);
        bench.receive(br#"{"jsonrpc":"2.0","id":0,"result":"x"}"#, 150);
        bench.receive(br#"{"jsonrpc":"2.0","id":0,"result":{"much":"more"}}"#, 150);
        assert_eq!(bench.outstanding.len(), 1, "neither is the reply");
        let (_, sample) = bench.metrics.wrong.iter().next().unwrap();
        let sample = format!("{sample:?}");
        assert!(
            sample.contains("result") && sample.contains("sent: ") && sample.contains("method"),
            "{sample}"
        );
        bench.end();
        let counts = &bench.metrics.measured;
        assert_eq!((counts.received, counts.altered, counts.lost), (0, 0, 1));
        assert_eq!(bench.metrics.arrivals.unexpected, 2);
    }

    #[test]
    fn d10_an_echo_that_comes_too_late_is_late_and_in_no_latency() {
        let mut bench = Bench::new(32);
        let payloads: Vec<_> = (0..4).map(|n| bench.send(100 + n)).collect();
        for _ in 0..2 {
            let sent = bench.outstanding.time_out(u64::MAX, 10).unwrap();
            assert_eq!(sent.due_ns(), 100 + bench.metrics.measured.timed_out);
            bench.metrics.measured.timed_out += 1;
        }
        bench.receive(&payloads[2], 190); // in order, for those before it are given up
        let mut altered = payloads[0].clone();
        altered[31] ^= 1;
        for payload in [&payloads[1], &altered, &payloads[1], &payloads[0], &payloads[3]] {
            bench.receive(payload, 195);
        }
        bench.end();
        let counts = &bench.metrics.measured;
        assert_eq!((counts.sent, counts.received, counts.timed_out), (4, 2, 2));
        assert_eq!((counts.reordered, counts.altered, counts.lost), (0, 0, 0));
        assert_eq!(
            (bench.metrics.arrivals.late, bench.metrics.arrivals.duplicated),
            (2, 2),
            "late once each"
        );
        assert_eq!((bench.metrics.arrivals.unexpected, bench.count(Metric::RttService)), (0, 2));
    }

    #[test]
    fn short_payloads_are_expected_in_order() {
        let mut bench = Bench::new(3);
        let payloads: Vec<_> = (0..3).map(|n| bench.send(100 + n)).collect();
        bench.receive(&payloads[0], 150);
        bench.receive(b"??", 150);
        bench.receive(&payloads[2], 150);
        bench.receive(&payloads[2], 150);
        bench.end();
        assert_eq!((bench.metrics.measured.received, bench.metrics.measured.altered), (2, 1));
        assert_eq!(bench.metrics.arrivals.unexpected, 1);
    }
}
