//! What each user of a scenario sends to open its connection: the file's `[connect]`, and what was
//! typed, which wins.
//!
//! Texts may name columns and variables. The arguments keep what they are for one user, so that
//! everything about a request is checked as for any other run.

use crate::cli::RequestArgs;
use crate::index::ConnectionIndex;
use crate::scenario::Program;
use crate::scenario::text::{Scope, Text};

/// The texts of the opening requests of all users.
#[derive(Clone, Debug, Default)]
pub struct UserRequest {
    /// Where each user connects, by the index of its URL.
    pub urls: Vec<Text>,
    /// Subprotocols to offer.
    pub subprotocols: Vec<Text>,
    /// Headers, without that of `--user`.
    pub headers: Vec<(String, Text)>,
    /// User and password.
    pub user: Option<Text>,
    /// The |Origin| header.
    pub origin: Option<Text>,
}

/// One user, whose request stands for those of all.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneUser {
    /// The seed of random placeholders.
    pub seed: u64,
    /// The number of the user.
    pub connection: ConnectionIndex,
    /// When it connects, in nanoseconds since 1970.
    pub unix_ns: u64,
}

impl UserRequest {
    /// Reads the texts, and replaces those in `urls` and `args` by what they are for one user.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn new(
        program: &Program,
        urls: &mut Vec<String>,
        args: &mut RequestArgs,
        one: OneUser,
    ) -> Result<Self, String> {
        let connect = &program.connect;
        if urls.is_empty() {
            urls.extend(connect.url_typed.clone());
        }
        let mut scope = Scope::of(program);
        let mut texts = Self::default();
        for typed in &mut *urls {
            let text = Text::parse(typed, &mut scope);
            let text = text.map_err(|why| format!("URL {typed}: {why}"))?;
            *typed = one.text(program, &text)?;
            texts.urls.push(text);
        }
        for typed in &args.subprotocols {
            let text = Text::parse(typed, &mut scope);
            texts.subprotocols.push(text.map_err(|why| format!("--subprotocol {typed}: {why}"))?);
        }
        if texts.subprotocols.is_empty() {
            texts.subprotocols.clone_from(&connect.subprotocols);
        }
        let names = texts.subprotocols.iter().map(|text| one.text(program, text));
        args.subprotocols = names.collect::<Result<_, _>>()?;
        for (flag, typed, text) in [
            ("--user", &mut args.user, &mut texts.user),
            ("--origin", &mut args.origin, &mut texts.origin),
        ] {
            if let Some(typed) = typed {
                // What `--user` has in it is a secret.
                let parsed =
                    Text::parse(typed, &mut scope).map_err(|why| format!("{flag}: {why}"))?;
                *typed = one.text(program, &parsed)?;
                *text = Some(parsed);
            }
        }
        for (name, value) in &args.headers {
            let text = Text::parse(value, &mut scope);
            let text = text.map_err(|why| format!("-H {name:?}: {why}"))?;
            texts.headers.push((name.clone(), text));
        }
        for (name, text) in &connect.headers {
            let is_typed = |typed: &(String, String)| typed.0.eq_ignore_ascii_case(name);
            let is_user = args.user.is_some() && name.eq_ignore_ascii_case("authorization");
            if !is_user && !args.headers.iter().any(is_typed) {
                texts.headers.push((name.clone(), text.clone()));
            }
        }
        let headers = texts.headers.iter();
        let headers = headers.map(|(name, text)| Ok((name.clone(), one.text(program, text)?)));
        args.headers = headers.collect::<Result<_, String>>()?;
        Ok(texts)
    }
}

impl OneUser {
    fn text(self, program: &Program, text: &Text) -> Result<String, String> {
        let Self { seed, connection, unix_ns } = self;
        let slots = program.slots_of(seed, connection, unix_ns);
        let mut bytes = Vec::new();
        text.render(&program.opening(seed, connection, unix_ns, &slots), &mut bytes);
        let text = String::from_utf8(bytes).map_err(|_| "[connect] is no text".to_owned())?;
        // Text that was filled in is never a placeholder, whatever it looks like.
        Ok(text.replace('{', "{{"))
    }
}
