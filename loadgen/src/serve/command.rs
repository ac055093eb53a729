//! The command `loadgen serve`: runs a server from a configuration until it is interrupted.

use std::future::poll_fn;
use std::io::{self, Write};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;

use super::config::ServeConfig;
use super::counters::Totals;
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
    // If the hard limit is too low, accepting fails, and that is reported then.
    DescriptorLimit::raise().ok();
    // Before the first client, so that an early signal can't end the process without a summary.
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let _entered = runtime.enter();
    let mut signals = Signals::new()?;

    let handle = Server::bind(config)?.start()?;
    say(format_args!(
        "listening on {} ({}, {}{}{})",
        handle.place(),
        config.mode.name(),
        units::counted(config.threads.get() as u64, "thread"),
        if config.is_http2 { ", HTTP/2" } else { "" },
        if config.deflate.is_some() { ", permessage-deflate" } else { "" }
    ));
    if let Some(tls) = &config.tls {
        say(format_args!("certificate SHA-256 {}", tls.fingerprint()));
    }
    runtime.block_on(async {
        let mut watch = AcceptWatch::default();
        loop {
            let signalled = poll_fn(|cx| signals.poll(cx));
            if timeout(WATCH_INTERVAL, signalled).await.is_ok() {
                break;
            }
            watch.look(&handle);
        }
    });
    let open = units::counted(handle.totals().open, "connection");
    say(format_args!("shutting down: closing {open}"));
    print_totals(&handle.shutdown(), out)
}

/// Reports failures to accept once per kind, not once per connection.
#[derive(Default)]
struct AcceptWatch {
    said: Vec<&'static str>,
}

impl AcceptWatch {
    fn look(&mut self, handle: &ServerHandle) {
        for &name in handle.totals().accept_errors.keys() {
            if !self.said.contains(&name) {
                self.said.push(name);
                let help = match name {
                    "process_descriptors" => ": too few descriptors, see loadgen doctor",
                    "too_many_connections" => ": more connections than the limit",
                    _ => "",
                };
                say(format_args!("accept fails ({name}){help}; further failures are only counted"));
            }
        }
    }
}

fn print_totals(totals: &Totals, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "connections   accepted {}  established {}",
        totals.accepted, totals.established
    )?;
    if totals.http2_connections > 0 {
        let carried = units::counted(totals.http2_connections, "connection");
        writeln!(out, "http2         carried by {carried} of HTTP/2")?;
    }
    if totals.deflated > 0 {
        writeln!(out, "deflate       agreed {}", totals.deflated)?;
    }
    writeln!(
        out,
        "messages      received {}  sent {}",
        totals.messages_received, totals.messages_sent
    )?;
    if totals.messages_skipped > 0 {
        let skipped = units::counted(totals.messages_skipped, "message");
        writeln!(out, "skipped       {skipped}")?;
    }
    writeln!(out, "bytes         received {}  sent {}", totals.bytes_received, totals.bytes_sent)?;
    print_counts("closes", totals.closes.iter(), out)?;
    print_counts("rejected", totals.rejected.iter(), out)?;
    print_counts("violations", totals.protocol_errors.iter(), out)?;
    print_counts("accept", totals.accept_errors.iter(), out)
}

/// Prints one line, or none if nothing was counted.
fn print_counts<K: std::fmt::Display>(
    label: &str,
    counts: impl Iterator<Item = (K, impl std::fmt::Display)>,
    out: &mut impl Write,
) -> io::Result<()> {
    let counts: Vec<String> = counts.map(|(key, count)| format!("{key}: {count}")).collect();
    if counts.is_empty() { Ok(()) } else { writeln!(out, "{label:<13} {}", counts.join("  ")) }
}
