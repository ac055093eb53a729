//! Turns a URL into what to connect to: host, port, the request's target, the |Host| header.

use std::borrow::Cow;
use std::fmt;

use url::{Host, Url};

use super::secret::masked_url;
use crate::template::{Part, Purpose, Template};

/// The server under load, as the URL names it (RFC 6455, 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The URL, with a mark in place of each placeholder.
    url: Url,
    host: String,
    /// The interface of a link-local address, by name or number.
    zone: Option<String>,
    port: u16,
    resource: Template,
    /// The URL without secrets, unless they may be shown.
    shown: String,
}

/// How to treat values that look like secrets when a URL is shown or saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// Mask them.
    #[default]
    Mask,
    /// Show them.
    Show,
}

impl Target {
    /// Reads a `ws://` or `wss://` URL, and masks secrets where it is shown.
    ///
    /// # Errors
    /// One line: what is wrong with the URL, and what to do.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_for(text, Secrets::Mask)
    }

    /// Reads a `ws://` or `wss://` URL.
    ///
    /// # Errors
    /// See [`parse`](Self::parse).
    pub fn parse_for(text: &str, secrets: Secrets) -> Result<Self, String> {
        let shown = text.escape_debug();
        let bad = |why: &str| Err(format!("bad URL \"{shown}\": {why}"));
        // The parser would silently drop some of these, and so connect to something other than what
        // was asked for.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return bad("it has white space or control characters; percent-encode them");
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return bad(&format!("it has no scheme; use ws://{}", text.trim_start_matches('/')));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "ws" | "wss" => {}
            "https" => return bad(&format!("its scheme is https; use wss://{rest}")),
            "http" => return bad(&format!("its scheme is http; use ws://{rest}")),
            other => return bad(&format!("its scheme is {other}; use ws://")),
        }
        let (text, zone) = match without_zone(text) {
            Ok(parted) => parted,
            Err(why) => return bad(&why),
        };
        let marked = match Marked::new(&text) {
            Ok(marked) => marked,
            Err(why) => return bad(&why),
        };
        let url = match Url::parse(&marked.text) {
            Ok(url) => url,
            Err(error) => return bad(&format!("{error}; use ws://host:port/path")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return bad("it has a user or password; send them with --user");
        }
        if url.fragment().is_some() {
            return bad("it has a fragment (#), which WebSocket URLs can't have; encode it as %23");
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return bad("it has no host; use ws://host:port/path"),
        };
        match url.port_or_known_default() {
            Some(0) | None => bad("port 0 can't be connected to; use 1-65535"),
            Some(port) => {
                let (resource, mut full) = (marked.resource(&url), marked.shown(&url));
                if let Some(zone) = &zone {
                    full = full.replacen(']', &format!("%25{zone}]"), 1);
                }
                let shown = match secrets {
                    Secrets::Mask => masked_url(&full),
                    Secrets::Show => full,
                };
                Ok(Self { url, host, zone, port, resource, shown })
            }
        }
    }

    /// Returns the host to resolve: a name in ASCII, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the interface of this machine that reaches the address, by name or number (RFC
    /// 6874).
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// Checks whether the URL asks for TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.url.scheme() == "wss"
    }

    /// Returns the port; by default 80, or 443 with TLS.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the |Host| header's value: no port if it is the default (RFC 6455, 4.1).
    #[must_use]
    pub fn host_header(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Returns the requested resource: path and query (RFC 6455, 3).
    #[must_use]
    pub const fn resource(&self) -> &Template {
        &self.resource
    }
}

/// Removes the zone from an IPv6 address, as `%25eth0` of `[fe80::1%25eth0]`: the URL parser
/// doesn't accept it, and it means nothing to a server (RFC 6874, 4). Also accepts a bare `%`.
fn without_zone(text: &str) -> Result<(Cow<'_, str>, Option<String>), String> {
    let begin = text.find("://").map_or(0, |at| at + "://".len());
    let end = text[begin..].find(['/', '?', '#']).map_or(text.len(), |at| begin + at);
    let authority = &text[begin..end];
    let host = authority.rfind('@').map_or(0, |at| at + 1);
    let Some(address_len) =
        authority[host..].find(']').filter(|_| authority[host..].starts_with('['))
    else {
        return Ok((text.into(), None));
    };
    let address = &authority[host..host + address_len];
    let Some((_, zone)) = address.split_once('%') else { return Ok((text.into(), None)) };
    let percent = begin + host + address_len - zone.len() - 1;
    let zone = zone.strip_prefix("25").unwrap_or(zone);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    if zone.is_empty() || !zone.chars().all(is_name) {
        return Err("no interface behind % in the address; use one like [fe80::1%25eth0]".into());
    }
    let rest = &text[begin + host + address_len..];
    Ok((format!("{}{rest}", &text[..percent]).into(), Some(zone.to_owned())))
}

