//! The request target: from its text to host, path and query (RFC 9112, 3.2).

use super::field;
use super::head::Span;
use super::host;

/// A target in origin-form or absolute-form, by position in the text that holds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// The authority of an absolute-form target.
    pub(super) authority: Option<Span>,
    /// The path, starting at the slash; `None` if an absolute-form target has no path, which means
    /// `/`.
    pub(super) path: Option<Span>,
    /// What follows the first question mark.
    pub(super) query: Option<Span>,
}

impl Target {
    /// Returns the target `text`, which lies in `bytes`; `None` if it has neither form.
    pub(super) fn parse(text: &[u8], bytes: &[u8]) -> Option<Self> {
        if find_refused(text).is_some() {
            return None;
        }
        let (authority, after) = if text.starts_with(b"/") {
            (None, text)
        } else {
            let (authority, after) = split_absolute(text)?;
            (Some(authority), after)
        };
        let mut parts = after.splitn(2, |&byte| byte == b'?');
        let path = parts.next().filter(|path| !path.is_empty());
        Some(Self {
            authority: authority.map(|authority| Span::of(authority, bytes)),
            path: path.map(|path| Span::of(path, bytes)),
            query: parts.next().map(|query| Span::of(query, bytes)),
        })
    }
}

/// Returns the authority of an absolute URI, and what follows it.
fn split_absolute(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = text.iter().position(|&byte| byte == b':')?;
    let (scheme, rest) = text.split_at_checked(colon)?;
    let known = [&b"http"[..], b"https", b"ws", b"wss"];
    if !known.iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let rest = rest.strip_prefix(b"://")?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, after) = rest.split_at_checked(end)?;
    host::find_fault(authority).is_none().then_some((authority, after))
}

/// Returns the position of anything that is not allowed in a target: a byte that is not visible
/// ASCII, a fragment, or an encoded NUL, which truncates strings in software behind a server.
///
/// Characters that RFC 3986 requires to be encoded but that browsers leave alone in queries, such
/// as `|`, are allowed.
pub(super) fn find_refused(text: &[u8]) -> Option<usize> {
    let byte = field::find_refused(text, |byte| byte.is_ascii_graphic() && byte != b'#');
    let nul = text.windows(3).position(|three| three == b"%00");
    match (byte.map(|(at, _)| at), nul) {
        (Some(byte), Some(nul)) => Some(byte.min(nul)),
        (byte, nul) => byte.or(nul),
    }
}
