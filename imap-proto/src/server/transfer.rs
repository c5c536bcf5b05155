//! COPY, MOVE and EXPUNGE (RFC 9051 §6.4.3, §6.4.7, §6.4.8).

use mailstore_traits::{Account, Authenticator, ErrorKind, MailStore, MailboxId, Transferred, Uid, UidSet};

use super::append::try_create;
use super::connection::{Connection, Handled, Stop, ok, to_the_end};
use super::error::refuse;
use crate::command::Transfer;
use crate::grammar::{Mailbox, MessageSet, Numbering};
use crate::response::code::RefusalCode;
use crate::response::{Code, Status, StatusKind, Text};

impl<S: MailStore, A: Authenticator> Connection<'_, S, A> {
    /// The messages that a command is about, by UID. Of sequence numbers each must be one (RFC 9051 §6.4.8 has `NO
    /// [EXPUNGEISSUED]` for those that have gone since, RFC 2180 §4); of UIDs those that do not exist are passed over.
    pub(super) fn resolve(&mut self, set: &MessageSet, numbering: Numbering) -> Result<UidSet, Stop> {
        let selected = self.selected()?;
        match set {
            MessageSet::Saved => Ok(selected.saved.intersection(&selected.view.uids())),
            MessageSet::Set(set) => selected
                .view
                .resolve(set, numbering)
                .map_err(|_| Status::new(StatusKind::Bad, Text::literal("No message has that number")).into()),
        }
    }

    /// The mailbox that messages are to go to (TRYCREATE, RFC 9051 §7.1).
    pub(super) async fn destination(&mut self, mailbox: &Mailbox) -> Result<MailboxId, Stop> {
        let account = self.account()?;
        let name = mailbox.to_name().map_err(|_| Stop::from(try_create()))?;
        match account.find(&name).await {
            Ok(id) => Ok(id),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(try_create().into()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn copy(&mut self, transfer: Transfer) -> Handled {
        let uids = self.resolve(&transfer.messages, transfer.numbering)?;
        let to = self.destination(&transfer.mailbox).await?;
        self.none_has_gone(&uids, transfer.numbering)?;
        if uids.is_empty() {
            return Ok(ok("No messages to copy"));
        }
        let (account, selected) = (self.account_to_change()?, self.selected()?);
        let (from, into) = (selected.id.clone(), to.clone());
        let copied = to_the_end(async move { account.copy(&from, &uids, &into).await }).await;
        let copied = copied.map_err(no_destination)?;
        let selected = self.selected()?;
        if selected.id == to {
            // EXISTS comes before the tagged OK (RFC 9051 §6.4.7).
            selected.dirty = true;
        }
        let done = ok("COPY completed");
        Ok(match copy_uid(&copied) {
            Some(code) => done.with_code(code),
            None => done,
        })
    }

    pub(super) async fn move_messages(&mut self, transfer: Transfer) -> Handled {
        self.demand_read_write()?;
        let uids = self.resolve(&transfer.messages, transfer.numbering)?;
        let to = self.destination(&transfer.mailbox).await?;
        if uids.is_empty() {
            return Ok(ok("No messages to move"));
        }
        let (account, selected) = (self.account_to_change()?, self.selected()?);
        let from = selected.id.clone();
        let moved = to_the_end(async move { account.move_messages(&from, &uids, &to).await }).await;
        let moved = moved.map_err(no_destination)?;
        // RFC 6851 §4.3: COPYUID comes first, untagged, then the EXPUNGEs, then the tagged OK.
        if let Some(code) = copy_uid(&moved) {
            ok("Moved").with_code(code).encode(None, self.driver.output());
        }
        let gone: UidSet = moved.uids.iter().map(|&(from, _)| from).collect();
        let selected = self.selected()?;
        selected.view.gone(&gone);
        selected.dirty = true;
        self.news(true, true).await?;
        self.with_modseq(ok("MOVE completed"))
    }

    pub(super) async fn expunge(&mut self, uids: Option<MessageSet>) -> Handled {
        self.demand_read_write()?;
        let uids = match uids {
            Some(set) => self.resolve(&set, Numbering::Uid)?,
            // Those only that the client knows of: what came since is not what it means.
            None => self.selected()?.view.uids(),
        };
        let (account, selected) = (self.account_to_change()?, self.selected()?);
        let id = selected.id.clone();
        let (gone, _) = to_the_end(async move { account.expunge(&id, &uids, true).await }).await?;
        let selected = self.selected()?;
        selected.view.gone(&gone);
        self.news(true, true).await?;
        self.with_modseq(ok("EXPUNGE completed"))
    }

    /// With condstore, HIGHESTMODSEQ in the OK: where the client stands now (RFC 7162 §3.1.12, RFC 4315 §2.1).
    fn with_modseq(&mut self, done: Status) -> Handled {
        if !self.session.enabled().condstore {
            return Ok(done);
        }
        let modseq = self.selected()?.view.highest_modseq();
        Ok(done.with_code(Code::HighestModSeq(modseq)))
    }

    /// In a mailbox that is only read nothing is changed (RFC 9051 §6.3.3).
    pub(super) fn demand_read_write(&mut self) -> Result<(), Stop> {
        match self.selected()?.read_only {
            true => Err(refuse(RefusalCode::NoPerm, "The mailbox is selected for reading only").into()),
            false => Ok(()),
        }
    }

    /// RFC 2180 §4.4.1: a client that has named a message by a number that still counts must hear that it is gone.
    fn none_has_gone(&mut self, uids: &UidSet, numbering: Numbering) -> Result<(), Stop> {
        let selected = self.selected()?;
        match numbering == Numbering::Sequence && selected.view.any_expunged(uids) {
            true => Err(refuse(RefusalCode::ExpungeIssued, "Some of the messages have been expunged").into()),
            false => Ok(()),
        }
    }
}

/// The destination was there when the command began.
fn no_destination(error: mailstore_traits::StoreError) -> Stop {
    if error.kind() == ErrorKind::NotFound { try_create().into() } else { error.into() }
}

/// COPYUID, unless nothing was copied (RFC 4315 §3).
fn copy_uid(transferred: &Transferred) -> Option<Code> {
    let from: UidSet = transferred.uids.iter().map(|&(from, _)| from).collect();
    let to: UidSet = transferred.uids.iter().map(|&(_, to): &(Uid, Uid)| to).collect();
    (!from.is_empty()).then_some(Code::CopyUid(transferred.uid_validity, from, to))
}
