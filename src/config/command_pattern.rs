//! Patterns of command lines, for rules and for the list of build drivers: `make`, `cmake --build`,
//! `{gcc,clang} -c *.c`, `./tools/gen`, `!cargo metadata`.
//!
//! The first word stands for the program: by its name, or, with a slash, by its path. Each word after it
//! must be among the command's words, in this order; others may stand between. In all of them `*`, `?`,
//! `[...]` and `{a,b}` mean what they do in a glob, but that `*` stands for slashes too.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::directory::normal;
use super::value::Bad;
use crate::action::listing::is_glob;

/// A command line, as far as patterns look at it.
#[derive(Clone, Copy, Debug)]
pub struct CommandLine<'a> {
    /// The program's file; may be relative to `directory`.
    pub program: &'a Path,
    /// All words, the first one included.
    pub words: &'a [OsString],
    /// The working directory, if it is known.
    pub directory: Option<&'a Path>,
}

/// A pattern of command lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandPattern {
    /// As it was written, without the `!`.
    text: Cow<'static, str>,
    /// Whether it takes out what it matches.
    negated: bool,
    /// What a path in it is relative to; the working directory, without one.
    base: Option<PathBuf>,
}

impl CommandPattern {
    /// Returns the pattern of a text that is known to be one.
    pub(super) fn built_in(text: &'static str) -> Self {
        Self { text: Cow::Borrowed(text), negated: false, base: None }
    }

    /// Reads a pattern.
    ///
    /// # Errors
    /// When it has no word.
    pub(super) fn read(text: &OsString, base: Option<&Path>, example: &'static str) -> Result<Self, Bad> {
        let text =
            text.to_str().ok_or_else(|| Bad::new("bytes that are not UTF-8 match nothing", example))?;
        let (text, negated) = match text.strip_prefix('!') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let first =
            text.split_ascii_whitespace().next().ok_or_else(|| Bad::new("a pattern has no word", example))?;
        let base = base.filter(|_| first.contains('/')).map(Path::to_owned);
        Ok(Self { text: Cow::Owned(text.trim().to_owned()), negated, base })
    }

    /// Returns the pattern as it was written.
    pub fn text(&self) -> String {
        format!("{}{}", if self.negated { "!" } else { "" }, self.text)
    }

    /// Returns whether it matches a command line, whatever its `!` makes of that.
    pub fn matches(&self, line: CommandLine<'_>) -> bool {
        let mut wanted = self.text.split_ascii_whitespace();
        let Some(program) = wanted.next() else { return false };
        if !self.matches_program(program, line) {
            return false;
        }
        let mut words = line.words.iter().skip(1);
        wanted.all(|wanted| words.any(|word| glob(wanted.as_bytes(), word.as_bytes())))
    }

    fn matches_program(&self, wanted: &str, line: CommandLine<'_>) -> bool {
        if !wanted.contains('/') {
            let name = line.words.first().and_then(|word| Path::new(word).file_name());
            return name.is_some_and(|name| glob(wanted.as_bytes(), name.as_bytes()));
        }
        let Some(directory) = line.directory else { return false };
        let wanted = normal(&self.base.as_deref().unwrap_or(directory).join(wanted));
        let program = normal(&directory.join(line.program));
        glob(wanted.as_os_str().as_bytes(), program.as_os_str().as_bytes())
    }
}

/// Returns the pattern that decides for a command line, the last one that matches; `None` when that takes
/// it out, or none does.
pub fn deciding<'a>(patterns: &'a [CommandPattern], line: CommandLine<'_>) -> Option<&'a CommandPattern> {
    patterns.iter().rev().find(|pattern| pattern.matches(line)).filter(|pattern| !pattern.negated)
}

