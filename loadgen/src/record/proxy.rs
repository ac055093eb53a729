//! A proxy for WebSockets: it listens, and connects each client to the server.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep_until, timeout};
use wscodec::handshake::ClientRequest;

use super::log::Log;
use super::opening::{self, Upstream};
use super::relay;
use crate::cli::RecordArgs;
use crate::config::{Network, Target};
use crate::exit::Failed;
use crate::net::{Routes, Stream};
use crate::recording::Recording;
use crate::serve;
use crate::signals::Signals;
use crate::talk::say;

/// How long all connections may take to end, once recording is over.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// Records until a signal, or until the bounds that were asked for.
pub(super) fn record(args: RecordArgs) -> Result<Recording, Failed> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| Failed::run(format!("no runtime: {error}")))?;
    LocalSet::new().block_on(&runtime, recorded(args))
}

fn upstream(args: &RecordArgs) -> Result<Upstream, Failed> {
    let target = Target::parse(&args.url).map_err(Failed::usage)?;
    let text = target.resource().as_literal().and_then(|text| str::from_utf8(text).ok());
    let Some(resource) = text.map(str::to_owned) else {
        return Err(Failed::usage(format!(
            "{}: a proxy has no connections to number; write the URL without placeholders",
            args.url
        )));
    };
    let host = target.host_header();
    let scheme = if target.is_secure() { "wss" } else { "ws" };
    let request = ClientRequest::new(&host, &resource)
        .map_err(|error| Failed::usage(format!("{}: {error}", args.url)))?;
    let targets = [target];
    let network = Network::new(args.network.clone(), &targets).map_err(Failed::usage)?;
    let routes = Routes::new(&targets, vec![request], &network, args.connect_timeout)?;
    Ok(Upstream {
        routes,
        origin: format!("{scheme}://{host}"),
        host,
        resource: (resource != "/").then_some(resource),
        bound: args.connect_timeout,
    })
}

async fn recorded(args: RecordArgs) -> Result<Recording, Failed> {
    let upstream = Arc::new(upstream(&args)?);
    let address = serve::parse_address(&args.listen)
        .map_err(|error| Failed::usage(format!("{}: {error}", args.listen)))?;
    let bound = TcpListener::bind(address).await;
    let listener = bound.map_err(|error| Failed::usage(format!("{}: {error}", args.listen)))?;
    let mut signals = Signals::new().map_err(|error| Failed::run(error.to_string()))?;
    let local = listener.local_addr().map_err(|error| Failed::run(error.to_string()))?;
    let is_quiet = args.draft.quiet;
    if !is_quiet {
        let path = upstream.resource.as_deref().unwrap_or("/");
        say(format_args!(
            "recording: connect clients to ws://{local}{path} for {}; Ctrl-C ends",
            upstream.origin
        ));
    }
    let log = Log::default();
    let (stop, stopped) = watch::channel(false);
    let mut tasks: JoinSet<bool> = JoinSet::new();
    let mut left = args.connections;
    let end = Instant::now() + args.duration.unwrap_or(Duration::from_secs(365 * 86_400));
    while left != Some(0) {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that has left before it was accepted is none.
                let Ok((stream, _)) = accepted else { continue };
                // Small messages go out as they come; where that is refused they still go out.
                stream.set_nodelay(true).ok();
                let (upstream, log, stopped) = (Arc::clone(&upstream), log.clone(), stopped.clone());
                tasks.spawn_local(async move {
                    match opening::open(Stream::Tcp(stream), &upstream).await {
                        Ok(opened) => {
                            relay::relay(opened, log, stopped).await;
                            true
                        }
                        Err(why) => {
                            if !is_quiet {
                                say(format_args!("not recorded: {why}"));
                            }
                            false
                        }
                    }
                });
            }
            Some(ended) = tasks.join_next() => {
                if let Some(left) = left.as_mut().filter(|_| ended.unwrap_or(false)) {
                    *left = left.saturating_sub(1);
                }
            }
            () = poll_fn(|cx| signals.poll(cx)) => break,
            () = sleep_until(end) => break,
        }
    }
    // No task is there any more, or each hears it.
    stop.send(true).ok();
    let all = async { while tasks.join_next().await.is_some() {} };
    // Whatever is left has been recorded.
    timeout(END_TIMEOUT, all).await.ok();
    Ok(log.take())
}
