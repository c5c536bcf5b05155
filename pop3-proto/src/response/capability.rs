//! What a server can do: a line of CAPA's response.
//!
//! ```abnf
//! capability = capa-tag *(SP param) CRLF    ; RFC 2449 §3, 512 octets
//! ```

use std::fmt::Write as _;

use bytes::BytesMut;
use nom::bytes::complete::tag;
use nom::multi::many0;
use nom::sequence::preceded;
use nom::{Finish, Parser};

use crate::error::{ParseError, ParseErrorKind};
use crate::grammar::{Word, word};

use super::expiry::{Expiry, whole};

/// A line of CAPA's response.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// TOP is there (RFC 2449 §6.1).
    Top,
    /// USER and PASS are there (RFC 2449 §6.2).
    User,
    /// AUTH is there, with these mechanisms (RFC 5034 §3).
    Sasl(Vec<Word>),
    /// A text that begins with `[` begins with a response code (RFC 2449 §6.4).
    RespCodes,
    /// Commands may come before the last one was answered (RFC 2449 §6.6).
    Pipelining,
    /// UIDL is there (RFC 2449 §6.8).
    Uidl,
    /// STLS is there and permitted (RFC 2595 §4).
    Stls,
    /// Every failed login with wrong credentials says `[AUTH]` (RFC 3206 §6).
    AuthRespCode,
    /// UTF8 is there (RFC 6856 §2).
    Utf8 {
        /// USER and PASS take UTF-8, before UTF8 was said too (RFC 6856 §2.2).
        user: bool,
    },
    /// How long messages stay (RFC 2449 §6.7).
    Expire {
        /// At the least.
        expiry: Expiry,
        /// It differs by user, and is told more exactly after the login.
        per_user: bool,
    },
    /// How long after a login another one is refused (RFC 2449 §6.5).
    LoginDelay {
        /// At the most.
        seconds: u64,
        /// It differs by user, and is told more exactly after the login.
        per_user: bool,
    },
    /// What the server is (RFC 2449 §6.9): one word or more.
    Implementation(Vec<Word>),
    /// One that is not known here.
    Other(OtherCapability),
}

/// A word that cannot be a capability's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a capability: a name without `.` that is not one of those known here, 510 octets in all")]
pub struct InvalidCapability;

/// A capability that is not known here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OtherCapability {
    tag: Word,
    parameters: Vec<Word>,
}

impl OtherCapability {
    /// That capability. For hosts that carry out more than is here.
    ///
    /// # Errors
    /// [`InvalidCapability`] if the name has a `.` in it (the end of the response, RFC 2449 §3), if it is known here, or
    /// if the line would be longer than 512 octets.
    pub fn new(tag: Word, parameters: Vec<Word>) -> Result<Self, InvalidCapability> {
        let known = TAGS.into_iter().any(|name| tag.as_str().eq_ignore_ascii_case(name));
        let octets: usize = parameters.iter().map(|word| word.as_str().len().saturating_add(1)).sum();
        if known || tag.as_str().contains('.') || octets.saturating_add(tag.as_str().len()) > MAX_LEN {
            return Err(InvalidCapability);
        }
        Ok(Self { tag, parameters })
    }

    /// Its name.
    pub fn tag(&self) -> &Word {
        &self.tag
    }

    /// What stands behind it.
    pub fn parameters(&self) -> &[Word] {
        &self.parameters
    }
}

const MAX_LEN: usize = 510;
const TAGS: [&str; 12] = [
    "TOP",
    "USER",
    "SASL",
    "RESP-CODES",
    "PIPELINING",
    "UIDL",
    "STLS",
    "AUTH-RESP-CODE",
    "UTF8",
    "EXPIRE",
    "LOGIN-DELAY",
    "IMPLEMENTATION",
];

impl Capability {
    /// Its name.
    pub fn tag(&self) -> &str {
        match self {
            Self::Top => "TOP",
            Self::User => "USER",
            Self::Sasl(_) => "SASL",
            Self::RespCodes => "RESP-CODES",
            Self::Pipelining => "PIPELINING",
            Self::Uidl => "UIDL",
            Self::Stls => "STLS",
            Self::AuthRespCode => "AUTH-RESP-CODE",
            Self::Utf8 { .. } => "UTF8",
            Self::Expire { .. } => "EXPIRE",
            Self::LoginDelay { .. } => "LOGIN-DELAY",
            Self::Implementation(_) => "IMPLEMENTATION",
            Self::Other(other) => other.tag.as_str(),
        }
    }

