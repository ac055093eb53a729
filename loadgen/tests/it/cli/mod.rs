//! The command line: usage, `check`, `doctor`, thresholds, and readers that leave.

mod check;
mod doctor;
mod readers;
mod threshold;
mod usage;
