//! The opening handshake, RFC 6455, 4 and 9.

mod client;
mod errors;
mod extensions;
mod head;
mod joined;
mod misuse;
mod property;
mod server;
mod values;
