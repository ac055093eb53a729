//! Renders the text that a connection sends once it is open.

use super::rendered::{self, Context};
use crate::config::Template;
use crate::index::ConnectionIndex;

/// Returns what `connection`, which has a topic, sends at a time in nanoseconds since 1970.
pub(crate) fn greeting(
    template: &Template,
    seed: u64,
    connection: ConnectionIndex,
    topic: u64,
    unix_ns: u64,
) -> Vec<u8> {
    let context = Context { seed, connection, sequence: 0, unix_ns, topic, payload: b"", lane: 0 };
    let mut text = Vec::new();
    rendered::append(template, context, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Purpose;

    #[test]
    fn each_connection_names_its_topic() {
        let text = br#"{"op":"subscribe","topic":"t{topic}","id":{conn}}"#;
        let template = Template::parse_for(text, Purpose::Subscription).unwrap();
        let said = String::from_utf8(greeting(&template, 1, ConnectionIndex(12), 2, 0)).unwrap();
        assert_eq!(said, r#"{"op":"subscribe","topic":"t2","id":12}"#);
    }
}
