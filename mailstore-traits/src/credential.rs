//! Who somebody is: the questions that a login asks of a host, and the host's trait for answering them.

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;

use crate::{AccountId, Result, Secret};

/// A text that cannot be the name of a user: empty, longer than 255 octets, or with a control character.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a user name: 1 to 255 octets of UTF-8 without control characters")]
pub struct InvalidUserName;

/// The name that somebody gave at login. Opaque, but never with a control character (attack row A8).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserName(Arc<str>);

impl UserName {
    /// Takes a name.
    ///
    /// # Errors
    /// [`InvalidUserName`] if it is empty, longer than 255 octets, or holds a control character (NUL, CR, LF, DEL).
    pub fn new(name: impl Into<Arc<str>>) -> Result<Self, InvalidUserName> {
        let name = name.into();
        if (1..=255).contains(&name.len()) && !name.chars().any(char::is_control) {
            Ok(Self(name))
        } else {
            Err(InvalidUserName)
        }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which hash a SCRAM exchange uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScramHash {
    /// SCRAM-SHA-1 (RFC 5802).
    Sha1,
    /// SCRAM-SHA-256 (RFC 7677).
    Sha256,
}

/// What a server keeps of one password (RFC 5802 §3): enough to check it, not enough to log in elsewhere.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScramKeyPair {
    /// StoredKey: H(HMAC(SaltedPassword, "Client Key")).
    pub stored_key: Secret<Vec<u8>>,
    /// ServerKey: HMAC(SaltedPassword, "Server Key").
    pub server_key: Secret<Vec<u8>>,
}

impl ScramKeyPair {
    /// The keys of one password.
    pub fn new(stored_key: Vec<u8>, server_key: Vec<u8>) -> Self {
        Self { stored_key: Secret::new(stored_key), server_key: Secret::new(server_key) }
    }
}

/// What a server keeps of a user's passwords. One salt and one count for all of them, so that a user may have several
/// (app passwords) and SCRAM still asks only once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ScramKeys {
    /// Whose keys.
    pub account: AccountId,
    /// The salt that all the passwords were hashed with.
    pub salt: Vec<u8>,
    /// How often they were hashed.
    pub iterations: u32,
    /// The keys of each password; any of them logs in.
    pub keys: Vec<ScramKeyPair>,
}

impl ScramKeys {
    /// A user's keys.
    pub fn new(account: AccountId, salt: Vec<u8>, iterations: u32, keys: Vec<ScramKeyPair>) -> Self {
        Self { account, salt, iterations, keys }
    }
}

/// A question that a login asks of the host, as plain data: what `mail_wire::sasl` puts into `Need`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CredentialQuery {
    /// Is this the user's password? (PLAIN, LOGIN, POP3's USER and PASS, IMAP's LOGIN.)
    Password {
        /// Who says they are somebody.
        user: UserName,
        /// What they say to prove it.
        password: Secret<String>,
    },
    /// Which SCRAM keys has this user?
    ScramKeys {
        /// Who says they are somebody.
        user: UserName,
        /// By which hash.
        hash: ScramHash,
    },
    /// Whose token is this? (OAUTHBEARER, XOAUTH2.)
    Token {
        /// Whom the client wants to be; `None` to be whoever the token says.
        user: Option<UserName>,
        /// The token.
        token: Secret<String>,
    },
    /// May the one who has proved to be `authenticated` act as `requested`? (Attack row A3.)
    Authorize {
        /// Who it is.
        authenticated: AccountId,
        /// Whom they want to act as.
        requested: UserName,
    },
}

/// The host's answer to a [`CredentialQuery`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CredentialAnswer {
    /// Yes, and this is the account. Answers a password, a token, an authorisation.
    Accepted(AccountId),
    /// The user's SCRAM keys. Answers a question for them only.
    ScramKeys(ScramKeys),
    /// No: unknown user, wrong password, bad token, not allowed. One answer for all, so that nobody learns which.
    Rejected,
    /// The host cannot say now; the client may try again later.
    Unavailable,
}

