//! A value in a message, and where a scenario finds it.

use std::ops::Range;

use super::quoting;

/// A value in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Where a scenario finds it.
    pub(super) place: Place,
    /// Where it is in the message.
    pub(super) span: Range<usize>,
    /// How it is written there.
    pub(super) form: Form,
    /// The value, without escapes.
    pub(super) value: Vec<u8>,
}

/// Where a scenario finds a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    /// At a JSON pointer.
    Pointer(String),
    /// In a header of STOMP.
    Header(String),
    /// In a string of MQTT.
    Mqtt(&'static str),
    /// All of the text.
    Whole,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As a JSON string.
    JsonText,
    /// As JSON, but no string.
    JsonPlain,
    /// As it is.
    Plain,
}

impl Place {
    /// Returns the name that people know it by: of a pointer its last part that is no index.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Pointer(pointer) => {
                let names = pointer.rsplit('/').filter(|name| !name.is_empty());
                let mut names = names.filter(|name| name.parse::<usize>().is_err());
                names.next().unwrap_or("value")
            }
            Self::Header(name) => name,
            Self::Mqtt(name) => name,
            Self::Whole => "text",
        }
    }

    /// Returns how a scenario names the place in a received message, if it can.
    pub(super) fn pick(&self) -> Option<String> {
        match self {
            Self::Pointer(pointer) => Some(quoting::quoted(pointer)),
            Self::Header(name) => {
                let regex = format!(r"\n{}:([^\r\n]*)", regex_literal(name));
                Some(format!("{{ regex = {} }}", quoting::quoted(&regex)))
            }
            Self::Mqtt(_) | Self::Whole => None,
        }
    }
}

/// Returns a regular expression for exactly this text.
pub(super) fn regex_literal(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_punctuation() && !"_-\"',;:/=!@%&<>~` ".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_by_a_scenario() {
        for (place, pick) in [
            (Place::Pointer("/a/0".into()), "'/a/0'"),
            (Place::Header("x.y".into()), r"{ regex = '\nx\.y:([^\r\n]*)' }"),
        ] {
            assert_eq!(place.pick().unwrap(), pick);
        }
        assert_eq!(Place::Pointer("/data/ids/0".into()).name(), "ids");
    }
}
