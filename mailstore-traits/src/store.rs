//! The two traits that a host implements: the service, and a handle for one principal.

use std::future::{Future, ready};

use bytes::Bytes;
use futures::Stream;

use crate::{
    AccountId, AclEntry, Actor, Annotation, Body, ByteRange, Changes, CreatedMailbox, ErrorKind, Finding, FlagChange,
    FlagOutcome, ListHint, MailboxId, MailboxInfo, MailboxName, MailboxPast, MailboxStatus, MaildropLease,
    MessageDigest, MessageMeta, MetaFields, MetaFilter, ModSeq, Mode, Namespace, Placed, Placement, QuotaResource,
    QuotaRoot, Result, Rights, SearchAnswer, SearchKey, SizeHint, Snapshot, SpecialUse, StoreError, StoreFeatures,
    Target, Uid, UidSet, UidValidity,
};

fn not_permitted<T: Send>() -> impl Future<Output = Result<T>> + Send {
    ready(Err(ErrorKind::NotPermitted.into()))
}

fn unsupported<T: Send>() -> impl Future<Output = Result<T>> + Send {
    ready(Err(ErrorKind::Unsupported.into()))
}

/// A message on its way into the store: written once, from the front to the end.
///
/// Dropped before [`finish`](Self::finish) has returned, it leaves nothing behind.
pub trait Stage: Send + 'static {
    /// What a finished stage becomes.
    type Blob: Clone + Send + Sync + 'static;

    /// Takes the next octets. The future is done when the store is ready for more, which is the sender's back-pressure.
    /// The octets are copied or written before it is done: a chunk is a slice of a read buffer, and keeping the slice
    /// would keep the whole buffer.
    ///
    /// # Errors
    /// [`ErrorKind::TooBig`], [`ErrorKind::OverQuota`] or [`ErrorKind::Unavailable`]; the stage is of no use afterwards.
    fn write(&mut self, chunk: Bytes) -> impl Future<Output = Result<()>> + Send;

    /// Closes it and gives the blob, which can be placed any number of times. It need not be durable yet: that is
    /// [`deliver`](MailStore::deliver)'s and [`commit`](Account::commit)'s to see to. When the last clone of a blob is
    /// dropped and it was never placed, the store forgets it.
    fn finish(self, digest: Option<MessageDigest>) -> impl Future<Output = Result<Self::Blob>> + Send;
}

/// The service: one for a process, cheap to clone, with no principal of its own.
///
/// SMTP and LMTP need only this level and a [`Directory`](crate::Directory).
pub trait MailStore: Clone + Send + Sync + 'static {
    /// A handle for one principal.
    type Account: Account<Blob = Self::Blob, Stage = Self::Stage>;
    /// A message on its way in.
    type Stage: Stage<Blob = Self::Blob>;
    /// A finished message: valid for every handle of the same store, of no use to another store
    /// ([`ErrorKind::Invalid`]).
    type Blob: Clone + Send + Sync + 'static;

    /// What this store can do.
    fn features(&self) -> StoreFeatures;

    /// A handle on that account's mailboxes, in the name of `actor`. An account that the store has not seen before is
    /// new: it has an empty INBOX. A user has a handle on another's account if they may look up one of its mailboxes.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the store knows all accounts and this is none, or if the actor may not know of it.
    fn open(&self, account: &AccountId, actor: &Actor) -> impl Future<Output = Result<Self::Account>> + Send;

    /// Begins to take a message in.
    ///
    /// # Errors
    /// [`ErrorKind::TooBig`] if the hint alone is too much, [`ErrorKind::Unavailable`] if there is no room.
    fn stage(&self, hint: SizeHint) -> impl Future<Output = Result<Self::Stage>> + Send;

    /// Reads a blob again, placed or not.
    fn read_blob(&self, blob: &Self::Blob, range: ByteRange) -> impl Future<Output = Result<Body>> + Send;

    /// Puts a message into each target, durably: when this has answered, no crash takes it away.
    ///
    /// With [`Mode::PerTarget`] the answers are one for each target, in their order. With [`Mode::AllOrNothing`] they are
    /// all `Ok`, or the call as a whole is an error and nothing was delivered to anybody.
    ///
    /// # Errors
    /// As a whole: [`ErrorKind::Invalid`] for a foreign blob, [`ErrorKind::Unavailable`]; with [`Mode::AllOrNothing`]
    /// whatever kept the first target from it, and [`ErrorKind::Unsupported`] for several accounts in a store without
    /// [`atomic_delivery`](StoreFeatures::atomic_delivery).
    fn deliver(
        &self,
        blob: &Self::Blob,
        targets: Vec<Target>,
        mode: Mode,
    ) -> impl Future<Output = Result<Vec<Result<Placed>>>> + Send;

    /// Looks for damage that only the store itself can see: counters, indexes, files that nobody names. With `mend` it
    /// puts right what can be, and nothing that a client was told becomes untrue by it. What every reader sees, such as a
    /// body that is shorter than its size, is not looked for here.
    ///
    /// It may take long, and be called while the store is in use.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if so much is wrong that nothing can be said.
    fn check(&self, mend: bool) -> impl Future<Output = Result<Vec<Finding>>> + Send {
        let _ = mend;
        ready(Ok(Vec::new()))
    }
}

