//! Errors as numbers: those of the codec, negated, and those of this ABI, with their names and
//! texts; and the last one of each thread in full.

use std::cell::Cell;
use std::ffi::{CStr, c_char};
use std::fmt;

use wscodec::handshake::{HandshakeError, HandshakeMisuse};
use wscodec::{ProtocolError, SendError};

use crate::memory;

/// What functions return: 0 or more is success, less is a `ws_error`.
pub type WsStatus = i32;

/// Done, and nothing to report: all input is taken, for example.
pub const WS_OK: WsStatus = 0;

/// Why a call failed. Numbers never change their meaning; new ones may be added.
///
/// -1 to -99: a call that C should not have made. -100 to -199: the peer broke the protocol or a
/// limit, and the connection has failed for good. -200 to -299: something was not sent, and the
/// connection continues. -300 to -399: the opening handshake failed. -400 to -499: something was
/// not written into a handshake, and the handshake continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum WsError {
    /// A pointer that must not be null is null. Nothing was done.
    NullPointer = -1,
    /// An argument is out of range: an unknown constant, a length that memory can't have, `len`
    /// above `capacity`, a seed or a level that does not exist. Nothing was done.
    Argument = -2,
    /// The `size` of a struct is 0, or the struct is newer than this library and uses a field
    /// that this library does not know. Nothing was done.
    OptionsSize = -3,
    /// The room of an output buffer overlaps with the input or the payload. Nothing was done.
    Overlap = -4,
    /// A text that is to be sent is not UTF-8. Nothing was done.
    Utf8Argument = -5,
    /// A close code that may not be sent: use 1000-1003, 1007-1014 or 3000-4999 (RFC 6455, 7.4).
    CloseCodeArgument = -6,
    /// The call does not fit the state of the handle: a connection is opened before its handshake
    /// is done or a second time, or bytes are reported that no room was lent for. Nothing was
    /// done.
    State = -7,
    /// The library has failed: a bug, or the operating system gave no entropy for masking keys.
    /// The handle can only be freed.
    Panicked = -8,
    /// A reserved bit is set without an extension (RFC 6455, 5.2).
    ReservedBits = -101,
    /// Opcode 3-7 or 11-15.
    ReservedOpcode = -102,
    /// A control frame without FIN (RFC 6455, 5.5).
    ControlFragmented = -103,
    /// A control frame of more than 125 bytes (RFC 6455, 5.5).
    ControlTooLong = -104,
    /// A client sent an unmasked frame (RFC 6455, 5.1).
    MaskRequired = -105,
    /// A server sent a masked frame (RFC 6455, 5.1).
    MaskForbidden = -106,
    /// A length in a longer form than needed (RFC 6455, 5.2).
    LengthNotMinimal = -107,
    /// A 64-bit length with its most significant bit set (RFC 6455, 5.2).
    LengthMsb = -108,
    /// A frame longer than `frame_size_max`.
    FrameTooBig = -109,
    /// A continuation frame with no message open (RFC 6455, 5.4).
    UnexpectedContinuation = -120,
    /// A text or binary frame while another message is open (RFC 6455, 5.4).
    ExpectedContinuation = -121,
    /// A message longer than `message_size_max`.
    MessageTooBig = -122,
    /// A compressed message longer than any encoding of `message_size_max` bytes.
    CompressedTooBig = -123,
    /// A message of more frames than `fragments_max`.
    TooManyFragments = -124,
    /// A text message, or a close reason, that is not UTF-8 (RFC 6455, 8.1).
    Utf8 = -130,
    /// A compressed message breaks its format (RFC 7692).
    InflateCorrupt = -131,
    /// A compressed message ends within its data (RFC 7692).
    InflateTruncated = -132,
    /// A Close frame with one byte of payload (RFC 6455, 5.5.1).
    ClosePayload = -140,
    /// The peer sent a close code that is not allowed on the wire (RFC 6455, 7.4).
    CloseCode = -141,
    /// The stream ended without a closing handshake, which other APIs report as 1006.
    UnexpectedEof = -150,
    /// A Close has been sent or the connection has failed: nothing may follow (RFC 6455, 5.5.1).
    NotOpen = -201,
    /// A Ping or Pong of more than 125 bytes (RFC 6455, 5.5).
    SendControlTooLong = -202,
    /// A close reason of more than 123 bytes (RFC 6455, 5.5).
    ReasonTooLong = -203,
    /// A whole message, while a message sent in fragments is open (RFC 6455, 5.4).
    MessageOpen = -204,
    /// A fragment of another type than the open message (RFC 6455, 5.4).
    NoMessageOpen = -205,
    /// A header that declares another length than its payload has.
    PayloadLength = -206,
    /// The output buffer has no room for the frame. Nothing of it was written; `needed` tells how
    /// much room it takes. Make room and call again.
    BufferFull = -207,
    /// A header by itself of a kind that has none.
    SendOpcode = -208,
    /// The stream ended before the head did.
    HandshakeEof = -301,
    /// This server has already refused the handshake.
    HandshakeRejected = -302,
    /// The first bytes can't begin an HTTP message: TLS, for example.
    NotHttp = -310,
    /// The start line is malformed.
    StartLine = -311,
    /// An HTTP version other than 1.1.
    HttpVersion = -312,
    /// A line that ends in LF without CR.
    BareLf = -313,
    /// A CR that no LF follows.
    BareCr = -314,
    /// A control character in the head.
    ControlCharacter = -315,
    /// A header name that is empty or not a token.
    HeaderName = -316,
    /// A header line that begins with white space.
    Folding = -317,
    /// The start line is longer than `start_line_size_max`.
    StartLineTooLong = -318,
    /// The head is longer than `head_size_max`.
    HeadTooLarge = -319,
    /// More header lines than `headers_max`.
    TooManyHeaders = -320,
    /// A method other than GET.
    RequestMethod = -330,
    /// A target that is neither a path nor an absolute URI.
    RequestTarget = -331,
    /// No Host, several, or a malformed one.
    RequestHost = -332,
    /// A request with a body.
    RequestBody = -333,
    /// No Upgrade that lists websocket: a plain HTTP request.
    RequestUpgrade = -334,
    /// No Connection that lists Upgrade.
    RequestConnection = -335,
    /// A Sec-WebSocket-Version other than 13.
    RequestVersion = -336,
    /// A Sec-WebSocket-Key that is not 16 bytes in base64.
    RequestKey = -337,
    /// Several Origin headers, or a malformed one.
    RequestOrigin = -338,
    /// Sec-WebSocket-Protocol that is not a list of at most 64 tokens.
    RequestSubprotocols = -339,
    /// Malformed Sec-WebSocket-Extensions.
    RequestExtensions = -340,
    /// The server answered with another status than 101; the handshake's functions still tell it
    /// and the headers.
    Refused = -360,
    /// More than eight interim (1xx) responses.
    TooManyInterim = -361,
    /// No Upgrade, or another one than websocket.
    ResponseUpgrade = -362,
    /// No Connection that lists Upgrade.
    ResponseConnection = -363,
    /// No Sec-WebSocket-Accept.
    AcceptMissing = -364,
    /// Several Sec-WebSocket-Accept.
    AcceptDoubled = -365,
    /// A Sec-WebSocket-Accept that does not answer our key.
    AcceptMismatch = -366,
    /// A subprotocol that was not offered.
    ResponseSubprotocol = -367,
    /// Malformed Sec-WebSocket-Extensions.
    ResponseExtensions = -368,
    /// An extension that was not offered.
    ExtensionNotOffered = -369,
    /// An extension twice.
    ExtensionDoubled = -370,
    /// Extension parameters that do not answer the offer.
    ExtensionParameters = -371,
    /// A host that is not a host with an optional port.
    HostArgument = -401,
    /// A target that does not begin with `/`, or has a byte that a target can't have.
    TargetArgument = -402,
    /// A header name that is not a token.
    HeaderNameArgument = -403,
    /// A header that the handshake itself writes, such as Host or Sec-WebSocket-Key.
    HeaderReserved = -404,
    /// A header value with a control character or a byte beyond ASCII.
    HeaderValueArgument = -405,
    /// A subprotocol that is not a token.
    SubprotocolArgument = -406,
    /// A subprotocol that is offered twice.
    SubprotocolDoubled = -407,
    /// A server selects a subprotocol that the client did not offer.
    SubprotocolNotOffered = -408,
    /// An extension or parameter that is not a token.
    ExtensionArgument = -409,
    /// A server answers with an extension that the client did not offer.
    ExtensionNotOfferedArgument = -410,
    /// A status that can't refuse a handshake: below 200, above 599, 204, 205 or 304.
    StatusArgument = -411,
    /// There is no request to answer: none has arrived yet, or it has been answered.
    NoRequest = -412,
    /// The output buffer has no room for the head. Nothing was written; `needed` tells how much
    /// room it takes. Make room and call again.
    HandshakeBufferFull = -413,
}

/// What is known of an error without its values.
#[derive(Clone, Copy)]
struct Entry {
    error: WsError,
    name: &'static CStr,
    text: &'static CStr,
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

fn find(error: WsStatus) -> Option<&'static Entry> {
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
    use std::collections::BTreeSet;
    use std::path::Path;

    use wscodec::handshake::{HeadError, RequestError, ResponseError};
    use wscodec::{FrameError, InflateError, Utf8Error};

    use super::*;

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
