//! Defines the command line, with help in two lengths: `-h` is one screen of the most common flags,
//! `--help` has everything.

use clap::{Command, CommandFactory};

use super::Cli;

/// The help of a command.
struct Help {
    command: &'static str,
    /// Arguments that `-h` shows, by their names in the definition.
    most_used: &'static [&'static [&'static str]],
    examples: &'static [&'static str],
}

const MORE: &str = "Every flag, explained: loadgen";

const OVERVIEW: &str = "\
Examples:
  loadgen run                             an embedded echo server under load
  loadgen serve                           a server to try things on, port 9001
  loadgen check ws://127.0.0.1:9001/      one connection, step by step
  loadgen run ws://127.0.0.1:9001/ -c 1k  1,000 connections

Each command has a short help (loadgen run -h) and a long one (--help).
Exit codes: 0 ok, 1 failed, 2 wrong usage, 97 not a valid measurement,
99 a threshold failed, 130 interrupted.
A variable stands for each flag, such as LOADGEN_CATCH_UP=2s for --catch-up 2s; what
is typed or in the file of --config goes before it.";

/// The most common arguments of a command that makes load.
const LOAD: &[&str] =
    &["urls", "connections", "duration", "insecure", "thresholds", "outputs", "quiet"];

const HELPS: [Help; 16] = [
    Help {
        command: "play",
        most_used: &[LOAD, &["scenario", "iterations", "rate", "connect_rate", "set", "headers"]],
        examples: &[
            "loadgen play chat.toml ws://127.0.0.1:9001/ -c 1k -d 30s",
            "loadgen play json-rpc wss://h/ -c 10 -R 500 --set method=eth_blockNumber",
        ],
    },
    Help {
        command: "presets",
        most_used: &[&["name"]],
        examples: &["loadgen presets", "loadgen presets socket.io > chat.toml"],
    },
    Help {
        command: "import",
        most_used: &[&["form", "file", "out", "connection", "quiet"]],
        examples: &[
            "loadgen import har chat.har                lists connections, shows the scenario",
            "loadgen import har chat.har -o chat.toml   and chat.users.csv, if there are secrets",
            "loadgen play chat.toml -c 5                then runs it",
        ],
    },
    Help {
        command: "record",
        most_used: &[&[
            "listen",
            "url",
            "out",
            "connection",
            "quiet",
            "har",
            "connections",
            "duration",
            "insecure",
        ]],
        examples: &[
            "loadgen record 127.0.0.1:8080 wss://h/chat -o chat.toml",
            "loadgen record 127.0.0.1:8080 ws://127.0.0.1:7001 --connections 1 -o chat.toml",
            "loadgen record 127.0.0.1:8080 wss://h/ -d 1m --har all.har > chat.toml",
        ],
    },
    Help {
        command: "run",
        most_used: &[
            LOAD,
            &[
                "messages",
                "rate",
                "pipeline",
                "size",
                "message",
                "message_file",
                "binary",
                "headers",
            ],
        ],
        examples: &[
            "loadgen run ws://127.0.0.1:9001/ -c 1k -d 30s",
            "loadgen run ws://127.0.0.1:9001/ -R 50k --threshold 'rtt.p99<20ms'",
            "loadgen run 'wss://h/?token=t{conn}' -m '{\"id\":{id}}' --reply-id /id",
        ],
    },
    Help {
        command: "connect",
        most_used: &[LOAD, &["number", "connect_rate", "headers"]],
        examples: &[
            "loadgen connect ws://127.0.0.1:9001/ -c 1k -C 500",
            "loadgen connect wss://h/ -n 10k --threshold 'connect.total.p99<1s'",
        ],
    },
    Help {
        command: "hold",
        most_used: &[LOAD, &["connect_rate", "ping_interval", "reconnect", "headers"]],
        examples: &[
            "loadgen hold ws://127.0.0.1:9001/ -c 10k -d 10m --ping-interval 5s",
            "loadgen hold wss://h/ -c 100 --threshold 'dropped==0' --reconnect",
            "loadgen hold wss://h/ --begin 'login u{conn}' --begun 'ok*' --on 2=3",
        ],
    },
    Help {
        command: "listen",
        most_used: &[LOAD, &["subscribe", "reconnect", "headers"]],
        examples: &[
            "loadgen serve push &",
            "loadgen listen ws://127.0.0.1:9001/ -c 1k -d 30s",
            "loadgen listen wss://h/ --subscribe '{\"op\":\"subscribe\",\"id\":{conn}}'",
        ],
    },
    Help {
        command: "fanout",
        most_used: &[
            LOAD,
            &["publishers", "topics", "messages", "rate", "publish", "subscribe", "subscribed"],
        ],
        examples: &[
            "loadgen serve broadcast &",
            "loadgen fanout ws://127.0.0.1:9001/room -c 1k -R 10",
            "loadgen fanout ws://127.0.0.1:9001/ -c 1k --topics 10 --publishers 10",
        ],
    },
    Help {
        command: "search",
        most_used: &[LOAD, &["rate", "within", "size", "message", "binary", "headers"]],
        examples: &[
            "loadgen search ws://127.0.0.1:9001/ --rate 1k..100k --until 'rtt.p99<20ms'",
            "loadgen search wss://h/ -c 10 -R 10..10k -d 10s --until 'rtt.p99.9<50ms' -o s.json",
        ],
    },
    Help {
        command: "serve",
        most_used: &[&["mode", "listen", "threads", "deflate", "tls_self_signed", "rate", "size"]],
        examples: &[
            "loadgen serve                       echo on 127.0.0.1:9001",
            "loadgen serve push --rate 100       100 messages per second to each client",
            "loadgen serve broadcast --listen 0.0.0.0:9001 --tls-self-signed",
        ],
    },
    Help {
        command: "check",
        most_used: &[&[
            "url",
            "headers",
            "subprotocols",
            "deflate",
            "connect_timeout",
            "proxy",
            "insecure",
            "server",
            "set",
        ]],
        examples: &[
            "loadgen check ws://127.0.0.1:9001/",
            "loadgen check wss://example.org/chat -H 'Authorization: Bearer abc'",
            "loadgen check chat.toml                       reads a scenario",
            "loadgen check chat.toml ws://127.0.0.1:7001/  has one user try it",
        ],
    },
    Help {
        command: "doctor",
        most_used: &[&["connections", "source_ips", "targets", "outputs"]],
        examples: &["loadgen doctor -c 50k", "loadgen doctor -c 200k --source-ip 127.0.0.0/28"],
    },
    Help {
        command: "report",
        most_used: &[&["file", "outputs", "thresholds"]],
        examples: &[
            "loadgen report result.json",
            "loadgen report result.json -o series.csv --threshold 'rtt.p99<20ms'",
        ],
    },
    Help {
        command: "merge",
        most_used: &[&["files", "outputs", "thresholds"]],
        examples: &[
            "loadgen run ws://127.0.0.1:9001/ --segment 1/2 --seed 7 -o 1.json",
            "loadgen merge 1.json 2.json -o run.json",
        ],
    },
    Help {
        command: "diff",
        most_used: &[&["before", "after", "outputs", "thresholds"]],
        examples: &[
            "loadgen diff before.json after.json",
            "loadgen diff before.json after.json --threshold 'rtt.p99<1.1x'",
        ],
    },
];

