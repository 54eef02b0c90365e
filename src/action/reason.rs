//! Reasons, as data: why a lookup missed, and why a run was not recorded.
//!
//! Each has a name that `-v` prints and that never changes; the sentence is made in `Display`. It has a number
//! too, for the journal, which never changes either.

use std::fmt;
use std::path::{Path, PathBuf};

use super::depfile::NoDepfile;
use super::observation::{Difference, Subject};

/// Why a lookup missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Nothing was recorded under this key.
    NeverSeen,
    /// The program or its interpreter has other content.
    Program(PathBuf),
    /// An input has other content.
    InputChanged(PathBuf),
    /// There is something where nothing was.
    InputAppeared(PathBuf),
    /// An input has gone.
    InputGone(PathBuf),
    /// Something below a directory changed.
    TreeChanged(PathBuf),
    /// What was recorded is older than `--ttl` allows.
    Expired,
    /// What was recorded would not have been kept under this call's options.
    OtherOptions,
    /// What was recorded is not what its name says.
    Damaged(String),
    /// Something stands where an output is to be put back, and is not known as memo's.
    InTheWay(PathBuf),
    /// `--refresh` asked for a run.
    Refresh,
    /// What was recorded is older than `--stale`, and is refreshed behind.
    Stale,
    /// `--check` failed, and how.
    CheckFailed(String),
    /// The store is switched off.
    ModeOff,
    /// Standard input can not be known before it has been read.
    Stdin,
}

/// What [`Missed::number`] counts through, from 1.
const MISSED: [&str; 15] = [
    "never-seen",
    "program",
    "input-changed",
    "input-appeared",
    "input-gone",
    "tree-changed",
    "expired",
    "other-options",
    "damaged",
    "refresh",
    "mode-off",
    "stdin",
    "stale",
    "check-failed",
    "output-in-the-way",
];

/// What [`Unrecorded::number`] counts through, from 1.
const UNRECORDED: [&str; 22] = [
    "exit-status",
    "signal",
    "input-changed-meanwhile",
    "word-file-rewritten",
    "special-word",
    "tree-too-large",
    "output-missing",
    "output-is-input",
    "reader-gone",
    "pipe-held",
    "interactive",
    "same-key",
    "stdin",
    "store",
    "read-only",
    "too-large",
    "unkeyed",
    "build-driver",
    "output-special",
    "undeclared-output",
    "depfile",
    "singleton",
];

fn name_of(number: u8, names: &[&'static str]) -> Option<&'static str> {
    match usize::from(number) {
        0 => None,
        // A newer memo's.
        number => Some(names.get(number - 1).copied().unwrap_or("other")),
    }
}

impl Missed {
    /// Returns what it means to a lookup that a subject is not as it was.
    pub fn of(subject: &Subject, difference: Difference) -> Self {
        let path = subject.path().to_owned();
        match (subject, difference) {
            (Subject::Program(_) | Subject::Command(_) | Subject::Stamp(_), _) => Self::Program(path),
            (_, Difference::Appeared) => Self::InputAppeared(path),
            (_, Difference::Gone) => Self::InputGone(path),
            (Subject::Tree(_) | Subject::Listing(_), Difference::Changed) => Self::TreeChanged(path),
            (_, Difference::Changed) => Self::InputChanged(path),
        }
    }

    /// Returns the name of the reason.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NeverSeen => "never-seen",
            Self::Program(_) => "program",
            Self::InputChanged(_) => "input-changed",
            Self::InputAppeared(_) => "input-appeared",
            Self::InputGone(_) => "input-gone",
            Self::TreeChanged(_) => "tree-changed",
            Self::Expired => "expired",
            Self::OtherOptions => "other-options",
            Self::Damaged(_) => "damaged",
            Self::InTheWay(_) => "output-in-the-way",
            Self::Refresh => "refresh",
            Self::Stale => "stale",
            Self::CheckFailed(_) => "check-failed",
            Self::ModeOff => "mode-off",
            Self::Stdin => "stdin",
        }
    }

    /// Returns whether the run is wanted although there is an outcome whose observations hold: that one is to be
    /// replaced, not to be used.
    pub fn replaces(&self) -> bool {
        matches!(self, Self::Refresh | Self::Stale | Self::CheckFailed(_))
    }

    /// Returns whether it is about something that was observed and is not as it was.
    pub fn is_observed(&self) -> bool {
        matches!(
            self,
            Self::Program(_)
                | Self::InputChanged(_)
                | Self::InputAppeared(_)
                | Self::InputGone(_)
                | Self::TreeChanged(_)
        )
    }

    /// Returns the number that stands for the reason in the journal; 0 stands for none.
    pub fn number(&self) -> u8 {
        match self {
            Self::NeverSeen => 1,
            Self::Program(_) => 2,
            Self::InputChanged(_) => 3,
            Self::InputAppeared(_) => 4,
            Self::InputGone(_) => 5,
            Self::TreeChanged(_) => 6,
            Self::Expired => 7,
            Self::OtherOptions => 8,
            Self::Damaged(_) => 9,
            Self::Refresh => 10,
            Self::ModeOff => 11,
            Self::Stdin => 12,
            Self::Stale => 13,
            Self::CheckFailed(_) => 14,
            Self::InTheWay(_) => 15,
        }
    }
}

