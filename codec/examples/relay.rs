//! A relay between clients and a server: headers are checked, and payloads are masked anew, in one pass
//! and without being kept.
//!
//! ```text
//! cargo run -p wscodec --example relay -- 127.0.0.1:9001 SERVER:PORT
//! ```
//!
//! Handshakes pass as they are, so compression and subprotocols are settled between the two ends.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use wscodec::decoder::FrameDecoder;
use wscodec::header::{HeaderRules, Rsv};
use wscodec::mask::{MaskKey, MaskKeySource, ThreadKeys};
use wscodec::{FrameError, Role};

/// The longest head of a request or a response, in bytes.
const HEAD_LEN_MAX: usize = 64 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, server] = &words[..] else { return Err("usage: relay ADDRESS SERVER".into()) };
    let listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?);
    for client in listener.incoming() {
        let (client, server) = (client?, server.clone());
        thread::spawn(move || {
            if let Err(error) = relay(&client, &server) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

fn relay(client: &TcpStream, server: &str) -> io::Result<()> {
    let server = &TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    thread::scope(|scope| {
        scope.spawn(|| {
            // What a server sends is unmasked, and stays so.
            io::copy(&mut &*server, &mut &*client).ok();
            client.shutdown(Shutdown::Write).ok();
        });
        let outcome = to_server(client, server);
        // The end passes on as it comes; a client that breaks the rules ends both.
        let how = if outcome.is_ok() { Shutdown::Write } else { Shutdown::Both };
        server.shutdown(how).ok();
        outcome
    })
}

fn to_server(mut client: &TcpStream, mut server: &TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let unread = pass_head(client, server, &mut buffer)?;
    let mut masking = Masking::new();
    let mut out = Vec::new();
    let mut range = unread;
    loop {
        let input = buffer.get_mut(range).unwrap_or_default();
        masking.pass(input, &mut out).map_err(io::Error::other)?;
        server.write_all(&out)?;
        out.clear();
        range = 0..client.read(&mut buffer)?;
        if range.is_empty() {
            return Ok(());
        }
    }
}

/// Passes the request on; returns what was read behind it.
fn pass_head(
    mut client: impl Read,
    mut server: impl Write,
    buffer: &mut [u8],
) -> io::Result<std::ops::Range<usize>> {
    let mut len = 0;
    while len < HEAD_LEN_MAX.min(buffer.len()) {
        let read = client.read(buffer.get_mut(len..).unwrap_or_default())?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        len += read;
        let received = buffer.get(..len).unwrap_or_default();
        if let Some(end) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            server.write_all(received.get(..end + 4).unwrap_or_default())?;
            return Ok(end + 4..len);
        }
    }
    Err(io::Error::other("the head of the request is too long"))
}

/// Masks a client's frames with keys of the relay's.
struct Masking {
    decoder: FrameDecoder,
    key: MaskKey,
    /// How much of the frame's payload has been passed on.
    passed: usize,
}

impl Masking {
    fn new() -> Self {
        // The two ends know what the reserved bits mean.
        let every_bit = Rsv::from_bits(7).unwrap_or(Rsv::RSV1);
        let rules = HeaderRules::unlimited(Role::Server).with_rsv_allowed(every_bit);
        Self { decoder: FrameDecoder::new(rules), key: MaskKey::ZERO, passed: 0 }
    }

    /// Takes what was read from the client; appends what is to be written to the server.
    fn pass(&mut self, mut input: &mut [u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        loop {
            if self.decoder.remaining() == 0 {
                let Some(header) = self.decoder.header(&mut input)? else { return Ok(()) };
                (self.key, self.passed) = (ThreadKeys.next_key(), 0);
                out.extend(header.with_mask(Some(self.key)).encode().as_bytes());
            } else if input.is_empty() {
                return Ok(());
            }
            let key = self.key.rotated(self.passed);
            let payload = self.decoder.payload(&mut input).remask(key);
            self.passed = self.passed.wrapping_add(payload.len());
            out.extend_from_slice(payload);
        }
    }
}
