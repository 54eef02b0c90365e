//! What can be typed: the options of `memo singleton`.

use std::ffi::OsString;

use clap::{Args, ValueEnum, ValueHint};

use crate::singleton::ask::OnChange;
use crate::singleton::message::Busy;
use crate::ui::Talk;

/// What says which singleton is meant, and what it depends on.
#[derive(Args, Clone, Debug, Default)]
pub struct KeyArgs {
    /// This file, glob or directory, by content
    ///
    /// As -i of `memo run`. It is looked at when somebody asks, and never watched. What words of the command name is
    /// not looked at.
    #[arg(short, long, value_name = "[NAME=]PATH|GLOB|DIR", value_hint = ValueHint::AnyPath, help_heading = "Depends on")]
    pub input: Vec<OsString>,

    /// This environment variable
    ///
    /// As -e of `memo run`. No other variable counts, not even LANG, LC_* and TZ; all are passed on.
    #[arg(short, long, value_name = "NAME|GLOB|!GLOB", value_hint = ValueHint::Other, help_heading = "Depends on")]
    pub env: Vec<OsString>,

    /// This text
    ///
    /// A text that begins with `_NAME=` is a label and not compared.
    #[arg(short, long, value_name = "[NAME=]TEXT", value_hint = ValueHint::Other, help_heading = "Depends on")]
    pub key: Vec<OsString>,

    /// What this shell command prints; it runs whenever somebody asks
    #[arg(long, value_name = "NAME=CMD", value_hint = ValueHint::Other, help_heading = "Depends on")]
    pub key_cmd: Vec<OsString>,

    /// Which process this other singleton is
    ///
    /// It must be running. When it is another process, this one is replaced too.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other, help_heading = "Depends on")]
    pub dep_singleton: Vec<String>,

    /// Not the directory it is asked for from
    #[arg(long, help_heading = "Depends on")]
    pub no_cwd: bool,

    /// Not its program, nor the interpreter of that
    #[arg(long, help_heading = "Depends on")]
    pub no_exe: bool,

    /// The name is good wherever you are, and not in this project alone
    ///
    /// A project is the nearest directory upwards with a memo.toml, .git or .jj in it; without one it is the working
    /// directory.
    #[arg(long)]
    pub global: bool,
}

/// What an instance is to be, and what is done about one that is there.
#[derive(Args, Clone, Debug, Default)]
pub struct AskArgs {
    #[command(flatten)]
    pub(super) key: KeyArgs,

    /// It is ready when one of its processes listens on this port: 8080, [::1]:8080, '$PORT'
    ///
    /// `$PORT` is the one that --port gives it. All that is asked for must be so: every --ready option may be given, and more than once. Without any, it is
    /// ready when it was started and has not ended at once.
    #[arg(long, value_name = "[HOST:]PORT", value_hint = ValueHint::Other, help_heading = "Ready")]
    pub ready_port: Vec<String>,

