//! |Sec-WebSocket-Extensions|: between its text and names with parameters (RFC 6455, 9.1), and the two hooks by which
//! an extension takes part in a handshake.
//!
//! Nothing here knows any particular extension. This module, not the hooks, enforces what RFC 6455
//! requires of every extension: a server's answer holds only what was offered, and nothing twice.
//!
//! ```text
//! extension-list = 1#extension
//! extension      = token *( ";" token [ "=" ( token | quoted-string ) ] )
//! ```
//!
//! Invariant: a list is checked as a whole before it is handed out, so its iterators meet no
//! malformed text.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::field::{self, is_token_byte};
use super::head::{Head, Headers};
use super::misuse::HandshakeMisuse;

/// The header's name.
pub(super) const NAME: &str = "Sec-WebSocket-Extensions";

/// How many of a client's offers a server considers: those that the client prefers. The rest are
/// only checked against the grammar, so that ten thousand offers cost no negotiation.
pub const EXTENSIONS_MAX: usize = 16;

/// The extensions that a client uses: what it offers, and how it handles the server's answer.
///
/// One value belongs to one handshake, and holds what was agreed when the handshake is done.
pub trait ClientExtensions {
    /// Writes the offers, the preferred one first.
    ///
    /// # Errors
    /// The error from `offers` for a text that is not a token.
    fn offer(&self, offers: &mut ExtensionWriter) -> Result<(), HandshakeMisuse>;

    /// Checks the server's answer. Called once, when everything else about the response is right.
    ///
    /// Each extension in `answer` was offered and occurs once; an empty `answer` means that the
    /// server declined all of them.
    ///
    /// # Errors
    /// [`ExtensionMismatch`] fails the connection.
    fn accept(&mut self, answer: Extensions<'_>) -> Result<(), ExtensionMismatch>;
}

/// The extensions that a server uses: what it accepts from a client's offers.
pub trait ServerExtensions {
    /// Picks from `offers`, which are in the client's order of preference, and writes the
    /// extensions to use from now on to `answer`. Writing nothing declines all of them. Called
    /// once.
    ///
    /// # Errors
    /// The error from `answer` for a text that is not a token.
    fn negotiate(
        &mut self,
        offers: Extensions<'_>,
        answer: &mut ExtensionWriter,
    ) -> Result<(), HandshakeMisuse>;
}

/// No extensions: offers nothing, and declines every offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoExtensions;

impl ClientExtensions for NoExtensions {
    fn offer(&self, _: &mut ExtensionWriter) -> Result<(), HandshakeMisuse> {
        Ok(())
    }

    fn accept(&mut self, _: Extensions<'_>) -> Result<(), ExtensionMismatch> {
        Ok(())
    }
}

impl ServerExtensions for NoExtensions {
    fn negotiate(
        &mut self,
        _: Extensions<'_>,
        _: &mut ExtensionWriter,
    ) -> Result<(), HandshakeMisuse> {
        Ok(())
    }
}

/// A server's parameters do not answer what was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionMismatch;

impl core::fmt::Display for ExtensionMismatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("extension parameters do not answer the offer")
    }
}

impl core::error::Error for ExtensionMismatch {}

/// A value of |Sec-WebSocket-Extensions| does not follow the grammar (RFC 6455, 9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedExtensions;

impl core::fmt::Display for MalformedExtensions {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Sec-WebSocket-Extensions malformed")
    }
}

impl core::error::Error for MalformedExtensions {}

/// The extensions listed in all header lines of a message.
#[derive(Clone, Debug)]
pub struct Extensions<'h> {
    /// The lines after the current one.
    lines: Lines<'h>,
    /// The rest of the current line; empty when it is used up.
    line: &'h [u8],
    /// How many more to hand out.
    remaining: usize,
}

/// Header lines whose values have been checked.
#[derive(Clone, Debug)]
enum Lines<'h> {
    /// Those of a head, among its other headers.
    Head(Headers<'h>),
    /// Their values.
    Values(core::slice::Iter<'h, &'h [u8]>),
}

