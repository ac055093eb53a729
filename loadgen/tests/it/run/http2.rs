//! WebSockets over HTTP/2 (RFC 8441): every command on shared connections, and each way in which a
//! server can refuse or end them, in its counter.

use std::future::pending;
use std::io::Read;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use loadgen::net::ServerTls;
use loadgen::report::Report;
use loadgen::serve::{Mode, ServeConfig, Server, ServerHandle};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{LocalOptions, LocalRuntime};
use tokio::sync::Notify;
use tokio::task::spawn_local;

use crate::scripted::{
    Ran, Scripted, assert_balanced, close, command, failed, loadgen, wait_for_end,
};

fn serve(config: ServeConfig) -> ServerHandle {
    let mut config = ServeConfig { threads: 1.try_into().unwrap(), ..config };
    config.listen.set_port(0);
    Server::bind(&config).unwrap().start().unwrap()
}

fn over_http2(mode: Mode) -> ServeConfig {
    ServeConfig { is_http2: true, mode, ..ServeConfig::default() }
}

fn secure(is_http2: bool) -> ServeConfig {
    let tls = ServerTls::self_signed(None, None).unwrap().for_http2(is_http2);
    ServeConfig { is_http2, tls: Some(tls), ..ServeConfig::default() }
}

fn run(args: &[&str]) -> (Report, Ran) {
    let ran = loadgen(&[args, &["-q", "-o", "json=-", "-t", "1"]].concat());
    let report = ran.report();
    assert_balanced(&report);
    (report, ran)
}

fn count(report: &Report, metric: &str) -> u64 {
    let found = report.histograms.iter().find(|histogram| histogram.metric == metric);
    found.map_or(0, |histogram| histogram.count)
}

#[test]
fn every_command_on_connections_that_carry_three_each() {
    let rows: [(Mode, &[&str], u64); 6] = [
        (Mode::Echo, &["run", "URL", "-c", "7", "-n", "70"], 7),
        (Mode::Echo, &["connect", "URL", "-c", "5", "-n", "20"], 20),
        (Mode::Echo, &["hold", "URL", "-c", "7", "-d", "300ms", "--ping-interval", "50ms"], 7),
        (Mode::Push, &["listen", "URL", "-c", "7", "-d", "300ms"], 7),
        (Mode::Broadcast, &["fanout", "URL", "--subscribers", "6", "-n", "20"], 7),
        (Mode::Echo, &["play", "json-rpc", "URL", "-c", "7", "-n", "21"], 7),
    ];
    for (mode, args, sessions) in rows {
        let server = serve(over_http2(mode));
        let url = format!("ws://{}/", server.local_addr());
        let args: Vec<_> = args.iter().map(|&arg| if arg == "URL" { &*url } else { arg }).collect();
        let (report, ran) = run(&[&args[..], &["--http2", "--streams", "3"]].concat());
        assert!(report.outcome.is_ok, "{args:?}: {:?} {}", report.outcome, ran.stderr);
        assert_eq!(report.connections.established, sessions, "{args:?}");
        let http2 = report.http2.unwrap();
        assert_eq!(http2.connections, sessions.div_ceil(3), "{args:?}");
        assert!((1..=3).contains(&http2.streams_max), "{args:?}: {http2:?}");
        assert_eq!(report.config.network.http2_streams, Some(3));
        for (metric, wanted) in [
            ("connect.tcp", http2.connections),
            ("connect.h2", http2.connections),
            ("connect.upgrade", sessions),
            ("connect.total", sessions),
        ] {
            assert_eq!(count(&report, metric), wanted, "{args:?}: {metric}");
        }
        let totals = server.shutdown();
        assert_eq!(totals.http2_connections, http2.connections, "{args:?}");
        assert_eq!(totals.closes.get(&1000), Some(&sessions), "{args:?}: {totals:?}");
        assert_eq!((totals.accepted, totals.open), (sessions, 0), "{args:?}");
    }
}

#[test]
fn the_embedded_server_speaks_it_too() {
    let (report, ran) = run(&["run", "-c", "4", "-n", "40", "--http2", "--streams", "4"]);
    assert!(report.outcome.is_ok, "{:?} {}", report.outcome, ran.stderr);
    assert_eq!(report.http2.unwrap().connections, 1);
    assert_eq!(report.http2.unwrap().streams_max, 4);
}

