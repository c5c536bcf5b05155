//! Which octets a word may have (RFC 9051 §9): a table that is looked up once an octet.

/// A set of octets.
#[derive(Clone, Copy)]
pub(crate) struct Class(u8);

impl Class {
    /// ATOM-CHAR: printable ASCII without `( ) { % * " \ ]` and the space.
    pub(crate) const ATOM: Self = Self(1);
    /// ASTRING-CHAR: an ATOM-CHAR or `]`.
    pub(crate) const ASTRING: Self = Self(2);
    /// list-char: an ASTRING-CHAR or a wildcard.
    pub(crate) const LIST: Self = Self(4);
    /// What a tag is made of: an ASTRING-CHAR but `+`.
    pub(crate) const TAG: Self = Self(8);
    /// A digit.
    pub(crate) const DIGIT: Self = Self(16);
    /// A letter, a digit or `.`: the names of what FETCH tells.
    pub(crate) const ITEM: Self = Self(32);
    /// What stands in a quoted string as it is: seven bits without CR, LF, NUL, `"` and `\`.
    pub(crate) const QUOTED: Self = Self(64);
    /// ftext, what a field's name is made of (RFC 5322 §3.6.8): printable ASCII but the colon.
    pub(crate) const FIELD_NAME: Self = Self(128);

    /// What is in both.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has that octet.
    #[inline]
    pub(crate) const fn has(self, octet: u8) -> bool {
        classes_of(octet) & self.0 == self.0
    }

    /// Whether it has all of them. Words are short: that nothing branches in between is worth more than to stop early.
    #[inline]
    pub(crate) fn has_all(self, octets: &[u8]) -> bool {
        octets.iter().fold(self.0, |all, &octet| all & classes_of(octet)) == self.0
    }

    /// How many octets at the front it has.
    #[inline]
    pub(crate) fn span(self, octets: &[u8]) -> usize {
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
    pub(crate) fn split(self, octets: &[u8]) -> (&[u8], &[u8]) {
        octets.split_at_checked(self.span(octets)).unwrap_or((octets, &[]))
    }
}

#[inline]
const fn classes_of(octet: u8) -> u8 {
    #[allow(clippy::indexing_slicing)] // The table has a place for every octet.
    CLASSES[octet as usize]
}

static CLASSES: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut octet = 0u8;
    loop {
        let special = matches!(octet, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']');
        let graphic = octet.is_ascii_graphic();
        let astring = graphic && !special || octet == b']';
        let mut classes = 0;
        if graphic && !special {
            classes |= Class::ATOM.0;
        }
        if astring {
            classes |= Class::ASTRING.0;
        }
        if astring || matches!(octet, b'%' | b'*') {
            classes |= Class::LIST.0;
        }
        if astring && octet != b'+' {
            classes |= Class::TAG.0;
        }
        if octet.is_ascii_digit() {
            classes |= Class::DIGIT.0;
        }
        if octet.is_ascii_alphanumeric() || octet == b'.' {
            classes |= Class::ITEM.0;
        }
        if octet.is_ascii() && !matches!(octet, 0 | b'\r' | b'\n' | b'"' | b'\\') {
            classes |= Class::QUOTED.0;
        }
        if graphic && octet != b':' {
            classes |= Class::FIELD_NAME.0;
        }
        #[allow(clippy::indexing_slicing)] // The table has a place for every octet.
        {
            table[octet as usize] = classes;
        }
        if octet == u8::MAX {
            break table;
        }
        octet += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    fn members(class: Class) -> String {
        (0..=u8::MAX).filter(|&octet| class.has(octet)).map(char::from).collect()
    }

    #[test]
    fn each_class_is_what_the_grammar_says() {
        const ATOM: &str = "!#$&'+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[^_`abcdefghijklmnopqrstuvwxyz|}~";
        assert_eq!(members(Class::ATOM), ATOM);
        assert_eq!(members(Class::ASTRING), ATOM.replace("[^", "[]^"));
        assert_eq!(members(Class::LIST), ATOM.replace("[^", "[]^").replace("$&", "$%&").replace("'+", "'*+"));
        assert_eq!(members(Class::TAG), ATOM.replace("[^", "[]^").replace('+', ""));
        assert_eq!(members(Class::DIGIT), "0123456789");
        assert_eq!(members(Class::ITEM), ".0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
        let printable: String = ('!'..='~').collect();
        assert_eq!(members(Class::FIELD_NAME), printable.replace(':', ""));
        let seven_bits: String = ('\0'..='\x7f').collect();
        assert_eq!(members(Class::QUOTED), seven_bits.replace(['\0', '\r', '\n', '"', '\\'], ""));
    }

    #[test]
    fn what_is_at_the_front_is_split_off() {
        assert_eq!(Class::ATOM.split(b"abc def"), (&b"abc"[..], &b" def"[..]));
        assert_eq!(Class::ATOM.split(b"abc"), (&b"abc"[..], &b""[..]));
        assert_eq!(Class::DIGIT.split(b"abc"), (&b""[..], &b"abc"[..]));
    }
}
