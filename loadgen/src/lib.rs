//! The load generator's engine: plan, workers, metrics, report; and the reference server.

pub mod cli;
pub mod config;
pub mod plan;

pub mod payload;

pub mod metrics;
pub mod report;

pub mod host;
pub mod serve;
