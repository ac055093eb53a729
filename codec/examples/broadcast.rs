//! A room: every text of a member goes to all members, compressed once for all who agreed on the same.
//!
//! ```text
//! cargo run -p wscodec --features deflate --example broadcast -- 127.0.0.1:9001
//! ```
//!
//! A thread reads from each member and another writes to it, over halves of its connection. A member
//! that never reads is dropped, and costs no more than its queue.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver as Inbox, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use wscodec::connection::{Receiver, Reply};
use wscodec::deflate::{Deflate, DeflatePool, DeflateServer};
use wscodec::handshake::{Acceptance, HandshakeLimits, ServerHandshake};
use wscodec::{ConnectionBuilder, Event, Message, PreparedMessage, Sender};

/// The messages that may wait for a member before it is dropped.
const QUEUED_MAX: usize = 256;

enum Order {
    Reply(Reply),
    Say(Arc<PreparedMessage>),
}

type Room = Arc<Mutex<HashMap<u64, SyncSender<Order>>>>;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("{}", listener.local_addr()?);
    let (room, pool) = (Room::default(), DeflatePool::new(4));
    for (id, stream) in (0..).zip(listener.incoming()) {
        let (stream, room, pool) = (stream?, Arc::clone(&room), pool.clone());
        thread::spawn(move || {
            if let Err(error) = serve(id, stream, &room, &pool) {
                eprintln!("member {id}: {error}");
            }
            leave(&room, id);
        });
    }
    Ok(())
}

fn serve(id: u64, mut stream: TcpStream, room: &Room, pool: &DeflatePool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let mut handshake = ServerHandshake::new(HandshakeLimits::default());
    let mut buffer = vec![0; 16 << 10];
    let unread = loop {
        let len = stream.read(&mut buffer)?;
        let mut input = buffer.get_mut(..len).unwrap_or_default();
        if len == 0 {
            return Ok(());
        }
        if handshake.receive(&mut input).map_err(io::Error::other)?.is_some() {
            break len - input.len()..len;
        }
    };
    let (mut deflate, mut out) = (DeflateServer::new(Deflate::server()), Vec::new());
    handshake
        .accept_with_extensions(&Acceptance::new(), &mut deflate, &mut out)
        .map_err(io::Error::other)?;
    stream.write_all(&out)?;
    let agreed = deflate.agreed().map(|agreed| agreed.with_pool(pool));
    let connection = ConnectionBuilder::server().extension(agreed.as_ref()).open();
    let (receiver, sender) = connection.split();

    let (orders, inbox) = sync_channel(QUEUED_MAX);
    lock(room).insert(id, orders.clone());
    let write_stream = stream.try_clone()?;
    thread::spawn(move || {
        write(&write_stream, sender, &inbox).ok(); // the reading half sees the end
        write_stream.shutdown(Shutdown::Both).ok();
    });
    read(stream, receiver, &mut buffer, unread, &orders, room)
}

fn read(
    mut stream: TcpStream,
    mut receiver: Receiver,
    buffer: &mut [u8],
    unread: std::ops::Range<usize>,
    orders: &SyncSender<Order>,
    room: &Room,
) -> io::Result<()> {
    let (mut range, mut replies) = (unread, Vec::new());
    loop {
        let mut input = buffer.get_mut(range).unwrap_or_default();
        let outcome = loop {
            match receiver.receive(&mut input, &mut replies) {
                Ok(Some(Event::Text(text))) => say(room, text),
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        for reply in replies.drain(..) {
            // Waits for the writing half, and with it for the member.
            orders.send(Order::Reply(reply)).map_err(|_| io::ErrorKind::BrokenPipe)?;
        }
        outcome.map_err(io::Error::other)?;
        range = 0..stream.read(buffer)?;
        if range.is_empty() || receiver.is_done() {
            return Ok(());
        }
    }
}

fn write(mut stream: &TcpStream, mut sender: Sender, inbox: &Inbox<Order>) -> io::Result<()> {
    let mut out = Vec::new();
    for order in inbox {
        match order {
            Order::Reply(reply) => sender.reply(reply, &mut out),
            Order::Say(message) => match sender.prepared_frame(&message) {
                Ok(frame) => stream.write_all(&frame)?, // the bytes are shared by all
                Err(_) => return Ok(()),                // closed
            },
        }
        stream.write_all(&out)?;
        out.clear();
        if sender.ready_state() == wscodec::ReadyState::Closed {
            return Ok(());
        }
    }
    Ok(())
}

fn say(room: &Room, text: &str) {
    let Ok(message) = PreparedMessage::new(Message::Text(text)) else { return };
    let message = Arc::new(message);
    lock(room).retain(|_, member| member.try_send(Order::Say(Arc::clone(&message))).is_ok());
}

fn leave(room: &Room, id: u64) {
    lock(room).remove(&id);
}

fn lock(room: &Room) -> std::sync::MutexGuard<'_, HashMap<u64, SyncSender<Order>>> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}
