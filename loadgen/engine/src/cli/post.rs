//! Arguments of `loadgen serve` for unsolicited messages.

use clap::{Args, ValueEnum};

use crate::quantity::{self, Rate};
use crate::serve::SlowReader;

/// What `serve push` and `serve broadcast` send, and what is done with those who don't read.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Push and broadcast")]
pub struct PostArgs {
    /// push: payload bytes of a message [default: 64]
    #[arg(short = 's', long, value_name = "SIZE", value_parser = quantity::size, allow_hyphen_values = true)]
    pub size: Option<u64>,
    /// push: messages per second to each connection [default: 10]
    #[arg(short = 'R', long, value_name = "N", value_parser = quantity::rate, allow_hyphen_values = true, conflicts_with = "rate_total")]
    pub rate: Option<Rate>,
    /// push: messages per second to all connections together
    #[arg(long, value_name = "N", value_parser = quantity::rate, allow_hyphen_values = true)]
    pub rate_total: Option<Rate>,
    /// push, broadcast: bytes that may wait for a client that doesn't read [default: 1M]
    #[arg(long, value_name = "SIZE", value_parser = quantity::size, allow_hyphen_values = true)]
    pub queue_max: Option<u64>,
    /// push, broadcast: what to do with a client above that: close or skip [default: close]
    ///
    /// close ends the connection with 1008; skip drops messages for it.
    #[arg(long, value_name = "POLICY")]
    pub slow: Option<SlowReader>,
    /// broadcast: also sends a copy to the sender
    #[arg(long)]
    pub to_sender: bool,
}

impl ValueEnum for SlowReader {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Close, Self::Skip]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()))
    }
}
