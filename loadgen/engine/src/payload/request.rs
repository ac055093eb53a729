//! Turns a configuration and the number of a connection into an opening request.
//!
//! Most runs send one request on every connection, which is made once. A request with placeholders
//! is rendered when its connection is opened, from the seed and the number of the connection in the
//! whole run, so it is the same however a run is split. It is rendered again when a connection is
//! reopened.

use std::fmt::Display;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wscodec::handshake::ClientRequest;

use super::rendered::{self, Context};
use crate::clock::Clock;
use crate::config::{Config, HeaderValue, Request, Target, Template, UserRequest};
use crate::exit::Failed;
use crate::index::ConnectionIndex;
use crate::scenario::Program;
use crate::scenario::text::Text;
use crate::serve::ServeConfig;

/// The first lane of random numbers for requests, beyond those of messages.
const FIRST_LANE: u32 = 1 << 31;

/// The connection that a request opens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opening {
    /// The seed of random placeholders.
    pub seed: u64,
    /// The number of the connection in the whole run.
    pub connection: ConnectionIndex,
    /// The number of its topic.
    pub topic: u64,
    /// When it is opened, in nanoseconds since 1970.
    pub unix_ns: u64,
}

/// The requests of a run whose connections don't all send the same request.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    config: Arc<Config>,
    topics: u64,
}

impl Requests {
    /// Returns the requests of a run; `None` if all connections to a URL send the same request.
    pub(crate) fn new(config: &Arc<Config>) -> Option<Self> {
        let resources = config.targets.iter().map(Target::resource);
        let is_varied = |template: &Template| template.as_literal().is_none();
        let has_users = user_request(config).is_some();
        let is_any = has_users || resources.chain(config.request.templates()).any(is_varied);
        is_any.then(|| Self {
            config: Arc::clone(config),
            topics: config.fanout().map_or(1, |fanout| fanout.topics),
        })
    }

    /// Returns the request of a connection to the URL at a place, opened at a time in nanoseconds
    /// since 1970.
    ///
    /// # Errors
    /// What may not be sent, in one line.
    pub(crate) fn of(
        &self,
        place: usize,
        connection: ConnectionIndex,
        unix_ns: u64,
    ) -> Result<ClientRequest, String> {
        let Self { config, topics } = self;
        let opening =
            Opening { seed: config.seed, connection, topic: connection.turn(*topics), unix_ns };
        match user_request(config) {
            Some(found) => of_user(found, config, place, opening),
            None => request(config.targets.get(place), &config.request, opening),
        }
    }
}

/// Returns the users of a run and their requests, if users differ in these.
fn user_request(config: &Config) -> Option<(&Program, &UserRequest)> {
    let users = config.users()?;
    Some((&users.program, users.request.as_ref()?))
}

