//! Patterns of `ls` and `clear`: part of the shown line, or with `*` all of it.

/// Returns whether a line matches: with `*`, which stands for anything, as a whole; else if it
/// contains the pattern.
pub fn matches(pattern: &str, line: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return line.contains(pattern) };
    let Some(mut line) = line.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place is as good as any: what follows has the more left to match.
        let Some(at) = line.find(part) else { return false };
        line = &line[at + part.len()..];
    }
    line.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_star_a_part_is_enough() {
        assert!(matches("-o a", "cc -o a.o a.c"));
        assert!(matches("", "cc"));
        assert!(!matches("CC", "cc"));
        assert!(!matches("[c]?", "cc"));
    }

    #[test]
    fn with_a_star_the_whole_line_must_match() {
        for good in ["cc*", "*a.c", "*", "**", "cc * a.c", "cc*a*a*c", "cc -o a.o a.c*"] {
            assert!(matches(good, "cc -o a.o a.c"), "{good}");
        }
        for bad in ["c*a.o", "*cc", "cc -o a.o a.c*c", "cc*a*a*a*c", "x*"] {
            assert!(!matches(bad, "cc -o a.o a.c"), "{bad}");
        }
    }
}