    /// It is ready when one of its processes listens on this socket
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath, help_heading = "Ready")]
    pub ready_unix: Vec<OsString>,

    /// It is ready when this URL answers: 'http://localhost:$PORT/health'
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, help_heading = "Ready")]
    pub ready_http: Vec<String>,

    /// The statuses that count as an answer of --ready-http: 204, 200-299 (200-399)
    #[arg(long, value_name = "FROM[-TO]", value_hint = ValueHint::Other, requires = "ready_http", help_heading = "Ready")]
    pub ready_status: Option<String>,

    /// It is ready when it writes a line that this regular expression matches
    ///
    /// Named groups are published: `--ready-log 'listening on (?<addr>\S+)'` makes that its address.
    #[arg(long, value_name = "REGEX", value_hint = ValueHint::Other, help_heading = "Ready")]
    pub ready_log: Vec<String>,

    /// It is ready when this shell command succeeds: 'pg_isready -p $PORT'
    ///
    /// In its directory, with its environment; again and again until it does.
    #[arg(long, value_name = "CMD", value_hint = ValueHint::Other, help_heading = "Ready")]
    pub ready_cmd: Vec<OsString>,

    /// It is ready when this file is there and not older than the process
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath, help_heading = "Ready")]
    pub ready_file: Vec<OsString>,

    /// It is ready when it says so: sd_notify(3)
    #[arg(long, help_heading = "Ready")]
    pub ready_notify: bool,

    /// Give it a port in $PORT: this one, or `auto` for one that is free
    ///
    /// It is ready when it listens there, if nothing else is said. Another process gets another port from `auto`.
    #[arg(long, value_name = "auto|PORT", value_hint = ValueHint::Other, help_heading = "Ready")]
    pub port: Option<String>,

    /// How long it may take until it is ready (60s)
    #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other, help_heading = "Ready")]
    pub timeout: Option<String>,

    /// Let it answer calls, with requests and replies told apart so: line, json, lsp
    ///
    /// It reads requests from stdin and writes replies to stdout, and nothing else. `line`: one line each; `json`: one
    /// JSON value each, on a line; `lsp`: each behind a `Content-Length: BYTES` and an empty line.
    #[arg(long, value_name = "line|json|lsp", value_hint = ValueHint::Other, help_heading = "Calls")]
    pub framing: Option<String>,

    /// End it when nobody has used it for so long: 15m, none (15m where it answers calls, else none)
    #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other, help_heading = "Life")]
    pub idle: Option<String>,

    /// End it when it is this old and nobody uses it: 1d12h, none (none)
    #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other, help_heading = "Life")]
    pub ttl: Option<String>,

    /// Replace it when this shell command fails; it runs before a process that is there is handed out
    ///
    /// It gets MEMO_ADDR, MEMO_PID, MEMO_INSTANCE and the like.
    #[arg(long, value_name = "CMD", value_hint = ValueHint::Other, help_heading = "Life")]
    pub check: Option<OsString>,

    /// Run this shell command once for each process that has gone, however it went
    #[arg(long, value_name = "CMD", value_hint = ValueHint::Other, help_heading = "Life")]
    pub on_release: Option<OsString>,

    /// Start it again when it fails, without being asked: no, on-failure (no)
    #[arg(long, value_name = "no|on-failure", help_heading = "Life")]
    pub restart: Option<RestartChoice>,

    /// The signal that asks it to end: INT, 2 (TERM)
    #[arg(long, value_name = "SIGNAL", value_hint = ValueHint::Other, help_heading = "Life")]
    pub stop_signal: Option<String>,

    /// How long it may take to end before it is killed (10s)
    #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other, help_heading = "Life")]
    pub grace: Option<String>,

    /// Hide it from CI systems that end what a job has left
    #[arg(long, help_heading = "Life")]
    pub survive_ci: bool,

    /// When something it depends on has changed: replace, keep, fail (replace)
    #[arg(long, value_name = "replace|keep|fail", help_heading = "Change")]
    pub on_change: Option<OnChangeChoice>,

    /// While others use what is to be replaced: wait, fail, kill (wait)
    ///
    /// They use it who hold it (`memo singleton run`) or wait for a reply (`memo singleton call`).
    #[arg(long, value_name = "wait|fail|kill", help_heading = "Change")]
    pub busy: Option<BusyChoice>,

    /// Replace it in any case, and start it even if it ended again and again
    #[arg(long, conflicts_with = "no_start", help_heading = "Change")]
    pub force: bool,

    /// Start nothing: exit 75 when it is not running
    #[arg(long, help_heading = "Change")]
    pub no_start: bool,

    /// Say what is done
    #[arg(short, long, help_heading = "Talk")]
    pub verbose: bool,

    /// Say nothing but errors
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Talk")]
    pub quiet: bool,
}

/// Values of `--restart`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RestartChoice {
    /// It stays ended until somebody asks.
    No,
    /// It is started again.
    OnFailure,
}

/// Values of `--on-change`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnChangeChoice {
    /// End it and start another.
    Replace,
    /// Use it all the same.
    Keep,
    /// Exit 75.
    Fail,
}

