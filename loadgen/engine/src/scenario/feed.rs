//! Reads rows, which give each user its values: CSV with a header, or a JSON object a line, from a
//! file or from what a command prints.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use crate::escape;
use crate::index::ConnectionIndex;
use crate::units;

/// Most bytes of a column's name that are shown.
const NAME_LEN_MAX: usize = 60;

/// How rows are assigned to users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// User `i` gets row `i`; there must be enough.
    Each,
    /// Like `Each`, but starts again from the first row.
    Cycle,
    /// User `i` gets a random row, always the same for a seed.
    Random,
}

/// Rows of values.
#[derive(Clone, PartialEq, Eq)]
pub struct Feed {
    /// The file or the command, as typed.
    pub file: String,
    /// How rows are assigned to users.
    pub take: Take,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Row by row.
    cells: Vec<Box<[u8]>>,
}

impl fmt::Debug for Feed {
    /// Omits the values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed")
            .field("file", &self.file)
            .field("columns", &self.columns)
            .field("rows", &self.rows())
            .finish_non_exhaustive()
    }
}

/// A row of values.
#[derive(Clone, Copy, Default)]
pub struct Row<'f>(&'f [Box<[u8]>]);

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row of {}", self.0.len())
    }
}

impl<'f> Row<'f> {
    /// The row of a program without a feed.
    pub const NONE: Self = Self(&[]);

    /// Returns the value in a column; empty if there is none.
    #[must_use]
    pub fn cell(self, column: usize) -> &'f [u8] {
        self.0.get(column).map_or(&[], |cell| cell)
    }
}

impl Feed {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with the file, and in which line.
    pub fn read(path: &Path, typed: &str, take: Take) -> Result<Self, String> {
        let text = fs::read_to_string(path)
            .map_err(|error| format!("{} can't be read: {error}", path.display()))?;
        Self::of_text(typed, &text, take)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// See [`read`](Self::read).
    pub fn of_text(file: &str, text: &str, take: Take) -> Result<Self, String> {
        let rows = match Path::new(file).extension().and_then(|extension| extension.to_str()) {
            Some("csv") => csv(text),
            Some("jsonl" | "ndjson") => json_lines(text),
            _ => return Err(format!("{file}: unknown extension; use .csv or .jsonl")),
        };
        Self::of_rows(file, take, rows)
    }

    /// Reads what a command has printed: a JSON object a line.
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub fn of_output(command: &str, text: &str, take: Take) -> Result<Self, String> {
        Self::of_rows(command, take, json_lines(text))
    }

    fn of_rows(typed: &str, take: Take, rows: Result<Rows, String>) -> Result<Self, String> {
        let (columns, cells) = rows.map_err(|why| format!("{typed}{why}"))?;
        if let Some(name) = columns.iter().find(|name| name.contains(char::is_control)) {
            let name = shown(name);
            return Err(format!("{typed}:1: the column \"{name}\" has a control character"));
        }
        if cells.is_empty() {
            return Err(format!("{typed} has no rows; give it one for each user"));
        }
        Ok(Self { file: typed.to_owned(), take, columns, cells })
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.cells.len() / self.columns.len().max(1)
    }

    /// Returns the row of a user.
    #[must_use]
    pub fn row(&self, seed: u64, connection: ConnectionIndex) -> Row<'_> {
        let rows = self.rows() as u64;
        let place = match self.take {
            Take::Each | Take::Cycle => connection.turn(rows),
            Take::Random => {
                let number =
                    crate::random::number(seed, crate::random::Use::Part(0), connection, 0);
                crate::random::below(number, rows)
            }
        };
        let begin = usize::try_from(place).unwrap_or(0) * self.columns.len();
        Row(self.cells.get(begin..begin + self.columns.len()).unwrap_or_default())
    }
}

/// Shows the name of a column, whatever a file has in it, in a line.
fn shown(name: &str) -> String {
    escape::control(name, NAME_LEN_MAX)
}

type Rows = (Vec<String>, Vec<Box<[u8]>>);

fn csv(text: &str) -> Result<Rows, String> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let said = |error: &csv::Error| {
        let line = error.position().map_or(0, csv::Position::line);
        match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!(
                    ":{line}: {} for {}",
                    units::counted(*len, "value"),
                    units::counted(*expected_len, "column")
                )
            }
            _ => format!(":{line}: {error}"),
        }
    };
    let head = reader.headers().map_err(|error| said(&error))?;
    let columns: Vec<_> = head.iter().map(|name| name.trim().to_owned()).collect();
    let mut cells = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| said(&error))?;
        cells.extend(record.iter().map(|cell| cell.as_bytes().into()));
    }
    Ok((columns, cells))
}

fn json_lines(text: &str) -> Result<Rows, String> {
    let (mut columns, mut cells) = (Vec::<String>::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let row: Map<String, Value> = serde_json::from_str(line)
            .map_err(|error| format!(":{number}: not a JSON object: {error}"))?;
        if columns.is_empty() {
            columns = row.keys().cloned().collect();
        }
        if let Some(extra) = row.keys().find(|key| !columns.contains(key)) {
            return Err(format!(":{number}: \"{}\" is not in the first line", shown(extra)));
        }
        for column in &columns {
            let value =
                row.get(column).ok_or_else(|| format!(":{number}: no \"{}\"", shown(column)))?;
            let cell = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            cells.push(cell.into_bytes().into());
        }
    }
    Ok((columns, cells))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_column_stays_in_its_line() {
        for (file, text, why) in [
            (
                "a.jsonl",
                "{\"n\":1}\n{\"\\nuy\":1}",
                "a.jsonl:2: \"\\nuy\" is not in the first line",
            ),
            ("a.jsonl", "{\"\\n\":1}", "a.jsonl:1: the column \"\\n\" has a control character"),
            ("a.csv", "\"a\nb\",c\n1,2\n", "a.csv:1: the column \"a\\nb\" has a control character"),
        ] {
            assert_eq!(Feed::of_text(file, text, Take::Cycle).unwrap_err(), why);
        }
    }

    #[test]
    fn rows_of_csv_and_of_json_lines() {
        let (columns, cells) = csv("user, pass\nann,\"a,b\"\nbob,\"x\"\"y\"\n").unwrap();
        assert_eq!(columns, ["user", "pass"]);
        assert_eq!(
            cells.iter().map(|cell| &**cell).collect::<Vec<_>>(),
            [&b"ann"[..], b"a,b", b"bob", b"x\"y"]
        );
        let (columns, cells) =
            json_lines("{\"n\":1,\"t\":\"a\"}\n\n{\"t\":\"b\",\"n\":[2]}").unwrap();
        assert_eq!((columns.len(), cells.len()), (2, 4));
        let feed = Feed { file: String::new(), take: Take::Cycle, columns, cells };
        let t = feed.columns.iter().position(|column| column == "t").unwrap();
        assert_eq!((feed.rows(), feed.row(1, ConnectionIndex(3)).cell(t)), (2, &b"b"[..]));
        assert_eq!(feed.row(1, ConnectionIndex(3)).cell(9), b"");
    }

    #[test]
    fn a_bad_row_is_named() {
        assert_eq!(csv("a,b\n1,2\n3\n").unwrap_err(), ":3: 1 value for 2 columns");
        assert_eq!(
            json_lines("{\"a\":1}\n{\"b\":1}").unwrap_err(),
            ":2: \"b\" is not in the first line"
        );
        assert!(json_lines("[1]").unwrap_err().starts_with(":1: not a JSON object"));
    }
}
