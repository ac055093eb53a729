//! What the fuzz targets do with their input: plain functions, which `cargo test` runs over the
//! stored corpus too (`loadgen/tests/it/corpus.rs`). Each asserts what must hold for every input.

use std::borrow::Cow;
use std::sync::OnceLock;

use loadgen::index::ConnectionIndex;
use loadgen::recording::{self, Connection, har};
use loadgen::scenario::explain::explain;
use loadgen::scenario::feed::{Feed, Take};
use loadgen::scenario::flags::Flags;
use loadgen::scenario::pointer::Pointer;
use loadgen::scenario::unit::Framing;
use loadgen::scenario::user::{Event, Observer, Outgoing, Turn, User};
use loadgen::scenario::{self, Program};
use loadgen::{quantity, units};

/// Runs one input; panics if something does not hold.
pub type Body = fn(&[u8]);

/// Every body by its target's name.
pub const ALL: &[(&str, Body)] = &[
    ("pointer", pointer),
    ("message", message),
    ("scenario", scenario),
    ("framing", framing),
    ("feed", feed),
    ("quantity", quantity),
    ("har", har),
];

/// Most bytes that a user may want to send because of one message: captures are up to 64 KiB.
const ANSWER_LEN_MAX: usize = 1 << 20;

/// Splits an input at its first byte of `at`.
fn parts(data: &[u8], at: u8) -> (&[u8], &[u8]) {
    let place = data.iter().position(|&byte| byte == at).unwrap_or(data.len());
    (&data[..place], data.get(place + 1..).unwrap_or_default())
}

/// A JSON pointer, a zero byte, and a text that may be JSON: what is found lies in valid JSON as a
/// valid value, and what isn't JSON yields anything but a panic.
pub fn pointer(data: &[u8]) {
    let (typed, json) = parts(data, 0);
    let Ok(Ok(pointer)) = str::from_utf8(typed).map(Pointer::parse) else { return };
    assert_eq!(pointer.to_string().as_bytes(), typed);
    let Some(found) = pointer.find(json) else { return };
    let is_nested = typed.contains(&b'|');
    if !is_nested && serde_json::from_slice::<serde_json::Value>(json).is_ok() {
        let value = serde_json::from_slice::<serde_json::Value>(found.raw());
        let value = value.expect("a value of a valid text is valid");
        assert_eq!(value.is_string(), found.clone().text().is_some());
        if let Some(text) = value.as_str() {
            assert_eq!(found.content(), Cow::Borrowed(text.as_bytes()));
        }
    }
}

/// What users wait for, match and keep: every kind of test, place and framing.
const PROGRAM: &str = r#"
[connect]
json_after = '^\d+'
[reply]
id = "/id"
skip = { json = { "/more" = true } }
fail = { has = "/error" }
words = "/error/message"
[[on]]
name = "ping"
when = { exact = "2" }
send = "3"
[[on]]
name = "tick"
when = { json = { "/op" = "tick", "/n" = 1.5 } }
age = { json = "/ts", unit = "ms" }
seq = { json = "/seq", by = ["/channel"] }
capture = { last = "/a|/b", raw = { bytes = "1..3", as = "u16" } }
send = '{"got":"{last:json}","as":"{base64:raw}"}'
[[on]]
name = "stamped"
when = { contains = "stamp " }
stamp = true
[[on]]
name = "bytes"
when = { hex = "20 02", lacks = "/x" }
[[on]]
name = "regex"
when = { regex = '^[a-c]+(\d*)$' }
capture = { number = { regex = '(\d+)$' } }
send = "{number}"
[[begin]]
wait = { prefix = "0{" }
timeout = "1s"
[[step]]
name = "ask"
overlap = 4
send = '{"id":{id},"last":"{last:json}"}'
"#;

/// Counts messages and what took them: each is taken once.
#[derive(Debug, Default)]
struct Books {
    received: u64,
    taken: u64,
}

impl Observer for Books {
    fn observe(&mut self, event: Event<'_>) {
        self.taken += u64::from(match event {
            Event::Answered { is_message, .. } => is_message,
            Event::Failed { said, .. } => !said.is_empty(),
            Event::Late { .. } | Event::Again { .. } | Event::Rule { .. } | Event::Unmatched(_) => {
                true
            }
            _ => false,
        });
    }

