//! What each error is called, what it means, and how it is reported to the peer.

use std::ffi::{CStr, c_char};

use crate::status::{WsError, WsStatus};

/// What is known of an error without its values.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    error: WsError,
    name: &'static CStr,
    pub(crate) text: &'static CStr,
    /// The close code of a failed connection, or the status of a failed handshake; 0 for neither.
    code: u16,
}

const fn entry(error: WsError, name: &'static CStr, text: &'static CStr, code: u16) -> Entry {
    Entry { error, name, text, code }
}

#[rustfmt::skip]
const ENTRIES: &[Entry] = {
    use WsError as E;
    &[
        entry(E::NullPointer, c"null_pointer", c"a pointer that must not be null is null", 0),
        entry(E::Argument, c"argument", c"an argument is out of range: an unknown constant, a length that memory can't have, or more than the buffer holds", 0),
        entry(E::OptionsSize, c"options_size", c"the size field of a struct is 0, or a field that this library does not know is set", 0),
        entry(E::Overlap, c"overlap", c"the output's room overlaps with the input or the payload", 0),
        entry(E::Utf8Argument, c"utf8_argument", c"a text argument is not UTF-8", 0),
        entry(E::CloseCodeArgument, c"close_code_argument", c"the close code may not be sent: use 1000-1003, 1007-1014 or 3000-4999", 0),
        entry(E::State, c"state", c"the call does not fit the handle's state", 0),
        entry(E::Panicked, c"panicked", c"the library has failed, by a bug or because the operating system gives no entropy; the handle can only be freed", 0),
        entry(E::ReservedBits, c"reserved_bits", c"reserved bits set without an extension", 1002),
        entry(E::ReservedOpcode, c"reserved_opcode", c"reserved opcode", 1002),
        entry(E::ControlFragmented, c"control_fragmented", c"control frame without FIN", 1002),
        entry(E::ControlTooLong, c"control_too_long", c"control frame longer than 125 bytes", 1002),
        entry(E::MaskRequired, c"mask_required", c"unmasked frame from a client", 1002),
        entry(E::MaskForbidden, c"mask_forbidden", c"masked frame from a server", 1002),
        entry(E::LengthNotMinimal, c"length_not_minimal", c"payload length not in its shortest form", 1002),
        entry(E::LengthMsb, c"length_msb", c"payload length with its most significant bit set", 1002),
        entry(E::FrameTooBig, c"frame_too_big", c"frame longer than the limit", 1009),
        entry(E::UnexpectedContinuation, c"unexpected_continuation", c"continuation frame with no message open", 1002),
        entry(E::ExpectedContinuation, c"expected_continuation", c"data frame while a message is open", 1002),
        entry(E::MessageTooBig, c"message_too_big", c"message longer than the limit", 1009),
        entry(E::CompressedTooBig, c"compressed_too_big", c"compressed message longer than the limit allows", 1009),
        entry(E::TooManyFragments, c"too_many_fragments", c"message of more frames than the limit", 1008),
        entry(E::Utf8, c"utf8", c"text is not UTF-8", 1007),
        entry(E::InflateCorrupt, c"inflate", c"compressed message is corrupt", 1007),
        entry(E::InflateTruncated, c"inflate", c"compressed message ends too early", 1007),
        entry(E::ClosePayload, c"close_payload", c"Close frame with one byte of payload", 1002),
        entry(E::CloseCode, c"close_code", c"close code that may not be sent", 1002),
        entry(E::UnexpectedEof, c"unexpected_eof", c"stream ended without a closing handshake", 1002),
        entry(E::NotOpen, c"not_open", c"connection is not open: nothing may be sent any more", 0),
        entry(E::SendControlTooLong, c"send_control_too_long", c"control payload of more than 125 bytes", 0),
        entry(E::ReasonTooLong, c"reason_too_long", c"close reason of more than 123 bytes", 0),
        entry(E::MessageOpen, c"message_open", c"a message sent in fragments is still open", 0),
        entry(E::NoMessageOpen, c"no_message_open", c"no message of this type is open to continue", 0),
        entry(E::PayloadLength, c"payload_length", c"header declares another length than the payload has", 0),
        entry(E::BufferFull, c"buffer_full", c"the output buffer has no room", 0),
        entry(E::SendOpcode, c"send_opcode", c"no header by itself for this kind", 0),
        entry(E::HandshakeEof, c"unexpected_eof", c"stream ended before the end of the handshake", 400),
        entry(E::HandshakeRejected, c"rejected", c"handshake already refused", 0),
        entry(E::NotHttp, c"not_http", c"not HTTP", 400),
        entry(E::StartLine, c"start_line", c"malformed start line", 400),
        entry(E::HttpVersion, c"http_version", c"HTTP version other than 1.1", 505),
        entry(E::BareLf, c"bare_lf", c"line ends in LF without CR", 400),
        entry(E::BareCr, c"bare_cr", c"CR without LF", 400),
        entry(E::ControlCharacter, c"control_character", c"control character", 400),
        entry(E::HeaderName, c"header_name", c"header name is not a token", 400),
        entry(E::Folding, c"folding", c"header line begins with white space", 400),
        entry(E::StartLineTooLong, c"start_line_too_long", c"start line longer than the limit", 414),
        entry(E::HeadTooLarge, c"head_too_large", c"head longer than the limit", 431),
        entry(E::TooManyHeaders, c"too_many_headers", c"more headers than the limit", 431),
        entry(E::RequestMethod, c"method", c"method is not GET", 405),
        entry(E::RequestTarget, c"target", c"request target is not a path or an absolute URI", 400),
        entry(E::RequestHost, c"host", c"Host missing, doubled or malformed", 400),
        entry(E::RequestBody, c"body", c"request with a body", 400),
        entry(E::RequestUpgrade, c"upgrade", c"Upgrade does not list websocket", 426),
        entry(E::RequestConnection, c"connection", c"Connection does not list Upgrade", 400),
        entry(E::RequestVersion, c"websocket_version", c"Sec-WebSocket-Version is not 13", 426),
        entry(E::RequestKey, c"key", c"Sec-WebSocket-Key is not 16 bytes in base64", 400),
        entry(E::RequestOrigin, c"origin", c"Origin doubled or malformed", 400),
        entry(E::RequestSubprotocols, c"subprotocols", c"Sec-WebSocket-Protocol is not a list of at most 64 tokens", 400),
        entry(E::RequestExtensions, c"extensions", c"malformed Sec-WebSocket-Extensions", 400),
        entry(E::Refused, c"refused", c"server answered with a status other than 101", 0),
        entry(E::TooManyInterim, c"too_many_interim", c"more than 8 interim responses", 502),
        entry(E::ResponseUpgrade, c"upgrade", c"Upgrade missing or not websocket", 502),
        entry(E::ResponseConnection, c"connection", c"Connection does not list Upgrade", 502),
        entry(E::AcceptMissing, c"accept_missing", c"Sec-WebSocket-Accept missing", 502),
        entry(E::AcceptDoubled, c"accept_doubled", c"Sec-WebSocket-Accept doubled", 502),
        entry(E::AcceptMismatch, c"accept_mismatch", c"Sec-WebSocket-Accept does not answer the key", 502),
        entry(E::ResponseSubprotocol, c"subprotocol", c"server selected a subprotocol that was not offered", 502),
        entry(E::ResponseExtensions, c"extensions", c"malformed Sec-WebSocket-Extensions", 502),
        entry(E::ExtensionNotOffered, c"extension_not_offered", c"server selected an extension that was not offered", 502),
        entry(E::ExtensionDoubled, c"extension_doubled", c"server selected an extension twice", 502),
        entry(E::ExtensionParameters, c"extension_parameters", c"extension parameters do not answer the offer", 502),
        entry(E::HostArgument, c"host_argument", c"host is empty or malformed", 0),
        entry(E::TargetArgument, c"target_argument", c"request target malformed", 0),
        entry(E::HeaderNameArgument, c"header_name_argument", c"header name is not a token", 0),
        entry(E::HeaderReserved, c"header_reserved", c"header belongs to the handshake", 0),
        entry(E::HeaderValueArgument, c"header_value_argument", c"header value has a forbidden byte", 0),
        entry(E::SubprotocolArgument, c"subprotocol_argument", c"subprotocol is not a token", 0),
        entry(E::SubprotocolDoubled, c"subprotocol_doubled", c"subprotocol offered twice", 0),
        entry(E::SubprotocolNotOffered, c"subprotocol_not_offered", c"subprotocol was not offered", 0),
        entry(E::ExtensionArgument, c"extension_argument", c"extension or parameter is not a token", 0),
        entry(E::ExtensionNotOfferedArgument, c"extension_not_offered_argument", c"extension was not offered", 0),
        entry(E::StatusArgument, c"status_argument", c"status can't refuse a handshake", 0),
        entry(E::NoRequest, c"no_request", c"there is no request to answer", 0),
        entry(E::HandshakeBufferFull, c"buffer_full", c"the output buffer has no room", 0),
    ]
};

