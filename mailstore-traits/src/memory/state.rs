//! All that a memory store knows, and the changes that are made to it as one.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::annotations::Annotations;
use super::mailbox::{Mailbox, Message};
use super::rights;
use super::signal::Watchers;
use super::stage::MemoryBlob;
use super::users::Users;
use crate::{
    AccountId, CreatedMailbox, EmailId, ErrorKind, Flags, MailboxId, MailboxInfo, MailboxName, MailboxPast,
    MessageDigest, ModSeq, Mode, Placed, Result, SpecialUse, StoreError, TargetMailbox, Timestamp, Transferred, Uid,
    UidSet, UidValidity,
};

/// How many expunges a mailbox remembers unless told otherwise.
const DEFAULT_HORIZON: usize = 10_000;

pub(super) struct State {
    pub(super) users: Users,
    pub(super) horizon: usize,
    pub(super) available: bool,
    accounts: BTreeMap<AccountId, AccountState>,
    ids_given_out: u64,
    last_uid_validity: UidValidity,
    /// Signals to raise when the lock is let go of.
    signals: Vec<Box<dyn FnOnce() + Send>>,
}

pub(super) struct AccountState {
    pub(super) mailboxes: BTreeMap<MailboxId, Mailbox>,
    pub(super) names: BTreeMap<MailboxName, MailboxId>,
    /// Each user's own.
    pub(super) subscribed: BTreeMap<AccountId, BTreeSet<MailboxName>>,
    /// In octets.
    pub(super) quota: Option<u64>,
    pub(super) annotations: Annotations,
    pub(super) watchers: Watchers<()>,
}

/// A message that is to be put somewhere.
pub(super) struct Arrival {
    pub(super) account: AccountId,
    /// Who brings it, if it is neither the owner nor the service.
    pub(super) guest: Option<AccountId>,
    pub(super) mailbox: TargetMailbox,
    pub(super) blob: MemoryBlob,
    pub(super) prefix: Bytes,
    pub(super) digest: Option<MessageDigest>,
    pub(super) flags: Flags,
    pub(super) internal_date: Option<Timestamp>,
    pub(super) replaces: Option<Uid>,
    pub(super) uid: Option<Uid>,
    pub(super) uidl: Option<String>,
}

impl Arrival {
    fn size(&self) -> u64 {
        (self.prefix.len() as u64).saturating_add(self.blob.octets.len() as u64)
    }
}

/// What earlier arrivals of the same change will have used up.
#[derive(Default)]
struct Pending {
    added: BTreeMap<AccountId, u64>,
    freed: BTreeMap<AccountId, u64>,
    uid_next: BTreeMap<MailboxId, Option<Uid>>,
    replaced: BTreeSet<(MailboxId, Uid)>,
}

impl AccountState {
    pub(super) fn mailbox(&self, id: &MailboxId) -> Result<&Mailbox> {
        self.mailboxes.get(id).ok_or_else(|| ErrorKind::NotFound.into())
    }

    pub(super) fn mailbox_mut(&mut self, id: &MailboxId) -> Result<&mut Mailbox> {
        self.mailboxes.get_mut(id).ok_or_else(|| ErrorKind::NotFound.into())
    }

    pub(super) fn used(&self) -> u64 {
        self.mailboxes.values().map(Mailbox::octets).sum()
    }

    pub(super) fn check_quota(&self, added: u64, freed: u64) -> Result<()> {
        match self.quota {
            Some(limit) if self.used().saturating_add(added).saturating_sub(freed) > limit => {
                Err(ErrorKind::OverQuota.into())
            }
            _ => Ok(()),
        }
    }

    /// What one sees who is the owner, or the guest.
    pub(super) fn list(&self, owner: &AccountId, guest: Option<&AccountId>) -> Vec<MailboxInfo> {
        let is_seen = |id: &MailboxId| self.need(guest, id, "").is_ok();
        let seen: BTreeMap<&MailboxName, &MailboxId> = self.names.iter().filter(|(_, id)| is_seen(id)).collect();
        let nothing = BTreeSet::new();
        let subscribed = self.subscribed.get(guest.unwrap_or(owner)).unwrap_or(&nothing);
        let bare = subscribed.iter().filter(|name| !seen.contains_key(name)).map(|name| (name, None));
        seen.iter()
            .map(|(name, id)| (*name, Some(*id)))
            .chain(bare)
            .map(|(name, id)| {
                let mut info = MailboxInfo::new(name.clone(), id.cloned());
                info.special_use = id.and_then(|id| self.mailboxes.get(id)).and_then(|mailbox| mailbox.special_use);
                info.subscribed = subscribed.contains(name);
                info.has_children = Some(seen.keys().any(|other| other.is_below(name)));
                info
            })
            .collect()
    }
}

