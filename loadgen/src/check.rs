//! One connection to a list of what a server can do: `loadgen check URL`.
//!
//! Apart from the workers because it has no load to make: it takes one step after the other, says
//! what came of each, and stops only where nothing can follow.

use std::io::{self, Write, stdout};
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Builder;
use tokio::time::timeout;
use wscodec::deflate::{DeflateAgreed, DeflateClient};
use wscodec::handshake::{ClientHandshake, HandshakeKey, Response};
use wscodec::{CloseCode, CloseFrame, Connection, ConnectionBuilder, Event, Message, ReadyState};

use crate::cli::CheckArgs;
use crate::clock::Clock;
use crate::config::{Network, Purpose, Request, Target};
use crate::deflate::{self, Offer};
use crate::exit::{Exit, Failed};
use crate::net::{Fault, Route, Routes, Stream, is_record};
use crate::run::request;
use crate::{escape, units};

/// Bound on the reply to one message.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);
/// Messages that nobody asked for and that are passed over in one step.
const SKIPPED_MAX: usize = 16;
const READ_SIZE: usize = 16 << 10;
const SHOWN_LEN_MAX: usize = 100;

/// Checks a server.
///
/// # Errors
/// [`Failed`] for wrong usage and for a name that doesn't resolve; what the server does wrong is in
/// the list instead.
pub fn run(args: CheckArgs) -> Result<Exit, Failed> {
    let target = Target::parse_for(&args.url, args.request.secrets()).map_err(Failed::usage)?;
    let settings = Request::new(&args.request, Purpose::Request).map_err(Failed::usage)?;
    let targets = [target];
    let network = Network::new(args.network, &targets).map_err(Failed::usage)?;
    let [target] = &targets;
    let requests = vec![request(Some(target), &settings)?];
    let routes = Routes::new(&targets, requests, &network, settings.connect_timeout)?;
    let mut list = List::new(target);
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| Failed::run(format!("no runtime: {error}")))?;
    runtime.block_on(async {
        let clock = Clock::start();
        let opening = open(&mut list, clock, &routes, settings.deflate);
        match timeout(settings.connect_timeout, opening).await {
            Err(_) => list.step("opening", Err("no answer within the connect timeout".into())),
            Ok(None) => {}
            Ok(Some(mut open)) => {
                let is_echo = open.messages(&mut list).await;
                if open.is_deflated {
                    open.deflated(&mut list, is_echo).await;
                }
                open.close(&mut list, settings.close_timeout).await;
            }
        }
    });
    list.end()
}

/// What came of each step, printed as it comes.
struct List {
    failed: usize,
    broken: Option<io::Error>,
}

impl List {
    fn new(target: &Target) -> Self {
        let mut list = Self { failed: 0, broken: None };
        list.print(&format!("check {target}"));
        list
    }

    fn step(&mut self, name: &str, outcome: Result<String, String>) {
        let (mark, said) = match outcome {
            Ok(said) => ("ok", said),
            Err(said) => {
                self.failed += 1;
                ("FAILED", said)
            }
        };
        self.print(&format!(" {mark:<8}{name:<14}{}", escape::control(&said, 300)));
    }

    /// What a step came to, or its failure in the list.
    fn taken<T>(&mut self, name: &str, outcome: Result<T, Fault>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(fault) => {
                self.step(name, Err(fault.said));
                None
            }
        }
    }

    fn print(&mut self, line: &str) {
        if let Err(error) = writeln!(stdout(), "{}", line.trim_end()) {
            self.broken.get_or_insert(error);
        }
    }

    fn end(mut self) -> Result<Exit, Failed> {
        let failed = self.failed;
        self.print(&match failed {
            0 => "all ok".to_owned(),
            1 => "1 step failed".to_owned(),
            _ => format!("{failed} steps failed"),
        });
        if let Some(error) = self.broken {
            return Err(Failed::run(format!("the list could not be written to stdout: {error}")));
        }
        Ok(if failed == 0 { Exit::Ok } else { Exit::Failed })
    }
}

fn timed(said: &str, ns: u64) -> String {
    format!("{said}   {}", units::duration(ns))
}

/// An open connection.
struct Open {
    stream: Stream,
    codec: Connection,
    /// permessage-deflate was agreed.
    is_deflated: bool,
    clock: Clock,
    buffer: Vec<u8>,
    /// What has been read and not taken: `buffer[begin..end]`.
    begin: usize,
    end: usize,
}

