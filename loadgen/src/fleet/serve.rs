//! Leads the processes of a server: they share a port, and what they have done is added up.

use std::future::poll_fn;
use std::io::{self, stdout};
use std::net::SocketAddr;
use std::process;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::sleep;

use super::Program;
use super::members::{Heard, Members};
use crate::cli::{ListenAt, ServeArgs};
use crate::config::{Processes, serve_config};
use crate::coordinator::INTERRUPTED;
use crate::exit::{Exit, Failed};
use crate::host::{Demand, DescriptorLimit, Host};
use crate::member::{Link, Member, Order, PROCESSES_MAX, Said, say};
use crate::quota;
use crate::serve::{self, Mode, ServeConfig, Summary};
use crate::signals::Signals;
use crate::talk;

/// How much of its descriptors a process uses on average, of 100: the kernel spreads connections by
/// the hash of their addresses, so some processes get more than others.
const DESCRIPTORS_USED: u64 = 90;
/// How much longer than its clients a process may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Serves by several processes, or as one of several, if that is asked for or needed; returns
/// `None` if not.
///
/// # Errors
/// [`Failed`] with what several processes can't do, or why they could not start.
pub fn run(args: &ServeArgs, program: io::Result<Program>) -> Result<Option<Exit>, Failed> {
    if args.member.is_some() {
        run_member(args);
        return Ok(Some(Exit::Ok));
    }
    DescriptorLimit::raise().ok();
    let number = processes(args, &Host::read());
    if number == 1 {
        return Ok(None);
    }
    let config = serve_config(args).map_err(Failed::usage)?;
    let ListenAt::Address(listen) = args.listen else {
        return Err(Failed::usage("--processes with a path: processes share a port only".into()));
    };
    if let Some(why) = obstacle(args) {
        return Err(Failed::usage(format!("--processes {why}")));
    }
    let program = program
        .map_err(|error| Failed::run(format!("this program doesn't find itself: {error}")))?;
    let threads = args.threads.unwrap_or_else(|| threads(number));
    lead(&config, number, listen, &program, threads).map(Some)
}

/// Returns how many processes serve: as many as were asked for, or as the connections need that the
/// user wants to allow.
#[must_use]
pub fn processes(args: &ServeArgs, host: &Host) -> u64 {
    if let Processes::Exactly(number) = args.processes {
        return number.get();
    }
    let Some(connections) = args.bounds.max_connections else { return 1 };
    if matches!(args.listen, ListenAt::Path(_)) || obstacle(args).is_some() {
        return 1;
    }
    let demand = |processes| Demand {
        connections: most_of_one(connections, processes),
        accepted: 0,
        threads: args.threads.unwrap_or_else(|| threads(processes)),
        routes: u64::MAX,
    };
    host.processes(PROCESSES_MAX, demand).unwrap_or(1)
}

/// Returns the most connections that one of several processes gets.
fn most_of_one(connections: u64, processes: u64) -> u64 {
    if processes == 1 {
        return connections;
    }
    connections.div_ceil(processes).saturating_mul(100).div_ceil(DESCRIPTORS_USED)
}

fn threads(processes: u64) -> u64 {
    (quota::processors().get() as u64 / processes).max(1)
}

/// Returns what several processes can't do.
fn obstacle(args: &ServeArgs) -> Option<&'static str> {
    if args.mode == Mode::Broadcast {
        return Some("with broadcast: a message goes to the clients of its own process only");
    }
    if args.post.rate_total.is_some() {
        return Some("with --rate-total: processes don't know each other's connections; use -R");
    }
    args.tls.tls_self_signed.then_some(
        "with --tls-self-signed: each process would have a certificate of its own; use --cert and \
         --key",
    )
}

