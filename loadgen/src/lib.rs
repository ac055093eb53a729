//! The load generator's engine: plan, workers, metrics, report; and the reference server.
//!
//! ```text
//!   cli -> config -> plan -> worker -> { connector -> session } -> metrics -> report
//!                              ^ coordinator: when load begins, signals, progress
//! ```
//!
//! Modules stand here by layer, the lowest first, and import only from above their own paragraph.

pub mod alike;
pub mod clock;
pub mod deflate;
pub mod escape;
pub mod exit;
pub mod host;
pub mod index;
mod nearest;
pub mod quota;
pub mod replacement;
mod screen;
pub mod signals;
pub mod talk;
pub mod template;
pub mod units;

pub mod random;
pub mod segment;

pub mod net;
pub mod quantity;
mod refusal;
pub mod stamp;
pub mod verdict;

pub mod metrics;
pub mod scenario;
pub mod serve;

pub mod member;
pub mod recording;
pub mod threshold;

pub mod cli;

pub mod config;

pub mod doctor;
pub mod payload;
pub mod plan;

pub mod worker;

pub mod abort;
pub mod progress;

pub mod coordinator;

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
