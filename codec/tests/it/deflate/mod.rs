//! permessage-deflate, RFC 7692.

mod hostile;
mod negotiation;
mod round_trip;
mod sharing;
