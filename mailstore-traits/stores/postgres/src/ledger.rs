//! A mailbox's row while a transaction works on it: its counters, and the keywords in use.
//!
//! Whoever changes a mailbox's messages holds its row until the commit: so UIDs and modification sequences become visible
//! in the order in which they were given out, on however many machines the writers are, and mailboxes do not wait for each
//! other. Locks are taken in one order, so that no two writers wait for each other: accounts, then mailboxes, then bodies,
//! each by rising number.

use std::collections::BTreeMap;

use mailstore_traits::backend::columns::{DELETED, SEEN, int, mailbox_id, modseq, uid, uid_validity};
use mailstore_traits::{ErrorKind, MailboxId, MailboxPast, ModSeq, StoreError, Uid, UidSet, UidValidity};
use tokio_postgres::Row;

use crate::error::Outcome;
use crate::options::Options;
use crate::pool::Tx;

/// A mailbox's row, locked.
#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) row: i64,
    pub(crate) account: i64,
    pub(crate) id: MailboxId,
    pub(crate) uid_validity: UidValidity,
    /// The next UID to give out; 2³² when there is none.
    pub(crate) uid_next: i64,
    modseq: i64,
    floor: i64,
    recent_from: i64,
    recent: i64,
    messages: i64,
    unseen: i64,
    deleted: i64,
    size: i64,
    tombstones: i64,
    keywords: BTreeMap<String, InUse>,
    /// UIDs that have gone, to be written down.
    buried: Vec<(i64, UidSet)>,
    pub(crate) name: Option<String>,
}

#[derive(Clone)]
struct InUse {
    spelling: String,
    uses: i64,
    changed: bool,
}

/// What a mailbox counts of a message.
#[derive(Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) uid: i64,
    pub(crate) flags: i64,
    pub(crate) size: i64,
}

