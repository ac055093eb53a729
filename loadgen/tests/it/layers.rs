//! The house rule of modules: each has a layer, and imports only from the layers below its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of each layer, the lowest first, as `ARCHITECTURE.md` draws them. Modules of one
/// layer don't import each other, so there can be no circle.
const LAYERS: [&[&str]; 14] = [
    &[
        "alike",
        "clock",
        "deflate",
        "escape",
        "exit",
        "host",
        "nearest",
        "quota",
        "random",
        "replacement",
        "screen",
        "segment",
        "signals",
        "talk",
        "template",
        "units",
    ],
    &["net", "quantity", "refusal", "stamp", "verdict"],
    &["metrics", "scenario", "serve"],
    &["threshold"],
    &["cli"],
    &["config"],
    &["doctor", "payload", "plan"],
    &["worker"],
    &["progress"],
    &["coordinator"],
    &["report"],
    &["outlet"],
    &["run"],
    &["check", "saved"],
];

/// Modules of several files whose parts don't import each other in circles. The others, `worker` and
/// `serve`, each have one type whose methods stand in several files.
const PARTED: [&str; 6] = ["cli", "config", "metrics", "net", "payload", "report"];

/// Roots of crates, which name all modules.
const ROOTS: [&str; 2] = ["lib", "main"];

fn layer_of(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|names| names.contains(&module))
        .unwrap_or_else(|| panic!("module {module} has no layer, in this test and ARCHITECTURE.md"))
}

/// Every source file: its path below `src`, and its text without comments and unit tests.
fn sources() -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    let mut test_files = BTreeSet::new();
    let mut sources = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let (code, of_tests) = without_tests(&text);
        test_files.extend(of_tests.iter().map(|name| path.with_file_name(format!("{name}.rs"))));
        sources.push((path, code));
    }
    sources.retain(|(path, _)| !test_files.contains(path));
    sources
        .into_iter()
        .map(|(path, code)| (path.strip_prefix(&src).unwrap().to_owned(), code))
        .collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file up to its unit tests, and the names of the files that are tests.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let mut code = String::new();
    let mut of_tests = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let item = lines.next().unwrap_or_default().trim();
            match item.strip_prefix("mod ").map(|rest| rest.strip_suffix(';')) {
                Some(Some(name)) => of_tests.push(name.to_owned()),
                Some(None) => break, // the unit tests, which stand last
                None => {}
            }
        } else if !line.trim_start().starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    (code, of_tests)
}

fn module_of(path: &Path) -> String {
    path.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The top-level modules that `code` names.
fn imports(code: &str) -> Vec<String> {
    named_after(code, "crate::")
}

/// The modules that `code` names directly after `path`, as in `crate::a::b` and
/// `crate::{a::{b, c}, d}`.
fn named_after(code: &str, path: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (place, found) in code.match_indices(path) {
        if code[..place].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c)) {
            continue;
        }
        let rest = &code[place + found.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.push(identifier(rest));
            continue;
        };
        let (mut depth, mut is_first) = (0_usize, true);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => is_first = true,
                c if is_first && !c.is_whitespace() => {
                    names.push(identifier(&group[at..]));
                    is_first = false;
                }
                _ => {}
            }
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// A file imports from its own module and from lower layers only.
#[test]
fn house_imports_point_down() {
    let mut seen = 0;
    let mut upward = Vec::new();
    for (path, code) in sources() {
        let module = module_of(&path);
        if ROOTS.contains(&module.as_str()) {
            continue;
        }
        for name in imports(&code).into_iter().filter(|name| *name != module) {
            seen += 1;
            let (own, other) = (layer_of(&module), layer_of(&name));
            if other >= own {
                upward.push(format!("{}: L{own} imports {name} of L{other}", path.display()));
            }
        }
    }
    assert!(upward.is_empty(), "imports that don't point down:\n{}", upward.join("\n"));
    assert!(seen > 200, "the test reads imports: {seen}");
}

/// The parts of one module (its files and folders) don't import each other in circles.
#[test]
fn house_parts_of_a_module_have_no_circles() {
    let mut circles = Vec::new();
    for module in PARTED {
        let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (path, code) in sources() {
            let steps: Vec<_> = path.iter().map(|step| step.to_str().unwrap()).collect();
            if steps.len() < 2 || steps[0] != module || steps[1] == "mod.rs" {
                continue;
            }
            // `super` of a file two folders down is one folder down.
            let is_deeper = steps.len() > 2 && steps.last() != Some(&"mod.rs");
            let above = if is_deeper { "super::super::" } else { "super::" };
            let part = steps[1].trim_end_matches(".rs").to_owned();
            let named = named_after(&code, above)
                .into_iter()
                .chain(named_after(&code, &format!("crate::{module}::")))
                .filter(|name| *name != part);
            arrows.entry(part.clone()).or_default().extend(named);
        }
        // What only names parts that are done is done; a circle never is.
        assert!(arrows.len() > 5, "{module} has parts: {arrows:?}");
        while let Some(part) = arrows
            .iter()
            .find(|(_, named)| !named.iter().any(|name| arrows.contains_key(name)))
            .map(|(part, _)| part.clone())
        {
            arrows.remove(&part);
        }
        if !arrows.is_empty() {
            circles.push(format!("{module}: {arrows:?}"));
        }
    }
    assert!(circles.is_empty(), "parts that import each other:\n{}", circles.join("\n"));
}

/// Every module has a layer, and every layer's modules exist.
#[test]
fn house_every_module_has_a_layer() {
    let modules: BTreeSet<_> = sources().iter().map(|(path, _)| module_of(path)).collect();
    let modules: BTreeSet<_> = modules.iter().map(String::as_str).collect();
    let listed: BTreeSet<_> = LAYERS.iter().copied().flatten().chain(&ROOTS).copied().collect();
    assert_eq!(modules, listed);
}

/// The drawing in `ARCHITECTURE.md` has the layers of this test.
#[test]
fn house_layers_are_drawn() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md");
    let page = fs::read_to_string(page).unwrap();
    let section = page.split("\n## loadgen").nth(1).unwrap();
    let drawing = section.split("```").nth(1).unwrap();
    for (layer, names) in LAYERS.iter().enumerate() {
        let head = format!("L{layer} ");
        let line = drawing.lines().find(|line| line.starts_with(&head));
        let line = line.unwrap_or_else(|| panic!("L{layer} is not drawn"));
        let columns: Vec<_> = line.split("  ").map(str::trim).filter(|c| !c.is_empty()).collect();
        // `L0 name of the layer`, then its modules, then what they are.
        let drawn: BTreeSet<_> = columns[1].split(' ').map(|c| c.trim_end_matches('/')).collect();
        assert_eq!(drawn, names.iter().copied().collect(), "L{layer}");
    }
}

/// What the test above reads, from a text that has all forms.
#[test]
fn house_imports_are_found() {
    let text = "use crate::a::{b, c};\n// use crate::d;\nuse crate::{e::{f, g}, h, i::j};\n\
                x(crate::k());\n$crate::l;\n#[cfg(test)]\nmod m;\n#[cfg(test)]\nmod tests {\n\
                use crate::n;\n}\n";
    let (code, of_tests) = without_tests(text);
    assert_eq!(imports(&code), ["a", "e", "h", "i", "k", "l"]);
    assert_eq!(of_tests, ["m"]);
}
