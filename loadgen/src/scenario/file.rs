//! Reads a scenario file, and the preset that it uses, into a [`Program`].
//!
//! A preset is merged under the file: its `[[begin]]` comes before the file's, its `[[end]]` and
//! `[[on]]` after, and for single values the file's own win.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::feed::{Feed, Take};
use super::matcher::Pick;
use super::node::Node;
use super::step::{self, Names, matcher, name_of, pattern, pick};
use super::text::{Scope, Text};
use super::unit::Framing;
use super::{
    Action, BEGIN, Block, Connect, END, Program, Reply, Role, Rule, STEP, Tick, Unmatched, preset,
};

/// Most bytes of a scenario file.
const FILE_LEN_MAX: u64 = 1 << 20;
/// How deeply flows may be nested.
pub(crate) const DEPTH_MAX: usize = 4;
/// Most rules of a scenario; each that measures has a histogram of 254 KB a thread.
const RULES_MAX: usize = 64;

const KEYS: [&str; 13] = [
    "use",
    "unmatched",
    "connect",
    "feed",
    "vars",
    "roles",
    "reply",
    "on",
    "every",
    "begin",
    "step",
    "end",
    "flow",
];

/// A document, and the folder in which the files it names are looked for.
struct Document {
    root: Node,
    folder: PathBuf,
}

/// Reads the file or the preset that `name` names; `set` replaces variables.
///
/// # Errors
/// One line: the file, the line in it, what is wrong there, and what to write instead.
pub fn read(name: &str, set: &[(String, String)]) -> Result<Program, String> {
    let (documents, texts) = documents(name)?;
    let mut digest = digest(&texts);
    for (name, value) in set {
        digest = fnv(fnv(digest, name.as_bytes()), value.as_bytes());
    }
    let mut program = Reader { documents: &documents }.program(set)?;
    program.digest = digest;
    name.clone_into(&mut program.name);
    Ok(program)
}

/// Returns the file's own document, then those of presets.
fn documents(name: &str) -> Result<(Vec<Document>, Vec<String>), String> {
    let (first, text) = if let Some(text) = preset::text(name) {
        (Document::parse(name, text, Path::new("."))?, text.to_owned())
    } else {
        let path = Path::new(name);
        let text = contents(path).map_err(|why| preset::no_file(name, &why))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        (Document::parse(name, &text, folder)?, text)
    };
    let (mut documents, mut texts) = (vec![first], vec![text]);
    if let Some(used) = documents[0].root.get("use") {
        let wanted = used.text("use")?;
        let text = preset::text(wanted).ok_or_else(|| {
            used.wrong(format_args!("use = {wanted:?}: {}", preset::unknown(wanted)))
        })?;
        let document = Document::parse(wanted, text, Path::new("."))?;
        if let Some(nested) = document.root.get("use") {
            return Err(nested.wrong("a preset can't use another"));
        }
        documents.push(document);
        texts.push(text.to_owned());
    }
    Ok((documents, texts))
}

fn contents(path: &Path) -> Result<String, String> {
    let len = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if len > FILE_LEN_MAX {
        return Err(format!("it has more than {FILE_LEN_MAX} bytes"));
    }
    fs::read_to_string(path).map_err(|error| error.to_string())
}

fn digest(texts: &[String]) -> u64 {
    texts.iter().fold(0xcbf2_9ce4_8422_2325, |hash, text| fnv(hash, text.as_bytes()))
}

/// Hashes with FNV-1a, the same on every machine.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .chain(&[0xff])
        .fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Document {
    fn parse(name: &str, text: &str, folder: &Path) -> Result<Self, String> {
        let root = Node::parse(name, text)?;
        root.known("a scenario", &[&KEYS[..], &["verb"]].concat())?;
        Ok(Self { root, folder: folder.to_owned() })
    }
}

struct Reader<'d> {
    documents: &'d [Document],
}

