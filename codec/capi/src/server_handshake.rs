//! A server's opening handshake (RFC 6455, 4.2).

use std::ffi::c_char;

use wscodec::Role;
use wscodec::deflate::{Deflate, DeflateServer};
use wscodec::handshake::{
    Acceptance, HandshakeError, Headers, NoExtensions, Received, Rejection, ServerHandshake,
};

use crate::client_handshake::{WS_DONE, limits};
use crate::connection::{self, Agreed, WsConnection, WsConnectionOptions};
use crate::deflate::{self, WsDeflateOptions};
use crate::failure::Failure;
use crate::guard::{self, Opaque};
use crate::headers::{self, WsHeader};
use crate::memory::{self, Output, WsBuffer, WsInput, WsSlice};
use crate::options::{self, Options};
use crate::status::{WS_OK, WsError, WsStatus};

/// What `ws_server_handshake_receive` returns for a request that does not ask for a WebSocket, if
/// `allows_http` is set.
pub const WS_HTTP: WsStatus = 2;

/// How a server takes requests. All zero but `size` is a good choice.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct WsServerOptions {
    /// `sizeof(ws_server_options)`.
    pub size: usize,
    /// Accepts permessage-deflate where it is offered. Null: declines it.
    pub deflate: *const WsDeflateOptions,
    /// The longest head of a request, in bytes. 0: 16 KiB.
    pub head_size_max: usize,
    /// The longest request line, in bytes. 0: 8 KiB.
    pub start_line_size_max: usize,
    /// The most header lines of a request. 0: 100.
    pub headers_max: usize,
    /// Other than 0: a request that does not ask for a WebSocket is `WS_HTTP`, and not an error,
    /// so that a server can answer "/health" on the same port.
    pub allows_http: usize,
}

// SAFETY: the size first, and then numbers and a pointer.
unsafe impl Options for WsServerOptions {}

/// What a client has asked for. Slices are valid until the next call with the handshake that
/// changes it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct WsRequest {
    /// `sizeof(ws_request)`: set it before the call.
    pub size: usize,
    /// The method: GET for a WebSocket.
    pub method: WsSlice,
    /// The target as it was received.
    pub target: WsSlice,
    /// The target's path, from the slash on. Nothing for plain HTTP.
    pub path: WsSlice,
    /// The target's query, without the question mark, or nothing. Nothing for plain HTTP.
    pub query: WsSlice,
    /// The host and port that the client wants. Nothing for plain HTTP.
    pub host: WsSlice,
    /// The value of Origin, or nothing: compare it as a whole, and refuse a foreign one with 403
    /// (RFC 6455, 10.2). Nothing for plain HTTP.
    pub origin: WsSlice,
    /// The bytes of the head, with the blank line at its end, for an HTTP server that continues
    /// with them. Nothing for a WebSocket.
    pub head: WsSlice,
}

/// A server's answer that opens the connection. All zero but `size` is a good choice.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct WsAcceptOptions {
    /// `sizeof(ws_accept_options)`.
    pub size: usize,
    /// One of the subprotocols that the client offers. Null: none.
    pub subprotocol: *const c_char,
    /// Headers to add.
    pub headers: *const WsHeader,
    /// How many.
    pub headers_len: usize,
}

// SAFETY: the size first, and then a number and pointers.
unsafe impl Options for WsAcceptOptions {}

/// A server's answer that opens no connection, and ends it. All zero but `size` answers the error
/// of the handshake.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct WsRejectOptions {
    /// `sizeof(ws_reject_options)`.
    pub size: usize,
    /// The status, 200 to 599 but for 204, 205 and 304. 0: that of the error with which the
    /// handshake has failed, whose text is the body then.
    pub status: usize,
    /// Headers to add.
    pub headers: *const WsHeader,
    /// How many.
    pub headers_len: usize,
    /// The body: plain text, unless a Content-Type says otherwise.
    pub body: *const u8,
    /// Its length, in bytes.
    pub body_len: usize,
}

// SAFETY: the size first, and then numbers and pointers.
unsafe impl Options for WsRejectOptions {}

/// A server's connection until it is open.
#[derive(Debug)]
pub struct WsServerHandshake {
    _opaque: (),
}

impl Opaque for WsServerHandshake {
    type Value = Accepting;
}

/// What is behind a [`WsServerHandshake`].
#[derive(Debug)]
pub struct Accepting {
    handshake: ServerHandshake,
    deflate: Option<DeflateServer>,
    allows_http: bool,
    /// Why the request can't be accepted.
    failed: Option<HandshakeError>,
    is_accepted: bool,
    is_opened: bool,
}

