//! Turns a URL and the flags around it into a stream of bytes between two programs.
//!
//! Separate from the workers because the reference server and `loadgen check` use the same streams.
//! Nothing here knows of frames, of histograms or of a plan.

mod dial;
mod family;
mod fault;
mod http2;
mod proxy;
mod resolve;
mod route;
mod secret;
mod settings;
mod socket;
mod source;
mod stream;
mod target;
mod tcp_info;
mod tls;

pub use dial::Families;
pub use family::Family;
pub use fault::{Fault, stream_fault};
pub use http2::{Accepted, Http2Connection, Http2Pool, Opened, Refused, http2_server_code};
pub use route::Dialled;
pub use route::{Route, Routes};
pub use secret::{is_secret, masked_subprotocols};
pub use settings::{Http2, Network, Override, Proxy, Redirect, TlsSettings};
pub use source::{SourceRange, Sources};
pub(crate) use stream::Stamped;
pub use stream::{Agreed, Detached, Http2Share, Stream, TlsStream};
pub use target::{Secrets, Target};
pub use tcp_info::{TcpDiag, TcpInfo};
pub use tls::{BlockingTls, ServerTls};
pub use tls::{open_fault, server_code, spoken};
