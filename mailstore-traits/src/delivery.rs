//! Putting messages into mailboxes.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    AccountId, Envelope, EnvelopeRecipient, Flags, MailboxId, MailboxName, MessageDigest, ModSeq, Timestamp, Uid,
    UidValidity,
};

/// What is known of a message's size before it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SizeHint {
    /// Nothing.
    Unknown,
    /// The peer said so (`SIZE=` of RFC 1870, a literal's length); it may lie.
    Octets(u64),
}

/// Whether several placements stand and fall together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// All or none: SMTP, which has one reply for all recipients; MULTIAPPEND.
    AllOrNothing,
    /// Each for itself: LMTP, which has one reply for each recipient.
    PerTarget,
}

/// Which mailbox of an account mail is delivered into.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TargetMailbox {
    /// INBOX.
    Inbox,
    /// The one with that id.
    Id(MailboxId),
    /// The one with that name, made if it does not exist.
    Named(MailboxName),
}

/// One recipient of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// Whose mailbox.
    pub account: AccountId,
    /// Which one.
    pub mailbox: TargetMailbox,
    /// Flags it has from the beginning.
    pub flags: Flags,
    /// Octets in front of the blob: trace fields, each a whole line with CRLF.
    pub prefix: Bytes,
    /// The digest of prefix and blob; the blob's own if `None`.
    pub digest: Option<MessageDigest>,
    /// What the sender said of the message; `None` where it came without an envelope.
    pub envelope: Option<Arc<Envelope>>,
    /// The recipients that lead to this mailbox, with what the sender said of each.
    pub recipients: Vec<EnvelopeRecipient>,
}

impl Target {
    /// The account's INBOX, with nothing in front.
    pub fn inbox(account: AccountId) -> Self {
        Self {
            account,
            mailbox: TargetMailbox::Inbox,
            flags: Flags::new(),
            prefix: Bytes::new(),
            digest: None,
            envelope: None,
            recipients: Vec::new(),
        }
    }

    /// Another mailbox of the account.
    #[must_use]
    pub fn with_mailbox(mut self, mailbox: TargetMailbox) -> Self {
        self.mailbox = mailbox;
        self
    }

    /// Flags it has from the beginning.
    #[must_use]
    pub fn with_flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    /// Octets in front of the blob, and the digest of the whole.
    #[must_use]
    pub fn with_prefix(mut self, prefix: Bytes, digest: Option<MessageDigest>) -> Self {
        self.prefix = prefix;
        self.digest = digest;
        self
    }

    /// With what the sender said of the message.
    #[must_use]
    pub fn with_envelope(mut self, envelope: Arc<Envelope>) -> Self {
        self.envelope = Some(envelope);
        self
    }

    /// With one more recipient that leads here.
    #[must_use]
    pub fn with_recipient(mut self, recipient: EnvelopeRecipient) -> Self {
        self.recipients.push(recipient);
        self
    }
}

/// One message to be put into one mailbox: APPEND, REPLACE, CATENATE, an import.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Placement<B> {
    /// The staged message.
    pub blob: B,
    /// Octets in front of it. The message's size is prefix and blob; a digest's offsets count from the blob's start.
    pub prefix: Bytes,
    /// The digest of prefix and blob; the blob's own if `None`.
    pub digest: Option<MessageDigest>,
    /// Into which mailbox.
    pub mailbox: MailboxId,
    /// With which flags.
    pub flags: Flags,
    /// INTERNALDATE; the moment of the commit if `None`.
    pub internal_date: Option<Timestamp>,
    /// The message that it takes the place of, in the same change (RFC 8508).
    pub replaces: Option<Uid>,
    /// The UID that it shall have, for a message that had it in another store: not below the mailbox's UIDNEXT, so that
    /// UIDs rise as ever. `None` for the next one. A store without [`restore`](crate::StoreFeatures::restore) answers
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
    pub uid: Option<Uid>,
    /// The unique-id that POP3 shall tell, for mail that comes from another server (see
    /// [`MessageMeta::uidl`](crate::MessageMeta::uidl)). A store without
    /// [`uidl_override`](crate::StoreFeatures::uidl_override) ignores it.
    pub uidl: Option<String>,
}

impl<B> Placement<B> {
    /// That blob into that mailbox, without flags, dated with the moment of the commit.
    pub fn new(blob: B, mailbox: MailboxId) -> Self {
        Self {
            blob,
            prefix: Bytes::new(),
            digest: None,
            mailbox,
            flags: Flags::new(),
            internal_date: None,
            replaces: None,
            uid: None,
            uidl: None,
        }
    }

    /// With these flags.
    #[must_use]
    pub fn with_flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    /// With this INTERNALDATE.
    #[must_use]
    pub fn with_internal_date(mut self, date: Timestamp) -> Self {
        self.internal_date = Some(date);
        self
    }

    /// With octets in front, and the digest of the whole.
    #[must_use]
    pub fn with_prefix(mut self, prefix: Bytes, digest: Option<MessageDigest>) -> Self {
        self.prefix = prefix;
        self.digest = digest;
        self
    }

    /// In place of that message.
    #[must_use]
    pub fn replacing(mut self, uid: Uid) -> Self {
        self.replaces = Some(uid);
        self
    }

    /// With the UID that it had in another store.
    #[must_use]
    pub fn with_uid(mut self, uid: Uid) -> Self {
        self.uid = Some(uid);
        self
    }

    /// With that unique-id for POP3.
    #[must_use]
    pub fn with_uidl(mut self, uidl: impl Into<String>) -> Self {
        self.uidl = Some(uidl.into());
        self
    }
}

/// Where a message was put.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placed {
    /// Into which mailbox.
    pub mailbox: MailboxId,
    /// Its UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The message's UID in it.
    pub uid: Uid,
    /// Its modification sequence.
    pub modseq: ModSeq,
}

impl Placed {
    /// There.
    pub fn new(mailbox: MailboxId, uid_validity: UidValidity, uid: Uid, modseq: ModSeq) -> Self {
        Self { mailbox, uid_validity, uid, modseq }
    }
}
