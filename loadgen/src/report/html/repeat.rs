//! The command that repeats a run, as far as its result knows it.

use std::time::Duration;

use crate::config::{Arrivals, Jitter};
use crate::escape;
use crate::quantity;
use crate::report::{ConfigReport, PayloadKind, Report};

/// Returns the command, and what it leaves out.
pub(super) fn command(report: &Report) -> (String, Vec<&'static str>) {
    let config = &report.config;
    let mut words = vec!["loadgen".to_owned(), report.command.clone()];
    if let Some(scenario) = &report.scenario {
        words.push(scenario.name.clone());
    }
    let target = &report.target;
    if !target.is_embedded {
        words.push(target.url.clone());
        words.extend(target.urls.iter().skip(1).map(|url| url.url.clone()));
    }
    let mut flag = |name: &str, value: Option<String>| {
        words.extend(value.map(|value| [name.to_owned(), value]).into_iter().flatten());
    };
    let typed = |ns: u64| quantity::typed(Duration::from_nanos(ns));
    flag("-c", Some(config.connections.to_string()));
    flag("-C", config.connect_rate_per_s.map(|rate| rate.to_string()));
    flag("-t", Some(config.threads.to_string()));
    match config.number {
        Some(number) => flag("-n", Some(number.to_string())),
        None => flag("-d", Some(typed(config.duration_ns))),
    }
    flag("-w", (config.warmup_ns > 0).then(|| typed(config.warmup_ns)));
    if let Some(stages) = &config.stages {
        for stage in &stages.stages {
            let text = format!("{}:{}", typed(stage.length_ns), stage.target_per_s);
            flag("--stage", Some(text));
        }
    } else {
        flag("-R", config.rate_per_s.map(|rate| rate.to_string()));
    }
    flag("--arrivals", (config.arrivals == Arrivals::Poisson).then(|| "poisson".to_owned()));
    flag("-p", config.pipeline.filter(|&depth| depth > 1).map(|depth| depth.to_string()));
    if config.payload_is_generated == Some(true) {
        flag("-s", config.payload_size.map(|size| size.to_string()));
    }
    flag("--seed", Some(config.seed.to_string()));
    for subprotocol in &config.subprotocols {
        flag("--subprotocol", Some(subprotocol.clone()));
    }
    flag("--origin", config.origin.clone());
    if let Some(streams) = config.network.http2_streams {
        words.extend(["--http2".to_owned(), "--streams".to_owned(), streams.to_string()]);
    }
    if config.payload_kind == Some(PayloadKind::Binary) {
        words.push("-b".into());
    }
    words.extend(config.common.words());
    words.extend(reconnecting(config));
    let left_out = [
        (config.payload_is_generated == Some(false), "the messages"),
        (!config.header_names.is_empty(), "the headers"),
        (report.fanout.is_some(), "publishers and subscriptions"),
        (report.deflate.is_some(), "--deflate"),
        (!report.cohorts.is_empty(), "--slow and --bad"),
        (config.network.proxy.is_some(), "--proxy"),
        (report.watched.is_some(), "--watch-pid"),
    ];
    let left_out = left_out.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what);
    let words: Vec<_> = words.iter().map(|word| escape::shell(word)).collect();
    (words.join(" "), left_out.collect())
}

/// The flags for lost connections.
fn reconnecting(config: &ConfigReport) -> impl Iterator<Item = String> {
    let typed = |ns: u64| quantity::typed(Duration::from_nanos(ns));
    let pauses = config.reconnect.map(|pauses| {
        let range = format!("--reconnect={}..{}", typed(pauses.first_ns), typed(pauses.max_ns));
        let jitter = (pauses.jitter != Jitter::default())
            .then(|| format!("--jitter={}", pauses.jitter.name()));
        std::iter::once(range).chain(jitter)
    });
    let storm = config.storm.map(|storm| {
        let (whole, part) = (storm.share / 1_000, storm.share % 1_000);
        format!("--storm={whole}.{part:03}%@{}", typed(storm.at_ns))
    });
    pauses.into_iter().flatten().chain(storm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Parsed, parse};
    use crate::report::sample::sample_of;

    #[test]
    fn the_command_is_one_that_loadgen_takes() {
        for line in [
            "run ws://127.0.0.1:9001/ -c 2 -t 1 -d 1s --seed 7",
            "run ws://127.0.0.1:9001/a?b=c ws://127.0.0.1:9002/ -R 50.5 -w 500ms --arrivals poisson",
            "run ws://127.0.0.1:9001/ --stage 1s:50 --stage 2s:100 -b --mask zero --recv-time kernel",
            "connect ws://127.0.0.1:9001/ -c 2 -C 10",
        ] {
            let (command, left_out) = command(&sample_of(line));
            assert!(left_out.is_empty(), "{left_out:?}");
            let words = command.split(' ').map(|word| word.trim_matches('\'').into());
            assert!(matches!(parse(words), Parsed::Command(_)), "{command}");
        }
        let (command, _) = command(&sample_of("run ws://127.0.0.1:9001/ -c 2 -t 1 -d 1s --seed 7"));
        assert_eq!(command, "loadgen run ws://127.0.0.1:9001/ -c 2 -t 1 -d 1s -s 64 --seed 7");
        let line =
            "run ws://127.0.0.1:9001/ --reconnect=50ms..2s --jitter=none --storm=12.5%@1500ms";
        let (command, _) = super::command(&sample_of(line));
        let lost = " --reconnect=50ms..2s --jitter=none --storm=12.500%@1500ms";
        assert!(command.replace('\'', "").ends_with(lost), "{command}");
    }

    #[test]
    fn what_is_left_out_is_said() {
        let report = sample_of("run ws://127.0.0.1:9001/ -m hello -H a:b");
        assert_eq!(command(&report).1, ["the messages", "the headers"]);
    }
}
