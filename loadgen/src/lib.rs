//! The load generator's engine: plan, workers, metrics, report; and the reference server.
//!
//! ```text
//!   cli -> config -> plan -> worker -> { connect -> session } -> metrics -> report
//!                              ^ coordinator: when load begins, signals, progress
//! ```

pub mod deflate;
pub mod escape;
pub mod quantity;
pub mod segment;
pub mod units;

pub mod cli;
pub mod config;
pub mod plan;
pub mod random;

pub mod clock;
pub mod coordinator;
pub mod payload;
pub mod stamp;
pub mod worker;

pub mod metrics;
pub mod outlet;
pub mod progress;
pub mod report;
pub mod threshold;
pub mod verdict;

pub mod check;
pub mod doctor;
pub mod exit;
pub mod run;
pub mod saved;
pub mod talk;

pub mod host;
pub mod net;
pub mod serve;
