//! The program through a proxy that does to its connections whatever a seed says: every run ends in
//! time, none panics, and what was begun is accounted for.
//!
//! Twelve seeds by default. `LOADGEN_CHAOS=0..200 cargo test -p loadgen --test it run::chaos --
//! --nocapture` runs two hundred and prints what came of them; `LOADGEN_CHAOS=17..18` runs one
//! again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::chaos::{Chaos, Dice, Treatment};
use crate::scripted::{assert_balanced, loadgen};
use loadgen::serve::ServeConfig;

/// Seeds of a usual test.
const SEEDS: Range<u64> = 0..12;
/// Runs at once.
const AT_ONCE: usize = 4;
/// Beyond its own bounds, how much longer a run may take: on a machine that does much else, more
/// than the second that is expected of it.
const SLACK: Duration = Duration::from_secs(15);

const CONNECT_TIMEOUT_MS: u64 = 600;
const DRAIN_TIMEOUT_MS: u64 = 300;
const CLOSE_TIMEOUT_MS: u64 = 400;

/// What came of all runs.
#[derive(Debug, Default)]
struct Sums {
    runs: u64,
    attempted: u64,
    completed: u64,
    received: u64,
    reestablished: u64,
    away: u64,
    timed_out: u64,
    late: u64,
    pongs: u64,
    outcomes: BTreeMap<String, u64>,
    exit_codes: BTreeMap<i32, u64>,
    /// The longest that a run took beyond its bound; it may be less than nothing.
    over_ms: Option<i64>,
}

/// The arguments that a seed makes, and the bound on the time that they ask for.
fn arguments(seed: u64, url: &str) -> (Vec<String>, Duration) {
    let mut dice = Dice::new(!seed);
    let duration_ms = 300 + dice.below(500);
    let warmup_ms = dice.one_of(&[0, 0, 100]);
    let mut line = format!(
        "-q -o json=- --seed {seed} -c {} -t {} -d {duration_ms}ms --connect-timeout \
         {CONNECT_TIMEOUT_MS}ms --close-timeout {CLOSE_TIMEOUT_MS}ms",
        1 + dice.below(12),
        1 + dice.below(2),
    );
    let mut bound_ms = CONNECT_TIMEOUT_MS + duration_ms + CLOSE_TIMEOUT_MS;
    if dice.below(5) == 0 {
        line.push_str(dice.one_of(&["", " -C 50", " -n 40"]));
        // Without messages nothing is drained, but a connection may begin at the last moment.
        bound_ms += CONNECT_TIMEOUT_MS;
        line = format!("connect {url} {line}");
    } else {
        let load = dice.one_of(&["-p 1", "-p 8", "-R 100", "-R 2k", "-p 4 -n 500"]);
        let size = dice.one_of(&["16", "125", "126", "1000", "65535", "70000"]);
        let kind = dice.one_of(&["", " -b"]);
        // Half of the seeds are as they were before there was any of it.
        let mut more = String::new();
        if seed % 2 == 1 {
            more.push_str(dice.one_of(&["", " --reconnect=5ms..200ms", " --reconnect=5ms..200ms"]));
            more.push_str(dice.one_of(&["", " --ping-interval 20ms"]));
            more.push_str(dice.one_of(&["", " --reply-timeout 50ms"]));
        }
        line = format!(
            "run {url} {line} {load} -s {size}{kind}{more} -w {warmup_ms}ms --drain-timeout \
             {DRAIN_TIMEOUT_MS}ms"
        );
        bound_ms += warmup_ms + DRAIN_TIMEOUT_MS;
    }
    let words = line.split_whitespace().map(ToOwned::to_owned).collect();
    (words, Duration::from_millis(bound_ms))
}

