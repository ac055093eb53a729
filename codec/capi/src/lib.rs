//! The C ABI of [`wscodec`]: functions over opaque handles and the caller's memory.
//!
//! Its documentation for C is `include/wscodec.h`, which cbindgen writes from the comments here; so
//! they speak of C's types and constants. This page is for those who change it.
//!
//! ```text
//! C ──pointers──▶ memory, options ──slices, values──▶ wscodec ──events, errors──▶ event, error ──numbers──▶ C
//! ```
//!
//! Invariants:
//! - no panic crosses: every function that does more than read a field runs in `guard`, and a
//!   handle in which a panic was caught refuses every further call;
//! - memory of the caller is only borrowed during a call; where the caller has to be told of more
//!   than a number, it is a pointer into its own input or into the handle, valid until the next
//!   call with that handle;
//! - what the codec writes goes to memory that may be uninitialised, which is never read;
//! - a null pointer, a length beyond the address space, an unknown constant and overlapping memory
//!   are errors. What can't be checked is undefined: a dangling pointer, a wrong length, a handle
//!   used by two threads at once.
#![expect(unsafe_code, reason = "pointers from C")]
#![expect(
    clippy::missing_safety_doc,
    reason = "the contract is the same for all functions: the module's last invariant"
)]

mod failure;
mod guard;
mod memory;
mod names;
mod status;
mod version;

mod deflate;
mod event;
mod keys;
mod mask;
mod options;

mod connection;
mod halves;
mod prepared;
mod send;

mod client_handshake;
mod headers;
mod server_handshake;

pub use client_handshake::*;
pub use connection::*;
pub use deflate::*;
pub use event::*;
pub use failure::*;
pub use halves::*;
pub use headers::*;
pub use mask::*;
pub use memory::{WsBuffer, WsInput, WsSlice};
pub use names::*;
pub use prepared::*;
pub use send::*;
pub use server_handshake::*;
pub use status::*;
pub use version::*;

/// The header allows handles to go from thread to thread, and prepared messages and frames to be used
/// by several at once.
const _: () = {
    const fn may_move<T: Send>() {}
    const fn may_be_shared<T: Send + Sync>() {}
    may_move::<connection::Open>();
    may_move::<halves::Receiving>();
    may_move::<wscodec::connection::Reply>();
    may_move::<client_handshake::Connecting>();
    may_move::<server_handshake::Accepting>();
    may_be_shared::<wscodec::PreparedMessage>();
    may_be_shared::<bytes::Bytes>();
};
