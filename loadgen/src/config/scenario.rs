//! The arguments of `hold` and `listen` to what its connections do.

use std::time::Duration;

use super::{Config, Scenario, bounded};
use crate::cli::{HoldArgs, ListenArgs};

const PING_INTERVAL_MIN: Duration = Duration::from_millis(1);
const PING_INTERVAL_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How long the Pongs to the last Pings are waited for.
const PONG_TIMEOUT: Duration = Duration::from_secs(2);

/// What held connections do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// From one Ping on a connection to the next; `None` sends none.
    pub ping_interval: Option<Duration>,
}

/// What listening connections do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// A text message that each sends once it is open.
    pub subscribe: Option<String>,
}

impl Config {
    /// The configuration of `loadgen listen`.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn of_listen(args: ListenArgs) -> Result<Self, String> {
        Self::of_load(Scenario::Listen(Listen { subscribe: args.subscribe }), args.load)
    }

    /// The configuration of `loadgen hold`.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn of_hold(args: HoldArgs) -> Result<Self, String> {
        let bound =
            |interval| bounded("--ping-interval", interval, PING_INTERVAL_MIN, PING_INTERVAL_MAX);
        let ping_interval = args.ping_interval.map(bound).transpose()?;
        let mut config = Self::of_load(Scenario::Hold(Hold { ping_interval }), args.load)?;
        config.drain_timeout = PONG_TIMEOUT;
        Ok(config)
    }
}
