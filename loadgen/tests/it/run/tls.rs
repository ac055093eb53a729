//! TLS between the program and the reference server: echoes, resumption, and each way in which a
//! handshake fails, in its counter.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::scripted::{Ran, Scripted, assert_balanced, failed, loadgen, wait_for_end};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loadgen::net::ServerTls;
use loadgen::report::Report;
use loadgen::serve::{ServeConfig, Server, ServerHandle};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// A CA and what it has signed, in files that are removed with it.
pub(super) struct Authority {
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("loadgen-tls-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        // Two of them are not to be taken for one.
        params.distinguished_name.push(DnType::CommonName, format!("{number} of a test"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(directory.join("ca"), pem("CERTIFICATE", certificate.der())).unwrap();
        Self { directory, issuer: Issuer::new(params, key) }
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// Signs a certificate for `host`, changed by `change`; its files are `NAME` and `NAME.key`.
    pub(super) fn sign(&self, name: &str, host: &str, change: impl FnOnce(&mut CertificateParams)) {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path(name), pem("CERTIFICATE", certificate.der())).unwrap();
        fs::write(self.path(name) + ".key", pem("PRIVATE KEY", &key.serialize_der())).unwrap();
    }

    /// A server with a certificate that was signed; with `client_ca` clients need one as well.
    pub(super) fn serve(&self, name: &str, client_ca: bool) -> ServerHandle {
        let ca = client_ca.then(|| self.directory.join("ca"));
        let (chain, key) = (self.path(name), self.path(name) + ".key");
        let tls = ServerTls::from_files(chain.as_ref(), key.as_ref(), ca.as_deref()).unwrap();
        serve(Some(tls))
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.directory).ok();
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn serve(tls: Option<ServerTls>) -> ServerHandle {
    let mut config = ServeConfig { tls, ..ServeConfig::default() };
    config.threads = 1.try_into().unwrap();
    config.listen.set_port(0);
    Server::bind(&config).unwrap().start().unwrap()
}

fn run(command: &str, address: SocketAddr, args: &[&str]) -> (Report, Ran) {
    let url = format!("wss://{address}/");
    let mut all = vec![command, &url, "-q", "-o", "json=-", "-t", "1", "--connect-timeout", "9s"];
    all.extend(args);
    let ran = loadgen(&all);
    let report = ran.report();
    assert_balanced(&report);
    (report, ran)
}

fn count(report: &Report, metric: &str) -> u64 {
    let found = report.histograms.iter().find(|histogram| histogram.metric == metric);
    found.map_or(0, |histogram| histogram.count)
}

#[test]
fn echoes_over_tls_are_verified() {
    let authority = Authority::new();
    authority.sign("good", "127.0.0.1", |_| {});
    let server = authority.serve("good", false);
    let ca = authority.path("ca");
    let (report, ran) = run("run", server.local_addr(), &["--cacert", &ca, "-c", "4", "-n", "200"]);
    assert!(report.outcome.is_ok, "{:?} {}", report.outcome, ran.stderr);
    let messages = report.messages.as_ref().unwrap();
    assert_eq!((messages.measured.received, report.connections.completed), (200, 4));
    assert_eq!(count(&report, "connect.tls") + count(&report, "connect.tls_resumed"), 4);
    assert_eq!(report.target.tls.iter().map(|tls| tls.count).sum::<u64>(), 4);
    assert_eq!(report.target.tls[0].version, "TLS 1.3");
    assert!(!report.config.network.tls_is_insecure);
    assert_eq!(server.shutdown().closes.get(&1000), Some(&4));
}

#[test]
fn messages_larger_than_what_a_socket_takes_arrive_whole() {
    let server = serve(Some(ServerTls::self_signed(None, None).unwrap()));
    let (report, ran) =
        run("run", server.local_addr(), &["-k", "-c", "2", "-p", "3", "-n", "12", "-s", "3M"]);
    assert!(report.outcome.is_ok, "{:?} {}", report.outcome, ran.stderr);
    assert_eq!(report.messages.as_ref().unwrap().measured.received, 12);
    assert!(report.config.network.tls_is_insecure);
}

#[test]
fn sessions_are_taken_up_again_unless_told_not_to() {
    let server = serve(Some(ServerTls::self_signed(None, None).unwrap()));
    let (report, _) = run("connect", server.local_addr(), &["-k", "-c", "1", "-n", "12"]);
    assert_eq!((count(&report, "connect.tls"), count(&report, "connect.tls_resumed")), (1, 11));
    let args = ["-k", "-c", "1", "-n", "12", "--no-tls-resume"];
    let (report, _) = run("connect", server.local_addr(), &args);
    assert_eq!((count(&report, "connect.tls"), count(&report, "connect.tls_resumed")), (12, 0));
}

#[test]
fn a_certificate_that_is_not_good_is_named_and_can_be_got_around() {
    let authority = Authority::new();
    let host = "127.0.0.1";
    authority.sign("expired", host, |params| params.not_after = date_time_ymd(2020, 1, 1));
    authority.sign("early", host, |params| params.not_before = date_time_ymd(2999, 1, 1));
    authority.sign("named", "other.example", |_| {});
    authority.sign("unknown", host, |_| {});
    authority.sign("of_a_ca", host, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let ca = authority.path("ca");
    let another = Authority::new();
    let another_ca = another.path("ca");
    for (name, ca, failure, said, way_out) in [
        ("expired", &ca, "tls.certificate_expired", "xpired", ["-k"].as_slice()),
        ("early", &ca, "tls.certificate_not_yet_valid", "not valid yet", &["-k"]),
        ("named", &ca, "tls.wrong_name", "--sni", &["--cacert", &ca, "--sni", "other.example"]),
        ("unknown", &another_ca, "tls.unknown_issuer", "--cacert", &["--cacert", &ca]),
        ("of_a_ca", &ca, "tls.certificate_of_a_ca", "CA:FALSE", &["-k"]),
    ] {
        let server = authority.serve(name, false);
        let args = ["--cacert", ca.as_str(), "-c", "2", "-d", "300ms"];
        let (report, ran) = run("run", server.local_addr(), &args);
        assert_eq!(ran.code, Some(1));
        assert_eq!(failed(&report, failure), 2, "{name}: {:?}", report.errors);
        assert!(report.errors[0].sample.contains(said), "{name}: {:?}", report.errors);
        assert_eq!(report.histograms, [], "{name}: a failure is in no histogram");
        let mut args = vec!["-c", "1", "-n", "5"];
        args.extend(way_out);
        let (report, ran) = run("run", server.local_addr(), &args);
        assert!(report.outcome.is_ok, "{name}: {:?} {}", report.outcome, ran.stderr);
        let totals = server.shutdown();
        assert_eq!(totals.rejected.get("tls_alert"), Some(&2), "{name}: {totals:?}");
    }
}

#[test]
fn a_server_may_want_a_certificate_of_its_clients() {
    let authority = Authority::new();
    authority.sign("good", "127.0.0.1", |_| {});
    authority.sign("client", "client.example", |_| {});
    let server = authority.serve("good", true);
    let (ca, cert, key) =
        (authority.path("ca"), authority.path("client"), authority.path("client.key"));
    let mut args = vec!["--cacert", &ca, "-c", "1", "-n", "5"];
    let (report, _) = run("run", server.local_addr(), &args);
    assert_eq!(failed(&report, "tls.alert"), 1, "{:?}", report.errors);
    assert!(report.errors[0].sample.contains("CertificateRequired"), "{:?}", report.errors);
    args.extend(["--cert", &cert, "--key", &key]);
    let (report, ran) = run("run", server.local_addr(), &args);
    assert!(report.outcome.is_ok, "{:?} {}", report.outcome, ran.stderr);
    assert!(report.config.network.tls_has_client_certificate);
    assert_eq!(server.shutdown().rejected.get("tls_client_certificate"), Some(&1));
}

#[test]
fn d06_tls_on_one_side_only() {
    let plain = serve(None);
    let (report, _) = run("run", plain.local_addr(), &["-k", "-c", "2", "-d", "300ms"]);
    assert_eq!(failed(&report, "tls.not_tls"), 2, "{:?}", report.errors);
    assert!(report.errors[0].sample.contains("plain ws://"), "{:?}", report.errors);
    let ran = loadgen(&["check", &format!("wss://{}/", plain.local_addr()), "-k"]);
    assert!(ran.stdout.contains("FAILED  tls "), "{}", ran.stdout);

    let secure = serve(Some(ServerTls::self_signed(None, None).unwrap()));
    let url = format!("ws://{}/", secure.local_addr());
    let ran = loadgen(&["run", &url, "-c", "2", "-t", "1", "-q", "-o", "json=-"]);
    let report = ran.report();
    assert_eq!(failed(&report, "handshake.not_http"), 2, "{:?}", report.errors);
    assert!(report.errors[0].sample.contains("use wss://"), "{:?}", report.errors);
    let ran = loadgen(&["check", &url]);
    assert!(ran.stdout.contains("the server speaks TLS; use wss://"), "{}", ran.stdout);
    assert_eq!(secure.shutdown().rejected.get("tls_not_tls"), Some(&3));
}

#[test]
fn streams_that_end_hang_or_say_nonsense_in_the_handshake() {
    type Behave = fn(std::net::TcpStream);
    let rows: [(&str, Behave); 4] = [
        ("tls.eof", |mut stream| {
            // What is left unread would make it a reset.
            let hello = stream.read(&mut [0; 4096]).unwrap();
            assert!((6..4096).contains(&hello), "the whole of it");
        }),
        ("tls.reset", |mut stream| {
            stream.read_exact(&mut [0; 4]).ok();
        }),
        ("tls.timeout", wait_for_end),
        ("tls.alert", |mut stream| {
            stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).ok(); // fatal, handshake_failure
            wait_for_end(stream);
        }),
    ];
    for (failure, behave) in rows {
        let server = Scripted::start(move |stream, _| behave(stream));
        let url = format!("wss://{}/", server.address);
        let args = ["run", &url, "-k", "-c", "2", "-t", "1", "-q", "-o", "json=-"];
        let ran = loadgen(&[&args[..], &["--connect-timeout", "700ms"]].concat());
        let report = ran.report();
        assert_eq!(failed(&report, failure), 2, "{failure}: {:?}", report.errors);
        assert_balanced(&report);
    }
}

#[test]
fn check_says_what_tls_agreed_on() {
    let authority = Authority::new();
    authority.sign("good", "127.0.0.1", |_| {});
    let server = authority.serve("good", false);
    let url = format!("wss://{}/", server.local_addr());
    let ran = loadgen(&["check", &url, "--cacert", &authority.path("ca")]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert!(ran.stdout.contains(" ok      tls           TLS 1.3 TLS13_"), "{}", ran.stdout);
    assert!(ran.stdout.contains("alpn http/1.1"), "{}", ran.stdout);
}

#[test]
fn serve_makes_a_certificate_and_prints_its_fingerprint() {
    use std::io::{BufRead, BufReader};
    let args = ["serve", "--tls-self-signed", "--listen", "127.0.0.1:0", "-t", "1"];
    let mut child = crate::scripted::command(&args).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.next().unwrap();
    let url = url.split_whitespace().find(|word| word.starts_with("wss://")).unwrap().to_owned();
    let fingerprint = lines.next().unwrap();
    let digits = fingerprint.strip_prefix("certificate SHA-256 ").unwrap();
    assert_eq!(digits.split(':').filter(|pair| pair.len() == 2).count(), 32, "{digits}");
    let ran = loadgen(&["check", &url, "-k"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
}

#[test]
fn p6_keys_that_cannot_be_used_are_called_what_they_are() {
    let authority = Authority::new();
    for name in ["one", "other"] {
        authority.sign(name, "127.0.0.1", |_| {});
    }
    let path = |name: &str| authority.path(name);
    let encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                     DEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    fs::write(path("encrypted"), encrypted).unwrap();
    let chain = [fs::read(path("ca")).unwrap(), fs::read(path("one")).unwrap()].concat();
    fs::write(path("turned"), chain).unwrap();
    for (cert, key, why) in [
        ("one", "encrypted", "the key is encrypted; decrypt it: openssl pkey -in"),
        ("one.key", "one", "are --cert and --key swapped?"),
        ("one", "other.key", "is not the key of --cert"),
        ("turned", "one.key", "the certificate of --key is number 2 in it; put it first"),
    ] {
        let files = ["--cert", &path(cert), "--key", &path(key)];
        let serve = [&["serve", "--listen", "127.0.0.1:0"], &files[..]].concat();
        let run = [&["run", "wss://127.0.0.1:9/", "-k"], &files[..]].concat();
        for args in [serve, run] {
            let ran = loadgen(&args);
            assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
            assert!(ran.stderr.contains(why), "{why}: {}", ran.stderr);
            assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        }
    }
}
