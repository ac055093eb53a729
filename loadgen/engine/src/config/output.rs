//! Checks all outputs together: no two may go to the same place.

use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write, stderr, stdout};
use std::path::{Path, PathBuf};

use crate::cli::{Form, Output};
use crate::exit::Failed;
use crate::replacement::Replacement;

/// Adds text on stdout unless something else goes there.
///
/// # Errors
/// One line, if two would go to the same place.
pub fn outputs(asked: Vec<Output>) -> Result<Vec<Output>, String> {
    let places: Vec<_> = asked.iter().map(|output| output.file.as_deref().map(place)).collect();
    for (number, output) in asked.iter().enumerate() {
        if !places[..number].contains(&places[number]) {
            continue;
        }
        return Err(match &output.file {
            None => "two outputs on stdout; give a file to all but one, as in -o json=FILE".into(),
            Some(file) => {
                let shown = file.display().to_string();
                format!("two outputs in {}; give each a file of its own", shown.escape_debug())
            }
        });
    }
    let mut outputs = asked;
    if outputs.iter().all(|output| output.file.is_some()) {
        outputs.insert(0, Output::TEXT);
    }
    Ok(outputs)
}

/// Like [`outputs`], for a command without the result of a run, which has only these forms.
///
/// # Errors
/// One line, if another form was asked for, or two would go to the same place.
pub fn outputs_of(forms: &[Form], asked: Vec<Output>) -> Result<Vec<Output>, String> {
    if let Some(other) = asked.iter().find(|output| !forms.contains(&output.form)) {
        let names: Vec<_> = forms.iter().map(|form| form.name()).collect();
        let (last, others) = names.split_last().unwrap_or((&"text", &[]));
        return Err(format!(
            "-o {} is a form of results; use {} or {last} here",
            other.form.name(),
            others.join(", ")
        ));
    }
    outputs(asked)
}

/// Returns a line for each file that exists and is about to be replaced.
pub fn replaced(outputs: &[Output]) -> impl Iterator<Item = String> {
    let files = outputs.iter().filter_map(|output| output.file.as_ref().zip(Some(output.form)));
    // Anything but a regular file, such as /dev/null, loses nothing.
    files.filter(|(file, _)| file.is_file()).map(|(file, form)| {
        let shown = file.display().to_string();
        format!("-o {}={} replaces an existing file", form.name(), shown.escape_debug())
    })
}

/// Checks whether text goes to the screen that also shows stderr, so that a reader has both.
#[must_use]
pub fn is_on_screen_with_stderr(outputs: &[Output]) -> bool {
    let is_shown = |output: &Output| output.form == Form::Text && output.file.is_none();
    outputs.iter().any(is_shown) && stdout().is_terminal() && stderr().is_terminal()
}

/// Writes to an output; errors call the contents `what`.
///
/// # Errors
/// [`Failed`] with the place that can't be written.
pub fn put(
    output: &Output,
    what: &str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failed> {
    let buffered = |out: &mut dyn Write| {
        let mut out = BufWriter::new(out);
        write(&mut out)?;
        out.flush()
    };
    let (written, place) = match &output.file {
        None => (buffered(&mut stdout().lock()), "stdout".to_owned()),
        Some(path) => {
            let (name, shown) = (output.form.name(), path.display().to_string());
            let file = Replacement::create(path).map_err(|error| {
                let shown = shown.escape_debug();
                Failed::usage(format!("-o {name}={shown} can't be written: {error}"))
            })?;
            (file.finish(|file| buffered(file)), shown)
        }
    };
    written.map_err(|error| {
        let place = place.escape_debug();
        Failed::run(format!("the {what} could not be written to {place}: {error}"))
    })
}

/// Returns where a path leads, however it is written; the path itself if its folder doesn't exist.
fn place(path: &Path) -> PathBuf {
    if let Ok(place) = fs::canonicalize(path) {
        return place;
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    match (fs::canonicalize(folder), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e12_two_in_one_place_are_refused() {
        let asked = |texts: &[&str]| {
            outputs(texts.iter().map(|text| Output::parse(text).unwrap()).collect())
        };
        assert_eq!(asked(&[]), Ok(vec![Output::TEXT]));
        assert_eq!(asked(&["json=f", "csv=g"]).unwrap().len(), 3);
        assert_eq!(asked(&["json", "csv=g"]).unwrap().len(), 2);
        assert!(asked(&["text", "json=-"]).unwrap_err().contains("two outputs on stdout"));
        assert!(asked(&["csv=f", "json=f"]).unwrap_err().contains("two outputs in f"));
        assert!(asked(&["csv=f", "json=./f"]).unwrap_err().contains("two outputs in ./f"));
        assert!(asked(&["f.json", "text=../src/../f.json"]).is_ok(), "another folder");
    }
}
