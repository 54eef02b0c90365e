//! The name somebody meant who typed another.

/// Returns the name with the fewest typing errors between it and the text; `None` when all are too far.
///
/// As many errors as a third of the letters are taken for a slip, at least one. Of two equally near, the one
/// that goes on as the text does.
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (text.chars().count() / 3).max(1);
    let near = names.into_iter().map(|name| (distance(text, name), name));
    near.filter(|(distance, name)| *distance <= limit && *distance < name.len())
        .min_by_key(|(distance, name)| (*distance, !name.starts_with(text)))
        .map(|(_, name)| name)
}

/// Counts the letters to add, drop, change or swap with a neighbour (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut least = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_added_dropped_changed_and_swapped_are_counted() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("tll", "ttl", 1),
            ("evn", "env", 1),
            ("abc", "ca", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!((distance(a, b), distance(b, a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn only_a_near_name_is_meant() {
        let names = ["ttl", "env", "cache-exit"];
        assert_eq!(nearest("tll", names), Some("ttl"));
        assert_eq!(nearest("cache_exits", names), Some("cache-exit"));
        assert_eq!(nearest("x", names), None);
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(nearest("of", ["on", "off"]), Some("off"));
    }
}
