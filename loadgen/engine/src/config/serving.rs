//! The configuration of `loadgen serve`.

use std::net::IpAddr;
use std::time::Duration;

use wscodec::Limits;
use wscodec::handshake::Acceptance;

use super::post::post;
use super::{RECEIVED_SIZE_MAX, TIMEOUT_MAX, bounded, within, within_size};
use crate::cli::{ListenAt, ServeArgs, ServeBoundArgs, ServeTlsArgs};
use crate::net::ServerTls;
use crate::serve::{OriginPolicy, ServeConfig};

const CONNECTIONS_MAX: u64 = 10_000_000;
const WRITE_BUFFER_MAX: u64 = 1 << 30;

/// Builds the configuration of `serve`.
///
/// # Errors
/// One line: what is wrong, and what to do.
pub fn serve_config(args: &ServeArgs) -> Result<ServeConfig, String> {
    let defaults = ServeConfig::default();
    let threads = match args.threads {
        None => defaults.threads,
        Some(asked) => size(within("-t", asked, 1, super::THREADS_MAX)?).try_into().map_err(
            |_| "-t 0 is out of range; use 1 to 1024".to_owned(), // checked above
        )?,
    };
    let bounds = &args.bounds;
    let (listen, socket_path) = match &args.listen {
        ListenAt::Address(address) => (*address, None),
        ListenAt::Path(path) => (defaults.listen, Some(path.clone())),
    };
    let least = Duration::from_millis(1);
    let timeout = |flag, span| bounded(flag, span, least, TIMEOUT_MAX);
    let mut config = ServeConfig {
        mode: args.mode,
        listen,
        socket_path,
        tls: tls(&args.tls, listen.ip())?.map(|tls| tls.for_http2(args.http2)),
        is_http2: args.http2,
        threads,
        limits: limits(bounds)?,
        origins: origins(&bounds.origins)?,
        deflate: args.deflate.wanted(),
        subprotocols: subprotocols(&bounds.subprotocols)?,
        handshake_timeout: timeout("--handshake-timeout", bounds.handshake_timeout)?,
        idle_timeout: match bounds.idle_timeout {
            Duration::ZERO => None,
            span => Some(timeout("--idle-timeout", span)?),
        },
        close_timeout: timeout("--close-timeout", bounds.close_timeout)?,
        shutdown_timeout: bounded(
            "--shutdown-timeout",
            bounds.shutdown_timeout,
            Duration::ZERO,
            TIMEOUT_MAX,
        )?,
        write_buffer_max: size(within_size(
            "--write-buffer",
            bounds.write_buffer,
            1,
            WRITE_BUFFER_MAX,
        )?),
        held_max: size(within_size("--max-memory", bounds.max_memory, 1, u64::MAX)?),
        connections_max: size(within(
            "--max-connections",
            bounds.max_connections.unwrap_or(defaults.connections_max as u64),
            1,
            CONNECTIONS_MAX,
        )?),
        is_port_shared: args.member.is_some(),
        ..defaults
    };
    post(&args.post, &mut config)?;
    Ok(config)
}

fn tls(args: &ServeTlsArgs, host: IpAddr) -> Result<Option<ServerTls>, String> {
    let client_ca = args.client_ca.as_deref();
    match (&args.cert, &args.key, args.tls_self_signed) {
        (Some(cert), Some(key), false) => ServerTls::from_files(cert, key, client_ca).map(Some),
        (None, None, true) => ServerTls::self_signed(Some(host), client_ca).map(Some),
        (None, None, false) if client_ca.is_some() => {
            Err("--client-ca needs --cert and --key, or --tls-self-signed".into())
        }
        (None, None, false) => Ok(None),
        (_, _, true) => {
            Err("--tls-self-signed makes a certificate, so leave --cert and --key out".into())
        }
        (Some(_), None, _) => Err("--cert needs its --key FILE as well".into()),
        (None, Some(_), _) => Err("--key needs its --cert FILE as well".into()),
    }
}

fn limits(bounds: &ServeBoundArgs) -> Result<Limits, String> {
    let message = within_size("--max-message", bounds.max_message, 1, RECEIVED_SIZE_MAX)?;
    let frame = within_size("--max-frame", bounds.max_frame, 1, RECEIVED_SIZE_MAX)?;
    let fragments = within("--max-fragments", bounds.max_fragments, 1, u64::from(u32::MAX))?;
    Ok(Limits::default()
        .with_frame_size_max(frame)
        .with_message_size_max(size(message))
        .with_fragments_max(u32::try_from(fragments).unwrap_or(u32::MAX)))
}

