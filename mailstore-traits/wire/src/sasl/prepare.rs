//! SASLprep (RFC 4013): one form for names and passwords that look the same.
//!
//! Code points that Unicode 3.2 did not have are let through, as RFC 4013 §2.5 has it for "query" strings. RFC 5802
//! §2.2 would prohibit them in SCRAM's passwords; but then a password with an emoji would log in with PLAIN and not
//! with SCRAM, and clients do not check. One rule for all mechanisms keeps one password one password.

use mailstore_traits::{Secret, UserName};
use stringprep::tables;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::Failure;

/// How many octets a name or a password may have, as sent and as prepared (RFC 4616 §2 wants 255 to be possible).
pub const MAX_CREDENTIAL: usize = 255;

/// A name or a password that SASLprep does not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unpreparable {
    /// Empty, or nothing but characters that are mapped to nothing.
    #[error("expected at least one character")]
    Empty,
    /// More than [`MAX_CREDENTIAL`] octets.
    #[error("expected at most 255 octets")]
    TooLong,
    /// A control character, such as NUL, CR, LF or DEL (attack row A8).
    #[error("expected no control character")]
    Control,
    /// A character that RFC 4013 §2.3 prohibits: private use, non-characters, tags and their like.
    #[error("expected no character that SASLprep prohibits")]
    Prohibited,
    /// Writing directions mixed in a way that RFC 3454 §6 prohibits.
    #[error("expected one writing direction")]
    Bidirectional,
}

impl From<Unpreparable> for Failure {
    /// Size and control characters are against the mechanisms' grammar; the rest is a name or a password that nobody
    /// can have ("if preparation fails or results in an empty string, verification SHALL fail", RFC 4616 §2).
    fn from(unpreparable: Unpreparable) -> Self {
        match unpreparable {
            Unpreparable::TooLong | Unpreparable::Control => Self::Malformed,
            Unpreparable::Empty | Unpreparable::Prohibited | Unpreparable::Bidirectional => Self::Rejected,
        }
    }
}

/// Prepares a password, as every mechanism here does before the host sees it. A host does the same with a password that
/// it is about to hash.
///
/// ```
/// use mail_wire::sasl::prepare_password;
/// let prepared = prepare_password("I\u{ad}X").unwrap();
/// assert_eq!(prepared.expose(), "IX");
/// ```
///
/// # Errors
/// [`Unpreparable`].
pub fn prepare_password(password: &str) -> Result<Secret<String>, Unpreparable> {
    prepare(password).map(|mut prepared| Secret::new(std::mem::take(&mut *prepared)))
}

/// Prepares a user's name, as every mechanism here does before the host sees it. IMAP's LOGIN and POP3's USER are to
/// name the same user, so they want it too.
///
/// # Errors
/// [`Unpreparable`].
pub fn prepare_user_name(name: &str) -> Result<UserName, Unpreparable> {
    let prepared = prepare(name)?;
    UserName::new(prepared.as_str()).map_err(|_| Unpreparable::Prohibited)
}

fn prepare(text: &str) -> Result<Zeroizing<String>, Unpreparable> {
    if text.len() > MAX_CREDENTIAL {
        return Err(Unpreparable::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(Unpreparable::Control);
    }
    // Room for the most that NFKC can make of it (UAX #15, §14.1), lest growing leave copies of a password behind.
    let mut prepared = Zeroizing::new(String::with_capacity(text.len().saturating_mul(11)));
    prepared.extend(
        text.chars()
            .filter(|c| !tables::commonly_mapped_to_nothing(*c))
            .map(|c| if tables::non_ascii_space_character(c) { ' ' } else { c })
            .nfkc(),
    );
    if prepared.is_empty() {
        return Err(Unpreparable::Empty);
    }
    if prepared.len() > MAX_CREDENTIAL {
        return Err(Unpreparable::TooLong);
    }
    if prepared.contains(is_prohibited) {
        return Err(Unpreparable::Prohibited);
    }
    if prepared.contains(tables::bidi_r_or_al)
        && (prepared.contains(tables::bidi_l)
            || !prepared.starts_with(tables::bidi_r_or_al)
            || !prepared.ends_with(tables::bidi_r_or_al))
    {
        return Err(Unpreparable::Bidirectional);
    }
    Ok(prepared)
}

/// RFC 4013 §2.3, table by table.
fn is_prohibited(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::surrogate_code(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prepared(text: &str) -> Result<String, Unpreparable> {
        prepare_password(text).map(|password| password.expose().clone())
    }

    #[test]
    fn the_examples_of_rfc_4013_section_3() {
        assert_eq!(prepared("I\u{ad}X").as_deref(), Ok("IX"));
        assert_eq!(prepared("user").as_deref(), Ok("user"));
        assert_eq!(prepared("USER").as_deref(), Ok("USER"));
        assert_eq!(prepared("\u{aa}").as_deref(), Ok("a"));
        assert_eq!(prepared("\u{2168}").as_deref(), Ok("IX"));
        assert_eq!(prepared("\u{7}"), Err(Unpreparable::Control));
        assert_eq!(prepared("\u{627}1"), Err(Unpreparable::Bidirectional));
    }

    #[test]
    fn spaces_become_one_kind_and_younger_characters_stay() {
        assert_eq!(prepared("a\u{a0}b").as_deref(), Ok("a b"));
        assert_eq!(prepared("correct \u{1f40e}").as_deref(), Ok("correct \u{1f40e}"));
    }

    #[test]
    fn what_cannot_be_prepared_says_why() {
        assert_eq!(prepared(""), Err(Unpreparable::Empty));
        assert_eq!(prepared("\u{ad}"), Err(Unpreparable::Empty));
        assert_eq!(prepared("\u{e000}"), Err(Unpreparable::Prohibited));
        assert_eq!(prepared("\u{fffd}"), Err(Unpreparable::Prohibited));
        assert_eq!(prepared("\u{202e}x"), Err(Unpreparable::Prohibited));
        assert_eq!(prepared(&"x".repeat(255)).map(|text| text.len()), Ok(255));
        assert_eq!(prepared(&"x".repeat(256)), Err(Unpreparable::TooLong));
        // Eighteen characters where one was: the ceiling holds for what comes out, too.
        assert_eq!(prepared(&"\u{fdfa}".repeat(80)), Err(Unpreparable::TooLong));
    }

    #[test]
    fn sec_a8_no_name_with_a_control_character_is_prepared() {
        for bad in ["a\0", "a\rb", "\na", "\u{7f}", "a\u{85}", "\u{9b}31m"] {
            assert_eq!(prepare_user_name(bad), Err(Unpreparable::Control), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn where_the_crate_prepares_too_we_agree(text in any::<String>()) {
            if let (Ok(theirs), Ok(ours)) = (stringprep::saslprep(&text), prepare(&text)) {
                prop_assert_eq!(theirs, ours.as_str());
            }
        }

        #[test]
        fn preparing_twice_changes_nothing(text in any::<String>()) {
            if let Ok(once) = prepare(&text) {
                prop_assert_eq!(prepare(&once).unwrap(), once);
            }
        }
    }
}
