//! A client's opening handshake (RFC 6455, 4.1).

use std::ffi::c_char;

use wscodec::Role;
use wscodec::deflate::{Deflate, DeflateClient};
use wscodec::handshake::{
    ClientExtensions, ClientHandshake, ClientRequest, ExtensionMismatch, ExtensionWriter,
    Extensions, HandshakeKey, HandshakeLimits, HandshakeMisuse,
};

use crate::connection::{self, Agreed, WsConnection, WsConnectionOptions};
use crate::deflate::{self, WsDeflateOptions};
use crate::failure::Failure;
use crate::guard::{self, Opaque};
use crate::headers::{self, WsHeader};
use crate::memory::{self, Output, WsBuffer, WsInput, WsSlice};
use crate::options::{self, Options};
use crate::status::{WS_OK, WsError, WsStatus};

/// What the functions that receive a handshake return if it is complete.
pub const WS_DONE: WsStatus = 1;

/// What a client asks for. All but `size` and `host` may be zero.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct WsClientOptions {
    /// `sizeof(ws_client_options)`.
    pub size: usize,
    /// The value of Host: host and port, without the port if it is the scheme's own.
    pub host: *const c_char,
    /// The path with an optional query. Null: "/".
    pub target: *const c_char,
    /// The value of Origin, such as `http://example.com`. Null: none.
    pub origin: *const c_char,
    /// The subprotocols to offer, the preferred one first.
    pub subprotocols: *const *const c_char,
    /// How many.
    pub subprotocols_len: usize,
    /// Headers to add.
    pub headers: *const WsHeader,
    /// How many.
    pub headers_len: usize,
    /// Offers permessage-deflate. Null: does not.
    pub deflate: *const WsDeflateOptions,
    /// A second offer of it, for a server that does not take the first. Null: none.
    pub deflate_fallback: *const WsDeflateOptions,
    /// For tests: the 16 bytes of the key. Null: 16 unpredictable bytes.
    pub key: *const u8,
    /// The longest head of a response, in bytes. 0: 16 KiB.
    pub head_size_max: usize,
    /// The longest status line, in bytes. 0: 8 KiB.
    pub start_line_size_max: usize,
    /// The most header lines of a response. 0: 100.
    pub headers_max: usize,
}

// SAFETY: the size first, and then numbers and pointers.
unsafe impl Options for WsClientOptions {}

/// A client's connection until it is open.
#[derive(Debug)]
pub struct WsClientHandshake {
    _opaque: (),
}

impl Opaque for WsClientHandshake {
    type Value = Connecting;
}

/// What is behind a [`WsClientHandshake`].
#[derive(Debug)]
pub struct Connecting {
    handshake: ClientHandshake<Offers>,
    is_done: bool,
    is_opened: bool,
}

/// permessage-deflate, if it is offered.
#[derive(Clone, Debug)]
struct Offers(Option<DeflateClient>);

impl ClientExtensions for Offers {
    fn offer(&self, offers: &mut ExtensionWriter) -> Result<(), HandshakeMisuse> {
        self.0.as_ref().map_or(Ok(()), |deflate| deflate.offer(offers))
    }

    fn accept(&mut self, answer: Extensions<'_>) -> Result<(), ExtensionMismatch> {
        self.0.as_mut().map_or(Ok(()), |deflate| deflate.accept(answer))
    }
}

/// Reads what a client asks for.
unsafe fn request(options: &WsClientOptions) -> Result<ClientRequest, Failure> {
    // SAFETY: the caller's word.
    let (host, target, origin, subprotocols) = unsafe {
        (
            memory::text(options.host)?.ok_or(WsError::NullPointer)?,
            memory::text(options.target)?.unwrap_or("/"),
            memory::text(options.origin)?,
            memory::elements(options.subprotocols, options.subprotocols_len)?,
        )
    };
    let mut request = ClientRequest::new(host, target)?;
    for &subprotocol in subprotocols {
        // SAFETY: the caller's word.
        let name = unsafe { memory::text(subprotocol)? }.ok_or(WsError::NullPointer)?;
        request = request.subprotocol(name)?;
    }
    if let Some(origin) = origin {
        request = request.origin(origin)?;
    }
    let add = |request: ClientRequest, name: &str, value: &str| Ok(request.header(name, value)?);
    // SAFETY: the caller's word.
    unsafe { headers::push_all(options.headers, options.headers_len, request, add) }
}