impl Accepting {
    /// Returns what was received; an error before it is complete, and once it has been refused.
    fn received(&mut self) -> Result<Received<'_>, Failure> {
        let mut nothing: &mut [u8] = &mut [];
        let received = if self.allows_http {
            self.handshake.receive_any(&mut nothing)?
        } else {
            self.handshake.receive(&mut nothing)?.map(Received::WebSocket)
        };
        received.ok_or_else(|| WsError::State.into())
    }

    fn headers(&mut self) -> Result<Headers<'_>, Failure> {
        Ok(match self.received()? {
            Received::WebSocket(request) => request.headers(),
            Received::Http(request) => request.headers(),
        })
    }
}

/// Begins to wait for a client's request. `options` may be null.
///
/// Returns `WS_OK` and a handshake that `ws_server_handshake_free` must free, or
/// `WS_ERROR_OPTIONS_SIZE`, `WS_ERROR_ARGUMENT` or `WS_ERROR_NULL_POINTER`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_handshake_new(
    options: *const WsServerOptions,
    handshake: *mut *mut WsServerHandshake,
) -> WsStatus {
    guard::guard(|| {
        // SAFETY: the caller's word.
        let (options, place) = unsafe { (options::read(options)?, memory::place(handshake)?) };
        let (limits, deflate, allows_http) = match options {
            None => (limits(0, 0, 0), None, false),
            Some(WsServerOptions { head_size_max, start_line_size_max, headers_max, .. }) => (
                limits(head_size_max, start_line_size_max, headers_max),
                // SAFETY: the caller's word.
                unsafe {
                    deflate::read(
                        options.map_or(std::ptr::null(), |o| o.deflate),
                        Deflate::server(),
                    )?
                },
                options.is_some_and(|options| options.allows_http != 0),
            ),
        };
        place.write(guard::give(Accepting {
            handshake: ServerHandshake::new(limits),
            deflate: deflate.map(DeflateServer::new),
            allows_http,
            failed: None,
            is_accepted: false,
            is_opened: false,
        }));
        Ok(WS_OK)
    })
}

/// Frees a handshake. Null is allowed. A connection opened from it stays valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_handshake_free(handshake: *mut WsServerHandshake) {
    // SAFETY: the caller's word.
    unsafe { guard::free(handshake) }
}

/// Takes the bytes of the request from the front of `input`. It has no clock: bound the time from
/// the connection's start until it is done.
///
/// Returns `WS_DONE` once there is a request that may be accepted: `ws_server_handshake_request`
/// tells it. `WS_HTTP` for a plain request, if those are allowed; its body is still in `input`.
/// `WS_OK` if the request is incomplete: all of `input` was taken. Otherwise an error from -300
/// to -399, for good: answer it by `ws_server_handshake_reject`. `WS_ERROR_NULL_POINTER` and
/// `WS_ERROR_ARGUMENT` take nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_handshake_receive(
    handshake: *mut WsServerHandshake,
    input: *mut WsInput,
) -> WsStatus {
    let call = |accepting: &mut Accepting| {
        // SAFETY: the caller's word.
        let input = unsafe { input.as_mut() }.ok_or(WsError::NullPointer)?;
        // SAFETY: the caller's word.
        let mut bytes = unsafe { input.bytes()? };
        let received = if accepting.allows_http {
            accepting.handshake.receive_any(&mut bytes)
        } else {
            let request = accepting.handshake.receive(&mut bytes);
            request.map(|request| request.map(Received::WebSocket))
        };
        let outcome = received.map(|received| match received {
            None => WS_OK,
            Some(Received::WebSocket(_)) => WS_DONE,
            Some(Received::Http(_)) => WS_HTTP,
        });
        input.advance_to(bytes.len());
        accepting.failed = outcome.err();
        Ok(outcome?)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(handshake, call) }
}

