//! A world of its own for each test: a home, a store, a working directory, an empty environment.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileTimes};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// A clock so early that every file looks young: no stat identity is trusted, everything is hashed.
pub const EARLY: &str = "43200";
/// A clock so late that every file looks old: stat identities are trusted.
pub const LATE: &str = "4102444800";

/// A world of its own. It goes when it is dropped.
pub struct Sandbox {
    root: PathBuf,
    variables: Vec<(OsString, OsString)>,
    /// Gives each file that is written a modification time of its own, all long ago.
    written: AtomicU64,
}

/// What a step came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Exit status; 128 and the signal for a death by signal.
    pub code: i32,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
}

impl Sandbox {
    /// Returns a sandbox whose clock stands still at [`EARLY`].
    pub fn new() -> Self {
        Self::at(EARLY)
    }

    /// Returns a sandbox whose clock stands still.
    pub fn at(now: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let parent = fs::canonicalize(std::env::temp_dir()).unwrap();
        let root = parent.join(format!("memo-it-{}-{number}", std::process::id()));
        // A killed run with the same number may have left one.
        remove(&root);
        for name in ["home", "work"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::set_permissions(&root, PermissionsExt::from_mode(0o755)).unwrap();
        let commands = Path::new(env!("CARGO_BIN_EXE_puppet")).parent().unwrap();
        let mut path = commands.as_os_str().to_owned();
        path.push(":/usr/local/bin:/usr/bin:/bin");
        let mut sandbox = Self { root, variables: Vec::new(), written: AtomicU64::new(0) };
        sandbox.set("PATH", path);
        sandbox.set("HOME", sandbox.root.join("home"));
        sandbox.set("MEMO_DIR", sandbox.store());
        sandbox.set("RUNS", sandbox.root.join("runs"));
        sandbox.set("MEMO_TEST_NOW", now);
        sandbox
    }

    /// Sets a variable for everything that is run.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.unset(name);
        self.variables.push((name.into(), value.into()));
    }

    /// Unsets a variable.
    pub fn unset(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    /// Lets the clock run.
    pub fn with_running_clock(mut self) -> Self {
        self.unset("MEMO_TEST_NOW");
        self
    }

    /// Returns the directory that `$T` stands for.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the store's directory.
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// Returns a path in the working directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join("work").join(name)
    }

    /// Returns memo as a command: with this sandbox's directory and environment, nothing on stdin.
    pub fn memo(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_memo"))
    }

