//! RFC 3461 §4, `xtext`: any octets as a parameter's value.

use std::fmt;

use super::{Parsed, fail, parsed_type};
use crate::error::ParseErrorKind;

/// Octets that stand in a parameter's value as xtext. It holds them decoded; its `Display` encodes them.
///
/// ```abnf
/// xtext   = *( xchar / hexchar )
/// xchar   = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+" and "=".
/// hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Xtext(Vec<u8>);

impl Xtext {
    /// Any octets.
    pub fn from_octets(octets: impl Into<Vec<u8>>) -> Self {
        Self(octets.into())
    }

    /// The octets that it stands for.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

parsed_type!(Xtext, ParseErrorKind::Xtext, xtext);

impl fmt::Display for Xtext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &octet in &self.0 {
            match octet {
                b'+' | b'=' => write!(f, "+{octet:02X}")?,
                33..=126 => write!(f, "{}", char::from(octet))?,
                _ => write!(f, "+{octet:02X}")?,
            }
        }
        Ok(())
    }
}

fn xtext(mut input: &[u8]) -> Parsed<'_, Xtext> {
    let mut octets = Vec::new();
    loop {
        match input {
            [b'+', high, low, rest @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    octets.push(high << 4 | low);
                    input = rest;
                }
                _ => return fail(input, ParseErrorKind::Xtext),
            },
            [b'+', ..] => return fail(input, ParseErrorKind::Xtext),
            [octet @ (33..=60 | 62..=126), rest @ ..] => {
                octets.push(*octet);
                input = rest;
            }
            _ => return Ok((input, Xtext(octets))),
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_answers() {
        for (text, octets) in [("", &b""[..]), ("a@b", b"a@b"), ("e+3Dmc2", b"e=mc2"), ("+2B+00+FF", b"+\0\xff")] {
            let parsed: Xtext = text.parse().expect(text);
            assert_eq!((parsed.octets(), parsed.to_string().as_str()), (octets, text));
        }
        for text in ["+", "+2", "+2b", "+XY", "a b", "a=b", "ä"] {
            assert!(text.parse::<Xtext>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_come_back(octets: Vec<u8>) {
            let text = Xtext::from_octets(octets.clone()).to_string();
            let parsed: Xtext = text.parse().unwrap();
            prop_assert_eq!(parsed.octets(), &octets[..]);
        }
    }
}
