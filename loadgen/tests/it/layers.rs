//! The house rule of modules: each has a layer, and imports only from the layers below its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of each layer, the lowest first, as `ARCHITECTURE.md` draws them. Modules of one
/// layer don't import each other, so there can be no circle.
const LAYERS: [&[&str]; 16] = [
    &[
        "alike",
        "clock",
        "deflate",
        "escape",
        "exit",
        "host",
        "index",
        "nearest",
        "process",
        "quota",
        "replacement",
        "screen",
        "signals",
        "talk",
        "template",
        "units",
    ],
    &["random", "segment"],
    &["net", "quantity", "refusal", "stamp", "verdict"],
    &["metrics", "scenario", "serve"],
    &["member", "threshold"],
    &["cli"],
    &["config"],
    &["payload", "plan"],
    &["worker"],
    &["abort", "progress"],
    &["coordinator"],
    &["doctor", "recording", "report"],
    &["dry_run", "outlet", "stream"],
    &["fleet"],
    &["run"],
    &["check", "record", "saved", "search"],
];

/// The lowest layer that is in `loadgen` itself; those below are the crate `loadgen-engine`.
const ABOVE_THE_ENGINE: usize = 9;

/// Roots of crates, which name all modules.
const ROOTS: [&str; 2] = ["lib", "main"];

fn layer_of(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|names| names.contains(&module))
        .unwrap_or_else(|| panic!("module {module} has no layer, in this test and ARCHITECTURE.md"))
}

/// Every source file of both crates: its path below `src`, and its text without comments and unit
/// tests.
fn sources() -> Vec<(PathBuf, String)> {
    ["engine/src", "src"].into_iter().flat_map(sources_below).collect()
}

