//! What a peer is told of a store's trouble: RFC 5321 §4.2.3 and RFC 3463, and no word of the store's own (contract kit,
//! row 71).

use mailstore_traits::{ErrorKind, StoreError};

use crate::grammar::EnhancedStatusCode as Status;
use crate::response::Reply;

/// The reply to an error while a message is taken in.
///
/// Only what another try cannot mend is a 5yz. All else is a 4yz: the sender keeps the message and comes again, so that
/// trouble of ours loses nobody's mail.
pub(super) fn reply(error: &StoreError) -> Reply {
    let kind = error.kind();
    match known(kind) {
        Some(reply) if !(error.is_retryable() && reply.code().value() >= 500) => reply,
        _ => Reply::of(451, Status::transient(3, 0), "local error, try again later"),
    }
}

/// The kinds that exist today, each by name.
fn known(kind: ErrorKind) -> Option<Reply> {
    let local = Reply::of(451, Status::transient(3, 0), "local error, try again later");
    Some(match kind {
        ErrorKind::NotFound => Reply::of(550, Status::permanent(1, 1), "no such mailbox here"),
        ErrorKind::NotPermitted => Reply::of(550, Status::permanent(7, 1), "mailbox does not take this message"),
        ErrorKind::OverQuota => Reply::of(452, Status::transient(2, 2), "mailbox full"),
        ErrorKind::TooBig => Reply::of(552, Status::permanent(3, 4), "message too big"),
        ErrorKind::LimitExceeded => Reply::of(452, Status::transient(3, 1), "mail system full"),
        ErrorKind::InUse => Reply::of(450, Status::transient(2, 1), "mailbox in use"),
        ErrorKind::Unavailable => Reply::of(451, Status::transient(3, 0), "mail system unavailable, try again later"),
        ErrorKind::Unsupported => Reply::of(451, Status::transient(3, 5), "mail system incorrectly configured"),
        // These say something of a mistake between this server and its store, and nothing of the message.
        ErrorKind::AlreadyExists
        | ErrorKind::NonExistentParent
        | ErrorKind::Expunged
        | ErrorKind::Corrupt
        | ErrorKind::ModSeqTooOld
        | ErrorKind::Invalid
        | ErrorKind::Internal => local,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_reply_and_no_internal_text_leaks() {
        for kind in ErrorKind::ALL {
            assert!(known(kind).is_some(), "{kind:?} is mapped by name");
            let error = StoreError::new(kind, "row 7 of /var/lib/mail.db\r\n250 fake");
            let reply = reply(&error);
            assert!(!reply.to_string().contains("row 7") && reply.to_string().lines().count() == 1);
            let status = reply.status().expect("an enhanced code");
            assert_eq!(u16::from(status.class().digit()), reply.code().value() / 100, "{kind:?}");
        }
    }

    #[test]
    fn what_can_be_tried_again_is_never_a_5yz() {
        for kind in ErrorKind::ALL {
            let error = StoreError::new(kind, "").with_retryable(true);
            assert!((400..500).contains(&reply(&error).code().value()), "{kind:?}");
        }
        for (kind, code) in [
            (ErrorKind::Unavailable, 451),
            (ErrorKind::OverQuota, 452),
            (ErrorKind::TooBig, 552),
            (ErrorKind::NotFound, 550),
        ] {
            assert_eq!(reply(&StoreError::from(kind)).code().value(), code);
        }
    }
}
