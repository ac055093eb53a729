//! Runs a configuration, and returns its result in every form asked for, and an exit code.
//!
//! Whatever can be known to be impossible is reported before anything is connected: an output that
//! can't be written, a name that doesn't resolve, or a system limit that is too low, with the
//! command that raises it.

use std::io::{self, Write, stdout};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use wscodec::deflate::Deflate;
use wscodec::handshake::ClientRequest;

use crate::cli::start;
use crate::config::{Config, Output, Scenario, Verbosity, output};
use crate::coordinator;
use crate::dry_run;
use crate::exit::{Exit, Failed};
use crate::fleet::{self, Program, muster};
use crate::host::{Demand, DescriptorLimit, Host, Shortage};
use crate::member::{self, Link, Member, Said};
use crate::net::{Routes, SourceRange, Sources};
use crate::outlet::Outlets;
use crate::payload;
use crate::process::Watched;
use crate::report::{Report, Subject};
use crate::serve::{Mode, ServeConfig, Server, ServerHandle};
use crate::stream::Streams;
use crate::talk::say;
use crate::verdict::State;

/// Runs a configuration to its end, in as many processes of `program` as it takes.
///
/// # Errors
/// [`Failed`] when there is no result: one line, and the exit code.
pub fn run(config: Result<Config, String>, program: io::Result<Program>) -> Result<Exit, Failed> {
    let config = config.map_err(Failed::usage)?;
    if let Some(member) = config.member {
        run_member(config, member);
        return Ok(Exit::Ok);
    }
    // A request that can't be sent is reported before a file is touched; so is a missing process.
    requests(&config)?;
    watched(&config)?;
    if config.is_dry_run {
        return show_plan(&config);
    }
    if config.verbosity != Verbosity::Quiet {
        output::replaced(&config.outputs).for_each(say);
    }
    // Rows are written while the run goes on, by `measure`.
    let is_whole = |output: &&Output| !output.form.is_streamed();
    let whole: Vec<_> = config.outputs.iter().filter(is_whole).cloned().collect();
    let outlets = Outlets::open(&whole)?;
    let (verbosity, outputs) = (config.verbosity, config.outputs.clone());
    let report = measure(config, program)?;
    outlets.write(&report)?;
    say_outcome(&report, verbosity, &outputs);
    Ok(report.exit())
}

/// Runs a configuration to its end, in as many processes of `program` as it takes, and returns its
/// result.
///
/// # Errors
/// [`Failed`] when there is no result: one line, and the exit code.
pub fn measure(mut config: Config, program: io::Result<Program>) -> Result<Report, Failed> {
    let requests = requests(&config)?;
    let (routes, embedded) = reach(&config, requests)?;
    // A limit that can't be raised shows as a shortage, if it is one.
    DescriptorLimit::raise().ok();
    let host = Host::read();
    let muster = muster(&config, &host, routes.pairs(), routes.may_spread());
    let muster = muster.map_err(Failed::usage)?;
    let routes = spread(routes, &mut config, muster.loopback_sources);
    check_limits(&config, &host, muster.processes, routes.pairs())?;
    if config.verbosity != Verbosity::Quiet {
        config.notes.iter().for_each(say); // of a run that begins: an error stands alone
        muster.said(&config, &host).into_iter().for_each(say);
    }
    let mut report = if muster.processes > 1 {
        needs_one_process(&config)?;
        let unknown = |error| Failed::run(format!("this program doesn't find itself: {error}"));
        let program = program.map_err(unknown)?;
        let wait = || match config.start_at {
            Some(at) => wait_until(at, config.verbosity).map(drop),
            None => Ok(()),
        };
        fleet::run(&config, muster, &program, wait)?
    } else {
        let started_at = match config.start_at {
            Some(at) => wait_until(at, config.verbosity)?,
            None => SystemTime::now(),
        };
        let ran = run_here(config.clone(), routes, &host, started_at, None)?;
        drop(embedded);
        ran
    };
    report.judge(&config.thresholds);
    Ok(report)
}

/// Refuses what looks at a run while it goes on, which one process has to see whole.
fn needs_one_process(config: &Config) -> Result<(), Failed> {
    let streamed = config.outputs.iter().find(|output| output.form.is_streamed());
    let streamed = streamed.map(|output| format!("-o {}", output.form.name()));
    let sink = config.sinks.first().map(|sink| sink.flag().to_owned());
    let asked = [
        streamed,
        config.prometheus.map(|_| "--prometheus".to_owned()),
        sink,
        config.abort_after.map(|_| "--abort-on-fail".to_owned()),
    ];
    match asked.into_iter().flatten().next() {
        Some(flag) => {
            Err(Failed::usage(format!("{flag} needs a run in one process; use --processes 1")))
        }
        None => Ok(()),
    }
}