#[test]
fn messages_larger_than_any_window_arrive_whole_over_tls() {
    let server = serve(secure(true));
    let url = format!("wss://{}/", server.local_addr());
    let load = ["-k", "--http2", "--streams", "2", "-c", "2", "-p", "3", "-n", "12", "-s", "3M"];
    let (report, ran) = run(&[&["run", &url], &load[..]].concat());
    assert!(report.outcome.is_ok, "{:?} {}", report.outcome, ran.stderr);
    assert_eq!(report.messages.as_ref().unwrap().measured.received, 12);
    assert_eq!(count(&report, "connect.tls"), 1, "of the connection that both share");
}

#[test]
fn permessage_deflate_is_negotiated_in_a_connect() {
    let deflate = Some(wscodec::deflate::Deflate::server());
    let server = serve(ServeConfig { deflate, ..over_http2(Mode::Echo) });
    let url = format!("ws://{}/", server.local_addr());
    let args = ["run", &url, "--http2", "-c", "2", "-n", "20", "-s", "4k", "--deflate-required"];
    let (report, ran) = run(&args);
    assert!(report.outcome.is_ok, "{:?} {}", report.outcome, ran.stderr);
    assert_eq!(server.shutdown().deflated, 2);
}

#[test]
fn check_lists_the_steps() {
    let (plain, secure) = (serve(over_http2(Mode::Echo)), serve(secure(true)));
    for url in [format!("ws://{}/", plain.local_addr()), format!("wss://{}/", secure.local_addr())]
    {
        let ran = loadgen(
            &[&["check", &url, "--http2"], &["-k"][..usize::from(url.starts_with("wss"))]].concat(),
        );
        assert_eq!(ran.code, Some(0), "{}", ran.stdout);
        for step in [" ok      http2         it takes WebSockets", " ok      upgrade       200"] {
            assert!(ran.stdout.contains(step), "{}", ran.stdout);
        }
    }
    let plain = serve(ServeConfig::default());
    let ran = loadgen(&["check", &format!("ws://{}/", plain.local_addr()), "--http2"]);
    assert!(ran.stdout.contains("FAILED  http2 "), "{}", ran.stdout);
    assert!(ran.stdout.contains("leave out --http2"), "{}", ran.stdout);
}

/// What a server of a test does with a request.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Status(u16),
    Reset(Reason),
    GoAway(Reason),
    /// Accepts it, and resets its stream once something comes.
    ResetOpen(Reason),
    /// Accepts it, and ends the connection once something comes.
    GoAwayOpen(Reason),
    /// Accepts it, and reads nothing.
    NeverRead,
    /// Accepts it, answers what comes first with Close, and ends the stream; then tells how the
    /// client ends it.
    Close,
}

/// A server of HTTP/2 that does what a test says. It ends with the process.
struct Http2Server {
    address: SocketAddr,
    /// How clients have ended streams, see [`Answer::Close`].
    ends: mpsc::Receiver<Option<Reason>>,
}

impl Http2Server {
    fn start(
        configure: fn(&mut Builder),
        answer: impl Fn(usize) -> Answer + Send + 'static,
    ) -> Self {
        let (ends, received) = mpsc::channel();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            runtime().block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                for number in 0.. {
                    let (stream, _) = listener.accept().await.unwrap();
                    spawn_local(serve_http2(stream, configure, answer(number), ends.clone()));
                }
            });
        });
        Self { address, ends: received }
    }

    fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }
}

fn runtime() -> LocalRuntime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_io().enable_time().build_local(LocalOptions::default()).unwrap()
}

async fn serve_http2(
    stream: TcpStream,
    configure: fn(&mut Builder),
    answer: Answer,
    ends: mpsc::Sender<Option<Reason>>,
) {
    let mut builder = Builder::new();
    configure(&mut builder);
    let Ok(mut connection) = builder.handshake(stream).await else { return };
    let came = Rc::new(Notify::new());
    loop {
        tokio::select! {
            request = connection.accept() => match request {
                Some(Ok((request, respond))) => {
                    respond_with(answer, &mut connection, request, respond, &came, &ends);
                }
                _ => return,
            },
            () = came.notified() => {
                if let Answer::GoAwayOpen(reason) = answer {
                    connection.abrupt_shutdown(reason);
                }
            }
        }
    }
}

fn respond_with(
    answer: Answer,
    connection: &mut Connection<TcpStream, Bytes>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    came: &Rc<Notify>,
    ends: &mpsc::Sender<Option<Reason>>,
) {
    let response = |status| Response::builder().status(status).body(()).unwrap();
    match answer {
        Answer::Status(status) => drop(respond.send_response(response(status), true)),
        Answer::Reset(reason) => respond.send_reset(reason),
        Answer::GoAway(reason) => connection.abrupt_shutdown(reason),
        open => {
            let send = respond.send_response(response(200), false).unwrap();
            let (came, ends) = (Rc::clone(came), ends.clone());
            spawn_local(talk(open, send, request.into_body(), came, ends));
        }
    }
}