impl Missed {
    /// Returns the name of the reason with a number; `None` for 0.
    pub fn name_of(number: u8) -> Option<&'static str> {
        name_of(number, &MISSED)
    }
}

impl Missed {
    /// Returns the path the reason is about, or what was said.
    pub fn about(&self) -> Option<String> {
        match self {
            Self::Program(path)
            | Self::InputChanged(path)
            | Self::InputAppeared(path)
            | Self::InputGone(path)
            | Self::TreeChanged(path)
            | Self::InTheWay(path) => Some(path.display().to_string()),
            Self::Damaged(what) | Self::CheckFailed(what) => Some(what.clone()),
            _ => None,
        }
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Program(path)
            | Self::InputChanged(path)
            | Self::InputAppeared(path)
            | Self::InputGone(path)
            | Self::TreeChanged(path)
            | Self::InTheWay(path) => write!(f, ": `{}`", path.display()),
            Self::Damaged(what) | Self::CheckFailed(what) => write!(f, ": {what}"),
            _ => Ok(()),
        }
    }
}

/// Why a run was not recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unrecorded {
    /// The exit status is not one that `--cache-exit` keeps.
    ExitStatus(u8),
    /// The command died of a signal, or memo was sent one.
    Signal(i32),
    /// An input changed while the command ran.
    InputChangedMeanwhile(PathBuf),
    /// The command changed a file that a word names, in a way that memo cannot give back.
    WordFileRewritten(PathBuf),
    /// A word names something that has no content: a fifo, a device, a file of the kernel.
    SpecialWord(PathBuf),
    /// A word names a directory with too many entries.
    TreeTooLarge(PathBuf),
    /// A declared output was not made.
    OutputMissing(PathBuf),
    /// A declared output is something that memo does not keep, and what.
    OutputSpecial(PathBuf, &'static str),
    /// With `--strict`: the run left something new beside its declared outputs.
    UndeclaredOutput(PathBuf),
    /// A declared output is an input too.
    OutputIsInput(PathBuf),
    /// The depfile does not tell what the run read.
    Depfile(PathBuf, Unwritten),
    /// Whoever read the output went away.
    ReaderGone,
    /// A process the command left behind keeps the output open.
    PipeHeld,
    /// The command talked with the person at the terminal.
    Interactive,
    /// The same command is being run, by this call itself or by one that cannot be waited for.
    SameKey,
    /// Standard input was neither left alone nor read to its end.
    Stdin(&'static str),
    /// The store cannot be used, and this is why.
    Store(String),
    /// The store may only be read.
    ReadOnly,
    /// The result is larger than the store takes.
    TooLarge,
    /// What is to be hashed cannot be found out.
    Unkeyed(String),
    /// The command, by its program's name, is a build driver, and nothing says what it depends on.
    BuildDriver(String),
    /// A singleton in the key ended, or became another process, while the command ran.
    Singleton(String),
}

/// What is wrong with a depfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unwritten {
    /// The run did not write it.
    NotWritten,
    /// It is larger than any.
    TooLarge,
    /// It is none.
    NoDepfile(NoDepfile),
    /// It names something that is not there.
    Gone(PathBuf),
    /// It, or what it names, cannot be hashed.
    Unusable(PathBuf, String),
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWritten => f.write_str("the run did not write it"),
            Self::TooLarge => write!(f, "it is larger than {} MiB", super::depfile::MOST_BYTES >> 20),
            Self::NoDepfile(why) => why.fmt(f),
            Self::Gone(path) => write!(f, "it names `{}`, which does not exist", path.display()),
            Self::Unusable(path, why) => write!(f, "cannot hash `{}`: {why}", path.display()),
        }
    }
}

