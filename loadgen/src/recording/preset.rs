//! What a preset does by itself: its handshake and its heartbeats are no steps of a scenario, but
//! values in them become its variables.

use std::ops::Range;

use super::guess::{Confidence, Guess};
use super::place::Place;
use super::story::{Fate, Story, Var, VarValue};
use super::unit::Unit;
use super::{Side, mqtt, protocol};
use crate::scenario::pointer::Pointer;
use crate::scenario::{Action, BEGIN, Until};

/// Marks what the preset sends and takes.
pub(super) fn cover(story: &mut Story<'_>) {
    let Some(preset) = story.protocol.preset else { return };
    match preset {
        "socket.io" | "engine.io" => engine(story),
        "graphql-transport-ws" | "graphql-ws" => graphql(story),
        "stomp" => stomp(story),
        "mqtt" | "mqtt5" => mqtt_session(story),
        "phoenix" => drop_units(story, |unit| {
            unit.text("/2") == Some("phoenix") && unit.text("/3").is_some()
        }),
        "pusher" => drop_client(story, |unit| {
            matches!(unit.text("/event"), Some("pusher:ping" | "pusher:pong"))
        }),
        "signalr" => drop_client(story, |unit| {
            unit.text("/protocol").is_some() || matches!(unit.text("/type"), Some("6" | "7"))
        }),
        "centrifugo" => centrifugo(story),
        _ => {}
    }
    if !story.is_inlined {
        cover_begin(story);
    }
}

fn drop_client(story: &mut Story<'_>, is_covered: impl Fn(&Unit) -> bool) {
    drop_units(story, |unit| unit.from == Side::Client && is_covered(unit));
}

fn drop_units(story: &mut Story<'_>, is_covered: impl Fn(&Unit) -> bool) {
    for (unit, fate) in story.units.iter().zip(&mut story.fates) {
        if *fate == Fate::Open && is_covered(unit) {
            *fate = Fate::Preset;
        }
    }
}

/// Returns the first message of the client that is so, if it is not covered.
fn first(story: &Story<'_>, is_it: impl Fn(&Unit) -> bool) -> Option<usize> {
    story.open(Side::Client).into_iter().find(|place| is_it(&story.units[*place]))
}

fn var(story: &mut Story<'_>, name: &'static str, unit: usize, span: Range<usize>) {
    story.vars.push(Var { name, value: VarValue::Part(unit, span) });
}

/// Returns where the value at a pointer is, also if it is an object.
fn span_at(unit: &Unit, pointer: &str) -> Option<Range<usize>> {
    let pointer = Pointer::parse(pointer).ok()?;
    let json = &unit.bytes[unit.json_begin..];
    let found = pointer.find(json)?;
    let begin = (found.raw().as_ptr() as usize).checked_sub(unit.bytes.as_ptr() as usize)?;
    let span = begin..begin + found.raw().len();
    (unit.bytes.get(span.clone())? == found.raw()).then_some(span)
}

/// Marks the messages that the preset's `[[begin]]` waits for.
fn cover_begin(story: &mut Story<'_>) {
    let Some(program) = story.protocol.program.clone() else { return };
    for step in &program.blocks[BEGIN].steps {
        let Action::Exchange(exchange) = &step.action else { continue };
        let Until::Match(matcher) = &exchange.until else { continue };
        let open = story.open(Side::Server);
        let found = open.into_iter().find(|place| matcher.is_match(story.units[*place].view()));
        match found {
            Some(place) => story.fates[place] = Fate::Preset,
            None if protocol::has_probe(story.connection) => {}
            None => {
                let name = step.measure.map_or("", |measure| &*program.measures[measure]);
                story.guesses.push(Guess::new(
                    "begin",
                    Confidence::Unsure,
                    format!("the preset's step {name} gets its answer all the same"),
                    "the recording has no message that it matches; it may begin later",
                ));
            }
        }
    }
}

