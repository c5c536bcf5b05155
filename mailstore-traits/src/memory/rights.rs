//! Who may do what with a mailbox (RFC 4314). The owner and the service may do everything, and are not asked.

use std::collections::BTreeMap;

use super::mailbox::Mailbox;
use super::state::AccountState;
use crate::{
    Access, AccountId, AclEntry, ErrorKind, Flag, FlagChange, Flags, MailboxId, MailboxName, Result, Rights, Snapshot,
    SystemFlag,
};

/// The rights of RFC 4314 §2.1. Its older `c` and `d` (§2.1.1) are for the engine to translate.
const ALL: &str = "lrswipkxtea";
/// Everybody, whoever it is (RFC 4314 §3).
const ANYONE: &str = "anyone";

/// What others may do with a mailbox.
#[derive(Clone, Default)]
pub(super) struct Acl(BTreeMap<String, Rights>);

impl Acl {
    /// What that one may do, by their own name or as anyone.
    pub(super) fn rights_of(&self, guest: &AccountId) -> Rights {
        let both = [guest.as_str(), ANYONE].into_iter().filter_map(|identifier| self.0.get(identifier));
        Rights::new(&both.flat_map(Rights::iter).collect::<String>()).unwrap_or_default()
    }

    pub(super) fn entries(&self, owner: &AccountId) -> Vec<AclEntry> {
        let others = self.0.iter().map(|(identifier, rights)| AclEntry::new(identifier.clone(), rights.clone()));
        [AclEntry::new(owner.as_str(), all())].into_iter().chain(others).collect()
    }

    pub(super) fn set(&mut self, owner: &AccountId, entry: AclEntry) -> Result<()> {
        let AclEntry { identifier, rights } = entry;
        // A `-` in front is for negative rights, which a server need not have (RFC 4314 §2).
        let is_somebody = !identifier.is_empty() && !identifier.starts_with('-') && identifier != owner.as_str();
        if !is_somebody || rights.iter().any(|right| !ALL.contains(right)) {
            return Err(ErrorKind::Invalid.into());
        }
        if rights.iter().next().is_none() {
            self.0.remove(&identifier);
        } else {
            self.0.insert(identifier, rights);
        }
        Ok(())
    }
}

/// Every right there is.
pub(super) fn all() -> Rights {
    Rights::new(ALL).unwrap_or_default()
}

/// Whether one may change that flag (RFC 4314 §4).
pub(super) fn may_change(rights: &Rights, flag: &Flag) -> bool {
    rights.contains(match flag {
        Flag::System(SystemFlag::Seen) => 's',
        Flag::System(SystemFlag::Deleted) => 't',
        _ => 'w',
    })
}

/// The flags that a message gets which somebody with these rights brings. The others are left out, and that is no error
/// (RFC 4314 §4).
pub(super) fn permitted(rights: &Rights, flags: &Flags) -> Flags {
    flags.iter().filter(|flag| may_change(rights, flag)).cloned().collect()
}

/// Whether somebody may change any of the flags that are to be changed: enough for the change to be tried.
pub(super) fn may_try(rights: &Rights, change: &FlagChange) -> bool {
    match change {
        FlagChange::Add(flags) | FlagChange::Remove(flags) => {
            flags.is_empty() || flags.iter().any(|flag| may_change(rights, flag))
        }
        // All that it does not name it takes away.
        FlagChange::Replace(_) => ['s', 'w', 't'].into_iter().any(|right| rights.contains(right)),
    }
}

/// The mailbox as it is for somebody with these rights (RFC 4314 §5.2).
pub(super) fn seen_with(rights: &Rights, mut snapshot: Snapshot) -> Snapshot {
    snapshot.permanent_flags = permitted(rights, &snapshot.permanent_flags);
    snapshot.new_keywords = rights.contains('w');
    if !"ieswt".chars().any(|right| rights.contains(right)) {
        snapshot.access = Access::ReadOnly;
    }
    snapshot
}

impl AccountState {
    /// The rights of whoever acts: `None` is the owner, or the service.
    pub(super) fn rights(&self, guest: Option<&AccountId>, mailbox: &Mailbox) -> Rights {
        guest.map_or_else(all, |guest| mailbox.acl.rights_of(guest))
    }

    /// The mailbox, for one who has these rights on it. To one who may not look it up it does not exist, whatever else
    /// they may do with it (RFC 4314 §6).
    pub(super) fn mailbox_for(
        &mut self,
        guest: Option<&AccountId>,
        id: &MailboxId,
        needed: &str,
    ) -> Result<&mut Mailbox> {
        self.need(guest, id, needed)?;
        self.mailbox_mut(id)
    }

    pub(super) fn need(&self, guest: Option<&AccountId>, id: &MailboxId, needed: &str) -> Result<&Mailbox> {
        let mailbox = self.mailbox(id)?;
        let rights = self.rights(guest, mailbox);
        if !rights.contains('l') {
            return Err(ErrorKind::NotFound.into());
        }
        if needed.chars().all(|right| rights.contains(right)) {
            Ok(mailbox)
        } else {
            Err(ErrorKind::NotPermitted.into())
        }
    }

    /// One of these rights is enough.
    pub(super) fn need_any(&mut self, guest: Option<&AccountId>, id: &MailboxId, one_of: &str) -> Result<&mut Mailbox> {
        let rights = self.rights(guest, self.need(guest, id, "")?);
        if one_of.chars().any(|right| rights.contains(right)) {
            self.mailbox_mut(id)
        } else {
            Err(ErrorKind::NotPermitted.into())
        }
    }

    /// The nearest mailbox above a name.
    pub(super) fn above(&self, name: &MailboxName) -> Option<&MailboxId> {
        let parents = std::iter::successors(name.parent(), MailboxName::parent);
        parents.into_iter().find_map(|parent| self.names.get(&parent))
    }

    /// Whether somebody may make a mailbox of that name: that takes `k` on the nearest one above. Without one above the
    /// name is in the owner's own space.
    pub(super) fn need_above(&self, guest: Option<&AccountId>, name: &MailboxName) -> Result<()> {
        if guest.is_none() {
            return Ok(());
        }
        let above = self.above(name).ok_or(ErrorKind::NotPermitted)?;
        match self.need(guest, above, "k") {
            // That there is one is not told.
            Err(_) => Err(ErrorKind::NotPermitted.into()),
            Ok(_) => Ok(()),
        }
    }

    /// Whether that one may know of any of the mailboxes.
    pub(super) fn is_shared_with(&self, guest: &AccountId) -> bool {
        self.mailboxes.values().any(|mailbox| mailbox.acl.rights_of(guest).contains('l'))
    }
}
