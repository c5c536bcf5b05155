//! RFC 5321 §4.1.2, `esmtp-param`: what MAIL and RCPT carry behind the path.

use std::fmt;

use nom::Parser;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::{map_opt, opt};
use nom::multi::many_m_n;
use nom::sequence::preceded;

use super::{Parsed, expect, fail, parsed_type, utf8};
use crate::error::ParseErrorKind;

/// The name of a parameter or of an extension, in upper case.
///
/// ```abnf
/// esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Keyword(String);

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
pub struct ParameterValue(String);

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

/// `*(SP esmtp-param)`, each once, and not without end.
pub(crate) fn parameters(input: &[u8]) -> Parsed<'_, Vec<ExtraParameter>> {
    let (rest, parameters) = many_m_n(0, MOST, parameter).parse(input)?;
    for (index, parameter) in parameters.iter().enumerate() {
        if parameters.iter().skip(index + 1).any(|other| other.keyword == parameter.keyword) {
            return fail(input, ParseErrorKind::UniqueParameter);
        }
    }
    match rest {
        [] => Ok((rest, parameters)),
        _ if parameters.len() == MOST => fail(rest, ParseErrorKind::Parameter),
        // Whatever stopped it, say where.
        _ => parameter(rest).map(|(rest, _)| (rest, parameters)),
    }
}

fn parameter(input: &[u8]) -> Parsed<'_, ExtraParameter> {
    let value = opt(preceded(tag(&b"="[..]), parameter_value));
    let (rest, (keyword, value)) =
        expect(ParseErrorKind::Parameter, preceded(tag(&b" "[..]), (keyword, value))).parse(input)?;
    match rest {
        [] | [b' ', ..] => Ok((rest, ExtraParameter { keyword, value })),
        _ => fail(rest, ParseErrorKind::ParameterValue),
    }
}

fn keyword(input: &[u8]) -> Parsed<'_, Keyword> {
    let is_part = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
    let word = map_opt(take_while1(is_part), |octets: &[u8]| {
        let text = std::str::from_utf8(octets).ok()?;
        (!text.starts_with('-')).then(|| Keyword(text.to_ascii_uppercase()))
    });
    expect(ParseErrorKind::Parameter, word).parse(input)
}

fn parameter_value(input: &[u8]) -> Parsed<'_, ParameterValue> {
    let (rest, octets) = take_while(|octet| matches!(octet, 33..=60 | 62..=126 | 128..=255)).parse(input)?;
    let text = utf8(input, octets)?;
    if text.is_empty() || text.chars().any(char::is_control) {
        return fail(input, ParseErrorKind::ParameterValue);
    }
    Ok((rest, ParameterValue(text.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ParseError;
    use crate::grammar::whole;

    fn parse(octets: &[u8]) -> Result<Vec<String>, ParseError> {
        whole(ParseErrorKind::Parameter, octets, parameters)
            .map(|parameters| parameters.iter().map(ExtraParameter::to_string).collect())
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
