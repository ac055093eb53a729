//! The codec's errors as Python's exceptions. Their classes are defined in `wscodec.exceptions`.

use std::fmt::Display;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use wscodec::error::{FrameError, ProtocolError, SendError};
use wscodec::handshake::{HandshakeError, HandshakeMisuse};

/// A class of `wscodec.exceptions`, looked up once.
struct Class(PyOnceLock<Py<PyType>>, &'static str);

impl Class {
    const fn new(name: &'static str) -> Self {
        Self(PyOnceLock::new(), name)
    }

    fn raise(
        &self,
        py: Python<'_>,
        error: &impl Display,
        number: u16,
        name: &str,
        extra: Option<u16>,
    ) -> PyErr {
        let made = self
            .0
            .import(py, "wscodec.exceptions", self.1)
            .and_then(|class| class.call1((error.to_string(), number, name, extra)));
        match made {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        }
    }
}

static PROTOCOL: Class = Class::new("ProtocolError");
static LIMIT: Class = Class::new("LimitError");
static SEND: Class = Class::new("SendError");
static HANDSHAKE: Class = Class::new("HandshakeError");
static MISUSE: Class = Class::new("HandshakeMisuse");

/// The peer broke the protocol or exceeded a limit.
pub(crate) fn protocol(py: Python<'_>, error: &ProtocolError) -> PyErr {
    let class = match error {
        ProtocolError::Frame(FrameError::FrameTooBig { .. })
        | ProtocolError::MessageTooBig { .. }
        | ProtocolError::CompressedTooBig { .. }
        | ProtocolError::TooManyFragments { .. } => &LIMIT,
        _ => &PROTOCOL,
    };
    class.raise(py, error, error.number(), error.name(), Some(error.close_code().as_u16()))
}

/// Something can't be sent.
fn send(py: Python<'_>, error: &SendError) -> PyErr {
    SEND.raise(py, error, error.number(), send_name(error), None)
}

/// The peer's part of the handshake failed.
fn handshake(py: Python<'_>, error: &HandshakeError) -> PyErr {
    HANDSHAKE.raise(py, error, error.number(), error.name(), Some(error.status()))
}

/// This side's part of the handshake can't be written.
fn misuse(py: Python<'_>, error: &HandshakeMisuse) -> PyErr {
    MISUSE.raise(py, error, error.number(), misuse_name(error), None)
}

/// Why a method failed. It becomes an exception only when the method has returned: making one runs
/// Python code, which must not happen under a lock.
#[derive(Debug)]
pub(crate) enum Fault {
    Protocol(ProtocolError),
    Send(SendError),
    Handshake(HandshakeError),
    Misuse(HandshakeMisuse),
    Python(PyErr),
}

impl Fault {
    /// An argument with a value that is not allowed.
    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::Python(PyValueError::new_err(message.into()))
    }
}

impl From<Fault> for PyErr {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Python(error) => error,
            Fault::Protocol(error) => Python::attach(|py| protocol(py, &error)),
            Fault::Send(error) => Python::attach(|py| send(py, &error)),
            Fault::Handshake(error) => Python::attach(|py| handshake(py, &error)),
            Fault::Misuse(error) => Python::attach(|py| misuse(py, &error)),
        }
    }
}

macro_rules! fault_from {
    ($($variant:ident($error:ty)),*) => {
        $(impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

fault_from!(
    Protocol(ProtocolError),
    Send(SendError),
    Handshake(HandshakeError),
    Misuse(HandshakeMisuse),
    Python(PyErr)
);

const fn send_name(error: &SendError) -> &'static str {
    match error {
        SendError::NotOpen => "not_open",
        SendError::ControlTooLong { .. } => "control_too_long",
        SendError::ReasonTooLong { .. } => "reason_too_long",
        SendError::MessageOpen => "message_open",
        SendError::NoMessageOpen => "no_message_open",
        SendError::PayloadLength { .. } => "payload_length",
        SendError::Opcode { .. } => "opcode",
        SendError::BufferFull { .. } => "buffer_full",
        _ => "send",
    }
}

const fn misuse_name(error: &HandshakeMisuse) -> &'static str {
    match error {
        HandshakeMisuse::Host { .. } => "host",
        HandshakeMisuse::Target { .. } => "target",
        HandshakeMisuse::HeaderName => "header_name",
        HandshakeMisuse::HeaderReserved => "header_reserved",
        HandshakeMisuse::HeaderValue { .. } => "header_value",
        HandshakeMisuse::Subprotocol => "subprotocol",
        HandshakeMisuse::SubprotocolDoubled => "subprotocol_doubled",
        HandshakeMisuse::SubprotocolNotOffered => "subprotocol_not_offered",
        HandshakeMisuse::Extension => "extension",
        HandshakeMisuse::ExtensionNotOffered => "extension_not_offered",
        HandshakeMisuse::Status { .. } => "status",
        HandshakeMisuse::NoRequest => "no_request",
        HandshakeMisuse::BufferFull { .. } => "buffer_full",
        _ => "misuse",
    }
}
