//! Reads the WebSocket connections of a HAR file, and writes one.
//!
//! Chromium, Playwright and mitmproxy put messages beside the request of the opening handshake, in
//! `_webSocketMessages`: `type` ("send" or "receive"), `time` (seconds since 1970), `opcode` and
//! `data` (base64 if the opcode is 2). A file is read as a stream, and of everything but WebSocket
//! nothing is kept, so a file with the pictures of a page takes no memory for them.

use std::fmt;
use std::io::{self, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Connection, Message, Recording, Side};

/// Most bytes of messages that are kept of a file.
const KEPT_LEN_MAX: usize = 256 << 20;
/// Most messages that are kept of a file.
const KEPT_MAX: usize = 1_000_000;

/// Reads a HAR file.
///
/// # Errors
/// One line: what the file is instead, or what it lacks.
pub fn read(input: impl Read) -> Result<Recording, String> {
    let mut parsed = serde_json::Deserializer::from_reader(input);
    let file = File::deserialize(&mut parsed).map_err(|error| {
        if error.is_eof() {
            format!("it ends in the middle of its JSON, in line {}", error.line())
        } else if error.is_io() {
            error.to_string()
        } else {
            format!("it is not a HAR: {error}")
        }
    })?;
    let Some(log) = file.log else {
        return Err("it is not a HAR: it has no \"log\" with \"entries\"".into());
    };
    let Entries { connections, seen, upgrades, kept } = log.entries;
    if connections.is_empty() {
        return Err(match upgrades {
            0 => format!("none of its {seen} entries is a WebSocket"),
            _ => format!(
                "{upgrades} of its {seen} entries are WebSockets, but none has messages \
                 (_webSocketMessages); Chromium's DevTools write them if the Network panel was open \
                 before the page"
            ),
        });
    }
    Ok(Recording { connections, is_cut: kept.is_full() })
}

#[derive(Deserialize)]
struct File {
    log: Option<Log>,
}

#[derive(Deserialize)]
struct Log {
    #[serde(default)]
    entries: Entries,
}

/// The entries that are kept, and what was seen of the others.
#[derive(Default)]
struct Entries {
    connections: Vec<Connection>,
    seen: usize,
    /// WebSockets without messages.
    upgrades: usize,
    kept: Kept,
}

#[derive(Clone, Copy, Default)]
struct Kept {
    messages: usize,
    len: usize,
}

