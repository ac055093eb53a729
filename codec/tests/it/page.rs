//! The page that says which test holds which case is true: `codec/tests/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rows that must be there: the last number of each letter.
const ROWS: [(char, usize); 6] = [('R', 41), ('A', 48), ('B', 36), ('C', 28), ('D', 35), ('E', 21)];

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

/// The names of all test functions: those under a `#[test]`, with other attributes between or not.
fn tests() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    let loadgen = ["loadgen/engine/src", "loadgen/src", "loadgen/tests"];
    for folder in ["codec/tests", "codec/src"].into_iter().chain(loadgen) {
        sources(&root.join(folder), &mut files);
    }
    let mut names = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            if line == "#[test]" {
                is_test = true;
            } else if let Some(rest) = line.split("fn ").nth(1).filter(|_| is_test) {
                names.insert(rest.split('(').next().unwrap().to_owned());
                is_test = false;
            }
        }
    }
    names
}

/// The rows that a test's name begins with, such as `R07` and `A22` of `r07_a22_…`; sections and
/// goals stand between.
fn rows_of(name: &str) -> Vec<String> {
    name.split('_')
        .take_while(|word| {
            let digits = word.trim_start_matches(|c: char| c.is_ascii_lowercase());
            word.len() <= digits.len() + 1 && !digits.is_empty() && digits.parse::<u32>().is_ok()
        })
        .filter(|word| {
            let (letter, number) = word.split_at(1);
            number.len() == 2 && ["r", "a", "b", "c", "d", "e"].contains(&letter)
        })
        .map(str::to_uppercase)
        .collect()
}

/// The page, and of each of its rows the tests that it names.
fn page() -> (String, BTreeMap<String, Vec<String>>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/README.md");
    let page = fs::read_to_string(path).unwrap();
    let mut rows = BTreeMap::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", row, _, _, tests, ""] = cells[..]
            && row.len() == 3
            && row[1..].parse::<u8>().is_ok()
        {
            let tests = named(tests).collect();
            assert!(rows.insert(row.to_owned(), tests).is_none(), "row {row} stands there twice");
        }
    }
    (page, rows)
}

/// What of `text` looks like the name of a test: words between backticks, not a limit's name or a
/// parameter's.
fn named(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).filter_map(|code| {
        let is_name =
            code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
                && code.contains('_')
                && !code.ends_with("_max")
                && !code.ends_with("_bits");
        is_name.then(|| code.to_owned())
    })
}

#[test]
fn every_test_that_the_page_names_exists() {
    let tests = tests();
    assert!(tests.len() > 250, "the sources are read: {}", tests.len());
    let (page, _) = page();
    let missing: Vec<String> = named(&page).filter(|name| !tests.contains(name)).collect();
    assert_eq!(missing, [""; 0], "named in codec/tests/README.md, and in no source");
}

#[test]
fn every_row_is_on_the_page_with_a_test() {
    let (_, rows) = page();
    for (letter, last) in ROWS {
        for number in 1..=last {
            let row = format!("{letter}{number:02}");
            let tests = rows.get(&row).unwrap_or_else(|| panic!("row {row} is not on the page"));
            assert!(!tests.is_empty(), "row {row} names no test");
        }
    }
}

#[test]
fn every_test_named_after_a_row_is_listed_there() {
    let (_, rows) = page();
    // loadgen's page has rows of its own, whose letters and numbers may be the same.
    let others = Path::new(env!("CARGO_MANIFEST_DIR")).join("../loadgen/tests/README.md");
    let others: BTreeSet<String> = named(&fs::read_to_string(others).unwrap()).collect();
    for test in tests().difference(&others) {
        for row in rows_of(test) {
            let listed = rows.get(&row).unwrap_or_else(|| panic!("{test}: there is no row {row}"));
            assert!(listed.contains(test), "{test} is not listed in row {row} of the page");
        }
    }
}

/// The sharp edges that the codec's users met.
const SHARP: &str = "ABCDEFGHIJKLMNO";

/// Each sharp edge is on the page once it is mended, with its tests or its step in CI, and each test
/// that is named after one is listed there.
#[test]
fn sharp_edges_are_on_the_page_with_their_tests() {
    let (page, _) = page();
    let mut listed = BTreeSet::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", row, _, _, tests, ""] = cells[..]
            && row.len() == 1
            && SHARP.contains(row)
        {
            let prefix = format!("sharp_{}_", row.to_lowercase());
            let names: Vec<String> = named(tests).collect();
            assert!(!names.is_empty() || tests.contains("`.ci/run "), "row {row} names no test");
            for name in names {
                assert!(name.starts_with(&prefix), "{name} is listed in row {row}");
                listed.insert(name);
            }
        }
    }
    let named_so: BTreeSet<String> = tests().into_iter().filter(|test| is_sharp(test)).collect();
    assert_eq!(listed, named_so);
}

fn is_sharp(test: &str) -> bool {
    let mut words = test.split('_');
    words.next() == Some("sharp") && words.next().is_some_and(|letter| letter.len() == 1)
}

#[test]
fn rows_are_read_from_names_as_they_are_meant() {
    assert_eq!(rows_of("r07_a22_the_sum"), ["R07", "A22"]);
    assert_eq!(rows_of("a44_r26_s10_3_the_keys"), ["A44", "R26"]);
    assert_eq!(rows_of("s5_2_a04_lengths"), ["A04"]);
    assert_eq!(rows_of("a_close_that_spans_reads"), [""; 0]);
    assert_eq!(rows_of("g5_every_row"), [""; 0]);
    assert_eq!(rows_of("e17_a_plain_get"), ["E17"]);
    assert_eq!(rows_of("g17_whatever"), [""; 0]);
}
