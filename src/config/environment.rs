//! The variables of the process, read once.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{directory, passwd};

/// The variables of the process, in the order it has them.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Vec<(OsString, OsString)>,
    other_home: Option<PathBuf>,
}

impl Environment {
    /// Reads the variables of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads the environment")]
    pub fn read() -> Self {
        Self::new(std::env::vars_os().collect())
    }

    /// Returns an environment of these variables.
    pub fn new(variables: Vec<(OsString, OsString)>) -> Self {
        Self { variables, other_home: None }
    }

    /// Adds where the user's home directory is by passwd(5), if HOME says nothing, as in `env -i` and units of systemd.
    /// It is in no variable, and handed on to nobody.
    #[must_use]
    pub fn with_home(mut self, user: u32) -> Self {
        if directory::home(&self).is_none()
            && let Some(database) = database(&self)
        {
            self.other_home = passwd::home(&database, user);
        }
        self
    }

    /// Returns the home directory that [`Self::with_home`] has found.
    pub(super) fn other_home(&self) -> Option<&Path> {
        self.other_home.as_deref()
    }

    /// Returns the value of a variable; of a name that stands there twice the first, as getenv(3) does.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Returns the variables, for whoever changes them or hands them on.
    pub fn to_vec(&self) -> Vec<(OsString, OsString)> {
        self.variables.clone()
    }

    /// Returns names and values in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> + Clone {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

#[cfg(not(feature = "fault"))]
fn database(_environment: &Environment) -> Option<PathBuf> {
    Some(PathBuf::from(passwd::FILE))
}

/// With the feature `fault` it is `MEMO_TEST_PASSWD`, and there is none by default: no test finds the home directory of
/// whoever runs it.
#[cfg(feature = "fault")]
fn database(environment: &Environment) -> Option<PathBuf> {
    environment.get("MEMO_TEST_PASSWD").map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_counts_and_the_order_stays() {
        let pair = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        let environment = Environment::new(vec![pair("B", "1"), pair("A", ""), pair("B", "2")]);
        assert_eq!(environment.get("B"), Some(OsStr::new("1")));
        assert_eq!(environment.get("A"), Some(OsStr::new("")), "empty is not unset");
        assert_eq!(environment.get("C"), None);
        assert_eq!(environment.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["B", "A", "B"]);
    }

    #[test]
    fn the_environment_of_the_process_is_read() {
        assert!(Environment::read().get("PATH").is_some());
    }
}