/// Returns the definition of the command line.
pub(super) fn command() -> Command {
    let mut cli = Cli::command().after_help(OVERVIEW);
    let names: Vec<_> = cli.get_subcommands().map(|of| of.get_name().to_owned()).collect();
    for name in names {
        cli = cli.mut_subcommand(name, |of| of.mut_args(with_variable));
    }
    HELPS.iter().fold(cli, |cli, help| cli.mut_subcommand(help.command, |of| help.of(of)))
}

/// Lets an environment variable stand for an argument: `LOADGEN_CATCH_UP` for `--catch-up`,
/// `LOADGEN_URL` for a URL.
fn with_variable(arg: clap::Arg) -> clap::Arg {
    let name = match (arg.get_long(), arg.get_id().as_str()) {
        (Some("help" | "version" | "config"), _) => return arg,
        (Some(long), _) => long.replace('-', "_").to_uppercase(),
        (None, "url" | "urls") => "URL".to_owned(),
        (None, _) => return arg,
    };
    arg.env(format!("LOADGEN_{name}")).hide_env(true)
}

impl Help {
    fn most_used(&self) -> impl Iterator<Item = &str> {
        self.most_used.iter().copied().flatten().copied()
    }

    fn of(&self, command: Command) -> Command {
        let long = format!("Examples:\n  {}", self.examples.join("\n  "));
        let short = format!("{long}\n\n{MORE} {} --help", self.command);
        let hidden = |arg: clap::Arg| {
            let is_rare = self.most_used().all(|name| arg.get_id() != name);
            arg.hide_short_help(is_rare)
        };
        command.mut_args(hidden).after_help(short).after_long_help(long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 80;
    /// Lines of a screen.
    const SCREEN: usize = 40;

    /// The two pages of each command, as a terminal of 80 columns shows them.
    fn pages() -> Vec<(String, String, String)> {
        let mut cli = command().term_width(WIDTH);
        cli.build();
        let pages = cli.get_subcommands_mut().filter(|command| command.get_name() != "help");
        let pages = pages.map(|command| {
            let (short, long) = (command.render_help(), command.render_long_help());
            (command.get_name().to_owned(), short.to_string(), long.to_string())
        });
        pages.collect()
    }

    #[test]
    fn every_argument_of_a_table_exists() {
        let cli = command();
        for help in &HELPS {
            let of = cli.find_subcommand(help.command).unwrap();
            for name in help.most_used() {
                assert!(
                    of.get_arguments().any(|arg| arg.get_id() == name),
                    "{} {name}",
                    help.command
                );
            }
        }
    }

    #[test]
    fn short_help_is_a_screen_and_long_help_has_all() {
        for (name, short, long) in pages() {
            assert!(short.lines().count() <= SCREEN, "{name}:\n{short}");
            assert!(short.len() <= long.len(), "{name}");
            if HELPS.iter().any(|help| help.command == name) {
                for page in [&short, &long] {
                    assert!(page.contains("Examples:\n  loadgen "), "{name}:\n{page}");
                }
            }
            let cli = command();
            let of = cli.find_subcommand(&name).unwrap();
            for flag in of.get_arguments().filter(|arg| !arg.is_hide_set()) {
                let Some(flag) = flag.get_long() else { continue };
                assert!(long.contains(&format!("--{flag}")), "{name} --{flag}:\n{long}");
            }
        }
    }

    #[test]
    fn help_fits_80_columns() {
        let mut cli = command().term_width(WIDTH);
        let overview =
            (String::new(), cli.render_help().to_string(), cli.render_long_help().to_string());
        for (name, short, long) in pages().into_iter().chain([overview]) {
            for line in short.lines().chain(long.lines()) {
                assert!(line.chars().count() <= WIDTH, "{name}: {line:?}");
            }
        }
    }
}
