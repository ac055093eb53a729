//! Runs the bodies of the fuzz targets over their stored corpus, so that what fuzzing has found
//! stays found.

#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may panic"
)]

#[path = "../fuzz/src/bodies.rs"]
mod bodies;

use std::fs;
use std::path::Path;

#[test]
fn every_stored_input_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, body) in bodies::ALL {
        let folder = corpus.join(name);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| {
            panic!("no corpus for {name} at {}: {error}", folder.display())
        });
        let mut inputs = 0;
        for entry in entries {
            let path = entry.unwrap().path();
            println!("{}", path.display()); // the last one printed is the one that failed
            body(&fs::read(&path).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "the corpus of {name} is empty");
    }
}

#[test]
fn short_and_empty_inputs_pass() {
    for (_, body) in bodies::ALL {
        for len in 0..20 {
            body(&vec![0; len]);
            body(&vec![0x81; len]);
            body(&vec![0xff; len]);
        }
    }
}
