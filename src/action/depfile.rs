//! Depfiles: the rules for make in which compilers say what they read.
//!
//! What gcc and clang (`-MMD`, `-MD`, `-MP`) and rustc (`--emit=dep-info`) write, and what GNU make and ninja
//! (src/depfile_parser.in.cc) read of it. No variables, recipes or patterns: compilers write none.
//!
//! | written | stands for |
//! |---|---|
//! | a space or tab behind an odd number of backslashes, 2N+1 | N backslashes and the space |
//! | one behind 2N backslashes | N backslashes at the end of a name |
//! | `\#` | `#`; backslashes before it stand for themselves |
//! | `\:` within a name | `:`, likewise |
//! | `$$` | `$` |
//! | `\` at the end of a line | the line goes on |
//! | `#` at the beginning of a word | a comment up to the end of the line |
//! | any other backslash, `$` or `#` | itself (gcc doubles none, rustc escapes spaces alone) |

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// How large a depfile may be in bytes. That of a large C++ unit has some 300 KiB.
pub const MOST_BYTES: u64 = 16 << 20;

/// Why a text is no depfile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDepfile {
    /// Nothing stands in it, or comments alone: what wrote it did not get far.
    #[error("it holds no rule")]
    Empty,
    /// A line has no target.
    #[error("its line {0} is no rule")]
    NoRule(usize),
}

/// Returns the prerequisites of all rules, unescaped, in the order of their first appearance. Targets, also
/// those that have no prerequisites (`-MP`), are left out.
///
/// # Errors
/// [`NoDepfile`].
pub fn prerequisites(text: &[u8]) -> Result<Vec<PathBuf>, NoDepfile> {
    let mut reader = Reader { text, at: 0, line: 1 };
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut has_rules = false;
    let mut place = Place::Start;
    loop {
        let line = reader.line;
        match (reader.next(place != Place::Prerequisites), place) {
            (Token::Name(name), Place::Prerequisites) => {
                if seen.insert(name.clone()) {
                    found.push(PathBuf::from(OsString::from_vec(name)));
                }
            }
            (Token::Name(_), _) => place = Place::Targets,
            (Token::Colon, _) => {
                has_rules = true;
                place = Place::Prerequisites;
            }
            (Token::Line | Token::End, Place::Targets) => return Err(NoDepfile::NoRule(line)),
            (Token::Line, _) => place = Place::Start,
            (Token::End, _) if has_rules => return Ok(found),
            (Token::End, _) => return Err(NoDepfile::Empty),
        }
    }
}

/// Where in a rule the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Targets,
    Prerequisites,
}

