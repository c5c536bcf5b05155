//! A figure that the host says for each account.

use std::fmt;
use std::sync::Arc;

use mailstore_traits::AccountId;

/// What an account's figure is.
pub(super) struct Own<T>(Arc<dyn Fn(&AccountId) -> T + Send + Sync>);

impl<T> Own<T> {
    pub(super) fn new(own: impl Fn(&AccountId) -> T + Send + Sync + 'static) -> Self {
        Self(Arc::new(own))
    }

    pub(super) fn of(&self, account: &AccountId) -> T {
        (self.0)(account)
    }
}

impl<T> fmt::Debug for Own<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}
