//! Reads a result file into a [`Report`], or says what is wrong with it: it may be of another
//! version, of another program, or hostile.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use serde_json::Value;

use super::scenario::ScenarioReport;
use super::{HistogramReport, Report, SCHEMA_VERSION, SegmentReport};
use crate::config::Segment;
use crate::metrics::{HIGHEST_NS, LOWEST_NS, Metric, SIGNIFICANT_DIGITS};

/// Most bytes of a result file: with 3,600 rows of its time series it has a few million.
const FILE_LEN_MAX: u64 = 256 << 20;
/// How a file begins that gzip has compressed, as the one in an HTML page.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a result file, which gzip may have compressed.
///
/// # Errors
/// What is wrong, to be put after the file's name.
pub fn load(path: &Path) -> Result<Report, String> {
    let unreadable = |error: std::io::Error| format!("can't be read: {error}");
    let mut text = String::new();
    let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
    if file.fill_buf().map_err(unreadable)?.starts_with(&GZIP) {
        let mut file = MultiGzDecoder::new(file).take(FILE_LEN_MAX + 1);
        file.read_to_string(&mut text).map_err(unreadable)?;
    } else {
        file.take(FILE_LEN_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    }
    if text.len() as u64 > FILE_LEN_MAX {
        return Err(format!("is not a result: it has more than {FILE_LEN_MAX} bytes"));
    }
    parse(&text)
}

/// Reads the text of a result file.
///
/// # Errors
/// What is wrong with the text.
pub fn parse(text: &str) -> Result<Report, String> {
    let no_result = |error: serde_json::Error| format!("is not a result of loadgen: {error}");
    let value: Value = serde_json::from_str(text).map_err(no_result)?;
    let version = value.get("schema_version").and_then(Value::as_u64);
    match version {
        Some(version) if version == u64::from(SCHEMA_VERSION) => {}
        Some(version) => {
            return Err(format!(
                "has schema version {version}, but this loadgen reads {SCHEMA_VERSION}"
            ));
        }
        None => return Err("is not a result of loadgen: it has no schema_version".into()),
    }
    let report = Report::deserialize(&value).map_err(no_result)?;
    // Unknown fields would be dropped silently.
    let again = serde_json::to_value(&report).map_err(no_result)?;
    if let Some(field) = unknown(&value, &again, "") {
        return Err(format!(
            "has \"{}\", which this loadgen doesn't know; use the version that made it ({})",
            field.escape_debug(),
            report.generator.version.escape_debug()
        ));
    }
    check(&report)?;
    Ok(report)
}

/// Checks what the types don't: that histograms can be added and are what they say.
fn check(report: &Report) -> Result<(), String> {
    let bounds = &report.histogram_bounds;
    let found = (bounds.lowest_ns, bounds.highest_ns, bounds.significant_digits);
    if found != (LOWEST_NS, HIGHEST_NS, SIGNIFICANT_DIGITS) {
        return Err(format!(
            "has histograms of {} to {} ns with {} digits, and this loadgen has {LOWEST_NS} to \
             {HIGHEST_NS} with {SIGNIFICANT_DIGITS}",
            found.0, found.1, found.2
        ));
    }
    let of_cohorts = report.cohorts.iter().flat_map(|cohort| &cohort.histograms);
    for found in report.histograms.iter().chain(of_cohorts) {
        let shown = found.metric.escape_debug();
        if Metric::named(&found.metric).is_none() {
            return Err(format!("has a histogram \"{shown}\", which this loadgen doesn't know"));
        }
        HistogramReport::distribution(found)
            .map_err(|why| format!("has a broken histogram \"{shown}\": {why}"))?;
    }
    for found in report.scenario.iter().flat_map(ScenarioReport::histograms) {
        let shown = found.metric.escape_debug();
        HistogramReport::distribution(found)
            .map_err(|why| format!("has a broken histogram \"{shown}\": {why}"))?;
    }
    for row in &report.time_series.rows {
        if let Some(latency) = &row.latency {
            latency.distribution().map_err(|why| format!("has a broken time series: {why}"))?;
        }
        if row.begin_ns.checked_add(row.length_ns).is_none() {
            return Err("has a time series without end".into());
        }
    }
    let is_one = |segment: SegmentReport| Segment::new(segment.index, segment.of).is_some();
    if report.config.segment.is_some_and(|segment| !is_one(segment)) {
        return Err("names an impossible segment".into());
    }
    Ok(())
}

/// Returns the path of something in `value` that is not in `again`.
fn unknown(value: &Value, again: &Value, path: &str) -> Option<String> {
    match (value, again) {
        (Value::Object(value), Value::Object(again)) => value.iter().find_map(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match again.get(name) {
                None => Some(path),
                Some(again) => unknown(value, again, &path),
            }
        }),
        (Value::Array(value), Value::Array(again)) => {
            value.iter().zip(again).enumerate().find_map(|(place, (value, again))| {
                unknown(value, again, &format!("{path}[{place}]"))
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn changed(change: impl FnOnce(&mut Value)) -> Result<Report, String> {
        let mut value = serde_json::to_value(sample()).unwrap();
        change(&mut value);
        parse(&value.to_string())
    }

    #[test]
    fn what_is_written_is_read_back() {
        let report = sample();
        let mut text = Vec::new();
        super::super::json::write(&report, &mut text).unwrap();
        assert_eq!(parse(std::str::from_utf8(&text).unwrap()), Ok(report));
    }

    /// To the last digit: otherwise a result that is read and written again is another.
    #[test]
    fn numbers_are_read_as_they_were_written() {
        for numerator in 1..2_000_u32 {
            let share = f64::from(numerator) / 2_001.7;
            let text = serde_json::to_string(&share).unwrap();
            let again: f64 = serde_json::from_str(&text).unwrap();
            assert_eq!(again.to_bits(), share.to_bits(), "{text}");
        }
    }

    #[test]
    fn what_is_no_result_and_why() {
        type Change = fn(&mut Value);
        let rows: [(&str, Change); 10] = [
            ("it has no schema_version", |value| *value = "{}".into()),
            ("has schema version 99", |value| value["schema_version"] = 99.into()),
            ("missing field `verdict`", |value| {
                value.as_object_mut().unwrap().remove("verdict");
            }),
            ("invalid type", |value| value["bytes"]["sent"] = "many".into()),
            ("has \"bytes.colour\", which", |value| value["bytes"]["colour"] = "red".into()),
            ("histograms of 1 to 5 ns", |value| value["histogram_bounds"]["highest_ns"] = 5.into()),
            ("a histogram \"x\\u{1b}\"", |value| value["histograms"][0]["metric"] = "x\x1b".into()),
            ("base64", |value| value["histograms"][0]["data"] = "!".into()),
            ("not a histogram", |value| value["histograms"][0]["data"] = "AAAA".into()),
            ("values, and says 3", |value| value["histograms"][0]["count"] = 3.into()),
        ];
        for (why, change) in rows {
            let said = changed(change).unwrap_err();
            assert!(said.contains(why), "{why}: {said}");
        }
        for text in ["", "[]", "{", "null", "\u{0}"] {
            assert!(parse(text).unwrap_err().starts_with("is not a result of loadgen: "), "{text}");
        }
    }
}
