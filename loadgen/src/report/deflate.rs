//! Reports on permessage-deflate, for the result file and the text.

use serde::{Deserialize, Serialize};
use wscodec::deflate::Deflate;

use super::Report;
use crate::config::Config;
use crate::deflate;
use crate::metrics::{DeflateCounts, Metric, Volume};
use crate::units;

/// permessage-deflate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeflateReport {
    /// The parameters that were offered.
    pub offered: String,
    /// Compression level of this side: 1 to 9.
    pub level: u8,
    /// Messages of fewer bytes were sent uncompressed.
    pub size_min: u64,
    /// Whether it was a failure if a server declined.
    pub is_required: bool,
    /// The parameters agreed.
    pub agreed: Vec<AgreedReport>,
    /// Established connections whose server declined.
    pub declined: u64,
    /// Messages sent on connections that use permessage-deflate.
    pub sent: Volume,
    /// Messages received on those connections.
    pub received: Volume,
}

/// Connections with the same parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreedReport {
    /// The parameters.
    pub parameters: String,
    /// Number of connections.
    pub count: u64,
}

impl DeflateReport {
    /// Reports the result of the offer; `None` if there was none.
    pub(super) fn new(config: &Config, counts: &DeflateCounts) -> Option<Self> {
        let offer = config.request.deflate?;
        let Deflate { level, size_min, .. } = offer.deflate;
        let mut agreed: Vec<_> = counts
            .agreed
            .iter()
            .map(|(agreed, count)| AgreedReport {
                parameters: deflate::agreed(agreed),
                count: *count,
            })
            .collect();
        agreed.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.parameters.cmp(&b.parameters)));
        Some(Self {
            offered: deflate::offered(&offer.deflate),
            level: level.get(),
            size_min: size_min as u64,
            is_required: offer.is_required,
            agreed,
            declined: counts.declined,
            sent: counts.sent,
            received: counts.received,
        })
    }

    /// Returns lines for people.
    pub(super) fn lines(&self, report: &Report) -> Vec<String> {
        let mut lines: Vec<_> = self
            .agreed
            .iter()
            .map(|agreed| format!("{}: {}", agreed.parameters, units::count(agreed.count)))
            .collect();
        if self.declined > 0 {
            let count = units::count(self.declined);
            lines.push(format!("declined by the server: {count}; messages were sent uncompressed"));
        }
        if self.sent.payload_bytes + self.received.payload_bytes > 0 {
            let [out, back] = [self.sent, self.received].map(volume);
            let cost = |metric| {
                let median_ns = report.histogram(metric)?.percentile(50.0)?;
                Some(units::duration(median_ns))
            };
            let cost = [("deflate", Metric::ClientDeflate), ("inflate", Metric::ClientInflate)]
                .into_iter()
                .filter_map(|(name, metric)| Some(format!("   {name} p50 {}", cost(metric)?)));
            lines.push(format!("out {out}   in {back}{}", cost.collect::<String>()));
        }
        let has_takeover =
            self.agreed.iter().any(|it| !it.parameters.contains("client_no_context"));
        if has_takeover && report.config.payload_is_generated == Some(true) {
            let said = "generated messages of a connection are much alike: with context takeover \
                        they shrink more than real ones would";
            lines.push(said.into());
        }
        let is_small = report.config.payload_size.is_some_and(|size| size < self.size_min);
        if is_small && !self.agreed.is_empty() {
            let said = "bytes are sent as they are; see --size";
            lines.push(format!("messages of fewer than {} {said}", self.size_min));
        }
        lines
    }
}

/// Formats the payload, the frames, and how many times smaller the frames are.
#[expect(clippy::cast_precision_loss, reason = "a ratio to three digits")]
fn volume(volume: Volume) -> String {
    let Volume { payload_bytes, wire_bytes } = volume;
    let [payload, wire] = [payload_bytes, wire_bytes].map(units::bytes);
    let ratio = if wire_bytes == 0 { 0.0 } else { payload_bytes as f64 / wire_bytes as f64 };
    format!("{payload} in {wire} ({ratio:.2}:1)")
}