    /// Reads a line of CAPA's response, without CRLF. Names are case-insensitive (RFC 2449 §5).
    ///
    /// # Errors
    /// [`ParseError`] if it is none.
    pub fn parse(line: &[u8]) -> Result<Self, ParseError> {
        let error = ParseError::new(ParseErrorKind::Capability, 0);
        let (rest, (name, parameters)) =
            (word, many0(preceded(tag(" "), word))).parse(line).finish().map_err(|_| error)?;
        if !rest.is_empty() || name.as_str().contains('.') {
            return Err(error);
        }
        let known =
            [Self::Top, Self::User, Self::RespCodes, Self::Pipelining, Self::Uidl, Self::Stls, Self::AuthRespCode];
        // A client ignores what it does not know behind a name (RFC 2449 §5).
        let for_user = |at: usize| parameters.get(at).is_some_and(|word| word.as_str().eq_ignore_ascii_case("USER"));
        if let Some(known) = known.into_iter().find(|known| name.as_str().eq_ignore_ascii_case(known.tag())) {
            return Ok(known);
        }
        match name.as_str().to_ascii_uppercase().as_str() {
            "SASL" => Ok(Self::Sasl(parameters)),
            "UTF8" => Ok(Self::Utf8 { user: for_user(0) }),
            "EXPIRE" => {
                let expiry = parameters.first().and_then(Expiry::from_word).ok_or(error)?;
                Ok(Self::Expire { expiry, per_user: for_user(1) })
            }
            "LOGIN-DELAY" => {
                let seconds = parameters.first().and_then(whole).ok_or(error)?;
                Ok(Self::LoginDelay { seconds, per_user: for_user(1) })
            }
            "IMPLEMENTATION" => Ok(Self::Implementation(parameters)),
            _ => OtherCapability::new(name, parameters).map(Self::Other).map_err(|_| error),
        }
    }

    /// Writes the line, CRLF included.
    pub fn encode(&self, out: &mut BytesMut) {
        out.extend_from_slice(self.tag().as_bytes());
        let user = |for_user: bool| if for_user { " USER" } else { "" };
        // Writing into a buffer does not fail.
        let _ = match self {
            Self::Sasl(words) | Self::Implementation(words) => encode_words(words, out),
            Self::Other(other) => encode_words(other.parameters(), out),
            Self::Utf8 { user: accepted } => write!(out, "{}", user(*accepted)),
            Self::Expire { expiry, per_user } => write!(out, " {expiry}{}", user(*per_user)),
            Self::LoginDelay { seconds, per_user } => write!(out, " {seconds}{}", user(*per_user)),
            _ => Ok(()),
        };
        out.extend_from_slice(b"\r\n");
    }
}

fn encode_words(words: &[Word], out: &mut BytesMut) -> std::fmt::Result {
    words.iter().try_for_each(|word| write!(out, " {word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_2449_section_5() {
        for line in [
            "TOP",
            "USER",
            "SASL CRAM-MD5 KERBEROS_V4",
            "RESP-CODES",
            "LOGIN-DELAY 900",
            "PIPELINING",
            "EXPIRE 60",
            "UIDL",
            "IMPLEMENTATION Shlemazle-Plotz-v302",
            "STLS",
            "AUTH-RESP-CODE",
            // RFC 2449 §6.7, RFC 6856 §2.
            "EXPIRE 5 USER",
            "EXPIRE NEVER",
            "EXPIRE 0",
            "LOGIN-DELAY 120 USER",
            "UTF8",
            "UTF8 USER",
        ] {
            let capability = Capability::parse(line.as_bytes()).unwrap();
            let mut out = BytesMut::new();
            capability.encode(&mut out);
            assert_eq!(out, format!("{line}\r\n"), "{line}");
        }
        assert_eq!(Capability::parse(b"sasl PLAIN").map(|capability| capability.tag().to_owned()), Ok("SASL".into()));
    }

    #[test]
    fn a_figure_that_is_none_is_no_capability() {
        for bad in ["EXPIRE", "EXPIRE soon", "LOGIN-DELAY", "LOGIN-DELAY -1", "LOGIN-DELAY 1s"] {
            assert!(Capability::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let expected = Capability::Expire { expiry: Expiry::Days(5), per_user: true };
        assert_eq!(Capability::parse(b"expire 5 user and more"), Ok(expected));
        assert_eq!(Capability::parse(b"UTF8 NFC USER"), Ok(Capability::Utf8 { user: false }));
    }

    #[test]
    fn a_line_that_could_end_the_response_is_no_capability() {
        for bad in [&b"."[..], b"", b" TOP", b"TOP ", b"A..B", b"X\x7f", b"SASL  PLAIN"] {
            assert!(Capability::parse(bad).is_err(), "{}", bad.escape_ascii());
        }
        let word = |text: &str| Word::new(text).unwrap();
        assert_eq!(OtherCapability::new(word("."), vec![]), Err(InvalidCapability));
        assert_eq!(OtherCapability::new(word("Stls"), vec![]), Err(InvalidCapability));
        assert_eq!(OtherCapability::new(word("X"), vec![word(&"x".repeat(600))]), Err(InvalidCapability));
    }
}
