//! What the terminal is like, and text that fits it.

use std::io::{IsTerminal, stderr, stdout};
use std::os::fd::AsFd;

use rustix::fs::{FileType, fstat};
use rustix::termios::tcgetwinsize;

/// Where nothing says how wide a terminal is.
const WIDTH: usize = 80;
/// Narrower than this, nothing would be readable.
const WIDTH_MIN: usize = 20;

/// A terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
    /// Whether it can only write on, not draw over what it has: `TERM=dumb`.
    pub is_dumb: bool,
    /// Whether stdout is a pipe: its reader may write to the same terminal.
    pub is_piped: bool,
    /// Whether it wants colours: `NO_COLOR` and `TERM=dumb` say no.
    pub has_colours: bool,
}

impl Screen {
    /// The terminal that stdout is; `None` for a file, a pipe, or under `CI`.
    #[must_use]
    pub fn of_stdout() -> Option<Self> {
        stdout().is_terminal().then(|| Self::of(&stdout())).filter(|_| !is_ci())
    }

    /// The terminal that stderr is, likewise.
    #[must_use]
    pub fn of_stderr() -> Option<Self> {
        stderr().is_terminal().then(|| Self::of(&stderr())).filter(|_| !is_ci())
    }

    fn of(terminal: &impl AsFd) -> Self {
        let size = tcgetwinsize(terminal).map(|size| (size.ws_col, size.ws_row));
        let (columns, lines) = size.map_or((0, 0), |(x, y)| (usize::from(x), usize::from(y)));
        let named = || std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let width = Some(columns).filter(|&columns| columns > 0).or_else(named).unwrap_or(WIDTH);
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            width: width.max(WIDTH_MIN),
            height: lines,
            is_dumb,
            is_piped: fstat(stdout()).is_ok_and(|found| {
                matches!(FileType::from_raw_mode(found.st_mode), FileType::Fifo | FileType::Socket)
            }),
            has_colours: !is_set("NO_COLOR") && !is_dumb,
        }
    }
}

/// Whether this runs in CI, whose logs keep every line: `CI` is set, and not to `false`.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// A line to as many as its width takes, broken between words; those that go on are indented. A
/// word that is longer than a line stays whole. Without a width it is left as it is.
#[must_use]
pub fn wrapped(line: &str, width: Option<usize>, indent: usize) -> String {
    let Some(width) = width.filter(|&width| line.chars().count() > width) else {
        return line.to_owned();
    };
    let mut out = String::new();
    let mut column = 0;
    let mut rest = line;
    // What stands before the first word belongs to it: the label, and its spaces.
    while !rest.is_empty() {
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        let (gap, behind) = rest.split_at(spaces);
        let (word, behind) = behind.split_at(behind.find(' ').unwrap_or(behind.len()));
        rest = behind;
        let len = word.chars().count();
        let is_begin = column <= indent;
        if column + gap.len() + len > width && !is_begin && !word.is_empty() {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else {
            out.push_str(gap);
            column += gap.len();
        }
        out.push_str(word);
        column += len;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_lines_are_broken_between_words() {
        let line = " client       cpu 49 %   busiest thread 100 %   rss 24.2 MB   -> degraded";
        assert_eq!(wrapped(line, None, 14), line);
        assert_eq!(wrapped(line, Some(80), 14), line);
        assert_eq!(
            wrapped(line, Some(40), 14),
            " client       cpu 49 %   busiest thread\n              100 %   rss 24.2 MB   ->\n              degraded"
        );
        for width in 20..90 {
            let text = wrapped(line, Some(width), 14);
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&text), words(line), "no word is broken at {width}");
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= width.max(22), "{width}: {text}");
        }
    }

    #[test]
    fn s4_a_long_word_stays_whole() {
        let url = format!("ws://host/{}", "x".repeat(60));
        let text = wrapped(&format!(" target       {url} open"), Some(40), 14);
        assert!(text.contains(&url), "{text}");
        assert!(text.ends_with("\n              open"), "{text}");
    }
}