/// Tells the handshake that the stream has ended.
///
/// Returns `WS_OK` if the request was complete, and `WS_ERROR_HANDSHAKE_EOF` or an earlier error
/// if not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_handshake_receive_eof(
    handshake: *mut WsServerHandshake,
) -> WsStatus {
    let call = |accepting: &mut Accepting| {
        let outcome = accepting.handshake.receive_eof();
        accepting.failed = outcome.err();
        outcome?;
        Ok(WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(handshake, call) }
}

/// Tells what the client has asked for. Set `request->size` before.
///
/// Returns `WS_DONE` for a WebSocket and `WS_HTTP` for a plain request; `WS_ERROR_STATE` before
/// it is complete, the error of the handshake after it has failed or was refused,
/// `WS_ERROR_OPTIONS_SIZE` if `size` is not set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_handshake_request(
    handshake: *mut WsServerHandshake,
    request: *mut WsRequest,
) -> WsStatus {
    let call = |accepting: &mut Accepting| {
        if request.is_null() {
            return Err(WsError::NullPointer.into());
        }
        // SAFETY: the caller's word: at least the size is there.
        let size = unsafe { request.cast::<usize>().read_unaligned() };
        if size < size_of::<usize>() || isize::try_from(size).is_err() {
            return Err(WsError::OptionsSize.into());
        }
        let (kind, told) = match accepting.received()? {
            Received::WebSocket(asked) => {
                let told = WsRequest {
                    size,
                    method: WsSlice::of(b"GET"),
                    target: WsSlice::of(asked.target().as_bytes()),
                    path: WsSlice::of(asked.path().as_bytes()),
                    query: WsSlice::of_text(asked.query()),
                    host: WsSlice::of(asked.host().as_bytes()),
                    origin: WsSlice::of_text(asked.origin()),
                    head: WsSlice::NONE,
                };
                (WS_DONE, told)
            }
            Received::Http(asked) => {
                let told = WsRequest {
                    size,
                    method: WsSlice::of(asked.method().as_bytes()),
                    target: WsSlice::of(asked.target().as_bytes()),
                    path: WsSlice::NONE,
                    query: WsSlice::NONE,
                    host: WsSlice::NONE,
                    origin: WsSlice::NONE,
                    head: WsSlice::of(asked.head()),
                };
                (WS_HTTP, told)
            }
        };
        let known = size.min(size_of::<WsRequest>());
        let to = request.cast::<u8>();
        // SAFETY: the struct is as long as it says; what this library does not know is zero.
        unsafe {
            to.copy_from_nonoverlapping((&raw const told).cast(), known);
            to.add(known).write_bytes(0, size - known);
        }
        Ok(kind)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(handshake, call) }
}

/// Tells the value of the first header of the request that has this name, in any case, in
/// `value`: valid until the request is answered.
///
/// Returns `WS_FOUND`, or `WS_OK` if there is none; errors as `ws_server_handshake_request`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_handshake_header(
    handshake: *mut WsServerHandshake,
    name: *const c_char,
    value: *mut WsSlice,
) -> WsStatus {
    // SAFETY: the caller's word.
    let call =
        |accepting: &mut Accepting| unsafe { headers::find(accepting.headers()?, name, value) };
    // SAFETY: the caller's word.
    unsafe { guard::call(handshake, call) }
}

/// Tells name and value of the header of the request at `index`, from 0 on: for all headers, in
/// their order.
///
/// Returns `WS_FOUND`, or `WS_OK` if `index` is past the last one; errors as
/// `ws_server_handshake_request`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_handshake_header_at(
    handshake: *mut WsServerHandshake,
    index: usize,
    name: *mut WsSlice,
    value: *mut WsSlice,
) -> WsStatus {
    // SAFETY: the caller's word.
    let call = |accepting: &mut Accepting| unsafe {
        headers::at(accepting.headers()?, index, name, value)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(handshake, call) }
}

/// Tells the subprotocol at `index`, from 0 on, that the client offers: the preferred one first.
///
/// Returns `WS_FOUND`, or `WS_OK` if `index` is past the last one; errors as
/// `ws_server_handshake_request`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_handshake_subprotocol_at(
    handshake: *mut WsServerHandshake,
    index: usize,
    subprotocol: *mut WsSlice,
) -> WsStatus {
    let call = |accepting: &mut Accepting| {
        // SAFETY: the caller's word.
        let place = unsafe { memory::place(subprotocol)? };
        let offered = match accepting.received()? {
            Received::WebSocket(request) => request.subprotocols().nth(index),
            Received::Http(_) => None,
        };
        place.write(WsSlice::of_text(offered));
        Ok(if offered.is_some() { headers::WS_FOUND } else { WS_OK })
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(handshake, call) }
}

