//! The load generator's engine: plan, workers, metrics, report.
