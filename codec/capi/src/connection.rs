//! A connection: its options, what it receives, and the questions that it answers.

use bytes::BufMut;
use wscodec::deflate::{Deflate, DeflateAgreed};
use wscodec::message::Room;
use wscodec::{Config, Connection, ConnectionBuilder, Delivery, Limits, ReadyState, Role, Sender};

use crate::deflate::{self, WsDeflateOptions};
use crate::event::WsEvent;
use crate::failure::Failure;
use crate::guard::{self, Opaque};
use crate::keys::Keys;
use crate::memory::{self, Output, WsBuffer, WsInput};
use crate::options::{self, Options};
use crate::status::{WS_OK, WsError, WsStatus};

/// What `ws_receive` returns if it has filled the event.
pub const WS_EVENT: WsStatus = 1;

/// The longest Pong or Close that a connection writes, in bytes: room that is always enough for
/// one reply.
pub const WS_REPLY_LEN_MAX: usize = 131;

/// Which end of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum WsRole {
    /// The one that connects, and that masks what it sends.
    Client = 1,
    /// The one that accepts.
    Server = 2,
}

/// How data messages are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum WsDelivery {
    /// Once they are whole. A message that lies whole in the input is lent from there; any other
    /// is put together in memory that grows with what has arrived.
    Whole = 0,
    /// In pieces as they arrive, lent from the input: for messages larger than memory.
    Streamed = 1,
}

/// The state of a connection, with the numbers that browsers have for it (RFC 6455, 4.1, 7.1.3,
/// 7.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum WsState {
    /// Messages go both ways.
    Open = 1,
    /// A Close has been sent and the peer's has not arrived: messages may still arrive. Or a
    /// Close is due but found no room: see `ws_has_due_output`. Nothing else can be sent.
    Closing = 2,
    /// Both Close frames have been exchanged, or the connection has failed, and nothing more is
    /// due. Write what is left in the output; then a server closes TCP, and a client waits a
    /// bounded time for the server to do so (RFC 6455, 7.1.1).
    Closed = 3,
}

/// How a connection behaves. All zero but `size` is a good choice.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct WsConnectionOptions {
    /// `sizeof(ws_connection_options)`.
    pub size: usize,
    /// The longest payload of a frame that the peer may send, in bytes. 0: 16 MiB.
    pub frame_size_max: u64,
    /// The longest message that the peer may send, in bytes, after decompression. 0: 64 MiB.
    pub message_size_max: u64,
    /// The most frames that a message of the peer may have. 0: 131,072.
    pub fragments_max: u32,
    /// A `ws_delivery`.
    pub delivery: u32,
    /// For tests: 32 bytes that determine all masking keys of a client. Null: unpredictable
    /// keys, seeded by the operating system, as RFC 6455, 10.3 demands.
    pub mask_seed: *const u8,
    /// What the program's own HTTP implementation has agreed on (RFC 7692, 7.1), for
    /// `ws_connection_new` alone; its windows are exact, and 15 for 0. `ws_deflate_agreed` reads
    /// it from headers. Null: no compression. The handshakes of this library bring what they have
    /// agreed on.
    pub deflate: *const WsDeflateOptions,
}

// SAFETY: the size first, and then numbers and a pointer.
unsafe impl Options for WsConnectionOptions {}

/// One side of an open connection. Takes a few hundred bytes, and more only while a message is
/// half received.
#[derive(Debug)]
pub struct WsConnection {
    _opaque: (),
}

impl Opaque for WsConnection {
    type Value = Open;
}

/// What is behind a [`WsConnection`].
#[derive(Debug)]
pub struct Open {
    pub(crate) side: Side,
    /// Whether messages are compressed.
    pub(crate) is_extended: bool,
    /// How many bytes may be reported by `ws_filled`.
    pub(crate) room_len: usize,
}

/// A connection, or what is left of it when it has been split.
#[derive(Debug)]
pub(crate) enum Side {
    Whole(Connection<Keys>),
    Sending(Sender<Keys>),
}

impl Open {
    /// Returns the connection, of which the receiving half has not been split off.
    #[inline]
    pub(crate) fn whole(&mut self) -> Result<&mut Connection<Keys>, Failure> {
        match &mut self.side {
            Side::Whole(connection) => Ok(connection),
            Side::Sending(_) => Err(WsError::State.into()),
        }
    }

