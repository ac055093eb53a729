//! Arguments of `loadgen doctor`.

use clap::Args;

use super::output::Output;
use crate::quantity;

/// Arguments of `doctor`.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// Connections that the run will have open at once
    #[arg(short = 'c', long, value_name = "N", default_value = "10k", value_parser = quantity::count, allow_hyphen_values = true)]
    pub connections: u64,
    /// Address or network that the run connects from (repeatable)
    #[arg(long = "source-ip", value_name = "IP|CIDR")]
    pub source_ips: Vec<String>,
    /// Number of addresses that the run connects to
    #[arg(long, value_name = "N", default_value = "1", value_parser = quantity::count, allow_hyphen_values = true)]
    pub targets: u64,
    /// Writes the list as text or json, such as -o doctor.json (repeatable)
    #[arg(short = 'o', long = "out", value_name = "OUT", value_parser = Output::parse)]
    pub outputs: Vec<Output>,
}
