//! What is recorded, shared by the tasks of all connections.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::recording::{Connection, Message, Recording, Side};

/// Most bytes of messages that are kept; what comes after them is only passed on.
const KEPT_LEN_MAX: usize = 256 << 20;
/// Most messages that are kept.
const KEPT_MAX: usize = 1_000_000;

/// A recording that grows.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    recording: Recording,
    messages: usize,
    len: usize,
}

impl Log {
    /// Adds a connection, and returns its place.
    pub(super) fn open(&self, connection: Connection) -> usize {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.recording.connections.push(connection);
        kept.recording.connections.len() - 1
    }

    /// Adds a message that has just been received from a side.
    pub(super) fn add(&self, place: usize, from: Side, is_text: bool, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.messages += 1;
        kept.len += bytes.len();
        if kept.messages > KEPT_MAX || kept.len > KEPT_LEN_MAX {
            kept.recording.is_cut = true;
            return;
        }
        let message = Message { at_ns: now_ns(), from, is_text, bytes: bytes.to_vec() };
        if let Some(connection) = kept.recording.connections.get_mut(place) {
            connection.messages.push(message);
        }
    }

    /// Returns what has been recorded.
    pub(super) fn take(&self) -> Recording {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut kept.recording)
    }
}

/// Returns the time since 1970 in nanoseconds, to the microsecond.
///
/// A HAR can't say it more exactly, and both files of a recording must give the same scenario.
fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::har;

    #[test]
    fn a_har_has_the_times_of_a_recording_exactly() {
        let log = Log::default();
        let url = "ws://h/".to_owned();
        let connection = Connection { url, headers: vec![], answered: vec![], messages: vec![] };
        let place = log.open(connection);
        for _ in 0..1_000 {
            log.add(place, Side::Client, true, b"a");
        }
        let recording = log.take();
        let mut bytes = Vec::new();
        har::write(&recording, &mut bytes).unwrap();
        assert_eq!(har::read(&*bytes).unwrap(), recording);
    }
}
