//! Where a name is good: in a project, else in a directory; with `--global` wherever the user is.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::action::digest::Digest;

/// What makes a directory the top of a project.
pub const MARKS: [&str; 3] = ["memo.toml", ".git", ".jj"];

/// Where a name is good.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Wherever the user is.
    Global,
    /// In this directory, free of links, and below.
    Project(PathBuf),
}

impl Scope {
    /// Returns the scope of a directory: the nearest one upwards that is the top of a project, else itself.
    pub fn of(directory: &Path) -> Self {
        let is_top = |place: &&Path| MARKS.iter().any(|mark| place.join(mark).symlink_metadata().is_ok());
        Self::Project(directory.ancestors().find(is_top).unwrap_or(directory).to_owned())
    }

    /// Returns the name of its directory: two scopes never share one.
    pub fn directory_name(&self) -> String {
        match self {
            Self::Global => "global".to_owned(),
            Self::Project(path) => Digest::of(path.as_os_str().as_bytes()).to_string()[..16].to_owned(),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => f.write_str("--global"),
            Self::Project(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_reaches_down_to_the_next_one() {
        let root = std::env::temp_dir().join(format!("memo-scope-{}", std::process::id()));
        std::fs::create_dir_all(root.join("a/b/c/d")).unwrap();
        std::fs::create_dir(root.join("a/.git")).unwrap();
        // A worktree of git has a file of that name.
        std::fs::write(root.join("a/b/c/.git"), "gitdir: x").unwrap();
        let scope = |path: &str| Scope::of(&root.join(path));
        assert_eq!(scope("a/b"), Scope::Project(root.join("a")));
        assert_eq!(scope("a"), Scope::Project(root.join("a")));
        assert_eq!(scope("a/b/c/d"), Scope::Project(root.join("a/b/c")));
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(Scope::of(&root), Scope::Project(root));
    }

    #[test]
    fn each_scope_has_a_directory_of_its_own() {
        let names = [Scope::Global, Scope::Project("/a".into()), Scope::Project("/b".into())];
        let names = names.map(|scope| scope.directory_name());
        assert!(names[0] != names[1] && names[1] != names[2]);
    }
}
