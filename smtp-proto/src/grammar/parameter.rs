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

/// The most parameters of a command. All that are registered are fewer; each costs more memory than it has octets.
const MOST: usize = 32;

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

/// `*(SP esmtp-param)`, each once, and not without end.
pub(crate) fn parameters(input: &[u8]) -> Parsed<'_, Vec<Parameter<'_>>> {
    let mut parameters: Vec<Parameter<'_>> = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        if parameters.len() >= MOST {
            return fail(rest, ParseErrorKind::Parameter);
        }
        let (behind, next) = parameter(rest)?;
        parameters.push(next);
        rest = behind;
    }
    for (index, parameter) in parameters.iter().enumerate() {
        let mut others = parameters.iter().skip(index + 1);
        if others.any(|other| other.keyword.eq_ignore_ascii_case(parameter.keyword)) {
            return fail(input, ParseErrorKind::UniqueParameter);
        }
    }
    Ok((rest, parameters))
}

fn parameter(input: &[u8]) -> Parsed<'_, Parameter<'_>> {
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
    use crate::error::ParseError;
    use crate::grammar::whole;

    fn parse(octets: &[u8]) -> Result<Vec<String>, ParseError> {
        whole(ParseErrorKind::Parameter, octets, parameters)
            .map(|parameters| parameters.iter().map(|parameter| parameter.to_extra().to_string()).collect())
    }

    #[test]
    fn known_answers() {
        assert_eq!(parse(b""), Ok(vec![]));
        assert_eq!(
            parse(b" size=1 X-y BODY=8bitmime"),
            Ok(vec!["SIZE=1".into(), "X-Y".into(), "BODY=8bitmime".into()])
        );
        for (octets, kind, offset) in [
            (&b"SIZE=1"[..], ParseErrorKind::Parameter, 0),
            (b" ", ParseErrorKind::Parameter, 1),
            (b"  A", ParseErrorKind::Parameter, 1),
            (b" -A", ParseErrorKind::Parameter, 1),
            (b" A=", ParseErrorKind::ParameterValue, 2),
            (b" A=b=c", ParseErrorKind::ParameterValue, 4),
            (b" A=\x7f", ParseErrorKind::ParameterValue, 2),
            (b" A A", ParseErrorKind::UniqueParameter, 0),
            (b" a=1 B A=2", ParseErrorKind::UniqueParameter, 0),
            (b" A=b\tC", ParseErrorKind::ParameterValue, 4),
            (b" A B C D E F G H I J K L M N O P Q R S T U V W X Y Z 1 2 3 4 5 6 7", ParseErrorKind::Parameter, 64),
        ] {
            let error = parse(octets).unwrap_err();
            assert_eq!((error.kind, error.offset), (kind, offset), "{}", octets.escape_ascii());
        }
    }
}
