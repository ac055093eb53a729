//! `handshake`: the server's side of the opening handshake: a request read, the response written,
//! and a connection ready.
//!
//! A peer's time holds what it allocates for the connection: 128 KiB of read buffer in tungstenite,
//! 1 MiB in nexus-web.

use std::marker::PhantomData;
use std::rc::Rc;

use crate::contest::{Contest, Contestant, Entry, Plan, Standing};
use crate::memory::{MemoryStream, Output};
use crate::peer::{Acceptor, nexus_web, sockudo, soketto, tokio_websockets, tungstenite, wscodec};
use crate::sink::Work;

/// RFC 6455, 1.3, and what it must be answered with.
const SHORT: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// As a browser sends it.
const BROWSER: &str = "GET /live/updates?channel=42 HTTP/1.1\r\nHost: www.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Sec-WebSocket-Version: 13\r\nOrigin: https://www.example.com\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    DNT: 1\r\nSec-GPC: 1\r\nConnection: keep-alive, Upgrade\r\n\
    Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=yes\r\n\
    Sec-Fetch-Dest: websocket\r\nSec-Fetch-Mode: websocket\r\nSec-Fetch-Site: same-origin\r\n\
    Pragma: no-cache\r\nCache-Control: no-cache\r\nUpgrade: websocket\r\n\r\n";

const RUN: u64 = 16;

pub(super) fn plans(plans: &mut Vec<Plan>) {
    for request in [SHORT, BROWSER] {
        plans.push(Plan::new("handshake", "accept", request.len(), || contest(request)));
    }
}

fn contest(request: &'static str) -> Contest {
    Contest {
        work: work(request),
        entries: vec![
            entry::<wscodec::Accepting>(request, Standing::Subject),
            entry::<tungstenite::Accepting>(request, Standing::Peer),
            entry::<tokio_websockets::Accepting>(request, Standing::Peer),
            entry::<soketto::Accepting>(request, Standing::Peer),
            entry::<sockudo::Accepting>(request, Standing::Peer),
            entry::<nexus_web::Accepting>(request, Standing::Peer),
        ],
    }
}

fn work(request: &str) -> Work {
    Work { items: RUN, bytes: RUN * request.len() as u64 }
}

fn entry<A: Acceptor + 'static>(request: &'static str, standing: Standing) -> Entry {
    let wire = Rc::from(request.as_bytes());
    let accepting = Accepting::<A> { request, wire, acceptor: PhantomData };
    Entry::new(A::NAME, standing, accepting)
}

struct Accepting<A> {
    request: &'static str,
    wire: Rc<[u8]>,
    acceptor: PhantomData<A>,
}

impl<A: Acceptor> Accepting<A> {
    fn stream(&self) -> (MemoryStream, Output) {
        let stream = MemoryStream::new(Rc::clone(&self.wire), usize::MAX);
        let output = stream.output();
        (stream, output)
    }
}

impl<A: Acceptor> Contestant for Accepting<A> {
    fn run(&mut self) -> Work {
        for _ in 0..RUN {
            let (stream, output) = self.stream();
            A::accept(stream);
            if output.take_len() == 0 {
                return Work::default();
            }
        }
        work(self.request)
    }

    fn is_right(&mut self) -> bool {
        let (stream, output) = self.stream();
        let response = output.kept(|| A::accept(stream));
        let response = String::from_utf8_lossy(&response);
        response.starts_with("HTTP/1.1 101 ")
            && response.contains(ACCEPT)
            && response.ends_with("\r\n\r\n")
    }
}
