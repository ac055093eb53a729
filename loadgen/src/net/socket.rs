//! An address, and where to come from, to a connected socket.

use std::io;
use std::net::{IpAddr, SocketAddr};

use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use tokio::net::{TcpSocket, TcpStream};

/// Connects, without delaying small writes.
pub(super) async fn connect(address: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = new_socket(address.ip())?;
    if let Some(source) = source {
        bind(&socket, source)?;
    }
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

/// Whether `source` is an address of this machine, as far as it lets a socket have it.
///
/// # Errors
/// What the system says.
pub(super) fn try_source(source: IpAddr) -> io::Result<()> {
    bind(&new_socket(source)?, source)
}

fn new_socket(ip: IpAddr) -> io::Result<TcpSocket> {
    if ip.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

/// Takes an address and leaves the port to `connect`, which knows the other end: otherwise a port
/// would be taken from all connections of this address, whereto they go.
fn bind(socket: &TcpSocket, source: IpAddr) -> io::Result<()> {
    // Where the kernel doesn't know the option, there are fewer ports and nothing else.
    setsockopt(socket, IpBindAddressNoPort, &true).ok();
    socket.bind(SocketAddr::new(source, 0))
}