/// Values of `--busy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BusyChoice {
    /// Until nobody does.
    Wait,
    /// Exit 75.
    Fail,
    /// End it all the same.
    Kill,
}

impl From<OnChangeChoice> for OnChange {
    fn from(choice: OnChangeChoice) -> Self {
        match choice {
            OnChangeChoice::Replace => Self::Replace,
            OnChangeChoice::Keep => Self::Keep,
            OnChangeChoice::Fail => Self::Fail,
        }
    }
}

impl From<BusyChoice> for Busy {
    fn from(choice: BusyChoice) -> Self {
        match choice {
            BusyChoice::Wait => Self::Wait,
            BusyChoice::Fail => Self::Fail,
            BusyChoice::Kill => Self::Kill,
        }
    }
}

impl AskArgs {
    /// Returns an option that was given and says nothing without a command: what the instance is to be, what it depends
    /// on, how it lives, and what is done about a change.
    pub fn without_command(&self) -> Option<&'static str> {
        let (key, life) = (&self.key, |option: &Option<String>| option.is_some());
        let given = [
            ("--input", !key.input.is_empty()),
            ("--env", !key.env.is_empty()),
            ("--key", !key.key.is_empty()),
            ("--key-cmd", !key.key_cmd.is_empty()),
            ("--dep-singleton", !key.dep_singleton.is_empty()),
            ("--no-cwd", key.no_cwd),
            ("--no-exe", key.no_exe),
            ("--ready-port", !self.ready_port.is_empty()),
            ("--ready-unix", !self.ready_unix.is_empty()),
            ("--ready-http", !self.ready_http.is_empty()),
            ("--ready-log", !self.ready_log.is_empty()),
            ("--ready-cmd", !self.ready_cmd.is_empty()),
            ("--ready-file", !self.ready_file.is_empty()),
            ("--ready-notify", self.ready_notify),
            ("--port", life(&self.port)),
            ("--framing", life(&self.framing)),
            ("--idle", life(&self.idle)),
            ("--ttl", life(&self.ttl)),
            ("--on-release", self.on_release.is_some()),
            ("--restart", self.restart.is_some()),
            ("--stop-signal", life(&self.stop_signal)),
            ("--grace", life(&self.grace)),
            ("--survive-ci", self.survive_ci),
            ("--on-change", self.on_change.is_some()),
            ("--busy", self.busy.is_some()),
            ("--force", self.force),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(option, _)| option)
    }

    /// Returns how much memo is to say.
    pub fn talk(&self) -> Talk {
        match (self.quiet, self.verbose) {
            (true, _) => Talk::Quiet,
            (_, true) => Talk::Verbose,
            _ => Talk::Normal,
        }
    }
}

/// What is printed of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrintChoice {
    /// Its address, else its id.
    Addr,
    /// The id of the instance.
    Id,
    /// The number of its process.
    Pid,
    /// Its port.
    Port,
    /// The file it writes to.
    Log,
    /// The directory of its name, which outlives it.
    State,
    /// All of that, for a shell to eval.
    Env,
}

/// Keep one long-running process, and print how to reach it
///
/// Starts the command unless it runs already, waits until it is ready, and prints one line: its address, or else the
/// id of the instance. Everybody who asks gets the very same process, until what it depends on changes: then it is
/// ended, and another one is started. With NAME there is one of that name in the project; without, one for each
/// command. It outlives whoever started it. With NAME and no command it prints what is there.
#[derive(Args, Clone, Debug)]
pub struct SingletonArgs {
    /// What it is called: letters, digits, `_`, `.`, `-`
    #[arg(value_name = "NAME")]
    pub name: Option<String>,

    #[command(flatten)]
    pub(super) ask: AskArgs,

    /// What to print: addr, id, pid, port, log, state, env (addr)
    #[arg(long, value_name = "WHAT", help_heading = "Talk")]
    pub print: Option<PrintChoice>,

