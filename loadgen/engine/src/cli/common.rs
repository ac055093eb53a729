//! Flags that mean the same whatever else is asked for. So one struct is what they are typed into,
//! what workers read, and what a result says.

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::mask::Mask;
use super::recv_time::RecvTime;

/// What each connection does in the same way, whatever else is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(default)]
pub struct CommonArgs {
    /// Masking keys of frames: random, or zero, which no real client sends
    #[arg(help_heading = "Load", long, value_name = "KIND", default_value = "random")]
    pub mask: Mask,
    /// Time at which a message counts as received: when loadgen read it, or when the kernel had it
    ///
    /// kernel takes the time that a message waits for loadgen out of all latencies, and reports it
    /// as recv.lag: on a busy machine they are the server's and not the client's. For ws:// over
    /// TCP and HTTP/1.1; elsewhere the report says that it is off.
    #[arg(help_heading = "Load", long, value_name = "CLOCK", default_value = "user")]
    pub recv_time: RecvTime,
}

impl CommonArgs {
    /// Returns the words of a command line that ask for this; what is at its default is left out.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let fields = |args: &Self| match serde_json::to_value(args) {
            Ok(Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let default = fields(&Self::default());
        let changed =
            fields(self).into_iter().filter(|(name, value)| default.get(name) != Some(value));
        let flag = |(name, value): (String, Value)| {
            let typed = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            [format!("--{}", name.replace('_', "-")), typed]
        };
        changed.flat_map(flag).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_ask_for_it() {
        use clap::{CommandFactory, FromArgMatches, Parser};
        #[derive(Debug, Parser)]
        struct Alone {
            #[command(flatten)]
            common: CommonArgs,
        }
        for words in [&[][..], &["--mask", "zero"], &["--mask", "zero", "--recv-time", "kernel"]] {
            let line = std::iter::once("alone").chain(words.iter().copied());
            let matches = Alone::command().get_matches_from(line);
            let alone = Alone::from_arg_matches(&matches).unwrap();
            assert_eq!(alone.common.words(), words);
        }
    }
}
