//! An error with its values, and the last one of each thread, as text.

use std::cell::Cell;
use std::ffi::c_char;
use std::fmt;

use wscodec::handshake::{HandshakeError, HandshakeMisuse};
use wscodec::{ProtocolError, SendError};

use crate::memory;
use crate::names::find;
use crate::status::{WsError, WsStatus};

/// An error with its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Call(WsError),
    Protocol(ProtocolError),
    Send(SendError),
    Handshake(HandshakeError),
    HandshakeMisuse(HandshakeMisuse),
}

thread_local! {
    /// The last failure of this thread, made into text only if somebody asks.
    static LAST: Cell<Option<Failure>> = const { Cell::new(None) };
}

impl Failure {
    /// Returns the number for C.
    pub(crate) fn status(self) -> WsStatus {
        match self {
            Self::Call(error) => error as WsStatus,
            Self::Protocol(error) => -WsStatus::from(error.number()),
            Self::Send(error) => -WsStatus::from(error.number()),
            Self::Handshake(error) => -WsStatus::from(error.number()),
            Self::HandshakeMisuse(error) => -WsStatus::from(error.number()),
        }
    }

    /// Keeps the failure for [`ws_last_error_text`], and returns its number.
    pub(crate) fn record(self) -> WsStatus {
        LAST.set(Some(self));
        self.status()
    }

    /// Returns the room that was missing, if that is the failure.
    pub(crate) const fn room_needed(self) -> Option<usize> {
        match self {
            Self::Send(SendError::BufferFull { needed })
            | Self::HandshakeMisuse(HandshakeMisuse::BufferFull { needed }) => Some(needed),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => {
                let text = find(*error as WsStatus).map(|entry| entry.text.to_string_lossy());
                f.write_str(&text.unwrap_or_default())
            }
            Self::Protocol(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
            Self::Handshake(error) => error.fmt(f),
            Self::HandshakeMisuse(error) => error.fmt(f),
        }
    }
}

impl From<WsError> for Failure {
    fn from(error: WsError) -> Self {
        Self::Call(error)
    }
}

impl From<ProtocolError> for Failure {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<HandshakeError> for Failure {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl From<HandshakeMisuse> for Failure {
    fn from(error: HandshakeMisuse) -> Self {
        Self::HandshakeMisuse(error)
    }
}

/// Writes what the last error of this thread was to `text`, with its values, such as "frame of
/// 20000000 bytes, limit 16777216", and ends it with a zero. Cuts it off if `capacity` bytes are
/// not enough. Only calls that fail change it.
///
/// Returns the length of the whole text without the zero, as `snprintf` does; 0 if there was no
/// error yet. `text` may be null if `capacity` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_last_error_text(text: *mut c_char, capacity: usize) -> usize {
    let last = LAST.get().map(|failure| failure.to_string()).unwrap_or_default();
    // SAFETY: the caller's word.
    if let Ok(place) = unsafe { memory::uninit(text.cast(), capacity) } {
        let len = last.len().min(place.len().saturating_sub(1));
        for (to, from) in place.iter_mut().zip(last.bytes().take(len).chain([0])) {
            to.write(from);
        }
    }
    last.len()
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use wscodec::handshake::ResponseError;

    use super::*;

    #[test]
    fn the_constants_for_what_c_compares_with_are_the_codecs_numbers() {
        let full = Failure::from(SendError::BufferFull { needed: 1 });
        assert_eq!(full.status(), WsError::BufferFull as WsStatus);
        let full = Failure::from(HandshakeMisuse::BufferFull { needed: 1 });
        assert_eq!(full.status(), WsError::HandshakeBufferFull as WsStatus);
        assert_eq!(Failure::from(SendError::NotOpen).status(), WsError::NotOpen as WsStatus);
        let eof = Failure::from(ProtocolError::UnexpectedEof);
        assert_eq!(eof.status(), WsError::UnexpectedEof as WsStatus);
        let refused = Failure::from(HandshakeError::from(ResponseError::Refused { status: 404 }));
        assert_eq!(refused.status(), WsError::Refused as WsStatus);
    }

    #[test]
    fn the_last_error_is_cut_off_and_ended_like_snprintf_does() {
        Failure::from(ProtocolError::CloseCode { code: 1006 }).record();
        let whole = "close code 1006 may not be sent";
        for capacity in [0, 1, 2, whole.len(), whole.len() + 1, 100] {
            let mut text = [0x7f; 100];
            // SAFETY: as long as said.
            let len = unsafe { ws_last_error_text(text.as_mut_ptr().cast(), capacity) };
            assert_eq!(len, whole.len());
            if capacity > 0 {
                let written = CStr::from_bytes_until_nul(&text).unwrap().to_str().unwrap();
                assert_eq!(written, &whole[..whole.len().min(capacity - 1)]);
            }
            assert!(text[capacity.min(len + 1)..].iter().all(|&byte| byte == 0x7f), "{capacity}");
        }
        // SAFETY: null with a capacity of 0.
        assert_eq!(unsafe { ws_last_error_text(std::ptr::null_mut(), 0) }, whole.len());
    }
}
