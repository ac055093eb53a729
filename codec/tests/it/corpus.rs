//! Runs the bodies of the fuzz targets over their stored corpus, so that what fuzzing has found
//! stays found.

#[allow(unreachable_pub, reason = "the fuzz targets use it too")]
#[path = "../../fuzz/src/bodies.rs"]
mod bodies;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::support::{connection, feed_pieces};
use wscodec::Role;

/// The stored inputs of a fuzz target: `fuzz/corpus/TARGET.base64` has one a line. Each is printed
/// as it is taken, so the last one printed is the one that failed.
pub(crate) fn stored(target: &str) -> impl Iterator<Item = Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let path = folder.join(target).with_extension("base64");
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("no corpus for {target} at {}: {error}", path.display()));
    assert!(!text.is_empty(), "the corpus of {target} is empty");
    let lines: Vec<String> = text.lines().map(String::from).collect();
    lines.into_iter().map(|line| {
        println!("{line}");
        BASE64_STANDARD.decode(line).unwrap()
    })
}

#[test]
fn every_stored_input_passes() {
    for (name, body) in bodies::ALL {
        stored(name).for_each(|input| body(&input));
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

/// What the stored inputs of the connection give does not depend on the reads: every single cut, and
/// of the short ones every pair of cuts.
#[test]
fn g4_stored_input_gives_the_same_events_at_every_split() {
    for data in stored("connection") {
        let Some((choice, bytes)) = data.split_first() else { continue };
        if bytes.len() > 256 {
            continue;
        }
        let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
        let whole = feed_pieces(&mut connection(role), &[bytes]);
        let same = |pieces: &[&[u8]]| {
            let split = feed_pieces(&mut connection(role), pieces);
            assert_eq!((split.events, split.error), (whole.events.clone(), whole.error));
        };
        for first in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(first);
            same(&[head, tail]);
            if bytes.len() <= 48 {
                for second in 0..=tail.len() {
                    let (middle, end) = tail.split_at(second);
                    same(&[head, middle, end]);
                }
            }
        }
    }
}
