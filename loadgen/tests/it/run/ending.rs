//! How connections end: each way in its counter, and none waited for beyond its bound.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::scripted::{
    CLOSE, EARLY, Ran, Scripted, TEXT, assert_balanced, echo, failed, frame, loadgen, read_frame,
    run_against, upgrade, wait_for_end,
};

/// Runs against a server that echoes until `end` takes the connection at the client's Close.
fn run_until_close(args: &[&str], end: impl Fn(TcpStream, Vec<u8>) + Send + Sync + 'static) -> Ran {
    let server = Scripted::start(move |mut stream, _| {
        stream.set_nodelay(true).unwrap();
        upgrade(&mut stream);
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE {
                return end(stream, payload);
            }
            stream.write_all(&frame(first, &payload)).ok();
        }
    });
    let args = [&["-c", "2", "-d", "200ms", "--close-timeout", "400ms"], args].concat();
    run_against(&server, &args)
}

fn assert_closing(ran: &Ran, by: &str, code: u16, is_clean: bool) {
    let report = ran.report();
    let closing = &report.closings[0];
    assert_eq!(
        (closing.by.name(), closing.code, closing.is_clean, closing.count),
        (by, code, is_clean, 2),
        "{:?}",
        report.closings
    );
    assert!(ran.took < EARLY, "{:?}", ran.took);
    assert_balanced(&report);
}

#[test]
fn a_clean_close_has_its_times() {
    let ran = run_until_close(&[], |mut stream, payload| {
        stream.write_all(&frame(CLOSE, &payload)).unwrap();
    });
    ran.assert_went_well();
    assert_closing(&ran, "client", 1000, true);
    let report = ran.report();
    for name in ["close.handshake", "close.tcp"] {
        let found = report.histograms.iter().find(|found| found.metric == name).unwrap();
        assert_eq!(found.count, 2, "{name}");
    }
}

#[test]
fn d17_a_close_that_is_never_answered() {
    let ran = run_until_close(&[], |stream, _| wait_for_end(stream));
    assert_eq!(failed(&ran.report(), "close.timeout"), 2);
    assert_closing(&ran, "client", 1000, false);
    assert!(ran.report().histograms.iter().all(|found| !found.metric.starts_with("close.")));
    assert_eq!(ran.code, Some(1));
}

#[test]
fn a_stream_that_never_ends_after_the_close() {
    let ran = run_until_close(&[], |mut stream, payload| {
        stream.write_all(&frame(CLOSE, &payload)).unwrap();
        wait_for_end(stream);
    });
    assert_eq!(failed(&ran.report(), "close.eof_timeout"), 2);
    assert_closing(&ran, "client", 1000, false);
}

#[test]
fn d08_a_stream_that_ends_instead_of_a_close() {
    let ran = run_until_close(&[], |stream, _| drop(stream));
    assert_eq!(failed(&ran.report(), "close.eof"), 2);
    assert_closing(&ran, "client", 1000, false);
}

#[test]
fn d07_a_reset_instead_of_a_close() {
    let ran = run_until_close(&[], |stream, _| reset(&stream));
    assert_eq!(failed(&ran.report(), "close.reset"), 2);
    assert_closing(&ran, "client", 1000, false);
}

#[test]
fn d18_closes_that_cross() {
    let ran = run_until_close(&[], |mut stream, _| {
        // A Close of its own, as if ours had not arrived yet; then the stream ends.
        stream.write_all(&crate::scripted::close(1001)).unwrap();
    });
    ran.assert_went_well();
    assert_closing(&ran, "client", 1000, true);
}

#[test]
fn d07_a_reset_in_the_middle() {
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        for _ in 0..5 {
            let Some((first, payload)) = read_frame(&mut stream) else { return };
            stream.write_all(&frame(first, &payload)).ok();
        }
        read_frame(&mut stream);
        reset(&stream);
    });
    let ran = run_against(&server, &["-c", "2", "-d", "10s"]);
    let report = ran.report();
    assert_eq!(failed(&report, "open.reset"), 2, "{:?}", report.errors);
    assert_closing(&ran, "server", 1006, false);
    let counts = &report.messages.as_ref().unwrap().measured;
    assert_eq!((counts.received, counts.lost), (10, 2), "lost, and not in a histogram");
}

/// Closes a socket so that its peer gets an RST.
fn reset(stream: &TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO)).unwrap();
}

