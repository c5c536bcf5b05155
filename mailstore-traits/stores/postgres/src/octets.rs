//! Whether bodies' octets are those that came: each is read and compared with its hash.
//!
//! What a disk, an object store or a hand has changed without changing its length is seen by nothing else.

use mailstore_traits::{ErrorKind, Finding};
use sha2::{Digest, Sha256};
use tokio_postgres::Row;

use crate::content::{CHUNK, Content, read};
use crate::error::Outcome;
use crate::pool::Kind;
use crate::store::Inner;

/// Bodies that are looked up at once.
const PAGE: i64 = 100;
/// How much of an object is read at once.
const PART: u64 = 4 * 1024 * 1024;
/// Of so many messages it is said which they are; of those behind, how many.
const NAMED: usize = 100;

struct Body {
    id: i64,
    hash: Vec<u8>,
    size: u64,
    content: Content,
}

impl Body {
    fn of(row: &Row) -> Self {
        let content = match row.get::<_, Option<String>>(4) {
            Some(object) => Content::Object(object),
            None => Content::Chunks(row.get(3)),
        };
        Self { id: row.get(0), hash: row.get(1), size: row.get::<_, i64>(2).unsigned_abs(), content }
    }

    /// What is wrong with its octets.
    async fn wrong(&self, store: &Inner) -> Outcome<Option<&'static str>> {
        let step = if matches!(self.content, Content::Object(_)) { PART } else { CHUNK };
        let mut hash = Sha256::new();
        let mut from = 0;
        while from < self.size {
            let to = from.saturating_add(step).min(self.size);
            match read(store, &self.content, from..to).await {
                Ok(octets) => hash.update(&octets),
                Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(Some("lost")),
                Err(error) => return Err(error),
            }
            from = to;
        }
        Ok((hash.finalize()[..] != self.hash[..]).then_some("not those that came"))
    }
}

/// Reads all bodies that messages have.
pub(crate) async fn check(store: &Inner) -> Outcome<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut unnamed = 0_u64;
    let mut last = 0_i64;
    // A process that does not know the object store can say nothing of what lies there.
    let objects_too = store.objects.part().is_some();
    loop {
        let sql = "SELECT id, hash, size, content, object FROM body WHERE id > $1 AND (object IS NULL OR $2) \
                   AND EXISTS (SELECT 1 FROM message WHERE body = body.id) ORDER BY id LIMIT $3";
        let tx = store.begin(Kind::Read).await?;
        let rows = tx.query(sql, &[&last, &objects_too, &PAGE]).await;
        let page: Vec<Body> = store.end(tx, rows).await?.iter().map(Body::of).collect();
        let Some(end) = page.last() else { break };
        last = end.id;
        for body in page {
            if let Some(wrong) = body.wrong(store).await? {
                name(store, body.id, wrong, &mut findings, &mut unnamed).await?;
            }
        }
    }
    if unnamed > 0 {
        findings.push(Finding::new(
            format!("more messages whose octets are lost or not those that came: {unnamed}"),
            false,
        ));
    }
    if !objects_too {
        let tx = store.begin(Kind::Read).await?;
        let count = tx.query_one("SELECT count(*) FROM body WHERE object IS NOT NULL", &[]).await;
        let count: i64 = store.end(tx, count).await?.get(0);
        if count > 0 {
            let what =
                format!("bodies in an object store, which this program was not told of and has not read: {count}");
            findings.push(Finding::new(what, false));
        }
    }
    Ok(findings)
}

/// Says which messages have that body: none, if it has been expunged and collected while it was read.
async fn name(store: &Inner, body: i64, wrong: &str, findings: &mut Vec<Finding>, unnamed: &mut u64) -> Outcome<()> {
    let sql = "SELECT a.name, b.name, m.uid FROM message m JOIN mailbox b ON b.id = m.mailbox \
               JOIN account a ON a.id = b.account WHERE m.body = $1 ORDER BY a.name, b.name, m.uid";
    let tx = store.begin(Kind::Read).await?;
    let rows = tx.query(sql, &[&body]).await;
    for row in store.end(tx, rows).await? {
        if findings.len() >= NAMED {
            *unnamed = unnamed.saturating_add(1);
            continue;
        }
        let (account, mailbox, uid): (&str, &str, i64) = (row.get(0), row.get(1), row.get(2));
        findings.push(Finding::new(format!("{account}'s {mailbox}, UID {uid}: its octets are {wrong}"), false));
    }
    Ok(())
}
