//! One source of events, and four ways to get them: `events EVENTS_PER_S` prints its port.
//!
//! ```text
//! GET /poll?after=ID   the events after ID as a JSON array, which may be empty
//! GET /long?after=ID   the same, but the answer waits until there is one, 25 s at most
//! GET /events          server-sent events
//! GET /ws              a WebSocket, an event a text message
//! ```
//!
//! An event is `{"id":7,"ns":123,"text":"…"}`, 100 bytes: its number from 1, the time of
//! CLOCK_MONOTONIC at which it came about, and something to say. hyper serves HTTP, wscodec-tokio
//! the WebSockets, on one thread.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use wscodec_tokio::wscodec::handshake::Acceptance;
use wscodec_tokio::{Config, Message, WebSocketStream, hyper::upgrade};

const EVENT_LEN: usize = 100;
/// Events that are kept for those who ask later.
const KEPT: usize = 1024;
const LONG_POLL_MAX: Duration = Duration::from_secs(25);

type Body = UnsyncBoxBody<Bytes, Infallible>;

thread_local! {
    /// The last events, the newest last; `ServerState::newest` is the number of that one.
    static KEPT_EVENTS: RefCell<VecDeque<Bytes>> = const { RefCell::new(VecDeque::new()) };
}

/// The events after `id`, up to `newest`.
fn after(id: u64, newest: u64) -> Vec<Bytes> {
    let missing = usize::try_from(newest.saturating_sub(id)).unwrap_or(usize::MAX);
    KEPT_EVENTS
        .with_borrow(|kept| kept.iter().skip(kept.len().saturating_sub(missing)).cloned().collect())
}

fn event(id: u64) -> Bytes {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let ns = now.tv_sec * 1_000_000_000 + now.tv_nsec;
    let mut text = format!(r#"{{"id":{id},"ns":{ns},"text":""#);
    text.extend(std::iter::repeat_n('x', EVENT_LEN.saturating_sub(text.len() + 2)));
    text.push_str(r#""}"#);
    text.into()
}

fn main() -> Result<(), Box<dyn Error>> {
    let rate: f64 = std::env::args().nth(1).ok_or("events EVENTS_PER_S")?.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let (source, newest) = watch::channel(0);
        tokio::task::spawn_local(happen(source, Duration::from_secs_f64(1.0 / rate)));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(connection(stream, newest.clone()));
        }
    })
}

/// The source: an event each `interval`.
async fn happen(newest: watch::Sender<u64>, interval: Duration) {
    let mut interval = tokio::time::interval(interval);
    for id in 1.. {
        interval.tick().await;
        KEPT_EVENTS.with_borrow_mut(|kept| {
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(event(id));
        });
        newest.send_replace(id);
    }
}

async fn connection(stream: TcpStream, newest: watch::Receiver<u64>) {
    let service = service_fn(move |request| answer(request, newest.clone()));
    // An error is the client's going away.
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await
        .ok();
}

async fn answer(
    mut request: Request<Incoming>,
    mut newest: watch::Receiver<u64>,
) -> Result<Response<Body>, Infallible> {
    let query = request.uri().query().and_then(|query| query.strip_prefix("after="));
    let id: u64 = query.and_then(|id| id.parse().ok()).unwrap_or(0);
    Ok(match request.uri().path() {
        "/poll" => array(after(id, *newest.borrow())),
        "/long" => {
            // An error is that of time, which makes the array empty.
            tokio::time::timeout(LONG_POLL_MAX, newest.wait_for(|newest| *newest > id)).await.ok();
            array(after(id, *newest.borrow()))
        }
        "/events" => server_sent(newest),
        "/ws" => web_socket(&mut request, newest),
        _ => status(StatusCode::NOT_FOUND),
    })
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Full::default().boxed_unsync());
    *response.status_mut() = status;
    response
}

fn array(events: Vec<Bytes>) -> Response<Body> {
    let body = [b"[".as_slice(), &events.join(&b','), b"]"].concat();
    typed("application/json", Full::from(body).boxed_unsync())
}

fn typed(kind: &'static str, body: Body) -> Response<Body> {
    let response = Response::builder().header(CONTENT_TYPE, kind).header(CACHE_CONTROL, "no-store");
    response.body(body).unwrap_or_else(|_| status(StatusCode::INTERNAL_SERVER_ERROR))
}

/// Waits for events after `seen`, which is then the newest.
async fn next(newest: &mut watch::Receiver<u64>, seen: &mut u64) -> Option<Vec<Bytes>> {
    let now = *newest.wait_for(|newest| newest > seen).await.ok()?;
    let events = after(*seen, now);
    *seen = now;
    Some(events)
}

fn server_sent(newest: watch::Receiver<u64>) -> Response<Body> {
    let seen = *newest.borrow();
    let chunks = stream::unfold((newest, seen), async |(mut newest, mut seen)| {
        let mut chunk = Vec::new();
        for event in next(&mut newest, &mut seen).await? {
            chunk.extend_from_slice(b"data: ");
            chunk.extend_from_slice(&event);
            chunk.extend_from_slice(b"\n\n");
        }
        Some((Ok(Frame::data(Bytes::from(chunk))), (newest, seen)))
    });
    typed("text/event-stream", BodyExt::boxed_unsync(StreamBody::new(chunks)))
}

fn web_socket(request: &mut Request<Incoming>, newest: watch::Receiver<u64>) -> Response<Body> {
    match upgrade(request, &Config::default(), |_| Ok(Acceptance::new())) {
        Ok((response, upgrading)) => {
            tokio::task::spawn_local(async move {
                if let Ok(socket) = upgrading.await {
                    push(socket, newest).await;
                }
            });
            response.map(|()| Full::default().boxed_unsync())
        }
        Err(rejection) => Response::from(rejection).map(|body| Full::from(body).boxed_unsync()),
    }
}

/// Sends each event, and takes what the client sends, until it closes.
async fn push<S>(mut socket: WebSocketStream<S>, mut newest: watch::Receiver<u64>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut seen = *newest.borrow();
    loop {
        let events = tokio::select! {
            events = next(&mut newest, &mut seen) => events.unwrap_or_default(),
            message = socket.next() => match message {
                Some(Ok(_)) => continue,
                _ => return,
            },
        };
        for event in events {
            let Ok(event) = std::str::from_utf8(&event) else { return };
            if socket.send(Message::text(event.to_owned())).await.is_err() {
                return;
            }
        }
    }
}
