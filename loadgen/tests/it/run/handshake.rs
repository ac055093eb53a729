//! Servers that don't open a connection: each failure in its counter, with a reason, within its
//! bound, and in no histogram.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use crate::scripted::{
    EARLY, Ran, Scripted, accepting, assert_balanced, failed, loadgen, read_head, run_against,
    wait_for_end,
};

/// Two connections that both fail for the same reason.
fn assert_fails(
    name: &str,
    sample: &str,
    behave: impl Fn(TcpStream) + Send + Sync + 'static,
) -> Ran {
    let server = Scripted::start(move |stream, _| behave(stream));
    let ran = run_against(&server, &["-c", "2", "-d", "60s", "--connect-timeout", "700ms"]);
    let report = ran.report();
    assert_eq!(ran.code, Some(1), "{name}: {}", ran.stderr);
    assert_eq!(failed(&report, name), 2, "{name}: {:?}", report.errors);
    assert!(report.errors[0].sample.contains(sample), "{name}: {:?}", report.errors);
    assert_eq!(report.histograms, [], "{name}: a failure is in no histogram");
    assert!(ran.stderr.contains("no connection was established"), "{name}: {}", ran.stderr);
    assert!(ran.took < EARLY, "{name}: {:?}", ran.took);
    assert_balanced(&report);
    ran
}

fn answer(mut stream: TcpStream, response: &str) {
    read_head(&mut stream);
    stream.write_all(response.as_bytes()).ok();
    wait_for_end(stream);
}

/// A dead server is said once, with what to do, and without a verdict.
#[test]
fn e3_a_dead_server_is_said_once_without_a_verdict() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("ws://{free}/?a=b");
    for command in ["run", "connect", "hold", "listen"] {
        let ran = loadgen(&[command, &url, "-c", "5", "-d", "60s"]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let flat = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        for (said, times) in [
            ("no connection was established (tcp.refused ", 1),
            (&format!("; look at the server with: loadgen check '{url}'"), 1),
            ("connections failed", 0),
            ("Connection refused", 1),
            ("-> none", 1),
            ("nothing was measured", 1),
            ("-> valid", 0),
            ("p99", 0),
        ] {
            assert_eq!(flat.matches(said).count(), times, "{command} {said}: {}", ran.stdout);
        }
        let line = ran.error_line();
        assert!(line.contains("loadgen check"), "{line}");
    }
}

#[test]
fn d01_nobody_listens() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for command in ["run", "connect"] {
        let url = format!("ws://{free}/");
        let ran = loadgen(&[command, &url, "-c", "5", "-d", "60s", "-o", "json=-"]);
        let report = ran.report();
        assert_eq!(ran.code, Some(1));
        let line = ran.error_line();
        assert!(line.contains("no connection was established"), "{line}");
        assert!(line.contains("tcp.refused"), "{line}");
        // Not again and again, as fast as the machine can.
        let attempts = report.connections.attempted;
        assert!((5..=20).contains(&attempts), "{attempts}");
        assert_eq!(failed(&report, "tcp.refused"), attempts, "{:?}", report.errors);
        assert!(report.errors[0].sample.contains(&free.to_string()));
        assert!(ran.took < EARLY, "it ends early: {:?}", ran.took);
        let said = &report.verdict.reasons;
        assert!(!said.iter().any(|reason| reason.contains("interrupted")), "{said:?}");
        assert_balanced(&report);
    }
}

#[test]
fn d05_refusals_are_counted_by_status() {
    for status in [
        "301 Moved",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "429 Slow",
        "503 Busy",
        "200 OK",
    ] {
        let response = format!(
            "HTTP/1.1 {status}\r\nLocation: ws://127.0.0.1:1/\r\nRetry-After: 1\r\nContent-Length: 3\r\n\r\nno\n"
        );
        let name = format!("http.{}", &status[..3]);
        assert_fails(&name, status, move |stream| answer(stream, &response));
    }
}

#[test]
fn d35_what_a_server_says_drives_no_terminal() {
    let ran = assert_fails("http.403", "403 \\x80 no", |stream| {
        let mut stream = stream;
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 403 \x80 no\r\n\r\n").ok();
        wait_for_end(stream);
    });
    assert!(!ran.stdout.contains('\x1b') && !ran.stderr.contains('\x1b'));
}

