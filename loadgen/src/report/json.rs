//! Writes a [`Report`] as the bytes of the result file.

use std::io::{self, Write};

use super::Report;

/// Writes a report and a line feed.
///
/// # Errors
/// The errors of `out`.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    out.write_all(b"\n")?;
    out.flush()
}
