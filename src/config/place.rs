//! Where the process is: its working directory, and what the shell calls it.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Environment;

/// Where the process is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// What getcwd(3) says; `None` when the directory is gone or out of reach.
    pub directory: Option<PathBuf>,
    /// `$PWD`, when it is another name of the same directory (a way through a link).
    pub shell: Option<PathBuf>,
}

impl Place {
    /// Reads the working directory and compares it with `$PWD`.
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads the working directory")]
    pub fn read(environment: &Environment) -> Self {
        // getcwd(2) says `(unreachable)/...` for a directory outside of the root.
        let directory = std::env::current_dir().ok().filter(|path| path.is_absolute());
        let shell = environment.get("PWD").and_then(|pwd| other_name(pwd, directory.as_deref()));
        Self { directory, shell }
    }
}

/// Returns `$PWD` if it is absolute, reads differently and names the working directory.
///
/// Equal texts, which is nearly always, cost no stat(2). The texts and not the paths are compared:
/// `/a` and `/a/` are one path, but a program prints them differently.
fn other_name(pwd: &OsStr, directory: Option<&Path>) -> Option<PathBuf> {
    let path = Path::new(pwd);
    if !path.is_absolute() || directory.is_some_and(|directory| directory.as_os_str() == pwd) {
        return None;
    }
    let identity = |path: &Path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let here = identity(Path::new("."))?;
    (identity(path)? == here).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(pwd: &Path) -> Option<PathBuf> {
        Place::read(&Environment::new(vec![("PWD".into(), pwd.into())])).shell
    }

    #[test]
    fn pwd_counts_when_it_is_another_name_of_the_same_directory() {
        let here = Place::read(&Environment::default()).directory.unwrap();
        assert_eq!(shell(&here), None, "the same text");
        assert_eq!(shell(Path::new("/")), None, "elsewhere");
        assert_eq!(shell(Path::new("/nonexistent")), None);
        assert_eq!(shell(Path::new(".")), None, "relative");
        let link = std::env::temp_dir().join(format!("memo-place-{}", std::process::id()));
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(&here, &link).unwrap();
        assert_eq!(shell(&link), Some(link.clone()));
        std::fs::remove_file(link).unwrap();
    }

    #[test]
    fn a_slash_at_the_end_is_another_text() {
        let here = Place::read(&Environment::default()).directory.unwrap();
        let slash = PathBuf::from(format!("{}/", here.display()));
        assert_eq!(shell(&slash).map(PathBuf::into_os_string), Some(slash.into_os_string()));
    }
}
