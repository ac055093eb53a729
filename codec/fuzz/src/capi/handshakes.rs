// Both opening handshakes: as they should be, and with texts that may be anything.

use std::ptr;

use wscodec_capi::*;

use super::script::{Out, Script, judge};

/// Goes through both handshakes as they should be.
pub(super) fn shake(
    deflate: &WsDeflateOptions,
) -> (*mut WsClientHandshake, *mut WsServerHandshake) {
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

/// Handshakes of their own, with texts that may be anything.
pub(super) fn handshakes(script: &mut Script<'_>) {
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
