//! The database's form: what the tables are, and how an older file becomes a newer one.

use rusqlite::{Connection, TransactionBehavior};

/// `Pbox`: SQLite keeps it in the file's header, so that a file of another program is told apart before it is touched.
pub(crate) const APPLICATION_ID: i64 = 0x5062_6f78;

/// Step *n* makes a file of version *n* into one of version *n* + 1. A step that has been published is never changed.
pub(crate) const MIGRATIONS: &[&str] = &[V1];

const V1: &str = "
-- Counters of the whole service; one row.
CREATE TABLE service (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last_uid_validity INTEGER NOT NULL,     -- rises with every mailbox made
    commits INTEGER NOT NULL                -- rises with every commit; the lock file keeps a mark of it
) STRICT;
INSERT INTO service (id, last_uid_validity, commits) VALUES (1, 0, 0);

CREATE TABLE account (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    list_version INTEGER NOT NULL DEFAULT 1, -- rises with every change of the list of mailboxes or subscriptions
    mailboxes INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    limit_mailboxes INTEGER,
    limit_messages INTEGER,
    limit_storage INTEGER                   -- units of 1,024 octets
) STRICT;

CREATE TABLE mailbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    object_id TEXT NOT NULL UNIQUE,         -- MAILBOXID
    account INTEGER REFERENCES account(id), -- NULL: deleted, its messages still to be cleared away
    name TEXT,
    special_use TEXT,
    uid_validity INTEGER NOT NULL,
    uid_next INTEGER NOT NULL DEFAULT 1,    -- 2^32 when all have been given out
    modseq INTEGER NOT NULL DEFAULT 1,      -- HIGHESTMODSEQ
    floor INTEGER NOT NULL DEFAULT 1,       -- changes since an earlier modseq are no longer known
    recent_from INTEGER NOT NULL DEFAULT 1, -- from this UID on no SELECT has claimed \\Recent
    recent INTEGER NOT NULL DEFAULT 0,
    messages INTEGER NOT NULL DEFAULT 0,
    unseen INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    tombstones INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account, name)
) STRICT;

CREATE TABLE subscription (
    account INTEGER NOT NULL REFERENCES account(id),
    name TEXT NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

-- The keywords in use in a mailbox, with the spelling that came first.
CREATE TABLE keyword (
    mailbox INTEGER NOT NULL REFERENCES mailbox(id),
    folded TEXT NOT NULL,
    spelling TEXT NOT NULL,
    uses INTEGER NOT NULL,
    PRIMARY KEY (mailbox, folded)
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    mailbox INTEGER NOT NULL REFERENCES mailbox(id),
    uid INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    flags INTEGER NOT NULL,                 -- 1 answered, 2 deleted, 4 draft, 8 flagged, 16 seen
    keywords TEXT NOT NULL,                 -- separated by single spaces
    received INTEGER NOT NULL,              -- INTERNALDATE: seconds since 1970
    zone INTEGER NOT NULL,                  -- minutes east of UTC
    saved INTEGER NOT NULL,                 -- SAVEDATE
    size INTEGER NOT NULL,                  -- prefix and body
    body INTEGER NOT NULL,                  -- body.id; body.refs counts these
    email BLOB NOT NULL,                    -- EMAILID
    uidl TEXT,
    UNIQUE (mailbox, uid)
) STRICT;
CREATE INDEX message_modseq ON message (mailbox, modseq, uid);
CREATE INDEX message_unseen ON message (mailbox, uid) WHERE flags & 16 = 0;
CREATE INDEX message_deleted ON message (mailbox, uid) WHERE flags & 2 <> 0;
CREATE INDEX message_flagged ON message (mailbox, uid) WHERE flags & 8 <> 0;

-- What a placement has of its own and a list view does not read.
CREATE TABLE extra (
    message INTEGER PRIMARY KEY REFERENCES message(id),
    digest_version INTEGER,
    digest BLOB,
    prefix BLOB NOT NULL
) STRICT;

CREATE TABLE body (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key BLOB NOT NULL UNIQUE,               -- 16 octets; EMAILID, and the file's name if it lies in one
    size INTEGER NOT NULL,
    refs INTEGER NOT NULL,
    freed INTEGER                           -- when refs fell to 0
) STRICT;
CREATE INDEX body_freed ON body (freed) WHERE freed IS NOT NULL;

CREATE TABLE content (
    body INTEGER PRIMARY KEY REFERENCES body(id),
    digest_version INTEGER,
    digest BLOB,
    octets BLOB                             -- NULL: in a file
) STRICT;

-- UIDs that have gone, as ranges.
CREATE TABLE tombstone (
    mailbox INTEGER NOT NULL REFERENCES mailbox(id),
    modseq INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (mailbox, modseq, first)
) STRICT, WITHOUT ROWID;
";

/// What a file turned out to be, before anything was written to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Ours, or empty: that many migrations have been done.
    Version(i64),
    /// Some other program's.
    Foreign,
}

/// Looks at a file without writing to it.
pub(crate) fn identify(conn: &Connection) -> rusqlite::Result<Form> {
    let application: i64 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if application == APPLICATION_ID {
        return Ok(Form::Version(version));
    }
    let things: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(if application == 0 && version == 0 && things == 0 { Form::Version(0) } else { Form::Foreign })
}

/// Brings a file to the newest form, each step and its version number in one transaction: a crash in the middle leaves
/// the older form whole.
pub(crate) fn migrate(conn: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    loop {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Read again under the lock: another process may have been at it.
        let version: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let Some(step) = usize::try_from(version).ok().and_then(|version| migrations.get(version)) else {
            return Ok(());
        };
        tx.execute_batch(step)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", version.saturating_add(1))?;
        tx.commit()?;
        tracing::info!(from = version, to = version.saturating_add(1), "migrated the store's schema");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(conn: &Connection) -> i64 {
        conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn each_step_is_done_once_and_in_order() {
        let mut conn = Connection::open_in_memory().unwrap();
        assert_eq!(identify(&conn).unwrap(), Form::Version(0));
        let steps = ["CREATE TABLE a (x)", "INSERT INTO a VALUES (1)", "UPDATE a SET x = x + 1"];
        migrate(&mut conn, &steps[..1]).unwrap();
        assert_eq!(version(&conn), 1);
        migrate(&mut conn, &steps).unwrap();
        migrate(&mut conn, &steps).unwrap();
        assert_eq!(version(&conn), 3);
        assert_eq!(conn.query_row("SELECT sum(x) FROM a", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
        assert_eq!(identify(&conn).unwrap(), Form::Version(3));
    }

    #[test]
    fn a_step_that_fails_leaves_the_older_form_whole() {
        let mut conn = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)"];
        assert!(migrate(&mut conn, &steps).is_err());
        assert_eq!(version(&conn), 1);
        let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 1);
    }

    #[test]
    fn another_programs_file_is_told_apart() {
        for sql in ["CREATE TABLE a (x)", "PRAGMA user_version = 7", "PRAGMA application_id = 99"] {
            let conn = Connection::open_in_memory().unwrap();
            conn.execute_batch(sql).unwrap();
            assert_eq!(identify(&conn).unwrap(), Form::Foreign, "{sql}");
        }
    }
}
