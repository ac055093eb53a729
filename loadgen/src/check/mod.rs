//! Uses one connection to list what a server can do: `loadgen check URL`.
//!
//! Separate from the workers because it generates no load: it takes one step after the other,
//! reports the result of each, and stops only where nothing can follow.

mod list;
mod scenario;

use std::fmt::Write as _;
use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Builder;
use tokio::time::{Instant, timeout};
use wscodec::deflate::{DeflateAgreed, DeflateClient};
use wscodec::handshake::{ClientHandshake, HandshakeKey, Response};
use wscodec::{CloseCode, CloseFrame, Connection, ConnectionBuilder, Event, Message, ReadyState};

use self::list::{List, Mark};
use crate::cli::CheckArgs;
use crate::clock::Clock;
use crate::config::{Network, Purpose, Request, Target};
use crate::deflate::{self, Offer};
use crate::exit::{Exit, Failed};
use crate::net::{Families, Routes, Stream, spoken};
use crate::run::request;
use crate::scenario::preset;
use crate::{escape, refusal, units};

/// Time limit for the answer to a message, however much else the server sends.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait for the body of a refusal, and how much of it to read.
const BODY_TIMEOUT: Duration = Duration::from_millis(300);
const BODY_LEN_MAX: usize = 4 << 10;
/// Messages of the server to show as a sample of what it sends.
const SHOWN_MAX: usize = 3;
const READ_SIZE: usize = 16 << 10;
const SHOWN_LEN_MAX: usize = 100;

/// Checks a server.
///
/// # Errors
/// [`Failed`] for wrong usage and for a name that doesn't resolve; what the server does wrong is
/// listed instead.
pub fn run(args: CheckArgs) -> Result<Exit, Failed> {
    if !args.what.contains("://") && preset::is_scenario(&args.what) {
        return scenario::read(&args.what, &args.set);
    }
    if let Some((name, _)) = args.set.first() {
        return Err(Failed::usage(format!("--set {name} fills a scenario; name one, not a URL")));
    }
    let target = Target::parse_for(&args.what, args.request.secrets()).map_err(Failed::usage)?;
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
        let opening = open(&mut list, clock, &routes, &settings);
        match timeout(settings.connect_timeout, opening).await {
            Err(_) => list.failed("opening", "no answer within the connect timeout"),
            Ok(None) => {}
            Ok(Some(mut open)) => {
                open.messages(&mut list).await;
                open.close(&mut list, settings.close_timeout).await;
            }
        }
    });
    list.end()
}

fn timed(said: &str, ns: u64) -> String {
    format!("{said}   {}", units::duration(ns))
}

/// An open connection.
struct Open {
    stream: Stream,
    codec: Connection,
    /// Whether permessage-deflate was agreed on.
    is_deflated: bool,
    clock: Clock,
    buffer: Vec<u8>,
    /// The bytes that have been read but not processed: `buffer[begin..end]`.
    begin: usize,
    end: usize,
    /// The first messages that didn't answer anything.
    unasked: Vec<String>,
    /// Whether the stream has ended.
    is_ended: bool,
}

/// What has been received, with its bytes.
#[derive(Debug, PartialEq, Eq)]
enum Received {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(CloseCode, String)>),
}

/// How a server answered a message.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// As it must, or as an echo server does.
    Expected,
    /// With other messages, of which this is the last.
    Other(String),
    /// Not at all within [`ANSWER_TIMEOUT`].
    Nothing,
    /// By closing, with the code if it gave one.
    Closed(Option<CloseCode>, String),
    /// By ending the stream without a Close.
    Ended(String),
    /// By breaking the protocol.
    Broken(String),
}

