//! `memo singleton call NAME [REQ]`: one request in, one reply out.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use super::args::CallArgs;
use super::asking::Asking;
use super::wanted::parse_duration;
use super::words::{late, unanswered};
use crate::cli::print;
use crate::cli::surroundings::Surroundings;
use crate::error::{Error, Kind};
use crate::singleton::client::Heard;
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
        return match connection.ask_patiently(&request, deadline, SAID, say) {
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