impl<'d> Reader<'d> {
    fn program(&self, set: &[(String, String)]) -> Result<Program, String> {
        let mut scope = Scope::default();
        let feed = self.feed()?;
        if let Some(feed) = &feed {
            scope.columns.clone_from(&feed.columns);
        }
        let vars = self.vars(set, &mut scope)?;
        let connect = self.connect(&mut scope)?;
        self.capture_names(&mut scope)?;
        let reply = self.reply(&mut scope)?;
        let verbs = self.table_entries("verb")?;
        let flows = self.table_entries("flow")?;
        let mut names: Vec<String> = ["begin", "end", "step"].map(str::to_owned).to_vec();
        names.extend(flows.iter().map(|(name, _)| name.clone()));
        let mut measures = Vec::new();
        let mut reading = Names {
            scope: &mut scope,
            blocks: &names,
            measures: &mut measures,
            verbs: &verbs,
            has_reply: reply.is_some(),
        };
        // In the order of a user's life, as in reports.
        let mut blocks = vec![
            block(&mut reading, "begin", &self.lists("begin", true)?)?,
            block(&mut reading, "step", &self.first_list("step")?)?,
        ];
        for (name, list) in &flows {
            let nodes: Vec<_> = list.list(name)?.iter().collect();
            blocks.push(block(&mut reading, name, &nodes)?);
        }
        blocks.insert(END, block(&mut reading, "end", &self.lists("end", false)?)?);
        let rules = self.rules(&mut reading)?;
        let ticks = self.ticks(&mut reading)?;
        check_depth(&blocks)?;
        let shares = self.roles(&names)?;
        let id_max = match reply.as_ref().map(|reply| &reply.id) {
            Some(Pick::Bytes { begin, end: Some(end), is_number: true }) => {
                (1 << (8 * (end - begin))) - 1
            }
            _ => u64::MAX,
        };
        let program = Program {
            id_max,
            name: String::new(),
            digest: 0,
            connect,
            feed,
            vars,
            slots: scope.slots,
            roles: shares,
            reply,
            rules,
            ticks,
            blocks,
            measures,
            unmatched: self.unmatched()?,
        };
        self.check_roles(&program)?;
        Ok(program)
    }

    /// Returns the first document that has a key.
    fn find(&self, key: &str) -> Option<(&'d Document, &'d Node)> {
        self.documents.iter().find_map(|document| Some((document, document.root.get(key)?)))
    }

    /// Returns the entries of a table in all documents; the file's own come first and replace a
    /// preset's.
    fn table_entries(&self, key: &str) -> Result<Vec<(String, Node)>, String> {
        let mut found: Vec<(String, Node)> = Vec::new();
        for document in self.documents {
            let Some(table) = document.root.get(key) else { continue };
            for (name, node) in table.entries(key)? {
                if found.iter().all(|(other, _)| other != name) {
                    found.push((name.clone(), node.clone()));
                }
            }
        }
        Ok(found)
    }

