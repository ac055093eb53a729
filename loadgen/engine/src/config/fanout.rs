//! The configuration of `fanout`: publishers, subscribers, topics, and where each connects.

use std::time::Duration;

use super::{
    CONNECTIONS_MAX, Config, DURATION_MAX, Load, PAYLOAD_SIZE_MAX, PIPELINE_MAX, Purpose, Scenario,
    Segment, TIMEOUT_MAX, Template, bounded, users, within, within_size,
};
use crate::cli::{FanoutArgs, LoadArgs};
use crate::clock::nanos;
use crate::{stamp, units};

/// Most pairs of a subscriber and a publisher of its topic; each takes 24 bytes.
const PAIRS_MAX: u64 = 1 << 24;
const SIZE_DEFAULT: u64 = 64;
/// How long a server has to process subscriptions if nothing waits for its answer.
const SETTLE_SUBSCRIBED: Duration = Duration::from_millis(500);

/// What publishers and subscribers do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fanout {
    /// Connections that publish, at least one per topic.
    pub publishers: u64,
    /// Connections that subscribe, at least one per topic.
    pub subscribers: u64,
    /// Number of topics; connection `i` has topic `i % topics`.
    pub topics: u64,
    /// How many of the last targets are for publishers only; 0 if publishers connect where
    /// subscribers do.
    pub publish_targets: usize,
    /// When messages are published.
    pub load: Load,
    /// Total number of messages; `None` is no limit.
    pub messages: Option<u64>,
    /// Payload size in bytes.
    pub size: usize,
    /// The text around a payload.
    pub publish: Option<Template>,
    /// How long to wait for the copies of a message.
    pub copy_timeout: Duration,
    /// A text message that each subscriber sends once it is open.
    pub subscribe: Option<Template>,
    /// Whether publishers send it, too.
    pub is_publisher_subscribed: bool,
    /// Text in the answer to `subscribe`; messages wait until every subscriber has received it.
    pub subscribed: Option<String>,
    /// Pause between the opening of the last connection and the first message.
    pub settle: Duration,
}

/// Reads the message that a connection sends once it is open.
pub(super) fn subscription(text: Option<&str>) -> Result<Option<Template>, String> {
    let parse = |text: &str| Template::parse_for(text.as_bytes(), Purpose::Subscription);
    let template = text.map(parse).transpose().map_err(|why| format!("--subscribe: {why}"))?;
    check_size("--subscribe", template.as_ref(), 0)?;
    Ok(template)
}

fn publication(text: Option<&str>, size: u64) -> Result<Option<Template>, String> {
    let parse = |text: &str| Template::parse_for(text.as_bytes(), Purpose::Publication);
    let template = text.map(parse).transpose().map_err(|why| format!("--publish: {why}"))?;
    check_size("--publish", template.as_ref(), size)?;
    Ok(template)
}

fn check_size(flag: &str, template: Option<&Template>, payload: u64) -> Result<(), String> {
    let size = template.map_or(0, |template| template.size_most() as u64).saturating_add(payload);
    if size > PAYLOAD_SIZE_MAX {
        return Err(format!(
            "{flag} makes a message of up to {size} bytes; a message has at most {PAYLOAD_SIZE_MAX}"
        ));
    }
    Ok(())
}

/// Where the subscribers and publishers of each topic connect.
struct Places {
    urls: Vec<String>,
    publish_urls: Vec<String>,
    topics: u64,
}

