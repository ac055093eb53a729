//! The contents of messages: generated, fixed, or templates from the command line or a file.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wscodec::DataKind;

use super::sizes::{Sizes, too_large};
use super::{Echo, PAYLOAD_SIZE_MAX, TIMEOUT_MAX, Template, bounded, lines, within_size};
use crate::cli::{MessageArgs, SizesAsked};
use crate::stamp::STAMP_LEN;

const PAYLOAD_SIZE_DEFAULT: u64 = 64;

/// What is in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Generated from the seed.
    Generated(Sizes),
    /// The same bytes every time.
    Fixed(Vec<u8>),
    /// Taken in turn, starting over at the end; connection `i` begins with the `i`th. Placeholders
    /// are filled in from the seed. At least one.
    Templates(Arc<[Template]>),
}

/// Checks the time limit for an echo: one that arrives later must be distinguishable from the echo
/// of another message.
pub(super) fn reply_timeout(
    asked: Option<Duration>,
    echo: Option<&Echo>,
) -> Result<Option<Duration>, String> {
    let Some(timeout) = asked else { return Ok(None) };
    let is_named = |content: &Content| match content {
        Content::Generated(sizes) => sizes.least() >= STAMP_LEN,
        Content::Fixed(_) | Content::Templates(_) => false,
    };
    if !echo.is_some_and(|echo| is_named(&echo.content)) {
        return Err(format!(
            "--reply-timeout needs messages that can be told apart, so that a late echo isn't \
             taken for another message's; use -s {STAMP_LEN} or more, without -m and -f"
        ));
    }
    bounded("--reply-timeout", timeout, Duration::from_millis(1), TIMEOUT_MAX).map(Some)
}

impl Content {
    /// The name in reports of the lines of a file.
    pub const RING: &str = "a ring of messages or templates";

    /// Reads the contents that the arguments ask for; adds changes to `notes`.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn new(args: &MessageArgs, notes: &mut Vec<String>) -> Result<Self, String> {
        let given = [
            ("-s", args.size.is_some()),
            ("-m", args.message.is_some()),
            ("-f", args.message_file.is_some()),
        ];
        let given: Vec<_> = given.iter().filter(|(_, is_given)| *is_given).collect();
        if let [(one, _), (other, _), ..] = given.as_slice() {
            return Err(format!("{one} and {other} exclude each other; use one of them"));
        }
        if args.whole_file && args.message_file.is_none() {
            return Err("--whole-file says how -f is read; use it with -f FILE".into());
        }
        if args.raw && args.message.is_none() && args.message_file.is_none() {
            return Err("--raw says how -m and -f are read; use it with one of them".into());
        }
        match (&args.message, &args.message_file) {
            (Some(message), _) => {
                Ok(Self::of_templates(vec![template(message.as_bytes(), args, "-m")?]))
            }
            (None, Some(path)) => Ok(Self::of_templates(read(path, args, notes)?)),
            (None, None) => {
                let default = SizesAsked::One(PAYLOAD_SIZE_DEFAULT);
                Sizes::new(args.size.as_ref().unwrap_or(&default)).map(Self::Generated)
            }
        }
    }

    fn of_templates(templates: Vec<Template>) -> Self {
        let one = match templates.as_slice() {
            [one] => one.as_literal().map(<[u8]>::to_vec),
            _ => None,
        };
        one.map_or_else(|| Self::Templates(templates.into()), Self::Fixed)
    }

    /// Returns the name of the source in reports.
    #[must_use]
    pub fn source(&self) -> &'static str {
        match self {
            Self::Generated(Sizes::Fixed(_)) => "generated",
            Self::Generated(Sizes::Range { .. }) => "generated, sizes from a range",
            Self::Generated(Sizes::Listed(_)) => "generated, sizes from a list",
            Self::Fixed(_) => "one message",
            Self::Templates(all) if all.len() > 1 => Self::RING,
            Self::Templates(_) => "a template",
        }
    }

    /// Returns the size of the smallest payload, in bytes.
    #[must_use]
    pub fn size_least(&self) -> usize {
        match self {
            Self::Generated(sizes) => sizes.least(),
            Self::Fixed(payload) => payload.len(),
            Self::Templates(all) => all.iter().map(Template::size_least).min().unwrap_or(0),
        }
    }

    /// Returns an upper bound on the size of a payload, in bytes.
    #[must_use]
    pub fn size_most(&self) -> usize {
        match self {
            Self::Generated(sizes) => sizes.most(),
            Self::Fixed(payload) => payload.len(),
            Self::Templates(all) => all.iter().map(Template::size_most).max().unwrap_or(0),
        }
    }
}

/// Checks whether contents come from stdin or a pipe, which only one process can read.
pub(super) fn reads_stream(args: &MessageArgs) -> bool {
    let sizes = match &args.size {
        Some(SizesAsked::File(path)) => Some(path),
        _ => None,
    };
    let files = [args.message_file.as_ref(), sizes].into_iter().flatten();
    let is_file = |path: &Path| path != Path::new("-") && path.is_file();
    files.into_iter().any(|path| !is_file(path))
}

/// Checks the number of payload bytes per frame.
pub(super) fn fragment(size: u64) -> Result<NonZeroUsize, String> {
    let size = within_size("--fragment", size, 1, PAYLOAD_SIZE_MAX)?;
    Ok(usize::try_from(size).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN))
}

