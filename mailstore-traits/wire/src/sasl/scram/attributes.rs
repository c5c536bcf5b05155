//! What SCRAM's messages are made of (RFC 5802 §5.1, §7): `attr-val *("," attr-val)`.

use super::super::Failure;

/// The attributes of a message that have not been read: `attr-val *("," attr-val)`. Their order is fixed.
pub(super) struct Attributes<'a>(Option<&'a str>);

impl<'a> Attributes<'a> {
    pub(super) fn of(message: &'a str) -> Self {
        Self(Some(message))
    }

    /// The value of the attribute that must come next.
    pub(super) fn next(&mut self, name: char) -> Result<&'a str, Failure> {
        match self.pop() {
            Some(Ok((found, value))) if found == name => Ok(value),
            Some(Err(failure)) => Err(failure),
            _ => Err(Failure::Malformed),
        }
    }

    /// "Unknown optional extensions MUST be ignored upon receipt" (RFC 5802 §5.1). Known attributes are no extensions.
    pub(super) fn skip_extensions(&mut self) -> Result<(), Failure> {
        while let Some(extension) = self.pop() {
            if matches!(extension?.0, 'a' | 'c' | 'e' | 'i' | 'n' | 'p' | 'r' | 's' | 'v') {
                return Err(Failure::Malformed);
            }
        }
        Ok(())
    }

    fn pop(&mut self) -> Option<Result<(char, &'a str), Failure>> {
        let rest = self.0?;
        let (attribute, rest) = match rest.split_once(',') {
            Some((attribute, rest)) => (attribute, Some(rest)),
            None => (rest, None),
        };
        self.0 = rest;
        Some(match attribute.split_once('=') {
            // "its presence in a client or a server message MUST cause authentication failure" (RFC 5802 §5.1).
            Some(("m", _)) => Err(Failure::Rejected),
            Some((name, value)) if !value.is_empty() && !value.contains('\0') => match name.as_bytes() {
                [letter] if letter.is_ascii_alphabetic() => Ok((char::from(*letter), value)),
                _ => Err(Failure::Malformed),
            },
            _ => Err(Failure::Malformed),
        })
    }
}

/// ```abnf
/// printable = %x21-2B / %x2D-7E
/// ```
pub(in crate::sasl) fn is_nonce(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.bytes().all(|octet| octet.is_ascii_graphic() && octet != b',')
}
