//! The receiving half of a connection, for a thread of its own, and the replies that it hands over.

use wscodec::ConnectionBuilder;
use wscodec::connection::{Receiver, Reply};

use crate::connection::{Open, Side, WS_EVENT, WsConnection, check_filled, fill, lend};
use crate::event::WsEvent;
use crate::failure::Failure;
use crate::guard::{self, Opaque};
use crate::headers::WS_FOUND;
use crate::keys::Keys;
use crate::memory::{self, Output, WsBuffer, WsInput};
use crate::status::{WS_OK, WsError, WsStatus};

/// The receiving half of a connection that has been split: for a thread that receives while
/// another one sends, without a lock.
#[derive(Debug)]
pub struct WsReceiver {
    _opaque: (),
}

impl Opaque for WsReceiver {
    type Value = Receiving;
}

/// What the receiving half has to tell the sending half: a Pong, the answer to a Close, or that
/// the connection has failed. It owns what it needs, so its pointer may go through any queue to
/// another thread.
#[derive(Debug)]
pub struct WsReply {
    _opaque: (),
}

impl Opaque for WsReply {
    type Value = Reply;
}

/// What is behind a [`WsReceiver`].
#[derive(Debug)]
pub struct Receiving {
    receiver: Receiver,
    /// Not handed over yet, the next one last.
    replies: Vec<Reply>,
    /// How many bytes may be reported by `ws_receiver_filled`.
    room_len: usize,
}

impl Receiving {
    /// Receives by `call`, and puts the replies that it has made behind the earlier ones.
    fn receive<R>(&mut self, call: impl FnOnce(&mut Receiver, &mut Vec<Reply>) -> R) -> R {
        self.room_len = 0;
        let mut made = Vec::new(); // takes no memory unless there is a reply
        let outcome = call(&mut self.receiver, &mut made);
        if !made.is_empty() {
            made.reverse();
            made.append(&mut self.replies);
            self.replies = made;
        }
        outcome
    }
}

/// Splits the receiving half off a connection, so that one thread may receive by it while another
/// one sends by `connection`, without a lock.
///
/// From then on `connection` is the sending half: it takes all calls but `ws_receive`,
/// `ws_receive_eof`, `ws_room`, `ws_filled` and this one, which return `WS_ERROR_STATE`. The
/// receiving half writes nothing. What it would have written are replies: take them with
/// `ws_receiver_take_reply`, and pass them to the other thread, which sends them with
/// `ws_send_reply`. What the last event points to is no longer valid.
///
/// Returns `WS_OK` and a receiving half that `ws_receiver_free` must free, apart from the
/// connection, unless `ws_receiver_reunite` joins them again; `WS_ERROR_STATE` or
/// `WS_ERROR_NULL_POINTER`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_connection_split(
    connection: *mut WsConnection,
    receiver: *mut *mut WsReceiver,
) -> WsStatus {
    let call = |open: &mut Open| {
        // SAFETY: the caller's word.
        let place = unsafe { memory::place(receiver)? };
        let role = open.whole()?.role();
        // Stands in its place for as long as it takes to split it.
        let nothing = ConnectionBuilder::with_mask_keys(role, Keys::Thread).open();
        let side = std::mem::replace(&mut open.side, Side::Whole(nothing));
        let Side::Whole(connection) = side else { return Err(WsError::State.into()) };
        let (half, sender) = connection.split();
        open.side = Side::Sending(sender);
        open.room_len = 0;
        place.write(guard::give(Receiving { receiver: half, replies: Vec::new(), room_len: 0 }));
        Ok(WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(connection, call) }
}

/// Frees a receiving half, and the replies that were not taken. Null is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_receiver_free(receiver: *mut WsReceiver) {
    // SAFETY: the caller's word.
    unsafe { guard::free(receiver) }
}

/// Like `ws_receive`, but replies are kept for `ws_receiver_take_reply` instead of being written.
/// Take them after each call, also after one that failed: the peer waits for them.
///
/// What the event points to is valid until the next call with `receiver` that is not only a
/// question or `ws_receiver_take_reply`, and no longer than the program leaves its input alone.
///
/// Returns what `ws_receive` returns, `WS_ERROR_OVERLAP` excepted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_receiver_receive(
    receiver: *mut WsReceiver,
    input: *mut WsInput,
    event: *mut WsEvent,
) -> WsStatus {
    let call = |receiving: &mut Receiving| {
        // SAFETY: the caller's word.
        let input = unsafe { input.as_mut() }.ok_or(WsError::NullPointer)?;
        // SAFETY: the caller's word.
        let (event, mut bytes) = unsafe { (memory::place(event)?, input.bytes()?) };
        let (data, len) = (input.data, input.len);
        let outcome = receiving.receive(|receiver, replies| {
            let found = receiver.receive(&mut bytes, replies)?;
            Ok::<_, Failure>(found.map(|found| WsEvent::new(&found, data, len)))
        });
        input.advance_to(bytes.len());
        match outcome? {
            None => Ok(WS_OK),
            Some(Some(found)) => {
                event.write(found);
                Ok(WS_EVENT)
            }
            // A kind of event that this ABI does not know.
            Some(None) => Err(WsError::Panicked.into()),
        }
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(receiver, call) }
}

/// Takes the next reply for the sending half: in the order in which they were made, at most 33 for
/// an input. What the last event points to stays valid.
///
/// Returns `WS_FOUND` and a reply, which `ws_send_reply` or `ws_reply_free` must free; `WS_OK` if
/// there is none; `WS_ERROR_NULL_POINTER`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_receiver_take_reply(
    receiver: *mut WsReceiver,
    reply: *mut *mut WsReply,
) -> WsStatus {
    let call = |receiving: &mut Receiving| {
        // SAFETY: the caller's word.
        let place = unsafe { memory::place(reply)? };
        Ok(match receiving.replies.pop() {
            None => {
                receiving.replies = Vec::new(); // a connection that waits holds no memory for them
                WS_OK
            }
            Some(reply) => {
                place.write(guard::give(reply));
                WS_FOUND
            }
        })
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(receiver, call) }
}

