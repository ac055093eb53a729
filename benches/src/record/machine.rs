//! The machine, the compiler and the commit that a result belongs to.

use std::fmt::Write;
use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::limit::xor_blocks_kind;

/// Keeps this thread on core `core`, or on the last one; says on which.
pub(crate) fn pin(core: Option<usize>) -> Option<usize> {
    let ids = core_affinity::get_core_ids()?;
    let id = match core {
        Some(core) => ids.into_iter().find(|id| id.id == core),
        None => ids.into_iter().next_back(),
    }?;
    core_affinity::set_for_current(id).then_some(id.id)
}

/// What is worth knowing.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    core: Option<usize>,
    load_at_start: String,
    load_at_end: String,
    pub(crate) cpu: String,
    pub(crate) commit: String,
    pub(crate) date: String,
}

impl Machine {
    pub(crate) fn look(core: Option<usize>) -> Self {
        Self {
            core,
            load_at_start: load(),
            load_at_end: String::new(),
            cpu: cpuinfo("model name"),
            commit: commit(),
            date: today(),
        }
    }

    pub(crate) fn with_end(mut self) -> Self {
        self.load_at_end = load();
        self
    }

    /// The lines of `machine.txt`.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| _ = writeln!(text, "{name:<16}{value}");
        let pinned = self.core.map_or_else(|| "no core".into(), |core| format!("core {core}"));
        line("cpu", &self.cpu);
        line("family/model", &format!("{}/{}", cpuinfo("cpu family"), cpuinfo("model")));
        line("cores", &cores().to_string());
        line("caches", &caches());
        line("features", &features());
        line("bare XOR", &format!("in {} vectors", xor_blocks_kind()));
        line("virtual", if has_flag("hypervisor") { "yes" } else { "no" });
        line("governor", &governor());
        line("kernel", &output("uname", &["-sr"]));
        line("rustc", &output("rustc", &["-V"]));
        line("profile", "dist of this workspace for all crates, no target-cpu");
        line("RUSTFLAGS", &std::env::var("RUSTFLAGS").unwrap_or_default());
        line("pinned to", &pinned);
        line("load at start", &self.load_at_start);
        line("load at end", &self.load_at_end);
        line("commit", &self.commit);
        line("date", &self.date);
        text
    }
}

fn cpuinfo(key: &str) -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut fields = info.lines().filter_map(|line| line.split_once(':'));
    let value = fields.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim());
    value.unwrap_or("unknown").to_owned()
}

/// As the kernel lists them: what this thread may use is one, once it is pinned.
fn cores() -> usize {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    info.lines().filter(|line| line.starts_with("processor")).count()
}

fn has_flag(flag: &str) -> bool {
    cpuinfo("flags").split(' ').any(|have| have == flag)
}

fn features() -> String {
    let flags =
        ["sse2", "ssse3", "sse4_2", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512vbmi"];
    flags.into_iter().filter(|flag| has_flag(flag)).collect::<Vec<_>>().join(" ")
}

fn caches() -> String {
    let mut caches = Vec::new();
    for i in 0..8 {
        let read = |file: &str| {
            let path = format!("/sys/devices/system/cpu/cpu0/cache/index{i}/{file}");
            fs::read_to_string(path).map(|text| text.trim().to_owned())
        };
        if let (Ok(level), Ok(kind), Ok(size)) = (read("level"), read("type"), read("size")) {
            caches.push(format!("L{level} {kind} {size}"));
        }
    }
    caches.join(", ")
}

fn governor() -> String {
    let path = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    fs::read_to_string(path).map_or_else(|_| "not visible".into(), |text| text.trim().to_owned())
}

fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| "unknown".into(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn commit() -> String {
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"]);
    let changed = output("git", &["status", "--porcelain", "--untracked-files=no"]);
    if changed.is_empty() { commit } else { format!("{commit}, with changes not committed") }
}

/// The date in UTC, as `2026-11-21`.
fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Days since 1970-01-01 to year, month and day; years begin in March, so that a leap day ends one.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let leap_days = day_of_era / 1460 + day_of_era / 146_096;
    let year_of_era = (day_of_era + day_of_era / 36_524 - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_778), (2026, 11, 21));
    }
}
