//! Echo over TCP through wscodec-tokio and its peers, server on one core and client on another; and
//! what an idle connection takes.
//!
//! ```text
//! cargo run --profile dist -p tokio-benches -- --out results/DATE-tokio
//! ```
//!
//! Every server is a process of its own with one thread, and all of them run at once, so that rounds
//! interleave: A B C, A B C. The client is this process: blocking sockets, frames made beforehand,
//! nothing parsed, so that it is faster than any server. The first echo of each connection is
//! compared byte by byte.

mod client;
mod options;
mod outcome;
mod peer;
mod server;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;

use options::Options;
use outcome::Outcome;
use peer::Peer;
use server::Server;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if let Some(name) = &options.serve {
        let peer = Peer::of_name(name).ok_or("no such server")?;
        return Ok(server::serve(peer, options.server_core)?);
    }
    if !core_affinity::set_for_current(core_affinity::CoreId { id: options.client_core }) {
        return Err(format!("this process can't be kept on core {}", options.client_core).into());
    }
    let mut outcome = Outcome::default();
    let peers = options.peers()?;
    if !options.memory_only {
        echo(options, &peers, &mut outcome)?;
    }
    memory(options, &peers, &mut outcome)?;
    outcome.write(options)
}

fn echo(options: &Options, peers: &[Peer], outcome: &mut Outcome) -> Result<(), Box<dyn Error>> {
    let servers: Result<Vec<_>, _> =
        peers.iter().map(|peer| Server::start(*peer, options.server_core)).collect();
    let servers = servers?;
    for round in 0..options.rounds {
        for load in options.loads() {
            for i in 0..servers.len() {
                // Each is first once.
                let Some(server) = servers.get((i + round) % servers.len()) else { continue };
                outcome.add_echo(round, &load, client::echo(server, &load, options.sample())?);
            }
        }
    }
    Ok(())
}

/// Each in a fresh process.
fn memory(options: &Options, peers: &[Peer], outcome: &mut Outcome) -> Result<(), Box<dyn Error>> {
    for round in 0..options.memory_rounds {
        for peer in peers {
            let server = Server::start(*peer, options.server_core)?;
            for len in [64, 64 << 10] {
                let bytes = client::idle_bytes(&server, len, options.idle_connections)?;
                outcome.add_memory(round, *peer, len, bytes);
            }
        }
    }
    Ok(())
}
