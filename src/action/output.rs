//! Declared outputs: `-o PATH|GLOB|DIR`.
//!
//! What a declaration covers is decided by its text alone, so that nothing a store says can make a call
//! write where it did not declare. A path covers itself and, where it is a directory, all below it; a glob
//! covers the files and links that match it, hidden ones too, but nothing below a `.git` that it does not name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::listing::{Listing, is_glob};
use super::scene::{bytes, normal};

/// One `-o`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Declared {
    /// As typed, but for `./` in front and slashes that say nothing.
    pub place: PathBuf,
    /// What it stands for when it is a glob: the directory it is walked from, and the pattern below that.
    pub glob: Option<(PathBuf, Vec<u8>)>,
}

/// All that was declared as output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    declared: Vec<Declared>,
    /// Which declaration has a path first; there may be many, and many paths to be looked for.
    places: BTreeMap<PathBuf, usize>,
    globs: Vec<usize>,
}

/// What is declared as seen from a directory, for paths however they are written.
#[derive(Debug)]
pub struct Within<'a> {
    directory: &'a Path,
    /// By their lexically normal paths, as they are declared.
    plain: BTreeMap<PathBuf, &'a Path>,
    globs: Vec<Declared>,
}

/// How a declaration covers a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover<'a> {
    /// It is that very path.
    Itself,
    /// The path lies below it.
    Below(&'a Path),
    /// It is a glob, and the path matches.
    Match(&'a Path),
}

/// Why something cannot be declared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is the working directory, or one that it lies in.
    #[error("it holds the working directory")]
    HoldsDirectory,
    /// It has a `.git`, or is one.
    #[error("it holds a `.git`")]
    HoldsGit,
    /// It has no last name.
    #[error("it ends in `..`")]
    Parent,
}

impl Declared {
    fn parse(text: &OsStr) -> Self {
        let place: PathBuf =
            Path::new(text).components().filter(|component| *component != Component::CurDir).collect();
        let glob = is_glob(bytes(&place)).then(|| {
            let Listing { root, pattern, .. } = Listing::of_glob(bytes(&place), Vec::new());
            let root = if root == Path::new(".") { PathBuf::new() } else { root };
            (root, pattern.unwrap_or_default())
        });
        Self { place, glob }
    }

    /// Returns how it covers a path, which must be written as the declaration is.
    pub fn cover<'a>(&self, path: &'a Path) -> Option<Cover<'a>> {
        if let Some(below) = strip(path, &self.place) {
            return Some(if below.as_os_str().is_empty() { Cover::Itself } else { Cover::Below(below) });
        }
        let (root, pattern) = self.glob.as_ref()?;
        let below = strip(path, root).filter(|below| !below.as_os_str().is_empty())?;
        // A pattern that says `.git` means it.
        let git = below.components().any(|name| name.as_os_str() == ".git")
            && !pattern.windows(4).any(|part| part == b".git");
        (!git && fast_glob::glob_match(pattern, bytes(below))).then_some(Cover::Match(below))
    }
}

/// Returns what of a path lies below another, if that is said by plain names alone.
fn strip<'a>(path: &'a Path, root: &Path) -> Option<&'a Path> {
    // Byte by byte: `strip_prefix` takes `a//b` and `a/./b` for `a/b`.
    let below = match bytes(root) {
        b"" => bytes(path),
        b"/" => bytes(path).strip_prefix(b"/")?,
        root => match bytes(path).strip_prefix(root)? {
            b"" => b"",
            below => below.strip_prefix(b"/").filter(|below| !below.is_empty())?,
        },
    };
    let plain = |name: &[u8]| !matches!(name, b"" | b"." | b"..");
    let is_plain =
        below.is_empty() && !bytes(root).is_empty() || below.split(|&byte| byte == b'/').all(plain);
    is_plain.then(|| Path::new(OsStr::from_bytes(below)))
}