    /// Returns the sending half.
    #[inline]
    pub(crate) fn sender(&mut self) -> &mut Sender<Keys> {
        match &mut self.side {
            Side::Whole(connection) => connection.sender(),
            Side::Sending(sender) => sender,
        }
    }
}

/// Asks a connection, or its sending half.
macro_rules! asked {
    ($open:expr, $question:ident) => {
        match &$open.side {
            Side::Whole(connection) => connection.$question(),
            Side::Sending(sender) => sender.$question(),
        }
    };
}

/// Returns the role with this number.
pub(crate) fn role(number: u32) -> Result<Role, Failure> {
    match number {
        number if number == WsRole::Client as u32 => Ok(Role::Client),
        number if number == WsRole::Server as u32 => Ok(Role::Server),
        _ => Err(WsError::Argument.into()),
    }
}

/// Where the compression of a connection comes from.
#[derive(Clone, Copy)]
pub(crate) enum Agreed<'a> {
    /// A handshake of this library.
    Handshake(Option<&'a DeflateAgreed>),
    /// The options.
    Options,
}

/// Opens a connection with the compression that was agreed, and gives it to C.
///
/// # Safety
/// `options` is null or points to a struct as long as its first field says; `connection` is null
/// or points to memory for a pointer.
pub(crate) unsafe fn open(
    role: Role,
    options: *const WsConnectionOptions,
    agreed: Agreed<'_>,
    connection: *mut *mut WsConnection,
) -> Result<WsStatus, Failure> {
    // SAFETY: the caller's word.
    let (options, connection) = unsafe { (options::read(options)?, memory::place(connection)?) };
    let deflate = options.map_or(std::ptr::null(), |options| options.deflate);
    let agreed = match agreed {
        Agreed::Handshake(agreed) if deflate.is_null() => agreed.copied(),
        Agreed::Handshake(_) => return Err(WsError::Argument.into()),
        // SAFETY: the caller's word. The defaults are those of the RFC: windows of 15 bits.
        Agreed::Options => unsafe { deflate::read(deflate, Deflate::client())? }
            .map(|deflate| DeflateAgreed::from_parameters(&deflate)),
    };
    let (config, keys) = match options {
        None => (Config::default(), Keys::Thread),
        Some(options) => {
            let limits = Limits::default()
                .with_frame_size_max(options::or(options.frame_size_max, Limits::FRAME_SIZE_MAX))
                .with_message_size_max(
                    usize::try_from(options::or(
                        options.message_size_max,
                        Limits::MESSAGE_SIZE_MAX as u64,
                    ))
                    .unwrap_or(usize::MAX),
                )
                .with_fragments_max(options::or(options.fragments_max, Limits::FRAGMENTS_MAX));
            let delivery = match options.delivery {
                delivery if delivery == WsDelivery::Whole as u32 => Delivery::Whole,
                delivery if delivery == WsDelivery::Streamed as u32 => Delivery::Streamed,
                _ => return Err(WsError::Argument.into()),
            };
            let config = Config::default().with_limits(limits).with_delivery(delivery);
            // SAFETY: the caller's word.
            (config, unsafe { Keys::from_seed(options.mask_seed)? })
        }
    };
    let opened = ConnectionBuilder::with_mask_keys(role, keys)
        .config(config)
        .extension(agreed.as_ref())
        .open();
    let side = Side::Whole(opened);
    connection.write(guard::give(Open { side, is_extended: agreed.is_some(), room_len: 0 }));
    Ok(WS_OK)
}

/// Opens a connection whose opening handshake another library has done, with permessage-deflate
/// if `options` say that it was agreed on. `role` is a `ws_role`; `options` may be null.
/// `ws_client_handshake_open` and
/// `ws_server_handshake_open` open one after this library's handshakes.
///
/// Returns `WS_OK` and a connection that `ws_connection_free` must free, or `WS_ERROR_ARGUMENT`,
/// `WS_ERROR_OPTIONS_SIZE` or `WS_ERROR_NULL_POINTER`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_connection_new(
    role: u32,
    options: *const WsConnectionOptions,
    connection: *mut *mut WsConnection,
) -> WsStatus {
    guard::guard(|| {
        let role = self::role(role)?;
        // SAFETY: the caller's word.
        unsafe { open(role, options, Agreed::Options, connection) }
    })
}

/// Frees a connection. Null is allowed; a connection that has been freed must not be used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_connection_free(connection: *mut WsConnection) {
    // SAFETY: the caller's word.
    unsafe { guard::free(connection) }
}

