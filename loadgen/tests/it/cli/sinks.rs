//! Where the metrics of a run are sent meanwhile: real receivers, and such as are away.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::outputs::Scratch;
use crate::scripted::{Scripted, echo, loadgen};

fn server() -> Scripted {
    Scripted::start(|stream, _| echo(stream, |_, _, _| None))
}

/// A receiver of HTTP, and the requests that it got: head and body.
struct Receiver {
    port: u16,
    requests: Arc<Mutex<Vec<(String, String)>>>,
}

impl Receiver {
    /// Answers the requests in turn, the last answer to all that follow.
    fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::default();
        let taken: Arc<Mutex<Vec<_>>> = Arc::clone(&requests);
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") {
                    if stream.read_exact(&mut byte).is_err() {
                        return;
                    }
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
                let mut body = vec![0; len.unwrap().parse().unwrap()];
                stream.read_exact(&mut body).unwrap();
                taken.lock().unwrap().push((head, String::from_utf8(body).unwrap()));
                let answer = answers.get(number).or(answers.last()).unwrap();
                write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        });
        Self { port, requests }
    }

    fn requests(&self) -> Vec<(String, String)> {
        self.requests.lock().unwrap().clone()
    }
}

/// Checks a number that protocol buffers in JSON write as a string.
fn integer(value: &Value) -> u64 {
    value.as_str().unwrap_or_else(|| panic!("no string: {value}")).parse().unwrap()
}

/// OTLP: each row is a request of export by the schema of `OpenTelemetry`, and its sums only grow.
#[test]
fn k1_a_collector_gets_the_metrics() {
    let (server, collector) = (server(), Receiver::start(&["200 OK"]));
    let (url, to) = (server.url(), format!("http://127.0.0.1:{}", collector.port));
    let ran = loadgen(&[
        "run",
        &url,
        "-c",
        "2",
        "-t",
        "1",
        "-R",
        "50",
        "-d",
        "2s",
        "-q",
        "--otlp",
        &to,
        "--otlp-header",
        "api-key: abc",
        "--label",
        "build=a \"b\"",
        "-o",
        "json=-",
    ]);
    assert!(matches!(ran.code, Some(0 | 97)), "{}", ran.stderr);
    assert_eq!(ran.stderr, "");
    let result: Value = serde_json::from_str(&ran.stdout).unwrap();
    let rows = result["time_series"]["rows"].as_array().unwrap();
    let requests = collector.requests();
    assert_eq!(requests.len(), rows.len());
    let mut sent_before = 0;
    for (head, body) in &requests {
        assert!(head.starts_with("POST /v1/metrics HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nContent-Type: application/json\r\n"), "{head}");
        assert!(head.contains("\r\napi-key: abc\r\n"), "{head}");
        let body: Value = serde_json::from_str(body).unwrap();
        let of_resource = &body["resourceMetrics"][0];
        let attributes = of_resource["resource"]["attributes"].as_array().unwrap();
        let attribute = |key: &str| {
            let found = attributes.iter().find(|found| found["key"] == key);
            found.unwrap()["value"]["stringValue"].as_str().unwrap().to_owned()
        };
        assert_eq!(attribute("service.name"), "loadgen");
        assert_eq!(attribute("loadgen.label.build"), "a \"b\"");
        let metrics = of_resource["scopeMetrics"][0]["metrics"].as_array().unwrap();
        for metric in metrics {
            let name = metric["name"].as_str().unwrap();
            assert!(name.starts_with("loadgen.") && metric["unit"].is_string(), "{metric}");
            let kinds = ["sum", "gauge", "histogram"];
            let kind: Vec<_> = kinds.iter().filter(|kind| metric[**kind].is_object()).collect();
            let [kind] = kind[..] else { panic!("{metric}") };
            let point = &metric[*kind]["dataPoints"][0];
            assert!(integer(&point["timeUnixNano"]) > integer(&point["startTimeUnixNano"]));
            match *kind {
                "histogram" => {
                    let buckets = point["bucketCounts"].as_array().unwrap();
                    let bounds = point["explicitBounds"].as_array().unwrap();
                    assert_eq!(buckets.len(), bounds.len() + 1);
                    assert!(bounds.is_sorted_by_key(Value::as_f64));
                    assert_eq!(buckets.iter().map(integer).sum::<u64>(), integer(&point["count"]));
                }
                kind => {
                    assert_eq!(point["asInt"].is_string(), !point["asDouble"].is_number());
                    assert_eq!(metric["sum"]["isMonotonic"] == true, kind == "sum");
                }
            }
            if kind != &"gauge" {
                assert_eq!(metric[*kind]["aggregationTemporality"], 2, "cumulative");
            }
        }
        let named = |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap();
        let sent = integer(&named("loadgen.messages.sent")["sum"]["dataPoints"][0]["asInt"]);
        assert!(sent >= sent_before);
        sent_before = sent;
    }
    assert_eq!(sent_before, result["messages"]["measured"]["sent"].as_u64().unwrap());
}