impl Kept {
    const fn is_full(self) -> bool {
        self.messages >= KEPT_MAX || self.len >= KEPT_LEN_MAX
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfList;

        impl<'de> Visitor<'de> for OfList {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of entries")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries, A::Error> {
                let mut entries = Entries::default();
                while let Some(entry) = list.next_element::<Entry>()? {
                    entries.take(entry);
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_seq(OfList)
    }
}

impl Entries {
    fn take(&mut self, entry: Entry) {
        self.seen += 1;
        let is_upgrade = entry.kind.as_deref() == Some("websocket")
            || entry.request.url.starts_with("ws:")
            || entry.request.url.starts_with("wss:")
            || entry.response.status == 101;
        let Some(messages) = entry.messages else {
            self.upgrades += usize::from(is_upgrade);
            return;
        };
        if messages.is_empty() {
            self.upgrades += 1;
            return;
        }
        let kept: Vec<_> = messages
            .into_iter()
            .filter_map(|message| {
                let message = message.decoded()?;
                self.kept.messages += 1;
                self.kept.len += message.bytes.len();
                (!self.kept.is_full()).then_some(message)
            })
            .collect();
        let pairs = |headers: Vec<Header>| {
            headers.into_iter().map(|header| (header.name, header.value)).collect::<Vec<_>>()
        };
        let mut headers = pairs(entry.request.headers);
        let has_cookie = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        if !has_cookie && !entry.request.cookies.is_empty() {
            let cookies = entry.request.cookies.into_iter();
            let cookies = cookies.map(|Header { name, value }| format!("{name}={value}"));
            headers.push(("Cookie".into(), cookies.collect::<Vec<_>>().join("; ")));
        }
        self.connections.push(Connection {
            url: socket_url(&entry.request.url),
            headers,
            answered: pairs(entry.response.headers),
            messages: kept,
        });
    }
}

/// Returns the URL with a scheme of WebSocket; some programs write that of HTTP.
fn socket_url(url: &str) -> String {
    match url.strip_prefix("http") {
        Some(rest) if rest.starts_with(':') || rest.starts_with("s:") => format!("ws{rest}"),
        _ => url.to_owned(),
    }
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    request: Request,
    #[serde(default)]
    response: Response,
    #[serde(rename = "_resourceType")]
    kind: Option<String>,
    #[serde(rename = "_webSocketMessages")]
    messages: Option<Messages>,
}

#[derive(Default, Deserialize)]
struct Request {
    #[serde(default)]
    url: String,
    #[serde(default)]
    headers: Vec<Header>,
    #[serde(default)]
    cookies: Vec<Header>,
}

#[derive(Default, Deserialize)]
struct Response {
    #[serde(default)]
    status: i64,
    #[serde(default)]
    headers: Vec<Header>,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: String,
}

type Messages = Vec<Frame>;

/// A message as a HAR has it. Members may have any type: a wrong one makes a message that is left
/// out, not a file that can't be read.
struct Frame {
    is_sent: Option<bool>,
    time_s: f64,
    opcode: i64,
    data: String,
}

impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfMap;

        impl<'de> Visitor<'de> for OfMap {
            type Value = Frame;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a message: an object with type, time, opcode and data")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Frame, A::Error> {
                let mut frame =
                    Frame { is_sent: None, time_s: 0.0, opcode: 1, data: String::new() };
                while let Some(key) = map.next_key::<String>()? {
                    match &*key {
                        "type" => {
                            frame.is_sent = match &*map.next_value::<String>()? {
                                "send" => Some(true),
                                "receive" => Some(false),
                                _ => None,
                            }
                        }
                        "time" => frame.time_s = map.next_value()?,
                        "opcode" => frame.opcode = map.next_value()?,
                        "data" => frame.data = map.next_value()?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(frame)
            }
        }

        deserializer.deserialize_map(OfMap)
    }
}

impl Frame {
    /// Returns the message; `None` for control frames, errors and what can't be decoded.
    fn decoded(self) -> Option<Message> {
        let from = if self.is_sent? { Side::Client } else { Side::Server };
        let (is_text, bytes) = match self.opcode {
            1 => (true, self.data.into_bytes()),
            2 => (false, STANDARD.decode(self.data.trim()).ok()?),
            _ => return None,
        };
        // A `f64` of seconds has a quarter of a microsecond here, and `as` saturates.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
        let at_ns = (self.time_s.max(0.0) * 1e6).round() as u64;
        Some(Message { at_ns: at_ns.saturating_mul(1_000), from, is_text, bytes })
    }
}

/// Writes a HAR file with the connections of a recording.
///
/// # Errors
/// What the system says.
pub fn write(recording: &Recording, out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<'m> {
        r#type: &'static str,
        time: f64,
        opcode: u8,
        data: &'m str,
    }
    let entries = recording.connections.iter().map(|connection| {
        let messages: Vec<_> = connection
            .messages
            .iter()
            .map(|message| {
                let encoded;
                let data = match str::from_utf8(&message.bytes) {
                    Ok(text) if message.is_text => text,
                    _ => {
                        encoded = STANDARD.encode(&message.bytes);
                        &encoded
                    }
                };
                let line = Line {
                    r#type: match message.from {
                        Side::Client => "send",
                        Side::Server => "receive",
                    },
                    time: seconds(message.at_ns),
                    opcode: if message.is_text { 1 } else { 2 },
                    data,
                };
                json!(line)
            })
            .collect();
        let began_ns = connection.messages.first().map_or(0, |message| message.at_ns);
        let ended_ns = connection.messages.last().map_or(0, |message| message.at_ns);
        let time_ms = (seconds(ended_ns) - seconds(began_ns)) * 1e3;
        json!({
            "_resourceType": "websocket",
            "_webSocketMessages": messages,
            "startedDateTime": date(began_ns / 1_000_000),
            "time": time_ms,
            "request": {
                "method": "GET",
                "url": connection.url,
                "httpVersion": "HTTP/1.1",
                "headers": list(&connection.headers),
                "queryString": [],
                "cookies": [],
                "headersSize": -1,
                "bodySize": 0,
            },
            "response": {
                "status": 101,
                "statusText": "Switching Protocols",
                "httpVersion": "HTTP/1.1",
                "headers": list(&connection.answered),
                "cookies": [],
                "content": { "size": 0, "mimeType": "x-unknown" },
                "redirectURL": "",
                "headersSize": -1,
                "bodySize": -1,
            },
            "cache": {},
            "timings": { "send": 0, "wait": time_ms, "receive": 0 },
        })
    });
    let har = json!({
        "log": {
            "version": "1.2",
            "creator": { "name": "loadgen", "version": env!("CARGO_PKG_VERSION") },
            "pages": [],
            "entries": entries.collect::<Vec<_>>(),
        }
    });
    serde_json::to_writer_pretty(&mut *out, &har)?;
    out.write_all(b"\n")
}

