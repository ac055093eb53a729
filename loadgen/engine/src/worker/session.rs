//! An open connection: what has to be kept for it, and what it came to when it ends.
//!
//! A session is driven by the [`Driver`](super::driver::Driver) that it belongs to, which has the
//! clock, the buffers and the counters of the whole thread. So a session takes only a few hundred
//! bytes while it is idle.

use std::io;
use std::task::Waker;

use tokio::sync::OwnedSemaphorePermit;
use wscodec::mask::{FixedKey, MaskKey, MaskKeySource, ThreadKeys};
use wscodec::{CloseFrame, Connection, ProtocolError, ReadyState};

use super::outstanding::Outstanding;
use crate::config::Mask;
use crate::index::ConnectionIndex;
use crate::metrics::{Closing, Failure, FailurePhase, Side};
use crate::net::{Stream, open_fault, stream_fault};
use crate::refusal;

/// The codes that stand for a Close without a code, and for no Close (RFC 6455, 7.1.5).
const NO_CODE: u16 = 1005;
pub(super) const NO_CLOSE: u16 = 1006;
/// Why a connection is lost that `--storm` cuts.
pub(crate) const CUT: Failure = Failure::new(FailurePhase::Run, "cut");

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
#[expect(clippy::struct_excessive_bools, reason = "facts that don't exclude each other")]
pub(crate) struct Session {
    pub(crate) stream: Stream,
    pub(crate) codec: Connection<Keys>,
    /// The index of the connection in the run.
    pub(crate) index: ConnectionIndex,
    /// How many messages it may still send.
    pub(crate) quota: u64,
    pub(crate) outstanding: Outstanding,
    /// Bytes that the socket hasn't taken: `unsent[unsent_begin..]`. Holds no memory while there
    /// are none.
    pub(crate) unsent: Vec<u8>,
    pub(crate) unsent_begin: usize,
    /// Wakes the task of the session.
    pub(crate) waker: Option<Waker>,
    pub(crate) is_dirty: bool,
    pub(crate) readiness: Readiness,
    /// permessage-deflate was agreed on.
    pub(crate) is_deflated: bool,
    /// The codec's replies wait for room in `unsent`.
    pub(crate) is_held: bool,
    /// A storm cuts it.
    pub(crate) is_cut: bool,
    pub(crate) close: CloseState,
    /// Makes room for another connection when the session is dropped.
    pub(crate) _permit: Option<OwnedSemaphorePermit>,
}

/// Whether what a connection is there for has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Its user logs in.
    #[default]
    Beginning,
    /// It is open, and its user, if it has one, is ready.
    Ready,
}

/// Whether a client has said goodbye in the protocol of its scenario, after which a server may end
/// the connection as it likes: MQTT's have to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Goodbye {
    #[default]
    Unsaid,
    Said,
}

/// How far closing a connection has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct CloseState {
    /// Which side began, and with what code.
    pub(crate) begun: Option<(Side, u16)>,
    /// The reason of the server's Close, if the server began and gave one.
    pub(crate) reason: Option<Box<str>>,
    /// When the client's Close was sent, if the client began.
    pub(crate) sent_ns: Option<u64>,
    pub(crate) is_received: bool,
    /// Whether the client has said goodbye in the protocol of its scenario.
    pub(crate) goodbye: Goodbye,
    /// The session's task has seen that closing has begun.
    pub(crate) is_seen: bool,
    /// The socket takes no more bytes. What it has received is still read.
    pub(crate) is_write_broken: bool,
    /// Why the socket takes no more bytes, if the system said so.
    pub(crate) write_fault: Option<io::ErrorKind>,
}

impl CloseState {
    /// Notes the server's Close. Returns how long it took if it answers the client's.
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
    /// The system reported an error.
    Io(io::Error),
    /// The server broke the protocol.
    Protocol(ProtocolError),
    /// The server didn't end the stream in time.
    Timeout,
    /// The client ended the stream without a Close, as a misbehaving one is to.
    Left,
    /// The client ended the stream without a Close, in a storm.
    Cut,
}

/// What a connection came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) closing: Closing,
    /// `None` if the connection did all that it should.
    pub(crate) failure: Option<(Failure, String)>,
}

impl Session {
    /// Checks whether messages may be sent.
    pub(crate) fn is_open(&self) -> bool {
        self.codec.ready_state() == ReadyState::Open && !self.close.is_write_broken
    }

    /// Checks whether the messages of a run may be sent: it is open, and its user is ready.
    pub(crate) fn may_send(&self) -> bool {
        self.is_ready() && self.is_open()
    }

    /// Checks whether what the connection is there for has begun.
    pub(crate) fn is_ready(&self) -> bool {
        self.readiness == Readiness::Ready
    }

    /// Wakes the task of the session.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// Returns how many bytes wait for the socket.
    pub(crate) fn unsent_len(&self) -> usize {
        self.unsent.len() - self.unsent_begin
    }

    /// Notes that the socket takes no more bytes. What the server sent before can still be read.
    pub(crate) fn write_failed(&mut self, error: &io::Error) {
        self.close.is_write_broken = true;
        self.close.write_fault.get_or_insert(error.kind());
    }

    /// Returns what the connection came to, given how it ended.
    pub(crate) fn outcome(&self, end: &End) -> Outcome {
        let is_ended =
            matches!(end, End::Eof) || self.close.is_received && matches!(end, End::Io(_));
        let is_clean = self.codec.is_clean() && is_ended;
        let closing = |(by, code)| Closing { by, code, is_clean };
        let failed = |closing, phase, code, sample: String| Outcome {
            closing,
            failure: Some((Failure::new(phase, code), sample)),
        };
        if let End::Cut = end {
            let closing = closing((Side::Client, NO_CLOSE));
            let failure = Some((CUT, "cut by --storm".into()));
            return Outcome { closing, failure };
        }
        if let End::Protocol(error) = end {
            let begun = self.close.begun.unwrap_or((Side::Client, error.close_code().as_u16()));
            let closing = Closing { is_clean: false, ..closing(begun) };
            let said = refusal::too_large(error).unwrap_or_else(|| error.to_string());
            return failed(closing, FailurePhase::Protocol, error.name(), said);
        }
        if self.close.goodbye == Goodbye::Said && !matches!(end, End::Timeout) {
            let begun = self.close.begun.unwrap_or((Side::Server, NO_CLOSE));
            return Outcome { closing: closing(begun), failure: None };
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
                    End::Timeout if self.unsent_len() > 0 && self.stream.is_stalled() => {
                        let said = "Close could not be written: the server opens no window of \
                                    HTTP/2 for it, because it reads no more of this stream or of \
                                    the connection that it shares";
                        failed(closing, FailurePhase::Close, "flow_control", said.into())
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
                    End::Eof | End::Protocol(_) | End::Cut => {
                        let said = "the stream ended before an answer to Close";
                        failed(closing, FailurePhase::Close, "eof", said.into())
                    }
                }
            }
        }
    }
}

fn io_code(error: &io::Error) -> &'static str {
    if let Some(fault) = stream_fault(error) {
        return fault.code;
    }
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => "reset",
        io::ErrorKind::TimedOut => "timeout",
        _ if open_fault(error).is_some() => "tls",
        _ => "io",
    }
}
