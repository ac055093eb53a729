//! Writes one line of the text for people: a label, and its text.

use std::fmt;

use crate::{screen, units};

/// Columns of a label, and the space in front of it.
pub(super) const LABEL_WIDTH: usize = 14;
/// Columns of a line of words if the terminal's width is unknown.
pub(super) const LINE_WIDTH: usize = 100;

/// The parts of a line, such as `sent 10   lost 0`.
pub(super) struct Row(pub(super) Vec<String>);

impl Row {
    /// Starts with these counts.
    pub(super) fn of(counts: &[(u64, &str)]) -> Self {
        Self(
            counts.iter().map(|(count, what)| format!("{what} {}", units::count(*count))).collect(),
        )
    }

    /// Adds those of the counts that aren't zero.
    pub(super) fn nonzero(&mut self, counts: &[(u64, &str)]) {
        for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
            self.push(format!("{what} {}", units::count(*count)));
        }
    }

    pub(super) fn push(&mut self, part: String) {
        self.0.push(part);
    }

    pub(super) fn write(self, f: &mut fmt::Formatter<'_>, label: &str) -> fmt::Result {
        line(f, label, &self.0.join("   "))
    }
}

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