/// Reads what a client offers.
unsafe fn offers(options: &WsClientOptions) -> Result<Offers, Failure> {
    // SAFETY: the caller's word.
    let (first, second) = unsafe {
        (
            deflate::read(options.deflate, Deflate::client())?,
            deflate::read(options.deflate_fallback, Deflate::client())?,
        )
    };
    Ok(Offers(match (first, second) {
        (None, None) => None,
        (Some(only), None) | (None, Some(only)) => Some(DeflateClient::new(only)),
        (Some(first), Some(second)) => Some(DeflateClient::new(first).or(second)),
    }))
}

/// Makes limits of what options say, 0 being each one's default.
pub(crate) fn limits(
    head_size_max: usize,
    start_line_size_max: usize,
    headers_max: usize,
) -> HandshakeLimits {
    use HandshakeLimits as L;
    L::default()
        .with_head_size_max(options::or(head_size_max, L::HEAD_SIZE_MAX))
        .with_start_line_size_max(options::or(start_line_size_max, L::START_LINE_SIZE_MAX))
        .with_headers_max(options::or(headers_max, L::HEADERS_MAX))
}

/// Appends a client's request to `out`, and begins to wait for the response.
///
/// All texts are checked before a byte is written, so that none of them can change what the rest
/// of the request means.
///
/// Returns `WS_OK` and a handshake that `ws_client_handshake_free` must free. Otherwise nothing
/// was written, and there is no handshake: `WS_ERROR_HANDSHAKE_BUFFER_FULL`, another error from
/// -400 to -499 for a text that is not allowed, `WS_ERROR_OPTIONS_SIZE`, `WS_ERROR_ARGUMENT`,
/// `WS_ERROR_UTF8_ARGUMENT` or `WS_ERROR_NULL_POINTER`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_client_handshake_start(
    options: *const WsClientOptions,
    out: *mut WsBuffer,
    handshake: *mut *mut WsClientHandshake,
) -> WsStatus {
    guard::guard(|| {
        // SAFETY: the caller's word.
        let options = unsafe { options::read(options)? }.ok_or(WsError::NullPointer)?;
        // SAFETY: the caller's word.
        let (request, offers, place, mut out) = unsafe {
            (request(&options)?, offers(&options)?, memory::place(handshake)?, Output::new(out)?)
        };
        let key = if options.key.is_null() {
            HandshakeKey::random()
        } else {
            // SAFETY: the caller's word.
            let bytes = unsafe { memory::bytes(options.key, 16)? };
            let mut key = [0; 16];
            key.copy_from_slice(bytes);
            HandshakeKey::new(key)
        };
        let started = ClientHandshake::start_with_extensions(&request, key, offers, &mut out.room);
        let handshake = out.settle(started)?.with_limits(limits(
            options.head_size_max,
            options.start_line_size_max,
            options.headers_max,
        ));
        place.write(guard::give(Connecting { handshake, is_done: false, is_opened: false }));
        Ok(WS_OK)
    })
}

/// Frees a handshake. Null is allowed. A connection opened from it stays valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_client_handshake_free(handshake: *mut WsClientHandshake) {
    // SAFETY: the caller's word.
    unsafe { guard::free(handshake) }
}

/// Takes the bytes of the response from the front of `input`. It has no clock: bound the time
/// until it is done.
///
/// Returns `WS_DONE` once the server has accepted: open the connection, and give it what is left
/// in `input`, which are the first frames. `WS_OK` if the response is incomplete: all of `input`
/// was taken. Otherwise an error from -300 to -399, for good; after `WS_ERROR_REFUSED` what is
/// left in `input` is the content of the refusal. `WS_ERROR_NULL_POINTER` and `WS_ERROR_ARGUMENT`
/// take nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_client_handshake_receive(
    handshake: *mut WsClientHandshake,
    input: *mut WsInput,
) -> WsStatus {
    let call = |connecting: &mut Connecting| {
        // SAFETY: the caller's word.
        let input = unsafe { input.as_mut() }.ok_or(WsError::NullPointer)?;
        // SAFETY: the caller's word.
        let mut bytes = unsafe { input.bytes()? };
        let outcome = connecting.handshake.receive(&mut bytes).map(|response| response.is_some());
        input.advance_to(bytes.len());
        connecting.is_done = outcome?;
        Ok(if connecting.is_done { WS_DONE } else { WS_OK })
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(handshake, call) }
}

