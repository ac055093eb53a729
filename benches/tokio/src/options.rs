//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::client::Load;
use crate::peer::Peer;

/// Measures wscodec-tokio beside its peers: echo over TCP, and memory of idle connections.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Options {
    /// Rounds of the echo, each of which measures every server at every size
    #[arg(long, default_value_t = 7)]
    pub(crate) rounds: usize,
    /// How long a server is measured at a size in a round, in milliseconds
    #[arg(long, default_value_t = 300)]
    sample_ms: u64,
    /// Only these servers, by name, separated by commas
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only messages of these lengths, in bytes, separated by commas
    #[arg(long, value_delimiter = ',', default_values_t = [64, 4 << 10, 64 << 10, 1 << 20])]
    sizes: Vec<usize>,
    /// Rounds of the memory of idle connections
    #[arg(long, default_value_t = 3)]
    pub(crate) memory_rounds: usize,
    /// Idle connections
    #[arg(long, default_value_t = 500)]
    pub(crate) idle_connections: usize,
    /// No echo
    #[arg(long)]
    pub(crate) memory_only: bool,
    /// A folder for echo.csv, memory.csv and tables.md
    #[arg(long, value_name = "DIR", default_value = "target/tokio-benches")]
    pub(crate) out: PathBuf,
    /// The core of the servers
    #[arg(long, default_value_t = 0)]
    pub(crate) server_core: usize,
    /// The core of the client
    #[arg(long, default_value_t = 1)]
    pub(crate) client_core: usize,
    /// Is such a server, instead of measuring
    #[arg(long, value_name = "NAME")]
    pub(crate) serve: Option<String>,
}

impl Options {
    pub(crate) fn sample(&self) -> Duration {
        Duration::from_millis(self.sample_ms)
    }

    pub(crate) fn peers(&self) -> Result<Vec<Peer>, String> {
        if self.only.is_empty() {
            return Ok(Peer::ALL.to_vec());
        }
        let known = |name: &String| Peer::of_name(name).ok_or_else(|| format!("no server {name}"));
        self.only.iter().map(known).collect()
    }

    /// Many small messages, few large ones; short ones also several at a time.
    pub(crate) fn loads(&self) -> Vec<Load> {
        let of_len = |len: usize| {
            let connections = if len < 16 << 10 { 16 } else { 4 };
            let depths: &[usize] = if len < 16 << 10 { &[1, 16] } else { &[1] };
            depths.iter().map(move |depth| Load { len, connections, depth: *depth })
        };
        self.sizes.iter().copied().flat_map(of_len).collect()
    }
}
