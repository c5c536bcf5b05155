//! The seam for stores that keep messages elsewhere and use this one as their ledger: UIDs, modification sequences, flags,
//! changes, quotas, leases and watchers are kept here, and the octets lie where [`Outside`] says.
//!
//! The order of things makes it safe. A message is written down first ([`Outside::prepare`]). Then its row is committed,
//! and in the same transaction what is still to be done outside is written into tables of the outside's own, most simply
//! by triggers. After the commit, and before anybody is answered or told, it is done ([`Outside::settle`]). A crash in
//! between leaves it written down, and [`Outside::opened`] does it at the next start.
//!
//! What other programs have changed outside is brought into the ledger by [`SqliteStore::enter`].
//!
//! A mail server has no use for this module; a store does. It follows the tables, and may change with them.

use std::io::{Read, Seek};
use std::sync::Arc;

use bytes::Bytes;
use mailstore_traits::{
    AccountId, CreatedMailbox, Flags, Keyword, MailboxId, MailboxName, ModSeq, Result, StoreError, Timestamp, Uid,
    UidSet,
};
use rusqlite::Connection;

use crate::codec::{self, bits, int, random_key};
use crate::error::{self, Outcome};
use crate::flags::Message;
use crate::ledger::{Counted, Ledger};
use crate::options::Options;
use crate::writer::Tx;
use crate::{SqliteAccount, SqliteStore, mailboxes, place, transfer};

/// Where messages lie, if not in the database.
pub trait Outside: Send + Sync + 'static {
    /// The database has been opened, and nobody works on it yet: makes tables and triggers of one's own, and does what a
    /// crash has left to be done.
    ///
    /// # Errors
    /// Any; the store is not opened then.
    fn opened(&self, conn: &Connection) -> Result<()>;

    /// Whether an account of that name can be kept.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mailstore_traits::ErrorKind::Invalid) if not.
    fn check_account(&self, account: &AccountId) -> Result<()>;

    /// Whether a mailbox of that name can be kept.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](mailstore_traits::ErrorKind::Invalid) if not.
    fn check_mailbox(&self, name: &MailboxName) -> Result<()>;

    /// Writes a message down, durably, where it can be put in its place by a step that does not fail. Several threads do
    /// this at once.
    ///
    /// # Errors
    /// Any; the message is not placed then.
    fn prepare(&self, prefix: &[u8], body: &mut dyn Rewind, date: Option<Timestamp>) -> Result<Arc<dyn Prepared>>;

    /// Does what the last commit, or an earlier one, has left to be done. Nobody has been answered yet.
    ///
    /// # Errors
    /// Those who wait are told that it failed, though it may turn out to be done.
    fn settle(&self, conn: &Connection) -> Result<()>;

    /// Opens the message of that row in the table `message`. Blocks.
    ///
    /// # Errors
    /// Any; it is the answer of `open_body`.
    fn open(&self, conn: &Connection, message: i64) -> Result<Box<dyn Octets>>;
}

/// Octets that can be read again.
pub trait Rewind: Read + Seek {}

impl<T: Read + Seek> Rewind for T {}

/// A message that was written down and has no row yet. Dropped without [`keep`](Self::keep), nothing is left of it.
pub trait Prepared: Send + Sync + 'static {
    /// This row of the table `message` is its row. Called for several rows if the message goes to several places.
    ///
    /// # Errors
    /// The message is not placed then.
    fn enter(&self, conn: &Connection, message: i64) -> Result<()>;

    /// Its row was committed, or may have been.
    fn keep(&self);
}

/// A message's octets, with CRLF line ends.
pub trait Octets: Send + 'static {
    /// Exactly `len` octets from `start` on. Blocks. A reader goes on where it has stopped.
    ///
    /// # Errors
    /// Any; the body's stream ends with it.
    fn part(&mut self, start: u64, len: u64) -> Result<Bytes>;
}

/// SQLite's word in the contract's.
pub fn from_sql(error: &rusqlite::Error) -> StoreError {
    error::from_sql(error)
}

/// Flags as the table `message` has them.
///
/// # Errors
/// [`ErrorKind::Corrupt`](mailstore_traits::ErrorKind::Corrupt) for what are none.
pub fn flags(bits: i64, keywords: &str) -> Result<Flags> {
    Ok(codec::flags(bits, keywords)?)
}

/// The row of a handle's account in the table `account`.
pub fn account_row(account: &SqliteAccount) -> i64 {
    account.account_row()
}

impl SqliteStore {
    /// Reads in the tables, in one consistent read.
    ///
    /// # Errors
    /// The work's, or [`ErrorKind::Unavailable`](mailstore_traits::ErrorKind::Unavailable) if the store is closed.
    pub async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.0.read(move |conn| Ok(work(conn)?)).await
    }

    /// Brings into the ledger what has happened outside: all of it, or with an error nothing.
    ///
    /// # Errors
    /// The work's, or [`ErrorKind::Unavailable`](mailstore_traits::ErrorKind::Unavailable) if it could not be committed.
    pub async fn enter<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Entry<'_, '_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let options = self.0.options.clone();
        self.0.write(move |tx| Ok(work(&mut Entry { tx, options: &options })?)).await
    }
}

