//! An echo server on `io_uring`: the kernel picks a buffer for each read, and header and payload go out
//! in one vectored send.
//!
//! ```text
//! cargo run -p wscodec --example uring_server -- 127.0.0.1:9001
//! ```

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    server::serve(std::net::TcpListener::bind(address)?)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("io_uring is Linux's");
}

#[cfg(target_os = "linux")]
mod server {
    use std::collections::{HashMap, VecDeque};
    use std::io;
    use std::mem;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::{AsRawFd as _, FromRawFd as _};

    use io_uring::{IoUring, cqueue, opcode, squeue, types};
    use wscodec::connection::{EventKind, Found};
    use wscodec::handshake::{Acceptance, HandshakeLimits, Rejection, ServerHandshake};
    use wscodec::header::Opcode;
    use wscodec::{Connection, ConnectionBuilder, ReadyState};

    const BUFFER_LEN: usize = 16 << 10;
    const BUFFERS: u16 = 64;
    const GROUP: u16 = 0;
    /// Above this many bytes that wait to be sent, nothing is read.
    const QUEUED_LEN_MAX: usize = 256 << 10;
    /// The most pieces in one send.
    const PIECES_MAX: usize = 64;

    /// What has been asked of the kernel, in the upper half of `user_data`; below it the connection.
    const ACCEPT: u64 = 0;
    const READ: u64 = 1;
    const SEND: u64 = 2;
    const PROVIDE: u64 = 3;

    pub(crate) fn serve(listener: TcpListener) -> io::Result<()> {
        println!("{}", listener.local_addr()?);
        let mut server = Server {
            ring: IoUring::new(256)?,
            listener,
            buffers: vec![0; BUFFER_LEN * usize::from(BUFFERS)],
            sessions: HashMap::new(),
            next: 0,
        };
        server.provide(0, BUFFERS)?;
        server.accept()?;
        loop {
            server.ring.submit_and_wait(1)?;
            let completed: Vec<_> = server.ring.completion().collect();
            for entry in completed {
                server.complete(&entry)?;
            }
        }
    }

    struct Server {
        ring: IoUring,
        listener: TcpListener,
        /// What the kernel reads into: `BUFFERS` pieces, each either the kernel's or this program's.
        buffers: Vec<u8>,
        sessions: HashMap<u32, Session>,
        next: u32,
    }

    struct Session {
        stream: TcpStream,
        state: State,
        /// Replies and heads that come before what is sent next.
        out: Vec<u8>,
        /// The pieces that wait, in order.
        queue: VecDeque<Vec<u8>>,
        /// What the kernel is sending: it must stay where it is.
        sending: Option<Box<Sending>>,
        is_reading: bool,
        /// Whether the connection ends once everything is sent.
        is_ending: bool,
    }

    struct Sending {
        pieces: Vec<Vec<u8>>,
        slices: Vec<libc::iovec>,
    }

    enum State {
        Opening(Box<ServerHandshake>),
        Open(Box<Connection>),
    }

    impl Server {
        fn push(&mut self, entry: squeue::Entry, kind: u64, session: u32) -> io::Result<()> {
            let entry = entry.user_data(kind << 32 | u64::from(session));
            loop {
                // SAFETY: reads go to `buffers`, which live as long as the ring; what is sent is boxed
                // in `Session::sending` until its completion, and so is the session.
                #[expect(unsafe_code, reason = "the kernel uses the memory until the completion")]
                let pushed = unsafe { self.ring.submission().push(&entry) };
                match pushed {
                    Ok(()) => return Ok(()),
                    Err(_) => drop(self.ring.submit()?), // the queue is full
                }
            }
        }

        fn accept(&mut self) -> io::Result<()> {
            let listener = types::Fd(self.listener.as_raw_fd());
            self.push(opcode::AcceptMulti::new(listener).build(), ACCEPT, 0)
        }

        /// Gives buffers to the kernel.
        fn provide(&mut self, first: u16, count: u16) -> io::Result<()> {
            let start = usize::from(first) * BUFFER_LEN;
            let Some(buffers) = self.buffers.get_mut(start..) else { return Ok(()) };
            let len = i32::try_from(BUFFER_LEN).map_err(io::Error::other)?;
            let buffers = buffers.as_mut_ptr();
            let provide = opcode::ProvideBuffers::new(buffers, len, count, GROUP, first);
            self.push(provide.build(), PROVIDE, 0)
        }

        fn complete(&mut self, entry: &cqueue::Entry) -> io::Result<()> {
            let session = u32::try_from(entry.user_data() & u64::from(u32::MAX)).unwrap_or(0);
            let kind = entry.user_data() >> 32;
            match kind {
                ACCEPT => {
                    if let Ok(fd) = u32::try_from(entry.result()) {
                        // SAFETY: the kernel has just opened it, for this program alone.
                        #[expect(unsafe_code, reason = "a descriptor becomes a stream")]
                        let stream = unsafe { TcpStream::from_raw_fd(fd.cast_signed()) };
                        stream.set_nodelay(true)?;
                        self.sessions.insert(self.next, Session::new(stream));
                        self.advance(self.next)?;
                        self.next = self.next.wrapping_add(1);
                    }
                    if !cqueue::more(entry.flags()) {
                        self.accept()?;
                    }
                    Ok(())
                }
                READ => {
                    self.completed_read(session, entry)?;
                    self.advance(session)
                }
                SEND => {
                    if let Some(session) = self.sessions.get_mut(&session) {
                        session.sent(entry.result());
                    }
                    self.advance(session)
                }
                _ => Ok(()),
            }
        }

