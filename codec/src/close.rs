//! Close codes: what a peer may send, and what may never be on the wire.
//!
//! A [`CloseCode`] holds only a value that RFC 6455 (7.4) and its registry allow in a Close frame,
//! so 1005, 1006 and 1015, which are reserved for reporting, can't be sent by mistake.

use core::fmt;

/// A close code that is allowed in a Close frame: 1000-1003, 1007-1014 or 3000-4999.
///
/// RFC 6455, 7.4. Codes 1004, 1005, 1006 and 1015 are reserved and can't be built.
///
/// ```
/// use wscodec::CloseCode;
/// assert_eq!(CloseCode::try_from(1000), Ok(CloseCode::NORMAL));
/// assert!(CloseCode::try_from(1006).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose for which the connection was opened has been fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: a server goes down, or a browser has left the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a type of data that the endpoint can't accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1007: data that doesn't fit the type of the message, such as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message that breaks the endpoint's policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: the client wanted an extension that the server didn't negotiate.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// 1011: an unexpected condition kept the server from fulfilling the request.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway received an invalid response from upstream.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// Returns the number in its wire format.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

/// A number that is not allowed in a Close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCloseCode(pub u16);

impl fmt::Display for InvalidCloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "close code {} may not be sent: use 1000-1003, 1007-1014 or 3000-4999 (RFC 6455, 7.4)",
            self.0
        )
    }
}

impl core::error::Error for InvalidCloseCode {}

impl TryFrom<u16> for CloseCode {
    type Error = InvalidCloseCode;

    fn try_from(code: u16) -> Result<Self, InvalidCloseCode> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Ok(Self(code)),
            _ => Err(InvalidCloseCode(code)),
        }
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The content of a Close frame: its code and its reason, an empty string when there is none.
///
/// RFC 6455, 5.5.1. A Close frame may also be empty; where that is possible the API holds an
/// `Option<CloseFrame>`, and `None` is what other APIs report as 1005.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// Why the sender closes.
    pub code: CloseCode,
    /// For people to read; at most 123 bytes of UTF-8.
    pub reason: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s7_4_all_65536_codes_are_judged_as_the_registry_says() {
        for code in 0..=u16::MAX {
            let allowed = (1000..=1003).contains(&code)
                || (1007..=1014).contains(&code)
                || (3000..=4999).contains(&code);
            let built = CloseCode::try_from(code);
            assert_eq!(built.is_ok(), allowed, "code {code}");
            match built {
                Ok(built) => assert_eq!((built.as_u16(), u16::from(built)), (code, code)),
                Err(error) => assert_eq!(error, InvalidCloseCode(code)),
            }
        }
    }
}
