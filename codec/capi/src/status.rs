//! Results as numbers: the errors of the codec, negated, and those of this ABI.

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
