//! From Python's messages to frames, for whole connections and their sending halves.
//!
//! A message's buffer is exported before the lock is taken, because an export may run Python code.

use bytes::BufMut;
use pyo3::exceptions::PyUnicodeDecodeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use wscodec::header::Fin;
use wscodec::{CloseCode, CloseFrame, Fragment, Message, Sender};

use crate::buffer::{
    Content, DETACH_DEFLATE_LEN_MIN, DETACH_LEN_MIN, new_bytes, with_bytes, with_text_or_bytes,
};
use crate::error::Fault;
use crate::outgoing::Outgoing;
use crate::prepared::PreparedMessage;

/// Frames of more payload are made as a `bytes` of their own; of less, in the tail, from which
/// they are copied once more.
const OWN_BYTES_LEN_MIN: usize = 1 << 10;

/// From this many bytes on, a payload that goes out as it is is referred to and not copied.
const SHARED_LEN_MIN: usize = 16 << 10;

/// What both a connection and a sending half send with.
pub(crate) struct Outbound<'c> {
    pub(crate) sender: &'c mut Sender,
    pub(crate) out: &'c mut Outgoing,
    /// Whether a compressor was agreed.
    pub(crate) is_compressing: bool,
}

/// A class that sends.
pub(crate) trait Sends {
    /// Runs under the lock.
    fn with_outbound<R>(
        &self,
        py: Python<'_>,
        run: impl FnOnce(Outbound<'_>) -> Result<R, Fault>,
    ) -> Result<R, Fault>;

    /// Sends a `str` as text, anything else as binary.
    fn send_any(&self, message: &Bound<'_, PyAny>, compress: bool) -> Result<(), Fault> {
        with_text_or_bytes(message, |payload, content| {
            let (data, object) = match payload {
                Ok(text) => (Message::Text(text), None),
                Err(bytes) => (Message::Binary(bytes), message.cast_exact::<PyBytes>().ok()),
            };
            self.put(message.py(), data, content, object, compress)
        })?
    }

    /// Sends a `str`, or bytes that are UTF-8, as text.
    fn send_as_text(&self, message: &Bound<'_, PyAny>, compress: bool) -> Result<(), Fault> {
        with_text_or_bytes(message, |payload, content| {
            let (text, object) = match payload {
                Ok(text) => (text, None),
                Err(bytes) => (
                    std::str::from_utf8(bytes).map_err(|error| {
                        PyUnicodeDecodeError::new_err_from_utf8(message.py(), bytes, error)
                    })?,
                    message.cast_exact::<PyBytes>().ok(),
                ),
            };
            self.put(message.py(), Message::Text(text), content, object, compress)
        })?
    }

    /// Sends any buffer as binary.
    fn send_as_binary(&self, message: &Bound<'_, PyAny>, compress: bool) -> Result<(), Fault> {
        with_bytes(message, |bytes, content| {
            let object = message.cast_exact::<PyBytes>().ok();
            self.put(message.py(), Message::Binary(bytes), content, object, compress)
        })?
    }

    /// Sends a data message; `object` is its payload where nothing can change it.
    fn put(
        &self,
        py: Python<'_>,
        message: Message<'_>,
        content: Content,
        object: Option<&Bound<'_, PyBytes>>,
        compress: bool,
    ) -> Result<(), Fault> {
        self.with_outbound(py, |mut outbound| {
            let payload_len = message.payload().len();
            if outbound.is_compressing && compress {
                let detach = content == Content::Fixed && payload_len >= DETACH_DEFLATE_LEN_MIN;
                outbound.put_compressed(py, message, detach)
            } else if payload_len < OWN_BYTES_LEN_MIN {
                Ok(outbound.sender.send_uncompressed(message, outbound.out.tail())?)
            } else {
                outbound.put_large(py, message, content, object)
            }
        })
    }

    /// Sends a Ping or a Pong, empty if there is no payload.
    fn send_ping_or_pong(
        &self,
        py: Python<'_>,
        payload: Option<&Bound<'_, PyAny>>,
        message: for<'m> fn(&'m [u8]) -> Message<'m>,
    ) -> Result<(), Fault> {
        let send = |bytes: &[u8]| {
            self.with_outbound(py, |outbound| {
                Ok(outbound.sender.send(message(bytes), outbound.out.tail())?)
            })
        };
        match payload {
            None => send(b""),
            Some(payload) => with_text_or_bytes(payload, |payload, _| {
                send(payload.map_or_else(|bytes| bytes, str::as_bytes))
            })?,
        }
    }

