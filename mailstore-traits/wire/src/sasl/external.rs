//! EXTERNAL (RFC 4422 appendix A): who it is has been shown in the TLS handshake, by a certificate.
//!
//! A certificate that was verified says that somebody whom the listener trusts has issued it, and no more. What it stands
//! for is the host's to say, by a mapping of its own (attack row A9): nothing is read out of its names here.

use mailstore_traits::UserName;

use super::{Failure, prepare_user_name};

/// Whom the client wants to be; `None` to be whoever the certificate stands for.
///
/// ```abnf
/// external-initial-response = authz-id-string
/// authz-id-string           = *( UTF8-char-no-null )
/// ```
pub(super) fn parse(message: &[u8]) -> Result<Option<UserName>, Failure> {
    match std::str::from_utf8(message) {
        Ok("") => Ok(None),
        Ok(name) => Ok(Some(prepare_user_name(name)?)),
        Err(_) => Err(Failure::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_prepared_and_nothing_is_nobody() {
        assert_eq!(parse(b"").unwrap(), None);
        assert_eq!(parse("a\u{ad}da".as_bytes()).unwrap().unwrap().as_str(), "ada");
    }

    #[test]
    fn sec_a8_names_with_control_characters_or_octets_that_are_not_utf8_are_malformed() {
        for bad in [&b"\0"[..], b"ada\0", b"ada\r", b"\nada", b"a\x7f", b"\xff", b"\xc2\x85"] {
            assert_eq!(parse(bad), Err(Failure::Malformed), "{:?}", bad.escape_ascii().to_string());
        }
        assert_eq!(parse("\u{ad}".as_bytes()), Err(Failure::Rejected));
    }
}
