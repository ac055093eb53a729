//! How a protocol's messages are framed, in both directions: a scenario only has to split those of
//! the server.

use crate::scenario::unit;

use super::Side;

/// How a protocol's messages are framed in WebSocket messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    /// One a message.
    #[default]
    Message,
    /// One a line.
    Lines,
    /// Each ended by U+001E.
    Separator,
    /// Frames of STOMP.
    Stomp,
    /// Frames of `SockJS`.
    SockJs,
    /// Packets of MQTT.
    Mqtt {
        /// Whether they are those of MQTT 5.
        is_5: bool,
    },
}

impl Framing {
    fn of_scenario(&self) -> unit::Framing {
        match self {
            Self::Message => unit::Framing::Message,
            Self::Lines => unit::Framing::Lines,
            Self::Separator => unit::Framing::Separator((*b"\x1e").into()),
            Self::Stomp => unit::Framing::Stomp,
            Self::SockJs => unit::Framing::SockJs,
            Self::Mqtt { .. } => unit::Framing::Mqtt,
        }
    }

    /// Calls `take` for each unit of a message; `partial` keeps an incomplete one of this side.
    pub(super) fn split(
        &self,
        (from, bytes): (Side, &[u8]),
        partial: &mut Vec<u8>,
        take: impl FnMut(&[u8]),
    ) {
        let framing = self.of_scenario();
        if *self == Self::SockJs && from == Side::Client {
            // A client sends `["…"]`, a server `a["…"]`.
            return framing.split(&[b"a", bytes].concat(), partial, take);
        }
        framing.split(bytes, partial, take);
    }
}