impl Places {
    fn new(args: &FanoutArgs, fanout: &Fanout) -> Result<Self, String> {
        let (urls, publish_urls) = (args.load.urls.clone(), args.publish_urls.clone());
        let is_told =
            |template: &Option<Template>| template.as_ref().is_some_and(Template::has_topic);
        let (by_subscribe, by_publish) = (is_told(&fanout.subscribe), is_told(&fanout.publish));
        let is_apart = !publish_urls.is_empty();
        if is_apart && urls.is_empty() {
            return Err("--publish-url needs the URL of the subscribers, too".into());
        }
        let places = match args.topics {
            None => Self { topics: urls.len().max(1) as u64, urls, publish_urls },
            Some(topics) => {
                let topics = within("--topics", topics, 1, CONNECTIONS_MAX)?;
                let by_both = by_subscribe && by_publish;
                let is_of_subscribers = if is_apart { by_subscribe } else { by_both };
                let urls = topic_urls(&urls, topics, is_of_subscribers)?;
                let publish_urls = match &publish_urls[..] {
                    [_] => topic_urls(&publish_urls, topics, by_publish)?,
                    _ => publish_urls,
                };
                Self { urls, publish_urls, topics }
            }
        };
        let Self { urls, publish_urls, topics } = &places;
        let is_odd = |urls: &[String]| urls.len() as u64 != *topics && urls.len() > 1;
        if is_odd(publish_urls) {
            return Err(format!(
                "{} --publish-url for {}; give one, or one per topic",
                publish_urls.len(),
                units::counted(*topics, "topic")
            ));
        }
        let (pub_at, flag) = if is_apart { (publish_urls, "--publish-url") } else { (urls, "URL") };
        if *topics > 1 && pub_at.len() == 1 && !by_publish {
            return Err(format!(
                "nothing says which of {topics} topics a message is for; put {{topic}} into \
                 --publish or into {flag}"
            ));
        }
        if *topics > 1 && urls.len() == 1 && !by_subscribe {
            return Err(format!(
                "nothing says to which of {topics} topics a connection subscribes; put {{topic}} \
                 into --subscribe or into URL"
            ));
        }
        Ok(places)
    }
}

/// Returns a URL for each topic, or one for all if messages name the topic.
fn topic_urls(urls: &[String], topics: u64, is_told: bool) -> Result<Vec<String>, String> {
    let url = match urls {
        [url] => url,
        [] if topics == 1 => return Ok(Vec::new()),
        _ => {
            return Err(format!(
                "--topics {topics} needs one URL; without --topics, each URL is a topic"
            ));
        }
    };
    if url.contains("{topic}") {
        return Ok((0..topics).map(|topic| url.replace("{topic}", &topic.to_string())).collect());
    }
    if is_told || topics == 1 {
        return Ok(vec![url.clone()]);
    }
    if url.contains(['?', '#']) {
        return Err(format!(
            "--topics needs a place for the topic in {url:?}; put {{topic}} there"
        ));
    }
    let base = url.trim_end_matches('/');
    Ok((0..topics).map(|topic| format!("{base}/{topic}")).collect())
}

impl Config {
    /// Builds the configuration of `loadgen fanout`.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn of_fanout(mut args: FanoutArgs) -> Result<Self, String> {
        if args.reconnect.is_some() {
            return Err("--reconnect doesn't work with fanout: which copies a subscriber missed \
                        while it was away can't be known; use it with run, hold or listen"
                .into());
        }
        let mut fanout = Fanout::new(&args)?;
        let places = Places::new(&args, &fanout)?;
        fanout.topics = places.topics;
        fanout.publish_targets = places.publish_urls.len();
        let part = args.load.shard.segment.unwrap_or(Segment::WHOLE);
        fanout.check_numbers(part)?;
        if part != Segment::WHOLE {
            args.load.duration = fanout.check_segment(part, &args.load)?;
        }
        args.load.urls = [places.urls, places.publish_urls].concat();
        args.load.connections = fanout.publishers + fanout.subscribers;
        let beside = users::beside(&args.users, &mut args.load)?;
        let copy_timeout = fanout.copy_timeout;
        let mut config = Self::of_load(Scenario::Fanout(fanout), args.load)?;
        config.beside = beside;
        // The sweep that concludes messages may run a little later.
        config.drain_timeout = copy_timeout + Duration::from_millis(500);
        Ok(config)
    }

    /// Returns the part of the run that this process does, if there are other processes.
    #[must_use]
    pub fn split(&self) -> Option<Segment> {
        self.segment.filter(|&segment| segment != Segment::WHOLE)
    }

    /// Returns the scenario, if it is a fanout.
    #[must_use]
    pub const fn fanout(&self) -> Option<&Fanout> {
        match &self.scenario {
            Scenario::Fanout(fanout) => Some(fanout),
            _ => None,
        }
    }
}

