//! The load generator's engine: plan, workers, metrics, report; and the reference server.

pub mod host;
pub mod serve;
