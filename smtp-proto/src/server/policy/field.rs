//! A header field that a host adds (RFC 5322 §2.2): nothing in it can begin a field of its own (attack row I4).

use std::fmt;
use std::sync::Arc;

/// A line is better no longer than this (RFC 5322 §2.1.1).
const GOOD_LINE: usize = 78;
/// And never longer than this.
const LONGEST_LINE: usize = 998;

/// Why something is no header field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidField {
    /// RFC 5322 §2.2, `field-name`.
    #[error("expected a field name: 1 to 76 printable ASCII characters without a colon or a space")]
    Name,
    /// A control character, or a line end that is not followed by a space or a tab.
    #[error("expected a field value without control characters, and folded where it has lines")]
    Control,
    /// What is not ASCII belongs into encoded words (RFC 2047).
    #[error("expected a field value of ASCII")]
    NotAscii,
    /// A word that does not fit into a line.
    #[error("expected words that fit into a line of 998 octets")]
    TooLong,
    /// A value with nothing in it to see.
    #[error("expected a field value that is not empty")]
    Empty,
}

/// The name of a header field. Case does not matter when two are compared.
#[derive(Debug, Clone)]
pub struct FieldName(Arc<str>);

impl FieldName {
    /// Takes a name.
    ///
    /// # Errors
    /// [`InvalidField::Name`].
    pub fn new(name: &str) -> Result<Self, InvalidField> {
        let legal = |octet: u8| octet.is_ascii_graphic() && octet != b':';
        if (1..=76).contains(&name.len()) && name.bytes().all(legal) {
            Ok(Self(name.into()))
        } else {
            Err(InvalidField::Name)
        }
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for FieldName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for FieldName {}

/// A whole header field, folded and ready to stand in a message.
///
/// ```
/// # use smtp_proto::server::policy::HeaderField;
/// let field = HeaderField::new("X-Spam-Score", "0.3")?;
/// assert_eq!(field.to_string(), "X-Spam-Score: 0.3\r\n");
/// assert!(HeaderField::new("X-Spam-Score", "0.3\r\nBcc: all@example.org").is_err());
/// # Ok::<(), smtp_proto::server::policy::InvalidField>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderField {
    name: FieldName,
    /// Folded, from behind the colon, with the last CRLF.
    value: String,
}

impl HeaderField {
    /// A field of that name. The value is ASCII, in one line or folded already; here it is folded at its spaces, so that
    /// lines stay under 78 characters where they can.
    ///
    /// # Errors
    /// [`InvalidField`] says what is wrong with it.
    pub fn new(name: &str, value: &str) -> Result<Self, InvalidField> {
        let name = FieldName::new(name)?;
        let value = fold(name.as_str().len(), &unfold(value)?)?;
        Ok(Self { name, value })
    }

    /// Its name.
    pub fn name(&self) -> &FieldName {
        &self.name
    }

    /// Its value in one line.
    pub fn value(&self) -> String {
        self.value.replace("\r\n", "").trim().to_owned()
    }
}

/// As it stands in a message, with its CRLF.
impl fmt::Display for HeaderField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name.as_str(), self.value)
    }
}

/// The value in one line. A fold is a line end with white space behind it; CRLF, or what Rust calls a line.
fn unfold(value: &str) -> Result<String, InvalidField> {
    if !value.is_ascii() {
        return Err(InvalidField::NotAscii);
    }
    let value = value.trim();
    let mut line = String::with_capacity(value.len());
    for (index, part) in value.split('\n').enumerate() {
        let part = part.strip_suffix('\r').unwrap_or(part);
        if (index > 0 && !part.starts_with([' ', '\t']))
            || part.bytes().any(|octet| octet.is_ascii_control() && octet != b'\t')
        {
            return Err(InvalidField::Control);
        }
        line.push_str(part);
    }
    if line.is_empty() { Err(InvalidField::Empty) } else { Ok(line) }
}

