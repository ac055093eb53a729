//! The replies that are due: Pongs, and the answer to a Close (RFC 6455, 5.5).

use bytes::BufMut;

use crate::encoder;
use crate::header::{FrameHeader, Opcode};
use crate::mask::MaskKeySource;

use super::PONGS_PER_INPUT_MAX;
use super::control::ControlPayload;
use super::send::{Marks, Sender};

impl<K: MaskKeySource> Sender<K> {
    /// "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless it
    /// already received a Close frame" (5.5.2); and nothing follows this side's own Close (5.5.1).
    pub(super) fn answer_ping(&mut self, payload: &[u8], out: &mut impl BufMut) {
        if self.has(Marks::CLOSE_SENT) {
            return;
        }
        if self.pongs_left > 0 && self.pong_due.is_none() {
            self.pongs_left -= 1;
            if self.write_control(Opcode::Pong, payload, out) {
                return;
            }
        }
        let due = self.pong_due.get_or_insert_default();
        due.clear();
        due.append(payload);
        self.mark(Marks::REPLY_DUE);
    }

    /// Lets the Pings of the next input be answered one by one again.
    pub(super) fn renew_pongs(&mut self) {
        self.pongs_left = PONGS_PER_INPUT_MAX;
    }

    /// Drops a Pong that found no room before the Close: nothing follows a Close (5.5.1).
    pub(super) fn drop_pong(&mut self) {
        self.pong_due = None;
        self.note_due();
    }

    fn note_due(&mut self) {
        self.marks.set(Marks::REPLY_DUE, self.pong_due.is_some() || self.close_due.is_some());
    }

    /// Appends the replies that are due to `out`, as far as it has room.
    /// [`has_due_output`](Self::has_due_output) returns whether any are left.
    #[inline]
    pub fn flush(&mut self, out: &mut impl BufMut) {
        if self.has_due_output() {
            self.append_due(out);
        }
    }

    #[cold]
    fn append_due(&mut self, out: &mut impl BufMut) {
        if let Some(pong) = self.pong_due.take()
            && !self.write_control(Opcode::Pong, pong.as_bytes(), out)
        {
            self.pong_due = Some(pong);
            return;
        }
        if let Some(close) = self.close_due.take() {
            self.send_close(close.as_bytes(), out);
        }
        self.note_due();
    }

    /// Writes a Close, the last frame sent, or keeps it due if `out` has no room.
    pub(super) fn send_close(&mut self, payload: &[u8], out: &mut impl BufMut) {
        if self.write_control(Opcode::Close, payload, out) {
            self.drop_pong();
        } else {
            let mut due = ControlPayload::default();
            due.append(payload);
            self.close_due = Some(due);
            self.mark(Marks::REPLY_DUE);
        }
    }

    fn write_control(&mut self, opcode: Opcode, payload: &[u8], out: &mut impl BufMut) -> bool {
        let Ok(header) = FrameHeader::new(opcode, payload.len() as u64) else { return false };
        let header = header.with_mask(self.next_key());
        encoder::encode(header, payload, out).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{FixedKey, MaskKey};
    use crate::role::Role;

    /// A mark makes every message take the slow path, so it must be cleared once its cause is gone.
    #[test]
    fn nothing_stands_in_the_way_before_and_after_a_reply_was_due() {
        let mut sender = Sender::new(Role::Server, FixedKey(MaskKey::ZERO), None);
        assert!(sender.marks.is_empty() && !sender.has_due_output());
        let mut no_room: &mut [u8] = &mut [];
        sender.answer_ping(b"1", &mut no_room);
        sender.flush(&mut no_room);
        assert!(!sender.marks.is_empty() && sender.has_due_output());
        let mut memory = [0; 3];
        sender.flush(&mut &mut memory[..]);
        assert_eq!(memory, *b"\x8a\x011");
        assert!(sender.marks.is_empty() && !sender.has_due_output());
    }
}
