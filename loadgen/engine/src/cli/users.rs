//! Arguments that give each connection a user: what it says first, answers, and is identified by.

use clap::Args;

/// What the users of connections do beside the rest.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Users")]
pub struct UserArgs {
    /// A message that each connection sends once it is open, such as a login (repeatable)
    ///
    /// They are sent in order, and load begins once all are done. Placeholders are those of a
    /// scenario: {conn}, {id}, {rand:8}, {time:ms}, {uuid}, and {name} for a column of --feed. An
    /// empty one sends nothing, and waits for its --begun. A connection whose --begun doesn't come
    /// within --connect-timeout is closed, and the run fails.
    #[arg(long, value_name = "TEMPLATE")]
    pub begin: Vec<String>,
    /// What the answer to --begin matches: the first --begun belongs to the first --begin
    ///
    /// MATCH is a message, in which * stands for anything: '40*' begins with 40, '*ready*' contains
    /// ready. '/type:ack' is JSON with that value at that pointer, and '/result' is JSON that has
    /// one. \* is a star. A scenario can say more (see loadgen play).
    #[arg(long, value_name = "MATCH")]
    pub begun: Vec<String>,
    /// Sends TEMPLATE whenever a message matches, such as '2=3' (repeatable)
    ///
    /// Answers heartbeats. The message is counted here, and is no echo and no copy. MATCH is as in
    /// --begun; \= is a sign that belongs to it. MATCH without = is only counted.
    #[arg(long, value_name = "MATCH=TEMPLATE")]
    pub on: Vec<String>,
    /// Where a reply names its request: a JSON pointer such as /id, or a regex such as '^43(\d+)'
    ///
    /// Replies are found by their ids, in any order, whatever the server sends between them. {id}
    /// in a message is its number on the connection. In run, -m needs {id}, and each message is
    /// a step of a scenario (see loadgen play); elsewhere, --begin needs it.
    #[arg(long, value_name = "POINTER")]
    pub reply_id: Option<String>,
    /// A file with a row for each connection: .csv with a header, or .jsonl
    ///
    /// {name} is the value in the column of that name, in URLs, headers, --user, --subprotocol,
    /// --origin, --begin, --on, and -m with --reply-id. With ,cycle behind the file's name rows are
    /// used again and again, with ,random each connection takes any.
    #[arg(long, value_name = "FILE[,cycle|,random]")]
    pub feed: Option<String>,
}
