//! A message encoded once and sent to many.

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use wscodec::Message;

use crate::buffer::{copy_to_bytes, with_text_or_bytes};
use crate::error::Fault;
use crate::lock::Lock;

/// The frames that connections share: the plain one, and the compressed one.
const FRAMES_MAX: usize = 2;

/// A message for a broadcast: encoded once, compressed at most once, and shared by all servers'
/// connections that send it.
#[pyclass(frozen, module = "wscodec")]
#[derive(Debug)]
pub(crate) struct PreparedMessage {
    message: wscodec::PreparedMessage,
    /// The frames that have been asked for, each beside the `bytes` with its content.
    frames: Lock<Vec<(Bytes, Py<PyBytes>)>>,
}

#[pymethods]
impl PreparedMessage {
    #[new]
    fn new(message: &Bound<'_, PyAny>) -> Result<Self, Fault> {
        let message = with_text_or_bytes(message, |payload, _| {
            wscodec::PreparedMessage::new(match payload {
                Ok(text) => Message::Text(text),
                Err(bytes) => Message::Binary(bytes),
            })
        })??;
        Ok(Self { message, frames: Lock::new(Vec::new()) })
    }

    /// The length of the message, in bytes.
    fn __len__(&self) -> usize {
        self.payload_len()
    }
}

impl PreparedMessage {
    pub(crate) const fn message(&self) -> &wscodec::PreparedMessage {
        &self.message
    }

    pub(crate) fn payload_len(&self) -> usize {
        self.message.payload().len()
    }

    /// Returns a frame of this message as a `bytes`: the same one for the same memory.
    pub(crate) fn shared<'py>(
        &self,
        py: Python<'py>,
        frame: &Bytes,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut frames = self.frames.lock(py);
        // A frame that is kept here keeps its memory, so that no other frame can lie there.
        let same = |known: &Bytes| known.as_ptr() == frame.as_ptr() && known.len() == frame.len();
        if let Some((_, object)) = frames.iter().find(|(known, _)| same(known)) {
            return Ok(object.bind(py).clone());
        }
        let object = copy_to_bytes(py, frame)?;
        if frames.len() < FRAMES_MAX {
            frames.push((frame.clone(), object.clone().unbind()));
        }
        Ok(object)
    }
}
