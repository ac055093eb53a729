// A connection in two halves: split, joined, asked, and told things in the wrong order.

use std::ptr;

use wscodec_capi::*;

use super::Side;
use super::script::{Script, judge};

const STATE: WsStatus = WsError::State as WsStatus;

/// Splits a connection, or joins its halves again.
pub(super) fn halves(script: &mut Script<'_>, side: &mut Side) {
    let connection = side.connection;
    let mut none = ptr::null_mut();
    // SAFETY: live handles or null, and memory that is alive for the calls.
    unsafe {
        if side.receiver.is_null() {
            side.lent = None;
            assert!(judge(ws_receiver_reunite(ptr::null_mut(), connection)) < 0);
            assert_eq!(judge(ws_connection_split(connection, &raw mut side.receiver)), WS_OK);
            return;
        }
        assert_eq!(judge(ws_connection_split(connection, &raw mut none)), STATE);
        assert_eq!(judge(ws_receive_eof(connection)), STATE);
        assert!(judge(ws_receiver_is_done(side.receiver)) >= 0);
        judge(ws_receiver_error(side.receiver));
        ws_receiver_buffered(side.receiver);
        match script.byte() % 4 {
            0 => {
                side.lent = None;
                judge(ws_receiver_receive_eof(side.receiver));
            }
            // One that is lost: the peer waits for it in vain.
            1 => {
                let mut reply = ptr::null_mut();
                judge(ws_receiver_take_reply(side.receiver, &raw mut reply));
                ws_reply_free(reply);
            }
            2 => pass_replies(side, true),
            _ => {
                side.lent = None;
                pass_replies(side, false);
                assert_eq!(judge(ws_receiver_reunite(side.receiver, connection)), WS_OK);
                side.receiver = ptr::null_mut();
            }
        }
    }
}

/// Gives all replies to the sending half, with no room for them or with what is left.
pub(super) fn pass_replies(side: &mut Side, has_no_room: bool) {
    let mut reply = ptr::null_mut();
    // SAFETY: live handles or null, and memory that is alive for the calls.
    unsafe {
        while !side.receiver.is_null()
            && judge(ws_receiver_take_reply(side.receiver, &raw mut reply)) > 0
        {
            let connection = side.connection;
            assert!(judge(ws_send_reply(ptr::null_mut(), reply, &raw mut side.out.buffer)) < 0);
            assert!(judge(ws_send_reply(connection, reply, ptr::null_mut())) < 0);
            let mut full = WsBuffer { data: ptr::null_mut(), capacity: 0, len: 0, needed: 0 };
            let status = if has_no_room {
                judge(ws_send_reply(connection, reply, &raw mut full))
            } else {
                side.out.with(|out| ws_send_reply(connection, reply, out))
            };
            assert_eq!(status, WS_OK);
        }
    }
}
