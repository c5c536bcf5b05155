//! Whether the database agrees with itself: counts with what they count, references with what they refer to.
//!
//! Every transaction keeps them so. What breaks them is a disk that lies, a file that was edited, or a fault in here.

use std::collections::BTreeMap;

use mailstore_traits::Finding;
use rusqlite::{Connection, params};

use crate::error::Outcome;
use crate::writer::Tx;

/// Something that has to hold. Later ones build on the earlier: counts come behind what they count.
struct Rule {
    /// What there is a number of.
    what: &'static str,
    /// Counts what does not hold.
    find: &'static str,
    /// Makes it hold; `?1` is the time.
    mend: &'static [&'static str],
}

/// Messages whose octets cannot be there, for no row says where.
macro_rules! bodiless {
    () => {
        "(SELECT id FROM message WHERE body NOT IN (SELECT body FROM content))"
    };
}

/// Tombstones that name a message which is there.
macro_rules! undead {
    () => {
        "EXISTS (SELECT 1 FROM message m WHERE m.mailbox = t.mailbox AND m.uid BETWEEN t.first AND t.last)"
    };
}

/// What a mailbox counts.
macro_rules! counted {
    () => {
        "(SELECT count(*), coalesce(sum(size), 0), coalesce(sum(flags & 16 = 0), 0), \
         coalesce(sum(flags & 2 <> 0), 0), coalesce(sum(uid >= mailbox.recent_from), 0) \
         FROM message WHERE mailbox = mailbox.id)"
    };
}

const RULES: &[Rule] = &[
    Rule {
        what: "messages whose octets are lost",
        find: concat!("SELECT count(*) FROM message WHERE id IN ", bodiless!()),
        mend: &[
            concat!(
                "UPDATE mailbox SET modseq = modseq + 1 WHERE id IN (SELECT mailbox FROM message WHERE id IN ",
                bodiless!(),
                ")"
            ),
            concat!(
                "INSERT INTO tombstone (mailbox, modseq, first, last) SELECT m.mailbox, b.modseq, m.uid, m.uid \
                 FROM message m JOIN mailbox b ON b.id = m.mailbox WHERE m.id IN ",
                bodiless!()
            ),
            concat!("DELETE FROM extra WHERE message IN ", bodiless!()),
            concat!("DELETE FROM message WHERE id IN ", bodiless!()),
        ],
    },
    Rule {
        what: "messages whose size is wrong",
        find: "SELECT count(*) FROM message m JOIN body b ON b.id = m.body LEFT JOIN extra e ON e.message = m.id \
               WHERE m.size <> b.size + coalesce(length(e.prefix), 0)",
        mend: &["UPDATE message SET size = (SELECT size FROM body WHERE id = message.body) + \
                 coalesce((SELECT length(prefix) FROM extra WHERE message = message.id), 0)"],
    },
    Rule {
        what: "messages above their mailbox's UIDNEXT or HIGHESTMODSEQ",
        find: "SELECT count(*) FROM message m JOIN mailbox b ON b.id = m.mailbox \
               WHERE m.uid >= b.uid_next OR m.modseq > b.modseq",
        mend: &["UPDATE mailbox SET \
                 uid_next = max(uid_next, coalesce((SELECT max(uid) + 1 FROM message WHERE mailbox = mailbox.id), 1)), \
                 modseq = max(modseq, coalesce((SELECT max(modseq) FROM message WHERE mailbox = mailbox.id), 1))"],
    },
    Rule {
        what: "messages that are there and told as expunged",
        find: concat!("SELECT count(*) FROM tombstone t WHERE ", undead!()),
        // Which of the others are true nobody knows: clients are to ask for everything.
        mend: &[
            concat!(
                "UPDATE mailbox SET modseq = modseq + 1, floor = modseq + 1 \
                 WHERE id IN (SELECT mailbox FROM tombstone t WHERE ",
                undead!(),
                ")"
            ),
            concat!("DELETE FROM tombstone AS t WHERE ", undead!()),
        ],
    },
    Rule {
        what: "mailboxes whose count of expunged messages is wrong",
        find: "SELECT count(*) FROM mailbox WHERE account IS NOT NULL AND tombstones <> \
               (SELECT count(*) FROM tombstone WHERE mailbox = mailbox.id)",
        mend: &["UPDATE mailbox SET tombstones = (SELECT count(*) FROM tombstone WHERE mailbox = mailbox.id) \
                 WHERE account IS NOT NULL"],
    },
    Rule {
        what: "mailboxes whose counts are wrong",
        find: concat!(
            "SELECT count(*) FROM mailbox WHERE account IS NOT NULL AND (messages, size, unseen, deleted, recent) <> ",
            counted!()
        ),
        mend: &[concat!(
            "UPDATE mailbox SET (messages, size, unseen, deleted, recent) = ",
            counted!(),
            " WHERE account IS NOT NULL"
        )],
    },
    Rule {
        what: "accounts whose sums are wrong",
        find: "SELECT count(*) FROM account a WHERE (mailboxes, messages, size) <> \
               (SELECT count(*), coalesce(sum(messages), 0), coalesce(sum(size), 0) FROM mailbox WHERE account = a.id)",
        mend: &["UPDATE account SET (mailboxes, messages, size) = \
                 (SELECT count(*), coalesce(sum(messages), 0), coalesce(sum(size), 0) \
                 FROM mailbox WHERE account = account.id)"],
    },
    Rule {
        what: "bodies whose count of messages is wrong",
        // Grouped once: message has no index by body, and needs none.
        find: "SELECT count(*) FROM body b LEFT JOIN (SELECT body, count(*) AS n FROM message GROUP BY body) m \
               ON m.body = b.id WHERE refs <> coalesce(n, 0) OR (freed IS NULL) <> (refs > 0)",
        mend: &[
            "UPDATE body SET refs = 0, freed = coalesce(freed, ?1) WHERE id NOT IN (SELECT body FROM message)",
            "UPDATE body SET refs = n, freed = NULL FROM (SELECT body, count(*) AS n FROM message GROUP BY body) m \
             WHERE m.body = body.id",
        ],
    },
];

