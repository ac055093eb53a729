//! The client against scripted servers.

mod chaos;
mod cohorts;
mod deflate;
mod echo;
mod ending;
mod fanout;
mod fanout_protocol;
mod faults;
mod handshake;
mod hold;
mod http2;
mod interrupt;
mod listen;
mod network;
mod no_echo;
mod notes;
mod pace;
mod pings;
mod placeholders;
mod play;
mod reconnect;
mod result;
mod sources;
mod timeout;
mod tls;
mod truth;