impl Fanout {
    /// Reads the arguments, except for topics and URLs.
    fn new(args: &FanoutArgs) -> Result<Self, String> {
        let load = match (args.rate, args.pipeline) {
            (Some(rate), _) => Load::Open { rate },
            (None, pipeline) => {
                let pipeline = within("-p", pipeline.unwrap_or(1), 1, PIPELINE_MAX.min(64))?;
                Load::Closed { pipeline: u32::try_from(pipeline).unwrap_or(u32::MAX) }
            }
        };
        let size = args.size.unwrap_or(SIZE_DEFAULT);
        let size = within_size("-s", size, stamp::Post::LEN as u64, PAYLOAD_SIZE_MAX)?;
        let messages =
            args.messages.map(|messages| within("-n", messages, 1, u64::MAX)).transpose()?;
        let least = Duration::from_millis(1);
        if args.subscribed.as_ref().is_some_and(String::is_empty) {
            return Err(
                "--subscribed is empty and would match anything; give text of the answer".into()
            );
        }
        if args.subscribed.as_deref().is_some_and(Template::has_placeholder) {
            return Err("--subscribed has placeholders, which aren't replaced in it; use text \
                        that is the same in all answers"
                .into());
        }
        let settle = match (&args.subscribe, &args.subscribed) {
            (Some(_), None) => SETTLE_SUBSCRIBED,
            _ => Duration::ZERO,
        };
        Ok(Self {
            publishers: within("--publishers", args.publishers, 1, CONNECTIONS_MAX)?,
            subscribers: within("--subscribers", args.load.connections, 1, CONNECTIONS_MAX)?,
            topics: 1,
            publish_targets: 0,
            load,
            messages,
            size: usize::try_from(size).unwrap_or(usize::MAX),
            publish: publication(args.publish.as_deref(), size)?,
            copy_timeout: bounded("--copy-timeout", args.copy_timeout, least, TIMEOUT_MAX)?,
            subscribe: subscription(args.subscribe.as_deref())?,
            is_publisher_subscribed: args.publishers_subscribe,
            subscribed: args.subscribed.clone(),
            settle: bounded(
                "--settle",
                args.settle.unwrap_or(settle),
                Duration::ZERO,
                DURATION_MAX,
            )?,
        })
    }

    /// Returns an upper bound on the messages of one publisher.
    #[must_use]
    pub fn messages_each_max(&self, duration: Duration) -> u64 {
        self.messages_max(duration).div_ceil(self.publishers)
    }

    /// Returns an upper bound on the messages of all publishers.
    #[must_use]
    pub fn messages_max(&self, duration: Duration) -> u64 {
        let due = match self.load {
            Load::Open { rate } => rate.due_before(nanos(duration)),
            Load::Closed { .. } | Load::Every { .. } => u64::MAX,
        };
        due.min(self.messages.unwrap_or(u64::MAX))
    }

    /// Refuses what segments can't do together; returns the duration, which each segment must know
    /// by itself.
    fn check_segment(&self, part: Segment, args: &LoadArgs) -> Result<Option<Duration>, String> {
        let Load::Open { rate } = self.load else {
            return Err("fanout --segment needs -R: a publisher can't wait for copies that other \
                        processes receive"
                .into());
        };
        // The processes of a fleet begin together without being told when.
        let is_together = args.shard.start_at.is_some() && args.shard.ramp.is_some();
        if args.member.is_none() && !is_together {
            return Err("fanout --segment needs --start-at TIME and --ramp T, the same for all \
                        segments: every connection must be open before the first message"
                .into());
        }
        if self.subscribers < part.of() {
            return Err(format!(
                "{} for {} segments are too few; use at least as many",
                units::counted(self.subscribers, "subscriber"),
                part.of()
            ));
        }
        Ok(match self.messages {
            None => args.duration,
            // The last message is due before the end.
            Some(messages) => {
                let all = Duration::from_nanos(rate.due_ns(messages).max(1_000_000));
                Some(args.duration.map_or(all, |duration| duration.min(all)))
            }
        })
    }

