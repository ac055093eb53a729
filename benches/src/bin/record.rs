//! Runs the contests, interleaved, and writes what they showed to a dated folder of `results/`.

use std::process::ExitCode;

fn main() -> ExitCode {
    benches::record()
}