    /// Returns the tables of a list in all documents.
    fn lists(&self, key: &str, is_preset_first: bool) -> Result<Vec<&'d Node>, String> {
        let mut found = Vec::new();
        for document in self.documents {
            let nodes: Vec<_> = document.root.tables(key)?.iter().collect();
            let at = if is_preset_first { 0 } else { found.len() };
            found.splice(at..at, nodes);
        }
        Ok(found)
    }

    fn first_list(&self, key: &str) -> Result<Vec<&'d Node>, String> {
        match self.find(key) {
            None => Ok(Vec::new()),
            Some((document, _)) => Ok(document.root.tables(key)?.iter().collect()),
        }
    }

    fn feed(&self) -> Result<Option<Feed>, String> {
        let Some((document, node)) = self.find("feed") else { return Ok(None) };
        node.known("[feed]", &["file", "take"])?;
        let file = node.get("file").ok_or_else(|| node.wrong("[feed] needs file = \"….csv\""))?;
        let take = match node
            .get("take")
            .map(|take| Ok::<_, String>((take, take.text("take")?)))
            .transpose()?
        {
            None | Some((_, "each")) => Take::Each,
            Some((_, "cycle")) => Take::Cycle,
            Some((_, "random")) => Take::Random,
            Some((take, other)) => {
                let why = format!("take = {other:?}; use \"each\", \"cycle\" or \"random\"");
                return Err(take.wrong(why));
            }
        };
        let typed = file.text("file")?;
        let feed = Feed::read(&document.folder.join(typed), typed, take);
        feed.map(Some).map_err(|why| file.wrong(why))
    }

    fn vars(
        &self,
        set: &[(String, String)],
        scope: &mut Scope,
    ) -> Result<Vec<(usize, Text)>, String> {
        let typed = self.table_entries("vars")?;
        if let Some((name, _)) =
            set.iter().find(|(name, _)| typed.iter().all(|(var, _)| var != name))
        {
            let vars: Vec<_> = typed.iter().map(|(name, _)| name.as_str()).collect();
            return Err(if vars.is_empty() {
                format!("--set {name}: this scenario has no [vars]")
            } else {
                format!("--set {name}: there is no such variable; there are {}", vars.join(", "))
            });
        }
        let mut vars = Vec::new();
        for (name, node) in &typed {
            let text = match set.iter().find(|(set, _)| set == name) {
                Some((_, value)) => {
                    Text::parse(value, scope).map_err(|why| format!("--set {name}: {why}"))?
                }
                None => step::text(node, name, scope)?,
            };
            vars.push((scope.slot(name), text));
        }
        Ok(vars)
    }

    fn connect(&self, scope: &mut Scope) -> Result<Connect, String> {
        const KEYS: [&str; 5] = ["url", "subprotocol", "headers", "framing", "json_after"];
        let mut connect = Connect::default();
        for document in self.documents.iter().rev() {
            let Some(node) = document.root.get("connect") else { continue };
            for (key, value) in node.known("[connect]", &KEYS)? {
                match key.as_str() {
                    "url" => {
                        connect.url = Some(step::text(value, "url", scope)?);
                        connect.url_typed = Some(value.text("url")?.to_owned());
                    }
                    "subprotocol" => {
                        let names = value.one_or_more().iter();
                        let names = names.map(|name| step::text(name, key, scope));
                        connect.subprotocols = names.collect::<Result<_, String>>()?;
                    }
                    "headers" => {
                        for (name, value) in value.entries(key)? {
                            let value = step::text(value, name, scope)?;
                            connect.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
                            connect.headers.push((name.clone(), value));
                        }
                    }
                    "framing" => connect.framing = framing(value)?,
                    _ => connect.json_after = Some(pattern(value)?),
                }
            }
        }
        Ok(connect)
    }

    /// Captures may be used before the step that makes them, in the next iteration.
    fn capture_names(&self, scope: &mut Scope) -> Result<(), String> {
        let mut lists = Vec::new();
        for key in ["begin", "step", "end", "on"] {
            lists.extend(self.lists(key, true)?);
        }
        let (flows, verbs) = (self.table_entries("flow")?, self.table_entries("verb")?);
        for (name, list) in &flows {
            lists.extend(list.list(name)?);
        }
        lists.extend(verbs.iter().map(|(_, verb)| verb));
        for node in lists {
            if let Some(captures) = node.get("capture") {
                for (name, _) in captures.entries("capture")? {
                    scope.slot(name);
                }
            }
        }
        Ok(())
    }

    fn reply(&self, scope: &mut Scope) -> Result<Option<Reply>, String> {
        const KEYS: [&str; 5] = ["id", "as", "when", "skip", "fail"];
        let entries = self.table_entries("reply")?;
        let Some((_, first)) = entries.first() else { return Ok(None) };
        for document in self.documents {
            if let Some(node) = document.root.get("reply") {
                node.known("[reply]", &KEYS)?;
            }
        }
        let find = |key| entries.iter().find(|(name, _)| name == key).map(|(_, node)| node);
        let id = find("id").ok_or_else(|| {
            first.wrong("[reply] needs id, where a message names its request, such as id = \"/id\"")
        })?;
        Ok(Some(Reply {
            id: pick(id)?,
            named: find("as").map(|named| step::text(named, "as", scope)).transpose()?,
            when: find("when").map(matcher).transpose()?,
            skip: find("skip").map(matcher).transpose()?,
            fail: find("fail").map(matcher).transpose()?,
        }))
    }

    fn rules(&self, names: &mut Names<'_>) -> Result<Vec<Rule>, String> {
        const KEYS: [&str; 8] = ["name", "when", "send", "bytes", "stamp", "age", "seq", "capture"];
        let mut rules: Vec<Rule> = Vec::new();
        for node in self.lists("on", false)? {
            node.known("[[on]]", &KEYS)?;
            let Some(when) = node.get("when") else {
                return Err(node.wrong("[[on]] needs when = { … }, the message that it is about"));
            };
            let name = match node.get("name") {
                Some(name) => name_of(name)?,
                None => format!("on.{}", rules.len() + 1),
            };
            if rules.iter().any(|rule| rule.name == name) {
                return Err(node.wrong(format_args!("two rules are called {name:?}; rename one")));
            }
            let stamp = node.get("stamp").map(|stamp| stamp.truth("stamp")).transpose()?;
            rules.push(Rule {
                name,
                when: matcher(when)?,
                answer: names.body(node)?,
                has_stamp: stamp.unwrap_or(false),
                age: node.get("age").map(age).transpose()?,
                sequence: node.get("seq").map(sequence).transpose()?,
                captures: names.captures(node)?,
            });
        }
        if rules.len() > RULES_MAX {
            return Err(format!("more than {RULES_MAX} [[on]]; merge some with a regex"));
        }
        Ok(rules)
    }

    fn ticks(&self, names: &mut Names<'_>) -> Result<Vec<Tick>, String> {
        let mut ticks = Vec::new();
        for node in self.lists("every", false)? {
            node.known("[[every]]", &["interval", "send", "bytes"])?;
            let Some(interval) = node.get("interval") else {
                return Err(node.wrong("[[every]] needs interval = \"20s\""));
            };
            let interval_ns = interval.span_ns("interval", Duration::from_millis(1))?;
            let body = names.body(node)?;
            let body = body.ok_or_else(|| node.wrong("[[every]] needs send or bytes"))?;
            ticks.push(Tick { interval_ns, body });
        }
        Ok(ticks)
    }

    fn roles(&self, names: &[String]) -> Result<Vec<Role>, String> {
        let Some((_, node)) = self.find("roles") else {
            return Ok(vec![Role { name: None, share: 1, block: STEP }]);
        };
        let mut roles = Vec::new();
        for (name, share) in node.entries("[roles]")? {
            let Some(block) = names.iter().skip(STEP).position(|block| block == name) else {
                return Err(
                    share.wrong(format_args!("there is no flow {name:?}; add [[flow.{name}]]"))
                );
            };
            match share.number(name)? {
                0 => return Err(share.wrong(format_args!("{name} = 0; leave it out"))),
                share => {
                    roles.push(Role { name: Some(name.clone()), share, block: block + STEP });
                }
            }
        }
        if roles.is_empty() {
            return Err(node.wrong("[roles] is empty; write, for example, reader = 9"));
        }
        Ok(roles)
    }

    fn check_roles(&self, program: &Program) -> Result<(), String> {
        let used = |name: &str| self.find(name).map(|(_, node)| node);
        for role in &program.roles {
            if program.blocks[role.block].steps.is_empty() && role.name.is_some() {
                let name = role.name.as_deref().unwrap_or_default();
                let node = used("roles").map_or_else(String::new, |node| node.wrong("[roles]"));
                return Err(format!("{node}: the flow {name:?} has no steps"));
            }
        }
        Ok(())
    }

    fn unmatched(&self) -> Result<Unmatched, String> {
        let Some((_, node)) = self.find("unmatched") else { return Ok(Unmatched::Count) };
        match node.text("unmatched")? {
            "count" => Ok(Unmatched::Count),
            "fail" => Ok(Unmatched::Fail),
            other => {
                Err(node.wrong(format_args!("unmatched = {other:?}; use \"count\" or \"fail\"")))
            }
        }
    }
}