impl State {
    pub(super) fn new() -> Self {
        // A new process must not give an old UIDVALIDITY to other messages: clients would show what they have kept.
        let now = u32::try_from(Timestamp::now().unix_seconds()).ok().and_then(UidValidity::new);
        Self {
            users: Users::default(),
            horizon: DEFAULT_HORIZON,
            available: true,
            accounts: BTreeMap::new(),
            ids_given_out: 0,
            last_uid_validity: now.unwrap_or(UidValidity::MIN),
            signals: Vec::new(),
        }
    }

    pub(super) fn take_signals(&mut self) -> Vec<Box<dyn FnOnce() + Send>> {
        std::mem::take(&mut self.signals)
    }

    /// An account; one that has not been seen before gets its INBOX.
    pub(super) fn account(&mut self, id: &AccountId) -> Result<&mut AccountState> {
        if !self.accounts.contains_key(id) {
            let account = AccountState {
                mailboxes: BTreeMap::new(),
                names: BTreeMap::new(),
                subscribed: BTreeMap::new(),
                quota: None,
                annotations: Annotations::default(),
                watchers: Watchers::new(),
            };
            self.accounts.insert(id.clone(), account);
            self.make_mailbox(id, &MailboxName::inbox(), None)?;
        }
        self.accounts.get_mut(id).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Whether that one may know of the account.
    pub(super) fn is_shared_with(&self, account: &AccountId, guest: &AccountId) -> bool {
        self.accounts.get(account).is_some_and(|account| account.is_shared_with(guest))
    }

    pub(super) fn new_email_id(&mut self) -> Result<EmailId> {
        EmailId::new(format!("E{}", self.new_id())).map_err(|_| ErrorKind::Internal.into())
    }

    fn new_id(&mut self) -> u64 {
        self.ids_given_out = self.ids_given_out.saturating_add(1);
        self.ids_given_out
    }

    pub(super) fn make_mailbox(
        &mut self,
        account: &AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<CreatedMailbox> {
        let id = MailboxId::new(format!("F{}", self.new_id())).map_err(|_| StoreError::from(ErrorKind::Internal))?;
        let uid_validity = self.last_uid_validity.next().ok_or(ErrorKind::LimitExceeded)?;
        let mut mailbox = Mailbox::new(name.clone(), special_use, uid_validity, self.horizon);
        let account = self.account(account)?;
        if account.names.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        // RFC 4314 §4: a new mailbox inherits.
        if let Some(above) = account.above(name).and_then(|id| account.mailboxes.get(id)) {
            mailbox.acl = above.acl.clone();
        }
        account.names.insert(name.clone(), id.clone());
        account.mailboxes.insert(id.clone(), mailbox);
        self.last_uid_validity = uid_validity;
        Ok(CreatedMailbox::new(id, uid_validity))
    }

    pub(super) fn restore_mailbox(
        &mut self,
        account: &AccountId,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
        past: MailboxPast,
    ) -> Result<CreatedMailbox> {
        let id = match self.account(account)?.names.get(name) {
            Some(id) => id.clone(),
            None => self.make_mailbox(account, name, special_use)?.id,
        };
        let mailbox = self.account(account)?.mailbox_mut(&id)?;
        if !mailbox.is_unused() && mailbox.uid_validity != past.uid_validity {
            return Err(ErrorKind::AlreadyExists.into());
        }
        mailbox.special_use = special_use.or(mailbox.special_use);
        mailbox.go_on_from(past);
        // Whoever uses the name again gets a larger one.
        self.last_uid_validity = self.last_uid_validity.max(past.uid_validity);
        Ok(CreatedMailbox::new(id, past.uid_validity))
    }

    pub(super) fn delete(&mut self, account: &AccountId, guest: Option<&AccountId>, id: &MailboxId) -> Result<()> {
        let state = self.account(account)?;
        let name = state.need(guest, id, "x")?.name.clone();
        if name.is_inbox() {
            return Err(ErrorKind::NotPermitted.into());
        }
        state.names.remove(&name);
        let deleted = state.mailboxes.remove(id);
        if let Some(mailbox) = deleted {
            self.signal(&mailbox, id);
        }
        self.signal_account(account)
    }

    pub(super) fn rename(
        &mut self,
        account: &AccountId,
        guest: Option<&AccountId>,
        from: &MailboxName,
        to: &MailboxName,
    ) -> Result<()> {
        if from.is_inbox() || to.is_below(from) {
            return Err(ErrorKind::Invalid.into());
        }
        let state = self.account(account)?;
        // All that can go wrong is found out before the first name is changed.
        let mut moves = Vec::new();
        for (name, id) in &state.names {
            let renamed = if name == from { Some(Ok(to.clone())) } else { name.rebased(from, to) };
            if let Some(renamed) = renamed {
                moves.push((id.clone(), name.clone(), renamed.map_err(|_| StoreError::from(ErrorKind::Invalid))?));
            }
        }
        if moves.is_empty() {
            return Err(ErrorKind::NotFound.into());
        }
        match state.names.get(from) {
            Some(id) => state.need(guest, id, "x").map(|_| ())?,
            // A mere parent stands for the mailboxes below it.
            None if !moves.iter().any(|(id, ..)| state.need(guest, id, "").is_ok()) => {
                return Err(ErrorKind::NotFound.into());
            }
            None if !moves.iter().all(|(id, ..)| state.need(guest, id, "x").is_ok()) => {
                return Err(ErrorKind::NotPermitted.into());
            }
            None => {}
        }
        state.need_above(guest, to)?;
        let leaves: BTreeSet<&MailboxName> = moves.iter().map(|(_, name, _)| name).collect();
        let taken = |name: &MailboxName| state.names.contains_key(name) && (name == to || !leaves.contains(name));
        if taken(to) || moves.iter().any(|(_, _, renamed)| taken(renamed)) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        for (_, name, _) in &moves {
            state.names.remove(name);
        }
        for (id, _, renamed) in moves {
            if let Some(mailbox) = state.mailboxes.get_mut(&id) {
                mailbox.name = renamed.clone();
            }
            state.names.insert(renamed, id);
        }
        self.signal_account(account)
    }

    /// Puts messages where they belong, under one modification sequence for each mailbox.
    pub(super) fn place(&mut self, arrivals: Vec<Arrival>, mode: Mode) -> Result<Vec<Result<Placed>>> {
        let mut stamps = BTreeMap::new();
        let mut pending = Pending::default();
        if mode == Mode::AllOrNothing {
            for arrival in &arrivals {
                self.check(arrival, &mut pending)?;
            }
        }
        let mut answers = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            let checked = match mode {
                Mode::AllOrNothing => Ok(()),
                Mode::PerTarget => self.check(&arrival, &mut Pending::default()),
            };
            answers.push(checked.and_then(|()| self.put(arrival, &mut stamps)));
        }
        Ok(answers)
    }

    fn check(&mut self, arrival: &Arrival, pending: &mut Pending) -> Result<()> {
        if arrival.uidl.as_ref().is_some_and(|uidl| !is_unique_id(uidl)) {
            return Err(ErrorKind::Invalid.into());
        }
        let account = self.account(&arrival.account)?;
        let id = match &arrival.mailbox {
            TargetMailbox::Inbox => account.names.get(&MailboxName::inbox()),
            TargetMailbox::Id(id) => Some(id),
            TargetMailbox::Named(name) => account.names.get(name),
        };
        let mut freed = pending.freed.get(&arrival.account).copied().unwrap_or(0);
        if let Some(id) = id {
            // RFC 8508 §4.1: a replacement is a STORE of \Deleted and an EXPUNGE as well.
            let needed = if arrival.replaces.is_some() { "ite" } else { "i" };
            let mailbox = account.need(arrival.guest.as_ref(), id, needed)?;
            let next = pending.uid_next.entry(id.clone()).or_insert(mailbox.uid_next());
            *next = Mailbox::uid_from(*next, arrival.uid)?.next();
            if let Some(uid) = arrival.replaces {
                let replaced = mailbox.messages.get(&uid).ok_or(ErrorKind::Expunged)?;
                if !pending.replaced.insert((id.clone(), uid)) {
                    return Err(ErrorKind::Expunged.into());
                }
                freed = freed.saturating_add(replaced.size());
            }
        } else if arrival.replaces.is_some() {
            return Err(ErrorKind::Expunged.into());
        }
        let added = pending.added.get(&arrival.account).copied().unwrap_or(0).saturating_add(arrival.size());
        account.check_quota(added, freed)?;
        pending.added.insert(arrival.account.clone(), added);
        pending.freed.insert(arrival.account.clone(), freed);
        Ok(())
    }

    fn put(&mut self, arrival: Arrival, stamps: &mut BTreeMap<MailboxId, ModSeq>) -> Result<Placed> {
        let existing = match &arrival.mailbox {
            TargetMailbox::Inbox => self.account(&arrival.account)?.names.get(&MailboxName::inbox()).cloned(),
            TargetMailbox::Id(id) => Some(id.clone()),
            TargetMailbox::Named(name) => self.account(&arrival.account)?.names.get(name).cloned(),
        };
        let id = match (existing, &arrival.mailbox) {
            (Some(id), _) => id,
            (None, TargetMailbox::Named(name)) => {
                let made = self.make_mailbox(&arrival.account, name, None)?.id;
                self.signal_account(&arrival.account)?;
                made
            }
            (None, _) => return Err(ErrorKind::NotFound.into()),
        };
        // One email id stands for one content, and with a prefix in front it is another content.
        let email_id = if arrival.prefix.is_empty() { arrival.blob.email_id.clone() } else { self.new_email_id()? };
        let now = Timestamp::now();
        let account = self.account(&arrival.account)?;
        let may = account.rights(arrival.guest.as_ref(), account.mailbox(&id)?);
        let mailbox = account.mailbox_mut(&id)?;
        let modseq = *stamps.entry(id.clone()).or_insert_with(|| mailbox.next_modseq());
        let message = Message {
            modseq,
            flags: rights::permitted(&may, &arrival.flags),
            internal_date: arrival.internal_date.unwrap_or(now),
            save_date: now,
            email_id,
            prefix: arrival.prefix,
            octets: arrival.blob.octets,
            digest: arrival.digest.or(arrival.blob.digest),
            uidl: arrival.uidl,
        };
        let uid = mailbox.add(message, arrival.uid)?;
        if let Some(replaced) = arrival.replaces {
            mailbox.take(&replaced.into(), modseq);
        }
        let placed = Placed::new(id.clone(), mailbox.uid_validity, uid, modseq);
        self.signal_mailbox(&arrival.account, &id)?;
        Ok(placed)
    }

    pub(super) fn transfer(
        &mut self,
        account: &AccountId,
        guest: Option<&AccountId>,
        source: &MailboxId,
        uids: &UidSet,
        destination: &MailboxId,
        remove: bool,
    ) -> Result<Transferred> {
        let state = self.account(account)?;
        // RFC 6851 §4.2: a move is a COPY, a STORE of \Deleted and an EXPUNGE.
        let from = state.need(guest, source, if remove { "rte" } else { "r" })?;
        let into = state.need(guest, destination, "i")?;
        let may = state.rights(guest, into);
        let messages: Vec<(Uid, Message)> = from.present(uids).map(|(uid, message)| (uid, message.clone())).collect();
        if messages.is_empty() {
            return Ok(Transferred::new(Vec::new(), into.uid_validity, from.highest));
        }
        if !into.has_room_for(messages.len() as u64) {
            return Err(ErrorKind::LimitExceeded.into());
        }
        if !remove {
            state.check_quota(messages.iter().map(|(_, message)| message.size()).sum(), 0)?;
        }
        let gone: UidSet = messages.iter().map(|(uid, _)| *uid).collect();
        let into = state.mailbox_mut(destination)?;
        let uid_validity = into.uid_validity;
        let modseq = into.next_modseq();
        let now = Timestamp::now();
        let mut pairs = Vec::with_capacity(messages.len());
        for (uid, message) in messages {
            // Two messages under one unique-id would be one to a POP3 client: a copy gets its own.
            let uidl = message.uidl.clone().filter(|_| remove);
            let flags = rights::permitted(&may, &message.flags);
            pairs.push((uid, into.add(Message { modseq, flags, save_date: now, uidl, ..message }, None)?));
        }
        let from = state.mailbox_mut(source)?;
        if remove {
            let modseq = if source == destination { modseq } else { from.next_modseq() };
            from.take(&gone, modseq);
        }
        let transferred = Transferred::new(pairs, uid_validity, from.highest);
        self.signal_mailbox(account, destination)?;
        if remove && source != destination {
            self.signal_mailbox(account, source)?;
        }
        Ok(transferred)
    }

    pub(super) fn signal_mailbox(&mut self, account: &AccountId, id: &MailboxId) -> Result<()> {
        let mailbox = self.accounts.get(account).ok_or(ErrorKind::NotFound)?.mailbox(id)?;
        for watcher in mailbox.watchers.live() {
            let id = id.clone();
            self.signals.push(Box::new(move || watcher.raise(id)));
        }
        Ok(())
    }

    fn signal(&mut self, mailbox: &Mailbox, id: &MailboxId) {
        for watcher in mailbox.watchers.live() {
            let id = id.clone();
            self.signals.push(Box::new(move || watcher.raise(id)));
        }
    }

    pub(super) fn signal_account(&mut self, account: &AccountId) -> Result<()> {
        for watcher in self.accounts.get(account).ok_or(ErrorKind::NotFound)?.watchers.live() {
            self.signals.push(Box::new(move || watcher.raise(())));
        }
        Ok(())
    }
}

/// RFC 1939 §7: 1 to 70 octets of `!` to `~`.
fn is_unique_id(uidl: &str) -> bool {
    (1..=70).contains(&uidl.len()) && uidl.bytes().all(|octet| octet.is_ascii_graphic())
}
