//! |Sec-WebSocket-Extensions| and the hooks, RFC 6455, 9.1: rows B22, B27 and R31 of the catalogue of hostile inputs.

use crate::handshake_support::{
    KEY, assert_refused, feed, request, response, server, with_request,
};
use wscodec::handshake::{
    Acceptance, ClientExtensions, ClientHandshake, ClientRequest, EXTENSIONS_MAX, Extension,
    ExtensionMismatch, ExtensionWriter, Extensions, HandshakeError, HandshakeKey, HandshakeLimits,
    HandshakeMisuse, RequestError, ResponseError, ServerExtensions, ServerHandshake,
};

/// An extension as text: its name, then each parameter, with `=` if it has a value.
fn show(extension: &Extension<'_>) -> String {
    extension.parameters().fold(extension.name().to_owned(), |text, parameter| {
        match parameter.value {
            None => format!("{text}|{}", parameter.name),
            Some(value) => format!("{text}|{}={value}", parameter.name),
        }
    })
}

fn offers(lines: &[&str]) -> Vec<String> {
    with_request(&request(&[("Sec-WebSocket-Extensions", lines)]), |request| {
        request.extensions().map(|extension| show(&extension)).collect()
    })
}

#[test]
fn s9_1_the_examples_and_their_neighbours() {
    let rows: [(&[&str], &[&str]); 16] = [
        (&["foo", "bar; baz=2"], &["foo", "bar|baz=2"]),
        (&["foo, bar; baz=2"], &["foo", "bar|baz=2"]),
        (&["deflate-stream"], &["deflate-stream"]),
        (
            &["mux; max-channels=4; flow-control, deflate-stream"],
            &["mux|max-channels=4|flow-control", "deflate-stream"],
        ),
        (&["a;b;c=d"], &["a|b|c=d"]),
        (&["a ; b = c\t, d"], &["a|b=c", "d"]),
        (&[",a,,b,"], &["a", "b"]),
        (&[", ,a", ",b ,"], &["a", "b"]),
        (&["a; b=\"c\""], &["a|b=c"]),
        (&["a; b=\"\\c\\d\""], &["a|b=cd"]),
        (&["a; b=\"c\\d\" ; e"], &["a|b=cd|e"]),
        (&["a; b; b; b=1; b=2"], &["a|b|b|b=1|b=2"]), // doubles are the extension's to judge
        (&["a; x=1, a; x=2, a"], &["a|x=1", "a|x=2", "a"]), // alternatives of one extension
        (&["A, a"], &["A", "a"]),
        (&["constructor"], &["constructor"]),
        (
            &["permessage-deflate; client_max_window_bits; server_max_window_bits=\"10\""],
            &["permessage-deflate|client_max_window_bits|server_max_window_bits=10"],
        ),
    ];
    for (lines, expected) in rows {
        assert_eq!(offers(lines), expected, "{lines:?}");
    }
}

#[test]
fn b22_r31_malformed_lists_are_refused_by_both_sides() {
    let unclosed = format!("a; b=\"{}", "\\c".repeat(7000));
    let semicolons = format!("a{}", ";".repeat(10_000));
    let rows = [
        "",
        " ",
        ",",
        " , ,",
        ",;constructor",
        ";a",
        "a;",
        "a; ",
        "a;;b",
        "a; =b",
        "a; b=",
        "a; b= ",
        "a; b=,c",
        "a; b=c d",
        "a b",
        "a=b",
        "a; b=\"",
        "a; b=\"\"",
        "a; b=\"c",
        "a; b=\"c\\",
        "a; b=\"c\\\"",
        "a; b=\"c d\"",
        "a; b=\"c,d\"",
        "a; b=\"c\\\\d\"",
        "a; b=\"c\"d",
        "a; b=\"c\"\"d\"",
        "\"a\"",
        "a; \"b\"=c",
        "a, b; c=(",
        "a\u{e4}",
        &unclosed,
        &semicolons,
    ];
    for line in rows {
        let name = &line[..line.len().min(30)];
        let changes = [("Sec-WebSocket-Extensions", &[line][..])];
        assert_refused(name, &request(&changes), RequestError::Extensions, 400);
        let after = [("Sec-WebSocket-Extensions", &["good", line][..])];
        assert_refused(name, &request(&after), RequestError::Extensions, 400);
        let (mut client, _) = client(Wanted::default());
        let error = Err(ResponseError::Extensions.into());
        assert_eq!(client.receive(&mut &mut response(&changes)[..]).map(drop), error, "{name}");
    }
}

