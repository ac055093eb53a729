//! Transcripts of each protocol, written from its public document, and the scenarios that they
//! become.

use super::*;
use crate::index::ConnectionIndex;
use crate::scenario::{self, Action, BEGIN, Program, STEP};

/// 2026-01-01, in milliseconds since 1970.
const BEGAN_MS: u64 = 1_767_225_600_000;

/// A connection: each line has when it went, in milliseconds, `>` or `<`, and a text message.
fn transcript(url: &str, subprotocol: &str, lines: &[&str]) -> Connection {
    let messages = lines.iter().map(|line| {
        let (at_ms, rest) = line.split_once(' ').unwrap();
        let from = if rest.starts_with('>') { Side::Client } else { Side::Server };
        let bytes = rest[2..].replace("\\n", "\n").replace("\\0", "\0").replace("\\e", "\x1e");
        let at_ms: u64 = at_ms.parse().unwrap();
        Message {
            at_ns: (BEGAN_MS + at_ms) * 1_000_000,
            from,
            is_text: true,
            bytes: bytes.into_bytes(),
        }
    });
    let offered = ("Sec-WebSocket-Protocol".to_owned(), subprotocol.to_owned());
    let both = if subprotocol.is_empty() { Vec::new() } else { vec![offered] };
    Connection {
        url: url.into(),
        headers: both.clone(),
        answered: both,
        messages: messages.collect(),
    }
}

/// The scenario of a connection, and the program that it is read to: without an edit.
fn made(connection: &Connection) -> (Draft, Program) {
    let draft = draft(connection, None);
    let program = scenario::parse("made.toml", &draft.toml);
    let program = program.unwrap_or_else(|why| panic!("{why}\n{}", draft.toml));
    (draft, program)
}

/// Fails unless the file has all of these, each in one line or over several.
fn has(draft: &Draft, wanted: &[&str]) {
    for wanted in wanted {
        assert!(draft.toml.contains(wanted), "no {wanted:?} in\n{}", draft.toml);
    }
}

fn names(program: &Program, block: usize) -> Vec<&str> {
    let steps = program.blocks[block].steps.iter();
    steps.filter_map(|step| step.measure).map(|measure| &*program.measures[measure]).collect()
}

#[test]
fn socket_io() {
    let url = "ws://h/socket.io/?EIO=4&transport=websocket&t=abc";
    let connection = transcript(
        url,
        "",
        &[
            r#"0 < 0{"sid":"e1","upgrades":[],"pingInterval":2000,"pingTimeout":1000}"#,
            r#"1 > 40{"token":"t0"}"#,
            r#"3 < 40{"sid":"lxTeb6bEDmGeTnFJAAAB"}"#,
            r#"4 < 42["welcome",{"you":"lxTeb6bEDmGeTnFJAAAB"}]"#,
            r#"5 > 420["join","r1"]"#,
            r#"7 < 430[{"room":"r1"}]"#,
            r#"307 > 421["look","r1"]"#,
            r#"310 < 431[{"members":1}]"#,
            r#"400 > 42["say","r1","hello"]"#,
            r#"401 < 42["said",{"room":"r1"}]"#,
            r#"700 > 422["look","r1"]"#,
            r#"702 < 432[{"members":1}]"#,
            "1000 < 2",
            "1000 > 3",
            r#"1100 > 42["say","r1","hello"]"#,
            r#"1101 < 42["said",{"room":"r1"}]"#,
        ],
    );
    let (draft, program) = made(&connection);
    has(
        &draft,
        &[
            "use = \"socket.io\"",
            r#"auth = '{"token":"{token:json}"}'"#,
            r#"send = '42{id}["join","r1"]'"#,
            "[[on]]\nname = \"said\"\nwhen = { prefix = '42[\"said\"' }",
            "token = ''",
        ],
    );
    assert_eq!(names(&program, BEGIN), ["engine.open", "socket.connect", "welcome", "join"]);
    assert_eq!(names(&program, STEP), ["look", "say"]);
    assert!(!draft.toml.contains("t0\""), "no secret in clear:\n{}", draft.toml);
}

