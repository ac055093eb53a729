//! What a process of this machine and the processes that it has started use, all together, as
//! `/proc` and the kernel's clocks say.
//!
//! A process is told from a later one with the same number by when it began.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

/// Most processes that are looked at together.
const PROCESSES_MAX: usize = 4_096;
/// From this size of the table of descriptors on, they aren't counted one by one: on kernels before
/// 6.2, which don't say their number, that takes a microsecond each.
const TABLE_MAX: u64 = 16_384;

/// What the processes have at a moment, and have used since the moment before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessUsage {
    /// Processor time since the moment before, in nanoseconds.
    pub cpu_ns: u64,
    /// Resident memory, in bytes; what several processes share counts in each.
    pub rss: u64,
    /// Open descriptors; `None` if the system doesn't let this user see them.
    pub descriptors: Option<u64>,
    /// Threads.
    pub threads: u64,
    /// Processes.
    pub processes: u64,
}

/// A process that is watched, with those that it has started.
#[derive(Debug)]
pub struct Watched {
    id: u32,
    name: String,
    /// When it began, in ticks of the kernel's clock.
    begun: u64,
    /// The processor time of each process when it was last looked at.
    seen: HashMap<u32, Times>,
}

/// Processor time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    /// Of the process.
    own: u64,
    /// Of its children that have ended, once it has waited for them; to a hundredth of a second.
    waited_for: u64,
}

impl Watched {
    /// Begins to watch a process.
    ///
    /// # Errors
    /// What is wrong with it, to follow its number.
    pub fn of(id: u32) -> Result<Self, String> {
        let stat = Stat::of(id).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if cfg!(target_os = "linux") => {
                "there is no such process".into()
            }
            io::ErrorKind::NotFound => "only Linux has /proc, which says what processes use".into(),
            _ => format!("it can't be looked at: {error}"),
        })?;
        if stat.has_ended() {
            return Err("the process has ended".into());
        }
        let mut watched = Self { id, name: stat.name, begun: stat.begun, seen: HashMap::new() };
        watched.look();
        Ok(watched)
    }

    /// Returns the number of the process.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Returns the name of the process, of 15 bytes at most, as the kernel has it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns when the process began, in ticks since the machine did: with its number, what tells
    /// it from others.
    #[must_use]
    pub const fn begun_ticks(&self) -> u64 {
        self.begun
    }

    /// Returns what the processes have, and have used since the last call; `None` once the process
    /// has ended.
    ///
    /// A child that ends before it is looked at counts if its parent waits for it.
    pub fn look(&mut self) -> Option<ProcessUsage> {
        let mut sum = ProcessUsage { descriptors: Some(0), ..ProcessUsage::default() };
        let mut now = HashMap::new();
        let mut waited_for = 0;
        for (id, stat) in self.all()? {
            let times = Times { own: cpu_ns(id).unwrap_or(stat.own), waited_for: stat.waited_for };
            let before = self.seen.get(&id).copied().unwrap_or_default();
            sum.cpu_ns += times.own.saturating_sub(before.own);
            waited_for += times.waited_for.saturating_sub(before.waited_for);
            sum.rss += resident(id);
            sum.descriptors = sum.descriptors.zip(open(id)).map(|(sum, open)| sum + open);
            sum.threads += stat.threads;
            sum.processes += 1;
            now.insert(id, times);
        }
        // What ended meanwhile was counted until it was last looked at; if its parent has waited
        // for it, that has all of it.
        let ended = self.seen.iter().filter(|(id, _)| !now.contains_key(id));
        let counted: u64 = ended.map(|(_, times)| times.own + times.waited_for).sum();
        sum.cpu_ns += waited_for.saturating_sub(counted);
        self.seen = now;
        Some(sum)
    }

    /// Returns the resident memory of the processes, in bytes; `None` once the process has ended.
    #[must_use]
    pub fn resident(&self) -> Option<u64> {
        Some(self.all()?.into_iter().map(|(id, _)| resident(id)).sum())
    }

    /// Returns the process and those that it has started, as far as they are there.
    fn all(&self) -> Option<Vec<(u32, Stat)>> {
        let first = Stat::of(self.id).ok()?;
        if first.begun != self.begun || first.has_ended() {
            return None;
        }
        let mut all = vec![(self.id, first)];
        let mut known = HashSet::from([self.id]);
        let mut place = 0;
        while let Some(&(id, _)) = all.get(place) {
            place += 1;
            for child in children(id) {
                if all.len() < PROCESSES_MAX && known.insert(child) {
                    all.extend(Stat::of(child).ok().map(|stat| (child, stat)));
                }
            }
        }
        Some(all)
    }
}

/// What `/proc/PID/stat` says.
#[derive(Debug)]
struct Stat {
    name: String,
    state: char,
    /// Processor time of the process and of the children that it waited for, in nanoseconds.
    own: u64,
    waited_for: u64,
    threads: u64,
    begun: u64,
}

