//! How to mask frames.

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::{Deserialize, Serialize};

/// How a client masks its frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// With a fresh, unpredictable key each (RFC 6455, 5.3).
    #[default]
    Random,
    /// With the key of zeros: allowed by the wire format, and never sent by a real client.
    Zero,
}

impl Mask {
    /// Returns the name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Zero => "zero",
        }
    }
}

impl ValueEnum for Mask {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Random, Self::Zero]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}
