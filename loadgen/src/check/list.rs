//! Prints the result of each step as it arrives, and determines the exit code.

use std::io::{self, Write, stdout};

use crate::escape;
use crate::exit::{Exit, Failed};
use crate::net::{Fault, Target};

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Ok,
    /// Worth knowing, although the server does nothing wrong.
    Note,
    Failed,
    /// There was nothing to learn from it.
    NotTried,
}

impl Mark {
    const fn shown(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Failed => "FAILED",
            Self::NotTried => "-",
        }
    }
}

/// Prints the result of each step as it arrives.
pub(super) struct List {
    pub(super) failed: usize,
    /// Whether each step is ok.
    is_all_ok: bool,
    broken: Option<io::Error>,
}

impl List {
    pub(super) fn new(target: &Target) -> Self {
        let mut list = Self { failed: 0, is_all_ok: true, broken: None };
        list.print(&format!("check {target}"));
        list
    }

    pub(super) fn step(&mut self, name: &str, outcome: Result<String, String>) {
        match outcome {
            Ok(said) => self.put(Mark::Ok, name, &said),
            Err(said) => self.failed(name, &said),
        }
    }

    pub(super) fn failed(&mut self, name: &str, said: &str) {
        self.failed += 1;
        self.put(Mark::Failed, name, said);
    }

    pub(super) fn put(&mut self, mark: Mark, name: &str, said: &str) {
        self.is_all_ok &= mark == Mark::Ok;
        let mark = mark.shown();
        self.print(&format!(" {mark:<8}{name:<14}{}", escape::control(said, 400)));
    }

    /// Returns what a step produced, or lists its failure.
    pub(super) fn taken<T>(&mut self, name: &str, outcome: Result<T, Fault>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(fault) => {
                self.step(name, Err(fault.said));
                None
            }
        }
    }

    /// Prints a line that is no result.
    pub(super) fn line(&mut self, line: &str) {
        self.print(line);
    }

    fn print(&mut self, line: &str) {
        if let Err(error) = writeln!(stdout(), "{}", line.trim_end()) {
            self.broken.get_or_insert(error);
        }
    }

    pub(super) fn end(mut self) -> Result<Exit, Failed> {
        let failed = self.failed;
        self.print(&match failed {
            0 if !self.is_all_ok => "no step failed".to_owned(),
            0 => "all ok".to_owned(),
            1 => "1 step failed".to_owned(),
            _ => format!("{failed} steps failed"),
        });
        if let Some(error) = self.broken {
            return Err(Failed::run(format!("the list could not be written to stdout: {error}")));
        }
        Ok(if failed == 0 { Exit::Ok } else { Exit::Failed })
    }
}
