//! `memo singleton call NAME [REQ]`: one request in, one reply out.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use super::args::CallArgs;
use super::asking::Asking;
use super::depend;
use super::wanted::parse_duration;
use super::words::{late, unanswered};
use crate::cli::print;
use crate::cli::surroundings::Surroundings;
use crate::error::{Error, Kind};
use crate::singleton::client::{Connection, Heard};
use crate::singleton::framing::Framing;
use crate::singleton::message::{MOST_BYTES, Reply, Request};
use crate::sys::descriptor;
use crate::ui::Ui;

/// After so long it is said that a reply is waited for.
const SAID: Duration = Duration::from_secs(10);
/// What is often the matter with one that does not reply.
const KEPT_BACK: &str =
    "a program that writes to no terminal may keep its replies back: `python3 -u`, `stdbuf -oL`";

/// Hands an instance a request and prints its reply.
///
/// # Errors
/// Why there is no instance, or no reply.
pub(super) fn call(args: &CallArgs, around: &Surroundings) -> Result<u8, Error> {
    depend::not_on_itself(args.name.as_deref(), &args.ask.key)?;
    let ui = Ui::new(args.ask.talk());
    let config = crate::cli::config(around, &ui);
    let limit =
        args.reply_timeout.as_deref().map(|text| parse_duration("--reply-timeout", text)).transpose()?;
    let body = match args.request.as_deref() {
        None => read_stdin()?,
        Some(request) if request == OsStr::new("-") => read_stdin()?,
        Some(request) => request.as_bytes().to_vec(),
    };
    let asking = Asking {
        name: args.name.as_deref(),
        args: &args.ask,
        command: &args.command,
        framing: (!args.command.is_empty()).then_some(Framing::Line),
        is_call: true,
        config: &config,
        around,
        ui: &ui,
    };
    let wanted = asking.wanted()?;
    let request = Request::Call(body);
    loop {
        let asked = asking.ask_for(&wanted)?;
        let (mut connection, name) = (asked.got.connection, asked.name);
        let deadline = limit.map(|limit| Instant::now() + limit);
        let say = || {
            ui.note(
                format_args!(
                    "singleton `{name}` has not replied for {}; waiting until it does",
                    crate::config::duration::Shown(SAID)
                ),
                Some(KEPT_BACK),
            );
        };
        return match reply(&mut connection, &request, deadline, SAID, say) {
            Heard::Reply(Reply::Answer(mut reply)) => {
                if asked.got.report.framing != Some(Framing::Lsp) {
                    reply.push(b'\n');
                }
                print::bytes(&reply).map(|()| 0)
            }
            // It was not asked.
            Heard::Reply(Reply::Gone) => continue,
            Heard::Reply(Reply::Unanswered(verdict)) => Err(unanswered(&name, &verdict)),
            Heard::Reply(Reply::Refused(why)) => {
                let error =
                    Error::new(Kind::Failed, format_args!("singleton `{name}` cannot be called: {why}"));
                Err(match asked.got.report.framing {
                    None => {
                        error.hint("`--framing line` (json, lsp), when it is started, lets it answer calls")
                    }
                    Some(_) => error,
                })
            }
            // Closing the connection ends the instance: its reply would be taken for the next one.
            Heard::Late => Err(match limit {
                Some(limit) => Error::new(
                    Kind::TimedOut,
                    format_args!(
                        "singleton `{name}` did not reply within {}; it is ended",
                        crate::config::duration::Shown(limit)
                    ),
                )
                .hint("`--reply-timeout` gives it longer")
                .hint(KEPT_BACK),
                None => late(&name, None, wanted.timeout),
            }),
            Heard::Gone => Err(Error::new(
                Kind::Failed,
                format_args!("the supervisor of singleton `{name}` ended before there was a reply"),
            )),
            Heard::Reply(_) => {
                Err(Error::new(Kind::Failed, format_args!("singleton `{name}` cannot be called")))
            }
        };
    }
}

/// Waits for a reply, and has it said when that takes long.
fn reply(
    connection: &mut Connection,
    request: &Request,
    deadline: Option<Instant>,
    long: Duration,
    say: impl FnOnce(),
) -> Heard {
    connection.until(deadline);
    if !connection.send(request) {
        return Heard::Late;
    }
    let soon = Instant::now() + long;
    if deadline.is_some_and(|deadline| deadline <= soon) {
        return connection.hear();
    }
    connection.until(Some(soon));
    match connection.hear() {
        Heard::Late => {
            say();
            connection.until(deadline);
            connection.hear()
        }
        heard => heard,
    }
}

/// Reads stdin to its end.
fn read_stdin() -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let n = descriptor::read(descriptor::standard(0), &mut buffer).map_err(|error| {
            Error::new(Kind::Failed, format_args!("cannot read the request from stdin: {error}"))
        })?;
        if n == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&buffer[..n]);
        if body.len() > MOST_BYTES - 16 {
            return Err(Error::new(
                Kind::Failed,
                format_args!("the request is larger than {} MiB", MOST_BYTES >> 20),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn a_reply_that_takes_long_is_waited_for_and_that_is_said() {
        let request = Request::Call(b"x".to_vec());
        for long in [Duration::ZERO, Duration::from_secs(600)] {
            let (mine, mut other) = UnixStream::pair().unwrap();
            let (said, hears) = std::sync::mpsc::channel();
            let thread = std::thread::spawn(move || {
                let mut asked = vec![0; Request::Call(b"x".to_vec()).encode().len()];
                other.read_exact(&mut asked).unwrap();
                // Who waits long says so before there is a reply.
                let was_said = long.is_zero() && hears.recv().is_ok();
                other.write_all(&Reply::Answer(b"y".to_vec()).encode()).unwrap();
                was_said || hears.recv().is_ok()
            });
            let say = || said.send(()).unwrap();
            let heard = reply(&mut Connection::new(mine), &request, None, long, say);
            assert!(matches!(heard, Heard::Reply(Reply::Answer(body)) if body == b"y"));
            drop(said);
            assert_eq!(thread.join().unwrap(), long.is_zero());
        }
    }
}
