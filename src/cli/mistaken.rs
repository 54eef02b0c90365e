//! Calls of a subcommand that were meant to memoize the command of the same name: `memo ls -la`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::error::{ContextKind, ContextValue};

use super::quote;
use super::singleton::SUBCOMMANDS;
use crate::config::nearest::nearest;
use crate::error::{Error, Kind};

/// Returns the error for words after a subcommand that it does not take, as the parser says.
pub fn mistaken(subcommand: &str, words: &[OsString], refused: &clap::Error) -> Error {
    let (odd, similar) = odd_and_similar(words, refused);
    let error = about(subcommand, words, &odd);
    match similar {
        Some(similar) => error.hint(format!("there is `{similar}`")),
        None => error,
    }
}

/// Returns the error for one of the words after a subcommand.
pub(super) fn about(subcommand: &str, words: &[OsString], odd: &str) -> Error {
    let what = match subcommand {
        "ls" => "lists what is recorded",
        "show" => "shows one entry",
        "clear" => "removes what is recorded",
        "why" => "says whether a command would hit",
        "stats" => "says what memo was good for",
        "gc" => "makes room in the store",
        "doctor" => "looks for damage in the store",
        "config" => "prints what is configured",
        "help" => "explains memo",
        _ => "is one of memo's own",
    };
    let line: Vec<_> = words.iter().map(|word| quote::word(word.as_bytes())).collect();
    Error::new(Kind::Usage, format!("`memo {subcommand}` {what}; it takes no `{odd}`"))
        .hint(format!("to memoize {subcommand} itself: `memo -- {subcommand} {}`", line.join(" ")))
}

/// Returns the subcommand of `memo singleton` that is meant by a word in its place: typed wrongly, or called so elsewhere.
pub(super) fn subcommand_of_singleton(word: &str) -> Option<&'static str> {
    match word {
        "list" | "ps" => Some("ls"),
        "kill" | "rm" => Some("stop"),
        word => nearest(word, SUBCOMMANDS),
    }
}

/// Returns whether a word looks like a path, where a KEY or PATTERN should be.
pub(super) fn is_path_like(word: &str) -> bool {
    word.starts_with(['/', '.'])
}

/// Returns which of the words the subcommand does not take, and the option that may have been meant.
fn odd_and_similar(words: &[OsString], refused: &clap::Error) -> (String, Option<String>) {
    let told = |kind| match refused.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    };
    let odd = told(ContextKind::InvalidArg)
        .map(|odd| quote::word(odd.as_bytes()))
        .or_else(|| words.first().map(|word| quote::word(word.as_bytes())))
        .unwrap_or_default();
    (odd, told(ContextKind::SuggestedArg))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, ArgAction, Command};

    #[test]
    fn a_subcommand_of_singleton_is_known_by_what_it_is_called_elsewhere() {
        for (word, meant) in [
            ("stats", Some("status")),
            ("stauts", Some("status")),
            ("log", Some("logs")),
            ("list", Some("ls")),
            ("ps", Some("ls")),
            ("kill", Some("stop")),
            ("rm", Some("stop")),
            ("db", None),
            ("web", None),
            ("redis", None),
        ] {
            assert_eq!(subcommand_of_singleton(word), meant, "{word}");
        }
    }

    fn check(subcommand: &str, words: &[&str], message: &str, hints: &[&str]) {
        let words: Vec<_> = words.iter().map(OsString::from).collect();
        let parser = Command::new("").no_binary_name(true).args([
            Arg::new("pattern"),
            Arg::new("long").short('l').action(ArgAction::SetTrue),
            Arg::new("json").long("json").action(ArgAction::SetTrue),
        ]);
        let error = mistaken(subcommand, &words, &parser.try_get_matches_from(&words).unwrap_err());
        assert_eq!(error.kind(), Kind::Usage);
        assert_eq!(
            (error.to_string().as_str(), error.hints()),
            (message, &*hints.iter().map(|hint| hint.to_string()).collect::<Vec<_>>())
        );
    }

    #[test]
    fn what_the_subcommand_does_not_take_is_named() {
        check(
            "ls",
            &["-la"],
            "`memo ls` lists what is recorded; it takes no `-a`",
            &["to memoize ls itself: `memo -- ls -la`"],
        );
        check(
            "ls",
            &["a", "b c"],
            "`memo ls` lists what is recorded; it takes no `'b c'`",
            &["to memoize ls itself: `memo -- ls a 'b c'`"],
        );
        check(
            "ls",
            &["--jso"],
            "`memo ls` lists what is recorded; it takes no `--jso`",
            &["to memoize ls itself: `memo -- ls --jso`", "there is `--json`"],
        );
        check(
            "clear",
            &["-x"],
            "`memo clear` removes what is recorded; it takes no `-x`",
            &["to memoize clear itself: `memo -- clear -x`"],
        );
    }
}