/// A URL with marks of letters and digits in place of its placeholders, so that a URL parser leaves
/// them alone while it encodes everything around them.
struct Marked {
    text: String,
    /// The start of a mark, found nowhere else in the text: `mark`, a placeholder's number, `x`.
    mark: String,
    placeholders: Vec<Part>,
}

impl Marked {
    fn new(text: &str) -> Result<Self, String> {
        let authority = text.find("://").map_or(0, |at| at + "://".len());
        let end = text[authority..].find(['/', '?', '#']).map_or(text.len(), |at| authority + at);
        let (origin, rest) = text.split_at(end);
        if origin.contains('{') {
            return Err(
                "placeholders can only follow the host; use a URL for each host, or %7B for a \
                 brace"
                    .into(),
            );
        }
        let template = Template::parse_for(rest.as_bytes(), Purpose::Request)?;
        let marks = (0_u64..).map(|n| format!("mark{n}m"));
        let mark = marks.into_iter().find(|mark| !text.contains(mark)).unwrap_or_default();
        let mut marked = Self { text: origin.to_owned(), mark, placeholders: Vec::new() };
        for part in template.parts() {
            if let Part::Literal(bytes) = part {
                marked.text.push_str(&String::from_utf8_lossy(bytes));
            } else {
                marked.text.push_str(&marked.mark_of(marked.placeholders.len()));
                marked.placeholders.push(part.clone());
            }
        }
        Ok(marked)
    }

    fn mark_of(&self, number: usize) -> String {
        format!("{}{number}x", self.mark)
    }

    /// Returns path and query, with the placeholders restored.
    fn resource(&self, url: &Url) -> Template {
        let text = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let literal = |text: &str| Part::Literal(text.as_bytes().into());
        let mut pieces = text.split(&*self.mark);
        let mut parts = vec![literal(pieces.next().unwrap_or_default())];
        for piece in pieces {
            let Some((number, rest)) = piece.split_once('x') else { continue };
            let number = number.parse().unwrap_or(usize::MAX);
            parts.extend(self.placeholders.get(number).cloned());
            if !rest.is_empty() {
                parts.push(literal(rest));
            }
        }
        Template::of_parts(parts)
    }

