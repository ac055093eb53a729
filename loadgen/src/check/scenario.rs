//! Says what a scenario file does, or what is wrong with it: `loadgen check FILE`.

use std::io::{Write, stdout};

use crate::exit::{Exit, Failed};
use crate::scenario::explain;

/// Reads a scenario and says what it does.
///
/// # Errors
/// [`Failed`] with the file, the line, and what to write instead.
pub(super) fn read(name: &str, set: &[(String, String)]) -> Result<Exit, Failed> {
    let program = crate::scenario::read(name, set).map_err(Failed::usage)?;
    // If stdout is closed, the reader wants no more.
    stdout().write_all(explain::explain(&program).as_bytes()).ok();
    Ok(Exit::Ok)
}
