//! `loadgen check`: a list of what a server can do, and an exit code.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::scripted::{
    CLOSE, Scripted, TEXT, frame, loadgen, read_frame, read_head, upgrade, wait_for_end,
};
use loadgen::serve::{ServeConfig, Server};

#[test]
fn a_good_server_passes_every_step() {
    let mut config = ServeConfig::default();
    config.listen.set_port(0);
    let server = Server::bind(&config).unwrap().start().unwrap();
    let ran = loadgen(&["check", &format!("ws://{}/", server.local_addr())]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    for step in [
        "resolve",
        "tcp",
        "upgrade",
        "subprotocol",
        "extensions",
        "ping",
        "text",
        "binary",
        "empty",
        "fragments",
        "close",
        "end of stream",
    ] {
        assert!(ran.stdout.contains(&format!(" ok      {step} ")), "{step} in\n{}", ran.stdout);
    }
    assert!(ran.stdout.ends_with("all ok\n"), "{}", ran.stdout);
    assert_eq!(server.shutdown().closes.get(&1000), Some(&1));
}

#[test]
fn what_fails_is_named_and_what_cannot_follow_is_left_out() {
    type Behave = fn(std::net::TcpStream);
    let rows: [(&str, Behave); 3] = [
        ("FAILED  upgrade       server answered 403 Forbidden: not allowed", |mut stream| {
            read_head(&mut stream);
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").unwrap();
            wait_for_end(stream);
        }),
        ("FAILED  opening       no answer within the connect timeout", wait_for_end),
        ("FAILED  ping          the server ended the stream", |mut stream| {
            upgrade(&mut stream);
            read_frame(&mut stream);
        }),
    ];
    for (step, behave) in rows {
        let server = Scripted::start(move |stream, _| behave(stream));
        let ran = loadgen(&["check", &server.url(), "--connect-timeout", "500ms"]);
        assert_eq!(ran.code, Some(1), "{}", ran.stdout);
        assert!(ran.stdout.contains(step), "{step} in\n{}", ran.stdout);
    }
}

/// Serves Pings and Closes as it must, and does `act` for each text.
fn serving(mut stream: TcpStream, mut act: impl FnMut(&mut TcpStream) -> bool) {
    if !upgrade(&mut stream) {
        return;
    }
    stream.write_all(&frame(TEXT, b"0{\"sid\":\"greeting\"}")).unwrap();
    while let Some((first, payload)) = read_frame(&mut stream) {
        let is_over = match first {
            0x89 => stream.write_all(&frame(0x8a, &payload)).is_err(),
            CLOSE => {
                stream.write_all(&frame(CLOSE, &payload)).ok();
                true
            }
            _ => !act(&mut stream),
        };
        if is_over {
            return;
        }
    }
}

/// What a server that doesn't echo does is a note: each step has a bound, and the exit code is 0.
#[test]
fn n6_a_healthy_server_that_does_not_echo_passes() {
    type Act = fn(&mut TcpStream) -> bool;
    let rows: [(&str, Act); 4] = [
        ("note    text          no echo; it sent text another", |stream| {
            stream.write_all(&frame(TEXT, b"another")).is_ok()
        }),
        // It stays, and says nothing more than it did at the beginning.
        ("note    text          no echo, and nothing else, within 2 s", |_| true),
        (
            "note    text          no echo; the server closed with 4400 \"Invalid message\"",
            |stream| {
                let payload = [&4400_u16.to_be_bytes()[..], b"Invalid message"].concat();
                stream.write_all(&frame(CLOSE, &payload)).is_ok()
            },
        ),
        ("note    text          no echo; the server ended the stream", |_| false),
    ];
    for (step, act) in rows {
        let server = Scripted::start(move |stream, _| serving(stream, act));
        let ran = loadgen(&["check", &server.url()]);
        assert!(ran.stdout.contains(step), "{step} in\n{}", ran.stdout);
        assert_eq!(ran.code, Some(0), "{}", ran.stdout);
        assert!(!ran.stdout.contains("FAILED"), "{}", ran.stdout);
        let not_tried =
            " -       not tried     binary, empty, fragments: the endpoint does not echo";
        assert!(ran.stdout.contains(not_tried), "{}", ran.stdout);
        assert!(ran.stdout.contains("note    it sent       text 0{"), "{}", ran.stdout);
        assert!(ran.stdout.ends_with("no step failed\n"), "not all is ok: {}", ran.stdout);
        assert!(ran.took < Duration::from_secs(12), "{:?}", ran.took);
    }
}

/// A bound is one of the step, however much the server sends meanwhile.
#[test]
fn n6_a_flood_does_not_lengthen_a_step() {
    let server = Scripted::start(|stream, _| {
        let mut flooding = stream.try_clone().unwrap();
        serving(stream, |_| {
            let mut stream = flooding.try_clone().unwrap();
            thread::spawn(move || {
                while stream.write_all(&frame(TEXT, b"tick")).is_ok() {
                    thread::sleep(Duration::from_millis(5));
                }
            });
            flooding.flush().is_ok()
        });
    });
    let ran = loadgen(&["check", &server.url(), "--close-timeout", "2s"]);
    assert!(ran.stdout.contains("no echo; it sent text tick"), "{}", ran.stdout);
    assert!(ran.took < Duration::from_secs(15), "{:?}\n{}", ran.took, ran.stdout);
}

/// A server that closes at once says why, and that is not its fault.
#[test]
fn n4_check_shows_the_reason_of_a_close() {
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        let payload = [&4401_u16.to_be_bytes()[..], b"auth first"].concat();
        stream.write_all(&frame(CLOSE, &payload)).unwrap();
        wait_for_end(stream);
    });
    let ran = loadgen(&["check", &server.url()]);
    assert!(ran.stdout.contains("the server closed with 4401 \"auth first\""), "{}", ran.stdout);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
}

