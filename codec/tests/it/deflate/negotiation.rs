//! The negotiation of permessage-deflate (RFC 7692, 5 and 7.1): rows C01 to C07 and R18 of the
//! catalogue.

use crate::deflate_support::{bits, chat, frames_in, full};
use crate::handshake_support::{KEY, feed, request, response, server};
use crate::support::builder;
use wscodec::deflate::{
    ContextTakeover, Deflate, DeflateAgreed, DeflateClient, DeflateServer, WindowBits,
};
use wscodec::handshake::{
    Acceptance, ClientExtensions, ClientHandshake, ClientRequest, ExtensionMismatch,
    ExtensionWriter, Extensions, HandshakeError, HandshakeKey, ResponseError,
};
use wscodec::{Event, Message, Role};

/// What a server that wants `deflate` answers to these offers, and what it has agreed on then.
fn answer_to(deflate: Deflate, offers: &[&str]) -> Option<(String, DeflateAgreed)> {
    let mut handshake = server();
    let bytes = request(&[("Sec-WebSocket-Extensions", offers)]);
    assert_eq!(feed(&mut handshake, &bytes).0, Ok(true), "{offers:?}");
    let mut server = DeflateServer::new(deflate);
    let mut out = Vec::new();
    handshake.accept_with_extensions(&Acceptance::new(), &mut server, &mut out).unwrap();
    let head = String::from_utf8(out).unwrap();
    let line = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    assert_eq!(line.is_some(), server.agreed().is_some());
    Some((line?.to_owned(), *server.agreed()?))
}

/// What a client that has made these offers makes of an answer.
fn accept(client: DeflateClient, answer: &str) -> Result<Option<DeflateAgreed>, HandshakeError> {
    let request = ClientRequest::new("a", "/").unwrap();
    let key = HandshakeKey::new(*KEY);
    let mut handshake =
        ClientHandshake::start_with_extensions(&request, key, client, &mut Vec::new()).unwrap();
    let mut bytes = response(&[("Sec-WebSocket-Extensions", &[answer])]);
    handshake.receive(&mut &mut bytes[..])?;
    Ok(handshake.extensions().agreed().copied())
}

fn offer_of(deflate: Deflate) -> String {
    let mut offers = ExtensionWriter::new();
    DeflateClient::new(deflate).offer(&mut offers).unwrap();
    offers.as_str().to_owned()
}

const MISMATCH: HandshakeError = HandshakeError::Response(ResponseError::ExtensionParameters);

#[test]
fn what_a_client_offers() {
    let rows = [
        (Deflate::client(), "permessage-deflate; client_max_window_bits"),
        (Deflate::client().with_client_max_window_bits(None), "permessage-deflate"),
        (
            Deflate::client()
                .with_server_context(ContextTakeover::Off)
                .with_client_context(ContextTakeover::Off)
                .with_server_max_window_bits(bits(10))
                .with_client_max_window_bits(Some(bits(8))),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=10; client_max_window_bits=8",
        ),
    ];
    for (deflate, expected) in rows {
        assert_eq!(offer_of(deflate), expected);
    }
    let mut offers = ExtensionWriter::new();
    let small = Deflate::client().with_server_max_window_bits(bits(10));
    DeflateClient::new(small).or(Deflate::client()).offer(&mut offers).unwrap();
    assert_eq!(
        offers.as_str(), // the example in 7.1.3, but for the order of parameters
        "permessage-deflate; server_max_window_bits=10; client_max_window_bits, \
         permessage-deflate; client_max_window_bits"
    );
}

