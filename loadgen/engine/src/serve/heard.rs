//! What one read of an open connection came to.

use wscodec::{CloseFrame, ProtocolError};

/// The code that a Close without a code is counted under (RFC 6455, 7.1.5).
const NO_STATUS: u16 = 1005;

/// The outcome of one read.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) messages: u64,
    pub(super) answered: u64,
    /// The client's close code, or this side's when it failed the connection.
    pub(super) close_code: Option<u16>,
}

impl Heard {
    /// Notes the client's Close.
    pub(super) fn closed(&mut self, close: Option<CloseFrame<'_>>) {
        self.close_code = Some(close.map_or(NO_STATUS, |close| close.code.as_u16()));
    }

    /// Notes that the client broke the protocol.
    pub(super) fn failed(&mut self, error: ProtocolError) {
        self.close_code = Some(error.close_code().as_u16());
    }
}
