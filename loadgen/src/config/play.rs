//! The configuration of `play`.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Arrivals, Config, DURATION_MAX, Load, Pacing, Scenario, TIMEOUT_MAX, bounded, pacing, within,
};
use crate::cli::PlayArgs;
use crate::scenario::feed::Take;
use crate::scenario::text::{Scope, Text};
use crate::scenario::{self, Program};
use crate::units;

/// What the users of a scenario do, and when.
#[derive(Clone, Debug)]
pub struct Play {
    /// What they do.
    pub program: Arc<Program>,
    /// Where each user connects, by the index of its URL.
    pub urls: Vec<Text>,
    /// When iterations start.
    pub load: Load,
    /// Total number of iterations; `None` is no limit.
    pub iterations: Option<u64>,
}

impl PartialEq for Play {
    fn eq(&self, other: &Self) -> bool {
        (self.program.digest, self.load, self.iterations)
            == (other.program.digest, other.load, other.iterations)
    }
}

impl Eq for Play {}

impl Config {
    /// Builds the configuration of `loadgen play`.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn of_play(mut args: PlayArgs) -> Result<Self, String> {
        let program = scenario::read(&args.scenario, &args.set)?;
        let connections = args.load.connections;
        let (pacing, rate) = Pacing::new(&args.pace, "-R", args.rate, connections)?;
        if rate.is_none() && pacing.arrivals == Arrivals::Poisson {
            return Err("--arrivals says how a rate is spread; use it with -R or --stage".into());
        }
        if pacing.stages.is_some() && args.rate.is_none() && !args.warmup.is_zero() {
            return Err("-w before --stage needs -R, the rate of the warm-up".into());
        }
        let load = rate.map_or(Load::Closed { pipeline: 1 }, |rate| Load::Open { rate });
        let iterations =
            args.iterations.map(|number| within("-n", number, 1, u64::MAX)).transpose()?;
        if !program.has_steps() && (rate.is_some() || iterations.is_some()) {
            return Err(format!(
                "{} has no [[step]], so there are no iterations for -R or -n; add one",
                args.scenario
            ));
        }
        if let Some(feed) = &program.feed
            && feed.take == Take::Each
            && (feed.rows() as u64) < connections
        {
            return Err(format!(
                "-c {}, but {} has only {}; use -c {}, or take = \"cycle\"",
                units::counted(connections, "user"),
                feed.file,
                units::counted(feed.rows() as u64, "row"),
                feed.rows()
            ));
        }
        let urls = urls(&program, &mut args)?;
        add_request(&program, &mut args)?;
        let program = Arc::new(program);
        let play = Play { program, urls, load, iterations };
        let mut config = Self::of_load(Scenario::Play(play), pacing::staged(args.load, &pacing)?)?;
        config.pacing = pacing;
        config.warmup = bounded("-w", args.warmup, Duration::ZERO, DURATION_MAX)?;
        config.drain_timeout =
            bounded("--drain-timeout", args.drain_timeout, Duration::ZERO, TIMEOUT_MAX)?;
        config.mask = args.mask;
        Ok(config)
    }

    /// Returns the scenario, if it is `play`.
    #[must_use]
    pub const fn play(&self) -> Option<&Play> {
        match &self.scenario {
            Scenario::Play(play) => Some(play),
            _ => None,
        }
    }
}

/// Returns the URLs as texts of users; in the arguments they become those of user 0, whose host and
/// port all users share.
fn urls(program: &Program, args: &mut PlayArgs) -> Result<Vec<Text>, String> {
    if args.load.urls.is_empty() {
        args.load.urls.extend(program.connect.url_typed.clone());
    }
    if args.load.urls.is_empty() {
        return Err(format!(
            "no URL; give one after {}, or write url = \"ws://…\" under [connect]",
            args.scenario
        ));
    }
    let mut scope = Scope::of(program);
    let mut urls = Vec::new();
    for url in &mut args.load.urls {
        let text = Text::parse(url, &mut scope).map_err(|why| format!("URL {url}: {why}"))?;
        *url = of_user_0(program, &text)?;
        urls.push(text);
    }
    Ok(urls)
}

/// Adds the scenario's subprotocols and headers, as those of user 0; typed ones take precedence.
fn add_request(program: &Program, args: &mut PlayArgs) -> Result<(), String> {
    let request = &mut args.load.request;
    if request.subprotocols.is_empty() {
        for name in &program.connect.subprotocols {
            request.subprotocols.push(of_user_0(program, name)?);
        }
    }
    for (name, value) in &program.connect.headers {
        if request.headers.iter().all(|(typed, _)| !typed.eq_ignore_ascii_case(name)) {
            request.headers.push((name.clone(), of_user_0(program, value)?));
        }
    }
    Ok(())
}

fn of_user_0(program: &Program, text: &Text) -> Result<String, String> {
    let slots = program.slots_of(0, 0, 0);
    let mut bytes = Vec::new();
    text.render(&program.opening(0, 0, 0, &slots), &mut bytes);
    let text = String::from_utf8(bytes).map_err(|_| "[connect] is no text".to_owned())?;
    // Text that was filled in is never a placeholder, whatever it looks like.
    Ok(text.replace('{', "{{"))
}
