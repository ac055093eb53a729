//! Connections over tokio, against software that others wrote and against streams that misbehave.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic"
)]

mod connect;
mod split;
mod stream;
mod support;
mod times;
