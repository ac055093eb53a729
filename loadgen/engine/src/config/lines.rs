//! Reads a user's file, or standard input, within bounds, and splits it into lines.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;

/// Most bytes of a file of sizes or messages, all of which is kept in memory.
const FILE_SIZE_MAX: u64 = 256 << 20;
/// Most lines; each takes about 50 bytes besides its content.
const LINES_MAX: usize = 1_000_000;

/// What some editors put in front of text: U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns what follows a byte order mark, if there is one.
pub(super) fn without_mark(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(BYTE_ORDER_MARK)
}

/// Reads a whole file, or standard input if it is `-`. `shown` is the flag with the file, for
/// errors.
pub(super) fn read(path: &Path, shown: &str) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("{shown} can't be read: {error}");
    let mut bytes = Vec::new();
    let mut file: Box<dyn Read> = if path == Path::new("-") {
        Box::new(stdin().lock())
    } else {
        Box::new(File::open(path).map_err(failed)?)
    };
    file.by_ref().take(FILE_SIZE_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_SIZE_MAX {
        return Err(format!(
            "{shown} is larger than {} MiB; use a part of it",
            FILE_SIZE_MAX >> 20
        ));
    }
    Ok(bytes)
}

/// Returns the lines that aren't empty, without line ends, with their numbers from 1.
pub(super) fn of(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let lines = bytes.split(|&byte| byte == b'\n').enumerate();
    lines
        .map(|(place, line)| (place + 1, line.strip_suffix(b"\r").unwrap_or(line)))
        .filter(|(_, line)| !line.is_empty())
}

/// Refuses a file with too many lines.
pub(super) fn check_number(shown: &str, number: usize) -> Result<(), String> {
    if number <= LINES_MAX {
        return Ok(());
    }
    Err(format!("{shown} has more than {LINES_MAX} lines; use a part of it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_numbers_and_empty_ones_are_left_out() {
        let lines: Vec<_> = of(b"a\r\n\nb\n\r\nc").collect();
        assert_eq!(lines, [(1, &b"a"[..]), (3, b"b"), (5, b"c")]);
        assert_eq!(of(b"").count(), 0);
    }
}
