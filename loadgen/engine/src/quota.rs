//! Reads from control group files how much processor time this process may have, and how often it
//! was throttled.
//!
//! A quota counts for a group and all below it, so the tightest one on the way to the root applies.
//! Both versions are read: `cpu.max` (2), and `cpu.cfs_quota_us` (1).

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

/// Processor time that a control group allows, and how often it throttled the group.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quota {
    /// In processors: 0.5 is half of one processor's time.
    pub processors: f64,
    /// Periods in which the group wanted to run.
    pub periods: u64,
    /// Periods in which the group had used up its time and was throttled.
    pub throttled: u64,
}

impl Quota {
    /// Reads the tightest quota of this process; `None` if there is none or the system doesn't
    /// report it.
    #[must_use]
    pub fn read() -> Option<Self> {
        Self::read_below(Path::new("/"))
    }

    /// Reads the tightest quota from files below another root.
    fn read_below(root: &Path) -> Option<Self> {
        let text = |path: &str| fs::read_to_string(root.join(path)).ok();
        let (groups_text, mounts_text) = (text("proc/self/cgroup")?, text("proc/self/mountinfo")?);
        let (groups, mounts) = (groups(&groups_text), mounts(&mounts_text));
        let quotas = mounts.iter().flat_map(|mount| {
            let group = groups.get(mount.controller).copied().unwrap_or("/");
            mount.folders(root, group).into_iter().filter_map(move |folder| mount.quota(&folder))
        });
        quotas.min_by(|one, other| one.processors.total_cmp(&other.processors))
    }

    /// Returns what has happened since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Option<Self>) -> Self {
        let earlier = earlier.unwrap_or_default();
        Self {
            processors: self.processors,
            periods: self.periods.saturating_sub(earlier.periods),
            throttled: self.throttled.saturating_sub(earlier.throttled),
        }
    }

    /// Returns the share of the periods in which the process was throttled.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share to two digits")]
    pub fn throttled_share(&self) -> f64 {
        if self.periods == 0 { 0.0 } else { self.throttled as f64 / self.periods as f64 }
    }
}

/// Returns the number of processors that this process may use at once: those of its affinity, but
/// no more than its quota, rounded down, and at least 1.
#[must_use]
pub fn processors() -> NonZeroUsize {
    let found = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    within(found, Quota::read())
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of processors, not below 0"
)]
fn within(found: NonZeroUsize, quota: Option<Quota>) -> NonZeroUsize {
    let allowed = quota.and_then(|quota| NonZeroUsize::new(quota.processors as usize));
    match (quota, allowed) {
        (None, _) => found,
        (Some(_), allowed) => found.min(allowed.unwrap_or(NonZeroUsize::MIN)),
    }
}

/// Where a controller's files are.
struct Mount<'m> {
    /// `cpu`, or the empty name for version 2, which has all controllers.
    controller: &'static str,
    /// The group that is mounted.
    group: &'m str,
    path: &'m str,
}

impl Mount<'_> {
    /// Returns the folders of a group and of its parents, as far as they are mounted.
    fn folders(&self, root: &Path, group: &str) -> Vec<PathBuf> {
        let mounted = root.join(self.path.trim_start_matches('/'));
        // In a container the mounted group is the process's own, whatever its name.
        let below = Path::new(group).strip_prefix(self.group).unwrap_or(Path::new(""));
        below.ancestors().map(|below| mounted.join(below)).collect()
    }

    fn quota(&self, folder: &Path) -> Option<Quota> {
        let text = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let processors = if self.controller.is_empty() {
            let text = text("cpu.max")?;
            let (quota, period) = text.trim().split_once(' ')?;
            share(quota, period)?
        } else {
            share(text("cpu.cfs_quota_us")?.trim(), text("cpu.cfs_period_us")?.trim())?
        };
        let stat = text("cpu.stat").unwrap_or_default();
        let count = |name: &str| {
            let value = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
            stat.lines().find_map(value).unwrap_or(0)
        };
        Some(Quota { processors, periods: count("nr_periods "), throttled: count("nr_throttled ") })
    }
}

/// Divides a quota by its period, both in microseconds; `None` without a quota: `max`, or -1.
#[expect(clippy::cast_precision_loss, reason = "microseconds of a period, a second at most")]
fn share(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0).then(|| quota as f64 / period as f64)
}

/// Reads the group of each controller: `4:cpu,cpuacct:/a/b`, `0::/a/b`.
fn groups(text: &str) -> HashMap<&str, &str> {
    let lines = text.lines().filter_map(|line| {
        let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
        Some(controllers.split(',').map(move |controller| (controller, group)))
    });
    lines.flatten().collect()
}

