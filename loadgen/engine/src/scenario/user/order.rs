//! Follows the sequence numbers of channels: which messages are missing, and which came twice.

use std::hash::Hasher;

use super::super::Rule;
use super::super::matcher::View;
use super::super::text::Stamp;

/// Most channels that are followed on a connection.
const FOLLOWED_MAX: usize = 4_096;

/// The number of a message relative to the one before on its channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The message has no number.
    #[default]
    Unknown,
    /// The next, or the first.
    InOrder,
    /// This many are missing before it.
    Gap(u64),
    /// A number that came before, or should have.
    Behind,
}

/// The last number of each channel.
#[derive(Debug, Default)]
pub(super) struct Followed {
    /// By the hash of a channel's name.
    last: Vec<(u64, u64)>,
}

impl Followed {
    /// Returns the order of a message that a rule takes, and notes its number.
    pub(super) fn order(&mut self, rule: &Rule, view: View<'_>) -> Order {
        let (channel, number) = if rule.has_stamp {
            let Some(stamp) = Stamp::find(view.bytes) else { return Order::Unknown };
            (stamp.connection.0, stamp.sequence)
        } else {
            let Some((pick, by)) = &rule.sequence else { return Order::Unknown };
            let Some(number) = pick.number(view) else { return Order::Unknown };
            let mut hasher = std::hash::DefaultHasher::new();
            for pick in by {
                hasher.write(&pick.of(view).unwrap_or_default());
                hasher.write_u8(0xff);
            }
            (hasher.finish(), number)
        };
        let all = &mut self.last;
        let Some((_, last)) = all.iter_mut().find(|(other, _)| *other == channel) else {
            if all.len() < FOLLOWED_MAX {
                all.push((channel, number));
            }
            return Order::InOrder;
        };
        match number.checked_sub(*last) {
            None | Some(0) => Order::Behind,
            Some(ahead) => {
                *last = number;
                if ahead == 1 { Order::InOrder } else { Order::Gap(ahead - 1) }
            }
        }
    }
}
