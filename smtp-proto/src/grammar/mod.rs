//! Terminals and values that several commands share: RFC 5321 §4.1.2 and §4.1.3, with what RFC 6531 §3.3 adds to them.
//!
//! Every value is parsed or not there: fields are private, and no value can hold what could not stand on the wire. All
//! parsers are nom's *complete* ones, over a line that has been found before.

mod address;
mod date_time;
mod domain;
mod literal;
mod local_part;
mod parameter;
mod path;
mod status;
mod text;
mod xtext;

pub use address::{Address, Host};
pub use date_time::DateTime;
pub use domain::Domain;
pub use literal::AddressLiteral;
pub use local_part::LocalPart;
pub use parameter::{ExtraParameter, Keyword, ParameterValue};
pub use path::{ForwardPath, ReversePath};
pub use status::{EnhancedStatusCode, StatusClass};
pub use text::ReplyText;
pub use xtext::Xtext;

pub(crate) use address::host;
pub(crate) use parameter::{Parameter, parameter};
pub(crate) use path::{forward_path, reverse_path};
pub(crate) use status::status_code;

use nom::{IResult, Parser};

use crate::error::{ParseError, ParseErrorKind};

/// What a parser gives: the rest and the value.
pub(crate) type Parsed<'a, O> = IResult<&'a [u8], O, Fault<'a>>;

/// Where a parser stopped and what it expected there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault<'a> {
    at: &'a [u8],
    kind: Option<ParseErrorKind>,
}

impl<'a> nom::error::ParseError<&'a [u8]> for Fault<'a> {
    fn from_error_kind(at: &'a [u8], _: nom::error::ErrorKind) -> Self {
        Self { at, kind: None }
    }

    fn append(_: &'a [u8], _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

/// A fault of that kind at that place.
pub(crate) fn fail<O>(at: &[u8], kind: ParseErrorKind) -> Parsed<'_, O> {
    Err(nom::Err::Error(Fault { at, kind: Some(kind) }))
}

/// Names the rule for faults inside of it that have no name yet.
pub(crate) fn expect<'a, O>(
    kind: ParseErrorKind,
    mut parser: impl Parser<&'a [u8], Output = O, Error = Fault<'a>>,
) -> impl FnMut(&'a [u8]) -> Parsed<'a, O> {
    move |input| {
        parser.parse(input).map_err(|error| error.map(|fault| Fault { kind: fault.kind.or(Some(kind)), ..fault }))
    }
}

/// Runs a parser that has to take all of the input.
pub(crate) fn whole<'a, O>(
    kind: ParseErrorKind,
    input: &'a [u8],
    mut parser: impl Parser<&'a [u8], Output = O, Error = Fault<'a>>,
) -> Result<O, ParseError> {
    match parser.parse(input) {
        Ok(([], value)) => Ok(value),
        Ok((rest, _)) => Err(ParseError::new(kind, input.len().saturating_sub(rest.len()))),
        Err(error) => Err(named(kind, input, error)),
    }
}

/// The error of a parser that ran on `input`.
pub(crate) fn named(kind: ParseErrorKind, input: &[u8], error: nom::Err<Fault<'_>>) -> ParseError {
    match error {
        nom::Err::Error(fault) | nom::Err::Failure(fault) => {
            ParseError::new(fault.kind.unwrap_or(kind), input.len().saturating_sub(fault.at.len()))
        }
        // Complete parsers never ask for more.
        nom::Err::Incomplete(_) => ParseError::new(kind, input.len()),
    }
}

/// RFC 5322 §3.2.3, `atext`, with the octets of UTF-8 that RFC 6531 §3.3 adds.
pub(crate) fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&octet) || octet >= 0x80
}

/// The text of the octets at the front of `input`, which hold UTF-8 in its shortest form and nothing else (attack row I8).
pub(crate) fn utf8<'a>(input: &'a [u8], front: &'a [u8]) -> Result<&'a str, nom::Err<Fault<'a>>> {
    std::str::from_utf8(front).map_err(|error| {
        let at = input.get(error.valid_up_to()..).unwrap_or_default();
        nom::Err::Error(Fault { at, kind: Some(ParseErrorKind::Utf8) })
    })
}

/// Gives a type the constructors that all grammar types have, over a parser of the whole.
macro_rules! parsed_type {
    ($name:ident, $kind:expr, $parser:expr) => {
        impl TryFrom<&[u8]> for $name {
            type Error = crate::error::ParseError;

            fn try_from(octets: &[u8]) -> Result<Self, Self::Error> {
                crate::grammar::whole($kind, octets, $parser)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = crate::error::ParseError;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                Self::try_from(text.as_bytes())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::error::ParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.as_bytes())
            }
        }
    };
}
pub(crate) use parsed_type;
