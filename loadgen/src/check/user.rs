//! Has one user do a scenario on an open connection: `[[begin]]`, one iteration, `[[end]]`.
//!
//! A user here is the same as in a run, with a clock and a socket of its own; what it does goes to
//! a [`Transcript`].

use std::time::Duration;

use wscodec::{CloseCode, Message};

use super::connection::{Answer, Open, Received, closed};
use super::list::{List, Mark};
use super::transcript::Transcript;
use crate::clock::nanos;
use crate::index::ConnectionIndex;
use crate::scenario::Program;
use crate::scenario::user::{Outgoing, Turn, User};

/// How long an iteration may take, and `[[begin]]` before it.
const DURATION: Duration = Duration::from_secs(60);
/// How long a user without steps is held.
const HELD: Duration = Duration::from_secs(2);
/// How long `[[end]]` may take.
const END: Duration = Duration::from_secs(10);
/// How long a server may take to read what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// What one user is to try.
#[derive(Clone, Copy)]
pub(super) struct Trial<'p> {
    pub(super) program: &'p Program,
    pub(super) seed: u64,
    /// Which user of a run it is.
    pub(super) connection: ConnectionIndex,
    /// How long it may take, or is held.
    pub(super) duration: Option<Duration>,
}

/// A trial that is under way.
struct Tried<'p, 't> {
    trial: &'t Trial<'p>,
    user: User,
    outgoing: Outgoing,
    transcript: Transcript<'p>,
    open: &'t mut Open,
    list: &'t mut List,
    /// When the user is to be at the end of what it does.
    limit_ns: u64,
    /// The code of the Close that the scenario asks for.
    close_code: Option<u16>,
}

/// What a user does at the end of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Iteration,
    /// Held until the limit.
    Held,
    End,
}

impl Trial<'_> {
    /// Has the user do it all, lists what came of it, and returns the code to close with.
    pub(super) async fn run(&self, open: &mut Open, list: &mut List) -> CloseCode {
        let begin_ns = open.clock.now_ns();
        let user =
            User::new(self.program, self.seed, self.connection, open.clock.unix_ns(begin_ns));
        let mut tried = Tried {
            trial: self,
            user,
            outgoing: Outgoing::default(),
            transcript: Transcript::new(self.program, begin_ns),
            open,
            list,
            limit_ns: begin_ns.saturating_add(nanos(self.duration.unwrap_or(DURATION))),
            close_code: None,
        };
        tried.list.line("messages are shown with the secrets in them");
        let outcome = tried.all().await;
        if let Err(answer) = outcome {
            tried.broken(answer);
        }
        tried.transcript.list(tried.list);
        let code = tried.close_code.unwrap_or(1_000);
        CloseCode::try_from(code).unwrap_or(CloseCode::NORMAL)
    }

    fn has_steps(&self) -> bool {
        let block = self.program.role_of(self.connection);
        !self.program.blocks[block].steps.is_empty()
    }
}

