//! What a service writes to stdout and stderr, kept up to a size.
//!
//! `log` grows to its limit, then becomes `log.1` in the place of the one before: there is always between one and
//! two limits of it. `prev.log` is what the instance before this one wrote last, up to one limit.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// At how many bytes a log is put aside.
pub const MOST: u64 = 8 << 20;

const NAME: &str = "log";
const OLDER: &str = "log.1";
const PREVIOUS: &str = "prev.log";

/// The log of an instance.
#[derive(Debug)]
pub struct Log {
    directory: PathBuf,
    most: u64,
    /// `None` when it could not be opened; the next write tries again.
    file: Option<File>,
    size: u64,
    trouble: Option<io::Error>,
}

impl Log {
    /// Goes on, from the first write on, with the log in a directory that is put aside at `most` bytes, see [`MOST`].
    pub fn new(directory: &Path, most: u64) -> Self {
        Self { directory: directory.to_owned(), most, file: None, size: 0, trouble: None }
    }

    /// Puts aside what the instance before wrote, and begins anew.
    pub fn rotate_for_new_instance(&mut self) {
        // What cannot be copied is lost; the rest is not.
        let moved = match self.join_previous() {
            Ok(true) => self.reopen(),
            _ => self.move_to(PREVIOUS),
        };
        let _ = fs::remove_file(self.directory.join(OLDER));
        self.note(moved);
    }

    /// Puts the end of the older file before the newer one, where both have room, and that aside; returns whether there
    /// was an older one.
    fn join_previous(&self) -> io::Result<bool> {
        let (name, older) = (self.directory.join(NAME), self.directory.join(OLDER));
        if !older.exists() {
            return Ok(false);
        }
        let length = name.metadata().map_or(0, |log| log.len());
        let mut text = end(&older, self.most.saturating_sub(length));
        // A line whose beginning is lost is left out, where there is another.
        let is_cut = older.metadata()?.len() > text.len() as u64;
        if is_cut && let Some(first) = text.iter().position(|byte| *byte == b'\n') {
            text.drain(..=first);
        }
        let mut joined = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.directory.join(PREVIOUS))?;
        joined.write_all(&text)?;
        match File::open(&name) {
            Ok(mut log) => io::copy(&mut log, &mut joined)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        match fs::remove_file(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(true),
        }
    }

    /// Writes at the end. It never fails: the service must go on when the disk is full.
    pub fn write(&mut self, bytes: &[u8]) {
        let written = self.try_write(bytes);
        self.note(written);
    }

    /// Returns what went wrong last, if anything did.
    pub fn trouble(&self) -> Option<&io::Error> {
        self.trouble.as_ref()
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.trouble = Some(error);
        }
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            self.reopen()?;
        }
        if self.size > 0 && self.size.saturating_add(bytes.len() as u64) > self.most {
            self.move_to(OLDER)?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let written = file.write_all(bytes);
        self.size = match written {
            Ok(()) => self.size + bytes.len() as u64,
            // Some of it may have been written.
            Err(_) => file.metadata().map_or(self.size, |metadata| metadata.len()),
        };
        written
    }

    fn move_to(&mut self, name: &str) -> io::Result<()> {
        let moved = fs::rename(self.directory.join(NAME), self.directory.join(name));
        if let Err(error) = moved.as_ref()
            && error.kind() != io::ErrorKind::NotFound
        {
            return moved;
        }
        self.reopen()
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = None;
        self.size = 0;
        let file = File::options().append(true).create(true).mode(0o600).open(self.directory.join(NAME))?;
        self.size = file.metadata()?.len();
        self.file = Some(file);
        Ok(())
    }
}

/// Returns the last lines of the log in a directory, of what its last 64 KiB are; bytes that are no text are
/// replaced. There are none when it cannot be read.
pub fn tail(directory: &Path, lines: usize) -> Vec<String> {
    let mut text = end(&directory.join(NAME), WINDOW);
    if (text.len() as u64) < WINDOW && count(&text) < lines {
        let room = WINDOW - text.len() as u64;
        let mut older = end(&directory.join(OLDER), room);
        older.append(&mut text);
        text = older;
    }
    // A line whose beginning was left out is not shown, unless it is all there is.
    let whole = text.len() as u64 == WINDOW;
    if whole && let Some(first) = text.iter().position(|byte| *byte == b'\n').filter(|at| at + 1 < text.len())
    {
        text.drain(..=first);
    }
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    if text.is_empty() {
        return Vec::new();
    }
    let shown = |line: &[u8]| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
    let mut last: Vec<_> = text.rsplit(|byte| *byte == b'\n').take(lines).map(shown).collect();
    last.reverse();
    last
}

/// How much of a log its last lines are looked for in, in bytes.
const WINDOW: u64 = 64 << 10;

