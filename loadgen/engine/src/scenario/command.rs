//! Runs the command of a feed, which prints a JSON object a line, one for each user.
//!
//! It runs before anything is connected, once for each process of a run, and never longer than its
//! bound: what it prints, and how it ends, decides whether there is a run.

use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::escape;

/// Most bytes of rows.
const OUTPUT_LEN_MAX: u64 = 256 << 20;
/// Bytes of the end of stderr that are kept.
const STDERR_LEN_MAX: usize = 4 << 10;
/// Bytes of its last line that are shown.
const SHOWN_LEN_MAX: usize = 300;
/// How often to look whether the command has ended, once its output has.
const POLL: Duration = Duration::from_millis(5);
/// How long to wait for the rest of stderr, which a child of the command may keep open.
const STDERR_TIMEOUT: Duration = Duration::from_millis(200);

/// Runs a command by the shell in a folder, and returns what it prints. Its environment says for
/// how many users: `LOADGEN_USERS`.
///
/// # Errors
/// One line: the command, its exit code, and the last line of its stderr.
pub(super) fn output(
    command: &str,
    folder: &Path,
    users: u64,
    bound: Duration,
) -> Result<String, String> {
    let failed = |what: String| format!("{command:?} {what}");
    let deadline = Instant::now() + bound;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .env("LOADGEN_USERS", users.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, which ends together.
        .process_group(0)
        .spawn()
        .map_err(|error| failed(format!("can't be started: {error}")))?;
    let stderr = child.stderr.take().map(|pipe| background(move || last_bytes(pipe)));
    let stdout = child.stdout.take().map(|pipe| {
        background(move || {
            let mut bytes = Vec::new();
            pipe.take(OUTPUT_LEN_MAX + 1).read_to_end(&mut bytes).map(|_| bytes)
        })
    });
    let printed = stdout.map(|stdout| stdout.recv_timeout(bound));
    let bytes = match printed {
        Some(Ok(Ok(bytes))) if bytes.len() as u64 <= OUTPUT_LEN_MAX => bytes,
        Some(Ok(Ok(_))) => {
            end(&mut child);
            return Err(failed(format!("prints more than {} MiB", OUTPUT_LEN_MAX >> 20)));
        }
        Some(Ok(Err(error))) => {
            end(&mut child);
            return Err(failed(format!("can't be read: {error}")));
        }
        Some(Err(_)) | None => {
            end(&mut child);
            return Err(failed(too_long(bound)));
        }
    };
    let Some(status) = ended(&mut child, deadline) else {
        end(&mut child);
        return Err(failed(too_long(bound)));
    };
    if !status.success() {
        let said = stderr.and_then(|stderr| stderr.recv_timeout(STDERR_TIMEOUT).ok());
        return Err(failed(ended_with(status, &said.unwrap_or_default())));
    }
    String::from_utf8(bytes).map_err(|_| failed("prints what is no UTF-8".into()))
}

fn too_long(bound: Duration) -> String {
    let bound = crate::quantity::typed(bound);
    format!("runs longer than {bound}; raise timeout under [feed], or write the rows to a file")
}

fn ended_with(status: ExitStatus, stderr: &[u8]) -> String {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "failed".into(),
    };
    let text = String::from_utf8_lossy(stderr);
    match text.lines().map(str::trim).rfind(|line| !line.is_empty()) {
        Some(line) => format!("{how}; it says: {}", escape::control(line, SHOWN_LEN_MAX)),
        None => format!("{how}, and says nothing on stderr"),
    }
}

/// Does `read` on a thread, which may outlive its reader.
fn background<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> mpsc::Receiver<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(read()).ok());
    receiver
}

fn last_bytes(mut pipe: impl Read) -> Vec<u8> {
    let mut last = Vec::new();
    let mut buffer = [0; 1 << 10];
    while let Ok(len @ 1..) = pipe.read(&mut buffer) {
        last.extend_from_slice(&buffer[..len]);
        let surplus = last.len().saturating_sub(STDERR_LEN_MAX);
        last.drain(..surplus);
    }
    last
}

fn ended(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(POLL),
            _ => return None,
        }
    }
}

/// Ends the command and all that it has started.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // Neither fails but for one that has ended by itself.
    if let Some(group) = group {
        kill_process_group(group, Signal::KILL).ok();
    }
    child.wait().ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(command: &str, bound: Duration) -> Result<String, String> {
        output(command, Path::new("/"), 3, bound)
    }

    #[test]
    fn what_it_prints_is_returned() {
        let minute = Duration::from_secs(60);
        let printed = run("pwd; echo $LOADGEN_USERS; echo beside >&2", minute);
        assert_eq!(printed.unwrap(), "/\n3\n");
        // More than a pipe holds.
        assert_eq!(run("head -c 1000000 /dev/zero", minute).unwrap().len(), 1_000_000);
    }

    #[test]
    fn a_failure_is_named_with_the_exit_code_and_the_last_line() {
        let minute = Duration::from_secs(60);
        for (command, said) in [
            ("echo a; echo first >&2; echo last >&2; exit 3", "exited with 3; it says: last"),
            ("exit 4", "exited with 4, and says nothing on stderr"),
            ("kill -9 $$", "was ended by signal 9"),
            ("./no-such-command", "exited with 127; it says: "),
            ("printf '\\377'", "prints what is no UTF-8"),
        ] {
            let why = run(command, minute).unwrap_err();
            assert!(why.contains(said) && why.starts_with('"'), "{command}: {why}");
            assert!(!why.contains('\n'), "{why}");
        }
    }

    #[test]
    fn one_that_does_not_end_is_ended_with_all_that_it_has_started() {
        let begin = Instant::now();
        for command in ["sleep 600", "sleep 600 & sleep 600", "exec >/dev/null; sleep 600"] {
            let why = run(command, Duration::from_millis(100)).unwrap_err();
            assert!(why.contains("runs longer than 100ms"), "{why}");
        }
        assert!(begin.elapsed() < Duration::from_secs(300));
    }
}