/// Appends the response that opens the connection to `out`. `options` may be null.
///
/// Returns `WS_OK`. Otherwise nothing was written, and the request still waits for an answer:
/// `WS_ERROR_NO_REQUEST`, `WS_ERROR_SUBPROTOCOL_NOT_OFFERED`, another error from -400 to -499 for
/// a text that is not allowed, `WS_ERROR_HANDSHAKE_BUFFER_FULL`, `WS_ERROR_OPTIONS_SIZE`,
/// `WS_ERROR_UTF8_ARGUMENT`, `WS_ERROR_ARGUMENT` or `WS_ERROR_NULL_POINTER`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_handshake_accept(
    handshake: *mut WsServerHandshake,
    options: *const WsAcceptOptions,
    out: *mut WsBuffer,
) -> WsStatus {
    let call = |accepting: &mut Accepting| {
        let mut acceptance = Acceptance::new();
        // SAFETY: the caller's word.
        let (options, mut out) = unsafe { (options::read(options)?, Output::new(out)?) };
        if let Some(options) = options {
            // SAFETY: the caller's word.
            if let Some(subprotocol) = unsafe { memory::text(options.subprotocol)? } {
                acceptance = acceptance.subprotocol(subprotocol)?;
            }
            let add = |acceptance: Acceptance, name: &str, value: &str| {
                Ok(acceptance.header(name, value)?)
            };
            let (first, len) = (options.headers, options.headers_len);
            // SAFETY: the caller's word.
            acceptance = unsafe { headers::push_all(first, len, acceptance, add)? };
        }
        let handshake = &mut accepting.handshake;
        let outcome = match &mut accepting.deflate {
            None => handshake.accept_with_extensions(&acceptance, &mut NoExtensions, &mut out.room),
            Some(deflate) => handshake.accept_with_extensions(&acceptance, deflate, &mut out.room),
        };
        out.settle(outcome)?;
        accepting.is_accepted = true;
        Ok(WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(handshake, call) }
}

/// Appends a response that opens no connection to `out`: at any time before the request is
/// answered, also to plain HTTP, whatever the status. Then write `out`, and close. `options` may
/// be null for the answer to the error with which the handshake has failed.
///
/// Returns `WS_OK`. Otherwise nothing was written: `WS_ERROR_NO_REQUEST` if it has been answered,
/// `WS_ERROR_STATE` if there is no error to answer and no status either,
/// `WS_ERROR_STATUS_ARGUMENT` and the other errors of `ws_server_handshake_accept`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_handshake_reject(
    handshake: *mut WsServerHandshake,
    options: *const WsRejectOptions,
    out: *mut WsBuffer,
) -> WsStatus {
    let call = |accepting: &mut Accepting| {
        // SAFETY: the caller's word.
        let (options, mut out) = unsafe { (options::read(options)?, Output::new(out)?) };
        let mut rejection = match options.map_or(0, |options| options.status) {
            0 => accepting.failed.map(Rejection::from).ok_or(WsError::State)?,
            status => Rejection::new(u16::try_from(status).unwrap_or(u16::MAX))?,
        };
        if let Some(options) = options {
            let add =
                |rejection: Rejection, name: &str, value: &str| Ok(rejection.header(name, value)?);
            let (first, len) = (options.headers, options.headers_len);
            // SAFETY: the caller's word.
            rejection = unsafe { headers::push_all(first, len, rejection, add)? };
            // SAFETY: the caller's word.
            let body = unsafe { memory::bytes(options.body, options.body_len)? };
            if !body.is_empty() || options.status != 0 {
                rejection = rejection.body(body);
            }
        }
        let outcome = accepting.handshake.reject(rejection, &mut out.room);
        out.settle(outcome)?;
        Ok(WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(handshake, call) }
}

/// Returns 1 if permessage-deflate was agreed when the request was accepted, and 0 if not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_handshake_has_deflate(
    handshake: *const WsServerHandshake,
) -> WsStatus {
    let read = |accepting: &Accepting| {
        let agreed = accepting.deflate.as_ref().and_then(DeflateServer::agreed);
        Ok((accepting.is_accepted && agreed.is_some()).into())
    };
    // SAFETY: the caller's word.
    unsafe { guard::read(handshake, read) }
}

/// Opens the connection, once, with what was agreed, after `ws_server_handshake_accept`.
/// `options` may be null. What was left in the handshake's input are the first frames.
///
/// Returns `WS_OK` and a connection that `ws_connection_free` must free, apart from the
/// handshake; `WS_ERROR_STATE` if the request is not accepted or has been opened, or the errors
/// of `ws_connection_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_server_handshake_open(
    handshake: *mut WsServerHandshake,
    options: *const WsConnectionOptions,
    connection: *mut *mut WsConnection,
) -> WsStatus {
    let call = |accepting: &mut Accepting| {
        if !accepting.is_accepted || accepting.is_opened {
            return Err(WsError::State.into());
        }
        let agreed = accepting.deflate.as_ref().and_then(DeflateServer::agreed);
        let agreed = Agreed::Handshake(agreed);
        // SAFETY: the caller's word.
        let opened = unsafe { connection::open(Role::Server, options, agreed, connection)? };
        accepting.is_opened = true;
        Ok(opened)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(handshake, call) }
}
