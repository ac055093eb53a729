//! Clients of `events`, all of them getting its events in one way:
//! `subscribers WAY PORT CLIENTS WARMUP_S SECONDS [POLL_EVERY_MS]`, where WAY is poll, long, sse or ws.
//!
//! Prints `begin` and `end` around the measured time, so that others can look at what they count,
//! and then its own counts as JSON. An event's latency is the time from its coming about, which is
//! in it, to the read that brought it; the clock is CLOCK_MONOTONIC on both sides.

use std::cell::RefCell;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};
use wscodec_tokio::client_async;
use wscodec_tokio::wscodec::handshake::ClientRequest;

type Outcome = Result<(), Box<dyn Error>>;

/// The headers that Chromium 156 sends with a `fetch` by a page of the same origin, without cookies.
/// It sends much the same to open a stream of events, and fewer to open a WebSocket.
const HEADERS: &[(&str, &str)] = &[
    ("sec-ch-ua-platform", "\"Linux\""),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 \
         Safari/537.36",
    ),
    ("sec-ch-ua", "\"Not:A-Brand\";v=\"8\", \"Chromium\";v=\"156\""),
    ("sec-ch-ua-mobile", "?0"),
    ("Accept", "*/*"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "cors"),
    ("Sec-Fetch-Dest", "empty"),
    ("Referer", "http://127.0.0.1:9001/"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-US,en;q=0.9"),
];

#[derive(Default)]
struct Counts {
    is_measuring: bool,
    sent_bytes: u64,
    received_bytes: u64,
    requests: u64,
    events: u64,
    /// Events that a client missed, had twice or out of order, at any time.
    faults: u64,
    latencies_ns: Vec<u64>,
}

#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Counts>>);

impl Shared {
    fn count(&self, count: impl FnOnce(&mut Counts)) {
        let counts = &mut *self.0.borrow_mut();
        if counts.is_measuring {
            count(counts);
        }
    }
}

/// A socket whose bytes are counted.
struct Counted {
    stream: TcpStream,
    shared: Shared,
}

impl Counted {
    async fn open(port: u16, shared: &Shared) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, shared: shared.clone() })
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        self.shared.count(|counts| counts.received_bytes += read as u64);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.shared.count(|counts| counts.sent_bytes += written as u64);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// What a client has had of the events.
struct Seen {
    shared: Shared,
    /// The newest; `None` before the first.
    id: Option<u64>,
}

