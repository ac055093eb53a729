//! Runs a configuration, and returns its result in every form asked for, and an exit code.
//!
//! Whatever can be known to be impossible is reported before anything is connected: an output that
//! can't be written, a name that doesn't resolve, or a system limit that is too low, with the
//! command that raises it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use wscodec::deflate::Deflate;
use wscodec::handshake::ClientRequest;

use crate::cli::start;
use crate::clock::Clock;
use crate::config::{Config, Family, Output, Request, Scenario, Target, Verbosity, output};
use crate::coordinator;
use crate::exit::{Exit, Failed};
use crate::host::{Demand, DescriptorLimit, Host};
use crate::net::Routes;
use crate::outlet::Outlets;
use crate::payload::{self, Opening};
use crate::report::{Report, Subject};
use crate::serve::{Mode, ServeConfig, Server, ServerHandle};
use crate::talk::say;
use crate::verdict::State;

/// Runs a configuration to its end.
///
/// # Errors
/// [`Failed`] when there is no result: one line, and the exit code.
pub fn run(config: Config) -> Result<Exit, Failed> {
    let requests = requests(&config)?;
    if config.verbosity != Verbosity::Quiet {
        output::replaced(&config.outputs).for_each(say);
    }
    let outlets = Outlets::open(&config.outputs)?;
    let bound = config.request.connect_timeout;
    let network = &config.network;
    let (routes, host, embedded) = if config.is_embedded() {
        let host = raise_limits(&config, network.sources.addresses_of(Family::V4).max(1))?;
        let server = embed(&config)?;
        let request = requests.into_iter().next().ok_or_else(|| Failed::run("no URL".into()))?;
        (Routes::direct(server.local_addr(), request, network), host, Some(server))
    } else {
        let mut routes = Routes::new(&config.targets, requests, network, bound)?;
        routes = match config.fanout() {
            Some(fanout) => routes.with_publishers(fanout.publishers, fanout.publish_targets),
            None => routes.in_segment(config.part()),
        };
        let host = raise_limits(&config, routes.pairs())?;
        (routes, host, None)
    };
    if config.verbosity != Verbosity::Quiet {
        config.notes.iter().for_each(say); // of a run that begins: an error stands alone
    }
    let config = Arc::new(config);
    let started_at = match config.start_at {
        Some(at) => wait_until(at, config.verbosity)?,
        None => SystemTime::now(),
    };
    let routes = Arc::new(routes);
    let observed = coordinator::run(&config, &routes)
        .map_err(|error| Failed::run(format!("the run could not be started: {error}")))?;
    drop(embedded);
    let subject = Subject { config: &config, routes: &routes, started_at, host: &host };
    let report = Report::new(&subject, &observed);
    outlets.write(&report)?;
    say_outcome(&report, config.verbosity, &config.outputs);
    Ok(report.exit())
}

/// Returns the requests to all URLs, or to the embedded server.
fn requests(config: &Config) -> Result<Vec<ClientRequest>, Failed> {
    if config.is_embedded() {
        return Ok(vec![request(None, &config.request)?]);
    }
    config.targets.iter().map(|target| request(Some(target), &config.request)).collect()
}

/// Returns the request as connection 0 sends it, and every other one if it has no placeholders;
/// refuses what may not be sent.
///
/// # Errors
/// [`Failed`] with the header that is wrong.
pub fn request(target: Option<&Target>, request: &Request) -> Result<ClientRequest, Failed> {
    let opening = Opening { unix_ns: Clock::start().unix_ns(0), ..Opening::default() };
    payload::request(target, request, opening).map_err(Failed::usage)
}

/// Raises the soft limit of descriptors, and reports what is still missing.
fn raise_limits(config: &Config, routes: u64) -> Result<Host, Failed> {
    // A limit that can't be raised shows as a shortage, if it is one.
    DescriptorLimit::raise().ok();
    let host = Host::read();
    let threads = config.threads.get() as u64;
    let is_embedded = config.is_embedded();
    let demand = Demand {
        connections: config.sockets_of_all(),
        accepted: if is_embedded { config.sockets_of_all() } else { 0 },
        threads: if is_embedded { 2 * threads } else { threads },
        routes,
    };
    let shortages = host.shortages(&demand);
    if shortages.is_empty() {
        return Ok(host);
    }
    let said: Vec<_> = shortages.iter().map(ToString::to_string).collect();
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