/// What has been received, with its bytes.
#[derive(Debug, PartialEq, Eq)]
enum Received {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<CloseCode>),
}

async fn open(
    list: &mut List,
    clock: Clock,
    routes: &Routes,
    offer: Option<Offer>,
) -> Option<Open> {
    let route = routes.all().first()?;
    if !route.addresses.is_empty() {
        let shown = route.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        list.step(
            "resolve",
            Ok(route.dns_ns.map_or_else(|| shown.clone(), |ns| timed(&shown, ns))),
        );
    }
    let mut stream = way(list, clock, routes, route).await?;
    let begin_ns = clock.now_ns();
    match upgrade(&mut stream, &route.request, offer).await {
        Ok(Upgraded { negotiated, agreed, rest }) => {
            list.step("upgrade", Ok(timed("101", clock.now_ns() - begin_ns)));
            for (name, value) in negotiated {
                list.step(name, Ok(value));
            }
            if let Some(offer) = offer {
                list.step("deflate", agreement(offer, agreed.as_ref()));
            }
            let mut buffer = rest;
            let end = buffer.len();
            buffer.resize(end.max(READ_SIZE), 0);
            let codec = ConnectionBuilder::client().extension(agreed.as_ref()).open();
            let is_deflated = agreed.is_some();
            Some(Open { stream, codec, is_deflated, clock, buffer, begin: 0, end })
        }
        Err(why) => {
            list.step("upgrade", Err(why));
            None
        }
    }
}

/// The way to the server, a step each: socket, proxy, TLS.
async fn way(list: &mut List, clock: Clock, routes: &Routes, route: &Route) -> Option<Stream> {
    let mut begin_ns = clock.now_ns();
    let mut lap_ns = || {
        let now_ns = clock.now_ns();
        now_ns - std::mem::replace(&mut begin_ns, now_ns)
    };
    let name = if route.addresses.is_empty() { "unix" } else { "tcp" };
    let connected = routes.connect(route, 0, &mut 0).await;
    let mut stream = list.taken(name, connected)?;
    list.step(name, Ok(units::duration(lap_ns())));
    if routes.has_proxy() {
        let tunnel = routes.tunnel(route, &mut stream).await;
        list.taken("proxy", tunnel)?;
        list.step("proxy", Ok(timed("tunnel", lap_ns())));
    }
    let secured = routes.secure(route, stream).await;
    let (stream, agreed) = list.taken("tls", secured)?;
    if let Some(agreed) = agreed {
        let alpn = agreed.alpn.as_deref().unwrap_or("none");
        let said = format!("{} {} alpn {alpn}", agreed.version, agreed.cipher);
        list.step("tls", Ok(timed(&said, lap_ns())));
    }
    Some(stream)
}

