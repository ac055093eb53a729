//! Uses one connection to list what a server can do: `loadgen check URL`.
//!
//! Separate from the workers because it generates no load: it takes one step after the other,
//! reports the result of each, and stops only where nothing can follow.

mod connection;
mod http2;
mod list;
mod opening;
mod packet;
mod scenario;
mod transcript;
mod upgraded;
mod user;

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::runtime::{Builder, LocalOptions};
use tokio::time::timeout;
use wscodec::{CloseCode, Message};

use self::connection::{Answer, Open, Received, closed, shown};
use self::list::{List, Mark};
use crate::cli::{CheckArgs, NetworkArgs, RequestArgs};
use crate::clock::Clock;
use crate::config::{Network, Purpose, Request, Target};
use crate::exit::{Exit, Failed};
use crate::net::Routes;
use crate::scenario::preset;
use crate::units;

/// Time limit for the answer to a message, however much else the server sends.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Messages of the server to show as a sample of what it sends.
const SHOWN_MAX: usize = 3;
const READ_SIZE: usize = 16 << 10;
const SHOWN_LEN_MAX: usize = 100;

/// Checks a server, or a scenario.
///
/// # Errors
/// [`Failed`] for wrong usage and for a name that doesn't resolve; what the server does wrong is
/// listed instead.
pub fn run(args: CheckArgs) -> Result<Exit, Failed> {
    if !args.what.contains("://") && preset::is_scenario(&args.what) {
        return scenario::run(args);
    }
    args.scenario.refuse().map_err(Failed::usage)?;
    let prepared = Prepared::new(&args.what, &args.request, args.network)?;
    let close_timeout = prepared.settings.close_timeout;
    prepared.connected(async |open: &mut Open, list: &mut List| {
        open.messages(list).await;
        open.close(list, close_timeout).await;
    })
}

/// What one connection takes.
struct Prepared {
    target: Target,
    settings: Request,
    routes: Routes,
}

impl Prepared {
    fn new(url: &str, request: &RequestArgs, network: NetworkArgs) -> Result<Self, Failed> {
        let target = Target::parse_for(url, request.secrets()).map_err(Failed::usage)?;
        let settings = Request::new(request, Purpose::Request).map_err(Failed::usage)?;
        let targets = [target];
        let network = Network::new(network, &targets).map_err(Failed::usage)?;
        let [target] = targets;
        let requests = vec![crate::payload::first_request(Some(&target), &settings)?];
        let bound = settings.connect_timeout;
        let routes = Routes::new(std::slice::from_ref(&target), requests, &network, bound)?;
        Ok(Self { target, settings, routes })
    }

    /// Opens the connection, and lists how; then does `check` on it.
    fn connected(self, check: impl AsyncFnOnce(&mut Open, &mut List)) -> Result<Exit, Failed> {
        let Self { target, settings, routes } = self;
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build_local(LocalOptions::default())
            .map_err(|error| Failed::run(format!("no runtime: {error}")))?;
        let mut list = List::new(&target);
        runtime.block_on(async {
            let opening = opening::open(&mut list, Clock::start(), &routes, &settings);
            match timeout(settings.connect_timeout, opening).await {
                Err(_) => list.failed("opening", "no answer within the connect timeout"),
                Ok(None) => {}
                Ok(Some(mut open)) => check(&mut open, &mut list).await,
            }
        });
        list.end()
    }
}

fn timed(said: &str, ns: u64) -> String {
    format!("{said}   {}", units::duration(ns))
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
}
