//! What one side wants of permessage-deflate (RFC 7692).

use std::ffi::c_char;

use wscodec::deflate::{ContextTakeover, Deflate, DeflateAgreed, DeflateLevel, WindowBits};
use wscodec::handshake::{Extensions, HandshakeError, ResponseError};

use crate::connection;
use crate::failure::Failure;
use crate::guard;
use crate::headers::WS_FOUND;
use crate::memory;
use crate::options::{self, Options};
use crate::status::{WS_OK, WsError, WsStatus};

/// The server forgets its earlier messages: `server_no_context_takeover` (RFC 7692, 7.1.1.1).
pub const WS_DEFLATE_SERVER_NO_CONTEXT: u8 = 1;
/// The client forgets its earlier messages: `client_no_context_takeover` (RFC 7692, 7.1.1.2).
pub const WS_DEFLATE_CLIENT_NO_CONTEXT: u8 = 2;

/// What one side wants of permessage-deflate (RFC 7692): what a client offers, or what a server
/// accepts. All zero but `size` is a good choice.
///
/// Streams to compress wait in the thread for the next message, so a connection compresses
/// fastest if it stays on one thread.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct WsDeflateOptions {
    /// `sizeof(ws_deflate_options)`.
    pub size: usize,
    /// Messages of fewer bytes are sent as they are. 0: 64.
    pub size_min: u32,
    /// How much work goes into compressing, 1 to 9. 0: 4.
    pub level: u8,
    /// The largest window for the server's messages, as a power of two, 8 to 15. 0: 12 for a
    /// server, 15 for a client.
    pub server_max_window_bits: u8,
    /// The largest window for the client's messages, 8 to 15. 0: 12 for a server, 15 for a
    /// client.
    pub client_max_window_bits: u8,
    /// `WS_DEFLATE_SERVER_NO_CONTEXT`, `WS_DEFLATE_CLIENT_NO_CONTEXT`, both (by `|`), or 0:
    /// context is kept, which costs memory and saves bytes.
    pub flags: u8,
}

// SAFETY: the size first, and then numbers.
unsafe impl Options for WsDeflateOptions {}

/// Reads options; `defaults` are those of the role. `None` for a null pointer.
///
/// # Safety
/// `options` is null, or points to a struct as long as its first field says.
pub(crate) unsafe fn read(
    options: *const WsDeflateOptions,
    defaults: Deflate,
) -> Result<Option<Deflate>, Failure> {
    // SAFETY: the caller's word.
    let Some(options) = (unsafe { options::read(options)? }) else { return Ok(None) };
    if options.flags & !(WS_DEFLATE_SERVER_NO_CONTEXT | WS_DEFLATE_CLIENT_NO_CONTEXT) != 0 {
        return Err(WsError::Argument.into());
    }
    let context = |flag| {
        if options.flags & flag == 0 { ContextTakeover::Allowed } else { ContextTakeover::Off }
    };
    let mut deflate = defaults
        .with_server_context(context(WS_DEFLATE_SERVER_NO_CONTEXT))
        .with_client_context(context(WS_DEFLATE_CLIENT_NO_CONTEXT));
    if options.level != 0 {
        deflate = deflate.with_level(DeflateLevel::new(options.level).ok_or(WsError::Argument)?);
    }
    if options.server_max_window_bits != 0 {
        let bits = WindowBits::new(options.server_max_window_bits).ok_or(WsError::Argument)?;
        deflate = deflate.with_server_max_window_bits(bits);
    }
    if options.client_max_window_bits != 0 {
        let bits = WindowBits::new(options.client_max_window_bits).ok_or(WsError::Argument)?;
        deflate = deflate.with_client_max_window_bits(Some(bits));
    }
    if options.size_min != 0 {
        let size_min = usize::try_from(options.size_min).unwrap_or(usize::MAX);
        deflate = deflate.with_size_min(size_min);
    }
    Ok(Some(deflate))
}

/// Reads what another HTTP implementation has agreed on (RFC 7692, 7.1) from both values of
/// `Sec-WebSocket-Extensions`: what the client offers, and what the server answers. `role` is the
/// `ws_role` of this side. Join the values of several lines with a comma.
///
/// `agreed` must have its size set, and may have a level and a `size_min`, which stay; windows and
/// flags are filled in, for `ws_connection_options`.
///
/// Returns `WS_FOUND` if permessage-deflate was agreed on, and `WS_OK` if it was not, which leaves
/// `agreed` as it is. `WS_ERROR_RESPONSE_EXTENSIONS` or `WS_ERROR_EXTENSION_PARAMETERS` if the
/// answer is none to these offers, or accepts an extension that this library does not have: a
/// client must fail the connection then, and a server must not answer so.
/// `WS_ERROR_OPTIONS_SIZE`, `WS_ERROR_ARGUMENT` or `WS_ERROR_NULL_POINTER`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_deflate_agreed(
    role: u32,
    offers: *const c_char,
    offers_len: usize,
    answer: *const c_char,
    answer_len: usize,
    agreed: *mut WsDeflateOptions,
) -> WsStatus {
    guard::guard(|| {
        let role = connection::role(role)?;
        // SAFETY: the caller's word.
        let (offers, answer) = unsafe {
            (memory::bytes(offers.cast(), offers_len)?, memory::bytes(answer.cast(), answer_len)?)
        };
        // SAFETY: the caller's word.
        let mut filled = unsafe { options::read(agreed)? }.ok_or(WsError::NullPointer)?;
        if filled.size < size_of::<WsDeflateOptions>() {
            return Err(WsError::OptionsSize.into());
        }
        let [offers, answer] = [offers, answer].map(|value| [value]);
        let [offers, answer] =
            [&offers, &answer].map(|value| if value[0].is_empty() { &[][..] } else { &value[..] });
        let refuse = |error| Failure::from(HandshakeError::from(error));
        let [offers, answer] = [
            Extensions::parse(offers).map_err(|_| refuse(ResponseError::Extensions))?,
            Extensions::parse(answer).map_err(|_| refuse(ResponseError::Extensions))?,
        ];
        let found = DeflateAgreed::from_headers(role, offers, answer, &Deflate::client())
            .map_err(|_| refuse(ResponseError::ExtensionParameters))?;
        let Some(found) = found else { return Ok(WS_OK) };
        filled.server_max_window_bits = found.server_max_window_bits().get();
        filled.client_max_window_bits = found.client_max_window_bits().get();
        filled.flags = 0;
        for (context, flag) in [
            (found.server_context(), WS_DEFLATE_SERVER_NO_CONTEXT),
            (found.client_context(), WS_DEFLATE_CLIENT_NO_CONTEXT),
        ] {
            if context == ContextTakeover::Off {
                filled.flags |= flag;
            }
        }
        // SAFETY: at least as long as the struct that is written.
        unsafe { agreed.write_unaligned(filled) };
        Ok(WS_FOUND)
    })
}
