//! wscodec beside its peers: the same bytes in, the same messages out, and the time it took.
//!
//! A `group` makes contests; a contest is one piece of work that several contestants do. What
//! they made of it is compared with a naive reference before any clock runs. Criterion and the
//! recorder time the same contests:
//!
//! ```text
//! group (mask, utf8, ..) -> contests -> checked -> criterion: cargo bench -p benches
//!                                               -> record -> results/<date>-<topic>
//! ```
//!
//! How the work is laid out, so that what is measured is what a server does:
//!
//! - Short payloads stand in an area full of frames, as in a read buffer, each with its own key and
//!   whatever alignment its place gives it. Unmasking one small buffer again and again would
//!   measure store forwarding.
//! - Unmasking works in place and is its own inverse, so one run unmasks and the next masks:
//!   nothing has to be restored, and the time doesn't depend on the bytes.
//! - Decoding eats its input, so every decoder reads the wire from a stream in memory first, as it
//!   would from a socket: one `memcpy` that all pay alike and that stands in the charts as a row of
//!   its own.
//! - What is encoded ends in a `write` to a stream that only counts. A contestant that hands the
//!   payload to a vectored write need not copy it, as with a socket.
#![allow(clippy::cast_precision_loss, reason = "counts and nanoseconds stay far below 2^52")]

mod contest;
mod group;
mod limit;
mod memory;
mod payload;
mod peer;
mod record;
mod sink;
mod wire;

pub mod bench;

pub use record::record;

/// The codec's pages for those who come from its peers and put it into their stacks, compiled: here are all the crates that
/// they name.
#[cfg(doctest)]
#[doc = include_str!("../../codec/MIGRATION.md")]
struct Migration;

#[cfg(doctest)]
#[doc = include_str!("../../codec/RECIPES.md")]
struct Recipes;