#[test]
fn socket_io_that_began_with_http() {
    let url = "ws://h/socket.io/?EIO=4&transport=websocket&sid=abc";
    let connection = transcript(
        url,
        "",
        &[
            "0 > 2probe",
            "1 < 3probe",
            "2 > 5",
            r#"3 > 42["say","hello"]"#,
            r#"4 < 42["said","hello"]"#,
        ],
    );
    let (draft, program) = made(&connection);
    has(&draft, &["url = 'ws://h/socket.io/?EIO=4&transport=websocket'", "leaves sid out"]);
    assert_eq!(names(&program, STEP), ["say"]);
}

#[test]
fn graphql() {
    for (subprotocol, ask, answer) in
        [("graphql-transport-ws", "subscribe", "next"), ("graphql-ws", "start", "data")]
    {
        let lines = [
            r#"0 > {"type":"connection_init","payload":{"token":"t1"}}"#.to_owned(),
            r#"1 < {"type":"connection_ack"}"#.to_owned(),
            format!(
                r#"2 > {{"id":"5e0c9d2a-8d1c-4d55-a8f9-5f0b9f1f0a01","type":"{ask}","payload":{{"query":"subscription {{ prices(symbol: \"A\") {{ count }} }}"}}}}"#
            ),
            format!(
                r#"50 < {{"id":"5e0c9d2a-8d1c-4d55-a8f9-5f0b9f1f0a01","type":"{answer}","payload":{{"data":{{"count":1}}}}}}"#
            ),
            format!(
                r#"60 > {{"id":"0a1b9d2a-8d1c-4d55-a8f9-5f0b9f1f0a02","type":"{ask}","payload":{{"query":"query Hello($n: String!) {{hello(name:$n)}}","variables":{{"n":"you"}}}}}}"#
            ),
            format!(
                r#"62 < {{"id":"0a1b9d2a-8d1c-4d55-a8f9-5f0b9f1f0a02","type":"{answer}","payload":{{"data":{{"hello":"you"}}}}}}"#
            ),
            r#"62 < {"id":"0a1b9d2a-8d1c-4d55-a8f9-5f0b9f1f0a02","type":"complete"}"#.to_owned(),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (draft, program) = made(&transcript("ws://h/graphql", subprotocol, &lines));
        has(
            &draft,
            &[
                &format!("use = \"{subprotocol}\""),
                r#"payload = '{"token":"{token:json}"}'"#,
                r#"{"id":"{id}","type":""#,
                "reply = false",
                "fail = { has = \"/payload/errors\" }",
            ],
        );
        assert_eq!(names(&program, BEGIN), ["init", "subscription.prices"], "{}", draft.toml);
        assert_eq!(names(&program, STEP), ["query.Hello"]);
    }
}

#[test]
fn stomp() {
    let lines = [
        r"0 > CONNECT\naccept-version:1.2\nhost:/\nlogin:u0\npasscode:p0\nheart-beat:1000,0\n\n\0",
        r"2 < CONNECTED\nversion:1.2\n\n\0",
        r"3 > SUBSCRIBE\nid:sub-0\ndestination:/topic/a\nack:auto\n\n\0",
        r"500 > SEND\ndestination:/topic/a\nreceipt:r-1\n\nhello 1\0",
        r"502 < MESSAGE\ndestination:/topic/a\nmessage-id:1\nsubscription:sub-0\n\nhello 1\0",
        r"503 < RECEIPT\nreceipt-id:r-1\n\n\0",
        r"1000 > \n",
        r"1500 > SEND\ndestination:/topic/a\nreceipt:r-2\n\nhello 2\0",
        r"1502 < MESSAGE\ndestination:/topic/a\nmessage-id:2\nsubscription:sub-0\n\nhello 2\0",
        r"1503 < RECEIPT\nreceipt-id:r-2\n\n\0",
        r"1600 > DISCONNECT\n\n\0",
    ];
    let (draft, program) = made(&transcript("ws://h/ws", "v12.stomp", &lines));
    has(
        &draft,
        &[
            "use = \"stomp\"",
            "heartbeat = '500ms'",
            r#"send = "SEND\ndestination:/topic/a\nreceipt:{id}\n\nhello {iter+1}""#,
            "passcode = ''",
        ],
    );
    assert_eq!(names(&program, BEGIN), ["connect", "subscribe"]);
    assert_eq!(names(&program, STEP), ["send"]);
    // A header that the preset does not send.
    let with_more = [
        r"0 > CONNECT\naccept-version:1.2\nAuthorization:Bearer abc\n\n\0",
        lines[1],
        lines[3],
        lines[5],
    ];
    let (draft, program) = made(&transcript("ws://h/ws", "v12.stomp", &with_more));
    has(
        &draft,
        &["framing     = \"stomp\"", "Authorization:{authorization}", "interval = \"{heartbeat}\""],
    );
    assert_eq!(names(&program, BEGIN), ["connect"]);
}

fn binary(lines: &[(u64, Side, &[u8])], subprotocol: &str) -> Connection {
    let mut connection = transcript("ws://h/mqtt", subprotocol, &[]);
    connection.messages = lines
        .iter()
        .map(|(at_ms, from, bytes)| Message {
            at_ns: (BEGAN_MS + at_ms) * 1_000_000,
            from: *from,
            is_text: false,
            bytes: bytes.to_vec(),
        })
        .collect();
    connection
}

#[test]
fn mqtt() {
    use Side::{Client, Server};
    let connection = binary(
        &[
            (0, Client, b"\x10\x17\0\x04MQTT\x04\xc2\0\x05\0\x03abc\0\x02u0\0\x02p0"),
            (2, Server, b"\x20\x02\0\0"),
            (3, Client, b"\x82\x06\0\x01\0\x01a\0"),
            (4, Server, b"\x90\x03\0\x01\0"),
            (100, Client, b"\x32\x07\0\x01a\0\x02m1"),
            // Two packets in one message.
            (102, Server, b"\x40\x02\0\x02\x30\x05\0\x01am1"),
            (600, Client, b"\x32\x07\0\x01a\0\x03m2"),
            (602, Server, b"\x40\x02\0\x03"),
            (700, Client, b"\xc0\0"),
            (701, Server, b"\xd0\0"),
            (900, Client, b"\xe0\0"),
        ],
        "mqtt",
    );
    let (draft, program) = made(&connection);
    has(
        &draft,
        &[
            "use = \"mqtt\"",
            "heartbeat = '2500ms'",
            r#"bytes = [{ hex = "82" }, { varlen = [{ u16 = "{id}" }, { len16 = ['a'] }, { hex = "00" }] }]"#,
            r#"{ len16 = ['a'] }, { u16 = "{id}" }, 'm{iter+1}'"#,
            "password = ''",
        ],
    );
    assert_eq!(names(&program, BEGIN), ["connect", "subscribe"]);
    assert_eq!(names(&program, STEP), ["publish"]);
}

#[test]
fn mqtt_5_without_a_password() {
    use Side::{Client, Server};
    let connection = binary(
        &[
            (0, Client, b"\x10\x10\0\x04MQTT\x05\x02\0\x3c\0\0\x03abc"),
            (2, Server, b"\x20\x03\0\0\0"),
            (3, Client, b"\x82\x07\0\x01\0\0\x01a\0"),
            (4, Server, b"\x90\x04\0\x01\0\0"),
        ],
        "mqtt",
    );
    let (draft, program) = made(&connection);
    has(
        &draft,
        &[
            "logs in as recorded",
            "framing     = \"mqtt\"",
            "{ len16 = ['a'] }",
            "len16 = ['loadgen-{conn}']",
        ],
    );
    assert_eq!(names(&program, BEGIN), ["connect", "subscribe"]);
    assert!(!program.has_steps(), "users are held");
}

#[test]
fn sockjs() {
    let lines = [
        "0 < o",
        r#"1 > ["{\"id\":1,\"op\":\"login\",\"user\":\"u0\",\"password\":\"p0\"}"]"#,
        r#"2 < a["{\"id\":1,\"user\":\"u0\"}"]"#,
        "25 < h",
        r#"300 > ["{\"id\":2,\"op\":\"say\",\"text\":\"a\"}"]"#,
        r#"301 < a["{\"op\":\"said\",\"text\":\"a\"}","{\"id\":2,\"heard\":1}"]"#,
        r#"700 > ["{\"id\":3,\"op\":\"say\",\"text\":\"a\"}"]"#,
        r#"701 < a["{\"op\":\"said\",\"text\":\"a\"}","{\"id\":3,\"heard\":1}"]"#,
    ];
    let (draft, program) = made(&transcript("ws://h/chat/123/abcdefgh/websocket", "", &lines));
    has(
        &draft,
        &[
            "use = \"sockjs\"",
            "url = 'ws://h/chat/{conn:3}/{rand:8}/websocket'",
            r#"send = '{"id":{id},"op":"login","user":"{user:json}","password":"{password:json}"}'"#,
            "[reply]\nid = '/id'",
            "pause = \"400ms\"",
        ],
    );
    assert_eq!(names(&program, BEGIN), ["open", "login"]);
    assert_eq!(names(&program, STEP), ["say"]);
}

#[test]
fn action_cable() {
    let lines = [
        r#"0 < {"type":"welcome"}"#,
        r#"1 > {"command":"subscribe","identifier":"{\"channel\":\"Chat\"}"}"#,
        r#"2 < {"identifier":"{\"channel\":\"Chat\"}","type":"confirm_subscription"}"#,
        r#"3000 < {"type":"ping","message":1767225603}"#,
        r#"3100 > {"command":"message","identifier":"{\"channel\":\"Chat\"}","data":"{\"action\":\"speak\",\"n\":1}"}"#,
        r#"3102 < {"identifier":"{\"channel\":\"Chat\"}","message":{"n":1}}"#,
    ];
    let (draft, program) = made(&transcript("ws://h/cable", "actioncable-v1-json", &lines));
    has(
        &draft,
        &["use = \"actioncable\"", "expect = { json = { '/type' = 'confirm_subscription' } }"],
    );
    assert_eq!(names(&program, BEGIN), ["welcome", "subscribe"]);
    assert_eq!(names(&program, STEP), ["message"]);
}

#[test]
fn phoenix() {
    let lines = [
        r#"0 > ["3","3","room:a","phx_join",{"token":"abc"}]"#,
        r#"2 < ["3","3","room:a","phx_reply",{"status":"ok","response":{}}]"#,
        r#"500 > ["3","4","room:a","new_msg",{"body":"hi"}]"#,
        r#"501 < ["3",null,"room:a","new_msg",{"body":"hi"}]"#,
        r#"502 < ["3","4","room:a","phx_reply",{"status":"ok","response":{}}]"#,
        r#"30000 > [null,"5","phoenix","heartbeat",{}]"#,
        r#"30001 < [null,"5","phoenix","phx_reply",{"status":"ok","response":{}}]"#,
    ];
    let (draft, program) = made(&transcript("ws://h/socket/websocket?vsn=2.0.0", "", &lines));
    has(
        &draft,
        &[
            "use = \"phoenix\"",
            r#"send = '["{id}","{id}","room:a","phx_join",{"token":"{token:json}"}]'"#,
            "capture = { join_1 = '/0' }",
            r#"send = '["{join_1}","{id}","room:a","new_msg",{"body":"hi"}]'"#,
        ],
    );
    assert_eq!(names(&program, BEGIN), ["phx_join"]);
    assert_eq!(names(&program, STEP), ["new_msg"]);
}

#[test]
fn json_rpc() {
    let lines = [
        r#"0 > {"jsonrpc":"2.0","id":1,"method":"login","params":{"user":"u0","password":"p0"}}"#,
        r#"1 < {"jsonrpc":"2.0","id":1,"result":{"session":"5f0b9f1f0a01"}}"#,
        r#"2 > {"jsonrpc":"2.0","id":2,"method":"subscribe","params":{"session":"5f0b9f1f0a01"}}"#,
        r#"3 < {"jsonrpc":"2.0","id":2,"result":true}"#,
        r#"4 < {"jsonrpc":"2.0","method":"clock","params":{"count":1}}"#,
        r#"100 > {"jsonrpc":"2.0","id":3,"method":"sum","params":[1,2]}"#,
        r#"102 < {"jsonrpc":"2.0","id":3,"result":3}"#,
        r#"200 > {"jsonrpc":"2.0","id":4,"method":"sum","params":[7,2]}"#,
        r#"202 < {"jsonrpc":"2.0","id":4,"result":9}"#,
        r#"300 > {"jsonrpc":"2.0","id":5,"method":"sum","params":[4,2]}"#,
        r#"302 < {"jsonrpc":"2.0","id":5,"result":6}"#,
    ];
    let (draft, program) = made(&transcript("wss://h/", "", &lines));
    has(
        &draft,
        &[
            "use = \"json-rpc\"",
            "capture = { session = '/result/session' }",
            r#""params":{"session":"{session:json}"}}'"#,
            r#""params":[{rand:1..7},2]}'"#,
            "pause = \"98ms\"",
            "when = { json = { '/method' = 'clock' } }",
        ],
    );
    assert_eq!(names(&program, BEGIN), ["login", "subscribe"]);
    assert_eq!(names(&program, STEP), ["sum"]);
    // Without a step of its own, the preset's would be played.
    let (_, program) = made(&transcript("wss://h/", "", &lines[..5]));
    assert!(!program.has_steps());
}

#[test]
fn signalr() {
    let lines = [
        r#"0 > {"protocol":"json","version":1}\e"#,
        r"1 < {}\e",
        r#"100 > {"type":1,"invocationId":"0","target":"Send","arguments":["hi"]}\e"#,
        r#"101 < {"type":1,"target":"Sent","arguments":["hi"]}\e{"type":3,"invocationId":"0","result":null}\e"#,
        r#"15000 > {"type":6}\e"#,
        r#"15001 < {"type":6}\e"#,
    ];
    let (draft, program) = made(&transcript("ws://h/hub?id=abc", "", &lines));
    has(
        &draft,
        &[
            "use = \"signalr\"",
            "url = 'ws://h/hub'",
            r#"send = '{"type":1,"invocationId":"{id}","target":"Send","arguments":["hi"]}'"#,
        ],
    );
    assert_eq!(names(&program, BEGIN), ["handshake"]);
    assert_eq!(names(&program, STEP), ["Send"]);
}

#[test]
fn pusher() {
    let lines = [
        r#"0 < {"event":"pusher:connection_established","data":"{\"socket_id\":\"123.456\",\"activity_timeout\":120}"}"#,
        r#"1 > {"event":"pusher:subscribe","data":{"auth":"","channel":"chat"}}"#,
        r#"2 < {"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"chat"}"#,
        r#"500 < {"event":"message","data":"{}","channel":"chat"}"#,
        r#"60000 > {"event":"pusher:ping","data":{}}"#,
        r#"60001 < {"event":"pusher:pong","data":"{}"}"#,
    ];
    let (draft, program) = made(&transcript("ws://h/app/key?protocol=7", "", &lines));
    has(
        &draft,
        &[
            "use = \"pusher\"",
            "expect = { json = { '/event' = 'pusher_internal:subscription_succeeded' } }",
            "when = { json = { '/event' = 'message' } }",
        ],
    );
    assert_eq!(names(&program, BEGIN), ["established", "pusher-subscribe"]);
}

#[test]
fn centrifugo() {
    let lines = [
        r#"0 > {"id":1,"connect":{"token":"abc","name":"js"}}"#,
        r#"1 < {"id":1,"connect":{"client":"c1","ping":25,"pong":true}}"#,
        r#"2 > {"id":2,"subscribe":{"channel":"news"}}"#,
        r#"3 < {"id":2,"subscribe":{}}"#,
        r#"500 < {"push":{"channel":"news","pub":{"data":{"n":1}}}}"#,
        "25000 < {}",
        "25000 > {}",
    ];
    let (draft, program) = made(&transcript("ws://h/connection/websocket", "", &lines));
    has(
        &draft,
        &["use = \"centrifugo\"", r#"send = '{"id":{id},"subscribe":{"channel":"news"}}'"#],
    );
    assert_eq!(names(&program, BEGIN), ["connect", "subscribe"]);
}

#[test]
fn json_of_its_own_with_ids() {
    let mut lines = vec![
        r#"0 < {"type":"hello","nonce":"n-8f3a91c2"}"#.to_owned(),
        r#"1 > {"op":"login","rid":"c-1","user":"u0","password":"p0","nonce":"n-8f3a91c2"}"#
            .to_owned(),
        r#"3 < {"type":"reply","re":"c-1","ok":true}"#.to_owned(),
    ];
    for n in 0..4 {
        let at = 1_000 * (n + 1);
        let (ask, cancel) = (2 * n + 2, 2 * n + 3);
        lines.push(format!(r#"{at} > {{"op":"order","rid":"c-{ask}","at":{}}}"#, BEGAN_MS + at));
        lines.push(format!(r#"{} < {{"type":"tick","sequence":{n}}}"#, at + 1));
        lines.push(format!(
            r#"{} < {{"type":"reply","re":"c-{ask}","ok":true,"order":"o-774{n}"}}"#,
            at + 5
        ));
        lines.push(format!(
            r#"{} > {{"op":"cancel","rid":"c-{cancel}","order":"o-774{n}"}}"#,
            at + 305
        ));
        lines.push(format!(r#"{} < {{"type":"reply","re":"c-{cancel}","ok":true}}"#, at + 310));
        lines.push(format!(r#"{} < {{"type":"ping","n":1{n}5}}"#, at + 600));
        lines.push(format!(r#"{} > {{"op":"pong","n":1{n}5}}"#, at + 601));
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (draft, program) = made(&transcript("ws://h/feed?token=abc&v=2", "", &lines));
    has(
        &draft,
        &[
            "url = 'ws://h/feed?token={token}&v=2'",
            "[reply]\nid = '/re'\nas = 'c-{id}'\nfail = { json = { \"/ok\" = false } }",
            "capture = { nonce = '/nonce' }",
            r#""rid":"c-{id}","user":"{user:json}","password":"{password:json}","nonce":"{nonce:json}"}"#,
            r#"send = '{"op":"order","rid":"c-{id}","at":{time:ms}}'"#,
            "pause = \"300ms\"",
            "[[on]]\nname = \"ping\"\nwhen = { json = { '/type' = 'ping' } }\nsend = '{\"op\":\"pong\",\"n\":{beat_n}}'",
            "[[on]]\nname = \"tick\"",
        ],
    );
    has(&draft, &["capture = { order = '/order' }", r#""order":"{order:json}""#]);
    assert_eq!(names(&program, BEGIN), ["hello", "login"]);
    assert_eq!(names(&program, STEP), ["order", "cancel"]);
    let reply = draft.guesses.iter().find(|guess| guess.about == "reply").unwrap();
    assert!(reply.says.contains("/re, which repeats /rid"), "{reply}");
    assert!(reply.evidence.contains("9 sent messages"), "{reply}");
}

#[test]
fn text_without_ids() {
    let lines = ["0 > say 1", "1 < say 1", "500 > say 2", "501 < say 2", "900 > bye", "901 < gone"];
    let (draft, program) = made(&transcript("ws://h/", "", &lines));
    has(&draft, &["send = 'say {iter+1}'\nexpect = { prefix = 'say' }", "pause = \"500ms\""]);
    assert_eq!(names(&program, STEP), ["say"]);
    assert!(!program.blocks[scenario::END].steps.is_empty());
}

#[test]
fn the_same_answer_to_everything() {
    let lines = [
        r#"0 > {"op":"login","user":"u0"}"#,
        "1 < ok",
        r#"300 > {"op":"move","x":1}"#,
        "301 < ok",
        r#"600 > {"op":"move","x":2}"#,
        "601 < ok",
    ];
    let (draft, program) = made(&transcript("ws://h/", "", &lines));
    has(&draft, &["send = '{\"op\":\"login\",\"user\":\"u0\"}'\nexpect = { exact = 'ok' }"]);
    has(&draft, &["send = '{\"op\":\"move\",\"x\":{iter+1}}'\nexpect = { exact = 'ok' }"]);
    assert_eq!(names(&program, BEGIN), ["login"]);
}

/// A counter of the client that no answer repeats: it goes on where it was, and grows with each
/// message.
#[test]
fn a_counter_of_messages_goes_on() {
    let lines = [r#"0 > {"op":"login","seq":1}"#.to_owned(), r#"1 < {"op":"in"}"#.to_owned()];
    let rounds = (0..3_u64).flat_map(|n| {
        let (at, seq) = (100 * (n + 1), 2 * n + 2);
        [
            format!(r#"{at} > {{"op":"buy","seq":{seq}}}"#),
            format!(r#"{} < {{"op":"bought"}}"#, at + 1),
            format!(r#"{} > {{"op":"sell","seq":{}}}"#, at + 50, seq + 1),
            format!(r#"{} < {{"op":"sold"}}"#, at + 51),
        ]
    });
    let lines: Vec<String> = lines.into_iter().chain(rounds).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (draft, program) = made(&transcript("ws://h/", "", &lines));
    has(
        &draft,
        &[
            r#"send = '{"op":"login","seq":1}'"#,
            r#"send = '{"op":"buy","seq":{iter*2+2}}'"#,
            r#"send = '{"op":"sell","seq":{iter*2+3}}'"#,
        ],
    );
    assert_eq!(names(&program, STEP), ["buy", "sell"]);
}

#[test]
fn a_uuid_that_is_sent_again_is_the_users_own() {
    let uuid = "0a1b9d2a-8d1c-4d55-a8f9-5f0b9f1f0a02";
    let say = |at: u64| format!(r#"{at} > {{"op":"say","device":"{uuid}"}}"#);
    let lines = [say(0), "1 < heard".into(), say(500), "501 < heard".into()];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (draft, _) = made(&transcript("ws://h/", "", &lines));
    has(&draft, &["uuid_1 = '{uuid}'", r#"send = '{"op":"say","device":"{uuid_1}"}'"#]);
    let (draft, _) = made(&transcript("ws://h/", "", &lines[..2]));
    has(&draft, &[r#"send = '{"op":"say","device":"{uuid}"}'"#]);
}

#[test]
fn nothing_at_all_and_only_pushes() {
    let (_, program) = made(&transcript("ws://h/", "", &[]));
    assert!(!program.has_steps());
    let (draft, program) =
        made(&transcript("ws://h/", "", &["0 < a", "1 < a", r#"2 < {"x":[1]}"#]));
    has(&draft, &["when = { exact = 'a' }", "when = { has = ['/x'] }"]);
    assert!(!program.has_steps());
}

#[test]
fn text_that_looks_like_placeholders_stays_as_it_is() {
    let lines = [r#"0 > {"a":"{{name}} {id} {x","b":{}}"#, "1 < {x}"];
    let (_, program) = made(&transcript("ws://h/{conn}", "", &lines));
    let Action::Exchange(exchange) = &program.blocks[STEP].steps[0].action else { panic!() };
    let mut out = Vec::new();
    let context = program.opening(1, ConnectionIndex(2), 3, &[]);
    exchange.body.as_ref().unwrap().render(&context, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), r#"{"a":"{{name}} {id} {x","b":{}}"#);
}
