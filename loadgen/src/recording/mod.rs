//! Makes a scenario from recorded connections: `loadgen import har` and `loadgen record`.
//!
//! ```text
//!   har, record ─▶ Connection ─▶ protocol ─▶ units ─▶ story ─▶ draft ─▶ TOML
//!                                   which?     its       who took   what varies,
//!                                              messages  what?      and where it is from
//! ```
//!
//! Everything here is a guess. Each is kept with its evidence, and stands in the file as a comment:
//! see [`Guess`].

mod draft;
mod field;
mod framing;
mod guess;
pub mod har;
mod heartbeat;
mod json;
mod kind;
mod mqtt;
mod opening;
mod order;
mod place;
mod preset;
mod protocol;
mod quoting;
mod reply;
mod rules;
mod secret;
mod story;
mod unit;
mod value;
mod vary;

pub use draft::{Draft, draft};
pub use guess::{Confidence, Guess};

/// Recorded connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// In the order in which they were opened.
    pub connections: Vec<Connection>,
    /// Whether messages were left out, since there are too many.
    pub is_cut: bool,
}

/// A recorded connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// The URL, with a scheme of WebSocket.
    pub url: String,
    /// Headers of the opening request.
    pub headers: Vec<(String, String)>,
    /// Headers of the response.
    pub answered: Vec<(String, String)>,
    /// Text and binary messages, in the order in which they were sent and received.
    pub messages: Vec<Message>,
}

/// A recorded message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When it was sent or received, in nanoseconds since 1970.
    pub at_ns: u64,
    /// Which side sent it.
    pub from: Side,
    /// Whether it is a text message.
    pub is_text: bool,
    /// The content.
    pub bytes: Vec<u8>,
}

/// A side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client, which a scenario plays.
    Client,
    /// The server.
    Server,
}

impl Connection {
    /// Returns the subprotocols that the client offered.
    fn offered(&self) -> Vec<&str> {
        let offered = self.headers.iter();
        let offered = offered.filter(|(name, _)| name.eq_ignore_ascii_case(SUBPROTOCOL));
        let names = offered.flat_map(|(_, value)| value.split(','));
        names.map(str::trim).filter(|name| !name.is_empty()).collect()
    }

    /// Returns the subprotocol that the server chose.
    fn chosen(&self) -> Option<&str> {
        value(&self.answered, SUBPROTOCOL)
    }

    /// Returns how many messages a side sent.
    #[must_use]
    pub fn count(&self, side: Side) -> usize {
        self.messages.iter().filter(|message| message.from == side).count()
    }
}

const SUBPROTOCOL: &str = "sec-websocket-protocol";

fn value<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    let found = headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim())
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
