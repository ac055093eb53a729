//! A server that does what a test says, byte by byte, and the program run against it.
//!
//! On plain sockets and threads, so that nothing of what is tested stands on the other side too.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loadgen::report::Report;
use sha1::{Digest, Sha1};

/// Longer than any bound in these tests: a run that takes so long hangs.
const HANGS: Duration = Duration::from_secs(60);
/// A run of a minute that ends at once, as it should, takes less, also on a machine that does much
/// else. How long things take is not what tests are for.
pub(crate) const EARLY: Duration = Duration::from_secs(30);

/// A listening server, with a thread for each connection.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    pub(crate) accepted: Arc<AtomicUsize>,
}

impl Scripted {
    /// Serves each connection by `behave`, which gets its number; it is closed when that returns.
    pub(crate) fn start(behave: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (behave, counter) = (Arc::new(behave), Arc::clone(&accepted));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let behave = Arc::clone(&behave);
                thread::spawn(move || behave(stream.unwrap(), number));
            }
        });
        Self { address, accepted }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }
}

/// Reads a request's head.
pub(crate) fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            break;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// The |Sec-WebSocket-Accept| that a request wants.
pub(crate) fn accept_of(head: &str) -> String {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .expect("a request has a key");
    STANDARD.encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")))
}

/// The response that accepts a request.
pub(crate) fn accepting(head: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_of(head)
    )
}

/// Does the opening handshake; false if nobody asks for one.
pub(crate) fn upgrade(stream: &mut TcpStream) -> bool {
    let head = read_head(stream);
    !head.is_empty() && stream.write_all(accepting(&head).as_bytes()).is_ok()
}

pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;

/// A server's frame; `first` is its first byte.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    let len = u16::try_from(payload.len()).expect("no test sends so much");
    if len <= 125 {
        frame.push(len.to_be_bytes()[1]);
    } else {
        frame.push(126);
        frame.extend(len.to_be_bytes());
    }
    frame.extend(payload);
    frame
}

/// A Close frame.
pub(crate) fn close(code: u16) -> Vec<u8> {
    frame(CLOSE, &code.to_be_bytes())
}

/// A client's frame, unmasked: its first byte and its payload. `None` at the end of the stream.
pub(crate) fn read_frame(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).ok()?;
    assert_eq!(head[1] & 0x80, 0x80, "a client's frames are masked");
    let len = match head[1] & 0x7f {
        126 => {
            let mut len = [0; 2];
            stream.read_exact(&mut len).ok()?;
            usize::from(u16::from_be_bytes(len))
        }
        127 => {
            let mut len = [0; 8];
            stream.read_exact(&mut len).ok()?;
            usize::try_from(u64::from_be_bytes(len)).unwrap()
        }
        len => usize::from(len),
    };
    let mut key = [0; 4];
    stream.read_exact(&mut key).ok()?;
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload).ok()?;
    for (place, byte) in payload.iter_mut().enumerate() {
        *byte ^= key[place % 4];
    }
    Some((head[0], payload))
}

/// Echoes until the client closes, and answers that; `change` may replace the echo of each message
/// by other frames.
pub(crate) fn echo(
    mut stream: TcpStream,
    mut change: impl FnMut(usize, u8, &[u8]) -> Option<Vec<u8>>,
) {
    stream.set_nodelay(true).unwrap();
    if !upgrade(&mut stream) {
        return;
    }
    let mut number = 0;
    while let Some((first, payload)) = read_frame(&mut stream) {
        let reply = match first {
            CLOSE => Some(frame(CLOSE, &payload)),
            TEXT | BINARY => {
                number += 1;
                change(number - 1, first, &payload).or_else(|| Some(frame(first, &payload)))
            }
            _ => None,
        };
        if reply.is_some_and(|reply| stream.write_all(&reply).is_err()) || first == CLOSE {
            return;
        }
    }
}

/// Keeps a connection until the client ends it.
pub(crate) fn wait_for_end(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Err(error) if error.kind() != ErrorKind::Interrupted => return,
            _ => {}
        }
    }
}

/// What the program did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ran {
    /// The result, which was asked for on stdout.
    pub(crate) fn report(&self) -> Report {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }

    /// Fails unless all went well. 97 is a machine that was too busy with other tests for the times
    /// to count.
    #[track_caller]
    pub(crate) fn assert_went_well(&self) {
        assert!(matches!(self.code, Some(0 | 97)), "{}{}", self.stdout, self.stderr);
    }

    /// The only line on stderr.
    pub(crate) fn error_line(&self) -> &str {
        let line = self.stderr.strip_suffix('\n').unwrap_or(&self.stderr);
        assert!(!line.contains('\n'), "more than one line: {line}");
        line.strip_prefix("error: ").unwrap_or_else(|| panic!("not an error line: {line:?}"))
    }
}

/// The program with arguments, not started yet.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub(crate) fn loadgen(args: &[&str]) -> Ran {
    finish(command(args).spawn().unwrap())
}

/// Waits for a program that runs; fails if it hangs.
pub(crate) fn finish(mut child: std::process::Child) -> Ran {
    let begin = Instant::now();
    let read = |mut pipe: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut text = String::new();
            pipe.read_to_string(&mut text).unwrap();
            text
        })
    };
    let stdout = child.stdout.take().map(|pipe| read(Box::new(pipe)));
    let stderr = child.stderr.take().map(|pipe| read(Box::new(pipe)));
    let (sender, receiver) = std::sync::mpsc::channel();
    let id = child.id();
    thread::spawn(move || sender.send(child.wait().unwrap()));
    let Ok(status) = receiver.recv_timeout(HANGS) else {
        Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
        panic!("the program hangs");
    };
    let text = |reader: Option<thread::JoinHandle<String>>| {
        reader.map(|reader| reader.join().unwrap()).unwrap_or_default()
    };
    Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr), took: begin.elapsed() }
}

/// Runs `loadgen run` against a server for a short time, with the result on stdout.
pub(crate) fn run_against(server: &Scripted, args: &[&str]) -> Ran {
    let url = server.url();
    let mut all = vec!["run", &url, "-q", "-o", "json=-", "-t", "1", "--seed", "1"];
    all.extend(args);
    loadgen(&all)
}

/// How many connections failed for `phase.code`.
pub(crate) fn failed(report: &Report, name: &str) -> u64 {
    let found =
        report.errors.iter().find(|error| format!("{}.{}", error.phase, error.code) == name);
    found.map_or(0, |error| error.count)
}

/// What must hold in every report.
pub(crate) fn assert_balanced(report: &Report) {
    assert_eq!(report.imbalances, [""; 0]);
    let counts = &report.connections;
    assert_eq!(counts.attempted, counts.completed + counts.failed);
    let failed: u64 = report
        .errors
        .iter()
        .filter(|error| error.phase != "message")
        .map(|error| error.count)
        .sum();
    assert_eq!(counts.failed, failed);
    let closed: u64 = report.closings.iter().map(|closing| closing.count).sum();
    let again = report.reconnect.as_ref().map_or(0, |reconnect| reconnect.reestablished);
    assert_eq!(counts.established + again, closed);
    if let Some(messages) = &report.messages {
        for span in [&messages.warmup, &messages.measured] {
            assert_eq!(span.sent, span.received + span.altered + span.lost + span.timed_out);
        }
    }
}
