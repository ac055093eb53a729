//! Merges the lines of all segments: a line that several segments report appears once, with their
//! number.

use super::Part;
use crate::alike;
use crate::report::{Report, SegmentReport};

/// A line, and the segments that report it.
struct Said {
    kind: String,
    line: String,
    /// Whether all report it with the same numbers.
    is_same: bool,
    first: Option<SegmentReport>,
    count: usize,
}

/// Returns the lines of all parts, each with its segment or number of segments. Lines that differ
/// only in numbers are merged.
pub(super) fn of_all(parts: &[Part], lines: impl Fn(&Report) -> Vec<String>) -> Vec<String> {
    let mut all: Vec<Said> = Vec::new();
    for part in parts {
        let segment = part.report.config.segment;
        for line in lines(&part.report) {
            let kind = alike::kind(&line);
            match all.iter_mut().find(|said| said.kind == kind) {
                Some(said) => {
                    said.is_same &= said.line == line;
                    said.count += 1;
                }
                None => {
                    all.push(Said { kind, line, is_same: true, first: segment, count: 1 });
                }
            }
        }
    }
    all.iter().map(|said| said.shown(parts.len())).collect()
}

impl Said {
    fn shown(&self, parts: usize) -> String {
        let Self { line, count, .. } = self;
        let first = self.first.map(|segment| segment.to_string()).unwrap_or_default();
        match (count, self.is_same) {
            (1, _) => format!("segment {first}: {line}"),
            (_, true) => format!("{count} of {parts} segments: {line}"),
            (_, false) => format!("{count} of {parts} segments, such as {first}: {line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample_of;

    fn parts(lines: &[&str]) -> Vec<Part> {
        let of = lines.len();
        let part = |(place, line): (usize, &&str)| {
            let index = place + 1;
            let args = format!("run ws://h/ -c {of} -t 1 -d 1s --seed 7 --segment {index}/{of}");
            let mut report = sample_of(&args);
            report.verdict.reasons = line.split('|').map(ToOwned::to_owned).collect();
            Part { name: String::new(), report }
        };
        lines.iter().enumerate().map(part).collect()
    }

    #[test]
    fn s8_equal_reasons_are_one_line() {
        let said = |lines: &[&str]| of_all(&parts(lines), |report| report.verdict.reasons.clone());
        let fifty = said(&["idle|late"; 50]);
        assert_eq!(fifty, ["50 of 50 segments: idle", "50 of 50 segments: late"]);
        assert_eq!(said(&["idle", "busy"]), ["segment 1/2: idle", "segment 2/2: busy"]);
        let lines = ["p99 3.1 ms late (97 %)", "p99 980 us late (9 %)", "p99 1 s early (9 %)"];
        assert_eq!(
            said(&lines),
            [
                "2 of 3 segments, such as 1/3: p99 3.1 ms late (97 %)",
                "segment 3/3: p99 1 s early (9 %)"
            ]
        );
    }
}