/// Reads the messages of a file.
fn read(path: &Path, args: &MessageArgs, notes: &mut Vec<String>) -> Result<Vec<Template>, String> {
    let shown = format!("-f {}", path.display().to_string().escape_debug());
    let bytes = lines::read(path, &shown)?;
    let is_text = args.kind() == DataKind::Text && !args.raw;
    let bytes = match lines::without_mark(&bytes) {
        Some(rest) if is_text => {
            notes.push(format!(
                "{shown} begins with a byte order mark, which is skipped; --raw keeps it"
            ));
            rest
        }
        _ => &bytes,
    };
    if args.whole_file {
        return Ok(vec![template(bytes, args, &shown)?]);
    }
    let mut templates = Vec::new();
    for (number, line) in lines::of(bytes) {
        templates.push(template(line, args, &format!("{shown}: line {number}"))?);
        lines::check_number(&shown, templates.len())?;
    }
    if templates.is_empty() {
        return Err(format!("{shown} has no messages; write one per line, or use --whole-file"));
    }
    Ok(templates)
}

fn template(bytes: &[u8], args: &MessageArgs, place: &str) -> Result<Template, String> {
    if args.kind() == DataKind::Text && str::from_utf8(bytes).is_err() {
        return Err(format!("{place} isn't UTF-8, as text must be; use -b for binary messages"));
    }
    let template = if args.raw {
        Template::literal(bytes)
    } else {
        Template::parse(bytes).map_err(|why| format!("{place}: {why}"))?
    };
    if template.size_most() as u64 > PAYLOAD_SIZE_MAX {
        return Err(too_large(place));
    }
    Ok(template)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, Parsed, parse};

    fn content(words: &[&str]) -> Result<Content, String> {
        let words = ["loadgen", "run"].iter().chain(words).map(Into::into);
        let Parsed::Command(command) = parse(words) else { panic!() };
        let Command::Run(args) = *command else { panic!() };
        Content::new(&args.message, &mut Vec::new())
    }

    /// A file that is removed when the test ends.
    struct Scratch(std::path::PathBuf);

    impl Scratch {
        fn new(name: &str, bytes: &[u8]) -> Self {
            let path = std::env::temp_dir().join(format!("loadgen-{}-{name}", std::process::id()));
            std::fs::write(&path, bytes).unwrap();
            Self(path)
        }

        fn shown(&self) -> String {
            self.0.display().to_string()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).ok();
        }
    }

    #[test]
    fn messages_and_templates() {
        assert_eq!(content(&[]), Ok(Content::Generated(Sizes::Fixed(64))));
        assert_eq!(content(&["-m", "hi"]), Ok(Content::Fixed(b"hi".to_vec())));
        assert_eq!(content(&["-m", "{{hi"]), Ok(Content::Fixed(b"{hi".to_vec())));
        assert_eq!(content(&["-m", "{hi}", "--raw"]), Ok(Content::Fixed(b"{hi}".to_vec())));
        let Ok(Content::Templates(all)) = content(&["-m", "n {seq}"]) else { panic!() };
        assert_eq!((all.len(), all[0].parts().len()), (1, 2));
    }

    #[test]
    fn files_of_messages_and_of_sizes() {
        let file = Scratch::new("messages", b"one\r\n\ntwo {conn}\n");
        let Ok(Content::Templates(all)) = content(&["-f", &file.shown()]) else { panic!() };
        assert_eq!((all.len(), all[0].as_literal()), (2, Some(&b"one"[..])));
        let whole = content(&["-f", &file.shown(), "--whole-file", "--raw"]);
        assert_eq!(whole, Ok(Content::Fixed(b"one\r\n\ntwo {conn}\n".to_vec())));
        let sizes = Scratch::new("sizes", b"64\n\n4k\n");
        let listed = content(&["-s", &format!("file:{}", sizes.shown())]);
        assert_eq!(listed, Ok(Content::Generated(Sizes::Listed([64, 4_096].into()))));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line_with_its_place() {
        let binary = Scratch::new("binary", b"ok\n\xff\xfe\n");
        let empty = Scratch::new("empty", b"\n\n");
        let wrong = Scratch::new("wrong", b"64\nmany\n");
        let large = Scratch::new("large", b"65M\n");
        let [binary, empty, wrong, large] = [&binary, &empty, &wrong, &large].map(Scratch::shown);
        for (words, why) in [
            (&["-m", "x", "-s", "5"][..], "-s and -m exclude each other"),
            (&["-m", "x", "-f", "y"], "-m and -f exclude each other"),
            (&["-m", "{foo}"], "-m: unknown placeholder {foo}"),
            (&["--raw"], "--raw says"),
            (&["-m", "x", "--whole-file"], "use it with -f FILE"),
            (&["-f", "/nonexistent"], "-f /nonexistent can't be read: No such file"),
            (&["-f", "/"], "-f / can't be read: "),
            (&["-f", &binary], ": line 2 isn't UTF-8"),
            (&["-f", &empty], "has no messages"),
            (&["-s", &format!("file:{wrong}")], ": line 2: not a size"),
            (&["-s", &format!("file:{empty}")], "has no sizes"),
            (&["-s", &format!("file:{large}")], ": line 1 is larger than a payload may be"),
            (&["-m", "{rand:60000000}{rand:60000000}"], "-m is larger than"),
        ] {
            let said = content(words).unwrap_err();
            assert!(said.contains(why), "{words:?}: {said}");
            assert!(!said.contains(char::is_control), "{words:?}: {said}");
        }
        assert!(content(&["-f", &binary, "-b"]).is_ok());
    }
}
