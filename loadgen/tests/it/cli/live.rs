//! The live view on a terminal: keys, signals, and the terminal's modes afterwards.

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::scripted::{Scripted, echo};
use loadgen::cli::{self, Parsed, parse};
use loadgen::config::Config;
use loadgen::metrics::live::{Live, Snapshot};
use loadgen::progress::Progress;

const PATIENCE: Duration = Duration::from_secs(60);
/// The last line of the view.
const KEYS: &str = "q stop and report";

/// A command in a terminal of its own, that of util-linux's `script`.
struct Terminal {
    script: Child,
    shown: Arc<Mutex<String>>,
}

impl Terminal {
    /// Runs a shell line; afterwards the shell shows the terminal's modes. `None` where `script`
    /// isn't installed.
    fn start(line: &str) -> Option<Self> {
        Command::new("script").arg("--version").stdout(Stdio::null()).status().ok()?;
        let line = format!("stty cols 80 rows 24; tty; sh -c 'echo pid=$$; {line}'; stty -a");
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).env_remove("CI").env_remove("NO_COLOR");
        // A shell that waits for its command before it heeds Ctrl-C, and then goes on.
        script.env_remove("COLUMNS").env("TERM", "xterm").env("SHELL", "/bin/bash");
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut script = script.spawn().unwrap();
        let (shown, mut out) = (Arc::new(Mutex::new(String::new())), script.stdout.take().unwrap());
        let writer = Arc::clone(&shown);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = out.read(&mut buffer) {
                writer.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..len]));
            }
        });
        Some(Self { script, shown })
    }

    fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    fn press(&mut self, keys: &str) {
        self.script.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    fn wait(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let begin = Instant::now();
        while !is_so(&self.shown()) {
            assert!(begin.elapsed() < PATIENCE, "{what}: {:?}", self.shown());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the process and the terminal, as the shell has said them.
    fn process(&self) -> (String, String) {
        self.wait("the shell has begun", |shown| shown.contains("pid="));
        let shown = self.shown();
        let word = |begin: &str| {
            let at = shown.find(begin).unwrap_or_else(|| panic!("{begin} in {shown:?}"));
            shown[at..].split_whitespace().next().unwrap().to_owned()
        };
        (word("pid=")["pid=".len()..].to_owned(), word("/dev/pts/"))
    }

    /// Waits for the end; returns all that was shown.
    fn finish(mut self) -> String {
        self.wait("the shell shows the modes", |shown| shown.contains("icanon"));
        self.script.wait().unwrap();
        self.shown()
    }
}

fn modes(terminal: &str) -> String {
    let out = Command::new("stty").args(["-a", "-F", terminal]).output().unwrap();
    String::from_utf8(out.stdout).unwrap()
}

fn is_cooked(modes: &str) -> bool {
    let has = |mode: &str| modes.split([' ', '\n', '\r', ';']).any(|word| word == mode);
    has("icanon") && has("echo") && has("isig")
}

/// Asserts that the shell found the terminal as it was, with a cursor.
fn assert_given_back(shown: &str) {
    let (before, after) = shown.rsplit_once("speed").unwrap_or_else(|| panic!("{shown:?}"));
    assert!(is_cooked(after), "{after}");
    let (hidden, visible) = (before.rfind("\x1b[?25l"), before.rfind("\x1b[?25h"));
    assert!(hidden.is_some() && hidden < visible, "the cursor is shown again: {before:?}");
}

fn server() -> Scripted {
    Scripted::start(|stream, _| echo(stream, |_, _, _| None))
}

fn run_line(url: &str, more: &str) -> String {
    let program = env!("CARGO_BIN_EXE_loadgen");
    format!("exec {program} run {url} -c 2 -R 50 -d 60s -t 1 {more}")
}

/// Ctrl-Z gives the terminal back, `fg` takes it again, `q` ends the run with its report.
#[test]
fn l1_a_stopped_view_gives_the_terminal_back() {
    let server = server();
    let Some(mut terminal) = Terminal::start(&run_line(&server.url(), "")) else { return };
    let (process, tty) = terminal.process();
    terminal.wait("the view is shown", |shown| shown.contains(KEYS));
    assert!(!is_cooked(&modes(&tty)), "keys arrive at once");
    terminal.press("\x1a");
    let state = || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        stat.rsplit(')').next().unwrap().split_whitespace().next().unwrap().to_owned()
    };
    terminal.wait("the process has stopped", |_| state() == "T");
    assert!(is_cooked(&modes(&tty)), "{}", modes(&tty));
    Command::new("kill").args(["-CONT", &process]).status().unwrap();
    terminal.wait("the view is shown again", |shown| shown.matches(KEYS).count() == 2);
    assert!(!is_cooked(&modes(&tty)));
    terminal.press("q");
    let shown = terminal.finish();
    assert!(shown.contains("rtt.response"), "the report follows: {shown:?}");
    assert_given_back(&shown);
}

#[test]
fn l2_ctrl_c_gives_the_terminal_back() {
    let server = server();
    let Some(mut terminal) = Terminal::start(&run_line(&server.url(), "")) else { return };
    terminal.wait("the view is shown", |shown| shown.contains(KEYS));
    terminal.press("\x03");
    let shown = terminal.finish();
    assert!(shown.contains("rtt.response"), "{shown:?}");
    assert_given_back(&shown);
}

#[test]
fn l3_keys_change_what_is_shown() {
    let server = server();
    let Some(mut terminal) = Terminal::start(&run_line(&server.url(), "")) else { return };
    terminal.wait("the view is shown", |shown| shown.contains(KEYS));
    terminal.press("h");
    // Cells that stay are not written again.
    terminal.wait("the heat map", |shown| shown.contains("curves"));
    terminal.press("p");
    terminal.wait("frozen", |shown| shown.contains("frozen"));
    terminal.press("q");
    assert_given_back(&terminal.finish());
}

/// `--live line` and `NO_COLOR` are heeded.
#[test]
fn l4_the_line_and_no_colours() {
    let server = server();
    let line = run_line(&server.url(), "--live line").replace("60s", "2s");
    let Some(terminal) = Terminal::start(&line) else { return };
    let shown = terminal.finish();
    // Spaces that are there already are skipped.
    assert!(shown.contains("left") && !shown.contains(KEYS), "{shown:?}");
    assert_given_back(&shown);
    let line = run_line(&server.url(), "--threshold failed==0").replace("60s", "2s");
    let shown = Terminal::start(&format!("NO_COLOR=1 {line}").replace("exec ", "")).unwrap();
    let shown = shown.finish();
    assert!(shown.contains(KEYS), "{shown:?}");
    for colour in 30..48 {
        assert!(!shown.contains(&format!(";{colour}m")), "{shown:?}");
    }
}

/// Set in the process of the test below that panics.
const PANICS: &str = "LOADGEN_TEST_PANICS_WITH_A_VIEW";

/// A panic gives the terminal back before it is reported.
#[test]
fn l5_a_panic_gives_the_terminal_back() {
    if std::env::var_os(PANICS).is_some() {
        let Parsed::Command(command) =
            parse(["loadgen", "run", "ws://127.0.0.1:1/"].map(Into::into))
        else {
            panic!()
        };
        let cli::Command::Run(args) = *command else { panic!() };
        let mut progress = Progress::new(&Config::of_run(args).unwrap());
        progress.show(0, &Snapshot::of([&Live::new()]), 0);
        panic!("with a view");
    }
    let this = std::env::current_exe().unwrap().display().to_string();
    let line = format!(
        "{PANICS}=1 {this} --exact cli::live::l5_a_panic_gives_the_terminal_back --nocapture"
    );
    let Some(terminal) = Terminal::start(&line) else { return };
    let shown = terminal.finish();
    let view = shown.find(KEYS).unwrap_or_else(|| panic!("a view is shown: {shown:?}"));
    let wiped = shown[view..].find("\x1b[J").unwrap_or_else(|| panic!("{shown:?}"));
    assert!(shown[view + wiped..].contains("with a view"), "{shown:?}");
    assert_given_back(&shown);
}
