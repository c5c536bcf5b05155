//! Which accounts an address stands for.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::{AccountId, Flags, Result, TargetMailbox};

/// An address that mail is for, in the parts that RFC 5321 §4.1.2 gives it, without its quoting.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Recipient {
    /// What stands before the `@`, unquoted: `"a\ b"@example.org` is `a b`. Its case may matter (RFC 5321 §2.4); most
    /// hosts decide that it does not.
    pub local_part: String,
    /// What stands behind the `@`, in lower case and without a dot at its end: a domain name, or an address literal with
    /// its brackets. `None` for the bare `<postmaster>`, which every server takes (RFC 5321 §4.5.1).
    pub domain: Option<String>,
}

impl Recipient {
    /// That address.
    pub fn new(local_part: impl Into<String>, domain: Option<String>) -> Self {
        let domain = domain.map(|domain| {
            let lower = domain.to_lowercase();
            lower.strip_suffix('.').map(str::to_owned).unwrap_or(lower)
        });
        Self { local_part: local_part.into(), domain }
    }
}

/// A name for what can be delivered to in one stroke, where a store cannot deliver to all accounts in one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AtomicDomain(Arc<str>);

impl AtomicDomain {
    /// The domain of that name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for AtomicDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One mailbox that mail for an address goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub mailbox: TargetMailbox,
    /// With which flags.
    pub flags: Flags,
    /// What it can be delivered together with; `None` for everything. Only for stores without
    /// [`atomic_delivery`](crate::StoreFeatures::atomic_delivery).
    pub atomic_domain: Option<AtomicDomain>,
}

impl Destination {
    /// The account's INBOX.
    pub fn inbox(account: AccountId) -> Self {
        Self { account, mailbox: TargetMailbox::Inbox, flags: Flags::new(), atomic_domain: None }
    }

    /// Another mailbox of the account.
    #[must_use]
    pub fn with_mailbox(mut self, mailbox: TargetMailbox) -> Self {
        self.mailbox = mailbox;
        self
    }

    /// To be delivered only together with others of the same domain.
    #[must_use]
    pub fn with_atomic_domain(mut self, domain: AtomicDomain) -> Self {
        self.atomic_domain = Some(domain);
        self
    }
}

/// What an address stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolution {
    /// Mail for it goes to all of these. At least one.
    Local(Vec<Destination>),
    /// The domain is ours, the user is not there: `550 5.1.1`.
    UnknownUser,
    /// The domain is not ours: `550 5.7.1`, for relaying is refused (attack row R1).
    NotLocal,
    /// Ours, but takes no mail now: `450 4.2.1`.
    Unavailable,
}

/// Knows which accounts an address stands for. There is no default: nobody is a recipient until a host says so.
///
/// An error means that it cannot say now: the sender is told to come again (`451 4.3.0`).
pub trait Directory: Clone + Send + Sync + 'static {
    /// What that address stands for.
    fn resolve(&self, recipient: &Recipient) -> impl Future<Output = Result<Resolution>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_r1_a_domain_is_compared_in_one_form() {
        let recipient = Recipient::new("Ada", Some(String::from("EXAMPLE.org.")));
        assert_eq!((recipient.local_part.as_str(), recipient.domain.as_deref()), ("Ada", Some("example.org")));
    }
}
