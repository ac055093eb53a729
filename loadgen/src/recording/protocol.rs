//! Recognises the protocol of a recorded connection, by what its public document says of the opening
//! handshake and of the first messages.

use super::framing::Framing;
use super::guess::{Confidence, Guess};
use super::{Connection, Message, Side, json, mqtt};
use crate::scenario::{self, Program};

/// A protocol, and what is known of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Protocol {
    /// The preset, if there is one.
    pub(super) preset: Option<&'static str>,
    /// The preset as a program.
    pub(super) program: Option<Program>,
    pub(super) framing: Framing,
    /// Where a request has its id; `None` if that is to be found out.
    pub(super) id_at: Option<IdAt>,
}

/// Where a message of a client has its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdAt {
    /// At a JSON pointer.
    Pointer(&'static str),
    /// Between the type and the data, as in `420["ask"]`.
    Digits,
    /// In the header `receipt`.
    Receipt,
    /// As the identifier of an MQTT packet.
    Packet,
}

impl Protocol {
    fn of(preset: &'static str, framing: Framing, id_at: Option<IdAt>) -> Self {
        // Every preset can be read, which a test of theirs checks.
        let program = scenario::read(preset, &[]).ok();
        Self { preset: Some(preset), program, framing, id_at }
    }

    /// Checks whether it is that of a preset.
    pub(super) fn is(&self, preset: &str) -> bool {
        self.preset == Some(preset)
    }
}

/// What speaks for a protocol.
type Sign = (Protocol, String);

/// Recognises the protocol.
pub(super) fn recognise(connection: &Connection) -> (Protocol, Guess) {
    let found = by_subprotocol(connection)
        .or_else(|| by_url(connection))
        .or_else(|| by_first_messages(connection));
    if let Some((protocol, evidence)) = found {
        let says = protocol.preset.unwrap_or("none that is known");
        return (protocol, Guess::new("protocol", Confidence::Sure, says, evidence));
    }
    let texts = connection.messages.iter().filter(|message| message.is_text).count();
    let is_json = |message: &&Message| message.is_text && json::leaves(&message.bytes).is_some();
    let of_json = connection.messages.iter().filter(is_json).count();
    let says = match (of_json, texts) {
        (0, 0) => "binary, of no protocol that is known",
        (0, _) => "text, of no protocol that is known",
        _ => "JSON of its own",
    };
    let all = connection.messages.len();
    let evidence = format!("of {all} messages {texts} are text, and {of_json} JSON");
    (Protocol::default(), Guess::new("protocol", Confidence::Likely, says, evidence))
}

const ID: Option<IdAt> = Some(IdAt::Pointer("/id"));

fn by_subprotocol(connection: &Connection) -> Option<Sign> {
    let offered = connection.offered();
    let (name, how) = match (connection.chosen(), &offered[..]) {
        (Some(chosen), _) => (chosen, "the server chose"),
        (None, [first, ..]) => (*first, "the client offered"),
        (None, []) => return None,
    };
    let protocol = match name {
        "graphql-transport-ws" => Protocol::of("graphql-transport-ws", Framing::Message, ID),
        "graphql-ws" => Protocol::of("graphql-ws", Framing::Message, ID),
        "actioncable-v1-json" => Protocol::of("actioncable", Framing::Message, None),
        "v12.stomp" | "v11.stomp" | "v10.stomp" => stomp(),
        _ => return None,
    };
    Some((protocol, format!("{how} the subprotocol {name}")))
}

fn stomp() -> Protocol {
    Protocol::of("stomp", Framing::Stomp, Some(IdAt::Receipt))
}

/// Returns the first message of a side, as text.
fn first(connection: &Connection, side: Side) -> &[u8] {
    let mut messages = connection.messages.iter();
    messages.find(|message| message.from == side).map_or(&[], |message| &message.bytes)
}