/// Renders the request of a user of a scenario, whose URL and headers may name the user's columns
/// and variables.
fn of_user(
    (program, texts): (&Program, &UserRequest),
    config: &Config,
    place: usize,
    opening: Opening,
) -> Result<ClientRequest, String> {
    let Opening { seed, connection, unix_ns, .. } = opening;
    let slots = program.slots_of(seed, connection, unix_ns);
    let rendered = |text: &Text| {
        let mut bytes = Vec::new();
        text.render(&program.opening(seed, connection, unix_ns, &slots), &mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let target = texts.urls.get(place).map(|url| {
        // An inserted value is no placeholder, whatever it looks like.
        let url = rendered(url).replace('{', "{{");
        Target::parse_for(&url, config.request.secrets)
            .map_err(|why| format!("the URL of user {connection}: {why}"))
    });
    let target = target.transpose()?;
    let literal = |text: &Text| Template::literal(rendered(text).as_bytes());
    let mut settings = config.request.clone();
    settings.subprotocols = texts.subprotocols.iter().map(literal).collect();
    settings.origin = texts.origin.as_ref().map(literal);
    settings.headers.retain(|(_, value)| matches!(value, HeaderValue::Basic(_)));
    for (_, value) in &mut settings.headers {
        if let Some(user) = &texts.user {
            *value = HeaderValue::Basic(literal(user));
        }
    }
    for (name, text) in &texts.headers {
        if name.eq_ignore_ascii_case("host") {
            settings.host = Some(literal(text));
        } else {
            settings.headers.push((name.clone(), HeaderValue::Plain(literal(text))));
        }
    }
    request(target.as_ref(), &settings, opening)
}

/// Returns the request as connection 0 sends it, and every other one if it has no placeholders.
///
/// # Errors
/// [`Failed`] with what may not be sent.
pub fn first_request(target: Option<&Target>, settings: &Request) -> Result<ClientRequest, Failed> {
    let opening = Opening { unix_ns: Clock::start().unix_ns(0), ..Opening::default() };
    request(target, settings, opening).map_err(Failed::usage)
}

/// Renders the request of a connection to `target`, or to the embedded server.
///
/// # Errors
/// What may not be sent, in one line.
pub fn request(
    target: Option<&Target>,
    settings: &Request,
    opening: Opening,
) -> Result<ClientRequest, String> {
    let mut renderer = Renderer { opening, lane: FIRST_LANE };
    let wrong = |what: String, why: &dyn Display| format!("{what}: {why}");
    let resource = target.map_or_else(|| "/".into(), |target| renderer.text(target.resource()));
    let host = match (&settings.host, target) {
        (Some(host), _) => renderer.text(host),
        (None, Some(target)) => target.host_header(),
        (None, None) => ServeConfig::LISTEN.ip().to_string(),
    };
    let mut built = ClientRequest::new(&host, &resource).map_err(|misuse| {
        let flag = if settings.host.is_some() { "-H 'Host: ...'" } else { "URL" };
        wrong(format!("bad {flag}: host {host:?}, path {resource:?}"), &misuse)
    })?;
    for name in &settings.subprotocols {
        let name = renderer.text(name);
        built = built
            .subprotocol(&name)
            .map_err(|misuse| wrong(format!("bad --subprotocol {name:?}"), &misuse))?;
    }
    if let Some(origin) = &settings.origin {
        let origin = renderer.text(origin);
        built = built
            .origin(&origin)
            .map_err(|misuse| wrong(format!("bad --origin {origin:?}"), &misuse))?;
    }
    for (name, value) in &settings.headers {
        let text = renderer.text(value.template());
        let text = match value {
            HeaderValue::Plain(_) => text,
            HeaderValue::Basic(_) => format!("Basic {}", STANDARD.encode(text)),
        };
        built = built.header(name, &text).map_err(|misuse| {
            let header = format!("{name}: {text}");
            wrong(format!("bad -H {header:?}"), &misuse)
        })?;
    }
    Ok(built)
}

/// Renders the texts of a request in order, each with random numbers of its own.
struct Renderer {
    opening: Opening,
    lane: u32,
}

impl Renderer {
    fn text(&mut self, template: &Template) -> String {
        let Opening { seed, connection, topic, unix_ns } = self.opening;
        let context = Context {
            seed,
            connection,
            sequence: 0,
            unix_ns,
            topic,
            payload: b"",
            lane: self.lane,
        };
        let mut bytes = Vec::new();
        rendered::append(template, context, &mut bytes);
        let parts = u32::try_from(template.parts().len()).unwrap_or(u32::MAX);
        self.lane = self.lane.wrapping_add(parts);
        // It was typed as text, and inserted values are ASCII.
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, Parsed, parse};
    use wscodec::handshake::ClientHandshake;

    fn config(words: &[&str]) -> Arc<Config> {
        let words = ["loadgen", "run"].iter().chain(words).map(Into::into);
        let Parsed::Command(command) = parse(words) else { panic!() };
        let Command::Run(args) = *command else { panic!() };
        Arc::new(Config::of_run(args).unwrap())
    }

    fn head(request: &ClientRequest) -> String {
        let mut out = Vec::new();
        ClientHandshake::start(request, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn n8_every_text_of_a_request_is_rendered_for_its_connection() {
        let config = config(&[
            "ws://h/c{conn:3}?r={rand:6}",
            "-H",
            "X-Rand: {rand:6}",
            "-H",
            "Host: h{conn}.example",
            "--user",
            "u{conn}:p{conn}",
            "--subprotocol",
            "v{conn}",
            "--origin",
            "http://o{conn}",
            "--seed",
            "5",
        ]);
        let requests = Requests::new(&config).unwrap();
        let text = head(&requests.of(0, ConnectionIndex(7), 0).unwrap());
        for line in [
            "GET /c007?r=",
            "\r\nHost: h7.example\r\n",
            "\r\nAuthorization: Basic dTc6cDc=\r\n",
            "\r\nSec-WebSocket-Protocol: v7\r\n",
            "\r\nOrigin: http://o7\r\n",
        ] {
            assert!(text.contains(line), "{line:?} in\n{text}");
        }
        let in_url = text.split_once("?r=").unwrap().1.get(..6).unwrap();
        let in_header = text.split_once("X-Rand: ").unwrap().1.get(..6).unwrap();
        assert_ne!(in_url, in_header, "each placeholder has numbers of its own");
        assert_eq!(requests.of(0, ConnectionIndex(7), 0), requests.of(0, ConnectionIndex(7), 0));
        assert_ne!(requests.of(0, ConnectionIndex(7), 0), requests.of(0, ConnectionIndex(8), 0));
    }

    #[test]
    fn n8_a_request_without_placeholders_is_shared() {
        let words = ["ws://h/?a={1}", "-H", "X: {{conn}", "--user", "a:b", "--origin", "http://o"];
        assert!(Requests::new(&config(&words)).is_none());
        for words in [
            &["ws://h/{conn}"][..],
            &["ws://h/", "ws://i/?{conn}"],
            &["ws://h/", "-H", "X: {conn}"],
            &["ws://h/", "-H", "Host: {conn}"],
            &["ws://h/", "--user", "a:{conn}"],
            &["ws://h/", "--subprotocol", "{conn}"],
            &["ws://h/", "--origin", "http://{conn}"],
        ] {
            assert!(Requests::new(&config(words)).is_some(), "{words:?}");
        }
    }
}
