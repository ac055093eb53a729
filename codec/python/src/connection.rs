//! An open connection as a Python class.

use std::sync::MutexGuard;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use wscodec::{ConnectionBuilder, Limits, ProtocolError, ReadyState, Role};

use crate::buffer::{self, DETACH_DEFLATE_LEN_MIN};
use crate::deflate::DeflateAgreed;
use crate::error::Fault;
use crate::event::Events;
use crate::lock::Lock;
use crate::outgoing::Outgoing;
use crate::prepared::PreparedMessage;
use crate::receiving::{self, Mode, Receive, Whole};
use crate::sending::{Outbound, Sends};
use crate::split::{Receiver, Sender};

/// The state of a connection (RFC 6455, 4.1, 7.1.3, 7.1.4).
#[pyclass(frozen, eq, eq_int, hash, from_py_object, module = "wscodec")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    #[pyo3(name = "CONNECTING")]
    Connecting,
    #[pyo3(name = "OPEN")]
    Open,
    #[pyo3(name = "CLOSING")]
    Closing,
    #[pyo3(name = "CLOSED")]
    Closed,
}

impl From<ReadyState> for State {
    fn from(state: ReadyState) -> Self {
        match state {
            ReadyState::Connecting => Self::Connecting,
            ReadyState::Open => Self::Open,
            ReadyState::Closing => Self::Closing,
            ReadyState::Closed => Self::Closed,
        }
    }
}

/// One side of an open WebSocket connection, without I/O.
#[pyclass(frozen, module = "wscodec")]
#[derive(Debug)]
pub(crate) struct Connection {
    inner: Lock<Option<Inner>>,
    role: Role,
    is_compressing: bool,
}

#[derive(Debug)]
struct Inner {
    connection: wscodec::Connection,
    out: Outgoing,
    holds_replies: bool,
}

/// What the arguments of a constructor say that the peer may send.
pub(crate) fn limits(
    message_size_max: Option<usize>,
    frame_size_max: Option<u64>,
    fragments_max: Option<u32>,
) -> Limits {
    let mut limits = Limits::default();
    if let Some(size) = message_size_max {
        limits = limits.with_message_size_max(size);
    }
    if let Some(size) = frame_size_max {
        limits = limits.with_frame_size_max(size);
    }
    if let Some(count) = fragments_max {
        limits = limits.with_fragments_max(count);
    }
    limits
}

impl Connection {
    pub(crate) fn open(
        role: Role,
        limits: Limits,
        deflate: Option<&wscodec::deflate::DeflateAgreed>,
    ) -> Self {
        let connection = ConnectionBuilder::new(role).limits(limits).extension(deflate).open();
        let inner = Inner { connection, out: Outgoing::default(), holds_replies: false };
        Self { inner: Lock::new(Some(inner)), role, is_compressing: deflate.is_some() }
    }

    /// Runs under the lock.
    fn with<R>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(&mut Inner) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let mut guard: MutexGuard<'_, _> = self.inner.lock(py);
        match guard.as_mut() {
            Some(inner) => run(inner),
            None => Err(Fault::value("the connection was split: use its halves")),
        }
    }

    const fn mode(&self) -> Mode {
        Mode { is_compressing: self.is_compressing }
    }
}

impl Sends for Connection {
    fn with_outbound<R>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(Outbound<'_>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        self.with(py, |inner| {
            run(Outbound {
                sender: inner.connection.sender(),
                out: &mut inner.out,
                is_compressing: self.is_compressing,
            })
        })
    }
}

#[pymethods]
impl Connection {
    #[staticmethod]
    #[pyo3(signature = (*, deflate = None, message_size_max = None, frame_size_max = None, fragments_max = None))]
    fn client(
        deflate: Option<&Bound<'_, DeflateAgreed>>,
        message_size_max: Option<usize>,
        frame_size_max: Option<u64>,
        fragments_max: Option<u32>,
    ) -> Self {
        let limits = limits(message_size_max, frame_size_max, fragments_max);
        Self::open(Role::Client, limits, deflate.map(|agreed| agreed.get().agreed()))
    }

    #[staticmethod]
    #[pyo3(signature = (*, deflate = None, message_size_max = None, frame_size_max = None, fragments_max = None))]
    fn server(
        deflate: Option<&Bound<'_, DeflateAgreed>>,
        message_size_max: Option<usize>,
        frame_size_max: Option<u64>,
        fragments_max: Option<u32>,
    ) -> Self {
        let limits = limits(message_size_max, frame_size_max, fragments_max);
        Self::open(Role::Server, limits, deflate.map(|agreed| agreed.get().agreed()))
    }

    #[getter]
    const fn is_client(&self) -> bool {
        matches!(self.role, Role::Client)
    }

    #[getter]
    fn state(&self, py: Python<'_>) -> Result<State, Fault> {
        self.with(py, |inner| Ok(inner.connection.ready_state().into()))
    }