/// Matches a word. `fast_glob` stops `*` at a slash, so the slashes are given another byte, which no word has.
fn glob(pattern: &[u8], word: &[u8]) -> bool {
    if !is_glob(pattern) {
        return pattern == word;
    }
    if !pattern.contains(&b'/') && !word.contains(&b'/') {
        return fast_glob::glob_match(pattern, word);
    }
    let without_slashes = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect()
    };
    fast_glob::glob_match(without_slashes(pattern), without_slashes(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn pattern(text: &str, base: Option<&str>) -> CommandPattern {
        CommandPattern::read(&text.into(), base.map(Path::new), "").unwrap()
    }

    fn matches_at(pattern: &CommandPattern, program: &str, line: &str) -> bool {
        let words = words(line);
        let directory = Some(Path::new("/work/src"));
        pattern.matches(CommandLine { program: Path::new(program), words: &words, directory })
    }

    #[track_caller]
    fn check(text: &str, yes: &[&str], no: &[&str]) {
        let pattern = pattern(text, None);
        for (lines, expected) in [(yes, true), (no, false)] {
            for line in lines {
                let program = line.split(' ').next().unwrap();
                assert_eq!(matches_at(&pattern, program, line), expected, "`{text}` and `{line}`");
            }
        }
    }

    #[test]
    fn a_program_is_named_or_placed() {
        check("make", &["make", "make -j4 all", "/usr/bin/make", "./make"], &["gmake", "cmake make", "Make"]);
        check("*cc", &["cc", "gcc", "/opt/x/gcc a"], &["cc1", "/cc/ld"]);
        check("/usr/bin/cc", &["/usr/bin/cc -c"], &["/bin/cc", "cc"]);
        check("/*/bin/cc", &["/usr/bin/cc", "/opt/x/bin/cc"], &["/bin/cc"]);
        check("./gen", &["./gen", "../src/gen"], &["../gen", "gen/gen"]);
    }

    #[test]
    fn words_are_found_in_their_order_with_others_between() {
        check("cc -c *.c", &["cc -O2 -c -g src/a.c -o a.o"], &["cc a.c -c", "cc -c a.h", "cc -c"]);
        check("{gcc,clang} -c", &["gcc -c", "clang x -c"], &["cc -c", "gcc -cc"]);
        check("cmake --build", &["cmake --build .", "cmake -j --build ."], &["cmake .", "cmake"]);
        check("a ? [bc]", &["a x b", "a x y c"], &["a b", "a xx b"]);
        check("  a \t b ", &["a b"], &["a"]);
    }

    #[test]
    fn a_path_in_a_projects_file_is_relative_to_that() {
        let pattern = pattern("tools/gen *", Some("/work"));
        assert!(matches_at(&pattern, "../tools/gen", "../tools/gen x"));
        assert!(matches_at(&pattern, "/work/tools/gen", "gen x"));
        assert!(!matches_at(&pattern, "tools/gen", "tools/gen x"));
        assert_eq!(pattern.text(), "tools/gen *");
    }

    #[test]
    fn of_all_that_match_the_last_decides() {
        let list: Vec<_> =
            ["cargo", "!cargo metadata", "go", "!g*", "go build"].map(|text| pattern(text, None)).into();
        let decided = |line: &str| {
            let words = words(line);
            let line = CommandLine { program: Path::new("x"), words: &words, directory: None };
            deciding(&list, line).map(CommandPattern::text)
        };
        assert_eq!(decided("cargo build").as_deref(), Some("cargo"));
        assert_eq!(decided("cargo metadata"), None);
        assert_eq!(decided("go vet"), None);
        assert_eq!(decided("go build").as_deref(), Some("go build"));
        assert_eq!(decided("cc"), None);
        assert_eq!(list[1].text(), "!cargo metadata");
    }

    #[test]
    fn a_pattern_has_a_word() {
        for text in ["", "!", "  ", "! "] {
            assert!(CommandPattern::read(&text.into(), None, "").is_err(), "{text:?}");
        }
    }

    #[test]
    fn any_bytes_are_words() {
        let words = [OsString::from("a"), OsStr::from_bytes(b"\xff.c").to_owned()];
        let line = CommandLine { program: Path::new("/a"), words: &words, directory: None };
        assert!(pattern("a *.c", None).matches(line));
    }
}
