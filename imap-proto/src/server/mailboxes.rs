//! Commands about mailboxes as such: CREATE, DELETE, RENAME, SUBSCRIBE, LIST, LSUB, NAMESPACE, STATUS.

use std::collections::HashMap;

use bytes::BytesMut;
use futures::TryStreamExt;
use mailstore_traits::{
    Account, Authenticator, ErrorKind, ListHint, MailStore, MailboxId, MailboxInfo, MailboxName, MailboxStatus,
    Namespace, NamespaceKind, SpecialUse, StoreError, UidSet,
};

use super::connection::{Connection, Handled, Stop, ok, to_the_end};
use super::error::refuse;
use crate::command::{Create, List, Lsub, Rename, Status, StatusItem};
use crate::grammar::{Dialect, Mailbox};
use crate::list::{self, Attribute, Listing};
use crate::response::code::RefusalCode;
use crate::response::write;

/// How many mailboxes are asked about at once for LIST with STATUS.
const STATUS_PAGE: usize = 100;

impl<S: MailStore, A: Authenticator> Connection<'_, S, A> {
    pub(super) async fn create(&mut self, create: Create) -> Handled {
        // With a separator at its end a client tells what the name is for, which no store has to know (RFC 9051 §6.3.4).
        let name = new_name(&create.mailbox.without_trailing_separator())?;
        let special_use = match create.special_uses.as_slice() {
            [] => None,
            [one] => Some(*one),
            _ => return Err(use_attr().into()),
        };
        let account = self.account_to_change()?;
        match to_the_end(async move { account.create(&name, special_use).await }).await {
            Ok(_) => Ok(ok("CREATE completed")),
            Err(error) if special_use.is_some() && error.kind() == ErrorKind::Unsupported => Ok(use_attr()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn delete(&mut self, mailbox: &Mailbox) -> Handled {
        if mailbox.is_inbox() {
            return Err(refuse(RefusalCode::Cannot, "INBOX cannot be deleted").into());
        }
        let account = self.account_to_change()?;
        let name = mailbox.to_name().map_err(|_| StoreError::from(ErrorKind::NotFound))?;
        let id = match account.find(&name).await {
            Ok(id) => id,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // A mere level of hierarchy is there for as long as something is below it (RFC 9051 §6.3.5).
                let mut hint = ListHint::default();
                hint.name_prefix = Some(name.as_str().to_owned());
                let infos: Vec<MailboxInfo> = account.list(hint).try_collect().await?;
                return match infos.iter().any(|info| info.id.is_some() && info.name.is_below(&name)) {
                    true => {
                        Err(refuse(RefusalCode::HasChildren, "It has mailboxes below it and is none itself").into())
                    }
                    false => Err(error.into()),
                };
            }
            Err(error) => return Err(error.into()),
        };
        let deleted = id.clone();
        to_the_end(async move { account.delete(&id).await }).await?;
        if self.selected.as_ref().is_some_and(|selected| selected.id == deleted) {
            self.let_go()?;
        }
        Ok(ok("DELETE completed"))
    }

    pub(super) async fn rename(&mut self, rename: Rename) -> Handled {
        let from = rename.from.to_name().map_err(|_| StoreError::from(ErrorKind::NotFound))?;
        let to = new_name(&rename.to.without_trailing_separator())?;
        let account = self.account_to_change()?;
        to_the_end(async move {
            if !from.is_inbox() {
                return account.rename(&from, &to).await;
            }
            // INBOX stays, and its messages go (RFC 9051 §6.3.6).
            let created = account.create(&to, None).await?;
            let inbox = account.find(&from).await?;
            account.move_messages(&inbox, &UidSet::all(), &created.id).await.map(|_| ())
        })
        .await?;
        if let Some(selected) = &mut self.selected {
            selected.dirty = true;
        }
        Ok(ok("RENAME completed"))
    }

    pub(super) async fn subscribe(&mut self, mailbox: &Mailbox, subscribed: bool) -> Handled {
        let name = new_name(&mailbox.without_trailing_separator())?;
        let account = self.account_to_change()?;
        to_the_end(async move { account.set_subscribed(&name, subscribed).await }).await?;
        Ok(ok(if subscribed { "SUBSCRIBE completed" } else { "UNSUBSCRIBE completed" }))
    }

    pub(super) async fn list(&mut self, command: List) -> Handled {
        let rev2 = self.session.enabled().rev2;
        let is_root = !command.is_extended() && command.patterns.iter().all(String::is_empty);
        let infos = if is_root { Vec::new() } else { self.infos(list::hint(&command)).await? };
        let listing = Listing::list(&command, infos, rev2, self.session.config().limits());
        let wanted = command.returns.map(|returns| returns.status).unwrap_or_default();
        self.tell_listing(&listing, &wanted).await?;
        Ok(ok("LIST completed"))
    }

    pub(super) async fn lsub(&mut self, command: Lsub) -> Handled {
        let infos = self.infos(list::lsub_hint(&command)).await?;
        let listing = Listing::lsub(&command, infos, self.session.config().limits());
        self.tell_listing(&listing, &[]).await?;
        Ok(ok("LSUB completed"))
    }

    async fn infos(&mut self, hint: ListHint) -> Result<Vec<MailboxInfo>, Stop> {
        Ok(self.account()?.list(hint).try_collect().await?)
    }

    /// Each name, and behind each its STATUS if that was asked for (RFC 5819 §2). The counts come by the page, so that a
    /// store is not asked once for each of ten thousand.
    async fn tell_listing(&mut self, listing: &Listing, wanted: &[StatusItem]) -> Result<(), Stop> {
        let (account, dialect) = (self.account()?, self.session.dialect());
        let mut entries = listing.entries().peekable();
        while entries.peek().is_some() {
            let page: Vec<_> = entries.by_ref().take(STATUS_PAGE).collect();
            let mut counts: HashMap<MailboxId, MailboxStatus> = HashMap::new();
            if !wanted.is_empty() {
                let ids: Vec<MailboxId> = page.iter().filter_map(|entry| entry.id().cloned()).collect();
                counts = account.status(&ids).await?.into_iter().map(|status| (status.id.clone(), status)).collect();
            }
            for entry in page {
                let status = entry.id().and_then(|id| counts.get(id)).cloned();
                let name = entry.name().clone();
                // It has gone meanwhile, or may not be opened.
                let vanished = !wanted.is_empty() && entry.id().is_some() && status.is_none();
                let entry = if vanished { entry.with(Attribute::NoSelect) } else { entry };
                let out = self.driver.output();
                entry.encode(dialect, out);
                if let Some(status) = status {
                    write_status(&name, &status, wanted, dialect, out);
                }
                self.driver.flush_if_full().await?;
            }
        }
        Ok(())
    }

    /// RFC 2342 §5, RFC 9051 §6.3.10.
    pub(super) async fn namespace(&mut self) -> Handled {
        let namespaces = self.account()?.namespaces().await?;
        let dialect = self.session.dialect();
        let out = self.driver.output();
        out.extend_from_slice(b"* NAMESPACE");
        for kind in [NamespaceKind::Personal, NamespaceKind::Other, NamespaceKind::Shared] {
            let mut of_kind = namespaces.iter().filter(|namespace| namespace.kind == kind).peekable();
            if of_kind.peek().is_none() {
                out.extend_from_slice(b" NIL");
                continue;
            }
            out.extend_from_slice(b" (");
            for Namespace { prefix, .. } in of_kind {
                out.extend_from_slice(b"(");
                write::string(&Mailbox::new(prefix.as_str()).encoded(dialect), dialect, out);
                out.extend_from_slice(b" \"/\")");
            }
            out.extend_from_slice(b")");
        }
        out.extend_from_slice(b"\r\n");
        Ok(ok("NAMESPACE completed"))
    }

    pub(super) async fn status(&mut self, command: Status) -> Handled {
        let (name, id) = self.find(&command.mailbox).await?;
        let mut counts = self.account()?.status(std::slice::from_ref(&id)).await?;
        let status = counts.pop().ok_or_else(|| StoreError::from(ErrorKind::NotFound))?;
        let dialect = self.session.dialect();
        write_status(&Mailbox::from(&name), &status, &command.items, dialect, self.driver.output());
        Ok(ok("STATUS completed"))
    }
}

/// A name that a client gives to something.
fn new_name(mailbox: &Mailbox) -> Result<MailboxName, Stop> {
    mailbox.to_name().map_err(|_| refuse(RefusalCode::Cannot, "No mailbox can have that name").into())
}

/// What an account with nothing but an INBOX gets. That it could not be made keeps nobody out.
pub(super) async fn make_default_mailboxes<A: Account>(account: &A, mailboxes: &[(MailboxName, SpecialUse)]) {
    // A store that is only read has what it has.
    if mailboxes.is_empty() || !account.features().writable {
        return;
    }
    let (account, mailboxes) = (account.clone(), mailboxes.to_vec());
    let made = to_the_end(async move {
        let infos: Vec<MailboxInfo> = account.list(ListHint::default()).try_collect().await?;
        if infos.iter().any(|info| !info.name.is_inbox()) {
            return Ok(());
        }
        for (name, special_use) in &mailboxes {
            let mut created = account.create(name, Some(*special_use)).await;
            if created.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unsupported) {
                created = account.create(name, None).await;
            }
            match created {
                Ok(_) => account.set_subscribed(name, true).await?,
                // Another session was faster.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    });
    match made.await {
        Ok(()) => {}
        // So has an account.
        Err(error) if error.kind() == ErrorKind::NotPermitted => {}
        Err(error) => tracing::warn!(%error, "the first mailboxes of an account were not made"),
    }
}

fn use_attr() -> crate::response::Status {
    refuse(RefusalCode::UseAttr, "A mailbox for that special use cannot be made")
}

/// `* STATUS` (RFC 9051 §7.3.4). Each item once, in the order asked.
fn write_status(name: &Mailbox, status: &MailboxStatus, wanted: &[StatusItem], dialect: Dialect, out: &mut BytesMut) {
    out.extend_from_slice(b"* STATUS ");
    write::mailbox(name, dialect, out);
    out.extend_from_slice(b" (");
    for (at, item) in wanted.iter().enumerate() {
        if wanted.iter().take(at).any(|before| before == item) {
            continue;
        }
        if at > 0 {
            out.extend_from_slice(b" ");
        }
        out.extend_from_slice(item.as_str().as_bytes());
        out.extend_from_slice(b" ");
        let value = match item {
            StatusItem::Messages => status.messages,
            StatusItem::Recent => status.recent,
            // There is no number for "none any more"; the last one is as near as it gets.
            StatusItem::UidNext => status.uid_next.map_or(u64::from(u32::MAX), |uid| u64::from(uid.value())),
            StatusItem::UidValidity => u64::from(status.uid_validity.value()),
            StatusItem::Unseen => status.unseen,
            StatusItem::Deleted => status.deleted,
            StatusItem::Size => status.size,
            StatusItem::HighestModSeq => status.highest_modseq.value(),
        };
        write::number(value, out);
    }
    out.extend_from_slice(b")\r\n");
}
