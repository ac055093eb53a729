//! The command line: usage, `check`, `doctor`, thresholds, and readers that leave.

mod check;
mod config;
mod doctor;
mod live;
mod meanwhile;
pub(crate) mod outputs;
mod readers;
mod readme;
mod schemas;
mod screen;
mod search;
mod sinks;
mod threshold;
mod usage;
