//! Known delays to the percentiles that must be reported: against servers and a proxy whose delays
//! are what the test says.
//!
//! Below, bounds are tight: nothing can be faster than a delay that has been waited for. Above, they
//! leave room for a machine that does something else meanwhile.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use crate::scripted::{Scripted, assert_balanced, command, echo, finish, loadgen, run_against};
use loadgen::report::{EffectReport, HistogramReport, Report};

const MS: u64 = 1_000_000;
/// What a busy machine may add.
const NOISE_NS: u64 = 120 * MS;
/// The delay of the proxy, each way.
const ONE_WAY: Duration = Duration::from_millis(25);

fn histogram<'r>(report: &'r Report, metric: &str) -> &'r HistogramReport {
    report.histograms.iter().find(|found| found.metric == metric).unwrap()
}

/// Checks percentiles against what is true, to the three digits of a histogram.
fn assert_true(histogram: &HistogramReport, truth: &[(f64, u64)]) {
    for &(percentile, true_ns) in truth {
        let found_ns = histogram.percentile(percentile).unwrap();
        let least = true_ns - true_ns / 1_000;
        assert!(
            (least..true_ns + NOISE_NS).contains(&found_ns),
            "{} p{percentile} is {found_ns}, and should be {true_ns}",
            histogram.metric
        );
    }
}

#[test]
fn g18_every_reply_5_ms_late_and_the_server_s_own_measure_of_it() {
    let delays = Arc::new(Mutex::new(Vec::new()));
    let server = {
        let delays = Arc::clone(&delays);
        Scripted::start(move |stream, _| {
            echo(stream, |_, _, _| {
                let begin = Instant::now();
                sleep(Duration::from_millis(5));
                delays.lock().unwrap().push(u64::try_from(begin.elapsed().as_nanos()).unwrap());
                None
            });
        })
    };
    let report = run_against(&server, &["-c", "4", "-n", "600"]).report();
    assert!(report.outcome.is_ok, "{:?}", report.outcome);
    let service = histogram(&report, "rtt.service");
    let mut delays = std::mem::take(&mut *delays.lock().unwrap());
    delays.sort_unstable();
    assert_eq!((delays.len() as u64, service.count), (600, 600));
    assert!(service.min_ns >= 5 * MS - 5_000, "{}", service.min_ns);
    // Each reply takes at least what the server took for it, so each percentile does.
    let truth = |percent: usize| delays[600 * percent / 100 - 1];
    assert_true(service, &[(25.0, truth(25)), (50.0, truth(50)), (90.0, truth(90))]);
    assert_true(service, &[(99.0, truth(99))]);
    assert_balanced(&report);
}

#[test]
fn g18_one_reply_of_a_hundred_100_ms_late() {
    // 10 messages of a hundred connections each, and one of every tenth connection's is late: far
    // enough apart that no other waits for it.
    let server = Scripted::start(|stream, connection| {
        echo(stream, move |number, _, _| {
            if connection % 10 == 0 && number == 5 {
                sleep(Duration::from_millis(100));
            }
            None
        });
    });
    let report = run_against(&server, &["-c", "100", "-R", "500", "-n", "1000"]).report();
    assert!(report.outcome.is_ok, "{:?}", report.outcome);
    for metric in ["rtt.response", "rtt.service"] {
        let found = histogram(&report, metric);
        assert_eq!(found.count, 1_000);
        assert_true(found, &[(99.9, 100 * MS), (100.0, 100 * MS)]);
        // The hundredth part and no more: what a mean would smear over all.
        assert!(found.percentile(90.0).unwrap() < 80 * MS, "{metric} {found:?}");
        assert!(found.percentile(50.0).unwrap() < 40 * MS, "{metric} {found:?}");
    }
    assert_balanced(&report);
}

#[test]
fn g18_a_pause_of_a_second_delays_all_that_was_planned_in_it() {
    let server = Scripted::start(|stream, _| {
        echo(stream, |number, _, _| {
            if number == 500 {
                sleep(Duration::from_secs(1));
            }
            None
        });
    });
    let args = ["-c", "1", "-R", "1k", "-n", "2000", "--drain-timeout", "3s"];
    let report = run_against(&server, &args).report();
    let response = histogram(&report, "rtt.response");
    assert_eq!(response.count, 2_000);
    // Half of all was planned in the pause, evenly, and waited for what was left of it.
    let rest = [(75.0, 500 * MS), (90.0, 800 * MS), (95.0, 900 * MS), (99.0, 980 * MS)];
    assert_true(response, &rest.map(|(percentile, ns)| (percentile, ns - 2 * MS)));
    assert!(response.percentile(25.0).unwrap() < 40 * MS, "{response:?}");
    assert_balanced(&report);
}

/// A server in a process of its own, which can be stopped.
struct Serve(std::process::Child, String);

impl Serve {
    fn start() -> Self {
        use std::io::{BufRead, BufReader};
        let args = ["serve", "--listen", "127.0.0.1:0", "-t", "1"];
        let mut child = command(&args).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("ws://").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
        let url = format!("ws://{address}/");
        Self(child, url)
    }

