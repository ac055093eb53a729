//! The messages of a protocol in a recorded connection, one by one.

use super::framing::Framing;
use super::place::{Field, Place};
use super::protocol::Protocol;
use super::{Connection, Side, field};
use crate::scenario::matcher::View;

/// Most units that are looked at.
const UNITS_MAX: usize = 50_000;

/// A message of a protocol.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    /// When it was sent or received, in nanoseconds since 1970.
    pub(super) at_ns: u64,
    pub(super) from: Side,
    pub(super) is_text: bool,
    pub(super) bytes: Vec<u8>,
    /// Where JSON begins in it.
    pub(super) json_begin: usize,
    pub(super) fields: Vec<Field>,
}

impl Unit {
    /// Returns it as a scenario's matchers see it.
    pub(super) fn view(&self) -> View<'_> {
        View { bytes: &self.bytes, json: &self.bytes[self.json_begin..] }
    }

    /// Returns the field at a place.
    pub(super) fn field(&self, place: &Place) -> Option<&Field> {
        self.fields.iter().find(|field| field.place == *place)
    }

    /// Returns the text at a JSON pointer.
    pub(super) fn text(&self, pointer: &str) -> Option<&str> {
        let is_there = |field: &&Field| matches!(&field.place, Place::Pointer(p) if p == pointer);
        str::from_utf8(&self.fields.iter().find(is_there)?.value).ok()
    }

    /// Checks whether there is anything at a JSON pointer.
    pub(super) fn has(&self, pointer: &str) -> bool {
        self.fields.iter().any(|field| match &field.place {
            Place::Pointer(found) => found
                .strip_prefix(pointer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            _ => false,
        })
    }

    /// Checks whether it is JSON, or has it behind a prefix.
    pub(super) fn is_json(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.place, Place::Pointer(_)))
    }
}

/// Returns the units of a connection, in order, and whether some at the end were left out.
pub(super) fn units(connection: &Connection, protocol: &Protocol) -> (Vec<Unit>, bool) {
    let framing = &protocol.framing;
    let mut partials = [Vec::new(), Vec::new()];
    let mut units = Vec::new();
    let mut last_ns = 0;
    for message in &connection.messages {
        if units.len() >= UNITS_MAX {
            return (units, true);
        }
        let partial = &mut partials[usize::from(message.from == Side::Server)];
        // Two clocks may have written the times.
        last_ns = message.at_ns.max(last_ns);
        framing.split((message.from, &message.bytes), partial, |bytes| {
            let json_begin = json_begin(bytes, protocol);
            let is_text = message.is_text && str::from_utf8(bytes).is_ok();
            let fields = field::fields(bytes, json_begin, (is_text, framing));
            units.push(Unit {
                at_ns: last_ns,
                from: message.from,
                is_text: is_text && !matches!(framing, Framing::Mqtt { .. }),
                bytes: bytes.to_vec(),
                json_begin,
                fields,
            });
        });
    }
    (units, false)
}

fn json_begin(bytes: &[u8], protocol: &Protocol) -> usize {
    let Some(program) = &protocol.program else { return 0 };
    let view = View::new(bytes, program.connect.json_after.as_ref());
    bytes.len() - view.json.len()
}