fn block(names: &mut Names<'_>, name: &str, nodes: &[&Node]) -> Result<Block, String> {
    let steps = nodes.iter().enumerate();
    let steps = steps.map(|(place, node)| names.step(node, name, place + 1));
    Ok(Block { name: name.to_owned(), steps: steps.collect::<Result<_, _>>()? })
}

/// Refuses flows that reach themselves, and flows too deep for a user's few bytes.
fn check_depth(blocks: &[Block]) -> Result<(), String> {
    fn depth(blocks: &[Block], block: usize, above: usize) -> Result<(), String> {
        if above == DEPTH_MAX {
            return Err(format!(
                "the flow {:?} is more than {DEPTH_MAX} deep, or leads back to itself; use times",
                blocks[block].name
            ));
        }
        for step in &blocks[block].steps {
            let targets: Vec<usize> = match &step.action {
                Action::Do(target) => vec![*target],
                Action::Choose(targets) => targets.iter().map(|(target, _)| *target).collect(),
                _ => continue,
            };
            targets.iter().try_for_each(|&target| depth(blocks, target, above + 1))?;
        }
        Ok(())
    }
    [BEGIN, END, STEP]
        .into_iter()
        .chain(STEP + 1..blocks.len())
        .try_for_each(|block| depth(blocks, block, 0))
}

