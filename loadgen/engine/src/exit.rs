//! How a command ended, and its exit code.

use std::process::ExitCode;

/// An exit code, chosen as wrk, k6 and the shell do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The command succeeded: 0.
    Ok,
    /// The run failed: 1.
    Failed,
    /// Wrong usage: 2.
    Usage,
    /// The measurement is not valid, because the client was saturated: 97.
    NotValid,
    /// A threshold failed: 99.
    Threshold,
    /// A signal ended the run, and what was measured was printed: 130.
    Interrupted,
}

impl Exit {
    /// Returns the number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotValid => 97,
            Self::Threshold => 99,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why a command has no result: one line for stderr, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// [`Exit::Failed`] or [`Exit::Usage`].
    pub exit: Exit,
    /// The cause and the remedy, without `error:`.
    pub line: String,
}

impl Failed {
    /// Makes the failure of a run.
    #[must_use]
    pub const fn run(line: String) -> Self {
        Self { exit: Exit::Failed, line }
    }

    /// Makes the failure of a command line that can't be executed.
    #[must_use]
    pub const fn usage(line: String) -> Self {
        Self { exit: Exit::Usage, line }
    }
}
