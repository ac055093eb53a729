//! Scenario files, right and wrong.

use std::fs;

use super::*;
use crate::index::ConnectionIndex;

pub(in super::super) fn program(text: &str) -> Result<Program, String> {
    let documents = with_preset(Document::parse("a.toml", text, Path::new("."))?)?;
    Reader { documents: &documents, users: 1 }.program(&[])
}

const CHAT: &str = r#"
use = "socket.io"
[connect]
url = "ws://127.0.0.1:7001/socket.io/?EIO=4&transport=websocket"
[vars]
auth = '{{"token":"t-{conn}"}'
room = "r{conn:5}"
[[begin]]
name    = "join"
ask     = { event = "join", args = '"{room}"' }
capture = { me = "/0/user" }
[[on]]
name  = "chat"
when  = { prefix = '42["chat"' }
stamp = true
[[step]]
pause = "100ms..300ms"
[[step]]
choose = { ask = 4, chat = 1 }
[[flow.ask]]
name = "ask"
ask  = { event = "ask", args = '{{"n":{iter},"by":"{me}"}' }
[[flow.chat]]
name = "chat"
ask  = { event = "chat", args = '"{room}","{stamp}"' }
"#;

#[test]
fn a_preset_is_merged_under_the_file() {
    let program = program(CHAT).unwrap();
    let names = |block: usize| {
        let steps = program.blocks[block].steps.iter();
        steps
            .map(|step| step.measure.map_or("", |measure| &program.measures[measure]))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(BEGIN), ["engine.open", "socket.connect", "join"]);
    assert_eq!((names(STEP), names(STEP + 1)), (vec!["", ""], vec!["ask"]));
    let rules: Vec<_> = program.rules.iter().map(|rule| &*rule.name).collect();
    assert_eq!(rules, ["chat", "engine.ping", "event"]);
    let Action::Exchange(join) = &program.blocks[BEGIN].steps[2].action else { panic!() };
    assert!(matches!(join.until, Until::Reply) && join.body.as_ref().unwrap().has_id());
    let Action::Choose(choice) = &program.blocks[STEP].steps[1].action else { panic!() };
    assert_eq!(choice[..], [(STEP + 1, 4), (STEP + 2, 1)]);
    assert_eq!(program.slots, ["auth", "room", "me"]);
}

#[test]
fn roles_take_turns() {
    let program =
        program("[roles]\nreader = 2\nwriter = 1\n[[flow.reader]]\npause = \"1s\"\n[[flow.writer]]\nsend = \"x\"")
            .unwrap();
    let roles: Vec<_> = (0..6).map(|user| program.role_of(ConnectionIndex(user)) - STEP).collect();
    assert_eq!(roles, [1, 1, 2, 1, 1, 2]);
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    for (text, said) in [
        ("x = ", "a.toml:1: "),
        ("\nsteps = []", "a.toml:2: a scenario has no \"steps\"; write step"),
        ("[[step]]\nsned = \"x\"", "a.toml:2: a step has no \"sned\"; write send"),
        ("[[step]]\nname = \"a\"", "a.toml:1: a step does nothing; give it one of send"),
        ("[[step]]\nsend = \"a\"\npause = \"1s\"", "has both send and pause"),
        ("[[step]]\nsend = \"{tokn}\"", "a.toml:2: unknown placeholder {tokn}"),
        ("[[step]]\nsend = 5", "a.toml:2: send is a plain value; write text in quotes"),
        ("[[step]]\npause = \"1x\"", "a.toml:2: pause = \"1x\""),
        ("[[step]]\npause = \"2s..1s\"", "write the shorter one first"),
        ("[[step]]\nwait = \"x\"", "a.toml:2: a match is a table such as"),
        ("[[step]]\nwait = { exact = \"{conn}\" }", "a match has no placeholders"),
        ("[[step]]\nwait = { json = { \"a\" = 1 } }", "\"a\" is not a JSON pointer"),
        ("[[step]]\nwait = { regex = \"(\" }", "is not a regular expression"),
        ("[[step]]\nsend = \"x\"\nreply = true", "add [reply] with id"),
        ("[reply]\nid = \"/id\"\n[[step]]\nsend = \"x\"\nreply = true", "put {id} into"),
        ("[[step]]\nsend = \"x\"\ntimeout = \"1s\"", "needs an answer to wait for"),
        ("[[step]]\nchoose = { a = 1 }", "there is no flow \"a\"; add [[flow.a]]"),
        ("[[step]]\ndo = \"a\"\n[[flow.a]]\ndo = \"a\"", "leads back to itself"),
        ("[[step]]\nbytes = [{ hex = \"2\" }]", "is not hex"),
        ("[[step]]\nclose = 1005", "1005 may not be sent"),
        ("use = \"socketio\"", "write \"socket.io\""),
        ("[connect]\nframing = \"line\"", "framing = \"line\"; use \"message\""),
        ("[feed]\nfile = \"/no/such.csv\"", "a.toml:2: /no/such.csv can't be read"),
        ("[feed]\ntake = \"each\"", "[feed] needs file = \"….csv\", or command"),
        ("[feed]\nfile = \"a.csv\"\ncommand = \"a\"", "a.toml:3: [feed] has both"),
        (
            "[feed]\ncommand = \"echo no token >&2; exit 7\"",
            "a.toml:2: \"echo no token >&2; exit 7\" exited with 7; it says: no token",
        ),
        ("[feed]\ncommand = \"echo 1\"", "a.toml:2: echo 1:1: not a JSON object"),
        ("[feed]\ncommand = \"true\"", "a.toml:2: true has no rows"),
        ("[feed]\ntimeout = \"1s\"\nfile = \"a.csv\"", "timeout is for a command"),
        ("[[on]]\nname = \"a\"", "[[on]] needs when"),
        ("[[on]]\nwhen = { exact = \"a\" }\nfail = \"a\"", "fail is true or false"),
        ("[[on]]\nwhen = { exact = \"a\" }\nname = \"a b\"", "use up to 40 letters"),
        ("[[every]]\nsend = \"a\"", "[[every]] needs interval"),
        ("[[every]]\ninterval = \"{beat}\"", "add beat = \"20s\" to [vars]"),
        ("[vars]\nx = \"a\"\n[[every]]\ninterval = \"{x}\"", "a.toml:2: x = \"a\": not a time"),
        ("[roles]\na = 1", "there is no flow \"a\""),
        ("[[step]]\nsend = \"a\"\noverlap = 0", "a.toml:3: overlap is 1 to"),
        (
            "[[step]]\nsend = \"a\"\noverlap = 2\n[[step]]\nsend = \"b\"",
            "a.toml:3: overlap is for iterations of one step",
        ),
        (
            "[[step]]\nsend = \"a\"\nexpect = { exact = \"b\" }\noverlap = 2",
            "a.toml:4: overlap is for one request with a reply",
        ),
        (
            "[[step]]\nchoose = { a = 1 }\noverlap = 2\n[[flow.a]]\npause = \"1s\"",
            "overlap is for one request with a reply",
        ),
        (
            "[reply]\nid = \"/id\"\nas = \"x\"\n[[step]]\nsend = \"{id}\"\noverlap = 2",
            "a reply that names it by {id}",
        ),
        ("use = \"socket.io\"\n[[step]]\nask = { event = \"a\" }", "ask needs args"),
        (
            "use = \"socket.io\"\n[[step]]\nask = { event = \"a\", args = \"\", x = 1 }",
            "ask has no \"x\"",
        ),
    ] {
        let why = program(text).unwrap_err();
        assert!(why.contains(said), "{text}: {why}");
        assert!(!why.contains('\n'), "{text}: {why}");
    }
}

