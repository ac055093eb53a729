//! `loadgen check`: a list of what a server can do, and an exit code.

use std::io::Write;

use crate::scripted::{
    Scripted, TEXT, frame, loadgen, read_frame, read_head, upgrade, wait_for_end,
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
    let rows: [(&str, Behave); 4] = [
        ("FAILED  upgrade       server answered 403", |mut stream| {
            read_head(&mut stream);
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").unwrap();
            wait_for_end(stream);
        }),
        ("FAILED  opening       no answer within the connect timeout", wait_for_end),
        ("FAILED  text          another reply: text another", |mut stream| {
            upgrade(&mut stream);
            while let Some((first, payload)) = read_frame(&mut stream) {
                let reply = match first {
                    0x89 => frame(0x8a, &payload),
                    TEXT => frame(TEXT, b"another"),
                    0x88 => frame(0x88, &payload),
                    _ => continue,
                };
                stream.write_all(&reply).unwrap();
                if first == 0x88 {
                    return;
                }
            }
        }),
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
