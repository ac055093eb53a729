//! Entry point of the `loadgen` binary.
fn main() {}
