//! Runs the body of the fuzz target `capi`, a program that calls the ABI without care, over what
//! fuzzing has found and over programs made at random.
#![expect(unsafe_code, reason = "calls the ABI as C does")]

#[expect(unreachable_pub, reason = "the fuzz target uses it too")]
#[path = "../../fuzz/src/capi/mod.rs"]
mod careless;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

#[test]
fn every_stored_program_passes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/capi.base64");
    let text = fs::read_to_string(path).unwrap();
    assert!(!text.is_empty(), "the corpus is empty");
    for line in text.lines() {
        println!("{line}"); // the last one printed is the one that failed
        careless::run(&BASE64_STANDARD.decode(line).unwrap());
    }
}

#[test]
fn short_programs_and_programs_at_random_pass() {
    for len in 0..20 {
        for byte in [0, 1, 0x81, 0xff] {
            careless::run(&vec![byte; len]);
        }
    }
    let mut state = 1_u64;
    for round in 0..500 {
        let program: Vec<u8> = (0..round)
            .map(|_| {
                // Xorshift: the same programs every time.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            })
            .collect();
        careless::run(&program);
    }
}
