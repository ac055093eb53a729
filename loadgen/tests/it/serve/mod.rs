//! The reference server against scripted clients.

mod bombs;
mod broadcast;
mod echo;
mod faults;
mod fleet;
mod hostile;
mod http2;
mod injected_faults;
mod push;
mod shutdown;
