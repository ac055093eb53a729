//! What the native codec makes of the stored inputs of the fuzz targets, as JSON, a line each: the tests of the package
//! compare the module with it.
//!
//! ```text
//! cargo run -p wscodec-wasm --example vectors
//! ```

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use wscodec::handshake::{Acceptance, HandshakeLimits, Received, ServerHandshake};
use wscodec::mask::FixedKey;
use wscodec::{Config, Connection, Delivery, Event, Limits, Role};

fn main() {
    for (target, judge) in [
        ("connection", connection as fn(&[u8]) -> Option<Value>),
        ("differential", connection),
        ("handshake_request", handshake_request),
    ] {
        stored(target).filter_map(|input| judge(&input)).for_each(|row| println!("{row}"));
    }
}

fn stored(target: &str) -> impl Iterator<Item = Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let text = fs::read_to_string(folder.join(target).with_extension("base64"))
        .expect("the corpus lies beside this package");
    let lines: Vec<String> = text.lines().map(String::from).collect();
    lines.into_iter().map(|line| BASE64_STANDARD.decode(line).expect("a line is base64"))
}

fn encoded(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// The first byte says which side, which limits and which delivery.
fn connection(data: &[u8]) -> Option<Value> {
    let (choice, wire) = data.split_first()?;
    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let is_limited = choice & 2 != 0;
    let limits = if is_limited {
        Limits::default().with_frame_size_max(300).with_message_size_max(400).with_fragments_max(6)
    } else {
        Limits::default()
    };
    let is_streamed = choice & 4 != 0;
    let delivery = if is_streamed { Delivery::Streamed } else { Delivery::Whole };
    let config = Config::default().with_limits(limits).with_delivery(delivery);
    let mut side = Connection::with_mask_keys(role, config, FixedKey::default());
    let mut memory = wire.to_vec();
    let (mut input, mut out, mut events) = (&mut memory[..], Vec::new(), Vec::new());
    let error = loop {
        match side.receive(&mut input, &mut out) {
            Ok(Some(event)) => events.push(row(event)),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    let role = if role == Role::Server { "server" } else { "client" };
    Some(json!({
        "subject": "connection",
        "role": role,
        "limited": is_limited,
        "streamed": is_streamed,
        "wire": encoded(wire),
        "events": events,
        "error": error.map(|error| (error.number(), error.name(), error.close_code().as_u16(), error.to_string())),
        // A client masks with keys of its own.
        "output": if role == "server" { Some(encoded(&out)) } else { None },
    }))
}

fn row(event: Event<'_>) -> Value {
    use wscodec::header::Fin::Final;
    match event {
        Event::Text(text) => json!(["text", encoded(text.as_bytes()), true]),
        Event::Binary(bytes) => json!(["binary", encoded(bytes), true]),
        Event::TextPiece(text, fin) => json!(["text", encoded(text.as_bytes()), fin == Final]),
        Event::BinaryPiece(bytes, fin) => json!(["binary", encoded(bytes), fin == Final]),
        Event::Ping(bytes) => json!(["ping", encoded(bytes)]),
        Event::Pong(bytes) => json!(["pong", encoded(bytes)]),
        Event::Close(close) => {
            json!([
                "close",
                close.map_or(1005, |close| close.code.as_u16()),
                encoded(close.map_or("", |close| close.reason).as_bytes())
            ])
        }
        other => panic!("an event that this example does not know: {other:?}"),
    }
}

/// The first byte is of no concern here.
fn handshake_request(data: &[u8]) -> Option<Value> {
    let (_, wire) = data.split_first()?;
    let mut side = ServerHandshake::new(HandshakeLimits::default());
    let mut memory = wire.to_vec();
    let mut input = &mut memory[..];
    let outcome = match side.receive_any(&mut input) {
        Ok(None) => json!(["incomplete"]),
        Ok(Some(Received::Http(request))) => json!(["http", request.method(), request.target()]),
        Ok(Some(Received::WebSocket(request))) => {
            json!([
                "websocket",
                request.target(),
                request.path(),
                request.host(),
                request.subprotocols().collect::<Vec<_>>()
            ])
        }
        Err(error) => {
            json!(["error", error.number(), error.name(), error.status(), error.to_string()])
        }
    };
    let rest = encoded(input);
    let mut out = Vec::new();
    match outcome[0].as_str() {
        Some("websocket") => {
            side.accept(&Acceptance::new(), &mut out).expect("nothing is asked for");
        }
        Some("error") => {
            let error = side.receive(&mut &mut [][..]).expect_err("errors stay");
            side.reject(error, &mut out).expect("it has not been answered");
        }
        _ => {}
    }
    Some(json!({
        "subject": "request",
        "wire": encoded(wire),
        "outcome": outcome,
        "rest": rest,
        "output": encoded(&out),
    }))
}
