// A program that calls the C ABI without care, made from bytes: in any order, with null, with
// lengths that memory can't have, with unknown constants, with output over input, with payloads
// that the connection has lent, and with too little room. What it does not do is what no library can
// stand: use what it has freed, or lie about lengths that could be true.
//
// Included by the fuzz target `capi` and by a test, which runs it over what fuzzing has found.

use std::ffi::{CStr, CString, c_char};
use std::{ptr, slice};

use wscodec_capi::*;

const NULL: WsStatus = WsError::NullPointer as WsStatus;
const PANICKED: WsStatus = WsError::Panicked as WsStatus;
const FULL: WsStatus = WsError::BufferFull as WsStatus;
const HANDSHAKE_FULL: WsStatus = WsError::HandshakeBufferFull as WsStatus;

/// The program's text.
struct Script<'d>(&'d [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
            [] => 0,
        }
    }

    /// One in `n`, if the text says so.
    fn seldom(&mut self, n: u8) -> bool {
        self.byte().is_multiple_of(n)
    }

    fn bytes(&mut self, len_max: usize) -> Vec<u8> {
        let len = usize::from(self.byte()).min(len_max).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken.to_vec()
    }

    fn text(&mut self) -> CString {
        let bytes = self.bytes(20);
        CString::new(bytes.into_iter().filter(|&byte| byte != 0).collect::<Vec<_>>()).unwrap()
    }

    /// A length at an edge.
    fn edge(&mut self) -> usize {
        let edges =
            [0, 1, 125, 126, 127, 65_535, 65_536, usize::MAX / 2, usize::MAX / 2 + 1, usize::MAX];
        edges[usize::from(self.byte()) % edges.len()]
    }
}

/// Checks what holds of every result.
fn judge(status: WsStatus) -> WsStatus {
    assert_ne!(status, PANICKED, "the library has failed");
    // SAFETY: never null, and ends with a zero.
    let name = unsafe { CStr::from_ptr(ws_error_name(status)) };
    assert_ne!(name, c"unknown", "{status} has no name");
    status
}

/// Memory of an exact size, with output in a part of it. A sanitizer sees what is written beyond.
struct Out {
    memory: Box<[u8]>,
    buffer: WsBuffer,
}

impl Out {
    fn new(capacity: usize) -> Self {
        let mut memory = vec![0xA5; capacity].into_boxed_slice();
        let buffer = WsBuffer { data: memory.as_mut_ptr(), capacity, len: 0, needed: 0 };
        Self { memory, buffer }
    }

    /// Runs a call that writes to it, and checks what holds of every output.
    fn with(&mut self, call: impl FnOnce(*mut WsBuffer) -> WsStatus) -> WsStatus {
        let (len, before) = (self.buffer.len, self.memory[..self.buffer.len].to_vec());
        let status = judge(call(&raw mut self.buffer));
        assert!(len <= self.buffer.len && self.buffer.len <= self.buffer.capacity);
        assert_eq!(self.memory[..len], before, "what was written stays");
        if status == FULL || status == HANDSHAKE_FULL {
            assert!(self.buffer.needed > self.buffer.capacity - self.buffer.len, "there is room");
        }
        status
    }

    fn take(&mut self) -> Vec<u8> {
        let taken = self.memory[..self.buffer.len].to_vec();
        self.buffer.len = 0;
        taken
    }
}

/// A connection, what waits for it, and what it has lent last.
struct Side {
    connection: *mut WsConnection,
    inbox: Vec<u8>,
    lent: Option<(*const u8, usize)>,
    out: Out,
}