#[test]
fn b22_ten_thousand_offers_are_judged_and_sixteen_kept() {
    let limits = HandshakeLimits::default().with_head_size_max(1 << 20);
    let mut many: Vec<String> = (0..10_000).map(|i| format!("x{i}; y=z")).collect();
    let serve = |many: &[String]| {
        let mut server = ServerHandshake::new(limits);
        let bytes = request(&[("Sec-WebSocket-Extensions", &[&many.join(", ")])]);
        let result = feed(&mut server, &bytes).0;
        (result, server.request().map(|request| request.extensions().count()))
    };
    assert_eq!(serve(&many), (Ok(true), Some(EXTENSIONS_MAX)));
    many.push("a b".to_owned());
    assert_eq!(serve(&many), (Err(RequestError::Extensions.into()), None));
    let lines: Vec<&str> = vec!["x"; 90];
    assert_eq!(offers(&lines).len(), EXTENSIONS_MAX, "over many lines too");
}

/// A made-up extension `x-window` with one parameter, by which the hooks are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    agreed: Option<u8>,
    asked: u8,
}

fn bits(extension: &Extension<'_>) -> Option<u8> {
    let parameter = extension.parameters().find(|parameter| parameter.name == "bits")?;
    parameter.value?.parse().ok()
}

impl ClientExtensions for Wanted {
    fn offer(&self, offers: &mut ExtensionWriter) -> Result<(), HandshakeMisuse> {
        offers.extension("x-window")?.value("bits", "12")?.flag("any")?;
        offers.extension("x-window")?;
        offers.extension("x-other").map(drop)
    }

    fn accept(&mut self, answer: Extensions<'_>) -> Result<(), ExtensionMismatch> {
        self.asked += 1;
        for extension in answer.filter(|extension| extension.name() == "x-window") {
            self.agreed = Some(bits(&extension).ok_or(ExtensionMismatch)?);
        }
        Ok(())
    }
}

/// The server's part: takes the first offer of `x-window`, and answers what it is told to beside
/// it.
struct Window {
    taken: Option<String>,
    beside: Option<&'static str>,
}

impl ServerExtensions for Window {
    fn negotiate(
        &mut self,
        mut offers: Extensions<'_>,
        answer: &mut ExtensionWriter,
    ) -> Result<(), HandshakeMisuse> {
        if let Some(offer) = offers.find(|offer| offer.name() == "x-window") {
            self.taken = Some(show(&offer));
            answer.extension("x-window")?.value("bits", "9")?;
        }
        self.beside.map_or(Ok(()), |name| answer.extension(name).map(drop))
    }
}

fn client(wanted: Wanted) -> (ClientHandshake<Wanted>, Vec<u8>) {
    let request = ClientRequest::new("a", "/").unwrap();
    let mut out = Vec::new();
    let key = HandshakeKey::new(*KEY);
    let client = ClientHandshake::start_with_extensions(&request, key, wanted, &mut out).unwrap();
    (client, out)
}

