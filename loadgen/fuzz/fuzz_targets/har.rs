#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../src/bodies.rs"]
#[allow(dead_code, reason = "every target runs one of them")]
mod bodies;

fuzz_target!(|data: &[u8]| bodies::har(data));