async fn open(list: &mut List, clock: Clock, routes: &Routes, settings: &Request) -> Option<Open> {
    let offer = settings.deflate;
    let route = routes.all().first()?;
    if !route.addresses.is_empty() {
        let shown = route.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        list.step(
            "resolve",
            Ok(route.dns_ns.map_or_else(|| shown.clone(), |ns| timed(&shown, ns))),
        );
    }
    let mut stream = way(list, clock, routes, settings.connect_timeout).await?;
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
            let codec = ConnectionBuilder::client()
                .limits(settings.limits(0))
                .extension(agreed.as_ref())
                .open();
            let is_deflated = agreed.is_some();
            let unasked = Vec::new();
            Some(Open {
                stream,
                codec,
                is_deflated,
                clock,
                buffer,
                begin: 0,
                end,
                unasked,
                is_ended: false,
            })
        }
        Err(why) => {
            list.step("upgrade", Err(why));
            None
        }
    }
}

/// Connects to the server, in one step each: socket, proxy, TLS.
async fn way(
    list: &mut List,
    clock: Clock,
    routes: &Routes,
    connect_timeout: Duration,
) -> Option<Stream> {
    let route = routes.all().first()?;
    let mut begin_ns = clock.now_ns();
    let mut lap_ns = || {
        let now_ns = clock.now_ns();
        now_ns - std::mem::replace(&mut begin_ns, now_ns)
    };
    let name = if route.addresses.is_empty() { "unix" } else { "tcp" };
    let deadline = Instant::now() + connect_timeout;
    let dialled = routes.connect(route, 0, deadline, Families::default()).await;
    let mut stream = list.taken(name, dialled.stream)?;
    let took_ns = lap_ns();
    match route.addresses.get(dialled.place).filter(|_| route.addresses.len() > 1) {
        Some(address) => list.step(name, Ok(timed(&address.to_string(), took_ns))),
        None => list.step(name, Ok(units::duration(took_ns))),
    }
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

/// The result of an opening handshake.
struct Upgraded {
    negotiated: Negotiated,
    agreed: Option<DeflateAgreed>,
    /// The bytes after the response.
    rest: Vec<u8>,
}

/// Describes what was agreed on for permessage-deflate.
fn agreement(offer: Offer, agreed: Option<&DeflateAgreed>) -> Result<String, String> {
    match agreed {
        Some(agreed) => Ok(deflate::agreed(agreed)),
        None if offer.is_required => Err("declined by the server (--deflate-required)".into()),
        None => Ok("declined by the server".into()),
    }
}

/// Performs the opening handshake.
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
        let spoken = spoken(input);
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
                    Some(error) => match spoken.filter(|_| error.name() == "not_http") {
                        Some(said) => said.into(),
                        None => error.to_string(),
                    },
                    None => "the stream ended".into(),
                };
                let Some(response) = handshake.response() else { return Err(why) };
                if response.status() == 101 {
                    return Err(format!("{why} (101)"));
                }
                let coding = response.header("Transfer-Encoding").unwrap_or_default();
                let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
                let mut said = format!("server answered {}", refusal::said(response));
                let body = body(stream, input).await;
                if let Some(line) = refusal::first_line(&body, is_chunked) {
                    write!(said, "; it says: {line}").ok(); // writing to a String can't fail
                }
                return Err(said);
            }
        }
    }
}

