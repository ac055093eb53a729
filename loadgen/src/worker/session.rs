//! An open connection: bytes in to echoes judged, messages out, and how it ends.
//!
//! A session is driven by the [`Driver`](super::driver::Driver) it belongs to, which has the clock,
//! the buffers and the counters for all of a thread. What stands here is what has to be kept for
//! each connection: a few hundred bytes while it is idle.

use std::io;
use std::task::Waker;

use tokio::sync::OwnedSemaphorePermit;
use wscodec::mask::{FixedKey, MaskKey, MaskKeySource, ThreadKeys};
use wscodec::{CloseFrame, Connection, ProtocolError, ReadyState};

use super::outstanding::Outstanding;
use crate::config::Mask;
use crate::metrics::{Closing, Failure, FailurePhase, Side};
use crate::net::{Stream, open_fault};

/// Codes that stand for the absence of one (RFC 6455, 7.1.5).
const NO_CODE: u16 = 1005;
pub(super) const NO_CLOSE: u16 = 1006;

/// Where the keys of a client's own control frames come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys {
    Random(ThreadKeys),
    Zero(FixedKey),
}

impl Keys {
    pub(crate) const fn new(mask: Mask) -> Self {
        match mask {
            Mask::Random => Self::Random(ThreadKeys),
            Mask::Zero => Self::Zero(FixedKey(MaskKey::ZERO)),
        }
    }
}

impl MaskKeySource for Keys {
    #[inline]
    fn next_key(&mut self) -> MaskKey {
        match self {
            Self::Random(keys) => keys.next_key(),
            Self::Zero(key) => key.next_key(),
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) stream: Stream,
    pub(crate) codec: Connection<Keys>,
    /// Its place in the whole run.
    pub(crate) index: u64,
    /// Messages that it may still send.
    pub(crate) quota: u64,
    pub(crate) outstanding: Outstanding,
    /// What the socket hasn't taken: `unsent[unsent_begin..]`. Without memory while there is
    /// nothing.
    pub(crate) unsent: Vec<u8>,
    pub(crate) unsent_begin: usize,
    /// Wakes its task.
    pub(crate) waker: Option<Waker>,
    pub(crate) is_dirty: bool,
    /// permessage-deflate was agreed.
    pub(crate) is_deflated: bool,
    /// Replies of the codec wait for room in `unsent`.
    pub(crate) is_held: bool,
    pub(crate) close: CloseState,
    /// Makes room for another connection when it is dropped.
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

/// How far the closing of a connection has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct CloseState {
    /// Who began, with what code.
    pub(crate) begun: Option<(Side, u16)>,
    /// The reason of the server's Close, if it began and gave one.
    pub(crate) reason: Option<Box<str>>,
    /// When our Close was sent, if we began.
    pub(crate) sent_ns: Option<u64>,
    pub(crate) is_received: bool,
    /// Its task has seen that closing has begun.
    pub(crate) is_seen: bool,
    /// Set when a socket has refused bytes for good; what it still has for us is read.
    pub(crate) is_write_broken: bool,
    /// Why, if the system said so.
    pub(crate) write_fault: Option<io::ErrorKind>,
}

impl CloseState {
    /// Notes the server's Close; returns how long it took if it answers ours.
    pub(crate) fn received(&mut self, frame: Option<CloseFrame<'_>>, now_ns: u64) -> Option<u64> {
        let sent_ns = self.sent_ns.filter(|_| !self.is_received);
        self.is_received = true;
        let code = frame.as_ref().map_or(NO_CODE, |frame| frame.code.as_u16());
        if self.begun.is_none() {
            self.begun = Some((Side::Server, code));
            let reason = frame.map(|frame| frame.reason).filter(|reason| !reason.is_empty());
            self.reason = reason.map(Into::into);
        }
        sent_ns.map(|sent_ns| now_ns.saturating_sub(sent_ns))
    }
}

/// How a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The server ended the stream.
    Eof,
    /// The system says so.
    Io(io::Error),
    /// The server broke the protocol.
    Protocol(ProtocolError),
    /// The server didn't end the stream in time.
    Timeout,
    /// This side ended the stream without a Close, as it was to.
    Left,
}

/// What a connection came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) closing: Closing,
    /// `None` if it did all it should.
    pub(crate) failure: Option<(Failure, String)>,
}

impl Session {
    /// Whether messages may be sent.
    pub(crate) fn is_open(&self) -> bool {
        self.codec.ready_state() == ReadyState::Open && !self.close.is_write_broken
    }

    /// Wakes its task.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// Bytes that wait for the socket.
    pub(crate) fn unsent_len(&self) -> usize {
        self.unsent.len() - self.unsent_begin
    }

    /// Notes that nothing can be written any more. What the server sent before can still be read.
    pub(crate) fn write_failed(&mut self, error: &io::Error) {
        self.close.is_write_broken = true;
        self.close.write_fault.get_or_insert(error.kind());
    }

    /// What it came to, given how it ended.
    pub(crate) fn outcome(&self, end: &End) -> Outcome {
        let is_ended =
            matches!(end, End::Eof) || self.close.is_received && matches!(end, End::Io(_));
        let is_clean = self.codec.is_clean() && is_ended;
        let closing = |(by, code)| Closing { by, code, is_clean };
        let failed = |closing, phase, code, sample: String| Outcome {
            closing,
            failure: Some((Failure::new(phase, code), sample)),
        };
        if let End::Protocol(error) = end {
            let begun = self.close.begun.unwrap_or((Side::Client, error.close_code().as_u16()));
            let closing = Closing { is_clean: false, ..closing(begun) };
            return failed(closing, FailurePhase::Protocol, error.name(), error.to_string());
        }
        match self.close.begun {
            None => {
                let closing = closing((Side::Server, NO_CLOSE));
                let (code, sample) = match end {
                    End::Io(error) => (io_code(error), error.to_string()),
                    _ => ("eof", "the server ended the stream without a Close".into()),
                };
                failed(closing, FailurePhase::Open, code, sample)
            }
            Some(begun @ (Side::Server, code)) => Outcome {
                closing: closing(begun),
                failure: Some((
                    Failure::numbered(FailurePhase::ServerClose, code),
                    match &self.close.reason {
                        Some(reason) => format!("the server closed with {code} \"{reason}\""),
                        None => format!("the server closed with {code}"),
                    },
                )),
            },
            Some(begun @ (Side::Client, _)) => {
                let closing = closing(begun);
                match end {
                    End::Left => Outcome { closing, failure: None },
                    _ if is_clean => Outcome { closing, failure: None },
                    End::Timeout if self.close.is_received => {
                        let said = "the server answered Close and didn't end the stream";
                        failed(closing, FailurePhase::Close, "eof_timeout", said.into())
                    }
                    End::Timeout => match self.close.write_fault {
                        Some(fault) => {
                            let said = format!("Close could not be written: {fault}");
                            failed(closing, FailurePhase::Close, io_code(&fault.into()), said)
                        }
                        None => failed(
                            closing,
                            FailurePhase::Close,
                            "timeout",
                            "no answer to Close".into(),
                        ),
                    },
                    End::Io(error) => {
                        failed(closing, FailurePhase::Close, io_code(error), error.to_string())
                    }
                    End::Eof | End::Protocol(_) => {
                        let said = "the stream ended before an answer to Close";
                        failed(closing, FailurePhase::Close, "eof", said.into())
                    }
                }
            }
        }
    }
}

fn io_code(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => "reset",
        io::ErrorKind::TimedOut => "timeout",
        _ if open_fault(error).is_some() => "tls",
        _ => "io",
    }
}
