//! Names of mailboxes: segments, never paths.

use std::fmt;

/// Why a text is no name of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMailboxName {
    /// No segment at all, or an empty one (`a//b`, a leading or trailing separator).
    #[error("expected segments that are not empty")]
    EmptySegment,
    /// A control character, NUL among them.
    #[error("expected no control characters")]
    ControlCharacter,
    /// The separator inside a segment.
    #[error("expected no separator inside a segment")]
    Separator,
    /// More than 1,000 octets in all.
    #[error("expected at most 1000 octets")]
    TooLong,
    /// More than 32 segments.
    #[error("expected at most 32 levels")]
    TooDeep,
}

/// The name of a mailbox: a list of checked segments in Unicode, never a path (attack rows P1 and P3).
///
/// `INBOX` is the same in any case of letters as the first segment, and is kept in upper case there; all else is kept to
/// the octet. A segment may be anything but empty, may hold no control character and no [`SEPARATOR`](Self::SEPARATOR);
/// `.` and `..` are legal, so a store over a file system maps segments by encoding them, not by joining them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxName(String);

impl MailboxName {
    /// What stands between two segments in [`as_str`](Self::as_str).
    pub const SEPARATOR: char = '/';
    /// The most octets of a name, separators included.
    pub const MAX_OCTETS: usize = 1000;
    /// The most segments of a name.
    pub const MAX_DEPTH: usize = 32;

    /// The mailbox into which new mail goes; every account has it (RFC 9051 §5.1).
    pub fn inbox() -> Self {
        Self(String::from("INBOX"))
    }

    /// Reads a name with [`SEPARATOR`](Self::SEPARATOR) between its segments.
    ///
    /// # Errors
    /// [`InvalidMailboxName`] says which rule it breaks.
    pub fn parse(name: &str) -> Result<Self, InvalidMailboxName> {
        Self::from_segments(name.split(Self::SEPARATOR))
    }

    /// Puts a name together from its segments.
    ///
    /// # Errors
    /// [`InvalidMailboxName`] says which rule it breaks.
    pub fn from_segments<'a>(segments: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidMailboxName> {
        let mut name = String::new();
        for (depth, segment) in segments.into_iter().enumerate() {
            if segment.is_empty() {
                return Err(InvalidMailboxName::EmptySegment);
            }
            if segment.chars().any(char::is_control) {
                return Err(InvalidMailboxName::ControlCharacter);
            }
            if segment.contains(Self::SEPARATOR) {
                return Err(InvalidMailboxName::Separator);
            }
            if depth >= Self::MAX_DEPTH {
                return Err(InvalidMailboxName::TooDeep);
            }
            if depth > 0 {
                name.push(Self::SEPARATOR);
            }
            if depth == 0 && segment.eq_ignore_ascii_case("INBOX") {
                name.push_str("INBOX");
            } else {
                name.push_str(segment);
            }
            if name.len() > Self::MAX_OCTETS {
                return Err(InvalidMailboxName::TooLong);
            }
        }
        if name.is_empty() { Err(InvalidMailboxName::EmptySegment) } else { Ok(Self(name)) }
    }

    /// The whole name, with [`SEPARATOR`](Self::SEPARATOR) between the segments.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its segments, the root's child first; at least one.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split(Self::SEPARATOR)
    }

    /// Whether it is `INBOX` itself.
    pub fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }

    /// The name one level up, unless this one is at the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once(Self::SEPARATOR).map(|(parent, _)| Self(parent.to_owned()))
    }

    /// The name of a child.
    ///
    /// # Errors
    /// [`InvalidMailboxName`] if the segment or the whole breaks a rule.
    pub fn child(&self, segment: &str) -> Result<Self, InvalidMailboxName> {
        Self::from_segments(self.segments().chain([segment]))
    }

    /// Whether this one is below the other, at any depth.
    pub fn is_below(&self, ancestor: &Self) -> bool {
        self.0.strip_prefix(&ancestor.0).is_some_and(|rest| rest.starts_with(Self::SEPARATOR))
    }

    /// This name with its ancestor's part replaced: what a child is called after its parent was renamed. `None` if it
    /// is not below it.
    ///
    /// # Errors
    /// [`InvalidMailboxName`] if the result is too long or too deep.
    pub fn rebased(&self, from: &Self, to: &Self) -> Option<Result<Self, InvalidMailboxName>> {
        let rest = self.0.strip_prefix(&from.0)?.strip_prefix(Self::SEPARATOR)?;
        Some(Self::from_segments(to.segments().chain(rest.split(Self::SEPARATOR))))
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for MailboxName {
    type Err = InvalidMailboxName;

    fn from_str(name: &str) -> Result<Self, InvalidMailboxName> {
        Self::parse(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_is_case_blind_at_the_root_only() {
        assert!(MailboxName::parse("iNbOx").unwrap().is_inbox());
        assert_eq!(MailboxName::parse("inbox/Work").unwrap().as_str(), "INBOX/Work");
        assert_eq!(MailboxName::parse("Work/inbox").unwrap().as_str(), "Work/inbox");
        assert_eq!(MailboxName::parse("inboxes").unwrap().as_str(), "inboxes");
    }

    #[test]
    fn every_rule_is_kept() {
        use InvalidMailboxName::*;
        for (name, error) in [
            ("", EmptySegment),
            ("/", EmptySegment),
            ("a/", EmptySegment),
            ("/a", EmptySegment),
            ("a//b", EmptySegment),
            ("a\0b", ControlCharacter),
            ("a\r\n* BYE", ControlCharacter),
            ("a\u{7f}", ControlCharacter),
            (&"a/".repeat(40), TooDeep),
            (&"x".repeat(1001), TooLong),
        ] {
            assert_eq!(MailboxName::parse(name), Err(error), "{name:?}");
        }
        assert_eq!(MailboxName::from_segments(["a/b"]), Err(Separator));
        assert!(MailboxName::parse(&"x".repeat(1000)).is_ok());
        assert!(MailboxName::parse("../..").is_ok(), "legal: a store encodes segments");
    }

    #[test]
    fn renaming_a_parent_renames_the_child() {
        let [child, from, to] = ["a/b/c", "a", "x/y"].map(|name| MailboxName::parse(name).unwrap());
        assert!(child.is_below(&from));
        assert_eq!(child.rebased(&from, &to).unwrap().unwrap().as_str(), "x/y/b/c");
        assert!(!MailboxName::parse("ab").unwrap().is_below(&from));
        assert!(from.rebased(&from, &to).is_none());
    }
}
