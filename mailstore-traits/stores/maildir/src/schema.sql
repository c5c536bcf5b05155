-- Beside the ledger's tables: where each message lies on the disk, and what is still to be done there. Triggers write that
-- down in the transaction that makes it necessary, so that no change of the ledger can forget it.

CREATE TABLE IF NOT EXISTS folder (
    mailbox INTEGER PRIMARY KEY,            -- mailbox.id, and for a while after that has gone
    account INTEGER NOT NULL,
    dir BLOB,                               -- in the account's folder, empty for INBOX; NULL: not made yet
    trashed INTEGER NOT NULL DEFAULT 0      -- dir lies among what is to be removed
) STRICT;

CREATE TABLE IF NOT EXISTS file (
    message INTEGER PRIMARY KEY,            -- message.id
    body INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,               -- in whose folder it lies; message.mailbox is where it belongs
    place INTEGER NOT NULL,                 -- 0 the store's own folder of new files, 1 new, 2 cur, 3 nowhere yet
    base BLOB NOT NULL,                     -- the name up to the colon, which never changes
    info BLOB NOT NULL,                     -- the colon and what is behind it
    octets INTEGER NOT NULL,                -- on the disk
    exact INTEGER NOT NULL,                 -- 0: served with CRLF for LF; 1: served as it is
    checked INTEGER NOT NULL,               -- 0: its size is what its name says
    from_mailbox INTEGER,                   -- a copy that is still to be made of this file
    from_place INTEGER,
    from_name BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS file_body ON file (body);
CREATE INDEX IF NOT EXISTS file_base ON file (base);

-- Messages whose file does not lie where, or is not called as, it should be.
CREATE TABLE IF NOT EXISTS todo (message INTEGER PRIMARY KEY, tried INTEGER NOT NULL DEFAULT 0) STRICT;
-- Files whose message has gone.
CREATE TABLE IF NOT EXISTS gone (
    id INTEGER PRIMARY KEY,
    mailbox INTEGER NOT NULL,
    place INTEGER NOT NULL,
    base BLOB NOT NULL,
    info BLOB NOT NULL,
    tried INTEGER NOT NULL DEFAULT 0
) STRICT;
-- Mailboxes whose folder does not exist, or has another name, or is to be removed.
CREATE TABLE IF NOT EXISTS todo_folder (mailbox INTEGER PRIMARY KEY, tried INTEGER NOT NULL DEFAULT 0) STRICT;
-- Accounts whose file of subscriptions is to be written.
CREATE TABLE IF NOT EXISTS todo_subscriptions (account INTEGER PRIMARY KEY, tried INTEGER NOT NULL DEFAULT 0) STRICT;

-- A copy has its original's body; a message that is new has a body of its own.
CREATE TRIGGER IF NOT EXISTS message_copied AFTER INSERT ON message BEGIN
    INSERT INTO file (message, body, mailbox, place, base, info, octets, exact, checked, from_mailbox, from_place, from_name)
    SELECT NEW.id, NEW.body, NEW.mailbox, 3,
        CAST(NEW.saved || '.C' || lower(hex(randomblob(10))) || '.copy'
            || CASE WHEN instr(f.base, x'2c') > 0 THEN substr(f.base, instr(f.base, x'2c')) ELSE '' END AS BLOB),
        x'', f.octets, f.exact, f.checked, coalesce(f.from_mailbox, f.mailbox), coalesce(f.from_place, f.place),
        CAST(coalesce(f.from_name, f.base || f.info) AS BLOB)
    FROM file f WHERE f.body = NEW.body LIMIT 1;
END;
CREATE TRIGGER IF NOT EXISTS message_changed AFTER UPDATE OF flags, keywords, mailbox ON message BEGIN
    INSERT OR IGNORE INTO todo (message) VALUES (NEW.id);
END;
CREATE TRIGGER IF NOT EXISTS message_gone AFTER DELETE ON message BEGIN
    INSERT INTO gone (mailbox, place, base, info) SELECT mailbox, place, base, info FROM file WHERE message = OLD.id;
    DELETE FROM file WHERE message = OLD.id;
    DELETE FROM todo WHERE message = OLD.id;
END;
CREATE TRIGGER IF NOT EXISTS file_made AFTER INSERT ON file BEGIN
    INSERT OR IGNORE INTO todo (message) VALUES (NEW.message);
END;

CREATE TRIGGER IF NOT EXISTS mailbox_made AFTER INSERT ON mailbox BEGIN
    INSERT INTO folder (mailbox, account) VALUES (NEW.id, NEW.account);
    INSERT OR IGNORE INTO todo_folder (mailbox) VALUES (NEW.id);
END;
CREATE TRIGGER IF NOT EXISTS mailbox_renamed AFTER UPDATE OF name, account ON mailbox BEGIN
    INSERT OR IGNORE INTO todo_folder (mailbox) VALUES (NEW.id);
END;
CREATE TRIGGER IF NOT EXISTS mailbox_gone AFTER DELETE ON mailbox BEGIN
    INSERT OR IGNORE INTO todo_folder (mailbox) VALUES (OLD.id);
END;
CREATE TRIGGER IF NOT EXISTS subscribed AFTER INSERT ON subscription BEGIN
    INSERT OR IGNORE INTO todo_subscriptions (account) VALUES (NEW.account);
END;
CREATE TRIGGER IF NOT EXISTS unsubscribed AFTER DELETE ON subscription BEGIN
    INSERT OR IGNORE INTO todo_subscriptions (account) VALUES (OLD.account);
END;
