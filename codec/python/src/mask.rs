//! Masking, and the answer to a handshake's key, as functions.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use wscodec::mask::{MaskKey, apply};

use crate::buffer::{self, Content, DETACH_LEN_MIN, new_bytes};
use crate::error::Fault;

fn key_of(key: &Bound<'_, PyAny>) -> Result<MaskKey, Fault> {
    buffer::with_bytes(key, |bytes, _| match <[u8; 4]>::try_from(bytes) {
        Ok(bytes) => Ok(MaskKey::new(bytes)),
        Err(_) => Err(Fault::value(format!("a mask key has 4 bytes, not {}", bytes.len()))),
    })?
}

/// Returns `data` XOR the repeating `key`, copied and masked in one pass (RFC 6455, 5.3).
#[pyfunction]
#[pyo3(signature = (data, key, /, phase = 0))]
pub(crate) fn mask<'py>(
    data: &Bound<'py, PyAny>,
    key: &Bound<'py, PyAny>,
    phase: usize,
) -> Result<Bound<'py, PyBytes>, Fault> {
    let key = key_of(key)?;
    buffer::with_bytes(data, |bytes, content| {
        let detach = content == Content::Fixed && bytes.len() >= DETACH_LEN_MIN;
        Ok(new_bytes(data.py(), bytes.len(), detach, |filling| {
            filling.put_masked(key, bytes, phase);
        })?)
    })?
}

/// XORs the repeating `key` over a writable buffer.
#[pyfunction]
#[pyo3(signature = (buffer, key, /, phase = 0))]
pub(crate) fn mask_in_place(
    buffer: &Bound<'_, PyAny>,
    key: &Bound<'_, PyAny>,
    phase: usize,
) -> Result<(), Fault> {
    let key = key_of(key)?;
    Ok(buffer::with_bytes_mut(buffer, |bytes| apply(key, bytes, phase))?)
}

/// Returns the `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (RFC 6455, 4.2.2).
#[pyfunction]
#[pyo3(signature = (key, /))]
pub(crate) fn accept_key<'py>(py: Python<'py>, key: &str) -> Result<Bound<'py, PyString>, Fault> {
    let accept = wscodec::handshake::accept_key(key.as_bytes())
        .map_err(|error| Fault::value(error.to_string()))?;
    Ok(PyString::from_bytes(py, &accept)?)
}