impl Unrecorded {
    /// Returns the name of the reason.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ExitStatus(_) => "exit-status",
            Self::Signal(_) => "signal",
            Self::InputChangedMeanwhile(_) => "input-changed-meanwhile",
            Self::WordFileRewritten(_) => "word-file-rewritten",
            Self::SpecialWord(_) => "special-word",
            Self::TreeTooLarge(_) => "tree-too-large",
            Self::OutputMissing(_) => "output-missing",
            Self::OutputSpecial(..) => "output-special",
            Self::UndeclaredOutput(_) => "undeclared-output",
            Self::OutputIsInput(_) => "output-is-input",
            Self::Depfile(..) => "depfile",
            Self::ReaderGone => "reader-gone",
            Self::PipeHeld => "pipe-held",
            Self::Interactive => "interactive",
            Self::SameKey => "same-key",
            Self::Stdin(_) => "stdin",
            Self::Store(_) => "store",
            Self::ReadOnly => "read-only",
            Self::TooLarge => "too-large",
            Self::Unkeyed(_) => "unkeyed",
            Self::BuildDriver(_) => "build-driver",
            Self::Singleton(_) => "singleton",
        }
    }

    /// Returns the number that stands for the reason in the journal; 0 stands for none.
    pub fn number(&self) -> u8 {
        match self {
            Self::ExitStatus(_) => 1,
            Self::Signal(_) => 2,
            Self::InputChangedMeanwhile(_) => 3,
            Self::WordFileRewritten(_) => 4,
            Self::SpecialWord(_) => 5,
            Self::TreeTooLarge(_) => 6,
            Self::OutputMissing(_) => 7,
            Self::OutputIsInput(_) => 8,
            Self::ReaderGone => 9,
            Self::PipeHeld => 10,
            Self::Interactive => 11,
            Self::SameKey => 12,
            Self::Stdin(_) => 13,
            Self::Store(_) => 14,
            Self::ReadOnly => 15,
            Self::TooLarge => 16,
            Self::Unkeyed(_) => 17,
            Self::BuildDriver(_) => 18,
            Self::OutputSpecial(..) => 19,
            Self::UndeclaredOutput(_) => 20,
            Self::Depfile(..) => 21,
            Self::Singleton(_) => 22,
        }
    }

    /// Returns the name of the reason with a number; `None` for 0.
    pub fn name_of(number: u8) -> Option<&'static str> {
        name_of(number, &UNRECORDED)
    }

    /// Returns what the user can do about it, where there is something.
    pub fn hint(&self) -> Option<String> {
        let shown = |path: &Path| path.display().to_string();
        match self {
            Self::WordFileRewritten(path) => {
                Some(format!("if it is an output, say so: `-o {}`", shown(path)))
            }
            Self::TreeTooLarge(path) => Some(format!(
                "name what is read, `-i '{}/*.c'`, and leave the rest to you with `--no-auto`",
                shown(path)
            )),
            Self::UndeclaredOutput(path) => {
                Some(format!("if it is an output, say so: `-o {}`", shown(path)))
            }
            Self::Depfile(path, Unwritten::NotWritten) => {
                Some(format!("let the command write it: `-MMD -MF {}` with gcc and clang", shown(path)))
            }
            Self::BuildDriver(_) => Some(
                "its sources would not be seen; say what it depends on: `-i src`, or `-k rev=\"$(git rev-parse HEAD)\"`"
                    .to_owned(),
            ),
            Self::SpecialWord(_) => Some("`--no-auto` keys by the words alone".to_owned()),
            _ => None,
        }
    }
}

