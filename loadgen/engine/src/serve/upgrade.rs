//! Answers a client's request: with 101, or with a refusal and the name that it is counted under.

use wscodec::deflate::{DeflateAgreed, DeflateServer};
use wscodec::handshake::{
    Acceptance, HandshakeLimits, HandshakeMisuse, Rejection, ServerHandshake,
};

use super::config::{Mode, ServeConfig};

/// Most bytes of a topic.
const TOPIC_LEN_MAX: usize = 255;

/// A request that has not been answered. Boxed in its session, and dropped once it is answered.
#[derive(Debug)]
pub(super) struct Upgrade {
    handshake: ServerHandshake,
    is_spare: bool,
    has_begun: bool,
    deflate: Option<DeflateAgreed>,
    /// The topic that the client sends to and receives from.
    topic: Box<str>,
}

/// The outcome of a read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UpgradeOutcome {
    /// The request isn't complete.
    NeedMore,
    /// The 101 is in the buffer; the rest of the input is frames.
    Accepted,
    /// The refusal is in the buffer, for this reason.
    Rejected(&'static str),
}

impl Upgrade {
    /// Returns an upgrade that awaits a request; on a spare seat it refuses any.
    pub(super) fn new(is_spare: bool) -> Self {
        let handshake = ServerHandshake::new(HandshakeLimits::default());
        Self { handshake, is_spare, has_begun: false, deflate: None, topic: "".into() }
    }

    /// Checks whether any byte of the request has arrived.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Takes the topic: the path of the request, in modes that use topics.
    pub(super) fn take_topic(&mut self) -> Box<str> {
        std::mem::take(&mut self.topic)
    }

    /// Returns the parameters of permessage-deflate that were agreed on.
    pub(super) fn deflate(&self) -> Option<DeflateAgreed> {
        self.deflate
    }

    /// Takes the bytes of the request from the front of `input`, and appends the answer to `out`.
    pub(super) fn receive(
        &mut self,
        input: &mut &mut [u8],
        config: &ServeConfig,
        out: &mut Vec<u8>,
    ) -> UpgradeOutcome {
        self.has_begun = true;
        let acceptance = match self.handshake.receive(input) {
            Ok(None) => return UpgradeOutcome::NeedMore,
            Ok(Some(request)) => {
                let asked = Asked {
                    is_spare: self.is_spare,
                    origin: request.origin(),
                    host: request.host(),
                    path: request.path(),
                };
                match asked.topic(config) {
                    Ok(topic) => self.topic = topic,
                    Err(refusal) => return self.refuse(refusal, out),
                }
                acceptance_of(|| request.subprotocols(), &config.subprotocols)
            }
            Err(error) => {
                // Refused only after an earlier answer, and this is the first.
                self.handshake.reject(error, out).ok();
                return UpgradeOutcome::Rejected(error.name());
            }
        };
        match acceptance.and_then(|acceptance| self.accept(&acceptance, config, out)) {
            Ok(()) => UpgradeOutcome::Accepted,
            Err(_) => self.refuse(Refusal::INTERNAL, out),
        }
    }

    fn accept(
        &mut self,
        acceptance: &Acceptance,
        config: &ServeConfig,
        out: &mut Vec<u8>,
    ) -> Result<(), HandshakeMisuse> {
        let Some(deflate) = config.deflate else { return self.handshake.accept(acceptance, out) };
        let mut server = DeflateServer::new(deflate);
        self.handshake.accept_with_extensions(acceptance, &mut server, out)?;
        self.deflate = server.agreed().copied();
        Ok(())
    }

    /// Answers that the deadline has passed.
    pub(super) fn time_out(&mut self, out: &mut Vec<u8>) {
        let said = "no request in time\n";
        self.refuse(Refusal { status: 408, reason: "timeout", said }, out);
    }

    fn refuse(&mut self, refusal: Refusal, out: &mut Vec<u8>) -> UpgradeOutcome {
        if let Ok(rejection) = Rejection::new(refusal.status) {
            // Refused only after an earlier answer, and this is the first.
            self.handshake.reject(rejection.body(refusal.said), out).ok();
        }
        UpgradeOutcome::Rejected(refusal.reason)
    }
}

/// Why this server refuses a request that is well-formed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The name that it is counted under.
    pub(super) reason: &'static str,
    /// The body of the response.
    pub(super) said: &'static str,
}

impl Refusal {
    /// A mistake of this server's own.
    pub(super) const INTERNAL: Self = Self { status: 500, reason: "internal", said: "" };
}

/// What decides whether a well-formed request is accepted.
#[derive(Debug)]
pub(super) struct Asked<'r> {
    pub(super) is_spare: bool,
    pub(super) origin: Option<&'r str>,
    pub(super) host: &'r str,
    pub(super) path: &'r str,
}

