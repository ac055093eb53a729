//! Rules for what the server sends unasked.

use std::collections::{BTreeMap, BTreeSet};

use super::Side;
use super::guess::{Confidence, Guess};
use super::heartbeat::shown;
use super::kind::Kind;
use super::story::{Fate, Story};
use crate::units;

/// Most rules of a scenario that are made here.
const RULES_MAX: usize = 32;
/// Rules of presets that take all messages of a protocol: those of a recording get one for each
/// kind.
const GENERAL: [&str; 5] = ["event", "notification", "message", "invocation", "push"];

/// A rule, and the messages that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) kind: Kind,
    pub(super) units: Vec<usize>,
}

/// Makes rules for all messages of the server that nothing has taken yet.
pub(super) fn rules(story: &mut Story<'_>) -> Vec<Rule> {
    let of_preset = story.protocol.program.as_ref().map(|program| program.rules.clone());
    let of_preset = of_preset.unwrap_or_default();
    let mut kinds: BTreeMap<Kind, Vec<usize>> = BTreeMap::new();
    let mut left: BTreeSet<String> = BTreeSet::new();
    for place in story.open(Side::Server) {
        let view = story.units[place].view();
        let taken_by = of_preset.iter().find(|rule| rule.when.is_match(view));
        let kind = story.kinds.kind(&story.units[place]);
        if let Some(rule) = taken_by
            && (kind.is_vague || !GENERAL.contains(&&*rule.name))
        {
            if rule.is_fault {
                left.insert(format!("{}: {}", rule.name, shown(story, place)));
            }
            story.fates[place] = Fate::Preset;
            continue;
        }
        story.fates[place] = Fate::Rule;
        kinds.entry(kind).or_default().push(place);
    }
    for fault in left {
        story.guesses.push(Guess::new(
            "rule",
            Confidence::Sure,
            "the preset counts a failure of the recording as one",
            fault,
        ));
    }
    let mut rules: Vec<_> = kinds.into_iter().map(|(kind, units)| Rule { kind, units }).collect();
    // A match that looks at more comes first.
    rules.sort_by_key(|rule| (rule.kind.is_vague, std::cmp::Reverse(rule.kind.matcher.len())));
    for rule in rules.iter().skip(RULES_MAX) {
        story.guesses.push(Guess::new(
            "rule",
            Confidence::Unsure,
            format!("{} stays unmatched", rule.kind.name),
            format!("there are rules for {RULES_MAX} other kinds"),
        ));
    }
    rules.truncate(RULES_MAX);
    for rule in &rules {
        let confidence = if rule.kind.is_vague { Confidence::Unsure } else { Confidence::Likely };
        let count = units::counted(rule.units.len() as u64, "message");
        story.guesses.push(Guess::new(
            "rule",
            confidence,
            format!("counts {} as they come", rule.kind.name),
            format!("{count} that answered nothing, such as {}", shown(story, rule.units[0])),
        ));
    }
    rules
}
