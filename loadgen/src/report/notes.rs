//! Notes what a run can't know, next to what it has measured.
//!
//! A generator that doesn't speak a server's protocol sees connections and messages, not sessions.
//! A reader of "valid" must not confuse the two.

use super::{Report, ScenarioReport};
use crate::config::Mask;
use crate::metrics::{ArrivalTimeCounts, SeenKind};
use crate::units;

impl Report {
    /// Rewrites the notes from what the report says.
    pub(super) fn note(&mut self) {
        let notes = [
            self.unchecked(),
            self.ring(),
            self.mask_note(),
            self.recv_time_note(),
            self.watched_note(),
        ];
        self.notes = notes.into_iter().flatten().collect();
    }

    /// Says what the command's success doesn't show.
    fn unchecked(&self) -> Option<String> {
        const SESSION: &str = "whether the application accepted a session was not checked";
        let is_begun = |scenario: &ScenarioReport| !scenario.steps.is_empty();
        if let Some(hold) =
            self.hold.as_ref().filter(|_| !self.scenario.as_ref().is_some_and(is_begun))
        {
            return (hold.held > 0).then(|| format!("held open; {SESSION}"));
        }
        if self.push.is_some() {
            let foreign = self.seen(SeenKind::Foreign)?;
            return Some(format!(
                "counted {} without a stamp; neither their content nor their number was checked",
                units::counted(foreign.count, "message")
            ));
        }
        if let Some(fanout) = &self.fanout {
            let is_blind = fanout.subscribe_digest.is_some() && fanout.answered.is_none();
            return (is_blind && self.connections.established > 0).then(|| {
                "whether --subscribe was accepted before load began was not checked; with \
                --subscribed TEXT, load begins once every answer contains it"
                    .into()
            });
        }
        let is_connect = self.connections.opened_per_s.is_some();
        (is_connect && self.connections.established > 0)
            .then(|| format!("opened and closed; {SESSION}"))
    }

    /// Notes that a server which expects messages in its own order closed most connections.
    fn ring(&self) -> Option<String> {
        let is_ring = self.config.payload_source.as_deref() == Some(crate::config::Content::RING);
        let is_closed = self.errors.iter().any(|error| error.phase == "server_close");
        (is_ring && is_closed).then(|| {
            "the server closed connections, and the lines of -f are a ring, not a script: \
             connection 0 begins with the first, connection 1 with the second, so only \
             connection 0 sends them in the order of the file"
                .into()
        })
    }

    /// Says which messages are timed by another clock than was asked for, and why.
    fn recv_time_note(&self) -> Option<String> {
        let ArrivalTimeCounts { kernel, user } =
            self.arrival_times.filter(|times| times.user > 0 && !times.is_kernels())?;
        let is_secure = self.target.urls.iter().any(|it| it.url.starts_with("wss:"));
        let why = if self.config.network.http2_streams.is_some() {
            "it is not known of a stream of HTTP/2"
        } else if self.config.network.unix_socket.is_some() {
            "it is not known of a Unix socket"
        } else if is_secure {
            "it is not known under TLS"
        } else {
            "the kernel did not say"
        };
        let which = if kernel == 0 {
            "no latency ends".to_owned()
        } else {
            let all = units::count(kernel.saturating_add(user));
            format!("the latencies of {} of {all} messages don't end", units::count(user))
        };
        Some(format!(
            "{which} when the kernel had the message (--recv-time kernel), but when loadgen read \
             it: {why}"
        ))
    }

    fn mask_note(&self) -> Option<String> {
        (self.config.common.mask == Mask::Zero).then(|| {
            "frames were masked with zeros, which no real client does (--mask zero)".into()
        })
    }
}
