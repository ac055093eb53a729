//! Headers between Python and the codec: a list of pairs of `str` out, a mapping or pairs in.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping};
use wscodec::handshake::Headers;

use crate::error::Fault;

/// A header's name and value. Bytes beyond ASCII become the characters with their numbers
/// (ISO 8859-1), as in `http.client`.
pub(crate) type Pair = (String, String);

/// Returns received headers in order.
pub(crate) fn pairs(headers: Headers<'_>) -> Vec<Pair> {
    headers.map(|header| (header.name.to_owned(), latin_1(header.value))).collect()
}

/// Returns bytes as the characters with their numbers.
pub(crate) fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// Returns the headers of an argument: a mapping, or an iterable of pairs.
pub(crate) fn of_argument(headers: Option<&Bound<'_, PyAny>>) -> Result<Vec<Pair>, Fault> {
    let Some(headers) = headers else { return Ok(Vec::new()) };
    let pairs = if headers.is_instance_of::<PyDict>() {
        headers.cast::<PyDict>().map_err(PyErr::from)?.items().into_any()
    } else if let Ok(mapping) = headers.cast::<PyMapping>() {
        mapping.items()?.into_any()
    } else {
        headers.clone()
    };
    pairs.try_iter()?.map(|pair| Ok(pair?.extract::<Pair>()?)).collect()
}

/// Returns the first value of a header by its name, in any case.
pub(crate) fn find<'p>(pairs: &'p [Pair], name: &str) -> Option<&'p str> {
    let found = pairs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}
