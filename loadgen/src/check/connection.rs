//! An open connection that is driven one event at a time.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use wscodec::{CloseCode, CloseFrame, Connection, Event, ReadyState};

use super::list::{List, Mark};
use super::{SHOWN_LEN_MAX, timed};
use crate::clock::Clock;
use crate::net::Stream;
use crate::{escape, refusal, units};

/// An open connection.
pub(super) struct Open {
    pub(super) stream: Stream,
    pub(super) codec: Connection,
    /// Whether permessage-deflate was agreed on.
    pub(super) is_deflated: bool,
    pub(super) clock: Clock,
    pub(super) buffer: Vec<u8>,
    /// The bytes that have been read but not processed: `buffer[begin..end]`.
    pub(super) begin: usize,
    pub(super) end: usize,
    /// The first messages that didn't answer anything.
    pub(super) unasked: Vec<String>,
    /// Whether the stream has ended.
    pub(super) is_ended: bool,
}

/// What has been received, with its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(CloseCode, String)>),
}

/// How a server answered a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// As it must, or as an echo server does.
    Expected,
    /// With other messages, of which this is the last.
    Other(String),
    /// Not at all within [`ANSWER_TIMEOUT`].
    Nothing,
    /// By closing, with the code if it gave one.
    Closed(Option<CloseCode>, String),
    /// By ending the stream without a Close.
    Ended(String),
    /// By breaking the protocol.
    Broken(String),
}

impl Open {
    /// Returns the next event but Pings, which are answered here.
    pub(super) async fn next(&mut self) -> Result<Received, Answer> {
        loop {
            match self.taken().await? {
                Some(Received::Ping(_)) => {}
                Some(received) => return Ok(received),
                None => self.fill().await?,
            }
        }
    }

    /// Returns the next event; `None` if there is none until `deadline`.
    pub(super) async fn next_before(
        &mut self,
        deadline: Instant,
    ) -> Result<Option<Received>, Answer> {
        loop {
            if let Some(received) = self.taken().await? {
                return Ok(Some(received));
            }
            match timeout_at(deadline, self.fill()).await {
                Ok(filled) => filled?,
                Err(_) => return Ok(None),
            }
        }
    }

    /// Writes bytes of the codec. A server that reads nothing gets as long as `bound`.
    pub(super) async fn write(&mut self, bytes: &[u8], bound: Duration) -> Result<(), Answer> {
        match timeout(bound, self.stream.write_all(bytes)).await {
            Ok(written) => written.map_err(|error| Answer::Ended(error.to_string())),
            Err(_) => Err(Answer::Ended("the server does not read what it is sent".into())),
        }
    }

    /// Returns the next event in the bytes that have been read. Sends the answer that it requires.
    async fn taken(&mut self) -> Result<Option<Received>, Answer> {
        while self.begin < self.end {
            let mut out = Vec::new();
            let mut input = self.buffer.get_mut(self.begin..self.end).unwrap_or_default();
            let before = input.len();
            let received = match self.codec.receive(&mut input, &mut out) {
                Ok(Some(Event::Text(text))) => Ok(Some(Received::Text(text.into()))),
                Ok(Some(Event::Binary(bytes))) => Ok(Some(Received::Binary(bytes.to_vec()))),
                Ok(Some(Event::Ping(payload))) => Ok(Some(Received::Ping(payload.to_vec()))),
                Ok(Some(Event::Pong(payload))) => Ok(Some(Received::Pong(payload.to_vec()))),
                Ok(Some(Event::Close(frame))) => {
                    let own = |frame: CloseFrame<'_>| (frame.code, frame.reason.to_owned());
                    Ok(Some(Received::Close(frame.map(own))))
                }
                Ok(_) => Ok(None),
                Err(error) => {
                    let said = refusal::too_large(&error);
                    let said =
                        said.unwrap_or_else(|| format!("the server broke the protocol: {error}"));
                    Err(Answer::Broken(said))
                }
            };
            self.begin += before - input.len();
            self.stream.write_all(&out).await.map_err(|error| Answer::Ended(error.to_string()))?;
            if let Some(received) = received? {
                return Ok(Some(received));
            }
        }
        Ok(None)
    }

    /// Reads more bytes, once all others have been processed.
    async fn fill(&mut self) -> Result<(), Answer> {
        let read = self.stream.read(&mut self.buffer).await;
        let len = read.map_err(|error| Answer::Ended(error.to_string()))?;
        if len == 0 {
            self.is_ended = true;
            return Err(Answer::Ended("the server ended the stream without a Close".into()));
        }
        (self.begin, self.end) = (0, len);
        Ok(())
    }

    /// Does the closing handshake, and lists it.
    pub(super) async fn close(&mut self, list: &mut List, bound: Duration) {
        self.close_with(CloseCode::NORMAL, list, bound).await;
    }

    /// Does the closing handshake with this code, and lists it.
    pub(super) async fn close_with(&mut self, code: CloseCode, list: &mut List, bound: Duration) {
        let begin_ns = self.clock.now_ns();
        if self.codec.ready_state() != ReadyState::Open || self.is_ended {
            list.put(Mark::NotTried, "close", "not tried: the server closed first");
            return;
        }
        let outcome = timeout(bound, self.close_handshake(code)).await;
        list.step(
            "close",
            match outcome {
                Ok(outcome) => outcome.map(|said| timed(&said, self.clock.now_ns() - begin_ns)),
                Err(_) => Err("no answer to Close within the close timeout".into()),
            },
        );
        if self.codec.ready_state() != ReadyState::Closed {
            return;
        }
        let mut rest = [0; 64];
        let ended = async {
            while self.stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        list.step(
            "end of stream",
            match timeout(bound, ended).await {
                Ok(Ok(())) => Ok(units::duration(self.clock.now_ns() - begin_ns)),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("the server keeps the stream open after Close".into()),
            },
        );
    }

    async fn close_handshake(&mut self, code: CloseCode) -> Result<String, String> {
        let mut out = Vec::new();
        let frame = CloseFrame { code, reason: "" };
        if self.codec.close(Some(frame), &mut out).is_err() {
            return Err("it was closed before".into());
        }
        self.stream.write_all(&out).await.map_err(|error| error.to_string())?;
        loop {
            let received = self.next().await.map_err(|answer| match answer {
                Answer::Ended(why) | Answer::Broken(why) => why,
                other => format!("{other:?}"),
            })?;
            if let Received::Close(frame) = received {
                return Ok(frame.map_or("without code".into(), |frame| code_and_reason(&frame)));
            }
        }
    }
}

/// Describes a Close from the server.
pub(super) fn closed(frame: Option<&(CloseCode, String)>) -> String {
    frame.map_or("the server closed without code".into(), |frame| {
        format!("the server closed with {}", code_and_reason(frame))
    })
}

fn code_and_reason((code, reason): &(CloseCode, String)) -> String {
    if reason.is_empty() { code.to_string() } else { format!("{code} {reason:?}") }
}

pub(super) fn shown(received: &Received) -> String {
    match received {
        Received::Text(text) => format!("text {}", escape::bytes(text, SHOWN_LEN_MAX)),
        Received::Binary(bytes) => format!("binary {}", escape::bytes(bytes, SHOWN_LEN_MAX)),
        Received::Ping(payload) => format!("ping {}", escape::bytes(payload, SHOWN_LEN_MAX)),
        Received::Pong(payload) => format!("pong {}", escape::bytes(payload, SHOWN_LEN_MAX)),
        Received::Close(frame) => closed(frame.as_ref()),
    }
}
