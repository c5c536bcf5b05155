//! What the server says.
//!
//! ```abnf
//! response    = greeting / single-line / capa-resp / multi-line    ; RFC 2449 §3
//! single-line = status [SP text] CRLF                              ; 512 octets
//! multi-line  = single-line *dot-stuffed "." CRLF
//! ```

mod capability;
mod code;
mod expiry;
mod listing;

use std::fmt;

use bytes::BytesMut;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::value;
use nom::{IResult, Parser};

use crate::error::{ParseError, ParseErrorKind};
use crate::grammar::ResponseText;
pub use capability::{Capability, InvalidCapability, OtherCapability};
pub use code::{OtherCode, ResponseCode};
pub use expiry::Expiry;
pub use listing::{DropListing, ScanListing, UniqueIdListing};

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// `+OK`
    Ok,
    /// `-ERR`
    Err,
}

impl Status {
    /// As it is written: always in upper case (RFC 1939 §3).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "+OK",
            Self::Err => "-ERR",
        }
    }
}

/// The first line of every response, and the whole of most.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// Yes or no.
    pub status: Status,
    /// Why, for programs (RFC 2449 §8).
    pub code: Option<ResponseCode>,
    /// Why, for people.
    pub text: Option<ResponseText>,
}

impl Response {
    /// `+OK` and perhaps a text.
    pub const fn ok(text: Option<ResponseText>) -> Self {
        Self { status: Status::Ok, code: None, text }
    }

    /// Reads the line of a response, without CRLF. A client must ignore what it does not know of a code (RFC 2449 §8),
    /// so `SYS/TEMP/DISK` is read as `SYS/TEMP`.
    ///
    /// # Errors
    /// [`ParseError`] names the rule that was not followed, and where.
    pub fn parse(line: &[u8]) -> Result<Self, ParseError> {
        let at = |rest: &[u8]| line.len().saturating_sub(rest.len());
        let (rest, status) = status(line).map_err(|_| ParseError::new(ParseErrorKind::Status, 0))?;
        let mut rest = match rest {
            [] => return Ok(Self { status, code: None, text: None }),
            [b' ', rest @ ..] => rest,
            _ => return Err(ParseError::new(ParseErrorKind::Status, at(rest))),
        };
        let mut code = None;
        if rest.first() == Some(&b'[') {
            let (behind, found) =
                code::code(rest).map_err(|_| ParseError::new(ParseErrorKind::ResponseCode, at(rest)))?;
            code = Some(found);
            rest = behind.strip_prefix(b" ").unwrap_or(behind);
        }
        let text = match std::str::from_utf8(rest) {
            Ok("") => None,
            Ok(text) => Some(ResponseText::new(text.to_owned())),
            Err(_) => Some(Err(crate::grammar::InvalidText)),
        };
        let text = text.transpose().map_err(|_| ParseError::new(ParseErrorKind::Text, at(rest)))?;
        Ok(Self { status, code, text })
    }

    /// Writes the line, CRLF included. It is never longer than 512 octets.
    pub fn encode(&self, out: &mut BytesMut) {
        out.extend_from_slice(self.status.as_str().as_bytes());
        if let Some(code) = &self.code {
            out.extend_from_slice(b" [");
            out.extend_from_slice(code.as_str().as_bytes());
            out.extend_from_slice(b"]");
        }
        if let Some(text) = &self.text {
            out.extend_from_slice(b" ");
            out.extend_from_slice(text.as_str().as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn status(input: &[u8]) -> IResult<&[u8], Status> {
    alt((value(Status::Ok, tag("+OK")), value(Status::Err, tag("-ERR")))).parse(input)
}

/// A negative response.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Why, for programs.
    pub code: Option<ResponseCode>,
    /// Why, for people.
    pub text: ResponseText,
    /// Whether the session ends with it.
    pub closes: bool,
}

impl Refusal {
    /// `-ERR` with that text.
    pub const fn new(text: ResponseText) -> Self {
        Self { code: None, text, closes: false }
    }

    /// `-ERR` with whatever of that text may stand in a response ([`ResponseText::lossy`]).
    pub fn lossy(text: &str) -> Self {
        Self::new(ResponseText::lossy(text))
    }

    /// With a code in front of the text.
    #[must_use]
    pub fn with_code(mut self, code: ResponseCode) -> Self {
        self.code = Some(code);
        self
    }

    /// The session ends with it.
    #[must_use]
    pub const fn closing(mut self) -> Self {
        self.closes = true;
        self
    }

    /// The line that says it.
    pub fn response(&self) -> Response {
        Response { status: Status::Err, code: self.code.clone(), text: Some(self.text.clone()) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "[{}] {}", code.as_str(), self.text),
            None => fmt::Display::fmt(&self.text, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written_again(line: &[u8]) -> Result<Vec<u8>, (ParseErrorKind, usize)> {
        let response = Response::parse(line).map_err(|error| (error.kind, error.offset))?;
        let mut out = BytesMut::new();
        response.encode(&mut out);
        Ok(out.to_vec())
    }

    #[test]
    fn the_responses_of_rfc_1939_and_rfc_2449() {
        for line in [
            "+OK",
            "-ERR",
            "+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>",
            "+OK 2 320",
            "-ERR no such message, only 2 messages in maildrop",
            "-ERR [IN-USE] Do you have another POP session running?",
            "-ERR [SYS/TEMP] later",
            "-ERR [LOGIN-DELAY]",
            "-ERR [X-OWN/DETAIL] why",
        ] {
            assert_eq!(written_again(line.as_bytes()), Ok(format!("{line}\r\n").into_bytes()), "{line}");
        }
        let in_use = Response::parse(b"-ERR [in-use] x").unwrap();
        assert_eq!(in_use.code, Some(ResponseCode::InUse), "codes are case-insensitive");
        let more = Response::parse(b"-ERR [SYS/TEMP/DISK] x").unwrap();
        assert_eq!(more.code, Some(ResponseCode::SysTemp), "unknown detail is ignored");
    }

    #[test]
    fn what_is_no_response_is_told_by_its_rule() {
        use ParseErrorKind::{ResponseCode, Status, Text};
        for (line, expected) in [
            (&b""[..], (Status, 0)),
            (b"+ok x", (Status, 0)),
            (b"+OKAY", (Status, 3)),
            (b"-ERR [IN-USE", (ResponseCode, 5)),
            (b"-ERR []", (ResponseCode, 5)),
            (b"+OK caf\xe9", (Text, 4)),
            (b"+OK  x", (Text, 4)),
        ] {
            assert_eq!(written_again(line), Err(expected), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn sec_i2_the_longest_response_has_512_octets_at_the_most() {
        let mut out = BytesMut::new();
        let text = ResponseText::new("x".repeat(ResponseText::MAX_LEN)).unwrap();
        Refusal::new(text).with_code(ResponseCode::LoginDelay).response().encode(&mut out);
        assert!(out.len() <= 512);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(line in prop::collection::vec(prop::sample::select(
            b"+OK -ER[]/SYTEMPx\t\xe9".to_vec()), 0..24)) {
            if let Ok(written) = written_again(&line) {
                prop_assert_eq!(written_again(&written[..written.len() - 2]), Ok(written.clone()));
            }
        }
    }
}
