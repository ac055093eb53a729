//! Results that are files: saved, merged, of several segments.

mod fanout;
mod fixtures;
mod saved;
mod segments;
mod watch;
