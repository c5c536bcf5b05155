//! Strings of octets, most of which are short.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, Range};

/// The octets of a `string` (RFC 9051 §9). Up to 22 of them need no allocation: words of a body structure, names and
/// hosts of an envelope, what is searched for.
#[derive(Clone)]
pub struct OctetString(Repr);

#[derive(Clone)]
enum Repr {
    Short(u8, [u8; SHORT]),
    Long(Box<[u8]>),
}

/// Octets that need no allocation.
pub(crate) const SHORT: usize = 22;

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

/// Slots as three numbers, the octet in front the smallest part of each: six, eight and eight, which is how they stand in
/// memory behind a tag and a length.
#[inline]
fn words(slots: &[u8; SHORT]) -> [u64; 3] {
    let word = |from: usize| {
        let octets = slots.get(from..).and_then(|octets| octets.first_chunk());
        octets.map_or(0, |octets| u64::from_le_bytes(*octets))
    };
    [word(0) & 0xffff_ffff_ffff, word(6), word(14)]
}

static MASKS: [[u64; 3]; SHORT + 1] = masks([0, 6, 14]);

/// For each length, ones where a short string has octets, in words of eight that begin there.
pub(super) const fn masks([first, second, third]: [usize; 3]) -> [[u64; 3]; SHORT + 1] {
    const fn ones(length: usize, from: usize) -> u64 {
        match length.saturating_sub(from) {
            octets @ 0..8 => (1 << (8 * octets)) - 1,
            _ => u64::MAX,
        }
    }
    let mut masks = [[0; 3]; SHORT + 1];
    let mut length = 0;
    while length <= SHORT {
        #[allow(clippy::indexing_slicing)] // Within it.
        {
            masks[length] = [ones(length, first), ones(length, second), ones(length, third)];
        }
        length += 1;
    }
    masks
}

impl OctetString {
    /// So many octets at the front of those. A copy of 22 octets whose end is wiped takes a few instructions, and one of a
    /// length that is not known takes a call.
    #[inline]
    pub(crate) fn at_front(octets: &[u8], length: usize) -> Self {
        match (octets.first_chunk::<SHORT>(), MASKS.get(length)) {
            (Some(front), Some(masks)) => {
                let ([word, middle, last], [mask, middle_mask, last_mask]) = (words(front), masks);
                let (word, middle, last) = (word & mask, middle & middle_mask, last & last_mask);
                let mut slots = [0; SHORT];
                let mut place = |range: Range<usize>, octets: &[u8]| {
                    slots.get_mut(range).into_iter().for_each(|slots| slots.copy_from_slice(octets));
                };
                // Nothing is written twice, and all as it is read next: what is in two parts would be waited for.
                place(0..4, &(word as u32).to_le_bytes());
                place(4..6, &((word >> 32) as u16).to_le_bytes());
                place(6..14, &middle.to_le_bytes());
                place(14..22, &last.to_le_bytes());
                Self(Repr::Short(length as u8, slots))
            }
            _ => octets.get(..length).unwrap_or_default().into(),
        }
    }

    /// A short one's octets with zeros behind them, and how many there are.
    #[inline]
    pub(crate) fn as_short(&self) -> Option<(&[u8; SHORT], usize)> {
        match &self.0 {
            Repr::Short(length, octets) => Some((octets, usize::from(*length))),
            Repr::Long(_) => None,
        }
    }
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
        let octets: Vec<u8> = (1..=60).collect();
        for (room, length) in (0..60).flat_map(|room| (0..=room).map(move |length| (room, length))) {
            let front = OctetString::at_front(&octets[..room], length);
            assert_eq!(&*front, &octets[..length]);
            // Nothing of what stood behind it is kept.
            assert!(front.as_short().is_none_or(|(slots, length)| slots[length..].iter().all(|&slot| slot == 0)));
        }
        assert_eq!(OctetString::default(), OctetString::from(""));
        assert_ne!(OctetString::from("a"), OctetString::from("a\0"));
        assert_eq!(format!("{:?}", OctetString::from("a\"\r")), r#""a\"\r""#);
        assert_eq!(size_of::<OctetString>(), 24);
    }
}