impl Seen {
    /// Counts the events in `bytes`, which were read just now.
    fn take(&mut self, bytes: &[u8]) {
        let now_ns = monotonic_ns();
        let text = String::from_utf8_lossy(bytes);
        for event in text.split(r#"{"id":"#).skip(1) {
            let Some((id, rest)) = number(event) else { continue };
            let Some((ns, _)) = rest.strip_prefix(r#","ns":"#).and_then(number) else { continue };
            let in_order = self.id.is_none_or(|seen| seen + 1 == id);
            self.id = Some(id);
            self.shared.0.borrow_mut().faults += u64::from(!in_order);
            self.shared.count(|counts| {
                counts.events += 1;
                counts.latencies_ns.push(now_ns.saturating_sub(ns));
            });
        }
    }
}

/// The number at the beginning of `text`, and the rest.
fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn request(target: &str, port: u16) -> Vec<u8> {
    let mut request =
        format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: keep-alive\r\n");
    for (name, value) in HEADERS {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.into()
}

/// Connections that have been opened one after the other, and requests on them.
struct Http {
    stream: Counted,
    port: u16,
    unread: Vec<u8>,
}

impl Http {
    async fn open(port: u16, shared: &Shared) -> io::Result<Self> {
        Ok(Self { stream: Counted::open(port, shared).await?, port, unread: Vec::new() })
    }

    async fn ask(&mut self, target: &str) -> io::Result<()> {
        self.stream.write_all(&request(target, self.port)).await?;
        self.stream.shared.count(|counts| counts.requests += 1);
        Ok(())
    }

    async fn read(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.unread).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Reads the head of a response, which has to be 200.
    async fn head(&mut self) -> io::Result<String> {
        let len = loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.read().await?;
        };
        let head = String::from_utf8_lossy(&self.unread[..len]).to_ascii_lowercase();
        self.unread.drain(..len);
        if !head.starts_with("http/1.1 200") {
            return Err(io::Error::other(head));
        }
        Ok(head)
    }

    /// A request and the body of its response.
    async fn get(&mut self, target: &str) -> io::Result<Vec<u8>> {
        self.ask(target).await?;
        let head = self.head().await?;
        let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let len: usize = len.and_then(|len| len.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        while self.unread.len() < len {
            self.read().await?;
        }
        Ok(self.unread.drain(..len).collect())
    }
}

/// Asks every `every`, beginning at `first`.
async fn poll(mut http: Http, mut seen: Seen, first: Instant, every: Duration) -> Outcome {
    let mut turns = interval_at(first, every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let target = format!("/poll?after={}", seen.id.unwrap_or(0));
        seen.take(&http.get(&target).await?);
    }
}

/// Asks again as soon as there is an answer.
async fn long(mut http: Http, mut seen: Seen) -> Outcome {
    loop {
        let target = format!("/long?after={}", seen.id.unwrap_or(0));
        seen.take(&http.get(&target).await?);
    }
}

async fn sse(mut http: Http, mut seen: Seen) -> Outcome {
    http.ask("/events").await?;
    http.head().await?;
    loop {
        if let Some(end) = http.unread.windows(2).rposition(|window| window == b"\n\n") {
            let events: Vec<u8> = http.unread.drain(..end + 2).collect();
            seen.take(&events);
        }
        http.read().await?;
    }
}

async fn ws(port: u16, mut seen: Seen) -> Outcome {
    let mut request = ClientRequest::new(&format!("127.0.0.1:{port}"), "/ws")?;
    for (name, value) in HEADERS {
        request = request.header(name, value)?;
    }
    let stream = Counted::open(port, &seen.shared).await?;
    seen.shared.count(|counts| counts.requests += 1);
    let mut socket = client_async(&request, stream).await?;
    while let Some(message) = socket.next().await {
        seen.take(&message?.into_data());
    }
    Ok(())
}

async fn client(
    way: String,
    port: u16,
    shared: Shared,
    first: Instant,
    every: Duration,
) -> Outcome {
    let seen = Seen { shared: shared.clone(), id: None };
    match way.as_str() {
        "poll" => poll(Http::open(port, &shared).await?, seen, first, every).await,
        "long" => long(Http::open(port, &shared).await?, seen).await,
        "sse" => sse(Http::open(port, &shared).await?, seen).await,
        "ws" => ws(port, seen).await,
        _ => Err("WAY is poll, long, sse or ws".into()),
    }
}

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [way, port, clients, warmup, seconds, more @ ..] = words.as_slice() else {
        return Err("subscribers WAY PORT CLIENTS WARMUP_S SECONDS [POLL_EVERY_MS]".into());
    };
    let (port, clients): (u16, u32) = (port.parse()?, clients.parse()?);
    let (warmup, seconds) = (seconds_of(warmup)?, seconds_of(seconds)?);
    let every = more.first().map_or(Ok(1000), |ms| ms.parse())?;
    let every = Duration::from_millis(every);
    let shared = Shared::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let begin = Instant::now();
        for number in 0..clients {
            // Spread over the interval, as those who don't know of each other are.
            let first = begin + every * number / clients;
            let client = client(way.clone(), port, shared.clone(), first, every);
            tokio::task::spawn_local(async move {
                if let Err(error) = client.await {
                    eprintln!("client {number}: {error}");
                    std::process::exit(1);
                }
            });
        }
        sleep(warmup).await;
        println!("begin");
        shared.0.borrow_mut().is_measuring = true;
        let measured = Instant::now();
        sleep_until(measured + seconds).await;
        shared.0.borrow_mut().is_measuring = false;
        let elapsed = measured.elapsed();
        println!("end");
        report(&mut shared.0.borrow_mut(), elapsed);
    });
    // The clients' tasks never end.
    std::process::exit(0)
}

fn seconds_of(word: &str) -> Result<Duration, Box<dyn Error>> {
    Ok(Duration::from_secs_f64(word.parse()?))
}

fn report(counts: &mut Counts, elapsed: Duration) {
    let latencies = &mut counts.latencies_ns;
    latencies.sort_unstable();
    let at = |share: f64| {
        let rank = (share * latencies.len() as f64).ceil() as usize;
        latencies.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    };
    println!(
        r#"{{"seconds":{},"requests":{},"sent_bytes":{},"received_bytes":{},"events":{},"faults":{},"p50_ns":{},"p90_ns":{},"p99_ns":{},"max_ns":{}}}"#,
        elapsed.as_secs_f64(),
        counts.requests,
        counts.sent_bytes,
        counts.received_bytes,
        counts.events,
        counts.faults,
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0),
    );
}