    /// Print all that is known of it, as one JSON object
    #[arg(long, conflicts_with = "print", help_heading = "Talk")]
    pub json: bool,

    /// Stay, show what it writes, and end it on Ctrl-C
    ///
    /// memo exits as it does.
    #[arg(long, conflicts_with_all = ["print", "json"], help_heading = "Talk")]
    pub foreground: bool,

    /// Variables for the command, the command, its arguments
    #[arg(value_name = "[VAR=VALUE]... COMMAND [ARG]", last = true)]
    pub command: Vec<OsString>,
}

/// Hold a singleton while a command runs
///
/// With a COMMAND it is started if it does not run. While CMD runs nobody replaces it, and neither --idle nor --ttl ends
/// it. CMD gets NAME_ADDR, NAME_INSTANCE, NAME_PORT, NAME_PID, NAME_LOG, NAME_STATE (NAME in capitals; SINGLETON for one
/// without a name) and MEMO_STATE. Everything behind the first `--exec` is CMD. memo ends as CMD does.
#[derive(Args, Clone, Debug)]
pub struct HoldArgs {
    /// What it is called: letters, digits, `_`, `.`, `-`
    #[arg(value_name = "NAME")]
    pub name: Option<String>,

    #[command(flatten)]
    pub(super) ask: AskArgs,

    /// The command that needs it, with its arguments
    #[arg(long, value_name = "CMD [ARG]...", num_args = 1.., allow_hyphen_values = true, value_hint = ValueHint::CommandString)]
    pub exec: Vec<OsString>,

    /// Variables for the command, the command, its arguments
    #[arg(value_name = "[VAR=VALUE]... COMMAND [ARG]", last = true)]
    pub command: Vec<OsString>,
}

/// Hand a singleton one request, and print its one reply
///
/// The request is REQ, or what is on stdin. Everybody's requests are answered one after the other, in the order in which
/// they came. With a COMMAND the singleton is started if it does not run, with --framing line if nothing else is said.
/// Who does not wait for a reply, by --reply-timeout or by being killed, ends the process: nobody is ever given
/// another's reply.
#[derive(Args, Clone, Debug)]
pub struct CallArgs {
    /// What it is called: letters, digits, `_`, `.`, `-`
    #[arg(value_name = "NAME")]
    pub name: Option<String>,

    /// The request; without one, or with `-`, it is read from stdin, to the end
    ///
    /// What begins with `-` is an option, unless it is a number: such a request goes on stdin.
    #[arg(value_name = "REQ", allow_negative_numbers = true)]
    pub request: Option<OsString>,

    #[command(flatten)]
    pub(super) ask: AskArgs,

    /// How long the reply may take; then exit 124 (for ever)
    #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other, help_heading = "Calls")]
    pub reply_timeout: Option<String>,

    /// Variables for the command, the command, its arguments
    #[arg(value_name = "[VAR=VALUE]... COMMAND [ARG]", last = true)]
    pub command: Vec<OsString>,
}

/// Say what would become of a singleton that is asked for, and why
///
/// Takes what `memo singleton` takes, and does none of it; only the commands of --key-cmd are run. Exit 0 if the process
/// that runs would be handed out, 1 if one would be started or replaced.
#[derive(Args, Clone, Debug)]
pub struct ReasonArgs {
    /// What it is called: letters, digits, `_`, `.`, `-`
    #[arg(value_name = "NAME")]
    pub name: Option<String>,

    #[command(flatten)]
    pub(super) ask: AskArgs,

    /// Print it as one JSON object
    #[arg(long)]
    pub json: bool,

    /// The command as it would be asked for
    #[arg(value_name = "[VAR=VALUE]... COMMAND [ARG]", last = true)]
    pub command: Vec<OsString>,
}

/// Which singleton a subcommand is about.
#[derive(Args, Clone, Debug, Default)]
pub struct TargetArgs {
    /// What it is called; of one without a name, what `memo singleton ls` shows: @b486c80e
    #[arg(value_name = "NAME")]
    pub name: Option<String>,