async fn talk(
    answer: Answer,
    mut send: SendStream<Bytes>,
    mut receive: RecvStream,
    came: Rc<Notify>,
    ends: mpsc::Sender<Option<Reason>>,
) {
    if matches!(answer, Answer::NeverRead) {
        return pending().await;
    }
    receive.data().await;
    match answer {
        Answer::ResetOpen(reason) => send.send_reset(reason),
        Answer::GoAwayOpen(_) => {
            came.notify_one();
            pending::<()>().await;
        }
        _ => {
            send.send_data(close(1000).into(), true).unwrap();
            while let Some(data) = receive.data().await {
                if let Err(error) = data {
                    ends.send(error.reason()).ok();
                    return;
                }
            }
            ends.send(None).ok();
        }
    }
}

fn takes_websockets(builder: &mut Builder) {
    builder.enable_connect_protocol();
}

/// How a server is set up, what it does, what that is counted as, how often, and what is said.
type Row = (fn(&mut Builder), Answer, &'static str, u64, &'static str);

#[test]
fn each_way_to_refuse_or_to_end_has_its_counter_and_says_what_helps() {
    let calm = Reason::ENHANCE_YOUR_CALM;
    let two_at_once: fn(&mut Builder) = |builder| {
        builder.enable_connect_protocol().max_concurrent_streams(2);
    };
    let rows: [Row; 9] = [
        (|_| {}, Answer::Status(200), "http2.no_connect_protocol", 3, "leave out --http2"),
        (takes_websockets, Answer::Status(403), "http.403", 3, "--origin"),
        (
            takes_websockets,
            Answer::Reset(Reason::REFUSED_STREAM),
            "handshake.rst_refused_stream",
            3,
            "fewer --streams",
        ),
        (
            takes_websockets,
            Answer::Reset(Reason::HTTP_1_1_REQUIRED),
            "handshake.rst_http_1_1_required",
            3,
            "leave out --http2",
        ),
        (takes_websockets, Answer::GoAway(calm), "handshake.goaway", 3, "GOAWAY ENHANCE_YOUR_CALM"),
        (two_at_once, Answer::NeverRead, "handshake.max_streams", 1, "use --streams 2"),
        (
            takes_websockets,
            Answer::ResetOpen(Reason::CANCEL),
            "open.rst_cancel",
            3,
            "RST_STREAM CANCEL",
        ),
        (takes_websockets, Answer::GoAwayOpen(calm), "open.goaway", 3, "GOAWAY ENHANCE_YOUR_CALM"),
        (takes_websockets, Answer::NeverRead, "close.flow_control", 3, "reads no more"),
    ];
    for (configure, answer, name, times, said) in rows {
        let server = Http2Server::start(configure, move |_| answer);
        let url = server.url();
        let load = ["-c", "3", "-R", "300", "-s", "4k", "-d", "500ms", "--connect-timeout", "5s"];
        let bounds = ["--close-timeout", "300ms", "--drain-timeout", "100ms"];
        let args = [&["run", &url, "--http2", "--streams", "3"], &load[..], &bounds].concat();
        let (report, _) = run(&args);
        assert_eq!(failed(&report, name), times, "{answer:?}: {:?}", report.errors);
        let found =
            report.errors.iter().find(|error| format!("{}.{}", error.phase, error.code) == name);
        let sample = &found.unwrap().sample;
        assert!(sample.contains(said), "{answer:?}: {sample}");
    }
}