/// A transaction that brings what has happened outside into the ledger.
pub struct Entry<'a, 'tx> {
    tx: &'a mut Tx<'tx>,
    options: &'a Options,
}

impl Entry<'_, '_> {
    /// The connection, for tables of one's own.
    pub fn conn(&self) -> &Connection {
        self.tx.conn
    }

    /// Brings in what has happened in a mailbox. All of it has one modification sequence.
    ///
    /// # Errors
    /// The work's; [`ErrorKind::NotFound`](mailstore_traits::ErrorKind::NotFound) if the mailbox is not there.
    pub fn change(
        &mut self,
        account: i64,
        mailbox: &MailboxId,
        work: impl FnOnce(&mut Change<'_, '_>) -> Result<()>,
    ) -> Result<()> {
        let ledger = Ledger::load(self.tx, account, mailbox)?;
        let mut change = Change { tx: self.tx, options: self.options, ledger, stamp: None, gone: UidSet::new() };
        work(&mut change)?;
        let Change { mut ledger, stamp, gone, .. } = change;
        if let Some(stamp) = stamp {
            ledger.bury(self.tx, stamp, &gone)?;
            ledger.save(self.tx, self.options)?;
        }
        Ok(())
    }

    /// A mailbox has been made.
    ///
    /// # Errors
    /// As [`Account::create`](mailstore_traits::Account::create).
    pub fn created(&mut self, account: i64, name: &MailboxName) -> Result<CreatedMailbox> {
        Ok(mailboxes::create(self.tx, self.options, account, name, None)?)
    }

    /// A mailbox has gone.
    ///
    /// # Errors
    /// As [`Account::delete`](mailstore_traits::Account::delete).
    pub fn deleted(&mut self, account: i64, mailbox: &MailboxId) -> Result<()> {
        Ok(mailboxes::delete(self.tx, self.options, account, mailbox)?)
    }

    /// A name was subscribed, or is not any more.
    ///
    /// # Errors
    /// As [`Account::set_subscribed`](mailstore_traits::Account::set_subscribed).
    pub fn set_subscribed(&mut self, account: i64, name: &MailboxName, subscribed: bool) -> Result<()> {
        Ok(mailboxes::set_subscribed(self.tx, self.options, account, name, subscribed)?)
    }
}

/// What has happened in one mailbox.
pub struct Change<'a, 'tx> {
    tx: &'a Tx<'tx>,
    options: &'a Options,
    ledger: Ledger,
    stamp: Option<ModSeq>,
    gone: UidSet,
}

impl<'a> Change<'a, '_> {
    /// The mailbox's row in the table `mailbox`.
    pub fn mailbox_row(&self) -> i64 {
        self.ledger.row
    }

    /// The connection, for tables of one's own.
    pub fn conn(&self) -> &'a Connection {
        self.tx.conn
    }

    fn stamp(&mut self) -> Outcome<ModSeq> {
        match self.stamp {
            Some(stamp) => Ok(stamp),
            None => Ok(*self.stamp.insert(self.ledger.bump()?)),
        }
    }

    /// A message of so many octets has come: gives its row in the table `message`, and its UID.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`](mailstore_traits::ErrorKind::LimitExceeded) if there are no more UIDs.
    pub fn arrived(&mut self, size: u64, flags: &Flags, date: Timestamp) -> Result<(i64, Uid)> {
        Ok(self.arrive(size, flags, date)?)
    }

    fn arrive(&mut self, size: u64, flags: &Flags, date: Timestamp) -> Outcome<(i64, Uid)> {
        let modseq = self.stamp()?;
        let key = random_key()?;
        let body = place::insert_body(self.tx, &key, size, None, None)?;
        let uid = self.ledger.take_uid(None)?;
        let text = flags.keywords().map(Keyword::as_str).collect::<Vec<_>>().join(" ");
        // More keywords than a mailbox may have keep no mail out.
        let keywords = self.ledger.keywords_came(self.tx, self.options, &text).unwrap_or_default();
        let row = place::Row { uid, modseq, bits: bits(flags), keywords, date, size, body, email: key, uidl: None };
        let message = row.insert(self.tx, self.ledger.row)?;
        self.ledger.came(Counted { uid: i64::from(uid.value()), flags: bits(flags), size: int(size) });
        Ok((message, uid))
    }

    /// The message of that row has these flags now.
    ///
    /// # Errors
    /// SQLite's.
    pub fn flagged(&mut self, message: i64, after: &Flags) -> Result<()> {
        Ok(self.flag(message, after)?)
    }

    fn flag(&mut self, message: i64, after: &Flags) -> Outcome<()> {
        let found = Message::read(self.tx, message)?;
        if found.flags()? == *after {
            return Ok(());
        }
        let stamp = self.stamp()?;
        found.set(self.tx, &mut self.ledger, self.options, after, stamp)?;
        Ok(())
    }

    /// These messages have gone.
    ///
    /// # Errors
    /// SQLite's.
    pub fn vanished(&mut self, uids: &UidSet) -> Result<()> {
        let gone = transfer::remove(self.tx, &mut self.ledger, uids, false)?;
        if !gone.is_empty() {
            self.stamp()?;
            for range in gone.ranges() {
                self.gone.insert_range(*range.start(), *range.end());
            }
        }
        Ok(())
    }
}
