//! A store's errors in IMAP's words. The store's own text stays in the host's log.

use mailstore_traits::ErrorKind;

use crate::response::code::RefusalCode;

/// The code that tells a client of that kind of trouble (RFC 5530 §3).
///
/// SELECT, COPY and APPEND say `TRYCREATE` where this says [`RefusalCode::NonExistent`] and the mailbox could be made
/// (RFC 9051 §7.1); that is the command's to know.
pub fn code(kind: ErrorKind) -> RefusalCode {
    match kind {
        ErrorKind::NotFound | ErrorKind::NonExistentParent => RefusalCode::NonExistent,
        ErrorKind::AlreadyExists => RefusalCode::AlreadyExists,
        ErrorKind::NotPermitted => RefusalCode::NoPerm,
        ErrorKind::OverQuota => RefusalCode::OverQuota,
        ErrorKind::TooBig => RefusalCode::TooBig,
        ErrorKind::LimitExceeded => RefusalCode::Limit,
        ErrorKind::InUse => RefusalCode::InUse,
        ErrorKind::Expunged => RefusalCode::ExpungeIssued,
        ErrorKind::Corrupt => RefusalCode::Corruption,
        ErrorKind::Unavailable => RefusalCode::Unavailable,
        ErrorKind::Unsupported | ErrorKind::Invalid => RefusalCode::Cannot,
        // The engine reads the mailbox anew when changes are no longer known; a client never has to hear of it.
        ErrorKind::ModSeqTooOld | ErrorKind::Internal => RefusalCode::ServerBug,
        // A kind that this crate does not know yet.
        _ => RefusalCode::ServerBug,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_faults_of_the_server_are_called_so() {
        for kind in ErrorKind::ALL {
            let fault = matches!(kind, ErrorKind::Internal | ErrorKind::ModSeqTooOld);
            assert_eq!(code(kind) == RefusalCode::ServerBug, fault, "{kind}");
        }
    }
}