    fn check_numbers(&self, part: Segment) -> Result<(), String> {
        let Self { publishers, subscribers, topics, .. } = *self;
        if topics > publishers || topics > subscribers {
            return Err(format!(
                "{topics} topics need at least as many publishers and subscribers; there are \
                 {publishers} and {subscribers}"
            ));
        }
        let pairs = subscribers.div_ceil(part.of()).saturating_mul(publishers.div_ceil(topics));
        if pairs > PAIRS_MAX {
            return Err(format!(
                "{} of {} are {} pairs to keep track of; use at most {}",
                units::counted(subscribers, "subscriber"),
                units::counted(publishers, "publisher"),
                units::count(pairs),
                units::count(PAIRS_MAX)
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
impl Fanout {
    /// Returns a fanout for tests, with payloads of `size` bytes.
    pub(crate) fn sample(size: usize, topics: u64) -> Self {
        Self {
            publishers: topics,
            subscribers: topics,
            topics,
            publish_targets: 0,
            load: Load::Closed { pipeline: 1 },
            messages: None,
            size,
            publish: None,
            copy_timeout: Duration::from_secs(1),
            subscribe: None,
            is_publisher_subscribed: false,
            subscribed: None,
            settle: Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, Parsed, parse};

    const SUBSCRIBE: &str = r#"--subscribe={"op":"subscribe","topic":"t{topic}"}"#;
    const PUBLISH: &str = r#"--publish={"topic":"t{topic}","data":"{payload}"}"#;

    fn config(words: &[&str]) -> Result<Config, String> {
        let words = ["loadgen", "fanout"].iter().chain(words).map(Into::into);
        let Parsed::Command(command) = parse(words) else { panic!() };
        let Command::Fanout(args) = *command else { panic!() };
        Config::of_fanout(args)
    }

    fn places(words: &[&str]) -> (Vec<String>, usize, u64) {
        let config = config(&[&["-c", "9", "--publishers", "9"], words].concat()).unwrap();
        let urls = config.targets.iter().map(ToString::to_string).collect();
        let fanout = config.fanout().unwrap();
        (urls, fanout.publish_targets, fanout.topics)
    }

    #[test]
    fn a_topic_is_told_by_url_or_by_message() {
        let to_strings = |urls: &[&str]| urls.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (words, urls, publish, topics) in [
            (&["ws://h/"][..], &["ws://h/"][..], 0, 1),
            (&["ws://h/a", "ws://h/b"], &["ws://h/a", "ws://h/b"], 0, 2),
            (&["ws://h/r", "--topics", "2"], &["ws://h/r/0", "ws://h/r/1"], 0, 2),
            (&["ws://h/?t={topic}", "--topics", "2"], &["ws://h/?t=0", "ws://h/?t=1"], 0, 2),
            (&["ws://h/{topic}", "--topics", "1"], &["ws://h/0"], 0, 1),
            (&["ws://h/", "--topics", "3", SUBSCRIBE, PUBLISH], &["ws://h/"], 0, 3),
            (&["ws://h/", "--publish-url", "ws://p/"], &["ws://h/", "ws://p/"], 1, 1),
            (
                &["ws://h/", "--publish-url", "ws://p/", "--topics", "2", SUBSCRIBE],
                &["ws://h/", "ws://p/0", "ws://p/1"],
                2,
                2,
            ),
            (
                &["ws://h/{topic}", "--publish-url", "ws://p/", "--topics", "2", PUBLISH],
                &["ws://h/0", "ws://h/1", "ws://p/"],
                1,
                2,
            ),
            (
                &["ws://a/", "ws://b/", "--publish-url", "ws://p/", "--publish-url", "ws://q/"],
                &["ws://a/", "ws://b/", "ws://p/", "ws://q/"],
                2,
                2,
            ),
        ] {
            assert_eq!(places(words), (to_strings(urls), publish, topics), "{words:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_said_in_one_line() {
        for (words, why) in [
            (&["--publish-url", "ws://p/"][..], "needs the URL of the subscribers"),
            (&["ws://h/", "--publish", "x"], "--publish: it has no place for the payload"),
            (&["ws://h/", "--publish", "{payload} {foo}"], "--publish: unknown placeholder {foo}"),
            (&["ws://h/", "--subscribe", "{foo}"], "--subscribe: unknown placeholder {foo}"),
            (&["ws://h/", "--subscribe", "{rand:67108865}"], "bad placeholder"),
            (&["ws://h/", "--publish", "{payload}{rand:67108864}"], "up to 67108928 bytes"),
            (&["ws://h/", "--subscribe", "x", "--subscribed", ""], "--subscribed is empty"),
            (&["ws://h/", "--segment", "1/2", "--seed", "1"], "needs -R"),
            (
                &["ws://h/", "--segment", "1/2", "--seed", "1", "-R", "5", "--ramp", "1s"],
                "needs --start-at TIME and --ramp T",
            ),
            (
                &[
                    "ws://h/",
                    "--segment",
                    "1/10",
                    "--seed",
                    "1",
                    "-R",
                    "5",
                    "--ramp",
                    "1s",
                    "--start-at",
                    "+1s",
                ],
                "9 subscribers for 10 segments are too few",
            ),
            (
                &["ws://h/", "ws://i/", "--publish-url", "ws://p/"],
                "nothing says which of 2 topics a message is for; put {topic} into --publish or \
                 into --publish-url",
            ),
            (
                &[
                    "ws://h/",
                    "ws://i/",
                    "ws://j/",
                    "--publish-url",
                    "ws://p/",
                    "--publish-url",
                    "ws://q/",
                ],
                "2 --publish-url for 3 topics",
            ),
        ] {
            let said = config(&[&["-c", "9", "--publishers", "9"], words].concat()).unwrap_err();
            assert!(said.contains(why), "{words:?}: {said}");
        }
    }

    #[test]
    fn segments_know_when_the_last_message_is_due() {
        let base =
            ["ws://h/", "--segment", "1/2", "--seed", "1", "--ramp", "1s", "--start-at", "+1s"];
        let alone = config(&["ws://h/", "--segment", "1/1", "--seed", "1"]).unwrap();
        assert_eq!(alone.split(), None, "one is all");
        let config = |more: &[&str]| config(&[&base, more].concat()).unwrap();
        assert_eq!(config(&["-R", "1"]).split(), Segment::new(1, 2));
        let each_max =
            |config: &Config| config.fanout().unwrap().messages_each_max(config.duration);
        for (more, duration_ms, each) in [
            (&["-R", "10"][..], 10_000, 100),
            (&["-R", "10", "-n", "25"], 2_500, 25),
            (&["-R", "10", "-n", "25", "-d", "2s"], 2_000, 20),
            (&["-R", "10", "-n", "25", "--publishers", "4"], 2_500, 7),
        ] {
            let config = config(more);
            assert_eq!(config.duration, Duration::from_millis(duration_ms), "{more:?}");
            assert_eq!(each_max(&config), each, "{more:?}");
        }
    }

    #[test]
    fn a_pause_is_for_those_who_are_not_told() {
        let settle = |words: &[&str]| config(words).unwrap().fanout().unwrap().settle;
        assert_eq!(settle(&["ws://h/"]), Duration::ZERO);
        assert_eq!(settle(&["ws://h/", "--subscribe", "x"]), SETTLE_SUBSCRIBED);
        assert_eq!(settle(&["ws://h/", "--subscribe", "x", "--subscribed", "ok"]), Duration::ZERO);
    }
}