impl Ledger {
    /// Locks the mailbox with that id, if it is that account's.
    pub(crate) async fn lock(tx: &Tx, account: i64, id: &MailboxId) -> Outcome<Self> {
        let mut found = Self::lock_all(tx, &[id]).await?;
        found.pop().filter(|ledger| ledger.account == account).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Locks those of these mailboxes that exist, by rising row.
    pub(crate) async fn lock_all(tx: &Tx, ids: &[&MailboxId]) -> Outcome<Vec<Self>> {
        let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
        let rows = tx
            .query(
                "SELECT id, account, object_id, uid_validity, uid_next, modseq, floor, recent_from, recent, messages, \
                 unseen, deleted, size, tombstones, name FROM mailbox \
                 WHERE object_id = ANY($1) AND account IS NOT NULL ORDER BY id FOR NO KEY UPDATE",
                &[&ids],
            )
            .await?;
        let mut ledgers = rows.iter().map(Self::read).collect::<Outcome<Vec<_>>>()?;
        let held: Vec<i64> = ledgers.iter().map(|ledger| ledger.row).collect();
        // After the lock, in a statement of its own: what another has committed while this one waited is in it.
        for row in
            tx.query("SELECT mailbox, folded, spelling, uses FROM keyword WHERE mailbox = ANY($1)", &[&held]).await?
        {
            let mailbox: i64 = row.get(0);
            if let Some(ledger) = ledgers.iter_mut().find(|ledger| ledger.row == mailbox) {
                let keyword = InUse { spelling: row.get(2), uses: row.get(3), changed: false };
                ledger.keywords.insert(row.get(1), keyword);
            }
        }
        Ok(ledgers)
    }

    fn read(row: &Row) -> Outcome<Self> {
        Ok(Self {
            row: row.get(0),
            account: row.get(1),
            id: mailbox_id(row.get(2))?,
            uid_validity: uid_validity(row.get(3))?,
            uid_next: row.get(4),
            modseq: row.get(5),
            floor: row.get(6),
            recent_from: row.get(7),
            recent: row.get(8),
            messages: row.get(9),
            unseen: row.get(10),
            deleted: row.get(11),
            size: row.get(12),
            tombstones: row.get(13),
            keywords: BTreeMap::new(),
            buried: Vec::new(),
            name: row.get(14),
        })
    }

    /// The next modification sequence.
    pub(crate) fn bump(&mut self) -> Outcome<ModSeq> {
        self.modseq = self.modseq.checked_add(1).ok_or(ErrorKind::LimitExceeded)?;
        modseq(self.modseq)
    }

    /// Goes on where a mailbox of another store ended.
    pub(crate) fn go_on_from(&mut self, past: MailboxPast) {
        let next = past.uid_next.map_or(i64::from(u32::MAX).saturating_add(1), |next| i64::from(next.value()));
        self.uid_validity = past.uid_validity;
        self.uid_next = self.uid_next.max(next);
        self.modseq = self.modseq.max(int(past.highest_modseq.value()));
        self.floor = self.floor.max(int(past.highest_modseq.value()));
        // Nothing of it is new to its owner.
        (self.recent_from, self.recent) = (self.uid_next, 0);
    }

    /// The next UID, or a later one.
    pub(crate) fn take_uid(&mut self, wanted: Option<Uid>) -> Outcome<Uid> {
        if let Some(wanted) = wanted {
            if i64::from(wanted.value()) < self.uid_next {
                return Err(StoreError::new(ErrorKind::Invalid, "that UID may have been given out"));
            }
            self.uid_next = i64::from(wanted.value());
        }
        if self.uid_next > i64::from(u32::MAX) {
            return Err(StoreError::new(ErrorKind::LimitExceeded, "all UIDs of the mailbox have been given out"));
        }
        let taken = uid(self.uid_next)?;
        self.uid_next = self.uid_next.saturating_add(1);
        Ok(taken)
    }

    fn add(&mut self, message: Counted, sign: i64) {
        let one = |wanted: bool| if wanted { sign } else { 0 };
        self.messages = self.messages.saturating_add(sign);
        self.size = self.size.saturating_add(message.size.saturating_mul(sign));
        self.unseen = self.unseen.saturating_add(one(message.flags & SEEN == 0));
        self.deleted = self.deleted.saturating_add(one(message.flags & DELETED != 0));
        self.recent = self.recent.saturating_add(one(message.uid >= self.recent_from));
    }

    /// A message has come.
    pub(crate) fn came(&mut self, message: Counted) {
        self.add(message, 1);
    }

    /// A message has gone.
    pub(crate) fn went(&mut self, message: Counted) {
        self.add(message, -1);
    }

    /// Counts a message's keywords in and gives them in the mailbox's spelling.
    pub(crate) fn keywords_came(&mut self, options: &Options, text: &str) -> Outcome<String> {
        let mut spelled = Vec::new();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let folded = word.to_ascii_lowercase();
            let is_new = self.keywords.get(&folded).is_none_or(|keyword| keyword.uses == 0);
            let used = || self.keywords.values().filter(|keyword| keyword.uses > 0).count() as u64;
            if is_new && used() >= options.keywords {
                return Err(StoreError::new(ErrorKind::LimitExceeded, "too many keywords in the mailbox"));
            }
            let keyword = self.keywords.entry(folded).or_insert_with(|| InUse {
                spelling: word.to_owned(),
                uses: 0,
                changed: true,
            });
            keyword.uses = keyword.uses.saturating_add(1);
            keyword.changed = true;
            spelled.push(keyword.spelling.clone());
        }
        Ok(spelled.join(" "))
    }

