//! The way to a server: sockets in the file system, proxies, source addresses, names that stand for
//! others, and several URLs.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::scripted::{Ran, Scripted, assert_balanced, failed, loadgen, read_head, wait_for_end};
use loadgen::net::ServerTls;
use loadgen::report::Report;
use loadgen::serve::{ServeConfig, Server, ServerHandle};

fn serve(config: ServeConfig) -> ServerHandle {
    let mut config = ServeConfig { threads: 1.try_into().unwrap(), ..config };
    config.listen.set_port(0);
    Server::bind(&config).unwrap().start().unwrap()
}

fn run(args: &[&str]) -> (Report, Ran) {
    let all = [&["run", "-q", "-o", "json=-", "-t", "1"], args].concat();
    let ran = loadgen(&all);
    let report = ran.report();
    assert_balanced(&report);
    (report, ran)
}

fn assert_echoes(args: &[&str], messages: u64) -> Report {
    let (report, ran) = run(args);
    assert!(report.outcome.is_ok, "{args:?}: {:?} {}", report.outcome, ran.stderr);
    assert_eq!(report.messages.as_ref().unwrap().measured.received, messages);
    report
}

#[test]
fn a_socket_in_the_file_system() {
    let path = std::env::temp_dir().join(format!("loadgen-unix-{}", std::process::id()));
    let shown = path.display().to_string();
    let server = serve(ServeConfig { socket_path: Some(path.clone()), ..ServeConfig::default() });
    assert_eq!(server.place(), format!("unix:{shown} (ws://)"));
    let report =
        assert_echoes(&["ws://localhost/", "--unix-socket", &shown, "-c", "3", "-n", "90"], 90);
    assert_eq!(report.target.addresses, [""; 0]);
    assert_eq!(report.config.network.unix_socket.as_deref(), Some(shown.as_str()));
    let ran = loadgen(&["check", "ws://localhost/", "--unix-socket", &shown]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert!(ran.stdout.contains(" ok      unix "), "{}", ran.stdout);
    assert_eq!(server.shutdown().closes.get(&1000), Some(&4));
    assert!(!path.exists(), "it is removed at the end");
    let (report, _) = run(&["ws://localhost/", "--unix-socket", &shown, "-c", "2"]);
    assert_eq!(failed(&report, "tcp.not_found"), 2, "{:?}", report.errors);
    assert!(report.errors[0].sample.contains(&shown));
}

#[test]
fn tls_over_a_socket_in_the_file_system() {
    let path = std::env::temp_dir().join(format!("loadgen-unix-tls-{}", std::process::id()));
    let shown = path.display().to_string();
    let tls = Some(ServerTls::self_signed(None, None).unwrap());
    let _server = serve(ServeConfig { socket_path: Some(path), tls, ..ServeConfig::default() });
    assert_echoes(&["wss://localhost/", "-k", "--unix-socket", &shown, "-c", "2", "-n", "20"], 20);
}

/// A proxy that makes tunnels to wherever it is asked, and keeps the heads of what it was asked.
fn proxy() -> (Scripted, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    let proxy = Scripted::start(move |mut stream, _| {
        let head = read_head(&mut stream);
        let authority = head.split(' ').nth(1).unwrap_or_default().to_owned();
        kept.lock().unwrap().push(head);
        let Ok(server) = TcpStream::connect(authority) else {
            stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").ok();
            return wait_for_end(stream);
        };
        stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n").unwrap();
        let (from, to) = (stream.try_clone().unwrap(), server.try_clone().unwrap());
        let there = thread::spawn(move || copy(from, to));
        copy(server, stream);
        there.join().unwrap();
    });
    (proxy, heads)
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 << 10];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    to.shutdown(std::net::Shutdown::Write).ok();
}

