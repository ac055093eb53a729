#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../src/differential/mod.rs"]
mod differential;

fuzz_target!(|data: &[u8]| differential::differential(data));
