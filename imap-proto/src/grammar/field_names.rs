//! The names of header fields that a section picks (RFC 9051 §6.4.5.1).

use std::fmt;

use super::class;

/// Names of header fields, as they were written: at least one. They stand in one piece of memory, however many they are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FieldNames(Box<str>);

impl FieldNames {
    /// Takes names (RFC 5322 §3.6.8: printable ASCII without the colon). `None` if there is none, or if one is no name.
    pub fn new<N: AsRef<str>>(names: impl IntoIterator<Item = N>) -> Option<Self> {
        let mut joined = String::new();
        for name in names {
            push(&mut joined, name.as_ref().as_bytes())?;
        }
        Self::joined(joined)
    }

    /// At the most so many names that are atoms, with one space between them. `None` if they are something else.
    pub(crate) fn of_atoms(joined: &[u8], most: usize) -> Option<Self> {
        if !class::FIELD_NAME_ATOMS.has_all(joined) {
            return None;
        }
        let (mut count, mut begin) = (0, 0);
        for end in memchr::memchr_iter(b' ', joined).chain([joined.len()]) {
            if begin >= end {
                return None;
            }
            begin = end + 1;
            count += 1;
        }
        (count <= most).then_some(Self(std::str::from_utf8(joined).ok()?.into()))
    }

    /// Names with one space after each of them.
    pub(crate) fn joined(mut joined: String) -> Option<Self> {
        joined.pop().map(|_| Self(joined.into()))
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ')
    }
}

/// Adds a name and a space. `None` if it is no name.
pub(crate) fn push(joined: &mut String, name: &[u8]) -> Option<()> {
    if name.is_empty() || !class::FIELD_NAME.has_all(name) {
        return None;
    }
    joined.push_str(std::str::from_utf8(name).ok()?);
    joined.push(' ');
    Some(())
}

impl fmt::Debug for FieldNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were_written() {
        let names = FieldNames::new(["From", "message-ID", "x"]).unwrap();
        assert_eq!(names.iter().collect::<Vec<_>>(), ["From", "message-ID", "x"]);
        assert_eq!(format!("{names:?}"), r#"["From", "message-ID", "x"]"#);
        for none in [&[][..], &[""], &["a", ""], &["a b"], &["a:"], &["é"], &["a\r\n"]] {
            assert_eq!(FieldNames::new(none), None, "{none:?}");
        }
    }
}