impl<'h> Extensions<'h> {
    /// Parses the values of all |Sec-WebSocket-Extensions| lines of a message, in order. No lines
    /// means no extensions.
    ///
    /// ```
    /// use wscodec::handshake::Extensions;
    ///
    /// let values = [&b"permessage-deflate; client_max_window_bits, x-first"[..], b"x-second; a=1"];
    /// let names: Vec<_> = Extensions::parse(&values)?.map(|extension| extension.name()).collect();
    /// assert_eq!(names, ["permessage-deflate", "x-first", "x-second"]);
    /// assert!(Extensions::parse(&[b"a; =1"]).is_err());
    /// # Ok::<_, wscodec::handshake::MalformedExtensions>(())
    /// ```
    ///
    /// # Errors
    /// [`MalformedExtensions`] if a value does not follow the grammar.
    pub fn parse(values: &'h [&'h [u8]]) -> Result<Self, MalformedExtensions> {
        values.iter().try_for_each(|value| judge_line(value))?;
        Ok(Self::of_values(values, usize::MAX))
    }

    /// Returns the first `extensions_max` extensions of lines whose values have been checked.
    pub(super) fn of_values(values: &'h [&'h [u8]], extensions_max: usize) -> Self {
        Self { lines: Lines::Values(values.iter()), line: b"", remaining: extensions_max }
    }

    /// Returns what a client offers: the first [`EXTENSIONS_MAX`] of a head whose lines have been
    /// checked.
    pub(super) fn offers(head: &'h Head) -> Self {
        Self { lines: Lines::Head(head.headers()), line: b"", remaining: EXTENSIONS_MAX }
    }

    /// Returns what a server answers: all of a head whose lines have been checked, since each must
    /// have been offered.
    pub(super) fn answer(head: &'h Head) -> Self {
        Self { lines: Lines::Head(head.headers()), line: b"", remaining: usize::MAX }
    }

    /// Returns the extensions of one checked line.
    pub(super) fn of_line(line: &'h [u8]) -> Self {
        Self { line, ..Self::of_values(&[], usize::MAX) }
    }
}

impl<'h> Iterator for Extensions<'h> {
    type Item = Extension<'h>;

    fn next(&mut self) -> Option<Extension<'h>> {
        self.remaining = self.remaining.checked_sub(1)?;
        loop {
            if let Some((extension, rest)) = next_extension(self.line).ok().flatten() {
                self.line = rest;
                return Some(extension);
            }
            self.line = match &mut self.lines {
                Lines::Head(headers) => headers.find(|header| header.is(NAME))?.value,
                Lines::Values(values) => values.next()?,
            };
        }
    }
}

/// One extension with its parameters, as offered or as answered.
#[derive(Clone, Copy, Debug)]
pub struct Extension<'h> {
    name: &'h str,
    parameters: &'h [u8],
}

impl<'h> Extension<'h> {
    /// Returns the registered name, such as `permessage-deflate`. Names compare exactly.
    #[must_use]
    pub const fn name(&self) -> &'h str {
        self.name
    }

    /// Returns the parameters in order, including duplicates.
    #[must_use]
    pub const fn parameters(&self) -> ExtensionParameters<'h> {
        ExtensionParameters { rest: self.parameters }
    }
}

/// The parameters of an [`Extension`].
#[derive(Clone, Debug)]
pub struct ExtensionParameters<'h> {
    rest: &'h [u8],
}

impl<'h> Iterator for ExtensionParameters<'h> {
    type Item = ExtensionParameter<'h>;

    fn next(&mut self) -> Option<ExtensionParameter<'h>> {
        let (parameter, rest) = next_parameter(self.rest).ok().flatten()?;
        self.rest = rest;
        Some(parameter)
    }
}

/// One parameter of an [`Extension`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionParameter<'h> {
    /// The name, a token.
    pub name: &'h str,
    /// The value, a token; for a quoted string, the text between the quotes with its escapes
    /// resolved, copied only if there are any.
    pub value: Option<Cow<'h, str>>,
}