/// Folds before words, so that unfolding gives the same octets again (RFC 5322 §2.2.3).
fn fold(name: usize, line: &str) -> Result<String, InvalidField> {
    let mut folded = String::with_capacity(line.len().saturating_add(16));
    let mut used = name.saturating_add(1);
    // A word with the white space in front of it; the first has the one space behind the colon.
    let mut rest = line;
    let mut gap = " ";
    while !rest.is_empty() {
        let end = rest.find([' ', '\t']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let length = gap.len().saturating_add(word.len());
        if length > LONGEST_LINE {
            return Err(InvalidField::TooLong);
        }
        let is_first = folded.is_empty();
        if !is_first && used.saturating_add(length) > GOOD_LINE {
            folded.push_str("\r\n");
            used = 0;
        }
        folded.push_str(gap);
        folded.push_str(word);
        used = used.saturating_add(length);
        if used > LONGEST_LINE {
            return Err(InvalidField::TooLong);
        }
        let word_at = behind.find(|char| char != ' ' && char != '\t').unwrap_or(behind.len());
        (gap, rest) = behind.split_at(word_at);
    }
    folded.push_str("\r\n");
    Ok(folded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_value_is_folded_at_its_spaces_and_a_folded_one_again() {
        let value =
            "mail.example.org; spf=pass smtp.mailfrom=eve@example.net; dkim=pass header.d=example.net header.s=2026";
        let field = HeaderField::new("Authentication-Results", value).unwrap();
        assert_eq!(
            field.to_string(),
            "Authentication-Results: mail.example.org; spf=pass\r\n smtp.mailfrom=eve@example.net; dkim=pass \
             header.d=example.net header.s=2026\r\n"
        );
        assert_eq!(field.value(), value);
        let folded = HeaderField::new("A", "one;\r\n\ttwo;\n three").unwrap();
        assert_eq!(folded.to_string(), "A: one;\ttwo; three\r\n");
    }

    #[test]
    fn sec_i4_a_field_of_a_hosts_cannot_bring_another_along() {
        for (name, value, error) in [
            ("", "x", InvalidField::Name),
            ("A B", "x", InvalidField::Name),
            ("A:", "x", InvalidField::Name),
            ("A\r\nB", "x", InvalidField::Name),
            ("Ä", "x", InvalidField::Name),
            (&"n".repeat(77), "x", InvalidField::Name),
            ("A", "x\r\nB: y", InvalidField::Control),
            ("A", "x\nB: y", InvalidField::Control),
            ("A", "x\rB: y", InvalidField::Control),
            ("A", "x\0", InvalidField::Control),
            ("A", "x\r\n\r\nbody", InvalidField::Control),
            ("A", "jürgen", InvalidField::NotAscii),
            ("A", " \t ", InvalidField::Empty),
            ("A", &"x".repeat(998), InvalidField::TooLong),
        ] {
            assert_eq!(HeaderField::new(name, value), Err(error), "{name:?} {value:?}");
        }
    }

    proptest! {
        #[test]
        fn sec_i4_whatever_is_taken_is_one_field_and_reads_the_same(value in "[ -~\t\r\n]{0,300}|([a-z]{1,90} {0,3}){0,20}") {
            let Ok(field) = HeaderField::new("X-Field", &value) else { return Ok(()) };
            let text = field.to_string();
            prop_assert!(text.ends_with("\r\n") && !text.ends_with("\r\n\r\n"));
            for (index, line) in text.trim_end_matches("\r\n").split("\r\n").enumerate() {
                prop_assert!(line.len() <= 998 && !line.contains(['\r', '\n']) && !line.trim().is_empty(), "{text:?}");
                prop_assert_eq!(index > 0, line.starts_with([' ', '\t']));
            }
            let again = HeaderField::new("X-Field", &field.value()).unwrap();
            prop_assert_eq!(again, field);
        }
    }
}
