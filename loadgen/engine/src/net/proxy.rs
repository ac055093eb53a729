//! Opens a tunnel through a proxy (RFC 9110, 9.3.6).

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fault::Fault;
use super::settings::Proxy;
use super::stream::Stream;
use crate::escape;

/// Most bytes of a proxy's answer.
const HEAD_SIZE_MAX: usize = 16 << 10;
/// Most bytes of its status line that are shown.
const SHOWN_LEN_MAX: usize = 100;

/// Asks for a tunnel to `authority`; afterwards the stream is that tunnel.
pub(super) async fn tunnel(
    stream: &mut Stream,
    proxy: &Proxy,
    authority: &str,
) -> Result<(), Fault> {
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(authorization) = &proxy.authorization {
        request.extend(["Proxy-Authorization: ", authorization, "\r\n"]);
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.map_err(|error| io_fault(&error))?;
    let mut head = Vec::new();
    let mut piece = [0; 2048];
    loop {
        let len = stream.read(&mut piece).await.map_err(|error| io_fault(&error))?;
        if len == 0 {
            return Err(Fault::new("eof", "the proxy ended the stream before an answer"));
        }
        // Of the bytes seen before, only the last three can start the blank line.
        let seen_len = head.len().saturating_sub(3);
        head.extend_from_slice(piece.get(..len).unwrap_or_default());
        check_begin(&head)?;
        let unseen = head.get(seen_len..).unwrap_or_default();
        if let Some(place) = unseen.windows(4).position(|four| four == b"\r\n\r\n") {
            return check(&head, seen_len + place + 4, proxy.authorization.is_some());
        }
        if head.len() > HEAD_SIZE_MAX {
            return Err(Fault::new("head_too_large", "the proxy's answer doesn't end"));
        }
    }
}

/// Refuses anything but HTTP at the first byte that differs.
fn check_begin(head: &[u8]) -> Result<(), Fault> {
    const BEGIN: &[u8] = b"HTTP/1.";
    let len = BEGIN.len().min(head.len());
    if head.get(..len) == BEGIN.get(..len) {
        return Ok(());
    }
    let shown = escape::bytes(head, SHOWN_LEN_MAX);
    Err(Fault::new("not_http", format!("the proxy answered {shown:?}")))
}

/// Checks an answer whose head is `head_len` bytes long. `has_login` says whether a user and a
/// password were sent.
fn check(answer: &[u8], head_len: usize, has_login: bool) -> Result<(), Fault> {
    let line = answer.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let shown = escape::bytes(line, SHOWN_LEN_MAX);
    let status = line.get(9..12).filter(|_| line.get(8) == Some(&b' '));
    let status = status.and_then(|digits| std::str::from_utf8(digits).ok());
    match status.and_then(|digits| digits.parse::<u16>().ok()) {
        Some(200..=299) if answer.len() > head_len => {
            Err(Fault::new("early_bytes", "bytes came out of the tunnel before any went in"))
        }
        Some(200..=299) => Ok(()),
        Some(407) => {
            let head = answer.get(..head_len).unwrap_or_default();
            Err(Fault::new("407", format!("{shown}; {}", login_help(&schemes(head), has_login))))
        }
        Some(status) => Err(Fault::new(status_code(status), shown)),
        None => Err(Fault::new("not_http", format!("the proxy answered {shown:?}"))),
    }
}

/// Says what to do about a proxy that requires a login by one of these schemes.
fn login_help(schemes: &[String], has_login: bool) -> String {
    let has_basic = schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic"));
    if !schemes.is_empty() && !has_basic {
        return format!(
            "it requires a login by {}, but loadgen supports only Basic: allow Basic for this \
             client, or use a local proxy that logs in for it, such as cntlm",
            schemes.join(" or ")
        );
    }
    let help = if has_login {
        "the user or the password in --proxy is wrong"
    } else {
        "give USER:PASS@ in --proxy"
    };
    help.into()
}

/// Returns the schemes that a head offers in |Proxy-Authenticate| (RFC 9110, 11.7.1), each once.
fn schemes(head: &[u8]) -> Vec<String> {
    const SCHEMES_MAX: usize = 4;
    let head = String::from_utf8_lossy(head);
    let mut schemes: Vec<String> = Vec::new();
    let values = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("proxy-authenticate").then_some(value)
    });
    for value in values {
        let mut is_quoted = false;
        // Commas separate challenges, and the parameters of one challenge.
        for item in value.split(|c| {
            is_quoted ^= c == '"';
            c == ',' && !is_quoted
        }) {
            let Some(word) = item.split_whitespace().next() else { continue };
            let is_token = word.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
            let is_known = schemes.iter().any(|known| known.eq_ignore_ascii_case(word));
            if is_token && !is_known && word.len() <= 20 && schemes.len() < SCHEMES_MAX {
                schemes.push(word.to_owned());
            }
        }
    }
    schemes
}

