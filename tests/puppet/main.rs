//! puppet: the command that tests put under memo. It does what its words say, one act after the other.
//!
//! A lone `,` between acts reads better and does nothing. Everything is written at once, unbuffered.
//!
//! | act | does |
//! |---|---|
//! | `print TEXT`, `eprint TEXT` | writes a line to stdout, stderr |
//! | `bytes HEX`, `ebytes HEX` | writes bytes |
//! | `fill N`, `efill N` | writes N bytes |
//! | `cat PATH` | prints a file |
//! | `read N` | reads up to N bytes of stdin and prints them; `[end]` when there are none |
//! | `readline` | reads a line of stdin byte by byte and prints it; `[end]` when there is none |
//! | `readall` | prints all that stdin has |
//! | `countall` | reads stdin to its end and prints how many bytes it had |
//! | `write PATH TEXT`, `append PATH TEXT` | writes a line to a file |
//! | `rm PATH`, `mkdir PATH`, `rename FROM TO`, `link TEXT PATH`, `chmod OCTAL PATH` | what they say |
//! | `count FILE` | appends a line to FILE and prints `#` and how many there are: how often it really ran |
//! | `bump TEXT` | prints TEXT and what `count $RUNS` does |
//! | `env NAME`, `cwd`, `pid`, `args` | prints the variable, the directory, the process, all words |
//! | `fds` | prints the open descriptors above 2 |
//! | `signals` | prints the mask and what is ignored, as the kernel has them but for SIGPIPE |
//! | `block NAME,...` | lets these signals wait |
//! | `await` | waits for one of those and prints `got NAME` |
//! | `pending` | prints `pending` and those that wait |
//! | `isatty N` | prints whether a descriptor is a terminal |
//! | `waitfifo PATH` | opens a fifo for reading and reads it to its end |
//! | `tellfifo PATH` | opens a fifo for writing and closes it |
//! | `spawn-holder FIFO` | leaves a process behind that holds stdout until FIFO was written to |
//! | `without CALL=ERRNO,... COMMAND...` | becomes a command in a system in which these calls fail |
//! | `serve NAME` | holds NAME as nobody else can meanwhile; at the end of the words it waits for ever |
//! | `ignoring SIGNAL ACTS...` | does the acts with that signal ignored |
//! | `setsid` | leads a session of its own |
//! | `leave "ACTS"`, `orphan "ACTS"` | leaves a process behind that holds what this one holds; with no parent |
//! | `notify TEXT` | sends TEXT to $NOTIFY_SOCKET |
//! | `touch PATH` | makes a file, whole |
//! | `pause` | waits for ever |
//! | `exit N`, `signal N` | ends with a status, dies of a signal |
//!
//! `serve` notes its process in `starts` and that somebody else holds NAME in `DUP`, beside `$RUNS`.

mod served;
mod signals;
mod without;

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, ExitCode, Stdio};

use std::ffi::{OsStr, OsString};

use served::Served;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let mut served = Served::default();
    while let Some(act) = words.next() {
        match perform(&act, &mut words, &mut served) {
            Ok(None) => {}
            Ok(Some(code)) => return ExitCode::from(code),
            // Whoever read our output went away: end as the shell shows a death by SIGPIPE.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::from(141),
            Err(error) => {
                let _ = writeln!(io::stderr(), "puppet: {}: {error}", act.display());
                return ExitCode::from(99);
            }
        }
    }
    if served.waits() {
        served::pause();
    }
    ExitCode::SUCCESS
}

