//! Names of mailboxes as a client means them.

use mailstore_traits::{InvalidMailboxName, MailboxName};

use super::{Dialect, utf7};

/// Octets that are no name in the client's dialect: not modified UTF-7, or not UTF-8 (attack row P2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a mailbox name in the encoding of the session")]
pub struct InvalidEncoding;

/// A name as a client wrote it, decoded to Unicode, with `/` between its segments. It need not be one that a mailbox can
/// have: [`to_name`](Self::to_name) says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mailbox(String);

impl Mailbox {
    /// That name, in Unicode; INBOX in upper case.
    pub fn new(name: impl Into<String>) -> Self {
        let mut name = name.into();
        // INBOX has no case (RFC 9051 §5.1).
        if name.eq_ignore_ascii_case("INBOX") {
            name.make_ascii_uppercase();
        }
        Self(name)
    }

    /// Reads a name: modified UTF-7 (RFC 3501 §5.1.3), or UTF-8 after ENABLE (RFC 9051 §5.1).
    ///
    /// # Errors
    /// [`InvalidEncoding`] if it is neither.
    pub fn decode(octets: &[u8], dialect: Dialect) -> Result<Self, InvalidEncoding> {
        if dialect.utf8 {
            std::str::from_utf8(octets).map(Self::new).map_err(|_| InvalidEncoding)
        } else {
            utf7::decode(octets).map(Self::new).map_err(|_| InvalidEncoding)
        }
    }

    /// The octets as the client reads them, before they are quoted.
    pub fn encoded(&self, dialect: Dialect) -> Vec<u8> {
        if dialect.utf8 {
            return self.0.as_bytes().to_vec();
        }
        let mut out = Vec::with_capacity(self.0.len());
        utf7::encode(&self.0, &mut out);
        out
    }

    /// The decoded name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is INBOX.
    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }

    /// The name without the one separator at its end, by which a client tells that mailboxes are to be made below it
    /// (RFC 9051 §6.3.4).
    #[must_use]
    pub fn without_trailing_separator(&self) -> Self {
        Self(self.0.strip_suffix(MailboxName::SEPARATOR).unwrap_or(&self.0).to_owned())
    }

    /// The name as a store knows it (attack rows P1 and P3).
    ///
    /// # Errors
    /// [`InvalidMailboxName`] if no mailbox can have it.
    pub fn to_name(&self) -> Result<MailboxName, InvalidMailboxName> {
        MailboxName::parse(&self.0)
    }
}

impl From<&MailboxName> for Mailbox {
    fn from(name: &MailboxName) -> Self {
        Self::new(name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_in_the_sessions_dialect() {
        let name = Mailbox::new("Entwürfe/R&D");
        assert_eq!(name.encoded(Dialect::ASCII), b"Entw&APw-rfe/R&-D");
        assert_eq!(name.encoded(Dialect::UTF8), "Entwürfe/R&D".as_bytes());
        for dialect in [Dialect::ASCII, Dialect::UTF8] {
            assert_eq!(Mailbox::decode(&name.encoded(dialect), dialect), Ok(name.clone()));
        }
        assert_eq!(Mailbox::decode("ü".as_bytes(), Dialect::ASCII), Err(InvalidEncoding));
        assert_eq!(Mailbox::decode(b"\xfc", Dialect::UTF8), Err(InvalidEncoding));
        assert_eq!(Mailbox::new("inBox").encoded(Dialect::ASCII), b"INBOX");
    }

    #[test]
    fn sec_p1_p3_hostile_names_are_no_mailboxes() {
        for hostile in ["", "/", "/etc", "a//b", "a/", "a\0b", "a\r\n* BYE", &"x".repeat(1001), &"a/".repeat(40)] {
            assert!(Mailbox::new(hostile).to_name().is_err(), "{hostile:?}");
        }
        // Segments and no path: a store over files maps them by encoding.
        for odd in ["..", "../x", "a/../b", "INBOX/../x", "~root", "C:\\x", "a*b", "100%"] {
            assert_eq!(Mailbox::new(odd).to_name().unwrap().as_str(), odd);
        }
        assert_eq!(Mailbox::new("inbox/x").to_name().unwrap().as_str(), "INBOX/x");
        assert_eq!(Mailbox::new("x/inbox").to_name().unwrap().as_str(), "x/inbox");
        assert_eq!(Mailbox::new("a/").without_trailing_separator().to_name().unwrap().as_str(), "a");
        assert!(Mailbox::new("a//").without_trailing_separator().to_name().is_err());
    }
}
