//! Arguments for the contents of messages.

use std::path::PathBuf;

use clap::Args;
use wscodec::DataKind;

use crate::quantity;

/// What is in the messages.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Messages")]
pub struct MessageArgs {
    /// Payload bytes, such as 64 or 16..4k [default: 64]
    ///
    /// In a range, all sizes are equally likely. `file:PATH` has one size per line, taken in turn;
    /// `file:-` is stdin.
    #[arg(short = 's', long, value_name = "SIZES", value_parser = SizesAsked::parse, allow_hyphen_values = true)]
    pub size: Option<SizesAsked>,
    /// Payload of every message [default: generated]
    ///
    /// Placeholders: {seq} (number of the message), {conn} (number of the connection), {conn:5} (at
    /// least five digits), {time} (RFC 3339, when the message was due), {time:ns} (since 1970),
    /// {rand:8} (letters and digits), {rand:1..100} (a number); {{ is a brace.
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Messages as in -m, one per line, sent in turn; empty lines are skipped; - is stdin
    ///
    /// The lines are a ring, not a script: connection 0 begins with the first, connection 1 with
    /// the second, so all lines are in use at any time.
    #[arg(short = 'f', long, value_name = "FILE")]
    pub message_file: Option<PathBuf>,
    /// Sends all of -f as one message
    #[arg(long)]
    pub whole_file: bool,
    /// Sends -m and -f as they are, without placeholders
    #[arg(long)]
    pub raw: bool,
    /// Sends binary messages instead of text
    #[arg(short = 'b', long)]
    pub binary: bool,
    /// Payload bytes per frame, such as 1 or 4k [default: one frame per message]
    #[arg(long, value_name = "SIZE", value_parser = quantity::size, allow_hyphen_values = true)]
    pub fragment: Option<u64>,
}

impl MessageArgs {
    /// Returns the kind of the messages.
    #[must_use]
    pub const fn kind(&self) -> DataKind {
        if self.binary { DataKind::Binary } else { DataKind::Text }
    }
}

/// Sizes as the user gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SizesAsked {
    /// `64`
    One(u64),
    /// `16..4k`
    Range(u64, u64),
    /// `file:PATH`
    File(PathBuf),
}

impl SizesAsked {
    /// Reads `64`, `16..4k` or `file:PATH`.
    ///
    /// # Errors
    /// What is wrong, to follow the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("file:") {
            return if path.is_empty() {
                Err("no path after file:; use file:PATH".into())
            } else {
                Ok(Self::File(path.into()))
            };
        }
        let Some((least, most)) = text.split_once("..") else {
            return quantity::size(text).map(Self::One);
        };
        let (least, most) = (quantity::size(least)?, quantity::size(most)?);
        if least > most {
            return Err(format!("{least} is more than {most}; write the smaller one first"));
        }
        Ok(Self::Range(least, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_asked_for() {
        assert_eq!(SizesAsked::parse("4k"), Ok(SizesAsked::One(4_096)));
        assert_eq!(SizesAsked::parse("16..4k"), Ok(SizesAsked::Range(16, 4_096)));
        assert_eq!(SizesAsked::parse("file:a..b"), Ok(SizesAsked::File("a..b".into())));
        for (text, why) in [
            ("", "not a size"),
            ("..", "not a size"),
            ("16..", "not a size"),
            ("..16", "not a size"),
            ("5..4", "write the smaller one first"),
            ("file:", "no path"),
            ("-1", "can't be negative"),
        ] {
            let said = SizesAsked::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
