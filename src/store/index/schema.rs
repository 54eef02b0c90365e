//! The tables, and how an index file is opened, copied and thrown away.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::Fault;
use crate::store::lock;
use crate::sys::file::is_absent;
use crate::sys::lock::has_record_locks;

/// `memo` in ASCII.
const APPLICATION: i64 = 0x6d65_6d6f;
/// The number of the schema. An index with a lower one is thrown away.
const VERSION: i64 = 7;
/// How long another process's transaction is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// `meta` has one row: the number of the last journal that was folded, how many bytes of which one were
/// folded besides, whether every directory was taken in since the index was made, the bytes of all entries
/// and blobs, what they and the manifests take on disk, and since when it is counted what happens. `shards` and `manifests` say by which stat identity directories and files were taken in.
/// `apart` is 1 for an outcome with a file of its own, `gone` for a file that should be there and is not.
/// `disk` is what a file takes on disk, 0 for one that is not there. `changed` is a
/// manifest's modification time, `entries` how many of its outcomes can be read.
/// `call` is the digest of words, assignments and directory, `parts` are those of the call. `unrecorded` says why the
/// last run of a call was not recorded.
/// A blob that no entry uses keeps its row until its file is gone.
const TABLES: &str = "
CREATE TABLE meta (
    folded INTEGER NOT NULL, part_of INTEGER NOT NULL, part INTEGER NOT NULL, whole INTEGER NOT NULL,
    bytes INTEGER NOT NULL, disk INTEGER NOT NULL, counted_from INTEGER
) STRICT;
INSERT INTO meta VALUES (0, 0, 0, 0, 0, 0, NULL);
CREATE TABLE shards (
    tree INTEGER NOT NULL, shard INTEGER NOT NULL, identity BLOB NOT NULL, settled INTEGER NOT NULL,
    PRIMARY KEY (tree, shard)
) STRICT, WITHOUT ROWID;
CREATE TABLE manifests (
    key BLOB PRIMARY KEY, identity BLOB NOT NULL, disk INTEGER NOT NULL, changed INTEGER NOT NULL, entries INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX manifests_bare ON manifests (changed, key) WHERE entries = 0;
CREATE TABLE entries (
    number INTEGER PRIMARY KEY,
    key BLOB NOT NULL, outcome BLOB NOT NULL,
    recorded INTEGER NOT NULL, ttl INTEGER, expires INTEGER, duration INTEGER NOT NULL, exit INTEGER NOT NULL,
    bytes INTEGER NOT NULL, disk INTEGER NOT NULL, shown BLOB NOT NULL,
    apart INTEGER NOT NULL, gone INTEGER NOT NULL, grp TEXT NOT NULL,
    call BLOB NOT NULL, parts BLOB NOT NULL,
    used INTEGER NOT NULL, hits INTEGER NOT NULL DEFAULT 0, saved INTEGER NOT NULL DEFAULT 0,
    UNIQUE (key, outcome)
) STRICT;
CREATE INDEX entries_recorded ON entries (recorded, outcome, key);
CREATE INDEX entries_outcome ON entries (outcome);
CREATE INDEX entries_used ON entries (used, key, outcome);
CREATE INDEX entries_call ON entries (call, recorded);
CREATE INDEX entries_grp ON entries (grp, used, number);
CREATE INDEX entries_expires ON entries (expires, key, outcome) WHERE expires IS NOT NULL;
CREATE TABLE blobs (
    digest BLOB PRIMARY KEY, length INTEGER NOT NULL, uses INTEGER NOT NULL DEFAULT 0, gone INTEGER NOT NULL,
    disk INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_idle ON blobs (digest) WHERE uses = 0;
CREATE TABLE uses (
    entry INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (entry, digest)
) STRICT, WITHOUT ROWID;
CREATE TABLE digests (
    identity BLOB PRIMARY KEY, digest BLOB NOT NULL, proof BLOB NOT NULL, number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX digests_number ON digests (number);
CREATE TABLE unrecorded (
    call BLOB PRIMARY KEY, time INTEGER NOT NULL, reason INTEGER NOT NULL, about TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX unrecorded_time ON unrecorded (time);
";

/// `at` is when a minute or day (`tier`) began, in s after 1970; `event`, `missed` and `unrecorded` are numbers
/// as in the journal, `grp` its group.
const COUNTERS: &str = "
CREATE TABLE counts (
    tier INTEGER NOT NULL, at INTEGER NOT NULL, grp TEXT NOT NULL,
    event INTEGER NOT NULL, missed INTEGER NOT NULL, unrecorded INTEGER NOT NULL,
    times INTEGER NOT NULL, amount INTEGER NOT NULL, spent INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (tier, at, grp, event, missed, unrecorded)
) STRICT, WITHOUT ROWID;
";

/// Keep the counters exact, whichever statement changes the rows.
const TRIGGERS: &str = "
CREATE TRIGGER entry_comes AFTER INSERT ON entries BEGIN
    UPDATE meta SET bytes = bytes + NEW.bytes, disk = disk + NEW.disk;
END;
CREATE TRIGGER entry_changes AFTER UPDATE OF disk ON entries BEGIN
    UPDATE meta SET disk = disk + NEW.disk - OLD.disk;
END;
CREATE TRIGGER entry_goes BEFORE DELETE ON entries BEGIN
    DELETE FROM uses WHERE entry = OLD.number;
    UPDATE meta SET bytes = bytes - OLD.bytes, disk = disk - OLD.disk;
END;
CREATE TRIGGER manifest_comes AFTER INSERT ON manifests BEGIN
    UPDATE meta SET disk = disk + NEW.disk;
END;
CREATE TRIGGER manifest_changes AFTER UPDATE OF disk ON manifests BEGIN
    UPDATE meta SET disk = disk + NEW.disk - OLD.disk;
END;
CREATE TRIGGER manifest_goes AFTER DELETE ON manifests BEGIN
    UPDATE meta SET disk = disk - OLD.disk;
END;
CREATE TRIGGER use_comes AFTER INSERT ON uses BEGIN
    UPDATE blobs SET uses = uses + 1 WHERE digest = NEW.digest;
END;
CREATE TRIGGER use_goes AFTER DELETE ON uses BEGIN
    UPDATE blobs SET uses = uses - 1 WHERE digest = OLD.digest;
END;
CREATE TRIGGER blob_comes AFTER INSERT ON blobs BEGIN
    UPDATE meta SET bytes = bytes + NEW.length * (1 - NEW.gone), disk = disk + NEW.disk;
END;
CREATE TRIGGER blob_changes AFTER UPDATE OF gone, disk ON blobs BEGIN
    UPDATE meta SET bytes = bytes + NEW.length * (OLD.gone - NEW.gone), disk = disk + NEW.disk - OLD.disk;
END;
CREATE TRIGGER blob_goes AFTER DELETE ON blobs BEGIN
    UPDATE meta SET bytes = bytes - OLD.length * (1 - OLD.gone), disk = disk - OLD.disk;
END;
";

/// The tables of [`TABLES`], as they are copied.
const NAMES: [&str; 8] = ["meta", "shards", "manifests", "entries", "blobs", "uses", "digests", "unrecorded"];

/// Returns how long another process's transaction is waited for: not at all where the file system has no locks of
/// the kind that SQLite takes, which SQLite cannot tell from one that is held.
fn patience(path: &Path) -> Duration {
    // Another file than the index: closing it would drop the locks that SQLite has on that (fcntl(2)).
    let probe = File::open(path.with_file_name("generation"));
    if probe.is_ok_and(|file| !has_record_locks(&file)) { Duration::ZERO } else { PATIENCE }
}

/// Opens an index file and makes its tables if there are none.
pub(super) fn open(path: &Path) -> Result<Connection, Fault> {
    open_within(path, patience(path))
}

/// As [`open`], waiting up to `patience` for other processes.
pub(super) fn open_within(path: &Path, patience: Duration) -> Result<Connection, Fault> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // SQLite would let the user's mask decide; what it keeps beside the file gets the file's mode. If this
    // fails, so does what follows.
    let _ = File::options().write(true).create_new(true).mode(0o600).open(path);
    let mut connection = Connection::open_with_flags(path, flags)?;
    configure(&connection, patience)?;
    if is_empty(&connection)? {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        if is_empty(&transaction)? {
            transaction.execute_batch(&[TABLES, COUNTERS, TRIGGERS].concat())?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
    }
    check(&connection, "main")?;
    Ok(connection)
}

/// Opens an index file for reading.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // Whoever only reads can do without: nobody is waited for.
    connection.busy_timeout(Duration::ZERO)?;
    check(&connection, "main")?;
    Ok(connection)
}

/// Looks at all of an index file, without changing it.
pub(super) fn examine(path: &Path) -> Result<(), Fault> {
    if !path.exists() {
        return Ok(());
    }
    if !path.is_file() {
        return Err(Fault::Damaged("it is no regular file".to_owned()));
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(patience(path))?;
    if is_empty(&connection)? {
        return Ok(());
    }
    check(&connection, "main")?;
    let said: String = connection.pragma_query_value(None, "integrity_check", |row| row.get(0))?;
    if said == "ok" { Ok(()) } else { Err(Fault::Damaged(said)) }
}

/// Makes an index in memory, with all that an index file holds where that can be read.
pub(super) fn in_memory(copied: Option<&Path>) -> Result<Connection, Fault> {
    let mut connection = Connection::open_in_memory()?;
    configure(&connection, copied.map_or(Duration::ZERO, patience))?;
    connection.execute_batch(&[TABLES, COUNTERS].concat())?;
    if let Some(path) = copied
        && connection.execute("ATTACH ?1 AS disk", [uri(path)]).is_ok()
    {
        // What cannot be copied is filled from the store's files.
        let _ = copy(&mut connection);
        connection.execute_batch("DETACH disk")?;
    }
    connection.execute_batch(TRIGGERS)?;
    Ok(connection)
}

fn copy(connection: &mut Connection) -> Result<(), Fault> {
    let transaction = connection.transaction()?;
    check(&transaction, "disk")?;
    transaction.execute_batch("DELETE FROM meta")?;
    for name in NAMES.into_iter().chain(["counts"]) {
        transaction.execute_batch(&format!("INSERT INTO {name} SELECT * FROM disk.{name}"))?;
    }
    transaction.commit()?;
    Ok(())
}

/// Empties an index but for what was counted. The number of the last folded journal stays: it must never be
/// given twice.
pub(super) fn reset(connection: &mut Connection) -> Result<(), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let stays: (i64, Option<i64>) =
        transaction
            .query_row("SELECT folded, counted_from FROM meta", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for name in NAMES {
        transaction.execute_batch(&format!("DROP TABLE {name}"))?;
    }
    transaction.execute_batch(&[TABLES, TRIGGERS].concat())?;
    transaction.execute("UPDATE meta SET folded = ?1, counted_from = ?2", stays)?;
    transaction.commit()?;
    connection.execute_batch("VACUUM")?;
    Ok(())
}

/// Returns device and inode of an index file, if there is one.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Removes an index file with what SQLite keeps beside it, if it is still the one with this identity: another
/// process may have made a new one meanwhile. No connection of this process may be open on it.
pub(super) fn discard(path: &Path, which: Option<(u64, u64)>) -> io::Result<()> {
    let file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    lock::exclusive(&file, PATIENCE)?;
    let opened = file.metadata()?;
    if which != Some((opened.dev(), opened.ino())) || identity(path) != which {
        return Ok(());
    }
    // The file itself goes last: as long as it is there, none of the others can be a new index's.
    for suffix in ["-journal", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(PathBuf::from(name)) {
            Err(error) if !is_absent(&error) => return Err(error),
            _ => {}
        }
    }
    std::fs::remove_file(path)
}

fn configure(connection: &Connection, patience: Duration) -> Result<(), Fault> {
    connection.busy_timeout(patience)?;
    connection.execute_batch(
        "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = NORMAL; PRAGMA temp_store = MEMORY;
         PRAGMA trusted_schema = OFF;",
    )?;
    Ok(())
}

fn is_empty(connection: &Connection) -> Result<bool, Fault> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(tables == 0 && version == 0)
}

fn check(connection: &Connection, database: &str) -> Result<(), Fault> {
    let application: i64 =
        connection.pragma_query_value(Some(database), "application_id", |row| row.get(0))?;
    let version: i64 = connection.pragma_query_value(Some(database), "user_version", |row| row.get(0))?;
    match version {
        _ if application != APPLICATION => Err(Fault::Damaged("it is no index of memo's".to_owned())),
        VERSION => Ok(()),
        newer if newer > VERSION => Err(Fault::Newer),
        _ => Err(Fault::Damaged("an older memo made it".to_owned())),
    }
}

/// Returns the name by which SQLite opens a file for reading only.
fn uri(path: &Path) -> String {
    let mut uri = "file://".to_owned();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' => uri.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => uri.push(byte.into()),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri + "?mode=ro"
}