impl Unrecorded {
    /// Returns what the reason is about: a path, an exit status.
    pub fn about(&self) -> Option<String> {
        match self {
            Self::ExitStatus(status) => Some(status.to_string()),
            Self::Signal(signal) => Some(signal.to_string()),
            Self::InputChangedMeanwhile(path)
            | Self::WordFileRewritten(path)
            | Self::SpecialWord(path)
            | Self::TreeTooLarge(path)
            | Self::OutputMissing(path)
            | Self::OutputSpecial(path, _)
            | Self::UndeclaredOutput(path)
            | Self::OutputIsInput(path)
            | Self::Depfile(path, _) => Some(path.display().to_string()),
            Self::Store(why) | Self::Unkeyed(why) => Some(why.clone()),
            Self::BuildDriver(name) | Self::Singleton(name) => Some(name.clone()),
            Self::Stdin(why) => Some((*why).to_owned()),
            _ => None,
        }
    }
}

impl fmt::Display for Unrecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let Some(about) = self.about() else { return Ok(()) };
        match self {
            Self::ExitStatus(_) | Self::Signal(_) | Self::Store(_) | Self::Unkeyed(_) | Self::Stdin(_) => {
                write!(f, ": {about}")
            }
            Self::Depfile(_, why) => write!(f, ": `{about}`: {why}"),
            Self::OutputSpecial(_, what) => write!(f, ": `{about}` is {what}"),
            _ => write!(f, ": `{about}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_for_its_name() {
        let path = || PathBuf::from("p");
        let missed = [
            Missed::NeverSeen,
            Missed::Program(path()),
            Missed::InputChanged(path()),
            Missed::InputAppeared(path()),
            Missed::InputGone(path()),
            Missed::TreeChanged(path()),
            Missed::Expired,
            Missed::OtherOptions,
            Missed::Damaged(String::new()),
            Missed::Refresh,
            Missed::ModeOff,
            Missed::Stdin,
            Missed::Stale,
            Missed::CheckFailed(String::new()),
            Missed::InTheWay(path()),
        ];
        assert!(missed.iter().map(Missed::number).eq(1..=MISSED.len() as u8));
        assert!(missed.iter().all(|missed| Missed::name_of(missed.number()) == Some(missed.name())));
        let unrecorded = [
            Unrecorded::ExitStatus(1),
            Unrecorded::Signal(1),
            Unrecorded::InputChangedMeanwhile(path()),
            Unrecorded::WordFileRewritten(path()),
            Unrecorded::SpecialWord(path()),
            Unrecorded::TreeTooLarge(path()),
            Unrecorded::OutputMissing(path()),
            Unrecorded::OutputIsInput(path()),
            Unrecorded::ReaderGone,
            Unrecorded::PipeHeld,
            Unrecorded::Interactive,
            Unrecorded::SameKey,
            Unrecorded::Stdin(""),
            Unrecorded::Store(String::new()),
            Unrecorded::ReadOnly,
            Unrecorded::TooLarge,
            Unrecorded::Unkeyed(String::new()),
            Unrecorded::BuildDriver(String::new()),
            Unrecorded::OutputSpecial(path(), ""),
            Unrecorded::UndeclaredOutput(path()),
            Unrecorded::Depfile(path(), Unwritten::NotWritten),
            Unrecorded::Singleton(String::new()),
        ];
        assert!(unrecorded.iter().map(Unrecorded::number).eq(1..=UNRECORDED.len() as u8));
        assert!(unrecorded.iter().all(|why| Unrecorded::name_of(why.number()) == Some(why.name())));
        assert_eq!((Missed::name_of(0), Unrecorded::name_of(200)), (None, Some("other")));
    }
}
