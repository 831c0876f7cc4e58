//! "Did you mean": the known name that is closest to a mistyped one.

/// The name of `known` that `given` is most likely a misspelling of.
pub(crate) fn closest<'n>(
    given: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let folded = fold(given);
    let distance = |name: &str| {
        let name = fold(name);
        if name == folded { 0 } else { strsim::damerau_levenshtein(&folded, &name) }
    };
    let room = match folded.chars().count() {
        0..=2 => 0,
        3..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .map(|name| (distance(name), name))
        .filter(|(distance, _)| *distance <= room)
        .min_by_key(|(distance, name)| (*distance, letters(name) != letters(given)))
        .map(|(_, name)| name)
}

/// Swapped letters are likelier than wrong ones: `int46` is `int64` before it is `int16`.
fn letters(name: &str) -> Vec<char> {
    let mut letters: Vec<char> = fold(name).chars().collect();
    letters.sort_unstable();
    letters
}

/// Names are the same for a reader who writes `group-id` or `groupId` for `group_id`.
fn fold(name: &str) -> String {
    let plain = name.chars().filter(|c| !matches!(c, '_' | '-' | '.' | ' '));
    plain.take(100).flat_map(char::to_lowercase).collect()
}

/// The hint for a name that is not among `known`: the closest one, or else all of them.
pub(crate) fn hint<'n>(given: &str, known: impl IntoIterator<Item = &'n str>) -> Option<String> {
    const MOST: usize = 24;
    let known: Vec<_> = known.into_iter().collect();
    if let Some(name) = closest(given, known.iter().copied()) {
        return Some(format!("did you mean `{name}`?"));
    }
    let mut names: Vec<_> = known.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    if known.len() > MOST {
        names.push("…".into());
    }
    (!names.is_empty()).then(|| format!("known are {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_find_their_name() {
        let known = ["brokers", "topic", "group_id", "start", "key"];
        for (given, found) in [
            ("brokrs", Some("brokers")),
            ("borkers", Some("brokers")),
            ("groupId", Some("group_id")),
            ("group-id", Some("group_id")),
            ("TOPIC", Some("topic")),
            ("keys", Some("key")),
            ("k", None),
            ("compression", None),
            ("", None),
        ] {
            assert_eq!(closest(given, known), found, "{given}");
        }
        assert_eq!(hint("x", ["a", "b"]).unwrap(), "known are `a`, `b`");
        assert_eq!(hint("x", []), None);
    }
}
