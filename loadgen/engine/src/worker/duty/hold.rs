//! Connections that stay open, with Pings on a schedule.

use super::super::judge::Judge;
use super::super::outstanding::Outstanding;
use super::super::pong::{Answered, answer};
use crate::index::ConnectionIndex;
use crate::metrics::Metric;

impl Judge<'_> {
    /// Judges a Pong of a connection, and counts it.
    pub(crate) fn pong(
        &mut self,
        outstanding: &mut Outstanding,
        payload: &[u8],
        connection: ConnectionIndex,
        arrived_ns: u64,
    ) {
        let Some(Answered { ping, superseded }) =
            answer(self.payload, outstanding, payload, connection)
        else {
            self.metrics.pings.unsolicited += 1;
            return;
        };
        self.metrics.pings.superseded += superseded;
        self.metrics.span(self.times.span(ping.due_ns())).received += 1;
        let rtt_ns = arrived_ns.saturating_sub(ping.written_ns());
        self.metrics.distributions.record(Metric::PingRtt, rtt_ns);
        self.live.latency(rtt_ns);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::super::super::times::Times;
    use super::*;
    use crate::clock::Clock;
    use crate::metrics::live::Live;
    use crate::metrics::{Metrics, balance};
    use crate::payload::{Expected, Payload};

    #[test]
    fn s5_5_3_a_pong_answers_its_ping_and_those_before_it() {
        let mut payload = Payload::of_pings(Clock::start());
        let mut bytes = |connection, sequence| {
            let connection = ConnectionIndex(connection);
            payload.message(Expected { connection, sequence, due_ns: 0 }).to_vec()
        };
        let (mut metrics, live) = (Metrics::default(), Live::new());
        let times = Times { load_begin_ns: 0, window_begin_ns: 0, window_end_ns: 1_000 };
        let mut outstanding = Outstanding::default();
        let pings: Vec<_> = (0..5).map(|sequence| bytes(7, sequence)).collect();
        for (sequence, _) in pings.iter().enumerate() {
            outstanding.push(NonZeroU64::new(10 * sequence as u64), 1);
            outstanding.take_unwritten().for_each(|sent| sent.write(sent.due_ns()));
            metrics.measured.sent += 1;
        }
        let other = bytes(8, 1);
        let beyond = bytes(7, 5);
        let mut pong = |payload: &Payload, pong: &[u8]| {
            let (metrics, live, times) = (&mut metrics, &live, &times);
            let mut judge = Judge { payload, metrics, live, times, is_open_loop: true };
            judge.pong(&mut outstanding, pong, ConnectionIndex(7), 100);
            outstanding.len()
        };
        for (what, bytes, left) in [
            ("of another connection", &other[..], 5),
            ("unsolicited", b"", 5),
            ("of a Ping that was not sent", &beyond[..], 5),
            ("the first", &pings[0][..], 4),
            ("the first again", &pings[0][..], 4),
            ("the fourth, and so the two before it", &pings[3][..], 1),
        ] {
            assert_eq!(pong(&payload, bytes), left, "{what}");
        }
        metrics.measured.lost += outstanding.give_up_all().count() as u64;
        assert_eq!((metrics.pings.superseded, metrics.pings.unsolicited), (2, 4));
        assert_eq!((metrics.measured.received, metrics.measured.lost), (2, 1));
        assert_eq!(metrics.distributions.of(Metric::PingRtt).unwrap().min(), Some(70));
        assert_eq!(balance::imbalances(&metrics), [""; 0]);
    }
}
