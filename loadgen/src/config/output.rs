//! All outputs together: none twice in one place.

use crate::cli::Output;

/// Text goes to stdout unless something else does.
///
/// # Errors
/// One line, if two would go to the same place.
pub fn outputs(asked: Vec<Output>) -> Result<Vec<Output>, String> {
    for (place, output) in asked.iter().enumerate() {
        if !asked[..place].iter().any(|earlier| earlier.file == output.file) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_in_one_place_are_refused() {
        let asked = |texts: &[&str]| {
            outputs(texts.iter().map(|text| Output::parse(text).unwrap()).collect())
        };
        assert_eq!(asked(&[]), Ok(vec![Output::TEXT]));
        assert_eq!(asked(&["json=f", "csv=g"]).unwrap().len(), 3);
        assert_eq!(asked(&["json", "csv=g"]).unwrap().len(), 2);
        assert!(asked(&["text", "json=-"]).unwrap_err().contains("two outputs on stdout"));
        assert!(asked(&["csv=f", "json=f"]).unwrap_err().contains("two outputs in f"));
    }
}
