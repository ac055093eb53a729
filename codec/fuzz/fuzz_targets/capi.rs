#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../src/capi/mod.rs"]
mod capi;

fuzz_target!(|data: &[u8]| capi::run(data));
