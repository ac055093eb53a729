//! Messages timed by when the kernel had them: what they wait for the client is none of the server's
//! doing, and is measured apart.

use std::fs::{self, DirEntry};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn, yield_now};
use std::time::{Duration, Instant};

use loadgen::net::ServerTls;
use loadgen::report::{HistogramReport, Report};
use loadgen::serve::{Mode, ServeConfig, Server, ServerHandle};
use rustix::process::{Pid, Signal, kill_process};

use crate::scripted::{
    Ran, Scripted, assert_balanced, command, echo, finish, frame, loadgen, run_against,
};

/// How long the server takes for a reply.
const DELAY: Duration = Duration::from_millis(10);
/// How long a reply then waits for the client, which has stopped.
const AWAY: Duration = Duration::from_millis(60);
/// Load begins once the kernel has begun to stamp, which takes it a moment.
const KERNEL: [&str; 4] = ["--recv-time", "kernel", "--ramp", "300ms"];

fn histogram<'r>(report: &'r Report, metric: &str) -> Option<&'r HistogramReport> {
    report.histograms.iter().find(|found| found.metric == metric && found.count > 0)
}

/// Stops a process; returns once none of its threads runs any more, which takes as long as they wait
/// for a processor.
fn stop(client: Pid) {
    let tasks = format!("/proc/{}/task", client.as_raw_nonzero());
    let is_stopped = |task: io::Result<DirEntry>| {
        let stat = task.and_then(|task| fs::read_to_string(task.path().join("stat")));
        // A thread that has just ended doesn't run either.
        stat.map_or(true, |stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")))
    };
    loop {
        // Again, if what stopped it for the reply before has let it go meanwhile.
        kill_process(client, Signal::STOP).unwrap();
        if fs::read_dir(&tasks).unwrap().all(is_stopped) {
            return;
        }
        yield_now();
    }
}

/// Runs `loadgen` against a server that stops it whenever a reply is on its way. Returns the result,
/// and the median of what the server took for a reply.
fn stopped(args: &[&str]) -> (Report, u64) {
    let client = Arc::new(AtomicU32::new(0));
    let delays = Arc::new(Mutex::new(Vec::new()));
    let (stopped, noted) = (Arc::clone(&client), Arc::clone(&delays));
    let server = Scripted::start(move |stream, _| {
        echo(stream, |_, first, payload| {
            let begin = Instant::now();
            while stopped.load(Ordering::Acquire) == 0 {
                yield_now();
            }
            sleep(DELAY);
            let client = Pid::from_raw(stopped.load(Ordering::Acquire).cast_signed()).unwrap();
            stop(client);
            spawn(move || {
                sleep(AWAY);
                kill_process(client, Signal::CONT).unwrap();
            });
            noted.lock().unwrap().push(u64::try_from(begin.elapsed().as_nanos()).unwrap());
            Some(frame(first, payload))
        });
    });
    let url = server.url();
    let fixed = ["run", &url, "-q", "-o", "json=-", "-t", "1", "-c", "1", "-n", "15"];
    let child = command(&[&fixed, args].concat()).spawn().unwrap();
    client.store(child.id(), Ordering::Release);
    let report = finish(child).report();
    assert!(report.outcome.is_ok, "{:?}", report.outcome);
    assert_balanced(&report);
    let mut delays = std::mem::take(&mut *delays.lock().unwrap());
    delays.sort_unstable();
    (report, delays[delays.len() / 2])
}

/// The medians are the test's: a machine that is busy with others holds up a server as well.
#[test]
fn g18_a_reply_that_waits_for_the_client_is_not_late() {
    let away_ns = u64::try_from(AWAY.as_nanos()).unwrap();
    for load in [&["-p", "1"][..], &["-R", "5", "--catch-up", "10s"]] {
        let p50 = |report: &Report, metric: &str| {
            histogram(report, metric).unwrap().percentile(50.0).unwrap()
        };
        let (by_user, true_ns) = stopped(load);
        let rtt_ns = p50(&by_user, "rtt.service");
        assert!(rtt_ns >= true_ns + away_ns / 2, "{load:?}: {rtt_ns}, and the truth is {true_ns}");
        assert!(histogram(&by_user, "recv.lag").is_none());
        assert_eq!(by_user.arrival_times, None);

        let (report, true_ns) = stopped(&[load, &KERNEL].concat());
        let times = report.arrival_times.unwrap();
        assert_eq!((times.kernel, times.user), (15, 0));
        let (rtt_ns, lag_ns) = (p50(&report, "rtt.service"), p50(&report, "recv.lag"));
        assert!(rtt_ns < true_ns + away_ns / 2, "{load:?}: {rtt_ns}, and the truth is {true_ns}");
        assert!(lag_ns > away_ns / 2, "{load:?}: {lag_ns}");
        assert_eq!(histogram(&report, "recv.lag").unwrap().count, 15);
    }
}

fn serve(config: ServeConfig) -> ServerHandle {
    let mut config = ServeConfig { threads: 1.try_into().unwrap(), ..config };
    config.listen.set_port(0);
    Server::bind(&config).unwrap().start().unwrap()
}

fn of(mode: Mode) -> ServeConfig {
    ServeConfig { mode, ..ServeConfig::default() }
}

fn run(args: &[&str]) -> (Report, Ran) {
    let ran = loadgen(&[args, &KERNEL, &["-q", "-o", "json=-", "-t", "1"]].concat());
    let report = ran.report();
    assert_balanced(&report);
    (report, ran)
}

/// What each command receives is timed by one mechanism.
#[test]
fn every_command_knows_when_its_messages_came() {
    let rows: [(Mode, &[&str]); 6] = [
        (Mode::Echo, &["run", "URL", "-c", "5", "-n", "500", "--ping-interval", "20ms"]),
        (Mode::Echo, &["run", "URL", "-c", "5", "-R", "1k", "-n", "300", "-s", "100k"]),
        (
            Mode::Echo,
            &["run", "URL", "-c", "5", "-n", "50", "-m", "{\"id\":{id}}", "--reply-id", "/id"],
        ),
        (Mode::Echo, &["hold", "URL", "-c", "5", "-d", "300ms", "--ping-interval", "50ms"]),
        (Mode::Push, &["listen", "URL", "-c", "5", "-d", "300ms"]),
        (Mode::Broadcast, &["fanout", "URL", "--subscribers", "5", "-n", "20", "-d", "5s"]),
    ];
    for (mode, args) in rows {
        let server = serve(of(mode));
        let url = format!("ws://{}/", server.local_addr());
        let args: Vec<_> = args.iter().map(|&arg| if arg == "URL" { &*url } else { arg }).collect();
        let (report, ran) = run(&args);
        assert!(report.outcome.is_ok, "{args:?}: {:?} {}", report.outcome, ran.stderr);
        let times = report.arrival_times.unwrap();
        assert!(times.kernel > 0, "{args:?}: {times:?}");
        // What comes with the last bytes of the opening handshake has no stamp.
        assert!(times.user <= 5, "{args:?}: {times:?}");
        let lag = histogram(&report, "recv.lag").unwrap();
        assert_eq!(lag.count, times.kernel, "{args:?}");
    }
}

#[test]
fn where_the_kernel_does_not_say_the_report_does() {
    let tls = ServerTls::self_signed(None, None).unwrap();
    let rows: [(ServeConfig, &str, &[&str], &str); 2] = [
        (ServeConfig { tls: Some(tls), ..of(Mode::Echo) }, "wss", &["-k"], "TLS"),
        (ServeConfig { is_http2: true, ..of(Mode::Echo) }, "ws", &["--http2"], "HTTP/2"),
    ];
    for (config, scheme, more, why) in rows {
        let server = serve(config);
        let url = format!("{scheme}://{}/", server.local_addr());
        let (report, _) = run(&[&["run", &url, "-c", "2", "-n", "50"], more].concat());
        assert!(report.outcome.is_ok, "{:?}", report.outcome);
        let times = report.arrival_times.unwrap();
        assert_eq!((times.kernel, times.user), (0, 50));
        assert!(histogram(&report, "recv.lag").is_none());
        let note = report.notes.iter().find(|note| note.contains("--recv-time kernel"));
        assert!(note.is_some_and(|note| note.contains(why)), "{:?}", report.notes);
    }
}

#[test]
fn the_summary_has_both_numbers() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let url = server.url();
    let ran =
        loadgen(&[&["run", &url, "-q", "-t", "1", "-c", "2", "-n", "50"][..], &KERNEL].concat());
    ran.assert_went_well();
    for words in ["rtt.service", "until the kernel had the echo", "recv lag p99 "] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("note"), "{}", ran.stdout);
    let without = run_against(&server, &["-c", "2", "-n", "50"]).report();
    assert!(without.notes.is_empty() && without.arrival_times.is_none());
}
