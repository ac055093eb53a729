use super::*;

fn parse_words(line: &str) -> Parsed {
    parse(std::iter::once("loadgen").chain(line.split(' ')).map(Into::into))
}

#[test]
fn definition_is_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn a_bare_run_has_the_defaults() {
    let Parsed::Command(command) = parse_words("run") else { panic!() };
    let Command::Run(args) = *command else { panic!() };
    assert_eq!((args.load.connections, args.load.urls.len(), args.rate), (100, 0, None));
    assert_eq!(args.load.request.close_timeout, Duration::from_secs(5));
}

#[test]
fn flags_and_their_values() {
    let line = "run ws://h/ -c 10k -d 30s -n 1M -R 50k -C 500 -t 2 -s 4k -w 2s -b --seed 7 \
                -H X-A:b --subprotocol chat --origin http://o -o json=f -q --label a=b=c";
    let Parsed::Command(command) = parse_words(line) else { panic!() };
    let Command::Run(args) = *command else { panic!() };
    assert_eq!(args.load.urls, ["ws://h/"]);
    assert_eq!((args.load.connections, args.messages), (10_000, Some(1_000_000)));
    assert_eq!(args.rate, Rate::new(50_000_000).map(RateAsked::of));
    assert_eq!(args.message.size, Some(SizesAsked::One(4_096)));
    assert_eq!((args.message.binary, args.load.seed), (true, Some(7)));
    assert_eq!(args.load.request.headers, [("X-A".to_owned(), "b".to_owned())]);
    assert_eq!(args.load.labels, [("a".to_owned(), "b=c".to_owned())]);
}

#[test]
fn wrong_usage_is_one_line_that_names_what_is_wrong() {
    for (line, why) in [
        ("", "unrecognized subcommand"),
        ("nonsense", "unrecognized subcommand 'nonsense'"),
        ("run --nonsense", "unexpected argument '--nonsense'"),
        ("run -c", "a value is required for '--connections <N>'"),
        ("run -c x", "invalid value 'x' for '--connections <N>': not a number"),
        ("run -c -1", "can't be negative"),
        ("run -R -5", "a rate can't be negative"),
        ("run -R 0", "out of range"),
        ("run -d 10x", "not a time"),
        ("run -s 1.5", "doesn't come out whole"),
        ("run -s 9..1", "write the smaller one first"),
        ("run --fragment x", "invalid value 'x' for '--fragment <SIZE>'"),
        ("run -H novalue", "no colon"),
        ("run -o yaml", "use text, json, html, md, junit, csv"),
        ("run --mask ones", "invalid value 'ones' for '--mask <KIND>'"),
        ("run --label x", "use a label like key=value"),
        ("check ws://a ws://b ws://c", "unexpected argument 'ws://c'"),
        ("serve fanout", "unknown mode"),
        ("serve --listen nowhere", "no port"),
        ("check", "required"),
    ] {
        let Parsed::Wrong(said) = parse_words(line) else { panic!("{line}") };
        assert!(said.contains(why), "{line}: {said}");
        assert!(!said.contains(char::is_control), "{line}: {said}");
    }
}

#[test]
fn help_and_version_are_not_wrong() {
    for line in ["--help", "run --help", "--version", "help"] {
        assert!(matches!(parse_words(line), Parsed::Text(_)), "{line}");
    }
}
