//! The configuration as it is in force, key by key, for `memo config`.

use std::ffi::OsString;

use super::Config;
use super::command_pattern::CommandPattern;
use super::duration::Exact;
use super::key::Key;
use super::nearest::nearest;
use super::origin::Origin;
use super::rule::Written;

/// A key with its value in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key's name.
    pub key: &'static str,
    /// Its value, as a file would say it.
    pub value: Written,
    /// Where it comes from: one for the value, or one for each element of a list.
    pub origins: Vec<Origin>,
}

impl Config {
    /// Returns the names of all keys.
    pub fn keys() -> impl Iterator<Item = &'static str> {
        Key::ALL.into_iter().map(Key::name)
    }

    /// Returns the name of a key that may have been meant.
    pub fn nearest_key(text: &str) -> Option<&'static str> {
        nearest(text, Self::keys())
    }

    /// Returns every key with its value in force.
    pub fn settings(&self) -> Vec<Setting> {
        Key::ALL.into_iter().map(|key| self.setting(key)).collect()
    }

    fn setting(&self, key: Key) -> Setting {
        let text = |text: String| Written::Text(OsString::from(text));
        let value = match key {
            Key::Mode => text(self.mode.to_string()),
            Key::Dir => Written::Text(self.store.clone().unwrap_or_default().into_os_string()),
            Key::Ttl => text(self.ttl.map_or("none".to_owned(), |ttl| Exact(ttl).to_string())),
            Key::CacheExit => text(self.cache_exit.to_string()),
            Key::StdinMax => text(exact_size(self.stdin_max)),
            Key::MaxSize => text(exact_size(self.max_size)),
            Key::MaxEntry => text(exact_size(self.max_entry())),
            Key::MaxEntries => self.max_entries.map_or(text("none".to_owned()), Written::Number),
            Key::RefreshJobs => Written::Number(self.refresh_jobs),
            Key::Relocatable => Written::Truth(self.relocatable),
            Key::Progress => text(self.progress.name().to_owned()),
            Key::Pty => text(self.pty.name().to_owned()),
            Key::Env => return self.list(key, self.env.clone()),
            Key::BuildDrivers => {
                let texts = self.build_drivers.iter().map(CommandPattern::text);
                return self.list(key, texts.map(OsString::from).collect());
            }
        };
        Setting { key: key.name(), value, origins: vec![self.origins.of(key)] }
    }

    fn list(&self, key: Key, elements: Vec<OsString>) -> Setting {
        let origins = elements.iter().map(|element| self.origins.of_element(key, element)).collect();
        let value = Written::List(elements.into_iter().map(Written::Text).collect());
        Setting { key: key.name(), value, origins }
    }
}

/// Writes a size so that it is read back as the same.
fn exact_size(bytes: u64) -> String {
    const UNITS: [(u32, &str); 4] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = |(shift, _): &(u32, &str)| bytes > 0 && bytes.is_multiple_of(1 << shift);
    match UNITS.into_iter().find(whole) {
        Some((shift, name)) => format!("{}{name}", bytes >> shift),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{duration, size};
    use std::time::Duration;

    #[test]
    fn what_is_written_is_read_back() {
        for (nanos, expected) in [
            (90_000_000_000, "90s"),
            (60_000_000_000, "1m"),
            (129_600_000_000_000, "36h"),
            (86_400_000_000_000, "1d"),
            (250_000_000, "250ms"),
            (1_500_000_001, "1.500000001s"),
        ] {
            let given = Duration::from_nanos(nanos);
            assert_eq!(Exact(given).to_string(), expected);
            assert_eq!(duration::parse(expected), Ok(given));
        }
        for (bytes, expected) in
            [(5 << 30, "5GiB"), (1280 << 20, "1280MiB"), (1 << 10, "1KiB"), (1000, "1000"), (0, "0")]
        {
            assert_eq!(exact_size(bytes), expected);
            assert_eq!(size::parse(expected), Ok(bytes));
        }
    }
}
