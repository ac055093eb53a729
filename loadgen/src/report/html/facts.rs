//! Turns counters into pairs of words and numbers for a table, by the names in the result file: a new
//! counter shows without a line here.

use serde::Serialize;
use serde_json::Value;

use super::shown;
use crate::units;

/// Returns the numbers and words of a value, in its order, without those that are 0 or missing.
/// Parts of it that are lists or structs follow with their name in front.
pub(super) fn facts(value: &impl Serialize) -> Vec<(String, String)> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::to_value(value) {
        collect("", &value, &mut found);
    }
    found
}

fn collect(name: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let joined =
                    if name.is_empty() { field.clone() } else { format!("{name} {field}") };
                collect(&joined, value, found);
            }
        }
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            let words: Vec<_> = items.iter().map(|item| text(name, item)).collect();
            if !words.is_empty() {
                // A host has ports from the first to the last.
                let between = if name == "ports" { " to " } else { ", " };
                found.push((words_of(name), words.join(between)));
            }
        }
        Value::Number(number) if number.as_f64() == Some(0.0) => {}
        // Lists of structs have tables of their own.
        Value::Array(_) | Value::Null | Value::Bool(false) => {}
        value => found.push((words_of(name), text(name, value))),
    }
}

/// Formats a number by the unit at the end of its name.
fn text(name: &str, value: &Value) -> String {
    match value {
        Value::Number(number) => {
            let of_ns = || number.as_u64().map(units::duration);
            if name.ends_with("_ns") {
                of_ns().unwrap_or_else(|| number.to_string())
            } else if name.ends_with("_per_s") {
                format!("{}/s", units::per_s(number.as_f64().unwrap_or_default()))
            } else if name.contains("bytes") {
                number.as_u64().map_or_else(|| number.to_string(), units::bytes)
            } else if name == "seed" {
                number.to_string()
            } else {
                number.as_u64().map_or_else(|| number.to_string(), units::count)
            }
        }
        Value::Bool(true) => "yes".into(),
        Value::String(text) => shown(text),
        other => other.to_string(),
    }
}

fn words_of(name: &str) -> String {
    let name =
        ["_ns", "_per_s"].into_iter().find_map(|unit| name.strip_suffix(unit)).unwrap_or(name);
    name.strip_prefix("is_").unwrap_or(name).replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_and_numbers_have_their_units() {
        let value = serde_json::json!({
            "sent": 12_345, "lost": 0, "rate_per_s": 1_500.0, "pause_ns": 2_000_000, "none": null,
            "volume": {"payload_bytes": 5_000}, "ports": [1, 2], "list": [{"a": 1}], "is_ok": true,
            "is_no": false, "seed": 12_345,
        });
        let mut found = facts(&value);
        found.sort();
        let found: Vec<_> = found.iter().map(|(name, text)| (&**name, &**text)).collect();
        assert_eq!(
            found,
            [
                ("ok", "yes"),
                ("pause", "2.00 ms"),
                ("ports", "1 to 2"),
                ("rate", "1,500/s"),
                ("seed", "12345"),
                ("sent", "12,345"),
                ("volume payload bytes", "5.00 KB"),
            ]
        );
    }
}