/// See `ws_receive_eof`. A failure is a reply, too, so that the sending half learns of it.
///
/// Returns what `ws_receive_eof` returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_receiver_receive_eof(receiver: *mut WsReceiver) -> WsStatus {
    let call = |receiving: &mut Receiving| {
        receiving.receive(Receiver::receive_eof)?;
        Ok(WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(receiver, call) }
}

/// See `ws_room`; the room is valid until the next call with `receiver`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_receiver_room(
    receiver: *mut WsReceiver,
    room: *mut WsBuffer,
) -> WsStatus {
    let call = |receiving: &mut Receiving| {
        // SAFETY: the caller's word.
        let place = unsafe { memory::place(room)? };
        let (data, capacity) = lend(receiving.receiver.room());
        receiving.room_len = capacity;
        place.write(WsBuffer { data, capacity, len: 0, needed: 0 });
        Ok(if capacity == 0 { WS_OK } else { WS_EVENT })
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(receiver, call) }
}

/// See `ws_filled`: how much was read to the room that the last call, `ws_receiver_room`, has lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_receiver_filled(receiver: *mut WsReceiver, len: usize) -> WsStatus {
    let call = |receiving: &mut Receiving| {
        check_filled(&mut receiving.room_len, len)?;
        // SAFETY: the room is as long as was checked and it is the one that was lent, since calls
        // that receive set `room_len` to 0; that it was written to is the caller's word.
        unsafe { fill(receiving.receiver.room(), len) }
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(receiver, call) }
}

/// Returns 1 if the peer's Close has arrived or the connection has failed, so that no event will
/// follow, and 0 if not; `WS_ERROR_NULL_POINTER` for null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_receiver_is_done(receiver: *const WsReceiver) -> WsStatus {
    // SAFETY: the caller's word.
    unsafe { guard::read(receiver, |receiving| Ok(receiving.receiver.is_done().into())) }
}

/// Returns why the connection has failed, an error from -100 to -199, or `WS_OK` if it has not;
/// `WS_ERROR_NULL_POINTER` for null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_receiver_error(receiver: *const WsReceiver) -> WsStatus {
    let read = |receiving: &Receiving| match receiving.receiver.error() {
        None => Ok(WS_OK),
        Some(error) => Err(error.into()),
    };
    // SAFETY: the caller's word.
    unsafe { guard::read(receiver, read) }
}

/// See `ws_buffered`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_receiver_buffered(receiver: *const WsReceiver) -> usize {
    // SAFETY: the caller's word.
    unsafe { guard::get(receiver) }.map_or(0, |receiving| receiving.receiver.buffered())
}

/// Joins the halves of a connection again, which continues where they were: `connection` receives
/// again, and `receiver` is freed. Both must belong together, which can't be checked.
///
/// Send every reply before: one that is lost is never sent.
///
/// Returns `WS_OK`. Otherwise nothing has changed: `WS_ERROR_STATE` if `connection` is not split
/// or `ws_receiver_take_reply` still has a reply; `WS_ERROR_NULL_POINTER`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_receiver_reunite(
    receiver: *mut WsReceiver,
    connection: *mut WsConnection,
) -> WsStatus {
    let call = |open: &mut Open| {
        // SAFETY: the caller's word.
        let waits = unsafe { guard::get(receiver) };
        let missing = if receiver.is_null() { WsError::NullPointer } else { WsError::Panicked };
        let waits = waits.ok_or(missing)?;
        if !waits.replies.is_empty() || matches!(open.side, Side::Whole(_)) {
            return Err(WsError::State.into());
        }
        // SAFETY: the caller's word.
        let half = unsafe { guard::take(receiver) }.ok_or(missing)?.receiver;
        // Stands in its place for as long as it takes to join them.
        let nothing = ConnectionBuilder::with_mask_keys(open.sender().role(), Keys::Thread).open();
        let side = std::mem::replace(&mut open.side, Side::Whole(nothing));
        let Side::Sending(sender) = side else { return Err(WsError::State.into()) };
        open.side = Side::Whole(half.reunite(sender));
        Ok(WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(connection, call) }
}

/// Appends a reply of the receiving half to `out`, unless this side has sent what makes it
/// needless, and frees it. `connection` is the sending half. If `out` has no room the reply stays
/// due, as `ws_has_due_output` tells; `ws_flush` and the next call that sends append it.
///
/// After the reply to a Close, `ws_ready_state` is `WS_STATE_CLOSED`; after that of a failure,
/// `ws_connection_error` says why.
///
/// Returns `WS_OK`. Otherwise the reply is as it was: `WS_ERROR_NULL_POINTER` or
/// `WS_ERROR_ARGUMENT`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_send_reply(
    connection: *mut WsConnection,
    reply: *mut WsReply,
    out: *mut WsBuffer,
) -> WsStatus {
    let call = |open: &mut Open| {
        // SAFETY: the caller's word.
        let mut out = unsafe { Output::new(out)? };
        // SAFETY: the caller's word.
        let reply = unsafe { guard::take(reply) }.ok_or(WsError::NullPointer)?;
        open.sender().reply(reply, &mut out.room);
        Ok(WS_OK)
    };
    // SAFETY: the caller's word.
    unsafe { guard::call(connection, call) }
}

/// Frees a reply that is not sent, because the connection is over. Null is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ws_reply_free(reply: *mut WsReply) {
    // SAFETY: the caller's word.
    unsafe { guard::free(reply) }
}
