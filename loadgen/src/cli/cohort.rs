//! Arguments that make some of the connections misbehave.

use clap::Args;

use crate::config::CohortAsked;

/// Clients that misbehave beside the healthy ones.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Misbehaving clients (reported apart from the healthy ones)")]
pub struct CohortArgs {
    /// A share of -c, or a number of connections, that send like the others and read only so fast,
    /// such as 10%:4KB/s
    #[arg(long, value_name = "SHARE:RATE", value_parser = CohortAsked::parse_slow, allow_hyphen_values = true)]
    pub slow: Vec<CohortAsked>,
    /// A share of -c that misbehaves (repeatable), such as half-open:5%. half-open: half of a
    /// request, then nothing. slow-head: a request at a byte a second. never-pong: no answer to
    /// Pings nor Close. fragments: messages in frames of one byte. never-close: no Close at all
    #[arg(long, value_name = "KIND:SHARE", value_parser = CohortAsked::parse_bad, allow_hyphen_values = true)]
    pub bad: Vec<CohortAsked>,
}