/// Returns the start of a refusal's body: what came with the head, and what arrives soon after.
async fn body(stream: &mut Stream, came: &[u8]) -> Vec<u8> {
    let mut body = came.to_vec();
    let more = async {
        let mut buffer = [0; BODY_LEN_MAX];
        while body.len() < BODY_LEN_MAX {
            match stream.read(&mut buffer).await {
                Ok(len @ 1..) => body.extend_from_slice(&buffer[..len]),
                _ => return, // no more of it will arrive; show what has
            }
        }
    };
    timeout(BODY_TIMEOUT, more).await.ok();
    body.truncate(BODY_LEN_MAX);
    body
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
    /// Sends a Ping, which every endpoint answers (RFC 6455, 5.5.2), and messages, which an echo
    /// server sends back. A server that does otherwise is within its rights, and is sent no more.
    async fn messages(&mut self, list: &mut List) {
        const TEXT: &str = "loadgen check: gr\u{fc}\u{df}e \u{1f44b}";
        const BINARY: [u8; 6] = [0, 1, 0x7f, 0x80, 0xfe, 0xff];
        // The second may refer to the first.
        let rose = "loadgen check: a rose is a rose is a rose. ".repeat(24);
        let is_pong = |received: &Received| *received == Received::Pong(b"loadgen".to_vec());
        let (answer, said) = self.round(Message::Ping(b"loadgen"), None, is_pong).await;
        let is_open = match answer {
            Answer::Expected => {
                list.put(Mark::Ok, "ping", &said);
                true
            }
            Answer::Closed(code, said) if code != Some(CloseCode::PROTOCOL_ERROR) => {
                list.put(Mark::Note, "ping", &said);
                false
            }
            Answer::Nothing | Answer::Other(_) => {
                list.failed("ping", &format!("no Pong within {} s", ANSWER_TIMEOUT.as_secs()));
                true
            }
            Answer::Closed(_, why) | Answer::Ended(why) | Answer::Broken(why) => {
                list.failed("ping", &why);
                false
            }
        };
        let mut steps = vec![
            ("text", Message::Text(TEXT), None),
            ("binary", Message::Binary(&BINARY), None),
            ("empty", Message::Binary(b""), None),
            ("fragments", Message::Text(TEXT), NonZeroUsize::new(5)),
        ];
        if self.is_deflated {
            steps.extend([
                ("deflated", Message::Text(&rose), None),
                ("again", Message::Text(&rose), None),
            ]);
        }
        let mut left = steps.into_iter();
        let mut is_echo = None;
        while is_open && is_echo != Some(false) {
            let Some((name, message, pieces)) = left.next() else { break };
            let expected = match message {
                Message::Text(text) => Received::Text(text.as_bytes().to_vec()),
                other => Received::Binary(other.payload().to_vec()),
            };
            let (answer, said) =
                self.round(message, pieces, |received| *received == expected).await;
            // A server that has echoed one message is an echo server, and must echo the next.
            let mark = if is_echo.is_none() { Mark::Note } else { Mark::Failed };
            is_echo = Some(answer == Answer::Expected);
            let (mark, said) = match answer {
                Answer::Expected => (Mark::Ok, said),
                Answer::Other(other) => (mark, format!("no echo; it sent {other}")),
                Answer::Nothing => (
                    mark,
                    format!("no echo, and nothing else, within {} s", ANSWER_TIMEOUT.as_secs()),
                ),
                Answer::Closed(_, why) | Answer::Ended(why) => (mark, format!("no echo; {why}")),
                Answer::Broken(why) => (Mark::Failed, why),
            };
            list.failed += usize::from(mark == Mark::Failed);
            list.put(mark, name, &said);
        }
        let left: Vec<&str> = left.map(|(name, ..)| name).collect();
        if !left.is_empty() {
            let why = if is_open { "the endpoint does not echo" } else { "it is closed" };
            list.put(Mark::NotTried, "not tried", &format!("{}: {why}", left.join(", ")));
        }
        for unasked in std::mem::take(&mut self.unasked) {
            list.put(Mark::Note, "it sent", &unasked);
        }
    }

    /// Sends a message and waits for its answer; also returns its size and the time, in words.
    async fn round(
        &mut self,
        message: Message<'_>,
        pieces: Option<NonZeroUsize>,
        is_answer: impl Fn(&Received) -> bool,
    ) -> (Answer, String) {
        let sent_ns = self.clock.now_ns();
        let mut out = Vec::new();
        let encoded = match pieces {
            Some(size_max) => self.codec.send_fragmented(message, size_max, &mut out),
            None => self.codec.send(message, &mut out),
        };
        let mut last = None;
        let answer = if let Err(error) = encoded {
            Answer::Broken(error.to_string())
        } else {
            let answer = timeout(ANSWER_TIMEOUT, self.answer(&out, is_answer, &mut last)).await;
            answer.unwrap_or_else(|_| last.map_or(Answer::Nothing, Answer::Other))
        };
        let len = message.payload().len();
        let mut size = units::counted(len as u64, "byte");
        if self.is_deflated {
            write!(size, ", {} on the wire", out.len()).ok(); // writing to a String can't fail
        }
        (answer, timed(&size, self.clock.now_ns() - sent_ns))
    }

    async fn answer(
        &mut self,
        out: &[u8],
        is_answer: impl Fn(&Received) -> bool,
        last: &mut Option<String>,
    ) -> Answer {
        if let Err(error) = self.stream.write_all(out).await {
            return Answer::Ended(error.to_string());
        }
        loop {
            match self.next().await {
                Err(answer) => {
                    self.is_ended = true;
                    return answer;
                }
                Ok(received) if is_answer(&received) => return Answer::Expected,
                Ok(Received::Close(frame)) => {
                    let said = closed(frame.as_ref());
                    return Answer::Closed(frame.map(|(code, _)| code), said);
                }
                Ok(other) => {
                    let shown = shown(&other);
                    if self.unasked.len() < SHOWN_MAX {
                        self.unasked.push(shown.clone());
                    }
                    *last = Some(shown);
                }
            }
        }
    }

    /// Returns the next event. Sends the answers that it requires.
    async fn next(&mut self) -> Result<Received, Answer> {
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
                        let own = |frame: CloseFrame<'_>| (frame.code, frame.reason.to_owned());
                        Ok(Some(Received::Close(frame.map(own))))
                    }
                    Ok(_) => Ok(None),
                    Err(error) => {
                        let said = refusal::too_large(&error);
                        let said = said
                            .unwrap_or_else(|| format!("the server broke the protocol: {error}"));
                        Err(Answer::Broken(said))
                    }
                };
                (received, before - input.len())
            };
            self.begin += taken;
            self.stream.write_all(&out).await.map_err(|error| Answer::Ended(error.to_string()))?;
            match received? {
                Some(received) => return Ok(received),
                None if self.begin < self.end => continue,
                None => {}
            }
            let len = self
                .stream
                .read(&mut self.buffer)
                .await
                .map_err(|error| Answer::Ended(error.to_string()))?;
            if len == 0 {
                self.is_ended = true;
                return Err(Answer::Ended("the server ended the stream without a Close".into()));
            }
            (self.begin, self.end) = (0, len);
        }
    }

    async fn close(&mut self, list: &mut List, bound: Duration) {
        let begin_ns = self.clock.now_ns();
        if self.codec.ready_state() != ReadyState::Open || self.is_ended {
            list.put(Mark::NotTried, "close", "not tried: the server closed first");
            return;
        }
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
            let received = self.next().await.map_err(|answer| match answer {
                Answer::Ended(why) | Answer::Broken(why) => why,
                other => format!("{other:?}"),
            })?;
            if let Received::Close(frame) = received {
                return Ok(frame.map_or("without code".into(), |frame| code_and_reason(&frame)));
            }
        }
    }
}

/// Describes a Close from the server.
fn closed(frame: Option<&(CloseCode, String)>) -> String {
    frame.map_or("the server closed without code".into(), |frame| {
        format!("the server closed with {}", code_and_reason(frame))
    })
}

fn code_and_reason((code, reason): &(CloseCode, String)) -> String {
    if reason.is_empty() { code.to_string() } else { format!("{code} {reason:?}") }
}

fn shown(received: &Received) -> String {
    match received {
        Received::Text(text) => format!("text {}", escape::bytes(text, SHOWN_LEN_MAX)),
        Received::Binary(bytes) => format!("binary {}", escape::bytes(bytes, SHOWN_LEN_MAX)),
        Received::Pong(payload) => format!("pong {}", escape::bytes(payload, SHOWN_LEN_MAX)),
        Received::Close(frame) => closed(frame.as_ref()),
    }
}
