//! The command `loadgen serve`: runs a server from a configuration until it is interrupted.

use std::future::poll_fn;
use std::io::{self, Write};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::config::ServeConfig;
use super::summary::Summary;
use super::{Server, ServerHandle};
use crate::host::DescriptorLimit;
use crate::signals::Signals;
use crate::talk::say;
use crate::units;

/// How often a running server checks whether accepting has failed.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Serves until SIGINT, SIGTERM or SIGHUP, then prints a summary to `out`. Notes go to stderr.
///
/// # Errors
/// See [`Server::bind`] and [`Server::start`].
pub fn run(config: &ServeConfig, out: &mut impl Write) -> io::Result<()> {
    // Before the first client, so that an early signal can't end the process without a summary.
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let mut signals = Signals::new()?;

    let handle = start(config)?;
    announce(config, &handle.place(), &units::counted(config.threads.get() as u64, "thread"));
    let signalled = poll_fn(|cx| signals.poll(cx));
    runtime.block_on(watch(&handle, signalled, say));
    let open = units::counted(handle.totals().open, "connection");
    say(format_args!("shutting down: closing {open}"));
    Summary::of(&handle.shutdown()).print(out)
}

/// Serves as one of several processes until it is `told` to end, and returns what it has done.
/// `ready` is called once it listens; notes go to `note`.
///
/// # Errors
/// See [`Server::bind`] and [`Server::start`].
pub fn run_member(
    config: &ServeConfig,
    ready: impl FnOnce(),
    note: impl Fn(String),
    told: impl Future<Output = ()>,
) -> io::Result<Summary> {
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let handle = start(config)?;
    ready();
    runtime.block_on(watch(&handle, told, note));
    Ok(Summary::of(&handle.shutdown()))
}

/// Says that a server listens, and how it is made: `threads` says how many.
pub fn announce(config: &ServeConfig, place: &str, threads: &str) {
    say(format_args!(
        "listening on {place} ({}, {threads}{}{})",
        config.mode.name(),
        if config.is_http2 { ", HTTP/2" } else { "" },
        if config.deflate.is_some() { ", permessage-deflate" } else { "" }
    ));
    if let Some(tls) = &config.tls {
        say(format_args!("certificate SHA-256 {}", tls.fingerprint()));
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().build()
}

fn start(config: &ServeConfig) -> io::Result<ServerHandle> {
    // If the hard limit is too low, accepting fails, and that is reported then.
    DescriptorLimit::raise().ok();
    Server::bind(config)?.start()
}

/// Reports failures to accept until `told` to end.
async fn watch(handle: &ServerHandle, told: impl Future<Output = ()>, note: impl Fn(String)) {
    let mut watch = AcceptWatch::default();
    let mut told = std::pin::pin!(told);
    while timeout(WATCH_INTERVAL, told.as_mut()).await.is_err() {
        watch.look(handle, &note);
    }
}

/// Reports failures to accept once per kind, not once per connection.
#[derive(Default)]
struct AcceptWatch {
    said: Vec<&'static str>,
}

impl AcceptWatch {
    fn look(&mut self, handle: &ServerHandle, note: impl Fn(String)) {
        for &name in handle.totals().accept_errors.keys() {
            if !self.said.contains(&name) {
                self.said.push(name);
                let help = match name {
                    "process_descriptors" => ": too few descriptors, see loadgen doctor",
                    "too_many_connections" => ": more connections than the limit",
                    _ => "",
                };
                note(format!("accept fails ({name}){help}; further failures are only counted"));
            }
        }
    }
}
