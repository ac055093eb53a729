//! Arguments to what the opening handshake says, and to the bounds of a connection's ends.

use std::time::Duration;

use super::{TIMEOUT_MAX, bounded, deflate};
use crate::cli::RequestArgs;

/// What the opening handshake says, and how long each end of a connection may take.
#[derive(Clone, Debug)]
pub struct Request {
    /// Headers beside those of the protocol.
    pub headers: Vec<(String, String)>,
    /// Subprotocols to offer, the preferred first.
    pub subprotocols: Vec<String>,
    /// The |Origin| header.
    pub origin: Option<String>,
    /// permessage-deflate; `None` offers nothing.
    pub deflate: Option<deflate::Offer>,
    /// Bound on TCP and opening handshake together.
    pub connect_timeout: Duration,
    /// Bound on the closing handshake and the end of the stream together.
    pub close_timeout: Duration,
}

impl Request {
    /// Checks the bounds; whether the headers may be sent is for the handshake to say.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn new(args: RequestArgs) -> Result<Self, String> {
        let least = Duration::from_millis(1);
        Ok(Self {
            headers: args.headers,
            subprotocols: args.subprotocols,
            origin: args.origin,
            deflate: args.deflate.wanted().map(|deflate| deflate::Offer {
                deflate,
                is_required: args.deflate.deflate_required,
            }),
            connect_timeout: bounded(
                "--connect-timeout",
                args.connect_timeout,
                least,
                TIMEOUT_MAX,
            )?,
            close_timeout: bounded("--close-timeout", args.close_timeout, least, TIMEOUT_MAX)?,
        })
    }
}