/// Engine.IO 4 and Socket.IO 5.
fn engine(story: &mut Story<'_>) {
    let is_probed = protocol::has_probe(story.connection);
    let connect = first(story, |unit| unit.bytes.starts_with(b"40"));
    if story.protocol.is("socket.io") {
        if let Some(connect) = connect {
            story.fates[connect] = Fate::Preset;
            let len = story.units[connect].bytes.len();
            if len > 2 {
                var(story, "auth", connect, 2..len);
            }
        } else if is_probed {
            story.guesses.push(Guess::new(
                "begin",
                Confidence::Unsure,
                "users connect without auth",
                "the connection began with HTTP requests, and messages of those are not in the \
                 recording; set auth in [vars] if the server wants one",
            ));
        }
    }
    drop_client(story, |unit| matches!(&*unit.bytes, b"2probe" | b"3" | b"5" | b"1" | b"41"));
    drop_units(story, |unit| unit.from == Side::Server && matches!(&*unit.bytes, b"3probe" | b"6"));
    let is_ack = |place: &usize| {
        story.protocol.is("socket.io") && story.units[*place].bytes.starts_with(b"43")
    };
    let acks: Vec<_> = story.open(Side::Client).into_iter().filter(is_ack).collect();
    if !acks.is_empty() {
        leave(story, &acks, "acknowledgements of the server's events");
    }
}

/// Leaves messages out, and says so.
fn leave(story: &mut Story<'_>, places: &[usize], what: &str) {
    for place in places {
        story.fates[*place] = Fate::Left;
    }
    story.guesses.push(Guess::new(
        "left out",
        Confidence::Unsure,
        format!("{what} are not sent"),
        format!(
            "{} in the recording; each names what it answers, so it can't be repeated",
            places.len()
        ),
    ));
}

fn graphql(story: &mut Story<'_>) {
    let is = |unit: &Unit, kind: &str| unit.text("/type") == Some(kind);
    if let Some(init) = first(story, |unit| is(unit, "connection_init")) {
        story.fates[init] = Fate::Preset;
        if let Some(payload) = span_at(&story.units[init], "/payload") {
            var(story, "payload", init, payload);
        }
    }
    drop_client(story, |unit| is(unit, "pong") || is(unit, "connection_terminate"));
    let is_end =
        |place: &usize| is(&story.units[*place], "complete") || is(&story.units[*place], "stop");
    let ends: Vec<_> = story.open(Side::Client).into_iter().filter(is_end).collect();
    if !ends.is_empty() {
        leave(story, &ends, "ends of operations");
    }
}

fn stomp(story: &mut Story<'_>) {
    const KNOWN: [&str; 5] = ["accept-version", "host", "login", "passcode", "heart-beat"];
    drop_client(story, |unit| unit.bytes == b"\n" || unit.bytes.starts_with(b"DISCONNECT"));
    let is_connect =
        |unit: &Unit| unit.bytes.starts_with(b"CONNECT\n") || unit.bytes.starts_with(b"STOMP\n");
    let Some(connect) = first(story, is_connect) else { return };
    let header = |name: &str| {
        let place = Place::Header(name.into());
        story.units[connect].field(&place).map(|field| field.span.clone())
    };
    let is_other = |place: &Place| match place {
        Place::Header(name) => !KNOWN.contains(&&**name),
        _ => true,
    };
    let extra = story.units[connect].fields.iter().find(|field| is_other(&field.place));
    let beats = header("heart-beat");
    if extra.is_some() || ["login", "passcode"].iter().any(|name| header(name).is_none()) {
        let why = match extra {
            Some(field) => format!("its CONNECT has the header {}", field.place.name()),
            None => "its CONNECT has no login".into(),
        };
        return inline(story, why);
    }
    let vars =
        [("host", "host"), ("login", "login"), ("passcode", "passcode"), ("beats", "heart-beat")];
    let vars: Vec<_> =
        vars.into_iter().filter_map(|(name, of)| Some((name, header(of)?))).collect();
    let sends_ms = beats.and_then(|span| {
        let beats = str::from_utf8(&story.units[connect].bytes[span]).ok()?;
        beats.split(',').next()?.trim().parse::<u64>().ok()
    });
    for (name, span) in vars {
        var(story, name, connect, span);
    }
    if let Some(ms @ 1..) = sends_ms {
        // Twice as often as promised: a beat that is a little late is none.
        let value = VarValue::Text(format!("{}ms", (ms / 2).max(1)));
        story.vars.push(Var { name: "heartbeat", value });
    }
    story.fates[connect] = Fate::Preset;
}

