//! RFC 4954 §4, AUTH: the beginning of a login.

use std::fmt;

use bytes::BytesMut;
use mail_wire::Secret;
use mail_wire::octet_set::OctetSet;
use smol_str::{SmolStr, StrExt};

use super::CommandErrorKind;
use crate::error::{ParseError, ParseErrorKind};

/// The name of a SASL mechanism, in upper case.
///
/// ```abnf
/// sasl-mech = 1*20mech-char          ; RFC 4422 §3.1
/// mech-char = UPPER-ALPHA / DIGIT / HYPHEN / UNDERSCORE
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MechanismName(SmolStr);

impl MechanismName {
    /// In upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&[u8]> for MechanismName {
    type Error = ParseError;

    fn try_from(octets: &[u8]) -> Result<Self, ParseError> {
        static LEGAL: OctetSet = OctetSet::ALPHANUMERIC.with(b"-_");
        let at = LEGAL.span(octets);
        match std::str::from_utf8(octets) {
            Ok(text) if at == octets.len() && (1..=20).contains(&at) => Ok(Self(text.to_ascii_uppercase_smolstr())),
            _ => Err(ParseError::new(ParseErrorKind::Mechanism, at)),
        }
    }
}

impl fmt::Display for MechanismName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A client wants to log in.
///
/// ```abnf
/// auth = "AUTH" SP sasl-mech [SP initial-response] CRLF
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Auth {
    /// By which mechanism.
    pub mechanism: MechanismName,
    /// The initial response, in base64 as it came (`=` is an empty one), and not looked at yet: what is wrong with it is
    /// the exchange's to say.
    pub initial: Option<Secret<Vec<u8>>>,
}

impl Auth {
    /// By that mechanism, without an initial response.
    pub fn new(mechanism: MechanismName) -> Self {
        Self { mechanism, initial: None }
    }

    /// With that initial response, which is base64 already.
    ///
    /// # Errors
    /// [`ParseErrorKind::Argument`] if it is empty or holds what could not stand in a line: white space or control
    /// characters.
    pub fn with_initial(mut self, base64: Vec<u8>) -> Result<Self, ParseError> {
        if base64.is_empty() || !OctetSet::GRAPHIC.has_all(&base64) {
            return Err(ParseError::new(ParseErrorKind::Argument, OctetSet::GRAPHIC.span(&base64)));
        }
        self.initial = Some(Secret::new(base64));
        Ok(self)
    }

    pub(super) fn parse(arguments: &[u8]) -> Result<Self, CommandErrorKind> {
        let end = arguments.iter().position(|&octet| octet == b' ').unwrap_or(arguments.len());
        let (mechanism, rest) = arguments.split_at(end);
        let auth = Self::new(MechanismName::try_from(mechanism)?);
        Ok(match rest.strip_prefix(b" ") {
            Some(initial) => auth.with_initial(initial.to_vec())?,
            None => auth,
        })
    }

    pub(super) fn encode_arguments(&self, out: &mut BytesMut) {
        out.extend_from_slice(b" ");
        out.extend_from_slice(self.mechanism.as_str().as_bytes());
        if let Some(initial) = &self.initial {
            out.extend_from_slice(b" ");
            out.extend_from_slice(initial.expose());
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("mechanism", &self.mechanism).field("initial", &self.initial).finish()
    }
}

/// For tests and tools. Nothing decides about a login by it.
impl PartialEq for Auth {
    fn eq(&self, other: &Self) -> bool {
        let initial = |auth: &Self| auth.initial.as_ref().map(|initial| initial.expose().clone());
        self.mechanism == other.mechanism && initial(self) == initial(other)
    }
}

impl Eq for Auth {}

#[cfg(test)]
mod tests {
    use super::super::{Command, Dialect, assert_known};
    use super::*;

    #[test]
    fn known_answers() {
        let dialect = Dialect::default();
        let plain = || Auth::new(MechanismName::try_from(&b"PLAIN"[..]).unwrap());
        for (line, auth, written) in [
            ("AUTH plain", plain(), "AUTH PLAIN"),
            (
                "AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=",
                plain().with_initial(b"dGVzdAB0ZXN0ADEyMzQ=".to_vec()).unwrap(),
                "AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=",
            ),
            ("AUTH PLAIN =", plain().with_initial(b"=".to_vec()).unwrap(), "AUTH PLAIN ="),
        ] {
            assert_known(line, &Command::Auth(auth), written, &dialect);
        }
        for line in
            ["AUTH", "AUTH ", "AUTH  PLAIN", "AUTH PLÄIN", "AUTH ABCDEFGHIJKLMNOPQRSTU", "AUTH P\tx", "AUTH P \n"]
        {
            assert!(Command::parse(line.as_bytes(), &dialect).is_err(), "{line}");
        }
        for bad in [&b""[..], b"a b", b"a\r\nQUIT"] {
            assert!(plain().with_initial(bad.to_vec()).is_err());
        }
    }

    #[test]
    fn sec_a13_a_login_in_a_log_shows_no_secret() {
        let command = Command::parse(b"AUTH PLAIN c2VjcmV0", &Dialect::default()).unwrap();
        let shown = format!("{command:?}");
        assert!(shown.contains("PLAIN") && !shown.contains("c2VjcmV0") && !shown.contains("99, 50"), "{shown}");
    }
}
