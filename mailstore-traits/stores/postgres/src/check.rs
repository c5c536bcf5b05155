//! Whether the database agrees with itself: counts with what they count, references with what they refer to.
//!
//! Other processes work meanwhile. A mailbox is looked at in one state of the database, without a lock, so what is under
//! way is not seen; it is mended while its row is held, after another look. Then the octets themselves are read.

use mailstore_traits::Finding;

use crate::error::Outcome;
use crate::octets;
use crate::pool::{Kind, Tx};
use crate::store::Inner;

/// Something that has to hold. Later ones build on the earlier: counts come behind what they count.
struct Rule {
    /// What there is a number of.
    what: &'static str,
    /// Counts what does not hold; in a mailbox's rule `$1` is its row.
    find: &'static str,
    /// Makes it hold. None: it cannot be without losing mail, so it is only told.
    mend: &'static [&'static str],
}

/// Tombstones that name a message which is there.
macro_rules! undead {
    () => {
        "t.mailbox = $1 AND EXISTS \
         (SELECT 1 FROM message m WHERE m.mailbox = t.mailbox AND m.uid BETWEEN t.first AND t.last)"
    };
}

/// What a mailbox counts.
macro_rules! counted {
    () => {
        "SELECT count(*), coalesce(sum(m.size), 0)::bigint, count(*) FILTER (WHERE m.flags & 16 = 0), \
         count(*) FILTER (WHERE m.flags & 2 <> 0), count(*) FILTER (WHERE m.uid >= b.recent_from) \
         FROM message m WHERE m.mailbox = b.id"
    };
}

/// A mailbox's keywords as its messages have them.
macro_rules! words {
    () => {
        "SELECT lower(word COLLATE \"C\") AS folded, min(word) AS spelling, count(*) AS uses \
         FROM message, unnest(string_to_array(keywords, ' ')) AS word \
         WHERE mailbox = $1 AND keywords <> '' GROUP BY 1"
    };
}

/// What has to hold in each mailbox.
const OF_A_MAILBOX: &[Rule] = &[
    Rule {
        what: "messages whose size is wrong",
        find: "SELECT count(*) FROM message m JOIN body b ON b.id = m.body LEFT JOIN extra e ON e.message = m.id \
               WHERE m.mailbox = $1 AND m.size <> b.size + coalesce(length(e.prefix), 0)",
        mend: &["UPDATE message SET size = (SELECT size FROM body WHERE id = message.body) + \
                 coalesce((SELECT length(prefix) FROM extra WHERE message = message.id), 0) WHERE mailbox = $1"],
    },
    Rule {
        what: "messages above their mailbox's UIDNEXT or HIGHESTMODSEQ",
        find: "SELECT count(*) FROM message m JOIN mailbox b ON b.id = m.mailbox \
               WHERE b.id = $1 AND (m.uid >= b.uid_next OR m.modseq > b.modseq)",
        mend: &["UPDATE mailbox AS b SET \
                 uid_next = greatest(uid_next, (SELECT max(uid) + 1 FROM message WHERE mailbox = b.id)), \
                 modseq = greatest(modseq, (SELECT max(modseq) FROM message WHERE mailbox = b.id)) WHERE id = $1"],
    },
    Rule {
        what: "messages that are there and told as expunged",
        find: concat!("SELECT count(*) FROM tombstone t WHERE ", undead!()),
        // Which of the others are true nobody knows: clients are to ask for everything.
        mend: &[
            "UPDATE mailbox SET modseq = modseq + 1, floor = modseq + 1 WHERE id = $1",
            concat!("DELETE FROM tombstone t WHERE ", undead!()),
        ],
    },
    Rule {
        what: "mailboxes whose count of expunged messages is wrong",
        find: "SELECT count(*) FROM mailbox b WHERE id = $1 AND tombstones <> \
               (SELECT count(*) FROM tombstone WHERE mailbox = b.id)",
        mend: &["UPDATE mailbox SET tombstones = (SELECT count(*) FROM tombstone WHERE mailbox = $1) WHERE id = $1"],
    },
    Rule {
        what: "mailboxes whose counts are wrong",
        find: concat!(
            "SELECT count(*) FROM mailbox b WHERE id = $1 AND (messages, size, unseen, deleted, recent) <> (",
            counted!(),
            ")"
        ),
        mend: &[concat!(
            "UPDATE mailbox b SET (messages, size, unseen, deleted, recent) = (",
            counted!(),
            ") WHERE id = $1"
        )],
    },
    Rule {
        what: "mailboxes whose list of keywords is wrong",
        find: concat!(
            "SELECT count(*) FROM mailbox WHERE id = $1 AND EXISTS (SELECT 1 FROM (",
            words!(),
            ") AS w FULL JOIN (SELECT folded, uses FROM keyword WHERE mailbox = $1) AS k USING (folded) \
             WHERE w.uses IS DISTINCT FROM k.uses)"
        ),
        mend: &[
            concat!("DELETE FROM keyword WHERE mailbox = $1 AND folded NOT IN (SELECT folded FROM (", words!(), ") w)"),
            concat!(
                "INSERT INTO keyword (mailbox, folded, spelling, uses) SELECT $1, folded, spelling, uses FROM (",
                words!(),
                ") AS w ON CONFLICT (mailbox, folded) DO UPDATE SET uses = excluded.uses"
            ),
        ],
    },
];

