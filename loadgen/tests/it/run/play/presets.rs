//! A small server of each preset's protocol, and a scenario that uses the preset.

use serde_json::{Value, json};

use super::{File, Said, json_text, parsed, play, result, speaking, text};
use crate::scripted::BINARY;

/// Plays a scenario that uses a preset with two users; everything must be taken by something.
fn plays(
    preset: &str,
    steps: &str,
    greeting: Vec<Said>,
    answer: impl Fn(&[u8]) -> Vec<Said> + Send + Sync + 'static,
) {
    let server = speaking(greeting, answer);
    let file = File::new(&format!("{preset}.toml"), &format!("use = \"{preset}\"\n{steps}"));
    let ran = play(file.name(), &server, &["-c", "2", "-n", "6", "-d", "30s"]);
    ran.assert_went_well();
    let scenario = result(&ran).scenario.unwrap();
    assert_eq!(scenario.users.ready, 2, "{preset}");
    assert_eq!(scenario.iterations.completed, 6, "{preset}");
    assert_eq!(scenario.messages.unmatched, 0, "{preset}: {:?}", scenario.unmatched_sample);
}

#[test]
fn socket_io() {
    plays(
        "socket.io",
        "[[step]]\nname = \"join\"\nask = { event = \"join\", args = '\"{conn}\"' }\n\
         capture = { me = \"/0/user\" }\n[[step]]\nemit = { event = \"hi\", args = '\"{me}\"' }\n",
        vec![text(r#"0{"sid":"x","pingInterval":25000}"#)],
        |bytes| {
            let said = String::from_utf8_lossy(bytes).into_owned();
            match said.strip_prefix("42") {
                None if said.starts_with("40") => vec![text(r#"40{"sid":"y"}"#), text("2")],
                None => {
                    assert_eq!(said, "3");
                    Vec::new()
                }
                Some(event) if event.starts_with('[') => {
                    assert_eq!(event, "[\"hi\",\"u\"]");
                    vec![text("42[\"chat\",1]")]
                }
                Some(event) => {
                    let id = event.split('[').next().unwrap();
                    vec![text(format!("43{id}[{{\"user\":\"u\"}}]"))]
                }
            }
        },
    );
}

#[test]
fn engine_io() {
    plays(
        "engine.io",
        "[[step]]\nmessage = { text = \"hello {iter}\" }\n[[step]]\nname = \"echo\"\n\
         wait = { prefix = \"4hello\" }\n",
        vec![text(r#"0{"sid":"x"}"#), text("2")],
        |bytes| if bytes == b"3" { Vec::new() } else { vec![(0x81, bytes.to_vec())] },
    );
}

/// A server of GraphQL, whose results have this type.
fn graphql(bytes: &[u8], result: &str) -> Vec<Said> {
    let asked = parsed(bytes);
    let id = &asked["id"];
    match asked["type"].as_str().unwrap() {
        "connection_init" => vec![json_text(&json!({"type": "connection_ack"}))],
        "subscribe" | "start" => {
            assert!(asked["payload"]["query"].as_str().unwrap().contains("hello(name:"));
            vec![
                json_text(&json!({"type": result, "id": id, "payload": {"data": {"hello": 1}}})),
                json_text(&json!({"type": "complete", "id": id})),
            ]
        }
        "pong" | "connection_terminate" => Vec::new(),
        other => panic!("{other}"),
    }
}

const GRAPHQL: &str =
    "[[step]]\nname = \"hello\"\nquery = { query = '{{hello(name:\\\"x\\\")}' }\n";

#[test]
fn graphql_transport_ws() {
    let greeting = vec![json_text(&json!({"type": "ping"}))];
    plays("graphql-transport-ws", GRAPHQL, greeting, |bytes| graphql(bytes, "next"));
}

#[test]
fn graphql_ws() {
    let greeting = vec![json_text(&json!({"type": "ka"}))];
    plays("graphql-ws", GRAPHQL, greeting, |bytes| graphql(bytes, "data"));
}

#[test]
fn json_rpc() {
    plays("json-rpc", "", Vec::new(), |bytes| {
        let asked = parsed(bytes);
        assert_eq!(asked["method"], "ping");
        vec![
            json_text(&json!({"jsonrpc": "2.0", "method": "news", "params": {}})),
            json_text(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": "0x1"})),
        ]
    });
}

#[test]
fn stomp() {
    plays(
        "stomp",
        "[[step]]\nname = \"sub\"\nsubscribe = { destination = \"/q\" }\n[[step]]\n\
         name = \"send\"\npublish = { destination = \"/q\", body = \"x\" }\n",
        Vec::new(),
        |bytes| {
            let frame = String::from_utf8_lossy(bytes).into_owned();
            if frame == "\n" {
                return Vec::new();
            }
            assert!(frame.ends_with('\0'), "{frame:?}");
            let receipt = frame.lines().find_map(|line| line.strip_prefix("receipt:"));
            let receipt = receipt.map(|id| text(format!("RECEIPT\nreceipt-id:{id}\n\n\0")));
            match frame.lines().next().unwrap() {
                "CONNECT" => vec![text("CONNECTED\nversion:1.2\n\n\0"), text("\n")],
                "SEND" => {
                    let message = text("MESSAGE\nsubscription:1\n\nx\0\n");
                    std::iter::once(message).chain(receipt).collect()
                }
                _ => receipt.into_iter().collect(),
            }
        },
    );
}

/// A broker of MQTT, which cuts its CONNACK into several messages.
fn broker(bytes: &[u8], connack: &[u8], is_5: bool) -> Vec<Said> {
    let binary = |bytes: &[u8]| (BINARY, bytes.to_vec());
    match bytes[0] {
        0x10 => connack.iter().map(|byte| binary(&[*byte])).collect(),
        0x82 if is_5 => vec![binary(&[0x90, 4, bytes[2], bytes[3], 0, 0])],
        0x82 => vec![binary(&[0x90, 3, bytes[2], bytes[3], 0])],
        // The topic is "t".
        0x32 => vec![binary(&[0x30, 4, 0, 1, b't', b'x', 0x40]), binary(&[2, bytes[5], bytes[6]])],
        0xe0 => Vec::new(),
        0xc0 => vec![binary(&[0xd0, 0])],
        other => panic!("{other:x}"),
    }
}

const MQTT: &str = "[[step]]\nname = \"sub\"\nsubscribe = { topic = \"t\" }\n[[step]]\n\
    name = \"pub\"\npublish = { topic = \"t\", payload = \"hello\" }\n";

#[test]
fn mqtt() {
    plays("mqtt", MQTT, Vec::new(), |bytes| broker(bytes, &[0x20, 2, 0, 0], false));
}

#[test]
fn mqtt5() {
    plays("mqtt5", MQTT, Vec::new(), |bytes| broker(bytes, &[0x20, 3, 0, 0, 0], true));
}

#[test]
fn sockjs() {
    plays(
        "sockjs",
        "[[step]]\nmessage = { text = 'say \"{iter}\"' }\n[[step]]\nname = \"echo\"\n\
         wait = { prefix = 'say \"' }\n",
        vec![text("o"), text("h")],
        |bytes| {
            let list: Vec<String> = serde_json::from_slice(bytes).unwrap();
            vec![text(format!("a{}", json!(list)))]
        },
    );
}

#[test]
fn actioncable() {
    plays(
        "actioncable",
        "[[begin]]\nname = \"room\"\nsubscribe = { channel = \"ChatChannel\" }\n[[step]]\n\
         perform = { channel = \"ChatChannel\", action = \"speak\" }\n[[step]]\nname = \"heard\"\n\
         wait = { has = \"/message\" }\n",
        vec![
            json_text(&json!({"type": "welcome"})),
            json_text(&json!({"type": "ping", "message": 1})),
        ],
        |bytes| {
            let asked = parsed(bytes);
            let identifier = &asked["identifier"];
            assert_eq!(parsed(identifier.as_str().unwrap().as_bytes())["channel"], "ChatChannel");
            if asked["command"] == "subscribe" {
                let kind = "confirm_subscription";
                return vec![json_text(&json!({"type": kind, "identifier": identifier}))];
            }
            let data = parsed(asked["data"].as_str().unwrap().as_bytes());
            assert_eq!(data["action"], "speak");
            vec![json_text(&json!({"identifier": identifier, "message": {"body": "x"}}))]
        },
    );
}

#[test]
fn phoenix() {
    plays(
        "phoenix",
        "[[begin]]\nname = \"join\"\njoin = { topic = \"room:1\", payload = \"{}\" }\n[[step]]\n\
         name = \"shout\"\npush = { topic = \"room:1\", event = \"shout\", payload = '{\"n\":{iter}}' }\n",
        Vec::new(),
        |bytes| {
            let Value::Array(asked) = parsed(bytes) else { panic!() };
            assert_eq!(asked[0], "1");
            let reply = json!({"status": "ok", "response": {}});
            vec![
                json_text(&json!([null, null, "room:1", "news", {}])),
                json_text(&json!([asked[0], asked[1], asked[2], "phx_reply", reply])),
            ]
        },
    );
}

#[test]
fn pusher() {
    plays(
        "pusher",
        "[[step]]\nname = \"sub\"\nsubscribe = { channel = \"c-{conn}\" }\n",
        vec![
            json_text(
                &json!({"event": "pusher:connection_established", "data": "{\"socket_id\":\"1.2\"}"}),
            ),
            json_text(&json!({"event": "pusher:ping", "data": {}})),
        ],
        |bytes| {
            let asked = parsed(bytes);
            if asked["event"] == "pusher:pong" {
                return Vec::new();
            }
            let channel = &asked["data"]["channel"];
            let event = "pusher_internal:subscription_succeeded";
            vec![json_text(&json!({"event": event, "channel": channel, "data": "{}"}))]
        },
    );
}

#[test]
fn centrifugo() {
    plays(
        "centrifugo",
        "[[step]]\nname = \"pub\"\npublish = { channel = \"c\", data = '{\"n\":1}' }\n",
        Vec::new(),
        |bytes| {
            let asked = parsed(bytes);
            let id = &asked["id"];
            if asked == json!({}) {
                return Vec::new();
            }
            if asked.get("connect").is_some() {
                // Two replies in one message, a line each: the reply, and a ping.
                return vec![text(format!("{}\n{{}}\n", json!({"id": id, "connect": {}})))];
            }
            vec![
                json_text(&json!({"push": {"channel": "c"}})),
                json_text(&json!({"id": id, "publish": {}})),
            ]
        },
    );
}

#[test]
fn signalr() {
    plays(
        "signalr",
        "[[step]]\nname = \"send\"\ninvoke = { target = \"Send\", arguments = '[\"x\"]' }\n",
        Vec::new(),
        |bytes| {
            let asked = parsed(bytes.strip_suffix(&[0x1e]).unwrap());
            let record = |value: Value| format!("{value}\u{1e}");
            if asked["protocol"] == "json" {
                return vec![text(format!("{{}}\u{1e}{}", record(json!({"type": 6}))))];
            }
            let id = &asked["invocationId"];
            vec![text(format!(
                "{}{}",
                record(json!({"type": 1, "target": "Receive", "arguments": []})),
                record(json!({"type": 3, "invocationId": id, "result": null}))
            ))]
        },
    );
}

#[test]
fn jupyter() {
    plays(
        "jupyter",
        "[[step]]\nname = \"run\"\nexecute = { code = \"1 + {iter}\" }\n",
        Vec::new(),
        |bytes| {
            let asked = parsed(bytes);
            let message = |channel: &str, kind: &str, status: &str| {
                json_text(&json!({
                    "channel": channel,
                    "header": {"msg_type": kind},
                    "parent_header": asked["header"],
                    "content": {"status": status},
                }))
            };
            vec![
                message("iopub", "status", "busy"),
                message("shell", "execute_reply", "ok"),
                message("iopub", "status", "idle"),
            ]
        },
    );
}
