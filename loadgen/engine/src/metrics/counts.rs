//! Turns a list of counters into a struct that can be added up, written to a file and read back.

/// Declares a struct of counters. Each says how it is combined, across threads and segments alike:
/// `sum`, which saturates because a file can say anything, or `most`.
///
/// ```ignore
/// counts! {
///     /// What is counted.
///     pub struct Counts {
///         /// One of it.
///         sent: sum,
///     }
/// }
/// ```
macro_rules! counts {
    (
        $(#[$of_struct:meta])*
        $vis:vis struct $name:ident {
            $($(#[$of_field:meta])* $field:ident: $how:ident,)*
        }
    ) => {
        $(#[$of_struct])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        $vis struct $name {
            $($(#[$of_field])* pub $field: u64,)*
        }

        impl $name {
            /// Adds what `other` has counted.
            pub fn add(&mut self, other: &Self) {
                $(self.$field = $crate::metrics::counts::$how(self.$field, other.$field);)*
            }
        }
    };
}

pub(crate) use counts;

/// Returns the sum, saturating.
pub(crate) const fn sum(one: u64, other: u64) -> u64 {
    one.saturating_add(other)
}

/// Returns the higher of two counts.
pub(crate) const fn most(one: u64, other: u64) -> u64 {
    if one > other { one } else { other }
}

#[cfg(test)]
mod tests {
    use crate::metrics::NetworkCounts;

    #[test]
    fn counters_add_up_as_declared() {
        let of = |segments, unacked_max| NetworkCounts {
            segments,
            unacked_max,
            ..NetworkCounts::default()
        };
        let mut counts = of(3, 5);
        counts.add(&of(4, 2));
        assert_eq!(counts, of(7, 5));
        counts.add(&of(u64::MAX, 6));
        assert_eq!(counts, of(u64::MAX, 6));
        let text = serde_json::to_string(&counts).unwrap();
        assert_eq!(serde_json::from_str::<NetworkCounts>(&text).unwrap(), counts);
    }
}