    fn received(&mut self, _unit: &[u8]) {
        self.received += 1;
    }
}

/// Messages of a server, with 0xff between them, to a user of every kind of match.
pub fn message(data: &[u8]) {
    static PROGRAMS: OnceLock<Program> = OnceLock::new();
    let program =
        PROGRAMS.get_or_init(|| scenario::parse("fuzz", PROGRAM).expect("the program is right"));
    play(program, data.split(|&byte| byte == 0xff));
}

fn play<'m>(program: &Program, messages: impl Iterator<Item = &'m [u8]>) {
    let mut user = User::new(program, 1, ConnectionIndex(0), 0);
    let (mut out, mut books) = (Outgoing::default(), Books::default());
    let mut call = |now_ns: u64, books: &mut Books, user: &mut User, message: Option<&[u8]>| {
        let observer = books;
        let mut turn = Turn { program, seed: 1, now_ns, unix_ns: now_ns, out: &mut out, observer };
        match message {
            None if now_ns == 0 => user.open(&mut turn),
            None => user.wake(&mut turn),
            Some(bytes) => user.message(bytes, &mut turn),
        }
        if user.is_ready() && program.has_steps() {
            user.iterate(None, &mut turn);
        }
        let len: usize = turn.out.messages().map(|(_, bytes)| bytes.len()).sum();
        assert!(len <= ANSWER_LEN_MAX, "{len} bytes to send because of one message");
        turn.out.clear();
        user.writing(program, now_ns);
    };
    call(0, &mut books, &mut user, None);
    for (place, message) in messages.enumerate() {
        let now_ns = (1 + place as u64) * 100_000_000;
        let before = (books.received, books.taken);
        call(now_ns, &mut books, &mut user, Some(message));
        if program.connect.framing == Framing::Message && !message.is_empty() && !user.is_over() {
            assert_eq!(books.received - before.0, 1);
            assert!(books.taken - before.1 <= 1, "a message is taken once");
        }
        call(now_ns, &mut books, &mut user, None);
    }
}

/// The text of a scenario, and behind a byte 0xff messages to its user. What is wrong is said in
/// one line.
pub fn scenario(data: &[u8]) {
    let (text, messages) = parts(data, 0xff);
    let Ok(text) = str::from_utf8(text) else { return };
    match scenario::parse("fuzz", text) {
        Ok(program) => {
            assert!(!explain(&program).is_empty());
            play(&program, messages.split(|&byte| byte == 0xff).take(8));
        }
        Err(why) => assert!(!why.contains('\n') && !why.is_empty(), "{why:?}"),
    }
    // The same text as a flag.
    let on = vec![text.to_owned()];
    if let Err(why) = (Flags { on, ..Flags::default() }).program() {
        assert!(!why.contains('\n') && !why.is_empty(), "{why:?}");
    }
}

/// A framing, the sizes of reads, and bytes: the units are the same however STOMP and MQTT are cut,
/// and no framing makes more than there is.
pub fn framing(data: &[u8]) {
    let [kind, size, bytes @ ..] = data else { return };
    let framing = match kind % 6 {
        0 => Framing::Message,
        1 => Framing::Lines,
        2 => Framing::Separator(b"\x1e"[..].into()),
        3 => Framing::Stomp,
        4 => Framing::SockJs,
        _ => Framing::Mqtt,
    };
    let split = |len: usize| {
        let (mut units, mut partial) = (Vec::new(), Vec::new());
        for message in bytes.chunks(len.max(1)) {
            framing.split(message, &mut partial, |unit| units.push(unit.to_vec()));
        }
        (units, partial)
    };
    let (whole, left) = split(bytes.len());
    let len: usize = whole.iter().map(Vec::len).sum();
    // An escape that can't be read becomes U+FFFD, three bytes for two.
    let most = if framing == Framing::SockJs { bytes.len() * 3 / 2 } else { bytes.len() };
    assert!(len + left.len() <= most.max(1), "{len} of {}", bytes.len());
    if matches!(framing, Framing::Mqtt | Framing::Stomp) {
        let (cut, rest) = split(usize::from(*size));
        let is_unit = |unit: &&Vec<u8>| framing == Framing::Mqtt || unit[..] != *b"\n";
        // Behind a length that can't be, a message has one unit more, whatever is in it.
        let is_broken = |unit: &Vec<u8>| framing == Framing::Mqtt && !is_packet(unit);
        if let Some(place) = whole.iter().position(is_broken) {
            return assert!(whole[..place] == cut[..place] && is_broken(&cut[place]));
        }
        assert!(whole.iter().filter(is_unit).eq(cut.iter().filter(is_unit)));
        assert_eq!(left, rest);
    }
    let mut out = b"front".to_vec();
    out.extend_from_slice(bytes);
    framing.wrap(5, &mut out);
    assert!(out.starts_with(b"front"));
}