impl Stat {
    fn of(id: u32) -> io::Result<Self> {
        let text = fs::read(format!("/proc/{id}/stat"))?;
        Self::parse(&String::from_utf8_lossy(&text))
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The name is in parentheses and may have some itself, and spaces.
    fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('(')?.1.rsplit_once(')')?;
        let fields: Vec<_> = rest.split_whitespace().collect();
        // proc_pid_stat(5) counts from 1, and the state is the third field.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let second = rustix::param::clock_ticks_per_second().max(1);
        let ns = |ticks: u64| ticks.saturating_mul(1_000_000_000 / second);
        Some(Self {
            name: name.to_owned(),
            state: fields.first()?.chars().next()?,
            own: ns(number(14)?.saturating_add(number(15)?)),
            waited_for: ns(number(16)?.saturating_add(number(17)?)),
            threads: number(20)?,
            begun: number(22)?,
        })
    }

    /// Checks whether the process is one that only its parent still has to wait for; not if just its
    /// first thread has ended.
    const fn has_ended(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x') && self.threads <= 1
    }
}

/// Returns the processor time of a process to the nanosecond, where the kernel has a clock for it.
#[cfg(target_os = "linux")]
fn cpu_ns(id: u32) -> Option<u64> {
    let id = nix::unistd::Pid::from_raw(i32::try_from(id).ok()?);
    let time = nix::time::ClockId::pid_cpu_clock_id(id).ok()?.now().ok()?;
    let [seconds, nanos] = [time.tv_sec(), time.tv_nsec()].map(|n| u64::try_from(n).unwrap_or(0));
    Some(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

#[cfg(not(target_os = "linux"))]
fn cpu_ns(_: u32) -> Option<u64> {
    None
}

/// Returns the resident memory of a process, in bytes; 0 once it has ended.
fn resident(id: u32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{id}/statm")).unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(rustix::param::page_size() as u64)
}

/// Returns the number of open descriptors of a process; `None` if that isn't known.
fn open(id: u32) -> Option<u64> {
    let folder = format!("/proc/{id}/fd");
    // From Linux 6.2 on, the folder's size is their number.
    let size = fs::metadata(&folder).ok()?.len();
    if size > 0 {
        return Some(size);
    }
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let table = status.lines().find_map(|line| line.strip_prefix("FDSize:"))?;
    if table.trim().parse::<u64>().ok()? > TABLE_MAX {
        return None;
    }
    Some(fs::read_dir(&folder).ok()?.count() as u64)
}

/// Returns the children of a process, of all its threads.
fn children(id: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else { return Vec::new() };
    let lists = threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split(' ').filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_name_may_have_anything_in_it() {
        let line = "7 (a) R (b) S 1 7 7 0 -1 4194560 1 2 3 4 500 100 20 3 20 0 9 0 1234 5 6";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((&*stat.name, stat.state, stat.threads, stat.begun), ("a) R (b", 'S', 9, 1234));
        let second = rustix::param::clock_ticks_per_second();
        assert_eq!(stat.own, 600 * 1_000_000_000 / second);
        assert_eq!(stat.waited_for, 23 * 1_000_000_000 / second);
        assert!(!stat.has_ended());
        for broken in ["", "7 (a", "7 (a) S 1 2", &line.replace("1234", "x")] {
            assert!(Stat::parse(broken).is_none(), "{broken}");
        }
    }

    #[test]
    fn what_children_use_counts_and_an_end_is_seen() {
        // A child works until it is killed; the shell only waits for it.
        let script = "(while :; do :; done) & echo $!; read _; kill $!; wait";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut watched = Watched::of(shell.id()).unwrap();
        assert_eq!((watched.id(), watched.name()), (shell.id(), "sh"));
        let begin = Instant::now();
        let mut cpu_ns = 0;
        let most = loop {
            assert!(begin.elapsed() < Duration::from_secs(20), "{cpu_ns} ns");
            std::thread::yield_now();
            let usage = watched.look().unwrap();
            cpu_ns += usage.cpu_ns;
            if usage.processes == 2 && cpu_ns > 20_000_000 {
                break usage;
            }
        };
        assert!(most.threads >= 2 && most.rss > 4_096, "{most:?}");
        assert!(most.descriptors.is_some_and(|open| open >= 6), "{most:?}");
        drop(shell.stdin.take());
        while watched.look().is_some() {
            assert!(begin.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
        // It has ended, and is still there until it is waited for.
        assert_eq!(Watched::of(shell.id()).unwrap_err(), "the process has ended");
        shell.wait().unwrap();
        assert_eq!(Watched::of(shell.id()).unwrap_err(), "there is no such process");
    }

    #[test]
    fn processor_time_is_counted_once() {
        let mut watched = Watched::of(std::process::id()).unwrap();
        let before = crate::worker::usage::process_cpu_ns();
        let mut sum = 0;
        while crate::worker::usage::process_cpu_ns() - before < 20_000_000 {
            sum += watched.look().unwrap().cpu_ns;
        }
        sum += watched.look().unwrap().cpu_ns;
        let used = crate::worker::usage::process_cpu_ns() - before;
        // Other tests may have children meanwhile.
        assert!(sum >= 19_000_000, "{sum} of {used}");
    }
}
