//! Sends the body of a row by HTTP, a connection each: one a second is no load for anybody.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::sink::{Deliver, Missed};
use crate::config::Endpoint;
use crate::escape;
use crate::net::BlockingTls;

/// Time limit for connecting, and for each read and write.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most bytes of an answer that are looked at.
const ANSWER_MAX: usize = 65_536;
/// Most bytes of an answer that are shown.
const SHOWN_MAX: usize = 120;

/// Posts bodies of one kind to one place.
pub(super) struct Post {
    to: Endpoint,
    content_type: &'static str,
    /// Finds fault with the body of an answer that is a success by its status.
    fault: fn(&str) -> Option<String>,
    /// What TLS trusts, once it was needed.
    tls: Option<BlockingTls>,
}

impl Post {
    pub(super) fn new(
        to: &Endpoint,
        content_type: &'static str,
        fault: fn(&str) -> Option<String>,
    ) -> Self {
        Self { to: to.clone(), content_type, fault, tls: None }
    }

    /// Returns the head of the request.
    fn head(&self, len: usize) -> String {
        let Endpoint { authority, target, headers, .. } = &self.to;
        let mut head = format!(
            "POST {target} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: {}\r\n\
             Content-Length: {len}\r\nUser-Agent: loadgen/{}\r\nConnection: close\r\n",
            self.content_type,
            env!("CARGO_PKG_VERSION")
        );
        for (name, value) in headers {
            head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
        }
        head.push_str("\r\n");
        head
    }

    /// Sends a request and returns the answer.
    fn exchange(&mut self, body: &[u8]) -> io::Result<Vec<u8>> {
        let head = self.head(body.len());
        let tcp = connect(&self.to.host, self.to.port)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        if !self.to.is_secure {
            return answer(tcp, &head, body);
        }
        if self.tls.is_none() {
            self.tls = Some(BlockingTls::new().map_err(io::Error::other)?);
        }
        let Some(tls) = &self.tls else { return Err(io::ErrorKind::Unsupported.into()) };
        answer(tls.over(tcp, &self.to.host)?, &head, body)
    }
}

impl Deliver for Post {
    fn deliver(&mut self, body: &[u8]) -> Result<(), Missed> {
        let answer = self.exchange(body).map_err(|error| Missed::Yet(reason(&error)))?;
        let answer = String::from_utf8_lossy(&answer);
        let status = status(&answer).ok_or_else(|| Missed::Ever("no answer in HTTP/1".into()))?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let said = || {
            let line = body.lines().map(str::trim).find(|line| !line.is_empty());
            let line = line.map(|line| format!(", {}", escape::control(line, SHOWN_MAX)));
            format!("HTTP {status}{}", line.unwrap_or_default())
        };
        match status {
            200..=299 => (self.fault)(body)
                .map_or(Ok(()), |why| Err(Missed::Ever(escape::control(&why, SHOWN_MAX)))),
            // Too many requests, and what may pass.
            429 | 500..=599 => Err(Missed::Yet(said())),
            _ => Err(Missed::Ever(said())),
        }
    }
}

/// Returns the status of an answer.
fn status(answer: &str) -> Option<u16> {
    let rest = answer.strip_prefix("HTTP/1.")?;
    rest.get(2..5)?.parse().ok().filter(|status| (100..1_000).contains(status))
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("no answer within {} s", PATIENCE.as_secs())
        }
        _ => escape::control(&error.to_string(), SHOWN_MAX),
    }
}

/// Connects to the first address of a host that answers.
fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn answer(mut stream: impl Read + Write, head: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4_096]);
    // Some keep the connection open in spite of what was asked.
    while !is_whole(&answer) && answer.len() < ANSWER_MAX {
        match stream.read(&mut buffer)? {
            0 => break,
            len => answer.extend_from_slice(&buffer[..len]),
        }
    }
    Ok(answer)
}

/// Checks whether an answer has arrived, if it says how long it is.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let len = head.lines().filter_map(|line| line.split_once(':'));
    let len = len.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let len = len.map(|(_, len)| len.trim().parse::<usize>().unwrap_or(usize::MAX)).min();
    status(&text) == Some(204) || len.is_some_and(|len| body.len() >= len)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn endpoint(port: u16) -> Endpoint {
        Endpoint {
            is_secure: false,
            host: "127.0.0.1".into(),
            port,
            authority: format!("127.0.0.1:{port}"),
            target: "/write?db=a".into(),
            headers: vec![("Authorization".into(), "Token t".into())],
        }
    }

    /// Answers one request, and returns it with what was made of the answer.
    fn posted(answer: &'static str) -> (String, Result<(), Missed>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = endpoint(listener.local_addr().unwrap().port());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\nbody") {
                stream.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(request).unwrap()
        });
        let fault = |body: &str| body.contains("fault").then(|| body.to_owned());
        let found = Post::new(&to, "text/plain", fault).deliver(b"body");
        (server.join().unwrap(), found)
    }

    #[test]
    fn a_request_is_whole_and_its_answer_is_understood() {
        let (request, found) = posted("HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(found, Ok(()));
        assert!(request.starts_with("POST /write?db=a HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
        for line in ["Content-Type: text/plain", "Content-Length: 4", "Authorization: Token t"] {
            assert!(request.contains(&format!("\r\n{line}\r\n")), "{line}: {request}");
        }
        let ever = |why: &str| Err(Missed::Ever(why.into()));
        let yet = |why: &str| Err(Missed::Yet(why.into()));
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\nok", Ok(())),
            ("HTTP/1.1 200 OK\r\n\r\na fault", ever("a fault")),
            ("HTTP/1.1 401 No\r\n\r\n\r\nnot\x1b you\r\nmore", ever("HTTP 401, not\\x1b you")),
            ("HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n", ever("HTTP 301")),
            ("HTTP/1.0 503 Busy\r\n\r\n", yet("HTTP 503")),
            ("HTTP/1.1 429 Slowly\r\n\r\nwait", yet("HTTP 429, wait")),
            ("SSH-2.0-x\r\n\r\n", ever("no answer in HTTP/1")),
            ("", ever("no answer in HTTP/1")),
        ] {
            assert_eq!(posted(answer).1, expected, "{answer}");
        }
    }

    #[test]
    fn a_place_where_nothing_listens_may_come_back() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = endpoint(listener.local_addr().unwrap().port());
        drop(listener);
        let found = Post::new(&to, "text/plain", |_| None).deliver(b"body");
        assert!(matches!(&found, Err(Missed::Yet(why)) if why.contains("refused")), "{found:?}");
    }
}
