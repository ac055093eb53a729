//! Finds the values in a message that may differ from user to user or from time to time: leaves of
//! JSON, headers and body of STOMP, strings of MQTT, or the message as a whole.

use std::ops::Range;

use super::framing::Framing;
use super::place::{Field, Form, Place};
use super::{json, mqtt};

/// Returns the fields of a message of the protocol, in the order of its bytes.
pub(super) fn fields(
    bytes: &[u8],
    json_begin: usize,
    (is_text, framing): (bool, &Framing),
) -> Vec<Field> {
    if let Framing::Mqtt { is_5 } = framing {
        return mqtt::fields(bytes, *is_5);
    }
    if let Some(found) = json_fields(bytes, json_begin) {
        return found;
    }
    if *framing == Framing::Stomp {
        return frame(bytes);
    }
    if !is_text {
        return Vec::new();
    }
    vec![Field {
        place: Place::Whole,
        span: 0..bytes.len(),
        form: Form::Plain,
        value: bytes.to_vec(),
    }]
}

fn json_fields(bytes: &[u8], begin: usize) -> Option<Vec<Field>> {
    let leaves = json::leaves(bytes.get(begin..)?)?;
    let field = |leaf: json::Leaf| Field {
        place: Place::Pointer(leaf.pointer),
        span: leaf.span.start + begin..leaf.span.end + begin,
        form: if leaf.is_text { Form::JsonText } else { Form::JsonPlain },
        value: leaf.value,
    };
    Some(leaves.into_iter().map(field).collect())
}

/// Returns the headers and the body of a frame of STOMP.
fn frame(bytes: &[u8]) -> Vec<Field> {
    let plain = |place, span: Range<usize>| Field {
        place,
        value: bytes[span.clone()].to_vec(),
        span,
        form: Form::Plain,
    };
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(len) = memchr::memchr(b'\n', &bytes[at..]) {
        let line = bytes[at..at + len].strip_suffix(b"\r").unwrap_or(&bytes[at..at + len]);
        if line.is_empty() && at > 0 {
            let body = at + len + 1..bytes.len();
            match json_fields(bytes, body.start) {
                Some(fields) => found.extend(fields),
                None if !body.is_empty() => found.push(plain(Place::Whole, body)),
                None => {}
            }
            break;
        }
        if let Some(colon) = memchr::memchr(b':', line)
            && let Ok(name) = str::from_utf8(&line[..colon])
        {
            let span = at + colon + 1..at + line.len();
            found.push(plain(Place::Header(name.to_owned()), span));
        }
        at += len + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_body_of_a_frame() {
        let bytes = b"SEND\ndestination:/topic/a\r\nreceipt:7\n\n{\"n\":1}";
        let found = fields(bytes, 0, (true, &Framing::Stomp));
        let found: Vec<_> = found
            .iter()
            .map(|field| (field.place.name(), str::from_utf8(&field.value).unwrap()))
            .collect();
        assert_eq!(found, [("destination", "/topic/a"), ("receipt", "7"), ("n", "1")]);
    }
}
