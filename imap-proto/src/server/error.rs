//! A store's errors in IMAP's words. The store's own text stays in the host's log.

use mailstore_traits::{ErrorKind, StoreError};

use crate::response::code::RefusalCode;
use crate::response::{Code, Status, StatusKind, Text};

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

/// The `NO` that tells a client of that trouble.
pub fn refusal(error: &StoreError) -> Status {
    let words = match error.kind() {
        ErrorKind::NotFound => "No such mailbox",
        ErrorKind::NonExistentParent => "The mailbox above it does not exist",
        ErrorKind::AlreadyExists => "Mailbox exists",
        ErrorKind::NotPermitted => "Not permitted",
        ErrorKind::OverQuota => "Over quota",
        ErrorKind::TooBig => "Message too big",
        ErrorKind::LimitExceeded => "A limit of the server is reached",
        ErrorKind::InUse => "In use by another session",
        ErrorKind::Expunged => "Message has been expunged",
        ErrorKind::Corrupt => "Stored data is damaged",
        ErrorKind::Unavailable => "Not available, try again later",
        ErrorKind::Unsupported => "Not supported here",
        ErrorKind::Invalid => "Not possible here",
        _ => "Server error",
    };
    refuse(code(error.kind()), words)
}

/// A `NO` with that code.
pub(super) fn refuse(code: RefusalCode, words: &'static str) -> Status {
    Status::new(StatusKind::No, Text::literal(words)).with_code(Code::Refusal(code))
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
