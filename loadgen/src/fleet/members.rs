//! The processes of a fleet: starts them, tells them what to do, and hears what they say.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;

use serde::de::DeserializeOwned;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::exit::Exit;
use crate::member::{Member, Order, Said};

/// What one of the members said, or that it has ended.
pub(super) enum Heard<R> {
    Said(Said<R>),
    /// How the process ended; nothing follows.
    Ended(String),
}

/// The processes of a fleet, by their place. They are killed if this is dropped before their end.
pub(super) struct Members<R> {
    processes: Vec<Process>,
    heard: UnboundedReceiver<(usize, Option<Said<R>>)>,
}

struct Process {
    child: Child,
    orders: Option<ChildStdin>,
    has_ended: bool,
}

impl<R: DeserializeOwned + Send + 'static> Members<R> {
    /// Starts all members, beginning with `first`, each by its `command`.
    ///
    /// # Errors
    /// The system's error if it refuses a process; those that were started are ended.
    pub(super) fn start(first: Member, command: impl Fn(Member) -> Command) -> io::Result<Self> {
        let (sender, heard) = unbounded_channel();
        let mut members = Self { processes: Vec::new(), heard };
        for member in first.all() {
            members.start_one(command(member), sender.clone())?;
        }
        Ok(members)
    }

    fn start_one(
        &mut self,
        mut command: Command,
        sender: UnboundedSender<(usize, Option<Said<R>>)>,
    ) -> io::Result<()> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).spawn()?;
        let (orders, said) = (child.stdin.take(), child.stdout.take());
        let place = self.processes.len();
        self.processes.push(Process { child, orders, has_ended: false });
        let said = said.ok_or_else(|| io::Error::other("a process without a pipe"))?;
        let name = format!("member-{}", place + 1);
        thread::Builder::new().name(name).spawn(move || hear(place, said, &sender))?;
        Ok(())
    }

    /// Returns how many there are, ended or not.
    pub(super) fn len(&self) -> usize {
        self.processes.len()
    }

    /// Returns the process number of a member.
    pub(super) fn id(&self, place: usize) -> u32 {
        self.processes[place].child.id()
    }

    /// Tells all members. One that is gone isn't told; its end is on its way.
    pub(super) fn tell_all(&mut self, order: &Order) {
        let Ok(mut line) = serde_json::to_vec(order) else { return };
        line.push(b'\n');
        for orders in self.processes.iter_mut().filter_map(|process| process.orders.as_mut()) {
            orders.write_all(&line).ok();
        }
    }

    /// Waits for what is said next, and by whom; `None` once all have ended.
    pub(super) async fn next(&mut self) -> Option<(usize, Heard<R>)> {
        let (place, said) = self.heard.recv().await?;
        Some((place, self.heard_of(place, said)))
    }

    /// Like [`next`](Self::next), outside of a runtime.
    pub(super) fn next_blocking(&mut self) -> Option<(usize, Heard<R>)> {
        let (place, said) = self.heard.blocking_recv()?;
        Some((place, self.heard_of(place, said)))
    }

    fn heard_of(&mut self, place: usize, said: Option<Said<R>>) -> Heard<R> {
        said.map_or_else(|| Heard::Ended(self.processes[place].end()), Heard::Said)
    }

    /// Kills all members that haven't ended.
    pub(super) fn kill(&mut self) {
        for process in self.processes.iter_mut().filter(|process| !process.has_ended) {
            process.child.kill().ok();
            process.end();
        }
    }
}

impl<R> Drop for Members<R> {
    fn drop(&mut self) {
        for process in self.processes.iter_mut().filter(|process| !process.has_ended) {
            process.child.kill().ok();
            process.end();
        }
    }
}

impl Process {
    /// Waits for the end of a process that has closed its stdout or was killed; says how it ended.
    fn end(&mut self) -> String {
        self.orders = None;
        self.has_ended = true;
        self.child.wait().map_or_else(|error| error.to_string(), how)
    }
}

/// Says how a process ended.
fn how(status: ExitStatus) -> String {
    let text = status.to_string();
    match (status.signal(), status.code()) {
        (Some(_), _) => format!("was killed by {}", text.replacen("signal: ", "signal ", 1)),
        (None, Some(code)) => format!("exited with code {code} and no result"),
        (None, None) => text,
    }
}

/// Passes on what a member says until it ends.
fn hear<R: DeserializeOwned>(
    place: usize,
    said: ChildStdout,
    sender: &UnboundedSender<(usize, Option<Said<R>>)>,
) {
    let lines = BufReader::new(said).split(b'\n').map_while(Result::ok);
    for line in lines {
        let said = serde_json::from_slice(&line).unwrap_or_else(|error| Said::Failed {
            exit: Exit::Failed.code(),
            line: format!("it said what makes no sense: {error}"),
        });
        if sender.send((place, Some(said))).is_err() {
            return;
        }
    }
    sender.send((place, None)).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fleet of shells that do what `script` says; `$0` is what each is told of its place.
    fn shells(of: u64, script: &str) -> Members<u64> {
        let command = |member: Member| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script, &member.text()]);
            command
        };
        Members::start(Member::first(of, 1, 7), command).unwrap()
    }

    fn all(mut members: Members<u64>) -> Vec<(usize, String)> {
        let mut heard = Vec::new();
        while let Some((place, what)) = members.next_blocking() {
            heard.push(match what {
                Heard::Said(said) => (place, serde_json::to_string(&said).unwrap()),
                Heard::Ended(how) => (place, how),
            });
        }
        heard.sort_by_key(|(place, _)| *place);
        heard
    }

    #[test]
    fn each_is_told_and_heard_and_its_end_is_described() {
        let mut members = shells(
            2,
            "read line; case $0 in *'\"index\":1'*) echo '{\"result\":5}';; \
             *) echo '\"ready\"'; kill -9 $$;; esac",
        );
        assert_eq!(members.len(), 2);
        members.tell_all(&Order::Stop);
        let heard = all(members);
        let heard: Vec<_> = heard.iter().map(|(place, what)| (*place, what.as_str())).collect();
        assert_eq!(
            heard,
            [
                (0, r#"{"result":5}"#),
                (0, "exited with code 0 and no result"),
                (1, "\"ready\""),
                (1, "was killed by signal 9 (SIGKILL)"),
            ]
        );
    }

    #[test]
    fn none_is_left_behind() {
        let members = shells(3, "exec sleep 600");
        let ids: Vec<_> = (0..3).map(|place| members.id(place)).collect();
        let is_there = |id: &u32| std::path::Path::new(&format!("/proc/{id}")).exists();
        assert!(ids.iter().all(is_there));
        drop(members);
        assert!(!ids.iter().any(is_there));
    }
}
