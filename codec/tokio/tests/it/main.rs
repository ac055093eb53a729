//! Connections over tokio, against software that others wrote and against streams that misbehave.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic"
)]

#[cfg(feature = "axum")]
mod axum;
mod cancel;
#[cfg(feature = "connect")]
mod connect;
#[cfg(feature = "events")]
mod events;
#[cfg(feature = "h2")]
mod h2;
#[cfg(feature = "hyper")]
mod hyper;
mod pages;
mod split;
mod stream;
mod support;
mod times;
