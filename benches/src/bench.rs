//! The contests under criterion, for its statistics: `cargo bench -p benches --
//! 'decode/binary/125'`.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};

use crate::contest::ContestId;
use crate::group::{self, Extent};

/// Runs what the command line selects. Without `--bench`, as under `cargo test`, everything small
/// runs once.
///
/// # Panics
/// If a contestant did other work than the rest.
pub fn bench() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let extent = if is_bench { Extent::Full } else { Extent::Test };
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .without_plots()
        .configure_from_args();
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    for plan in group::plans(&[], extent) {
        if !filter.as_ref().is_none_or(|filter| may_match(filter, &plan.id)) {
            continue;
        }
        let (id, mut contest) = plan.ready();
        let mut group = criterion.benchmark_group(format!("{}/{}", id.group, id.work));
        group.throughput(match contest.work.bytes {
            0 => Throughput::Elements(contest.work.items),
            bytes => Throughput::Bytes(bytes),
        });
        for entry in &mut contest.entries {
            let contestant = &mut entry.contestant;
            group.bench_function(BenchmarkId::new(entry.name, id.size), |bencher| {
                bencher.iter_custom(|iterations| {
                    let start = Instant::now();
                    for _ in 0..iterations {
                        std::hint::black_box(contestant.run());
                    }
                    start.elapsed()
                });
            });
        }
        group.finish();
    }
    criterion.final_summary();
}

/// Whether criterion may find `filter` in the names of this contest: big contests take time and
/// memory to build, so a filter that starts with the name of a group, and perhaps of a work, builds
/// only those.
fn may_match(filter: &str, id: &ContestId) -> bool {
    let mut parts = filter.split('/');
    let group = parts.next().unwrap_or_default();
    let work = parts.next().unwrap_or_default();
    !group::NAMES.contains(&group) || (group == id.group && id.work.starts_with(work))
}
