//! The arguments of `serve` about messages that clients haven't asked for, to what the server does.

use super::{PAYLOAD_SIZE_MAX, within};
use crate::cli::PostArgs;
use crate::serve::{Mode, PushRate, ServeConfig};
use crate::stamp;

/// The least and the most that may wait for a client, in bytes.
const QUEUE_MIN: u64 = 1 << 10;
const QUEUE_MAX: u64 = 1 << 30;

/// Takes `args` into a server's configuration, whose mode is known.
///
/// # Errors
/// One line: what is wrong, and what to do.
pub(super) fn post(args: &PostArgs, config: &mut ServeConfig) -> Result<(), String> {
    let is_push = config.mode == Mode::Push;
    for (flag, is_given) in [
        ("--size", args.size.is_some()),
        ("--rate", args.rate.is_some()),
        ("--rate-total", args.rate_total.is_some()),
        ("--queue-max", args.queue_max.is_some()),
        ("--slow", args.slow.is_some()),
    ] {
        if is_given && !is_push {
            let mode = config.mode.name();
            return Err(format!("{flag} says nothing to serve {mode}; use it with serve push"));
        }
    }
    if let Some(size) = args.size {
        let size = within("--size", size, stamp::Push::LEN as u64, PAYLOAD_SIZE_MAX)?;
        config.push.size = usize::try_from(size).unwrap_or(usize::MAX);
    }
    if let Some(rate) = args.rate {
        config.push.rate = PushRate::Each(rate);
    }
    if let Some(rate) = args.rate_total {
        config.push.rate = PushRate::Total(rate);
    }
    if let Some(bytes) = args.queue_max {
        let bytes = within("--queue-max", bytes, QUEUE_MIN, QUEUE_MAX)?;
        config.queue_max = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    config.slow_reader = args.slow.unwrap_or(config.slow_reader);
    Ok(())
}
