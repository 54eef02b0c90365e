//! The boundaries that ARCHITECTURE.md draws, held by reading the sources.
//!
//! What stands in comments or is compiled for tests alone does not count.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of `src/`.
pub struct Source {
    /// Relative to `src/`.
    pub path: String,
    /// What is compiled into memo, by number of line.
    pub lines: Vec<(usize, String)>,
}

impl Source {
    /// Returns the module of `src/` it belongs to.
    fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns all files below a directory with this extension.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|known| known == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns the name of the function that begins on this line.
pub fn function(line: &str) -> Option<String> {
    let text = line.trim_start();
    let text = text.strip_prefix("pub").unwrap_or(text);
    let text = text.strip_prefix("(crate)").or(text.strip_prefix("(super)")).unwrap_or(text).trim_start();
    let name = text.strip_prefix("fn ")?;
    Some(name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect())
}

/// Returns all files of `src/`.
pub fn sources() -> Vec<Source> {
    let src = repository().join("src");
    let paths = files(&src, "rs");
    let texts: Vec<String> = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    // `#[cfg(test)] mod fixture;` makes a whole file a test's.
    let for_tests: Vec<PathBuf> =
        paths.iter().zip(&texts).flat_map(|(path, text)| tests_of(path, text)).collect();
    let kept = paths.iter().zip(&texts).filter(|(path, _)| !for_tests.contains(path));
    kept.map(|(path, text)| {
        let path = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        // Tests are the last thing in a file.
        let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        let lines = text[..end].lines().enumerate().map(|(number, line)| (number + 1, line.to_owned()));
        let lines = lines.filter(|(_, line)| !line.trim_start().starts_with("//")).collect();
        Source { path, lines }
    })
    .collect()
}

/// Returns the names of all fault points.
pub fn fault_points() -> BTreeSet<String> {
    let mut points = BTreeSet::new();
    for source in sources() {
        for (_, line) in &source.lines {
            let names = line.split("fault::point(\"").skip(1).filter_map(|after| after.split_once('"'));
            points.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
    points
}

fn tests_of(path: &Path, text: &str) -> Vec<PathBuf> {
    let lines: Vec<&str> = text.lines().collect();
    let pairs = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]");
    let named = pairs.filter_map(|pair| {
        let name = pair[1].trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        name.strip_prefix("mod ")?.strip_suffix(';')
    });
    named.map(|name| path.with_file_name(format!("{name}.rs"))).collect()
}

/// Checks that none of these texts stands anywhere but in files whose path begins with one of `places`.
#[track_caller]
fn only_in(places: &[&str], texts: &[&str]) {
    let mut found = Vec::new();
    for source in sources() {
        if places.iter().any(|place| source.path.starts_with(place)) {
            continue;
        }
        for (number, line) in &source.lines {
            if let Some(text) = texts.iter().find(|text| line.contains(**text)) {
                found.push(format!("src/{}:{number}: `{text}`: {}", source.path, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "only in {places:?}:\n{}", found.join("\n"));
}

#[test]
fn sql_is_in_the_index_alone() {
    only_in(&["store/index"], &["rusqlite", "SELECT ", "INSERT ", "DELETE FROM", "UPDATE ", "CREATE TABLE"]);
}

#[test]
fn unsafe_code_and_the_system_are_in_sys_alone() {
    // libc calls `main` by a name that cannot be given otherwise.
    only_in(&["sys/", "main.rs"], &["unsafe ", "unsafe(", "extern \"C\""]);
    only_in(&["sys/"], &["libc::", "rustix::"]);
}

#[test]
fn the_surroundings_are_read_at_the_edge() {
    only_in(&["config/", "fault.rs", "main.rs"], &["std::env", "env::", "SystemTime::now"]);
}

#[test]
fn only_some_write_to_the_user() {
    let macros = ["print!(", "println!(", "dbg!(", "io::stdout", "io::stderr"];
    only_in(&[], &macros);
    let writes =
        ["write_all(standard(", "write(standard(", "write_all(descriptor::standard(", "send(standard("];
    only_in(&["ui.rs", "exec/capture.rs", "progress/", "replay/", "cli/"], &writes);
}

/// What each module may use besides itself: arrows go down only. A new one needs a line in ARCHITECTURE.md.
const USES: [(&str, &[&str]); 14] = [
    ("sys", &[]),
    ("error", &[]),
    ("fault", &["sys"]),
    ("action", &["sys"]),
    ("ui", &["error", "sys"]),
    ("progress", &["fault", "sys"]),
    ("config", &["action", "sys"]),
    ("store", &["action", "error", "fault", "sys"]),
    ("exec", &["action", "fault", "progress", "sys"]),
    ("replay", &["action", "exec", "fault", "store", "sys"]),
    ("singleton", &["action", "config", "error", "exec", "fault", "store", "sys"]),
    ("engine", &["action", "config", "error", "exec", "fault", "progress", "replay", "store", "sys", "ui"]),
    (
        "cli",
        &[
            "action",
            "config",
            "engine",
            "error",
            "exec",
            "progress",
            "replay",
            "singleton",
            "store",
            "sys",
            "ui",
        ],
    ),
    ("lib", &["cli", "engine", "sys"]),
];

#[test]
fn modules_depend_downwards_only() {
    let mut found = Vec::new();
    for source in sources().iter().filter(|source| source.module() != "main") {
        let (_, uses) = USES.iter().find(|(name, _)| *name == source.module()).unwrap_or_else(|| {
            panic!("src/{} belongs to no module that is known here", source.path);
        });
        for (number, line) in &source.lines {
            for used in line.split("crate::").skip(1) {
                let name: String =
                    used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let known = USES.iter().any(|(module, _)| *module == name);
                if known && name != source.module() && !uses.contains(&name.as_str()) {
                    found.push(format!("src/{}:{number}: {} uses {name}", source.path, source.module()));
                }
            }
        }
    }
    assert!(found.is_empty(), "arrows that go up:\n{}", found.join("\n"));
}

#[test]
fn the_map_names_every_module() {
    let map = fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    assert!(map.lines().count() < 150, "ARCHITECTURE.md is to be read at once");
    for (module, _) in USES {
        let named = [format!("`{module}/`"), format!("`{module}.rs`")];
        assert!(named.iter().any(|name| map.contains(name.as_str())), "ARCHITECTURE.md has no `{module}`");
    }
}

#[test]
fn every_test_file_is_run() {
    let tests = repository().join("tests/it");
    let main = fs::read_to_string(tests.join("main.rs")).unwrap();
    for path in files(&tests, "rs") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            name == "main" || main.contains(&format!("mod {name};\n")),
            "tests/it/{name}.rs is not in main.rs"
        );
    }
}

#[test]
fn lints_are_expected_and_not_allowed() {
    let here = Path::new("tests/it/tidy.rs");
    for directory in ["src", "tests", "bench"] {
        for path in files(&repository().join(directory), "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.strip_prefix(repository()).unwrap();
            assert!(
                name == here || !text.contains("#[allow("),
                "{}: `#[expect(...)]`, with a reason",
                name.display()
            );
            assert!(name == here || !text.contains("TODO"), "{}: an issue, not a note", name.display());
        }
    }
}

#[test]
fn no_merge_is_left_half_done() {
    let listed =
        std::process::Command::new("git").arg("-C").arg(repository()).args(["ls-files", "-z"]).output();
    // An unpacked archive has no list.
    let listed = listed.map(|output| output.stdout).unwrap_or_default();
    for name in String::from_utf8(listed).unwrap().split_terminator('\0') {
        let Ok(text) = fs::read_to_string(repository().join(name)) else { continue };
        let marked = text.lines().any(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> "));
        assert!(!marked, "{name}");
    }
}

/// Returns what follows a text in a file of `src/`, up to the next character that is none of a number's.
fn constant(path: &str, before: &str) -> String {
    let text = fs::read_to_string(repository().join("src").join(path)).unwrap();
    let (_, after) = text.split_once(before).unwrap_or_else(|| panic!("src/{path} has no `{before}`"));
    after.chars().take_while(char::is_ascii_digit).collect()
}

#[test]
fn the_tables_of_formats_have_the_numbers_of_the_sources() {
    let layout = constant("store/mod.rs", "pub const FORMAT: u64 = ");
    let index = constant("store/index/schema.rs", "const VERSION: i64 = ");
    let mut named: Vec<String> = Vec::new();
    for (path, name) in [
        ("action/key.rs", "memo-action/"),
        ("action/key.rs", "memo-call/"),
        ("store/manifest.rs", "memoMAN"),
        ("store/outcome.rs", "memoOUT"),
        ("store/journal.rs", "mjr"),
        ("store/verdict.rs", "verdict"),
        ("singleton/dependencies.rs", "memo-singleton/"),
        ("singleton/dependencies.rs", "memoDEP"),
        ("singleton/verdict.rs", "memoEND"),
        ("singleton/release.rs", "memoREL"),
        ("singleton/slot.rs", "memoSNG"),
    ] {
        let number = constant(path, &format!("\"{name}"));
        assert!(!number.is_empty(), "{name}");
        named.push(format!("{name}{number}"));
    }
    let changes = fs::read_to_string(repository().join("CHANGELOG.md")).unwrap();
    let row = |what: &str| {
        let line = changes.lines().find(|line| line.starts_with(&format!("| {what}")));
        line.unwrap_or_else(|| panic!("CHANGELOG.md has no row `{what}`")).to_owned()
    };
    assert!(row("layout of the store").ends_with(&format!("| {layout} |")));
    assert!(row("index").ends_with(&format!("| {index} |")));
    let architecture = fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    assert!(architecture.contains(&format!("| layout | `FORMAT` | {layout};")));
    assert!(architecture.contains(&format!("`user_version` {index};")));
    for name in named {
        let named = |cell: &str| cell.split(", ").any(|one| one.trim() == name);
        assert!(changes.lines().any(|line| line.split('|').any(named)), "CHANGELOG.md: {name}");
        // What is not a file of the store ARCHITECTURE.md does not list.
        let is_file = !name.starts_with("memo-call");
        assert!(!is_file || architecture.contains(&format!("`{name}`")), "ARCHITECTURE.md: {name}");
    }
}
