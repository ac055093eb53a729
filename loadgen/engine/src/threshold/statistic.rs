//! The values of a histogram that a threshold may be about.

/// A value of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// The value that this percentage of all values don't exceed.
    Percentile(f64),
    /// The shortest.
    Min,
    /// The mean.
    Mean,
    /// The longest.
    Max,
}

impl Statistic {
    /// Reads its name, such as `p99.9` or `max`; `None` if it is none.
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "min" => Some(Self::Min),
            "mean" => Some(Self::Mean),
            "max" => Some(Self::Max),
            name => {
                let percentile = decimal(name.strip_prefix('p')?)?;
                (percentile > 0.0 && percentile <= 100.0).then_some(Self::Percentile(percentile))
            }
        }
    }
}

/// Reads digits with at most one point among them.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let is_plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.parse().ok().filter(|_| is_plain)
}
