//! Finds the capacity of a server: the highest rate at which its thresholds hold.
//!
//! Each step is a run of its own, with its verdict. Where the client is the limit the answer is "at
//! least", never a limit of the server.

mod hunt;
mod outcome;

use std::io;
use std::num::NonZeroU64;
use std::time::Duration;

use crate::cli::{PaceArgs, RateAsked, ReconnectArgs, RunArgs, SearchArgs, UserArgs};
use crate::config::{Config, Form, Load, Output, Rate, Scenario, Verbosity, output};
use crate::exit::{Exit, Failed};
use crate::fleet::Program;
use crate::member::Processes;
use crate::run;
use crate::talk::say;
use hunt::{Hunt, Limit};
pub use outcome::{SearchReport, StepReport};

/// The time of a step without `-d`: long enough for a queue to grow.
const STEP: Duration = Duration::from_secs(5);
/// Load before the measured time of each step.
const WARMUP: Duration = Duration::from_millis(500);
/// How long a step waits for echoes at its end.
const DRAIN: Duration = Duration::from_secs(2);

/// `loadgen search`.
///
/// # Errors
/// [`Failed`] with what is wrong with the arguments, or keeps a step from running.
pub fn search(args: SearchArgs) -> Result<Exit, Failed> {
    let outputs = output::outputs_of(&[Form::Text, Form::Json], args.load.out.outputs.clone())
        .map_err(Failed::usage)?;
    let (rates, within) = (args.rate, args.within);
    let config = config(args).map_err(Failed::usage)?;
    let mut hunt = Hunt::new(rates.least.per_1000_s(), rates.most.per_1000_s(), within.into());
    let mut steps: Vec<StepReport> = Vec::new();
    let limit = loop {
        let rate = match hunt.next() {
            Ok(rate) => rate,
            Err(limit) => break limit,
        };
        let rate = Rate::new(rate).ok_or_else(|| Failed::run("the rate is out of range".into()))?;
        let report = run::measure(at(&config, rate), one_process())?;
        if report.is_interrupted {
            return Ok(Exit::Interrupted);
        }
        let step = StepReport::new(rate, &report);
        if config.verbosity != Verbosity::Quiet {
            say(&step);
        }
        hunt.tell(rate.per_1000_s(), step.outcome);
        steps.push(step);
    };
    let found = SearchReport::new(limit, &hunt, steps);
    write(&found, &outputs)?;
    Ok(match limit {
        Limit::Server | Limit::Range => Exit::Ok,
        Limit::Client => Exit::NotValid,
        Limit::Below => Exit::Threshold,
    })
}

fn write(found: &SearchReport, outputs: &[Output]) -> Result<(), Failed> {
    output::replaced(outputs).for_each(say);
    for output in outputs {
        output::put(output, "search", |out| match output.form {
            Form::Json => {
                serde_json::to_writer_pretty(&mut *out, found)?;
                writeln!(out)
            }
            _ => write!(out, "{found}"),
        })?;
    }
    Ok(())
}

/// Returns the configuration of a step, at the highest rate.
fn config(args: SearchArgs) -> Result<Config, String> {
    let SearchArgs { mut load, rate, message, .. } = args;
    if load.shard.segment.is_some() {
        return Err("--segment is for one run; search from one process".into());
    }
    if load.dry_run {
        return Err("--dry-run is for one run; use it with loadgen run".into());
    }
    load.out.outputs.clear();
    load.duration.get_or_insert(STEP);
    load.processes = Processes::Exactly(NonZeroU64::MIN);
    Config::of_run(RunArgs {
        load,
        messages: None,
        rate: Some(RateAsked::of(rate.most)),
        catch_up: None,
        pace: PaceArgs::default(),
        pipeline: None,
        warmup: WARMUP,
        drain_timeout: DRAIN,
        reply_timeout: None,
        ping_interval: None,
        message,
        reconnect: ReconnectArgs::default(),
        cohorts: Box::default(),
        users: UserArgs::default(),
    })
}

/// Stands for the program, which isn't started again.
fn one_process() -> io::Result<Program> {
    Err(io::Error::other("a search runs in one process"))
}

fn at(config: &Config, rate: Rate) -> Config {
    let mut config = config.clone();
    if let Scenario::Echo(echo) = &mut config.scenario {
        echo.load = Load::Open { rate };
    }
    config
}
