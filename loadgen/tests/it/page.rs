//! The page that says which test holds which fault from use is true: `loadgen/tests/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rows that must be there: the last number of each letter.
const ROWS: [(char, usize); 5] = [('N', 11), ('E', 12), ('S', 9), ('M', 5), ('P', 11)];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names of loadgen's test functions: those under a `#[test]` or `#[tokio::test]`, with other
/// attributes between or not.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["loadgen/engine/src", "loadgen/src", "loadgen/tests"] {
        sources(&root().join(folder), &mut files);
    }
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            if line == "#[test]" || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some(rest) = line.split("fn ").nth(1).filter(|_| is_test) {
                names.insert(rest.split('(').next().unwrap().to_owned());
                is_test = false;
            }
        }
    }
    names
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Each row of the page with what holds it.
fn page() -> BTreeMap<String, Vec<String>> {
    let page = fs::read_to_string(root().join("loadgen/tests/README.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", row, _, holds, ""] = cells[..]
            && row_of(row).as_deref() == Some(row)
        {
            let holds = quoted(holds).map(str::to_owned).collect();
            assert!(rows.insert(row.to_owned(), holds).is_none(), "row {row} stands there twice");
        }
    }
    rows
}

/// The row that a test's name begins with, such as `N1` of `n1_push_releases_no_send`. Rows of the
/// codec's page have two digits, so `e07_…` is none, and `s5_5_3_…` is a section of RFC 6455.
fn row_of(name: &str) -> Option<String> {
    let mut words = name.split('_');
    let row = words.next()?.to_uppercase();
    if words.next().is_some_and(|word| word.parse::<u8>().is_ok()) {
        return None;
    }
    let number: usize = row.get(1..)?.parse().ok()?;
    let is_row = ROWS
        .iter()
        .any(|&(letter, last)| (1..=last).contains(&number) && row == format!("{letter}{number}"));
    is_row.then_some(row)
}

/// Whether a step of CI or a script of loadgen is there, such as `.ci/run first_run` and
/// `loadgen/interop/nonecho`.
fn is_script(named: &str) -> bool {
    match named.strip_prefix(".ci/run ") {
        Some(step) => {
            let script = fs::read_to_string(root().join(".ci/run")).unwrap();
            script.contains(&format!("\nstep_{step}() "))
        }
        None => named.starts_with("loadgen/") && root().join(named).is_file(),
    }
}

#[test]
fn rows_name_tests_that_exist() {
    let tests = tests();
    assert!(tests.len() > 500, "the sources are read: {}", tests.len());
    let rows = page();
    for (letter, last) in ROWS {
        for number in 1..=last {
            let row = format!("{letter}{number}");
            let holds = rows.get(&row).unwrap_or_else(|| panic!("row {row} is not on the page"));
            assert!(!holds.is_empty(), "row {row} names neither a test nor a script");
            for name in holds {
                let is_there = tests.contains(name) || is_script(name);
                assert!(is_there, "row {row} names {name}, which is not there");
            }
        }
    }
}

#[test]
fn tests_named_after_a_row_are_listed_there() {
    let rows = page();
    // A name may begin with a row of the codec's page, which has the same letters.
    let codec = fs::read_to_string(root().join("codec/tests/README.md")).unwrap();
    let codec: BTreeSet<&str> = quoted(&codec).collect();
    let missing: Vec<String> = tests()
        .into_iter()
        .filter(|test| !codec.contains(test.as_str()))
        .filter(|test| row_of(test).is_some_and(|row| !rows[&row].contains(test)))
        .collect();
    assert_eq!(missing, [""; 0], "named after a row that does not list them");
}

#[test]
fn rows_are_read_from_names_as_they_are_meant() {
    assert_eq!(row_of("n1_push_releases_no_send").as_deref(), Some("N1"));
    assert_eq!(row_of("p11_too_short_to_judge").as_deref(), Some("P11"));
    assert_eq!(row_of("N5").as_deref(), Some("N5"));
    for name in ["e07_a_head", "d29_in_the_middle", "a_close", "p12_x", "e_1", "s5_5_3_x", "été"]
    {
        assert_eq!(row_of(name), None, "{name}");
    }
}

#[test]
fn scripts_are_found() {
    assert!(is_script(".ci/run first_run"));
    assert!(is_script("loadgen/interop/nonecho"));
    for name in [".ci/run nothing", "loadgen/interop", "first_run", ".ci/run first_run more"] {
        assert!(!is_script(name), "{name}");
    }
}
