//! `memo help [TOPIC]`: what is in the key, and what else fits on a screen.

use std::ffi::OsString;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::{mistaken, print, run_command, singleton, tree};
use crate::error::{Error, Kind};

/// Show what is in the key, or another topic, or a subcommand's help
///
/// `memo help key` is the table of what decides whether two calls are the same. The man pages have the rest.
#[derive(Args, Clone, Debug)]
pub struct HelpArgs {
    /// key, stdin, outputs, exit, or a subcommand
    #[arg(value_name = "TOPIC", hide_possible_values = true, value_parser = PossibleValuesParser::new(names()))]
    pub topic: Option<String>,

    /// A subcommand of `memo singleton`, behind that word
    #[arg(value_name = "SUBCOMMAND")]
    pub below: Option<String>,
}

/// The parts of the key, in plain words, and what leaves each out. The README has the same table.
pub const KEY: [(&str, &str); 13] = [
    ("the words of the command, byte for byte", ""),
    ("NAME=VALUE words before it", "_NAME=VALUE"),
    ("the working directory", "--no-cwd; --root DIR, or relocatable = true in memo.toml, makes it relative"),
    ("the program, and the interpreter in its #! line, by content", "--no-exe"),
    (
        "files that words name, by content; directories that words name, by names, sizes and times",
        "--no-auto",
    ),
    ("-i FILE, -i DIR, -i 'GLOB', by content", "-i _name=FILE, -i '!GLOB'"),
    ("what --depfile FILE names, which a compiler writes (-MMD -MF FILE), by content", "-i _name=FILE"),
    ("LANG, LC_* and TZ, and what -e NAME or -e 'GLOB' names", "-e '!NAME'"),
    ("-k TEXT, and what --key-cmd NAME=CMD prints", "-k _name=TEXT"),
    ("with --dep-singleton NAME, which process it is", ""),
    ("stdin", "-n"),
    ("whether stdout and stderr are one pipe, where a command writes to both", ""),
    ("with --pty always, the terminal's size and kind", "--pty never"),
];

const UNDER_KEY: &str = "
A name that begins with `_` is passed on but never hashed. Names are: environment
variables, NAME=VALUE words before the command, the NAME in -i, -k and --key-cmd.
Words of the command and file names are not names.

Not in it: --ttl, --stale, -g, -v, limits. Not seen at all: time, the network, files
that nobody names, the programs that the command starts, other variables.
`memo -v COMMAND` says which part made a call miss.
";

const STDIN: &str = "\
memo takes from stdin what the command takes, on a hit as in a run.

* /dev/null, a closed stdin, a terminal, and a pipe that stays open and silent are
  values of their own.
* A file counts by its content and the offset; a hit moves the offset as the run did.
* Of a pipe, what came through it counts, if the command read it to its end. The first
  call starts at once; later ones read ahead, and look the answer up.
* A command that takes nothing from a pipe is answered whatever the pipe holds.
* A command that was talked to from a terminal is not recorded.

-n (or --stdin none) gives the command /dev/null, like `ssh -n`.
";

const OUTPUTS: &str = "\
stdout, stderr and the exit status come back on a hit. So do these files:

  -o FILE, -o DIR, -o 'GLOB'  what is declared; it is replaced, as by a run
  --depfile FILE              what a compiler writes beside its object
  a word that names a file    if the run made it, and only where nothing is

They come back as copies, with their permissions. What already has the right bytes is
left alone, and made newer only where make would find it too old. In a declared
directory only what an earlier run of the same command made is ever removed.

A run that changes a file named by a word in another way is not recorded, and a note
names -o. --strict does not keep a run that leaves other new files beside its outputs.
";

const EXIT: &str = "\
The command's own. A command that dies of a signal takes memo with it, by that signal.

   75  --only-cached was given, and nothing is recorded
  125  memo was used wrongly, or what -i, -o or --key-cmd names cannot be used, or what
       --dep-singleton names is not running; the command was not run
  126  the command was found but cannot be executed
  127  the command was not found

memo singleton also ends with 124, when a process was not ready or did not reply in
time, with 75, when none was to be started or replaced, and as one does that ends first.

Only exit status 0 is kept; --cache-exit 0,1 keeps 1 too. A death by signal never is.
Subcommands end with 0, with 1 when there is nothing such (doctor: when something is
wrong), with 2 when they were used wrongly. Trouble with the store changes no status.
";

