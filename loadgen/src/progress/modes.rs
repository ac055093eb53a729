//! The modes of the terminal while the view is shown: keys arrive at once and aren't echoed, the
//! cursor is hidden. They are given back however the run ends, also by a panic.
//!
//! Signals from the keyboard stay on, so Ctrl-C and Ctrl-Z are what they always are. The state is
//! one of the process, because a panic may happen on any thread.

use std::io::{IsTerminal, Write, stderr, stdin};
use std::panic;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rustix::io::read;
use rustix::process::{Signal, getpgrp, getpid, kill_process};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};

/// Wipes the lines of the view, at whose beginning the cursor rests, and shows the cursor.
const WIPE: &[u8] = b"\r\x1b[0m\x1b[J\x1b[?25h";

/// Who has the terminal.
enum Holder {
    /// The shell, and whatever else writes to it.
    Others,
    /// The view. The modes from before, unless stdin is something else and was left alone.
    View(Option<Termios>),
    /// A panic has taken it from the view, for good.
    Panic,
}

static HOLDER: Mutex<Holder> = Mutex::new(Holder::Others);

fn holder() -> MutexGuard<'static, Holder> {
    HOLDER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What became of an attempt to [`take`] the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The view has it now; the lines below the cursor are free.
    Newly,
    /// The view had it already.
    Already,
    /// This process is in the background, or has panicked.
    No,
}

/// Takes the terminal for the view, if this process is in its foreground.
pub(super) fn take() -> Taken {
    let mut holder = holder();
    if !is_foreground() {
        return Taken::No;
    }
    match &*holder {
        Holder::View(_) => Taken::Already,
        Holder::Panic => Taken::No,
        Holder::Others => {
            give_back_on_panic();
            *holder = Holder::View(unbuffered());
            Taken::Newly
        }
    }
}

/// Gives the terminal back, if the view has it.
pub(super) fn give_back() {
    leave(Holder::Others);
}

/// Stops this process as Ctrl-Z does, with the terminal as it was before.
pub(super) fn stop() {
    give_back();
    kill_process(getpid(), Signal::STOP).ok();
}

/// Returns whether keys are read.
pub(super) fn has_keys() -> bool {
    matches!(&*holder(), Holder::View(Some(_)))
}

/// Returns a key that was pressed, if there is one. Never waits.
pub(super) fn key() -> Option<u8> {
    if !has_keys() || !is_foreground() {
        return None;
    }
    let mut key = [0];
    (read(stdin(), &mut key) == Ok(1)).then_some(key[0])
}

fn leave(next: Holder) {
    let mut holder = holder();
    if let Holder::View(modes) = &*holder {
        stderr().write_all(WIPE).ok();
        if let Some(modes) = modes {
            tcsetattr(stdin(), OptionalActions::Now, modes).ok();
        }
        *holder = next;
    }
}

fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            leave(Holder::Panic);
            report(info);
        }));
    });
}

/// Checks whether the terminal takes this process for the one that the user works with: only that
/// one may read keys and set modes.
fn is_foreground() -> bool {
    tcgetpgrp(stderr()).is_ok_and(|group| group == getpgrp())
}

/// Makes keys arrive at once and unechoed, and a read return at once without one. Returns the modes
/// from before; `None` if stdin isn't a terminal.
fn unbuffered() -> Option<Termios> {
    let before = stdin().is_terminal().then(|| tcgetattr(stdin()).ok()).flatten()?;
    let mut modes = before.clone();
    modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    modes.special_codes[SpecialCodeIndex::VMIN] = 0;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    tcsetattr(stdin(), OptionalActions::Now, &modes).ok()?;
    Some(before)
}
