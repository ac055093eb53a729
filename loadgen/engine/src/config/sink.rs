//! Checks where the metrics of a run are sent while it goes on, and what is watched beside it.

use http::{HeaderName, HeaderValue};
use url::Url;

use crate::cli::StreamArgs;

/// The path of metrics in OTLP.
const OTLP_PATH: &str = "/v1/metrics";

/// Where metrics are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// A collector of `OpenTelemetry`.
    Otlp(Endpoint),
    /// The write endpoint of an `InfluxDB`.
    Influx(Endpoint),
    /// Host and port of a `StatsD`.
    Statsd {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
}

impl Sink {
    /// Returns the flag that asks for it.
    #[must_use]
    pub const fn flag(&self) -> &'static str {
        match self {
            Self::Otlp(_) => "--otlp",
            Self::Influx(_) => "--influx",
            Self::Statsd { .. } => "--statsd",
        }
    }

    /// Returns where it is, without what may be secret.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Otlp(endpoint) | Self::Influx(endpoint) => endpoint.shown(),
            Self::Statsd { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Statsd { host, port } => format!("{host}:{port}"),
        }
    }
}

/// Where to POST, and what to say.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether TLS is spoken.
    pub is_secure: bool,
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The value of `Host`.
    pub authority: String,
    /// The path, and the query if there is one.
    pub target: String,
    /// More headers, valid ones.
    pub headers: Vec<(String, String)>,
}

/// Headers and queries may have secrets in them.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Endpoint").field(&self.shown()).finish()
    }
}

impl Endpoint {
    /// Returns the URL without its query, in which there may be a password.
    #[must_use]
    pub fn shown(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        let path = self.target.split('?').next().unwrap_or_default();
        format!("{scheme}://{}{path}", self.authority)
    }

    fn parse(flag: &str, text: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("{flag} {}: {why}", text.escape_debug());
        let url = Url::parse(text).map_err(|_| bad("use a URL like http://127.0.0.1:4318"))?;
        let is_secure = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(bad("use a URL that begins with http:// or https://")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("{flag}: the URL has a user or a password; send them as a header"));
        }
        let host = url.host_str().ok_or_else(|| bad("it has no host"))?;
        let port = url.port_or_known_default().ok_or_else(|| bad("it has no port"))?;
        let authority = url.port().map_or_else(|| host.into(), |port| format!("{host}:{port}"));
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Ok(Self {
            is_secure,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            authority,
            target: format!("{}{query}", url.path()),
            headers: Vec::new(),
        })
    }
}

/// Returns everything that the metrics are sent to.
///
/// # Errors
/// One line: which flag is wrong, and what to do.
pub(super) fn sinks(args: StreamArgs) -> Result<Vec<Sink>, String> {
    let StreamArgs {
        watch_pid: _,
        prometheus: _,
        otlp,
        otlp_headers,
        influx,
        influx_token,
        statsd,
    } = args;
    let mut sinks = Vec::new();
    match otlp {
        Some(url) => {
            let mut to = Endpoint::parse("--otlp", &url)?;
            if to.target == "/" {
                OTLP_PATH.clone_into(&mut to.target);
            }
            to.headers = headers("--otlp-header", otlp_headers)?;
            sinks.push(Sink::Otlp(to));
        }
        None if !otlp_headers.is_empty() => {
            return Err("--otlp-header is for a collector; name it with --otlp URL".into());
        }
        None => {}
    }
    if let Some(url) = influx {
        let mut to = Endpoint::parse("--influx", &url)?;
        if to.target == "/" {
            return Err("--influx: name the write endpoint, such as \
                        http://127.0.0.1:8086/api/v2/write?org=me&bucket=load"
                .into());
        }
        let token = influx_token.map(|token| ("Authorization".into(), format!("Token {token}")));
        to.headers = headers("--influx-token", token.into_iter().collect())?;
        sinks.push(Sink::Influx(to));
    }
    if let Some(text) = statsd {
        sinks.push(host_and_port(&text)?);
    }
    Ok(sinks)
}

fn headers(flag: &str, headers: Vec<(String, String)>) -> Result<Vec<(String, String)>, String> {
    for (name, value) in &headers {
        let is_valid = HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value).is_ok();
        let sets_frame = ["content-length", "transfer-encoding", "connection", "host"]
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own));
        if !is_valid || sets_frame {
            // The value may be a secret.
            return Err(format!(
                "{flag}: no header can be named {} and have this value",
                name.escape_debug()
            ));
        }
    }
    Ok(headers)
}

