//! What a server has received: a request for a WebSocket, or plain HTTP.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use wscodec::handshake;

use crate::headers::{self, Pair};

/// A request for a WebSocket that may be accepted.
#[pyclass(frozen, get_all, module = "wscodec")]
#[derive(Clone, Debug)]
pub(crate) struct Request {
    target: String,
    path: String,
    query: Option<String>,
    host: String,
    origin: Option<String>,
    subprotocols: Vec<String>,
    headers: Vec<Pair>,
}

impl From<handshake::Request<'_>> for Request {
    fn from(request: handshake::Request<'_>) -> Self {
        Self {
            target: request.target().to_owned(),
            path: request.path().to_owned(),
            query: request.query().map(str::to_owned),
            host: request.host().to_owned(),
            origin: request.origin().map(str::to_owned),
            subprotocols: request.subprotocols().map(str::to_owned).collect(),
            headers: headers::pairs(request.headers()),
        }
    }
}

#[pymethods]
impl Request {
    #[pyo3(signature = (name, /))]
    fn header(&self, name: &str) -> Option<&str> {
        headers::find(&self.headers, name)
    }

    /// Values of headers may be secrets, so they are not shown.
    fn __repr__(&self) -> String {
        format!("<wscodec.Request GET {}>", self.target)
    }
}

/// A request that does not ask for a WebSocket.
#[pyclass(frozen, module = "wscodec")]
#[derive(Clone, Debug)]
pub(crate) struct HttpRequest {
    #[pyo3(get)]
    method: String,
    #[pyo3(get)]
    target: String,
    #[pyo3(get)]
    minor_version: u8,
    #[pyo3(get)]
    headers: Vec<Pair>,
    head: Vec<u8>,
}

impl From<handshake::HttpRequest<'_>> for HttpRequest {
    fn from(request: handshake::HttpRequest<'_>) -> Self {
        Self {
            method: request.method().to_owned(),
            target: request.target().to_owned(),
            minor_version: request.minor_version(),
            headers: headers::pairs(request.headers()),
            head: request.head().to_vec(),
        }
    }
}

#[pymethods]
impl HttpRequest {
    #[pyo3(signature = (name, /))]
    fn header(&self, name: &str) -> Option<&str> {
        headers::find(&self.headers, name)
    }

    /// The bytes of the head, for an HTTP server that goes on with them.
    #[getter]
    fn head<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.head)
    }

    fn __repr__(&self) -> String {
        format!("<wscodec.HttpRequest {} {}>", self.method, self.target)
    }
}
