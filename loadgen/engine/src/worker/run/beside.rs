//! The healthy connections of a thread, and cohorts of misbehaving ones beside them.
//!
//! Each cohort of a thread is a [`Worker`] with its own counters and histograms, so that it can't
//! distort those of the healthy connections. It begins and ends its load with theirs, and closes
//! its connections once theirs are closed.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::super::{Brief, WorkerReport};
use super::Worker;
use crate::index::WorkerIndex;
use crate::metrics::live::Live;

/// Runs the healthy connections of a thread, with each cohort beside them.
pub(crate) async fn run_beside(
    number: WorkerIndex,
    brief: Brief,
    live: Arc<Live>,
) -> io::Result<WorkerReport> {
    let cohorts = brief.config.cohorts.clone();
    if cohorts.is_empty() {
        return Worker::new(number, brief, live)?.run().await;
    }
    let (settled, mut healthy_settled) = mpsc::unbounded_channel();
    let (cohort_settled, mut settlements) = mpsc::unbounded_channel();
    let tell = brief.settled.clone();
    let mut tasks = Vec::new();
    for (place, cohort) in cohorts.into_iter().enumerate() {
        let brief = Brief {
            config: Arc::new(brief.config.of_cohort(place, cohort)),
            settled: cohort_settled.clone(),
            ..brief.clone()
        };
        let worker = Worker::new(number, brief, Arc::new(Live::new()))?;
        tasks.push((Rc::clone(&worker.driver), spawn_local(worker.run())));
    }
    let number_of_cohorts = tasks.len();
    spawn_local(async move {
        // Load begins once all are settled, for as many connections as there are healthy ones.
        let Some(open) = healthy_settled.recv().await else { return };
        for _ in 0..number_of_cohorts {
            settlements.recv().await;
        }
        tell.send(open).ok();
    });
    let healthy = Worker::new(number, Brief { settled, ..brief }, live)?.run().await;
    for (driver, _) in &tasks {
        driver.borrow_mut().thread.lifecycle.leave();
    }
    let mut report = healthy?;
    for (_, task) in tasks {
        let cohort = task.await.map_err(io::Error::other)??;
        report.cohorts.push(cohort.metrics);
        report.end_ns = report.end_ns.max(cohort.end_ns);
    }
    Ok(report)
}
