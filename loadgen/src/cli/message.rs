//! Arguments that say what is in a message.

use std::path::PathBuf;

use clap::Args;
use wscodec::DataKind;

use crate::config::SizesAsked;
use crate::quantity;

/// What is in the messages.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Messages")]
pub struct MessageArgs {
    /// Bytes of a message's payload: 64 or 4k; 16..4k, each size as likely; `file:PATH`, one size
    /// a line, taken in turn [default: 64]
    #[arg(short = 's', long, value_name = "SIZES", value_parser = SizesAsked::parse, allow_hyphen_values = true)]
    pub size: Option<SizesAsked>,
    /// Payload of every message, instead of generated ones. Replaced in it: {seq}, {conn}, {time}
    /// (RFC 3339, when it was due), {time:ns} (since 1970), {rand:8} (letters and digits),
    /// {rand:1..100} (a number); {{ is a brace
    #[arg(short = 'm', long, value_name = "TEXT")]
    pub message: Option<String>,
    /// Messages as in -m, one a line, taken in turn; empty lines are left out
    #[arg(short = 'f', long, value_name = "FILE")]
    pub message_file: Option<PathBuf>,
    /// All of -f is one message
    #[arg(long)]
    pub whole_file: bool,
    /// -m and -f are taken as they are: nothing is replaced
    #[arg(long)]
    pub raw: bool,
    /// Binary messages instead of text
    #[arg(short = 'b', long)]
    pub binary: bool,
    /// Send each message in frames of so many bytes of payload, such as 1 or 4k [default: one
    /// frame]
    #[arg(long, value_name = "SIZE", value_parser = quantity::size, allow_hyphen_values = true)]
    pub fragment: Option<u64>,
}

impl MessageArgs {
    /// Text or binary.
    #[must_use]
    pub const fn kind(&self) -> DataKind {
        if self.binary { DataKind::Binary } else { DataKind::Text }
    }
}
