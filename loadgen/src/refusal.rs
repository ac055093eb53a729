//! Why a server or this side refuses to go on, to words: a response that isn't 101, with what it
//! says of where to go, who may, and why not; and what a server sent that is too large.

use std::fmt::Write;

use wscodec::handshake::Response;
use wscodec::{FrameError, ProtocolError};

use crate::{escape, units};

/// Bytes of a header's value, and of a line of the body, that are shown.
const SHOWN_LEN_MAX: usize = 100;

/// The status, what it means for someone who wants a WebSocket, and the headers that help.
pub(crate) fn said(response: Response<'_>) -> String {
    let reason = escape::bytes(response.reason(), SHOWN_LEN_MAX);
    let status = response.status();
    let mut said = format!("{status} {reason}").trim_end().to_owned();
    if let Some(hint) = hint(status) {
        said.push_str(": ");
        said.push_str(hint);
    }
    for name in ["Location", "WWW-Authenticate"] {
        if let Some(value) = response.header(name) {
            write!(said, "; {name}: {}", escape::bytes(value, SHOWN_LEN_MAX)).ok();
        }
    }
    said
}

/// What a server sent that is larger than this side takes, and the flag that says how much that is.
pub(crate) fn too_large(error: &ProtocolError) -> Option<String> {
    let (what, size, max, flag) = match *error {
        ProtocolError::Frame(FrameError::FrameTooBig { payload_len, frame_size_max }) => {
            ("frame of", payload_len, frame_size_max, "--max-frame")
        }
        ProtocolError::MessageTooBig { message_size, message_size_max } => {
            ("message of at least", message_size, message_size_max as u64, "--max-message")
        }
        ProtocolError::CompressedTooBig { compressed_size, compressed_size_max: max } => {
            ("message that is compressed to at least", compressed_size, max as u64, "--max-message")
        }
        _ => return None,
    };
    let [size, max] = [size, max].map(units::count);
    Some(format!("the server sent a {what} {size} bytes, and {flag} allows {max}; raise {flag}"))
}

/// What a status means for someone who wants a WebSocket.
const fn hint(status: u16) -> Option<&'static str> {
    match status {
        200..=299 => Some("not a WebSocket endpoint; wrong path?"),
        300..=399 => Some("redirected; give the new URL"),
        401 | 407 => Some("it requires a login; use --user or -H"),
        403 => Some("not allowed; does it require an Origin (--origin) or a login?"),
        404 | 405 | 410 => Some("wrong path?"),
        _ => None,
    }
}

/// The first line of a body that says something, as it may be shown. `is_chunked` passes over the
/// line with the size of the first chunk (RFC 9112, 7.1).
pub(crate) fn first_line(body: &[u8], is_chunked: bool) -> Option<String> {
    let lines = body.split(|&byte| byte == b'\n').skip(usize::from(is_chunked));
    let line = lines.map(<[u8]>::trim_ascii).find(|line| !line.is_empty())?;
    Some(escape::bytes(line, SHOWN_LEN_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_the_first_line_of_a_body() {
        assert_eq!(
            first_line(b"no such path, use /chat\nmore", false).unwrap(),
            "no such path, use /chat"
        );
        assert_eq!(first_line(b"\r\n\n  <html>\n", false).unwrap(), "<html>");
        assert_eq!(first_line(b"18\r\nno such path\r\n0\r\n\r\n", true).unwrap(), "no such path");
        assert_eq!(first_line(b"", false), None);
        assert_eq!(first_line(b"18\r\n", true), None);
        assert!(first_line(&[b'x'; 9_000], false).unwrap().len() < 200);
    }
}
