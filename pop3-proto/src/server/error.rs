//! What a client is told when the store does not do what it was asked: RFC 2449 §8 and RFC 3206.
//!
//! The store's own words are for the host's log and never go to a client (row 71 of the contract kit).

use mailstore_traits::{ErrorKind, StoreError};

use crate::grammar::ResponseText;
use crate::response::{Refusal, ResponseCode};

/// The refusal for an error.
pub(super) fn refusal(error: &StoreError) -> Refusal {
    use ResponseCode::{InUse, SysPerm, SysTemp};
    let (code, words) = match error.kind() {
        ErrorKind::InUse => (Some(InUse), "maildrop is in use by another session"),
        // One answer for both (attack row P4): what is there and not theirs is nothing to them.
        ErrorKind::NotFound | ErrorKind::NotPermitted => (Some(SysPerm), "no such maildrop, or not permitted"),
        // Nothing is wrong with the server: the message has gone, and the next login will not list it.
        ErrorKind::Expunged => (None, "message has been removed"),
        ErrorKind::Unavailable => (Some(SysTemp), "not available, try again later"),
        ErrorKind::OverQuota => (Some(SysPerm), "over quota"),
        ErrorKind::LimitExceeded => (Some(SysPerm), "maildrop holds too many messages"),
        ErrorKind::Corrupt => (Some(SysPerm), "maildrop is damaged"),
        ErrorKind::Unsupported => (Some(SysPerm), "maildrop cannot be held for POP3"),
        ErrorKind::AlreadyExists
        | ErrorKind::NonExistentParent
        | ErrorKind::TooBig
        | ErrorKind::ModSeqTooOld
        | ErrorKind::Invalid
        | ErrorKind::Internal => (Some(SysPerm), "server error"),
        // A kind that is newer than this crate.
        _ => (Some(SysPerm), "server error"),
    };
    let refusal = Refusal::new(ResponseText::literal(words));
    match code {
        // The store knows better whether a later try may work.
        Some(SysPerm) if error.is_retryable() => refusal.with_code(SysTemp),
        Some(SysTemp) if !error.is_retryable() => refusal.with_code(SysPerm),
        Some(code) => refusal.with_code(code),
        None => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_code() {
        let told = ErrorKind::ALL.map(|kind| (kind, refusal(&kind.into()).to_string()));
        let expected = [
            (ErrorKind::NotFound, "[SYS/PERM] no such maildrop, or not permitted"),
            (ErrorKind::AlreadyExists, "[SYS/PERM] server error"),
            (ErrorKind::NonExistentParent, "[SYS/PERM] server error"),
            (ErrorKind::NotPermitted, "[SYS/PERM] no such maildrop, or not permitted"),
            (ErrorKind::OverQuota, "[SYS/PERM] over quota"),
            (ErrorKind::TooBig, "[SYS/PERM] server error"),
            (ErrorKind::LimitExceeded, "[SYS/PERM] maildrop holds too many messages"),
            (ErrorKind::InUse, "[IN-USE] maildrop is in use by another session"),
            (ErrorKind::Expunged, "message has been removed"),
            (ErrorKind::Corrupt, "[SYS/PERM] maildrop is damaged"),
            (ErrorKind::Unavailable, "[SYS/TEMP] not available, try again later"),
            (ErrorKind::Unsupported, "[SYS/PERM] maildrop cannot be held for POP3"),
            (ErrorKind::ModSeqTooOld, "[SYS/PERM] server error"),
            (ErrorKind::Invalid, "[SYS/PERM] server error"),
            (ErrorKind::Internal, "[SYS/PERM] server error"),
        ];
        assert_eq!(told, expected.map(|(kind, words)| (kind, words.to_owned())));
    }

    #[test]
    fn sec_p4_what_is_not_theirs_is_told_as_what_is_not_there() {
        assert_eq!(refusal(&ErrorKind::NotFound.into()), refusal(&ErrorKind::NotPermitted.into()));
    }

    #[test]
    fn the_store_says_whether_it_will_pass_and_its_words_stay_inside() {
        let error = StoreError::new(ErrorKind::Internal, "row 7 of /var/mail lost").with_retryable(true);
        assert_eq!(refusal(&error).to_string(), "[SYS/TEMP] server error");
        let error = StoreError::new(ErrorKind::Unavailable, "/var/mail").with_retryable(false);
        assert_eq!(refusal(&error).to_string(), "[SYS/PERM] not available, try again later");
    }
}
