//! How to reach a server: addresses, sources, proxy, TLS. Flags that curl has keep their names.

use std::path::PathBuf;

use clap::Args;

use crate::quantity;

/// How a server is reached.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connections")]
pub struct NetworkArgs {
    /// Uses IPv4 addresses only
    #[arg(short = '4', long = "ipv4")]
    pub ipv4: bool,
    /// Uses IPv6 addresses only
    #[arg(short = '6', long = "ipv6")]
    pub ipv6: bool,
    /// Addresses to use for a name instead of looking it up (repeatable)
    ///
    /// Connections take the addresses of a name in turn, whether given or looked up. If an address
    /// doesn't answer within 250 ms, the next is tried in parallel (RFC 8305); connect.tcp counts
    /// from the first attempt.
    #[arg(long = "resolve", value_name = "HOST:PORT:ADDR[,ADDR]")]
    pub resolve: Vec<String>,
    /// Connects to another host and port than the URL names (repeatable)
    ///
    /// An empty part matches anything, or keeps what the URL says.
    #[arg(long = "connect-to", value_name = "HOST1:PORT1:HOST2:PORT2")]
    pub connect_to: Vec<String>,
    /// Connects to a Unix socket instead of an address
    #[arg(long, value_name = "PATH")]
    pub unix_socket: Option<PathBuf>,
    /// Address or network of this machine to connect from (repeatable)
    ///
    /// Connections take the addresses in turn.
    #[arg(long = "source-ip", value_name = "IP|CIDR")]
    pub source_ips: Vec<String>,
    /// HTTP proxy to reach the server through (CONNECT)
    #[arg(long, value_name = "http://[USER:PASS@]HOST:PORT")]
    pub proxy: Option<String>,
    /// Opens WebSockets over HTTP/2 (RFC 8441) instead of HTTP/1.1
    ///
    /// Over wss://, ALPN agrees on h2; over ws://, the server must expect HTTP/2. A connection is
    /// then a stream, and connections of HTTP/2 are counted besides.
    #[arg(long)]
    pub http2: bool,
    /// WebSockets that each HTTP/2 connection carries [default: 1]
    #[arg(long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub streams: Option<u64>,
    /// TLS.
    #[command(flatten)]
    pub tls: TlsArgs,
}

/// TLS of a client.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connections")]
pub struct TlsArgs {
    /// Trusts any certificate
    #[arg(short = 'k', long)]
    pub insecure: bool,
    /// Trusts the CAs in a PEM file, instead of those of this system
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// Client certificate, PEM; with --key
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// Private key of the client certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Name to ask for and to expect in the certificate [default: the URL's host]
    #[arg(long, value_name = "NAME")]
    pub sni: Option<String>,
    /// Does a full TLS handshake on every connection; resumes no session
    #[arg(long)]
    pub no_tls_resume: bool,
}
