//! The house rules: imports only downwards, unsafe only where it is earned.

use std::fs;
use std::path::{Path, PathBuf};

/// The layer of each top-level module, L0 to L5.
const LAYERS: [(&str, u8); 17] = [
    ("close", 0),
    ("error", 0),
    ("limits", 0),
    ("role", 0),
    ("redacted", 0),
    ("header", 1),
    ("mask", 1),
    ("text", 1),
    ("utf8", 1),
    ("decoder", 2),
    ("encoder", 2),
    ("message", 3),
    ("connection", 4),
    ("handshake", 4),
    // Extensions speak in the handshake and transform messages; nothing imports them.
    ("deflate", 4),
    ("brotli", 4),
    ("sync", 5),
];

/// Files that may hold `unsafe`, beside everything in `mask/`, `utf8/` and `text/`.
const UNSAFE: [&str; 1] = ["message/buffer.rs"];

fn layer_of(module: &str) -> u8 {
    LAYERS
        .iter()
        .find(|(name, _)| *name == module)
        .unwrap_or_else(|| panic!("module {module} has no layer in this test and in lib.rs"))
        .1
}

fn sources() -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&src, &mut found);
    found
        .iter()
        .map(|(path, text)| (path.strip_prefix(&src).unwrap().into(), text.clone()))
        .collect()
}

fn module_of(path: &Path) -> String {
    let first = path.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn imports_point_downwards() {
    let mut imports = 0;
    for (path, text) in sources() {
        let module = module_of(&path);
        if module == "lib" {
            continue;
        }
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (at, _) in line.match_indices("crate::") {
                let rest = &line[at + "crate::".len()..];
                let name: String = rest
                    .chars()
                    .take_while(|c| c.is_ascii_lowercase() || *c == '_' || c.is_ascii_digit())
                    .collect();
                if name.is_empty() {
                    continue; // a re-export of the root, in a doc or a test
                }
                imports += 1;
                assert!(
                    layer_of(&name) <= layer_of(&module),
                    "{}: L{} imports {name} of L{}: {line}",
                    path.display(),
                    layer_of(&module),
                    layer_of(&name),
                );
            }
        }
    }
    assert!(imports > 30, "the test reads imports: {imports}");
}

#[test]
fn unsafe_stays_where_it_is_earned() {
    for (path, text) in sources() {
        let code = text.lines().map(|line| line.split("//").next().unwrap_or(""));
        let has_unsafe = code.into_iter().any(|line| {
            line.contains("unsafe {") || line.contains("unsafe fn") || line.contains("unsafe impl")
        });
        let name = path.to_str().unwrap();
        let earned = ["mask", "utf8", "text"].contains(&module_of(&path).as_str());
        assert!(!has_unsafe || earned || UNSAFE.contains(&name), "{name} holds unsafe code");
    }
}

/// A target's vectors are there if its features say so, not if its name does: an x86-64 for bare
/// metal has none. Each condition is written once where masking chooses, and once where validation
/// does.
#[test]
fn sharp_b_vectors_are_chosen_by_feature_and_in_one_place_each() {
    let mut conditions = Vec::new();
    for (path, text) in sources() {
        for line in text.lines().filter(|line| line.contains("target_arch")) {
            assert!(line.contains("target_feature"), "{}: {line}", path.display());
            conditions.push(path.to_str().unwrap().to_owned());
        }
    }
    conditions.sort();
    assert_eq!(conditions, ["mask/mod.rs", "mask/mod.rs", "mask/mod.rs", "utf8/mod.rs"]);
}

/// What users fill in must be able to grow, so it is `#[non_exhaustive]` and has a method for each
/// field. The others have the fields that their RFC gives them, or none but a wrapped value.
#[test]
fn sharp_o_structs_with_public_fields_can_grow() {
    // A name and what it stands for, an offset, and a code with its reason: they are complete.
    const COMPLETE: [&str; 4] = ["CloseFrame", "ExtensionParameter", "Header", "Utf8Error"];
    let mut options = 0;
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(rest) = line.strip_prefix("pub struct ").filter(|rest| rest.ends_with('{'))
            else {
                continue;
            };
            let name = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap();
            let fields = lines[at..].iter().take_while(|line| **line != "}");
            let has_public = fields.into_iter().any(|line| line.starts_with("    pub "));
            if !has_public || COMPLETE.contains(&name) {
                continue;
            }
            let is_open = lines[..at].iter().rev().take_while(|line| line.starts_with('#'));
            let is_open = is_open.into_iter().any(|line| *line == "#[non_exhaustive]");
            assert!(is_open, "{}: {name} is exhaustive", path.display());
            options += 1;
        }
    }
    assert!(options >= 4, "Config, Limits, HandshakeLimits, HeaderRules: {options}");
}

/// No number stands for two errors.
#[test]
fn sharp_l_no_two_errors_share_a_number() {
    let mut numbers = Vec::new();
    for (path, text) in sources() {
        if ["error.rs", "handshake/number.rs"].contains(&path.to_str().unwrap()) {
            numbers.extend(text.lines().filter_map(|line| {
                let number = line.trim().strip_suffix(',')?.split("=> ").nth(1)?;
                number.parse::<u16>().ok().filter(|number| (100..500).contains(number))
            }));
        }
    }
    let len = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert!(len > 60, "the numbers are read: {len}");
    assert_eq!(numbers.len(), len);
}

/// Only this crate makes a `Transform`, so only this crate can implement what returns one.
#[test]
fn sharp_n_the_trait_of_extensions_is_sealed() {
    let (_, text) =
        sources().into_iter().find(|(path, _)| path.ends_with("message/transform.rs")).unwrap();
    assert!(text.contains("pub trait PerMessageExtension: sealed::Sealed"));
    assert!(text.contains("```compile_fail,E0277"));
}

/// The files of one folder do not import each other in a circle.
#[test]
fn files_of_a_folder_import_in_no_circle() {
    let sources = sources();
    let mut edges = Vec::new();
    for (path, text) in &sources {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (at, _) in line.match_indices("super::") {
                // `super::super::` is the folder's own folder, as in a module of tests.
                let name = line[at + "super::".len()..].split("::").next().unwrap();
                let to = path.with_file_name(format!("{name}.rs"));
                let is_file = sources.iter().any(|(other, _)| *other == to);
                if is_file && to != *path && !line[..at].ends_with("super::") {
                    edges.push((path.clone(), to));
                }
            }
        }
    }
    assert!(edges.len() > 30, "the imports are read: {}", edges.len());
    // What imports nothing that is left is taken away, until only circles are left.
    while let Some(at) = edges.iter().position(|(_, to)| !edges.iter().any(|(from, _)| from == to))
    {
        edges.swap_remove(at);
    }
    assert_eq!(edges, []);
}
