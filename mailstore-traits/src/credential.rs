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

/// The certificate that a client showed in the TLS handshake, and that was verified there: its own one, in DER.
///
/// Whose it is, is not read out of it here (attack row A9): a name that is empty, or missing, or somebody else's in another
/// field, is the host's to judge, by the whole certificate, its key or its fingerprint.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientCertificate(Arc<[u8]>);

impl ClientCertificate {
    /// A certificate in DER. Only one that a handshake has verified is to be put in here.
    pub fn from_der(der: impl Into<Arc<[u8]>>) -> Self {
        Self(der.into())
    }

    /// Its octets, in DER.
    pub fn der(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ClientCertificate {
    /// Its size only: a certificate fills a page and may hold somebody's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({} octets)", self.0.len())
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
    /// Whose certificate is this, and may they be whom they want to be? (EXTERNAL, RFC 4422 appendix A.) One question, for
    /// a certificate may stand for several accounts, between which `requested` chooses.
    Certificate {
        /// What the client showed in the handshake.
        certificate: ClientCertificate,
        /// Whom the client wants to be; `None` to be whoever the certificate stands for.
        requested: Option<UserName>,
    },
    /// May somebody come in who does not say who they are? (ANONYMOUS, RFC 4505.)
    Anonymous {
        /// What they leave behind: an address, or any word, of 255 characters at the most, without control characters.
        /// It proves nothing, and belongs in a log at the most.
        trace: Option<String>,
    },
    /// Is this the HMAC-MD5 of the challenge, keyed with the user's secret? (CRAM-MD5, RFC 2195.) Only a host that keeps
    /// the secret itself can tell; `mail_wire::sasl::cram_md5::matches` then does.
    CramMd5 {
        /// Who says they are somebody.
        user: UserName,
        /// What they were asked, as it was sent but for its base64.
        challenge: String,
        /// What they say to prove it.
        digest: [u8; 16],
    },
    /// Is this the MD5 of the timestamp and, behind it, the user's secret? (POP3's APOP, RFC 1939 §7.) Only a host that keeps
    /// the secret itself can tell; `mail_wire::sasl::apop::matches` then does.
    Apop {
        /// Who says they are somebody.
        user: UserName,
        /// The timestamp of the greeting, with its angle brackets.
        timestamp: String,
        /// What they say to prove it.
        digest: [u8; 16],
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
    /// Yes, and this is the account. Answers every question but the one for SCRAM keys.
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

    /// The account that the certificate stands for and, where one is requested, that goes by that name. The certificate has
    /// been verified against the roots that the listener trusts; nothing says that those issue to this host's users alone,
    /// and so **nobody is let in unless the host has a mapping of its own** for this very certificate (attack row A9).
    ///
    /// Only called if [`certificates`](Self::certificates) is true.
    fn verify_certificate(
        &self,
        certificate: &ClientCertificate,
        requested: Option<&UserName>,
    ) -> impl Future<Output = Result<Option<AccountId>>> + Send {
        let _ = (certificate, requested);
        ready(Ok(None))
    }

    /// The account that those share who do not say who they are.
    ///
    /// Only called if [`anonymous`](Self::anonymous) is true.
    fn admit_anonymous(&self, trace: Option<&str>) -> impl Future<Output = Result<Option<AccountId>>> + Send {
        let _ = trace;
        ready(Ok(None))
    }

    /// The account of that user, if `digest` is the HMAC-MD5 of `challenge` with a secret of theirs
    /// (`mail_wire::sasl::cram_md5::matches` tells).
    ///
    /// Only called if [`cram_md5`](Self::cram_md5) is true.
    fn check_cram_md5(
        &self,
        user: &UserName,
        challenge: &str,
        digest: &[u8; 16],
    ) -> impl Future<Output = Result<Option<AccountId>>> + Send {
        let _ = (user, challenge, digest);
        ready(Ok(None))
    }

    /// The account of that user, if `digest` is the MD5 of `timestamp` and a secret of theirs
    /// (`mail_wire::sasl::apop::matches` tells).
    ///
    /// Only called if [`apop`](Self::apop) is true.
    fn check_apop(
        &self,
        user: &UserName,
        timestamp: &str,
        digest: &[u8; 16],
    ) -> impl Future<Output = Result<Option<AccountId>>> + Send {
        let _ = (user, timestamp, digest);
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

    /// Whether [`scram_keys`](Self::scram_keys) is carried out for SHA-256; the servers offer SCRAM-SHA-256, and
    /// SCRAM-SHA-256-PLUS, only then.
    fn scram(&self) -> bool {
        false
    }

    /// Whether [`scram_keys`](Self::scram_keys) is carried out for SHA-1 too; the servers offer SCRAM-SHA-1, and
    /// SCRAM-SHA-1-PLUS, only then. For old clients: SHA-256 is what to have (RFC 7677 §1).
    fn scram_sha1(&self) -> bool {
        false
    }

    /// Whether [`verify_token`](Self::verify_token) is carried out; the servers offer OAUTHBEARER and XOAUTH2 only then.
    fn tokens(&self) -> bool {
        false
    }

    /// Whether [`verify_certificate`](Self::verify_certificate) is carried out; the servers offer EXTERNAL only then, and
    /// only to clients that have shown a certificate.
    fn certificates(&self) -> bool {
        false
    }

    /// Whether [`admit_anonymous`](Self::admit_anonymous) is carried out; the servers offer ANONYMOUS only then. Think
    /// twice: by SMTP, who has logged in may be allowed what strangers are not.
    fn anonymous(&self) -> bool {
        false
    }

    /// Whether [`check_cram_md5`](Self::check_cram_md5) is carried out; the servers offer CRAM-MD5 only then. It wants
    /// secrets that are kept as they are, and who steals those has them all; what is heard on the wire can be guessed at
    /// faster than anything else here. SCRAM and PLAIN over TLS are both better.
    fn cram_md5(&self) -> bool {
        false
    }

    /// Whether [`check_apop`](Self::check_apop) is carried out; a POP3 server offers APOP only then (attack row A14). All
    /// that is said of [`cram_md5`](Self::cram_md5) is true of it, and MD5 without HMAC gives away secrets to whoever can
    /// choose the timestamps (CVE-2007-1558).
    fn apop(&self) -> bool {
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
                CredentialQuery::Certificate { certificate, requested } => {
                    self.verify_certificate(certificate, requested.as_ref()).await
                }
                CredentialQuery::Anonymous { trace } => self.admit_anonymous(trace.as_deref()).await,
                CredentialQuery::CramMd5 { user, challenge, digest } => {
                    self.check_cram_md5(user, challenge, digest).await
                }
                CredentialQuery::Apop { user, timestamp, digest } => self.check_apop(user, timestamp, digest).await,
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
