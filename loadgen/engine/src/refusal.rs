//! Why a server or this side refuses to go on, to words: a response that isn't 101, with what it
//! says of where to go, who may, and why not; and what a server sent that is too large.

use std::fmt::Write;

use wscodec::handshake::Response;
use wscodec::{FrameError, ProtocolError};

use crate::{escape, units};

/// Bytes of a header's value, and of a line of the body, that are shown.
const SHOWN_LEN_MAX: usize = 100;

/// The status, what it means for someone who wants a WebSocket, and the headers that help.
#[must_use]
pub fn said(response: Response<'_>) -> String {
    of(response.status(), response.reason(), |name| response.header(name))
}

/// Like [`said`], of a response over HTTP/2.
pub fn of_http2<B>(response: &http::Response<B>) -> String {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let header = |name: &str| response.headers().get(name).map(http::HeaderValue::as_bytes);
    of(status.as_u16(), reason.as_bytes(), header)
}

fn of<'h>(status: u16, reason: &[u8], header: impl Fn(&str) -> Option<&'h [u8]>) -> String {
    let reason = escape::bytes(reason, SHOWN_LEN_MAX);
    let mut said = format!("{status} {reason}").trim_end().to_owned();
    if let Some(hint) = hint(status) {
        said.push_str(": ");
        said.push_str(hint);
    }
    for name in ["Location", "WWW-Authenticate"] {
        if let Some(value) = header(name) {
            write!(said, "; {name}: {}", escape::bytes(value, SHOWN_LEN_MAX)).ok();
        }
    }
    said
}

/// What a server sent that is larger than this side takes, and the flag that says how much that is.
pub fn too_large(error: &ProtocolError) -> Option<String> {
    let (what, size, max, flag) = match *error {
        ProtocolError::Frame(FrameError::FrameTooBig { payload_len, frame_size_max }) => {
            ("frame of", payload_len, frame_size_max, "--max-frame")
        }
        ProtocolError::MessageTooBig { message_size, message_size_max } => {
            ("message of at least", message_size, message_size_max as u64, "--max-message")
        }
        ProtocolError::CompressedTooBig { compressed_size, compressed_size_max: max } => {
            ("message that is compressed to at least", compressed_size, max as u64, "--max-message")
        }
        _ => return None,
    };
    let [size, max] = [size, max].map(units::count);
    Some(format!("the server sent a {what} {size} bytes, and {flag} allows {max}; raise {flag}"))
}

/// What a status means for someone who wants a WebSocket.
const fn hint(status: u16) -> Option<&'static str> {
    match status {
        200..=299 => Some("not a WebSocket endpoint; wrong path?"),
        300..=399 => Some("redirected; give the new URL"),
        401 | 407 => Some("it requires a login; use --user or -H"),
        403 => Some("not allowed; does it require an Origin (--origin) or a login?"),
        404 | 405 | 410 => Some("wrong path?"),
        _ => None,
    }
}

/// Returns the first line of a body that has words, as it may be shown; of a page in HTML its title,
/// or the first line of its text. `is_chunked` passes over the line with the size of the first chunk
/// (RFC 9112, 7.1).
#[must_use]
pub fn first_line(body: &[u8], is_chunked: bool) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = if is_chunked { text.split_once('\n')?.1 } else { &text };
    let is_html = text.trim_start().starts_with('<');
    let text = if is_html { title(text).unwrap_or_else(|| content(text)) } else { text.to_owned() };
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line =
        lines().find(|line| line.contains(char::is_alphanumeric)).or_else(|| lines().next())?;
    Some(escape::control(line, SHOWN_LEN_MAX))
}

/// Returns the title of a page, in one line; `None` if it has none.
fn title(page: &str) -> Option<String> {
    let (_, behind) = element(page, "title")?;
    let words: Vec<_> =
        content(behind.split_once('<')?.0).split_whitespace().map(str::to_owned).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Returns the text of a page, without what is in tags, comments, scripts and style sheets.
fn content(page: &str) -> String {
    let mut content = String::with_capacity(page.len());
    let mut rest = page;
    while let Some((text, tag)) = rest.split_once('<') {
        content.push_str(text);
        let end = ["script", "style"].into_iter().find(|name| is_named(tag, name));
        rest = if tag.starts_with("!--") {
            tag.split_once("-->").map_or("", |(_, behind)| behind)
        } else if let Some(name) = end {
            element(tag, &format!("/{name}")).map_or("", |(_, behind)| behind)
        } else {
            tag.split_once('>').map_or("", |(_, behind)| behind)
        };
    }
    content.push_str(rest);
    // "&" last: what it was in the way of is text.
    for (escaped, c) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
    {
        content = content.replace(escaped, c);
    }
    content
}

/// Returns what is before and behind the first tag of this name.
fn element<'p>(page: &'p str, name: &str) -> Option<(&'p str, &'p str)> {
    let begins = page.match_indices('<').map(|(begin, _)| begin);
    let begin = begins.into_iter().find(|&begin| is_named(&page[begin + 1..], name))?;
    let (_, behind) = page[begin..].split_once('>')?;
    Some((&page[..begin], behind))
}

/// Checks whether a tag, without its `<`, has this name.
fn is_named(tag: &str, name: &str) -> bool {
    tag.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
        && tag[name.len()..].starts_with(|c: char| c == '>' || c == '/' || c.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_the_first_line_of_a_body() {
        assert_eq!(
            first_line(b"no such path, use /chat\nmore", false).unwrap(),
            "no such path, use /chat"
        );
        assert_eq!(first_line(b"{\n  \"error\": \"no\"\n}", false).unwrap(), r#""error": "no""#);
        assert_eq!(first_line(b"\r\n{}\n", false).unwrap(), "{}");
        assert_eq!(first_line(b"18\r\nno such path\r\n0\r\n\r\n", true).unwrap(), "no such path");
        assert_eq!(first_line(b"", false), None);
        assert_eq!(first_line(b"18\r\n", true), None);
        assert!(first_line(&[b'x'; 9_000], false).unwrap().len() < 200);
    }

    #[test]
    fn e1_the_title_of_a_page_or_the_first_line_of_its_text() {
        for (page, line) in [
            (
                "<!DOCTYPE HTML>\n<html>\n<head><TITLE>404 Not\n Found</TITLE></head>",
                "404 Not Found",
            ),
            ("<html><title lang=en>Tom &amp; Jerry &amp;lt;</title>", "Tom & Jerry &lt;"),
            ("<html><titles>no</titles><title>yes</title>", "yes"),
            ("<!doctype html><head><title> </title></head><h1>Gone</h1>\n<p>x", "Gone"),
            (
                "<!-- a > b -->\n<script>if (1 < 2) {}</script><style>p > a {}</STYLE>\n<hr/>\n<p>No such <b>path</b>.",
                "No such path.",
            ),
            ("<?xml version=\"1.0\"?>\n<Error>\n<Code>AccessDenied</Code>", "AccessDenied"),
            ("<pre>Cannot GET /ws</pre>", "Cannot GET /ws"),
        ] {
            assert_eq!(first_line(page.as_bytes(), false).as_deref(), Some(line), "{page}");
        }
        for nothing in ["<html>", "<script>never ends", "<!-- nor this", "<", "<title"] {
            assert_eq!(first_line(nothing.as_bytes(), false), None, "{nothing}");
        }
    }
}