#[test]
fn s7_1_what_a_server_answers() {
    let off =
        full().with_server_context(ContextTakeover::Off).with_client_context(ContextTakeover::Off);
    let small = Deflate::server(); // 12 bits each
    let rows: [(Deflate, &str, &str); 18] = [
        (full(), "permessage-deflate", "permessage-deflate"),
        (full(), "permessage-deflate; client_max_window_bits", "permessage-deflate"),
        (
            full(),
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10",
        ),
        (
            full(),
            "permessage-deflate; server_max_window_bits=15",
            "permessage-deflate; server_max_window_bits=15",
        ),
        (
            full(),
            "permessage-deflate; server_max_window_bits=\"8\"",
            "permessage-deflate; server_max_window_bits=8",
        ),
        (
            full(),
            "permessage-deflate; client_max_window_bits=9",
            "permessage-deflate; client_max_window_bits=9",
        ),
        (
            full(),
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate; client_max_window_bits=8",
        ),
        (full(), "permessage-deflate; client_max_window_bits=15", "permessage-deflate"),
        (
            full(),
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover",
        ),
        (
            full(),
            "permessage-deflate; client_no_context_takeover",
            "permessage-deflate; client_no_context_takeover",
        ),
        (small, "permessage-deflate", "permessage-deflate; server_max_window_bits=12"),
        (
            small,
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        ),
        (
            small,
            "permessage-deflate; client_max_window_bits=14; server_max_window_bits=13",
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
        ),
        (
            small,
            "permessage-deflate; client_max_window_bits=11; server_max_window_bits=9",
            "permessage-deflate; server_max_window_bits=9; client_max_window_bits=11",
        ),
        (
            off,
            "permessage-deflate",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        // C07: the first acceptable wins
        (full(), "permessage-deflate; x, permessage-deflate", "permessage-deflate"),
        (
            full(),
            "x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=11, permessage-deflate",
            "permessage-deflate; server_max_window_bits=11",
        ),
        (
            full(),
            "permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=9",
            "permessage-deflate; server_max_window_bits=9",
        ),
    ];
    for (deflate, offer, expected) in rows {
        let (answer, agreed) = answer_to(deflate, &[offer]).unwrap_or_else(|| panic!("{offer}"));
        assert_eq!(answer, expected, "{offer}");
        // and a client that could have made that offer takes the answer, with the same agreed
        let client = DeflateClient::new(full().with_server_max_window_bits(WindowBits::MAX));
        let taken = accept(client, &answer).unwrap().unwrap();
        assert_eq!(taken.server_context(), agreed.server_context());
        assert_eq!(taken.client_context(), agreed.client_context());
        assert_eq!(taken.server_max_window_bits(), agreed.server_max_window_bits());
        assert_eq!(taken.client_max_window_bits(), agreed.client_max_window_bits());
    }
}

const VALUES_REFUSED: [&str; 15] = [
    "7",
    "16",
    "0",
    "1",
    "1000",
    "-1",
    "08",
    "015",
    "1e1",
    "10.",
    "+10",
    "0xf",
    "99999999999999999999",
    "18446744073709551624",
    "a",
];

#[test]
fn c02_r18_s7_a_server_declines_window_bits_that_are_not_8_to_15() {
    for value in VALUES_REFUSED {
        for name in ["server_max_window_bits", "client_max_window_bits"] {
            for value in [format!("={value}"), format!("=\"{value}\"")] {
                let offer = format!("permessage-deflate; {name}{value}");
                assert_eq!(answer_to(full(), &[&offer]), None, "{offer}");
            }
        }
    }
    assert_eq!(answer_to(full(), &["permessage-deflate; server_max_window_bits"]), None);
}

#[test]
fn c02_r18_s7_a_client_fails_on_window_bits_that_are_not_8_to_15() {
    for value in VALUES_REFUSED {
        for name in ["server_max_window_bits", "client_max_window_bits"] {
            let answer = format!("permessage-deflate; {name}={value}");
            assert_eq!(accept(DeflateClient::new(full()), &answer), Err(MISMATCH), "{answer}");
        }
    }
    for name in ["server_max_window_bits", "client_max_window_bits"] {
        let answer = format!("permessage-deflate; {name}"); // C03: a value is optional in an offer only
        assert_eq!(accept(DeflateClient::new(full()), &answer), Err(MISMATCH), "{answer}");
        let answer = format!("permessage-deflate; {name}=\"\"");
        assert!(accept(DeflateClient::new(full()), &answer).is_err(), "{answer}");
    }
}

#[test]
fn c01_c05_every_window_from_8_to_15_is_agreed_on_both_sides() {
    for window_bits in 8..=15 {
        let answer = format!("permessage-deflate; server_max_window_bits={window_bits}");
        let agreed = accept(DeflateClient::new(full()), &answer).unwrap().unwrap();
        assert_eq!(agreed.server_max_window_bits(), bits(window_bits));
        assert_eq!(agreed.client_max_window_bits(), WindowBits::MAX);
        let answer = format!("permessage-deflate; client_max_window_bits={window_bits}");
        let agreed = accept(DeflateClient::new(full()), &answer).unwrap().unwrap();
        assert_eq!(agreed.client_max_window_bits(), bits(window_bits));
        assert_eq!(agreed.server_max_window_bits(), WindowBits::MAX);
    }
}

#[test]
fn c03_client_max_window_bits_without_a_value_is_an_offer() {
    let offer = "permessage-deflate; client_max_window_bits";
    let (_, agreed) = answer_to(full(), &[offer]).unwrap();
    assert_eq!(agreed.client_max_window_bits(), WindowBits::MAX);
    let (_, agreed) = answer_to(Deflate::server(), &[offer]).unwrap();
    assert_eq!(agreed.client_max_window_bits(), bits(12));
}

#[test]
fn c04_s7_1_2_2_client_max_window_bits_that_was_not_offered_fails() {
    let client = || DeflateClient::new(full().with_client_max_window_bits(None));
    let answer = "permessage-deflate; client_max_window_bits=10";
    assert_eq!(accept(client(), answer), Err(MISMATCH));
    assert!(accept(client().or(full()), answer).unwrap().is_some(), "offered second");
    assert!(accept(client(), "permessage-deflate").unwrap().is_some());
    // and a server does not say it, whatever it would like
    let (answer, agreed) = answer_to(Deflate::server(), &["permessage-deflate"]).unwrap();
    assert_eq!(answer, "permessage-deflate; server_max_window_bits=12");
    assert_eq!(agreed.client_max_window_bits(), WindowBits::MAX);
}

#[test]
fn c06_s7_doubled_unknown_and_misused_parameters() {
    let rows = [
        "server_no_context_takeover; server_no_context_takeover",
        "client_no_context_takeover; client_no_context_takeover",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits=10; client_max_window_bits=9",
        "client_max_window_bits; client_max_window_bits=9",
        "x",
        "x=1",
        "Server_no_context_takeover",
        "server_no_context_takeover=1",
        "server_no_context_takeover=true",
        "client_no_context_takeover=\"10\"",
        "server_max_window_bits=10; unknown",
    ];
    for row in rows {
        let text = format!("permessage-deflate; {row}");
        assert_eq!(answer_to(full(), &[&text]), None, "{text}");
        let client = DeflateClient::new(full());
        assert_eq!(accept(client, &text), Err(MISMATCH), "{text}");
    }
}

#[test]
fn c07_several_offers_over_several_lines() {
    let lines = ["foo, permessage-deflate; x", "permessage-deflate; server_max_window_bits=9"];
    let (answer, _) = answer_to(full(), &lines).unwrap();
    assert_eq!(answer, "permessage-deflate; server_max_window_bits=9");
    assert_eq!(answer_to(full(), &["foo", "permessage-deflate; x", "bar"]), None, "none is taken");
    assert_eq!(answer_to(full(), &["permessage-deflat", "Permessage-Deflate"]), None);
}

#[test]
fn s7_1_an_answer_must_accept_some_offer() {
    let off = full().with_server_context(ContextTakeover::Off);
    let small = full().with_server_max_window_bits(bits(10));
    let rows = [
        (DeflateClient::new(off), "permessage-deflate", false),
        (DeflateClient::new(off), "permessage-deflate; server_no_context_takeover", true),
        (DeflateClient::new(small), "permessage-deflate", false),
        (DeflateClient::new(small), "permessage-deflate; server_max_window_bits=11", false),
        (DeflateClient::new(small), "permessage-deflate; server_max_window_bits=10", true),
        (DeflateClient::new(small), "permessage-deflate; server_max_window_bits=8", true),
        (DeflateClient::new(small).or(off), "permessage-deflate", false),
        (DeflateClient::new(small).or(full()), "permessage-deflate", true),
        // what a server may add of its own accord
        (
            DeflateClient::new(full()),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=9; client_max_window_bits=9",
            true,
        ),
    ];
    for (client, answer, is_taken) in rows {
        assert_eq!(accept(client, answer).is_ok(), is_taken, "{answer}");
    }
    let error = accept(DeflateClient::new(full()), "permessage-deflate, permessage-deflate");
    assert_eq!(error, Err(ResponseError::ExtensionDoubled.into()));
    let error = accept(DeflateClient::default(), "permessage-deflate");
    assert_eq!(error, Err(ResponseError::ExtensionNotOffered.into()));
}

#[test]
fn s7_1_a_client_keeps_to_its_hints_whatever_the_answer() {
    let hinted = full()
        .with_client_context(ContextTakeover::Off)
        .with_client_max_window_bits(Some(bits(11)));
    let agreed = accept(DeflateClient::new(hinted), "permessage-deflate").unwrap().unwrap();
    assert_eq!(agreed.client_context(), ContextTakeover::Off);
    assert_eq!(agreed.client_max_window_bits(), bits(11));
    let answer = "permessage-deflate; client_max_window_bits=13";
    let agreed = accept(DeflateClient::new(hinted), answer).unwrap().unwrap();
    assert_eq!(agreed.client_max_window_bits(), bits(11));
    let answer = "permessage-deflate; client_max_window_bits=9";
    let agreed = accept(DeflateClient::new(hinted), answer).unwrap().unwrap();
    assert_eq!(agreed.client_max_window_bits(), bits(9));
}

#[test]
fn a_server_that_declines_leaves_a_plain_connection() {
    let request = ClientRequest::new("a", "/").unwrap();
    let key = HandshakeKey::new(*KEY);
    let client = DeflateClient::new(full());
    let mut handshake =
        ClientHandshake::start_with_extensions(&request, key, client, &mut Vec::new()).unwrap();
    handshake.receive(&mut &mut response(&[])[..]).unwrap();
    assert_eq!(handshake.extensions().agreed(), None);
}

#[test]
fn both_sides_say_which_contexts_were_agreed_on() {
    use ContextTakeover::{Allowed, Off};
    for (answer, contexts) in [
        ("permessage-deflate", (Allowed, Allowed)),
        ("permessage-deflate; server_no_context_takeover", (Off, Allowed)),
        ("permessage-deflate; client_no_context_takeover", (Allowed, Off)),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", (Off, Off)),
    ] {
        let client = accept(DeflateClient::new(Deflate::client()), answer).unwrap().unwrap();
        assert_eq!((client.server_context(), client.client_context()), contexts, "{answer}");
        let (_, server) = answer_to(Deflate::server(), &[answer]).unwrap();
        assert_eq!(server.server_context(), contexts.0, "{answer}");
    }
}

#[test]
fn no_extension_agreed_leaves_the_connection_as_it_is() {
    let none: Option<&DeflateAgreed> = None;
    let mut side = builder(Role::Server).extension(none).open();
    let mut out = Vec::new();
    side.send(Message::Text(&chat(1, 300)), &mut out).unwrap();
    assert_eq!(frames_in(&out)[0].0, 0x81);
}

/// What the headers that another stack has exchanged come to.
fn agreed_by(
    role: Role,
    offers: &[u8],
    answer: &[&[u8]],
) -> Result<Option<DeflateAgreed>, ExtensionMismatch> {
    let offers = [offers];
    let (offers, answer) = (Extensions::parse(&offers).unwrap(), Extensions::parse(answer));
    DeflateAgreed::from_headers(role, offers, answer.unwrap(), &full())
}

#[test]
fn headers_of_another_stack_come_to_what_our_own_handshake_agrees_on() {
    for offer in [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=9; server_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "x-other, permessage-deflate; x, permessage-deflate; server_max_window_bits=13",
    ] {
        // With the `size_min` of `full`.
        for deflate in [full(), Deflate::server().with_size_min(0)] {
            let (answer, agreed) = answer_to(deflate, &[offer]).unwrap();
            let server = agreed_by(Role::Server, offer.as_bytes(), &[answer.as_bytes()]);
            assert_eq!(server, Ok(Some(agreed)), "{offer} | {answer}");
        }
    }
    let hinted = full()
        .with_client_context(ContextTakeover::Off)
        .with_client_max_window_bits(Some(bits(11)));
    let offer = offer_of(hinted);
    let own = accept(DeflateClient::new(hinted), "permessage-deflate").unwrap();
    let client = agreed_by(Role::Client, offer.as_bytes(), &[b"permessage-deflate"]);
    assert_eq!(client, Ok(own), "a client keeps what it has promised");
    let server = agreed_by(Role::Server, offer.as_bytes(), &[b"permessage-deflate"]);
    let server = server.unwrap().unwrap();
    assert_eq!(server.client_context(), ContextTakeover::Allowed, "a server doesn't rely on it");
    assert_eq!(server.client_max_window_bits(), WindowBits::MAX);
    // Both offers fit: what the second promises is kept, too.
    let offer = b"permessage-deflate, permessage-deflate; client_no_context_takeover";
    let client = agreed_by(Role::Client, offer, &[b"permessage-deflate"]).unwrap().unwrap();
    assert_eq!(client.client_context(), ContextTakeover::Off);
}

#[test]
fn headers_of_another_stack_that_do_not_fit_are_refused() {
    let any = &b"permessage-deflate; client_max_window_bits"[..];
    assert_eq!(agreed_by(Role::Client, any, &[]), Ok(None), "declined");
    let rows: [(&[u8], &[&[u8]]); 14] = [
        (any, &[b"permessage-deflate; client_max_window_bits"]), // an offer, and no answer
        (any, &[b"permessage-deflate; server_max_window_bits"]),
        (any, &[b"permessage-deflate; server_max_window_bits=7"]),
        (any, &[b"permessage-deflate; server_max_window_bits=16"]),
        (any, &[b"permessage-deflate; client_max_window_bits=10; client_max_window_bits=10"]),
        (any, &[b"permessage-deflate; server_no_context_takeover=1"]),
        (any, &[b"permessage-deflate; x"]),
        (any, &[b"permessage-deflate, permessage-deflate"]),
        (any, &[b"permessage-deflate", b"permessage-deflate"]),
        (any, &[b"permessage-deflate, x-other"]),
        (any, &[b"x-other"]),
        (b"permessage-deflate", &[b"permessage-deflate; client_max_window_bits=10"]),
        (b"permessage-deflate; server_max_window_bits=10", &[b"permessage-deflate"]),
        (b"x-other, permessage-deflate; x", &[b"permessage-deflate"]), // nothing well formed offered
    ];
    for (offer, answer) in rows {
        for role in [Role::Client, Role::Server] {
            assert_eq!(agreed_by(role, offer, answer), Err(ExtensionMismatch), "{answer:?}");
        }
    }
}

#[test]
fn connections_with_parameters_from_elsewhere_understand_each_other() {
    for (server_bits, client_bits) in [(8, None), (9, Some(15)), (15, Some(8)), (12, Some(12))] {
        for context in [ContextTakeover::Allowed, ContextTakeover::Off] {
            let parameters = full()
                .with_server_context(context)
                .with_client_max_window_bits(client_bits.map(bits))
                .with_server_max_window_bits(bits(server_bits));
            let agreed = DeflateAgreed::from_parameters(&parameters);
            assert_eq!(agreed.server_context(), context);
            assert_eq!(agreed.server_max_window_bits(), bits(server_bits));
            assert_eq!(agreed.client_max_window_bits(), bits(client_bits.unwrap_or(15)));
            let mut client = builder(Role::Client).extension(Some(&agreed)).open();
            let mut server = builder(Role::Server).extension(Some(&agreed)).open();
            let text = chat(7, 3_000);
            for _ in 0..3 {
                let (mut up, mut down) = (Vec::new(), Vec::new());
                client.send(Message::Text(&text), &mut up).unwrap();
                assert_ne!(up[0] & 0x40, 0, "compressed");
                let event = server.receive(&mut &mut up[..], &mut Vec::new()).unwrap();
                assert_eq!(event, Some(Event::Text(&text)));
                server.send(Message::Text(&text), &mut down).unwrap();
                let event = client.receive(&mut &mut down[..], &mut Vec::new()).unwrap();
                assert_eq!(event, Some(Event::Text(&text)));
            }
        }
    }
}