    /// Counts a message's keywords out.
    pub(crate) fn keywords_went(&mut self, text: &str) {
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            if let Some(keyword) = self.keywords.get_mut(&word.to_ascii_lowercase()) {
                keyword.uses = keyword.uses.saturating_sub(1);
                keyword.changed = true;
            }
        }
    }

    /// Remembers UIDs that have gone.
    pub(crate) fn bury(&mut self, modseq: ModSeq, uids: UidSet) {
        if !uids.is_empty() {
            self.buried.push((int(modseq.value()), uids));
        }
    }

    async fn write_tombstones(&mut self, tx: &Tx) -> Outcome<()> {
        let (mut modseqs, mut firsts, mut lasts) = (Vec::new(), Vec::new(), Vec::new());
        for (modseq, uids) in self.buried.drain(..) {
            for range in uids.ranges() {
                modseqs.push(modseq);
                firsts.push(i64::from(range.start().value()));
                lasts.push(i64::from(range.end().value()));
            }
        }
        if !modseqs.is_empty() {
            let made = tx
                .execute(
                    "INSERT INTO tombstone (mailbox, modseq, first, last) \
                     SELECT $1::bigint, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[])",
                    &[&self.row, &modseqs, &firsts, &lasts],
                )
                .await?;
            self.tombstones = self.tombstones.saturating_add(int(made));
        }
        Ok(())
    }

    /// Forgets the oldest tombstones when there are too many, and remembers from where on the rest is exact.
    async fn forget(&mut self, tx: &Tx, options: &Options) -> Outcome<()> {
        let keep = int(options.tombstones);
        // A tenth more than wanted, so that not every expunge has to look.
        if self.tombstones <= keep.saturating_add(keep / 10) {
            return Ok(());
        }
        let last = tx
            .query_opt(
                "SELECT modseq FROM tombstone WHERE mailbox = $1 ORDER BY modseq LIMIT 1 OFFSET $2",
                &[&self.row, &self.tombstones.saturating_sub(keep).saturating_sub(1)],
            )
            .await?;
        let Some(last) = last.map(|row| row.get::<_, i64>(0)) else { return Ok(()) };
        let gone = tx.execute("DELETE FROM tombstone WHERE mailbox = $1 AND modseq <= $2", &[&self.row, &last]).await?;
        self.tombstones = self.tombstones.saturating_sub(int(gone));
        self.floor = self.floor.max(last);
        Ok(())
    }

    async fn write_keywords(&mut self, tx: &Tx) -> Outcome<()> {
        let (mut folded, mut spellings, mut uses, mut gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (word, keyword) in std::mem::take(&mut self.keywords) {
            if keyword.changed && keyword.uses > 0 {
                folded.push(word);
                spellings.push(keyword.spelling);
                uses.push(keyword.uses);
            } else if keyword.changed {
                gone.push(word);
            }
        }
        if !folded.is_empty() {
            tx.execute(
                "INSERT INTO keyword (mailbox, folded, spelling, uses) \
                 SELECT $1::bigint, * FROM unnest($2::text[], $3::text[], $4::bigint[]) \
                 ON CONFLICT (mailbox, folded) DO UPDATE SET uses = excluded.uses, spelling = excluded.spelling",
                &[&self.row, &folded, &spellings, &uses],
            )
            .await?;
        }
        if !gone.is_empty() {
            tx.execute("DELETE FROM keyword WHERE mailbox = $1 AND folded = ANY($2)", &[&self.row, &gone]).await?;
        }
        Ok(())
    }

    /// Writes the row back; the mailbox's watchers hear of it after the commit.
    pub(crate) async fn save(mut self, tx: &mut Tx, options: &Options) -> Outcome<()> {
        self.write_tombstones(tx).await?;
        self.forget(tx, options).await?;
        self.write_keywords(tx).await?;
        tx.execute(
            "UPDATE mailbox SET uid_next = $2, modseq = $3, floor = $4, recent_from = $5, recent = $6, messages = $7, \
             unseen = $8, deleted = $9, size = $10, tombstones = $11, uid_validity = $12 WHERE id = $1",
            &[
                &self.row,
                &self.uid_next,
                &self.modseq,
                &self.floor,
                &self.recent_from,
                &self.recent,
                &self.messages,
                &self.unseen,
                &self.deleted,
                &self.size,
                &self.tombstones,
                &i64::from(self.uid_validity.value()),
            ],
        )
        .await?;
        tx.mailbox_changed(self.row, self.modseq);
        Ok(())
    }

    /// The highest modification sequence.
    pub(crate) fn highest(&self) -> Outcome<ModSeq> {
        modseq(self.modseq)
    }
}
