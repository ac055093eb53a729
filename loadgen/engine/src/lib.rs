//! The engine of [loadgen](https://docs.rs/loadgen): a command line, what it means, the connections that
//! it opens and what is counted on them; and the reference server.
//!
//! ```text
//!   cli -> config -> plan -> worker -> { connector -> session } -> metrics
//! ```
//!
//! A crate of its own for the sake of those who build loadgen: what each message passes through is optimised,
//! and what runs once, in the crate above, is not. Use loadgen; nothing here is promised to stay.
//!
//! Modules stand here by layer, the lowest first, and import only from above their own paragraph.

pub mod alike;
pub mod clock;
pub mod deflate;
pub mod escape;
pub mod exit;
pub mod host;
pub mod index;
pub mod nearest;
pub mod process;
pub mod quota;
pub mod replacement;
pub mod screen;
pub mod signals;
pub mod talk;
pub mod template;
pub mod units;

pub mod random;
pub mod segment;

pub mod net;
pub mod quantity;
pub mod refusal;
pub mod stamp;
pub mod verdict;

pub mod metrics;
pub mod scenario;
pub mod serve;

pub mod member;
pub mod threshold;

pub mod cli;

pub mod config;

pub mod payload;
pub mod plan;

pub mod worker;
