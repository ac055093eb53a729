use super::*;
use crate::cli::{Command, Parsed, parse};

fn config(line: &str) -> Result<Config, String> {
    let words = std::iter::once("loadgen").chain(line.split(' ')).map(Into::into);
    match parse(words) {
        Parsed::Command(command) => match *command {
            Command::Run(args) => Config::of_run(args),
            Command::Connect(args) => Config::of_connect(args),
            Command::Hold(args) => Config::of_hold(args),
            Command::Listen(args) => Config::of_listen(args),
            Command::Fanout(args) => Config::of_fanout(args),
            _ => panic!("{line}"),
        },
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn defaults() {
    let config = config("run ws://h/").unwrap();
    assert_eq!(config.duration, Duration::from_secs(10));
    assert_eq!(config.outputs, [Output::TEXT]);
    let echo = config.echo().unwrap();
    assert_eq!(echo.load, Load::Closed { pipeline: 1 });
    assert_eq!(config.notes, [""; 0]);
    assert_eq!(echo.content, Content::Generated(Sizes::Fixed(64)));
    assert_eq!(echo.kind, DataKind::Text);
}

#[test]
fn s7_a_bare_run_leaves_the_machine_time_to_spare() {
    let bare = config("run -c 20 -d 1s").unwrap();
    assert_eq!(bare.echo().unwrap().load, Load::Open { rate: Rate::new(1_000_000).unwrap() });
    assert!(bare.notes[0].contains("use -p 1 for as fast as it answers"), "{:?}", bare.notes);
    let cores = quota::processors().get();
    assert_eq!(bare.threads.get(), (cores / 2).max(1));
    assert_eq!(config("hold -c 999").unwrap().threads, bare.threads);
    assert_eq!(config("run ws://h/ -c 999").unwrap().threads.get(), cores);
    // What says how messages are sent is left as it is.
    for line in ["run -p 1", "run -n 5", "run ws://h/"] {
        let load = config(line).unwrap().echo().unwrap().load;
        assert_eq!(load, Load::Closed { pipeline: 1 }, "{line}");
    }
    assert_eq!(config("run -R 5").unwrap().notes, [""; 0]);
}

#[test]
fn a_number_lifts_the_default_duration_and_leaves_one_that_is_said() {
    assert_eq!(config("run -n 10").unwrap().duration, DURATION_WITH_NUMBER);
    assert_eq!(config("run -n 10 -d 3s").unwrap().duration, Duration::from_secs(3));
    assert_eq!(config("connect -n 10").unwrap().duration, DURATION_WITH_NUMBER);
}

#[test]
fn rates_of_each_connection_and_stages() {
    let open = |line: &str| config(line).unwrap().echo().unwrap().load;
    let rate = |per_s: u64| Load::Open { rate: Rate::new(per_s * 1_000).unwrap() };
    assert_eq!(open("run -R 10/conn -c 50"), rate(500));
    assert_eq!(open("run --stage 30s:10k --stage 1m:0"), rate(10_000));
    let staged = config("run -R 5 -w 1s --stage 30s:10k --stage 1m:0").unwrap();
    assert_eq!(staged.duration, Duration::from_secs(90));
    assert_eq!(staged.pacing.stages.unwrap().start_per_1000_s, 5_000);
    let staged = config("connect -C 5 --stage 30s:10k -n 9").unwrap();
    assert_eq!(staged.duration, Duration::from_secs(30));
    assert_eq!(staged.connect_rate, Rate::new(10_000_000));
    assert_eq!(config("run").unwrap().pacing.catch_up, Duration::from_secs(1));
}

#[test]
fn threads_are_at_most_one_a_connection() {
    assert_eq!(config("run -c 3 -t 8").unwrap().threads.get(), 3);
}

#[test]
fn d30_absurd_values_are_refused_in_one_line() {
    for (line, why) in [
        ("run -c 0", "-c 0 is out of range"),
        ("run -c 0", "-c 0 is out of range; use 1 to 1,000,000"),
        ("run -c 1000001", "-c 1,000,001 is out of range; use 1 to 1,000,000"),
        ("run -t 0", "-t 0"),
        ("run -p 0", "-p 0"),
        ("run -p 1M", "-p 1,000,000"),
        ("run -n 0", "-n 0"),
        ("run -d 0s", "-d 0s is out of range"),
        ("run -d 1000h", "-d 1000h is out of range"),
        ("run -s 1G", "at most 64MiB"),
        ("run -s 1..65M", "at most 64MiB"),
        ("run --fragment 0", "--fragment 0 is out of range; use 1 to 64MiB"),
        ("run -c 1M -p 100", "messages outstanding"),
        ("run -p 1 -c 10k -s 1M", "GiB outstanding"),
        ("run -R 5 -p 2", "-R (open loop) and -p (closed loop) exclude each other"),
        ("run --stage 1s:5 -p 2", "--stage (open loop) and -p"),
        ("run --stage 1s:5 -d 5s", "-d and --stage exclude each other"),
        ("run --stage 1s:5 -w 1s", "needs -R, the rate of the warm-up"),
        ("run --stage 1s:0 --stage 5s:0", "all rates are 0"),
        ("run --stage 0s:5", "--stage, all together, 0s is out of range"),
        ("run -R 1M/conn -c 1k", "-R times -c 1000 is too much"),
        ("run --stage 1s:1M/conn -c 1k", "--stage times -c 1000 is too much"),
        ("run --arrivals poisson", "use it with -R, -C or --stage"),
        ("run -R 5 --catch-up 2h", "--catch-up"),
        ("run --catch-up 2s", "use it with -R or --stage"),
        ("run -c 1 --slow 10%:4k", "leave no healthy connection of -c 1"),
        ("run -c 5 --bad half-open:3 --bad slow-head:2", "leave no healthy connection"),
        ("connect --arrivals poisson", "use it with -C or --stage"),
        ("connect --stage 1s:5 -d 5s", "-d and --stage exclude each other"),
        ("run -m x -s 5", "exclude each other"),
        ("run --connect-timeout 0s", "--connect-timeout"),
        ("run --close-timeout 2h", "--close-timeout"),
        ("run --segment 1/2", "needs --seed"),
        ("run --segment 1/2 --seed 1", "needs a URL"),
        ("run ws://h/ --segment 1/2 --seed 1 -c 1", "too few for 2 segments; use at least 2"),
        ("run ws://h/ --segment 1/2 --seed 1 --threshold lost==0", "give it to loadgen merge"),
        ("connect --ramp 5s", "opening connections is the load"),
        ("run --ramp 1000h", "--ramp 1000h is out of range"),
        ("run -o text -o json=-", "two outputs on stdout"),
        ("run http://h/", "its scheme is http"),
        ("connect -n 0", "-n 0"),
        ("hold -d 0s", "-d 0s"),
        ("fanout --publishers 0", "--publishers 0 is out of range"),
        ("fanout -c 0", "--subscribers 0 is out of range"),
        ("fanout --topics 2", "--topics 2 needs one URL"),
        ("fanout ws://h/?a=b --topics 2 --publishers 2", "put {topic} there"),
        ("fanout ws://h/ ws://h/b", "2 topics need at least as many publishers and subscribers"),
        ("fanout -s 60", "-s 60 is out of range; use 61 to"),
        ("fanout -c 1M --publishers 100", "100,000,000 pairs to keep track of"),
        ("fanout --reconnect", "--reconnect doesn't work with fanout"),
        ("fanout --copy-timeout 0s", "--copy-timeout 0s is out of range"),
        ("fanout -p 65", "-p 65 is out of range"),
        ("run --reply-timeout 0s", "--reply-timeout 0s is out of range; use 1ms to"),
        ("run --ping-interval 0s", "--ping-interval 0s is out of range; use 1ms to"),
        ("hold --ping-interval 0s", "--ping-interval 0s is out of range; use 1ms to"),
        ("run --max-frame 0", "--max-frame 0 is out of range; use 1 to 1GiB"),
        ("hold --max-message 2G", "--max-message 2GiB is out of range; use 1 to 1GiB"),
        ("hold --ping-interval 25h", "--ping-interval 25h is out of range"),
    ] {
        let said = config(line).unwrap_err();
        assert!(said.contains(why), "{line}: {said}");
        assert!(!said.contains(char::is_control), "{line}: {said}");
    }
}

#[test]
fn n3_reply_timeout_needs_messages_that_name_themselves() {
    for line in [
        "run --reply-timeout 1s -s 15",
        "run --reply-timeout 1s -s 1..99",
        "run --reply-timeout 1s -m {seq}",
    ] {
        let said = config(line).unwrap_err();
        for part in ["needs messages that can be told apart", "use -s 16 or more"] {
            assert!(said.contains(part), "{line}: {said}");
        }
    }
    config("run --reply-timeout 1s -s 16").unwrap();
}

#[test]
fn large_values_that_make_sense_are_taken() {
    for line in [
        "run ws://h/ -c 10M -p 100 --segment 7/1000 --seed 1",
        "run -c 1M",
        "run -R 100M",
        "run -s 0",
        "run -s 64M -c 1",
        "run -d 1ms",
    ] {
        assert!(config(line).is_ok(), "{line}");
    }
}