fn by_url(connection: &Connection) -> Option<Sign> {
    let (path, query) = connection.url.split_once('?').unwrap_or((&connection.url, ""));
    let has = |wanted: &str| query.split('&').any(|parameter| parameter == wanted);
    if has("EIO=4") {
        let is_socket = |message: &&Message| is_connect(&message.bytes);
        let evidence = "the URL has EIO=4".to_owned();
        if connection.messages.iter().any(|message| is_socket(&message))
            || has_probe(connection)
            || connection.messages.iter().any(|message| message.bytes.starts_with(b"42["))
        {
            let protocol = Protocol::of("socket.io", Framing::Message, Some(IdAt::Digits));
            return Some((protocol, format!("{evidence}, and messages are packets of Socket.IO")));
        }
        return Some((Protocol::of("engine.io", Framing::Message, None), evidence));
    }
    if path.ends_with("/websocket") && first(connection, Side::Server) == b"o" {
        let protocol = Protocol::of("sockjs", Framing::SockJs, None);
        return Some((protocol, "the path ends in /websocket, and the server sent o first".into()));
    }
    let is_channel = path.contains("/api/kernels/") && path.ends_with("/channels");
    if is_channel && connection.messages.iter().all(|message| message.is_text) {
        let protocol =
            Protocol::of("jupyter", Framing::Message, Some(IdAt::Pointer("/header/msg_id")));
        return Some((protocol, "the path is that of a kernel's channels".into()));
    }
    None
}

/// Checks whether a message connects to the default namespace of Socket.IO, or confirms that.
fn is_connect(bytes: &[u8]) -> bool {
    bytes.strip_prefix(b"40").is_some_and(|rest| rest.is_empty() || rest[0] == b'{')
}

/// Checks whether a connection of Engine.IO takes over from HTTP requests.
pub(super) fn has_probe(connection: &Connection) -> bool {
    first(connection, Side::Client) == b"2probe"
}

fn by_first_messages(connection: &Connection) -> Option<Sign> {
    let client = first(connection, Side::Client);
    let server = first(connection, Side::Server);
    if let Some(connect) = mqtt::connect(client) {
        let is_5 = connect.level == 5;
        let preset = if is_5 { "mqtt5" } else { "mqtt" };
        let protocol = Protocol::of(preset, Framing::Mqtt { is_5 }, Some(IdAt::Packet));
        let level = connect.level;
        return Some((protocol, format!("the client's first packet is CONNECT of level {level}")));
    }
    if client.starts_with(b"CONNECT\n") || client.starts_with(b"STOMP\n") {
        return Some((stomp(), "the client's first message is the frame CONNECT".into()));
    }
    if client.ends_with(b"\x1e") && client.starts_with(br#"{"protocol":"json""#) {
        let id_at = Some(IdAt::Pointer("/invocationId"));
        let protocol = Protocol::of("signalr", Framing::Separator, id_at);
        return Some((protocol, "the client's first message is SignalR's handshake".into()));
    }
    if value(server, "/event").as_deref() == Some("pusher:connection_established") {
        let protocol = Protocol::of("pusher", Framing::Message, None);
        return Some((
            protocol,
            "the server's first event is pusher:connection_established".into(),
        ));
    }
    if let Some(event) = value(client, "/3")
        && (event.starts_with("phx_") || event == "heartbeat")
    {
        let protocol = Protocol::of("phoenix", Framing::Message, Some(IdAt::Pointer("/1")));
        return Some((protocol, format!("the client's first message is the event {event}")));
    }
    let first_line = client.split(|&byte| byte == b'\n').next().unwrap_or_default();
    if value(first_line, "/id").is_some() && has_member(first_line, "connect") {
        let protocol = Protocol::of("centrifugo", Framing::Lines, ID);
        return Some((protocol, "the client's first command is connect, with an id".into()));
    }
    let is_rpc = |message: &&Message| value(&message.bytes, "/jsonrpc").as_deref() == Some("2.0");
    let calls = connection.messages.iter().filter(is_rpc).count();
    let all = connection.messages.len();
    if calls * 2 > all {
        let protocol = Protocol::of("json-rpc", Framing::Message, ID);
        return Some((protocol, format!("{calls} of {all} messages have \"jsonrpc\":\"2.0\"")));
    }
    None
}

