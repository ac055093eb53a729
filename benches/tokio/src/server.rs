//! A server in a process of its own.

use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use tokio::net::TcpListener;

use crate::peer::Peer;

/// Serves until the standard input ends, as it does with the parent.
pub(crate) fn serve(peer: Peer, core: usize) -> io::Result<()> {
    if !core_affinity::set_for_current(core_affinity::CoreId { id: core }) {
        return Err(io::Error::other(format!("the server can't be kept on core {core}")));
    }
    std::thread::spawn(|| {
        io::stdin().read_to_end(&mut Vec::new()).ok();
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            peer.spawn(stream);
        }
    })
}

/// A running server, which ends when dropped.
pub(crate) struct Server {
    pub(crate) peer: Peer,
    pub(crate) address: SocketAddr,
    process: Child,
}

impl Server {
    pub(crate) fn start(peer: Peer, core: usize) -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--serve", peer.name(), "--server-core", &core.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(Self { peer, address: line.trim().parse()?, process })
    }

    /// Returns the processor time that its thread has taken, in nanoseconds.
    pub(crate) fn cpu_ns(&self) -> Result<u64, Box<dyn Error>> {
        let stat = std::fs::read_to_string(format!("/proc/{}/schedstat", self.process.id()))?;
        Ok(stat.split(' ').next().ok_or("an empty schedstat")?.parse()?)
    }

    /// Returns its resident memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64, Box<dyn Error>> {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.process.id()))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no Rss")?;
        Ok(kib.parse::<u64>()? << 10)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().ok();
    }
}
