//! Mailboxes: their list, making, deleting and renaming them, their counts and their snapshot.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use mailstore_traits::backend::columns::{
    count, hex, int, keyword, mailbox_id, modseq, random_key, uid, uid_next, uid_validity,
};
use mailstore_traits::backend::{Known, UidSets};
use mailstore_traits::{
    AccountId, CreatedMailbox, ErrorKind, ListHint, MailboxId, MailboxInfo, MailboxName, MailboxPast, MailboxStatus,
    Snapshot, SpecialUse, StoreError, Uid, UidSet,
};

use crate::error::{Outcome, corrupt};
use crate::ledger::Ledger;
use crate::messages::vanished;
use crate::options::Options;
use crate::pool::Tx;

/// That account's row, if there is one.
pub(crate) async fn find_account(tx: &Tx, account: &AccountId) -> Outcome<Option<i64>> {
    let row = tx.query_opt("SELECT id FROM account WHERE name = $1", &[&account.as_str()]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// That account's row; an account that is new gets an INBOX in the same transaction.
pub(crate) async fn ensure_account(tx: &mut Tx, account: &AccountId) -> Outcome<i64> {
    // Another process may be at it: then this waits for it, and finds what it made.
    let made = tx
        .query_opt(
            "INSERT INTO account (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING id",
            &[&account.as_str()],
        )
        .await?;
    match made {
        Some(row) => {
            let row = row.get(0);
            insert(tx, row, &MailboxName::inbox(), None).await?;
            Ok(row)
        }
        None => find_account(tx, account).await?.ok_or_else(|| ErrorKind::Unavailable.into()),
    }
}

/// The row of the mailbox of that id, if it is that account's.
pub(crate) async fn row_of(tx: &Tx, account: i64, id: &MailboxId) -> Outcome<i64> {
    let sql = "SELECT id FROM mailbox WHERE object_id = $1 AND account = $2";
    Ok(tx.query_one(sql, &[&id.as_str(), &account]).await?.get(0))
}

/// The id of the mailbox of that name.
pub(crate) async fn find(tx: &Tx, account: i64, name: &MailboxName) -> Outcome<Option<MailboxId>> {
    let sql = "SELECT object_id FROM mailbox WHERE account = $1 AND name = $2";
    tx.query_opt(sql, &[&account, &name.as_str()]).await?.map(|row| mailbox_id(row.get(0))).transpose()
}

fn stored_name(text: &str) -> Outcome<MailboxName> {
    MailboxName::parse(text).map_err(|_| corrupt("a mailbox name that is none"))
}

fn special_use(text: Option<String>) -> Option<SpecialUse> {
    let text = text?;
    SpecialUse::ALL.into_iter().find(|special| special.as_str() == text)
}

/// All mailboxes, and subscribed names without one.
pub(crate) async fn list(tx: &Tx, account: i64, hint: &ListHint) -> Outcome<Vec<MailboxInfo>> {
    let mut names = BTreeMap::new();
    let mut parents = HashSet::new();
    for row in tx.query("SELECT name, object_id, special_use FROM mailbox WHERE account = $1", &[&account]).await? {
        let name = stored_name(row.get(0))?;
        let mut info = MailboxInfo::new(name.clone(), Some(mailbox_id(row.get(1))?));
        info.special_use = special_use(row.get(2));
        let mut above = name.parent();
        while let Some(parent) = above {
            above = parent.parent();
            if !parents.insert(parent) {
                break;
            }
        }
        names.insert(name, info);
    }
    for row in tx.query("SELECT name FROM subscription WHERE account = $1", &[&account]).await? {
        let name = stored_name(row.get(0))?;
        names.entry(name.clone()).or_insert_with(|| MailboxInfo::new(name, None)).subscribed = true;
    }
    let prefix = hint.name_prefix.as_deref().unwrap_or_default();
    let wanted =
        |info: &MailboxInfo| info.name.as_str().starts_with(prefix) && (info.subscribed || !hint.subscribed_only);
    Ok(names
        .into_values()
        .filter(wanted)
        .map(|mut info| {
            info.has_children = Some(parents.contains(&info.name));
            info
        })
        .collect())
}

/// Locks an account's row: its list of mailboxes is about to change.
async fn lock_account(tx: &Tx, account: i64) -> Outcome<()> {
    tx.query_one("SELECT id FROM account WHERE id = $1 FOR NO KEY UPDATE", &[&account]).await.map(drop)
}

/// The account's list has changed; its watchers hear of it after the commit.
async fn list_changed(tx: &mut Tx, account: i64) -> Outcome<()> {
    let sql = "UPDATE account SET list_version = list_version + 1 WHERE id = $1 RETURNING list_version";
    let version = tx.query_one(sql, &[&account]).await?.get(0);
    tx.news.accounts.insert(account, version);
    Ok(())
}

/// Makes a mailbox. Parents are left out: a name in the middle need not have a mailbox.
pub(crate) async fn create(
    tx: &mut Tx,
    options: &Options,
    account: i64,
    name: &MailboxName,
    special: Option<SpecialUse>,
) -> Outcome<CreatedMailbox> {
    lock_account(tx, account).await?;
    if find(tx, account, name).await?.is_some() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    refuse_view(special)?;
    let row = tx
        .query_one(
            "SELECT limit_mailboxes, (SELECT count(*) FROM mailbox WHERE account = $1) FROM account WHERE id = $1",
            &[&account],
        )
        .await?;
    let (limit, mailboxes): (Option<i64>, i64) = (row.get(0), row.get(1));
    if limit.is_some_and(|limit| mailboxes >= limit) {
        return Err(ErrorKind::OverQuota.into());
    }
    if mailboxes >= int(options.mailboxes) {
        return Err(StoreError::new(ErrorKind::LimitExceeded, "too many mailboxes"));
    }
    insert(tx, account, name, special).await
}

/// These are for views of other mailboxes' messages (RFC 6154 §2, RFC 8457 §2), and this store has no views.
fn refuse_view(special: Option<SpecialUse>) -> Outcome<()> {
    if matches!(special, Some(SpecialUse::All | SpecialUse::Flagged | SpecialUse::Important)) {
        return Err(StoreError::new(ErrorKind::Unsupported, "this store has no virtual mailboxes"));
    }
    Ok(())
}

/// Makes a mailbox that goes on where one of another store ended, or makes that of the one that is there.
pub(crate) async fn restore(
    tx: &mut Tx,
    options: &Options,
    account: i64,
    name: &MailboxName,
    special: Option<SpecialUse>,
    past: MailboxPast,
) -> Outcome<CreatedMailbox> {
    refuse_view(special)?;
    lock_account(tx, account).await?;
    let id = match find(tx, account, name).await? {
        Some(id) => id,
        None => create(tx, options, account, name, special).await?.id,
    };
    // Whoever uses the name again gets a larger one.
    let sql = "UPDATE account SET last_uid_validity = greatest(last_uid_validity, $2) WHERE id = $1";
    tx.execute(sql, &[&account, &i64::from(past.uid_validity.value())]).await?;
    let mut ledger = Ledger::lock(tx, account, &id).await?;
    if ledger.uid_next != 1 && ledger.uid_validity != past.uid_validity {
        return Err(ErrorKind::AlreadyExists.into());
    }
    if let Some(special) = special {
        let sql = "UPDATE mailbox SET special_use = $2 WHERE id = $1";
        tx.execute(sql, &[&ledger.row, &special.as_str()]).await?;
        list_changed(tx, account).await?;
    }
    ledger.go_on_from(past);
    ledger.save(tx, options).await?;
    Ok(CreatedMailbox::new(id, past.uid_validity))
}

async fn insert(tx: &mut Tx, account: i64, name: &MailboxName, special: Option<SpecialUse>) -> Outcome<CreatedMailbox> {
    let id = mailbox_id(format!("m{}", hex(&random_key()?)))?;
    let validity = next_uid_validity(tx, account).await?;
    tx.execute(
        "INSERT INTO mailbox (object_id, account, name, special_use, uid_validity) VALUES ($1, $2, $3, $4, $5)",
        &[&id.as_str(), &account, &name.as_str(), &special.map(SpecialUse::as_str), &validity],
    )
    .await?;
    list_changed(tx, account).await?;
    Ok(CreatedMailbox::new(id, uid_validity(validity)?))
}

/// The account's next UIDVALIDITY: rises with every mailbox made, so that a name used again has a larger one, and is never
/// behind the clock, so that a database restored from an older copy gives out larger ones than in the time that was lost.
async fn next_uid_validity(tx: &Tx, account: i64) -> Outcome<i64> {
    let next: i64 = tx
        .query_one(
            "UPDATE account SET last_uid_validity = greatest(last_uid_validity + 1, $2) WHERE id = $1 \
             RETURNING last_uid_validity",
            &[&account, &tx.now.clamp(1, i64::from(u32::MAX))],
        )
        .await?
        .get(0);
    if next > i64::from(u32::MAX) {
        return Err(StoreError::new(ErrorKind::LimitExceeded, "all UIDVALIDITYs have been given out"));
    }
    Ok(next)
}

/// Deletes a mailbox at once, however many messages it has: they are cleared away afterwards, bit by bit.
pub(crate) async fn delete(tx: &mut Tx, options: &Options, account: i64, id: &MailboxId) -> Outcome<()> {
    lock_account(tx, account).await?;
    let mut ledger = Ledger::lock(tx, account, id).await?;
    if ledger.name.as_deref() == Some(MailboxName::inbox().as_str()) {
        return Err(ErrorKind::NotPermitted.into());
    }
    ledger.bump()?;
    tx.execute("UPDATE mailbox SET account = NULL, name = NULL WHERE id = $1", &[&ledger.row]).await?;
    ledger.save(tx, options).await?;
    list_changed(tx, account).await
}

/// Renames a name and all below it.
pub(crate) async fn rename(tx: &mut Tx, account: i64, from: &MailboxName, to: &MailboxName) -> Outcome<()> {
    if from.is_inbox() || to.is_below(from) {
        return Err(ErrorKind::Invalid.into());
    }
    lock_account(tx, account).await?;
    // Names compare by octets, and `0` is the octet behind the separator `/`.
    let found = tx
        .query(
            "SELECT id, name FROM mailbox WHERE account = $1 AND \
             (name = $2 OR (name > $2 || '/' AND name < $2 || '0')) ORDER BY id FOR UPDATE",
            &[&account, &from.as_str()],
        )
        .await?;
    if found.is_empty() {
        return Err(ErrorKind::NotFound.into());
    }
    let (mut rows, mut names) = (Vec::new(), Vec::new());
    for row in &found {
        let name = match stored_name(row.get(1))?.rebased(from, to) {
            Some(name) => name.map_err(|error| StoreError::new(ErrorKind::Invalid, error.to_string()))?,
            None => to.clone(),
        };
        rows.push(row.get::<_, i64>(0));
        names.push(name.as_str().to_owned());
    }
    let others: BTreeSet<i64> = tx
        .query("SELECT id FROM mailbox WHERE account = $1 AND name = ANY($2)", &[&account, &names])
        .await?
        .iter()
        .map(|row| row.get(0))
        .filter(|row| !rows.contains(row))
        .collect();
    if from == to || !others.is_empty() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    // First out of each other's way: a child may get the name that its parent had.
    tx.execute("UPDATE mailbox SET name = NULL WHERE id = ANY($1)", &[&rows]).await?;
    tx.execute(
        "UPDATE mailbox m SET name = n.name FROM unnest($1::bigint[], $2::text[]) AS n (id, name) WHERE m.id = n.id",
        &[&rows, &names],
    )
    .await?;
    list_changed(tx, account).await
}

/// Subscribes or unsubscribes a name.
pub(crate) async fn set_subscribed(
    tx: &mut Tx,
    options: &Options,
    account: i64,
    name: &MailboxName,
    subscribed: bool,
) -> Outcome<()> {
    lock_account(tx, account).await?;
    let changed = if subscribed {
        let sql = "SELECT count(*) FROM subscription WHERE account = $1";
        let subscriptions: i64 = tx.query_one(sql, &[&account]).await?.get(0);
        let sql = "INSERT INTO subscription (account, name) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let changed = tx.execute(sql, &[&account, &name.as_str()]).await?;
        if changed > 0 && subscriptions >= int(options.mailboxes) {
            return Err(StoreError::new(ErrorKind::LimitExceeded, "too many subscriptions"));
        }
        changed
    } else {
        let sql = "DELETE FROM subscription WHERE account = $1 AND name = $2";
        tx.execute(sql, &[&account, &name.as_str()]).await?
    };
    if changed > 0 { list_changed(tx, account).await } else { Ok(()) }
}

/// The counts of mailboxes, those that exist.
pub(crate) async fn status(tx: &Tx, account: i64, ids: &[MailboxId]) -> Outcome<Vec<MailboxStatus>> {
    let wanted: Vec<&str> = ids.iter().map(MailboxId::as_str).collect();
    let rows = tx
        .query(
            "SELECT uid_validity, modseq, messages, unseen, deleted, recent, size, uid_next, object_id FROM mailbox \
             WHERE object_id = ANY($1) AND account = $2",
            &[&wanted, &account],
        )
        .await?;
    let mut found = BTreeMap::new();
    for row in rows {
        let id = mailbox_id(row.get(8))?;
        let mut status = MailboxStatus::empty(id.clone(), uid_validity(row.get(0))?, modseq(row.get(1))?);
        status.messages = count(row.get(2));
        status.unseen = count(row.get(3));
        status.deleted = count(row.get(4));
        status.recent = count(row.get(5));
        status.size = count(row.get(6));
        status.uid_next = uid_next(row.get(7));
        found.insert(id, status);
    }
    Ok(ids.iter().filter_map(|id| found.get(id).cloned()).collect())
}

/// A mailbox as it is; and where its `\Recent` ends, if there is any to claim.
pub(crate) async fn snapshot(
    tx: &Tx,
    options: &Options,
    known: &UidSets,
    account: i64,
    id: &MailboxId,
) -> Outcome<(Snapshot, Option<i64>)> {
    let row = tx
        .query_one(
            "SELECT id, uid_validity, modseq, uid_next, recent_from, messages FROM mailbox \
             WHERE object_id = $1 AND account = $2",
            &[&id.as_str(), &account],
        )
        .await?;
    let (mailbox, validity, high): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    let (next, recent_from): (i64, i64) = (row.get(3), row.get(4));
    let mut snapshot = Snapshot::empty(uid_validity(validity)?, modseq(high)?);
    snapshot.uid_next = uid_next(next);
    snapshot.uids = uids(tx, known, id, (mailbox, validity, high, next, row.get(5))).await?;
    for row in tx.query("SELECT spelling FROM keyword WHERE mailbox = $1 ORDER BY folded", &[&mailbox]).await? {
        snapshot.keywords.push(keyword(row.get(0))?);
    }
    for keyword in &snapshot.keywords {
        snapshot.permanent_flags.insert(keyword.clone());
    }
    snapshot.new_keywords = (snapshot.keywords.len() as u64) < options.keywords;
    let sql = "SELECT uid FROM message WHERE mailbox = $1 AND flags & 16 = 0 ORDER BY uid LIMIT 1";
    snapshot.first_unseen = tx.query_opt(sql, &[&mailbox]).await?.map(|row| uid(row.get(0))).transpose()?;
    if recent_from < next {
        let recent = UidSet::from_range(uid(recent_from)?, Uid::MAX);
        snapshot.first_recent = snapshot.uids.intersection(&recent).first();
    }
    Ok((snapshot, (recent_from < next).then_some(next)))
}

/// The UIDs of a mailbox's `messages`, with this UIDVALIDITY, at this modification sequence and UIDNEXT. Where as many UIDs
/// lie between the first and the last, there are no gaps, and nothing in between is read. Of a large mailbox with gaps that
/// was read before, what has changed since is read.
async fn uids(
    tx: &Tx,
    known: &UidSets,
    id: &MailboxId,
    (mailbox, validity, high, next, messages): (i64, i64, i64, i64, i64),
) -> Outcome<UidSet> {
    let ends = tx
        .query_one(
            "SELECT (SELECT min(uid) FROM message WHERE mailbox = $1), (SELECT max(uid) FROM message WHERE mailbox = $1)",
            &[&mailbox],
        )
        .await?;
    let (Some(first), Some(last)) = (ends.get::<_, Option<i64>>(0), ends.get::<_, Option<i64>>(1)) else {
        return Ok(UidSet::new());
    };
    if last.saturating_sub(first).saturating_add(1) == messages {
        return Ok(UidSet::from_range(uid(first)?, uid(last)?));
    }
    let messages = count(messages);
    if !UidSets::is_worth(messages) {
        return read_uids(tx, mailbox, 1).await;
    }
    let mut found = None;
    if let Some(before) = known.get(id, validity, high) {
        if before.modseq == high {
            return Ok(before.uids);
        }
        let added = read_uids(tx, mailbox, before.uid_next).await?;
        let vanished = vanished(tx, mailbox, before.modseq, high).await?;
        found = before.after(&added, &vanished, messages);
    }
    let uids = match found {
        Some(uids) => uids,
        None => read_uids(tx, mailbox, 1).await?,
    };
    known.keep(id, Known { uid_validity: validity, modseq: high, uid_next: next, uids: uids.clone() });
    Ok(uids)
}

/// The UIDs from `from` on: the database joins runs, and sends one row for each.
async fn read_uids(tx: &Tx, mailbox: i64, from: i64) -> Outcome<UidSet> {
    let runs = tx
        .query(
            "SELECT min(uid), max(uid) FROM \
             (SELECT uid, uid - row_number() OVER (ORDER BY uid) AS run FROM message WHERE mailbox = $1 AND uid >= $2) AS numbered \
             GROUP BY run ORDER BY 1",
            &[&mailbox, &from],
        )
        .await?;
    let mut set = UidSet::new();
    for run in runs {
        set.insert_range(uid(run.get(0))?, uid(run.get(1))?);
    }
    Ok(set)
}

/// Claims `\Recent` for the reader of a snapshot that ended before `next`; answers from where on it got it, for another
/// may have claimed meanwhile.
pub(crate) async fn claim_recent(tx: &Tx, account: i64, id: &MailboxId, next: i64) -> Outcome<Option<Uid>> {
    let sql = "SELECT id, recent_from FROM mailbox WHERE object_id = $1 AND account = $2 FOR NO KEY UPDATE";
    let row = tx.query_one(sql, &[&id.as_str(), &account]).await?;
    let (row, from): (i64, i64) = (row.get(0), row.get(1));
    if from >= next {
        return Ok(None);
    }
    tx.execute(
        "UPDATE mailbox SET recent_from = $2, \
         recent = (SELECT count(*) FROM message WHERE mailbox = $1 AND uid >= $2) WHERE id = $1",
        &[&row, &next],
    )
    .await?;
    Ok(Some(uid(from)?))
}

/// The modification sequences of those mailboxes, by row; `None` for one that has gone.
pub(crate) async fn versions(tx: &Tx, rows: &[i64]) -> Outcome<Vec<(i64, Option<i64>)>> {
    let sql = "SELECT id, modseq FROM mailbox WHERE id = ANY($1) AND account IS NOT NULL";
    let found = tx.query(sql, &[&rows]).await?;
    let there: BTreeMap<i64, i64> = found.iter().map(|row| (row.get(0), row.get(1))).collect();
    Ok(rows.iter().map(|row| (*row, there.get(row).copied())).collect())
}

/// The versions of accounts' lists of mailboxes and subscriptions.
pub(crate) async fn list_versions(tx: &Tx, accounts: &[i64]) -> Outcome<Vec<(i64, i64)>> {
    let found = tx.query("SELECT id, list_version FROM account WHERE id = ANY($1)", &[&accounts]).await?;
    Ok(found.iter().map(|row| (row.get(0), row.get(1))).collect())
}
