//! What can be typed: the options of `memo run`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::typed::some;
use crate::config::{ExitCodes, size};
use crate::ui::Talk;

/// What was typed.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Hash this file, glob or directory too
    ///
    /// By content. Of a directory everything below it counts: names, kinds, who may execute, link texts,
    /// empty directories. A glob selects files, hidden ones too; `**` stands for any depth; it may match
    /// nothing. `!GLOB` leaves out what it matches (a glob without a slash is matched against file names).
    /// With `_NAME=PATH` the path must exist but is not hashed, not even when a word of the command names it.
    #[arg(short, long, value_name = "[NAME=]PATH|GLOB|DIR", value_hint = ValueHint::AnyPath, help_heading = "Key")]
    pub input: Vec<OsString>,

    /// Hash this environment variable too
    ///
    /// A name, a glob such as `APP_*`, or `!GLOB` for what is left out. LANG, LC_* and TZ always count. A
    /// name that begins with `_` never does. A variable that is empty differs from one that is not set.
    #[arg(short, long, value_name = "NAME|GLOB|!GLOB", value_hint = ValueHint::Other, help_heading = "Key")]
    pub env: Vec<OsString>,

    /// Hash this text too
    ///
    /// `-k day=$(date +%F)` gives one result a day. A text that begins with `_NAME=` is a label and not
    /// hashed; scripts write `-k v="$V"`.
    #[arg(short, long, value_name = "[NAME=]TEXT", value_hint = ValueHint::Other, help_heading = "Key")]
    pub key: Vec<OsString>,

    /// Hash what this shell command prints
    ///
    /// It runs at every call. When it fails, the command is not run.
    #[arg(long, value_name = "NAME=CMD", value_hint = ValueHint::Other, help_heading = "Key")]
    pub key_cmd: Vec<OsString>,

    /// Hash which process the singleton NAME is: the result is kept as long as that lives
    ///
    /// `memo singleton NAME -- COMMAND` starts it. It must be running, else nothing is run (exit status 125). With
    /// another process of that name the command runs again; when the process ends meanwhile, the run is not kept.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other, help_heading = "Key")]
    pub dep_singleton: Vec<String>,

    /// Hash stdin, or give the command none
    #[arg(long, value_name = "auto|none", help_heading = "Key")]
    pub stdin: Option<StdinChoice>,

    /// Give the command /dev/null as stdin; the same as --stdin none
    #[arg(short = 'n', help_heading = "Key")]
    pub no_stdin: bool,

    /// Share results between working directories
    #[arg(long, help_heading = "Key")]
    pub no_cwd: bool,

    /// Share results between checkouts: paths below DIR are kept relative to it
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Key")]
    pub root: Option<PathBuf>,

    /// Do not look at the files and directories that words of the command name
    #[arg(long, help_heading = "Key")]
    pub no_auto: bool,

    /// Do not hash the program and its interpreter
    #[arg(long, help_heading = "Key")]
    pub no_exe: bool,

    /// Store this output file, directory or glob, and put it back on a hit
    ///
    /// It comes back as a copy, with its permissions; of a directory everything below it, links by their
    /// text, empty directories too. What already is as it was stored is left alone, and only made as new as
    /// the newest input, so that make is content. A glob selects files and links; it may match nothing.
    #[arg(short, long, value_name = "PATH|GLOB|DIR", value_hint = ValueHint::AnyPath, help_heading = "Keep")]
    pub output: Vec<OsString>,

    /// Do not keep a run that leaves other new files beside its declared outputs
    #[arg(long, help_heading = "Keep")]
    pub strict: bool,

    /// Hash what this depfile names, which the command writes
    ///
    /// The rules for make in which compilers say what they read: `-MMD -MF FILE` of gcc and clang,
    /// `--emit=dep-info` of rustc. The file is an output too, and comes back on a hit.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Key")]
    pub depfile: Option<PathBuf>,

    /// Exit statuses that are kept, such as 0,1 or 0-3
    #[arg(long, value_name = "CODES", value_hint = ValueHint::Other, help_heading = "Keep")]
    pub cache_exit: Option<ExitCodes>,

    /// The group for ls and clear, instead of the program's name
    #[arg(short, long, value_name = "NAME", value_hint = ValueHint::Other, help_heading = "Keep")]
    pub group: Option<String>,

    /// Run again when the result is this old: 90, 15m, 1d12h, none
    #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other, help_heading = "Reuse")]
    pub ttl: Option<String>,

    /// Refresh behind when the result is this old, and answer with it meanwhile: 0, 30s, 10m
    ///
    /// One process runs the command again in the background, without a terminal and with /dev/null as stdin, and
    /// keeps the new result; when that fails, the old one stays. On a terminal the command gets /dev/null as
    /// stdin in any case, as with -n. Where other stdin, or an output file, is part of the result, the command is
    /// run at once instead, as with --ttl.
    #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other, help_heading = "Reuse")]
    pub stale: Option<String>,

    /// Run again when this shell command fails; it runs before a result is reused
    #[arg(long, value_name = "CMD", value_hint = ValueHint::Other, help_heading = "Reuse")]
    pub check: Option<OsString>,

    /// Run in any case, and replace what is stored
    #[arg(long, help_heading = "Reuse")]
    pub refresh: bool,

    /// Do not run: exit 75 when nothing is stored
    #[arg(long, conflicts_with = "refresh", help_heading = "Reuse")]
    pub only_cached: bool,

    /// Keep so many results of the group, those used last
    #[arg(long, value_name = "N", value_parser = some, value_hint = ValueHint::Other, help_heading = "Bound")]
    pub max_entries: Option<u64>,

    /// Keep the store no larger than this: 500M, 2GiB
    #[arg(long, value_name = "SIZE", value_parser = size::parse, value_hint = ValueHint::Other, help_heading = "Bound")]
    pub max_size: Option<u64>,

    /// Show how long the command has been running: auto at a terminal, always, never
    ///
    /// A line on stderr, after half a second, with a bar where it is known how long it took last time. It is never
    /// stored, and goes before the command's next output. `auto` shows it to somebody at a terminal, not in a
    /// script or under make, where several could be in each other's way; `always` wherever stderr goes.
    #[arg(long, value_name = "auto|always|never", help_heading = "Talk")]
    pub progress: Option<ProgressChoice>,

    /// Give the command a terminal of its own, so that colours and columns survive: never, always
    ///
    /// Its stdout and stderr are then one stream, which goes to stdout. The terminal's kind and size are in the key.
    #[arg(long, value_name = "never|always", help_heading = "Talk")]
    pub pty: Option<PtyChoice>,

    /// Say hit or miss, and why
    #[arg(short, long, help_heading = "Talk")]
    pub verbose: bool,

    /// Say nothing but errors
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Talk")]
    pub quiet: bool,

    /// Variables for the command, the command, its arguments
    #[arg(value_name = "[NAME=VALUE]... COMMAND [ARG]", required = true, trailing_var_arg = true)]
    pub command: Vec<OsString>,
}

/// Values of `--stdin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StdinChoice {
    /// Hash it.
    Auto,
    /// Give none.
    None,
}

/// Values of `--progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProgressChoice {
    /// To somebody at a terminal.
    Auto,
    /// Wherever stderr goes.
    Always,
    /// Not at all.
    Never,
}

/// Values of `--pty`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PtyChoice {
    /// No.
    Never,
    /// Yes.
    Always,
}

impl RunArgs {
    /// Returns how much memo is to say.
    pub fn talk(&self) -> Talk {
        match (self.quiet, self.verbose) {
            (true, _) => Talk::Quiet,
            (_, true) => Talk::Verbose,
            _ => Talk::Normal,
        }
    }
}
