//! How to reach a server: addresses, sources, proxy and TLS, read from the flags.

use std::net::IpAddr;
use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::{Host, Url};

use super::{Template, within};
use crate::cli::{NetworkArgs, TlsArgs};
use crate::net::{
    Family, Http2, Network, Override, Proxy, Redirect, SourceRange, Sources, Target, TlsSettings,
};

/// Most WebSockets on a connection: as many as streams have numbers, approximately.
const STREAMS_MAX: u64 = 1_000_000;

impl Network {
    /// Reads the flags for connections to `targets`.
    ///
    /// # Errors
    /// One line: what is wrong, and what to do.
    pub fn new(args: NetworkArgs, targets: &[Target]) -> Result<Self, String> {
        let family = match (args.ipv4, args.ipv6) {
            (true, true) => return Err("-4 and -6 exclude each other; use one of them".into()),
            (true, false) => Some(Family::V4),
            (false, true) => Some(Family::V6),
            (false, false) => None,
        };
        let network = Self {
            family,
            overrides: args.resolve.iter().map(|text| resolve(text)).collect::<Result<_, _>>()?,
            redirects: args
                .connect_to
                .iter()
                .map(|text| redirect(text))
                .collect::<Result<_, _>>()?,
            unix_socket: args.unix_socket,
            sources: sources(&args.source_ips)?,
            proxy: args.proxy.as_deref().map(proxy).transpose()?,
            tls: TlsSettings::new(args.tls)?,
            http2: http2(args.http2, args.streams)?,
        };
        network.check(targets)?;
        Ok(network)
    }

    /// Refuses flags that exclude each other or have no effect.
    fn check(&self, targets: &[Target]) -> Result<(), String> {
        let exclusive = |a: &str, b: &str| Err(format!("{a} and {b} exclude each other"));
        if self.unix_socket.is_some() {
            for (is_set, flag) in [
                (self.proxy.is_some(), "--proxy"),
                (!self.sources.is_empty(), "--source-ip"),
                (!self.redirects.is_empty(), "--connect-to"),
                (!self.overrides.is_empty(), "--resolve"),
                (self.family.is_some(), "-4/-6"),
            ] {
                if is_set {
                    return exclusive("--unix-socket", flag);
                }
            }
        }
        if let Some(family) = self.family
            && !self.sources.is_empty()
            && self.sources.addresses_of(family) == 0
        {
            return Err(format!("--source-ip has no {} address", family.name()));
        }
        let is_secure = targets.iter().any(Target::is_secure);
        if targets.is_empty() {
            let is_bare = self.family.is_none()
                && self.overrides.is_empty()
                && self.redirects.is_empty()
                && self.unix_socket.is_none()
                && self.proxy.is_none();
            if !is_bare {
                return Err("the embedded server needs no way to it; give a URL as well".into());
            }
        }
        if !is_secure && self.tls != TlsSettings::default() {
            return Err("TLS flags need a wss:// URL".into());
        }
        Ok(())
    }
}

impl TlsSettings {
    fn new(args: TlsArgs) -> Result<Self, String> {
        if args.insecure && args.cacert.is_some() {
            return Err(
                "-k trusts any certificate, so --cacert has no effect; use one of them".into()
            );
        }
        if let Some(name) = &args.sni
            && rustls::pki_types::ServerName::try_from(name.as_str()).is_err()
        {
            return Err(format!("bad --sni {name:?}: use a host name"));
        }
        let identity = match (args.cert, args.key) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) => return Err("--cert needs its --key FILE as well".into()),
            (None, Some(_)) => return Err("--key needs its --cert FILE as well".into()),
        };
        Ok(Self {
            is_insecure: args.insecure,
            ca_file: args.cacert,
            identity,
            server_name: args.sni,
            is_resuming: !args.no_tls_resume,
        })
    }
}

/// Reads `--http2` and `--streams`.
fn http2(is_asked: bool, streams: Option<u64>) -> Result<Option<Http2>, String> {
    if !is_asked {
        return match streams {
            Some(_) => Err("--streams shares connections of HTTP/2; use it with --http2".into()),
            None => Ok(None),
        };
    }
    let streams = within("--streams", streams.unwrap_or(1), 1, STREAMS_MAX)?;
    let streams = u32::try_from(streams).ok().and_then(NonZeroU32::new);
    Ok(streams.map(|streams| Http2 { streams }))
}