/// Knows who somebody is. A host implements it over its database, its LDAP, its file.
///
/// Every method answers `None` unless it is sure. An error means that it cannot say now: the client is told to try
/// again (RFC 4954 §6 `454 4.7.0`, RFC 3206 `[SYS/TEMP]`). Slow work, such as hashing a password, belongs on a thread of
/// its own kind (`tokio::task::spawn_blocking`), with a bound on how much of it runs at once.
///
/// **Unknown users must cost what wrong passwords cost** (attack row A2): hash something for them too.
pub trait Authenticator: Clone + Send + Sync + 'static {
    /// The account of that user, if that is a password of theirs.
    fn check_password(
        &self,
        user: &UserName,
        password: &Secret<String>,
    ) -> impl Future<Output = Result<Option<AccountId>>> + Send;

    /// The SCRAM keys of that user for that hash. `None` if there is no such user: the exchange then goes on with a salt
    /// made up for the name, and fails as with a wrong password (attack row A1).
    ///
    /// Only called if [`scram`](Self::scram) is true.
    fn scram_keys(&self, user: &UserName, hash: ScramHash) -> impl Future<Output = Result<Option<ScramKeys>>> + Send {
        let _ = (user, hash);
        ready(Ok(None))
    }

    /// The account that the token stands for, if the token is good and, where a user is given, is that user's.
    ///
    /// Only called if [`tokens`](Self::tokens) is true.
    fn verify_token(
        &self,
        user: Option<&UserName>,
        token: &Secret<String>,
    ) -> impl Future<Output = Result<Option<AccountId>>> + Send {
        let _ = (user, token);
        ready(Ok(None))
    }

    /// The account that `requested` names, if the one who has logged in may act as it. Not asked when the client asks
    /// to act as the very name that it logged in with. Refuses unless the host says otherwise.
    fn authorize(
        &self,
        authenticated: &AccountId,
        requested: &UserName,
    ) -> impl Future<Output = Result<Option<AccountId>>> + Send {
        let _ = (authenticated, requested);
        ready(Ok(None))
    }

    /// Whether [`scram_keys`](Self::scram_keys) is carried out; the servers offer SCRAM only then.
    fn scram(&self) -> bool {
        false
    }

    /// Whether [`verify_token`](Self::verify_token) is carried out; the servers offer OAUTHBEARER and XOAUTH2 only then.
    fn tokens(&self) -> bool {
        false
    }

    /// Answers any query with the method that it belongs to. Not for overriding.
    fn answer(&self, query: CredentialQuery) -> impl Future<Output = CredentialAnswer> + Send {
        async move {
            let found = match &query {
                CredentialQuery::Password { user, password } => self.check_password(user, password).await,
                CredentialQuery::Token { user, token } => self.verify_token(user.as_ref(), token).await,
                CredentialQuery::Authorize { authenticated, requested } => {
                    self.authorize(authenticated, requested).await
                }
                CredentialQuery::ScramKeys { user, hash } => {
                    return match self.scram_keys(user, *hash).await {
                        Ok(Some(keys)) => CredentialAnswer::ScramKeys(keys),
                        Ok(None) => CredentialAnswer::Rejected,
                        Err(_) => CredentialAnswer::Unavailable,
                    };
                }
            };
            match found {
                Ok(Some(account)) => CredentialAnswer::Accepted(account),
                Ok(None) => CredentialAnswer::Rejected,
                Err(_) => CredentialAnswer::Unavailable,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_a8_names_with_control_characters_never_reach_the_host() {
        for bad in ["", "a\0b", "a\rb", "a\nb", "a\u{7f}b", "a\u{85}b", &"x".repeat(256)] {
            assert_eq!(UserName::new(bad), Err(InvalidUserName), "{bad:?}");
        }
        assert!(UserName::new("jürgen@example.org").is_ok());
    }

    #[test]
    fn sec_a13_a_query_in_a_log_shows_no_secret() {
        let user = UserName::new("ada").expect("a legal name");
        let query = CredentialQuery::Password { user, password: Secret::new(String::from("hunter2")) };
        assert!(!format!("{query:?}").contains("hunter2"));
    }
}
