//! The signals that end a command in good order.

use std::fs;
use std::io;
use std::task::{Context, Poll};

use rustix::process::Signal as Kind;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP.
///
/// SIGHUP is left alone where whatever started this program has it ignored, as `nohup` does.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    /// Takes the signals from now on. Needs a tokio runtime.
    ///
    /// # Errors
    /// What the system says when it refuses.
    pub fn new() -> io::Result<Self> {
        let hangup = if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    /// Becomes ready with each signal.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let signals = [Some(&mut self.interrupt), Some(&mut self.terminate), self.hangup.as_mut()];
        let mut poll = Poll::Pending;
        for signal in signals.into_iter().flatten() {
            if signal.poll_recv(cx).is_ready() {
                poll = Poll::Ready(());
            }
        }
        poll
    }
}

/// What the shell, or the user by Ctrl-Z, asks of a process that holds the terminal.
#[derive(Debug)]
pub struct StopSignal {
    stop: Signal,
}

impl StopSignal {
    /// Takes SIGTSTP from now on: this process has to stop itself. Needs a tokio runtime.
    ///
    /// # Errors
    /// What the system says when it refuses.
    pub fn new() -> io::Result<Self> {
        Ok(Self { stop: signal(SignalKind::from_raw(Kind::TSTP.as_raw()))? })
    }

    /// Becomes ready with each signal.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.stop.poll_recv(cx).map(drop)
    }
}

fn is_hangup_ignored() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// Reads the mask of ignored signals, in which SIGHUP, the first, is the lowest bit.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_of_ignored_signals() {
        for (status, is_ignored) in [
            ("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n", false),
            ("SigIgn:\t0000000000001001\nSigCgt:\t0\n", true),
            ("SigIgn:\tx\n", false),
            ("", false),
        ] {
            assert_eq!(ignores_hangup(status), is_ignored, "{status:?}");
        }
    }
}