/// Tells the handshake that the stream has ended.
///
/// Returns `WS_OK` if the response was complete, and `WS_ERROR_HANDSHAKE_EOF` or an earlier error
/// if not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_client_handshake_receive_eof(
    handshake: *mut WsClientHandshake,
) -> WsStatus {
    let call = |connecting: &mut Connecting| {
        connecting.handshake.receive_eof()?;
        Ok(WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(handshake, call) }
}

/// Returns the status of the response, 101 if the server has accepted; 0 before its head is
/// complete.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_client_handshake_status(
    handshake: *const WsClientHandshake,
) -> WsStatus {
    let read = |connecting: &Connecting| {
        Ok(connecting.handshake.response().map_or(0, |response| response.status().into()))
    };
    // SAFETY: the caller's word.
    unsafe { guard::read(handshake, read) }
}

/// Tells the value of the first header of the response that has this name, in any case, in
/// `value`: valid as long as the handshake. Also after a refusal.
///
/// Returns `WS_FOUND`, or `WS_OK` if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_client_handshake_header(
    handshake: *const WsClientHandshake,
    name: *const c_char,
    value: *mut WsSlice,
) -> WsStatus {
    let read = |connecting: &Connecting| {
        let response = connecting.handshake.response().ok_or(WsError::State)?;
        // SAFETY: the caller's word.
        unsafe { headers::find(response.headers(), name, value) }
    };
    // SAFETY: the caller's word.
    unsafe { guard::read(handshake, read) }
}

/// Tells name and value of the header of the response at `index`, from 0 on: for all headers, in
/// their order.
///
/// Returns `WS_FOUND`, or `WS_OK` if `index` is past the last one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_client_handshake_header_at(
    handshake: *const WsClientHandshake,
    index: usize,
    name: *mut WsSlice,
    value: *mut WsSlice,
) -> WsStatus {
    let read = |connecting: &Connecting| {
        let response = connecting.handshake.response().ok_or(WsError::State)?;
        // SAFETY: the caller's word.
        unsafe { headers::at(response.headers(), index, name, value) }
    };
    // SAFETY: the caller's word.
    unsafe { guard::read(handshake, read) }
}

/// Tells the subprotocol that the server has selected in `subprotocol`, one of those that were
/// offered: valid as long as the handshake.
///
/// Returns `WS_FOUND`, or `WS_OK` if there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_client_handshake_subprotocol(
    handshake: *const WsClientHandshake,
    subprotocol: *mut WsSlice,
) -> WsStatus {
    let read = |connecting: &Connecting| {
        // SAFETY: the caller's word.
        let place = unsafe { memory::place(subprotocol)? };
        let selected = connecting.handshake.response().and_then(|response| response.subprotocol());
        place.write(WsSlice::of_text(selected));
        Ok(if selected.is_some() { headers::WS_FOUND } else { WS_OK })
    };
    // SAFETY: the caller's word.
    unsafe { guard::read(handshake, read) }
}

/// Returns 1 if permessage-deflate was agreed, and 0 if not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_client_handshake_has_deflate(
    handshake: *const WsClientHandshake,
) -> WsStatus {
    let read = |connecting: &Connecting| {
        let deflate = connecting.handshake.extensions().0.as_ref();
        Ok(deflate.is_some_and(|deflate| deflate.agreed().is_some()).into())
    };
    // SAFETY: the caller's word.
    unsafe { guard::read(handshake, read) }
}

/// Opens the connection, once, with what was agreed, after `WS_DONE`. `options` may be null.
///
/// Returns `WS_OK` and a connection that `ws_connection_free` must free, apart from the
/// handshake; `WS_ERROR_STATE` if the handshake is not done or has been opened, or the errors of
/// `ws_connection_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_client_handshake_open(
    handshake: *mut WsClientHandshake,
    options: *const WsConnectionOptions,
    connection: *mut *mut WsConnection,
) -> WsStatus {
    let call = |connecting: &mut Connecting| {
        if !connecting.is_done || connecting.is_opened {
            return Err(WsError::State.into());
        }
        let agreed = connecting.handshake.extensions().0.as_ref().and_then(DeflateClient::agreed);
        let agreed = Agreed::Handshake(agreed);
        // SAFETY: the caller's word.
        let opened = unsafe { connection::open(Role::Client, options, agreed, connection)? };
        connecting.is_opened = true;
        Ok(opened)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(handshake, call) }
}