/// Reads where groups that may have a quota are mounted:
/// `32 31 0:29 /group /path rw,relatime - cgroup cgroup rw,cpu`.
fn mounts(text: &str) -> Vec<Mount<'_>> {
    let mount = |line| {
        let (place, kind) = str::split_once(line, " - ")?;
        let mut place = place.split(' ').skip(3);
        let (group, path) = (place.next()?, place.next()?);
        let mut kind = kind.split(' ');
        let controller = match (kind.next()?, kind.nth(1)?) {
            ("cgroup2", _) => "",
            ("cgroup", options) if options.split(',').any(|option| option == "cpu") => "cpu",
            _ => return None,
        };
        Some(Mount { controller, group, path })
    };
    text.lines().filter_map(mount).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files of a machine.
    struct Machine(PathBuf);

    impl Machine {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let root =
                std::env::temp_dir().join(format!("loadgen-quota-{}-{name}", std::process::id()));
            for (path, text) in files {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Self(root)
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    const V2: (&str, &str) = (
        "proc/self/mountinfo",
        "24 30 0:22 / /proc rw - proc proc rw\n\
         35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
    );
    const STAT: &str =
        "usage_usec 9\nnr_periods 11\nnr_throttled 10\nthrottled_usec 880000\nnr_bursts 0\n";

    fn quota(name: &str, files: &[(&str, &str)]) -> Option<Quota> {
        Quota::read_below(&Machine::new(name, files).0)
    }

    #[test]
    fn p7_the_tightest_quota_of_version_2_counts() {
        let group = ("proc/self/cgroup", "0::/a.slice/b.service\n");
        let found = quota(
            "v2",
            &[
                V2,
                group,
                ("sys/fs/cgroup/a.slice/cpu.max", "20000 100000\n"),
                ("sys/fs/cgroup/a.slice/cpu.stat", STAT),
                ("sys/fs/cgroup/a.slice/b.service/cpu.max", "max 100000\n"),
            ],
        );
        assert_eq!(found, Some(Quota { processors: 0.2, periods: 11, throttled: 10 }));
        // In a container the mounted group is the process's own.
        let own =
            [V2, ("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/cpu.max", "150000 100000\n")];
        let found = quota("v2-own", &own);
        assert_eq!(found, Some(Quota { processors: 1.5, ..Quota::default() }));
        let none = [V2, group, ("sys/fs/cgroup/a.slice/cpu.max", "max 100000\n")];
        assert_eq!(quota("v2-none", &none), None);
    }

    #[test]
    fn p7_quotas_of_version_1_are_read() {
        let mounts = (
            "proc/self/mountinfo",
            "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
             34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
             41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        );
        let group = ("proc/self/cgroup", "3:cpuset:/\n2:cpu,cpuacct:/a\n0::/\n");
        let period = ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
        let files = |quota| {
            let quota = ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", quota);
            let stat = ("sys/fs/cgroup/cpu,cpuacct/a/cpu.stat", "nr_periods 4\nnr_throttled 1\n");
            [mounts, group, period, quota, stat]
        };
        let found = quota("v1", &files("50000\n"));
        assert_eq!(found, Some(Quota { processors: 0.5, periods: 4, throttled: 1 }));
        assert_eq!(quota("v1-none", &files("-1\n")), None);
        // The group's path is the host's, and only the group is mounted.
        let mounts = (
            "proc/self/mountinfo",
            "32 31 0:29 /docker/1 /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n",
        );
        let found = quota(
            "v1-docker",
            &[
                mounts,
                ("proc/self/cgroup", "2:cpu:/docker/1\n"),
                ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
                ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n"),
            ],
        );
        assert_eq!(found.map(|quota| quota.processors), Some(2.0));
    }

    #[test]
    fn p7_processors_are_not_more_than_the_quota() {
        let found = |quota: f64| {
            let quota = Some(Quota { processors: quota, ..Quota::default() });
            within(NonZeroUsize::new(8).unwrap(), quota).get()
        };
        assert_eq!([0.2, 1.0, 2.9, 64.0].map(found), [1, 1, 2, 8]);
        assert_eq!(within(NonZeroUsize::new(8).unwrap(), None).get(), 8);
    }

    #[test]
    fn what_is_no_file_of_a_group_is_no_quota() {
        assert_eq!(quota("empty", &[]), None);
        let odd = ("proc/self/cgroup", "x\n0::\n:::\n");
        for max in ["", "max", "1", "a b", "5 0", "-1 100000"] {
            let max = ("sys/fs/cgroup/cpu.max", max);
            assert_eq!(quota("odd", &[V2, odd, max]), None, "{max:?}");
        }
        assert!(processors().get() > 0);
    }
}
