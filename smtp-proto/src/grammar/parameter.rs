//! RFC 5321 §4.1.2, `esmtp-param`: what MAIL and RCPT carry behind the path.

use std::fmt;

use mail_wire::octet_set::OctetSet;
use smol_str::SmolStr;

use super::{Parsed, fail, parsed_type, utf8};
use crate::error::ParseErrorKind;

/// The name of a parameter or of an extension, in upper case.
///
/// ```abnf
/// esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Keyword(SmolStr);

impl Keyword {
    /// In upper case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

parsed_type!(Keyword, ParseErrorKind::Parameter, keyword);

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The value of a parameter: 1 or more octets of printable ASCII but `=`, or of UTF-8 (RFC 6531 §3.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ParameterValue(SmolStr);

impl ParameterValue {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

parsed_type!(ParameterValue, ParseErrorKind::ParameterValue, parameter_value);

impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A parameter that this crate does not know and the host has registered
/// ([`Dialect::mail_parameters`](crate::command::Dialect::mail_parameters)).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ExtraParameter {
    /// Its name.
    pub keyword: Keyword,
    /// Its value, if it has one.
    pub value: Option<ParameterValue>,
}

impl ExtraParameter {
    /// A parameter of that name and value.
    pub fn new(keyword: Keyword, value: Option<ParameterValue>) -> Self {
        Self { keyword, value }
    }
}

impl fmt::Display for ExtraParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.keyword),
            None => self.keyword.fmt(f),
        }
    }
}

/// A parameter where it stands in its line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter<'a> {
    keyword: &'a [u8],
    /// What stands behind the `=`.
    pub(crate) value: Option<&'a str>,
}

impl Parameter<'_> {
    /// Whether that is its name; `name` is in upper case.
    pub(crate) fn is(&self, name: &Keyword) -> bool {
        self.keyword.eq_ignore_ascii_case(name.as_str().as_bytes())
    }

    /// Its name in upper case, if it is no longer than any that means something here; nothing otherwise.
    pub(crate) fn upper(&self) -> Upper {
        let (mut octets, mut length) = ([0; LONGEST], 0);
        if let Some(slot) = octets.get_mut(..self.keyword.len()) {
            slot.copy_from_slice(self.keyword);
            slot.make_ascii_uppercase();
            length = self.keyword.len();
        }
        Upper { octets, length }
    }

    /// Its name, to be kept.
    pub(crate) fn keyword(&self) -> Keyword {
        Keyword(std::str::from_utf8(self.keyword).unwrap_or_default().to_ascii_uppercase().into())
    }

    /// All of it, to be kept.
    pub(crate) fn to_extra(self) -> ExtraParameter {
        ExtraParameter { keyword: self.keyword(), value: self.value.map(|value| ParameterValue(value.into())) }
    }
}

/// MT-PRIORITY is the longest one.
const LONGEST: usize = 11;

/// A name in upper case.
pub(crate) struct Upper {
    octets: [u8; LONGEST],
    length: usize,
}

impl Upper {
    pub(crate) fn as_octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

/// `SP esmtp-param`, with an end behind it.
pub(crate) fn parameter(input: &[u8]) -> Parsed<'_, Parameter<'_>> {
    let [b' ', rest @ ..] = input else { return fail(input, ParseErrorKind::Parameter) };
    let (rest, keyword) = keyword_octets(rest)?;
    let (rest, value) = match rest {
        [b'=', value @ ..] => match value_text(value) {
            Ok((rest, value)) => (rest, Some(value)),
            // There it is still a parameter without a value, and an octet that has no place behind it.
            Err(_) => return fail(rest, ParseErrorKind::ParameterValue),
        },
        _ => (rest, None),
    };
    match rest {
        [] | [b' ', ..] => Ok((rest, Parameter { keyword, value })),
        _ => fail(rest, ParseErrorKind::ParameterValue),
    }
}

static KEYWORD: OctetSet = OctetSet::ALPHANUMERIC.with(b"-");
static VALUE: OctetSet = OctetSet::GRAPHIC.without(b"=").or(&OctetSet::BEYOND_ASCII);

fn keyword_octets(input: &[u8]) -> Parsed<'_, &[u8]> {
    match KEYWORD.split(input) {
        ([] | [b'-', ..], _) => fail(input, ParseErrorKind::Parameter),
        (keyword, rest) => Ok((rest, keyword)),
    }
}

fn keyword(input: &[u8]) -> Parsed<'_, Keyword> {
    keyword_octets(input).map(|(rest, keyword)| (rest, Parameter { keyword, value: None }.keyword()))
}

fn value_text(input: &[u8]) -> Parsed<'_, &str> {
    let (octets, rest) = VALUE.split(input);
    let text = utf8(input, octets)?;
    // UTF-8 has controls of its own.
    if text.is_empty() || !text.is_ascii() && text.chars().any(char::is_control) {
        return fail(input, ParseErrorKind::ParameterValue);
    }
    Ok((rest, text))
}

fn parameter_value(input: &[u8]) -> Parsed<'_, ParameterValue> {
    value_text(input).map(|(rest, text)| (rest, ParameterValue(text.into())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::whole;

    #[test]
    fn known_answers() {
        for (octets, written) in [
            (&b" size=1"[..], "SIZE=1"),
            (b" X-y", "X-Y"),
            (b" BODY=8bitmime", "BODY=8bitmime"),
            (b" 1=a,b;c", "1=a,b;c"),
        ] {
            let parameter = whole(ParseErrorKind::Parameter, octets, parameter).unwrap();
            assert_eq!(parameter.to_extra().to_string(), written);
        }
        for (octets, kind, offset) in [
            (&b""[..], ParseErrorKind::Parameter, 0),
            (b"SIZE=1", ParseErrorKind::Parameter, 0),
            (b" ", ParseErrorKind::Parameter, 1),
            (b"  A", ParseErrorKind::Parameter, 1),
            (b" -A", ParseErrorKind::Parameter, 1),
            (b" A=", ParseErrorKind::ParameterValue, 2),
            (b" A=b=c", ParseErrorKind::ParameterValue, 4),
            (b" A=\x7f", ParseErrorKind::ParameterValue, 2),
            (b" A=b\tC", ParseErrorKind::ParameterValue, 4),
        ] {
            let error = whole(ParseErrorKind::Parameter, octets, parameter).unwrap_err();
            assert_eq!((error.kind, error.offset), (kind, offset), "{}", octets.escape_ascii());
        }
    }
}
