//! Computes a digest of the content of messages.

/// Returns a number that identifies a content: FNV-1a.
pub(super) fn digest(content: &impl std::fmt::Debug) -> String {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = format!("{content:?}").bytes().fold(0xcbf2_9ce4_8422_2325, fold);
    format!("{hash:016x}")
}
