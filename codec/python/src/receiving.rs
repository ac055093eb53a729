//! From what was read to events, for whole connections and their receiving halves.
//!
//! ```text
//! bytes          ── copied to a scratch buffer, because payloads are unmasked where they lie ──┐
//! bytearray, ... ── unmasked where it lies ────────────────────────────────────────────────────┴─▶ str, bytes
//! ```
//!
//! Much input is taken with the GIL released: events are gathered, and become objects afterwards.

use std::cell::Cell;
use std::ops::Range;

use pyo3::prelude::*;
use pyo3::types::{PyMemoryView, PySlice};
use wscodec::connection::{EventKind, Found};
use wscodec::{Event, ProtocolError};

use crate::buffer::{self, Content, DETACH_DEFLATE_LEN_MIN, DETACH_LEN_MIN};
use crate::error::Fault;
use crate::event::{Control, Events};
use crate::outgoing::Outgoing;

/// The largest scratch buffer that a thread keeps, in bytes.
const SCRATCH_CAPACITY_MAX: usize = 256 << 10;

/// An output that takes nothing, so that replies stay due.
type NoRoom = &'static mut [u8];

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Runs on a copy of `bytes` that may be changed.
pub(crate) fn with_copy<R>(bytes: &[u8], run: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    scratch.extend_from_slice(bytes);
    let outcome = run(&mut scratch);
    keep(scratch);
    outcome
}

fn keep(scratch: Vec<u8>) {
    if scratch.capacity() <= SCRATCH_CAPACITY_MAX {
        SCRATCH.set(scratch);
    }
}

/// An event that is not an object yet.
#[derive(Debug)]
pub(crate) enum Gathered {
    /// Text, where it lies in the input.
    Text(Range<usize>),
    /// Bytes, where they lie in the input.
    Binary(Range<usize>),
    /// Text that spanned reads.
    HeldText(Vec<u8>),
    /// Bytes that spanned reads.
    HeldBinary(Vec<u8>),
    Control(Control),
}

/// Something that takes input.
pub(crate) trait Receive: Send {
    /// Takes input from the front, and lends the next event.
    fn receive<'e, 'i: 'e>(
        &'e mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Event<'e>>, ProtocolError>;

    /// Takes all input. The events before an error are in `gathered`.
    fn gather(
        &mut self,
        input: &mut [u8],
        gathered: &mut Vec<Gathered>,
    ) -> Result<(), ProtocolError>;
}

/// A whole connection, which writes its replies.
pub(crate) struct Whole<'c> {
    pub(crate) connection: &'c mut wscodec::Connection,
    pub(crate) out: &'c mut Outgoing,
    /// Whether replies wait: only the newest Pong, and a Close.
    pub(crate) holds_replies: bool,
}

impl Receive for Whole<'_> {
    fn receive<'e, 'i: 'e>(
        &'e mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Event<'e>>, ProtocolError> {
        if self.holds_replies {
            return self.connection.receive(input, &mut NoRoom::default());
        }
        self.connection.receive(input, self.out.tail())
    }

    fn gather(
        &mut self,
        input: &mut [u8],
        gathered: &mut Vec<Gathered>,
    ) -> Result<(), ProtocolError> {
        let mut start = 0;
        loop {
            let rest = input.get_mut(start..).unwrap_or_default();
            let step = if self.holds_replies {
                self.connection.receive_at(rest, &mut NoRoom::default())?
            } else {
                self.connection.receive_at(rest, self.out.tail())?
            };
            let taken = step.taken();
            let Some(found) = step.into_event() else { return Ok(()) };
            let event = match (found.kind(), &found) {
                (EventKind::Text, Found::Input(_, place)) => Gathered::Text(moved(place, start)),
                (EventKind::Binary, Found::Input(_, place)) => {
                    Gathered::Binary(moved(place, start))
                }
                (EventKind::Text, _) => {
                    Gathered::HeldText(self.connection.take_text().unwrap_or_default().into_bytes())
                }
                (EventKind::Binary, _) => Gathered::HeldBinary(self.connection.take_message()),
                _ => match Control::of(&self.connection.event(&found, rest)) {
                    Some(control) => Gathered::Control(control),
                    None => continue,
                },
            };
            gathered.push(event);
            start += taken;
        }
    }
}

