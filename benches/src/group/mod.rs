//! The contests, by group.

mod decode;
mod encode;
mod handshake;
mod header;
mod mask;
pub(crate) mod message;
mod utf8;

use crate::contest::Plan;

/// In the order in which results show them.
pub(crate) const NAMES: [&str; 7] =
    ["mask", "utf8", "header", "decode", "encode", "message", "handshake"];

/// How large the contests may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What a debug build can do in a test.
    Test,
    /// Everything.
    Full,
}

impl Extent {
    fn admits(self, size: usize) -> bool {
        self == Self::Full || size <= 4096
    }
}

/// Sizes at the edges of the format: 7, 16 and 64 bits of length, and around powers of two.
const SIZES: [usize; 14] =
    [0, 4, 16, 64, 125, 126, 512, 1024, 4096, 16_384, 65_535, 65_536, 1 << 20, 16 << 20];

/// The contests of all groups that are named, in the order of [`NAMES`].
pub(crate) fn plans(groups: &[&str], extent: Extent) -> Vec<Plan> {
    let mut plans = Vec::new();
    for name in NAMES {
        if !groups.is_empty() && !groups.contains(&name) {
            continue;
        }
        match name {
            "mask" => mask::plans(&mut plans),
            "utf8" => utf8::plans(&mut plans),
            "header" => header::plans(&mut plans),
            "decode" => decode::plans(&mut plans),
            "encode" => encode::plans(&mut plans),
            "message" => message::plans(&mut plans),
            _ => handshake::plans(&mut plans),
        }
    }
    plans.retain(|plan| extent.admits(plan.id.size));
    plans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contestant_does_the_same_work() {
        for plan in plans(&[], Extent::Test) {
            plan.ready();
        }
    }
}
