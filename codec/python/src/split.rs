//! The two halves of a connection, for two threads or tasks that wait for nothing of each other's.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use wscodec::{Event, ProtocolError};

use crate::buffer;
use crate::connection::State;
use crate::error::Fault;
use crate::event::{Control, Events};
use crate::lock::Lock;
use crate::outgoing::Outgoing;
use crate::prepared::PreparedMessage;
use crate::receiving::{self, Gathered, Mode, Receive};
use crate::sending::{Outbound, Sends};

/// The receiving half of a connection. It writes nothing.
#[pyclass(frozen, module = "wscodec")]
#[derive(Debug)]
pub(crate) struct Receiver {
    inner: Lock<Half>,
    is_compressing: bool,
}

#[derive(Debug)]
struct Half {
    receiver: wscodec::connection::Receiver,
    replies: Vec<wscodec::connection::Reply>,
}

/// A Pong, a Close or a failure, from the receiving half to the sending half.
#[pyclass(frozen, module = "wscodec")]
#[derive(Debug)]
pub(crate) struct Reply(Lock<Option<wscodec::connection::Reply>>);

/// The sending half of a connection.
#[pyclass(frozen, module = "wscodec")]
#[derive(Debug)]
pub(crate) struct Sender {
    inner: Lock<(wscodec::Sender, Outgoing)>,
    is_compressing: bool,
}

impl Receive for Half {
    fn receive<'e, 'i: 'e>(
        &'e mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Event<'e>>, ProtocolError> {
        self.receiver.receive(input, &mut self.replies)
    }

    /// Copies every message: a half doesn't say where they lie.
    fn gather(
        &mut self,
        mut input: &mut [u8],
        gathered: &mut Vec<Gathered>,
    ) -> Result<(), ProtocolError> {
        while let Some(event) = self.receiver.receive(&mut input, &mut self.replies)? {
            gathered.push(match event {
                Event::Text(text) => Gathered::HeldText(text.as_bytes().to_vec()),
                Event::Binary(bytes) => Gathered::HeldBinary(bytes.to_vec()),
                _ => match Control::of(&event) {
                    Some(control) => Gathered::Control(control),
                    None => continue,
                },
            });
        }
        Ok(())
    }
}

impl Receiver {
    pub(crate) const fn new(receiver: wscodec::connection::Receiver, is_compressing: bool) -> Self {
        Self { inner: Lock::new(Half { receiver, replies: Vec::new() }), is_compressing }
    }
}

#[pymethods]
impl Receiver {
    fn receive<'py>(
        &self,
        py: Python<'py>,
        data: &Bound<'py, PyAny>,
    ) -> Result<Bound<'py, PyList>, Fault> {
        let mut events = Events::new(py);
        let mode = Mode { is_compressing: self.is_compressing };
        buffer::with_bytes(data, |bytes, content| {
            let mut half = self.inner.lock(py);
            receiving::receive(py, &mut *half, (bytes, content), mode, &mut events)
        })??;
        Ok(events.finish()?)
    }

    fn receive_eof(&self, py: Python<'_>) -> Result<(), Fault> {
        let mut half = self.inner.lock(py);
        let Half { receiver, replies } = &mut *half;
        Ok(receiver.receive_eof(replies)?)
    }

    fn replies(&self, py: Python<'_>) -> Vec<Reply> {
        let replies = std::mem::take(&mut self.inner.lock(py).replies);
        replies.into_iter().map(|reply| Reply(Lock::new(Some(reply)))).collect()
    }

    #[getter]
    fn is_done(&self, py: Python<'_>) -> bool {
        self.inner.lock(py).receiver.is_done()
    }
}

impl Sender {
    pub(crate) const fn new(sender: wscodec::Sender, out: Outgoing, is_compressing: bool) -> Self {
        Self { inner: Lock::new((sender, out)), is_compressing }
    }
}

impl Sends for Sender {
    fn with_outbound<R>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(Outbound<'_>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let mut inner = self.inner.lock(py);
        let (sender, out) = &mut *inner;
        run(Outbound { sender, out, is_compressing: self.is_compressing })
    }
}

#[pymethods]
impl Sender {
    fn reply(&self, py: Python<'_>, reply: &Bound<'_, Reply>) -> Result<(), Fault> {
        let Some(reply) = reply.get().0.lock(py).take() else {
            return Err(Fault::value("the reply was passed on already"));
        };
        self.with_outbound(py, |outbound| {
            outbound.sender.reply(reply, outbound.out.tail());
            Ok(())
        })
    }

    #[getter]
    fn state(&self, py: Python<'_>) -> State {
        self.inner.lock(py).0.ready_state().into()
    }

    #[getter]
    fn has_data_to_send(&self, py: Python<'_>) -> bool {
        let inner = self.inner.lock(py);
        !inner.1.is_empty() || inner.0.has_due_output()
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
}
