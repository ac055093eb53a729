//! Runs the bodies of the fuzz targets over their stored corpus, so that what fuzzing has found
//! stays found.

#[allow(unreachable_pub, reason = "the fuzz targets use it too")]
#[path = "../../fuzz/src/bodies.rs"]
mod bodies;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

#[test]
fn every_stored_input_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (target, body) in bodies::ALL {
        let path = folder.join(target).with_extension("base64");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("no corpus for {target} at {}: {error}", path.display())
        });
        assert!(!text.is_empty(), "the corpus of {target} is empty");
        for line in text.lines() {
            println!("{target}: {line}"); // the last one printed is the one that failed
            body(&BASE64_STANDARD.decode(line).unwrap());
        }
    }
}

#[test]
fn short_and_empty_inputs_pass() {
    for (_, body) in bodies::ALL {
        for len in 0..20 {
            for byte in *b"\0/{\"2\xff" {
                body(&vec![byte; len]);
            }
        }
    }
}
