//! The client: blocking sockets and frames made beforehand.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::server::Server;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// What is asked of a server.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// The length of a message, in bytes.
    pub(crate) len: usize,
    pub(crate) connections: usize,
    /// Messages on their way on each connection.
    pub(crate) depth: usize,
}

/// What a server did in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echoed {
    pub(crate) peer: Peer,
    pub(crate) messages_per_s: f64,
    /// Processor time of the server for a message, in nanoseconds.
    pub(crate) cpu_ns: f64,
}

/// A binary message of `len` bytes, which every byte of `0..=255` is in if it is long enough.
fn payload(len: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(len).collect()
}

fn frame(payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if key.is_some() { 0x80 } else { 0 };
    let mut frame = vec![0x82];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len @ ..=125), _) => frame.push(masked + len),
        (_, Ok(len)) => {
            frame.push(masked + 126);
            frame.extend(len.to_be_bytes());
        }
        _ => {
            frame.push(masked + 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    let key = key.inspect(|key| frame.extend(key)).unwrap_or_default();
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

struct Client {
    connections: Vec<TcpStream>,
    /// All that is written to a connection at once.
    request: Vec<u8>,
    /// As long as the answer.
    buffer: Vec<u8>,
}

impl Client {
    /// Opens the connections, and has each echo once.
    fn open(server: &Server, load: &Load) -> Result<Self, Box<dyn Error>> {
        let payload = payload(load.len);
        let frames = [frame(&payload, Some(KEY)), frame(&payload, None)];
        let [request, answer] = frames.map(|frame| frame.repeat(load.depth));
        let answer = if server.peer == Peer::Tcp { request.clone() } else { answer };
        let mut client = Self { connections: Vec::new(), request, buffer: vec![0; answer.len()] };
        for _ in 0..load.connections {
            let stream = TcpStream::connect(server.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            client.connections.push(stream);
        }
        client.round()?;
        if client.buffer != answer {
            return Err(format!("{} does not echo {} bytes", server.peer.name(), load.len).into());
        }
        Ok(client)
    }

    /// One request and its answer on every connection.
    fn round(&mut self) -> std::io::Result<()> {
        for connection in &mut self.connections {
            connection.write_all(&self.request)?;
        }
        for connection in &mut self.connections {
            connection.read_exact(&mut self.buffer)?;
        }
        Ok(())
    }
}

/// Keeps a server busy for `sample`.
pub(crate) fn echo(
    server: &Server,
    load: &Load,
    sample: Duration,
) -> Result<Echoed, Box<dyn Error>> {
    let mut client = Client::open(server, load)?;
    let warm = Instant::now();
    while warm.elapsed() < sample / 5 {
        client.round()?;
    }
    let (mut messages, cpu, begin) = (0u32, server.cpu_ns()?, Instant::now());
    while begin.elapsed() < sample {
        client.round()?;
        messages += u32::try_from(load.connections * load.depth)?;
    }
    let (elapsed, cpu) = (begin.elapsed(), server.cpu_ns()? - cpu);
    Ok(Echoed {
        peer: server.peer,
        messages_per_s: f64::from(messages) / elapsed.as_secs_f64(),
        cpu_ns: Duration::from_nanos(cpu).as_secs_f64() * 1e9 / f64::from(messages),
    })
}

/// Returns by how much the server's resident memory grows with a connection that has echoed a
/// message of `len` bytes and waits.
pub(crate) fn idle_bytes(
    server: &Server,
    len: usize,
    connections: usize,
) -> Result<u64, Box<dyn Error>> {
    // One after the other, so that what an echo takes meanwhile is not counted for each.
    let one = Load { len, connections: 1, depth: 1 };
    let mut open = Vec::new();
    for _ in 0..connections / 10 {
        open.push(Client::open(server, &one)?.connections);
    }
    let before = settled(server)?;
    for _ in 0..connections {
        open.push(Client::open(server, &one)?.connections);
    }
    Ok(settled(server)?.saturating_sub(before) / connections as u64)
}

fn settled(server: &Server) -> Result<u64, Box<dyn Error>> {
    std::thread::sleep(Duration::from_millis(50));
    server.resident_bytes()
}
