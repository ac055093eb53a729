//! Arguments that say what becomes of connections that are lost.

use clap::Args;

use crate::config::Reconnect;

const HELP: &str = "Open a connection again that was lost: that the server has closed with any code, \
    ended, reset or broken the protocol on. After a pause, drawn evenly from nothing up to a bound \
    that begins at FIRST, doubles with each attempt and stops at MAX; it is FIRST again once a \
    connection has been open for MAX. What is due while a connection is away is counted as unsent. \
    One that never opened is not tried again [default: no; without a value 100ms..10s]";

/// Whether lost connections are opened again.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct ReconnectArgs {
    /// After which pauses.
    #[arg(long, value_name = "FIRST..MAX", help = HELP, num_args = 0..=1, require_equals = true, default_missing_value = Reconnect::DEFAULT, value_parser = Reconnect::parse)]
    pub reconnect: Option<Reconnect>,
}