pub(crate) fn find(error: WsStatus) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.error as WsStatus == error)
}

/// Returns a short, stable name of an error for counters and logs, such as `mask_required`; "ok"
/// for 0 and more, "unknown" for a number that this version does not know. Never null, and never
/// to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn ws_error_name(error: WsStatus) -> *const c_char {
    let name = if error >= 0 { c"ok" } else { find(error).map_or(c"unknown", |entry| entry.name) };
    name.as_ptr()
}

/// Returns what an error means, in a line of English without the values; `ws_last_error_text` has
/// them. Never null, and never to be freed.
#[unsafe(no_mangle)]
pub extern "C" fn ws_error_text(error: WsStatus) -> *const c_char {
    let text =
        if error >= 0 { c"ok" } else { find(error).map_or(c"unknown error", |entry| entry.text) };
    text.as_ptr()
}

/// Returns the close code that reports an error to the peer (RFC 6455, 7.4.1), for errors -100 to
/// -199; 0 for all others. The connection has already sent it.
#[unsafe(no_mangle)]
pub extern "C" fn ws_error_close_code(error: WsStatus) -> u16 {
    if (-199..=-100).contains(&error) { find(error).map_or(0, |entry| entry.code) } else { 0 }
}

/// Returns the HTTP status that reports an error of the opening handshake, for errors -300 to
/// -399; 0 for all others, and for those whose status is the one that was received or sent.
#[unsafe(no_mangle)]
pub extern "C" fn ws_error_http_status(error: WsStatus) -> u16 {
    if (-399..=-300).contains(&error) { find(error).map_or(0, |entry| entry.code) } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use wscodec::handshake::{HandshakeError, HeadError, RequestError, ResponseError};
    use wscodec::{FrameError, InflateError, ProtocolError, Utf8Error};

    use super::*;
    use crate::failure::Failure;

    fn name_of(status: WsStatus) -> &'static str {
        find(status).unwrap_or_else(|| panic!("{status} has no entry")).name.to_str().unwrap()
    }

    #[test]
    fn every_number_of_the_codec_has_an_entry_and_the_other_way_round() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
        let mut numbers = BTreeSet::new();
        for file in ["error.rs", "handshake/number.rs"] {
            // Packaged alone, this crate has no codec beside it.
            let Ok(text) = std::fs::read_to_string(src.join(file)) else { return };
            for line in text.lines().filter_map(|line| line.trim().strip_suffix(',')) {
                let number = line.rsplit_once("=> ").map(|(_, number)| number.parse::<WsStatus>());
                if let Some(Ok(number @ 100..=499)) = number {
                    // The statuses of `HandshakeError::status` are in another file.
                    assert!(numbers.insert(-number), "{number} twice");
                }
            }
        }
        let here =
            ENTRIES.iter().map(|entry| entry.error as WsStatus).filter(|&number| number < -99);
        assert_eq!(here.collect::<BTreeSet<_>>(), numbers);
    }

    #[test]
    fn names_close_codes_and_numbers_are_those_of_the_codec() {
        let frame = [
            FrameError::ReservedBits { rsv: 4 },
            FrameError::ReservedOpcode { opcode: 3 },
            FrameError::ControlFragmented { opcode: 8 },
            FrameError::ControlTooLong { opcode: 8 },
            FrameError::MaskRequired,
            FrameError::MaskForbidden,
            FrameError::LengthNotMinimal { payload_len: 1 },
            FrameError::LengthMsb { payload_len: 1 << 63 },
            FrameError::FrameTooBig { payload_len: 2, frame_size_max: 1 },
        ];
        let others = [
            ProtocolError::UnexpectedContinuation,
            ProtocolError::ExpectedContinuation,
            ProtocolError::MessageTooBig { message_size: 2, message_size_max: 1 },
            ProtocolError::CompressedTooBig { compressed_size: 2, compressed_size_max: 1 },
            ProtocolError::Inflate(InflateError::Corrupt),
            ProtocolError::Inflate(InflateError::Truncated),
            ProtocolError::TooManyFragments { fragments_max: 1 },
            ProtocolError::Utf8(Utf8Error { valid_up_to: 0 }),
            ProtocolError::ClosePayload,
            ProtocolError::CloseCode { code: 1 },
            ProtocolError::UnexpectedEof,
        ];
        let all: Vec<_> = frame.map(ProtocolError::Frame).into_iter().chain(others).collect();
        assert_eq!(all.len(), ENTRIES.iter().filter(|entry| entry.code >= 1000).count());
        for error in all {
            let status = Failure::from(error).status();
            assert_eq!(name_of(status), error.name(), "{status}");
            assert_eq!(ws_error_close_code(status), error.close_code().as_u16(), "{status}");
            assert_eq!(ws_error_http_status(status), 0);
        }
    }

    #[test]
    fn names_statuses_and_numbers_are_those_of_the_handshake() {
        let head = [
            HeadError::NotHttp { at: 0, byte: 0x16 },
            HeadError::StartLine,
            HeadError::Version { major: 2, minor: 0 },
            HeadError::BareLf,
            HeadError::BareCr,
            HeadError::ControlCharacter { byte: 1 },
            HeadError::HeaderName { byte: 1 },
            HeadError::Folding,
            HeadError::StartLineTooLong { start_line_size_max: 1 },
            HeadError::TooLarge { head_size_max: 1 },
            HeadError::TooManyHeaders { headers_max: 1 },
        ];
        let request = [
            RequestError::Method,
            RequestError::Target,
            RequestError::Host,
            RequestError::Body,
            RequestError::Upgrade,
            RequestError::Connection,
            RequestError::Version,
            RequestError::Key,
            RequestError::Origin,
            RequestError::Subprotocols,
            RequestError::Extensions,
        ];
        let response = [
            ResponseError::TooManyInterim,
            ResponseError::Upgrade,
            ResponseError::Connection,
            ResponseError::AcceptMissing,
            ResponseError::AcceptDoubled,
            ResponseError::AcceptMismatch,
            ResponseError::Subprotocol,
            ResponseError::Extensions,
            ResponseError::ExtensionNotOffered,
            ResponseError::ExtensionDoubled,
            ResponseError::ExtensionParameters,
        ];
        let all: Vec<HandshakeError> = [HandshakeError::UnexpectedEof]
            .into_iter()
            .chain(head.map(Into::into))
            .chain(request.map(Into::into))
            .chain(response.map(Into::into))
            .collect();
        for error in &all {
            let status = Failure::from(*error).status();
            assert_eq!(name_of(status), error.name(), "{status}");
            assert_eq!(ws_error_http_status(status), error.status(), "{status}");
            assert_eq!(ws_error_close_code(status), 0);
        }
        for error in [
            HandshakeError::Rejected { status: 404 },
            ResponseError::Refused { status: 404 }.into(),
        ] {
            assert_eq!(name_of(Failure::from(error).status()), error.name());
            assert_eq!(
                ws_error_http_status(Failure::from(error).status()),
                0,
                "known to the handle"
            );
        }
        assert_eq!(
            all.len(),
            ENTRIES.iter().filter(|entry| (1..1000).contains(&entry.code)).count()
        );
    }
}
