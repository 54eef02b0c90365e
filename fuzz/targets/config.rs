//! The readers of configuration: a file, and behind its first NUL the values of variables, one after another.

#![no_main]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use memo::config::{Config, Environment, Place};

#[path = "../../tests/readers/allocated.rs"]
mod allocated;

const VARIABLES: [&str; 8] = [
    "MEMO_MODE",
    "MEMO_TTL",
    "MEMO_ENV",
    "MEMO_CACHE_EXIT",
    "MEMO_STDIN_MAX",
    "MEMO_MAX_SIZE",
    "MEMO_MAX_ENTRY",
    "MEMO_DIR",
];

static HOME: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("memo-fuzz-{}", std::process::id()));
    fs::create_dir_all(directory.join("memo")).expect("a directory for the file");
    directory
});

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == 0);
    let file = parts.next().unwrap_or_default();
    fs::write(HOME.join("memo/config.toml"), file).expect("a configuration file");
    let values =
        VARIABLES.iter().zip(parts).map(|(name, value)| ((*name).into(), OsStr::from_bytes(value).into()));
    let home = ("XDG_CONFIG_HOME".into(), HOME.as_os_str().to_owned());
    let environment = Environment::new(values.chain([home]).collect());
    let place = Place { directory: Some("/work".into()), shell: None };
    let mut warnings = Vec::new();
    // A parser of a language needs more for a byte than a decoder, and each line may be warned of.
    let (_, peak) =
        allocated::at_most(|| Config::load(&environment, &place, &mut |warning| warnings.push(warning)));
    assert!(peak <= 1024 * data.len() + (64 << 10), "{peak} bytes for {}", data.len());
    assert!(warnings.len() <= file.iter().filter(|byte| **byte == b'\n').count() + 1 + VARIABLES.len());
    for warning in &warnings {
        assert!(!warning.message.contains('\n'), "a warning is one line: {:?}", warning.message);
    }
});
