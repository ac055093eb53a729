//! What permessage-deflate came to: on how many connections, and how many bytes became how many.

use wscodec::deflate::DeflateAgreed;

use super::counts::counts;

/// What was agreed, and the bytes on the connections where something was.
#[derive(Clone, Debug, Default)]
pub struct DeflateCounts {
    /// Connections by what was agreed; as many kinds as a server makes up, at most 256.
    pub agreed: Vec<(DeflateAgreed, u64)>,
    /// Connections whose server has declined.
    pub declined: u64,
    /// Messages sent.
    pub sent: Volume,
    /// Messages received.
    pub received: Volume,
}

counts! {
    /// Bytes of messages and of the frames that carry them.
    pub struct Volume {
        /// Payloads, not compressed.
        payload_bytes: sum,
        /// Frames on the wire; of those received the control frames are among them.
        wire_bytes: sum,
    }
}

impl DeflateCounts {
    /// Counts a connection on which it was offered.
    pub fn handshake(&mut self, agreed: Option<DeflateAgreed>) {
        match agreed {
            None => self.declined += 1,
            Some(agreed) => self.add(agreed, 1),
        }
    }

    /// Connections on which it was offered.
    #[must_use]
    pub fn offered(&self) -> u64 {
        self.agreed.iter().map(|(_, count)| count).sum::<u64>() + self.declined
    }

    /// Adds what `other` has counted.
    pub fn merge(&mut self, other: Self) {
        for (agreed, count) in other.agreed {
            self.add(agreed, count);
        }
        self.declined += other.declined;
        self.sent.add(&other.sent);
        self.received.add(&other.received);
    }

    fn add(&mut self, agreed: DeflateAgreed, count: u64) {
        match self.agreed.iter_mut().find(|(known, _)| *known == agreed) {
            Some((_, known)) => *known += count,
            None => self.agreed.push((agreed, count)),
        }
    }
}