#[test]
fn servers_that_speak_something_else() {
    let http_1 = serve(ServeConfig::default());
    let tls_1 = serve(secure(false));
    let tls_2 = serve(secure(true));
    let silent = Scripted::start(|stream, _| wait_for_end(stream));
    let ending = Scripted::start(|mut stream, _| {
        // All of the preface and of the first frames: what is left unread would make it a reset.
        let len = stream.read(&mut [0; 4096]).unwrap();
        assert!((24..4096).contains(&len), "{len}");
    });
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (http_1, tls_1, tls_2) = (http_1.local_addr(), tls_1.local_addr(), tls_2.local_addr());
    let rows = [
        (format!("ws://{http_1}/"), "http2.not_http2", "leave out --http2"),
        (format!("ws://{tls_2}/"), "http2.not_http2", "use wss://"),
        (format!("wss://{tls_1}/"), "tls.no_alpn", "leave out --http2"),
        (format!("ws://{}/", silent.address), "http2.timeout", "within the connect timeout"),
        (format!("ws://{}/", ending.address), "http2.eof", "if it speaks HTTP/1.1 here"),
        (format!("ws://{nobody}/"), "tcp.refused", "refused"),
    ];
    for (url, name, said) in rows {
        let bound = ["-k", "--connect-timeout", "2s"];
        let bound = if url.starts_with("wss") { &bound[..] } else { &bound[1..] };
        let args = [&["run", &url, "--http2", "-c", "2", "-d", "300ms"], bound].concat();
        let (report, _) = run(&args);
        // A server that closes at once may do so before its answer is read, or after.
        let names = if name == "http2.not_http2" { &[name, "http2.eof"][..] } else { &[name] };
        for error in &report.errors {
            let found = format!("{}.{}", error.phase, error.code);
            assert!(names.contains(&&*found), "{url}: {error:?}");
            assert!(found != name || error.sample.contains(said), "{url}: {error:?}");
            assert!(found == name || error.sample.contains("leave out --http2"), "{error:?}");
        }
        assert_eq!(report.errors.iter().map(|error| error.count).sum::<u64>(), 2, "{url}");
    }
    // And HTTP/1.1 where a server speaks only HTTP/2.
    let plain_2 = serve(over_http2(Mode::Echo));
    for (url, name) in [
        (format!("wss://{tls_2}/"), "tls.no_alpn"),
        (format!("ws://{}/", plain_2.local_addr()), "handshake.not_http"),
    ] {
        let tls: &[&str] = if url.starts_with("wss") { &["-k"] } else { &[] };
        let (report, _) = run(&[&["run", &url, "-c", "1", "-d", "300ms"], tls].concat());
        assert_eq!(failed(&report, name), 1, "{url}: {:?}", report.errors);
        assert!(report.errors[0].sample.contains("--http2"), "{url}: {:?}", report.errors);
    }
}

#[test]
fn the_end_of_a_stream_is_answered_with_the_end_of_the_other_direction() {
    let server = Http2Server::start(takes_websockets, |_| Answer::Close);
    let url = server.url();
    let (report, ran) = run(&["hold", &url, "-c", "2", "-d", "200ms", "--http2", "--streams", "2"]);
    assert!(report.outcome.is_ok, "{:?} {}", report.outcome, ran.stderr);
    // END_STREAM, and not RST_STREAM.
    assert_eq!([server.ends.recv().unwrap(), server.ends.recv().unwrap()], [None; 2]);
}

#[test]
fn a_connection_that_is_gone_carries_no_more() {
    let server = Http2Server::start(takes_websockets, |number| {
        if number == 0 { Answer::GoAwayOpen(Reason::NO_ERROR) } else { Answer::NeverRead }
    });
    let url = server.url();
    let load = ["-c", "2", "-R", "20", "-d", "1s", "--close-timeout", "100ms"];
    let args = [&["run", &url, "--http2", "--streams", "9", "--reconnect"], &load[..]];
    let (report, _) = run(&args.concat());
    let reconnect = report.reconnect.as_ref().unwrap();
    assert_eq!((reconnect.lost, reconnect.reestablished), (2, 2), "{reconnect:?}");
    assert_eq!(report.http2.unwrap().connections, 2);
}

#[test]
fn segments_add_up() {
    let server = serve(over_http2(Mode::Echo));
    let url = format!("ws://{}/", server.local_addr());
    let folder = std::env::temp_dir();
    let paths = [1, 2].map(|number| {
        let name = format!("loadgen-http2-{}-{number}.json", std::process::id());
        let path = folder.join(name).display().to_string();
        let (segment, out) = (format!("{number}/2"), format!("json={path}"));
        let load = ["-c", "6", "-n", "60", "-t", "1", "-q", "--seed", "1"];
        let args = ["run", &url, "--http2", "--streams", "2", "--segment", &segment, "-o", &out];
        let ran = command(&[&args[..], &load].concat()).output().unwrap();
        assert!(matches!(ran.status.code(), Some(0 | 97)), "{ran:?}");
        path
    });
    let ran = loadgen(&["merge", &paths[0], &paths[1], "-o", "json=-"]);
    let http2 = ran.report().http2.unwrap();
    assert_eq!((http2.connections, http2.streams_max), (4, 2));
    for path in paths {
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn flags_that_make_no_sense_together() {
    for (line, said) in [
        ("run ws://h/ --streams 2", "use it with --http2"),
        ("run ws://h/ --http2 --streams 0", "--streams 0 is out of range; use 1 to 1,000,000"),
        ("run ws://h/ --http2 -c 10 --bad half-open:1", "stops within a request of HTTP/1.1"),
    ] {
        let ran = loadgen(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, Some(2), "{line}");
        assert!(ran.error_line().contains(said), "{line}: {}", ran.stderr);
    }
}
