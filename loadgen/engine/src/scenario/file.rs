//! Reads a scenario file, and the preset that it uses, into a [`Program`].
//!
//! A preset is merged under the file: its `[[begin]]` comes before the file's, its `[[end]]` and
//! `[[on]]` after, and for single values the file's own win.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::command;
use super::document::{Document, digest, documents, fnv, with_preset};
use super::feed::{Feed, Take};
use super::matcher::Pick;
use super::node::Node;
use super::step::{self, Names, matcher, name_of, pattern, pick};
use super::text::{Scope, Text};
use super::unit::Framing;
use super::{
    Action, BEGIN, Block, Connect, END, Program, Reply, Role, Rule, STEP, Step, Tick, Unmatched,
    Until,
};

/// How deeply flows may be nested.
pub(crate) const DEPTH_MAX: usize = 4;
/// How long the command of a feed may take, unless the file says otherwise.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);
/// Most rules of a scenario; each that measures has a histogram of 254 KB a thread.
const RULES_MAX: usize = 64;

/// Reads the file or the preset that `name` names; `set` replaces variables.
///
/// # Errors
/// One line: the file, the line in it, what is wrong there, and what to write instead.
pub fn read(name: &str, set: &[(String, String)]) -> Result<Program, String> {
    read_for(name, set, 1)
}

/// Reads the file or the preset that `name` names, for so many users, which the command of a feed
/// is told.
///
/// # Errors
/// See [`read`].
pub fn read_for(name: &str, set: &[(String, String)], users: u64) -> Result<Program, String> {
    let (documents, texts) = documents(name)?;
    let mut digest = digest(&texts);
    for (name, value) in set {
        digest = fnv(fnv(digest, name.as_bytes()), value.as_bytes());
    }
    let mut program = Reader { documents: &documents, users }.program(set)?;
    program.digest = digest;
    name.clone_into(&mut program.name);
    Ok(program)
}

/// Reads a scenario from its text, without its `[feed]`: reads no file and runs no command.
///
/// # Errors
/// See [`read`].
pub fn parse(name: &str, text: &str) -> Result<Program, String> {
    let mut documents = with_preset(Document::parse(name, text, Path::new("."))?)?;
    for document in &mut documents {
        document.root.remove("feed");
    }
    Reader { documents: &documents, users: 1 }.program(&[])
}

/// Reads a scenario that was put together from flags, whose texts are these.
///
/// # Errors
/// One line: the flag, what is wrong with it, and what to write instead.
pub(super) fn of_flags(root: Node, texts: &[String]) -> Result<Program, String> {
    let documents = [Document { root, folder: PathBuf::from(".") }];
    let mut program = Reader { documents: &documents, users: 1 }.program(&[])?;
    program.digest = digest(texts);
    Ok(program)
}

