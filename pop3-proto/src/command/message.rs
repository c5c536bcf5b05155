//! LIST, RETR, DELE (RFC 1939 §5), TOP and UIDL (RFC 1939 §7): commands about messages.

use std::fmt;

use bytes::BytesMut;

use super::Arguments;
use crate::error::{ParseError, ParseErrorKind};
use crate::grammar::{LineCount, MessageNumber};

pub(super) fn number(arguments: &mut Arguments<'_>) -> Result<MessageNumber, ParseError> {
    arguments.word(MessageNumber::parse, ParseErrorKind::MessageNumber)
}

pub(super) fn optional_number(arguments: &mut Arguments<'_>) -> Result<Option<MessageNumber>, ParseError> {
    if arguments.is_empty() { Ok(None) } else { number(arguments).map(Some) }
}

pub(super) fn lines(arguments: &mut Arguments<'_>) -> Result<LineCount, ParseError> {
    arguments.word(LineCount::parse, ParseErrorKind::LineCount)
}

pub(super) fn encode(number: &impl fmt::Display, out: &mut BytesMut) {
    out.extend_from_slice(format!(" {number}").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::tests::written_again;
    use super::*;

    #[test]
    fn numbers_are_decimal_and_one_space_stands_before_them() {
        use ParseErrorKind::{Argument, End, LineCount, MessageNumber};
        for (line, expected) in [
            ("LIST", Ok("LIST\r\n")),
            ("LIST 2", Ok("LIST 2\r\n")),
            ("uidl 2", Ok("UIDL 2\r\n")),
            ("UIDL", Ok("UIDL\r\n")),
            ("RETR 1", Ok("RETR 1\r\n")),
            ("DELE 01", Ok("DELE 1\r\n")),
            ("RETR 0", Ok("RETR 0\r\n")),
            ("RETR 99999999999999999999", Ok("RETR 4294967295\r\n")),
            ("TOP 1 10", Ok("TOP 1 10\r\n")),
            ("TOP 1 0", Ok("TOP 1 0\r\n")),
            ("TOP 1 99999999999999999999", Ok("TOP 1 18446744073709551615\r\n")),
            ("RETR", Err((Argument, 4))),
            ("RETR ", Err((MessageNumber, 5))),
            ("RETR  1", Err((MessageNumber, 5))),
            ("RETR -1", Err((MessageNumber, 5))),
            ("RETR +1", Err((MessageNumber, 5))),
            ("RETR 1x", Err((MessageNumber, 6))),
            ("RETR 1 ", Err((End, 6))),
            ("RETR 1 2", Err((End, 6))),
            ("LIST ", Err((MessageNumber, 5))),
            ("TOP 1", Err((Argument, 5))),
            ("TOP 1 -1", Err((LineCount, 6))),
            ("TOP 1 2 3", Err((End, 7))),
        ] {
            assert_eq!(written_again(line.as_bytes()), expected.map(Vec::from), "{line}");
        }
    }
}
