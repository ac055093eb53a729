//! What a connection reports besides messages, which are `str` and `bytes` themselves.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};
use wscodec::{CloseFrame, Event};

use crate::buffer::copy_to_bytes;

/// A Ping. The Pong is already in the output.
#[pyclass(frozen, eq, hash, module = "wscodec")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ping(Vec<u8>);

/// A Pong, solicited or not.
#[pyclass(frozen, eq, hash, module = "wscodec")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pong(Vec<u8>);

/// The peer's Close. The answer is already in the output.
#[pyclass(frozen, eq, hash, module = "wscodec")]
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Close {
    code: Option<u16>,
    reason: String,
}

macro_rules! payload_event {
    ($class:ident) => {
        #[pymethods]
        impl $class {
            #[classattr]
            fn __match_args__() -> (&'static str,) {
                ("payload",)
            }

            #[new]
            #[pyo3(signature = (payload = Vec::new()))]
            fn new(payload: Vec<u8>) -> Self {
                Self(payload)
            }

            #[getter]
            fn payload<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
                PyBytes::new(py, &self.0)
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let payload = self.payload(py).repr()?;
                Ok(format!(concat!(stringify!($class), "({})"), payload.to_str()?))
            }
        }
    };
}

payload_event!(Ping);
payload_event!(Pong);

#[pymethods]
impl Close {
    #[classattr]
    fn __match_args__() -> (&'static str, &'static str) {
        ("code", "reason")
    }

    #[new]
    #[pyo3(signature = (code = None, reason = String::new()))]
    const fn new(code: Option<u16>, reason: String) -> Self {
        Self { code, reason }
    }

    #[getter]
    const fn code(&self) -> Option<u16> {
        self.code
    }

    #[getter]
    fn reason(&self) -> &str {
        &self.reason
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let reason = PyString::new(py, &self.reason);
        let code = self.code.map_or_else(|| "None".into(), |code| code.to_string());
        Ok(format!("Close({code}, {})", reason.repr()?.to_str()?))
    }
}

impl Close {
    fn of(frame: Option<CloseFrame<'_>>) -> Self {
        match frame {
            Some(frame) => {
                Self { code: Some(frame.code.as_u16()), reason: frame.reason.to_owned() }
            }
            None => Self { code: None, reason: String::new() },
        }
    }
}

/// A control frame that is not an object yet.
#[derive(Debug)]
pub(crate) enum Control {
    Ping(Ping),
    Pong(Pong),
    Close(Close),
}

impl Control {
    /// Returns the control frame that an event is, if it is one.
    pub(crate) fn of(event: &Event<'_>) -> Option<Self> {
        match *event {
            Event::Ping(payload) => Some(Self::Ping(Ping(payload.to_vec()))),
            Event::Pong(payload) => Some(Self::Pong(Pong(payload.to_vec()))),
            Event::Close(frame) => Some(Self::Close(Close::of(frame))),
            _ => None,
        }
    }

    fn set(self, list: &Bound<'_, PyList>, at: usize) -> PyResult<()> {
        let py = list.py();
        match self {
            Self::Ping(ping) => list.set_item(at, Bound::new(py, ping)?),
            Self::Pong(pong) => list.set_item(at, Bound::new(py, pong)?),
            Self::Close(close) => list.set_item(at, Bound::new(py, close)?),
        }
    }
}

/// The list that Python gets, while it is made.
///
/// A `str` and a `bytes` may be made under a lock. An object of a class may not: the garbage
/// collector tracks it, so that making one may run finalizers. `None` takes its place until then.
#[derive(Debug)]
pub(crate) struct Events<'py> {
    list: Bound<'py, PyList>,
    controls: Vec<(usize, Control)>,
}

impl<'py> Events<'py> {
    /// Begins an empty list.
    pub(crate) fn new(py: Python<'py>) -> Self {
        Self { list: PyList::empty(py), controls: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn push(&mut self, event: &Event<'_>) -> PyResult<()> {
        match *event {
            Event::Text(text) => self.push_text(text.as_bytes()),
            Event::Binary(bytes) => self.push_binary(bytes),
            _ => Control::of(event).map_or(Ok(()), |control| self.push_control(control)),
        }
    }

    /// Appends text, which is valid UTF-8 already. But a `str` is not UTF-8 inside: here Python
    /// converts it.
    pub(crate) fn push_text(&mut self, text: &[u8]) -> PyResult<()> {
        self.list.append(PyString::from_bytes(self.list.py(), text)?)
    }

    pub(crate) fn push_binary(&mut self, bytes: &[u8]) -> PyResult<()> {
        self.list.append(copy_to_bytes(self.list.py(), bytes)?)
    }

    pub(crate) fn push_control(&mut self, control: Control) -> PyResult<()> {
        self.controls.push((self.list.len(), control));
        self.list.append(self.list.py().None())
    }

    /// Appends an object that was made without a lock.
    pub(crate) fn push_object(&mut self, object: Bound<'py, PyAny>) -> PyResult<()> {
        self.list.append(object)
    }

    /// Returns the list. Called without a lock.
    pub(crate) fn finish(self) -> PyResult<Bound<'py, PyList>> {
        for (at, control) in self.controls {
            control.set(&self.list, at)?;
        }
        Ok(self.list)
    }
}
