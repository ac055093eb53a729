//! Why a step in connecting to a server failed: a code to count it under, and a message.

use std::fmt;
use std::io::{self, ErrorKind};

use rustix::io::Errno;

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The code that the failure is counted under: `refused`.
    pub(crate) code: &'static str,
    /// The message; it may contain text that a peer sent.
    pub said: String,
}

impl Fault {
    pub(crate) fn new(code: &'static str, said: impl Into<String>) -> Self {
        Self { code, said: said.into() }
    }

    /// Describes a failure to connect to `place`.
    pub(crate) fn of_connect(place: &dyn fmt::Display, error: &io::Error) -> Self {
        let code = connect_code(error);
        let help = match code {
            "no_ports" => {
                "; every local port is taken: connect from more addresses with --source-ip, or \
                 sudo sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\""
            }
            "no_descriptors" => "; see loadgen doctor",
            _ => "",
        };
        Self::new(code, format!("{place}: {error}{help}"))
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

/// Returns why a stream of HTTP/2 failed, if `error` is of one.
#[must_use]
pub fn stream_fault(error: &io::Error) -> Option<&Fault> {
    error.get_ref()?.downcast_ref()
}

fn connect_code(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::ConnectionRefused => "refused",
        ErrorKind::TimedOut => "timeout",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => "reset",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            "unreachable"
        }
        ErrorKind::AddrNotAvailable => "no_ports",
        ErrorKind::PermissionDenied => "not_permitted",
        ErrorKind::NotFound => "not_found",
        _ => match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE) => "no_descriptors",
            Some(Errno::NOBUFS | Errno::NOMEM) => "no_memory",
            // A Unix socket whose queue is full reports it at once.
            Some(Errno::AGAIN) => "queue_full",
            _ => "other",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d23_system_errors_have_names() {
        for (errno, code) in [
            (Errno::CONNREFUSED, "refused"),
            (Errno::TIMEDOUT, "timeout"),
            (Errno::CONNRESET, "reset"),
            (Errno::HOSTUNREACH, "unreachable"),
            (Errno::NETUNREACH, "unreachable"),
            (Errno::ADDRNOTAVAIL, "no_ports"),
            (Errno::MFILE, "no_descriptors"),
            (Errno::NFILE, "no_descriptors"),
            (Errno::NOBUFS, "no_memory"),
            (Errno::ACCESS, "not_permitted"),
            (Errno::NOENT, "not_found"),
            (Errno::AGAIN, "queue_full"),
            (Errno::INVAL, "other"),
        ] {
            assert_eq!(connect_code(&errno.into()), code, "{errno:?}");
        }
    }

    #[test]
    fn d21_ports_that_are_used_up_come_with_what_helps() {
        let fault = Fault::of_connect(&"127.0.0.1:9001", &Errno::ADDRNOTAVAIL.into());
        assert!(fault.said.contains("--source-ip"), "{fault}");
        assert!(fault.said.contains("sysctl -w net.ipv4.ip_local_port_range"), "{fault}");
    }
}
