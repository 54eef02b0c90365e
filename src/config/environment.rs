//! The variables of the process, read once.

use std::ffi::{OsStr, OsString};

/// The variables of the process, in the order it has them.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: Vec<(OsString, OsString)>,
}

impl Environment {
    /// Reads the variables of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads the environment")]
    pub fn read() -> Self {
        Self::new(std::env::vars_os().collect())
    }

    /// Returns an environment of these variables.
    pub fn new(variables: Vec<(OsString, OsString)>) -> Self {
        Self { variables }
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
