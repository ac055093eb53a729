//! A client that measures nothing: `bare PORT CONNECTIONS SIZE PIPELINE SECONDS` prints the echoes a
//! second of a bare epoll loop.
//!
//! One frame with one masking key, made once and sent again and again; what comes back is counted
//! in bytes and not looked at. What a client that does more can be held against.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll;

const READ_SIZE: usize = 512 << 10;
const KEY: [u8; 4] = [1, 2, 3, 4];

struct Client {
    stream: TcpStream,
    received: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<u64> =
        std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let [port, connections, size, pipeline, seconds] = arguments[..] else {
        return Err("bare PORT CONNECTIONS SIZE PIPELINE SECONDS".into());
    };
    let frame = frame(usize::try_from(size)?);
    let echo_len = frame.len() - KEY.len();
    let frames = frame.repeat(usize::try_from(pipeline)?);
    let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut clients = Vec::new();
    for place in 0..connections {
        let stream = open(u16::try_from(port)?)?;
        let data = epoll::EventData::new_u64(place);
        epoll::add(&poller, &stream, data, epoll::EventFlags::IN)?;
        clients.push(Client { stream, received: 0 });
    }
    for client in &mut clients {
        write(&mut client.stream, &frames)?;
    }
    let mut buffer = vec![0; READ_SIZE];
    let mut events = Vec::with_capacity(1024);
    let (begin, mut echoes) = (Instant::now(), 0_u64);
    while begin.elapsed() < Duration::from_secs(seconds) {
        epoll::wait(&poller, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let client = &mut clients[usize::try_from(event.data.u64())?];
            client.received += client.stream.read(&mut buffer)?;
            let whole = client.received / echo_len;
            if whole > 0 {
                client.received %= echo_len;
                echoes += whole as u64;
                write(
                    &mut client.stream,
                    &frames[..whole.min(frames.len() / frame.len()) * frame.len()],
                )?;
            }
        }
    }
    println!("{:.0}", echoes as f64 / begin.elapsed().as_secs_f64());
    Ok(())
}

/// A binary frame of a client, the payload nothing but masked zeros.
fn frame(size: usize) -> Vec<u8> {
    let mut frame = vec![0x82];
    match size {
        0..=125 => frame.push(0x80 | size as u8),
        126..=65_535 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(size as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(size as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&KEY);
    frame.extend(KEY.iter().cycle().take(size));
    frame
}

fn open(port: u16) -> Result<TcpStream, Box<dyn Error>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    write!(
        stream,
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if !head.starts_with(b"HTTP/1.1 101 ") {
        return Err(String::from_utf8_lossy(&head).into_owned().into());
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Writes all, waiting for the server to make room.
fn write(stream: &mut TcpStream, mut bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(len) => bytes = &bytes[len..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
