-- A store of schema version 1, as its first release wrote it. Never changed: newer releases must open it.
PRAGMA application_id = 1348628344;
PRAGMA user_version = 1;

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
    recent_from INTEGER NOT NULL DEFAULT 1, -- from this UID on no SELECT has claimed \Recent
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

UPDATE service SET last_uid_validity = 1700000000, commits = 3;
INSERT INTO account (id, name, mailboxes, messages, size) VALUES (1, 'ada@example.org', 1, 1, 21);
INSERT INTO mailbox (id, object_id, account, name, uid_validity, uid_next, modseq, recent, messages, unseen, size)
    VALUES (1, 'm000102030405060708090a0b0c0d0e0f', 1, 'INBOX', 1700000000, 8, 12, 1, 1, 1, 21);
INSERT INTO body (id, key, size, refs) VALUES (1, x'101112131415161718191a1b1c1d1e1f', 5, 1);
INSERT INTO content (body, octets) VALUES (1, CAST('hello' AS BLOB));
INSERT INTO message (id, mailbox, uid, modseq, flags, keywords, received, zone, saved, size, body, email)
    VALUES (1, 1, 7, 12, 0, '', 1700000000, 60, 1700000000, 21, 1, x'202122232425262728292a2b2c2d2e2f');
INSERT INTO extra (message, prefix) VALUES (1, CAST('Received: then' || char(13, 10) AS BLOB));