/// Reads `HOST:PORT:ADDR[,ADDR]`; an IPv6 address may be in brackets.
fn resolve(text: &str) -> Result<Override, String> {
    let bad = |why: &str| {
        Err(format!(
            "bad --resolve {text:?}: {why}; use HOST:PORT:ADDR, like example.com:80:127.0.0.1"
        ))
    };
    let Some((host, rest)) = split_host(text) else { return bad("no port") };
    let Some((port, addresses)) = rest.split_once(':') else { return bad("no address") };
    if host.is_empty() {
        return bad("no host");
    }
    let Some(port) = parse_port(port) else { return bad("the port is not 1 to 65535") };
    let addresses: Option<Vec<IpAddr>> =
        addresses.split(',').map(|ip| unbracketed(ip).parse().ok()).collect();
    match addresses {
        Some(addresses) => Ok(Override { host: host.to_ascii_lowercase(), port, addresses }),
        None => bad("not an address"),
    }
}

/// Reads `HOST1:PORT1:HOST2:PORT2`, each of which may be empty.
fn redirect(text: &str) -> Result<Redirect, String> {
    let bad = |why: &str| {
        Err(format!(
            "bad --connect-to {text:?}: {why}; use HOST1:PORT1:HOST2:PORT2, like \
             example.com:80:127.0.0.1:9001"
        ))
    };
    let Some((from_host, rest)) = split_host(text) else { return bad("too few colons") };
    let Some((from_port, rest)) = rest.split_once(':') else { return bad("too few colons") };
    let Some((to_host, to_port)) = split_host(rest) else { return bad("too few colons") };
    let host = |text: &str| (!text.is_empty()).then(|| text.to_ascii_lowercase());
    let port = |text: &str| match text {
        "" => Some(None),
        text => parse_port(text).map(Some),
    };
    let (Some(from_port), Some(to_port)) = (port(from_port), port(to_port)) else {
        return bad("a port is not 1 to 65535");
    };
    Ok(Redirect { from: (host(from_host), from_port), to: (host(to_host), to_port) })
}

/// Splits a host, without its brackets, from what follows its colon.
fn split_host(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            Some((host, rest.strip_prefix(':')?))
        }
        None => text.split_once(':'),
    }
}

fn unbracketed(text: &str) -> &str {
    text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text)
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|&port| port != 0 && text.bytes().all(|b| b.is_ascii_digit()))
}

/// Reads `--source-ip`.
///
/// # Errors
/// One line that names the address that is wrong.
pub fn sources(texts: &[String]) -> Result<Sources, String> {
    let ranges: Result<Vec<_>, _> = texts
        .iter()
        .map(|text| {
            SourceRange::parse(text).map_err(|why| format!("bad --source-ip {text:?}: {why}"))
        })
        .collect();
    Ok(Sources::new(ranges?))
}

fn proxy(text: &str) -> Result<Proxy, String> {
    // The text isn't shown, because it may contain a password.
    let bad = |why: String| Err(format!("bad --proxy: {why}; use http://[USER:PASS@]HOST:PORT"));
    if Template::has_placeholder(text) {
        return bad("placeholders are not replaced in it; write %7B for a brace".into());
    }
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = match Url::parse(&text) {
        Ok(url) => url,
        Err(error) => return bad(error.to_string()),
    };
    if url.scheme() != "http" {
        return bad(format!("its scheme is {}", url.scheme()));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return bad("it has a path".into());
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(ip)) => ip.to_string(),
        Some(Host::Ipv6(ip)) => ip.to_string(),
        None => return bad("it has no host".into()),
    };
    // curl's default for proxies.
    let port = if has_port(&text) { url.port_or_known_default().unwrap_or(80) } else { 1080 };
    let decoded = |text: &str| percent_decoded(text);
    let password = url.password().unwrap_or_default();
    let authorization = (!url.username().is_empty() || !password.is_empty()).then(|| {
        let pair = [decoded(url.username()), vec![b':'], decoded(password)].concat();
        format!("Basic {}", STANDARD.encode(pair))
    });
    if port == 0 {
        return bad("port 0 can't be connected to".into());
    }
    Ok(Proxy { host, port, authorization })
}