/// Looks, and puts right what it can. All of it is one transaction.
pub(crate) fn check(tx: &mut Tx<'_>, mend: bool) -> Outcome<Vec<Finding>> {
    let mut findings = Vec::new();
    for what in damage(tx.conn)? {
        findings.push(Finding::new(format!("the database file: {what}"), false));
    }
    if mend && !findings.is_empty() {
        // Tables come back from no index, but an index from its table.
        tx.conn.execute_batch("REINDEX")?;
        let left = damage(tx.conn)?;
        for finding in &mut findings {
            finding.mended = !left.iter().any(|what| finding.what.ends_with(what.as_str()));
        }
    }
    for Rule { what, find, mend: statements } in RULES {
        let found: i64 = tx.conn.query_row(find, [], |row| row.get(0))?;
        if found == 0 {
            continue;
        }
        if mend {
            for statement in *statements {
                let mut statement = tx.conn.prepare(statement)?;
                let parameters = statement.parameter_count();
                if parameters == 0 {
                    statement.execute([])?
                } else {
                    statement.execute([tx.now])?
                };
            }
        }
        findings.push(Finding::new(format!("{what}: {found}"), mend));
    }
    let keywords = keywords(tx.conn)?;
    if !keywords.is_empty() {
        for (mailbox, words) in &keywords {
            if mend {
                recount_keywords(tx.conn, *mailbox, words)?;
            }
        }
        findings.push(Finding::new(format!("mailboxes whose list of keywords is wrong: {}", keywords.len()), mend));
    }
    Ok(findings)
}

/// What SQLite itself says of its file.
fn damage(conn: &Connection) -> Outcome<Vec<String>> {
    let mut statement = conn.prepare("PRAGMA integrity_check(20)")?;
    let told = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut damage: Vec<String> = told.collect::<Result<_, _>>()?;
    damage.retain(|what| what != "ok");
    if conn.prepare("PRAGMA foreign_key_check")?.exists([])? {
        damage.push("rows that refer to others which are not there".to_owned());
    }
    Ok(damage)
}

/// How often each keyword is used, by its folded form, with the spelling that the table has.
type Words = BTreeMap<String, (String, i64)>;

/// The mailboxes whose keywords are counted wrongly, and how they would be right.
fn keywords(conn: &Connection) -> Outcome<Vec<(i64, Words)>> {
    let mut used: BTreeMap<i64, Words> = BTreeMap::new();
    let mut statement = conn.prepare(
        "SELECT m.mailbox, m.keywords, count(*) FROM message m JOIN mailbox b ON b.id = m.mailbox \
         WHERE b.account IS NOT NULL AND m.keywords <> '' GROUP BY 1, 2",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let words = used.entry(row.get(0)?).or_default();
        let times: i64 = row.get(2)?;
        for word in row.get::<_, String>(1)?.split(' ') {
            let (_, uses) = words.entry(word.to_ascii_lowercase()).or_insert_with(|| (word.to_owned(), 0));
            *uses = uses.saturating_add(times);
        }
    }
    let mut told: BTreeMap<i64, Words> = BTreeMap::new();
    let mut statement = conn.prepare(
        "SELECT k.mailbox, k.folded, k.spelling, k.uses FROM keyword k JOIN mailbox b ON b.id = k.mailbox \
         WHERE b.account IS NOT NULL",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        told.entry(row.get(0)?).or_default().insert(row.get(1)?, (row.get(2)?, row.get(3)?));
    }
    let uses = |words: Option<&Words>| -> BTreeMap<String, i64> {
        words.into_iter().flatten().map(|(folded, (_, uses))| (folded.clone(), *uses)).collect()
    };
    let mailboxes: std::collections::BTreeSet<i64> = used.keys().chain(told.keys()).copied().collect();
    let wrong = mailboxes.into_iter().filter(|mailbox| uses(used.get(mailbox)) != uses(told.get(mailbox)));
    Ok(wrong.map(|mailbox| (mailbox, used.get(&mailbox).cloned().unwrap_or_default())).collect())
}

fn recount_keywords(conn: &Connection, mailbox: i64, words: &Words) -> Outcome<()> {
    conn.execute("DELETE FROM keyword WHERE mailbox = ?", [mailbox])?;
    for (folded, (spelling, uses)) in words {
        conn.execute(
            "INSERT INTO keyword (mailbox, folded, spelling, uses) VALUES (?, ?, ?, ?)",
            params![mailbox, folded, spelling, uses],
        )?;
    }
    Ok(())
}
