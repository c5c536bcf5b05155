//! PLAIN (RFC 4616): `[authzid] NUL authcid NUL passwd`, all of it UTF-8.

use mailstore_traits::{Secret, UserName};

use super::{Failure, prepare_password, prepare_user_name};

/// What one message says.
pub(super) struct Credentials {
    /// Whom the client wants to act as, if it says so.
    pub(super) requested: Option<UserName>,
    /// Who it says it is.
    pub(super) user: UserName,
    /// What it says to prove it.
    pub(super) password: Secret<String>,
}

/// ```abnf
/// message = [authzid] UTF8NUL authcid UTF8NUL passwd
/// ```
pub(super) fn parse(message: &[u8]) -> Result<Credentials, Failure> {
    let message = std::str::from_utf8(message).map_err(|_| Failure::Malformed)?;
    let mut parts = message.split('\0');
    let (Some(authzid), Some(authcid), Some(passwd), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Failure::Malformed);
    };
    // The grammar has at least one character for each of these; a name that is *prepared* to nothing is another matter.
    if authcid.is_empty() || passwd.is_empty() {
        return Err(Failure::Malformed);
    }
    Ok(Credentials {
        requested: if authzid.is_empty() { None } else { Some(prepare_user_name(authzid)?) },
        user: prepare_user_name(authcid)?,
        password: prepare_password(passwd)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(message: &[u8]) -> Option<Failure> {
        parse(message).err()
    }

    #[test]
    fn the_examples_of_rfc_4616_section_4() {
        let tim = parse(b"\0tim\0tanstaaftanstaaf").unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(tim.requested, None);
        assert_eq!(tim.user.as_str(), "tim");
        assert_eq!(tim.password.expose(), "tanstaaftanstaaf");
        let kurt = parse(b"Ursel\0Kurt\0xipj3plmq").unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(kurt.requested.as_ref().map(UserName::as_str), Some("Ursel"));
        assert_eq!(kurt.user.as_str(), "Kurt");
    }

    #[test]
    fn parts_have_up_to_255_octets() {
        let full = "x".repeat(255);
        assert_eq!(failure(format!("{full}\0{full}\0{full}").as_bytes()), None);
        for over in [format!("{full}x\0a\0b"), format!("\0{full}x\0b"), format!("\0a\0{full}x")] {
            assert_eq!(failure(over.as_bytes()), Some(Failure::Malformed));
        }
    }

    #[test]
    fn missing_parts_and_trailing_junk_are_malformed() {
        for bad in [&b""[..], b"\0", b"a", b"\0a", b"\0\0", b"\0\0b", b"\0a\0", b"\0a\0b\0", b"\0a\0b\0c", b"a\0b"] {
            assert_eq!(failure(bad), Some(Failure::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn sec_a8_no_part_may_have_control_characters_or_octets_that_are_not_utf8() {
        for bad in [&b"\r"[..], b"\n", b"\x7f", b"\x1b", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xc2\x85"] {
            for message in [[&b"a"[..], bad, b"\0a\0b"], [b"\0a", bad, b"\0b"], [b"\0a\0b", bad, b""]] {
                assert_eq!(failure(&message.concat()), Some(Failure::Malformed), "{message:?}");
            }
        }
    }

    #[test]
    fn what_saslprep_prohibits_is_rejected_as_a_wrong_password_would_be() {
        assert_eq!(failure("\0\u{ad}\0b".as_bytes()), Some(Failure::Rejected));
        assert_eq!(failure("\0a\0\u{e000}".as_bytes()), Some(Failure::Rejected));
        assert_eq!(failure("\u{202e}\0a\0b".as_bytes()), Some(Failure::Rejected));
    }
}
