//! A name that doesn't exist to those that do and look most like it.

use std::cmp::Ordering;

/// How alike two names have to be for one to be suggested alone, from 0 to 1.
const ALIKE_MIN: f64 = 0.75;

/// Returns the `count` names most like `wanted`, the nearest first.
pub(crate) fn nearest<'n>(
    wanted: &str,
    names: impl IntoIterator<Item = &'n str>,
    count: usize,
) -> Vec<&'n str> {
    let mut ranked: Vec<_> =
        names.into_iter().map(|name| (strsim::jaro_winkler(wanted, name), name)).collect();
    // Stable, so that names that are as near stay in their order.
    ranked.sort_by(|(a, _), (b, _)| b.partial_cmp(a).unwrap_or(Ordering::Equal));
    ranked.into_iter().take(count).map(|(_, name)| name).collect()
}

/// Returns the name most like `wanted`, if it is like enough to be what was meant.
pub(crate) fn meant<'n>(wanted: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let name = nearest(wanted, names, 1).pop()?;
    (strsim::jaro_winkler(wanted, name) >= ALIKE_MIN).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_their_name() {
        let names = ["connections", "connect-rate", "duration", "drain-timeout", "url"];
        for (wanted, name) in [
            ("conections", "connections"),
            ("duraton", "duration"),
            ("connect_rate", "connect-rate"),
            ("urls", "url"),
        ] {
            assert_eq!(meant(wanted, names), Some(name), "{wanted}");
        }
        assert_eq!(meant("zzz", names), None);
        assert_eq!(nearest("connect", names, 2), ["connections", "connect-rate"]);
        assert_eq!(nearest("x", [], 3), [""; 0]);
    }
}
