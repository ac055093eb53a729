//! Arguments that say how events keep to their schedule.

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::config::{Arrivals, StageAsked};

/// How the rate changes, and how events are spread.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Pace")]
pub struct PaceArgs {
    /// A time in which the rate goes in a line to another, such as 30s:10k (repeatable); 0s:10k
    /// jumps. Messages a second in `run`, from -R or 0 on; connections begun a second in
    /// `connect`, from -C or 0 on. The run is as long as all together
    #[arg(long = "stage", value_name = "T:RATE", value_parser = StageAsked::parse, allow_hyphen_values = true)]
    pub stages: Vec<StageAsked>,
    /// How what has a rate is spread: evenly, or as independent events are (Poisson) [default:
    /// constant]
    #[arg(long, value_name = "KIND")]
    pub arrivals: Option<Arrivals>,
}

impl ValueEnum for Arrivals {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Constant, Self::Poisson]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}
