//! Whatever was recorded becomes a scenario that can be read, and whatever is no HAR is refused.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::scenario;

/// Parts of messages, which are put together in any way.
const PARTS: [&str; 24] = [
    "{\"id\":1}",
    "{\"id\":",
    "\"a\\\"\"",
    "}",
    "{{x}}",
    "{id}",
    "'''",
    "\u{1e}",
    "\0",
    "\n",
    "40{}",
    "42[\"a\"]",
    "430[]",
    "a[\"b\"]",
    "CONNECT\nlogin:a\n\n",
    "ping",
    "2probe",
    "{\"type\":\"x\",\"n\":7}",
    "\u{10}\u{c}\0\u{4}MQTT\u{4}\u{2}\0\0",
    "[1,[2,{\"a/~\":null}]]",
    "é",
    "\"",
    "\\",
    "{}",
];

fn any_message() -> impl Strategy<Value = Message> {
    let bytes = prop_oneof![
        4 => proptest::collection::vec(select(&PARTS[..]), 1..4)
            .prop_map(|parts| parts.concat().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
    ];
    (any::<bool>(), bytes, 0_u64..4_000_000_000).prop_map(|(is_sent, bytes, after)| Message {
        at_ns: 1_767_225_600_000_000_000 + after,
        from: if is_sent { Side::Client } else { Side::Server },
        is_text: str::from_utf8(&bytes).is_ok(),
        bytes,
    })
}

fn any_connection() -> impl Strategy<Value = Connection> {
    static URLS: [&str; 6] = [
        "ws://h/",
        "ws://h/socket.io/?EIO=4&sid=1",
        "ws://h/a/1/b/websocket?token=a'b",
        "",
        "x?y#{conn}",
        "ws://h/api/kernels/1/channels",
    ];
    static NAMES: [&str; 6] =
        ["", "graphql-ws", "mqtt", "v12.stomp", "actioncable-v1-json", "a, {b}"];
    let messages = proptest::collection::vec(any_message(), 0..16);
    (select(&URLS[..]), select(&NAMES[..]), messages).prop_map(|(url, name, messages)| Connection {
        url: url.into(),
        headers: vec![
            ("Sec-WebSocket-Protocol".into(), name.into()),
            ("X-A\"".into(), "'\"\n{conn}".into()),
        ],
        answered: Vec::new(),
        messages,
    })
}

proptest! {
    /// Whatever was recorded, the scenario can be read.
    #[test]
    fn any_recording_becomes_a_scenario(connection in any_connection()) {
        let draft = draft(&connection, None);
        let program = scenario::parse("made.toml", &draft.toml);
        prop_assert!(program.is_ok(), "{}\n{}", program.unwrap_err(), draft.toml);
    }

    /// A file that is none, or is cut or changed, is an error and no panic.
    #[test]
    fn any_file_is_read_or_refused(
        connection in any_connection(),
        cut in 0_usize..2_000,
        byte: u8,
    ) {
        let mut file = Vec::new();
        let recording = Recording { connections: vec![connection], is_cut: false };
        har::write(&recording, &mut file).unwrap();
        // Behind the last brace only white space is left.
        let place = cut.min(file.len() - 3);
        file[place] = byte;
        har::read(&*file).ok();
        prop_assert!(har::read(&file[..place]).is_err());
    }
}
