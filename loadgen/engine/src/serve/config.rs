//! The configuration of the reference server, with a named default for every bound.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use wscodec::Limits;
use wscodec::deflate::Deflate;

use super::origin::OriginPolicy;
use crate::net::ServerTls;
use crate::quantity::Rate;
use crate::quota;

/// What the server does with a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Sends it back, as the same type, in one frame.
    #[default]
    Echo,
    /// Counts it, and doesn't answer.
    Sink,
    /// Like [`Sink`](Self::Sink), and sends messages of its own, see [`Push`].
    Push,
    /// Sends it to all other connections of the same topic, which is the request's path.
    Broadcast,
}

impl Mode {
    /// Returns the mode as written on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Sink => "sink",
            Self::Push => "push",
            Self::Broadcast => "broadcast",
        }
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::Echo, Self::Sink, Self::Push, Self::Broadcast]
            .into_iter()
            .find(|mode| mode.name() == name)
            .ok_or_else(|| format!("unknown mode {name:?}: use echo, sink, push or broadcast"))
    }
}

/// What [`Mode::Push`] sends: text that contains the message's number and when it was sent, see
/// [`stamp`](crate::stamp).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Push {
    /// How often.
    pub rate: PushRate,
    /// Payload size in bytes; at least the size of the stamp.
    pub size: usize,
}

/// How often to push messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushRate {
    /// To each connection.
    Each(Rate),
    /// To all connections together, in turn.
    Total(Rate),
}

/// What to do with a client for which [`ServeConfig::queue_max`] bytes are waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlowReader {
    /// Close it with 1008.
    #[default]
    Close,
    /// Skip messages for which there is no room.
    Skip,
}

impl SlowReader {
    /// Returns the setting as written on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Skip => "skip",
        }
    }
}

/// Whether [`Mode::Broadcast`] sends a message back on the connection that it came on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SenderCopy {
    /// The sender gets no copy.
    #[default]
    Exclude,
    /// The sender gets a copy, as the others do.
    Include,
}

/// The server's configuration. Start from [`ServeConfig::default`] and change what differs.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// Where to listen. Default 127.0.0.1:9001: the loopback, so that other machines can't reach it
    /// by default. Port 0 picks a free one.
    pub listen: SocketAddr,
    /// Whether other processes of the user may listen on the same port (`SO_REUSEPORT`): the kernel
    /// spreads connections over all of them. Default: no, so that a port in use is an error.
    pub is_port_shared: bool,
    /// Listens at a path in the file system instead. The path is removed when the server ends.
    pub socket_path: Option<PathBuf>,
    /// Speaks TLS. Default: plain.
    pub tls: Option<ServerTls>,
    /// Speaks HTTP/2 instead of HTTP/1.1, and takes WebSockets over it (RFC 8441). Default: no.
    pub is_http2: bool,
    /// Threads, each with its own runtime and connections. Default: one per core.
    pub threads: NonZeroUsize,
    /// What to do with a message.
    pub mode: Mode,
    /// What a client may send.
    pub limits: Limits,
    /// Which offers of permessage-deflate to accept. Default `None`: they are declined.
    pub deflate: Option<Deflate>,
    /// Which web pages may connect (stops cross-site WebSocket hijacking).
    pub origins: OriginPolicy,
    /// Supported subprotocols, in order of preference. Default: none; then the first that a client
    /// names is selected, so that clients that insist on one can be tried.
    pub subprotocols: Vec<String>,
    /// From accept to the end of the request's head. Default 10 s. Stops slow heads, however they
    /// trickle in.
    pub handshake_timeout: Duration,
    /// A client that was silent for half of this is pinged; after all of it the connection is
    /// closed. Default 120 s; `None` waits forever. Frees what dead peers hold.
    pub idle_timeout: Option<Duration>,
    /// From this side's Close, or the end of its last words, to the end of the client's stream.
    /// Default 5 s. Stops clients that never answer Close or never end their stream.
    pub close_timeout: Duration,
    /// How long [`ServerHandle::shutdown`](super::ServerHandle::shutdown) waits for clients.
    /// Default 5 s.
    pub shutdown_timeout: Duration,
    /// Bytes of replies that a client hasn't taken, before reading from it stops. Default 1 MiB. A
    /// connection holds at most this and the replies to one read. Stops clients that send and never
    /// read.
    pub write_buffer_max: usize,
    /// What [`Mode::Push`] sends. Default: 10 messages a second of 64 bytes to each connection.
    pub push: Push,
    /// Whether the sender of a message gets a copy of it ([`Mode::Broadcast`]). Default: no.
    pub sender_copy: SenderCopy,
    /// Bytes of unsolicited messages that may wait for a client. Default 1 MiB. Stops slow readers
    /// from filling the server's memory.
    pub queue_max: usize,
    /// What to do with a client beyond this. Default: close it.
    pub slow_reader: SlowReader,
    /// Bytes that all clients together make the server hold: half-received messages and waiting
    /// replies. Above it, a client with more than an equal share is closed with 1013; so it is at
    /// most twice this. Default 4 GiB. Stops many clients doing together what none may alone.
    pub held_max: usize,
    /// Connections open at once; a request beyond these is answered with 503. Default 100,000. Over
    /// HTTP/2, connections and their streams count alike.
    pub connections_max: usize,
}

impl ServeConfig {
    /// Where the server listens by default.
    pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9001);
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            listen: Self::LISTEN,
            is_port_shared: false,
            socket_path: None,
            tls: None,
            is_http2: false,
            threads: quota::processors(),
            mode: Mode::default(),
            limits: Limits::default(),
            deflate: None,
            origins: OriginPolicy::default(),
            subprotocols: Vec::new(),
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Some(Duration::from_secs(120)),
            close_timeout: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(5),
            write_buffer_max: 1 << 20,
            push: Push { rate: PushRate::Each(Rate::TEN), size: 64 },
            sender_copy: SenderCopy::default(),
            queue_max: 1 << 20,
            slow_reader: SlowReader::default(),
            held_max: 4 << 30,
            connections_max: 100_000,
        }
    }
}