fn perform(
    act: &OsStr,
    words: &mut dyn Iterator<Item = OsString>,
    served: &mut Served,
) -> io::Result<Option<u8>> {
    let mut next = || words.next().ok_or_else(|| io::Error::other("a word is missing"));
    match act.to_str().unwrap_or_default() {
        "," => {}
        "print" => out(&line(next()?))?,
        "eprint" => err(&line(next()?))?,
        "bytes" => out(&unhex(&next()?)?)?,
        "ebytes" => err(&unhex(&next()?)?)?,
        "fill" => fill(number(&next()?)?, out)?,
        "efill" => fill(number(&next()?)?, err)?,
        "cat" => out(&fs::read(next()?)?)?,
        "read" => {
            let mut bytes = vec![0; number(&next()?)?];
            let n = stdin()?.read(&mut bytes)?;
            out(if n == 0 { b"[end]\n" } else { &bytes[..n] })?;
        }
        "readline" => {
            let line = read_line(&mut stdin()?)?;
            out(if line.is_empty() { b"[end]\n" } else { &line })?;
        }
        "readall" => {
            let mut bytes = Vec::new();
            stdin()?.read_to_end(&mut bytes)?;
            out(&bytes)?;
        }
        "countall" => out(format!("{} bytes\n", io::copy(&mut stdin()?, &mut io::sink())?).as_bytes())?,
        "write" => {
            let path = next()?;
            fs::write(path, line(next()?))?;
        }
        "append" => {
            let path = next()?;
            OpenOptions::new().append(true).create(true).open(path)?.write_all(&line(next()?))?;
        }
        "rm" => fs::remove_file(next()?)?,
        "mkdir" => fs::create_dir(next()?)?,
        "rename" => {
            let from = next()?;
            fs::rename(from, next()?)?;
        }
        "link" => {
            let text = next()?;
            symlink(text, next()?)?;
        }
        "chmod" => {
            let mode = u32::from_str_radix(&next()?.to_string_lossy(), 8).map_err(io::Error::other)?;
            fs::set_permissions(next()?, fs::Permissions::from_mode(mode))?;
        }
        "count" => out(format!("#{}\n", count(&next()?)?).as_bytes())?,
        "bump" => {
            let text = next()?;
            let runs = variable("RUNS").unwrap_or_else(|| OsString::from("runs"));
            let n = count(&runs)?;
            out(&[text.as_bytes(), format!(" #{n}\n").as_bytes()].concat())?;
        }
        "env" => {
            let name = next()?;
            let value = variable(&name).unwrap_or_else(|| OsString::from("[unset]"));
            out(&[name.as_bytes(), b"=", value.as_bytes(), b"\n"].concat())?;
        }
        "cwd" => out(&line(fs::read_link("/proc/self/cwd")?.into_os_string()))?,
        "pid" => out(format!("{}\n", std::process::id()).as_bytes())?,
        "args" => {
            for word in words {
                out(&line(word))?;
            }
        }
        "fds" => {
            let mut open: Vec<u32> = fs::read_dir("/proc/self/fd")?
                .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
                .collect();
            // The one that read the directory is gone by now.
            open.retain(|fd| *fd > 2 && fs::read_link(format!("/proc/self/fd/{fd}")).is_ok());
            open.sort_unstable();
            let open: Vec<String> = open.iter().map(ToString::to_string).collect();
            out(format!("fds: {}\n", open.join(" ")).as_bytes())?;
        }
        "signals" => {
            let status = fs::read_to_string("/proc/self/status")?;
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
                u64::from_str_radix(line.trim(), 16).unwrap_or_default()
            };
            // Rust's runtime ignores SIGPIPE, bit 12, before main.
            let ignored = field("SigIgn:") & !(1 << 12);
            out(format!("mask {:x} ignored {ignored:x}\n", field("SigBlk:")).as_bytes())?;
        }
        "block" => signals::block(&next()?.to_string_lossy())?,
        "await" => out(format!("got {}\n", signals::take()?).as_bytes())?,
        "pending" => out(format!("pending {}\n", signals::pending().join(" ")).as_bytes())?,
        "isatty" => {
            let terminal = match number(&next()?)? {
                0 => io::stdin().is_terminal(),
                1 => io::stdout().is_terminal(),
                _ => io::stderr().is_terminal(),
            };
            out(if terminal { b"terminal\n" } else { b"no terminal\n" })?;
        }
        "waitfifo" => _ = io::copy(&mut File::open(next()?)?, &mut io::sink())?,
        "tellfifo" => drop(OpenOptions::new().write(true).open(next()?)?),
        "spawn-holder" => {
            let me = std::env::current_exe()?;
            let _left_behind = Command::new(me).arg("waitfifo").arg(next()?).stdin(Stdio::null()).spawn()?;
        }
        "serve" => served.hold(&next()?)?,
        "ignoring" => {
            use std::os::unix::process::CommandExt;
            let trap = format!("trap '' {}; exec \"$@\"", next()?.display());
            let me = std::env::current_exe()?;
            return Err(Command::new("/bin/sh").args(["-c", &trap, "sh"]).arg(me).args(words).exec());
        }
        "setsid" => _ = rustix::process::setsid()?,
        "leave" => served.leave(&next()?)?,
        "orphan" => served.orphan(&next()?)?,
        "notify" => {
            let socket = variable("NOTIFY_SOCKET").ok_or_else(|| io::Error::other("no NOTIFY_SOCKET"))?;
            UnixDatagram::unbound()?.send_to(next()?.as_bytes(), socket)?;
        }
        "touch" => drop(File::create(next()?)?),
        "pause" => served::pause(),
        "exit" => return Ok(Some(number(&next()?)? as u8)),
        "without" => {
            without::deny(&next()?.to_string_lossy())?;
            let program = next()?;
            use std::os::unix::process::CommandExt;
            return Err(Command::new(program).args(words).exec());
        }
        "signal" => {
            let signal = next()?;
            let me = std::process::id().to_string();
            // Twice: Rust's handler for SIGSEGV and SIGBUS only takes itself away at the first.
            for _ in 0..2 {
                Command::new("kill").arg("-s").arg(&signal).arg(&me).status()?;
            }
            // The signal is on its way to this very thread; nothing else ends this wait.
            served::pause();
        }
        other => return Err(io::Error::other(format!("`{other}` is nothing it does"))),
    }
    Ok(None)
}

