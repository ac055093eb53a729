//! Processor time of compressing and of inflating, in rounds A B C, A B C: a CSV line a
//! measurement.
//!
//! ```text
//! taskset -c 1 cargo run --profile dist -p deflate-benches > times.csv
//! ```
//!
//! Before anything is timed, what each contestant sends has to come out of wscodec as it went in,
//! and what each receives has to be what was sent.

use std::hint::black_box;

use deflate_benches::{Mode, NAMES, chat, side};
use rustix::time::{ClockId, clock_gettime};
use wscodec::Role;

const ROUNDS: usize = 11;

/// Processor time of this thread, in nanoseconds.
fn cpu_ns() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

struct Work {
    mode: Mode,
    len: usize,
    messages: Vec<String>,
    /// The frames of each message, from wscodec.
    wires: Vec<Vec<u8>>,
}

impl Work {
    fn new(mode: Mode, len: usize, count: u64) -> Self {
        let messages: Vec<_> = (0..count).map(|number| chat(number, len)).collect();
        let mut sender = side("wscodec", Role::Server, mode);
        let frames = |message: &String| {
            let mut out = Vec::new();
            sender.send(message, &mut out);
            out
        };
        let wires = messages.iter().map(frames).collect();
        Self { mode, len, messages, wires }
    }

    /// Compresses all messages on a new connection; nanoseconds, and bytes on the wire.
    fn deflate(&self, name: &str) -> (i64, usize) {
        let mut sender = side(name, Role::Server, self.mode);
        let (mut out, mut wire) = (Vec::with_capacity(self.len * 2), 0);
        let begin = cpu_ns();
        for message in &self.messages {
            out.clear();
            sender.send(message, &mut out);
            wire += black_box(&out).len();
        }
        (cpu_ns() - begin, wire)
    }

    /// Inflates all messages on a new connection; nanoseconds, and bytes on the wire.
    fn inflate(&self, name: &str) -> (i64, usize) {
        let mut receiver = side(name, Role::Client, self.mode);
        let mut bytes = 0;
        let begin = cpu_ns();
        for wire in &self.wires {
            receiver.receive(wire, &mut |message| bytes += black_box(message).len());
        }
        let took = cpu_ns() - begin;
        assert_eq!(bytes, self.messages.len() * self.len, "{name}");
        (took, self.wires.iter().map(Vec::len).sum())
    }

    fn prove(&self, name: &str) {
        let mut receiver = side(name, Role::Client, self.mode);
        let mut sender = side(name, Role::Server, self.mode);
        let mut judge = side("wscodec", Role::Client, self.mode);
        for (message, wire) in self.messages.iter().zip(&self.wires) {
            let mut came = Vec::new();
            receiver.receive(wire, &mut |message| came.push(message.to_vec()));
            assert_eq!(came, [message.as_bytes()], "{name} receives what was sent");
            let mut out = Vec::new();
            sender.send(message, &mut out);
            assert!(out.len() < message.len(), "{name} compresses");
            came.clear();
            judge.receive(&out, &mut |message| came.push(message.to_vec()));
            assert_eq!(came, [message.as_bytes()], "{name} sends what it should");
        }
    }
}

fn main() {
    println!("round,work,mode,size,name,ns_per_message,wire_bytes_per_message");
    let sizes = [(512, 2_000), (64 << 10, 60)];
    let works: Vec<_> = [Mode::Takeover, Mode::NoTakeover]
        .into_iter()
        .flat_map(|mode| sizes.map(|(len, count)| Work::new(mode, len, count)))
        .collect();
    for work in &works {
        for name in NAMES {
            work.prove(name);
        }
    }
    for round in 0..ROUNDS {
        for work in &works {
            for name in NAMES {
                let count = work.messages.len();
                let line = |what: &str, (ns, wire): (i64, usize)| {
                    let (ns, wire) = (ns / i64::try_from(count).unwrap_or(1), wire / count);
                    let (mode, len) = (work.mode.name(), work.len);
                    println!("{round},{what},{mode},{len},\"{name}\",{ns},{wire}");
                };
                line("deflate", work.deflate(name));
                if name != "wscodec, level 4" {
                    line("inflate", work.inflate(name));
                }
            }
        }
    }
}
