//! What permessage-deflate did: on how many connections, and to how many bytes.

use wscodec::deflate::DeflateAgreed;

use super::counts::counts;

/// The parameters agreed, and the bytes on the connections that use them.
#[derive(Clone, Debug, Default)]
pub struct DeflateCounts {
    /// Connections by the parameters agreed; at most 256 kinds, whatever servers choose.
    pub agreed: Vec<(DeflateAgreed, u64)>,
    /// Connections whose server declined.
    pub declined: u64,
    /// Messages sent.
    pub sent: Volume,
    /// Messages received.
    pub received: Volume,
}

counts! {
    /// Bytes of messages and of the frames that carry them.
    pub struct Volume {
        /// Payloads, uncompressed.
        payload_bytes: sum,
        /// Frames on the wire; for received messages, control frames included.
        wire_bytes: sum,
    }
}

impl DeflateCounts {
    /// Counts a connection on which permessage-deflate was offered.
    pub fn handshake(&mut self, agreed: Option<DeflateAgreed>) {
        match agreed {
            None => self.declined += 1,
            Some(agreed) => self.add(agreed, 1),
        }
    }

    /// Returns the number of connections on which permessage-deflate was offered.
    #[must_use]
    pub fn offered(&self) -> u64 {
        self.agreed.iter().map(|(_, count)| count).sum::<u64>() + self.declined
    }

    /// Adds the counts of `other`.
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
