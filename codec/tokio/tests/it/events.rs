//! Servers and clients by events.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use wscodec_tokio::events::{Events, Session};
use wscodec_tokio::wscodec::handshake::{Acceptance, Rejection};
use wscodec_tokio::{CloseCode, CloseFrame, Config, Error, Message};

use crate::support::LONG;

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Adds handlers that note what happens.
    fn on(&self, events: Events) -> Events {
        let logs = [self.clone(), self.clone(), self.clone()];
        let [open, error, close] = logs;
        events
            .on_open(move |session| {
                open.note(format!("open {:?}", session.subprotocol()));
                async {}
            })
            .on_error(move |_, failure| {
                error.note(format!("error {failure}"));
                async {}
            })
            .on_close(move |_, event| {
                let what = format!("close {} {} {}", event.code, event.reason, event.was_clean);
                close.note(what);
                async {}
            })
    }
}

/// Waits until something is so, for which there is no event.
async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, wait).await.unwrap();
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    (listener, url)
}

async fn echo(session: Session, message: Message) {
    session.send(message).await.unwrap();
}

#[tokio::test]
async fn a_server_and_a_client_have_their_events_in_order() {
    let (listener, url) = listen().await;
    let (noted, seen) = (Log::default(), Log::default());
    let server = noted.on(Events::new().on_message(echo)).on_request(|request| {
        let name = request.subprotocols().next().unwrap();
        Ok(Acceptance::new().subprotocol(name).unwrap())
    });
    tokio::spawn(server.serve(listener));
    let messages = seen.clone();
    let client = seen.on(Events::new().on_message(move |session, message| {
        messages.note(format!("message {}", message.len()));
        async move {
            if message.len() < 1 << 20 {
                session.send(vec![0; message.len() * 1024]).await.unwrap();
            } else {
                let close = CloseFrame::new(CloseCode::NORMAL, "done");
                session.close(Some(close)).await.unwrap();
            }
        }
    }));
    let session = client.connect_with(&url, |request| request.subprotocol("chat")).await.unwrap();
    assert_eq!(session.peer_addr().unwrap().to_string(), url[5..url.len() - 1]);
    session.send("x").await.unwrap();
    timeout(LONG, session.closed()).await.unwrap();
    assert!(!session.is_open());
    assert!(matches!(session.send("late").await.unwrap_err(), Error::Send(_)));
    assert_eq!(
        seen.take(),
        ["open Some(\"chat\")", "message 1", "message 1024", "message 1048576", "close 1000  true"]
    );
    until(|| noted.len() == 2).await;
    assert_eq!(noted.take(), ["open Some(\"chat\")", "close 1000 done true"]);
}

#[tokio::test]
async fn tungstenites_client_is_served_until_the_server_stops() {
    let (listener, url) = listen().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = Events::new().on_message(echo).serve_until(listener, async {
        stopped.await.ok();
    });
    let server = tokio::spawn(server);
    let client = thread::spawn(move || {
        let address = url[5..].trim_end_matches('/').to_owned();
        let stream = std::net::TcpStream::connect(address).unwrap();
        let (mut socket, _) = tungstenite::client(url, stream).unwrap();
        socket.send(tungstenite::Message::text("x")).unwrap();
        assert_eq!(socket.read().unwrap(), tungstenite::Message::text("x"));
        stop.send(()).unwrap();
        let tungstenite::Message::Close(Some(close)) = socket.read().unwrap() else { panic!() };
        assert_eq!((u16::from(close.code), &*close.reason), (1001, "the server shuts down"));
        while socket.read().is_ok() {}
    });
    timeout(LONG, server).await.unwrap().unwrap();
    client.join().unwrap();
}

#[tokio::test]
async fn failures_are_errors_and_then_a_close_and_refusals_have_an_address() {
    let (listener, url) = listen().await;
    let refused = Arc::new(Mutex::new(Vec::new()));
    let addresses = Arc::clone(&refused);
    let noted = Log::default();
    let server = noted
        .on(Events::new())
        .on_request(|request| match request.path() {
            "/" => Ok(Acceptance::new()),
            _ => Err(Rejection::new(404).unwrap()),
        })
        .on_refused(move |address, error| {
            addresses.lock().unwrap().push(format!("{address} {error}"));
        });
    tokio::spawn(server.serve(listener));
    let error = Events::new().connect(&format!("{url}nowhere")).await.unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");
    until(|| !refused.lock().unwrap().is_empty()).await;
    assert!(refused.lock().unwrap()[0].starts_with("127.0.0.1:"));

    // A peer that vanishes, and one that breaks the protocol.
    for bytes in [&b""[..], b"\x83\x80\0\0\0\0"] {
        use std::io::Write as _;
        let request = url.clone();
        let peer = tokio::task::spawn_blocking(move || {
            let address = request[5..].trim_end_matches('/').to_owned();
            let stream = std::net::TcpStream::connect(address).unwrap();
            let (mut socket, _) = tungstenite::client(request, stream).unwrap();
            socket.get_mut().write_all(bytes).unwrap();
        });
        timeout(LONG, peer).await.unwrap().unwrap();
        until(|| noted.len() == 3).await;
        let log = noted.take();
        assert!(log[1].starts_with("error "), "{log:?}");
        assert_eq!(log[2], "close 1006  false");
    }
}

/// A handler that takes its time holds up the next message, but no Ping before it.
#[tokio::test]
async fn pings_are_answered_while_a_handler_runs() {
    let (listener, url) = listen().await;
    let go_on = Arc::new(Notify::new());
    let waiting = Arc::clone(&go_on);
    let server = Events::new().config(Config::default()).on_message(move |session, message| {
        let waiting = Arc::clone(&waiting);
        async move {
            waiting.notified().await;
            session.send(message).await.unwrap();
        }
    });
    tokio::spawn(server.serve(listener));
    let client = tokio::task::spawn_blocking(move || {
        let stream = std::net::TcpStream::connect(url[5..].trim_end_matches('/')).unwrap();
        let (mut socket, _) = tungstenite::client(url, stream).unwrap();
        socket.send(tungstenite::Message::text("1")).unwrap();
        socket.send(tungstenite::Message::Ping("p".into())).unwrap();
        assert_eq!(socket.read().unwrap(), tungstenite::Message::Pong("p".into()));
        go_on.notify_one();
        assert_eq!(socket.read().unwrap(), tungstenite::Message::text("1"));
    });
    timeout(LONG, client).await.unwrap().unwrap();
}