fn origins(allowed: &[String]) -> Result<OriginPolicy, String> {
    if allowed.is_empty() {
        return Ok(OriginPolicy::default());
    }
    if allowed.iter().any(|origin| origin == "any") {
        return match allowed {
            [_] => Ok(OriginPolicy::Any),
            _ => Err("--allow-origin any allows all; leave the others out".into()),
        };
    }
    for origin in allowed {
        if !OriginPolicy::is_origin(origin) {
            return Err(format!(
                "bad --allow-origin {origin:?}: use an origin as browsers send it, like \
                 https://example.com, or any"
            ));
        }
    }
    Ok(OriginPolicy::Only(allowed.to_vec()))
}

fn subprotocols(names: &[String]) -> Result<Vec<String>, String> {
    for name in names {
        Acceptance::new()
            .subprotocol(name)
            .map_err(|misuse| format!("bad --subprotocol {name:?}: {misuse}"))?;
    }
    Ok(names.to_vec())
}

/// Converts a value that is known to be small.
fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, Parsed, parse};

    fn config(line: &str) -> Result<ServeConfig, String> {
        let words = std::iter::once("loadgen").chain(line.split_whitespace()).map(Into::into);
        match parse(words) {
            Parsed::Command(command) => match *command {
                Command::Serve(args) => serve_config(&args),
                _ => panic!("{line}"),
            },
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_flags_defaults_are_those_of_the_server() {
        let (asked, defaults) = (config("serve").unwrap(), ServeConfig::default());
        assert_eq!(format!("{asked:?}"), format!("{defaults:?}"));
    }

    #[test]
    fn each_flag_reaches_the_server() {
        let config = config(
            "serve sink --max-connections 5 --max-message 2k --max-frame 1k --max-fragments 3 \
             --write-buffer 4k --handshake-timeout 1s --idle-timeout 0 --close-timeout 2s \
             --shutdown-timeout 0s --allow-origin https://a.example --subprotocol b -t 3 \
             --max-memory 5M",
        )
        .unwrap();
        assert_eq!(config.held_max, 5 << 20);
        assert_eq!((config.connections_max, config.write_buffer_max), (5, 4_096));
        assert_eq!((config.limits.message_size_max, config.limits.frame_size_max), (2_048, 1_024));
        assert_eq!((config.limits.fragments_max, config.threads.get()), (3, 3));
        assert_eq!(config.handshake_timeout, Duration::from_secs(1));
        assert_eq!(config.close_timeout, Duration::from_secs(2));
        assert_eq!((config.idle_timeout, config.shutdown_timeout), (None, Duration::ZERO));
        assert_eq!(config.origins, OriginPolicy::Only(vec!["https://a.example".into()]));
        assert_eq!(config.subprotocols, ["b"]);
    }

    #[test]
    fn what_makes_no_sense_is_one_line() {
        for (line, why) in [
            ("serve --max-connections 0", "--max-connections 0 is out of range"),
            ("serve --max-message 0", "--max-message 0 is out of range"),
            ("serve --max-frame 2G", "--max-frame 2GiB is out of range"),
            ("serve --max-fragments 5G", "--max-fragments 5,000,000,000 is out of range"),
            ("serve --max-memory 0", "--max-memory 0 is out of range"),
            ("serve --write-buffer 0", "--write-buffer 0 is out of range"),
            ("serve --handshake-timeout 0", "--handshake-timeout 0s is out of range"),
            ("serve --close-timeout 2h", "--close-timeout 2h is out of range"),
            ("serve --allow-origin example.com", "use an origin as browsers send it"),
            ("serve --allow-origin any --allow-origin http://a", "leave the others out"),
            ("serve --subprotocol a,b", "bad --subprotocol \"a,b\""),
            ("serve -t 0", "-t 0 is out of range"),
            ("serve --cert f", "--cert needs its --key"),
            ("serve --key f", "--key needs its --cert"),
            ("serve --key f --cert f --tls-self-signed", "leave --cert and --key out"),
            ("serve --client-ca f", "--client-ca needs"),
            ("serve --cert /nonexistent --key f", "--cert /nonexistent: No such file"),
        ] {
            let said = config(line).unwrap_err();
            assert!(said.contains(why), "{line}: {said}");
            assert!(!said.contains(char::is_control), "{line}: {said}");
        }
    }
}
