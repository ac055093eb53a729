//! Connects a socket to an address, from a given local address.

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

/// Checks whether `source` is an address of this machine that a socket can bind to.
///
/// # Errors
/// The system's error.
pub(super) fn try_source(source: IpAddr) -> io::Result<()> {
    bind(&new_socket(source)?, source)
}

fn new_socket(ip: IpAddr) -> io::Result<TcpSocket> {
    if ip.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
}

/// Binds the address and leaves the port to `connect`, which knows the target. Otherwise the port
/// would be taken for all targets of connections from this address.
fn bind(socket: &TcpSocket, source: IpAddr) -> io::Result<()> {
    // A kernel without the option only has fewer ports to choose from.
    setsockopt(socket, IpBindAddressNoPort, &true).ok();
    socket.bind(SocketAddr::new(source, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d21_a_source_takes_no_port_before_it_knows_the_other_end() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let source = "127.0.0.9".parse().unwrap();
            let socket = new_socket(source).unwrap();
            bind(&socket, source).unwrap();
            assert_eq!(socket.local_addr().unwrap(), SocketAddr::new(source, 0));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = connect(listener.local_addr().unwrap(), Some(source)).await.unwrap();
            let from = stream.local_addr().unwrap();
            assert_eq!(from.ip(), source);
            assert_ne!(from.port(), 0);
        });
    }

    #[test]
    fn a_source_of_another_machine_is_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let _entered = runtime.enter();
        // TEST-NET-1 (RFC 5737): not an address of this machine.
        let error = try_source("192.0.2.1".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
