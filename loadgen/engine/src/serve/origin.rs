//! Decides from `Origin` and `Host` headers whether a web page may talk to the server.
//!
//! Browsers let any page open a WebSocket to any address, even the loopback, and send the page's
//! origin in `Origin`; the server has to judge (RFC 6455, 10.2). Programs other than browsers send
//! no `Origin`, and could lie anyway.

use std::net::IpAddr;

/// Which origins may connect. A request without `Origin` always may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OriginPolicy {
    /// Pages of the loopback, and of the host that the request itself names.
    #[default]
    LocalOrSameHost,
    /// Exactly these, as a browser writes them: `https://example.com`. Case doesn't matter.
    Only(Vec<String>),
    /// All.
    Any,
}

impl OriginPolicy {
    /// Checks whether `text` is an origin as a browser sends it: `scheme://host[:port]`, or `null`.
    #[must_use]
    pub fn is_origin(text: &str) -> bool {
        text == "null" || authority_of(text).is_some()
    }

    /// Checks whether to accept a request with these headers.
    #[must_use]
    pub fn allows(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        match self {
            Self::Any => true,
            Self::Only(allowed) => allowed.iter().any(|one| one.eq_ignore_ascii_case(origin)),
            Self::LocalOrSameHost => authority_of(origin).is_some_and(|authority| {
                is_loopback(host_of(authority))
                    || host.is_some_and(|host| host.eq_ignore_ascii_case(authority))
            }),
        }
    }
}

/// Returns `host[:port]` of an origin; `None` for `null` or if it isn't `scheme://host[:port]`.
fn authority_of(origin: &str) -> Option<&str> {
    let (scheme, authority) = origin.split_once("://")?;
    let port_is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = !authority.is_empty()
        && !authority.contains(['/', '?', '#', '@', '\\', ' '])
        && authority.strip_prefix(host_of(authority)).is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix(':').is_some_and(port_is_number)
        });
    (is_whole && matches!(scheme, "http" | "https")).then_some(authority)
}

/// Returns the host of `host[:port]`, an IPv6 address with its brackets.
fn host_of(authority: &str) -> &str {
    let end = match authority.find(']') {
        Some(bracket) if authority.starts_with('[') => bracket + 1,
        _ => authority.find(':').unwrap_or(authority.len()),
    };
    &authority[..end]
}

fn is_loopback(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    match address.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b20_the_default_lets_in_local_pages_and_the_same_host() {
        let host = Some("echo.example:9001");
        let rows = [
            (None, true),
            (Some("http://localhost"), true),
            (Some("http://LOCALHOST:3000"), true),
            (Some("http://127.0.0.1:8080"), true),
            (Some("https://127.9.9.9"), true),
            (Some("http://[::1]:8080"), true),
            (Some("http://echo.example:9001"), true),
            (Some("https://Echo.Example:9001"), true),
            (Some("https://evil.example"), false),
            (Some("http://echo.example"), false),
            (Some("http://echo.example:90011"), false),
            (Some("http://aecho.example:9001"), false),
            (Some("http://localhost.evil.example"), false),
            (Some("http://127.0.0.1.evil.example"), false),
            (Some("http://evil.example/localhost"), false),
            (Some("http://localhost@evil.example"), false),
            (Some("http://localhost:80:evil"), false),
            (Some("http://localhost:a"), false),
            (Some("http://[::1]evil.example"), false),
            (Some("http://[::1"), false),
            (Some("http://"), false),
            (Some("null"), false),
            (Some(""), false),
            (Some("file://localhost"), false),
            (Some("localhost"), false),
        ];
        for (origin, allowed) in rows {
            assert_eq!(OriginPolicy::default().allows(origin, host), allowed, "{origin:?}");
        }
        assert!(!OriginPolicy::default().allows(Some("http://echo.example"), None));
    }

    #[test]
    fn a_list_matches_whole_origins() {
        let policy = OriginPolicy::Only(vec!["https://example.com".into()]);
        assert!(policy.allows(None, None));
        assert!(policy.allows(Some("https://example.com"), None));
        assert!(policy.allows(Some("https://EXAMPLE.com"), None));
        assert!(!policy.allows(Some("https://example.com:444"), None));
        assert!(!policy.allows(Some("https://amyexample.com"), Some("amyexample.com")));
        assert!(!policy.allows(Some("http://localhost"), None));
        assert!(OriginPolicy::Any.allows(Some("null"), None));
    }
}
