//! The names that the program keeps: domains, and addresses of accounts and aliases, each in one form.

use std::fmt;
use std::str::FromStr;

/// A domain for which mail is taken, in lower case and without a dot at its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Domain(String);

impl Domain {
    /// Its text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = String;

    /// Takes labels of letters, digits and hyphens (RFC 5321 §4.1.2, letters of any script by RFC 6531 §3.3).
    fn from_str(text: &str) -> Result<Self, String> {
        let domain = text.strip_suffix('.').unwrap_or(text).to_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c == '-' || c == '_' || c.is_alphanumeric())
        };
        if domain.len() <= 253 && domain.split('.').all(label) {
            Ok(Self(domain))
        } else {
            Err(format!("`{text}` is no domain name; write one like example.org"))
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address of an account or an alias, both halves in lower case: mail for `Ada@Example.org` is mail for
/// `ada@example.org` (RFC 5321 §2.4 leaves that to the host, and people expect it).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address {
    text: String,
    /// Where the `@` is.
    at: usize,
}

impl Address {
    /// The most octets of a local part (RFC 5321 §4.5.3.1.1).
    const MAX_LOCAL: usize = 64;

    /// Reads an address; a bare local part is one at `domain`.
    pub(crate) fn parse(text: &str, domain: &Domain) -> Result<Self, String> {
        match text.rsplit_once('@') {
            Some((local, domain)) => Self::new(local, &domain.parse()?),
            None => Self::new(text, domain),
        }
    }

    /// Puts an address together.
    pub(crate) fn new(local: &str, domain: &Domain) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{local}` is no name for an account; use letters, digits and any of . - _ + \
                 (no dot first, last or twice), at most {} octets",
                Self::MAX_LOCAL
            )
        };
        let local = fold(local);
        // A dot-string (RFC 5321 §4.1.2): names that need quoting are legal in mail and trouble everywhere else.
        let atom = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
        let good =
            local.len() <= Self::MAX_LOCAL && local.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
        if good { Ok(Self { text: format!("{local}@{domain}"), at: local.len() }) } else { Err(wrong()) }
    }

    /// The whole address.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands behind the `@`.
    pub(crate) fn domain(&self) -> &str {
        self.text.get(self.at.saturating_add(1)..).unwrap_or_default()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The one form in which local parts are kept and compared.
pub(crate) fn fold(local: &str) -> String {
    local.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(text: &str) -> Domain {
        text.parse().unwrap()
    }

    #[test]
    fn a_domain_has_one_form() {
        assert_eq!(domain("EXAMPLE.org.").as_str(), "example.org");
        assert_eq!(domain("localhost").as_str(), "localhost");
        assert_eq!(domain("Müller.example").as_str(), "müller.example");
        for bad in ["", ".", "a..b", "-a.b", "a-.b", "a b", "a@b", "[127.0.0.1]", "a\r\nb", &"a".repeat(64)] {
            assert!(bad.parse::<Domain>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_has_one_form_and_a_bare_name_gets_the_domain() {
        let home = domain("example.org");
        assert_eq!(Address::parse("Ada", &home).unwrap().as_str(), "ada@example.org");
        let address = Address::parse("Ada.Lovelace@Other.Example", &home).unwrap();
        assert_eq!((address.as_str(), address.domain()), ("ada.lovelace@other.example", "other.example"));
        for bad in ["", "@", "a@", "@b", ".a", "a.", "a..b", "a b", "a\nb", "a\"b", "a@b@c", "a@b c", &"a".repeat(65)] {
            assert!(Address::parse(bad, &home).is_err(), "{bad:?}");
        }
    }
}