#[test]
fn s9_1_client_and_server_agree_through_the_hooks() {
    let (mut client, mut to_server) = client(Wanted::default());
    let mut server = server();
    assert!(server.receive(&mut &mut to_server[..]).unwrap().is_some());
    let mut to_client = Vec::new();
    let mut window = Window { taken: None, beside: None };
    server.accept_with_extensions(&Acceptance::new(), &mut window, &mut to_client).unwrap();
    assert_eq!(window.taken.as_deref(), Some("x-window|bits=12|any"), "the preferred offer");
    let text = String::from_utf8(to_client.clone()).unwrap();
    assert!(text.contains("\r\nSec-WebSocket-Extensions: x-window; bits=9\r\n"), "{text}");
    assert!(client.receive(&mut &mut to_client[..]).unwrap().is_some());
    assert_eq!(client.extensions(), &Wanted { agreed: Some(9), asked: 1 });
    assert!(client.receive(&mut &mut [][..]).unwrap().is_some());
    assert_eq!(client.into_extensions(), Wanted { agreed: Some(9), asked: 1 }, "asked once");
}

#[test]
fn a_server_without_extensions_declines_and_the_client_hears_of_it() {
    let (mut client, mut to_server) = client(Wanted::default());
    let mut server = server();
    assert!(server.receive(&mut &mut to_server[..]).unwrap().is_some());
    let mut to_client = Vec::new();
    server.accept(&Acceptance::new(), &mut to_client).unwrap();
    assert!(!String::from_utf8(to_client.clone()).unwrap().contains("Extensions"));
    assert!(client.receive(&mut &mut to_client[..]).unwrap().is_some());
    assert_eq!(client.into_extensions(), Wanted { agreed: None, asked: 1 });
}

/// Header lines of a server's answer, and the bits agreed or the error.
type Row<'r> = (&'r [&'r str], Result<Option<u8>, ResponseError>);

#[test]
fn b27_s9_1_what_the_client_makes_of_answers() {
    let many = format!("x-window; bits=9, {}", vec!["x-evil"; 100].join(", "));
    let late = format!("{}, x-other", vec!["x-window; bits=9"; 20].join(", "));
    let rows: [Row<'_>; 11] = [
        (&["x-window; bits=9"], Ok(Some(9))),
        (&["x-window; bits=\"9\""], Ok(Some(9))),
        (&["x-other"], Ok(None)),
        (&["x-other", "x-window; bits=9"], Ok(Some(9))),
        (&["X-Window; bits=9"], Err(ResponseError::ExtensionNotOffered)),
        (&["x-window; bits=9, x-evil"], Err(ResponseError::ExtensionNotOffered)),
        (&[&many], Err(ResponseError::ExtensionNotOffered)),
        (&["x-window; bits=9", "x-window; bits=9"], Err(ResponseError::ExtensionDoubled)),
        (&[&late], Err(ResponseError::ExtensionDoubled)),
        (&["x-window"], Err(ResponseError::ExtensionParameters)),
        (&["x-window; bits=999"], Err(ResponseError::ExtensionParameters)),
    ];
    for (lines, expected) in rows {
        let (mut client, _) = client(Wanted::default());
        let mut bytes = response(&[("Sec-WebSocket-Extensions", lines)]);
        let result = client.receive(&mut &mut bytes[..]).map(drop);
        match expected {
            Ok(agreed) => {
                assert_eq!(result, Ok(()), "{lines:?}");
                assert_eq!(client.extensions().agreed, agreed, "{lines:?}");
            }
            Err(error) => {
                assert_eq!(result, Err(HandshakeError::from(error)), "{lines:?}");
                assert_eq!(client.extensions().agreed, None, "{lines:?}");
            }
        }
    }
}

#[test]
fn s9_1_a_server_can_not_answer_what_was_not_offered() {
    for (offered, beside) in [("x-window", "x-other"), ("x-other", "x-window"), ("x-window", "y")] {
        let mut server = server();
        let bytes = request(&[("Sec-WebSocket-Extensions", &[offered])]);
        assert_eq!(feed(&mut server, &bytes).0, Ok(true));
        let mut out = Vec::new();
        let mut window = Window { taken: None, beside: Some(beside) };
        let result = server.accept_with_extensions(&Acceptance::new(), &mut window, &mut out);
        assert_eq!(result, Err(HandshakeMisuse::ExtensionNotOffered), "{offered}, {beside}");
        assert!(out.is_empty());
    }
}
