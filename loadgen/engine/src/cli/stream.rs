//! Arguments about what looks on while a run goes on.

use std::net::SocketAddr;

use clap::Args;

use super::header;

/// What looks on, and what is looked at beside the connections.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct StreamArgs {
    /// Watches a process of this machine and those that it starts, such as the server
    ///
    /// The time series has its processor time, memory, descriptors and threads, and the report what
    /// a connection and a message cost it.
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub watch_pid: Option<u32>,
    /// Serves the metrics of the run for Prometheus, at `http://HOST:PORT/metrics`
    #[arg(long, value_name = "HOST:PORT")]
    pub prometheus: Option<SocketAddr>,
    /// Sends the metrics once a second to a collector of OpenTelemetry, such as
    /// `http://127.0.0.1:4318`
    ///
    /// As OTLP over HTTP, in JSON, to /v1/metrics unless the URL has a path. A collector that is
    /// away doesn't hold up the run: what it missed is said at the end, as for the two below.
    #[arg(long, value_name = "URL")]
    pub otlp: Option<String>,
    /// A header for --otlp, such as an API key (repeatable)
    #[arg(long = "otlp-header", value_name = "NAME: VALUE", value_parser = header)]
    pub otlp_headers: Vec<(String, String)>,
    /// Sends each row of the time series to `InfluxDB`
    ///
    /// The URL is that of its write endpoint, such as
    /// `http://127.0.0.1:8086/api/v2/write?org=me&bucket=load`, or `/write?db=load` of version 1. -o
    /// influx=FILE writes the same lines to a file.
    #[arg(long, value_name = "URL")]
    pub influx: Option<String>,
    /// The token for --influx
    ///
    /// Better given as `LOADGEN_INFLUX_TOKEN`, which other users of the machine don't see.
    #[arg(long, value_name = "TOKEN")]
    pub influx_token: Option<String>,
    /// Sends the metrics once a second to `StatsD`, over UDP
    #[arg(long, value_name = "HOST:PORT")]
    pub statsd: Option<String>,
}
