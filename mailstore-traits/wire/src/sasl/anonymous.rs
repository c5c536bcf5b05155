//! ANONYMOUS (RFC 4505): anybody, and what they leave behind.

use stringprep::tables;

use super::Failure;

/// How many characters a trace may have (RFC 4505 §2: `token = 1*255TCHAR`). The same for one that is an address.
pub const MAX_TRACE: usize = 255;

/// What the client leaves behind, if anything. It proves nothing.
///
/// ```abnf
/// message = [ email / token ]
/// email   = addr-spec
/// token   = 1*255TCHAR        ; any UTF-8 encoded Unicode character except '@'
/// ```
///
/// A trace with an `@` is not parsed as an address any further: nobody may rely on it. It is checked with stringprep's
/// "trace" profile (RFC 4505 §3), so that it has no control character to write a log with (attack rows A8 and I6).
pub(super) fn parse(message: &[u8]) -> Result<Option<String>, Failure> {
    let trace = std::str::from_utf8(message).map_err(|_| Failure::Malformed)?;
    if trace.is_empty() {
        return Ok(None);
    }
    if trace.chars().count() > MAX_TRACE || trace.contains(is_prohibited) || !reads_in_one_direction(trace) {
        return Err(Failure::Malformed);
    }
    Ok(Some(trace.to_owned()))
}

/// RFC 4505 §3, table by table: C.2.1, C.2.2, C.3, C.4, C.5, C.6, C.8, C.9. No mapping, no normalisation.
fn is_prohibited(c: char) -> bool {
    tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::surrogate_code(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

/// RFC 3454 §6.
fn reads_in_one_direction(trace: &str) -> bool {
    !trace.contains(tables::bidi_r_or_al)
        || (!trace.contains(tables::bidi_l)
            && trace.starts_with(tables::bidi_r_or_al)
            && trace.ends_with(tables::bidi_r_or_al))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_4505_section_4() {
        assert_eq!(parse(b"sirhc").unwrap().as_deref(), Some("sirhc"));
        assert_eq!(parse(b"").unwrap(), None);
    }

    #[test]
    fn a_trace_is_kept_as_it_is() {
        for trace in ["ada@example.org", "a b", "\u{2168}\u{ad}", "\u{5d0}\u{5d1}", "\u{1f40e}"] {
            assert_eq!(parse(trace.as_bytes()).unwrap().as_deref(), Some(trace));
        }
    }

    #[test]
    fn a_trace_has_255_characters_at_the_most_of_whatever_size() {
        for character in ["x", "\u{e9}", "\u{1f40e}"] {
            assert!(parse(character.repeat(255).as_bytes()).is_ok());
            assert_eq!(parse(character.repeat(256).as_bytes()), Err(Failure::Malformed));
        }
    }

    #[test]
    fn sec_a8_a_trace_with_control_characters_or_octets_that_are_not_utf8_is_malformed() {
        for bad in ["a\0", "\r\n", "a\nb", "\u{7f}", "\u{85}", "\u{1b}[31m", "\u{202e}x", "\u{e000}", "\u{5d0}a"] {
            assert_eq!(parse(bad.as_bytes()), Err(Failure::Malformed), "{bad:?}");
        }
        assert_eq!(parse(b"\xff"), Err(Failure::Malformed));
        assert_eq!(parse(b"\xed\xa0\x80"), Err(Failure::Malformed));
    }
}