/// Takes bytes from the front of `input`, and describes the next event. Call it until it returns
/// `WS_OK`: then all of `input` is taken, and its memory is free for the next read of this or of
/// any other connection.
///
/// Payloads are unmasked in place. What is incomplete at the end of the input is copied and kept.
/// Replies (Pong, Close) are appended to `out`; those that find no room stay due until a later
/// call or `ws_flush`. `out` may be null for no room. An input of length 0 is allowed.
///
/// Returns `WS_EVENT` if `event` was filled, and `WS_OK` if all of `input` is taken. If the peer
/// has broken the protocol, an error from -100 to -199: the connection has failed for good, and a
/// Close that says why has been appended to `out`. Further calls return the same and take
/// nothing. `WS_ERROR_NULL_POINTER`, `WS_ERROR_ARGUMENT` and `WS_ERROR_OVERLAP` take nothing, and
/// the connection continues; so does `WS_ERROR_STATE`, if the connection has been split.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_receive(
    connection: *mut WsConnection,
    input: *mut WsInput,
    out: *mut WsBuffer,
    event: *mut WsEvent,
) -> WsStatus {
    let call = |open: &mut Open| {
        // SAFETY: the caller's word.
        let input = unsafe { input.as_mut() }.ok_or(WsError::NullPointer)?;
        // SAFETY: the caller's word; that input and room are apart is checked below, before either
        // is touched.
        let (event, mut out) = unsafe { (memory::place(event)?, Output::optional(out)?) };
        input.check_apart(&out)?;
        // SAFETY: the caller's word.
        let mut bytes = unsafe { input.bytes()? };
        open.room_len = 0;
        let connection = open.whole()?;
        let outcome = connection.receive(&mut bytes, &mut out.room);
        let found = match &outcome {
            Ok(Some(found)) => WsEvent::new(found, input.data, input.len),
            _ => None,
        };
        let outcome = outcome.map(|found| found.is_some());
        input.advance_to(bytes.len());
        match (outcome?, found) {
            (false, _) => Ok(WS_OK),
            (true, Some(found)) => {
                event.write(found);
                Ok(WS_EVENT)
            }
            // A kind of event that this ABI does not know.
            (true, None) => Err(WsError::Panicked.into()),
        }
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(connection, call) }
}

/// Tells the connection that the peer's stream has ended: when a read has returned 0, and
/// `ws_receive` has returned `WS_OK`.
///
/// Returns `WS_OK` if the peer's Close had arrived, or if `ws_receive` still has input to take.
/// `WS_ERROR_UNEXPECTED_EOF` if it had not, which other APIs report as 1006; the error of a
/// connection that had failed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_receive_eof(connection: *mut WsConnection) -> WsStatus {
    let call = |open: &mut Open| {
        open.room_len = 0;
        open.whole()?.receive_eof()?;
        Ok(WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(connection, call) }
}

/// Returns where a room begins, and its length.
pub(crate) fn lend(room: Option<Room<'_>>) -> (*mut u8, usize) {
    match room {
        None => (std::ptr::null_mut(), 0),
        Some(mut lent) => {
            let chunk = lent.chunk_mut();
            (chunk.as_mut_ptr(), chunk.len())
        }
    }
}

/// Checks that so many bytes of a lent room may have been filled, which is no longer lent then.
pub(crate) fn check_filled(room_len: &mut usize, len: usize) -> Result<(), Failure> {
    if *room_len == 0 {
        return Err(WsError::State.into());
    }
    if len > *room_len {
        return Err(WsError::Argument.into());
    }
    *room_len = 0;
    Ok(())
}

/// Counts the first `len` bytes of a room as received.
///
/// # Safety
/// They have been written to.
pub(crate) unsafe fn fill(room: Option<Room<'_>>, len: usize) -> Result<WsStatus, Failure> {
    let mut lent = room.ok_or(WsError::State)?;
    if len > lent.chunk_mut().len() {
        return Err(WsError::State.into());
    }
    // SAFETY: within the room, and written to.
    unsafe { lent.advance_mut(len) };
    Ok(WS_OK)
}