impl Asked<'_> {
    /// Returns the topic that the client sends to and receives from, empty in modes without
    /// topics; or why the client may not connect.
    pub(super) fn topic(&self, config: &ServeConfig) -> Result<Box<str>, Refusal> {
        let refuse = |status, reason, said| Err(Refusal { status, reason, said });
        if self.is_spare {
            return refuse(503, "connections_max", "too many connections\n");
        }
        if !config.origins.allows(self.origin, Some(self.host)) {
            return refuse(403, "origin_policy", "this origin may not connect\n");
        }
        match config.mode {
            Mode::Broadcast if self.path.len() > TOPIC_LEN_MAX => {
                refuse(414, "topic_len", "the path is too long a topic\n")
            }
            Mode::Broadcast => Ok(self.path.into()),
            _ => Ok("".into()),
        }
    }
}

/// Selects the first of the server's subprotocols that the client offers. If the server has none,
/// selects the first that the client offers, so that clients that insist on one can be tried.
pub(super) fn acceptance_of<'r, I: Iterator<Item = &'r str>>(
    offered: impl Fn() -> I,
    spoken: &'r [String],
) -> Result<Acceptance, HandshakeMisuse> {
    let selected = if spoken.is_empty() {
        offered().next()
    } else {
        let is_offered = |name: &&str| offered().any(|offered| offered == *name);
        spoken.iter().map(String::as_str).find(is_offered)
    };
    match selected {
        Some(name) => Acceptance::new().subprotocol(name),
        None => Ok(Acceptance::new()),
    }
}

#[cfg(test)]
mod tests {
    use wscodec::deflate::Deflate;

    use super::*;

    fn answer(request: &str, is_spare: bool) -> (UpgradeOutcome, String) {
        answer_of(request, is_spare, &ServeConfig::default())
    }

    fn answer_of(request: &str, is_spare: bool, config: &ServeConfig) -> (UpgradeOutcome, String) {
        let mut request = request.replace('\n', "\r\n").into_bytes();
        let mut out = Vec::new();
        let mut upgrade = Upgrade::new(is_spare);
        let verdict = upgrade.receive(&mut &mut request[..], config, &mut out);
        (verdict, String::from_utf8(out).unwrap())
    }

    const REQUEST: &str = "GET / HTTP/1.1\nHost: localhost\nUpgrade: websocket\n\
        Connection: Upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\
        Sec-WebSocket-Version: 13\n";

    #[test]
    fn the_first_subprotocol_is_selected() {
        let (verdict, response) =
            answer(&format!("{REQUEST}Sec-WebSocket-Protocol: b, a\n\n"), false);
        assert_eq!(verdict, UpgradeOutcome::Accepted);
        assert!(response.contains("\r\nSec-WebSocket-Protocol: b\r\n"), "{response}");
    }

    #[test]
    fn deflate_is_agreed_on_only_where_it_was_asked_for() {
        let mut request = REQUEST.replace('\n', "\r\n").into_bytes();
        request.extend(b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
        for (deflate, expected) in [(None, None), (Some(Deflate::server()), Some(12))] {
            let config = ServeConfig { deflate, ..ServeConfig::default() };
            let (mut upgrade, mut out) = (Upgrade::new(false), Vec::new());
            let mut input = request.clone();
            assert_eq!(
                upgrade.receive(&mut &mut input[..], &config, &mut out),
                UpgradeOutcome::Accepted
            );
            let bits = upgrade.deflate().map(|agreed| agreed.server_max_window_bits().get());
            assert_eq!(bits, expected);
            let answer = String::from_utf8(out).unwrap();
            assert_eq!(answer.contains("permessage-deflate"), expected.is_some(), "{answer}");
        }
    }

    #[test]
    fn of_those_that_are_spoken_the_preferred_is_selected() {
        let config =
            ServeConfig { subprotocols: vec!["a".into(), "b".into()], ..ServeConfig::default() };
        for (offered, selected) in [("b, a", Some("a")), ("c, b", Some("b")), ("c", None)] {
            let request = format!("{REQUEST}Sec-WebSocket-Protocol: {offered}\n\n");
            let (verdict, response) = answer_of(&request, false, &config);
            assert_eq!(verdict, UpgradeOutcome::Accepted);
            let line = selected.map(|name| format!("\r\nSec-WebSocket-Protocol: {name}\r\n"));
            assert_eq!(
                line.is_some_and(|line| response.contains(&line)),
                selected.is_some(),
                "{response}"
            );
            assert_eq!(response.contains("Sec-WebSocket-Protocol"), selected.is_some());
        }
    }

    #[test]
    fn refusals_are_named() {
        let rows = [
            (format!("{REQUEST}Origin: https://evil.example\n\n"), false, "403", "origin_policy"),
            (format!("{REQUEST}\n"), true, "503", "connections_max"),
            ("GET / HTTP/1.1\nHost: localhost\n\n".into(), false, "426", "upgrade"),
            ("POST / HTTP/1.1\nHost: localhost\n\n".into(), false, "405", "method"),
        ];
        for (request, is_spare, status, reason) in rows {
            let (verdict, response) = answer(&request, is_spare);
            assert_eq!(verdict, UpgradeOutcome::Rejected(reason));
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
            assert!(response.contains("\r\nConnection: close"), "{response}");
        }
    }

    #[test]
    fn half_a_request_waits() {
        assert_eq!(answer(REQUEST, false), (UpgradeOutcome::NeedMore, String::new()));
    }
}
