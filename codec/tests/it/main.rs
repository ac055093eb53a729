//! The codec's integration tests in one program, a module for each subject. Tests that bring an
//! allocator of their own are programs of their own, beside this folder.
#![cfg(feature = "std")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::decimal_bitwise_operands,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic, and its tables are written to be read"
)]

#[cfg(feature = "deflate")]
#[path = "../deflate_support/mod.rs"]
mod deflate_support;
#[path = "../support/guarded.rs"]
mod guarded;
#[path = "../handshake_support/mod.rs"]
mod handshake_support;
#[path = "../support/mod.rs"]
mod support;

// Bytes and frames.
mod frames;
mod header;
mod mask_kernels;
mod oracle;
mod splits;
mod text;
mod utf8_kernels;

// Messages and connections.
mod closing;
mod halves;
mod message;
mod placed;
mod room;
mod sending;
mod shared;
#[cfg(feature = "std")]
mod sync;

// The opening handshake and the extensions.
#[cfg(feature = "brotli")]
mod brotli;
#[cfg(feature = "deflate")]
mod deflate;
mod handshake;

// What broke others, stored inputs, and other codecs.
mod corpus;
mod differential;
mod regressions;
mod sharp;

// The sources and the page of tests.
mod layers;
mod page;
