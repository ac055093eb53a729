//! Every disagreement there is, each with the RFC's word on it.

use super::Allowed;
use super::Theirs::{Fails, GoesOn, Refuses, Waits};

const TUNGSTENITE: &str = "tungstenite";
const FASTWEBSOCKETS: &str = "fastwebsockets";
const TOKIO_WEBSOCKETS: &str = "tokio-websockets";

const fn row(
    peer: &'static str,
    ours: &'static [&'static str],
    theirs: super::Theirs,
    why: &'static str,
) -> Allowed {
    Allowed { peer, ours, theirs, why }
}

const MINIMAL: &str = "\
    RFC 6455, 5.2: \"the minimal number of bytes MUST be used to encode the length\" binds the \
    sender; it takes longer forms, we refuse them, also for control frames, whose length field \
    may not say 126 or 127 (5.5)";
const MINIMAL_THEN_UTF8: &str = "as above, and it went on to a payload that offends too";
const WHOLE_FRAMES: &str = "\
    RFC 6455, 7.1.7 sets no time: it judges a frame once all of it, or of its first two bytes, \
    is there; we judge each byte as it comes";
const MSB: &str = "\
    RFC 6455, 5.2: \"the most significant bit MUST be 0\" is an offence against the protocol, \
    1002; it sees only a length beyond its limit, 1009";
const TWO_OFFENCES: &str = "\
    the frame offends twice, and the RFC gives no order: it judges them in another order than we \
    do";
const REASON_FIRST: &str = "\
    the Close offends twice (7.4 and 8.1), and the RFC gives no order: it judges the reason \
    first, we the code";
const CODE_1014: &str = "\
    7.4.2 leaves 1000-2999 to the registry, where 1014 was entered later: it does not know the \
    code";
const DIRECTION: &str = "\
    RFC 6455, 5.1: \"The server MUST close the connection upon receiving a frame that is not \
    masked. [...] A client MUST close a connection if it detects a masked frame\": it does not \
    look";
const INTERLEAVED: &str = "\
    RFC 6455, 5.4: \"the fragments of one message MUST NOT be interleaved between the fragments \
    of another message\": a first fragment without FIN replaces the open message";
const SUM: &str = "\
    RFC 6455, 10.4 advises limits on the size of a message after reassembly: it has none on the \
    sum of fragments";
const CUT_CHARACTER: &str = "\
    RFC 6455, 8.1: \"that endpoint MUST _Fail the WebSocket Connection_\" if text is not UTF-8: \
    it hands out, or drops the end of, a message in fragments that ends within a character";

const SECOND_BYTE: &str = "\
    RFC 6455, 7.1.7 sets no time: it judges a continuation with no message open, and a Close of \
    one byte, at the second byte; we once the header is whole, and at the payload's byte";
const EMPTY_LAST: &str = "\
    RFC 6455, 8.1: \"that endpoint MUST _Fail the WebSocket Connection_\" if text is not UTF-8: \
    it hands out text that ends within a character if the last fragment is empty";

/// The list.
pub const ALLOWED: [Allowed; 28] = [
    row(TUNGSTENITE, &[], Waits, WHOLE_FRAMES),
    row(TUNGSTENITE, &["length_not_minimal", "control_too_long"], GoesOn, MINIMAL),
    row(TUNGSTENITE, &["length_not_minimal", "control_too_long"], Fails("utf8"), MINIMAL_THEN_UTF8),
    row(TUNGSTENITE, &["length_msb"], Fails("too_big"), MSB),
    row(
        TUNGSTENITE,
        &[
            "control_too_long",
            "length_not_minimal",
            "mask_forbidden",
            "mask_required",
            "reserved_bits",
            "control_fragmented",
            "expected_continuation",
            "unexpected_continuation",
        ],
        Fails("too_big"),
        TWO_OFFENCES,
    ),
    row(TUNGSTENITE, &["close_code"], Fails("utf8"), REASON_FIRST),
    row(TUNGSTENITE, &["closed"], Refuses("protocol"), CODE_1014),
    row(FASTWEBSOCKETS, &[], Waits, WHOLE_FRAMES),
    row(FASTWEBSOCKETS, &["length_not_minimal", "control_too_long"], GoesOn, MINIMAL),
    row(
        FASTWEBSOCKETS,
        &["length_not_minimal", "control_too_long"],
        Fails("utf8"),
        MINIMAL_THEN_UTF8,
    ),
    row(FASTWEBSOCKETS, &["length_msb"], Fails("too_big"), MSB),
    row(
        FASTWEBSOCKETS,
        &[
            "control_too_long",
            "length_not_minimal",
            "mask_forbidden",
            "mask_required",
            "expected_continuation",
        ],
        Fails("too_big"),
        TWO_OFFENCES,
    ),
    row(FASTWEBSOCKETS, &["close_code"], Fails("utf8"), REASON_FIRST),
    row(FASTWEBSOCKETS, &["closed"], Refuses("protocol"), CODE_1014),
    row(FASTWEBSOCKETS, &["mask_forbidden", "mask_required"], GoesOn, DIRECTION),
    row(FASTWEBSOCKETS, &["mask_forbidden", "mask_required"], Fails("utf8"), DIRECTION),
    row(FASTWEBSOCKETS, &["expected_continuation"], GoesOn, INTERLEAVED),
    row(FASTWEBSOCKETS, &["expected_continuation"], Fails("utf8"), INTERLEAVED),
    row(FASTWEBSOCKETS, &["message_too_big"], GoesOn, SUM),
    row(FASTWEBSOCKETS, &["message_too_big"], Fails("protocol"), SUM),
    row(FASTWEBSOCKETS, &["message_too_big"], Fails("utf8"), SUM),
    row(FASTWEBSOCKETS, &["utf8"], GoesOn, CUT_CHARACTER),
    row(TOKIO_WEBSOCKETS, &[], Waits, WHOLE_FRAMES),
    row(TOKIO_WEBSOCKETS, &["length_msb"], Fails("too_big"), MSB),
    row(TOKIO_WEBSOCKETS, &["frame_too_big"], Fails("protocol"), TWO_OFFENCES),
    row(TOKIO_WEBSOCKETS, &["message_too_big"], Fails("utf8"), TWO_OFFENCES),
    row(TOKIO_WEBSOCKETS, &["open"], Refuses("protocol"), SECOND_BYTE),
    row(TOKIO_WEBSOCKETS, &["utf8"], GoesOn, EMPTY_LAST),
];