/// Checks the whole value of one |Sec-WebSocket-Extensions| line, in time linear in its length.
///
/// RFC 6455, 9.1: "If a value is received [...] that does not conform to the ABNF below, the
/// recipient of such malformed data MUST immediately _Fail the WebSocket Connection_."
pub(super) fn judge_line(value: &[u8]) -> Result<(), MalformedExtensions> {
    let mut rest = value;
    let mut count = 0_usize;
    while let Some((_, after)) = next_extension(rest)? {
        rest = after;
        count += 1;
    }
    if count == 0 { Err(MalformedExtensions) } else { Ok(()) }
}

/// Passes each of the headers that an HTTP stack has parsed to `take`, its value without
/// surrounding white space; returns the values of |Sec-WebSocket-Extensions|.
pub(super) fn gather<'h>(
    headers: impl IntoIterator<Item = (&'h str, &'h [u8])>,
    mut take: impl FnMut(&str, &'h [u8]),
) -> Vec<&'h [u8]> {
    let mut values = Vec::new();
    for (name, value) in headers {
        let value = field::trim(value);
        if name.eq_ignore_ascii_case(NAME) {
            values.push(value);
        }
        take(name, value);
    }
    values
}

/// Returns whether an extension occurs twice in an answer. Everything in it must have been offered,
/// so a duplicate is found among the first few, however long the answer is.
pub(super) fn has_doubled(extensions: &Extensions<'_>) -> bool {
    let mut rest = extensions.clone();
    while let Some(extension) = rest.next() {
        if rest.clone().any(|other| other.name == extension.name) {
            return true;
        }
    }
    false
}

/// Returns whether everything in `answer` is also in `offered`.
pub(super) fn are_offered(answer: &Extensions<'_>, offered: &Extensions<'_>) -> bool {
    answer.clone().all(|answered| offered.clone().any(|offer| offer.name == answered.name))
}

/// Returns the next extension of a list, and what follows it; `None` at the end of the list.
fn next_extension(list: &[u8]) -> Result<Option<(Extension<'_>, &[u8])>, MalformedExtensions> {
    let mut rest = skip_space(list);
    while let [b',', after @ ..] = rest {
        rest = skip_space(after); // empty elements are allowed in lists (RFC 9110, 5.6.1.2)
    }
    if rest.is_empty() {
        return Ok(None);
    }
    let (name, after_name) = take_token(rest)?;
    let mut rest = after_name;
    while let Some((_, after)) = next_parameter(rest)? {
        rest = after;
    }
    let parameters_len = after_name.len() - rest.len();
    let parameters = after_name.get(..parameters_len).unwrap_or_default();
    match skip_space(rest) {
        [] => Ok(Some((Extension { name, parameters }, &[]))),
        [b',', after @ ..] => Ok(Some((Extension { name, parameters }, after))),
        _ => Err(MalformedExtensions),
    }
}

/// Returns the next parameter of an extension, and what follows it; `None` if no semicolon is next.
fn next_parameter(
    text: &[u8],
) -> Result<Option<(ExtensionParameter<'_>, &[u8])>, MalformedExtensions> {
    let [b';', after @ ..] = skip_space(text) else { return Ok(None) };
    let (name, rest) = take_token(skip_space(after))?;
    let [b'=', after @ ..] = skip_space(rest) else {
        return Ok(Some((ExtensionParameter { name, value: None }, rest)));
    };
    let (value, rest) = match skip_space(after) {
        [b'"', quoted @ ..] => take_quoted(quoted)?,
        token => {
            let (value, rest) = take_token(token)?;
            (Cow::Borrowed(value), rest)
        }
    };
    Ok(Some((ExtensionParameter { name, value: Some(value) }, rest)))
}

fn take_token(text: &[u8]) -> Result<(&str, &[u8]), MalformedExtensions> {
    let len = text.iter().take_while(|&&byte| is_token_byte(byte)).count();
    let (token, rest) = text.split_at_checked(len).ok_or(MalformedExtensions)?;
    Ok((field::as_token(token).ok_or(MalformedExtensions)?, rest))
}