impl Outputs {
    /// Reads the values of `-o` as they were typed.
    pub fn parse<'a>(typed: impl IntoIterator<Item = &'a OsStr>) -> Self {
        let declared: Vec<_> = typed.into_iter().map(Declared::parse).collect();
        let mut places = BTreeMap::new();
        for (number, one) in declared.iter().enumerate() {
            places.entry(one.place.clone()).or_insert(number);
        }
        let globs = (0..declared.len()).filter(|&number| declared[number].glob.is_some()).collect();
        Self { declared, places, globs }
    }

    /// Returns what belongs in the ActionKey: the declarations as typed, sorted, each once.
    pub fn key_texts(&self) -> Vec<&[u8]> {
        let mut texts: Vec<_> = self.declared.iter().map(|declared| bytes(&declared.place)).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    /// Returns whether nothing was declared.
    pub fn is_empty(&self) -> bool {
        self.declared.is_empty()
    }

    /// Returns the declarations.
    pub fn iter(&self) -> impl Iterator<Item = &Declared> {
        self.declared.iter()
    }

    /// Returns the first declaration that covers a path, and how.
    pub fn cover<'a>(&self, path: &'a Path) -> Option<(&Declared, Cover<'a>)> {
        let above = path.ancestors().filter_map(|above| self.places.get(above));
        let numbers = above.chain(&self.globs);
        let covers = numbers.filter_map(|&number| Some((number, self.declared[number].cover(path)?)));
        covers.min_by_key(|(number, _)| *number).map(|(number, cover)| (&self.declared[number], cover))
    }

    /// Returns what is declared, as seen from a directory.
    pub fn within<'a>(&'a self, directory: &'a Path) -> Within<'a> {
        let absolute = |declared: &Declared| Declared {
            place: normal(&declared.place, directory),
            glob: declared.glob.as_ref().map(|(root, pattern)| (normal(root, directory), pattern.clone())),
        };
        let plain = self.declared.iter().filter(|declared| declared.glob.is_none());
        Within {
            directory,
            plain: plain
                .map(|declared| (normal(&declared.place, directory), declared.place.as_path()))
                .collect(),
            globs: self.globs.iter().map(|&number| absolute(&self.declared[number])).collect(),
        }
    }

    /// Makes sure that nothing is declared that must not be replaced or emptied. The directory is the working
    /// directory, where it is known.
    ///
    /// # Errors
    /// The first declaration that may not be one, and why.
    pub fn check(&self, directory: Option<&Path>) -> Result<(), (&Declared, Refusal)> {
        let refusal = |declared: &Declared| {
            let last = declared.place.components().next_back();
            let is_whole = declared.place.as_os_str().is_empty() || declared.place == Path::new("/");
            // Behind links too: what is there is what would be written to.
            let real = std::fs::canonicalize(&declared.place).ok();
            let holds = |path: &Path| directory.is_some_and(|directory| directory.starts_with(path));
            let lexical = directory.map(|directory| normal(&declared.place, directory));
            if is_whole || real.as_deref().is_some_and(holds) || lexical.as_deref().is_some_and(holds) {
                return Some(Refusal::HoldsDirectory);
            }
            if last == Some(Component::ParentDir) {
                return Some(Refusal::Parent);
            }
            let is_git = |path: &Path| path.file_name() == Some(OsStr::new(".git"));
            let has_git = || real.as_deref().is_some_and(|real| real.join(".git").symlink_metadata().is_ok());
            (is_git(&declared.place) || real.as_deref().is_some_and(is_git) || has_git())
                .then_some(Refusal::HoldsGit)
        };
        match self.declared.iter().find_map(|declared| Some((declared, refusal(declared)?))) {
            Some(refused) => Err(refused),
            None => Ok(()),
        }
    }
}

