//! The configuration of `serve push` and `serve broadcast`.

use super::{PAYLOAD_SIZE_MAX, within_size};
use crate::cli::PostArgs;
use crate::serve::{Mode, PushRate, SenderCopy, ServeConfig};
use crate::stamp;

/// Bounds on the bytes that may wait for a client.
const QUEUE_MIN: u64 = 1 << 10;
const QUEUE_MAX: u64 = 1 << 30;

/// Applies `args` to the configuration of a server whose mode is set.
///
/// # Errors
/// One line: what is wrong, and what to do.
pub(super) fn post(args: &PostArgs, config: &mut ServeConfig) -> Result<(), String> {
    let (push, broadcast) = (&[Mode::Push][..], &[Mode::Broadcast][..]);
    let both = &[Mode::Push, Mode::Broadcast][..];
    for (flag, is_given, modes) in [
        ("--size", args.size.is_some(), push),
        ("--rate", args.rate.is_some(), push),
        ("--rate-total", args.rate_total.is_some(), push),
        ("--queue-max", args.queue_max.is_some(), both),
        ("--slow", args.slow.is_some(), both),
        ("--to-sender", args.to_sender, broadcast),
    ] {
        if is_given && !modes.contains(&config.mode) {
            let mode = config.mode.name();
            let names: Vec<_> = modes.iter().map(|mode| format!("serve {}", mode.name())).collect();
            let names = names.join(" or ");
            return Err(format!("{flag} has no effect on serve {mode}; use it with {names}"));
        }
    }
    if args.to_sender {
        config.sender_copy = SenderCopy::Include;
    }
    if let Some(size) = args.size {
        let size = within_size("--size", size, stamp::Push::LEN as u64, PAYLOAD_SIZE_MAX)?;
        config.push.size = usize::try_from(size).unwrap_or(usize::MAX);
    }
    if let Some(rate) = args.rate {
        config.push.rate = PushRate::Each(rate);
    }
    if let Some(rate) = args.rate_total {
        config.push.rate = PushRate::Total(rate);
    }
    if let Some(bytes) = args.queue_max {
        let bytes = within_size("--queue-max", bytes, QUEUE_MIN, QUEUE_MAX)?;
        config.queue_max = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    config.slow_reader = args.slow.unwrap_or(config.slow_reader);
    Ok(())
}
