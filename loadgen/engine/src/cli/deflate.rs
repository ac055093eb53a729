//! Arguments for permessage-deflate.

use clap::Args;
use wscodec::deflate::{Deflate, DeflateLevel};

use crate::deflate;

const OFFER_HELP: &str = "Offers permessage-deflate";
const OFFER_LONG_HELP: &str = "Offers permessage-deflate

With parameters as RFC 7692 writes them, such as 'server_no_context_takeover; \
    client_max_window_bits=10' [default: client_max_window_bits]";
const ACCEPT_HELP: &str = "Accepts permessage-deflate";
const ACCEPT_LONG_HELP: &str = "Accepts permessage-deflate

With parameters as RFC 7692 writes them, such as 'server_no_context_takeover; \
    server_max_window_bits=15' [default: windows of 12 bits, 4 KiB, with context takeover]";

/// What a client offers.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Connections")]
pub struct OfferArgs {
    /// What is offered.
    #[arg(long, value_name = "PARAMS", help = OFFER_HELP, long_help = OFFER_LONG_HELP, num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = deflate::parse_offer)]
    pub deflate: Option<Deflate>,
    /// How hard to compress: 1 (fastest) to 9 (smallest); implies --deflate [default: 4]
    #[arg(
        long,
        value_name = "LEVEL",
        value_parser = deflate::parse_level,
        allow_hyphen_values = true
    )]
    pub deflate_level: Option<DeflateLevel>,
    /// Fails the handshake if the server declines permessage-deflate; implies --deflate
    #[arg(long)]
    pub deflate_required: bool,
}

/// What a server takes.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Compression")]
pub struct AcceptArgs {
    /// What is taken.
    #[arg(long, value_name = "PARAMS", help = ACCEPT_HELP, long_help = ACCEPT_LONG_HELP, num_args = 0..=1, require_equals = true, default_missing_value = "", value_parser = deflate::parse_acceptance)]
    pub deflate: Option<Deflate>,
    /// How hard to compress: 1 (fastest) to 9 (smallest); implies --deflate [default: 4]
    #[arg(
        long,
        value_name = "LEVEL",
        value_parser = deflate::parse_level,
        allow_hyphen_values = true
    )]
    pub deflate_level: Option<DeflateLevel>,
}

impl OfferArgs {
    /// What is wanted, if anything is offered.
    #[must_use]
    pub fn wanted(&self) -> Option<Deflate> {
        let is_implied = self.deflate_required || self.deflate_level.is_some();
        with_level(self.deflate.or(is_implied.then(Deflate::client)), self.deflate_level)
    }
}

impl AcceptArgs {
    /// What is wanted, if anything is taken.
    #[must_use]
    pub fn wanted(&self) -> Option<Deflate> {
        let implied = self.deflate_level.map(|_| Deflate::server());
        with_level(self.deflate.or(implied), self.deflate_level)
    }
}

fn with_level(deflate: Option<Deflate>, level: Option<DeflateLevel>) -> Option<Deflate> {
    deflate.map(|deflate| level.map_or(deflate, |level| deflate.with_level(level)))
}

#[cfg(test)]
mod tests {
    use super::super::{Command, Parsed, parse};
    use super::*;

    fn parsed(words: &[&str]) -> Parsed {
        parse(std::iter::once("loadgen").chain(words.iter().copied()).map(Into::into))
    }

    #[test]
    fn a_bare_flag_is_the_default_and_leaves_the_url_alone() {
        let Parsed::Command(command) = parsed(&["run", "--deflate", "ws://h/"]) else { panic!() };
        let Command::Run(args) = *command else { panic!() };
        assert_eq!(args.load.urls, ["ws://h/"]);
        assert_eq!(args.load.request.deflate.wanted(), Some(Deflate::client()));
        let Parsed::Command(command) = parsed(&["serve", "--deflate", "sink"]) else { panic!() };
        let Command::Serve(args) = *command else { panic!() };
        assert_eq!(args.deflate.wanted(), Some(Deflate::server()));
        let words = ["check", "ws://h/", "--deflate", "--deflate-level", "9"];
        let Parsed::Command(command) = parsed(&words) else { panic!() };
        let Command::Check(args) = *command else { panic!() };
        let smallest = Deflate::client().with_level(DeflateLevel::SMALLEST);
        assert_eq!(args.request.deflate.wanted(), Some(smallest));
    }

    /// FIELD E9.
    #[test]
    fn e9_what_needs_deflate_implies_it() {
        for words in [
            &["run", "--deflate-required"][..],
            &["run", "--deflate-level", "1"],
            &["check", "ws://h/", "--deflate-required"],
        ] {
            let Parsed::Command(command) = parsed(words) else { panic!("{words:?}") };
            let offer = match *command {
                Command::Run(args) => args.load.request.deflate,
                Command::Check(args) => args.request.deflate,
                _ => panic!("{words:?}"),
            };
            assert!(offer.wanted().is_some(), "{words:?}");
        }
        let Parsed::Command(command) = parsed(&["serve", "--deflate-level", "1"]) else { panic!() };
        let Command::Serve(args) = *command else { panic!() };
        assert_eq!(
            args.deflate.wanted(),
            Some(Deflate::server().with_level(DeflateLevel::FASTEST))
        );
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        for (words, why) in [
            (&["run", "--deflate=fast"][..], "unknown parameter \"fast\"; use server_no_context"),
            (&["run", "--deflate=client_max_window_bits=16"], "client_max_window_bits is 8 to 15"),
            (&["run", "--deflate=server_max_window_bits"], "server_max_window_bits is 8 to 15"),
            (&["run", "--deflate=server_max_window_bits="], "server_max_window_bits is 8 to 15"),
            (&["run", "--deflate=server_no_context_takeover=1"], "takes no value"),
            (
                &["run", "--deflate=client_max_window_bits;client_max_window_bits=9"],
                "client_max_window_bits is given twice",
            ),
            (&["run", "--deflate=;"], "a parameter is empty"),
            (&["run", "--deflate", "--deflate-level", "10"], "use 1 (fastest) to 9 (smallest)"),
            (&["run", "--deflate", "--deflate-level", "-1"], "use 1 (fastest) to 9 (smallest)"),
            (&["serve", "--deflate=client_max_window_bits"], "client_max_window_bits is 8 to 15"),
            (&["serve", "--deflate-required"], "unexpected argument"),
        ] {
            let Parsed::Wrong(said) = parsed(words) else { panic!("{words:?}") };
            assert!(said.contains(why), "{words:?}: {said}");
            assert!(!said.contains(char::is_control), "{said}");
        }
    }
}
