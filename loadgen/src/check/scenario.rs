//! Says what a scenario does, or what is wrong with it, and tries it with one user: `loadgen check
//! FILE`.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{Write, stdout};

use super::Prepared;
use super::connection::Open;
use super::list::List;
use super::user::Trial;
use crate::cli::CheckArgs;
use crate::clock::Clock;
use crate::config::{OneUser, UserRequest, no_url};
use crate::exit::{Exit, Failed};
use crate::index::ConnectionIndex;
use crate::scenario::Program;
use crate::scenario::explain;
use crate::scenario::feed::Take;

/// Reads a scenario and says what it does, or tries it.
///
/// # Errors
/// [`Failed`] with the file, the line, and what to write instead.
pub(super) fn run(args: CheckArgs) -> Result<Exit, Failed> {
    let CheckArgs { what, scenario: asked, mut request, network } = args;
    let connection = ConnectionIndex(asked.as_user.unwrap_or(0));
    let program = crate::scenario::read(&what, &asked.set).map_err(Failed::usage)?;
    if asked.server.is_none() && !asked.is_tried {
        // If stdout is closed, the reader wants no more.
        stdout().write_all(explain::explain(&program).as_bytes()).ok();
        return Ok(Exit::Ok);
    }
    check_row(&program, connection).map_err(Failed::usage)?;
    let seed = asked.seed.unwrap_or_else(|| RandomState::new().hash_one(0) & 0xffff_ffff);
    let one = OneUser { seed, connection, unix_ns: Clock::start().unix_ns(0) };
    let mut urls: Vec<String> = asked.server.into_iter().collect();
    UserRequest::new(&program, &mut urls, &mut request, one).map_err(Failed::usage)?;
    let Some(url) = urls.first() else { return Err(Failed::usage(no_url(&what))) };
    let prepared = Prepared::new(url, &request, network)?;
    let close_timeout = prepared.settings.close_timeout;
    let trial = Trial { program: &program, seed, connection, duration: asked.duration };
    prepared.connected(async |open: &mut Open, list: &mut List| {
        let code = trial.run(open, list).await;
        open.close_with(code, list, close_timeout).await;
    })
}

/// Refuses a user without a row.
fn check_row(program: &Program, connection: ConnectionIndex) -> Result<(), String> {
    let Some(feed) = program.feed.as_ref().filter(|feed| feed.take == Take::Each) else {
        return Ok(());
    };
    let rows = feed.rows() as u64;
    if connection.0 < rows {
        return Ok(());
    }
    Err(format!(
        "--as-user {connection}: {} has {rows} rows; use 0 to {}, or take = \"cycle\"",
        feed.file,
        rows.saturating_sub(1)
    ))
}