/// One run. What must hold of it holds, or this panics with its seed.
fn run(seed: u64, server: SocketAddr, sums: &Mutex<Sums>) {
    let chaos = Chaos::start(seed, server);
    let (words, bound) = arguments(seed, &chaos.url());
    let again = format!("LOADGEN_CHAOS={seed}..{}: loadgen {}", seed + 1, words.join(" "));
    let ran = loadgen(&words.iter().map(String::as_str).collect::<Vec<_>>());
    drop(chaos);
    let code = ran.code.unwrap_or_else(|| panic!("{again}: ended by a signal"));
    assert!([0, 1, 97].contains(&code), "{again}: exit code {code}, {}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{again}: {}", ran.stderr);
    assert!(ran.took < bound + SLACK, "{again}: took {:?} of {bound:?}", ran.took);
    let report = ran.report();
    assert_eq!(report.imbalances, [""; 0], "{again}");
    assert_balanced(&report);
    assert_eq!(report.outcome.is_ok, code != 1, "{again}: {:?}", report.outcome);

    let mut sums = sums.lock().unwrap();
    sums.runs += 1;
    sums.attempted += report.connections.attempted;
    sums.completed += report.connections.completed;
    sums.received += report.messages.as_ref().map_or(0, |messages| messages.measured.received);
    if let Some(reconnect) = &report.reconnect {
        assert_eq!(reconnect.lost, reconnect.reestablished + reconnect.away, "{again}");
        assert_eq!(reconnect.attempts, reconnect.reestablished + reconnect.failed, "{again}");
        sums.reestablished += reconnect.reestablished;
        sums.away += reconnect.away;
    }
    if let Some(messages) = &report.messages {
        let timed_out = messages.measured.timed_out + messages.warmup.timed_out;
        assert!(messages.arrivals.late <= timed_out, "{again}: {messages:?}");
        sums.timed_out += timed_out;
        sums.late += messages.arrivals.late;
    }
    sums.pongs += report.pings.as_ref().map_or(0, |pings| pings.counts.answered);
    *sums.exit_codes.entry(code).or_default() += 1;
    for error in &report.errors {
        *sums.outcomes.entry(format!("{}.{}", error.phase, error.code)).or_default() += error.count;
    }
    let over =
        i64::try_from(ran.took.as_millis()).unwrap() - i64::try_from(bound.as_millis()).unwrap();
    sums.over_ms = sums.over_ms.max(Some(over));
}

fn seeds() -> Range<u64> {
    let Ok(asked) = std::env::var("LOADGEN_CHAOS") else { return SEEDS };
    let range = asked.split_once("..").map(|(first, end)| (first.parse(), end.parse()));
    let Some((Ok(first), Ok(end))) = range else { panic!("LOADGEN_CHAOS={asked}: use 0..200") };
    first..end
}

#[test]
fn g17_whatever_a_connection_meets_runs_end_in_time_and_balance() {
    let short = Duration::from_secs(1);
    let config =
        ServeConfig { close_timeout: short, shutdown_timeout: short, ..crate::peer::config() };
    let server = crate::peer::start(&config);
    let address = server.local_addr();
    let (seeds, sums) = (seeds(), Mutex::new(Sums::default()));
    let next = AtomicU64::new(seeds.start);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        return;
                    }
                    run(seed, address, &sums);
                }
            });
        }
    });
    let sums = sums.into_inner().unwrap();
    println!("{sums:#?}");
    assert_eq!(sums.runs, seeds.end - seeds.start);
    // The other end has counted each of them once as well.
    let totals = server.shutdown();
    println!("{totals:#?}");
    crate::peer::assert_balanced(&totals);
    if seeds.clone().count() >= SEEDS.count() {
        assert!(sums.completed > 0 && sums.received > 0, "nothing went well: {sums:?}");
        assert!(sums.outcomes.len() > 3, "nothing went wrong: {sums:?}");
    }
}

#[test]
fn a_seed_means_the_same_whenever_it_is_used() {
    let of = |seed| {
        let connections = (0..20).map(|number| Treatment::of_connection(seed, number));
        (arguments(seed, "ws://h/"), connections.collect::<Vec<_>>())
    };
    assert_eq!(of(7), of(7));
    assert_ne!(of(7), of(8));
}
