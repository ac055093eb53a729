//! Which Pings a Pong answers.
//!
//! A Pong answers a Ping and those before it: "an endpoint may elect to send a Pong frame for only
//! the most recently processed Ping frame" (RFC 6455, 5.5.3). A Pong that answers none is no fault:
//! "a Pong frame MAY be sent unsolicited".

use super::outstanding::{Outstanding, Sent};
use crate::index::ConnectionIndex;
use crate::payload::{Expected, Payload, Recognised};

/// What a Pong answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    /// The Ping whose payload the Pong has.
    pub(crate) ping: Sent,
    /// How many unanswered Pings came before that one.
    pub(crate) superseded: u64,
}

/// Takes the Pings of a connection that a Pong answers; `None` if the Pong answers none.
pub(crate) fn answer(
    pings: &Payload,
    outstanding: &mut Outstanding,
    payload: &[u8],
    connection: ConnectionIndex,
) -> Option<Answered> {
    let (expected, oldest) = outstanding.expected()?;
    let near = Expected { connection, sequence: expected, due_ns: oldest.due_ns() };
    let Recognised::Echo { sequence } = pings.recognise(payload, pings.kind(), near, |_| None)
    else {
        return None;
    };
    let sent = outstanding.len() as u64;
    let superseded = sequence.checked_sub(expected).filter(|&earlier| earlier < sent)?;
    for _ in 0..superseded {
        outstanding.take_expected();
    }
    Some(Answered { ping: outstanding.take_expected()?, superseded })
}
