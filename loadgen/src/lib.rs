//! loadgen: what its commands do with the [engine](loadgen_engine), and what they report.
//!
//! Modules stand here by layer, the lowest first, and import only from above their own paragraph. Those of
//! the engine are passed on, so that a path says nothing of the crate.

pub use loadgen_engine::{
    alike, cli, clock, config, deflate, escape, exit, host, index, member, metrics, nearest, net,
    payload, plan, process, quantity, quota, random, refusal, replacement, scenario, screen,
    segment, serve, signals, stamp, talk, template, threshold, units, verdict, worker,
};

pub mod abort;
pub mod progress;

pub mod coordinator;

pub mod doctor;
pub mod recording;
pub mod report;

pub mod dry_run;
pub mod outlet;
pub mod stream;

pub mod fleet;

pub mod run;

pub mod check;
pub mod record;
pub mod saved;
pub mod search;