fn lead(
    config: &ServeConfig,
    number: u64,
    listen: SocketAddr,
    program: &Program,
    threads: u64,
) -> Result<Exit, Failed> {
    // A port in use, a port that needs root, an address that isn't here: what was typed can't be.
    let (_reserved, address) =
        serve::reserve(listen).map_err(|error| Failed::usage(error.to_string()))?;
    let refused = |error: io::Error| Failed::run(format!("the server could not start: {error}"));
    let connections_max = most_of_one(config.connections_max as u64, number);
    let first = Member {
        listen: Some(address),
        connections_max: Some(connections_max),
        ..Member::first(number, quota::processors().get() as u64, 0)
    };
    let mut members = Members::start(first, |member| program.command(member)).map_err(refused)?;
    for _ in 0..members.len() {
        match members.next_blocking() {
            Some((_, Heard::Said(Said::Failed { line, .. }))) => return Err(Failed::usage(line)),
            Some((place, Heard::Ended(how))) => {
                let line = format!("process {} of {number} {how}", place + 1);
                return Err(Failed::run(format!("the server could not start: {line}")));
            }
            Some((_, Heard::Said(_))) | None => {}
        }
    }
    let runtime =
        Builder::new_current_thread().enable_io().enable_time().build().map_err(refused)?;
    let _entered = runtime.enter();
    let signals = Signals::new().map_err(refused)?;
    let scheme = if config.tls.is_some() { "wss" } else { "ws" };
    let each = if threads == 1 { "thread" } else { "threads" };
    let said = format!("{number} processes of {threads} {each}");
    serve::announce(config, &format!("{scheme}://{address}/"), &said);
    let mut leader = Leader { members, signals, sum: Summary::default(), died: Vec::new() };
    runtime.block_on(leader.lead(config));
    leader.sum.print(&mut stdout().lock()).map_err(|error| Failed::run(error.to_string()))?;
    match leader.died.as_slice() {
        [] => Ok(Exit::Ok),
        died => Err(Failed::run(format!("{}; what they did is in no count", died.join("; ")))),
    }
}

struct Leader {
    members: Members<Summary>,
    signals: Signals,
    sum: Summary,
    /// The processes that ended without having been told to.
    died: Vec<String>,
}

/// What happened while waiting.
enum News {
    Heard(usize, Heard<Summary>),
    /// The last member has ended.
    Done,
    Signal,
    TooLate,
}

impl Leader {
    async fn lead(&mut self, config: &ServeConfig) {
        let of = self.members.len();
        let bound = config.shutdown_timeout.saturating_add(config.close_timeout) + GRACE;
        let mut told: Option<std::pin::Pin<Box<tokio::time::Sleep>>> = None;
        let mut results = vec![false; of];
        let (mut notes, mut ended) = (Vec::<String>::new(), 0);
        while ended < of {
            let too_late = async {
                match told.as_mut() {
                    Some(sleep) => sleep.as_mut().await,
                    None => std::future::pending().await,
                }
            };
            let news = tokio::select! {
                biased;
                () = poll_fn(|cx| self.signals.poll(cx)) => News::Signal,
                heard = self.members.next() => {
                    heard.map_or(News::Done, |(place, heard)| News::Heard(place, heard))
                }
                () = too_late => News::TooLate,
            };
            match news {
                News::Done => break,
                News::Signal if told.is_some() => {
                    self.members.kill();
                    process::exit(INTERRUPTED);
                }
                News::Signal => {
                    talk::say(format_args!("shutting down {of} processes"));
                    told = Some(Box::pin(sleep(bound)));
                    self.members.tell_all(&Order::Interrupt);
                }
                News::TooLate => self.members.kill(),
                News::Heard(place, Heard::Said(Said::Result(sum))) => {
                    results[place] = true;
                    self.sum.add(&sum);
                }
                News::Heard(_, Heard::Said(Said::Note(line))) => {
                    if !notes.contains(&line) {
                        talk::say(format_args!("{line}"));
                        notes.push(line);
                    }
                }
                News::Heard(place, Heard::Ended(how)) => {
                    ended += 1;
                    if !results[place] {
                        let id = self.members.id(place);
                        let line = format!("process {} of {of} (pid {id}) {how}", place + 1);
                        talk::say(format_args!("{line}: its connections are gone"));
                        self.died.push(line);
                    }
                }
                News::Heard(_, Heard::Said(_)) => {}
            }
        }
    }
}

/// Serves as one of several processes; the process that leads them gets the summary.
fn run_member(args: &ServeArgs) {
    let mut orders = Link::open();
    let told =
        async move { while !matches!(orders.order().await, Order::Interrupt | Order::Stop) {} };
    let ready = || say(&Said::<()>::Ready);
    let note = |line| say(&Said::<()>::Note(line));
    let served = serve_config(args).and_then(|config| {
        serve::run_member(&config, ready, note, told).map_err(|e| e.to_string())
    });
    match served {
        Ok(summary) => say(&Said::Result(Box::new(summary))),
        Err(line) => say(&Said::<()>::Failed { exit: Exit::Usage.code(), line }),
    }
}
