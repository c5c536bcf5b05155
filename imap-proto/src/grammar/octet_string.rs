//! Strings of octets, most of which are short.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// The octets of a `string` (RFC 9051 §9). Up to 22 of them need no allocation: words of a body structure, names and
/// hosts of an envelope, what is searched for.
#[derive(Clone)]
pub struct OctetString(Repr);

#[derive(Clone)]
enum Repr {
    Short(u8, [u8; SHORT]),
    Long(Box<[u8]>),
}

const SHORT: usize = 22;

impl OctetString {
    /// Them.
    pub fn as_octets(&self) -> &[u8] {
        match &self.0 {
            Repr::Short(length, octets) => octets.get(..usize::from(*length)).unwrap_or_default(),
            Repr::Long(octets) => octets,
        }
    }
}

/// At most 22 octets without an allocation.
#[inline]
fn short(octets: &[u8]) -> Option<Repr> {
    let mut slots = [0; SHORT];
    slots.get_mut(..octets.len())?.copy_from_slice(octets);
    Some(Repr::Short(octets.len() as u8, slots))
}

impl From<&[u8]> for OctetString {
    #[inline]
    fn from(octets: &[u8]) -> Self {
        Self(short(octets).unwrap_or_else(|| Repr::Long(octets.into())))
    }
}

impl From<&str> for OctetString {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

impl From<Vec<u8>> for OctetString {
    fn from(octets: Vec<u8>) -> Self {
        Self(short(&octets).unwrap_or_else(|| Repr::Long(octets.into())))
    }
}

impl From<Box<[u8]>> for OctetString {
    fn from(octets: Box<[u8]>) -> Self {
        octets.into_vec().into()
    }
}

impl Default for OctetString {
    fn default() -> Self {
        Self(Repr::Short(0, [0; SHORT]))
    }
}

impl Deref for OctetString {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_octets()
    }
}

impl AsRef<[u8]> for OctetString {
    fn as_ref(&self) -> &[u8] {
        self.as_octets()
    }
}

impl PartialEq for OctetString {
    fn eq(&self, other: &Self) -> bool {
        self.as_octets() == other.as_octets()
    }
}

impl Eq for OctetString {}

impl Hash for OctetString {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_octets().hash(state);
    }
}

impl fmt::Debug for OctetString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_ones_are_alike() {
        for length in [0, 1, 21, 22, 23, 1000] {
            let octets: Vec<u8> = (0..length).map(|at: usize| at as u8).collect();
            let string = OctetString::from(&octets[..]);
            assert_eq!(&*string, octets);
            assert_eq!(string, OctetString::from(octets.clone()));
            assert_eq!(string, OctetString::from(octets.into_boxed_slice()));
        }
        assert_eq!(OctetString::default(), OctetString::from(""));
        assert_ne!(OctetString::from("a"), OctetString::from("a\0"));
        assert_eq!(format!("{:?}", OctetString::from("a\"\r")), r#""a\"\r""#);
        assert_eq!(size_of::<OctetString>(), 24);
    }
}
