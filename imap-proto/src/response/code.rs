//! Response codes that say why a command was refused: RFC 5530 §3, and the two that other texts add for it.

use std::fmt;

/// Why a command was refused, in brackets before the text of a `NO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalCode {
    /// Something that the server needs is away for now.
    Unavailable,
    /// The actor lacks the right (RFC 4314).
    NoPerm,
    /// Another session holds what must be held alone.
    InUse,
    /// A message that was asked for has been expunged by somebody (RFC 2180 §4.1.2).
    ExpungeIssued,
    /// What is stored contradicts itself.
    Corruption,
    /// A fault in the server.
    ServerBug,
    /// It can never work on this server.
    Cannot,
    /// A limit of the server is reached.
    Limit,
    /// The quota would be exceeded (RFC 9208 §4.4).
    OverQuota,
    /// The mailbox to be made exists.
    AlreadyExists,
    /// The mailbox does not exist.
    NonExistent,
    /// The message is larger than the server takes (RFC 7889 §5.1, RFC 4469 §5).
    TooBig,
    /// The name or the password is wrong.
    AuthenticationFailed,
    /// The credentials are right, and may not be used for this identity.
    AuthorizationFailed,
    /// The password has expired.
    Expired,
    /// Not without TLS.
    PrivacyRequired,
    /// Somebody in charge has to be asked.
    ContactAdmin,
    /// The client does something that it should not.
    ClientBug,
    /// A mailbox with children cannot be deleted (RFC 9051 §7.1).
    HasChildren,
    /// A mailbox for that special use cannot be made (RFC 6154 §6).
    UseAttr,
}

impl RefusalCode {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Unavailable,
        Self::NoPerm,
        Self::InUse,
        Self::ExpungeIssued,
        Self::Corruption,
        Self::ServerBug,
        Self::Cannot,
        Self::Limit,
        Self::OverQuota,
        Self::AlreadyExists,
        Self::NonExistent,
        Self::TooBig,
        Self::AuthenticationFailed,
        Self::AuthorizationFailed,
        Self::Expired,
        Self::PrivacyRequired,
        Self::ContactAdmin,
        Self::ClientBug,
        Self::HasChildren,
        Self::UseAttr,
    ];

    /// The word that stands in the brackets.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "UNAVAILABLE",
            Self::NoPerm => "NOPERM",
            Self::InUse => "INUSE",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::Corruption => "CORRUPTION",
            Self::ServerBug => "SERVERBUG",
            Self::Cannot => "CANNOT",
            Self::Limit => "LIMIT",
            Self::OverQuota => "OVERQUOTA",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::NonExistent => "NONEXISTENT",
            Self::TooBig => "TOOBIG",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::Expired => "EXPIRED",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ContactAdmin => "CONTACTADMIN",
            Self::ClientBug => "CLIENTBUG",
            Self::HasChildren => "HASCHILDREN",
            Self::UseAttr => "USEATTR",
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
