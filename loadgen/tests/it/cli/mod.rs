//! The command line: usage, `check`, `doctor`, thresholds, and readers that leave.

mod check;
mod config;
mod doctor;
mod live;
mod meanwhile;
mod outputs;
mod readers;
mod readme;
mod screen;
mod search;
mod threshold;
mod usage;
