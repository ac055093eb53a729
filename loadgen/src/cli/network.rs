//! The way to a server: addresses, sources, proxy, TLS. Flags that curl has are called as there.

use std::path::PathBuf;

use clap::Args;

/// How a server is reached.
#[derive(Clone, Debug, Default, Args)]
pub struct NetworkArgs {
    /// IPv4 addresses only
    #[arg(short = '4', long = "ipv4")]
    pub ipv4: bool,
    /// IPv6 addresses only
    #[arg(short = '6', long = "ipv6")]
    pub ipv6: bool,
    /// The addresses of a name, which then isn't looked up (repeatable)
    #[arg(long = "resolve", value_name = "HOST:PORT:ADDR[,ADDR]")]
    pub resolve: Vec<String>,
    /// Connects to another host and port than the URL names; an empty part matches any, or leaves
    /// it as it is (repeatable)
    #[arg(long = "connect-to", value_name = "HOST1:PORT1:HOST2:PORT2")]
    pub connect_to: Vec<String>,
    /// Connects to a socket in the file system instead of an address
    #[arg(long, value_name = "PATH")]
    pub unix_socket: Option<PathBuf>,
    /// Address or network of this machine to connect from, taken in turn by the connections
    /// (repeatable)
    #[arg(long = "source-ip", value_name = "IP|CIDR")]
    pub source_ips: Vec<String>,
    /// HTTP proxy, asked to CONNECT to the server
    #[arg(long, value_name = "http://[USER:PASS@]HOST:PORT")]
    pub proxy: Option<String>,
    /// TLS.
    #[command(flatten)]
    pub tls: TlsArgs,
}

/// TLS of a client.
#[derive(Clone, Debug, Default, Args)]
pub struct TlsArgs {
    /// Trusts any certificate of a server (wss://)
    #[arg(short = 'k', long)]
    pub insecure: bool,
    /// Trusts the CAs in a PEM file, instead of those of this system
    #[arg(long, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// Certificate to show to the server, PEM; with --key
    #[arg(long, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Name to ask the server for and to find in its certificate, instead of the URL's host
    #[arg(long, value_name = "NAME")]
    pub sni: Option<String>,
    /// A full handshake on every connection: no session is taken up again
    #[arg(long)]
    pub no_tls_resume: bool,
}