impl Within<'_> {
    /// Returns the declared paths, lexically normal; a glob is none.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.plain.keys()
    }

    /// Returns a declared path as it is declared, however it is written here; a glob declares none.
    pub fn declared(&self, path: &Path) -> Option<&Path> {
        self.plain.get(&normal(path, self.directory)).copied()
    }

    /// Returns whether a path is a declared one or lies below one.
    pub fn holds(&self, path: &Path) -> bool {
        let path = normal(path, self.directory);
        path.ancestors().any(|above| self.plain.contains_key(above))
            || self.globs.iter().any(|declared| declared.cover(&path).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(typed: &[&str]) -> Outputs {
        Outputs::parse(typed.iter().map(OsStr::new))
    }

    #[track_caller]
    fn check_cover(declared: &str, path: &str, expected: bool) {
        let covered = outputs(&[declared]).cover(Path::new(path)).is_some();
        assert_eq!(covered, expected, "`-o {declared}`, `{path}`");
    }

    #[test]
    fn a_declaration_covers_itself_and_what_lies_below_it_and_nothing_else() {
        for path in ["build", "build/x", "build/a/b", "build/.git/x"] {
            check_cover("./build//", path, true);
        }
        for path in [
            "",
            ".",
            "buildx",
            "build/",
            "build//x",
            "build/../x",
            "build/./x",
            "build/x/..",
            "./build",
            "/build",
            "/build/x",
            "x/build",
            "..",
            "build/..",
        ] {
            check_cover("build", path, false);
        }
        check_cover("/out", "/out/x", true);
        check_cover("/out", "/other", false);
        check_cover("../near", "../near", true);
        check_cover("../near", "../near/../x", false);
        check_cover("../near", "../nearer", false);
    }

    #[test]
    fn a_glob_covers_what_matches_by_plain_names() {
        for (glob, path, expected) in [
            ("*.o", "a.o", true),
            ("*.o", ".a.o", true),
            ("*.o", "d/a.o", false),
            ("**/*.o", "d/e/a.o", true),
            ("**/*.o", "a.o", true),
            ("**", "d/.git/hooks/x", false),
            ("**", ".git/config", false),
            ("**/.git/x", "d/.git/x", true),
            ("out/{a,b}", "out/b", true),
            ("out/*", "out/..", false),
            ("out/**", "out/../x", false),
            ("out/**", "out/a/../../x", false),
            ("**", "/etc/passwd", false),
            ("**", "../x", false),
            ("*", "", false),
            ("out/**", "out", false),
            ("/t/*", "/t/x", true),
            ("/*", "/x", true),
            ("a[1]", "a[1]", true),
        ] {
            check_cover(glob, path, expected);
        }
    }

    #[test]
    fn of_several_declarations_the_first_one_covers() {
        let outputs = outputs(&["a/b", "**/x", "a", "a/b/c"]);
        for (path, first) in [("a/b/c/x", "a/b"), ("a/x", "**/x"), ("a/y", "a"), ("z/x", "**/x")] {
            let covering = outputs.cover(Path::new(path)).map(|(declared, _)| declared.place.as_path());
            assert_eq!(covering, Some(Path::new(first)), "{path}");
        }
    }

    #[test]
    fn order_repetition_and_slashes_say_nothing() {
        let texts = |typed: &[&str]| -> Vec<String> {
            let outputs = outputs(typed);
            outputs.key_texts().iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
        };
        assert_eq!(texts(&["b", "./a", "a/", ".//a", "src//x/."]), ["a", "b", "src/x"]);
    }

    #[test]
    fn what_lies_below_is_held_however_it_is_written() {
        let outputs = outputs(&["build", "*.o"]);
        for (path, expected) in [
            ("build/x", true),
            ("./build", true),
            ("/w/build/y", true),
            ("x/../a.o", true),
            ("/w/a.o", true),
            ("a.c", false),
            ("builds", false),
        ] {
            assert_eq!(outputs.within(Path::new("/w")).holds(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn the_working_directory_and_what_holds_it_are_refused() {
        for typed in [".", "/", "..", "../..", "/w", "x/.."] {
            let outputs = outputs(&[typed]);
            let refused = outputs.check(Some(Path::new("/w/d"))).map_err(|(_, why)| why);
            assert!(matches!(refused, Err(Refusal::HoldsDirectory | Refusal::Parent)), "{typed}");
        }
        assert_eq!(outputs(&["x/.git"]).check(None).map_err(|(_, why)| why), Err(Refusal::HoldsGit));
        assert!(outputs(&["/w/d/build", "x", "*"]).check(Some(Path::new("/w/d"))).is_ok());
    }
}
