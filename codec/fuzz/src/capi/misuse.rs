// Calls that C should not make: too few pointers, lengths that memory can't have, output over input.

use std::ffi::c_char;
use std::ptr;

use wscodec_capi::*;

use super::Side;
use super::script::{Script, judge};

const NULL: WsStatus = WsError::NullPointer as WsStatus;

/// Calls that C should not make: an error each, and nothing has changed.
pub(super) fn misuse(script: &mut Script<'_>, side: &mut Side) {
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