#[test]
fn a_tunnel_through_a_proxy() {
    let server = serve(ServeConfig::default());
    let (proxy, heads) = proxy();
    let url = format!("ws://{}/", server.local_addr());
    let with_password = format!("http://me:s3cret@{}", proxy.address);
    let report = assert_echoes(&[&url, "--proxy", &with_password, "-c", "3", "-n", "60"], 60);
    let steps = report.histograms.iter().find(|histogram| histogram.metric == "connect.proxy");
    assert_eq!(steps.map(|steps| steps.count), Some(3));
    let kept = format!("http://{}", proxy.address);
    assert_eq!(report.config.network.proxy.as_deref(), Some(kept.as_str()));
    let expected = format!(
        "CONNECT {0} HTTP/1.1\r\nHost: {0}\r\nProxy-Authorization: Basic bWU6czNjcmV0\r\n\r\n",
        server.local_addr()
    );
    assert_eq!(*heads.lock().unwrap(), [&expected; 3].map(Clone::clone));
    let ran = loadgen(&["check", &url, "--proxy", &with_password]);
    assert!(ran.stdout.contains(" ok      proxy         tunnel"), "{}", ran.stdout);
    let written = [ran.stdout, ran.stderr, serde_json::to_string(&report).unwrap()].concat();
    assert!(!written.contains("s3cret") && !written.contains("bWU6czNjcmV0"), "{written}");
}

#[test]
fn tls_through_a_proxy_that_resolves_the_name() {
    let tls = Some(ServerTls::self_signed(None, None).unwrap());
    let server = serve(ServeConfig { tls, ..ServeConfig::default() });
    let (proxy, heads) = proxy();
    let url = format!("wss://localhost:{}/", server.local_addr().port());
    let address = proxy.address.to_string();
    assert_echoes(&[&url, "-k", "--proxy", &address, "-c", "2", "-n", "20"], 20);
    let head = heads.lock().unwrap()[0].clone();
    assert!(head.starts_with("CONNECT localhost:"), "the name goes to the proxy: {head}");
    assert!(!head.contains("Authorization"), "{head}");
}

