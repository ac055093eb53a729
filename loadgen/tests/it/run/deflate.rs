//! permessage-deflate in a run: what was agreed, what went over the wire, and what is refused.

use std::io::Write;

use crate::scripted::{
    Scripted, accepting, assert_balanced, failed, frame, loadgen, read_frame, read_head, upgrade,
    wait_for_end,
};
use loadgen::serve::{ServeConfig, Server, ServerHandle};
use wscodec::deflate::{ContextTakeover, Deflate, WindowBits};

fn serve(deflate: Option<Deflate>) -> (ServerHandle, String) {
    let mut config = ServeConfig { deflate, ..ServeConfig::default() };
    config.listen.set_port(0);
    let server = Server::bind(&config).unwrap().start().unwrap();
    let url = format!("ws://{}/", server.local_addr());
    (server, url)
}

#[test]
fn what_both_sides_want_is_agreed_and_every_echo_comes_back() {
    let any = Deflate::server()
        .with_server_max_window_bits(WindowBits::MAX)
        .with_client_max_window_bits(None);
    let off = Deflate::server()
        .with_server_context(ContextTakeover::Off)
        .with_client_context(ContextTakeover::Off);
    for (offer, server, expected) in [
        ("--deflate", Deflate::server(), "server_max_window_bits=12; client_max_window_bits=12"),
        ("--deflate", any, "server_max_window_bits=15; client_max_window_bits=15"),
        (
            "--deflate=server_no_context_takeover; client_max_window_bits=9",
            any,
            "server_no_context_takeover; server_max_window_bits=15; client_max_window_bits=9",
        ),
        (
            "--deflate=server_max_window_bits=8;client_max_window_bits=8",
            any,
            "server_max_window_bits=8; client_max_window_bits=8",
        ),
        (
            "--deflate=server_max_window_bits=10",
            off,
            "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; \
             client_max_window_bits=15",
        ),
    ] {
        let (server, url) = serve(Some(server));
        let args = ["-c", "3", "-n", "300", "-s", "1000", "-p", "4", "-o", "json=-"];
        let ran = loadgen(&[&["run", &url, offer][..], &args].concat());
        ran.assert_went_well();
        let report = ran.report();
        assert_balanced(&report);
        assert_eq!(report.messages.as_ref().unwrap().measured.received, 300, "{offer}");
        let deflate = report.deflate.as_ref().unwrap();
        let agreed: Vec<_> =
            deflate.agreed.iter().map(|agreed| (&*agreed.parameters, agreed.count)).collect();
        assert_eq!((agreed, deflate.declined), (vec![(expected, 3)], 0));
        for volume in [deflate.sent, deflate.received] {
            assert_eq!(volume.payload_bytes, 300 * 1000);
            assert!(volume.wire_bytes < 270_000, "random letters take 6 of 8 bits: {volume:?}");
        }
        let on_sockets = deflate.sent.wire_bytes + 3 * 1000;
        assert!(report.bytes.sent < on_sockets, "nothing else is sent but handshakes");
        for metric in ["client.deflate", "client.inflate"] {
            let found = report.histograms.iter().find(|histogram| histogram.metric == metric);
            assert_eq!(found.map(|histogram| histogram.count > 0), Some(true), "{metric}");
        }
        let totals = server.shutdown();
        assert_eq!((totals.established, totals.deflated), (3, 3));
    }
}

#[test]
fn texts_binaries_and_open_loops_go_through_it_too() {
    let (_server, url) = serve(Some(Deflate::server()));
    let text = "caf\u{e9} ".repeat(100);
    for args in [
        &["-m", &text][..],
        &["-b", "-s", "4k"],
        &["-s", "100k"],
        &["-R", "500", "-d", "400ms", "-s", "300"],
        &["-s", "10"],
        &["-s", "0"],
        &["-s", "16..4k", "--fragment", "100"],
        &["--mask", "zero", "-s", "200"],
    ] {
        let common = ["run", &url, "--deflate", "-c", "2", "-n", "60", "-o", "json=-"];
        let ran = loadgen(&[&common[..], args].concat());
        // 97 is a machine that is busy with other tests
        assert!(matches!(ran.code, Some(0 | 97)), "{args:?}: {}", ran.stderr);
        let report = ran.report();
        assert_balanced(&report);
        let messages = report.messages.as_ref().unwrap();
        assert_eq!(messages.measured.received, 60, "{args:?}");
        let deflate = report.deflate.as_ref().unwrap();
        assert_eq!(deflate.sent.payload_bytes, deflate.received.payload_bytes);
    }
}