#[test]
fn d06_a_wrong_accept() {
    assert_fails("handshake.accept_mismatch", "", |mut stream| {
        let head = read_head(&mut stream);
        let response = accepting(&head).replace("Accept: ", "Accept: AAAA");
        stream.write_all(response.as_bytes()).ok();
        wait_for_end(stream);
    });
}

#[test]
fn d06_what_is_not_http() {
    for banner in ["SSH-2.0-OpenSSH\r\n", "220 ftp ready\r\n", "\x16\x03\x01\x00"] {
        assert_fails("handshake.not_http", "", move |stream| answer(stream, banner));
    }
}

#[test]
fn d03_a_server_that_never_answers() {
    assert_fails("handshake.timeout", "within the connect timeout", wait_for_end);
}

#[test]
fn a_dead_server_is_given_up_before_every_connection_has_waited_for_it() {
    let server = Scripted::start(|stream, _| wait_for_end(stream));
    let ran = run_against(&server, &["-c", "1k", "--connect-timeout", "500ms"]);
    let report = ran.report();
    assert_eq!(ran.code, Some(1));
    assert!((64..300).contains(&report.connections.attempted), "{:?}", report.connections);
    assert!(ran.error_line().contains("connections never started"), "{}", ran.stderr);
    assert!(ran.took < EARLY, "{:?}", ran.took);
    assert_balanced(&report);
}

#[test]
fn d04_a_server_that_drips_is_not_waited_for_any_longer() {
    assert_fails("handshake.timeout", "", |mut stream| {
        let head = read_head(&mut stream);
        for byte in accepting(&head).bytes() {
            std::thread::sleep(Duration::from_millis(50)); // the fault
            if stream.write_all(&[byte]).is_err() {
                return;
            }
        }
    });
}

#[test]
fn d08_a_server_that_ends_the_stream() {
    assert_fails("handshake.eof", "", drop_after_head);
    assert_fails("handshake.eof", "", |mut stream| {
        let head = read_head(&mut stream);
        let response = accepting(&head);
        stream.write_all(&response.as_bytes()[..40]).ok();
    });
    // Half of it: nothing more will be written, but the server still reads.
    assert_fails("handshake.eof", "", |mut stream| {
        read_head(&mut stream);
        stream.shutdown(Shutdown::Write).unwrap();
        wait_for_end(stream);
    });
}

fn drop_after_head(mut stream: TcpStream) {
    read_head(&mut stream);
}

#[test]
fn d07_a_server_that_resets() {
    assert_fails("handshake.reset", "", |mut stream| {
        // What isn't read when a socket is closed makes the kernel reset it.
        let mut some = [0; 4];
        stream.read_exact(&mut some).ok();
    });
}

#[test]
fn d02_a_connection_that_is_never_made() {
    // A listener whose queue is full drops what comes; one address that nobody routes would do as
    // well, but is not here.
    let listener = rustix_backlog_zero();
    let address = listener.local_addr().unwrap();
    let _held: Vec<TcpStream> = (0..8)
        .filter_map(|_| TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok())
        .collect();
    let url = format!("ws://{address}/");
    let ran = loadgen(&[
        "run",
        &url,
        "-c",
        "2",
        "--connect-timeout",
        "500ms",
        "-d",
        "60s",
        "-o",
        "json=-",
    ]);
    let report = ran.report();
    assert_eq!(failed(&report, "tcp.timeout"), 2, "{:?}", report.errors);
    assert!(ran.took < EARLY);
    assert_balanced(&report);
}

fn rustix_backlog_zero() -> TcpListener {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
    let fd = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&fd, &std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    listen(&fd, 0).unwrap();
    TcpListener::from(fd)
}

#[test]
fn some_that_fail_do_not_stop_those_that_do_not() {
    let server = Scripted::start(|stream, number| {
        if number % 2 == 0 {
            crate::scripted::echo(stream, |_, _, _| None);
        } else {
            answer(stream, "HTTP/1.1 503 Busy\r\n\r\n");
        }
    });
    let ran = run_against(&server, &["-c", "10", "-d", "300ms"]);
    let report = ran.report();
    assert_eq!(ran.code, Some(1));
    assert_eq!((report.connections.established, report.connections.completed), (5, 5));
    assert_eq!(failed(&report, "http.503"), 5);
    let messages = report.messages.as_ref().unwrap();
    assert!(messages.measured.received > 0);
    assert_eq!(messages.measured.lost, 0);
    assert_balanced(&report);
}
