//! Why a connection, or a call on one, failed: the codec's own error, and the times that ran out.

use std::{fmt, io};

pub use wscodec::sync::Error;

/// Which time ran out. It is inside of an [`Error::Io`] of kind
/// [`TimedOut`](io::ErrorKind::TimedOut); [`Timeout::of`] finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// [`Config::handshake_timeout`](crate::Config::handshake_timeout): the peer did not complete
    /// the opening handshake.
    Handshake,
    /// [`KeepAlive::timeout`](crate::KeepAlive::timeout): nothing arrived after a Ping.
    KeepAlive,
    /// [`Config::close_timeout`](crate::Config::close_timeout): the peer did not answer the Close.
    Close,
}

impl Timeout {
    /// Returns which time ran out, if that is what the error says.
    ///
    /// ```
    /// use wscodec_tokio::{Error, Timeout};
    ///
    /// fn is_gone(error: &Error) -> bool {
    ///     Timeout::of(error) == Some(Timeout::KeepAlive)
    /// }
    /// # assert!(!is_gone(&std::io::Error::other("").into()));
    /// ```
    #[must_use]
    pub fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Io(error) => error.get_ref()?.downcast_ref().copied(),
            _ => None,
        }
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "the peer did not complete the opening handshake in time",
            Self::KeepAlive => "the peer did not answer a Ping in time",
            Self::Close => "the peer did not answer the Close in time",
        })
    }
}

impl std::error::Error for Timeout {}

impl From<Timeout> for io::Error {
    fn from(timeout: Timeout) -> Self {
        Self::new(io::ErrorKind::TimedOut, timeout)
    }
}

impl From<Timeout> for Error {
    fn from(timeout: Timeout) -> Self {
        Self::Io(timeout.into())
    }
}