/// What has to hold beside mailboxes. Each is looked for by one statement, which sees one state of the database: octets
/// and the rows that name them come and go in one transaction.
const OF_THE_REST: &[Rule] = &[
    Rule {
        what: "contents that neither a body nor the list of staged ones names",
        find: "SELECT count(DISTINCT content) FROM chunk c WHERE NOT EXISTS (SELECT 1 FROM body WHERE content = c.content) \
               AND NOT EXISTS (SELECT 1 FROM stage WHERE content = c.content)",
        // The keeper removes them from there.
        mend: &[
            "INSERT INTO stage (content, is_object, begun) SELECT DISTINCT c.content, false, '-infinity'::timestamptz \
                 FROM chunk c WHERE NOT EXISTS (SELECT 1 FROM body WHERE content = c.content) \
                 AND NOT EXISTS (SELECT 1 FROM stage WHERE content = c.content) ON CONFLICT DO NOTHING",
        ],
    },
    Rule {
        what: "bodies that no message has and that nobody would clear away",
        find: "SELECT count(*) FROM body b WHERE NOT EXISTS (SELECT 1 FROM message WHERE body = b.id) \
               AND NOT EXISTS (SELECT 1 FROM freed WHERE body = b.id)",
        mend: &["INSERT INTO freed (body) SELECT id FROM body b WHERE NOT EXISTS \
                 (SELECT 1 FROM message WHERE body = b.id) AND NOT EXISTS (SELECT 1 FROM freed WHERE body = b.id)"],
    },
    Rule {
        what: "leases of mailboxes that are not there",
        find: "SELECT count(*) FROM lease l WHERE NOT EXISTS (SELECT 1 FROM mailbox WHERE id = l.mailbox)",
        mend: &["DELETE FROM lease l WHERE NOT EXISTS (SELECT 1 FROM mailbox WHERE id = l.mailbox)"],
    },
];

/// Looks, and puts right what it can.
pub(crate) async fn check(store: &Inner, mend: bool) -> Outcome<Vec<Finding>> {
    let mut sums = vec![0_i64; OF_A_MAILBOX.len()];
    let mut last = 0_i64;
    while let Some(mailbox) = next(store, last).await? {
        last = mailbox;
        let mut found = look(store, mailbox).await?;
        if mend && found.iter().any(|found| *found > 0) {
            found = mend_mailbox(store, mailbox).await?;
        }
        for (sum, found) in sums.iter_mut().zip(found) {
            *sum = sum.saturating_add(found);
        }
    }
    let mut findings = Vec::new();
    for (rule, found) in OF_A_MAILBOX.iter().zip(sums) {
        tell(&mut findings, rule, found, mend);
    }
    for rule in OF_THE_REST {
        let tx = store.begin(if mend { Kind::Write } else { Kind::Read }).await?;
        let found = apply(&tx, rule, &[], mend).await;
        tell(&mut findings, rule, store.end(tx, found).await?, mend);
    }
    findings.extend(octets::check(store).await?);
    Ok(findings)
}

fn tell(findings: &mut Vec<Finding>, rule: &Rule, found: i64, mend: bool) {
    if found > 0 {
        findings.push(Finding::new(format!("{}: {found}", rule.what), mend && !rule.mend.is_empty()));
    }
}

/// The mailbox behind that one, by row.
async fn next(store: &Inner, last: i64) -> Outcome<Option<i64>> {
    let tx = store.begin(Kind::Read).await?;
    let sql = "SELECT id FROM mailbox WHERE id > $1 AND account IS NOT NULL ORDER BY id LIMIT 1";
    let row = tx.query_opt(sql, &[&last]).await;
    Ok(store.end(tx, row).await?.map(|row| row.get(0)))
}

/// How often each rule does not hold in a mailbox.
async fn look(store: &Inner, mailbox: i64) -> Outcome<Vec<i64>> {
    let tx = store.begin(Kind::Read).await?;
    let found = all(&tx, mailbox, false).await;
    store.end(tx, found).await
}

async fn mend_mailbox(store: &Inner, mailbox: i64) -> Outcome<Vec<i64>> {
    let mut tx = store.begin(Kind::Write).await?;
    let found = mend_in(&mut tx, mailbox).await;
    store.end(tx, found).await
}

async fn mend_in(tx: &mut Tx, mailbox: i64) -> Outcome<Vec<i64>> {
    // As every writer does: what follows sees what the last one committed, and no other changes it.
    let sql = "SELECT id FROM mailbox WHERE id = $1 AND account IS NOT NULL FOR NO KEY UPDATE";
    if tx.query_opt(sql, &[&mailbox]).await?.is_none() {
        return Ok(Vec::new());
    }
    let found = all(tx, mailbox, true).await?;
    let modseq = tx.query_one("SELECT modseq FROM mailbox WHERE id = $1", &[&mailbox]).await?.get(0);
    tx.mailbox_changed(mailbox, modseq);
    Ok(found)
}

async fn all(tx: &Tx, mailbox: i64, mend: bool) -> Outcome<Vec<i64>> {
    let mut found = Vec::new();
    for rule in OF_A_MAILBOX {
        found.push(apply(tx, rule, &[&mailbox], mend).await?);
    }
    Ok(found)
}

async fn apply(tx: &Tx, rule: &Rule, values: crate::pool::Values<'_>, mend: bool) -> Outcome<i64> {
    let found: i64 = tx.query_one(rule.find, values).await?.get(0);
    if found > 0 && mend {
        for statement in rule.mend {
            tx.execute(statement, values).await?;
        }
    }
    Ok(found)
}
