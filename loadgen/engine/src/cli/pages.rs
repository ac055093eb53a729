//! Turns the definition of the command line into what shells and `man` read.

use std::io;

use clap::Args;
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use super::help;

/// Arguments of `completions`.
#[derive(Clone, Copy, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell: bash, elvish, fish, powershell or zsh
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Clone, Debug, Args)]
pub struct ManArgs {
    /// The command, such as run [default: loadgen itself]
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}

/// Returns the completions for a shell.
#[must_use]
pub fn completions(args: CompletionsArgs) -> Vec<u8> {
    let mut page = Vec::new();
    generate(args.shell, &mut help::command(), "loadgen", &mut page);
    page
}

/// Returns a manual page.
///
/// # Errors
/// One line, if there is no such command.
pub fn man(args: &ManArgs) -> Result<Vec<u8>, String> {
    let mut cli = help::command();
    cli.build();
    let page = match &args.command {
        None => cli,
        Some(name) => cli
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| format!("no command {name:?}; see loadgen --help"))?,
    };
    let mut bytes = Vec::new();
    Man::new(page).render(&mut bytes).map_err(|error: io::Error| error.to_string())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_and_pages_know_the_flags() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let page = String::from_utf8(completions(CompletionsArgs { shell })).unwrap();
            assert!(page.contains("catch-up") && page.contains("poisson"), "{shell}");
        }
        let page = |command: Option<&str>| man(&ManArgs { command: command.map(Into::into) });
        assert!(String::from_utf8(page(None).unwrap()).unwrap().contains(".TH loadgen"));
        assert!(String::from_utf8(page(Some("run")).unwrap()).unwrap().contains("catch"));
        assert!(page(Some("walk")).unwrap_err().contains("no command \"walk\""));
    }
}