    fn signal(&self, name: &str) {
        Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap();
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn g18_a_server_process_that_is_stopped_for_a_second_shows_as_it_was() {
    let server = Serve::start();
    let args = [
        "run",
        &server.1,
        "-q",
        "-o",
        "json=-",
        "-t",
        "1",
        "-c",
        "10",
        "-R",
        "1k",
        "-d",
        "4s",
        "--drain-timeout",
        "3s",
    ];
    let child = command(&args).spawn().unwrap();
    sleep(Duration::from_millis(1_200));
    server.signal("-STOP");
    let begin = Instant::now();
    sleep(Duration::from_secs(1));
    let stopped_ms = u64::try_from(begin.elapsed().as_millis()).unwrap();
    server.signal("-CONT");
    let report = finish(child).report();
    let response = histogram(&report, "rtt.response");
    assert_eq!(response.count, 4_000, "as many samples as planned sends");
    // One was planned a millisecond, so the hundredth part, the latest 40, waited for all but 40.
    let waited = |of_a_thousand: u64| (stopped_ms - 4 * of_a_thousand) * MS;
    let truth = [(90.0, waited(100)), (95.0, waited(50)), (99.0, waited(10)), (99.9, waited(1))];
    // The signal takes its time, too.
    assert_true(response, &truth.map(|(percentile, ns)| (percentile, ns - 25 * MS)));
    assert!(response.percentile(50.0).unwrap() < 40 * MS, "{response:?}");
    // What a tool reports that waits for each reply before it sends the next: a message or two of
    // each connection. It is there, under its own name.
    let lag = histogram(&report, "send.lag");
    assert!(lag.max_ns < 900 * MS, "the client isn't stopped");
    // FIELD S6: what the client was late is judged against that, however busy this machine is.
    let changes =
        |effect: &EffectReport| effect.client_ns > MS && effect.client_ns * 10 > effect.reported_ns;
    let (verdict, p99_ns) = (&report.verdict, response.percentile(99.0).unwrap());
    let effect = verdict.effects.iter().find(|effect| effect.reported_ns == p99_ns).unwrap();
    assert_eq!(effect.metric, "rtt.response");
    let is_late = verdict.reasons.iter().any(|reason| reason.contains("sent late"));
    assert_eq!(is_late, verdict.effects.iter().any(changes), "{verdict:?}");
    assert_balanced(&report);
}

/// Bytes with the time at which they came.
type Piece = (Instant, Vec<u8>);

/// Copies bytes to `stream`, each [`ONE_WAY`] after it came.
fn deliver(mut stream: TcpStream, pieces: &Receiver<Piece>) {
    for (came, bytes) in pieces {
        sleep((came + ONE_WAY).saturating_duration_since(Instant::now()));
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
    sleep(ONE_WAY); // the end of the stream has a way to go, too
    stream.shutdown(Shutdown::Write).ok();
}

/// Copies one direction of a connection.
fn copy(mut from: TcpStream, to: TcpStream) {
    let (sender, pieces) = channel();
    let deliverer = thread::spawn(move || deliver(to, &pieces));
    let mut buffer = vec![0; 4_096];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        sender.send((Instant::now(), buffer[..len].to_vec())).ok();
    }
    drop(sender);
    deliverer.join().unwrap();
}

/// A proxy that holds back each byte for [`ONE_WAY`].
fn far(server: SocketAddr) -> Scripted {
    Scripted::start(move |near, _| {
        let far = TcpStream::connect(server).unwrap();
        for stream in [&near, &far] {
            stream.set_nodelay(true).unwrap();
        }
        let [to_far, to_near] = [far.try_clone().unwrap(), near.try_clone().unwrap()];
        let back = thread::spawn(move || copy(far, to_near));
        copy(near, to_far);
        back.join().unwrap();
    })
}

#[test]
fn g18_a_way_of_25_ms_there_and_back_is_in_upgrade_rtt_and_close() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let proxy = far(server.address);
    for load in [&["-p", "1"][..], &["-R", "100"]] {
        let args = [&["-c", "5", "-d", "1s"], load].concat();
        let report = run_against(&proxy, &args).report();
        assert!(report.outcome.is_ok, "{:?}", report.outcome);
        for metric in ["connect.upgrade", "rtt.service", "close.handshake", "close.tcp"] {
            let found = histogram(&report, metric);
            assert!(found.min_ns >= 50 * MS - MS / 20, "{metric} {}", found.min_ns);
            assert_true(found, &[(50.0, 50 * MS)]);
        }
        // The kernel of the proxy answers this one.
        let tcp = histogram(&report, "connect.tcp");
        assert!(tcp.percentile(50.0).unwrap() < 25 * MS, "{tcp:?}");
        assert_balanced(&report);
    }
    let url = proxy.url();
    let args = ["connect", &url, "-q", "-o", "json=-", "-c", "3", "-C", "20", "-n", "10"];
    let report = loadgen(&args).report();
    assert_true(histogram(&report, "connect.total"), &[(50.0, 50 * MS)]);
    assert_true(histogram(&report, "close.handshake"), &[(50.0, 50 * MS)]);
    assert_balanced(&report);
}
