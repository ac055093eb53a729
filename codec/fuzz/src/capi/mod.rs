// A program that calls the C ABI without care, made from bytes: in any order, with null, with
// lengths that memory can't have, with unknown constants, with output over input, with payloads
// that the connection has lent, and with too little room. What it does not do is what no library can
// stand: use what it has freed, or lie about lengths that could be true.
//
// Included by the fuzz target `capi` and by a test, which runs it over what fuzzing has found.

mod halves;
mod handshakes;
mod misuse;
mod script;

use std::{ptr, slice};

use wscodec_capi::*;

use halves::halves;
use handshakes::{handshakes, shake};
use misuse::misuse;
use script::{FULL, Out, Script, judge};

/// A connection, what waits for it, and what it has lent last.
struct Side {
    connection: *mut WsConnection,
    /// The receiving half, while the connection is split.
    receiver: *mut WsReceiver,
    inbox: Vec<u8>,
    lent: Option<(*const u8, usize)>,
    out: Out,
}

impl Side {
    fn new(connection: *mut WsConnection) -> Self {
        Self {
            connection,
            receiver: ptr::null_mut(),
            inbox: Vec::new(),
            lent: None,
            out: Out::new(4096),
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // SAFETY: neither is used again.
        unsafe {
            ws_connection_free(self.connection);
            ws_receiver_free(self.receiver);
        }
    }
}

fn options(script: &mut Script<'_>) -> WsConnectionOptions {
    WsConnectionOptions {
        size: size_of::<WsConnectionOptions>(),
        frame_size_max: [0, 100, 70_000, u64::MAX][usize::from(script.byte() % 4)],
        message_size_max: [0, 100, 70_000, 300_000][usize::from(script.byte() % 4)],
        fragments_max: [0, 1, 5, u32::MAX][usize::from(script.byte() % 4)],
        delivery: u32::from(script.byte() % 8).saturating_sub(5),
        mask_seed: [7_u8; 32].as_ptr(),
        deflate: ptr::null(),
    }
}

/// Runs the program.
pub fn run(data: &[u8]) {
    let mut script = Script(data);
    let mut sides = open_pair(&mut script);
    let mut prepared: *mut WsPrepared = ptr::null_mut();
    for _ in 0..200 {
        if script.0.is_empty() {
            break;
        }
        let at = usize::from(script.byte() & 1);
        match script.byte() % 16 {
            0..=2 => send(&mut script, &mut sides[at]),
            3..=6 => deliver(&mut script, &mut sides, at),
            7 => close(&mut script, &mut sides[at]),
            8 => fill_room(&mut script, &mut sides[at]),
            9 => head(&mut script, &mut sides[at]),
            10 => prepared = prepare(&mut script, &mut sides[at], prepared),
            11 => ask(&sides[at]),
            12 => misuse(&mut script, &mut sides[at]),
            13 => sides[at].inbox.extend(script.bytes(40)), // what no peer of this library sends
            14 => handshakes(&mut script),
            _ if script.seldom(2) => halves(&mut script, &mut sides[at]),
            _ => {
                sides[at].lent = None;
                // SAFETY: a live handle.
                judge(unsafe { ws_receive_eof(sides[at].connection) });
            }
        }
    }
    // SAFETY: it is not used again.
    unsafe { ws_prepared_free(prepared) };
}

/// Makes a client and a server: by both handshakes or without, with compression or without.
fn open_pair(script: &mut Script<'_>) -> [Side; 2] {
    let how = script.byte();
    let mut options = [options(script), options(script)];
    for options in &mut options {
        // Unknown deliveries are tried elsewhere.
        options.delivery %= 2;
    }
    let [mut client, mut server] = [ptr::null_mut(), ptr::null_mut()];
    // SAFETY: memory of this function, alive for the calls.
    unsafe {
        if how & 1 == 0 {
            judge(ws_connection_new(WsRole::Client as u32, &raw const options[0], &raw mut client));
            judge(ws_connection_new(WsRole::Server as u32, &raw const options[1], &raw mut server));
        } else {
            let deflate = WsDeflateOptions {
                size: size_of::<WsDeflateOptions>(),
                size_min: u32::from(how >> 1 & 1),
                level: how >> 2 & 3,
                server_max_window_bits: 8 + (how >> 4 & 7),
                client_max_window_bits: 8 + (how >> 5 & 7),
                flags: script.byte() & 3,
            };
            let (asking, answering) = shake(&deflate);
            judge(ws_client_handshake_open(asking, &raw const options[0], &raw mut client));
            judge(ws_server_handshake_open(answering, &raw const options[1], &raw mut server));
            ws_client_handshake_free(asking);
            ws_server_handshake_free(answering);
        }
    }
    assert!(!client.is_null() && !server.is_null());
    [Side::new(client), Side::new(server)]
}

/// Sends something, seldom with enough room, sometimes what the connection itself has lent.
fn send(script: &mut Script<'_>, side: &mut Side) {
    let own = match script.byte() % 4 {
        0 => vec![b'a'; script.edge().min(70_000)],
        1 => vec![script.byte(); usize::from(script.byte()) * 16],
        _ => script.bytes(200),
    };
    let (payload, len) = match side.lent {
        Some(lent) if script.seldom(3) => lent,
        _ => (own.as_ptr(), own.len()),
    };
    let kind = u32::from(script.byte() % 12);
    let connection = side.connection;
    // SAFETY: a live handle, and memory that is alive for the calls: `lent` is forgotten by any call
    // that ends it.
    unsafe {
        let room = ws_send_room(connection, len);
        let what = script.byte();
        let is_split = what % 5 == 3;
        let capacity = if script.seldom(3) { usize::from(script.byte()) * 4 } else { room };
        // Just that much, so that too little is noticed.
        flush_to_memory(side, capacity);
        let had_room = side.out.buffer.capacity - side.out.buffer.len >= room;
        let is_final = i32::from(script.byte() & 1);
        let status = side.out.with(|out| match what % 5 {
            0 | 1 => ws_send(connection, kind, payload, len, out),
            2 => ws_send_uncompressed(connection, kind, payload, len, out),
            3 => {
                ws_send_fragmented(connection, kind, payload, len, usize::from(what >> 4) * 50, out)
            }
            _ => ws_send_fragment(connection, kind, payload, len, is_final, out),
        });
        assert!(status != FULL || !had_room || is_split, "ws_send_room is not enough");
    }
    side.lent = None;
}

/// Makes output memory with just this much room, keeping what is in it.
fn flush_to_memory(side: &mut Side, room: usize) {
    let kept = side.out.take();
    let mut grown = Out::new(kept.len() + room);
    grown.memory[..kept.len()].copy_from_slice(&kept);
    grown.buffer.len = kept.len();
    side.out = grown;
}

/// Passes what one side has written to the other, in pieces, and takes its events.
fn deliver(script: &mut Script<'_>, sides: &mut [Side; 2], to: usize) {
    let written = sides[1 - to].out.take();
    let side = &mut sides[to];
    side.inbox.extend(written);
    let len = match script.byte() {
        0..=127 => side.inbox.len(),
        less => usize::from(less - 127).min(side.inbox.len()),
    };
    // Of its exact size, so that a sanitizer sees what is read beyond.
    let mut bytes: Box<[u8]> = side.inbox.drain(..len).collect();
    let mut input = WsInput { data: bytes.as_mut_ptr(), len };
    let end = input.data.wrapping_add(len);
    let has_no_output = script.seldom(4);
    let mut sum = 0_u64;
    // Events that follow when there is no input are few.
    for _ in 0..10_000 {
        let mut event = WsEvent {
            kind: 0,
            close_code: 0,
            is_final: 0,
            is_in_input: 0,
            data: ptr::null(),
            len: 0,
        };
        let before = input.len;
        side.lent = None;
        let connection = side.connection;
        // SAFETY: live handles, and memory that is alive for the call.
        let status = unsafe {
            if !side.receiver.is_null() {
                judge(ws_receiver_receive(side.receiver, &raw mut input, &raw mut event))
            } else if has_no_output {
                judge(ws_receive(connection, &raw mut input, ptr::null_mut(), &raw mut event))
            } else {
                side.out.with(|out| ws_receive(connection, &raw mut input, out, &raw mut event))
            }
        };
        assert!(input.len <= before && input.data.wrapping_add(input.len) == end);
        if status != WS_EVENT {
            assert!(status != WS_OK || input.len == 0, "all is taken");
            assert!((-199..=0).contains(&status), "{status}");
            break;
        }
        assert!([1, 2, 8, 9, 10].contains(&event.kind) && !event.data.is_null());
        // SAFETY: lent, until the next call.
        let lent = unsafe { slice::from_raw_parts(event.data, event.len) };
        sum = lent.iter().fold(sum, |sum, &byte| sum.wrapping_add(byte.into()));
        if event.kind == WsEventKind::Text as u32 || event.kind == WsEventKind::Close as u32 {
            assert!(str::from_utf8(lent).is_ok(), "text is UTF-8");
        }
        let place = event.data.addr().wrapping_sub(bytes.as_ptr().addr());
        assert_eq!(event.is_in_input == 1, event.len > 0 && place < len, "where it lies");
        // What is in the input ends with it.
        side.lent = (event.is_in_input == 0).then_some((event.data, event.len));
        if script.seldom(3) {
            halves::pass_replies(side, has_no_output);
        }
        if script.seldom(4) {
            send(script, side);
        }
    }
    std::hint::black_box(sum);
    side.inbox.splice(0..0, bytes[len - input.len..].iter().copied());
}

fn close(script: &mut Script<'_>, side: &mut Side) {
    let code = u16::from_be_bytes([script.byte() % 20, script.byte()]);
    side.lent = None;
    let reason = script.bytes(130);
    let connection = side.connection;
    // SAFETY: a live handle, and memory that is alive for the call.
    side.out.with(|out| unsafe { ws_close(connection, code, reason.as_ptr(), reason.len(), out) });
}

/// Reads into the room of a large message, if there is one, and lies about it where that is noticed.
fn fill_room(script: &mut Script<'_>, side: &mut Side) {
    let mut room = WsBuffer { data: ptr::null_mut(), capacity: 0, len: 0, needed: 0 };
    side.lent = None;
    // SAFETY: a live handle, and memory that is alive for the calls; what is filled was written.
    unsafe {
        let (connection, receiver) = (side.connection, side.receiver);
        let status = if receiver.is_null() {
            judge(ws_room(connection, &raw mut room))
        } else {
            judge(ws_receiver_room(receiver, &raw mut room))
        };
        let fill = |len| {
            judge(if receiver.is_null() {
                ws_filled(connection, len)
            } else {
                ws_receiver_filled(receiver, len)
            })
        };
        assert_eq!(status == WS_EVENT, room.capacity > 0);
        let len = side.inbox.len().min(room.capacity).min(usize::from(script.byte()) * 64);
        for (at, byte) in side.inbox.drain(..len).enumerate() {
            room.data.add(at).write(byte);
        }
        if script.seldom(4) {
            assert!(fill(room.capacity.saturating_add(1)) < 0);
        }
        let filled = fill(len);
        assert_eq!(filled == WS_OK, room.capacity > 0);
        assert!(fill(1) < 0, "one room is filled once");
    }
}

/// A header by itself, with a payload behind it.
fn head(script: &mut Script<'_>, side: &mut Side) {
    let mut head = WsHead { bytes: [0; 14], len: 0, is_masked: 0, mask_key: [0; 4] };
    side.lent = None;
    let payload =
        if script.seldom(2) { vec![b'x'; usize::from(script.byte())] } else { Vec::new() };
    let len = if script.seldom(5) { script.edge() as u64 } else { payload.len() as u64 };
    // SAFETY: a live handle, and memory that is alive for the calls.
    unsafe {
        let kind = u32::from(script.byte() % 12);
        let status = judge(ws_send_head(side.connection, kind, len, &raw mut head));
        if status != WS_OK || len != payload.len() as u64 {
            return;
        }
        let mut bytes = head.bytes[..usize::from(head.len)].to_vec();
        let mut masked = payload.clone();
        let mut copied = vec![0; payload.len()];
        let (key, len) = (head.mask_key.as_ptr(), payload.len());
        let cut = len.min(script.byte().into());
        judge(ws_mask(key, masked.as_mut_ptr(), cut, 0));
        judge(ws_mask(key, masked.as_mut_ptr().add(cut), len - cut, cut));
        judge(ws_mask_copy(key, payload.as_ptr(), len, copied.as_mut_ptr(), 0));
        assert_eq!(masked, copied);
        bytes.extend(masked);
        flush_to_memory(side, bytes.len());
        let at = side.out.buffer.len;
        side.out.memory[at..at + bytes.len()].copy_from_slice(&bytes);
        side.out.buffer.len += bytes.len();
    }
}

/// Makes, sends and frees prepared messages.
fn prepare(script: &mut Script<'_>, side: &mut Side, prepared: *mut WsPrepared) -> *mut WsPrepared {
    let connection = side.connection;
    side.lent = None;
    // SAFETY: live handles or null, and memory that is alive for the calls.
    unsafe {
        if script.seldom(2) {
            ws_prepared_free(prepared);
            let payload = script.bytes(200).repeat(1 + usize::from(script.byte() % 8));
            let kind = u32::from(script.byte() % 12);
            let mut made = ptr::null_mut();
            judge(ws_prepared_new(kind, payload.as_ptr(), payload.len(), &raw mut made));
            return made;
        }
        let mut frame = ptr::null_mut();
        if judge(ws_prepared_frame(connection, prepared, &raw mut frame)) == WS_OK {
            let bytes = ws_frame_bytes(frame);
            let bytes = slice::from_raw_parts(bytes.data.cast::<u8>(), bytes.len).to_vec();
            flush_to_memory(side, bytes.len());
            let at = side.out.buffer.len;
            side.out.memory[at..at + bytes.len()].copy_from_slice(&bytes);
            side.out.buffer.len += bytes.len();
        }
        ws_frame_free(frame);
        side.out.with(|out| ws_send_prepared(connection, prepared, out));
    }
    prepared
}

/// Questions, which end nothing that was lent.
fn ask(side: &Side) {
    let connection = side.connection;
    // SAFETY: a live handle; what was lent is still there.
    unsafe {
        assert!((1..=3).contains(&judge(ws_ready_state(connection))));
        judge(ws_is_clean(connection));
        judge(ws_has_due_output(connection));
        judge(ws_connection_error(connection));
        ws_buffered(connection);
        if let Some((data, len)) = side.lent {
            std::hint::black_box(
                slice::from_raw_parts(data, len).iter().fold(0_u8, |sum, byte| sum ^ byte),
            );
        }
    }
}