/// Lends room for the rest of a large frame, so that it can be read from the socket straight into
/// its message, without a copy. Call it when `ws_receive` has returned `WS_OK`, read into
/// `room->data` up to `room->capacity` bytes, and tell `ws_filled` how many were read; then call
/// `ws_receive`, with an input of length 0.
///
/// The room is valid until the next call with the connection. It is uninitialised memory, as long
/// as three times what has arrived of the message, or 64 KiB at its beginning: memory follows
/// what arrives, not what was announced.
///
/// Returns `WS_EVENT` if there is room; `WS_OK` if there is none, because no frame is open of
/// which 8 KiB are to come, because it is compressed, or because messages are delivered in
/// pieces: read into an input then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_room(connection: *mut WsConnection, room: *mut WsBuffer) -> WsStatus {
    let call = |open: &mut Open| {
        // SAFETY: the caller's word.
        let place = unsafe { memory::place(room)? };
        open.room_len = 0;
        let (data, capacity) = lend(open.whole()?.room());
        open.room_len = capacity;
        place.write(WsBuffer { data, capacity, len: 0, needed: 0 });
        Ok(if capacity == 0 { WS_OK } else { WS_EVENT })
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(connection, call) }
}

/// Tells the connection that `len` bytes were written to the start of the room that the last
/// call, `ws_room`, has lent. All of them must have been written.
///
/// Returns `WS_OK`; `WS_ERROR_STATE` if no room is lent, `WS_ERROR_ARGUMENT` if it was shorter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_filled(connection: *mut WsConnection, len: usize) -> WsStatus {
    let call = |open: &mut Open| {
        check_filled(&mut open.room_len, len)?;
        // SAFETY: the room is as long as was checked and it is the one that was lent, since any
        // other call sets `room_len` to 0; that it was written to is the caller's word.
        unsafe { fill(open.whole()?.room(), len) }
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(connection, call) }
}

/// Appends the replies that are due to `out`, as far as it has room.
///
/// Returns `WS_OK`, or `WS_ERROR_NULL_POINTER` or `WS_ERROR_ARGUMENT`. `ws_has_due_output` tells
/// whether some are left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_flush(connection: *mut WsConnection, out: *mut WsBuffer) -> WsStatus {
    let call = |open: &mut Open| {
        // SAFETY: the caller's word.
        let mut out = unsafe { Output::new(out)? };
        open.sender().flush(&mut out.room);
        Ok(WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(connection, call) }
}

/// Returns the state, a `ws_state`; `WS_ERROR_NULL_POINTER` for null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_ready_state(connection: *const WsConnection) -> WsStatus {
    let read = |open: &Open| {
        Ok(match asked!(open, ready_state) {
            // A connection is never connecting.
            ReadyState::Connecting | ReadyState::Open => WsState::Open,
            ReadyState::Closing => WsState::Closing,
            ReadyState::Closed => WsState::Closed,
        } as WsStatus)
    };
    // SAFETY: the caller's word.
    unsafe { guard::read(connection, read) }
}

/// Returns 1 if both Close frames were exchanged, so that the connection was closed cleanly (RFC
/// 6455, 7.1.4), and 0 if not; `WS_ERROR_NULL_POINTER` for null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_is_clean(connection: *const WsConnection) -> WsStatus {
    // SAFETY: the caller's word.
    unsafe { guard::read(connection, |open| Ok(asked!(open, is_clean).into())) }
}

/// Returns 1 if a reply waits for room in the output, a Pong or a Close, and 0 if not;
/// `WS_ERROR_NULL_POINTER` for null. `ws_flush` appends it, and so does the next call that
/// receives or sends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_has_due_output(connection: *const WsConnection) -> WsStatus {
    // SAFETY: the caller's word.
    unsafe { guard::read(connection, |open| Ok(asked!(open, has_due_output).into())) }
}

/// Returns why the connection has failed, an error from -100 to -199, or `WS_OK` if it has not;
/// `WS_ERROR_NULL_POINTER` for null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_connection_error(connection: *const WsConnection) -> WsStatus {
    let read = |open: &Open| match asked!(open, error) {
        None => Ok(WS_OK),
        Some(error) => Err(error.into()),
    };
    // SAFETY: the caller's word.
    unsafe { guard::read(connection, read) }
}

/// Returns the heap memory that an incomplete message takes, in bytes: 0 between messages, for
/// null, and if the connection has been split (see `ws_receiver_buffered`). For a program that
/// bounds the total over its connections.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_buffered(connection: *const WsConnection) -> usize {
    // SAFETY: the caller's word.
    unsafe { guard::get(connection) }.map_or(0, |open| match &open.side {
        Side::Whole(connection) => connection.buffered(),
        Side::Sending(_) => 0,
    })
}
