//! The words behind a keyword.

use nom::{IResult, Parser};

use crate::error::{ParseError, ParseErrorKind};

/// What is left of a line, and how much of it has been read.
pub(super) struct Arguments<'a> {
    line: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Arguments<'a> {
    /// What stands in the line behind so many octets.
    pub(super) fn behind(line: &'a [u8], read: usize) -> Self {
        Self { line, rest: line.get(read..).unwrap_or_default() }
    }

    /// Whether nothing is left, not even a space.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next word, behind its one space, read as a whole by that parser.
    pub(super) fn word<T>(
        &mut self,
        parser: impl Fn(&'a [u8]) -> IResult<&'a [u8], T>,
        rule: ParseErrorKind,
    ) -> Result<T, ParseError> {
        self.space()?;
        let (rest, value) = Parser::parse(&mut { parser }, self.rest).map_err(|_| self.error(rule))?;
        if !matches!(rest, [] | [b' ', ..]) {
            self.rest = rest;
            return Err(self.error(rule));
        }
        self.rest = rest;
        Ok(value)
    }

    /// Everything behind the one space, other spaces too; at least one octet.
    pub(super) fn everything(&mut self) -> Result<&'a [u8], ParseError> {
        self.space()?;
        if self.is_empty() {
            return Err(self.error(ParseErrorKind::Argument));
        }
        Ok(std::mem::take(&mut self.rest))
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), ParseError> {
        if self.is_empty() { Ok(()) } else { Err(self.error(ParseErrorKind::End)) }
    }

    /// That rule is not followed by what comes next.
    pub(super) fn error(&self, rule: ParseErrorKind) -> ParseError {
        ParseError::new(rule, self.line.len().saturating_sub(self.rest.len()))
    }

    fn space(&mut self) -> Result<(), ParseError> {
        match self.rest {
            [b' ', rest @ ..] => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(self.error(ParseErrorKind::Argument)),
        }
    }
}
