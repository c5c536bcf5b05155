//! The database's form: what the tables are, and how an older database becomes a newer one.

use tokio_postgres::Client;

use crate::error::OpenError;

/// Our own schema, so that the tables of other programs in the database are not in the way, nor ours in theirs.
pub(crate) const SCHEMA: &str = "pillarbox";

/// Who migrates holds this lock (`Pbox` and a number): of several processes that start at once one does it.
const LOCK: i64 = 0x5062_6f78_0000_0001;

/// Step *n* makes a database of version *n* into one of version *n* + 1. A step that has been published is never changed.
pub(crate) const MIGRATIONS: &[&str] = &[V1, V2];

const V1: &str = r#"
CREATE TABLE account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    list_version bigint NOT NULL DEFAULT 1,      -- rises with every change of the list of mailboxes or subscriptions
    last_uid_validity bigint NOT NULL DEFAULT 0, -- rises with every mailbox made
    limit_mailboxes bigint,
    limit_messages bigint,
    limit_storage bigint                         -- units of 1,024 octets
) WITH (fillfactor = 70);

-- Every change of a mailbox's messages updates its row: room is left for that in its page.
CREATE TABLE mailbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    object_id text COLLATE "C" NOT NULL UNIQUE,  -- MAILBOXID
    account bigint REFERENCES account (id),      -- NULL: deleted, its messages still to be cleared away
    name text COLLATE "C",
    special_use text,
    uid_validity bigint NOT NULL,
    uid_next bigint NOT NULL DEFAULT 1,          -- 2^32 when all have been given out
    modseq bigint NOT NULL DEFAULT 1,            -- HIGHESTMODSEQ
    floor bigint NOT NULL DEFAULT 1,             -- changes since an earlier modseq are no longer known
    recent_from bigint NOT NULL DEFAULT 1,       -- from this UID on no SELECT has claimed \Recent
    recent bigint NOT NULL DEFAULT 0,
    messages bigint NOT NULL DEFAULT 0,
    unseen bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0,
    size bigint NOT NULL DEFAULT 0,
    tombstones bigint NOT NULL DEFAULT 0,
    UNIQUE (account, name)
) WITH (fillfactor = 50);
CREATE INDEX mailbox_doomed ON mailbox (id) WHERE account IS NULL;

CREATE TABLE subscription (
    account bigint NOT NULL REFERENCES account (id),
    name text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, name)
);

-- The keywords in use in a mailbox, with the spelling that came first.
CREATE TABLE keyword (
    mailbox bigint NOT NULL REFERENCES mailbox (id),
    folded text COLLATE "C" NOT NULL,
    spelling text NOT NULL,
    uses bigint NOT NULL,
    PRIMARY KEY (mailbox, folded)
);

CREATE TABLE body (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,                  -- SHA-256 of its octets: the same octets are kept once
    size bigint NOT NULL,
    content bytea NOT NULL,                      -- whose chunks they are
    object text,                                 -- the object's name if they lie in an object store
    digest_version bigint,
    digest bytea
);

CREATE TABLE message (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mailbox bigint NOT NULL REFERENCES mailbox (id),
    uid bigint NOT NULL,
    modseq bigint NOT NULL,
    flags bigint NOT NULL,                       -- 1 answered, 2 deleted, 4 draft, 8 flagged, 16 seen
    keywords text NOT NULL,                      -- separated by single spaces
    received bigint NOT NULL,                    -- INTERNALDATE: seconds since 1970
    zone bigint NOT NULL,                        -- minutes east of UTC
    saved bigint NOT NULL,                       -- SAVEDATE
    size bigint NOT NULL,                        -- prefix and body
    body bigint NOT NULL REFERENCES body (id),
    email bytea NOT NULL,                        -- EMAILID
    uidl text,
    UNIQUE (mailbox, uid)
);
CREATE INDEX message_modseq ON message (mailbox, modseq, uid);
CREATE INDEX message_unseen ON message (mailbox, uid) WHERE flags & 16 = 0;
CREATE INDEX message_deleted ON message (mailbox, uid) WHERE flags & 2 <> 0;
CREATE INDEX message_flagged ON message (mailbox, uid) WHERE flags & 8 <> 0;
CREATE INDEX message_body ON message (body);

-- What a placement has of its own and a list view does not read.
CREATE TABLE extra (
    message bigint PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    digest_version bigint,
    digest bytea,
    prefix bytea NOT NULL
);

