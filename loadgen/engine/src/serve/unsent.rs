//! Replies that a socket hasn't taken yet.

/// Copies the sender's buffer up to this capacity, in bytes; beyond it, takes the buffer over.
const COPY_CAPACITY_MAX: usize = 64 << 10;

/// Bytes in the order in which to send them. Has no memory while it is empty.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}

impl Unsent {
    /// Returns what is left to send.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.sent..).unwrap_or_default()
    }

    /// Returns the size of its memory, in bytes.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Removes the next `len` bytes, which have been sent.
    pub(super) fn sent(&mut self, len: usize) {
        self.sent += len;
        if self.sent >= self.bytes.len() {
            *self = Self::default();
        }
    }

    /// Keeps `out[sent..]`, after what is already kept. Leaves `out` with unspecified contents.
    pub(super) fn keep(&mut self, out: &mut Vec<u8>, sent: usize) {
        let rest = out.get(sent..).unwrap_or_default();
        if rest.is_empty() {
            return;
        }
        if self.bytes.is_empty() && rest.len() > COPY_CAPACITY_MAX {
            std::mem::swap(&mut self.bytes, out);
            self.sent = sent;
            return;
        }
        // Moved to the front only once half is free: each byte is moved once or twice, however
        // small the writes.
        if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        self.bytes.extend_from_slice(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_whatever_was_sent_between() {
        let mut unsent = Unsent::default();
        let mut sent = Vec::new();
        let mut expected = Vec::new();
        for round in 0..200_usize {
            // From small pieces, which are copied, to a large one, which is taken over.
            let mut out = vec![round.to_le_bytes()[0]; if round == 100 { 200_000 } else { round }];
            let skipped = round % 3;
            let skipped = skipped.min(out.len());
            expected.extend_from_slice(&out[skipped..]);
            unsent.keep(&mut out, skipped);
            let len = (round * 7 % 190).min(unsent.rest().len());
            sent.extend_from_slice(&unsent.rest()[..len]);
            unsent.sent(len);
        }
        sent.extend_from_slice(unsent.rest());
        assert_eq!(sent, expected);
        unsent.sent(unsent.rest().len());
        assert_eq!(unsent.bytes.capacity(), 0, "memory is given back");
    }
}
