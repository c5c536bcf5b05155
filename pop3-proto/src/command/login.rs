//! USER, PASS, APOP (RFC 1939 §7) and AUTH (RFC 5034 §4).

use std::fmt;

use bytes::BytesMut;
use mail_wire::sasl::cram_md5::digest_from_hex;
use mail_wire::{Secret, UserName};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::combinator::verify;
use nom::{IResult, Parser};

use super::Arguments;
use crate::error::{ParseError, ParseErrorKind};
use crate::grammar::{Word, word};

/// The arguments of AUTH.
///
/// ```abnf
/// auth-command = "AUTH" SP sasl-mech [SP initial-response] CRLF    ; RFC 5034 §5
/// initial-response = base64 / "="
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Auth {
    /// The mechanism's name, as written: one that is not known is no syntax error.
    pub mechanism: Word,
    /// What the client says at once.
    pub initial_response: Option<InitialResponse>,
}

impl Auth {
    /// That mechanism, without an initial response.
    pub fn new(mechanism: Word) -> Self {
        Self { mechanism, initial_response: None }
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        encode_rest(self.mechanism.as_str().as_bytes(), out);
        if let Some(InitialResponse(response)) = &self.initial_response {
            encode_rest(response.expose(), out);
        }
    }
}

/// An initial response as it stands in the command: base64, or `=` for an empty one. Often a password, so it is not
/// shown (attack row T7). Whether it *is* base64 the exchange finds out.
#[derive(Debug, Clone)]
pub struct InitialResponse(Secret<Vec<u8>>);

impl InitialResponse {
    /// Its octets.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

/// The arguments of APOP (RFC 1939 §7).
#[derive(Clone)]
#[non_exhaustive]
pub struct Apop {
    /// Who says they are somebody.
    pub user: UserName,
    /// The MD5 of the greeting's timestamp and a secret.
    pub digest: [u8; 16],
}

impl Apop {
    /// That name with that digest.
    pub fn new(user: UserName, digest: [u8; 16]) -> Self {
        Self { user, digest }
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        encode_rest(self.user.as_str().as_bytes(), out);
        encode_rest(self.digest.map(|octet| format!("{octet:02x}")).concat().as_bytes(), out);
    }
}

/// The digest is not shown: with its timestamp it lets anybody try passwords (attack row A13).
impl fmt::Debug for Apop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Apop").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The digest is the last word; a name may hold spaces, as USER's does.
pub(super) fn apop(arguments: &mut Arguments<'_>) -> Result<Apop, ParseError> {
    let octets = arguments.everything()?;
    let space = octets.iter().rposition(|&octet| octet == b' ').unwrap_or(octets.len());
    let (name, digest) = octets.split_at(space);
    let begin = "APOP ".len();
    let digest =
        digest.strip_prefix(b" ").and_then(|digest| std::str::from_utf8(digest).ok()).and_then(digest_from_hex);
    let digest = digest.ok_or(ParseError::new(ParseErrorKind::Digest, begin.saturating_add(space)))?;
    let user = std::str::from_utf8(name).ok().and_then(|name| UserName::new(name).ok());
    Ok(Apop { user: user.ok_or(ParseError::new(ParseErrorKind::UserName, begin))?, digest })
}

pub(super) fn name(arguments: &mut Arguments<'_>) -> Result<UserName, ParseError> {
    let octets = arguments.everything()?;
    // A name with a control character in it goes no further (attack row A8).
    std::str::from_utf8(octets)
        .ok()
        .and_then(|name| UserName::new(name).ok())
        .ok_or(ParseError::new(ParseErrorKind::UserName, "USER ".len()))
}

pub(super) fn password(arguments: &mut Arguments<'_>) -> Result<Secret<Vec<u8>>, ParseError> {
    arguments.everything().map(|octets| Secret::new(octets.to_vec()))
}

pub(super) fn auth(arguments: &mut Arguments<'_>) -> Result<Auth, ParseError> {
    let mechanism = arguments.word(mechanism_name, ParseErrorKind::Mechanism)?;
    let initial_response = if arguments.is_empty() {
        None
    } else {
        let octets = arguments.word(base64, ParseErrorKind::InitialResponse)?;
        Some(InitialResponse(Secret::new(octets.to_vec())))
    };
    Ok(Auth { mechanism, initial_response })
}

pub(super) fn encode_rest(octets: &[u8], out: &mut BytesMut) {
    out.extend_from_slice(b" ");
    out.extend_from_slice(octets);
}

/// `sasl-mech = 1*20mech-char` (RFC 4422 §3.1); case-insensitive here (RFC 5034 §4).
fn mechanism_name(input: &[u8]) -> IResult<&[u8], Word> {
    verify(word, |name: &Word| {
        let legal = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        name.as_str().len() <= 20 && name.as_str().bytes().all(legal)
    })
    .parse(input)
}

fn base64(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let digit = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
    alt((take_while1(digit), tag("="))).parse(input)
}

#[cfg(test)]
mod tests {
    use super::super::Command;
    use super::super::tests::written_again;
    use super::*;