/// Prints what the run would do.
fn show_plan(config: &Config) -> Result<Exit, Failed> {
    let host = Host::read();
    // Names aren't resolved, so the ports are those of no address in particular.
    let processes = muster(config, &host, u64::MAX, false).map_err(Failed::usage)?.processes;
    let plan = dry_run::plan(config, processes, &demand(config, processes), &host);
    // A reader who has left needs no more.
    stdout().write_all(plan.as_bytes()).ok();
    Ok(Exit::Ok)
}

/// Returns what each of the processes of a run needs, apart from ports.
fn demand(config: &Config, processes: u64) -> Demand {
    let threads = config.threads.get() as u64;
    let is_embedded = config.is_embedded();
    let connections = config.sockets_of_all();
    Demand {
        connections: connections.div_ceil(processes),
        accepted: if is_embedded { connections } else { 0 },
        threads: if is_embedded { 2 * threads } else { threads },
        routes: u64::MAX,
    }
}

/// Runs a configuration as a member of a fleet, whose leader gets the result.
fn run_member(config: Config, member: Member) {
    let mut link = Link::open();
    match ran_member(config, member, &mut link) {
        Ok(report) => member::say(&Said::Result(Box::new(report))),
        Err(Failed { exit, line }) => member::say(&Said::<()>::Failed { exit: exit.code(), line }),
    }
}

fn ran_member(mut config: Config, member: Member, link: &mut Link) -> Result<Report, Failed> {
    let requests = requests(&config)?;
    let (routes, _) = reach(&config, requests)?;
    DescriptorLimit::raise().ok();
    let host = Host::read();
    let routes = spread(routes, &mut config, member.loopback_sources);
    check_limits(&config, &host, 1, routes.pairs())?;
    member::say(&Said::<()>::Ready);
    let epoch = link.begin().ok_or_else(|| Failed::run("it was ended before it began".into()))?;
    thread::sleep(epoch.left());
    config.start_at = Some(epoch.wall());
    run_here(config, routes, &host, epoch.wall(), Some(coordinator::Fleet { link, epoch }))
}

/// Returns the process to watch, if one was named.
fn watched(config: &Config) -> Result<Option<Watched>, Failed> {
    let begin =
        |pid| Watched::of(pid).map_err(|why| Failed::usage(format!("--watch-pid {pid}: {why}")));
    config.watch_pid.map(begin).transpose()
}

/// Runs a configuration in this process.
fn run_here(
    config: Config,
    routes: Routes,
    host: &Host,
    started_at: SystemTime,
    fleet: Option<coordinator::Fleet<'_>>,
) -> Result<Report, Failed> {
    let process = watched(&config)?;
    let mut streams = Streams::open(&config, started_at)?;
    streams.resolved(&routes);
    let (config, routes) = (Arc::new(config), Arc::new(routes));
    let observed = coordinator::run(&config, &routes, fleet, process, &mut streams)
        .map_err(|error| Failed::run(format!("the run could not be started: {error}")))?;
    streams.finish()?;
    Ok(Report::new(&Subject { config: &config, routes: &routes, started_at, host }, &observed))
}

/// Returns the routes to the servers; starts the embedded one if there is no other.
fn reach(
    config: &Config,
    requests: Vec<ClientRequest>,
) -> Result<(Routes, Option<ServerHandle>), Failed> {
    let network = &config.network;
    if config.is_embedded() {
        DescriptorLimit::raise().ok();
        // Before there is a server that would have to end again. Ports may be spread later.
        check_limits(config, &Host::read(), 1, u64::MAX)?;
        let server = embed(config)?;
        let request = requests.into_iter().next().ok_or_else(|| Failed::run("no URL".into()))?;
        return Ok((Routes::direct(server.local_addr(), request, network), Some(server)));
    }
    let routes = Routes::new(&config.targets, requests, network, config.request.connect_timeout)?;
    let routes = match config.fanout() {
        Some(fanout) => routes.with_publishers(fanout.publishers, fanout.publish_targets),
        None => routes.in_segment(config.part()),
    };
    Ok((routes, None))
}

/// Has connections come from this many addresses of the loopback, if from any.
fn spread(routes: Routes, config: &mut Config, loopback_sources: u64) -> Routes {
    if loopback_sources == 0 {
        return routes;
    }
    let sources = Sources::new(vec![SourceRange::of_loopback(loopback_sources)]);
    config.network.sources = sources.clone();
    routes.with_sources(sources)
}

/// Returns the requests to all URLs, or to the embedded server.
fn requests(config: &Config) -> Result<Vec<ClientRequest>, Failed> {
    if config.is_embedded() {
        return Ok(vec![payload::first_request(None, &config.request)?]);
    }
    config
        .targets
        .iter()
        .map(|target| payload::first_request(Some(target), &config.request))
        .collect()
}

