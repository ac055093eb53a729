//! The codec as a WebAssembly module: plain functions over linear memory, for the JavaScript beside this folder.
//!
//! JavaScript writes what it gives into areas of this module's memory, calls a function, and reads the result from a
//! record of eight numbers at a fixed place. Connections and handshakes are numbers. The module
//! imports nothing, so the same file runs in Node, in browsers, in workers and at the edge.
//!
//! | area | what lies in it |
//! |---|---|
//! | input | what was read from a socket; unmasked where it lies |
//! | message | a payload to be copied, or texts in groups |
//! | output | frames to be written; a payload may be placed behind a gap for its header |
//! | reply | texts that answer, in groups |
//!
//! It is built three ways, by features: connections; connections with permessage-deflate; and handshakes, which JavaScript
//! loads once it needs them. What was agreed on goes from one to the other as a number (`deflate::Packed`).
//!
//! Why not wasm-bindgen: its glue copies each payload into a fresh array, where here it is a view; and its imports have to
//! be given by generated code for each environment.

#![allow(
    clippy::cast_possible_truncation,
    reason = "on the target of this module, sizes and positions have 32 bits"
)]

#[cfg(feature = "connection")]
mod connection;
mod deflate;
#[cfg(feature = "handshake")]
mod extension;
mod fault;
#[cfg(feature = "connection")]
mod frames;
mod groups;
#[cfg(feature = "handshake")]
mod handshake;
mod keys;
mod module;
#[cfg(feature = "handshake")]
mod negotiation;
mod output;
