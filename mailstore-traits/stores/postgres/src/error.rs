//! What can go wrong: while opening, told to the person who starts the server; afterwards, told to the engines.

use mailstore_traits::{ErrorKind, StoreError};
use tokio_postgres::error::SqlState;

/// Why a store could not be opened: one sentence for the person who starts the server, which says what to do. Neither
/// names the database's password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL cannot be read.
    #[error("the database's URL cannot be read ({0}): give one like postgres://user:password@host/database")]
    Url(String),
    /// The server does not answer, or does not let us in.
    #[error("the database cannot be reached ({0}): see that it runs and that user, password and name are right")]
    Unreachable(String),
    /// The database was migrated by a later version of this crate. Nothing was written to it.
    #[error("the database was migrated by a newer version (schema {found}, this one knows {known}): install that one")]
    Newer {
        /// The schema version found.
        found: i64,
        /// The newest schema version that this version knows.
        known: i64,
    },
    /// The database keeps text in some other encoding than UTF-8, which mailboxes' names are in.
    #[error("the database's encoding is {0}: make one with ENCODING 'UTF8'")]
    Encoding(String),
    /// The server does not show a certificate that is to be trusted, or what it is checked by cannot be read.
    #[error(
        "the database's certificate is not trusted ({0}): see that the server speaks TLS under this name, and that its certificate \
             is signed by one in the file of root certificates"
    )]
    Certificates(String),
    /// There is no tokio runtime to run in.
    #[error("the store works on a tokio runtime: call connect in one")]
    NoRuntime,
    /// Some other trouble of the database's.
    #[error("the database cannot be opened ({0}): see to the cause, then try again")]
    Sql(String),
}

impl OpenError {
    pub(crate) fn sql(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(_) => Self::Sql(words(&error)),
            // tokio-postgres does not tell the kind otherwise.
            None if error.to_string().contains("TLS handshake") => Self::Certificates(words(&error)),
            None => Self::Unreachable(words(&error)),
        }
    }
}

pub(crate) type Outcome<T> = Result<T, StoreError>;

/// What PostgreSQL said. Its DETAIL is left out, for it holds what is in rows.
fn words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{} ({})", said.message(), said.code().code()),
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}

/// PostgreSQL's word in the contract's. What passes (a restart, a lost connection, a full disk, two that waited for each
/// other) is worth another try: the sender keeps the message until then.
pub(crate) fn from_sql(error: &tokio_postgres::Error) -> StoreError {
    StoreError::new(error.code().map_or(ErrorKind::Unavailable, kind), words(error))
}

fn kind(code: &SqlState) -> ErrorKind {
    match code.code().get(..2).unwrap_or_default() {
        // Connection exceptions, rollbacks (deadlocks among them), resources, objects not in the state for it (a lock
        // not had in time), an operator's intervention (a restart among them), the system's errors.
        "08" | "40" | "53" | "55" | "57" | "58" | "25" => ErrorKind::Unavailable,
        // Data that columns cannot hold: text with a NUL in an account's name.
        "22" => ErrorKind::Invalid,
        "42" if *code == SqlState::INSUFFICIENT_PRIVILEGE => ErrorKind::NotPermitted,
        "XX" => ErrorKind::Corrupt,
        _ => ErrorKind::Internal,
    }
}

/// What is stored contradicts itself.
pub(crate) fn corrupt(text: &'static str) -> StoreError {
    StoreError::new(ErrorKind::Corrupt, text)
}

/// The runtime has gone, and the work with it.
pub(crate) fn closed() -> StoreError {
    StoreError::new(ErrorKind::Unavailable, "the store is closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_retryable_and_what_stays_is_not() {
        for code in ["08006", "40P01", "53100", "53300", "55P03", "57P01", "57P03", "25P03"] {
            assert_eq!(kind(&SqlState::from_code(code)), ErrorKind::Unavailable, "{code}");
        }
        assert!(StoreError::from(ErrorKind::Unavailable).is_retryable());
        assert_eq!(kind(&SqlState::from_code("22021")), ErrorKind::Invalid);
        assert_eq!(kind(&SqlState::from_code("42501")), ErrorKind::NotPermitted);
        assert_eq!(kind(&SqlState::from_code("XX001")), ErrorKind::Corrupt);
        assert_eq!(kind(&SqlState::from_code("23505")), ErrorKind::Internal);
    }
}