fn host_and_port(text: &str) -> Result<Sink, String> {
    let wrong =
        || format!("--statsd {}: use HOST:PORT, such as 127.0.0.1:8125", text.escape_debug());
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(wrong)?,
        None if host.contains(':') => return Err(wrong()),
        None => host,
    };
    let is_valid = !host.is_empty() && !host.chars().any(|c| c.is_control() || c.is_whitespace());
    let port = port.parse().ok().filter(|port| *port > 0 && is_valid).ok_or_else(wrong)?;
    Ok(Sink::Statsd { host: host.to_owned(), port })
}

/// Refuses to watch a server that isn't a process of its own.
pub(super) fn watch_pid(pid: Option<u32>, is_embedded: bool) -> Result<Option<u32>, String> {
    if pid.is_some() && is_embedded {
        return Err(
            "--watch-pid is for a server that is a process of its own; give its URL, too".into()
        );
    }
    Ok(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(args: StreamArgs) -> Result<Vec<Sink>, String> {
        sinks(args)
    }

    fn otlp(url: &str) -> StreamArgs {
        StreamArgs { otlp: Some(url.into()), ..StreamArgs::default() }
    }

    #[test]
    fn urls_say_where_and_show_no_secret() {
        for (url, shown, target) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/metrics", "/v1/metrics"),
            ("https://h/otlp/v1/metrics?k=v", "https://h/otlp/v1/metrics", "/otlp/v1/metrics?k=v"),
            ("http://[::1]:1/x", "http://[::1]:1/x", "/x"),
        ] {
            let found = asked(otlp(url)).unwrap();
            let [Sink::Otlp(to)] = &*found else { panic!("{found:?}") };
            assert_eq!((&*to.shown(), &*to.target), (shown, target));
            assert!(!format!("{found:?}").contains("k=v"));
            assert!(!to.host.contains('['));
        }
        for (url, why) in [
            ("127.0.0.1:4318", "use a URL like http://127.0.0.1:4318"),
            ("ws://h/", "begins with http:// or https://"),
            ("http://u:p@h/", "send them as a header"),
        ] {
            assert!(asked(otlp(url)).unwrap_err().contains(why), "{url}");
        }
    }

    #[test]
    fn headers_are_valid_ones() {
        let with = |name: &str, value: &str| StreamArgs {
            otlp_headers: vec![(name.into(), value.into())],
            ..otlp("http://h/")
        };
        assert!(asked(with("api-key", "abc")).is_ok());
        for (name, value) in [("a b", "c"), ("a", "b\r\nc: d"), ("Content-Length", "0")] {
            let said = asked(with(name, value)).unwrap_err();
            assert!(said.starts_with("--otlp-header: no header can be named"), "{said}");
        }
        let alone = StreamArgs { otlp: None, ..with("a", "b") };
        assert!(asked(alone).unwrap_err().contains("--otlp URL"));
    }

    #[test]
    fn influx_needs_its_write_endpoint_and_statsd_a_port() {
        let influx = |url: &str, token: Option<&str>| {
            asked(StreamArgs {
                influx: Some(url.into()),
                influx_token: token.map(Into::into),
                ..StreamArgs::default()
            })
        };
        let found = influx("http://h:8086/api/v2/write?org=a&bucket=b", Some("t")).unwrap();
        let [Sink::Influx(to)] = &*found else { panic!("{found:?}") };
        assert_eq!(to.headers, [("Authorization".to_owned(), "Token t".to_owned())]);
        assert!(influx("http://h:8086/", None).unwrap_err().contains("/api/v2/write"));
        let statsd =
            |text: &str| asked(StreamArgs { statsd: Some(text.into()), ..StreamArgs::default() });
        for (text, host) in [("h:8125", "h"), ("[::1]:8125", "::1")] {
            let expected = [Sink::Statsd { host: host.into(), port: 8125 }];
            assert_eq!(statsd(text).unwrap(), expected, "{text}");
            assert_eq!(expected[0].shown(), text);
        }
        for text in ["h", "h:0", ":1", "::1:8125", "[::1:8125", "h:x", "a b:1"] {
            assert!(statsd(text).unwrap_err().contains("use HOST:PORT"), "{text}");
        }
    }
}
