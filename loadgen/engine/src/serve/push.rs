//! Pushes messages to clients at a rate, each with its sequence on the connection and its send
//! time: in turn to every connection, spread evenly.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::task::yield_now;
use wscodec::{Message, PreparedMessage};

use super::config::PushRate;
use super::hub::Hub;
use super::registry::SessionKey;
use super::worker::Worker;
use crate::clock::{Alarm, Clock};
use crate::stamp::{Push, unix_ns};

/// Messages in a row before sockets run.
const PUSHES_PER_TURN: usize = 128;
/// How far behind schedule a thread may be before it skips messages.
const BEHIND_MAX_NS: u64 = 1_000_000_000;

/// The topic of all connections of `serve push`.
pub(super) const TOPIC: &str = "";

/// Pushes to all members of a worker, forever.
pub(super) async fn push(worker: Rc<Worker>, hub: Rc<Hub>, mut alarm: Alarm, clock: Clock) {
    let mut payload = vec![b'.'; worker.config().push.size.max(Push::LEN)];
    let mut next_ns = clock.now_ns();
    let mut cursor = 0;
    loop {
        let Some(interval_ns) = interval_ns(&worker, &hub) else {
            hub.joined.notified().await;
            next_ns = clock.now_ns();
            continue;
        };
        // One more member makes the interval shorter.
        next_ns = next_ns.min(clock.now_ns().saturating_add(interval_ns));
        let is_due = tokio::select! {
            () = alarm.until(next_ns) => true,
            () = hub.joined.notified() => false,
        };
        if !is_due {
            continue;
        }
        let now_ns = clock.now_ns();
        if let Some(behind_ns) = now_ns.checked_sub(next_ns.saturating_add(BEHIND_MAX_NS)) {
            let skipped = behind_ns.div_ceil(interval_ns);
            worker.counters.messages_skipped.add(skipped);
            next_ns = next_ns.saturating_add(skipped.saturating_mul(interval_ns));
        }
        for _ in 0..PUSHES_PER_TURN {
            if next_ns > now_ns {
                break;
            }
            let Some((key, sequence)) = hub.next_turn(TOPIC, &mut cursor) else { break };
            Push { sequence, unix_ns: unix_ns() }.write(&mut payload);
            post(&worker, &hub, key, &payload);
            next_ns = next_ns.saturating_add(interval_ns);
        }
        yield_now().await;
    }
}

fn post(worker: &Worker, hub: &Hub, key: SessionKey, payload: &[u8]) {
    // Refused only if it weren't ASCII, or were a control frame.
    if let Ok(text) = std::str::from_utf8(payload)
        && let Ok(message) = PreparedMessage::new(Message::Text(text))
    {
        worker.posted(key, hub.post(key, &Arc::new(message)));
    }
}

/// Returns the time between messages of a worker; `None` while it has no members to push to.
fn interval_ns(worker: &Worker, hub: &Hub) -> Option<u64> {
    const THOUSAND_S_NS: u128 = 1_000_000_000_000;
    let own = hub.len(TOPIC) as u128;
    if own == 0 {
        return None;
    }
    let interval_ns = match worker.config().push.rate {
        PushRate::Each(rate) => THOUSAND_S_NS / (u128::from(rate.per_1000_s()) * own),
        // This thread's share of the whole.
        PushRate::Total(rate) => {
            let all = worker.shared.members.load(Relaxed) as u128;
            THOUSAND_S_NS * all.max(own) / (u128::from(rate.per_1000_s()) * own)
        }
    };
    Some(u64::try_from(interval_ns).unwrap_or(u64::MAX).max(1))
}
