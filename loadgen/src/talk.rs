//! Lines to whoever reads stderr: that nobody does any more, as behind `2>&1 | head`, is no reason to
//! lose what was measured.

use std::fmt::Display;
use std::io::{Write, stderr};

/// Says a line on stderr, if anybody can hear it. `eprintln!` panics if not.
pub fn say(line: impl Display) {
    writeln!(stderr(), "{line}").ok();
}