/// Codes are counted by what a proxy is known to say; the sample has the whole line.
const fn status_code(status: u16) -> &'static str {
    match status {
        400 => "400",
        403 => "403",
        404 => "404",
        405 => "405",
        500 => "500",
        502 => "502",
        503 => "503",
        504 => "504",
        _ => "refused",
    }
}

fn io_fault(error: &std::io::Error) -> Fault {
    let code = match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            "reset"
        }
        _ => "io",
    };
    Fault::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(answer: &str) -> Result<(), &'static str> {
        let answer = answer.as_bytes();
        let place = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        check_begin(answer)
            .and_then(|()| check(answer, place + 4, false))
            .map_err(|fault| fault.code)
    }

    #[test]
    fn answers_are_judged_by_their_status() {
        for (answer, verdict) in [
            ("HTTP/1.1 200 OK\r\n\r\n", Ok(())),
            ("HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n", Ok(())),
            ("HTTP/1.1 204\r\n\r\n", Ok(())),
            ("HTTP/1.1 407 Who\r\n\r\n", Err("407")),
            ("HTTP/1.1 502 Bad\r\n\r\n", Err("502")),
            ("HTTP/1.1 418 Tea\r\n\r\n", Err("refused")),
            ("HTTP/1.1 200 OK\r\n\r\n+", Err("early_bytes")),
            ("HTTP/1.1 2x0 OK\r\n\r\n", Err("not_http")),
            ("HTTP/1.1200 OK\r\n\r\n", Err("not_http")),
            ("SSH-2.0-x\r\n\r\n", Err("not_http")),
        ] {
            assert_eq!(judged(answer), verdict, "{answer:?}");
        }
    }
    #[test]
    fn p10_a_proxy_that_wants_a_login_is_told_by_its_schemes() {
        let only = "but loadgen supports only Basic";
        for (fields, has_login, why) in [
            ("", false, "give USER:PASS@ in --proxy"),
            ("Proxy-Authenticate: Basic realm=\"a, b\"\r\n", false, "give USER:PASS@ in --proxy"),
            ("Proxy-Authenticate: Basic realm=\"x\"\r\n", true, "password in --proxy is wrong"),
            ("proxy-authenticate: NTLM\r\n", false, "by NTLM, but loadgen supports only Basic"),
            ("Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n", true, only),
            ("Proxy-Authenticate: Negotiate, NTLM\r\n", false, "by Negotiate or NTLM, but"),
            (
                "Proxy-Authenticate: Digest realm=\"Basic, x\", qop=\"auth\", nonce=\"1\"\r\n",
                true,
                "by Digest, but loadgen supports only Basic",
            ),
            ("Proxy-Authenticate: NTLM, basic realm=x\r\n", false, "give USER:PASS@"),
            ("Proxy-Authenticate: \x1b[1m\r\n", false, "give USER:PASS@"),
        ] {
            let answer = format!("HTTP/1.1 407 Who\r\n{fields}\r\n");
            let fault = check(answer.as_bytes(), answer.len(), has_login).unwrap_err();
            assert_eq!(fault.code, "407");
            assert!(fault.said.contains(why), "{fields}: {fault}");
        }
    }
}
