//! Entry point of the `loadgen` binary.

use std::io::{Write, stdout};
use std::process::ExitCode;

use loadgen::cli::{self, Command, Parsed, ServeArgs};
use loadgen::config::{Config, serve_config};
use loadgen::exit::{Exit, Failed};
use loadgen::fleet::{self, Program};
use loadgen::scenario::preset;
use loadgen::serve;
use loadgen::{check, doctor, record, run, saved, search, talk};

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let outcome = match cli::parse(std::env::args_os()) {
        Parsed::Command(command) => execute(*command),
        Parsed::Text(text) => Ok(print(text.as_bytes())),
        Parsed::Wrong(line) => Err(Failed::usage(line)),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(Failed { exit, line }) => {
            talk::say(format_args!("error: {line}"));
            exit.into()
        }
    }
}

fn print(bytes: &[u8]) -> Exit {
    // A reader who has left needs no more.
    stdout().write_all(bytes).ok();
    Exit::Ok
}

fn execute(command: Command) -> Result<Exit, Failed> {
    match command {
        Command::Run(args) => load(Config::of_run(args)),
        Command::Connect(args) => load(Config::of_connect(args)),
        Command::Hold(args) => load(Config::of_hold(args)),
        Command::Listen(args) => load(Config::of_listen(args)),
        Command::Fanout(args) => load(Config::of_fanout(args)),
        Command::Play(args) => load(Config::of_play(args)),
        Command::Search(args) => search::search(args),
        Command::Serve(args) => serve(&args),
        Command::Check(args) => check::run(args),
        Command::Presets(args) => match args.name {
            None => Ok(print(preset::list().as_bytes())),
            Some(name) => Ok(print(preset::named(&name).map_err(Failed::usage)?.as_bytes())),
        },
        Command::Import(args) => record::import(&args),
        Command::Record(args) => record::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Report(args) => saved::report(args),
        Command::Merge(args) => saved::merge_files(args),
        Command::Diff(args) => saved::diff(&args),
        Command::Completions(args) => Ok(print(&cli::completions(args))),
        Command::Man(args) => Ok(print(&cli::man(&args).map_err(Failed::usage)?)),
    }
}

fn load(config: Result<Config, String>) -> Result<Exit, Failed> {
    run::run(config, Program::this())
}

fn serve(args: &ServeArgs) -> Result<Exit, Failed> {
    if let Some(done) = fleet::serve(args, Program::this())? {
        return Ok(done);
    }
    let config = serve_config(args).map_err(Failed::usage)?;
    // A port in use, a port that needs root, an address that isn't here: what was typed can't be.
    serve::run(&config, &mut stdout().lock())
        .map(|()| Exit::Ok)
        .map_err(|error| Failed::usage(error.to_string()))
}