    /// Sends a part of a message, text or binary by its type.
    fn send_part(&self, data: &Bound<'_, PyAny>, is_final: bool) -> Result<(), Fault> {
        let fin = if is_final { Fin::Final } else { Fin::More };
        with_text_or_bytes(data, |payload, _| {
            let fragment = match payload {
                Ok(text) => Fragment::Text(text),
                Err(bytes) => Fragment::Binary(bytes),
            };
            self.with_outbound(data.py(), |outbound| {
                Ok(outbound.sender.send_fragment(fragment, fin, outbound.out.tail())?)
            })
        })?
    }

    /// Sends a message that was prepared for many. Its frame is shared if it goes out unmasked.
    fn send_shared(&self, py: Python<'_>, prepared: &PreparedMessage) -> Result<(), Fault> {
        self.with_outbound(py, |outbound| {
            let Outbound { sender, out, .. } = outbound;
            if prepared.payload_len() < OWN_BYTES_LEN_MIN {
                return Ok(sender.send_prepared(prepared.message(), out.tail())?);
            }
            sender.flush(out.tail());
            let frame = sender.prepared_frame(prepared.message())?;
            Ok(out.push(&prepared.shared(py, &frame)?)?)
        })
    }

    /// Starts the closing handshake.
    fn start_close(&self, py: Python<'_>, code: Option<u16>, reason: &str) -> Result<(), Fault> {
        let frame = match code {
            None if reason.is_empty() => None,
            None => return Err(Fault::value("a close reason needs a close code")),
            Some(code) => {
                let code =
                    CloseCode::try_from(code).map_err(|error| Fault::value(error.to_string()))?;
                Some(CloseFrame { code, reason })
            }
        };
        self.with_outbound(py, |outbound| Ok(outbound.sender.close(frame, outbound.out.tail())?))
    }

    /// Takes what is to be written, as one `bytes`.
    fn take_output<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>, Fault> {
        self.with_outbound(py, |outbound| {
            outbound.sender.flush(outbound.out.tail());
            Ok(outbound.out.take(py)?)
        })
    }

    /// Takes what is to be written, in pieces.
    fn take_output_pieces(&self, py: Python<'_>) -> Result<Vec<Py<PyBytes>>, Fault> {
        self.with_outbound(py, |outbound| {
            outbound.sender.flush(outbound.out.tail());
            Ok(outbound.out.take_pieces(py)?)
        })
    }
}

impl Outbound<'_> {
    fn put_compressed(
        &mut self,
        py: Python<'_>,
        message: Message<'_>,
        detach: bool,
    ) -> Result<(), Fault> {
        let (sender, tail) = (&mut *self.sender, self.out.tail());
        let sent = if detach {
            py.detach(|| sender.send(message, tail))
        } else {
            sender.send(message, tail)
        };
        Ok(sent?)
    }

    /// Sends a message as it is, in a `bytes` of its own.
    fn put_large(
        &mut self,
        py: Python<'_>,
        message: Message<'_>,
        content: Content,
        object: Option<&Bound<'_, PyBytes>>,
    ) -> Result<(), Fault> {
        self.sender.flush(self.out.tail());
        let payload = message.payload();
        let (header, key) = self.sender.head(message.opcode(), payload.len() as u64)?;
        let header = header.as_bytes();
        if let (None, Some(object)) = (key, object)
            && payload.len() >= SHARED_LEN_MIN
        {
            self.out.tail().put_slice(header);
            return Ok(self.out.push(object)?);
        }
        let detach = content == Content::Fixed && payload.len() >= DETACH_LEN_MIN;
        let frame = new_bytes(py, header.len() + payload.len(), detach, |filling| {
            filling.put_slice(header);
            match key {
                Some(key) => filling.put_masked(key, payload, 0),
                None => filling.put_slice(payload),
            }
        })?;
        Ok(self.out.push(&frame)?)
    }
}