/// Has the preset written out, but for its handshake.
fn inline(story: &mut Story<'_>, why: String) {
    story.is_inlined = true;
    let preset = story.protocol.preset.unwrap_or_default();
    story.guesses.push(Guess::new(
        "begin",
        Confidence::Sure,
        format!("logs in as recorded, not as the preset {preset} does"),
        why,
    ));
}

fn mqtt_session(story: &mut Story<'_>) {
    use mqtt::{CONNECT, DISCONNECT, PINGREQ, PUBREC, PUBREL};
    drop_client(story, |unit| matches!(mqtt::kind(&unit.bytes), PINGREQ | DISCONNECT));
    let is_ack = |place: &usize| {
        let kind = mqtt::kind(&story.units[*place].bytes);
        kind == 4 || (PUBREC..=PUBREL + 1).contains(&kind)
    };
    let acks: Vec<_> = story.open(Side::Client).into_iter().filter(is_ack).collect();
    if !acks.is_empty() {
        leave(story, &acks, "acknowledgements of the broker's messages");
    }
    let Some(place) = first(story, |unit| mqtt::kind(&unit.bytes) == CONNECT) else { return };
    let Some(connect) = mqtt::connect(&story.units[place].bytes) else { return };
    let seconds = if connect.keepalive == 0 { 60 } else { connect.keepalive };
    let beat = VarValue::Text(format!("{}ms", u64::from(seconds) * 500));
    story.vars.push(Var { name: "heartbeat", value: beat });
    let plain = [0xc2, 0xc0].contains(&connect.flags);
    let has_properties = connect.level == 5 && story.units[place].bytes.get(12) != Some(&0);
    if !plain || has_properties {
        let flags = connect.flags;
        return inline(
            story,
            format!("its CONNECT has the flags {flags:02x}, not c2, or properties"),
        );
    }
    story.fates[place] = Fate::Preset;
    let fields = story.units[place].fields.clone();
    // Two clients of one name would throw each other out: users have the preset's own.
    for name in ["user", "password"] {
        if let Some(field) = fields.iter().find(|field| field.place == Place::Mqtt(name)) {
            var(story, name, place, field.span.clone());
        }
    }
    let keepalive = VarValue::Text(connect.keepalive.to_string());
    story.vars.push(Var { name: "keepalive", value: keepalive });
}

fn centrifugo(story: &mut Story<'_>) {
    drop_client(story, |unit| unit.bytes == b"{}");
    let is_connect = |unit: &Unit| span_at(unit, "/connect").is_some();
    let Some(connect) = first(story, is_connect) else { return };
    let unit = &story.units[connect];
    let token = unit.field(&Place::Pointer("/connect/token".into()));
    let token = token.map(|field| field.span.clone());
    let id = unit.text("/id").map(str::to_owned);
    story.fates[connect] = Fate::Preset;
    if let Some(span) = token {
        var(story, "token", connect, span);
    }
    let is_answer = |unit: &Unit| {
        unit.from == Side::Server && unit.text("/id") == id.as_deref() && id.is_some()
    };
    let found = (0..story.units.len()).find(|place| is_answer(&story.units[*place]));
    if let Some(place) = found {
        story.fates[place] = Fate::Preset;
    }
}
