//! Arguments of `loadgen check` for scenarios.

use std::time::Duration;

use clap::Args;

use super::label;
use crate::quantity;

/// How a scenario is checked.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Scenario")]
pub struct CheckedArgs {
    /// With a scenario: the server on which one user tries it
    ///
    /// The user does `[[begin]]`, one iteration and `[[end]]`. Every message is printed with what
    /// took it, and so are secrets in messages. Without this and --try, the scenario is only read.
    #[arg(id = "server", value_name = "SERVER", help_heading = None)]
    pub server: Option<String>,
    /// Tries the scenario on the server that its own url names
    #[arg(long = "try")]
    pub is_tried: bool,
    /// Fills a variable of the scenario (repeatable)
    #[arg(long, value_name = "NAME=TEMPLATE", value_parser = label)]
    pub set: Vec<(String, String)>,
    /// Which user of a run to be, from 0: its row, its role, its {conn} [default: 0]
    #[arg(long, value_name = "N", value_parser = quantity::count, allow_hyphen_values = true)]
    pub as_user: Option<u64>,
    /// Seed of random placeholders and pauses [default: a new one]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How long the iteration may take; without steps, how long the user is held [default: 1m; 2s]
    #[arg(short = 'd', long, value_name = "T", value_parser = quantity::duration, allow_hyphen_values = true)]
    pub duration: Option<Duration>,
}

impl CheckedArgs {
    /// Refuses what has no meaning where a server is checked, not a scenario.
    ///
    /// # Errors
    /// The flag, and what to do.
    pub fn refuse(&self) -> Result<(), String> {
        if let Some(server) = &self.server {
            return Err(format!(
                "{server} is the second server; name one, or a scenario before it"
            ));
        }
        let flags = [
            (self.is_tried, "--try"),
            (!self.set.is_empty(), "--set"),
            (self.as_user.is_some(), "--as-user"),
            (self.seed.is_some(), "--seed"),
            (self.duration.is_some(), "-d"),
        ];
        match flags.iter().find(|(is_given, _)| *is_given) {
            None => Ok(()),
            Some((_, flag)) => Err(format!("{flag} is for a scenario; name one before the server")),
        }
    }
}
