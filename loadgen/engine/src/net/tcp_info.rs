//! Asks the kernel about a TCP connection: round trip time, retransmissions, bytes in flight.
//!
//! Uses `NETLINK_SOCK_DIAG`, as `ss -i` does, and not `getsockopt(TCP_INFO)`: no maintained crate
//! offers that without unsafe code on the caller's side. A query is a lookup in the kernel's hash
//! table, and the answer is there when the query has been sent.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

/// Sizes of `struct nlmsghdr` and `struct inet_diag_req_v2` in the kernel's interface
/// (`linux/netlink.h`, `linux/inet_diag.h`), and offsets in an answer.
const HEADER_LEN: usize = 16;
const REQUEST_LEN: usize = HEADER_LEN + 56;
/// `struct inet_diag_msg`.
const MESSAGE_LEN: usize = 72;
const ANSWER_LEN_MAX: usize = 4_096;
const NLMSG_ERROR: u16 = 2;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const INET_DIAG_INFO: u16 = 2;
const IPPROTO_TCP: u8 = 6;
/// `AF_INET` and `AF_INET6`.
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 10;

/// What the kernel knows about a connection (`struct tcp_info`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// Smoothed round trip time, in microseconds.
    pub(crate) rtt_us: u32,
    /// Mean deviation of the round trip time, in microseconds.
    pub(crate) rtt_deviation_us: u32,
    /// Segments sent again since the connection began.
    pub(crate) retransmits: u32,
    /// Data segments sent since the connection began.
    pub(crate) segments: u32,
    /// Segments that the peer hasn't acknowledged.
    pub(crate) unacked: u32,
    /// Bytes waiting in this kernel that have not been sent.
    pub(crate) notsent_len: u32,
    /// Whether the peer has no room: its window is closed.
    pub(crate) is_window_zero: bool,
}

/// A socket for asking the kernel.
#[derive(Debug)]
pub struct TcpDiag(OwnedFd);

impl TcpDiag {
    /// Opens the socket.
    ///
    /// # Errors
    /// The system's error if it has no such interface.
    pub(crate) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kind = SocketType::DGRAM;
        Ok(Self(socket_with(AddressFamily::NETLINK, kind, flags, Some(SOCK_DIAG))?))
    }

    /// Queries the connection between two addresses; `None` if the kernel doesn't know it.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn ask(&self, local: SocketAddr, peer: SocketAddr) -> io::Result<Option<TcpInfo>> {
        let request = request(local, peer);
        sendto(&self.0, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut answer = [0; ANSWER_LEN_MAX];
        let (_, len) = recv(&self.0, &mut answer, RecvFlags::empty())?;
        Ok(parse(answer.get(..len).unwrap_or_default()))
    }
}

fn request(local: SocketAddr, peer: SocketAddr) -> [u8; REQUEST_LEN] {
    let mut request = [0; REQUEST_LEN];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = request.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(0, &u32::try_from(REQUEST_LEN).unwrap_or(0).to_ne_bytes());
    put(4, &SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    put(6, &NLM_F_REQUEST.to_ne_bytes());
    let family = if local.is_ipv4() { FAMILY_V4 } else { FAMILY_V6 };
    let extensions = 1 << (INET_DIAG_INFO - 1);
    put(16, &[family, IPPROTO_TCP, extensions, 0]);
    put(20, &u32::MAX.to_ne_bytes()); // in any state
    put(24, &local.port().to_be_bytes());
    put(26, &peer.port().to_be_bytes());
    for (at, ip) in [(28, local.ip()), (44, peer.ip())] {
        match ip {
            IpAddr::V4(ip) => put(at, &ip.octets()),
            IpAddr::V6(ip) => put(at, &ip.octets()),
        }
    }
    put(64, &[0xff; 8]); // with any cookie
    request
}

/// Finds the `struct tcp_info` in an answer. Older kernels send a shorter one; missing fields are
/// 0.
fn parse(answer: &[u8]) -> Option<TcpInfo> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    if kind == NLMSG_ERROR || kind != SOCK_DIAG_BY_FAMILY {
        return None;
    }
    let mut attributes = answer.get(HEADER_LEN + MESSAGE_LEN..)?;
    loop {
        let len = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?);
        let value = attributes.get(4..len)?;
        if kind == INET_DIAG_INFO {
            return info(value);
        }
        attributes = attributes.get(len.next_multiple_of(4)..)?;
    }
}

fn info(bytes: &[u8]) -> Option<TcpInfo> {
    let u32_at = |at: usize| {
        let found = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
        found.map(u32::from_ne_bytes)
    };
    let window = u32_at(228);
    Some(TcpInfo {
        rtt_us: u32_at(68)?,
        rtt_deviation_us: u32_at(72)?,
        retransmits: u32_at(100)?,
        segments: u32_at(156).unwrap_or(0),
        unacked: u32_at(24)?,
        notsent_len: u32_at(144).unwrap_or(0),
        // An unanswered probe of a closed window, or the window itself if the kernel reports it.
        is_window_zero: bytes.get(3).is_some_and(|&probes| probes > 0) || window == Some(0),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_of_this_machine_is_found_and_has_sent_what_it_has_sent() {
        let Ok(diag) = TcpDiag::open() else { return }; // no such interface here
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        for _ in 0..3 {
            stream.write_all(b"x").unwrap();
            other.read_exact(&mut [0]).unwrap();
        }
        let (local, peer) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        let Ok(found) = diag.ask(local, peer) else { return }; // a kernel without the module
        let info = found.unwrap();
        assert_eq!(info.segments, 3, "{info:?}");
        assert!((1..1_000_000).contains(&info.rtt_us), "{info:?}");
        assert_eq!((info.retransmits, info.is_window_zero), (0, false), "{info:?}");
        let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
        assert_eq!(diag.ask(nobody, nobody).unwrap(), None);
    }

    #[test]
    fn a_peer_without_room_and_what_waits_for_it_are_seen() {
        let Ok(diag) = TcpDiag::open() else { return }; // no such interface here
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_other, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let piece = vec![0; 1 << 16];
        while stream.write(&piece).is_ok() {}
        let (local, peer) = (stream.local_addr().unwrap(), stream.peer_addr().unwrap());
        let Ok(Some(info)) = diag.ask(local, peer) else { return };
        assert!(info.notsent_len > 0, "{info:?}");
    }

    #[test]
    fn answers_that_are_cut_short_or_are_no_answers_are_nothing() {
        let mut answer = vec![0; HEADER_LEN + MESSAGE_LEN];
        answer[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        let attribute = |kind: u16, value: &[u8]| {
            let len = u16::try_from(4 + value.len()).unwrap();
            [&len.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat()
        };
        let mut value = vec![0; 232];
        value[68..72].copy_from_slice(&250_u32.to_ne_bytes());
        value[100..104].copy_from_slice(&7_u32.to_ne_bytes());
        value[228..232].copy_from_slice(&1_u32.to_ne_bytes());
        answer.extend(attribute(8, &[0; 4])); // another one, before it
        answer.extend(attribute(INET_DIAG_INFO, &value));
        let whole = parse(&answer).unwrap();
        assert_eq!((whole.rtt_us, whole.retransmits, whole.is_window_zero), (250, 7, false));
        for len in 0..answer.len() {
            assert_eq!(parse(&answer[..len]), None, "{len} bytes");
        }
        answer[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        assert_eq!(parse(&answer), None);
        let endless = [&answer[..HEADER_LEN + MESSAGE_LEN], &[0; 8][..]].concat();
        assert_eq!(parse(&endless), None, "an attribute of no length");
    }
}
