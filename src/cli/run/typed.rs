//! What the values of options mean.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::action::output::Outputs;
use crate::config::duration;
use crate::config::ttl::{self, BadTtl};
use crate::error::{Error, Kind};

pub(super) fn parse_ttl(text: &str) -> Result<Option<Duration>, Error> {
    ttl::parse(text).map_err(|bad| {
        let what = match &bad {
            BadTtl::Zero(_) => format!("`--ttl {text}` would keep nothing"),
            BadTtl::Duration(bad) => format!("`--ttl {text}`: {bad}"),
        };
        Error::new(Kind::Failed, format_args!("{what}; the command was not run")).hint(bad.hint())
    })
}

/// Reads a number of things of which there must be at least one.
pub(super) fn some(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a number from 1 up".to_owned())
}

/// Reads `--stale`; an outcome that is that old must still be there to be served.
pub(super) fn parse_stale(text: &str, ttl: Option<Duration>) -> Result<Duration, Error> {
    let refused = |what: String| {
        Error::new(Kind::Failed, format_args!("`--stale {text}`{what}; the command was not run"))
    };
    let stale = duration::parse(text).map_err(|bad| refused(format!(": {bad}")).hint(bad.hint()))?;
    match ttl.filter(|ttl| stale >= *ttl) {
        None => Ok(stale),
        Some(ttl) => {
            let ttl = duration::Shown(ttl);
            let error = refused(format!(" never comes: what is {ttl} old is not used any more"));
            Err(error.hint("from `--stale` to `--ttl` the old result is given: `--stale 10m --ttl 1h`"))
        }
    }
}

pub(super) fn outputs(typed: &[OsString], directory: Option<&Path>) -> Result<Outputs, Error> {
    let outputs = Outputs::parse(typed.iter().map(OsString::as_os_str));
    outputs.check(directory).map_err(|(declared, why)| {
        let place = &declared.place;
        let shown = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        let shown = shown.display();
        let error = Error::new(
            Kind::Failed,
            format_args!("output `{shown}` cannot be kept: {why}; the command was not run"),
        );
        error.hint("name what the command makes: `-o FILE`, `-o build`, `-o 'out/*.html'`")
    })?;
    Ok(outputs)
}

pub(super) fn depfile(typed: &Path) -> Result<PathBuf, Error> {
    let path = typed.strip_prefix(".").unwrap_or(typed);
    if path.as_os_str().is_empty() || path.is_dir() {
        let shown = typed.display();
        return Err(Error::new(
            Kind::Failed,
            format_args!("depfile `{shown}` is a directory; the command was not run"),
        )
        .hint("name the file that the command writes: `--depfile FILE`"));
    }
    Ok(path.to_owned())
}
