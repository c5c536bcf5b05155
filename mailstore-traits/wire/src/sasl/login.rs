//! LOGIN (draft-murchison-sasl-login-00): a name, then a password, each after a prompt that clients ignore.
//!
//! Obsolete, and here for old clients that know nothing else. The draft lets passwords be any octets; here they are
//! UTF-8 without control characters, so that one password is the same by every mechanism (attack row A8).

use mailstore_traits::{Secret, UserName};

use super::{Failure, prepare_password, prepare_user_name};

/// The prompts are those that "at least one widely deployed client requires" (§2.2), not those of the draft's example.
pub(super) const USER_NAME: &[u8] = b"Username:";
pub(super) const PASSWORD: &[u8] = b"Password:";

/// The response to the first prompt, or the initial response in its place.
pub(super) fn user_name(response: &[u8]) -> Result<UserName, Failure> {
    Ok(prepare_user_name(text(response)?)?)
}

/// The response to the second.
pub(super) fn password(response: &[u8]) -> Result<Secret<String>, Failure> {
    Ok(prepare_password(text(response)?)?)
}

fn text(response: &[u8]) -> Result<&str, Failure> {
    match std::str::from_utf8(response) {
        Ok(text) if !text.is_empty() => Ok(text),
        _ => Err(Failure::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_a8_neither_part_may_have_control_characters_or_octets_that_are_not_utf8() {
        for bad in [&b""[..], b"a\0", b"a\r", b"\na", b"a\x7f", b"\xff", b"\xc2\x85"] {
            assert_eq!(user_name(bad).err(), Some(Failure::Malformed), "{bad:?}");
            assert_eq!(password(bad).err(), Some(Failure::Malformed), "{bad:?}");
        }
    }
}
