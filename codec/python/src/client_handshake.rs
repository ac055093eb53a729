//! The client's side of the opening handshake.

use std::mem;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use wscodec::Role;
use wscodec::deflate::DeflateClient;
use wscodec::handshake::{self, ClientRequest, HandshakeKey};

use crate::buffer;
use crate::connection::{self, Connection};
use crate::deflate::{Deflate, DeflateAgreed};
use crate::error::Fault;
use crate::headers::{self, Pair};
use crate::lock::Lock;
use crate::receiving;

/// A client's connection while it is CONNECTING.
#[pyclass(frozen, module = "wscodec")]
#[derive(Debug)]
pub(crate) struct ClientHandshake(Lock<Inner>);

#[derive(Debug)]
struct Inner {
    handshake: handshake::ClientHandshake<DeflateClient>,
    out: Vec<u8>,
    unread: Vec<u8>,
    is_open: bool,
}

/// The head of a server's response.
#[pyclass(frozen, get_all, module = "wscodec")]
#[derive(Clone, Debug)]
pub(crate) struct Response {
    status: u16,
    reason: String,
    headers: Vec<Pair>,
    subprotocol: Option<String>,
}

impl From<handshake::Response<'_>> for Response {
    fn from(response: handshake::Response<'_>) -> Self {
        Self {
            status: response.status(),
            reason: headers::latin_1(response.reason()),
            headers: headers::pairs(response.headers()),
            subprotocol: response.subprotocol().map(str::to_owned),
        }
    }
}

#[pymethods]
impl Response {
    #[pyo3(signature = (name, /))]
    fn header(&self, name: &str) -> Option<&str> {
        headers::find(&self.headers, name)
    }

    fn __repr__(&self) -> String {
        format!("<wscodec.Response {} {}>", self.status, self.reason)
    }
}

#[pymethods]
impl ClientHandshake {
    #[new]
    #[pyo3(signature = (host, target = "/", *, subprotocols = Vec::new(), origin = None, headers = None, deflate = None, key = None))]
    fn new(
        host: &str,
        target: &str,
        subprotocols: Vec<String>,
        origin: Option<&str>,
        headers: Option<&Bound<'_, PyAny>>,
        deflate: Option<&Bound<'_, PyAny>>,
        key: Option<&Bound<'_, PyAny>>,
    ) -> Result<Self, Fault> {
        let mut request = ClientRequest::new(host, target)?;
        for name in &subprotocols {
            request = request.subprotocol(name)?;
        }
        if let Some(origin) = origin {
            request = request.origin(origin)?;
        }
        for (name, value) in headers::of_argument(headers)? {
            request = request.header(&name, &value)?;
        }
        let key = match key {
            Some(key) => buffer::with_bytes(key, |bytes, _| match <[u8; 16]>::try_from(bytes) {
                Ok(bytes) => Ok(HandshakeKey::new(bytes)),
                Err(_) => Err(Fault::value(format!("a key has 16 bytes, not {}", bytes.len()))),
            })??,
            None => HandshakeKey::random(),
        };
        let mut out = Vec::new();
        let handshake = handshake::ClientHandshake::start_with_extensions(
            &request,
            key,
            offers(deflate)?,
            &mut out,
        )?;
        Ok(Self(Lock::new(Inner { handshake, out, unread: Vec::new(), is_open: false })))
    }

    fn data_to_send<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let out = mem::take(&mut self.0.lock(py).out);
        PyBytes::new(py, &out)
    }

    fn receive(&self, py: Python<'_>, data: &Bound<'_, PyAny>) -> Result<Option<Response>, Fault> {
        buffer::with_bytes(data, |bytes, _| {
            let mut inner = self.0.lock(py);
            let Inner { handshake, unread, is_open, .. } = &mut *inner;
            receiving::with_copy(bytes, |mut input| {
                let response = handshake.receive(&mut input).map(|it| it.map(Response::from));
                unread.extend_from_slice(input);
                *is_open = matches!(response, Ok(Some(_)));
                Ok(response?)
            })
        })?
    }

    fn receive_eof(&self, py: Python<'_>) -> Result<(), Fault> {
        Ok(self.0.lock(py).handshake.receive_eof()?)
    }

    /// The final response once its head is complete, whatever it says.
    #[getter]
    fn response(&self, py: Python<'_>) -> Option<Response> {
        self.0.lock(py).handshake.response().map(Response::from)
    }

    /// What came after the response: the connection's first input.
    #[getter]
    fn unread<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let inner = self.0.lock(py);
        PyBytes::new(py, &inner.unread)
    }

    #[getter]
    fn deflate(&self, py: Python<'_>) -> Option<DeflateAgreed> {
        self.0.lock(py).handshake.extensions().agreed().copied().map(DeflateAgreed::new)
    }

    #[pyo3(signature = (*, message_size_max = None, frame_size_max = None, fragments_max = None))]
    fn connection(
        &self,
        py: Python<'_>,
        message_size_max: Option<usize>,
        frame_size_max: Option<u64>,
        fragments_max: Option<u32>,
    ) -> Result<Connection, Fault> {
        let inner = self.0.lock(py);
        if !inner.is_open {
            return Err(Fault::value("the handshake is not done"));
        }
        let limits = connection::limits(message_size_max, frame_size_max, fragments_max);
        Ok(Connection::open(Role::Client, limits, inner.handshake.extensions().agreed()))
    }
}

/// Returns what a client offers: nothing, one set of preferences, or several in order.
fn offers(deflate: Option<&Bound<'_, PyAny>>) -> Result<DeflateClient, Fault> {
    let Some(deflate) = deflate else { return Ok(DeflateClient::default()) };
    if let Ok(one) = deflate.cast::<Deflate>() {
        return Ok(DeflateClient::new(one.get().0));
    }
    let mut offers = DeflateClient::default();
    for one in deflate.try_iter()? {
        offers = offers.or(one?.cast::<Deflate>().map_err(PyErr::from)?.get().0);
    }
    Ok(offers)
}
