//! Opens a listening socket at an address, or at a path in the file system.

use std::fmt;
use std::fs;
use std::io;
use std::net::{self, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};

use rustix::net::sockopt::{set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{AddressFamily, SocketFlags, SocketType, listen, socket_with};
use tokio::net::{TcpListener, UnixListener};

use crate::net::Stream;

/// Handshakes that the kernel completes ahead of accept; it caps this at `net.core.somaxconn`.
const BACKLOG: i32 = 65_535;

/// A listening socket that belongs to no runtime yet.
#[derive(Debug)]
pub(super) enum Bound {
    Tcp(net::TcpListener),
    Unix(unix::UnixListener),
}

/// A listening socket of a runtime.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A path that a server listens at; dropping this removes it.
#[derive(Debug)]
pub(super) struct SocketPath(PathBuf);

impl Bound {
    /// Adds the socket to this thread's runtime.
    pub(super) fn attach(self) -> io::Result<Listener> {
        Ok(match self {
            Self::Tcp(listener) => Listener::Tcp(TcpListener::from_std(listener)?),
            Self::Unix(listener) => Listener::Unix(UnixListener::from_std(listener)?),
        })
    }
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp(listener) => Stream::Tcp(listener.accept().await?.0),
            Self::Unix(listener) => Stream::unix(listener.accept().await?.0),
        })
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

impl fmt::Display for SocketPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// Listens on an address.
///
/// # Errors
/// The system's error, with the address and what to do about it.
pub(super) fn bind(address: SocketAddr) -> io::Result<net::TcpListener> {
    listening(address, net::TcpListener::bind(address))
}

/// Listens on an address that other processes of the same user may share.
///
/// # Errors
/// Why no socket could be bound.
pub(super) fn bind_together(address: SocketAddr) -> io::Result<net::TcpListener> {
    listening(address, bind_shared(address))
}

/// Binds a socket to a port that processes share, without listening: connections go only to those
/// that do. Fails if another program has the port, even if that would share it.
///
/// # Errors
/// Why no socket could be bound.
pub fn reserve(address: SocketAddr) -> io::Result<(OwnedFd, SocketAddr)> {
    let found = bind(address)?.local_addr()?;
    let socket = bind_shared(found)?;
    Ok((socket.into(), found))
}

fn listening(
    address: SocketAddr,
    bound: io::Result<net::TcpListener>,
) -> io::Result<net::TcpListener> {
    let named = |error: io::Error| {
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "the port is in use; stop the process that has it, or \
                                         listen on another"
            }
            io::ErrorKind::PermissionDenied => "ports below 1024 need root; use a higher one",
            io::ErrorKind::AddrNotAvailable => "the address is not one of this machine",
            _ => {
                return io::Error::new(error.kind(), format!("can't listen on {address}: {error}"));
            }
        };
        io::Error::new(error.kind(), format!("can't listen on {address}: {why}"))
    };
    let listener = bound.map_err(named)?;
    listener.set_nonblocking(true)?;
    // Listening again only changes the backlog, which the standard library sets to 128.
    listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// Binds a socket to a port that other processes of the same user may share.
fn bind_shared(address: SocketAddr) -> io::Result<net::TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseaddr(&socket, true)?;
    set_socket_reuseport(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    Ok(socket.into())
}

/// Listens at a path. Replaces a socket that no process listens at any more.
///
/// # Errors
/// The system's error, with the path and what to do about it.
pub(super) fn bind_path(path: &Path) -> io::Result<(unix::UnixListener, SocketPath)> {
    let named = |error: io::Error| {
        let shown = path.display().to_string();
        let why = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "something is there already; remove it, or listen at another path".into()
            }
            _ => error.to_string(),
        };
        let line = format!("can't listen at unix:{}: {why}", shown.escape_debug());
        io::Error::new(error.kind(), line)
    };
    // Connecting to a plain file is refused too, and we must not remove that.
    let is_left_behind = || {
        let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
        let refused = unix::UnixStream::connect(path).map_err(|error| error.kind());
        is_socket && matches!(refused, Err(io::ErrorKind::ConnectionRefused))
    };
    let bound = match unix::UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_behind() => {
            fs::remove_file(path).map_err(named)?;
            unix::UnixListener::bind(path)
        }
        bound => bound,
    };
    let listener = bound.map_err(named)?;
    let removed_with = SocketPath(path.to_owned());
    listener.set_nonblocking(true)?;
    rustix::net::listen(&listener, BACKLOG)?;
    Ok((listener, removed_with))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_shared_only_by_those_that_ask_for_it() {
        let (_reserved, address) = reserve(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let both = [(); 2].map(|()| bind_together(address).unwrap());
        assert_eq!(bind(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(reserve(address).unwrap_err().to_string().contains("the port is in use"));
        for listener in &both {
            assert_eq!(listener.local_addr().unwrap(), address);
        }
    }

    #[test]
    fn e19_a_port_in_use_is_named() {
        let first = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let error = bind(first.local_addr().unwrap()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains("the port is in use"), "{error}");
    }

    #[test]
    fn e19_an_address_of_another_machine_is_named() {
        // TEST-NET-1 (RFC 5737): not an address of this machine.
        let error = bind(SocketAddr::from(([192, 0, 2, 1], 0))).unwrap_err();
        assert!(error.to_string().contains("not one of this machine"), "{error}");
    }

    #[test]
    fn e19_a_path_is_taken_over_from_the_dead_only_and_removed_at_the_end() {
        let path = std::env::temp_dir().join(format!("loadgen-place-{}", std::process::id()));
        fs::remove_file(&path).ok();
        drop(unix::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "left behind");
        let (listener, removed_with) = bind_path(&path).unwrap();
        let error = bind_path(&path).unwrap_err();
        assert!(error.to_string().contains("something is there"), "{error}");
        drop((listener, removed_with));
        assert!(!path.exists());
        fs::write(&path, "a file").unwrap();
        let error = bind_path(&path).unwrap_err();
        assert!(error.to_string().contains("something is there"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"a file");
        fs::remove_file(&path).unwrap();
    }
}