/// Checks whether a URL names a port; the parser drops the scheme's default.
fn has_port(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let behind = host.rsplit(']').next().unwrap_or_default();
    behind.contains(':')
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = code.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(byte) = byte.filter(|_| first == b'%') {
            bytes.push(byte);
            rest = tail.get(2..).unwrap_or_default();
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, Parsed, parse};
    use crate::config::Config;

    fn network(line: &str) -> Result<Network, String> {
        let words = std::iter::once("loadgen").chain(line.split_whitespace()).map(Into::into);
        match parse(words) {
            Parsed::Command(command) => match *command {
                Command::Run(args) => Config::of_run(args).map(|config| config.network),
                _ => panic!("{line}"),
            },
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn hosts_and_ports_are_replaced_as_curl_does_it() {
        let network = network(
            "run ws://a:80/ --connect-to a:80:b:81 --connect-to c::d: --connect-to :90:[::1]: \
             --resolve a:80:127.0.0.1,[::1] --resolve *:7:10.0.0.1",
        )
        .unwrap();
        for (from, to) in [
            (("a", 80), ("b", 81)),
            (("A", 80), ("b", 81)),
            (("a", 82), ("a", 82)),
            (("c", 5), ("d", 5)),
            (("x", 90), ("::1", 90)),
        ] {
            assert_eq!(network.redirected(from.0, from.1), to);
        }
        let known = |host, port| network.overridden(host, port);
        let addresses = ["127.0.0.1:80", "[::1]:80"].map(|text| text.parse().unwrap());
        assert_eq!(known("a", 80), Some(addresses.to_vec()));
        assert_eq!(known("A", 80), Some(addresses.to_vec()));
        assert_eq!((known("a", 81), known("b", 80)), (None, None));
        assert_eq!(known("whoever", 7), Some(vec!["10.0.0.1:7".parse().unwrap()]));
    }

    #[test]
    fn a_proxy_has_a_password_that_is_never_shown() {
        let proxy = |text| network(&format!("run ws://h/ --proxy {text}")).unwrap().proxy.unwrap();
        let full = proxy("http://me:p%40ss@[::1]:3128/");
        assert_eq!((full.host.as_str(), full.port), ("::1", 3128));
        assert_eq!(full.authorization.as_deref(), Some("Basic bWU6cEBzcw=="));
        assert_eq!(format!("{full} {full:?}"), "http://[::1]:3128 http://[::1]:3128");
        assert_eq!((proxy("h").port, proxy("http://h").port), (1080, 1080));
        assert_eq!((proxy("h:80").port, proxy("http://u@h:8080").port), (80, 8080));
    }

    #[test]
    fn bad_flags_and_pairs_that_make_no_sense_are_one_line() {
        for (line, why) in [
            ("run ws://h/ -4 -6", "-4 and -6 exclude each other"),
            ("run ws://h/ --resolve h", "no port"),
            ("run ws://h/ --resolve h:80", "no address"),
            ("run ws://h/ --resolve h:0:127.0.0.1", "the port is not 1 to 65535"),
            ("run ws://h/ --resolve h:+80:127.0.0.1", "the port is not 1 to 65535"),
            ("run ws://h/ --resolve h:80:example.com", "not an address"),
            ("run ws://h/ --resolve :80:127.0.0.1", "no host"),
            ("run ws://h/ --connect-to a:1:b", "too few colons"),
            ("run ws://h/ --connect-to a:1:b:99999", "a port is not 1 to 65535"),
            ("run ws://h/ --source-ip nowhere", "bad --source-ip \"nowhere\""),
            ("run ws://h/ --source-ip 127.0.0.0/40", "the prefix is not 0 to 32"),
            ("run ws://h/ --source-ip 127.0.0.1 -6", "--source-ip has no IPv6 address"),
            ("run ws://h/ --proxy socks5://h:1", "its scheme is socks5"),
            ("run ws://h/ --proxy http://h:1/path", "it has a path"),
            ("run ws://h/ --proxy http://u:secret@:1", "bad --proxy"),
            ("run ws://h/ --unix-socket /s --proxy h:1", "--unix-socket and --proxy exclude"),
            ("run ws://h/ --unix-socket /s --source-ip 127.0.0.1", "--source-ip exclude"),
            ("run ws://h/ --unix-socket /s --connect-to a:1:b:2", "--connect-to exclude"),
            ("run ws://h/ --unix-socket /s --resolve a:1:127.0.0.1", "--resolve exclude"),
            ("run ws://h/ --unix-socket /s -4", "-4/-6 exclude"),
            ("run --proxy h:1", "give a URL as well"),
            ("run -k", "need a wss:// URL"),
            ("run ws://h/ -k", "need a wss:// URL"),
            ("run ws://h/ --no-tls-resume", "need a wss:// URL"),
            ("run wss://h/ -k --cacert f", "use one of them"),
            ("run wss://h/ --cert f", "--cert needs its --key"),
            ("run wss://h/ --key f", "--key needs its --cert"),
            ("run wss://h/ --sni a_b..c", "bad --sni"),
        ] {
            let said = network(line).unwrap_err();
            assert!(said.contains(why), "{line}: {said}");
            assert!(!said.contains(char::is_control), "{line}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