fn moved(place: &Range<usize>, by: usize) -> Range<usize> {
    place.start + by..place.end + by
}

/// How a call that receives takes its input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mode {
    /// Whether the connection decompresses, which is slow enough to release the GIL early.
    pub(crate) is_compressing: bool,
}

/// Takes input that may not be changed, and appends its events to `events`. An error after the
/// first event is left to the next call, which gets the same one.
pub(crate) fn receive(
    py: Python<'_>,
    receiver: &mut impl Receive,
    (input, content): (&[u8], Content),
    mode: Mode,
    events: &mut Events<'_>,
) -> Result<(), Fault> {
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let detach_len_min = if mode.is_compressing { DETACH_DEFLATE_LEN_MIN } else { DETACH_LEN_MIN };
    let outcome = if input.len() < detach_len_min {
        scratch.extend_from_slice(input);
        receive_in_place(receiver, &mut scratch, events)
    } else {
        receive_detached(py, receiver, (input, content), &mut scratch, events)
    };
    keep(scratch);
    outcome
}

/// Takes input where it lies, with the GIL.
pub(crate) fn receive_in_place(
    receiver: &mut impl Receive,
    mut input: &mut [u8],
    events: &mut Events<'_>,
) -> Result<(), Fault> {
    loop {
        match receiver.receive(&mut input) {
            Ok(Some(event)) => events.push(&event)?,
            Ok(None) => return Ok(()),
            Err(error) => return unless_events(events, error),
        }
    }
}

fn receive_detached(
    py: Python<'_>,
    receiver: &mut impl Receive,
    (input, content): (&[u8], Content),
    scratch: &mut Vec<u8>,
    events: &mut Events<'_>,
) -> Result<(), Fault> {
    if content == Content::Shared {
        scratch.extend_from_slice(input);
    }
    let mut gathered = Vec::new();
    let outcome = py.detach(|| {
        if content == Content::Fixed {
            scratch.extend_from_slice(input);
        }
        receiver.gather(scratch, &mut gathered)
    });
    for event in gathered {
        match event {
            Gathered::Text(place) => events.push_text(part(scratch, place))?,
            Gathered::Binary(place) => events.push_binary(part(scratch, place))?,
            Gathered::HeldText(text) => events.push_text(&text)?,
            Gathered::HeldBinary(bytes) => events.push_binary(&bytes)?,
            Gathered::Control(control) => events.push_control(control)?,
        }
    }
    outcome.or_else(|error| unless_events(events, error))
}

/// Raises an error only if there is nothing to return before it.
fn unless_events(events: &mut Events<'_>, error: ProtocolError) -> Result<(), Fault> {
    if events.is_empty() { Err(error.into()) } else { Ok(()) }
}

fn part(input: &[u8], place: Range<usize>) -> &[u8] {
    input.get(place).unwrap_or_default()
}

/// Makes objects of gathered events; bytes that lie in `buffer` become views of it.
///
/// Called without a lock: views are objects that the garbage collector tracks.
pub(crate) fn push_views<'py>(
    events: &mut Events<'py>,
    gathered: Vec<Gathered>,
    buffer: &Bound<'py, PyAny>,
) -> PyResult<()> {
    let py = buffer.py();
    // Bytes, whatever the items of the caller's buffer are.
    let view = PyMemoryView::from(buffer)?.call_method1("cast", ("B",))?;
    for event in gathered {
        match event {
            Gathered::Binary(place) => {
                // Not by `PySlice::new`: in PyO3 0.30 it leaks the numbers.
                let slice = py.get_type::<PySlice>().call1((place.start, place.end))?;
                events.push_object(view.get_item(slice)?)?;
            }
            Gathered::Text(place) => {
                let push = |bytes: &[u8], _| events.push_text(part(bytes, place));
                buffer::with_bytes(buffer, push)??;
            }
            Gathered::HeldText(text) => events.push_text(&text)?,
            Gathered::HeldBinary(bytes) => {
                let bytes = buffer::copy_to_bytes(py, &bytes)?;
                events.push_object(PyMemoryView::from(&bytes)?.into_any())?;
            }
            Gathered::Control(control) => events.push_control(control)?,
        }
    }
    Ok(())
}