fn sources_below(src: &str) -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join(src);
    let mut files = Vec::new();
    collect(&src, &mut files);
    let mut test_files = BTreeSet::new();
    let mut sources = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let (code, of_tests) = without_tests(&text);
        let is_root = path.ends_with("mod.rs") || path.ends_with("lib.rs");
        let folder = if is_root { path.parent().unwrap().into() } else { path.with_extension("") };
        test_files.extend(of_tests.iter().map(|name| folder.join(format!("{name}.rs"))));
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
            let module = item.split_once("mod ").filter(|(before, _)| {
                before.is_empty() || before.starts_with("pub") // `pub(super) mod tests`
            });
            match module.map(|(_, rest)| rest.strip_suffix(';')) {
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

/// What each part of a folder (its files and folders) imports from the others.
///
/// What a part takes from the folder's `mod.rs` counts as taken from where `mod.rs` has it from.
fn arrows(folder: &Path, sources: &[(PathBuf, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let steps: Vec<_> = folder.iter().map(|step| step.to_str().unwrap()).collect();
    let (absolute, root) = (format!("crate::{}::", steps.join("::")), folder.join("mod.rs"));
    let passed_on = sources.iter().find(|(path, _)| *path == root);
    let passed_on = passed_on.map(|(_, code)| passed_on_by(code)).unwrap_or_default();
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, code) in sources {
        let Ok(below) = path.strip_prefix(folder) else { continue };
        let steps: Vec<_> = below.iter().map(|step| step.to_str().unwrap()).collect();
        if steps == ["mod.rs"] {
            continue;
        }
        let ups = steps.len() - usize::from(steps.last() == Some(&"mod.rs"));
        let part = steps[0].trim_end_matches(".rs").to_owned();
        let named = named_after(code, &"super::".repeat(ups))
            .into_iter()
            .chain(named_after(code, &absolute))
            .map(|name| passed_on.get(&name).cloned().unwrap_or(name))
            .filter(|name| *name != part);
        arrows.entry(part.clone()).or_default().extend(named);
    }
    let parts: BTreeSet<_> = arrows.keys().cloned().collect();
    for named in arrows.values_mut() {
        named.retain(|name| parts.contains(name));
    }
    arrows
}

/// The parts of a folder don't import each other in circles.
#[test]
fn house_parts_of_a_folder_have_no_circles() {
    let sources = sources();
    let folders: BTreeSet<_> = sources.iter().filter_map(|(path, _)| path.parent()).collect();
    let (mut seen, mut circles) = (0, Vec::new());
    for folder in folders.into_iter().filter(|folder| !folder.as_os_str().is_empty()) {
        let mut arrows = arrows(folder, &sources);
        seen += arrows.len();
        // What only names parts that are done is done; a circle never is.
        while let Some(part) = arrows
            .iter()
            .find(|(_, named)| !named.iter().any(|name| arrows.contains_key(name)))
            .map(|(part, _)| part.clone())
        {
            arrows.remove(&part);
        }
        if !arrows.is_empty() {
            circles.push(format!("{}: {arrows:?}", folder.display()));
        }
    }
    assert!(circles.is_empty(), "parts that import each other:\n{}", circles.join("\n"));
    assert!(seen > 150, "the test reads parts: {seen}");
}

/// The parts of `worker` and `serve` import from their own line of the drawing in
/// `ARCHITECTURE.md` and from those below it, and all are drawn.
#[test]
fn house_parts_are_drawn() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md");
    let page = fs::read_to_string(page).unwrap();
    let drawing = page.split("```\nworker/").nth(1).unwrap().split("```").next().unwrap();
    let (worker, serve) = drawing.split_once("\nserve/").unwrap();
    let sources = sources();
    for (folder, drawing) in [("worker", worker), ("serve", serve)] {
        let mut lines: BTreeMap<&str, usize> = BTreeMap::new();
        for (line, text) in drawing.lines().enumerate() {
            // The parts, then what they are.
            let parts = text.trim().split("  ").next().unwrap();
            lines.extend(parts.split(' ').map(|part| (part.trim_end_matches('/'), line)));
        }
        let arrows = arrows(Path::new(folder), &sources);
        let drawn: BTreeSet<_> = lines.keys().copied().collect();
        assert_eq!(drawn, arrows.keys().map(String::as_str).collect(), "{folder}");
        for (part, named) in &arrows {
            for name in named {
                let is_below = lines[part.as_str()] <= lines[name.as_str()];
                assert!(is_below, "{folder}/{part} imports {name}, which is drawn above it");
            }
        }
    }
}

/// The names that a `mod.rs` imports from its parts, each with the part.
fn passed_on_by(code: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for statement in code.split(';').filter_map(|text| text.rsplit_once("use ")) {
        let Some((part, names)) = statement.1.split_once("::") else { continue };
        if !["crate", "self", "std", "super"].contains(&part) {
            let names = names.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            found.extend(names.map(|name| (name.to_owned(), part.to_owned())));
        }
    }
    found
}

/// Every module has a layer, and every layer's modules exist.
#[test]
fn house_every_module_has_a_layer() {
    let modules: BTreeSet<_> = sources().iter().map(|(path, _)| module_of(path)).collect();
    let modules: BTreeSet<_> = modules.iter().map(String::as_str).collect();
    let listed: BTreeSet<_> = LAYERS.iter().copied().flatten().chain(&ROOTS).copied().collect();
    assert_eq!(modules, listed);
}

/// A module is in the crate of its layer.
#[test]
fn house_every_module_is_in_its_crate() {
    for (src, is_above) in [("engine/src", false), ("src", true)] {
        let modules: BTreeSet<_> = sources_below(src).iter().map(|(p, _)| module_of(p)).collect();
        for module in modules.iter().filter(|module| !ROOTS.contains(&module.as_str())) {
            assert_eq!(layer_of(module) >= ABOVE_THE_ENGINE, is_above, "{module} in {src}");
        }
    }
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
    let names = passed_on_by("mod a;\npub use a::{B, c};\nuse crate::d::E;\nuse f::g::H;\n");
    let expected = [("B", "a"), ("H", "f"), ("c", "a"), ("g", "f")];
    let names: Vec<_> = names.iter().map(|(name, part)| (&**name, &**part)).collect();
    assert_eq!(names[1..], expected); // the empty name stands between brackets
}
