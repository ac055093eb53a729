//! The configuration of `hold` and `listen`.

use std::time::Duration;

use super::fanout::subscription;
use super::{Config, Load, Scenario, Template, bounded, users};
use crate::cli::{HoldArgs, ListenArgs};

const PING_INTERVAL_MIN: Duration = Duration::from_millis(1);
const PING_INTERVAL_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How long to wait for the Pongs that answer the last Pings.
const PONG_TIMEOUT: Duration = Duration::from_secs(2);

/// What held connections do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Time between Pings on a connection; `None` sends none.
    pub ping_interval: Option<Duration>,
}

/// What listening connections do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// A text message that each sends once it is open.
    pub subscribe: Option<Template>,
}

/// Checks the time from one Ping to the next.
pub(super) fn ping_interval(asked: Option<Duration>) -> Result<Option<Duration>, String> {
    let bound =
        |interval| bounded("--ping-interval", interval, PING_INTERVAL_MIN, PING_INTERVAL_MAX);
    asked.map(bound).transpose()
}

impl Config {
    /// Builds the configuration of `loadgen listen`.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn of_listen(mut args: ListenArgs) -> Result<Self, String> {
        let subscribe = subscription(args.subscribe.as_deref())?;
        let beside = users::beside(&args.users, &mut args.load)?;
        let listen = Scenario::Listen(Listen { subscribe });
        let mut config = Self::of_load(listen, args.load)?;
        config.beside = beside;
        config.set_reconnect(&args.reconnect)?;
        Ok(config)
    }

    /// Builds the configuration of `loadgen hold`.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn of_hold(mut args: HoldArgs) -> Result<Self, String> {
        let ping_interval = ping_interval(args.ping_interval)?;
        let beside = users::beside(&args.users, &mut args.load)?;
        let mut config = Self::of_load(Scenario::Hold(Hold { ping_interval }), args.load)?;
        config.beside = beside;
        config.drain_timeout = PONG_TIMEOUT;
        config.set_reconnect(&args.reconnect)?;
        Ok(config)
    }

    /// Returns the scenario, if it is `hold`.
    #[must_use]
    pub const fn hold(&self) -> Option<&Hold> {
        match &self.scenario {
            Scenario::Hold(hold) => Some(hold),
            _ => None,
        }
    }

    /// Returns when messages or Pings are sent, if the scenario sends any.
    #[must_use]
    pub fn load(&self) -> Option<Load> {
        match &self.scenario {
            Scenario::Echo(echo) => Some(echo.load),
            Scenario::Hold(hold) => hold.ping_interval.map(|interval| Load::Every { interval }),
            Scenario::Fanout(fanout) => Some(fanout.load),
            Scenario::Play(play) => Some(play.load),
            Scenario::OpenClose { .. } | Scenario::Listen(_) => None,
        }
    }

    /// Returns the message that a connection sends once it is open, before load begins.
    #[must_use]
    pub const fn greeting(&self) -> Option<&Template> {
        match &self.scenario {
            Scenario::Listen(listen) => listen.subscribe.as_ref(),
            Scenario::Fanout(fanout) => fanout.subscribe.as_ref(),
            _ => None,
        }
    }
}
