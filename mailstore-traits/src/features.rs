//! What a store can do beyond the least, so that no server advertises what its store cannot keep.

/// What a store can do. Everything is off until the store says that it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct StoreFeatures {
    /// One [`deliver`](crate::MailStore::deliver) to several accounts can be all or nothing. Where it cannot, the
    /// [`Directory`](crate::Directory) names each recipient's atomic domain.
    pub atomic_delivery: bool,
    /// The writing methods of [`Account`](crate::Account) work.
    pub writable: bool,
    /// [`restore`](crate::Account::restore) works, and [`Placement::uid`](crate::Placement::uid) is kept: mailboxes can be
    /// moved here from another store.
    pub restore: bool,
    /// [`watch`](crate::Account::watch) hears of changes that other processes make.
    pub watch_across_processes: bool,
    /// [`lease_maildrop`](crate::Account::lease_maildrop) works: POP3 has its exclusive maildrop.
    pub maildrop_lease: bool,
    /// [`MessageMeta::uidl`](crate::MessageMeta::uidl) is kept when a placement brings one.
    pub uidl_override: bool,
    /// `quota_roots` and `set_quota` work.
    pub quota: bool,
    /// `acl`, `set_acl` and `my_rights` work.
    pub acl: bool,
    /// `annotations` and `set_annotations` work.
    pub annotations: bool,
    /// `search` answers from an index.
    pub search_index: bool,
    /// `watch_account` works: changes of the list of mailboxes are heard of.
    pub watch_account: bool,
    /// [`MessageMeta::thread_id`](crate::MessageMeta::thread_id) is filled in.
    pub threads: bool,
    /// [`MessageMeta::save_date`](crate::MessageMeta::save_date) is filled in.
    pub save_date: bool,
}

impl StoreFeatures {
    /// Everything off: a store that reads.
    pub const fn read_only() -> Self {
        Self {
            atomic_delivery: false,
            writable: false,
            restore: false,
            watch_across_processes: false,
            maildrop_lease: false,
            uidl_override: false,
            quota: false,
            acl: false,
            annotations: false,
            search_index: false,
            watch_account: false,
            threads: false,
            save_date: false,
        }
    }
}
