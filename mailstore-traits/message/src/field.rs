//! Header fields (RFC 5322 §2.2, §3.6): where a field's name ends, and which fields a digest keeps or counts.

use std::borrow::Cow;

/// A header field that the digest kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field<'a> {
    /// Its name, in the RFC's own spelling.
    pub name: &'static str,
    /// What stands behind the colon, as it was sent: folded, encoded, without the last line end. It may hold any octet.
    pub value: &'a [u8],
    /// Where the field begins, counted in octets from the first one of the message (the prefix included).
    pub offset: u64,
    /// Whether `value` is only the first octets of it. The whole is to be had from the message, at `offset`.
    pub truncated: bool,
}

/// What becomes of a field whose name is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// ENVELOPE needs it: kept for the message and for each embedded one.
    Envelope,
    /// Kept for the message itself.
    Top,
    /// Only counted.
    Count,
}

/// The names that a digest knows. The place of a name in this table is its number in the encoded digest, so that the
/// table may only change together with [`DIGEST_VERSION`](crate::DIGEST_VERSION).
pub(crate) const KNOWN: [(&str, Keep); 26] = [
    ("Date", Keep::Envelope),
    ("Subject", Keep::Envelope),
    ("From", Keep::Envelope),
    ("Sender", Keep::Envelope),
    ("Reply-To", Keep::Envelope),
    ("To", Keep::Envelope),
    ("Cc", Keep::Envelope),
    ("Bcc", Keep::Envelope),
    ("In-Reply-To", Keep::Envelope),
    ("Message-ID", Keep::Envelope),
    ("References", Keep::Top),
    ("List-Id", Keep::Top),
    ("Return-Path", Keep::Top),
    ("Delivered-To", Keep::Top),
    ("Auto-Submitted", Keep::Top),
    ("Precedence", Keep::Top),
    ("Received", Keep::Count),
    ("Resent-Date", Keep::Count),
    ("Resent-From", Keep::Count),
    ("Resent-To", Keep::Count),
    ("Resent-Message-ID", Keep::Count),
    ("MIME-Version", Keep::Count),
    ("Content-Type", Keep::Count),
    ("Authentication-Results", Keep::Count),
    ("DKIM-Signature", Keep::Count),
    ("List-Unsubscribe", Keep::Count),
];

/// The number of a known name.
pub(crate) fn known(name: &[u8]) -> Option<(u8, Keep)> {
    // Most names in a header are none of these, and few of these are as long as one another.
    let &candidates = BY_LENGTH.get(name.len())?;
    let mut left = candidates;
    while left != 0 {
        let index = left.trailing_zeros();
        let (known, keep) = KNOWN.get(index as usize)?;
        // Nearly every one is spelled as in the RFC.
        if known.as_bytes() == name || known.as_bytes().eq_ignore_ascii_case(name) {
            return Some((u8::try_from(index).ok()?, *keep));
        }
        left &= left.wrapping_sub(1);
    }
    None
}

/// For each length the known names that have it, a bit for each.
const BY_LENGTH: [u32; 23] = {
    let mut lengths = [0; 23];
    let mut index = 0;
    while index < KNOWN.len() {
        #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which refuses what is out of bounds")]
        {
            lengths[KNOWN[index].0.len()] |= 1 << index;
        }
        index += 1;
    }
    lengths
};

/// Cuts a field at its colon: its name, and what stands behind the colon without the last line end. `None` if this is
/// no field: `field-name = 1*ftext`, and in obsolete messages white space before the colon (RFC 5322 §3.6.8, §4.5.8).
pub(crate) fn split(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = field.split_at_checked(memchr::memchr(b':', field)?)?;
    let name = name.trim_ascii_end();
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let value = value.get(1..).unwrap_or_default();
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    Some((name, value.strip_suffix(b"\r").unwrap_or(value)))
}

/// A value on one line: folding undone (RFC 5322 §2.2.3), without white space at its ends.
pub(crate) fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_cut_at_its_colon() {
        for (line, expected) in [
            (&b"Subject: hello\r\n"[..], Some((&b"Subject"[..], &b" hello"[..]))),
            (b"Subject:\n", Some((b"Subject", b""))),
            (b"Subject : old\r\n", Some((b"Subject", b" old"))),
            (b"Subject\t:x", Some((b"Subject", b"x"))),
            (b"X: a\r\n b\r\n", Some((b"X", b" a\r\n b"))),
            (b"X: a: b\r\n", Some((b"X", b" a: b"))),
            (b": no name\r\n", None),
            (b"no colon\r\n", None),
            (b"two words: x\r\n", None),
            (b"caf\xc3\xa9: x\r\n", None),
            (b"", None),
        ] {
            assert_eq!(split(line), expected, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn names_are_known_in_any_case() {
        assert_eq!(known(b"DATE"), Some((0, Keep::Envelope)));
        assert_eq!(known(b"received"), Some((16, Keep::Count)));
        for unknown in [&b"X-Mailer"[..], b"", b"Dote", b"a name that is longer than any of those that are known"] {
            assert_eq!(known(unknown), None);
        }
        for (number, (name, keep)) in KNOWN.iter().enumerate() {
            assert_eq!(known(name.to_uppercase().as_bytes()), Some((number as u8, *keep)));
        }
    }

    #[test]
    fn unfolding_takes_line_ends_and_outer_white_space_away() {
        assert_eq!(&*unfold(b"  a\r\n\t b \r\n "), b"a\t b");
        assert_eq!(&*unfold(b" \t \r\n"), b"");
    }
}
