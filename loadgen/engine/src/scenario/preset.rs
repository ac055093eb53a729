//! The built-in protocols: scenario files like any other, each under the name of a protocol.

use std::path::Path;

use crate::nearest::meant;

/// A preset: its name and its file.
pub type Preset = (&'static str, &'static str);

/// All presets, in the order in which they are listed.
pub const ALL: [Preset; 15] = [
    ("actioncable", include_str!("../../presets/actioncable.toml")),
    ("centrifugo", include_str!("../../presets/centrifugo.toml")),
    ("engine.io", include_str!("../../presets/engine.io.toml")),
    ("graphql-transport-ws", include_str!("../../presets/graphql-transport-ws.toml")),
    ("graphql-ws", include_str!("../../presets/graphql-ws.toml")),
    ("json-rpc", include_str!("../../presets/json-rpc.toml")),
    ("jupyter", include_str!("../../presets/jupyter.toml")),
    ("mqtt", include_str!("../../presets/mqtt.toml")),
    ("mqtt5", include_str!("../../presets/mqtt5.toml")),
    ("phoenix", include_str!("../../presets/phoenix.toml")),
    ("pusher", include_str!("../../presets/pusher.toml")),
    ("signalr", include_str!("../../presets/signalr.toml")),
    ("socket.io", include_str!("../../presets/socket.io.toml")),
    ("sockjs", include_str!("../../presets/sockjs.toml")),
    ("stomp", include_str!("../../presets/stomp.toml")),
];

/// Returns the file of a preset.
#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(preset, _)| *preset == name).map(|(_, text)| *text)
}

/// Returns the list of all presets: of each its name, the version of the protocol that it speaks,
/// and what it was tested against.
#[must_use]
pub fn list() -> String {
    let entry = |(name, text): &Preset| {
        let mut lines = text.lines().map(|line| line.trim_start_matches("# "));
        let mut next = || lines.next().unwrap_or_default();
        let (about, tested) = (next(), next());
        format!("{name:<22}{about}\n{:<22}{tested}\n", "")
    };
    ALL.iter().map(entry).collect()
}

/// Checks whether a name is that of a scenario rather than of a server: a preset, or a TOML file.
#[must_use]
pub fn is_scenario(name: &str) -> bool {
    text(name).is_some() || is_toml(name)
}

fn is_toml(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

/// Returns the error for a name that no preset has.
pub(super) fn unknown(name: &str) -> String {
    let names = ALL.iter().map(|(name, _)| *name);
    match meant(name, names.clone()) {
        Some(meant) => format!("there is no such preset; write {meant:?}"),
        None => {
            format!("there is no such preset; there are {}", names.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Returns the error for an unreadable file, whose name may be meant as a preset.
pub(super) fn no_file(name: &str, why: &str) -> String {
    let is_file = name.contains(['/', '\\']) || is_toml(name);
    let hint = if is_file { "name a scenario file".into() } else { unknown(name) };
    format!("{name} can't be read: {why}; {hint}")
}

/// Returns the file of a preset.
///
/// # Errors
/// One line, with the nearest name.
pub fn named(name: &str) -> Result<&'static str, String> {
    text(name).ok_or_else(|| format!("preset {name:?}: {}", unknown(name)))
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn every_preset_can_be_read_and_says_what_it_speaks() {
        for (name, text) in ALL {
            let program = read(name, &[]).unwrap_or_else(|why| panic!("{why}"));
            assert!(!program.blocks.is_empty(), "{name}");
            let about = text.lines().next().unwrap();
            assert!(about.starts_with("# ") && about.len() > 30 && about.len() < 100, "{name}");
            let tested = text.lines().any(|line| line.starts_with("# Tested against "));
            assert!(tested, "{name} says what it was tested against");
        }
    }

    #[test]
    fn a_name_that_is_wrong_comes_with_the_nearest() {
        assert!(named("socketio").unwrap_err().contains("write \"socket.io\""));
        assert!(read("sokjs", &[]).unwrap_err().contains("write \"sockjs\""));
        assert!(read("no/such.toml", &[]).unwrap_err().contains("name a scenario file"));
    }
}
