//! Where things are by the XDG Base Directory Specification: the user's file, and the store.
//!
//! As that demands, a relative or empty value of its variables counts as not set; so does one of HOME.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::Environment;

/// Returns the user's home directory.
pub(super) fn home(environment: &Environment) -> Option<&Path> {
    absolute(environment, "HOME").or_else(|| environment.other_home())
}

/// Returns the place of the user's configuration file.
pub(super) fn user_file(environment: &Environment) -> Option<PathBuf> {
    let directory = absolute(environment, "XDG_CONFIG_HOME")
        .map(Path::to_owned)
        .or_else(|| home(environment).map(|home| home.join(".config")))?;
    Some(directory.join("memo/config.toml"))
}

/// Returns the place of the store if nobody says otherwise.
pub(super) fn built_in_store(environment: &Environment, user: u32) -> PathBuf {
    if let Some(cache) = absolute(environment, "XDG_CACHE_HOME") {
        return normal(&cache.join("memo"));
    }
    match home(environment) {
        Some(home) => normal(&home.join(".cache/memo")),
        None => shared(user),
    }
}

/// Returns the place of what is kept between runs and is no cache; `None` when nothing says where it is.
pub(super) fn state(environment: &Environment) -> Option<PathBuf> {
    let directory = absolute(environment, "XDG_STATE_HOME")
        .map(Path::to_owned)
        .or_else(|| home(environment).map(|home| home.join(".local/state")))?;
    Some(normal(&directory.join("memo")))
}

/// Returns the place of one user's files where nothing says where these are.
pub(super) fn shared(user: u32) -> PathBuf {
    PathBuf::from(format!("/var/tmp/memo-{user}"))
}

/// Returns the absolute path that is meant; `~` in front is the home directory, for neither a file nor
/// most of what sets variables (CI, systemd, containers) has a shell that would say so.
///
/// # Errors
/// In words, when what it is relative to is not known.
pub(super) fn resolve(text: &OsStr, home: Option<&Path>, base: Option<&Path>) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let shown = path.display();
    if let Ok(rest) = path.strip_prefix("~") {
        let home = home.ok_or_else(|| format!("`{shown}` is in the home directory, and HOME is not set"))?;
        return Ok(normal(&home.join(rest)));
    }
    if path.is_absolute() {
        return Ok(normal(path));
    }
    let base = base.ok_or_else(|| format!("`{shown}` is relative, and the working directory is unknown"))?;
    Ok(normal(&base.join(path)))
}

fn absolute<'a>(environment: &'a Environment, name: &str) -> Option<&'a Path> {
    environment.get(name).filter(|value| value.as_bytes().starts_with(b"/")).map(Path::new)
}

/// Takes `.` and `..` out of an absolute path by its text alone, without a look at the disk.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                out.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    out
}

/// Returns an absolute path as one would type it in a directory, by the texts of both alone.
pub(super) fn below(path: &Path, directory: &Path) -> PathBuf {
    let path = normal(path);
    let same = path.components().zip(directory.components()).take_while(|(a, b)| a == b).count();
    let mut out: PathBuf = directory.components().skip(same).map(|_| Component::ParentDir).collect();
    out.extend(path.components().skip(same));
    if out.as_os_str().is_empty() { PathBuf::from(".") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    #[test]
    fn the_store_is_in_the_cache_directory() {
        let store = |variables: &[(&str, &str)]| built_in_store(&environment(variables), 7);
        assert_eq!(store(&[("XDG_CACHE_HOME", "/c/../d/"), ("HOME", "/h")]), Path::new("/d/memo"));
        assert_eq!(store(&[("XDG_CACHE_HOME", "c"), ("HOME", "/h")]), Path::new("/h/.cache/memo"));
        assert_eq!(store(&[("XDG_CACHE_HOME", ""), ("HOME", "/h")]), Path::new("/h/.cache/memo"));
        assert_eq!(store(&[("HOME", "h")]), Path::new("/var/tmp/memo-7"));
        assert_eq!(store(&[]), Path::new("/var/tmp/memo-7"));
    }

    #[test]
    fn what_is_kept_is_in_the_state_directory() {
        let state = |variables: &[(&str, &str)]| state(&environment(variables));
        assert_eq!(state(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]), Some("/s/memo".into()));
        assert_eq!(state(&[("XDG_STATE_HOME", "s"), ("HOME", "/h")]), Some("/h/.local/state/memo".into()));
        assert_eq!(state(&[("HOME", "h")]), None);
    }

    #[test]
    fn the_users_file_is_in_the_configuration_directory() {
        let file = |variables: &[(&str, &str)]| user_file(&environment(variables));
        assert_eq!(file(&[("XDG_CONFIG_HOME", "/x")]), Some("/x/memo/config.toml".into()));
        assert_eq!(
            file(&[("XDG_CONFIG_HOME", "x"), ("HOME", "/h")]),
            Some("/h/.config/memo/config.toml".into())
        );
        assert_eq!(file(&[("HOME", "")]), None);
    }

    #[test]
    fn a_path_becomes_absolute_and_normal() {
        let resolved = |text| resolve(OsStr::new(text), Some(Path::new("/h")), Some(Path::new("/b/c")));
        assert_eq!(resolved("/a//./b/../c/").unwrap().as_os_str(), "/a/c");
        assert_eq!(resolved("s").unwrap().as_os_str(), "/b/c/s");
        assert_eq!(resolved("../../../../s").unwrap().as_os_str(), "/s");
        assert_eq!(resolved("~/s").unwrap().as_os_str(), "/h/s");
        assert_eq!(resolved("~").unwrap().as_os_str(), "/h");
        assert_eq!(resolved("~s").unwrap().as_os_str(), "/b/c/~s");
        assert_eq!(resolved("./~").unwrap().as_os_str(), "/b/c/~");
    }

    #[test]
    fn a_path_is_typed_from_a_directory() {
        for (path, directory, expected) in [
            ("/a/b/c", "/a/b", "c"),
            ("/a/b", "/a/b", "."),
            ("/a/./x/../b", "/a/c/d", "../../b"),
            ("/", "/a", ".."),
            ("/x", "/", "x"),
            ("/a/bc", "/a/b", "../bc"),
        ] {
            assert_eq!(below(Path::new(path), Path::new(directory)), Path::new(expected));
        }
    }

    #[test]
    fn what_it_is_relative_to_must_be_known() {
        let resolved = |text| resolve(OsStr::new(text), None, None).unwrap_err();
        assert_eq!(resolved("~/s"), "`~/s` is in the home directory, and HOME is not set");
        assert_eq!(resolved("s"), "`s` is relative, and the working directory is unknown");
    }
}