fn count(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// Returns the last bytes of a file, at most so many; none when it cannot be read.
fn end(path: &Path, most: u64) -> Vec<u8> {
    let read = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
        let mut text = Vec::new();
        file.take(most).read_to_end(&mut text)?;
        io::Result::Ok(text)
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("memo-log-{name}-{}", crate::sys::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn text(&self, name: &str) -> Option<String> {
            fs::read_to_string(self.0.join(name)).ok()
        }

        fn put(&self, name: &str, text: impl AsRef<[u8]>) {
            fs::write(self.0.join(name), text).unwrap();
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_log_is_put_aside_before_it_is_too_long() {
        let place = Place::new("size");
        let mut log = Log::new(&place.0, 10);
        for text in ["12345", "67890", "abc", &"x".repeat(20), "end"] {
            log.write(text.as_bytes());
        }
        assert_eq!(place.text(OLDER).as_deref(), Some("x".repeat(20).as_str()));
        assert_eq!(place.text(NAME).as_deref(), Some("end"));
        assert!(log.trouble().is_none());
        assert_eq!(fs::metadata(place.0.join(NAME)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_log_goes_on_where_it_was_and_a_new_instance_begins_anew() {
        let place = Place::new("instance");
        Log::new(&place.0, 10).rotate_for_new_instance();
        assert_eq!(place.text(PREVIOUS), None, "there was none before");
        Log::new(&place.0, 10).write(b"12345678");
        let mut log = Log::new(&place.0, 10);
        log.write(b"9");
        assert_eq!(place.text(NAME).as_deref(), Some("123456789"));
        log.write(b"ab");
        assert_eq!(
            (place.text(OLDER).as_deref(), place.text(NAME).as_deref()),
            (Some("123456789"), Some("ab"))
        );
        log.rotate_for_new_instance();
        log.write(b"new");
        assert_eq!(place.text(OLDER), None);
        // Of what was written before that, as much as there is room for.
        let previous = place.text(PREVIOUS);
        assert_eq!((previous.as_deref(), place.text(NAME).as_deref()), (Some("23456789ab"), Some("new")));
    }

    #[test]
    fn what_the_instance_before_wrote_last_is_never_next_to_nothing() {
        let place = Place::new("previous");
        for (older, newer, previous) in [
            ("1234\n5678\n", "ab\n", "5678\nab\n"),
            ("1\n2\n", "ab\n", "1\n2\nab\n"),
            ("1\n2\n", "0123456789", "0123456789"),
            ("1\n2\n", "", "1\n2\n"),
        ] {
            place.put(OLDER, older);
            place.put(NAME, newer);
            Log::new(&place.0, 10).rotate_for_new_instance();
            assert_eq!(place.text(PREVIOUS).as_deref(), Some(previous), "{older:?} {newer:?}");
            assert_eq!((place.text(OLDER), place.text(NAME).as_deref()), (None, Some("")));
        }
        // Where nothing can be written but by a rename the newer one is kept.
        fs::remove_file(place.0.join(PREVIOUS)).unwrap();
        fs::create_dir(place.0.join(PREVIOUS)).unwrap();
        place.put(OLDER, "1\n");
        Log::new(&place.0, 10).rotate_for_new_instance();
        assert_eq!(place.text(OLDER), None);
    }

    #[test]
    fn trouble_is_remembered_and_may_end() {
        let place = Place::new("trouble");
        let directory = place.0.join("later");
        let mut log = Log::new(&directory, 10);
        log.write(b"lost");
        assert_eq!(log.trouble().map(io::Error::kind), Some(io::ErrorKind::NotFound));
        fs::create_dir(&directory).unwrap();
        log.write(b"kept");
        assert_eq!(fs::read(directory.join(NAME)).unwrap(), b"kept");
        assert_eq!(tail(&place.0, 5), [] as [&str; 0]);
    }

    #[test]
    fn the_last_lines_are_those_of_both_files() {
        let place = Place::new("tail");
        place.put(OLDER, "a\nb\n");
        place.put(NAME, b"c\r\n\nd\xff");
        assert_eq!(tail(&place.0, 10), ["a", "b", "c", "", "d\u{fffd}"]);
        assert_eq!(tail(&place.0, 4), ["b", "c", "", "d\u{fffd}"]);
        assert_eq!(tail(&place.0, 0), [] as [&str; 0]);
        place.put(NAME, "");
        assert_eq!(tail(&place.0, 1), ["b"]);
    }

    #[test]
    fn a_line_without_its_beginning_is_not_shown() {
        let place = Place::new("window");
        place.put(NAME, ["x".repeat(100 << 10).as_str(), "\nlast\n"].concat());
        assert_eq!(tail(&place.0, 5), ["last"]);
        place.put(NAME, "y".repeat(100 << 10));
        let shown = tail(&place.0, 5);
        assert_eq!((shown.len(), shown[0].len() as u64), (1, WINDOW));
    }
}