impl Side {
    fn new(connection: *mut WsConnection) -> Self {
        Self { connection, inbox: Vec::new(), lent: None, out: Out::new(4096) }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // SAFETY: it is not used again.
        unsafe { ws_connection_free(self.connection) };
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

/// Goes through both handshakes as they should be.
fn shake(deflate: &WsDeflateOptions) -> (*mut WsClientHandshake, *mut WsServerHandshake) {
    let [mut to_server, mut to_client] = [Out::new(1000), Out::new(1000)];
    let (mut asking, mut answering) = (ptr::null_mut(), ptr::null_mut());
    let asks = WsClientOptions { host: c"localhost".as_ptr(), deflate, ..client_options() };
    let takes = WsServerOptions { deflate, ..server_options() };
    // SAFETY: memory of this function, alive for the calls.
    unsafe {
        let started =
            to_server.with(|out| ws_client_handshake_start(&raw const asks, out, &raw mut asking));
        assert_eq!(started, WS_OK);
        assert_eq!(judge(ws_server_handshake_new(&raw const takes, &raw mut answering)), WS_OK);
        let mut bytes = to_server.take();
        let mut input = WsInput { data: bytes.as_mut_ptr(), len: bytes.len() };
        assert_eq!(judge(ws_server_handshake_receive(answering, &raw mut input)), WS_DONE);
        let accepted =
            to_client.with(|out| ws_server_handshake_accept(answering, ptr::null(), out));
        assert_eq!(accepted, WS_OK);
        let mut bytes = to_client.take();
        let mut input = WsInput { data: bytes.as_mut_ptr(), len: bytes.len() };
        assert_eq!(judge(ws_client_handshake_receive(asking, &raw mut input)), WS_DONE);
        assert_eq!(
            judge(ws_client_handshake_has_deflate(asking)),
            judge(ws_server_handshake_has_deflate(answering))
        );
    }
    (asking, answering)
}

fn client_options() -> WsClientOptions {
    WsClientOptions {
        size: size_of::<WsClientOptions>(),
        host: ptr::null(),
        target: ptr::null(),
        origin: ptr::null(),
        subprotocols: ptr::null(),
        subprotocols_len: 0,
        headers: ptr::null(),
        headers_len: 0,
        deflate: ptr::null(),
        deflate_fallback: ptr::null(),
        key: [9_u8; 16].as_ptr(),
        head_size_max: 0,
        start_line_size_max: 0,
        headers_max: 0,
    }
}

fn server_options() -> WsServerOptions {
    WsServerOptions {
        size: size_of::<WsServerOptions>(),
        deflate: ptr::null(),
        head_size_max: 0,
        start_line_size_max: 0,
        headers_max: 0,
        allows_http: 0,
    }
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
        // SAFETY: a live handle, and memory that is alive for the call.
        let status = unsafe {
            if has_no_output {
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
        let status = judge(ws_room(side.connection, &raw mut room));
        assert_eq!(status == WS_EVENT, room.capacity > 0);
        let len = side.inbox.len().min(room.capacity).min(usize::from(script.byte()) * 64);
        for (at, byte) in side.inbox.drain(..len).enumerate() {
            room.data.add(at).write(byte);
        }
        if script.seldom(4) {
            assert!(judge(ws_filled(side.connection, room.capacity.saturating_add(1))) < 0);
        }
        let filled = judge(ws_filled(side.connection, len));
        assert_eq!(filled == WS_OK, room.capacity > 0);
        assert!(judge(ws_filled(side.connection, 1)) < 0, "one room is filled once");
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

/// Calls that C should not make: an error each, and nothing has changed.
fn misuse(script: &mut Script<'_>, side: &mut Side) {
    let connection = side.connection;
    let mut bytes = [0x81, 0x80, 0, 0, 0, 0];
    let data = bytes.as_mut_ptr();
    // SAFETY: a live handle.
    let state = judge(unsafe { ws_ready_state(connection) });
    // SAFETY: a live handle or null; memory that is alive for the calls, or null; lengths that are
    // true, or that memory can't have.
    unsafe {
        let mut input = WsInput { data, len: bytes.len() };
        let mut event = WsEvent {
            kind: 0,
            close_code: 0,
            is_final: 0,
            is_in_input: 0,
            data: ptr::null(),
            len: 0,
        };
        let too_long = usize::MAX - script.edge() % 1000;
        let mut endless = WsInput { data, len: too_long };
        let mut nowhere = WsInput { data: ptr::null_mut(), len: 1 };
        let mut wrong = WsBuffer { data, capacity: 3, len: 4, needed: 0 };
        let mut over =
            WsBuffer { data, capacity: 6, len: usize::from(script.byte() % 6), needed: 0 };
        let mut huge = WsBuffer { data, capacity: too_long, len: 0, needed: 0 };
        let statuses = [
            ws_receive(ptr::null_mut(), &raw mut input, ptr::null_mut(), &raw mut event),
            ws_receive(connection, ptr::null_mut(), ptr::null_mut(), &raw mut event),
            ws_receive(connection, &raw mut input, ptr::null_mut(), ptr::null_mut()),
            ws_receive(connection, &raw mut input, &raw mut wrong, &raw mut event),
            ws_receive(connection, &raw mut input, &raw mut over, &raw mut event),
            ws_receive(connection, &raw mut endless, ptr::null_mut(), &raw mut event),
            ws_receive(connection, &raw mut nowhere, ptr::null_mut(), &raw mut event),
            ws_send(connection, WsKind::Binary as u32, data, too_long, &raw mut side.out.buffer),
            ws_send(connection, WsKind::Binary as u32, ptr::null(), 1, &raw mut side.out.buffer),
            ws_send(connection, WsKind::Binary as u32, data, 6, &raw mut over),
            ws_send(connection, WsKind::Binary as u32, data, 6, &raw mut huge),
            ws_send(connection, WsKind::Binary as u32, data, 6, ptr::null_mut()),
            ws_send(
                connection,
                3 + u32::from(script.byte()) * 256,
                data,
                6,
                &raw mut side.out.buffer,
            ),
            ws_send_head(connection, WsKind::Binary as u32, 6, ptr::null_mut()),
            ws_send_prepared(connection, ptr::null(), &raw mut side.out.buffer),
            ws_prepared_frame(connection, ptr::null(), ptr::null_mut()),
            ws_room(connection, ptr::null_mut()),
            ws_filled(ptr::null_mut(), 1),
            ws_flush(connection, ptr::null_mut()),
            ws_close(connection, 1005, ptr::null(), 0, &raw mut side.out.buffer),
            ws_connection_new(script.byte().into(), ptr::null(), ptr::null_mut()),
            ws_mask(ptr::null(), data, 6, 0),
            ws_mask_copy(data, data, 6, data.add(1), 0),
            ws_client_handshake_start(ptr::null(), ptr::null_mut(), ptr::null_mut()),
            ws_server_handshake_new(ptr::null(), ptr::null_mut()),
        ];
        side.lent = None; // `ws_receive` was called
        for (at, status) in statuses.into_iter().enumerate() {
            assert!(judge(status) < 0, "call {at}");
        }
        assert_eq!(
            judge(ws_receive(ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut())),
            NULL
        );
        assert_eq!(input.len, 6, "nothing was taken");
        assert_eq!(judge(ws_ready_state(connection)), state);
        let mut text: [c_char; 10] = [1; 10];
        let capacity = usize::from(script.byte() % 11);
        ws_last_error_text(text.as_mut_ptr(), capacity);
        assert!(text[capacity..].iter().all(|&byte| byte == 1));
    }
}

/// Handshakes of their own, with texts that may be anything.
fn handshakes(script: &mut Script<'_>) {
    let [host, target, name, value, subprotocol] = [(); 5].map(|()| script.text());
    let headers = [WsHeader { name: name.as_ptr(), value: value.as_ptr() }];
    let subprotocols = [subprotocol.as_ptr()];
    let deflate = WsDeflateOptions {
        size: size_of::<WsDeflateOptions>() + usize::from(script.byte() % 3) * 4 - 4,
        size_min: script.byte().into(),
        level: script.byte() % 12,
        server_max_window_bits: script.byte() % 18,
        client_max_window_bits: script.byte() % 18,
        flags: script.byte() % 5,
    };
    // A size beyond the struct would be a lie about memory.
    let deflate =
        WsDeflateOptions { size: deflate.size.min(size_of::<WsDeflateOptions>()), ..deflate };
    let few = |script: &mut Script<'_>| usize::from(script.byte() & 1);
    let asks = WsClientOptions {
        host: if script.seldom(8) {
            ptr::null()
        } else if script.seldom(2) {
            c"a.b".as_ptr()
        } else {
            host.as_ptr()
        },
        target: if script.seldom(2) { ptr::null() } else { target.as_ptr() },
        origin: if script.seldom(2) { ptr::null() } else { value.as_ptr() },
        subprotocols: subprotocols.as_ptr(),
        subprotocols_len: few(script),
        headers: headers.as_ptr(),
        headers_len: few(script),
        deflate: if script.seldom(2) { ptr::null() } else { &raw const deflate },
        deflate_fallback: if script.seldom(2) { ptr::null() } else { &raw const deflate },
        head_size_max: script.edge(),
        headers_max: usize::from(script.byte()),
        ..client_options()
    };
    let takes = WsServerOptions {
        deflate: if script.seldom(2) { ptr::null() } else { &raw const deflate },
        head_size_max: script.edge(),
        allows_http: few(script),
        ..server_options()
    };
    let [mut to_server, mut to_client] =
        [Out::new(usize::from(script.byte()) * 8), Out::new(usize::from(script.byte()) * 8)];
    let (mut asking, mut answering) = (ptr::null_mut(), ptr::null_mut());
    let mut connection = ptr::null_mut();
    // SAFETY: live handles or null, and memory that is alive for the calls.
    unsafe {
        let started =
            to_server.with(|out| ws_client_handshake_start(&raw const asks, out, &raw mut asking));
        assert_eq!(started == WS_OK, !asking.is_null());
        judge(ws_server_handshake_new(&raw const takes, &raw mut answering));
        let mut bytes = to_server.take();
        if script.seldom(3) {
            bytes.splice(0..bytes.len().min(script.byte().into()), script.bytes(100));
        }
        shake_server(script, answering, &mut bytes, &mut to_client, &headers);
        let mut bytes = to_client.take();
        if script.seldom(3) {
            bytes.extend(script.bytes(50));
        }
        let mut input = WsInput { data: bytes.as_mut_ptr(), len: bytes.len() };
        judge(ws_client_handshake_receive(asking, &raw mut input));
        assert!(input.len <= bytes.len());
        let mut slices = [WsSlice { data: ptr::null(), len: 0 }; 2];
        let [first, second] = &mut slices;
        judge(ws_client_handshake_header(asking, name.as_ptr(), first));
        judge(ws_client_handshake_header_at(asking, few(script), first, second));
        judge(ws_client_handshake_subprotocol(asking, second));
        judge(ws_client_handshake_status(asking));
        judge(ws_client_handshake_has_deflate(asking));
        judge(ws_client_handshake_receive_eof(asking));
        judge(ws_client_handshake_open(asking, ptr::null(), &raw mut connection));
        ws_connection_free(connection);
        connection = ptr::null_mut();
        judge(ws_server_handshake_open(answering, ptr::null(), &raw mut connection));
        ws_connection_free(connection);
        ws_client_handshake_free(asking);
        ws_server_handshake_free(answering);
    }
}

unsafe fn shake_server(
    script: &mut Script<'_>,
    answering: *mut WsServerHandshake,
    bytes: &mut [u8],
    to_client: &mut Out,
    headers: &[WsHeader],
) {
    let mut request = WsRequest {
        size: size_of::<WsRequest>() - usize::from(script.byte() % 3) * 16,
        ..nothing_asked()
    };
    let mut slices = [WsSlice { data: ptr::null(), len: 0 }; 2];
    let [first, second] = &mut slices;
    let subprotocol = if script.seldom(2) { ptr::null() } else { headers[0].name };
    let accept = WsAcceptOptions {
        size: size_of::<WsAcceptOptions>(),
        subprotocol,
        headers: headers.as_ptr(),
        headers_len: usize::from(script.byte() & 1),
    };
    let reject = WsRejectOptions {
        size: size_of::<WsRejectOptions>(),
        status: usize::from(script.byte()) * 5,
        headers: headers.as_ptr(),
        headers_len: usize::from(script.byte() & 1),
        body: bytes.as_ptr(),
        body_len: bytes.len().min(10),
    };
    let mut input = WsInput { data: bytes.as_mut_ptr(), len: bytes.len() };
    // SAFETY: live handles or null, and memory that is alive for the calls.
    unsafe {
        for _ in 0..3 {
            match script.byte() % 6 {
                0..=2 => {
                    judge(ws_server_handshake_receive(answering, &raw mut input));
                }
                3 => {
                    to_client
                        .with(|out| ws_server_handshake_accept(answering, &raw const accept, out));
                }
                4 => {
                    to_client
                        .with(|out| ws_server_handshake_reject(answering, &raw const reject, out));
                }
                _ => {
                    judge(ws_server_handshake_receive_eof(answering));
                }
            }
            judge(ws_server_handshake_request(answering, &raw mut request));
            judge(ws_server_handshake_header(answering, headers[0].name, first));
            judge(ws_server_handshake_header_at(answering, 1, first, second));
            judge(ws_server_handshake_subprotocol_at(answering, 0, first));
            judge(ws_server_handshake_has_deflate(answering));
        }
    }
}

fn nothing_asked() -> WsRequest {
    let nothing = WsSlice { data: ptr::null(), len: 0 };
    WsRequest {
        size: 0,
        method: nothing,
        target: nothing,
        path: nothing,
        query: nothing,
        host: nothing,
        origin: nothing,
        head: nothing,
    }
}