/// What became of the messages of a [`copy`](Account::copy) or a [move](Account::move_messages).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transferred {
    /// Each message's UID at the source and at the destination, rising in both. Messages that had gone are missing.
    pub uids: Vec<(Uid, Uid)>,
    /// The destination's UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The source's highest modification sequence after a move; after a copy it is not changed.
    pub source_modseq: ModSeq,
}

impl Transferred {
    /// These.
    pub fn new(uids: Vec<(Uid, Uid)>, uid_validity: UidValidity, source_modseq: ModSeq) -> Self {
        Self { uids, uid_validity, source_modseq }
    }
}

/// A handle on one account's mailboxes for one principal: cheap to clone, good for as long as it is held.
///
/// Every method works on real mailboxes by id; those that take a name say so. Methods that write answer
/// [`ErrorKind::NotPermitted`] unless a store implements them; the optional ones answer [`ErrorKind::Unsupported`], and
/// [`features`](Self::features) says which are real. A mailbox that does not exist, or that the actor may not look up, is
/// [`ErrorKind::NotFound`] everywhere.
///
/// Streams are `'static`, hold no lock between two items and need no particular runtime.
///
/// # Rights
///
/// The owner and [`Actor::Service`] may do everything. With [`StoreFeatures::acl`] somebody else may have a handle too, and
/// each method asks for rights (RFC 4314 §4). Without `l` the mailbox is [`ErrorKind::NotFound`], whatever other rights
/// there are: here the contract is stricter than the RFC, in which MYRIGHTS and APPEND go without. Without another right
/// it is [`ErrorKind::NotPermitted`], and nothing has changed.
///
/// | Methods | Rights beside `l` |
/// | --- | --- |
/// | [`list`](Self::list), [`find`](Self::find), [`my_rights`](Self::my_rights) | none; `list` leaves out what one may not look up |
/// | [`snapshot`](Self::snapshot), [`fetch_meta`](Self::fetch_meta), [`open_body`](Self::open_body), [`changes_since`](Self::changes_since), [`put_digest`](Self::put_digest), [`watch`](Self::watch), [`search`](Self::search), [`quota_roots`](Self::quota_roots) | `r` |
/// | [`status`](Self::status) | `r`; it leaves out the others |
/// | [`commit`](Self::commit) | `i`; for a message that is replaced `t` and `e` too |
/// | [`store_flags`](Self::store_flags) | `r`, and one of those for the flags that are named: `s` for `\Seen`, `t` for `\Deleted`, `w` for others |
/// | [`copy`](Self::copy) | `r` on the source, `i` on the destination |
/// | [`move_messages`](Self::move_messages) | `r`, `t` and `e` on the source, `i` on the destination |
/// | [`expunge`](Self::expunge) | `r` and `e`; `t` too unless `only_deleted` |
/// | [`lease_maildrop`](Self::lease_maildrop) | `r`, `t` and `e` |
/// | [`create`](Self::create), [`rename`](Self::rename) | `k` on the nearest mailbox above the new name; `x` on the one renamed |
/// | [`delete`](Self::delete) | `x` |
/// | [`acl`](Self::acl), [`set_acl`](Self::set_acl) | `a` |
/// | [`annotations`](Self::annotations), [`set_annotations`](Self::set_annotations) | one of `r`, `s`, `w`, `i` and `p` (RFC 5464 §3.3) |
/// | [`restore`](Self::restore), [`set_quota`](Self::set_quota), annotations of the account | the owner's or the service's alone |
///
/// A flag that the actor may not set is left out of what they bring, and left alone by `store_flags`, without an error.
pub trait Account: Clone + Send + Sync + 'static {
    /// A finished message.
    type Blob: Clone + Send + Sync + 'static;
    /// A message on its way in.
    type Stage: Stage<Blob = Self::Blob>;

    /// What this handle can do.
    fn features(&self) -> StoreFeatures;

    /// All mailboxes, and subscribed names without one, in any order, each once. INBOX is always among them.
    fn list(&self, hint: ListHint) -> impl Stream<Item = Result<MailboxInfo>> + Send + 'static;

    /// The regions of names.
    fn namespaces(&self) -> impl Future<Output = Result<Vec<Namespace>>> + Send {
        ready(Ok(vec![Namespace::personal()]))
    }

    /// The mailbox of that name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none.
    fn find(&self, name: &MailboxName) -> impl Future<Output = Result<MailboxId>> + Send;

    /// The counts of many mailboxes at once, those that exist, in the order asked.
    fn status(&self, mailboxes: &[MailboxId]) -> impl Future<Output = Result<Vec<MailboxStatus>>> + Send;

    /// Makes a mailbox. Parents need not exist; the store makes them or leaves them out, but keeps to one of both.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`], [`ErrorKind::NonExistentParent`], [`ErrorKind::LimitExceeded`],
    /// [`ErrorKind::Invalid`] for a name that it cannot keep to the octet, [`ErrorKind::Unsupported`] for a special use.
    fn create(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> impl Future<Output = Result<CreatedMailbox>> + Send {
        let _ = (name, special_use);
        not_permitted()
    }

    /// Makes a mailbox that goes on where one of another store ended: with its UIDVALIDITY, UIDs from its UIDNEXT on, and
    /// a HIGHESTMODSEQ that is not below its own, so that clients keep what they have of it. Messages come in by
    /// [`commit`](Self::commit) with [`Placement::uid`](crate::Placement::uid).
    ///
    /// If there is a mailbox of that name, it becomes this one if it has never given out a UID, as a new account's INBOX
    /// has not, or if it has that UIDVALIDITY already: so an interrupted move goes on, and `past.uid_next` can be told at
    /// the end. UIDNEXT and HIGHESTMODSEQ only rise.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if there is another mailbox of that name; otherwise as [`create`](Self::create).
    fn restore(
        &self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
        past: MailboxPast,
    ) -> impl Future<Output = Result<CreatedMailbox>> + Send {
        let _ = (name, special_use, past);
        unsupported()
    }

    /// Deletes a mailbox and its messages; its children and its subscription stay.
    ///
    /// # Errors
    /// [`ErrorKind::NotPermitted`] for INBOX.
    fn delete(&self, mailbox: &MailboxId) -> impl Future<Output = Result<()>> + Send {
        let _ = mailbox;
        not_permitted()
    }

    /// Renames a mailbox, or a mere parent, with all its children, in one change. Ids, UIDs, UIDVALIDITY and
    /// modification sequences stay; subscriptions, being of names, stay with the names. INBOX is not renamed by this: the
    /// engine makes that a [`create`](Self::create) and a move of its messages.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if the new name, or a child's, is taken, and nothing has changed;
    /// [`ErrorKind::Invalid`] for INBOX, and for a name below itself.
    fn rename(&self, from: &MailboxName, to: &MailboxName) -> impl Future<Output = Result<()>> + Send {
        let _ = (from, to);
        not_permitted()
    }

    /// Subscribes or unsubscribes a name, whether it has a mailbox or not.
    fn set_subscribed(&self, name: &MailboxName, subscribed: bool) -> impl Future<Output = Result<()>> + Send {
        let _ = (name, subscribed);
        not_permitted()
    }

    /// A mailbox as it is, from one consistent read. With `claim_recent` the messages that are `\Recent` to this reader
    /// are so to no later one: SELECT claims, EXAMINE and POP3 do not.
    fn snapshot(&self, mailbox: &MailboxId, claim_recent: bool) -> impl Future<Output = Result<Snapshot>> + Send;

    /// What is known of messages, by rising UID; those that have gone are left out.
    fn fetch_meta(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        fields: MetaFields,
        filter: MetaFilter,
    ) -> impl Stream<Item = Result<MessageMeta>> + Send + 'static;

    /// A message's octets, prefix and blob, with CRLF line ends.
    ///
    /// # Errors
    /// [`ErrorKind::Expunged`] if there is no such message.
    fn open_body(&self, mailbox: &MailboxId, uid: Uid, range: ByteRange) -> impl Future<Output = Result<Body>> + Send;

    /// What has happened since `since`, about `page` messages of it. A page may be longer, for it never ends inside one
    /// modification sequence.
    ///
    /// # Errors
    /// [`ErrorKind::ModSeqTooOld`] if that is not known exactly; so too for one above the mailbox's highest, which a
    /// client holds after a store was restored from an older copy: what it has seen since then is not what is here.
    fn changes_since(
        &self,
        mailbox: &MailboxId,
        since: ModSeq,
        page: usize,
    ) -> impl Future<Output = Result<Changes>> + Send;

    /// Takes a digest made anew. No modification sequence changes. A store may ignore it.
    fn put_digest(
        &self,
        mailbox: &MailboxId,
        uid: Uid,
        digest: MessageDigest,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (mailbox, uid, digest);
        ready(Ok(()))
    }

    /// Begins to take a message in, as [`MailStore::stage`] does.
    fn stage(&self, hint: SizeHint) -> impl Future<Output = Result<Self::Stage>> + Send {
        let _ = hint;
        not_permitted()
    }

    /// Puts messages into mailboxes, durably. To one mailbox they get rising UIDs in their order. The answers are as
    /// [`MailStore::deliver`]'s.
    ///
    /// # Errors
    /// As a whole, as [`MailStore::deliver`]; for one placement, [`ErrorKind::NotFound`] for its mailbox and
    /// [`ErrorKind::Expunged`] for a message that it should replace, [`ErrorKind::Invalid`] for a UID below UIDNEXT.
    fn commit(
        &self,
        placements: Vec<Placement<Self::Blob>>,
        mode: Mode,
    ) -> impl Future<Output = Result<Vec<Result<Placed>>>> + Send {
        let _ = (placements, mode);
        not_permitted()
    }

    /// Changes flags: for each message one atomic read and write. With `unchanged_since`, messages whose modification
    /// sequence is greater are left alone and told in [`FlagOutcome::Failed`]. A change that changes nothing need not
    /// raise the modification sequence. UIDs that do not exist are passed over. The changes are carried out as the
    /// stream is read, and are carried out in full even if it is dropped, or not begun.
    fn store_flags(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> impl Stream<Item = Result<FlagOutcome>> + Send + 'static {
        let _ = (mailbox, uids, change, unchanged_since);
        futures::stream::iter([Err(StoreError::from(ErrorKind::NotPermitted))])
    }

    /// Copies messages into another mailbox, or into the same, in the order of their UIDs: all that are there, or none.
    /// Flags, date and email id stay. A copy into a mailbox that does not exist is [`ErrorKind::NotFound`].
    fn copy(
        &self,
        source: &MailboxId,
        uids: &UidSet,
        destination: &MailboxId,
    ) -> impl Future<Output = Result<Transferred>> + Send {
        let _ = (source, uids, destination);
        not_permitted()
    }

    /// Moves messages: as [`copy`](Self::copy), and gone from the source in the same change. No quota is checked within
    /// one root.
    fn move_messages(
        &self,
        source: &MailboxId,
        uids: &UidSet,
        destination: &MailboxId,
    ) -> impl Future<Output = Result<Transferred>> + Send {
        let _ = (source, uids, destination);
        not_permitted()
    }

    /// Removes messages for good and tells which, with the mailbox's modification sequence afterwards. With
    /// `only_deleted`, only those that carry `\Deleted` at that moment.
    fn expunge(
        &self,
        mailbox: &MailboxId,
        uids: &UidSet,
        only_deleted: bool,
    ) -> impl Future<Output = Result<(UidSet, ModSeq)>> + Send {
        let _ = (mailbox, uids, only_deleted);
        not_permitted()
    }

    /// Hears of changes: the id of a mailbox, sooner or later after each change in it. Registered when the future has
    /// answered, so whoever then reads a snapshot misses nothing. Signals coalesce; one may come without a change. Its
    /// end means: watch again, and pull.
    fn watch(
        &self,
        mailboxes: &[MailboxId],
    ) -> impl Future<Output = Result<impl Stream<Item = MailboxId> + Send + 'static>> + Send;

    /// Hears of changes of the list of mailboxes and of subscriptions (NOTIFY, RFC 5465).
    fn watch_account(&self) -> impl Future<Output = Result<impl Stream<Item = ()> + Send + 'static>> + Send {
        unsupported::<futures::stream::Empty<()>>()
    }

    /// Holds the mailbox alone, for a POP3 session. IMAP and delivery go on.
    ///
    /// # Errors
    /// [`ErrorKind::InUse`] while another holds it.
    fn lease_maildrop(&self, mailbox: &MailboxId) -> impl Future<Output = Result<MaildropLease>> + Send {
        let _ = mailbox;
        unsupported()
    }

    /// What an index knows of the messages that match.
    fn search(&self, mailbox: &MailboxId, key: &SearchKey) -> impl Future<Output = Result<SearchAnswer>> + Send {
        let _ = (mailbox, key);
        ready(Ok(SearchAnswer::Unsupported))
    }

    /// The quota roots of a mailbox.
    fn quota_roots(&self, mailbox: &MailboxId) -> impl Future<Output = Result<Vec<QuotaRoot>>> + Send {
        let _ = mailbox;
        unsupported()
    }

    /// Sets a quota root's limits.
    fn set_quota(&self, root: &str, limits: &[(QuotaResource, u64)]) -> impl Future<Output = Result<QuotaRoot>> + Send {
        let _ = (root, limits);
        unsupported()
    }

    /// Who has which rights on a mailbox. A new mailbox has the ACL of the nearest one above it; a rename changes none.
    fn acl(&self, mailbox: &MailboxId) -> impl Future<Output = Result<Vec<AclEntry>>> + Send {
        let _ = mailbox;
        unsupported()
    }

    /// Gives rights on a mailbox; no rights remove the entry. `anyone` is every user.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a right that the store does not know, and for an identifier that can have none.
    fn set_acl(&self, mailbox: &MailboxId, entry: AclEntry) -> impl Future<Output = Result<()>> + Send {
        let _ = (mailbox, entry);
        unsupported()
    }

    /// The actor's rights on a mailbox.
    fn my_rights(&self, mailbox: &MailboxId) -> impl Future<Output = Result<Rights>> + Send {
        let _ = mailbox;
        unsupported()
    }

    /// Annotations of a mailbox, or of the account if `None`: each that is one of these entries or lies below one, as
    /// `/shared/vendor/x` lies below `/shared/vendor` and `/shared`, once. Of `/private` entries the actor sees their own,
    /// of `/shared` ones everybody's. Names are compared without regard to the case of letters.
    fn annotations(
        &self,
        mailbox: Option<&MailboxId>,
        entries: &[String],
    ) -> impl Future<Output = Result<Vec<Annotation>>> + Send {
        let _ = (mailbox, entries);
        unsupported()
    }

    /// Sets or removes annotations, all or none. No modification sequence changes. They stay with a mailbox when it is
    /// renamed, and go with it when it is deleted.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an entry that is [none](Annotation::entry_name), [`ErrorKind::TooBig`] for a value that
    /// is too long, [`ErrorKind::LimitExceeded`] for one too many.
    fn set_annotations(
        &self,
        mailbox: Option<&MailboxId>,
        annotations: Vec<Annotation>,
    ) -> impl Future<Output = Result<()>> + Send {
        let _ = (mailbox, annotations);
        unsupported()
    }
}