/// Checks whether bytes are a packet of MQTT: its kind, the length of what follows, and that.
fn is_packet(bytes: &[u8]) -> bool {
    let mut len = 0;
    for (place, &byte) in bytes.iter().skip(1).take(4).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return bytes.len() == 2 + place + len;
        }
    }
    false
}

/// Rows in CSV or JSON lines, by the first byte: each user gets a row with all columns.
pub fn feed(data: &[u8]) {
    let Some((kind, text)) = data.split_first() else { return };
    let Ok(text) = str::from_utf8(text) else { return };
    let name = if kind % 2 == 0 { "rows.csv" } else { "rows.jsonl" };
    let take = [Take::Each, Take::Cycle, Take::Random][usize::from(kind / 2 % 3)];
    match Feed::of_text(name, text, take) {
        Ok(feed) => {
            assert!(feed.rows() > 0 && !feed.columns.is_empty());
            for user in 0..feed.rows() as u64 + 2 {
                let row = feed.row(7, ConnectionIndex(user));
                assert!(row.cell(feed.columns.len()).is_empty());
            }
        }
        Err(why) => assert!(why.starts_with(name) && !why.contains('\n'), "{why:?}"),
    }
}

/// A number as it is typed: what is shown of it reads as the same again.
pub fn quantity(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Ok(span) = quantity::duration(text) {
        assert_eq!(quantity::duration(&quantity::typed(span)), Ok(span));
    }
    if let Ok(bytes) = quantity::size(text) {
        assert_eq!(quantity::size(&quantity::typed_size(bytes)), Ok(bytes));
    }
    if let Ok(count) = quantity::count(text) {
        assert_eq!(quantity::count(&units::count(count)), Ok(count));
    }
    if let Ok(rate) = quantity::rate(text) {
        assert!(rate.per_1000_s() > 0);
    }
}

/// A HAR file: it is refused in one line, or each of its connections becomes a scenario that can be
/// read; and what is written of it is read as the same again.
pub fn har(data: &[u8]) {
    let found = match har::read(data) {
        Ok(found) => found,
        Err(why) => return assert!(!why.contains('\n') && !why.is_empty(), "{why:?}"),
    };
    for connection in &found.connections {
        let draft = recording::draft(connection, None);
        if let Err(why) = scenario::parse("fuzz", &draft.toml) {
            panic!("{why}\n{}", draft.toml);
        }
        // No secret is in the scenario's own file, whether there is a feed or not.
        let with_feed = recording::draft(connection, Some("users.csv"));
        assert_eq!(with_feed.feed.is_some(), !with_feed.columns.is_empty());
    }
    let mut written = Vec::new();
    har::write(&found, &mut written).expect("memory takes all");
    // A connection without messages is none to an importer.
    if found.connections.iter().any(|connection| !connection.messages.is_empty()) {
        let again = har::read(&*written).expect("what is written can be read");
        let kept = found.connections.iter().filter(|connection| !connection.messages.is_empty());
        assert!(kept.map(without_times).eq(again.connections.iter().map(without_times)));
    }
}

/// Returns a connection but for its times, which a HAR has as fractions of seconds.
fn without_times(connection: &Connection) -> impl PartialEq + use<> {
    let messages = connection.messages.iter();
    let messages: Vec<_> =
        messages.map(|message| (message.from, message.is_text, message.bytes.clone())).collect();
    (connection.url.clone(), connection.headers.clone(), connection.answered.clone(), messages)
}
