//! Flags that give each connection a user, as parts of a scenario.

use std::sync::Arc;

use super::play::check_rows;
use super::user_request::{OneUser, UserRequest};
use super::{Config, Load, Play};
use crate::cli::{CohortArgs, LoadArgs, UserArgs};
use crate::scenario::Program;
use crate::scenario::flags::Flags;

/// Reads what users do beside the scenario, and fills in the columns of the feed in what a
/// connection is opened with.
pub(super) fn beside(args: &UserArgs, load: &mut LoadArgs) -> Result<Option<Play>, String> {
    let flags = flags(args, load);
    if flags.is_empty() {
        return Ok(None);
    }
    if args.reply_id.is_some() && !args.begin.iter().any(|begin| begin.contains("{id}")) {
        return Err("--reply-id has no request; put {id} into --begin".into());
    }
    play(&flags, load, (Load::Closed { pipeline: 1 }, None)).map(Some)
}

/// Refuses clients that misbehave where connections have users: theirs would be the same.
pub(super) fn refuse_cohorts(args: &UserArgs, cohorts: &CohortArgs) -> Result<(), String> {
    let UserArgs { begin, begun, on, reply_id, feed } = args;
    let is_used = !begin.is_empty() || !begun.is_empty() || !on.is_empty();
    let is_without = cohorts.slow.is_empty() && cohorts.bad.is_empty();
    if is_without || !is_used && reply_id.is_none() && feed.is_none() {
        return Ok(());
    }
    Err("--slow and --bad are for connections without users; leave out --begin, --begun, --on, \
         --reply-id and --feed"
        .into())
}

pub(super) fn flags(args: &UserArgs, load: &LoadArgs) -> Flags {
    let UserArgs { begin, begun, on, reply_id, feed } = args.clone();
    let begin_timeout = load.request.connect_timeout;
    Flags { begin, begun, on, reply_id, feed, begin_timeout, message: None }
}

pub(super) fn play(
    flags: &Flags,
    load: &mut LoadArgs,
    (pace, iterations): (Load, Option<u64>),
) -> Result<Play, String> {
    let program = flags.program()?;
    check_rows(&program, load.connections, "write ,cycle behind the file's name")?;
    let request = request(&program, load)?;
    let program = Arc::new(program);
    Ok(Play { program, request, load: pace, iterations, has_barrier: true })
}

/// Returns the request of each user if it may name columns.
fn request(program: &Program, load: &mut LoadArgs) -> Result<Option<UserRequest>, String> {
    let LoadArgs { urls, request, .. } = load;
    let of_feed = program.feed.is_some();
    of_feed.then(|| UserRequest::new(program, urls, request, OneUser::default())).transpose()
}

impl Config {
    /// Returns the users of connections, if these have any: those of the scenario, or those beside
    /// it.
    #[must_use]
    pub fn users(&self) -> Option<&Play> {
        self.play().or(self.beside.as_ref())
    }
}
