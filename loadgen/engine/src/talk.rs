//! Lines on stderr, which may have no reader any more, as behind `2>&1 | head`: that is no reason to
//! lose what was measured.

use std::fmt::Display;
use std::io::{Write, stderr};

/// Writes a line to stderr. Unlike `eprintln!`, doesn't panic if its reader has left.
pub fn say(line: impl Display) {
    writeln!(stderr(), "{line}").ok();
}
