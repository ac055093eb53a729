//! The live line: what matters most, in the width that there is.

use crate::units;

/// Separates the parts of a line.
const GAP: &str = "  ";
/// Columns of the bar, which is drawn if there is room for it.
const BAR_WIDTH: usize = 24;

/// The contents of a line.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) left: String,
    pub(super) open: u64,
    pub(super) errors: u64,
    pub(super) per_s: u64,
    /// Percentiles 50 and 99.
    pub(super) latency: Option<[u64; 2]>,
    /// How much is done, in thousandths.
    pub(super) done: u64,
}

impl Facts {
    /// Returns the words that fit in `width` columns: the most important get room first, and the
    /// errors always have it.
    pub(super) fn words(&self, width: usize) -> String {
        let latency = |place: usize, name: &str| {
            self.latency.map(|values| format!("{name} {}", units::duration(values[place])))
        };
        let errors = (self.errors > 0).then(|| format!("errors {}", units::count(self.errors)));
        // In the order in which they are written, each with its rank.
        let parts = [
            (1, Some(format!("open {}", units::count(self.open)))),
            (0, errors),
            (2, Some(format!("{}/s", units::count(self.per_s)))),
            (5, latency(0, "p50")),
            (3, latency(1, "p99")),
            (4, Some(self.left.clone())),
        ];
        let mut chosen: Vec<usize> = Vec::new();
        let mut len = 0;
        for rank in 0..parts.len() {
            let found = parts.iter().position(|(own, part)| *own == rank && part.is_some());
            let Some(place) = found else { continue };
            let own = parts[place].1.as_ref().map_or(0, String::len);
            let gap = if chosen.is_empty() { 0 } else { GAP.len() };
            if rank > 0 && len + gap + own > width {
                break;
            }
            len += gap + own;
            chosen.push(place);
        }
        chosen.sort_unstable();
        let words = chosen.iter().filter_map(|&place| parts[place].1.as_deref());
        words.collect::<Vec<_>>().join(GAP)
    }

    /// Returns the words, and a bar if there is room.
    pub(super) fn line(&self, width: usize) -> String {
        let words = self.words(width);
        if words.len() + 1 + BAR_WIDTH + GAP.len() > width {
            return words;
        }
        format!(" {}{GAP}{words}", bar(self.done, BAR_WIDTH))
    }
}

/// Draws a bar of `width` columns, of which `done` thousandths are done.
pub(super) fn bar(done: u64, width: usize) -> String {
    let inner = width.saturating_sub(2);
    let done = usize::try_from(done).unwrap_or(0) * inner / 1_000;
    let head = if done < inner { ">" } else { "" };
    format!("[{:<inner$}]", "=".repeat(done) + head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(errors: u64) -> Facts {
        Facts {
            left: "2 s left".into(),
            open: 1_000_000,
            errors,
            per_s: 1_498,
            latency: Some([344_000, 8_000_000]),
            done: 500,
        }
    }

    #[test]
    fn s1_errors_are_never_cut() {
        for width in 12..200 {
            let line = facts(700).line(width);
            assert!(line.contains("errors 700"), "{width}: {line}");
            assert!(line.len() <= width, "{width}: {line}");
            // Nothing else is cut either: a part is whole or absent.
            for (begin, whole) in [("p99", "p99 8.00 ms"), ("open", "open 1,000,000")] {
                assert!(!line.contains(begin) || line.contains(whole), "{width}: {line}");
            }
        }
    }

    #[test]
    fn s1_what_matters_most_has_room_first() {
        let line = |width| facts(700).line(width);
        assert_eq!(line(40), "open 1,000,000  errors 700  1,498/s");
        assert_eq!(
            line(80),
            "open 1,000,000  errors 700  1,498/s  p50 344 us  p99 8.00 ms  2 s left"
        );
        assert_eq!(
            line(120),
            " [===========>          ]  open 1,000,000  errors 700  1,498/s  p50 344 us  p99 8.00 ms  2 s left"
        );
        assert_eq!(facts(0).line(40), "open 1,000,000  1,498/s  p99 8.00 ms");
    }
}
