//! Where a result goes.

use std::path::PathBuf;

/// A form of the result, and where to put it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// For people, on stdout.
    Text,
    /// The result file, in a file or, without one, on stdout.
    Json(Option<PathBuf>),
}

impl Output {
    /// Reads `text`, `json=FILE` or `json=-`.
    ///
    /// # Errors
    /// What is wrong, to be put behind the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "text" => Ok(Self::Text),
            Some(("json", "-")) => Ok(Self::Json(None)),
            Some(("json", path)) if !path.is_empty() => Ok(Self::Json(Some(path.into()))),
            _ => Err("use text, json=FILE or json=-".into()),
        }
    }
}

/// Text goes to stdout unless something else does.
pub(crate) fn outputs(asked: Vec<Output>) -> Result<Vec<Output>, String> {
    let on_stdout =
        asked.iter().filter(|output| matches!(output, Output::Text | Output::Json(None))).count();
    if on_stdout > 1 {
        return Err("two outputs on stdout; give a file to all but one, as in -o json=FILE".into());
    }
    let mut outputs = asked;
    if on_stdout == 0 {
        outputs.insert(0, Output::Text);
    }
    Ok(outputs)
}