impl<'p> Tried<'p, '_> {
    /// Does all that the user does; an error is the end of the connection.
    async fn all(&mut self) -> Result<(), Answer> {
        let mut stage = Stage::Begin;
        self.call(User::open).await?;
        while !self.user.is_over() {
            let now_ns = self.open.clock.now_ns();
            if self.user.is_ready() {
                let is_held = stage == Stage::Held && now_ns < self.limit_ns;
                match stage {
                    Stage::Begin if self.trial.has_steps() => {
                        stage = Stage::Iteration;
                        self.bound(now_ns, self.trial.duration.unwrap_or(DURATION));
                        self.call(|user, turn| user.iterate(None, turn)).await?;
                        continue;
                    }
                    Stage::Begin => {
                        stage = Stage::Held;
                        self.bound(now_ns, self.trial.duration.unwrap_or(HELD));
                        continue;
                    }
                    _ if is_held => {}
                    _ => {
                        stage = Stage::End;
                        self.bound(now_ns, END);
                        self.call(User::finish).await?;
                        continue;
                    }
                }
            } else if now_ns >= self.limit_ns {
                let what = match stage {
                    Stage::Begin => "[[begin]]",
                    Stage::End => "[[end]]",
                    Stage::Iteration | Stage::Held => "the iteration",
                };
                self.list.failed("time", &format!("{what} took too long; -d allows more"));
                return self.call(User::lost).await;
            }
            self.next().await?;
        }
        Ok(())
    }

    fn bound(&mut self, now_ns: u64, duration: Duration) {
        self.limit_ns = now_ns.saturating_add(nanos(duration));
    }

    /// Waits for the next message, or for the time of the user's next act.
    async fn next(&mut self) -> Result<(), Answer> {
        let until_ns = self.user.next_ns().min(self.limit_ns);
        let received = self.open.next_before(self.open.clock.instant(until_ns)).await?;
        match received {
            None if self.open.clock.now_ns() >= self.user.next_ns() => self.call(User::wake).await,
            None | Some(Received::Pong(_)) => Ok(()),
            Some(Received::Text(text)) => self.message(true, &text).await,
            Some(Received::Binary(bytes)) => self.message(false, &bytes).await,
            Some(Received::Ping(_)) => {
                self.transcript.now_ns = self.open.clock.now_ns();
                self.transcript.note('<', "Ping", "answered by a Pong");
                self.print();
                Ok(())
            }
            Some(Received::Close(frame)) => {
                let said = closed(frame.as_ref());
                Err(Answer::Closed(frame.map(|(code, _)| code), said))
            }
        }
    }

    async fn message(&mut self, is_text: bool, bytes: &[u8]) -> Result<(), Answer> {
        self.transcript.now_ns = self.open.clock.now_ns();
        self.transcript.message(is_text);
        self.call(|user, turn| user.message(bytes, turn)).await?;
        self.transcript.message_over(bytes);
        self.print();
        Ok(())
    }

    /// Calls the user, prints what happens, and sends what it wants to send.
    async fn call(
        &mut self,
        call: impl FnOnce(&mut User, &mut Turn<'_, Transcript<'p>>),
    ) -> Result<(), Answer> {
        self.call_only(call);
        let mut bytes = Vec::new();
        for (is_binary, payload) in self.outgoing.messages() {
            let message = match str::from_utf8(payload) {
                Ok(text) if !is_binary => Message::Text(text),
                _ => Message::Binary(payload),
            };
            // Refused only if the connection is closing, which the next read shows.
            self.open.codec.send(message, &mut bytes).ok();
        }
        self.close_code = self.close_code.or(self.outgoing.close.take());
        self.outgoing.clear();
        self.user.writing(self.trial.program, self.open.clock.now_ns());
        self.open.write(&bytes, WRITE_TIMEOUT).await
    }

    fn call_only(&mut self, call: impl FnOnce(&mut User, &mut Turn<'_, Transcript<'p>>)) {
        let now_ns = self.open.clock.now_ns();
        self.transcript.now_ns = now_ns;
        let mut turn = Turn {
            program: self.trial.program,
            seed: self.trial.seed,
            now_ns,
            unix_ns: self.open.clock.unix_ns(now_ns),
            out: &mut self.outgoing,
            observer: &mut self.transcript,
        };
        call(&mut self.user, &mut turn);
        self.print();
    }

    fn print(&mut self) {
        for line in self.transcript.take() {
            self.list.line(&line);
        }
    }

    /// The connection has ended before the user had done all.
    fn broken(&mut self, answer: Answer) {
        self.open.is_ended = true;
        let (Answer::Closed(_, said) | Answer::Ended(said) | Answer::Broken(said)) = answer else {
            return;
        };
        let is_ending = self.user.is_ending();
        self.transcript.now_ns = self.open.clock.now_ns();
        self.transcript.note('<', &said, if is_ending { "" } else { "!!" });
        self.call_only(User::lost);
        let mark = if is_ending { Mark::Note } else { Mark::Failed };
        self.list.failed += usize::from(!is_ending);
        self.list.put(mark, "connection", &said);
    }
}
