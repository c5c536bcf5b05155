//! RFC 5321 §4.1.1.1, EHLO and HELO; RFC 2033 §4.1, LHLO.

use nom::Parser;

use super::{CommandErrorKind, Dialect, Verb};
use crate::error::ParseErrorKind;
use crate::grammar::{Domain, Host, host, whole};

/// A client says who it is, and opens the session.
///
/// ```abnf
/// ehlo = "EHLO" SP ( Domain / address-literal ) CRLF
/// helo = "HELO" SP Domain CRLF
/// ```
///
/// An address literal is taken with HELO too: every client that has no name sends one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hello {
    verb: Verb,
    /// What it says that it is. Nothing shows that it is true, and nobody is to be refused for that (RFC 5321 §4.1.4).
    pub name: Host,
}

impl Hello {
    /// EHLO: with extensions.
    pub fn ehlo(name: impl Into<Host>) -> Self {
        Self { verb: Verb::Ehlo, name: name.into() }
    }

    /// HELO: without.
    pub fn helo(name: impl Into<Host>) -> Self {
        Self { verb: Verb::Helo, name: name.into() }
    }

    /// LHLO: what LMTP says.
    pub fn lhlo(name: impl Into<Host>) -> Self {
        Self { verb: Verb::Lhlo, name: name.into() }
    }

    /// [`Verb::Ehlo`], [`Verb::Helo`] or [`Verb::Lhlo`].
    pub fn verb(&self) -> Verb {
        self.verb
    }

    /// Whether it asks for the extensions: not HELO.
    pub fn is_extended(&self) -> bool {
        self.verb != Verb::Helo
    }

    pub(super) fn parse(verb: Verb, arguments: &[u8], dialect: &Dialect) -> Result<Self, CommandErrorKind> {
        let name = if dialect.leniency.underscore_in_hello && !arguments.starts_with(b"[") {
            whole(ParseErrorKind::Domain, arguments, Domain::parse_with_underscores.map(Host::Domain))?
        } else {
            whole(ParseErrorKind::Domain, arguments, host)?
        };
        // RFC 6531 §3.7.1: the client cannot know yet that it would be understood.
        if !name.is_ascii() {
            return Err(crate::error::ParseError::new(ParseErrorKind::Domain, 0).into());
        }
        Ok(Self { verb, name })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, assert_known};
    use super::*;

    #[test]
    fn known_answers() {
        let dialect = Dialect::default();
        let host = |name: &str| name.parse::<Host>().unwrap();
        for (line, hello, written) in [
            ("EHLO bar.com", Hello::ehlo(host("bar.com")), "EHLO bar.com"),
            ("ehlo Bar.COM ", Hello::ehlo(host("Bar.COM")), "EHLO Bar.COM"),
            ("HELO [192.0.2.1]", Hello::helo(host("[192.0.2.1]")), "HELO [192.0.2.1]"),
            ("LHLO foo.edu", Hello::lhlo(host("foo.edu")), "LHLO foo.edu"),
            ("EHLO [IPv6:::1]", Hello::ehlo(host("[IPv6:::1]")), "EHLO [IPv6:::1]"),
        ] {
            assert_known(line, &Command::Hello(hello), written, &dialect);
        }
        for line in [
            "EHLO",
            "EHLO ",
            "EHLO  a",
            "EHLO a b",
            "EHLO my_pc",
            "EHLO bücher.example",
            "EHLO a\r",
            "EHLO <a>",
            "EHLO []",
        ] {
            assert!(Command::parse(line.as_bytes(), &dialect).is_err(), "{line}");
        }
    }

    #[test]
    fn underscores_pass_where_the_host_lets_them() {
        let mut dialect = Dialect::default();
        dialect.leniency.underscore_in_hello = true;
        for line in ["EHLO my_pc", "HELO _a_._b_", "EHLO a.b", "EHLO [127.0.0.1]"] {
            assert!(Command::parse(line.as_bytes(), &dialect).is_ok(), "{line}");
        }
        assert!(Command::parse(b"EHLO a b", &dialect).is_err());
        assert!(Command::parse(b"MAIL FROM:<a@my_pc>", &dialect).is_err());
    }
}
