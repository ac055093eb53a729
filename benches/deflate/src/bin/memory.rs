//! Memory of idle connections, themselves included, each of which has sent and received ten messages: a CSV line a
//! measurement.
//!
//! ```text
//! cargo run --profile dist -p deflate-benches --bin memory > memory.csv
//! ```
//!
//! Twenty connections go before, and stay: what a thread keeps for all of its connections is in
//! none of the figures.

use deflate_benches::{Mode, Side, chat, side};
use dhat::{HeapStats, Profiler};
use wscodec::Role;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const CONNECTIONS: usize = 100;

/// Ten messages of `len` bytes each way between a server and a client of wscodec's.
fn exchange(server: &mut dyn Side, mode: Mode, len: usize) {
    let mut client = side("wscodec", Role::Client, mode);
    let mut wire = Vec::new();
    for number in 0..10 {
        let text = chat(number, len);
        for is_to_server in [true, false] {
            wire.clear();
            let (from, to): (&mut dyn Side, &mut dyn Side) =
                if is_to_server { (&mut *client, server) } else { (server, &mut *client) };
            from.send(&text, &mut wire);
            let mut came = Vec::new();
            to.receive(&wire, &mut |message| came.push(message.to_vec()));
            assert_eq!(came, [text.as_bytes()]);
        }
    }
}

fn main() {
    println!("name,mode,message_bytes,bytes_per_connection");
    let profiler = Profiler::builder().testing().build();
    for name in ["wscodec", "yawc", "yawc, pooled", "sockudo-ws"] {
        for mode in [Mode::Plain, Mode::NoTakeover, Mode::Takeover] {
            for len in [512, 5_000] {
                let open = || {
                    let mut server = side(name, Role::Server, mode);
                    exchange(&mut *server, mode, len);
                    server.trim();
                    server
                };
                let before: Vec<_> = (0..20).map(|_| open()).collect();
                let mut servers = Vec::with_capacity(CONNECTIONS);
                let held = HeapStats::get().curr_bytes;
                servers.extend((0..CONNECTIONS).map(|_| open()));
                let held = HeapStats::get().curr_bytes - held;
                let mode = mode.name();
                println!("\"{name}\",{mode},{len},{}", held / CONNECTIONS);
                drop((before, servers));
            }
        }
    }
    drop(profiler);
}