        fn completed_read(&mut self, id: u32, entry: &cqueue::Entry) -> io::Result<()> {
            let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
            session.is_reading = false;
            if let Some(buffer) = cqueue::buffer_select(entry.flags()) {
                let start = usize::from(buffer) * BUFFER_LEN;
                let len = usize::try_from(entry.result()).unwrap_or(0);
                session.take(self.buffers.get_mut(start..start + len).unwrap_or_default());
                session.is_ending |= len == 0;
                return self.provide(buffer, 1);
            }
            // For want of a buffer it is tried again; otherwise the stream has ended or is broken.
            session.is_ending |= entry.result() != -libc::ENOBUFS;
            Ok(())
        }

        /// Asks for what is to be done next; drops a session that is done.
        fn advance(&mut self, id: u32) -> io::Result<()> {
            let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
            let send = session.start_send();
            let read = session.start_read();
            if session.is_ending && session.sending.is_none() && !session.is_reading {
                self.sessions.remove(&id);
            }
            if let Some(send) = send {
                self.push(send, SEND, id)?;
            }
            if let Some(read) = read {
                self.push(read, READ, id)?;
            }
            Ok(())
        }
    }

    impl Session {
        fn new(stream: TcpStream) -> Self {
            let handshake = Box::new(ServerHandshake::new(HandshakeLimits::default()));
            Self {
                stream,
                state: State::Opening(handshake),
                out: Vec::new(),
                queue: VecDeque::new(),
                sending: None,
                is_reading: false,
                is_ending: false,
            }
        }

        /// Reads into a buffer of the kernel's choice, unless too much waits to be sent.
        fn start_read(&mut self) -> Option<squeue::Entry> {
            let waiting: usize = self.queue.iter().map(Vec::len).sum();
            if self.is_reading || self.is_ending || waiting > QUEUED_LEN_MAX {
                return None;
            }
            self.is_reading = true;
            let stream = types::Fd(self.stream.as_raw_fd());
            let read = opcode::Recv::new(stream, std::ptr::null_mut(), 0).buf_group(GROUP);
            Some(read.build().flags(squeue::Flags::BUFFER_SELECT))
        }

        /// Sends what waits, each piece from where it is.
        fn start_send(&mut self) -> Option<squeue::Entry> {
            self.queue_out();
            if self.sending.is_some() || self.queue.is_empty() {
                return None;
            }
            let count = self.queue.len().min(PIECES_MAX);
            let pieces: Vec<_> = self.queue.drain(..count).collect();
            let slice = |piece: &Vec<u8>| libc::iovec {
                iov_base: piece.as_ptr().cast_mut().cast(),
                iov_len: piece.len(),
            };
            let slices: Vec<_> = pieces.iter().map(slice).collect();
            let sending = self.sending.insert(Box::new(Sending { pieces, slices }));
            let stream = types::Fd(self.stream.as_raw_fd());
            let count = u32::try_from(sending.slices.len()).unwrap_or(0);
            Some(opcode::Writev::new(stream, sending.slices.as_ptr(), count).build())
        }

        /// Takes note of a completed send; what the socket did not take comes first in the next.
        fn sent(&mut self, result: i32) {
            let Some(sending) = self.sending.take() else { return };
            let Ok(mut len) = usize::try_from(result) else {
                self.queue.clear();
                self.is_ending = true;
                return;
            };
            let mut left = Vec::new();
            for mut piece in sending.pieces {
                let taken = len.min(piece.len());
                len -= taken;
                if taken < piece.len() {
                    left.push(piece.split_off(taken));
                }
            }
            for piece in left.into_iter().rev() {
                self.queue.push_front(piece);
            }
        }

        fn queue_out(&mut self) {
            if !self.out.is_empty() {
                self.queue.push_back(mem::take(&mut self.out));
            }
        }

        /// Takes all that was read.
        fn take(&mut self, mut input: &mut [u8]) {
            if let State::Opening(handshake) = &mut self.state {
                match handshake.receive(&mut input) {
                    Ok(None) => return,
                    Ok(Some(_)) => {
                        let accepted = handshake.accept(&Acceptance::new(), &mut self.out);
                        self.is_ending = accepted.is_err();
                        self.state = State::Open(Box::new(ConnectionBuilder::server().open()));
                    }
                    Err(error) => {
                        handshake.reject(Rejection::from(error), &mut self.out).ok();
                        self.is_ending = true;
                        return;
                    }
                }
            }
            // What follows the head are frames already.
            while !input.is_empty() && !self.is_ending {
                input = self.take_message(input);
            }
        }

        /// Takes one event, and queues its echo; returns the rest.
        fn take_message<'i>(&mut self, input: &'i mut [u8]) -> &'i mut [u8] {
            let State::Open(connection) = &mut self.state else { return &mut [] };
            let Ok(step) = connection.receive_at(input, &mut self.out) else {
                self.is_ending = true; // after the Close that says why
                return &mut [];
            };
            let (event, rest) = input.split_at_mut(step.taken());
            let opcode = match step.event().map(Found::kind) {
                Some(EventKind::Text) => Opcode::Text,
                Some(EventKind::Binary) => Opcode::Binary,
                _ => {
                    self.is_ending = connection.ready_state() == ReadyState::Closed;
                    return rest;
                }
            };
            let payload = match step.into_event() {
                Some(Found::Input(_, place)) => event.get(place).unwrap_or_default().to_vec(),
                _ => connection.take_message(), // not copied
            };
            // Replies that are due come first. Then all the checks of `send`, and nothing written.
            connection.sender().flush(&mut self.out);
            if let Ok((head, _)) = connection.sender().head(opcode, payload.len() as u64) {
                self.out.extend_from_slice(head.as_bytes());
                self.queue_out();
                self.queue.push_back(payload);
            }
            rest
        }
    }
}
