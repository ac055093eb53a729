//! Bounds and policies of `loadgen serve`: what a client may ask of the reference server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::quantity;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAt {
    /// At an address.
    Address(SocketAddr),
    /// At a path in the file system.
    Path(PathBuf),
}

impl ListenAt {
    /// Reads `host:port`, a port alone, or `unix:PATH`.
    ///
    /// # Errors
    /// What is wrong, to follow the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err("no path; use unix:PATH".into()),
            Some(path) => Ok(Self::Path(path.into())),
            None => crate::serve::parse_address(text)
                .map(Self::Address)
                .map_err(|error| error.to_string()),
        }
    }
}

/// TLS of the server.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "TLS")]
pub struct ServeTlsArgs {
    /// Speaks TLS with this certificate chain, PEM; with --key
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Speaks TLS with a certificate made at start
    ///
    /// For localhost and the listening address; prints its fingerprint.
    #[arg(long)]
    pub tls_self_signed: bool,
    /// Requires client certificates of one of these CAs, PEM
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,
}

/// Arguments of `serve` beside where it listens and what it does.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct ServeBoundArgs {
    /// Most connections open at once; further requests get 503 [default: 100k]
    #[arg(long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub max_connections: Option<u64>,
    /// Largest message, fragments together; a larger one ends its connection with 1009
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = quantity::size, allow_hyphen_values = true)]
    pub max_message: u64,
    /// Largest frame; a larger one ends its connection with 1009
    #[arg(long, value_name = "SIZE", default_value = "16M", value_parser = quantity::size, allow_hyphen_values = true)]
    pub max_frame: u64,
    /// Most fragments of a message; more end its connection with 1008
    #[arg(long, value_name = "N", default_value = "131072", value_parser = quantity::count, allow_hyphen_values = true)]
    pub max_fragments: u64,
    /// Most bytes of replies queued for a client before reading from it stops
    #[arg(long, value_name = "SIZE", default_value = "1M", value_parser = quantity::size, allow_hyphen_values = true)]
    pub write_buffer: u64,
    /// Most memory that all clients together may take
    ///
    /// Counts partial messages and queued replies. Above it, a client that takes more than an equal
    /// share is closed with 1013.
    #[arg(long, value_name = "SIZE", default_value = "4G", value_parser = quantity::size, allow_hyphen_values = true)]
    pub max_memory: u64,
    /// Time limit from accept to the end of the request, TLS included
    #[arg(long, value_name = "T", default_value = "10s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub handshake_timeout: Duration,
    /// Closes a client that is silent for this long; 0 waits forever
    ///
    /// Pings the client after half of it.
    #[arg(long, value_name = "T", default_value = "2m", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub idle_timeout: Duration,
    /// Time limit from Close to the end of the client's stream
    #[arg(long, value_name = "T", default_value = "5s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub close_timeout: Duration,
    /// How long to wait for clients when the server is interrupted
    #[arg(long, value_name = "T", default_value = "5s", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub shutdown_timeout: Duration,
    /// Origins of web pages that may connect, such as `https://example.com`, or any (repeatable)
    ///
    /// [default: those of this machine and of the same host]
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    pub origins: Vec<String>,
    /// A subprotocol to accept, the preferred one first (repeatable)
    ///
    /// [default: the one that a client names first]
    #[arg(long = "subprotocol", value_name = "NAME")]
    pub subprotocols: Vec<String>,
}
