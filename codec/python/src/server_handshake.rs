//! The server's side of the opening handshake.

use std::mem;

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use wscodec::Role;
use wscodec::deflate::DeflateServer;
use wscodec::handshake::{self, Acceptance, HandshakeError, HandshakeLimits, Received, Rejection};

use crate::buffer;
use crate::connection::{self, Connection};
use crate::deflate::{Deflate, DeflateAgreed};
use crate::error::Fault;
use crate::headers;
use crate::lock::Lock;
use crate::receiving;
use crate::request::{HttpRequest, Request};

/// A server's connection while it is CONNECTING.
#[pyclass(frozen, module = "wscodec")]
#[derive(Debug)]
pub(crate) struct ServerHandshake {
    inner: Lock<Inner>,
    /// Whether plain HTTP is a result.
    http: bool,
}

#[derive(Debug)]
struct Inner {
    handshake: handshake::ServerHandshake,
    out: Vec<u8>,
    unread: Vec<u8>,
    failed: Option<HandshakeError>,
    deflate: Option<wscodec::deflate::DeflateAgreed>,
    is_open: bool,
}

/// A request of either kind.
enum Got {
    WebSocket(Request),
    Http(HttpRequest),
}

#[pymethods]
impl ServerHandshake {
    #[new]
    #[pyo3(signature = (*, http = false, head_size_max = None, start_line_size_max = None, headers_max = None))]
    fn new(
        http: bool,
        head_size_max: Option<usize>,
        start_line_size_max: Option<usize>,
        headers_max: Option<usize>,
    ) -> Self {
        let mut limits = HandshakeLimits::default();
        if let Some(size) = head_size_max {
            limits = limits.with_head_size_max(size);
        }
        if let Some(size) = start_line_size_max {
            limits = limits.with_start_line_size_max(size);
        }
        if let Some(count) = headers_max {
            limits = limits.with_headers_max(count);
        }
        let inner = Inner {
            handshake: handshake::ServerHandshake::new(limits),
            out: Vec::new(),
            unread: Vec::new(),
            failed: None,
            deflate: None,
            is_open: false,
        };
        Self { inner: Lock::new(inner), http }
    }

    fn receive<'py>(
        &self,
        py: Python<'py>,
        data: &Bound<'py, PyAny>,
    ) -> Result<Option<Bound<'py, PyAny>>, Fault> {
        let got = buffer::with_bytes(data, |bytes, _| {
            let mut inner = self.inner.lock(py);
            let Inner { handshake, unread, failed, .. } = &mut *inner;
            receiving::with_copy(bytes, |mut input| {
                let got = if self.http {
                    handshake.receive_any(&mut input).map(|it| {
                        it.map(|received| match received {
                            Received::WebSocket(request) => Got::WebSocket(request.into()),
                            Received::Http(request) => Got::Http(request.into()),
                        })
                    })
                } else {
                    handshake.receive(&mut input).map(|it| it.map(|it| Got::WebSocket(it.into())))
                };
                unread.extend_from_slice(input);
                *failed = got.as_ref().err().copied();
                got
            })
        })??;
        Ok(match got {
            None => None,
            Some(Got::WebSocket(request)) => Some(request.into_bound_py_any(py)?),
            Some(Got::Http(request)) => Some(request.into_bound_py_any(py)?),
        })
    }

    fn receive_eof(&self, py: Python<'_>) -> Result<(), Fault> {
        let mut inner = self.inner.lock(py);
        let outcome = inner.handshake.receive_eof();
        inner.failed = outcome.err();
        Ok(outcome?)
    }

    #[pyo3(signature = (*, subprotocol = None, headers = None, deflate = None))]
    fn accept(
        &self,
        py: Python<'_>,
        subprotocol: Option<&str>,
        headers: Option<&Bound<'_, PyAny>>,
        deflate: Option<&Bound<'_, Deflate>>,
    ) -> Result<(), Fault> {
        let mut acceptance = Acceptance::new();
        if let Some(subprotocol) = subprotocol {
            acceptance = acceptance.subprotocol(subprotocol)?;
        }
        for (name, value) in headers::of_argument(headers)? {
            acceptance = acceptance.header(&name, &value)?;
        }
        let mut inner = self.inner.lock(py);
        let Inner { handshake, out, deflate: agreed, is_open, .. } = &mut *inner;
        match deflate {
            None => handshake.accept(&acceptance, out)?,
            Some(deflate) => {
                let mut extension = DeflateServer::new(deflate.get().0);
                handshake.accept_with_extensions(&acceptance, &mut extension, out)?;
                *agreed = extension.agreed().copied();
            }
        }
        *is_open = true;
        Ok(())
    }

    #[pyo3(signature = (status, *, headers = None, body = None))]
    fn reject(
        &self,
        py: Python<'_>,
        status: u16,
        headers: Option<&Bound<'_, PyAny>>,
        body: Option<&Bound<'_, PyAny>>,
    ) -> Result<(), Fault> {
        let mut rejection = Rejection::new(status)?;
        for (name, value) in headers::of_argument(headers)? {
            rejection = rejection.header(&name, &value)?;
        }
        if let Some(body) = body {
            let body = buffer::with_text_or_bytes(body, |body, _| match body {
                Ok(text) => text.as_bytes().to_vec(),
                Err(bytes) => bytes.to_vec(),
            })?;
            rejection = rejection.body(body);
        }
        let mut inner = self.inner.lock(py);
        let Inner { handshake, out, .. } = &mut *inner;
        Ok(handshake.reject(rejection, out)?)
    }

    fn reject_failed(&self, py: Python<'_>) -> Result<(), Fault> {
        let mut inner = self.inner.lock(py);
        let Inner { handshake, out, failed, .. } = &mut *inner;
        match failed {
            Some(error) => Ok(handshake.reject(*error, out)?),
            None => Err(Fault::value("the handshake has not failed")),
        }
    }

    fn data_to_send<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let out = mem::take(&mut self.inner.lock(py).out);
        PyBytes::new(py, &out)
    }

    /// What came after the request: the connection's first input, or the body of plain HTTP.
    #[getter]
    fn unread<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let inner = self.inner.lock(py);
        PyBytes::new(py, &inner.unread)
    }

    #[getter]
    fn deflate(&self, py: Python<'_>) -> Option<DeflateAgreed> {
        self.inner.lock(py).deflate.map(DeflateAgreed::new)
    }

    #[pyo3(signature = (*, message_size_max = None, frame_size_max = None, fragments_max = None))]
    fn connection(
        &self,
        py: Python<'_>,
        message_size_max: Option<usize>,
        frame_size_max: Option<u64>,
        fragments_max: Option<u32>,
    ) -> Result<Connection, Fault> {
        let inner = self.inner.lock(py);
        if !inner.is_open {
            return Err(Fault::value("the handshake is not accepted"));
        }
        let limits = connection::limits(message_size_max, frame_size_max, fragments_max);
        Ok(Connection::open(Role::Server, limits, inner.deflate.as_ref()))
    }
}
