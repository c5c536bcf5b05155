//! Whose mail it is, and who asks.

use std::fmt;
use std::sync::Arc;

/// The account whose mailboxes are meant: opaque to the suite, given out by the host's [`Authenticator`] and
/// [`Directory`], understood by its [`MailStore`].
///
/// [`Authenticator`]: crate::Authenticator
/// [`Directory`]: crate::Directory
/// [`MailStore`]: crate::MailStore
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(Arc<str>);

impl AccountId {
    /// The account that the host calls by this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The host's name for it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.escape_debug(), f)
    }
}

impl From<&str> for AccountId {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

/// Who asks: every call on an [`Account`](crate::Account) is made in this one's name and with this one's rights.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Actor {
    /// A user who has logged in. Often the owner of the account, but not if mailboxes are shared.
    User(AccountId),
    /// The service itself (a delivery, an import, a clean-up): may do everything.
    Service,
}

impl Actor {
    /// The account of the user who asks, if it is a user.
    pub fn user(&self) -> Option<&AccountId> {
        match self {
            Self::User(account) => Some(account),
            Self::Service => None,
        }
    }
}
