//! Users driven by scripts of calls.

use super::super::file::tests::program;
use super::*;

/// The events, a line each.
#[derive(Default)]
struct Log(Vec<String>);

impl Observer for Log {
    fn observe(&mut self, event: Event<'_>) {
        self.0.push(match event {
            Event::Begun { measure } => format!("begun {measure}"),
            Event::Answered { measure, service_ns, .. } => {
                format!("ok {measure} {}", service_ns.map_or("-".into(), |ns| ns.to_string()))
            }
            Event::Failed { measure, fault, said } => {
                format!("{fault:?} {measure} {}", String::from_utf8_lossy(said))
            }
            Event::Late { measure } => format!("late {measure}"),
            Event::Again { measure } => format!("again {measure}"),
            Event::Rule { rule, age_ns, order, .. } => format!("rule {rule} {age_ns:?} {order:?}"),
            Event::Unmatched(said) => format!("unmatched {}", String::from_utf8_lossy(said)),
            Event::Ready => "ready".into(),
            Event::Refused => "refused".into(),
            Event::Iterated { due_ns, first_ns, is_complete, .. } => {
                format!("iterated {due_ns:?} {first_ns:?} {is_complete}")
            }
        });
    }
}

/// A user and its surroundings, driven by a script of calls.
struct Stage {
    program: Program,
    user: User,
    out: Outgoing,
    log: Log,
    now_ns: u64,
}

impl Stage {
    fn new(text: &str) -> Self {
        let program = program(text).unwrap();
        let user = User::new(&program, 1, ConnectionIndex(3), 1_000);
        Self { program, user, out: Outgoing::default(), log: Log::default(), now_ns: 0 }
    }

    /// Calls the user at a time; returns what it sends, and the events.
    fn at(
        &mut self,
        now_ns: u64,
        call: impl FnOnce(&mut User, &mut Turn<'_, Log>),
    ) -> (Vec<String>, Vec<String>) {
        self.now_ns = now_ns;
        let mut turn = Turn {
            program: &self.program,
            seed: 1,
            now_ns,
            unix_ns: 1_000 + now_ns,
            out: &mut self.out,
            observer: &mut self.log,
        };
        call(&mut self.user, &mut turn);
        let shown = |(_, bytes): (bool, &[u8])| String::from_utf8_lossy(bytes).into_owned();
        let mut sent: Vec<_> = self.out.messages().map(shown).collect();
        sent.extend(self.out.close.map(|code| format!("close {code}")));
        self.out.clear();
        self.user.writing(&self.program, now_ns);
        (sent, std::mem::take(&mut self.log.0))
    }

    fn says(&mut self, now_ns: u64, text: &str) -> (Vec<String>, Vec<String>) {
        self.at(now_ns, |user, turn| user.message(text.as_bytes(), turn))
    }
}

fn strings(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|&line| line.to_owned()).collect()
}

const ECHO: &str = "[reply]\nid = \"/id\"\nfail = { has = \"/error\" }\n\
    [[on]]\nname = \"push\"\nwhen = { has = \"/push\" }\n\
    [[step]]\nname = \"ask\"\nsend = '{\"id\":{id},\"v\":\"{v}\"}'\ncapture = { v = \"/v\" }\n\
    timeout = \"1ms\"\n";