#[test]
fn a_server_that_declines_is_said_and_is_a_failure_only_if_asked_for() {
    let (server, url) = serve(None);
    let common = ["run", &url, "--deflate", "-c", "3", "-n", "30", "-s", "500"];
    let ran = loadgen(&[&common[..], &["-o", "json=-"]].concat());
    ran.assert_went_well();
    let report = ran.report();
    assert_balanced(&report);
    let deflate = report.deflate.as_ref().unwrap();
    assert_eq!((&deflate.agreed[..], deflate.declined), (&[][..], 3));
    assert_eq!((deflate.sent.wire_bytes, deflate.received.wire_bytes), (0, 0));
    let ran = loadgen(&common);
    assert!(ran.stdout.contains("declined by the server: 3"), "{}", ran.stdout);
    for command in ["run", "connect"] {
        let args = [command, &url, "--deflate", "--deflate-required", "-c", "3", "-n", "30"];
        let ran = loadgen(&[&args[..], &["-o", "json=-"]].concat());
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let report = ran.report();
        assert_balanced(&report);
        assert!(failed(&report, "handshake.deflate_declined") >= 3);
        assert_eq!(report.connections.established, 0);
    }
    assert_eq!(server.shutdown().deflated, 0);
}

#[test]
fn without_the_flag_nothing_is_offered_and_an_answer_is_refused() {
    let server = Scripted::start(|mut stream, _| {
        let head = read_head(&mut stream);
        let answer = if head.to_ascii_lowercase().contains("extensions") {
            "HTTP/1.1 400 Bad Request\r\n\r\n".into()
        } else {
            let accepting = accepting(&head);
            let answer = accepting.strip_suffix("\r\n").unwrap();
            format!("{answer}Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        };
        stream.write_all(answer.as_bytes()).ok();
        wait_for_end(stream);
    });
    let ran = loadgen(&["run", &server.url(), "-c", "1", "-o", "json=-"]);
    let report = ran.report();
    assert_eq!(report.deflate, None);
    assert_eq!(failed(&report, "handshake.extension_not_offered"), 1, "{:?}", report.errors);
}

#[test]
fn messages_that_do_not_inflate_end_their_connection() {
    let server = Scripted::start(|mut stream, _| {
        upgrade_with(&mut stream, "permessage-deflate");
        while read_frame(&mut stream).is_some() {
            if stream.write_all(&frame(0xc1, b"\x06nothing")).is_err() {
                return;
            }
        }
    });
    let ran = loadgen(&["run", &server.url(), "--deflate", "-c", "2", "-d", "10s", "-o", "json=-"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let report = ran.report();
    assert_balanced(&report);
    assert_eq!(failed(&report, "protocol.inflate"), 2, "{:?}", report.errors);
    // and where nothing was agreed, RSV1 is what it always was
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        stream.write_all(&frame(0xc1, b"\x00")).ok();
        wait_for_end(stream);
    });
    let ran = loadgen(&["run", &server.url(), "--deflate", "-c", "2", "-d", "10s", "-o", "json=-"]);
    assert_eq!(failed(&ran.report(), "protocol.reserved_bits"), 2, "{:?}", ran.report().errors);
}

/// Accepts with an extension.
fn upgrade_with(stream: &mut std::net::TcpStream, extension: &str) {
    use wscodec::deflate::DeflateServer;
    use wscodec::handshake::{Acceptance, HandshakeLimits, ServerHandshake};
    let mut head = read_head(stream).into_bytes();
    let mut handshake = ServerHandshake::new(HandshakeLimits::default());
    handshake.receive(&mut &mut head[..]).unwrap();
    let mut out = Vec::new();
    let mut server = DeflateServer::new(Deflate::server());
    handshake.accept_with_extensions(&Acceptance::new(), &mut server, &mut out).unwrap();
    assert!(String::from_utf8_lossy(&out).contains(extension));
    stream.write_all(&out).unwrap();
}

#[test]
fn check_says_what_was_agreed() {
    let (server, url) = serve(Some(Deflate::server()));
    let ran = loadgen(&["check", &url, "--deflate"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    for step in [
        "deflate       server_max_window_bits=12; client_max_window_bits=12",
        "deflated      1,032 bytes, ",
        "again         1,032 bytes, ",
    ] {
        assert!(ran.stdout.contains(&format!(" ok      {step}")), "{step} in\n{}", ran.stdout);
    }
    drop(server);
    let (_server, url) = serve(None);
    let ran = loadgen(&["check", &url, "--deflate"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert!(ran.stdout.contains(" ok      deflate       declined by the server"), "{}", ran.stdout);
    let ran = loadgen(&["check", &url, "--deflate", "--deflate-required"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stdout.contains(" FAILED  deflate       declined"), "{}", ran.stdout);
}