    #[getter]
    fn is_clean(&self, py: Python<'_>) -> Result<bool, Fault> {
        self.with(py, |inner| Ok(inner.connection.is_clean()))
    }

    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> Result<Option<Bound<'py, PyAny>>, Fault> {
        let error = self.with(py, |inner| Ok(inner.connection.error()))?;
        Ok(error
            .map(|error| PyErr::from(Fault::from(error)).into_value(py).into_bound(py).into_any()))
    }

    #[getter]
    fn has_data_to_send(&self, py: Python<'_>) -> Result<bool, Fault> {
        self.with(py, |inner| Ok(!inner.out.is_empty() || inner.connection.has_due_output()))
    }

    #[getter]
    fn hold_replies(&self, py: Python<'_>) -> Result<bool, Fault> {
        self.with(py, |inner| Ok(inner.holds_replies))
    }

    #[setter]
    fn set_hold_replies(&self, py: Python<'_>, hold: bool) -> Result<(), Fault> {
        self.with(py, |inner| {
            inner.holds_replies = hold;
            Ok(())
        })
    }

    #[getter]
    fn buffered(&self, py: Python<'_>) -> Result<usize, Fault> {
        self.with(py, |inner| Ok(inner.connection.buffered()))
    }

    fn receive<'py>(
        &self,
        py: Python<'py>,
        data: &Bound<'py, PyAny>,
    ) -> Result<Bound<'py, PyList>, Fault> {
        let mut events = Events::new(py);
        buffer::with_bytes(data, |bytes, content| {
            self.with(py, |inner| {
                let mut whole = inner.whole();
                receiving::receive(py, &mut whole, (bytes, content), self.mode(), &mut events)
            })
        })??;
        Ok(events.finish()?)
    }

    #[pyo3(signature = (buffer, nbytes = None, *, views = false))]
    fn receive_into<'py>(
        &self,
        py: Python<'py>,
        buffer: &Bound<'py, PyAny>,
        nbytes: Option<usize>,
        views: bool,
    ) -> Result<Bound<'py, PyList>, Fault> {
        let mut events = Events::new(py);
        let mut gathered = Vec::new();
        buffer::with_bytes_mut(buffer, |bytes| {
            let len = nbytes.unwrap_or(bytes.len());
            let buffer_len = bytes.len();
            let Some(input) = bytes.get_mut(..len) else {
                let message = format!("nbytes is {len}, but the buffer has {buffer_len} bytes");
                return Err(Fault::value(message));
            };
            self.with(py, |inner| {
                let mut whole = inner.whole();
                if views {
                    let outcome = whole.gather(input, &mut gathered);
                    return outcome.or_else(|error| unless_gathered(gathered.is_empty(), error));
                }
                if self.is_compressing && len >= DETACH_DEFLATE_LEN_MIN {
                    let input = (&*input, buffer::Content::Shared);
                    return receiving::receive(py, &mut whole, input, self.mode(), &mut events);
                }
                receiving::receive_in_place(&mut whole, input, &mut events)
            })
        })??;
        if views {
            receiving::push_views(&mut events, gathered, buffer)?;
        }
        Ok(events.finish()?)
    }

    fn receive_eof(&self, py: Python<'_>) -> Result<(), Fault> {
        self.with(py, |inner| Ok(inner.connection.receive_eof()?))
    }

    #[pyo3(signature = (message, *, compress = true))]
    fn send(&self, message: &Bound<'_, PyAny>, compress: bool) -> Result<(), Fault> {
        self.send_any(message, compress)
    }

    #[pyo3(signature = (message, *, compress = true))]
    fn send_text(&self, message: &Bound<'_, PyAny>, compress: bool) -> Result<(), Fault> {
        self.send_as_text(message, compress)
    }

    #[pyo3(signature = (message, *, compress = true))]
    fn send_binary(&self, message: &Bound<'_, PyAny>, compress: bool) -> Result<(), Fault> {
        self.send_as_binary(message, compress)
    }

    #[pyo3(signature = (data, *, fin))]
    fn send_fragment(&self, data: &Bound<'_, PyAny>, fin: bool) -> Result<(), Fault> {
        self.send_part(data, fin)
    }

    fn send_prepared(
        &self,
        py: Python<'_>,
        message: &Bound<'_, PreparedMessage>,
    ) -> Result<(), Fault> {
        self.send_shared(py, message.get())
    }

    #[pyo3(signature = (payload = None))]
    fn send_ping(&self, py: Python<'_>, payload: Option<&Bound<'_, PyAny>>) -> Result<(), Fault> {
        self.send_ping_or_pong(py, payload, |bytes| wscodec::Message::Ping(bytes))
    }

    #[pyo3(signature = (payload = None))]
    fn send_pong(&self, py: Python<'_>, payload: Option<&Bound<'_, PyAny>>) -> Result<(), Fault> {
        self.send_ping_or_pong(py, payload, |bytes| wscodec::Message::Pong(bytes))
    }

    #[pyo3(signature = (code = Some(1000), reason = ""))]
    fn send_close(&self, py: Python<'_>, code: Option<u16>, reason: &str) -> Result<(), Fault> {
        self.start_close(py, code, reason)
    }

    fn data_to_send<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>, Fault> {
        self.take_output(py)
    }

    fn buffers_to_send<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyList>, Fault> {
        Ok(PyList::new(py, self.take_output_pieces(py)?)?)
    }

    fn split(&self, py: Python<'_>) -> Result<(Receiver, Sender), Fault> {
        let taken = self.inner.lock(py).take();
        let Some(Inner { connection, out, .. }) = taken else {
            return Err(Fault::value("the connection was split already"));
        };
        let (receiver, sender) = connection.split();
        Ok((
            Receiver::new(receiver, self.is_compressing),
            Sender::new(sender, out, self.is_compressing),
        ))
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let role = if self.is_client() { "client" } else { "server" };
        match self.state(py) {
            Ok(state) => format!("<wscodec.Connection {role} {state:?}>"),
            Err(_) => format!("<wscodec.Connection {role} split>"),
        }
    }
}

impl Inner {
    const fn whole(&mut self) -> Whole<'_> {
        Whole {
            connection: &mut self.connection,
            out: &mut self.out,
            holds_replies: self.holds_replies,
        }
    }
}

fn unless_gathered(is_empty: bool, error: ProtocolError) -> Result<(), Fault> {
    if is_empty { Err(error.into()) } else { Ok(()) }
}
