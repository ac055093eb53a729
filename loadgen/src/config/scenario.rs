//! The arguments of `hold`, `listen` and `fanout` to what its connections do.

use std::time::Duration;

use super::{
    CONNECTIONS_MAX, Config, DURATION_MAX, Load, PAYLOAD_SIZE_MAX, PIPELINE_MAX, Scenario,
    TIMEOUT_MAX, bounded, within,
};
use crate::cli::{FanoutArgs, HoldArgs, ListenArgs};
use crate::stamp;

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

/// What publishers and subscribers do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fanout {
    /// At least one for each topic, as of subscribers.
    pub publishers: u64,
    /// Connections that listen.
    pub subscribers: u64,
    /// When messages are published.
    pub load: Load,
    /// How many in all; `None` is no limit.
    pub messages: Option<u64>,
    /// Bytes of a payload.
    pub size: usize,
    /// How long the copies of a message are waited for.
    pub copy_timeout: Duration,
    /// A text message that each subscriber sends once it is open; `{topic}` is the number of its
    /// topic.
    pub subscribe: Option<String>,
    /// From the last connection's opening to the first message.
    pub settle: Duration,
}

/// Most pairs of a subscriber and a publisher of its topic: each takes 24 bytes.
const PAIRS_MAX: u64 = 1 << 24;
const SIZE_DEFAULT: u64 = 64;
/// How long servers have to take subscriptions in.
const SETTLE_SUBSCRIBED: Duration = Duration::from_millis(500);

/// The URLs of so many topics.
fn topic_urls(urls: &[String], topics: u64) -> Result<Vec<String>, String> {
    let [url] = urls else {
        return Err(format!(
            "--topics {topics} needs one URL; without --topics, each of several is a topic"
        ));
    };
    let of = |topic: u64| {
        if url.contains("{topic}") {
            Ok(url.replace("{topic}", &topic.to_string()))
        } else if url.contains(['?', '#']) {
            Err(format!("--topics needs a place for the topic in {url:?}; put {{topic}} there"))
        } else {
            Ok(format!("{}/{topic}", url.trim_end_matches('/')))
        }
    };
    (0..topics).map(of).collect()
}

impl Config {
    /// The configuration of `loadgen fanout`.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn of_fanout(args: FanoutArgs) -> Result<Self, String> {
        if args.reconnect.is_some() {
            return Err(
                "--reconnect can't be in a fanout: which copies were due to a subscriber that \
                        was away isn't known; use it with run, hold or listen"
                    .into(),
            );
        }
        let mut load_args = args.load;
        if load_args.shard.segment.is_some() {
            return Err("--segment can't split a fanout: subscribers are waited for by the \
                        publishers of the same process"
                .into());
        }
        let subscribers = within("--subscribers", load_args.connections, 1, CONNECTIONS_MAX)?;
        let publishers = within("--publishers", args.publishers, 1, CONNECTIONS_MAX)?;
        if let Some(topics) = args.topics {
            let topics = within("--topics", topics, 1, CONNECTIONS_MAX)?;
            if topics > 1 {
                load_args.urls = topic_urls(&load_args.urls, topics)?;
            }
        }
        let topics = load_args.urls.len().max(1) as u64;
        if topics > publishers || topics > subscribers {
            return Err(format!(
                "{topics} topics need as many publishers and subscribers at least; \
                 there are {publishers} and {subscribers}"
            ));
        }
        let pairs = subscribers.saturating_mul(publishers.div_ceil(topics));
        if pairs > PAIRS_MAX {
            return Err(format!(
                "{subscribers} subscribers of {publishers} publishers are {pairs} pairs to keep \
                 in mind; use at most {PAIRS_MAX}"
            ));
        }
        let load = match (args.rate, args.pipeline) {
            (Some(rate), _) => Load::Open { rate },
            (None, pipeline) => {
                let pipeline = within("-p", pipeline.unwrap_or(1), 1, PIPELINE_MAX.min(64))?;
                Load::Closed { pipeline: u32::try_from(pipeline).unwrap_or(u32::MAX) }
            }
        };
        let size = args.size.unwrap_or(SIZE_DEFAULT);
        let size = within("-s", size, stamp::Post::LEN as u64, PAYLOAD_SIZE_MAX)?;
        let messages =
            args.messages.map(|messages| within("-n", messages, 1, u64::MAX)).transpose()?;
        let least = Duration::from_millis(1);
        let copy_timeout = bounded("--copy-timeout", args.copy_timeout, least, TIMEOUT_MAX)?;
        let is_subscribed = args.subscribe.is_some();
        let settle =
            args.settle.unwrap_or(if is_subscribed { SETTLE_SUBSCRIBED } else { Duration::ZERO });
        load_args.connections = publishers + subscribers;
        let mut config = Self::of_load(
            Scenario::Fanout(Fanout {
                publishers,
                subscribers,
                load,
                messages,
                size: usize::try_from(size).unwrap_or(usize::MAX),
                copy_timeout,
                subscribe: args.subscribe,
                settle: bounded("--settle", settle, Duration::ZERO, DURATION_MAX)?,
            }),
            load_args,
        )?;
        // And a sweep, which may come a little later.
        config.drain_timeout = copy_timeout + Duration::from_millis(500);
        Ok(config)
    }

    /// The configuration of `loadgen listen`.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn of_listen(args: ListenArgs) -> Result<Self, String> {
        let listen = Scenario::Listen(Listen { subscribe: args.subscribe });
        let mut config = Self::of_load(listen, args.load)?;
        config.reconnect = args.reconnect.reconnect;
        Ok(config)
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
        config.reconnect = args.reconnect.reconnect;
        Ok(config)
    }

    /// What held connections do, if they are what was asked for.
    #[must_use]
    pub const fn hold(&self) -> Option<&Hold> {
        match &self.scenario {
            Scenario::Hold(hold) => Some(hold),
            _ => None,
        }
    }

    /// When messages or Pings are sent, if any are.
    #[must_use]
    pub fn load(&self) -> Option<Load> {
        match &self.scenario {
            Scenario::Echo(echo) => Some(echo.load),
            Scenario::Hold(hold) => hold.ping_interval.map(|interval| Load::Every { interval }),
            Scenario::Fanout(fanout) => Some(fanout.load),
            Scenario::OpenClose { .. } | Scenario::Listen(_) => None,
        }
    }

    /// What publishers and subscribers do, if they are what was asked for.
    #[must_use]
    pub const fn fanout(&self) -> Option<&Fanout> {
        match &self.scenario {
            Scenario::Fanout(fanout) => Some(fanout),
            _ => None,
        }
    }

    /// Topics of a fanout: one for each URL.
    #[must_use]
    pub fn topics(&self) -> u64 {
        self.targets.len().max(1) as u64
    }

    /// What a connection says once it is open, before load begins.
    #[must_use]
    pub fn greeting(&self) -> Option<&str> {
        match &self.scenario {
            Scenario::Listen(listen) => listen.subscribe.as_deref(),
            Scenario::Fanout(fanout) => fanout.subscribe.as_deref(),
            _ => None,
        }
    }
}
