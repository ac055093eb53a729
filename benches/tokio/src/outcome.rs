//! What was measured, as lines and as tables.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;

use crate::client::{Echoed, Load};
use crate::options::Options;
use crate::peer::Peer;

#[derive(Default)]
pub(crate) struct Outcome {
    echoes: Vec<(usize, Load, Echoed)>,
    /// Round, server, length of the message echoed before, bytes a connection.
    memory: Vec<(usize, Peer, usize, u64)>,
}

impl Outcome {
    pub(crate) fn add_echo(&mut self, round: usize, load: &Load, echoed: Echoed) {
        self.echoes.push((round, load.clone(), echoed));
    }

    pub(crate) fn add_memory(&mut self, round: usize, peer: Peer, len: usize, bytes: u64) {
        self.memory.push((round, peer, len, bytes));
    }

    /// Writes raw data and tables, and prints the tables.
    pub(crate) fn write(&self, options: &Options) -> Result<(), Box<dyn Error>> {
        fs::create_dir_all(&options.out)?;
        let mut lines = String::from("round,size,connections,depth,name,messages_per_s,cpu_ns\n");
        for (round, load, echoed) in &self.echoes {
            let Load { len, connections, depth } = load;
            let Echoed { peer, messages_per_s, cpu_ns } = echoed;
            let name = peer.name();
            writeln!(
                lines,
                "{round},{len},{connections},{depth},\"{name}\",{messages_per_s:.0},{cpu_ns:.0}"
            )?;
        }
        if !options.memory_only {
            fs::write(options.out.join("echo.csv"), lines)?;
        }
        let mut lines = String::from("round,size,name,bytes_per_connection\n");
        for (round, peer, len, bytes) in &self.memory {
            writeln!(lines, "{round},{len},\"{}\",{bytes}", peer.name())?;
        }
        fs::write(options.out.join("memory.csv"), lines)?;
        let tables = self.tables(options)?;
        print!("{tables}");
        fs::write(options.out.join("tables.md"), tables)?;
        Ok(())
    }

    fn tables(&self, options: &Options) -> Result<String, Box<dyn Error>> {
        let mut tables = String::new();
        let peers = options.peers()?;
        if !self.echoes.is_empty() {
            let loads = options.loads();
            let head = |load: &Load| match load.depth {
                1 => size_name(load.len),
                depth => format!("{}, {depth} at once", size_name(load.len)),
            };
            let heads: Vec<_> = loads.iter().map(head).collect();
            tables += "**Messages a second, and in brackets the ratio to wscodec-tokio**\n\n";
            table(&mut tables, &heads, &peers, |peer| {
                loads.iter().map(|load| self.cell(peer, load, |e| e.messages_per_s, "/s")).collect()
            })?;
            tables += "\n**Processor time of the server for a message, in µs, and in brackets the \
                       ratio to wscodec-tokio**\n\n";
            table(&mut tables, &heads, &peers, |peer| {
                loads.iter().map(|load| self.cell(peer, load, |e| e.cpu_ns, "µs")).collect()
            })?;
            tables.push('\n');
        }
        tables += "**Memory of an idle connection, in bytes, after an echo of that size**\n\n";
        table(&mut tables, &[size_name(64), size_name(64 << 10)], &peers, |peer| {
            [64, 64 << 10].map(|len| format!("{:.0}", self.bytes(peer, len))).to_vec()
        })?;
        Ok(tables)
    }

    fn cell(&self, peer: Peer, load: &Load, of: impl Fn(&Echoed) -> f64, unit: &str) -> String {
        let of_peer = |wanted: Peer| {
            let cells = self.echoes.iter().filter(move |(_, this, echoed)| {
                (this.len, this.depth, echoed.peer) == (load.len, load.depth, wanted)
            });
            cells.map(|(_, _, echoed)| of(echoed)).collect::<Vec<_>>()
        };
        let (values, subject) = (of_peer(peer), of_peer(Peer::Wscodec));
        // Of each round, so that what slows a whole round down does not count.
        let ratios = values.iter().zip(&subject).map(|(value, subject)| value / subject);
        let (value, ratio) = (median(values.clone()), median(ratios.collect()));
        match unit {
            "µs" => format!("{:.2} ({ratio:.2})", value / 1e3),
            _ => format!("{value:.0} ({ratio:.2})"),
        }
    }

    fn bytes(&self, peer: Peer, len: usize) -> f64 {
        let of_peer = self.memory.iter().filter(|row| (row.1, row.2) == (peer, len));
        let bytes = of_peer.map(|row| f64::from(u32::try_from(row.3).unwrap_or(u32::MAX)));
        median(bytes.collect())
    }
}

fn table(
    tables: &mut String,
    heads: &[String],
    peers: &[Peer],
    cells: impl Fn(Peer) -> Vec<String>,
) -> std::fmt::Result {
    writeln!(tables, "| | {} |", heads.join(" | "))?;
    writeln!(tables, "|---|{}", "--:|".repeat(heads.len()))?;
    for peer in peers {
        writeln!(tables, "| {} | {} |", peer.name(), cells(*peer).join(" | "))?;
    }
    Ok(())
}

fn size_name(len: usize) -> String {
    match len {
        len if len >= 1 << 20 => format!("{} MiB", len >> 20),
        len if len >= 1 << 10 => format!("{} KiB", len >> 10),
        len => format!("{len} B"),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.get(middle.wrapping_sub(1))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => {
            f64::midpoint(*lower, *upper)
        }
        (Some(value), _) => *value,
        _ => f64::NAN,
    }
}
