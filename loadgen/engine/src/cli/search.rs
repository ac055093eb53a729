//! Arguments of `search`.

use clap::Args;

use super::{LoadArgs, MessageArgs};
use crate::quantity::{self, Rate};

/// Arguments of `search`.
#[derive(Clone, Debug, Args)]
pub struct SearchArgs {
    /// Connections, the time of each step, and everything else about load.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Rates between which to search, such as 1k..100k
    #[arg(help_heading = "Load", short = 'R', long, value_name = "N..N", default_value = "100..1M", value_parser = RatesAsked::parse, allow_hyphen_values = true)]
    pub rate: RatesAsked,
    /// How exactly the capacity is wanted, in percent of it
    #[arg(help_heading = "Load", long, value_name = "PERCENT", default_value = "2", value_parser = clap::value_parser!(u8).range(1..=50))]
    pub within: u8,
    /// The contents of messages.
    #[command(flatten)]
    pub message: MessageArgs,
}

/// The rates between which a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RatesAsked {
    /// The lowest, which is tried first.
    pub least: Rate,
    /// The highest.
    pub most: Rate,
}

impl RatesAsked {
    /// Reads `1k..100k`.
    ///
    /// # Errors
    /// What is wrong, to follow the flag's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (least, most) =
            text.split_once("..").ok_or("not a range; use one like 1k..100k, per second")?;
        let (least, most) = (quantity::rate(least)?, quantity::rate(most)?);
        if least >= most {
            return Err("the first is not below the second; use a range like 1k..100k".into());
        }
        Ok(Self { least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_rates() {
        let rate = |per_s: u64| Rate::new(per_s * 1_000).unwrap();
        let range = RatesAsked { least: rate(1_000), most: rate(100_000) };
        assert_eq!(RatesAsked::parse("1k..100k"), Ok(range));
        for (text, why) in
            [("1k", "not a range"), ("9..1", "not below"), ("1..1", "not below"), ("0..1", "range")]
        {
            assert!(RatesAsked::parse(text).unwrap_err().contains(why), "{text}");
        }
    }
}
