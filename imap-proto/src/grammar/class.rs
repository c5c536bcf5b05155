//! Which octets a word may have (RFC 9051 §9).

use mail_wire::octet_set::OctetSet;

/// ATOM-CHAR: printable ASCII without `( ) { % * " \ ]` and the space.
pub(crate) static ATOM: OctetSet = OctetSet::GRAPHIC.without(br#"(){%*"\]"#);
/// ASTRING-CHAR: an ATOM-CHAR or `]`.
pub(crate) static ASTRING: OctetSet = OctetSet::GRAPHIC.without(br#"(){%*"\"#);
/// list-char: an ASTRING-CHAR or a wildcard.
pub(crate) static LIST: OctetSet = OctetSet::GRAPHIC.without(br#"(){"\"#);
/// What a tag is made of: an ASTRING-CHAR but `+`.
pub(crate) static TAG: OctetSet = OctetSet::GRAPHIC.without(br#"(){%*"\+"#);
/// What flags and attributes are made of where a server tells them, a backslash and `\*` among them.
pub(crate) static WORD: OctetSet = OctetSet::GRAPHIC.without(b"()");
/// A digit.
pub(crate) static DIGIT: OctetSet = OctetSet::range(b'0', b'9');
/// A letter, a digit or `.`: the names of what FETCH tells.
pub(crate) static ITEM: OctetSet = OctetSet::ALPHANUMERIC.with(b".");
/// What stands in a quoted string as it is: seven bits without CR, LF, NUL, `"` and `\`.
pub(crate) static QUOTED: OctetSet = OctetSet::range(1, 127).without(b"\r\n\"\\");
/// What stands for itself in modified UTF-7 (RFC 3501 §5.1.3).
pub(crate) static UTF7_PLAIN: OctetSet = OctetSet::range(b' ', b'~').without(b"&");
/// ftext, what a field's name is made of (RFC 5322 §3.6.8): printable ASCII but the colon.
pub(crate) static FIELD_NAME: OctetSet = OctetSet::GRAPHIC.without(b":");
/// Names of fields that are each an `astring` without quotes, and the spaces between them.
pub(crate) static FIELD_NAME_ATOMS: OctetSet = OctetSet::GRAPHIC.without(br#"(){%*"\:"#).with(b" ");

#[cfg(test)]
mod tests {
    use super::*;

    fn members(class: OctetSet) -> String {
        (0..=u8::MAX).filter(|&octet| class.has(octet)).map(char::from).collect()
    }

    #[test]
    fn each_class_is_what_the_grammar_says() {
        const ATOMS: &str = "!#$&'+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[^_`abcdefghijklmnopqrstuvwxyz|}~";
        assert_eq!(members(ATOM), ATOMS);
        assert_eq!(members(ASTRING), ATOMS.replace("[^", "[]^"));
        assert_eq!(members(LIST), ATOMS.replace("[^", "[]^").replace("$&", "$%&").replace("'+", "'*+"));
        assert_eq!(members(TAG), ATOMS.replace("[^", "[]^").replace('+', ""));
        let printable: String = ('!'..='~').collect();
        assert_eq!(members(WORD), printable.replace(['(', ')'], ""));
        assert_eq!(members(DIGIT), "0123456789");
        assert_eq!(members(ITEM), ".0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
        assert_eq!(members(FIELD_NAME), printable.replace(':', ""));
        assert_eq!(members(UTF7_PLAIN), format!(" {}", printable.replace('&', "")));
        let seven_bits: String = ('\0'..='\x7f').collect();
        assert_eq!(members(QUOTED), seven_bits.replace(['\0', '\r', '\n', '"', '\\'], ""));
    }
}
