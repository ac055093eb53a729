//! Benchmarks of wscodec beside its peers.
