//! RFC 5321 §4.1.1: the first word of a command.

use std::fmt;

/// The commands that this crate knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// RFC 5321 §4.1.1.1.
    Ehlo,
    /// RFC 5321 §4.1.1.1.
    Helo,
    /// RFC 2033 §4.1.
    Lhlo,
    /// RFC 5321 §4.1.1.2.
    Mail,
    /// RFC 5321 §4.1.1.3.
    Rcpt,
    /// RFC 5321 §4.1.1.4.
    Data,
    /// RFC 5321 §4.1.1.5.
    Rset,
    /// RFC 5321 §4.1.1.6.
    Vrfy,
    /// RFC 5321 §4.1.1.7.
    Expn,
    /// RFC 5321 §4.1.1.8.
    Help,
    /// RFC 5321 §4.1.1.9.
    Noop,
    /// RFC 5321 §4.1.1.10.
    Quit,
    /// RFC 3207 §4.
    StartTls,
    /// RFC 4954 §4.
    Auth,
    /// RFC 3030 §2.
    Bdat,
    /// Postfix's `XCLIENT_README`.
    Xclient,
    /// Postfix's `XFORWARD_README`.
    Xforward,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Ehlo,
        Self::Helo,
        Self::Lhlo,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Rset,
        Self::Vrfy,
        Self::Expn,
        Self::Help,
        Self::Noop,
        Self::Quit,
        Self::StartTls,
        Self::Auth,
        Self::Bdat,
        Self::Xclient,
        Self::Xforward,
    ];

    /// In upper case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Lhlo => "LHLO",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Rset => "RSET",
            Self::Vrfy => "VRFY",
            Self::Expn => "EXPN",
            Self::Help => "HELP",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Bdat => "BDAT",
            Self::Xclient => "XCLIENT",
            Self::Xforward => "XFORWARD",
        }
    }

    /// The verb at the front of a line, in whatever case, and what stands behind the space that ends it.
    #[inline]
    pub(crate) fn split(line: &[u8]) -> Option<(Self, &[u8])> {
        // Nearly all have four letters.
        if let Some((&word, rest)) = line.split_first_chunk::<4>()
            && let Some(verb) = Self::of_four(word)
        {
            match rest {
                [] => return Some((verb, rest)),
                [b' ', arguments @ ..] => return Some((verb, arguments)),
                _ => {}
            }
        }
        Self::split_any(line)
    }

    #[cold]
    fn split_any(line: &[u8]) -> Option<(Self, &[u8])> {
        let end = line.iter().position(|&octet| octet == b' ').unwrap_or(line.len());
        let (word, rest) = line.split_at(end);
        let verb = Self::ALL.into_iter().find(|verb| word.eq_ignore_ascii_case(verb.as_str().as_bytes()))?;
        Some((verb, rest.strip_prefix(b" ").unwrap_or(rest)))
    }

    /// Compared as one number. Without the bit of lower case, no octet but a letter is that letter.
    #[inline]
    const fn of_four(word: [u8; 4]) -> Option<Self> {
        const fn number(word: [u8; 4]) -> u32 {
            u32::from_ne_bytes(word) & 0xdfdf_dfdf
        }
        const EHLO: u32 = number(*b"EHLO");
        const HELO: u32 = number(*b"HELO");
        const LHLO: u32 = number(*b"LHLO");
        const MAIL: u32 = number(*b"MAIL");
        const RCPT: u32 = number(*b"RCPT");
        const DATA: u32 = number(*b"DATA");
        const RSET: u32 = number(*b"RSET");
        const VRFY: u32 = number(*b"VRFY");
        const EXPN: u32 = number(*b"EXPN");
        const HELP: u32 = number(*b"HELP");
        const NOOP: u32 = number(*b"NOOP");
        const QUIT: u32 = number(*b"QUIT");
        const AUTH: u32 = number(*b"AUTH");
        const BDAT: u32 = number(*b"BDAT");
        Some(match number(word) {
            EHLO => Self::Ehlo,
            HELO => Self::Helo,
            LHLO => Self::Lhlo,
            MAIL => Self::Mail,
            RCPT => Self::Rcpt,
            DATA => Self::Data,
            RSET => Self::Rset,
            VRFY => Self::Vrfy,
            EXPN => Self::Expn,
            HELP => Self::Help,
            NOOP => Self::Noop,
            QUIT => Self::Quit,
            AUTH => Self::Auth,
            BDAT => Self::Bdat,
            _ => return None,
        })
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_known_in_any_case_and_ends_with_its_word() {
        for verb in Verb::ALL {
            for word in [verb.as_str().to_owned(), verb.as_str().to_lowercase()] {
                assert_eq!(Verb::split(word.as_bytes()), Some((verb, &b""[..])));
                assert_eq!(Verb::split(format!("{word} x y").as_bytes()), Some((verb, &b"x y"[..])));
                assert_eq!(Verb::split(format!("{word}x").as_bytes()), None);
            }
        }
        for none in ["", " ", "NOO", "NOOP\tx", " NOOP", "XYZZ"] {
            assert_eq!(Verb::split(none.as_bytes()), None, "{none:?}");
        }
    }
}