#[test]
fn rows_may_be_what_a_command_prints() {
    let read = program(
        "[feed]\ncommand = 'echo \"{\\\"user\\\":\\\"$LOADGEN_USERS\\\",\\\"n\\\":2}\"'\n\
         [[step]]\nsend = \"{user} {n}\"\n",
    );
    let feed = read.unwrap().feed.unwrap();
    let cells: Vec<_> = (0..2).map(|column| feed.row(1, ConnectionIndex(0)).cell(column)).collect();
    assert!(cells.contains(&&b"1"[..]) && cells.contains(&&b"2"[..]), "{cells:?}");
}

#[test]
fn a_variable_may_hold_an_interval() {
    let interval = |set: &[(&str, &str)]| {
        let set: Vec<_> =
            set.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        read("mqtt", &set).map(|program| program.ticks[0].interval_ns)
    };
    assert_eq!(interval(&[]), Ok(25_000_000_000));
    assert_eq!(interval(&[("heartbeat", "500ms")]), Ok(500_000_000));
    let why = interval(&[("heartbeat", "soon")]).unwrap_err();
    assert!(why.starts_with("--set heartbeat: ") && why.contains("not a time"), "{why}");
}

#[test]
fn a_column_fills_the_variable_of_a_preset() {
    let folder = std::env::temp_dir().join(format!("loadgen-column-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("users.csv"), "user,password\nann,a\nbob,b\n").unwrap();
    let file = folder.join("a.toml");
    let connect = |vars: &str, set: &[(String, String)]| {
        let text = format!("use = \"mqtt\"\n[feed]\nfile = \"users.csv\"\n{vars}");
        fs::write(&file, text).unwrap();
        let program = read(file.to_str().unwrap(), set).unwrap();
        let Action::Exchange(connect) = &program.blocks[BEGIN].steps[0].action else { panic!() };
        let slots = program.slots_of(1, ConnectionIndex(1), 0);
        let mut bytes = Vec::new();
        connect
            .body
            .as_ref()
            .unwrap()
            .render(&program.opening(1, ConnectionIndex(1), 0, &slots), &mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    assert!(connect("", &[]).ends_with("\u{0}\u{3}bob\u{0}\u{1}b"));
    assert!(connect("[vars]\nuser = \"x-{user}\"", &[]).contains("\u{0}\u{5}x-bob"));
    let set = [("user".to_owned(), "eve".to_owned())];
    assert!(connect("", &set).contains("\u{0}\u{3}eve"));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn set_fills_a_variable_that_exists() {
    let set = |name: &str| [(name.to_owned(), "eth_blockNumber".to_owned())];
    assert!(read("json-rpc", &set("method")).is_ok());
    let plain = read("json-rpc", &[]).unwrap().digest;
    assert_ne!(read("json-rpc", &set("method")).unwrap().digest, plain);
    let why = read("json-rpc", &set("metod")).unwrap_err();
    assert!(why.contains("there are method, params"), "{why}");
}
