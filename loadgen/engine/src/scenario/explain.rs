//! Describes what a [`Program`] does, in lines: `loadgen check FILE`.

use std::fmt::Write;

use super::body::Body;
use super::{Action, BEGIN, END, Pause, Program, Role, STEP, Step, Until};
use crate::units;

/// Describes what a program does, one fact a line.
#[must_use]
pub fn explain(program: &Program) -> String {
    let mut out = String::new();
    let connect = &program.connect;
    let mut say = |what: &str, text: &str| {
        // Writing to a `String` doesn't fail.
        writeln!(out, " {what:<10}{text}").unwrap_or(());
    };
    say("url", connect.url_typed.as_deref().unwrap_or("none; give one after the file"));
    if let Some(feed) = &program.feed {
        let rows = units::counted(feed.rows() as u64, "row");
        say("feed", &format!("{}: {rows} of {}", feed.file, feed.columns.join(", ")));
    }
    for Role { name, share, .. } in &program.roles {
        if let Some(name) = name {
            let turn: u64 = program.roles.iter().map(|role| role.share).sum();
            say("role", &format!("{name}: {share} of {}", units::counted(turn, "user")));
        }
    }
    for block in [BEGIN, STEP].into_iter().chain(STEP + 1..program.blocks.len()).chain([END]) {
        let block = &program.blocks[block];
        for step in &block.steps {
            let name = if block.name == "step" { "step" } else { &block.name };
            say(name, &step_line(program, step));
        }
    }
    for rule in &program.rules {
        let mut line = format!("{}: counted", rule.name);
        if let Some(answer) = &rule.answer {
            line.push_str(", answered by ");
            line.push_str(kind(answer));
        }
        for (is_so, what) in [
            (rule.is_fault, ", a failure"),
            (rule.has_stamp, ", latency by stamp"),
            (rule.age.is_some(), ", age by the server's clock"),
            (rule.sequence.is_some(), ", gaps by sequence"),
            (!rule.captures.is_empty(), ", captured"),
        ] {
            line.push_str(if is_so { what } else { "" });
        }
        say("on", &line);
    }
    for tick in &program.ticks {
        say("every", &format!("{}: {}", units::duration(tick.interval_ns), kind(&tick.body)));
    }
    out
}

fn kind(body: &Body) -> &'static str {
    if body.is_binary() { "a binary message" } else { "a text message" }
}

fn step_line(program: &Program, step: &Step) -> String {
    let flow = |block: usize| program.blocks[block].name.clone();
    let mut line = match &step.action {
        Action::Pause(pause) => match *pause {
            Pause::Fixed(ns) => format!("pause {}", units::duration(ns)),
            Pause::Between(least, most) => {
                format!("pause {} to {}", units::duration(least), units::duration(most))
            }
            Pause::Exponential(mean) => {
                format!("pause {} on average, exponential", units::duration(mean))
            }
        },
        Action::Choose(choice) => {
            let parts = choice.iter().map(|(block, weight)| format!("{} {weight}", flow(*block)));
            format!("one of {}", parts.collect::<Vec<_>>().join(", "))
        }
        Action::Do(block) => format!("does {}", flow(*block)),
        Action::Close(code) => format!("closes with {code}"),
        Action::Exchange(exchange) => {
            let name = step.measure.map_or("", |measure| &program.measures[measure]);
            let sent = exchange.body.as_ref().map_or("", |body| kind(body));
            let (verb, until) = match (&exchange.until, exchange.body.is_some()) {
                (Until::Sent, _) => ("sends ", ""),
                (Until::Reply, _) => ("sends ", ", takes the reply with its id"),
                (Until::Match(_), true) => ("sends ", ", takes the first message that matches"),
                (Until::Match(_), false) => ("waits for a message that matches", ""),
            };
            let mut line = format!("{name}: {verb}{sent}{until}");
            if !matches!(exchange.until, Until::Sent) {
                let timeout = units::duration(exchange.timeout_ns);
                write!(line, " within {timeout}").unwrap_or(());
            }
            line
        }
    };
    if step.overlap > 1 {
        write!(line, ", up to {} at once", units::count(step.overlap as u64)).unwrap_or(());
    }
    if step.times > 1 {
        write!(line, ", {} times", units::count(u64::from(step.times))).unwrap_or(());
    }
    line
}