    #[test]
    fn names_and_passwords_may_hold_spaces() {
        for (line, canonical) in [
            ("USER mrose", "USER mrose\r\n"),
            ("user mrose", "USER mrose\r\n"),
            ("USER Marshall Rose", "USER Marshall Rose\r\n"),
            ("USER jürgen@example.org", "USER jürgen@example.org\r\n"),
            ("PASS secret", "PASS secret\r\n"),
            ("pass  two  spaces ", "PASS  two  spaces \r\n"),
        ] {
            assert_eq!(written_again(line.as_bytes()), Ok(canonical.into()), "{line}");
        }
        assert_eq!(written_again(b"PASS caf\xe9"), Ok(b"PASS caf\xe9\r\n".to_vec()), "Latin-1 is the host's to refuse");
    }

    #[test]
    fn sec_a8_names_with_control_characters_or_broken_utf8_are_no_names() {
        for name in [&b"a\x7fb"[..], b"a\tb", b"a\x01", b"a\xff", b"\xc0\xaf", "\u{85}".as_bytes(), &[b'x'; 256]] {
            let line = [b"USER ", name].concat();
            assert_eq!(written_again(&line), Err((ParseErrorKind::UserName, 5)), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn auth_has_a_mechanism_and_perhaps_a_response() {
        use ParseErrorKind::{Argument, End, InitialResponse, Mechanism};
        for (line, expected) in [
            ("AUTH PLAIN", Ok("AUTH PLAIN\r\n")),
            ("auth plain dGVzdAB0ZXN0AHRlc3Q=", Ok("AUTH plain dGVzdAB0ZXN0AHRlc3Q=\r\n")),
            ("AUTH EXTERNAL =", Ok("AUTH EXTERNAL =\r\n")),
            ("AUTH", Err((Argument, 4))),
            ("AUTH ", Err((Mechanism, 5))),
            ("AUTH PLAIN ", Err((InitialResponse, 11))),
            ("AUTH PLAIN a b", Err((End, 12))),
            ("AUTH PLAIN a!b", Err((InitialResponse, 12))),
            ("AUTH PL.IN", Err((Mechanism, 5))),
            ("AUTH ABCDEFGHIJKLMNOPQRSTU", Err((Mechanism, 5))),
            ("USER", Err((Argument, 4))),
            ("USER ", Err((Argument, 5))),
            ("PASS", Err((Argument, 4))),
            ("PASS ", Err((Argument, 5))),
        ] {
            assert_eq!(written_again(line.as_bytes()), expected.map(Vec::from), "{line}");
        }
    }

    #[test]
    fn apop_has_a_name_and_a_digest() {
        use ParseErrorKind::{Argument, Digest, UserName};
        let known = "APOP mrose c4c9334bac560ecc979e58001b3e22fb";
        for (line, expected) in [
            (known, Ok(format!("{known}\r\n"))),
            (
                "apop Marshall Rose c4c9334bac560ecc979e58001b3e22fb",
                Ok("APOP Marshall Rose c4c9334bac560ecc979e58001b3e22fb\r\n".into()),
            ),
            ("APOP", Err((Argument, 4))),
            ("APOP mrose", Err((Digest, 10))),
            ("APOP mrose c4c9334bac560ecc979e58001b3e22f", Err((Digest, 10))),
            ("APOP mrose C4C9334BAC560ECC979E58001B3E22FB", Err((Digest, 10))),
            ("APOP c4c9334bac560ecc979e58001b3e22fb", Err((Digest, 37))),
            ("APOP a\tb c4c9334bac560ecc979e58001b3e22fb", Err((UserName, 5))),
        ] {
            assert_eq!(written_again(line.as_bytes()), expected.map(Vec::from), "{line}");
        }
        let shown = format!("{:?}", Command::parse(known.as_bytes()).unwrap());
        assert!(shown.contains("mrose") && !shown.contains("196") && !shown.contains("c4c9"), "{shown}");
    }

    #[test]
    fn sec_a13_debug_shows_no_secret() {
        for line in ["PASS hunter2", "AUTH PLAIN hunter2"] {
            let command = Command::parse(line.as_bytes()).unwrap();
            let shown = format!("{command:?} {command:#?}");
            // Octets in a list would show it too: 104 is `h`.
            assert!(!shown.contains("hunter2") && !shown.contains("104"), "{shown}");
        }
    }
}
