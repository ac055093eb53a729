//! Which time of arrival counts.

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::{Deserialize, Serialize};

/// When a message counts as received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecvTime {
    /// When loadgen read it, as a program that waits for it would.
    #[default]
    User,
    /// When the kernel had it, where the kernel says so.
    Kernel,
}

impl RecvTime {
    /// Returns the name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Kernel => "kernel",
        }
    }
}

impl ValueEnum for RecvTime {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::User, Self::Kernel]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}