/// An echo server that breaks a later message is at fault.
#[test]
fn n6_an_echo_server_has_to_echo_everything() {
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        while let Some((first, payload)) = read_frame(&mut stream) {
            let reply = match first {
                0x89 => frame(0x8a, &payload),
                0x82 => frame(0x82, b"other"),
                first => frame(first, &payload),
            };
            if stream.write_all(&reply).is_err() || first == CLOSE {
                return;
            }
        }
    });
    let ran = loadgen(&["check", &server.url()]);
    assert!(
        ran.stdout.contains("FAILED  binary        no echo; it sent binary other"),
        "{}",
        ran.stdout
    );
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
}

#[test]
fn e1_a_refusal_shows_where_who_and_why() {
    let rows: [(&str, &[&str]); 5] = [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 24\r\n\r\nno such path, use /chat\n",
            &["server answered 404 Not Found: wrong path?", "it says: no such path, use /chat"],
        ),
        (
            "HTTP/1.1 301 Moved Permanently\r\nLocation: ws://elsewhere/ws\r\nContent-Length: 0\r\n\r\n",
            &["301 Moved Permanently: redirected", "Location: ws://elsewhere/ws"],
        ),
        (
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"x\"\r\n\r\n",
            &["401 Unauthorized: it requires a login", "WWW-Authenticate: Bearer realm=\"x\""],
        ),
        (
            "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nevil\x1b[31m x\r\n0\r\n\r\n",
            &["403 Forbidden", "it says: evil"],
        ),
        (
            "HTTP/1.1 404 File not found\r\n\r\n<!DOCTYPE HTML>\n<html>\n<title>Wrong room</title>\n",
            &["404 File not found: wrong path?", "it says: Wrong room"],
        ),
    ];
    for (response, parts) in rows {
        let server = Scripted::start(move |mut stream, _| {
            read_head(&mut stream);
            // The body comes later than the head.
            let (head, body) = response.split_at(response.find("\r\n\r\n").unwrap() + 4);
            stream.write_all(head.as_bytes()).unwrap();
            thread::sleep(Duration::from_millis(50));
            stream.write_all(body.as_bytes()).ok();
            wait_for_end(stream);
        });
        let ran = loadgen(&["check", &server.url()]);
        assert_eq!(ran.code, Some(1), "{}", ran.stdout);
        for part in parts {
            assert!(ran.stdout.contains(part), "{part} in\n{}", ran.stdout);
        }
        assert!(!ran.stdout.contains('\x1b'), "{:?}", ran.stdout);
    }
}

#[test]
fn e2_a_web_page_is_no_endpoint() {
    let server = Scripted::start(|mut stream, _| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n<html>\n").unwrap();
    });
    let ran = loadgen(&["check", &server.url()]);
    assert_eq!(ran.code, Some(1), "{}", ran.stdout);
    assert!(ran.stdout.contains("not a WebSocket endpoint; wrong path?"), "{}", ran.stdout);
    let ran = loadgen(&["run", &server.url(), "-c", "1", "-d", "300ms", "-q"]);
    assert!(ran.stdout.contains("not a WebSocket endpoint; wrong path?"), "{}", ran.stdout);
}

#[test]
fn a_scenario_is_checked_without_a_server() {
    let listed = loadgen(&["presets"]);
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    assert!(listed.stdout.contains("socket.io"), "{}", listed.stdout);
    let lines = listed.stdout.lines();
    // What a preset was tested against stands below its name.
    let (names, tested): (Vec<_>, Vec<_>) = lines.partition(|line| !line.starts_with(' '));
    assert_eq!(names.len(), tested.len(), "{}", listed.stdout);
    assert!(tested.iter().all(|line| line.trim_start().starts_with("Tested against ")));
    for name in names.iter().map(|line| line.split_whitespace().next().unwrap()) {
        let printed = loadgen(&["presets", name]);
        assert!(printed.stdout.starts_with("# "), "{name}: {}", printed.stdout);
        let said = loadgen(&["check", name]);
        assert_eq!(said.code, Some(0), "{name}: {}", said.stderr);
        assert!(said.stdout.contains("url "), "{name}: {}", said.stdout);
    }
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = fs::read_dir(examples).unwrap().map(|file| file.unwrap().path());
    let files: Vec<_> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    assert!(files.len() > 8, "{files:?}");
    for file in files {
        let said = loadgen(&["check", file.to_str().unwrap()]);
        assert_eq!(said.code, Some(0), "{file:?}: {}", said.stderr);
    }
    let wrong = loadgen(&["check", "no-such.toml"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("no-such.toml can't be read"), "{}", wrong.stderr);
    let wrong = loadgen(&["presets", "socketio"]);
    assert!(wrong.stderr.contains("write \"socket.io\""), "{}", wrong.stderr);
}