#[test]
fn d08_an_end_after_each_part_of_a_frame() {
    for cut in [0, 1, 2, 20] {
        let server = Scripted::start(move |mut stream, _| {
            upgrade(&mut stream);
            let Some((first, payload)) = read_frame(&mut stream) else { return };
            stream.write_all(&frame(first, &payload)[..cut]).ok();
            stream.shutdown(Shutdown::Write).ok();
            wait_for_end(stream);
        });
        let ran = run_against(&server, &["-c", "2", "-d", "10s"]);
        assert_eq!(failed(&ran.report(), "open.eof"), 2, "cut at {cut}");
        assert_closing(&ran, "server", 1006, false);
    }
}

#[test]
fn d14_what_breaks_the_protocol_is_named_and_told_to_the_server() {
    let fragments = [b"\x02\x01x", &[0, 0].repeat(131_072)[..]].concat();
    for (name, code, bytes) in [
        ("protocol.mask_forbidden", 1002_u16, &b"\x81\x80\0\0\0\0"[..]),
        ("protocol.mask_forbidden", 1002, b"\x89\x80\0\0\0\0"),
        ("protocol.mask_forbidden", 1002, b"\x88\x82\0\0\0\0\x03\xe8"),
        ("protocol.reserved_opcode", 1002, b"\x83\x00"),
        ("protocol.reserved_opcode", 1002, b"\x8f\x00"),
        ("protocol.reserved_bits", 1002, b"\xc1\x00"),
        ("protocol.reserved_bits", 1002, b"\x01\x00\xc0\x00"),
        ("protocol.reserved_bits", 1002, b"\xb9\x00"),
        ("protocol.expected_continuation", 1002, b"\x01\x00\x81\x00"),
        ("protocol.too_many_fragments", 1008, &fragments),
        ("protocol.length_msb", 1002, b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("protocol.length_not_minimal", 1002, b"\x82\x7e\x00\x05"),
        ("protocol.frame_too_big", 1009, b"\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00"),
        ("protocol.utf8", 1007, b"\x81\x02\xc3\x28"),
        ("protocol.utf8", 1007, b"\x01\x01\xc3\x80\x00"),
        ("protocol.utf8", 1007, b"\x88\x04\x03\xe8\xc3\x28"),
        ("protocol.unexpected_continuation", 1002, b"\x80\x01x"),
        ("protocol.control_fragmented", 1002, b"\x09\x00"),
        ("protocol.control_too_long", 1002, b"\x89\x7e\x00\x80"),
        ("protocol.close_payload", 1002, b"\x88\x01\x03"),
        ("protocol.close_code", 1002, b"\x88\x02\x03\xed"),
    ] {
        let (sender, told) = std::sync::mpsc::channel();
        let bytes = bytes.to_vec();
        let server = Scripted::start(move |mut stream, _| {
            upgrade(&mut stream);
            let Some((first, payload)) = read_frame(&mut stream) else { return };
            // It may have had enough before the end.
            stream.write_all(&[&frame(first, &payload)[..], &bytes].concat()).ok();
            let mut closes = Vec::new();
            while let Some((first, payload)) = read_frame(&mut stream) {
                if first == CLOSE {
                    closes.push(payload);
                }
            }
            sender.send(closes).unwrap();
        });
        let ran = run_against(&server, &["-c", "2", "-d", "10s"]);
        let report = ran.report();
        assert_eq!(failed(&report, name), 2, "{name}: {:?}", report.errors);
        assert_closing(&ran, "client", code, false);
        assert_eq!(ran.code, Some(1), "{name}");
        let counts = &report.messages.as_ref().unwrap().measured;
        assert_eq!((counts.received, counts.altered), (2, 0), "{name}: the echo before it");
        for _ in 0..2 {
            let reason = name.strip_prefix("protocol.").unwrap();
            let close = [&code.to_be_bytes()[..], reason.as_bytes()].concat();
            assert_eq!(told.recv().unwrap(), [close], "{name}: each says one Close");
        }
    }
}

/// A header that claims `len` bytes of payload.
fn claim(first: u8, len: u64) -> Vec<u8> {
    match u8::try_from(len) {
        Ok(short @ ..126) => vec![first, short],
        _ => [&[first, 127][..], &len.to_be_bytes()].concat(),
    }
}

/// Frames: the first byte of each, the length it claims, and the bytes of it that are sent.
type Claims = [(u8, u64, u64)];

/// What each server of [`run_against_claims`] was told: the payloads of Closes.
type Told = std::sync::mpsc::Receiver<Vec<Vec<u8>>>;

/// Runs two connections against a server that answers three messages, the last of them glued to
/// `frames`. Whoever waits for more of the last one waits for ever, unless the stream `has_end`.
fn run_against_claims(args: &[&str], frames: &Claims, has_end: bool) -> (Ran, Told) {
    let (sender, told) = std::sync::mpsc::channel();
    let frames = frames.to_vec();
    let server = Scripted::start(move |mut stream, _| {
        upgrade(&mut stream);
        let mut replies = Vec::new();
        for _ in 0..3 {
            stream.write_all(&replies).unwrap();
            let Some((first, payload)) = read_frame(&mut stream) else { return };
            replies = frame(first, &payload);
        }
        for &(first, claimed, sent) in &frames {
            replies.extend(claim(first, claimed));
            stream.write_all(&replies).unwrap();
            replies.clear();
            std::io::copy(&mut std::io::repeat(0).take(sent), &mut stream).unwrap();
        }
        if has_end {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        let mut closes = Vec::new();
        while let Some((first, payload)) = read_frame(&mut stream) {
            if first == CLOSE {
                closes.push(payload);
            }
        }
        sender.send(closes).unwrap();
    });
    (run_against(&server, &[&["-b", "-c", "2", "-d", "60s"], args].concat()), told)
}

#[test]
fn d14_a_message_that_is_too_big_is_judged_by_the_header_that_says_so() {
    /// The most that a frame may have, and a message: both are 64 MiB if one of that size is sent.
    const FRAME: u64 = 16 << 20;
    const MESSAGE: u64 = 64 << 20;
    // Its turn doesn't come.
    let path = std::env::temp_dir().join(format!("loadgen-{}-sizes", std::process::id()));
    std::fs::write(&path, "64\n".repeat(100) + "64M\n").unwrap();
    let sizes = format!("file:{}", path.display());
    let large = &["-s", &sizes][..];
    let whole = |first| (first, FRAME, FRAME);
    let four = [whole(0x02), whole(0), whole(0), whole(0), (0x80, 1, 0)];
    let rows: [(&[&str], &Claims, Option<&str>); 6] = [
        (&[], &four, Some("message_too_big")),
        (large, &[(0x02, 100, 100), (0x80, MESSAGE - 99, 0)], Some("message_too_big")),
        (large, &[(0x02, 100, 100), (0x80, MESSAGE - 100, 0)], None),
        (&[], &[(0x82, FRAME + 1, 0)], Some("frame_too_big")),
        (&[], &[(0x82, u64::MAX >> 1, 0)], Some("frame_too_big")),
        (&[], &[(0x82, FRAME, 0)], None),
    ];
    for (args, frames, name) in rows {
        let (ran, told) = run_against_claims(args, frames, name.is_none());
        let report = ran.report();
        let (failure, by, code) = match name {
            Some(name) => (format!("protocol.{name}"), "client", 1009),
            None => ("open.eof".to_owned(), "server", 1006),
        };
        assert_eq!(failed(&report, &failure), 2, "{frames:?}: {:?}", report.errors);
        assert_closing(&ran, by, code, false);
        // What came before it counts, also in the same read.
        let counts = &report.messages.as_ref().unwrap().measured;
        assert_eq!((counts.received, counts.altered), (6, 0), "{frames:?}: {counts:?}");
        let closes: Vec<_> = name
            .map(|name| [&code.to_be_bytes()[..], name.as_bytes()].concat())
            .into_iter()
            .collect();
        for _ in 0..2 {
            assert_eq!(told.recv().unwrap(), closes, "{frames:?}");
        }
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn p9_limits_can_be_raised_and_an_error_of_one_names_its_flag() {
    const MIB: u64 = 1 << 20;
    let rows: [(&[&str], u64, Option<&str>); 5] = [
        (&[], 20 * MIB, Some("a frame of 20,971,520 bytes, and --max-frame allows 16,777,216")),
        (&["--max-frame", "20M"], 20 * MIB, None),
        (&["--max-frame", "20M"], 20 * MIB + 1, Some("20,971,521 bytes, and --max-frame allows")),
        (&["--max-message", "100M"], 100 * MIB, None),
        (&["--max-message", "64k"], 65_537, Some("and --max-message allows 65,536; raise")),
    ];
    for (args, size, said) in rows {
        let (ran, told) = run_against_claims(args, &[(0x82, size, 0)], said.is_none());
        let report = ran.report();
        let sample = &report.errors[0].sample;
        match said {
            Some(said) => assert!(sample.contains(said), "{args:?}: {sample}"),
            None => assert_eq!(failed(&report, "open.eof"), 2, "{args:?}: {:?}", report.errors),
        }
        told.iter().take(2).for_each(drop);
    }
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let ran = loadgen(&["check", &server.url(), "--max-message", "1"]);
    assert!(ran.stdout.contains("and --max-message allows 1; raise"), "{}", ran.stdout);
}

#[test]
fn d16_a_flood_of_pings_during_the_end_delays_nothing() {
    let ran = run_until_close(&[], |mut stream, _| {
        let flood = frame(0x89, b"x").repeat(1_000);
        while stream.write_all(&flood).is_ok() {}
    });
    assert_eq!(failed(&ran.report(), "close.timeout"), 2, "{:?}", ran.report().errors);
    assert_closing(&ran, "client", 1000, false);
}

#[test]
fn connect_opens_and_closes_again_and_again() {
    let server = Scripted::start(|stream, _| echo(stream, |_, _, _| None));
    let url = server.url();
    for (args, least, most) in [
        (&["-c", "3", "-n", "20"][..], 20, 20),
        (&["-c", "4", "-C", "100", "-d", "500ms"], 40, 50),
        (&["-c", "2", "-d", "200ms"], 5, u64::MAX),
    ] {
        let args = [&["connect", &url, "-q", "-o", "json=-", "-t", "1"], args].concat();
        let ran = loadgen(&args);
        let report = ran.report();
        ran.assert_went_well();
        let counts = &report.connections;
        assert!((least..=most).contains(&counts.completed), "{args:?}: {counts:?}");
        assert_eq!(counts.attempted, counts.completed, "{args:?}");
        // Those that end the run are all in the rate, and so is the first.
        assert!(most > 20 || counts.opened == 20, "{args:?}: {counts:?}");
        assert!(report.messages.is_none());
        // What the kernel says of the network is sampled, not asked of every connection.
        let of_each = |metric: &str| !metric.starts_with("network.");
        for histogram in report.histograms.iter().filter(|found| of_each(&found.metric)) {
            assert_eq!(histogram.count, counts.completed, "{args:?}: {}", histogram.metric);
        }
        assert_balanced(&report);
    }
}

#[test]
fn a_garbled_text_on_the_way_is_no_success() {
    let server = Scripted::start(|mut stream, _| {
        upgrade(&mut stream);
        let mut rest = Vec::new();
        stream.write_all(&frame(TEXT, &[0x80])).ok();
        stream.read_to_end(&mut rest).ok();
    });
    let ran = run_against(&server, &["-c", "1", "-d", "10s"]);
    assert_eq!(ran.report().connections.completed, 0);
}

/// The reasons that a server gives when it closes are in the text, the JSON and the errors, each with
/// its count.
#[test]
fn n4_close_reasons_are_told() {
    let server = Scripted::start(|mut stream, number| {
        upgrade(&mut stream);
        let reason = ["auth first", "auth first", "login \u{1b}first"][number % 3];
        let close = [&4401_u16.to_be_bytes()[..], reason.as_bytes()].concat();
        stream.write_all(&frame(CLOSE, &close)).ok();
        wait_for_end(stream);
    });
    let url = server.url();
    let args = ["hold", &url, "-c", "3", "-d", "300ms", "-t", "1", "-q", "-o", "json=-"];
    let ran = loadgen(&args);
    assert_eq!(ran.code, Some(1));
    let report = ran.report();
    let [closing] = &report.closings[..] else { panic!("{:?}", report.closings) };
    let reasons: Vec<_> = closing
        .reasons
        .iter()
        .map(|found| (found.reason.as_deref().unwrap(), found.count))
        .collect();
    assert_eq!((closing.code, closing.count), (4401, 3));
    assert_eq!(reasons, [("auth first", 2), ("login \\x1bfirst", 1)]);
    let [error] = &report.errors[..] else { panic!("{:?}", report.errors) };
    assert_eq!((&*error.code, error.count, error.other_samples.len()), ("4401", 3, 1));
    let samples = format!("{} {:?}", error.sample, error.other_samples);
    assert!(samples.contains("the server closed with 4401 \"auth first\""), "{samples}");
    assert!(samples.contains("login"), "{samples}");
    let text = loadgen(&["hold", &url, "-c", "3", "-d", "300ms", "-t", "1"]).stdout;
    for said in ["4401 by server", "\"auth first\" 2", "\"login \\x1bfirst\" 1"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}