fn list(headers: &[(String, String)]) -> serde_json::Value {
    headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a HAR has seconds as a number with a fraction")]
fn seconds(ns: u64) -> f64 {
    (ns / 1_000) as f64 / 1e6
}

/// Returns a time since 1970 as ISO 8601 has it.
fn date(unix_ms: u64) -> String {
    let (days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    // The civil calendar by eras of 400 years that begin in March.
    let from_march = days + 719_468;
    let (era, day) = (from_march / 146_097, from_march % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    let (s, ms) = (ms / 1_000, ms % 1_000);
    let (hour, minute, s) = (s / 3_600, s / 60 % 60, s % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{s:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(entries: &str) -> String {
        format!(r#"{{"log":{{"version":"1.2","entries":[{entries}]}}}}"#)
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_735_689_599_001, "2024-12-31T23:59:59.001Z"),
        ] {
            assert_eq!(date(ms), text);
        }
    }

    #[test]
    fn messages_are_those_of_chromium_and_the_rest_is_skipped() {
        let entry = r#"{"request":{"url":"https://h/a?b=1","headers":[{"name":"Origin","value":"o"}],
            "cookies":[{"name":"sid","value":"1"},{"name":"x","value":"2"}]},
            "response":{"status":101},"_webSocketMessages":[
            {"type":"send","time":1700000000.25,"opcode":1,"data":"{\"a\":1}","mask":true},
            {"type":"receive","time":1700000000.5,"opcode":2,"data":"AAH/"},
            {"type":"receive","time":1700000000.5,"opcode":2,"data":"not base64!"},
            {"type":"error","time":1,"opcode":-1,"data":"gone"},
            {"type":"receive","time":1,"opcode":9,"data":""}]}"#;
        let page =
            r#"{"request":{"url":"https://h/"},"response":{"status":200,"content":{"text":"x"}}}"#;
        let recording = read(file(&format!("{page},{entry}")).as_bytes()).unwrap();
        let [connection] = &recording.connections[..] else { panic!() };
        assert_eq!(connection.url, "wss://h/a?b=1");
        let cookie = ("Cookie".to_owned(), "sid=1; x=2".to_owned());
        assert_eq!(connection.headers, [("Origin".into(), "o".into()), cookie]);
        let message = |at_ns, from, is_text, bytes: &[u8]| Message {
            at_ns,
            from,
            is_text,
            bytes: bytes.to_vec(),
        };
        assert_eq!(
            connection.messages,
            [
                message(1_700_000_000_250_000_000, Side::Client, true, br#"{"a":1}"#),
                message(1_700_000_000_500_000_000, Side::Server, false, &[0, 1, 255]),
            ]
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        let message = |at_ns, from, is_text, bytes: &[u8]| Message {
            at_ns,
            from,
            is_text,
            bytes: bytes.to_vec(),
        };
        let recording = Recording {
            connections: vec![Connection {
                url: "wss://h/a".into(),
                headers: vec![("Cookie".into(), "a=b".into())],
                answered: vec![("Sec-WebSocket-Protocol".into(), "mqtt".into())],
                messages: vec![
                    message(1_700_000_000_000_001_000, Side::Client, true, "é\"\n".as_bytes()),
                    message(1_700_000_001_000_000_000, Side::Server, false, &[0, 255]),
                ],
            }],
            is_cut: false,
        };
        let mut bytes = Vec::new();
        write(&recording, &mut bytes).unwrap();
        assert_eq!(read(&*bytes).unwrap(), recording);
    }

    #[test]
    fn what_is_no_har_is_said() {
        let upgrade = r#"{"request":{"url":"wss://h/"},"response":{"status":101}}"#;
        let page = r#"{"request":{"url":"https://h/"}}"#;
        for (text, why) in [
            ("", "it ends in the middle of its JSON"),
            ("GIF89a", "it is not a HAR: expected value at line 1"),
            ("[]", "it is not a HAR: "),
            ("{}", "it has no \"log\""),
            (r#"{"log":{"entries":7}}"#, "expected a list of entries"),
            (&file(page), "none of its 1 entries is a WebSocket"),
            (&file(&format!("{page},{upgrade}")), "1 of its 2 entries are WebSockets"),
            (&file(page)[..30], "it ends in the middle of its JSON"),
        ] {
            let said = read(text.as_bytes()).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