type Negotiated = Vec<(&'static str, String)>;

/// What an opening handshake came to.
struct Upgraded {
    negotiated: Negotiated,
    agreed: Option<DeflateAgreed>,
    /// The bytes behind the response.
    rest: Vec<u8>,
}

/// What was agreed of permessage-deflate, in words.
fn agreement(offer: Offer, agreed: Option<&DeflateAgreed>) -> Result<String, String> {
    match agreed {
        Some(agreed) => Ok(deflate::agreed(agreed)),
        None if offer.is_required => Err("declined by the server (--deflate-required)".into()),
        None => Ok("declined by the server".into()),
    }
}

/// The opening handshake.
async fn upgrade(
    stream: &mut Stream,
    request: &wscodec::handshake::ClientRequest,
    offer: Option<Offer>,
) -> Result<Upgraded, String> {
    let mut out = Vec::new();
    let offers = offer.map_or_else(DeflateClient::default, |it| DeflateClient::new(it.deflate));
    let key = HandshakeKey::random();
    let mut handshake = ClientHandshake::start_with_extensions(request, key, offers, &mut out)
        .map_err(|misuse| misuse.to_string())?;
    stream.write_all(&out).await.map_err(|error| error.to_string())?;
    let mut buffer = vec![0; READ_SIZE];
    loop {
        let len = stream.read(&mut buffer).await.map_err(|error| error.to_string())?;
        let mut input = buffer.get_mut(..len).unwrap_or_default();
        let is_tls = is_record(input);
        let outcome = if len == 0 {
            Err(handshake.receive_eof().err())
        } else {
            handshake.receive(&mut input).map(|response| response.map(negotiated)).map_err(Some)
        };
        match outcome {
            Ok(None) => {}
            Ok(Some(negotiated)) => {
                let rest = input.to_vec();
                let agreed = handshake.extensions().agreed().copied();
                return Ok(Upgraded { negotiated, agreed, rest });
            }
            Err(error) => {
                let why = match error {
                    Some(error) if is_tls && error.name() == "not_http" => {
                        "the server speaks TLS; use wss://".into()
                    }
                    Some(error) => error.to_string(),
                    None => "the stream ended".into(),
                };
                let status = handshake.response().map(|response| {
                    let reason = escape::bytes(response.reason(), SHOWN_LEN_MAX);
                    format!(" ({} {reason})", response.status())
                });
                return Err(why + status.as_deref().unwrap_or_default());
            }
        }
    }
}

fn negotiated(response: Response<'_>) -> Negotiated {
    let shown = |name| match response.header(name) {
        Some(value) => escape::bytes(value, SHOWN_LEN_MAX),
        None => "none".into(),
    };
    vec![
        ("subprotocol", shown("Sec-WebSocket-Protocol")),
        ("extensions", shown("Sec-WebSocket-Extensions")),
        ("server", shown("Server")),
    ]
}

impl Open {
    /// Echoes and a Ping. A server that isn't an echo server fails the first, and is asked no more.
    /// Returns whether it is one.
    async fn messages(&mut self, list: &mut List) -> bool {
        const TEXT: &str = "loadgen check: gr\u{fc}\u{df}e \u{1f44b}";
        const BINARY: [u8; 6] = [0, 1, 0x7f, 0x80, 0xfe, 0xff];
        // A reply takes its time only once; what a server doesn't echo it never echoes.
        let mut is_echo = self
            .round(list, "ping", Message::Ping(b"loadgen"), None, |received| {
                *received == Received::Pong(b"loadgen".to_vec())
            })
            .await;
        let pieces = NonZeroUsize::new(5);
        for (name, message, pieces) in [
            ("text", Message::Text(TEXT), None),
            ("binary", Message::Binary(&BINARY), None),
            ("empty", Message::Binary(b""), None),
            ("fragments", Message::Text(TEXT), pieces),
        ] {
            if !is_echo || self.codec.ready_state() != ReadyState::Open {
                list.step(name, Err("not tried".into()));
                continue;
            }
            let expected = match message {
                Message::Text(text) => Received::Text(text.as_bytes().to_vec()),
                other => Received::Binary(other.payload().to_vec()),
            };
            is_echo =
                self.round(list, name, message, pieces, |received| *received == expected).await;
        }
        is_echo
    }

    /// Echoes that compress well, twice: the second may refer to the first.
    async fn deflated(&mut self, list: &mut List, is_echo: bool) {
        let text = "loadgen check: a rose is a rose is a rose. ".repeat(24);
        let mut is_echo = is_echo;
        for name in ["deflated", "again"] {
            if !is_echo || self.codec.ready_state() != ReadyState::Open {
                list.step(name, Err("not tried".into()));
                continue;
            }
            let is_same = |received: &Received| *received == Received::Text(text.clone().into());
            is_echo = self.round(list, name, Message::Text(&text), None, is_same).await;
        }
    }

    /// Sends a message, and waits for what answers it.
    async fn round(
        &mut self,
        list: &mut List,
        name: &str,
        message: Message<'_>,
        pieces: Option<NonZeroUsize>,
        is_answer: impl Fn(&Received) -> bool,
    ) -> bool {
        let sent_ns = self.clock.now_ns();
        let mut out = Vec::new();
        let encoded = match pieces {
            Some(size_max) => self.codec.send_fragmented(message, size_max, &mut out),
            None => self.codec.send(message, &mut out),
        };
        let outcome = match encoded {
            Err(error) => Err(error.to_string()),
            Ok(()) => self.answer(&out, is_answer).await,
        };
        let is_ok = outcome.is_ok();
        let len = message.payload().len();
        let size = if self.is_deflated {
            format!("{len} bytes, {} on the wire", out.len())
        } else {
            format!("{len} bytes")
        };
        let said = outcome.map(|()| timed(&size, self.clock.now_ns() - sent_ns));
        list.step(name, said);
        is_ok
    }

    async fn answer(
        &mut self,
        out: &[u8],
        is_answer: impl Fn(&Received) -> bool,
    ) -> Result<(), String> {
        self.stream.write_all(out).await.map_err(|error| error.to_string())?;
        let mut last = None;
        for _ in 0..SKIPPED_MAX {
            let received = match timeout(REPLY_TIMEOUT, self.next()).await {
                Ok(received) => received?,
                Err(_) => return Err(last.unwrap_or_else(|| "no reply within 5 s".into())),
            };
            match received {
                received if is_answer(&received) => return Ok(()),
                Received::Close(code) => return Err(closed(code)),
                other => last = Some(format!("another reply: {}", shown(&other))),
            }
        }
        Err("no reply among many other messages".into())
    }

    /// The next event. Answers that it leads to are sent.
    async fn next(&mut self) -> Result<Received, String> {
        loop {
            let mut out = Vec::new();
            let (received, taken) = {
                let mut input = self.buffer.get_mut(self.begin..self.end).unwrap_or_default();
                let before = input.len();
                let received = match self.codec.receive(&mut input, &mut out) {
                    Ok(Some(Event::Text(text))) => Ok(Some(Received::Text(text.into()))),
                    Ok(Some(Event::Binary(bytes))) => Ok(Some(Received::Binary(bytes.to_vec()))),
                    Ok(Some(Event::Pong(payload))) => Ok(Some(Received::Pong(payload.to_vec()))),
                    Ok(Some(Event::Close(frame))) => {
                        Ok(Some(Received::Close(frame.map(|frame| frame.code))))
                    }
                    Ok(_) => Ok(None),
                    Err(error) => Err(format!("the server broke the protocol: {error}")),
                };
                (received, before - input.len())
            };
            self.begin += taken;
            self.stream.write_all(&out).await.map_err(|error| error.to_string())?;
            match received? {
                Some(received) => return Ok(received),
                None if self.begin < self.end => continue,
                None => {}
            }
            let len =
                self.stream.read(&mut self.buffer).await.map_err(|error| error.to_string())?;
            if len == 0 {
                return Err("the server ended the stream".into());
            }
            (self.begin, self.end) = (0, len);
        }
    }

    async fn close(&mut self, list: &mut List, bound: Duration) {
        let begin_ns = self.clock.now_ns();
        let outcome = timeout(bound, self.close_handshake()).await;
        list.step(
            "close",
            match outcome {
                Ok(outcome) => outcome.map(|said| timed(&said, self.clock.now_ns() - begin_ns)),
                Err(_) => Err("no answer to Close within the close timeout".into()),
            },
        );
        if self.codec.ready_state() != ReadyState::Closed {
            return;
        }
        let mut rest = [0; 64];
        let ended = async {
            while self.stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        };
        list.step(
            "end of stream",
            match timeout(bound, ended).await {
                Ok(Ok(())) => Ok(units::duration(self.clock.now_ns() - begin_ns)),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("the server keeps the stream open after Close".into()),
            },
        );
    }

    async fn close_handshake(&mut self) -> Result<String, String> {
        let mut out = Vec::new();
        let frame = CloseFrame { code: CloseCode::NORMAL, reason: "" };
        if self.codec.close(Some(frame), &mut out).is_err() {
            return Err("it was closed before".into());
        }
        self.stream.write_all(&out).await.map_err(|error| error.to_string())?;
        loop {
            if let Received::Close(code) = self.next().await? {
                return Ok(code.map_or("without code".into(), |code| code.to_string()));
            }
        }
    }
}

fn closed(code: Option<CloseCode>) -> String {
    code.map_or("the server closed without code".into(), |code| {
        format!("the server closed with {code}")
    })
}

fn shown(received: &Received) -> String {
    match received {
        Received::Text(text) => format!("text {}", escape::bytes(text, SHOWN_LEN_MAX)),
        Received::Binary(bytes) => format!("binary {}", escape::bytes(bytes, SHOWN_LEN_MAX)),
        Received::Pong(payload) => format!("pong {}", escape::bytes(payload, SHOWN_LEN_MAX)),
        Received::Close(code) => closed(*code),
    }
}
