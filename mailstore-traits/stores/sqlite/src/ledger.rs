//! A mailbox's row while a transaction works on it: its counters, and the keywords in use.
//!
//! Every change of a mailbox goes through here, so that the counts that STATUS tells need no scan of the messages, and
//! so that UIDs and modification sequences only ever rise.

use std::collections::BTreeMap;

use mailstore_traits::{ErrorKind, MailboxId, MailboxPast, ModSeq, StoreError, Uid, UidSet, UidValidity};
use rusqlite::{OptionalExtension, Row, params};

use crate::codec::{DELETED, SEEN, count, int, modseq, uid, uid_validity};
use crate::error::Outcome;
use crate::options::Options;
use crate::writer::Tx;

/// A mailbox's row.
pub(crate) struct Ledger {
    pub(crate) row: i64,
    pub(crate) account: i64,
    pub(crate) uid_validity: UidValidity,
    /// The next UID to give out; 2³² when there is none.
    pub(crate) uid_next: i64,
    pub(crate) modseq: i64,
    floor: i64,
    pub(crate) recent_from: i64,
    pub(crate) recent: i64,
    pub(crate) messages: i64,
    unseen: i64,
    deleted: i64,
    pub(crate) size: i64,
    tombstones: i64,
    keywords: Option<BTreeMap<String, InUse>>,
    /// What `messages` and `size` were in the beginning, for the account's sums.
    before: (i64, i64),
}

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
    /// The mailbox with that id, if it is that account's.
    pub(crate) fn load(tx: &Tx<'_>, account: i64, id: &MailboxId) -> Outcome<Self> {
        tx.conn
            .prepare_cached(
                "SELECT id, account, uid_validity, uid_next, modseq, floor, recent_from, recent, messages, unseen, \
                 deleted, size, tombstones FROM mailbox WHERE object_id = ? AND account = ?",
            )?
            .query_row(params![id.as_str(), account], |row| Ok(Self::read(row)))
            .optional()?
            .ok_or(ErrorKind::NotFound)?
    }

    fn read(row: &Row<'_>) -> Outcome<Self> {
        let (messages, size) = (row.get(8)?, row.get(11)?);
        Ok(Self {
            row: row.get(0)?,
            account: row.get(1)?,
            uid_validity: uid_validity(row.get(2)?)?,
            uid_next: row.get(3)?,
            modseq: row.get(4)?,
            floor: row.get(5)?,
            recent_from: row.get(6)?,
            recent: row.get(7)?,
            messages,
            unseen: row.get(9)?,
            deleted: row.get(10)?,
            size,
            tombstones: row.get(12)?,
            keywords: None,
            before: (messages, size),
        })
    }

    /// The next modification sequence.
    pub(crate) fn bump(&mut self) -> Outcome<ModSeq> {
        self.modseq = self.modseq.checked_add(1).ok_or(ErrorKind::LimitExceeded)?;
        Ok(modseq(self.modseq)?)
    }

    /// Goes on where a mailbox of another store ended.
    pub(crate) fn go_on_from(&mut self, past: MailboxPast) {
        let next = past.uid_next.map_or(i64::from(u32::MAX) + 1, |next| i64::from(next.value()));
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
                return Err(StoreError::new(ErrorKind::Invalid, "that UID may have been given out").into());
            }
            self.uid_next = i64::from(wanted.value());
        }
        if self.uid_next > i64::from(u32::MAX) {
            return Err(StoreError::new(ErrorKind::LimitExceeded, "all UIDs of the mailbox have been given out").into());
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
    pub(crate) fn keywords_came(&mut self, tx: &Tx<'_>, options: &Options, text: &str) -> Outcome<String> {
        if text.is_empty() {
            return Ok(String::new());
        }
        let known = self.keywords(tx)?;
        let mut spelled = Vec::new();
        for word in text.split(' ') {
            let folded = word.to_ascii_lowercase();
            let is_new = known.get(&folded).is_none_or(|keyword| keyword.uses == 0);
            if is_new && known.values().filter(|keyword| keyword.uses > 0).count() as u64 >= options.keywords {
                return Err(StoreError::new(ErrorKind::LimitExceeded, "too many keywords in the mailbox").into());
            }
            let keyword =
                known.entry(folded).or_insert_with(|| InUse { spelling: word.to_owned(), uses: 0, changed: true });
            keyword.uses = keyword.uses.saturating_add(1);
            keyword.changed = true;
            spelled.push(keyword.spelling.clone());
        }
        Ok(spelled.join(" "))
    }

    /// Counts a message's keywords out.
    pub(crate) fn keywords_went(&mut self, tx: &Tx<'_>, text: &str) -> Outcome<()> {
        if text.is_empty() {
            return Ok(());
        }
        let known = self.keywords(tx)?;
        for word in text.split(' ') {
            if let Some(keyword) = known.get_mut(&word.to_ascii_lowercase()) {
                keyword.uses = keyword.uses.saturating_sub(1);
                keyword.changed = true;
            }
        }
        Ok(())
    }

    fn keywords(&mut self, tx: &Tx<'_>) -> Outcome<&mut BTreeMap<String, InUse>> {
        if self.keywords.is_none() {
            let mut statement =
                tx.conn.prepare_cached("SELECT folded, spelling, uses FROM keyword WHERE mailbox = ?")?;
            let known = statement
                .query_map([self.row], |row| {
                    Ok((row.get(0)?, InUse { spelling: row.get(1)?, uses: row.get(2)?, changed: false }))
                })?
                .collect::<Result<_, _>>()?;
            self.keywords = Some(known);
        }
        Ok(self.keywords.get_or_insert_default())
    }

    /// Remembers UIDs that have gone.
    pub(crate) fn bury(&mut self, tx: &Tx<'_>, modseq: ModSeq, uids: &UidSet) -> Outcome<()> {
        let mut insert =
            tx.conn.prepare_cached("INSERT INTO tombstone (mailbox, modseq, first, last) VALUES (?, ?, ?, ?)")?;
        for range in uids.ranges() {
            insert.execute(params![self.row, int(modseq.value()), range.start().value(), range.end().value()])?;
            self.tombstones = self.tombstones.saturating_add(1);
        }
        Ok(())
    }

    /// Forgets the oldest tombstones when there are too many, and remembers from where on the rest is exact.
    fn forget(&mut self, tx: &Tx<'_>, options: &Options) -> Outcome<()> {
        let keep = int(options.tombstones);
        // A tenth more than wanted, so that not every expunge has to look.
        if self.tombstones <= keep.saturating_add(keep / 10) {
            return Ok(());
        }
        let last: Option<i64> = tx
            .conn
            .prepare_cached("SELECT modseq FROM tombstone WHERE mailbox = ? ORDER BY modseq LIMIT 1 OFFSET ?")?
            .query_row(params![self.row, self.tombstones.saturating_sub(keep).saturating_sub(1)], |row| row.get(0))
            .optional()?;
        let Some(last) = last else { return Ok(()) };
        let gone = tx
            .conn
            .prepare_cached("DELETE FROM tombstone WHERE mailbox = ? AND modseq <= ?")?
            .execute(params![self.row, last])?;
        self.tombstones = self.tombstones.saturating_sub(int(gone as u64));
        self.floor = self.floor.max(last);
        Ok(())
    }

    /// Writes the row back; the mailbox's watchers hear of it after the commit.
    pub(crate) fn save(mut self, tx: &mut Tx<'_>, options: &Options) -> Outcome<()> {
        self.forget(tx, options)?;
        for (folded, keyword) in self.keywords.take().unwrap_or_default() {
            if !keyword.changed {
                continue;
            }
            if keyword.uses > 0 {
                tx.conn
                    .prepare_cached(
                        "INSERT INTO keyword (mailbox, folded, spelling, uses) VALUES (?1, ?2, ?3, ?4) \
                         ON CONFLICT DO UPDATE SET uses = ?4",
                    )?
                    .execute(params![self.row, folded, keyword.spelling, keyword.uses])?;
            } else {
                tx.conn
                    .prepare_cached("DELETE FROM keyword WHERE mailbox = ? AND folded = ?")?
                    .execute(params![self.row, folded])?;
            }
        }
        tx.conn
            .prepare_cached(
                "UPDATE mailbox SET uid_validity = ?, uid_next = ?, modseq = ?, floor = ?, recent_from = ?, recent = ?, messages = ?, \
                 unseen = ?, deleted = ?, size = ?, tombstones = ? WHERE id = ?",
            )?
            .execute(params![
                self.uid_validity.value(),
                self.uid_next,
                self.modseq,
                self.floor,
                self.recent_from,
                self.recent,
                self.messages,
                self.unseen,
                self.deleted,
                self.size,
                self.tombstones,
                self.row,
            ])?;
        let (messages, size) = self.before;
        let (messages, size) = (self.messages.saturating_sub(messages), self.size.saturating_sub(size));
        if messages != 0 || size != 0 {
            tx.conn
                .prepare_cached("UPDATE account SET messages = messages + ?, size = size + ? WHERE id = ?")?
                .execute(params![messages, size, self.account])?;
        }
        tx.mailbox_changed(self.row, self.modseq);
        Ok(())
    }

    /// The highest modification sequence.
    pub(crate) fn highest(&self) -> Outcome<ModSeq> {
        Ok(modseq(self.modseq)?)
    }

    /// Whether the account has room for that many messages of that many octets more.
    pub(crate) fn check_quota(&self, tx: &Tx<'_>, messages: u64, size: u64) -> Outcome<()> {
        let (used, used_size, limit, limit_storage): (i64, i64, Option<i64>, Option<i64>) = tx
            .conn
            .prepare_cached("SELECT messages, size, limit_messages, limit_storage FROM account WHERE id = ?")?
            .query_row([self.account], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        // What this transaction has added to the mailbox is not in the account's sums before it is saved.
        let (before, before_size) = self.before;
        let used = used.saturating_add(self.messages.saturating_sub(before));
        let used_size = used_size.saturating_add(self.size.saturating_sub(before_size));
        let over = limit.is_some_and(|limit| count(used).saturating_add(messages) > count(limit))
            || limit_storage
                .is_some_and(|limit| count(used_size).saturating_add(size) > count(limit).saturating_mul(1024));
        if over { Err(ErrorKind::OverQuota.into()) } else { Ok(()) }
    }
}