-- Octets of bodies, staged or placed, 64 KiB in each row.
CREATE TABLE chunk (
    content bytea NOT NULL,
    n bigint NOT NULL,
    octets bytea NOT NULL,
    PRIMARY KEY (content, n)
);

-- Contents that no body has: on their way in, or on their way out. Nothing is written before its name stands here, and
-- nothing is removed that does not stand here.
CREATE TABLE stage (
    content bytea PRIMARY KEY,
    object text,
    is_object boolean NOT NULL,
    begun timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX stage_begun ON stage (begun);

-- Bodies that lost a message, or that were still being read, and when.
CREATE TABLE freed (
    body bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX freed_body ON freed (body, at);
CREATE INDEX freed_at ON freed (at);

-- UIDs that have gone, as ranges.
CREATE TABLE tombstone (
    mailbox bigint NOT NULL REFERENCES mailbox (id),
    modseq bigint NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    PRIMARY KEY (mailbox, modseq, first)
);

-- Maildrops that are held alone.
CREATE TABLE lease (
    mailbox bigint PRIMARY KEY,
    token bytea NOT NULL,
    until timestamptz NOT NULL,                  -- unless its holder says that it is still there
    ends timestamptz NOT NULL                    -- in any case
);

-- Who may log in (SCRAM-SHA-256, RFC 7677: no password can be read from it).
CREATE TABLE login (
    name text COLLATE "C" PRIMARY KEY,
    salt bytea NOT NULL,
    iterations bigint NOT NULL,
    created timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE login_password (
    login text COLLATE "C" NOT NULL REFERENCES login (name) ON DELETE CASCADE,
    label text COLLATE "C" NOT NULL,             -- '': the account's own; else an app password's
    stored_key bytea NOT NULL,
    server_key bytea NOT NULL,
    created timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used timestamptz,
    PRIMARY KEY (login, label)
);
CREATE TABLE alias (
    address text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    PRIMARY KEY (address, target)
);
-- What all processes share: the key of made-up salts.
CREATE TABLE setting (
    name text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);
"#;

const V2: &str = r#"
-- When POP3 first fetched a message: what "leave a copy for so many days" counts from.
CREATE TABLE fetched (
    login text COLLATE "C" NOT NULL REFERENCES login (name) ON DELETE CASCADE,
    uid_validity bigint NOT NULL,
    uid bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (login, uid_validity, uid)
);
CREATE INDEX fetched_at ON fetched (at);

-- What one process of all does at a time, and when one last began.
CREATE TABLE chore (
    name text COLLATE "C" PRIMARY KEY,
    begun timestamptz NOT NULL
);
"#;

/// Brings a database to the newest form, each step and its version number in one transaction: a crash in the middle leaves
/// the older form whole.
pub(crate) async fn migrate(client: &mut Client, migrations: &[&str]) -> Result<(), OpenError> {
    // However long another process takes over it.
    client.batch_execute("SET lock_timeout = 0").await.map_err(OpenError::sql)?;
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    loop {
        let tx = client.transaction().await.map_err(OpenError::sql)?;
        // Waits for whoever is at it; given back by the commit, or by the end of the connection.
        tx.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(OpenError::sql)?;
        let there: bool =
            tx.query_one("SELECT to_regclass('version') IS NOT NULL", &[]).await.map_err(OpenError::sql)?.get(0);
        if !there {
            tx.batch_execute(
                "CREATE SCHEMA IF NOT EXISTS pillarbox; \
                 CREATE TABLE version (version bigint NOT NULL); INSERT INTO version VALUES (0)",
            )
            .await
            .map_err(OpenError::sql)?;
        }
        let found: i64 = tx.query_one("SELECT version FROM version", &[]).await.map_err(OpenError::sql)?.get(0);
        if found > known {
            return Err(OpenError::Newer { found, known });
        }
        let Some(step) = usize::try_from(found).ok().and_then(|found| migrations.get(found)) else {
            return tx.commit().await.map_err(OpenError::sql);
        };
        tx.batch_execute(step).await.map_err(OpenError::sql)?;
        tx.execute("UPDATE version SET version = version + 1", &[]).await.map_err(OpenError::sql)?;
        tx.commit().await.map_err(OpenError::sql)?;
        tracing::info!(from = found, to = found.saturating_add(1), "migrated the store's schema");
    }
}