struct Reader<'d> {
    documents: &'d [Document],
    /// How many users there are in the run.
    users: u64,
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
        let ticks = self.ticks(&mut reading, set)?;
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
        self.check_overlap(&program)?;
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
        node.known("[feed]", &["file", "command", "take", "timeout"])?;
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
        let timeout = node.get("timeout");
        match (node.get("file"), node.get("command")) {
            (Some(file), None) => {
                if let Some(timeout) = timeout {
                    return Err(timeout.wrong("timeout is for a command; leave it out"));
                }
                let typed = file.text("file")?;
                let feed = Feed::read(&document.folder.join(typed), typed, take);
                feed.map(Some).map_err(|why| file.wrong(why))
            }
            (None, Some(command)) => {
                let typed = command.text("command")?;
                let timeout_ns = timeout
                    .map(|timeout| timeout.span_ns("timeout", Duration::from_millis(1)))
                    .transpose()?;
                let bound = timeout_ns.map_or(COMMAND_TIMEOUT, Duration::from_nanos);
                let printed = command::output(typed, &document.folder, self.users, bound);
                let feed = printed.and_then(|text| Feed::of_output(typed, &text, take));
                feed.map(Some).map_err(|why| command.wrong(why))
            }
            (Some(_), Some(command)) => Err(command.wrong("[feed] has both file and command")),
            (None, None) => Err(node.wrong("[feed] needs file = \"….csv\", or command = \"…\"")),
        }
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
            // A column of the file's feed fills the preset's variable of that name.
            if self.is_filled_by_feed(name, set, scope) {
                continue;
            }
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

    /// Checks whether a variable is only a preset's, and the feed has a column of its name.
    fn is_filled_by_feed(&self, name: &str, set: &[(String, String)], scope: &Scope) -> bool {
        let own = self.documents.first().and_then(|document| document.root.get("vars"));
        let is_own = own.is_some_and(|own| own.get(name).is_some());
        let is_set = set.iter().any(|(set, _)| set == name);
        !is_own && !is_set && scope.has_column(name)
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
        const KEYS: [&str; 6] = ["id", "as", "when", "skip", "fail", "words"];
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
            words: find("words").map(pick).transpose()?,
        }))
    }

    fn rules(&self, names: &mut Names<'_>) -> Result<Vec<Rule>, String> {
        const KEYS: [&str; 9] =
            ["name", "when", "send", "bytes", "stamp", "age", "seq", "capture", "fail"];
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
            let truth = |key: &str| {
                node.get(key).map(|truth| truth.truth(key)).transpose().map(|is| is == Some(true))
            };
            rules.push(Rule {
                name,
                when: matcher(when)?,
                answer: names.body(node)?,
                is_fault: truth("fail")?,
                has_stamp: truth("stamp")?,
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

    /// Reads the time between two messages: itself, or the variable that holds it, so that
    /// `--set` can change a preset's heartbeat.
    fn interval_ns(&self, node: &Node, set: &[(String, String)]) -> Result<u64, String> {
        const LEAST: Duration = Duration::from_millis(1);
        let typed = node.text("interval")?;
        let inside = typed.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let Some(name) = inside else { return node.span_ns("interval", LEAST) };
        if let Some((_, value)) = set.iter().find(|(set, _)| set == name) {
            return node.span_of(value, name, LEAST).map_err(|why| format!("--set {name}: {why}"));
        }
        let vars = self.table_entries("vars")?;
        match vars.iter().find(|(var, _)| var == name) {
            Some((_, value)) => value.span_ns(name, LEAST),
            None => Err(node.wrong(format_args!(
                "interval = {typed:?}: there is no such variable; add {name} = \"20s\" to [vars]"
            ))),
        }
    }

    fn ticks(&self, names: &mut Names<'_>, set: &[(String, String)]) -> Result<Vec<Tick>, String> {
        let mut ticks = Vec::new();
        for node in self.lists("every", false)? {
            node.known("[[every]]", &["interval", "send", "bytes"])?;
            let Some(interval) = node.get("interval") else {
                return Err(node.wrong("[[every]] needs interval = \"20s\""));
            };
            let interval_ns = self.interval_ns(interval, set)?;
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

    /// Refuses what can't overlap: a reply has to say by itself which iteration it ends.
    fn check_overlap(&self, program: &Program) -> Result<(), String> {
        let blocks = &program.blocks;
        for (place, block) in blocks.iter().enumerate() {
            let Some(step) = block.steps.iter().find(|step| step.overlap > 1) else { continue };
            let is_role = program.roles.iter().any(|role| role.block == place);
            let why = if !is_role || block.steps.len() > 1 {
                "overlap is for iterations of one step; put it on a [[step]] that is alone"
            } else if !is_single(blocks, step) || !self.names_by_id() {
                "overlap is for one request with a reply that names it by {id}, or a choice of such"
            } else {
                continue;
            };
            return Err(self.overlapping(&block.name)?.wrong(why));
        }
        Ok(())
    }

    /// Checks whether each request has a name of its own.
    fn names_by_id(&self) -> bool {
        let find = |document: &'d Document| document.root.get("reply")?.get("as");
        let named = self.documents.iter().find_map(find);
        named.is_none_or(|named| named.text("as").is_ok_and(|text| text.contains("{id}")))
    }

    /// Returns where a block says that it overlaps.
    fn overlapping(&self, block: &str) -> Result<Node, String> {
        let mut steps: Vec<Node> = Vec::new();
        if ["begin", "step", "end"].contains(&block) {
            steps.extend(self.lists(block, true)?.into_iter().cloned());
        }
        for (name, list) in self.table_entries("flow")? {
            if name == block {
                steps.extend_from_slice(list.list(&name)?);
            }
        }
        let found = steps.iter().find_map(|step| step.get("overlap"));
        Ok(found.unwrap_or(&self.documents[0].root).clone())
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

/// Checks whether a step comes to one request, whatever is chosen, or to a message without a reply.
fn is_single(blocks: &[Block], step: &Step) -> bool {
    let of_block = |block: usize| match &blocks[block].steps[..] {
        [step] => is_single(blocks, step),
        _ => false,
    };
    step.times == 1
        && match &step.action {
            Action::Exchange(exchange) => !matches!(exchange.until, Until::Match(_)),
            Action::Choose(choice) => choice.iter().all(|(block, _)| of_block(*block)),
            Action::Do(block) => of_block(*block),
            Action::Pause(_) | Action::Close(_) => false,
        }
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
pub(super) mod tests;
