//! Results that are files: saved, merged, of several segments.

mod fanout;
mod saved;
mod segments;
