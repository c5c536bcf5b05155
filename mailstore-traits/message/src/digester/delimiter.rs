//! Delimiter lines (RFC 2046 §5.1.1): `"--" boundary ["--"] *LWSP-char` and the line end, and nothing else.
//!
//! Of two boundaries of which one begins with the other, only a comparison of the whole line tells them apart, although
//! the RFC calls it sufficient that the line begins with the boundary.

/// What a delimiter line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delimiter {
    /// The next part begins.
    Next,
    /// There is no further part.
    Close,
}

/// What became of a line's octets that found no room any more. Padding may be of any length; only its kind is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Overflow {
    /// There were none.
    #[default]
    None,
    /// Spaces and tabs.
    Padding,
    /// These, then CR.
    Cr,
    /// The line end.
    Ended,
    /// Anything else: whatever the line is, it is no delimiter.
    Text,
}

impl Overflow {
    /// Takes the next octets of the line. `last` is the last octet that found room.
    pub(super) fn take(&mut self, last: Option<u8>, octets: &[u8]) {
        for octet in octets {
            let cr = *self == Self::Cr || (*self == Self::None && last == Some(b'\r'));
            *self = match octet {
                b'\n' if !matches!(self, Self::Ended | Self::Text) => Self::Ended,
                b' ' | b'\t' if !cr && !matches!(self, Self::Ended | Self::Text) => Self::Padding,
                b'\r' if !cr && !matches!(self, Self::Ended | Self::Text) => Self::Cr,
                _ => Self::Text,
            };
            if *self == Self::Text {
                break;
            }
        }
    }
}

/// What stands between the two hyphens and the padding, if the line may be a delimiter at all.
pub(super) fn candidate(line: &[u8], overflow: Overflow) -> Option<&[u8]> {
    let line = line.strip_prefix(b"--")?;
    if overflow == Overflow::Text {
        return None;
    }
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let padding = line.iter().rev().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    line.get(..line.len().saturating_sub(padding))
}

/// Whether a candidate is the delimiter of this boundary.
pub(super) fn delimits(candidate: &[u8], boundary: &[u8]) -> Option<Delimiter> {
    match candidate.strip_prefix(boundary)? {
        b"" => Some(Delimiter::Next),
        b"--" => Some(Delimiter::Close),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(line: &[u8], boundary: &[u8]) -> Option<Delimiter> {
        delimits(candidate(line, Overflow::None)?, boundary)
    }

    #[test]
    fn a_delimiter_line_is_matched_whole() {
        for (octets, expected) in [
            (&b"--b\r\n"[..], Some(Delimiter::Next)),
            (b"--b\n", Some(Delimiter::Next)),
            (b"--b", Some(Delimiter::Next)),
            (b"--b \t \r\n", Some(Delimiter::Next)),
            (b"--b--\r\n", Some(Delimiter::Close)),
            (b"--b-- \r\n", Some(Delimiter::Close)),
            (b"--b-\r\n", None),
            (b"--b--x\r\n", None),
            (b"--b --\r\n", None),
            (b"--b\r\r\n", None),
            (b"--bc\r\n", None),
            (b"--B\r\n", None),
            (b"-- b\r\n", None),
            (b"-b\r\n", None),
            (b"b\r\n", None),
        ] {
            assert_eq!(line(octets, b"b"), expected, "{}", octets.escape_ascii());
        }
    }

    #[test]
    fn overflow_may_be_padding_and_a_line_end() {
        for (last, octets, expected) in [
            (b'x', &b" \t\r\n"[..], Overflow::Ended),
            (b'\r', b"\n", Overflow::Ended),
            (b'\r', b" \n", Overflow::Text),
            (b' ', b" \r \n", Overflow::Text),
            (b' ', b"  x\n", Overflow::Text),
            (b' ', b"  ", Overflow::Padding),
        ] {
            let mut whole = Overflow::None;
            whole.take(Some(last), octets);
            assert_eq!(whole, expected, "{}", octets.escape_ascii());
            let mut pieces = Overflow::None;
            octets.chunks(1).for_each(|piece| pieces.take(Some(last), piece));
            assert_eq!(pieces, expected, "{}", octets.escape_ascii());
        }
    }
}
