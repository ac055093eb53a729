//! Finds the documents of a scenario: a file, or a preset, and the preset that it uses.

use std::fs;
use std::path::{Path, PathBuf};

use super::node::Node;
use super::preset;

/// Most bytes of a scenario file.
const FILE_LEN_MAX: u64 = 1 << 20;

const KEYS: [&str; 13] = [
    "use",
    "unmatched",
    "connect",
    "feed",
    "vars",
    "roles",
    "reply",
    "on",
    "every",
    "begin",
    "step",
    "end",
    "flow",
];

/// A document, and the folder in which the files it names are looked for.
pub(super) struct Document {
    pub(super) root: Node,
    pub(super) folder: PathBuf,
}

/// Returns the file's own document, then those of presets.
pub(super) fn documents(name: &str) -> Result<(Vec<Document>, Vec<String>), String> {
    let (first, text) = if let Some(text) = preset::text(name) {
        (Document::parse(name, text, Path::new("."))?, text.to_owned())
    } else {
        let path = Path::new(name);
        let text = contents(path).map_err(|why| preset::no_file(name, &why))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        (Document::parse(name, &text, folder)?, text)
    };
    let documents = with_preset(first)?;
    let used = documents[0].root.get("use").and_then(|used| used.text("use").ok());
    let of_preset = used.and_then(preset::text).map(str::to_owned);
    Ok((documents, [text].into_iter().chain(of_preset).collect()))
}

fn contents(path: &Path) -> Result<String, String> {
    let len = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if len > FILE_LEN_MAX {
        return Err(format!("it has more than {FILE_LEN_MAX} bytes"));
    }
    fs::read_to_string(path).map_err(|error| error.to_string())
}

/// Hashes the texts that a scenario is made of.
pub(super) fn digest(texts: &[String]) -> u64 {
    texts.iter().fold(0xcbf2_9ce4_8422_2325, |hash, text| fnv(hash, text.as_bytes()))
}

/// Hashes with FNV-1a, the same on every machine.
pub(super) fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .chain(&[0xff])
        .fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Document {
    /// Reads the text of a document.
    pub(super) fn parse(name: &str, text: &str, folder: &Path) -> Result<Self, String> {
        let root = Node::parse(name, text)?;
        root.known("a scenario", &[&KEYS[..], &["verb"]].concat())?;
        Ok(Self { root, folder: folder.to_owned() })
    }
}

/// Returns a document, then that of the preset that it uses.
pub(super) fn with_preset(first: Document) -> Result<Vec<Document>, String> {
    let Some(used) = first.root.get("use") else { return Ok(vec![first]) };
    let wanted = used.text("use")?;
    let text = preset::text(wanted)
        .ok_or_else(|| used.wrong(format_args!("use = {wanted:?}: {}", preset::unknown(wanted))))?;
    let document = Document::parse(wanted, text, Path::new("."))?;
    if let Some(nested) = document.root.get("use") {
        return Err(nested.wrong("a preset can't use another"));
    }
    Ok(vec![first, document])
}