/// Reports what this machine has too little of for a run by so many processes over so many pairs of
/// addresses.
fn check_limits(config: &Config, host: &Host, processes: u64, pairs: u64) -> Result<(), Failed> {
    let (is_embedded, connections) = (config.is_embedded(), config.sockets_of_all());
    let each = demand(config, processes);
    // A process has its own descriptors, and all processes share the ports.
    let mut shortages = host.shortages(&each);
    let all = Demand { connections, routes: pairs, ..each };
    let is_of_ports = |shortage: &Shortage| matches!(shortage, Shortage::Ports { .. });
    shortages.extend(host.shortages(&all).into_iter().filter(is_of_ports));
    if shortages.is_empty() {
        return Ok(());
    }
    let mut said: Vec<_> = shortages.iter().map(ToString::to_string).collect();
    if is_embedded && !shortages.iter().any(is_of_ports) {
        said.push(format!(
            "or start loadgen serve --max-connections {connections} and name its URL: both sides \
             then take as many processes as they need"
        ));
    }
    Err(Failed::run(format!("-c {}: {}", config.connections_here(), said.join("; "))))
}

fn embed(config: &Config) -> Result<ServerHandle, Failed> {
    let mut serve = ServeConfig { threads: config.threads, ..ServeConfig::default() };
    serve.mode = match config.scenario {
        Scenario::Listen(_) => Mode::Push,
        Scenario::Fanout(_) => Mode::Broadcast,
        _ => Mode::Echo,
    };
    serve.listen.set_port(0);
    serve.is_http2 = config.network.http2.is_some();
    serve.connections_max = usize::try_from(config.connections_of_all())
        .unwrap_or(usize::MAX)
        .saturating_mul(2)
        .max(1_024);
    serve.limits = crate::worker::limits(config);
    serve.deflate =
        config.request.deflate.map(|offer| Deflate::server().with_level(offer.deflate.level));
    let started = Server::bind(&serve).and_then(Server::start);
    started.map_err(|error| Failed::run(format!("the embedded server could not start: {error}")))
}

/// Waits until a time of the wall clock, which may be set meanwhile, and returns it.
fn wait_until(at: SystemTime, verbosity: Verbosity) -> Result<SystemTime, Failed> {
    /// How often the wall clock is read.
    const LOOK: Duration = Duration::from_millis(100);
    match at.duration_since(SystemTime::now()) {
        Ok(left) if verbosity != Verbosity::Quiet => {
            say(format_args!("waiting {:.1} s for --start-at", left.as_secs_f64()));
        }
        Ok(_) => {}
        Err(past) => {
            let said = start::in_the_past(past.duration());
            return Err(Failed::usage(format!("--start-at: once everything was ready, {said}")));
        }
    }
    while let Ok(left) = at.duration_since(SystemTime::now())
        && !left.is_zero()
    {
        thread::sleep(left.min(LOOK));
    }
    Ok(at)
}

/// Writes one line to stderr when the run failed, for people who read nothing else, and marks it for
/// GitHub where that runs the command. Where the text of the report is on the same screen, it has
/// said that already.
pub fn say_outcome(report: &Report, verbosity: Verbosity, outputs: &[Output]) {
    let is_said = output::is_on_screen_with_stderr(outputs);
    let failed = report.thresholds.iter().filter(|threshold| !threshold.is_passed);
    let failed: Vec<_> = failed
        .map(|threshold| format!("{} ({})", threshold.expression, threshold.shown()))
        .collect();
    let is_saturated = report.verdict.state == State::Saturated;
    let is_marked = std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
    let mark = |kind: &str, text: &str| {
        if is_marked {
            say(annotation(kind, &report.command, text));
        }
    };
    if !report.outcome.is_ok {
        let reasons = report.outcome.reasons.join("; ");
        if !is_said {
            say(format_args!("error: {reasons}"));
        }
        mark("error", &reasons);
    } else if is_saturated && verbosity != Verbosity::Quiet {
        let said = "the client was saturated; the result says nothing about the server";
        say(format_args!("warning: {said}"));
        mark("warning", said);
    }
    if !failed.is_empty() && !is_saturated {
        let failed = failed.join("; ");
        if !is_said {
            say(format_args!("error: threshold failed: {failed}"));
        }
        mark("error", &format!("threshold failed: {failed}"));
    }
}

/// Returns a workflow command of GitHub, which shows `text` on the page of the run.
fn annotation(kind: &str, command: &str, text: &str) -> String {
    let escaped = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    format!("::{kind} title=loadgen {command}::{escaped}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_one_line() {
        assert_eq!(
            annotation("error", "run", "lost 5 %\n::error::b"),
            "::error title=loadgen run::lost 5 %25%0A::error::b"
        );
    }
}