    /// Returns the URL in readable form, with its placeholders.
    fn shown(&self, url: &Url) -> String {
        let numbered = self.placeholders.iter().enumerate();
        numbered.fold(url.to_string(), |shown, (number, part)| {
            shown.replace(&self.mark_of(number), &part.to_string())
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b36_urls_that_can_be_connected_to() {
        for (text, host, port, header, resource) in [
            ("ws://127.0.0.1:9001", "127.0.0.1", 9001, "127.0.0.1:9001", "/"),
            ("ws://example.com", "example.com", 80, "example.com", "/"),
            ("WS://Example.COM:80/Chat?a=b", "example.com", 80, "example.com", "/Chat?a=b"),
            ("wss://example.com/x", "example.com", 443, "example.com", "/x"),
            ("wss://h:443/", "h", 443, "h", "/"),
            ("wss://h:80/", "h", 80, "h:80", "/"),
            ("ws://[::1]:9001/x", "::1", 9001, "[::1]:9001", "/x"),
            (
                "ws://b\u{fc}cher.example/",
                "xn--bcher-kva.example",
                80,
                "xn--bcher-kva.example",
                "/",
            ),
            ("ws://example.com.:81/?q", "example.com.", 81, "example.com.:81", "/?q"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(target.host(), host, "{text}");
            assert_eq!(target.port(), port, "{text}");
            assert_eq!(target.host_header(), header, "{text}");
            assert_eq!(target.resource().as_literal(), Some(resource.as_bytes()), "{text}");
        }
    }

    #[test]
    fn n8_placeholders_stay_and_the_rest_is_encoded() {
        for (text, resource, shown) in [
            ("ws://h/chat?t=t{conn}", "/chat?t=t{conn}", "ws://h/chat?t=t{conn}"),
            ("ws://h/u{conn:5}/{rand:8}", "/u{conn:5}/{rand:8}", "ws://h/u{conn:5}/{rand:8}"),
            ("ws://h?{conn}", "/?{conn}", "ws://h/?{conn}"),
            ("ws://h/a/../{conn}", "/{conn}", "ws://h/{conn}"),
            ("ws://h/{{a}/\u{fc}{conn}", "/%7Ba%7D/%C3%BC{conn}", "ws://h/%7Ba%7D/%C3%BC{conn}"),
            ("ws://h/mark0m0x{conn}", "/mark0m0x{conn}", "ws://h/mark0m0x{conn}"),
            (
                "ws://h/?f={\"a\":1}&c={conn}",
                "/?f={%22a%22:1}&c={conn}",
                "ws://h/?f={%22a%22:1}&c={conn}",
            ),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(target.resource().to_string(), resource, "{text}");
            assert_eq!(target.to_string(), shown, "{text}");
            let placeholders = |part: &&Part| !matches!(part, Part::Literal(_));
            assert!(target.resource().parts().iter().any(|part| placeholders(&part)), "{text}");
        }
        for (text, why) in [
            ("ws://h/?u={user}", "unknown placeholder {user}; use {conn}, {conn:5}, {time}"),
            ("ws://h/{seq}", "unknown placeholder {seq}; use {conn}"),
            ("ws://h/?u={rand}", "unknown placeholder {rand}"),
            ("ws://h/?u={conn", "has no end; write {{ for a brace"),
            ("ws://h{conn}.example/", "placeholders can only follow the host"),
        ] {
            let said = Target::parse(text).unwrap_err();
            assert!(said.contains(why), "{text:?}: {said}");
        }
    }

    #[test]
    fn p10_a_zone_is_kept_apart_from_the_host() {
        for (text, zone, shown) in [
            ("ws://[fe80::1%25eth0]:81/a]", Some("eth0"), "ws://[fe80::1%25eth0]:81/a]"),
            ("ws://[fe80::1%eth0]:81/", Some("eth0"), "ws://[fe80::1%25eth0]:81/"),
            ("wss://[fe80::1%252]:81", Some("2"), "wss://[fe80::1%252]:81/"),
            ("ws://[fe80::1]:81/[%25x]", None, "ws://[fe80::1]:81/[%25x]"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!((target.host(), target.zone()), ("fe80::1", zone), "{text}");
            assert_eq!(target.host_header(), "[fe80::1]:81", "{text}");
            assert_eq!(target.to_string(), shown);
        }
    }

    #[test]
    fn m5_secrets_are_sent_and_not_shown() {
        let text = "ws://h/?token=abc&room=7";
        let target = Target::parse(text).unwrap();
        assert_eq!(target.to_string(), "ws://h/?token=***&room=7");
        assert_eq!(target.resource().to_string(), "/?token=abc&room=7");
        assert_eq!(Target::parse_for(text, Secrets::Show).unwrap().to_string(), text);
    }

    #[test]
    fn b36_urls_that_cannot_each_with_what_to_do() {
        for (text, why) in [
            ("", "no scheme"),
            ("127.0.0.1:9001", "use ws://127.0.0.1:9001"),
            ("localhost", "use ws://localhost"),
            ("ws:/x", "no scheme"),
            ("ws://", "use ws://host:port/path"),
            ("ws://:80/", "use ws://host:port/path"),
            ("http://h/", "use ws://h/"),
            ("https://h/", "use wss://h/"),
            ("ftp://h/", "scheme is ftp"),
            ("ws://h:0/", "port 0"),
            ("ws://h:65536/", "invalid port"),
            ("ws://h:x/", "invalid port"),
            ("ws://u:p@h/", "--user"),
            ("ws://h/#f", "fragment"),
            ("ws://[::1", "IPv6"),
            ("ws://[fe80::1%25]/", "use one like [fe80::1%25eth0]"),
            ("ws://[fe80::1%25a%20b]/", "use one like [fe80::1%25eth0]"),
            ("ws://[fe80::x%25eth0]/", "IPv6"),
            ("ws://a b/", "white space"),
            ("ws://h/\r\nX: y", "white space or control"),
            ("ws://h/\0", "control"),
        ] {
            let said = Target::parse(text).unwrap_err();
            assert!(said.contains(why), "{text:?}: {said}");
            assert!(!said.contains(char::is_control), "{text:?}: {said}");
        }
    }
}
