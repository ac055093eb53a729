//! Runs a command in several processes of this program, because one can't hold what was asked for,
//! and makes one result of theirs.
//!
//! ```text
//!   muster   how many processes, and which addresses they connect from
//!   members  started, told and heard: pipes with lines of JSON
//!   load     when load begins and ends, what is shown meanwhile, the merged result
//!   serve    one port for all, the sum of what they have done
//! ```
//!
//! A member is in a process group of its own, so an interrupt from the keyboard comes to this
//! process alone, which tells all. One that dies costs its connections, in the right counter, and
//! nothing else.

mod load;
mod members;
mod muster;
mod serve;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::member::Member;
pub use load::run;
pub use muster::{Muster, muster};
pub use serve::{processes as serving_processes, run as serve};

/// This program and its arguments, which members are started with as well.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program's file.
    pub path: PathBuf,
    /// The arguments as typed, without the program's name.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// Returns the program that this process runs.
    ///
    /// # Errors
    /// The system's error if it doesn't know the file.
    pub fn this() -> std::io::Result<Self> {
        let path = std::env::current_exe()?;
        Ok(Self { path, arguments: std::env::args_os().skip(1).collect() })
    }

    /// Returns the command that starts a member.
    fn command(&self, member: Member) -> Command {
        let mut command = Command::new(&self.path);
        // In front, where it can't be taken for an argument of the command's own.
        command.arg("--member").arg(member.text()).args(&self.arguments);
        command
    }
}