#[test]
fn proxies_that_make_no_tunnel() {
    type Behave = fn(TcpStream);
    fn answer(mut stream: TcpStream, answer: &[u8]) {
        read_head(&mut stream);
        stream.write_all(answer).ok();
        wait_for_end(stream);
    }
    let rows: [(&str, &str, Behave); 7] = [
        ("proxy.407", "USER:PASS", |stream| answer(stream, b"HTTP/1.1 407 Who\r\n\r\n")),
        ("proxy.502", "502 Bad", |stream| answer(stream, b"HTTP/1.1 502 Bad\r\n\r\n")),
        ("proxy.not_http", "SSH-2.0", |stream| answer(stream, b"SSH-2.0-x\r\n")),
        ("proxy.early_bytes", "before", |stream| answer(stream, b"HTTP/1.1 200 OK\r\n\r\n\x81")),
        ("proxy.eof", "ended", |mut stream| drop(read_head(&mut stream))),
        ("proxy.timeout", "connect timeout", wait_for_end),
        ("proxy.head_too_large", "doesn't end", |mut stream| {
            read_head(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\n").ok();
            while stream.write_all(&[b'x'; 1024]).is_ok() {}
        }),
    ];
    for (failure, said, behave) in rows {
        let proxy = Scripted::start(move |stream, _| behave(stream));
        let address = proxy.address.to_string();
        let args = ["ws://192.0.2.1/", "--proxy", &address, "-c", "2"];
        let (report, ran) = run(&[&args[..], &["--connect-timeout", "700ms"]].concat()[..]);
        assert_eq!(ran.code, Some(1));
        assert_eq!(failed(&report, failure), 2, "{failure}: {:?}", report.errors);
        assert!(report.errors[0].sample.contains(said), "{failure}: {:?}", report.errors);
        assert_eq!(report.histograms, [], "{failure}: a failure is in no histogram");
    }
}

#[test]
fn p10_a_proxy_that_wants_ntlm_is_told_by_it() {
    let proxy = Scripted::start(|mut stream, _| {
        read_head(&mut stream);
        let answer = "HTTP/1.1 407 Who\r\nProxy-Authenticate: Negotiate\r\n\
                      Proxy-Authenticate: NTLM\r\n\r\n";
        stream.write_all(answer.as_bytes()).ok();
        wait_for_end(stream);
    });
    let address = format!("u:p@{}", proxy.address);
    let (report, _) = run(&["ws://192.0.2.1/", "--proxy", &address, "-c", "1"]);
    assert_eq!(failed(&report, "proxy.407"), 1, "{:?}", report.errors);
    let said = &report.errors[0].sample;
    assert!(
        said.contains("a login by Negotiate or NTLM, but loadgen supports only Basic"),
        "{said}"
    );
}

#[test]
fn p10_a_server_of_http_2_alone_is_named() {
    let server = Scripted::start(|mut stream, _| {
        read_head(&mut stream);
        stream.write_all(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x80").ok();
        wait_for_end(stream);
    });
    let url = format!("ws://{}/", server.address);
    let (report, _) = run(&[&url, "-c", "1"]);
    assert_eq!(failed(&report, "handshake.not_http"), 1, "{:?}", report.errors);
    assert!(report.errors[0].sample.contains("only HTTP/2"), "{:?}", report.errors);
    let ran = loadgen(&["check", &url]);
    assert!(ran.stdout.contains("only HTTP/2"), "{}", ran.stdout);
}

#[test]
fn p10_a_zone_leads_through_an_interface_and_is_not_sent() {
    let (head, seen) = std::sync::mpsc::channel();
    let head = Mutex::new(head);
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            head.lock().unwrap().send(read_head(&mut stream.unwrap())).ok();
        }
    });
    let url = format!("ws://[::1%25lo]:{port}/");
    let (report, _) = run(&[&url, "-c", "1"]);
    assert_eq!(report.target.urls[0].url, url);
    let head = seen.recv().unwrap();
    assert!(head.contains(&format!("Host: [::1]:{port}\r\n")), "{head}");
    for (url, why) in [
        ("ws://[fe80::1%25nowhere0]/", "no network interface \"nowhere0\" on this machine"),
        ("ws://[fe80::1]/", "name its interface, as in ws://[fe80::1%25eth0]/"),
    ] {
        let ran = loadgen(&["run", url]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (report, _) = run(&["ws://192.0.2.1/", "--proxy", &free.to_string(), "-c", "1"]);
    assert_eq!(failed(&report, "tcp.refused"), 1);
    assert!(report.errors[0].sample.starts_with("proxy 127.0.0.1"), "{:?}", report.errors);
}

#[test]
fn connections_come_from_the_sources_in_turn() {
    let seen = Arc::new(Mutex::new(Vec::<IpAddr>::new()));
    let kept = Arc::clone(&seen);
    let server = Scripted::start(move |stream, _| {
        kept.lock().unwrap().push(stream.peer_addr().unwrap().ip());
        crate::scripted::echo(stream, |_, _, _| None);
    });
    let url = server.url();
    assert_echoes(&[&url, "-c", "30", "-n", "30", "--source-ip", "127.0.0.0/24"], 30);
    let sources: BTreeSet<IpAddr> = seen.lock().unwrap().drain(..).collect();
    let expected: BTreeSet<IpAddr> = (1..=30).map(|n| IpAddr::from([127, 0, 0, n])).collect();
    assert_eq!(sources, expected);
    let args = [&url, "-c", "4", "-n", "4", "--source-ip", "127.0.9.1", "--source-ip", "127.0.9.7"];
    assert_echoes(&args, 4);
    let mut sources = seen.lock().unwrap().clone();
    sources.sort_unstable();
    let [one, two] = [[127, 0, 9, 1], [127, 0, 9, 7]].map(IpAddr::from);
    assert_eq!(sources, [one, one, two, two]);
}

#[test]
fn d21_more_connections_than_ports_need_sources_and_are_refused_before_the_run_without() {
    // More than any range has, so that a wider one is no help.
    let ran = loadgen(&["run", "ws://192.0.2.1:9/", "-c", "65k", "-q"]);
    assert_eq!(ran.code, Some(1));
    let line = ran.error_line();
    let is_ports = line.contains("local ports") && line.contains("--source-ip");
    assert!(is_ports || line.contains("descriptors are needed"), "{line}");
}

#[test]
fn a_source_that_is_not_of_this_machine_is_refused_before_the_run() {
    let ran = loadgen(&["run", "ws://127.0.0.1:9/", "--source-ip", "192.0.2.1"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.error_line().contains("sudo ip addr add 192.0.2.1 dev lo"), "{}", ran.stderr);
    let ran = loadgen(&["run", "ws://127.0.0.1:9/", "--source-ip", "::1"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.error_line().contains("--source-ip has no IPv4 address"), "{}", ran.stderr);
}

#[test]
fn names_that_stand_for_others() {
    let server = serve(ServeConfig::default());
    let port = server.local_addr().port();
    let url = format!("ws://somewhere.invalid:{port}/");
    let known = format!("somewhere.invalid:{port}:127.0.0.1");
    let report = assert_echoes(&[&url, "--resolve", &known, "-c", "2", "-n", "10"], 10);
    assert_eq!(report.target.addresses, [format!("127.0.0.1:{port}")]);
    assert_eq!(report.target.dns_ns, None, "nothing was looked up");
    let instead = format!("somewhere.invalid:80:127.0.0.1:{port}");
    assert_echoes(
        &["ws://somewhere.invalid/", "--connect-to", &instead, "-c", "2", "-n", "10"],
        10,
    );
    let ran = loadgen(&["check", "ws://somewhere.invalid/", "--connect-to", &instead]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
}

#[test]
fn d24_an_address_that_refuses_is_passed_over_and_the_next_is_taken() {
    let server = serve(ServeConfig::default());
    let port = server.local_addr().port();
    let url = format!("ws://many.invalid:{port}/");
    let addresses: Vec<String> = (2..52).map(|n| format!("127.0.0.{n}")).collect();
    let known = format!("many.invalid:{port}:{},127.0.0.1", addresses.join(","));
    let report = assert_echoes(&[&url, "--resolve", &known, "-c", "5", "-n", "10"], 10);
    assert_eq!(report.connections.failed, 0);
    assert_eq!(report.target.addresses.len(), 51);
}

/// A listener at `address` whose queue is full, so that it swallows SYNs; with what fills it.
fn swallowing(address: SocketAddr) -> (TcpListener, Vec<TcpStream>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let listener = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(address).unwrap();
        socket.listen(0).unwrap().into_std().unwrap()
    });
    let bound = std::time::Duration::from_millis(100);
    let one = |_| TcpStream::connect_timeout(&address, bound).ok();
    (listener, (0..10).map_while(one).collect())
}

#[test]
fn p1_a_name_of_which_one_address_swallows_syns_still_opens() {
    let server = serve(ServeConfig::default());
    let port = server.local_addr().port();
    let dead = SocketAddr::from(([127, 0, 0, 5], port));
    let _kept = swallowing(dead);
    let url = format!("ws://h.test:{port}/");
    let known = format!("h.test:{port}:127.0.0.5,127.0.0.1");
    let args = [&url, "--resolve", &known, "--connect-timeout", "60s"];
    let report = assert_echoes(&[&args[..], &["-c", "2", "-n", "4"]].concat(), 4);
    let addresses = &report.target.urls[0].by_address;
    assert!(addresses[0].counts.overtaken >= 1, "{addresses:?}");
    assert_eq!((addresses[0].counts.established, addresses[1].counts.established), (0, 2));
    let tcp = report.histograms.iter().find(|histogram| histogram.metric == "connect.tcp").unwrap();
    let is_slow = tcp.max_ns >= 250_000_000;
    assert!(is_slow, "what was tried in vain is part of it: {}", tcp.max_ns);
    let ran = loadgen(&[&["check"], &args[..]].concat());
    assert!(
        ran.stdout.contains(&format!(" ok      tcp           127.0.0.1:{port}")),
        "{}",
        ran.stdout
    );
}

#[test]
fn p1_an_error_says_which_addresses_did_not_answer() {
    let free = TcpListener::bind("127.0.0.5:0").unwrap().local_addr().unwrap().port();
    let _kept = swallowing(SocketAddr::from(([127, 0, 0, 5], free)));
    let url = format!("ws://h.test:{free}/");
    for (known, said) in [
        ("127.0.0.5", format!("127.0.0.5:{free}: no TCP connection within the connect timeout")),
        ("127.0.0.5,127.0.0.6", format!("127.0.0.5:{free}: no answer (after ")),
        ("127.0.0.5,127.0.0.6", format!("127.0.0.6:{free}: Connection refused")),
    ] {
        let known = format!("h.test:{free}:{known}");
        let args = [&url, "--resolve", &known, "-c", "1", "--connect-timeout", "700ms"];
        let (report, _) = run(&args);
        assert_eq!(failed(&report, "tcp.timeout"), 1, "{:?}", report.errors);
        assert!(report.errors[0].sample.contains(&said), "{:?}", report.errors);
    }
}

#[test]
fn p8_connections_take_the_addresses_of_a_name_in_turn() {
    let everywhere = ServeConfig { listen: "0.0.0.0:0".parse().unwrap(), ..ServeConfig::default() };
    let server = serve(everywhere);
    let port = server.local_addr().port();
    let url = format!("ws://h.test:{port}/");
    let known = format!("h.test:{port}:127.0.0.1,127.0.0.2,127.0.0.3");
    let directory = std::env::temp_dir().join(format!("loadgen-p8-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let paths = ["1", "2"].map(|name| directory.join(name).display().to_string());
    for (path, segment) in paths.iter().zip(["1/2", "2/2"]) {
        let output = format!("json={path}");
        let args = ["run", &url, "--resolve", &known, "-c", "12", "-n", "24", "-q"];
        let split = ["--segment", segment, "--seed", "1", "--connect-timeout", "60s"];
        let ran = loadgen(&[&args[..], &split, &["-o", &output]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    let established = |report: &Report| {
        let addresses = &report.target.urls[0].by_address;
        addresses.iter().map(|address| address.counts.established).collect::<Vec<_>>()
    };
    let one = loadgen(&["report", &paths[0], "-o", "json=-"]).report();
    assert_eq!(established(&one), [2, 2, 2]);
    let merged = loadgen(&["merge", &paths[0], &paths[1], "-o", "json=-"]).report();
    assert_eq!(established(&merged), [4, 4, 4]);
    let ran = loadgen(&["merge", &paths[0], &paths[1]]);
    assert!(ran.stdout.contains(&format!("127.0.0.2:{port}   4 open")), "{}", ran.stdout);
    let rows = loadgen(&["merge", &paths[0], &paths[1], "-o", "csv"]).stdout;
    let mut rows = rows.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let name = format!("established 127.0.0.2:{port}");
    let column = rows.next().unwrap().iter().position(|&found| found == name).unwrap();
    assert_eq!(rows.map(|row| row[column].parse::<u64>().unwrap()).sum::<u64>(), 4);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn p8_failures_are_counted_by_address() {
    let server = serve(ServeConfig::default());
    let port = server.local_addr().port();
    let url = format!("ws://h.test:{port}/");
    let known = format!("h.test:{port}:127.0.0.1,127.0.0.2");
    let args = [&url, "--resolve", &known, "--connect-timeout", "60s", "-c", "6", "-n", "6"];
    let report = assert_echoes(&args, 6);
    let counts: Vec<_> = report.target.urls[0].by_address.iter().map(|one| one.counts).collect();
    assert_eq!((counts[0].established, counts[0].failed), (6, 0), "{counts:?}");
    assert_eq!(counts[1].established, 0, "{counts:?}");
    assert!(counts[1].failed >= 3, "every second connection begins with it: {counts:?}");
    assert_eq!(report.connections.failed, 0, "each went on to the other");
    let one = assert_echoes(&[&format!("ws://127.0.0.1:{port}/"), "-c", "1", "-n", "1"], 1);
    assert_eq!(one.target.urls[0].by_address, []);
}

#[test]
fn one_family_of_addresses_only() {
    let ran = loadgen(&["run", "ws://127.0.0.1:9/", "-6", "-c", "1"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.error_line().contains("it has no IPv6 address, which -6 requires"),
        "{}",
        ran.stderr
    );
    let mut config = ServeConfig { listen: "[::1]:0".parse().unwrap(), ..ServeConfig::default() };
    config.threads = 1.try_into().unwrap();
    let Ok(server) = Server::bind(&config) else { return }; // a machine without IPv6
    let server = server.start().unwrap();
    let url = format!("ws://{}/", server.local_addr());
    assert!(url.starts_with("ws://[::1]:"), "{url}");
    assert_echoes(&[&url, "-6", "-c", "2", "-n", "10", "--source-ip", "::1"], 10);
}

#[test]
fn connections_take_several_urls_in_turn_and_each_is_accounted_for() {
    let servers = [serve(ServeConfig::default()), serve(ServeConfig::default())];
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = |address: SocketAddr, path: &str| format!("ws://{address}/{path}");
    let urls = [url(servers[0].local_addr(), "a"), url(servers[1].local_addr(), "b")];
    let report = assert_echoes(&[&urls[0], &urls[1], "-c", "10", "-n", "100"], 100);
    let told: Vec<_> =
        report.target.urls.iter().map(|url| (url.counts.completed, url.counts.messages)).collect();
    assert_eq!(told, [(5, 50), (5, 50)]);
    for server in &servers {
        assert_eq!(server.totals().established, 5);
    }
    let gone = url(refused, "");
    let (report, ran) = run(&[&urls[0], &gone, "-c", "6", "-d", "300ms"]);
    assert_eq!(ran.code, Some(1));
    let told: Vec<_> = report
        .target
        .urls
        .iter()
        .map(|url| (url.counts.attempted, url.counts.established))
        .collect();
    assert_eq!(told, [(3, 3), (3, 0)]);
    assert_eq!(failed(&report, "tcp.refused"), 3);
    let ran = loadgen(&["run", &urls[0], &urls[1], "-c", "4", "-n", "40", "-t", "1", "-q"]);
    assert!(
        ran.stdout.contains(&format!(" url          {}   2 / 2 open", urls[1])),
        "{}",
        ran.stdout
    );
}

#[test]
fn what_the_kernel_says_stands_beside_what_was_measured() {
    let server = serve(ServeConfig::default());
    let url = format!("ws://{}/", server.local_addr());
    let (report, ran) = run(&[&url, "-c", "3", "-d", "900ms"]);
    let Some(network) = &report.network else { return }; // a kernel that doesn't say
    assert!((2..=6).contains(&network.looks), "{network:?}");
    assert!((1..=3).contains(&network.connections) && network.segments > 0, "{network:?}");
    let rtt = report.histograms.iter().find(|histogram| histogram.metric == "network.rtt").unwrap();
    assert_eq!(rtt.count + rtt.below, network.looks, "{}", ran.stderr);
    let text = loadgen(&["run", &url, "-c", "3", "-d", "300ms", "-t", "1", "-q"]).stdout;
    assert!(text.contains(" network      rtt p50 "), "{text}");
}

#[test]
fn d11_a_server_that_never_reads_is_seen_in_what_waits_in_the_kernel() {
    let server = Scripted::start(|mut stream, _| {
        crate::scripted::upgrade(&mut stream);
        thread::sleep(std::time::Duration::from_secs(5)); // the fault
    });
    let url = server.url();
    let args = [&url, "-c", "1", "-R", "2k", "-s", "64k", "-d", "1200ms", "-b"];
    let (report, _) =
        run(&[&args[..], &["--drain-timeout", "0s", "--close-timeout", "100ms"]].concat());
    let Some(network) = &report.network else { return }; // a kernel that doesn't say
    assert!(network.notsent_bytes_max > 0, "{network:?}");
}
