//! Which octets a word may have: a table that is looked up once an octet.

/// A set of octets.
///
/// ```
/// use mail_wire::octet_set::OctetSet;
///
/// static HEX: OctetSet = OctetSet::of(b"0123456789abcdef").with_range(b'A', b'F');
/// assert_eq!(HEX.split(b"C0ffee!"), (&b"C0ffee"[..], &b"!"[..]));
/// static LOWER: OctetSet = OctetSet::range(b'a', b'f').with(b"0123456789");
/// assert!(LOWER.has_all(b"c0ffee") && !HEX.has(b'g'));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct OctetSet([bool; 256]);

impl OctetSet {
    /// Printable ASCII without the space.
    pub const GRAPHIC: Self = Self::range(b'!', b'~');
    /// ASCII's letters and digits.
    pub const ALPHANUMERIC: Self = Self::range(b'0', b'9').with_range(b'A', b'Z').with_range(b'a', b'z');
    /// What is not ASCII.
    pub const BEYOND_ASCII: Self = Self::range(0x80, 0xff);

    /// These.
    pub const fn of(octets: &[u8]) -> Self {
        Self([false; 256]).with(octets)
    }

    /// From the one to the other, both with it.
    pub const fn range(first: u8, last: u8) -> Self {
        Self([false; 256]).with_range(first, last)
    }

    /// And these.
    pub const fn with(self, octets: &[u8]) -> Self {
        self.set(octets, true)
    }

    /// Without these.
    pub const fn without(self, octets: &[u8]) -> Self {
        self.set(octets, false)
    }

    /// And from the one to the other, both with it.
    pub const fn with_range(mut self, first: u8, last: u8) -> Self {
        let mut octet = first;
        while octet <= last {
            #[allow(clippy::indexing_slicing)] // There is a place for every octet.
            {
                self.0[octet as usize] = true;
            }
            if octet == u8::MAX {
                break;
            }
            octet += 1;
        }
        self
    }

    /// And what is in that one.
    pub const fn or(mut self, other: &Self) -> Self {
        let mut at = 0;
        while at < 256 {
            #[allow(clippy::indexing_slicing)] // There is a place for every octet.
            {
                self.0[at] |= other.0[at];
            }
            at += 1;
        }
        self
    }

    const fn set(mut self, octets: &[u8], is_in: bool) -> Self {
        let mut at = 0;
        while at < octets.len() {
            #[allow(clippy::indexing_slicing)] // Within both.
            {
                self.0[octets[at] as usize] = is_in;
            }
            at += 1;
        }
        self
    }

    /// Whether it has that octet.
    #[inline]
    pub const fn has(&self, octet: u8) -> bool {
        #[allow(clippy::indexing_slicing)] // There is a place for every octet.
        self.0[octet as usize]
    }

    /// Whether it has all of them. Words are short: that nothing branches in between is worth more than to stop early.
    #[inline]
    pub fn has_all(&self, octets: &[u8]) -> bool {
        octets.iter().fold(true, |all, &octet| all & self.has(octet))
    }

    /// How many octets at the front it has.
    #[inline]
    pub fn span(&self, octets: &[u8]) -> usize {
        let mut length = 0;
        while let Some(&octet) = octets.get(length)
            && self.has(octet)
        {
            length += 1;
        }
        length
    }

    /// The octets at the front that it has, and the rest.
    #[inline]
    pub fn split<'a>(&self, octets: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        octets.split_at_checked(self.span(octets)).unwrap_or((octets, &[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_it_was_given() {
        let members = |set: OctetSet| (0..=u8::MAX).filter(|&octet| set.has(octet)).collect::<Vec<_>>();
        assert_eq!(members(OctetSet::range(250, 255)), [250, 251, 252, 253, 254, 255]);
        assert_eq!(members(OctetSet::range(b'a', b'e').without(b"bd").with(b"x")), b"acex");
        assert_eq!(members(OctetSet::of(b"b").or(&OctetSet::of(b"a"))), b"ab");
        assert_eq!(members(OctetSet::ALPHANUMERIC).len(), 62);
        assert_eq!(members(OctetSet::GRAPHIC).len(), 94);
    }

    #[test]
    fn what_is_at_the_front_is_split_off() {
        static A: OctetSet = OctetSet::of(b"a");
        assert_eq!(A.split(b"aab"), (&b"aa"[..], &b"b"[..]));
        assert_eq!(A.split(b"aa"), (&b"aa"[..], &b""[..]));
        assert_eq!(A.split(b"b"), (&b""[..], &b"b"[..]));
        assert!(A.has_all(b"aaa") && A.has_all(b"") && !A.has_all(b"aba"));
    }
}
