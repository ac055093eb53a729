//! The book's page of metrics says what the program has: `loadgen/book/src/reference/metrics.md`.
//!
//! `LOADGEN_BOOK=write cargo test -p loadgen --test it book` writes its tables anew.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::scripted::{Scripted, command, echo, finish};
use loadgen::metrics::Metric;
use loadgen::report::csv;
use loadgen::threshold::{Counter, Rated};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/book/src/reference/metrics.md");
const RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/book/src/reference/results.md");
/// Parts of a result that count something.
const COUNTED: [&str; 17] = [
    "connections",
    "messages",
    "pings",
    "reconnect",
    "storm",
    "hold",
    "push",
    "fanout",
    "scenario",
    "bytes",
    "network",
    "arrival_times",
    "http2",
    "deflate",
    "time_series",
    "client",
    "watched",
];
/// What belongs to a histogram or to the segments of a fan-out, and is no count.
const NO_COUNTS: [&str; 4] = [".service.", ".age.", ".split.", "time_series.interval_ns"];

fn schema() -> Value {
    serde_json::from_str(include_str!("../../report.schema.json")).unwrap()
}

fn text(value: &Value) -> Option<&str> {
    value.get("description").and_then(Value::as_str)
}

/// Adds a row for each number below a part of the schema; `inherited` is what a reference to it
/// says.
fn add_rows(schema: &Value, path: &str, part: &Value, rows: &mut Vec<(String, String)>) {
    let of = part.get("$ref").and_then(Value::as_str).map(|name| name.trim_start_matches('#'));
    let referred = of.map(|pointer| schema.pointer(pointer).unwrap());
    for part in [Some(part), referred].into_iter().flatten() {
        for option in part["anyOf"].as_array().into_iter().flatten() {
            add_rows(schema, path, option, rows);
        }
        if let Some(items) = part.get("items") {
            add_rows(schema, &format!("{path}[]"), items, rows);
        }
        for (name, inner) in part["properties"].as_object().into_iter().flatten() {
            add_rows(schema, &format!("{path}.{name}"), inner, rows);
        }
        let kinds = match &part["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            kind => kind.as_str().into_iter().collect::<Vec<_>>(),
        };
        let is_number = kinds.iter().any(|kind| ["integer", "number"].contains(kind));
        let is_counted = !NO_COUNTS.iter().any(|other| path.contains(other) || path == *other);
        // An array's own numbers, such as ports, stand in the description of the array.
        if is_number && is_counted {
            let said = text(part).unwrap_or_else(|| panic!("{path} has no description"));
            rows.push((path.to_owned(), said.to_owned()));
        }
    }
}

fn unit(name: &str) -> &'static str {
    let name = name.rsplit('.').next().unwrap_or(name);
    if name.ends_with("_ns") {
        "ns"
    } else if name.contains("per_s") {
        "per second"
    } else if name.contains("_share") {
        "share"
    } else if name.contains("bytes") || name.starts_with("rss") || name.ends_with("_size") {
        "bytes"
    } else {
        "count"
    }
}

fn histograms() -> String {
    let mut table = "| name | from what to what |\n|---|---|\n".to_owned();
    for metric in Metric::ALL {
        writeln!(table, "| `{}` | {} |", metric.name(), metric.description()).unwrap();
    }
    table
}

fn counters() -> String {
    let mut table = "| name | what is counted |\n|---|---|\n".to_owned();
    for counter in Counter::ALL {
        writeln!(table, "| `{}` | {} |", counter.name(), counter.description()).unwrap();
    }
    table
}

fn counts() -> String {
    let (schema, mut table) = (schema(), String::new());
    for name in COUNTED {
        let part = &schema["properties"][name];
        let mut rows = Vec::new();
        add_rows(&schema, name, part, &mut rows);
        if name == "bytes" {
            for (path, _) in &mut rows {
                path.push_str(" (bytes)");
            }
        }
        assert!(!rows.is_empty(), "{name}");
        let said = text(part).map(|said| format!("{said}.\n\n")).unwrap_or_default();
        write!(table, "### `{name}`\n\n{said}| name | unit | what is counted |\n|---|---|---|\n")
            .unwrap();
        for (path, said) in rows {
            let unit = if name == "bytes" { "bytes" } else { unit(&path) };
            let path = path.trim_end_matches(" (bytes)");
            writeln!(table, "| `{path}` | {unit} | {} |", said.replace('|', "\\|")).unwrap();
        }
        table.push('\n');
    }
    table.trim_end().to_owned() + "\n"
}

/// What a run tells Prometheus, by the lines of help that it sends.
fn prometheus() -> String {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let url = server.url();
    let args = ["run", &url, "-c", "1", "-t", "1", "-R", "50", "-d", "60s", "--live", "off"];
    let mut run = command(&[&args[..], &["--prometheus", "127.0.0.1:0"]].concat()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(run.stderr.take().unwrap()).read_line(&mut said).unwrap();
    let address = said.trim().strip_prefix("metrics are at http://").unwrap();
    let mut stream = TcpStream::connect(address.strip_suffix("/metrics").unwrap()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&run),
        rustix::process::Signal::INT,
    )
    .unwrap();
    finish(run);
    let mut table = "| name | kind | what it is |\n|---|---|---|\n".to_owned();
    for help in answer.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        let (name, said) = help.split_once(' ').unwrap();
        let kind = answer
            .lines()
            .find_map(|line| line.strip_prefix("# TYPE ")?.strip_prefix(name)?.strip_prefix(' '));
        writeln!(table, "| `{name}` | {} | {said} |", kind.unwrap()).unwrap();
    }
    table
}

/// The page with a table in its place.
fn with(page: &str, name: &str, table: &str) -> String {
    let begin = format!("<!-- {name} -->\n");
    let at = page.find(&begin).unwrap_or_else(|| panic!("no place for {name}")) + begin.len();
    let end = at + page[at..].find("<!-- end -->").unwrap();
    format!("{}\n{table}\n{}", &page[..at], &page[end..])
}

#[test]
fn every_metric_is_in_the_book() {
    let page = fs::read_to_string(PAGE).unwrap();
    let tables = [
        ("histograms", histograms()),
        ("counters", counters()),
        ("counts", counts()),
        ("prometheus", prometheus()),
    ];
    let due = tables.iter().fold(page.clone(), |page, (name, table)| with(&page, name, table));
    if std::env::var_os("LOADGEN_BOOK").is_some_and(|asked| asked == "write") {
        fs::write(PAGE, due).unwrap();
        return;
    }
    let differs = page.lines().zip(due.lines()).find(|(is, should)| is != should);
    assert!(page == due, "{differs:?}: LOADGEN_BOOK=write cargo test -p loadgen --test it book");
    for rated in Rated::ALL {
        assert!(page.contains(&format!("`{}`", rated.name())), "{}", rated.name());
    }
}

/// The columns of the CSV stand in the book as they are written.
#[test]
fn every_column_is_in_the_book() {
    let page = fs::read_to_string(RESULTS).unwrap();
    assert!(page.lines().any(|line| line == csv::HEAD), "{}", csv::HEAD);
}