fn framing(node: &Node) -> Result<Framing, String> {
    if let Some(separator) = node.get("separator") {
        node.known("framing", &["separator"])?;
        let separator = separator.text("separator")?;
        if separator.is_empty() {
            return Err(node.wrong("an empty separator; write one like \"\\u001e\""));
        }
        return Ok(Framing::Separator(separator.as_bytes().into()));
    }
    match node.text("framing")? {
        "message" => Ok(Framing::Message),
        "lines" => Ok(Framing::Lines),
        "stomp" => Ok(Framing::Stomp),
        "sockjs" => Ok(Framing::SockJs),
        "mqtt" => Ok(Framing::Mqtt),
        other => Err(node.wrong(format_args!(
            "framing = {other:?}; use \"message\", \"lines\", \"stomp\", \"sockjs\", \"mqtt\", or \
             {{ separator = \"\\u001e\" }}"
        ))),
    }
}

fn age(node: &Node) -> Result<(Pick, u64), String> {
    let unit =
        node.get("unit").map(|unit| Ok::<_, String>((unit, unit.text("unit")?))).transpose()?;
    let unit_ns = match unit {
        None | Some((_, "ms")) => 1_000_000,
        Some((_, "s")) => 1_000_000_000,
        Some((_, "us")) => 1_000,
        Some((_, "ns")) => 1,
        Some((node, other)) => {
            return Err(node.wrong(format_args!("unit = {other:?}; use s, ms, us or ns")));
        }
    };
    Ok((pick(node)?, unit_ns))
}

fn sequence(node: &Node) -> Result<(Pick, Vec<Pick>), String> {
    let by = node.get("by").map(|by| by.one_or_more().iter().map(pick).collect()).transpose()?;
    Ok((pick(node)?, by.unwrap_or_default()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Until;
    use super::*;

    pub(in super::super) fn program(text: &str) -> Result<Program, String> {
        let document = Document::parse("a.toml", text, Path::new("."))?;
        let mut documents = vec![document];
        if let Some(used) = documents[0].root.get("use") {
            let name = used.text("use")?.to_owned();
            let text = preset::named(&name)?;
            documents.push(Document::parse(&name, text, Path::new("."))?);
        }
        Reader { documents: &documents }.program(&[])
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
        let roles: Vec<_> = (0..6).map(|user| program.role_of(user) - STEP).collect();
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
            ("[[on]]\nname = \"a\"", "[[on]] needs when"),
            ("[[on]]\nwhen = { exact = \"a\" }\nname = \"a b\"", "use up to 40 letters"),
            ("[[every]]\nsend = \"a\"", "[[every]] needs interval"),
            ("[roles]\na = 1", "there is no flow \"a\""),
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
    fn set_fills_a_variable_that_exists() {
        let set = |name: &str| [(name.to_owned(), "eth_blockNumber".to_owned())];
        assert!(read("json-rpc", &set("method")).is_ok());
        let plain = read("json-rpc", &[]).unwrap().digest;
        assert_ne!(read("json-rpc", &set("method")).unwrap().digest, plain);
        let why = read("json-rpc", &set("metod")).unwrap_err();
        assert!(why.contains("there are method, params"), "{why}");
    }
}