/// Returns the leaf at a pointer in a message that is JSON.
fn value(message: &[u8], pointer: &str) -> Option<String> {
    let leaf = json::leaves(message)?.into_iter().find(|leaf| leaf.pointer == pointer)?;
    String::from_utf8(leaf.value).ok()
}

fn has_member(message: &[u8], name: &str) -> bool {
    let value = serde_json::from_slice::<serde_json::Value>(message);
    value.is_ok_and(|value| value.get(name).is_some_and(serde_json::Value::is_object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(url: &str, chosen: Option<&str>, messages: &[(Side, &[u8])]) -> Connection {
        let message = |&(from, bytes): &(Side, &[u8])| Message {
            at_ns: 0,
            from,
            is_text: str::from_utf8(bytes).is_ok(),
            bytes: bytes.to_vec(),
        };
        let answered = chosen.map(|name| ("Sec-WebSocket-Protocol".to_owned(), name.to_owned()));
        Connection {
            url: url.into(),
            answered: answered.into_iter().collect(),
            messages: messages.iter().map(message).collect(),
            ..Connection::default()
        }
    }

    /// URL, subprotocol, messages, and the preset that they are taken for.
    type Row<'r> = (&'r str, Option<&'r str>, &'r [(Side, &'r [u8])], Option<&'r str>);

    #[test]
    fn protocols_are_known_by_their_signs() {
        use Side::{Client, Server};
        let eio = "ws://h/socket.io/?EIO=4&transport=websocket";
        let established = br#"{"event":"pusher:connection_established","data":"{}"}"#;
        let rows: [Row<'_>; 18] = [
            ("ws://h/", Some("graphql-transport-ws"), &[], Some("graphql-transport-ws")),
            ("ws://h/", Some("graphql-ws"), &[], Some("graphql-ws")),
            ("ws://h/cable", Some("actioncable-v1-json"), &[], Some("actioncable")),
            ("ws://h/", Some("v11.stomp"), &[], Some("stomp")),
            ("ws://h/", None, &[(Client, b"CONNECT\nhost:/\n\n\0")], Some("stomp")),
            (eio, None, &[(Server, b"0{}"), (Client, b"40")], Some("socket.io")),
            (eio, None, &[(Client, b"2probe"), (Server, b"3probe")], Some("socket.io")),
            (eio, None, &[(Server, b"0{}"), (Client, b"4hello")], Some("engine.io")),
            ("ws://h/chat/0/a/websocket", None, &[(Server, b"o")], Some("sockjs")),
            (
                "ws://h/",
                Some("mqtt"),
                &[(Client, b"\x10\x0e\0\x04MQTT\x04\x02\0\x3c\0\x02me")],
                Some("mqtt"),
            ),
            (
                "ws://h/",
                None,
                &[(Client, b"\x10\x0f\0\x04MQTT\x05\x02\0\x3c\0\0\x02me")],
                Some("mqtt5"),
            ),
            (
                "ws://h/hub",
                None,
                &[(Client, b"{\"protocol\":\"json\",\"version\":1}\x1e")],
                Some("signalr"),
            ),
            ("ws://h/app/key", None, &[(Server, established)], Some("pusher")),
            (
                "ws://h/socket/websocket",
                None,
                &[(Client, br#"["1","1","room:a","phx_join",{}]"#)],
                Some("phoenix"),
            ),
            ("ws://h/", None, &[(Client, b"{\"id\":1,\"connect\":{}}\n")], Some("centrifugo")),
            (
                "ws://h/",
                None,
                &[(Client, br#"{"jsonrpc":"2.0","id":1,"method":"a"}"#)],
                Some("json-rpc"),
            ),
            ("ws://h/", None, &[(Client, br#"{"op":"login"}"#)], None),
            ("ws://h/api/kernels/a-b/channels", None, &[(Client, b"{}")], Some("jupyter")),
        ];
        for (url, chosen, messages, preset) in rows {
            let (protocol, guess) = recognise(&connection(url, chosen, messages));
            assert_eq!(protocol.preset, preset, "{url}: {guess}");
            assert_eq!(protocol.program.is_some(), preset.is_some());
        }
    }
}