/// Returns the value of a quoted string that starts after its opening quote, and what follows it.
///
/// RFC 6455, 9.1: "When using the quoted-string syntax variant, the value after quoted-string
/// unescaping MUST conform to the 'token' ABNF."
fn take_quoted(text: &[u8]) -> Result<(Cow<'_, str>, &[u8]), MalformedExtensions> {
    let mut escaped = false;
    let mut has_escapes = false;
    let mut end = None;
    for (i, &byte) in text.iter().enumerate() {
        match byte {
            b'\\' if !escaped => {
                escaped = true;
                has_escapes = true;
            }
            b'"' if !escaped => {
                end = Some(i);
                break;
            }
            _ if is_token_byte(byte) => escaped = false,
            _ => return Err(MalformedExtensions),
        }
    }
    let (inside, rest) =
        text.split_at_checked(end.ok_or(MalformedExtensions)?).ok_or(MalformedExtensions)?;
    let rest = rest.get(1..).unwrap_or_default();
    let value = if has_escapes {
        let unescaped = inside.iter().filter(|&&byte| byte != b'\\').map(|&byte| char::from(byte));
        Cow::Owned(unescaped.collect())
    } else {
        Cow::Borrowed(field::as_token(inside).ok_or(MalformedExtensions)?)
    };
    Ok((value, rest))
}

fn skip_space(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Writes the value of |Sec-WebSocket-Extensions|: tokens only, so that nothing else can get into
/// the header.
///
/// ```
/// use wscodec::handshake::ExtensionWriter;
/// let mut offers = ExtensionWriter::new();
/// offers.extension("permessage-deflate")?.value("client_max_window_bits", "10")?.flag("x")?;
/// offers.extension("permessage-deflate")?;
/// assert_eq!(
///     offers.as_str(),
///     "permessage-deflate; client_max_window_bits=10; x, permessage-deflate"
/// );
/// # Ok::<_, wscodec::handshake::HandshakeMisuse>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionWriter {
    text: String,
}

impl ExtensionWriter {
    /// Creates a writer without extensions.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: String::new() }
    }

    /// Begins another extension.
    ///
    /// # Errors
    /// [`HandshakeMisuse::Extension`] if `name` is not a token.
    pub fn extension(&mut self, name: &str) -> Result<&mut Self, HandshakeMisuse> {
        judge_token(name)?;
        if !self.text.is_empty() {
            self.text.push_str(", ");
        }
        self.text.push_str(name);
        Ok(self)
    }

    /// Adds a parameter without a value to the last extension.
    ///
    /// # Errors
    /// [`HandshakeMisuse::Extension`] if `name` is not a token, or there is no extension.
    pub fn flag(&mut self, name: &str) -> Result<&mut Self, HandshakeMisuse> {
        judge_token(name)?;
        if self.text.is_empty() {
            return Err(HandshakeMisuse::Extension);
        }
        self.text.push_str("; ");
        self.text.push_str(name);
        Ok(self)
    }

    /// Adds a parameter with a value to the last extension.
    ///
    /// # Errors
    /// [`HandshakeMisuse::Extension`] if `name` or `value` is not a token, or there is no
    /// extension.
    pub fn value(&mut self, name: &str, value: &str) -> Result<&mut Self, HandshakeMisuse> {
        judge_token(value)?;
        self.flag(name)?;
        self.text.push('=');
        self.text.push_str(value);
        Ok(self)
    }

    /// Returns the value of the header; empty if no extension has been written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Parses and returns what has been written.
    pub(super) fn extensions(&self) -> Extensions<'_> {
        Extensions::of_line(self.text.as_bytes())
    }
}

fn judge_token(text: &str) -> Result<(), HandshakeMisuse> {
    if field::is_token(text.as_bytes()) { Ok(()) } else { Err(HandshakeMisuse::Extension) }
}
