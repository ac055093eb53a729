//! The contests of this package under criterion.

fn main() {
    benches::bench::bench();
}
