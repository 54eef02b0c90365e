//! The home directories of users, as passwd(5) has them.
//!
//! The file itself is read: getpwuid(3) would load what nsswitch.conf(5) names, and memo is linked static.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sys::file::is_writable;

/// Where the file is.
#[cfg(not(feature = "fault"))]
pub(super) const FILE: &str = "/etc/passwd";

/// Returns the home directory of a user; `None` where it is not the user's own, or nothing can be made in it: those of
/// services often belong to root, or are not there.
pub(super) fn home(file: &Path, user: u32) -> Option<PathBuf> {
    let text = std::fs::read(file).ok()?;
    let home = named(&text, user)?;
    let found = home.metadata().ok()?;
    (found.is_dir() && found.uid() == user && is_writable(home)).then(|| home.to_owned())
}

/// Returns the home directory that the first line of a user names, if that can be one.
fn named(text: &[u8], user: u32) -> Option<&Path> {
    let number = user.to_string();
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.split(|byte| *byte == b':'));
    // name:password:UID:GID:comment:directory:shell
    let home = lines.find_map(|mut line| (line.nth(2)? == number.as_bytes()).then(|| line.nth(2)))??;
    let home = Path::new(OsStr::from_bytes(home));
    (home.is_absolute() && home != Path::new("/")).then_some(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"\
root:x:0:0:root:/root:/bin/bash
daemon:*:1:1::/:/bin/sh
# 8:x:8:8::/comment:
short:x:7
ann:x:1000:1000:Ann,,,:/home/ann:/bin/bash
other:x:1000:1000::/home/other:/bin/bash
relative:x:1001:1001::home:/bin/sh
none:x:1002:1002:::/bin/sh
+::::::
1003:1003:x:1:1::/wrong
";

    #[test]
    fn the_first_line_with_the_users_number_counts() {
        let home = |user| named(TEXT, user).map(|path| path.to_str().unwrap());
        assert_eq!(home(0), Some("/root"));
        assert_eq!(home(1000), Some("/home/ann"));
        for user in [1, 7, 100, 1001, 1002, 1003] {
            assert_eq!(home(user), None, "{user}");
        }
        assert_eq!(named(b"", 0), None);
    }

    #[test]
    fn only_a_directory_of_the_users_own_is_a_home() {
        let user = crate::sys::process::user();
        let place = std::env::temp_dir().join(format!("memo-passwd-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&place);
        std::fs::create_dir(&place).unwrap();
        let (file, own) = (place.join("passwd"), place.join("home"));
        let has = |path: &Path, user: u32| {
            std::fs::write(&file, format!("u:x:{user}:1::{}:\n", path.display())).unwrap();
            home(&file, user)
        };
        assert_eq!(has(&own, user), None, "it is not there");
        std::fs::create_dir(&own).unwrap();
        assert_eq!(has(&own, user), Some(own.clone()));
        assert_eq!(has(&own, user + 1), None, "it is somebody else's");
        assert_eq!(has(&file, user), None, "it is no directory");
        assert_eq!(home(&place.join("none"), user), None, "there is no such file");
        std::fs::remove_dir_all(place).unwrap();
    }
}