    #[command(flatten)]
    pub(super) key: KeyArgs,

    /// The command of one without a name, with what it depends on, as it was asked for
    #[arg(value_name = "[VAR=VALUE]... COMMAND [ARG]", last = true)]
    pub command: Vec<OsString>,
}

/// Say how a singleton is
///
/// Its process, command, address, age, who uses it, where its log and its $MEMO_STATE are. Exit 1 if it is not running.
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,

    /// Print it as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// List the singletons of this project
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// Those of --global instead
    #[arg(long, conflicts_with = "everywhere")]
    pub global: bool,

    /// Those of all projects
    #[arg(long)]
    pub everywhere: bool,

    /// Those too that have ended
    #[arg(short, long)]
    pub all: bool,

    /// Print one JSON object for each
    #[arg(long)]
    pub json: bool,
}

/// End a singleton
///
/// Returns when all of its processes have gone, and its --on-release is done. One that is not running is no error.
#[derive(Args, Clone, Debug)]
pub struct StopArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,

    /// All of this project; with --global all of those
    #[arg(long, conflicts_with_all = ["name", "command"])]
    pub all: bool,

    /// With --all: those of all projects, and of --global
    #[arg(long, requires = "all", conflicts_with = "global")]
    pub everywhere: bool,

    /// Only if it is this instance
    #[arg(long, value_name = "ID", conflicts_with = "all")]
    pub instance: Option<String>,

    /// How long it may take to end before it is killed (as it was started with)
    #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other)]
    pub grace: Option<String>,

    /// While others use it: wait, fail, kill (kill)
    #[arg(long, value_name = "wait|fail|kill")]
    pub busy: Option<BusyChoice>,

    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// End a singleton and start it again, as it was started
///
/// With the environment, the command and the options that it has. Prints how to reach it once it is ready. One whose
/// directory or program has gone is left as it is.
#[derive(Args, Clone, Debug)]
pub struct RestartArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,

    /// How long it may take until it is ready (60s)
    #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other)]
    pub timeout: Option<String>,

    /// While others use it: wait, fail, kill (wait)
    #[arg(long, value_name = "wait|fail|kill")]
    pub busy: Option<BusyChoice>,

    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
}

/// Print what a singleton has written
///
/// To stdout and stderr, the last 8 to 16 MiB. To stdout it writes replies, if it answers calls; those are not in it.
#[derive(Args, Clone, Debug)]
pub struct LogsArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,

    /// Go on, with what it writes from now on, until it ends
    #[arg(short, long)]
    pub follow: bool,

    /// The last lines only
    #[arg(short = 'n', long, value_name = "N", value_parser = parse_lines)]
    pub lines: Option<usize>,

    /// What the instance before has written, the last 8 MiB of it
    #[arg(long, conflicts_with = "follow")]
    pub previous: bool,
}

fn parse_lines(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "it is no number of lines".to_owned())
}

/// Wait until a singleton has ended, and exit as it did
///
/// 128 and the signal's number when it died of one. Exit 1 if it is not running.
#[derive(Args, Clone, Debug)]
pub struct WaitArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,

    /// Wait until it is ready instead
    #[arg(long)]
    pub ready: bool,

    /// How long at most; then exit 124
    #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other)]
    pub timeout: Option<String>,
}

/// Print the id of the instance that runs
///
/// Another process never has the same one, so that others can depend on it. Exit 1 if it is not running.
#[derive(Args, Clone, Debug)]
pub struct IdArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

/// Remove what singletons that have ended left
///
/// In all projects: logs, sockets, how they ended. One that has something in $MEMO_STATE is kept, but with --state.
#[derive(Args, Clone, Debug)]
pub struct CollectArgs {
    /// Only of those that ended so long ago: 0, 30d (7d)
    #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other)]
    pub older_than: Option<String>,

    /// What is kept in $MEMO_STATE too
    #[arg(long)]
    pub state: bool,

    /// Say what would go, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
}
