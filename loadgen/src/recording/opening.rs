//! The opening request of a scenario: URL, subprotocols and headers of the recorded one, without
//! what belongs to that one connection.

use super::guess::{Confidence, Guess};
use super::quoting::{self, Edit};
use super::secret::is_secret;
use super::story::Story;
use super::value::Values;

/// Headers that are repeated; those of the handshake itself and of the browser are not.
const KEPT: [&str; 3] = ["origin", "authorization", "cookie"];

/// What the opening request says, as templates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) url: String,
    pub(super) subprotocols: Vec<String>,
    pub(super) headers: Vec<(String, String)>,
}

/// Makes the opening request.
pub(super) fn opening(story: &mut Story<'_>, values: &mut Values) -> Opening {
    let connection = story.connection;
    let url = url(story, values);
    let mut subprotocols = Vec::new();
    for name in connection.offered() {
        let has_names = connection.offered().len() > 1;
        let is_token = is_secret("", name) || has_names && is_secret("key", name);
        subprotocols.push(if is_token {
            secret(story, values, ("subprotocol", "in the subprotocols"), name)
        } else {
            quoting::template(name, &[])
        });
    }
    let mut headers = Vec::new();
    for (name, value) in &connection.headers {
        let lower = name.to_ascii_lowercase();
        if !KEPT.contains(&&*lower) && !lower.starts_with("x-") || value.is_empty() {
            continue;
        }
        let is_hidden = ["authorization", "cookie"].contains(&&*lower) || is_secret(name, value);
        let value = if is_hidden {
            secret(story, values, (name, "as a header"), value)
        } else {
            quoting::template(value, &[])
        };
        headers.push((name.clone(), value));
    }
    Opening { url, subprotocols, headers }
}

/// Puts a secret into the feed, and returns its placeholder.
fn secret(
    story: &mut Story<'_>,
    values: &mut Values,
    (name, place): (&str, &str),
    value: &str,
) -> String {
    let column = values.column(&quoting::variable(name), value);
    let says = format!("{{{column}}} is a secret");
    let evidence = format!("{name} is sent {place}; what a page got by HTTP may expire");
    story.guesses.push(Guess::new("secret", Confidence::Likely, says, evidence));
    format!("{{{column}}}")
}

fn url(story: &mut Story<'_>, values: &mut Values) -> String {
    let url = story.connection.url.split('#').next().unwrap_or_default().to_owned();
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (&*url, None),
    };
    let mut out = quoting::template(path, &path_edits(story, path));
    let Some(query) = query else { return out };
    let mut separator = '?';
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if let Some(why) = of_one_connection(story, name) {
            story.guesses.push(Guess::new(
                "url",
                Confidence::Sure,
                format!("leaves {name} out"),
                why,
            ));
            continue;
        }
        out.push(separator);
        separator = '&';
        if is_secret(name, value) {
            out.push_str(&quoting::template(&format!("{name}="), &[]));
            out.push_str(&secret(story, values, (name, "in the URL"), value));
        } else {
            out.push_str(&quoting::template(parameter, &[]));
        }
    }
    out
}

/// Returns why a parameter belongs to the recorded connection alone.
fn of_one_connection(story: &Story<'_>, name: &str) -> Option<&'static str> {
    let is_engine = story.protocol.is("socket.io") || story.protocol.is("engine.io");
    match name {
        "sid" if is_engine => Some(
            "it names a session that began with HTTP requests; users begin theirs on the WebSocket",
        ),
        "id" if story.protocol.is("signalr") => {
            Some("it names a connection that was negotiated by HTTP; users don't negotiate")
        }
        _ => None,
    }
}

/// `SockJS` has a number of the server and a session in its path, which each client chooses.
fn path_edits(story: &mut Story<'_>, path: &str) -> Vec<Edit> {
    if !story.protocol.is("sockjs") {
        return Vec::new();
    }
    let mut ends: Vec<usize> = path.rmatch_indices('/').take(3).map(|(at, _)| at).collect();
    ends.reverse();
    let [server, session, end] = ends[..] else { return Vec::new() };
    let says = "puts {conn:3} and {rand:8} into the path";
    let why = "a client of SockJS chooses both, and a session may be used once";
    story.guesses.push(Guess::new("url", Confidence::Sure, says, why));
    vec![(server + 1..session, "{conn:3}".into()), (session + 1..end, "{rand:8}".into())]
}
