//! How a command ended to an exit code.

use std::process::ExitCode;

/// Exit codes, as wrk, k6 and the shell have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Ok,
    /// The run failed: 1.
    Failed,
    /// Wrong usage: 2.
    Usage,
    /// The measurement is not valid, because the client was saturated: 97.
    NotValid,
    /// A threshold failed: 99.
    Threshold,
    /// A signal ended it, after what was measured had been printed: 130.
    Interrupted,
}

impl Exit {
    /// The number.
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
    /// What was wrong and what to do, without `error:`.
    pub line: String,
}

impl Failed {
    /// The run failed.
    #[must_use]
    pub const fn run(line: String) -> Self {
        Self { exit: Exit::Failed, line }
    }

    /// The user asked for something that can't be.
    #[must_use]
    pub const fn usage(line: String) -> Self {
        Self { exit: Exit::Usage, line }
    }
}