#[test]
fn a_reply_is_the_message_with_its_id_whatever_comes_between() {
    let mut stage = Stage::new(ECHO);
    let (sent, happened) = stage.at(0, User::open);
    assert_eq!((sent, happened), (vec![], strings(&["ready"])));
    let (sent, happened) = stage.at(10, |user, turn| user.iterate(Some(5), turn));
    assert_eq!(sent, [r#"{"id":1,"v":""}"#]);
    assert_eq!(happened, ["begun 0"]);
    for (text, event) in [
        (r#"{"push":1}"#, "rule 0 None Unknown"),
        (r#"{"id":2,"v":"no"}"#, r#"unmatched {"id":2,"v":"no"}"#),
        ("nonsense", "unmatched nonsense"),
    ] {
        assert_eq!(stage.says(20, text), (vec![], strings(&[event])), "{text}");
    }
    let (_, happened) = stage.says(30, r#"{"v":"x","id":1}"#);
    assert_eq!(happened, ["ok 0 20", "iterated Some(5) Some(10) true"]);
    assert_eq!(stage.says(31, r#"{"v":"x","id":1}"#).1, ["again 0"]);
    // The captured value is in the next message.
    let (sent, _) = stage.at(40, |user, turn| user.iterate(None, turn));
    assert_eq!(sent, [r#"{"id":2,"v":"x"}"#]);
}

/// A user whose requests overlap, with so many of them begun 10 ns apart.
fn overlapping(program: &str, begun: u64) -> Stage {
    let mut stage = Stage::new(program);
    stage.at(0, User::open);
    for n in 0..begun {
        assert!(stage.user.is_ready());
        stage.at(10 * n, |user, turn| user.iterate(Some(n), turn));
    }
    stage
}

const OVERLAP: &str = "[reply]\nid = \"/id\"\nfail = { has = \"/error\" }\n\
    [[step]]\nname = \"ask\"\nsend = '{\"id\":{id},\"n\":{iter}}'\noverlap = 3\ntimeout = \"1ms\"\n";

#[test]
fn requests_overlap_and_are_answered_in_any_order() {
    let mut stage = overlapping(OVERLAP, 3);
    assert!(!stage.user.is_ready());
    assert_eq!((stage.user.running(), stage.user.next_ns()), (3, 1_000_000));
    let (_, happened) = stage.says(50, r#"{"id":2}"#);
    assert_eq!(happened, ["ok 0 40", "iterated Some(1) Some(10) true"]);
    assert!(stage.user.is_ready());
    assert_eq!(stage.says(51, r#"{"id":2}"#).1, ["again 0"]);
    assert_eq!(stage.says(51, r#"{"id":4}"#).1, [r#"unmatched {"id":4}"#]);
    let (sent, _) = stage.at(60, |user, turn| user.iterate(Some(3), turn));
    assert_eq!(sent, [r#"{"id":4,"n":3}"#]);
    let (_, happened) = stage.says(70, r#"{"id":3,"error":1}"#);
    assert_eq!(happened, [r#"Refused 0 {"id":3,"error":1}"#, "iterated Some(2) Some(20) false"]);
    // Answers don't make the time of the next look later; it finds the one that is overdue.
    let (_, happened) = stage.at(1_000_000, User::wake);
    assert_eq!(happened, ["TimedOut 0 ", "iterated Some(0) Some(0) false"]);
    assert_eq!(stage.user.next_ns(), 1_000_060);
    assert_eq!(stage.says(1_000_001, r#"{"id":1}"#).1, ["late 0"]);
    assert_eq!(stage.at(1_000_010, User::lost).1, ["Lost 0 "]);
    assert_eq!(stage.user.running(), 0);
}

#[test]
fn a_number_in_flight_is_not_used_again() {
    let program = "[reply]\nid = { bytes = \"0..1\", as = \"u8\" }\n\
        [[step]]\nbytes = [{ u8 = \"{id}\" }]\noverlap = 3\n";
    let mut stage = overlapping(program, 1);
    for id in 2..=255 {
        stage.at(0, |user, turn| user.iterate(None, turn));
        assert_eq!(stage.at(0, |user, turn| user.message(&[id], turn)).1[0], "ok 0 0", "{id}");
    }
    // The first is still to be answered when numbers begin again.
    let (sent, _) = stage.at(0, |user, turn| user.iterate(None, turn));
    assert_eq!(sent, ["\u{2}"]);
    assert_eq!(stage.at(7, |user, turn| user.message(&[1], turn)).1[0], "ok 0 7");
}

#[test]
fn names_of_text_are_told_apart() {
    let program = "[reply]\nid = \"/ref\"\nas = \"{conn}-{id}\"\n\
        [[step]]\nsend = '{\"ref\":\"{conn}-{id}\"}'\noverlap = 2\n";
    let mut stage = overlapping(program, 2);
    assert_eq!(stage.says(20, r#"{"ref":"3-3"}"#).1, [r#"unmatched {"ref":"3-3"}"#]);
    assert_eq!(stage.says(20, r#"{"ref":"3-2"}"#).1[0], "ok 0 10");
    assert_eq!(stage.says(20, r#"{"ref":"3-1"}"#).1[0], "ok 0 20");
}

#[test]
fn a_choice_of_requests_overlaps_too() {
    let program = "[reply]\nid = \"/id\"\n[[step]]\nchoose = { ask = 1, tell = 1 }\noverlap = 8\n\
        [[flow.ask]]\nname = \"ask\"\nsend = '{\"id\":{id}}'\n[[flow.tell]]\nname = \"tell\"\nsend = \"x\"\n";
    let mut stage = Stage::new(program);
    stage.at(0, User::open);
    let mut over = 0;
    for _ in 0..100 {
        if !stage.user.is_ready() {
            break;
        }
        let (_, happened) = stage.at(5, |user, turn| user.iterate(None, turn));
        over += happened.iter().filter(|event| event.starts_with("iterated")).count();
    }
    assert_eq!(stage.user.running(), 8, "what waits for nothing is over at once: {over}");
}

#[test]
fn wrong_missing_and_late_answers_are_told_apart() {
    let mut stage = Stage::new(ECHO);
    stage.at(0, User::open);
    stage.at(0, |user, turn| user.iterate(None, turn));
    let (_, happened) = stage.says(1, r#"{"id":1,"error":"no"}"#);
    assert_eq!(happened, [r#"Refused 0 {"id":1,"error":"no"}"#, "iterated None Some(0) false"]);
    stage.at(2, |user, turn| user.iterate(None, turn));
    let (_, happened) = stage.says(3, r#"{"id":2}"#);
    assert_eq!(happened[0], r#"NoCapture 0 {"id":2}"#);
    stage.at(10, |user, turn| user.iterate(None, turn));
    assert_eq!(stage.user.next_ns(), 1_000_010);
    assert_eq!(stage.at(1_000_009, User::wake).1, [""; 0]);
    let (_, happened) = stage.at(1_000_010, User::wake);
    assert_eq!(happened, ["TimedOut 0 ", "iterated None Some(10) false"]);
    assert_eq!(stage.says(1_000_020, r#"{"id":3,"v":""}"#).1, ["late 0"]);
    stage.at(1_000_030, |user, turn| user.iterate(None, turn));
    assert_eq!(stage.at(1_000_040, User::lost).1, ["Lost 0 "]);
    assert!(stage.user.is_over() && stage.user.next_ns() == u64::MAX);
}

#[test]
fn a_wrong_reply_is_shown_by_its_words() {
    let words = ECHO.replace("[[on]]", "words = \"/error/why\"\n[[on]]");
    for (text, said) in [
        (r#"{"id":1,"error":{"why":"not today"}}"#, "not today"),
        (r#"{"id":1,"error":5}"#, r#"{"id":1,"error":5}"#),
    ] {
        let mut stage = Stage::new(&words);
        stage.at(0, User::open);
        stage.at(0, |user, turn| user.iterate(None, turn));
        assert_eq!(stage.says(1, text).1[0], format!("Refused 0 {said}"));
    }
}

#[test]
fn an_error_that_names_no_request_is_about_the_one_that_waits() {
    for (text, event) in [
        (r#"{"error":"no"}"#, r#"Refused 0 {"error":"no"}"#),
        (r#"{"id":null,"error":"no"}"#, r#"Refused 0 {"id":null,"error":"no"}"#),
        (r#"{"id":7,"error":"no"}"#, r#"unmatched {"id":7,"error":"no"}"#),
    ] {
        let mut stage = Stage::new(ECHO);
        stage.at(0, User::open);
        stage.at(0, |user, turn| user.iterate(None, turn));
        assert_eq!(stage.says(1, text).1[0], event);
    }
}

#[test]
fn begin_expects_before_it_fails_and_a_refused_user_closes() {
    const LOGIN: &str = "[[begin]]\nname = \"login\"\nsend = \"hello\"\n\
        expect = { exact = \"20 ok\" }\nfail = { prefix = \"20\" }\n";
    let mut stage = Stage::new(LOGIN);
    assert_eq!(stage.at(0, User::open).0, ["hello"]);
    assert_eq!(stage.says(7, "20 ok").1, ["ok 0 7", "ready"]);
    let mut stage = Stage::new(LOGIN);
    stage.at(0, User::open);
    let (sent, happened) = stage.says(7, "20 no");
    assert_eq!(
        (sent, happened),
        (strings(&["close 1000"]), strings(&["Refused 0 20 no", "refused"]))
    );
    assert!(stage.user.is_over());
}

#[test]
fn a_wait_looks_from_the_end_of_the_step_before_it() {
    let mut stage = Stage::new(
        "[[step]]\nname = \"a\"\nsend = \"go\"\nexpect = { exact = \"done\" }\n\
         [[step]]\npause = \"1ms\"\n[[step]]\nname = \"b\"\nwait = { exact = \"news\" }\n",
    );
    stage.at(0, User::open);
    stage.at(0, |user, turn| user.iterate(None, turn));
    stage.says(10, "done");
    assert_eq!(stage.says(60, "news").1, [""; 0]);
    let (_, happened) = stage.at(1_000_010, User::wake);
    assert_eq!(happened, ["begun 1", "ok 1 50", "iterated None Some(0) true"]);
}

#[test]
fn heartbeats_are_answered_and_sent_whatever_the_user_is_at() {
    let mut stage = Stage::new(
        "[[on]]\nname = \"ping\"\nwhen = { exact = \"2\" }\nsend = \"3\"\n\
         [[every]]\ninterval = \"5ms\"\nsend = \"tick\"\n[[step]]\npause = \"1s\"\n",
    );
    stage.at(0, User::open);
    assert_eq!(stage.user.next_ns(), 5_000_000);
    stage.at(0, |user, turn| user.iterate(None, turn));
    assert_eq!(stage.says(1, "2").0, ["3"]);
    assert_eq!(stage.at(5_000_001, User::wake).0, ["tick"]);
    assert_eq!(stage.user.next_ns(), 10_000_001);
}

#[test]
fn flows_are_chosen_by_weight_and_repeated() {
    let mut stage = Stage::new(
        "[[step]]\nchoose = { a = 3, b = 1 }\ntimes = 1000\n\
         [[flow.a]]\nsend = \"a\"\n[[flow.b]]\ndo = \"c\"\n[[flow.c]]\nsend = \"c\"\ntimes = 2\n",
    );
    stage.at(0, User::open);
    let (mut sent, _) = stage.at(0, |user, turn| user.iterate(None, turn));
    let mut turns = 0;
    while !stage.user.is_ready() {
        sent.extend(stage.at(stage.now_ns, User::wake).0);
        turns += 1;
        assert!(turns < 1_000);
    }
    let (a, c) = (sent.iter().filter(|text| *text == "a").count(), sent.len());
    // Six standard deviations.
    assert!((668..832).contains(&a), "{a}");
    assert_eq!(a + (c - a) / 2, 1_000);
}

#[test]
fn stamps_and_sequences_show_age_and_gaps() {
    let mut stage = Stage::new(
        "[[on]]\nname = \"chat\"\nwhen = { prefix = \"m\" }\nstamp = true\n\
         [[on]]\nname = \"tick\"\nwhen = { has = \"/n\" }\nage = { json = \"/t\", unit = \"ns\" }\n\
         seq = { json = \"/n\", by = [\"/c\"] }\n",
    );
    stage.at(0, User::open);
    for (text, event) in [
        ("m stamp 7 4 1100 ", "rule 0 Some(400) InOrder"),
        ("m stamp 7 7 1100 ", "rule 0 Some(400) Gap(2)"),
        ("m stamp 7 6 9100 ", "rule 0 None Behind"),
        (r#"{"n":5,"c":"x","t":1499}"#, "rule 1 Some(1) InOrder"),
        (r#"{"n":1,"c":"y","t":1499}"#, "rule 1 Some(1) InOrder"),
        (r#"{"n":6,"c":"x"}"#, "rule 1 None InOrder"),
    ] {
        assert_eq!(stage.says(500, text).1, [event], "{text}");
    }
}

#[test]
fn end_comes_after_what_is_cut() {
    let mut stage = Stage::new(&format!("{ECHO}[[end]]\nsend = \"bye\"\n[[end]]\nclose = 3000\n"));
    stage.at(0, User::open);
    stage.at(0, |user, turn| user.iterate(None, turn));
    let (sent, happened) = stage.at(9, User::finish);
    assert_eq!(sent, ["bye", "close 3000"]);
    assert_eq!(happened[0], "Lost 0 ");
    assert!(stage.user.is_over());
}

/// What is captured is bounded, and a value that is too long is as good as none.
#[test]
fn a_value_that_is_too_long_is_not_kept() {
    let mut stage = Stage::new(ECHO);
    stage.at(0, User::open);
    for (len, event) in [(1 << 16, "ok 0 0"), ((1 << 16) + 1, "NoCapture 0 ")] {
        let (sent, _) = stage.at(0, |user, turn| user.iterate(None, turn));
        let id: u64 = if len == 1 << 16 { 1 } else { 2 };
        assert!(sent[0].starts_with(&format!(r#"{{"id":{id},"#)), "{}", &sent[0][..20]);
        let said = format!(r#"{{"id":{id},"v":"{}"}}"#, "x".repeat(len));
        assert!(stage.says(0, &said).1[0].starts_with(event), "{len}");
    }
    assert!(stage.user.slots.iter().all(|slot| slot.len() <= 1 << 16));
}

#[test]
fn a_reply_of_64_mib_or_100_000_levels_is_a_reply() {
    let mut stage = Stage::new(ECHO);
    stage.at(0, User::open);
    let large = "x".repeat(64 << 20);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (id, other) in (1..).zip([format!("\"{large}\""), deep.clone()]) {
        stage.at(0, |user, turn| user.iterate(None, turn));
        let (_, happened) = stage.says(0, &format!(r#"{{"other":{other},"id":{id},"v":"1"}}"#));
        assert_eq!(happened[0], "ok 0 0", "{id}");
    }
    // One that never ends is none, and takes no stack.
    stage.at(0, |user, turn| user.iterate(None, turn));
    let (_, happened) = stage.says(0, &"[".repeat(100_000));
    assert!(happened[0].starts_with("unmatched ["), "{}", &happened[0][..20]);
}

#[test]
fn text_that_is_no_utf_8_is_matched_byte_by_byte() {
    let mut stage = Stage::new(ECHO);
    stage.at(0, User::open);
    stage.at(0, |user, turn| user.iterate(None, turn));
    let bytes = b"{\"\xff\":\"\xc3\",\"id\":1,\"v\":\"\xff\xfe\"}";
    let (_, happened) = stage.at(0, |user, turn| user.message(bytes, turn));
    assert_eq!(happened[0], "ok 0 0");
    assert_eq!(*stage.user.slots[0], *b"\xff\xfe");
}

#[test]
fn floods_leave_nothing_behind() {
    let mut stage = overlapping(OVERLAP, 3);
    for n in 0..20_000_u64 {
        let (_, happened) = stage.says(40, &format!(r#"{{"id":{}}}"#, 1_000 + n));
        assert!(happened[0].starts_with("unmatched"), "{happened:?}");
    }
    assert_eq!(stage.says(50, r#"{"id":1}"#).1[0], "ok 0 50");
    for _ in 0..20_000 {
        assert_eq!(stage.says(50, r#"{"id":1}"#).1, ["again 0"]);
    }
    // Requests that are never answered make room by their timeout, and are forgotten in turn.
    let mut now_ns = 1_000_000;
    for _ in 0..1_000 {
        now_ns += 2_000_000;
        let (_, happened) = stage.at(now_ns, User::wake);
        assert!(happened.iter().all(|event| !event.starts_with("ok")), "{happened:?}");
        while stage.user.is_ready() {
            stage.at(now_ns, |user, turn| user.iterate(None, turn));
        }
        assert_eq!(stage.user.running(), 3);
    }
    assert!(stage.says(now_ns, r#"{"id":1}"#).1[0].starts_with("unmatched"));
}

#[test]
fn an_iteration_that_pauses_for_too_long_is_given_up() {
    let mut stage = Stage::new("[[step]]\npause = \"50us\"\n[[step]]\nsend = 'x'\n");
    stage.at(0, User::open);
    assert!(!stage.user.rest(0), "it is in no iteration");
    stage.at(10, |user, turn| user.iterate(None, turn));
    assert!(!stage.user.rest(50_010) && stage.user.running() == 1);
    assert!(stage.user.rest(50_009) && stage.user.is_ready() && stage.user.running() == 0);
    assert_eq!(stage.at(50_010, User::wake).0, [""; 0], "what is behind the pause is not sent");
    let (sent, _) = stage.at(60_000, |user, turn| user.iterate(None, turn));
    assert!(sent.is_empty() && stage.at(110_000, User::wake).0 == ["x"]);
}

#[test]
fn channels_without_end_are_followed_up_to_a_bound() {
    let mut stage = Stage::new(
        "[[on]]\nname = \"tick\"\nwhen = { has = \"/n\" }\nseq = { json = \"/n\", by = [\"/c\"] }\n",
    );
    stage.at(0, User::open);
    for channel in 0..6_000 {
        let (_, happened) = stage.says(0, &format!(r#"{{"n":{},"c":{channel}}}"#, u64::MAX));
        assert_eq!(happened, ["rule 0 None InOrder"]);
    }
    assert_eq!(stage.says(0, r#"{"n":1,"c":0}"#).1, ["rule 0 None Behind"]);
    assert_eq!(stage.says(0, r#"{"n":18446744073709551616,"c":0}"#).1, ["rule 0 None Unknown"]);
}
