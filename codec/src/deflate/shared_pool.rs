//! A pool of streams as a value, for connections that move between threads.

use alloc::sync::Arc;
use core::fmt;
use std::sync::Mutex;

use zlib_rs::Inflate;

use crate::message::{PerMessageExtension, Transform};
use crate::role::Role;

use super::deflater::Stream;
use super::parameters::DeflateAgreed;
use super::pool::{Pool, Streams};

/// Streams that wait for their next message, shared by connections on any thread.
///
/// Without one, streams wait per thread. A task that moves between threads then seldom finds its
/// last stream, and another must be brought to the same state. Cloning shares the pool.
///
/// A stream to inflate takes some 50 KiB, one to deflate some 300 KiB. Taking or returning one
/// locks the pool for a search through the waiting streams; messages are compressed outside the
/// lock.
///
/// ```
/// use wscodec::ConnectionBuilder;
/// use wscodec::deflate::{DeflatePool, DeflateServer, Deflate};
///
/// let pool = DeflatePool::new(64);
/// let deflate = DeflateServer::new(Deflate::server());
/// // ... the opening handshake
/// let agreed = deflate.agreed().map(|agreed| agreed.with_pool(&pool));
/// let server = ConnectionBuilder::server().extension(agreed.as_ref()).open();
/// ```
#[derive(Clone)]
pub struct DeflatePool {
    inflate: Arc<Mutex<Pool<Inflate>>>,
    deflate: Arc<Mutex<Pool<Stream>>>,
}

impl DeflatePool {
    /// Creates a pool in which at most `streams_max` streams of each kind wait: the number of
    /// connections busy at the same time is a good choice. With 0, every message makes a stream.
    #[must_use]
    pub fn new(streams_max: usize) -> Self {
        Self {
            inflate: Arc::new(Mutex::new(Pool::of(streams_max))),
            deflate: Arc::new(Mutex::new(Pool::of(streams_max))),
        }
    }
}

impl fmt::Debug for DeflatePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeflatePool").finish_non_exhaustive()
    }
}

/// What was agreed, with streams from a [`DeflatePool`].
#[derive(Clone, Debug)]
pub struct DeflatePooled {
    agreed: DeflateAgreed,
    pool: DeflatePool,
}

impl DeflateAgreed {
    /// Returns the same agreement, for a connection whose streams wait in `pool` instead of the
    /// thread's pool.
    #[must_use]
    pub fn with_pool(&self, pool: &DeflatePool) -> DeflatePooled {
        DeflatePooled { agreed: *self, pool: pool.clone() }
    }
}

impl crate::message::transform::sealed::Sealed for DeflatePooled {}

impl PerMessageExtension for DeflatePooled {
    fn transform(&self, role: Role) -> Transform {
        let (inflater, deflater) = self.agreed.halves(role);
        Transform::new(
            inflater.with_streams(Streams::Shared(Arc::clone(&self.pool.inflate))),
            deflater.with_streams(Streams::Shared(Arc::clone(&self.pool.deflate))),
        )
    }
}