enum Token {
    Name(Vec<u8>),
    /// Between targets and prerequisites.
    Colon,
    /// The end of a line that does not go on.
    Line,
    End,
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl Reader<'_> {
    /// Returns the next token. Only `before_colon` ends a colon at the end of a word the targets: behind it,
    /// a name may end with one.
    fn next(&mut self, before_colon: bool) -> Token {
        self.skip_blanks();
        let mut name = Vec::new();
        loop {
            match self.peek(0) {
                None if name.is_empty() => return Token::End,
                Some(b'\n') if name.is_empty() => {
                    self.at += 1;
                    self.line += 1;
                    return Token::Line;
                }
                None | Some(b'\n' | b' ' | b'\t' | b'\r') => return Token::Name(name),
                Some(b'#') if name.is_empty() => self.skip_comment(),
                Some(b':') if before_colon && is_blank(self.peek(1)) => {
                    if !name.is_empty() {
                        return Token::Name(name);
                    }
                    self.at += 1;
                    return Token::Colon;
                }
                Some(b'$') if self.peek(1) == Some(b'$') => {
                    name.push(b'$');
                    self.at += 2;
                }
                Some(b'\\') => {
                    if self.backslashes(&mut name, before_colon) {
                        return Token::Name(name);
                    }
                }
                Some(byte) => {
                    name.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// Reads backslashes and what they escape; returns whether the name ends with them.
    fn backslashes(&mut self, name: &mut Vec<u8>, before_colon: bool) -> bool {
        let count = self.text[self.at..].iter().take_while(|byte| **byte == b'\\').count();
        self.at += count;
        let (kept, escaped) = match self.peek(0) {
            Some(blank @ (b' ' | b'\t')) => (count / 2, (count % 2 == 1).then_some(blank)),
            Some(_) if self.ends_line() => {
                // Of an odd number the last one says that the line goes on, which is as good as a space.
                self.at -= count % 2;
                (count / 2, None)
            }
            Some(b'#') => (count - 1, Some(b'#')),
            // Before the end of a word it is the colon of the rule, and the backslashes are the name's.
            Some(b':') if before_colon && !is_blank(self.peek(1)) => (count - 1, Some(b':')),
            _ => {
                name.resize(name.len() + count, b'\\');
                return false;
            }
        };
        name.resize(name.len() + kept, b'\\');
        name.extend(escaped);
        self.at += usize::from(escaped.is_some());
        escaped.is_none() && !name.is_empty()
    }

    /// Skips blanks, and ends of lines that go on.
    fn skip_blanks(&mut self) {
        loop {
            self.at += match (self.peek(0), self.peek(1), self.peek(2)) {
                (Some(b' ' | b'\t' | b'\r'), ..) => 1,
                (Some(b'\\'), Some(b'\n'), _) => 2,
                (Some(b'\\'), Some(b'\r'), Some(b'\n')) => 3,
                _ => return,
            };
            self.line += usize::from(self.text[self.at - 1] == b'\n');
        }
    }

    fn ends_line(&self) -> bool {
        matches!((self.peek(0), self.peek(1)), (Some(b'\n'), _) | (Some(b'\r'), Some(b'\n')))
    }

    fn skip_comment(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }
}

/// Returns whether a word ends before this.
fn is_blank(byte: Option<u8>) -> bool {
    matches!(byte, None | Some(b' ' | b'\t' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = prerequisites(text.as_bytes());
        let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
        assert_eq!(found, Ok(expected), "{text:?}");
    }

    #[test]
    fn what_gcc_writes() {
        check(
            "lapi.o: lapi.c lprefix.h lua.h \\\n luaconf.h lapi.h\nlprefix.h:\nlua.h:\n",
            &["lapi.c", "lprefix.h", "lua.h", "luaconf.h", "lapi.h"],
        );
        // gcc 12 for `"a b#c$d:e%f.h"`, `"back\slash.h"`, `"two\\ sp.h"`, a tab, `"colon:"`, `"s\#h.h"`.
        let text = "o\\ u:t.o: m.c a\\ b\\#c$$d:e%f.h back\\slash.h two\\\\\\\\\\ sp.h \\\n tab\\\there.h colon: \
                    \\#lead.h p|q.h s\\\\#h.h\na\\ b\\#c$$d:e%f.h:\ncolon::\n\\#lead.h:\n";
        let expected =
            ["m.c", "a b#c$d:e%f.h", "back\\slash.h", "two\\\\ sp.h", "tab\there.h", "colon:", "#lead.h"];
        check(text, &[&expected[..], &["p|q.h", "s\\#h.h"]].concat());
    }

    #[test]
    fn what_rustc_writes() {
        let text = "m.d: m.rs q\\ r#s.rs\n\nlibm.rmeta: m.rs q\\ r#s.rs\n\nm.rs:\nq\\ r#s.rs:\n\n# env-dep:HOME=/root\n# env-dep:C\n";
        check(text, &["m.rs", "q r#s.rs"]);
    }

    #[test]
    fn several_targets_and_several_rules() {
        check("a.o b.o: x y\nc.o : y z", &["x", "y", "z"]);
        check("a\\ b\\ c:   d\\ e f g", &["d e", "f", "g"]);
        check("a.o:\n", &[]);
        check("a.o: # none\n#a: b\n", &[]);
        check("C:x\\:y: z:\n", &["z:"]);
        check("a.o:: x", &["x"]);
    }

    #[test]
    fn lines_that_go_on_and_lines_of_windows() {
        check(" \\\n  out: in\n", &["in"]);
        check("foo.o: \\\r\n  bar.h baz.h\r\n", &["bar.h", "baz.h"]);
        check("foo.o: a\\\n  b\\\\\\\nc\\\\\nd: e", &["a", "b\\", "c\\", "e"]);
        check("\\\n\\\r\n\\\nfoo: \\\n\\\n", &[]);
    }

    #[test]
    fn other_backslashes_and_colons_stand_for_themselves() {
        check("Dir\\Foo.res : \\\n  Dir\\Foo.rc", &["Dir\\Foo.rc"]);
        check("x: \\!\\@\\#$$\\%\\^$y", &["\\!\\@#$\\%\\^$y"]);
        check("dir\\: a", &["a"]);
        check("x: a\\:b c:d", &["a\\:b", "c:d"]);
        check("x: a\\", &["a\\"]);
        check("x: a\\\r", &["a\\"]);
        check("x: \\\ry", &["\\", "y"]);
    }

    #[test]
    fn what_is_no_depfile() {
        for (text, line) in [("a.o", 1), ("a.o: b\nc d\n", 2), ("a: \\\n b\n\n\tcc $x\nd: e", 4), ("a:b", 1)]
        {
            assert_eq!(prerequisites(text.as_bytes()), Err(NoDepfile::NoRule(line)), "{text:?}");
        }
        for text in ["", "\n \t\r\n", "# a: b\n", "\\"] {
            let found = prerequisites(text.as_bytes());
            assert!(matches!(found, Err(NoDepfile::Empty | NoDepfile::NoRule(1))), "{text:?}: {found:?}");
        }
    }
}