/// The name of what is no subcommand, and what is to be said of it.
type Topic = (&'static str, fn() -> String);

/// All of these.
const TOPICS: [Topic; 4] = [
    ("key", key),
    ("stdin", || STDIN.to_owned()),
    ("outputs", || OUTPUTS.to_owned()),
    ("exit", || EXIT.to_owned()),
];

/// Prints help. Returns the exit code.
///
/// # Errors
/// When stdout fails, or there is nothing of that name.
pub fn help(args: &HelpArgs) -> Result<u8, Error> {
    match (args.topic.as_deref(), args.below.as_deref()) {
        (Some("singleton"), Some(name)) => print::print(&text_of_singleton(name)?).map(|()| 0),
        (topic, Some(odd)) => {
            let words: Vec<OsString> = topic.into_iter().chain([odd]).map(OsString::from).collect();
            Err(mistaken::about("help", &words, odd))
        }
        (topic, None) => print::print(&text(topic)).map(|()| 0),
    }
}

/// Prints help for what stands behind `memo singleton help`. Returns the exit code.
///
/// # Errors
/// As those of [`help`].
pub fn of_singleton(words: &[OsString]) -> Result<u8, Error> {
    let below = words.first().map(|word| word.to_string_lossy().into_owned());
    help(&HelpArgs { topic: Some("singleton".to_owned()), below })
}

fn text_of_singleton(name: &str) -> Result<String, Error> {
    let tree = singleton::tree();
    match tree.find_subcommand(name) {
        Some(found) => Ok(found.clone().render_long_help().to_string()),
        None => Err(Error::new(Kind::Usage, format_args!("`memo singleton` has no subcommand `{name}`"))
            .hint(format_args!("it has {}", singleton::SUBCOMMANDS.join(", ")))),
    }
}

fn text(topic: Option<&str>) -> String {
    if let Some((_, text)) = TOPICS.iter().find(|(name, _)| Some(*name) == topic) {
        return text();
    }
    match topic {
        None => run_command().render_help().to_string(),
        Some("run") => run_command().render_long_help().to_string(),
        Some("singleton") => singleton::command().render_long_help().to_string(),
        Some(name) => {
            let found = tree().find_subcommand(name).cloned().unwrap_or_default();
            found.bin_name(format!("memo {name}")).render_long_help().to_string()
        }
    }
}

/// Returns all that has help, in the order in which it is offered.
fn names() -> Vec<&'static str> {
    let topics = TOPICS.iter().map(|(name, _)| *name);
    topics.chain(["run"]).chain(super::SUBCOMMANDS.iter().copied()).collect()
}

/// Returns the table of the key.
fn key() -> String {
    const PART: usize = 49;
    let mut out = format!("{:PART$}  LEFT OUT BY\n", "TWO CALLS ARE THE SAME WHEN THESE ARE");
    for (part, off) in KEY {
        let (mut parts, mut offs) = (wrapped(part, PART - 2), wrapped(off, 78 - PART));
        let lines = parts.len().max(offs.len());
        parts.resize(lines, String::new());
        offs.resize(lines, String::new());
        for (number, (part, off)) in parts.iter().zip(&offs).enumerate() {
            let indent = if number == 0 { "" } else { "  " };
            let line = format!("{:PART$}  {off}", format!("{indent}{part}"));
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out + UNDER_KEY
}

/// Breaks a text between words, into lines of at most so many columns. A word longer than that stays whole.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_fit_a_terminal() {
        for (name, text) in TOPICS {
            let text = text();
            assert!(text.lines().count() <= 30, "{name}");
            for line in text.lines() {
                assert!(line.chars().count() <= 88 && line.trim_end() == line, "{name}: `{line}`");
            }
            assert!(key().lines().take(21).all(|line| line.len() <= 80), "the table has 80 columns");
        }
    }

    #[test]
    fn all_parts_of_the_key_are_told() {
        let told = key().split_whitespace().collect::<Vec<_>>().join(" ");
        for (part, off) in KEY {
            for word in part.split(' ').chain(off.split(' ')) {
                assert!(told.contains(word), "{word}");
            }
        }
    }

    #[test]
    fn everything_that_is_offered_has_help() {
        for name in names() {
            assert!(!text(Some(name)).is_empty(), "{name}");
        }
        for (name, _) in TOPICS {
            assert!(tree().find_subcommand(name).is_none(), "a topic hides no subcommand");
        }
        for name in crate::cli::SUBCOMMANDS {
            assert!(text(Some(name)).contains(&format!("\nUsage: memo {name}")), "{name}");
        }
        for name in singleton::SUBCOMMANDS {
            let text = text_of_singleton(name).unwrap();
            assert!(text.contains(&format!("\nUsage: memo singleton {name}")), "{name}: {text}");
        }
        assert_eq!(text_of_singleton("nosuch").unwrap_err().kind(), Kind::Usage);
        assert!(text(Some("run")).contains("--depfile"));
        assert!(text(None).contains("Usage: memo"));
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("a bc def", 4), ["a bc", "def"]);
        assert_eq!(wrapped("abcdef g", 3), ["abcdef", "g"]);
        assert_eq!(wrapped("", 3), [""]);
    }
}
