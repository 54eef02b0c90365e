//! What a service holds that no other process can hold meanwhile, so that a second instance beside it shows.
//!
//! The name is an abstract socket: the kernel frees it when the last process that has it has gone, however that went.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// How much of a name an address has room for (unix(7)).
const ROOM: usize = 100;

/// The names that this process holds.
#[derive(Default)]
pub struct Served {
    held: Vec<UnixListener>,
    waits: bool,
}

impl Served {
    /// Takes a name, and notes which process has it. Another that has it is noted too.
    ///
    /// # Errors
    /// Those of the files in which it is noted.
    pub fn hold(&mut self, name: &OsStr) -> io::Result<()> {
        self.waits = true;
        let me = std::process::id();
        note("starts", &format!("{me}\n"))?;
        let mut address = place("").into_os_string();
        address.push(name);
        let address = address.as_bytes();
        let address = SocketAddr::from_abstract_name(&address[address.len().saturating_sub(ROOM)..])?;
        match UnixListener::bind_addr(&address) {
            Ok(listener) => self.held.push(listener),
            Err(error) => note("DUP", &format!("{me} {}: {error}\n", name.display()))?,
        }
        Ok(())
    }

    /// Returns whether a name was to be held, for as long as this process is there.
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// Leaves a process behind that does this. What is held it has as its stdin.
    ///
    /// # Errors
    /// Those of starting it.
    pub fn leave(&self, acts: &OsStr) -> io::Result<()> {
        let _left_behind = puppet(acts)?.stdin(self.stdin()?).spawn()?;
        Ok(())
    }

    /// Leaves one behind whose parent has ended.
    ///
    /// # Errors
    /// Those of starting it.
    pub fn orphan(&self, acts: &OsStr) -> io::Result<()> {
        let mut parent = Command::new(std::env::current_exe()?);
        parent.arg("leave").arg(acts).stdin(self.stdin()?).status()?;
        Ok(())
    }

    fn stdin(&self) -> io::Result<Stdio> {
        Ok(match self.held.last() {
            Some(listener) => Stdio::from(OwnedFd::from(listener.try_clone()?)),
            None => Stdio::inherit(),
        })
    }
}

/// Waits for ever.
pub fn pause() -> ! {
    loop {
        std::thread::park();
    }
}

fn puppet(acts: &OsStr) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    let words = acts.as_bytes().split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    command.args(words.map(OsStr::from_bytes));
    Ok(command)
}

/// Returns the path of a file beside `$RUNS`, else in the working directory.
fn place(name: &str) -> PathBuf {
    let runs = super::variable("RUNS").unwrap_or_else(|| OsString::from("runs"));
    PathBuf::from(runs).with_file_name(name)
}

fn note(name: &str, text: &str) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(place(name))?.write_all(text.as_bytes())
}