/// `InfluxDB`: what it could not take for a while arrives later, in order, and the same lines are in a
/// file.
#[test]
fn k2_influx_has_every_row_once_it_is_back() {
    let influx = Receiver::start(&["503 Busy", "204 No Content"]);
    let (server, scratch) = (server(), Scratch::new("influx"));
    let (url, file) = (server.url(), scratch.path("rows.lp"));
    let to = format!("http://127.0.0.1:{}/api/v2/write?org=o&bucket=b", influx.port);
    let (out, result) = (format!("influx={file}"), scratch.path("r.json"));
    let ran = loadgen(&[
        "run",
        &url,
        "-c",
        "2",
        "-t",
        "1",
        "-R",
        "50",
        "-d",
        "2s",
        "-q",
        "--influx",
        &to,
        "--influx-token",
        "secret",
        "--label",
        "host=a b",
        "-o",
        &out,
        "-o",
        &result,
    ]);
    assert!(matches!(ran.code, Some(0 | 97)), "{}", ran.stderr);
    assert_eq!(ran.stderr, "", "nothing is missing");
    let requests = influx.requests();
    let (head, first) = &requests[0];
    assert!(head.starts_with("POST /api/v2/write?org=o&bucket=b HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nAuthorization: Token secret\r\n"), "{head}");
    assert_eq!(first, &requests[1].1, "sent again");
    let arrived: String = requests[1..].iter().map(|(_, body)| &**body).collect();
    let lines = fs::read_to_string(&file).unwrap();
    assert_eq!(arrived, lines);
    assert!(
        lines.lines().all(|line| line.starts_with("loadgen,command=run,host=a\\ b length_ns="))
    );
    let again = loadgen(&["report", &result, "-o", "influx"]);
    assert_eq!(again.stdout, lines, "a saved result has them, too");
}

/// `StatsD`: counts add up over datagrams.
#[test]
fn k3_statsd_counts_add_up() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let (server, to) = (server(), socket.local_addr().unwrap().to_string());
    let url = server.url();
    let args = ["run", &url, "-c", "2", "-t", "1", "-n", "60", "-q", "--statsd", &to];
    let ran = loadgen(&[&args[..], &["-o", "json=-"]].concat());
    ran.assert_went_well();
    let (mut sent, mut open, mut buffer) = (0, Vec::new(), [0; 2_000]);
    while let Ok(len) = socket.recv(&mut buffer) {
        assert!(len <= 1_432);
        for line in std::str::from_utf8(&buffer[..len]).unwrap().lines() {
            let (name, rest) = line.split_once(':').unwrap();
            let (value, kind) = rest.split_once('|').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(name.starts_with("loadgen.") && ["c", "g"].contains(&kind), "{line}");
            match name {
                "loadgen.messages.sent" => sent += value.parse::<u64>().unwrap(),
                "loadgen.connections.open" => open.push(value.to_owned()),
                _ => {}
            }
        }
    }
    assert_eq!(sent, 60);
    assert!(!open.is_empty());
}

/// A sink that is away, refuses or says nothing doesn't hurt a run: it is counted and said once.
#[test]
fn k4_a_sink_that_is_away_is_said_once() {
    let (server, refusing) = (server(), Receiver::start(&["401 Unauthorized"]));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = server.url();
    let away = format!("http://127.0.0.1:{}", closed.local_addr().unwrap().port());
    drop(closed);
    let refused = format!("http://127.0.0.1:{}/write?db=x&p=secret", refusing.port);
    let ran = loadgen(&[
        "run",
        &url,
        "-c",
        "2",
        "-t",
        "1",
        "-n",
        "60",
        "-q",
        "--otlp",
        &away,
        "--influx",
        &refused,
        "--statsd",
        "127.0.0.1:1",
        "-o",
        "json=-",
    ]);
    ran.assert_went_well();
    let said: Vec<_> = ran.stderr.lines().collect();
    let [otlp, influx, ..] = &said[..] else { panic!("{said:?}") };
    assert!(
        otlp.starts_with(&format!("--otlp {away}/v1/metrics: 1 of 1 row not delivered: ")),
        "{otlp}"
    );
    assert!(otlp.contains("refused"), "{otlp}");
    let shown = format!(
        "--influx http://127.0.0.1:{}/write: 1 of 1 row not delivered: HTTP 401",
        refusing.port
    );
    assert_eq!(influx, &shown);
    assert!(!ran.stderr.contains("secret"));
}

#[test]
fn k5_what_cannot_be_sent_to_is_refused() {
    for (args, why) in [
        (&["--otlp", "127.0.0.1:4318"][..], "--otlp 127.0.0.1:4318: use a URL"),
        (&["--otlp-header", "a: b"], "--otlp-header is for a collector"),
        (&["--influx", "http://h:8086"], "--influx: name the write endpoint"),
        (&["--statsd", "h"], "--statsd h: use HOST:PORT"),
        (&["--statsd", "h:1", "--processes", "2"], "--statsd needs a run in one process"),
    ] {
        let ran = loadgen(&[&["run", "ws://127.0.0.1:9/", "-q"], args].concat());
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.error_line().starts_with(why), "{}", ran.stderr);
    }
    let ran = loadgen(&[
        "run",
        "ws://h/",
        "--dry-run",
        "--statsd",
        "h:1",
        "--otlp",
        "http://h/?k=secret",
    ]);
    assert!(ran.stdout.contains(" metrics      statsd to h:1\n"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("secret"), "{}", ran.stdout);
}
