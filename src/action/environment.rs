//! Which environment variables are in the key.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::listing::is_glob;

/// Variables that are always in the key: they change what nearly every program prints.
pub const ALWAYS: &[&str] = &["LANG", "LC_*", "TZ"];

/// What a pattern that begins with a wildcard leaves out: variables of the shell, the terminal and the
/// session, which differ between two calls that are the same to every program.
///
/// From the measurements of `-e '*'` under bash, dash, make, fish and ssh.
pub const LEFT_OUT: &[&str] = &[
    "SHLVL",
    "PWD",
    "OLDPWD",
    "MAKEFLAGS",
    "MFLAGS",
    "MAKELEVEL",
    "MAKE_TERM*",
    "COLUMNS",
    "LINES",
    "WINDOWID",
    "TERM_SESSION_ID",
    "SSH_*",
    "XDG_SESSION_*",
    "DBUS_SESSION_BUS_ADDRESS",
    "CMD_DURATION",
    "STARSHIP_*",
];

/// A variable chosen for the key; no value means that it is not set, which differs from empty.
pub type Chosen = (OsString, Option<OsString>);

/// Chooses variables by `-e` selectors: a name, a glob, or `!` before either.
///
/// Returns them sorted by name. Names that begin with `_` are never chosen, nor are those in `assigned`:
/// their inherited value does not reach the command.
pub fn choose<'a>(
    variables: impl Iterator<Item = (&'a OsStr, &'a OsStr)> + Clone,
    selectors: &[OsString],
    assigned: &[&str],
) -> Vec<Chosen> {
    choose_besides(ALWAYS, variables, selectors, assigned)
}

/// Chooses as [`choose`] does, with other variables than [`ALWAYS`] that always count.
pub fn choose_besides<'a>(
    always: &[&str],
    variables: impl Iterator<Item = (&'a OsStr, &'a OsStr)> + Clone,
    selectors: &[OsString],
    assigned: &[&str],
) -> Vec<Chosen> {
    let always = always.iter().map(|name| name.as_bytes());
    let wanted: Vec<&[u8]> =
        always.chain(selectors.iter().map(|s| s.as_bytes()).filter(|s| !s.starts_with(b"!"))).collect();
    let refused: Vec<&[u8]> = selectors.iter().filter_map(|s| s.as_bytes().strip_prefix(b"!")).collect();
    let is_out = |name: &[u8]| {
        name.starts_with(b"_")
            || assigned.iter().any(|assigned| assigned.as_bytes() == name)
            || refused.iter().any(|pattern| fast_glob::glob_match(pattern, name))
    };
    let mut chosen: Vec<Chosen> = Vec::new();
    for (name, value) in variables.clone() {
        let bytes = name.as_bytes();
        if !is_out(bytes) && wanted.iter().any(|selector| selects(selector, bytes)) {
            chosen.push((name.to_owned(), Some(value.to_owned())));
        }
    }
    for &selector in &wanted {
        let set = variables.clone().any(|(name, _)| name.as_bytes() == selector);
        if !is_glob(selector) && !is_out(selector) && !set {
            chosen.push((OsStr::from_bytes(selector).to_owned(), None));
        }
    }
    chosen.sort();
    chosen.dedup_by(|a, b| a.0 == b.0);
    chosen
}

fn selects(selector: &[u8], name: &[u8]) -> bool {
    if !is_glob(selector) {
        return selector == name;
    }
    let sweeping = selector.starts_with(b"*") || selector.starts_with(b"?") || selector.starts_with(b"[");
    let left_out = name.starts_with(b"MEMO_")
        || sweeping && LEFT_OUT.iter().any(|pattern| fast_glob::glob_match(pattern.as_bytes(), name));
    !left_out && fast_glob::glob_match(selector, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)], selectors: &[&str], assigned: &[&str]) -> String {
        let variables: Vec<_> = variables.iter().map(|(n, v)| (OsStr::new(*n), OsStr::new(*v))).collect();
        let selectors: Vec<OsString> = selectors.iter().map(OsString::from).collect();
        let chosen = choose(variables.iter().copied(), &selectors, assigned);
        let shown = chosen.iter().filter(|(name, value)| value.is_some() || (name != "LANG" && name != "TZ"));
        shown
            .map(|(name, value)| match value {
                Some(value) => format!("{}={}", name.display(), value.display()),
                None => format!("-{}", name.display()),
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn the_locale_and_the_time_zone_always_count() {
        assert_eq!(
            chosen(&[("LANG", "C"), ("LC_ALL", "x"), ("TZ", ""), ("A", "1")], &[], &[]),
            "LANG=C LC_ALL=x TZ="
        );
    }

    #[test]
    fn a_name_that_is_not_set_differs_from_one_that_is_empty() {
        assert_eq!(chosen(&[], &["A"], &[]), "-A");
        assert_eq!(chosen(&[("A", "")], &["A"], &[]), "A=");
    }

    #[test]
    fn an_exclusion_wins_wherever_it_stands() {
        let aws = [("AWS_REGION", "eu"), ("AWS_SESSION_TOKEN", "t")];
        assert_eq!(chosen(&aws, &["AWS_*", "!AWS_SESSION_TOKEN"], &[]), "AWS_REGION=eu");
        assert_eq!(chosen(&aws, &["!AWS_SESSION_TOKEN", "AWS_*"], &[]), "AWS_REGION=eu");
    }

    #[test]
    fn names_with_an_underscore_in_front_never_count() {
        assert_eq!(chosen(&[("_A", "1"), ("_", "/bin/sh"), ("B", "2")], &["*", "_A"], &[]), "B=2");
    }

    #[test]
    fn everything_leaves_out_what_shells_and_terminals_set() {
        let noise = [("SHLVL", "2"), ("MAKEFLAGS", "-j2"), ("SSH_TTY", "x"), ("MEMO_DIR", "m"), ("A", "1")];
        assert_eq!(chosen(&noise, &["*"], &[]), "A=1");
        assert_eq!(chosen(&noise, &["MAKEFLAGS"], &[]), "MAKEFLAGS=-j2", "a literal name is obeyed");
    }

    #[test]
    fn an_assigned_variable_counts_as_the_assignment_only() {
        assert_eq!(chosen(&[("LANG", "C"), ("A", "1")], &["A"], &["LANG", "A"]), "");
    }
}
