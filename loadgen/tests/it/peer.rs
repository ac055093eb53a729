//! A client that tests hold in their hands: blocking, frame by frame, and free to misbehave.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use loadgen::serve::{ServeConfig, Server, ServerHandle, Totals};

/// Longer than anything here takes; where it is reached, a test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A configuration for tests: a free port, one thread.
pub(crate) fn config() -> ServeConfig {
    ServeConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        threads: NonZeroUsize::MIN,
        ..ServeConfig::default()
    }
}

pub(crate) fn start(config: &ServeConfig) -> ServerHandle {
    Server::bind(config).unwrap().start().unwrap()
}

/// Waits until the server's totals are as wanted, and returns them.
pub(crate) fn wait_for(
    server: &ServerHandle,
    what: &str,
    wanted: impl Fn(&Totals) -> bool,
) -> Totals {
    let start = Instant::now();
    loop {
        let totals = server.totals();
        if wanted(&totals) {
            return totals;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: {totals:?}");
        thread::yield_now();
    }
}

/// Waits until this holds of everything that was ever accepted: it is rejected, closed or open,
/// once.
pub(crate) fn assert_balanced(totals: &Totals) {
    let rejected: u64 = totals.rejected.values().sum();
    let closed: u64 = totals.closes.values().sum();
    assert_eq!(totals.accepted, rejected + closed + totals.open, "{totals:?}");
    assert_eq!(totals.established, closed + totals.open, "{totals:?}");
}

pub(crate) fn request(extra: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{extra}\r\n"
    )
}

/// A masked frame: `first` is FIN, RSV and opcode.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..65_536 => {
            frame.push(0xfe);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            frame.push(0xff);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

pub(crate) fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
}

impl Peer {
    /// A TCP connection that has said nothing.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream }
    }

    /// A WebSocket connection.
    pub(crate) fn open(address: SocketAddr) -> Self {
        let mut peer = Self::connect(address);
        peer.send(request("").as_bytes());
        let head = peer.read_head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        peer
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// A response up to its blank line, byte by byte, so that nothing behind it is taken.
    pub(crate) fn read_head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        String::from_utf8(head).unwrap()
    }

    /// The next frame: first byte and payload. A server never masks.
    pub(crate) fn read_frame(&mut self) -> (u8, Vec<u8>) {
        self.try_read_frame().unwrap()
    }

    pub(crate) fn try_read_frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut start = [0; 2];
        self.stream.read_exact(&mut start)?;
        let len = match start[1] {
            126 => {
                let mut len = [0; 2];
                self.stream.read_exact(&mut len)?;
                u64::from(u16::from_be_bytes(len))
            }
            127 => {
                let mut len = [0; 8];
                self.stream.read_exact(&mut len)?;
                u64::from_be_bytes(len)
            }
            len => u64::from(len),
        };
        let mut payload = vec![0; usize::try_from(len).unwrap()];
        self.stream.read_exact(&mut payload)?;
        Ok((start[0], payload))
    }

    /// The code and the reason of the next frame, which has to be a Close.
    pub(crate) fn read_close(&mut self) -> (u16, String) {
        let (first, payload) = self.read_frame();
        assert_eq!(first, 0x88, "a Close, not {payload:?}");
        let (code, reason) = payload.split_first_chunk::<2>().unwrap();
        (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).unwrap())
    }

    /// What is left until the server ends the stream, which has to be an orderly end.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        rest
    }

    /// Sends a message and expects it back.
    pub(crate) fn echo(&mut self, first: u8, payload: &[u8]) {
        self.send(&frame(first, payload));
        let (echoed, back) = self.read_frame();
        assert_eq!(echoed, first);
        assert!(back == payload, "{} bytes came back as {}", payload.len(), back.len());
    }

    /// Ends with a reset instead of an orderly end.
    pub(crate) fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).unwrap();
    }
}

/// Sends `bytes` over and over until the server takes no more; returns how many it took in all, and
/// the rest of the copy that was refused.
pub(crate) fn fill<'b>(
    server: &ServerHandle,
    mut stream: &TcpStream,
    bytes: &'b [u8],
) -> (u64, &'b [u8]) {
    stream.set_nonblocking(true).unwrap();
    let (mut sent, mut rest) = (0, bytes);
    let mut progress = (0, Instant::now());
    loop {
        match stream.write(rest) {
            Ok(len) => {
                sent += len as u64;
                rest = &rest[len..];
                if rest.is_empty() {
                    rest = bytes;
                }
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        assert!(sent < 1 << 30, "the server takes whatever comes");
        // Refused: the socket is full, and the server has read nothing for a while.
        let received = server.totals().bytes_received;
        if received != progress.0 {
            progress = (received, Instant::now());
        } else if progress.1.elapsed() > Duration::from_millis(300) {
            stream.set_nonblocking(false).unwrap();
            return (sent, rest);
        }
    }
}

/// Memory of this process that is in use, in bytes.
pub(crate) fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size() as u64
}