    /// Returns any program as such a command.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.variables.iter().cloned());
        command.current_dir(self.path("")).stdin(Stdio::null());
        command
    }

    /// Returns a shell line as such a command.
    pub fn shell(&self, line: impl AsRef<OsStr>) -> Command {
        let mut command = self.command("/bin/bash");
        command.arg("-c").arg(line);
        command
    }

    /// Starts a shell line with stdout and stderr in pipes.
    pub fn start(&self, line: &str) -> Child {
        self.shell(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs a shell line, stdout and stderr apart.
    pub fn run(&self, line: impl AsRef<OsStr>) -> Ran {
        Ran::of(&mut self.shell(line))
    }

    /// Runs a shell line as somebody who is not root, whom permissions stop.
    pub fn run_unprivileged(&self, line: &str) -> Ran {
        if !rustix::process::geteuid().is_root() {
            return self.run(line);
        }
        // Once: it changes the change time of everything.
        if self.root.metadata().unwrap().uid() == 0 {
            let given = self.command("chown").args(["-hR", "65534:65534"]).arg(&self.root).status().unwrap();
            assert!(given.success());
        }
        let mut shell = self.command("setpriv");
        shell.args(["--reuid=65534", "--regid=65534", "--clear-groups", "/bin/bash", "-c", line]);
        Ran::of(&mut shell)
    }

    /// Runs a shell line that must end with 0 and returns its stdout.
    #[track_caller]
    pub fn ok(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "`{line}`: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Runs shell lines and returns what a terminal would show: `$ LINE`, then stdout and stderr as they
    /// came. Paths of the sandbox are shown as `$T`, times as `[TIME]`.
    pub fn steps(&self, lines: &[&str]) -> String {
        let mut session = String::new();
        for line in lines {
            let (mut reader, writer) = std::io::pipe().unwrap();
            let mut shell = self.shell(line);
            shell.stdout(writer.try_clone().unwrap()).stderr(writer);
            let mut child = shell.spawn().unwrap();
            // The parent's ends of the pipe must go, or it never ends.
            drop(shell);
            let mut output = Vec::new();
            std::io::Read::read_to_end(&mut reader, &mut output).unwrap();
            let code = code(child.wait().unwrap());
            session.push_str(&format!("$ {line}\n{}", String::from_utf8_lossy(&output)));
            if !session.ends_with('\n') {
                session.push_str("[no newline]\n");
            }
            if code != 0 {
                session.push_str(&format!("[exit {code}]\n"));
            }
        }
        self.shown(&session)
    }

    /// Returns a text with the sandbox's paths and all times replaced.
    pub fn shown(&self, text: &str) -> String {
        let text = text.replace(self.root.to_str().unwrap(), "$T");
        let mut out = String::new();
        for line in text.split_inclusive('\n') {
            match line.split_once("recorded ") {
                Some((before, times)) if times.trim_end().ends_with(" saved") => {
                    out.push_str(&format!("{before}recorded [TIME] ago, [TIME] saved\n"));
                }
                _ => out.push_str(line),
            }
        }
        out
    }

    /// Writes a file in the working directory, with the directories above it. It gets an old modification
    /// time that no other has.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = File::create(&path).unwrap();
        file.write_all(content.as_ref()).unwrap();
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        set_modified(&file, 1_000_000_000 + number);
    }

    /// Writes an executable file.
    pub fn script(&self, name: impl AsRef<Path>, content: &str) {
        self.write(&name, content);
        fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Sets a file's modification time, in seconds since 1970. The change time cannot be set.
    pub fn modified_at(&self, name: impl AsRef<Path>, seconds: u64) {
        set_modified(&File::open(self.path(name)).unwrap(), seconds);
    }

    /// Waits until the kernel's clock for files, which counts in ticks, is past all that was written before.
    pub fn next_tick(&self) {
        use rustix::time::{ClockId, clock_gettime};
        let probe = self.root.join("tick");
        fs::write(&probe, "").unwrap();
        let metadata = fs::metadata(&probe).unwrap();
        // Since Linux 6.13 a file's time may be finer, and so ahead of the last tick.
        let passed = || {
            let now = clock_gettime(ClockId::RealtimeCoarse);
            (now.tv_sec, now.tv_nsec) > (metadata.ctime(), metadata.ctime_nsec())
        };
        while !passed() {
            std::thread::yield_now();
        }
    }

    /// Reads a file of the working directory.
    #[track_caller]
    pub fn read(&self, name: impl AsRef<Path>) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Makes a fifo in the working directory and returns its path.
    pub fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        path
    }

    /// Returns how often `bump` has really run.
    pub fn runs(&self) -> usize {
        fs::read_to_string(self.root.join("runs")).map_or(0, |runs| runs.lines().count())
    }

    /// Returns how many manifests the store has.
    pub fn manifests(&self) -> usize {
        let Ok(shards) = fs::read_dir(self.store().join("manifests")) else { return 0 };
        let files = shards.flatten().filter_map(|shard| fs::read_dir(shard.path()).ok()).flatten().flatten();
        files.filter(|file| !file.file_name().as_encoded_bytes().starts_with(b".")).count()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        remove(&self.root);
    }
}

impl Ran {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        Self::from(command.output().unwrap())
    }

    /// Returns whether `-v` said that it was a hit.
    pub fn is_hit(&self) -> bool {
        self.stderr.lines().any(|line| line.starts_with("memo: hit: "))
    }

    /// Returns what `-v` said of why it was none, up to the first `: ` or the end.
    pub fn missed(&self) -> Option<&str> {
        self.said("memo: miss: ")
    }

    /// Returns what `-v` or a note said of why it was not recorded.
    pub fn unrecorded(&self) -> Option<&str> {
        self.said("memo: not recorded: ").or_else(|| self.said("memo: note: not recorded: "))
    }

    fn said(&self, label: &str) -> Option<&str> {
        self.stderr.lines().find_map(|line| line.strip_prefix(label))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: code(output.status), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

fn code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

fn set_modified(file: &File, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    file.set_times(FileTimes::new().set_modified(time).set_accessed(time)).unwrap();
}

/// Removes a tree, also one whose directories were made unreadable.
fn remove(root: &Path) {
    if fs::remove_dir_all(root).is_err() && root.exists() {
        let _ = Command::new("chmod").args(["-R", "u+rwx"]).arg(root).status();
        let _ = fs::remove_dir_all(root);
    }
}
