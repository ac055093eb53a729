//! Runs the bodies of the fuzz targets over their stored corpus, so that what fuzzing has found
//! stays found.

#[allow(unreachable_pub, reason = "the fuzz targets use it too")]
#[path = "../../fuzz/src/bodies.rs"]
mod bodies;

use std::fs;
use std::path::Path;

use crate::support::{connection, feed_pieces};
use wscodec::Role;

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

/// What the stored inputs of the connection give does not depend on the reads: every single cut, and
/// of the short ones every pair of cuts.
#[test]
fn g4_stored_input_gives_the_same_events_at_every_split() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/connection");
    for entry in fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let data = fs::read(&path).unwrap();
        let Some((choice, bytes)) = data.split_first() else { continue };
        if bytes.len() > 256 {
            continue;
        }
        println!("{}", path.display()); // the last one printed is the one that failed
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