#[expect(clippy::disallowed_methods, reason = "a test command, not memo")]
fn variable(name: impl AsRef<OsStr>) -> Option<OsString> {
    std::env::var_os(name)
}

/// Stdin without a buffer: what is not read stays there for others.
fn stdin() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

fn out(bytes: &[u8]) -> io::Result<()> {
    unbuffered(&io::stdout(), bytes)
}

fn err(bytes: &[u8]) -> io::Result<()> {
    unbuffered(&io::stderr(), bytes)
}

fn unbuffered(stream: &impl std::os::fd::AsFd, bytes: &[u8]) -> io::Result<()> {
    File::from(stream.as_fd().try_clone_to_owned()?).write_all(bytes)
}

fn fill(mut left: usize, write: fn(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let chunk: Vec<u8> =
        (0..65_536_u32).map(|i| if i % 64 == 63 { b'\n' } else { b'a' + (i % 26) as u8 }).collect();
    while left > 0 {
        let n = left.min(chunk.len());
        write(&chunk[..n])?;
        left -= n;
    }
    Ok(())
}

fn line(text: OsString) -> Vec<u8> {
    let mut bytes = text.into_vec();
    bytes.push(b'\n');
    bytes
}

fn read_line(from: &mut File) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while from.read(&mut byte)? == 1 {
        line.push(byte[0]);
        if byte == *b"\n" {
            break;
        }
    }
    Ok(line)
}

fn count(path: &OsStr) -> io::Result<usize> {
    OpenOptions::new().append(true).create(true).open(path)?.write_all(b".\n")?;
    Ok(fs::read(path)?.iter().filter(|byte| **byte == b'\n').count())
}

fn number(word: &OsStr) -> io::Result<usize> {
    word.to_string_lossy().parse().map_err(io::Error::other)
}

fn unhex(word: &OsStr) -> io::Result<Vec<u8>> {
    let digits = word.to_string_lossy();
    (0..digits.len())
        .step_by(2)
        .map(|i| digits.get(i..i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect::<Option<_>>()
        .ok_or_else(|| io::Error::other("no hexadecimal bytes"))
}
