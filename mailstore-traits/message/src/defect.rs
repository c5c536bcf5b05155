//! What is wrong with a message, or was too much of it: a small set.

use std::fmt;

/// One thing that makes a digest poorer, or that a server may want to know before it passes the message on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Defect {
    /// CR without LF, forbidden in RFC 5322 §2.3. It is not taken for a line end.
    BareCr = 0,
    /// LF without CR, forbidden in RFC 5322 §2.3. It is taken for a line end, as files have it.
    BareLf = 1,
    /// An octet 0, which only obsolete messages have (RFC 5322 §4.1).
    Nul = 2,
    /// An octet above 127 in a header field; RFC 6532 allows it, in UTF-8 and in messages sent with SMTPUTF8.
    EightBitHeader = 3,
    /// An octet above 127 somewhere in the message: it needs 8BITMIME (RFC 6152) or better.
    EightBit = 4,
    /// A line longer than 998 octets and its CRLF (RFC 5322 §2.1.1).
    LongLine = 5,
    /// A line that is neither a field nor empty ended the header; the body begins with it.
    NoHeaderEnd = 6,
    /// A `From ` line, as mbox files have it, stands in the header; it was passed over.
    MboxFrom = 7,
    /// A Content-Type field without `type/subtype`; RFC 2045 §5.2 makes such a part text/plain.
    BadContentType = 8,
    /// A multipart without a boundary parameter that can be looked for (RFC 2046 §5.1.1). It is a leaf.
    NoBoundary = 9,
    /// A multipart whose boundary never came. It is a leaf.
    NoParts = 10,
    /// A multipart without its close delimiter; it ends where its parent or the message ends.
    NoEndBoundary = 11,
    /// A message/rfc822 or message/global part that is base64 or quoted-printable (RFC 2046 §5.2.1 forbids it, RFC 6532
    /// §3.7 allows it for message/global). It is a leaf.
    EncodedMessage = 12,
    /// Deeper than [`Limits::depth`](crate::Limits::depth): this part is a leaf, though its type says otherwise.
    TooDeep = 13,
    /// More parts than [`Limits::parts`](crate::Limits::parts): there are more than are told of.
    TooManyParts = 14,
    /// More kept fields than [`Limits::fields`](crate::Limits::fields) or
    /// [`Limits::fields_octets`](crate::Limits::fields_octets).
    TooManyFields = 15,
    /// More than [`Limits::parameters`](crate::Limits::parameters) in one field.
    TooManyParameters = 16,
    /// A field, a parameter or another value of the header was cut, or left out, at one of the limits.
    HeaderTruncated = 17,
    /// A field of MIME that may be there once stands there again; the first one holds.
    DuplicateField = 18,
}

impl Defect {
    /// Every one, in the order of their numbers.
    pub(crate) const ALL: [Self; 19] = [
        Self::BareCr,
        Self::BareLf,
        Self::Nul,
        Self::EightBitHeader,
        Self::EightBit,
        Self::LongLine,
        Self::NoHeaderEnd,
        Self::MboxFrom,
        Self::BadContentType,
        Self::NoBoundary,
        Self::NoParts,
        Self::NoEndBoundary,
        Self::EncodedMessage,
        Self::TooDeep,
        Self::TooManyParts,
        Self::TooManyFields,
        Self::TooManyParameters,
        Self::HeaderTruncated,
        Self::DuplicateField,
    ];

    /// Whether it is one of octets and lines, or of the fields of a header, and so is to be told of trace fields too.
    pub(crate) const fn is_of_octets(self) -> bool {
        matches!(
            self,
            Self::BareCr
                | Self::BareLf
                | Self::Nul
                | Self::EightBitHeader
                | Self::EightBit
                | Self::LongLine
                | Self::TooManyFields
                | Self::HeaderTruncated
        )
    }

    const fn bit(self) -> u32 {
        1 << self as u8
    }
}

/// A set of [`Defect`]s.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Defects(u32);

impl Defects {
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether this one is among them.
    pub const fn contains(self, defect: Defect) -> bool {
        self.0 & defect.bit() != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Defect> {
        Defect::ALL.into_iter().filter(move |defect| self.contains(*defect))
    }

    pub(crate) fn insert(&mut self, defect: Defect) {
        self.0 |= defect.bit();
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    /// The set of these bits; `None` if one of them has no name.
    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        let known = Defect::ALL.iter().fold(0, |all, defect| all | defect.bit());
        let bits = u32::try_from(bits).ok()?;
        (bits & !known == 0).then_some(Self(bits))
    }
}

impl fmt::Debug for Defects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_into_it_and_survives_as_bits() {
        for defect in Defect::ALL {
            let mut set = Defects::NONE;
            assert!(!set.contains(defect));
            set.insert(defect);
            assert!(set.contains(defect));
            assert_eq!(set.iter().collect::<Vec<_>>(), [defect]);
            assert_eq!(Defects::from_bits(set.bits().into()), Some(set));
        }
    }

    #[test]
    fn bits_without_a_name_are_refused() {
        assert_eq!(Defects::from_bits(1 << 19), None);
        assert_eq!(Defects::from_bits(1 << 40), None);
    }
}
