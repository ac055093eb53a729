//! Writes one line of the text for people: a label, and its text.

use std::fmt;

use crate::screen;

/// Columns of a label, and the space in front of it.
pub(super) const LABEL_WIDTH: usize = 14;
/// Columns of a line of words if the terminal's width is unknown.
pub(super) const LINE_WIDTH: usize = 100;

/// Writes a line, wrapped to the width of the terminal if there is one.
pub(super) fn line(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    let said = format!(" {label:<width$}{text}", width = LABEL_WIDTH - 1);
    writeln!(f, "{}", screen::wrapped(&said, f.width(), LABEL_WIDTH))
}

/// Writes a line of words, wrapped even if the terminal's width is unknown.
pub(super) fn wrapped(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    let said = format!(" {label:<width$}{text}", width = LABEL_WIDTH - 1);
    let width = f.width().unwrap_or(LINE_WIDTH);
    writeln!(f, "{}", screen::wrapped(&said, Some(width), LABEL_WIDTH))
}
