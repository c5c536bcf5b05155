//! RFC 5321 §4.2, a reply; RFC 2034 §4, its enhanced status code.

use bytes::{BufMut, BytesMut};

use super::{ReplyClass, ReplyCode};
use crate::error::{ParseError, ParseErrorKind};
use crate::grammar::{EnhancedStatusCode, ReplyText, status_code};

/// A code for the program, an enhanced code for the better program, and lines of text for whoever reads the bounce.
///
/// ```
/// # use smtp_proto::Reply;
/// # use smtp_proto::grammar::EnhancedStatusCode;
/// let full = Reply::of(452, EnhancedStatusCode::transient(2, 2), "mailbox full");
/// assert_eq!(full.to_string(), "452 4.2.2 mailbox full\r\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: ReplyCode,
    status: Option<EnhancedStatusCode>,
    lines: Vec<ReplyText>,
}

impl Reply {
    /// The most octets of a line of a reply, CRLF included (RFC 5321 §4.5.3.1.5).
    pub const MAX_LINE: usize = 512;

    /// A reply of one line.
    pub fn new(code: ReplyCode, status: Option<EnhancedStatusCode>, text: ReplyText) -> Self {
        Self { code, status, lines: vec![text] }
    }

    /// A reply of one line, from words that are known when the program is written.
    ///
    /// # Panics
    /// If `code` is no reply code. What is not printable in the text becomes `?` and what is too long is cut: see
    /// [`ReplyText::lossy`].
    pub fn of(code: u16, status: EnhancedStatusCode, text: &str) -> Self {
        Self::new(ReplyCode::known(code), Some(status), ReplyText::lossy(text))
    }

    /// With one more line.
    #[must_use]
    pub fn with_line(mut self, text: ReplyText) -> Self {
        self.lines.push(text);
        self
    }

    /// Its code.
    pub fn code(&self) -> ReplyCode {
        self.code
    }

    /// What the code means.
    pub fn class(&self) -> ReplyClass {
        self.code.class()
    }

    /// Its enhanced code.
    pub fn status(&self) -> Option<EnhancedStatusCode> {
        self.status
    }

    /// Its text, one line at least.
    pub fn lines(&self) -> &[ReplyText] {
        &self.lines
    }

    /// The same without its enhanced code, as greetings and the replies to EHLO are (RFC 2034 §3).
    #[must_use]
    pub fn without_status(self) -> Self {
        Self { status: None, ..self }
    }

    /// Writes it. The enhanced code stands in every line (RFC 2034 §4).
    pub fn encode(&self, out: &mut BytesMut) {
        let last = self.lines.len().saturating_sub(1);
        for (index, text) in self.lines.iter().enumerate() {
            let separator = if index == last { b' ' } else { b'-' };
            // At the most: the code, an enhanced code of 3 + 3 + 1 digits with its dots, two spaces and CRLF.
            out.reserve(text.as_str().len().saturating_add(16));
            put_number(self.code.value(), out);
            out.put_u8(separator);
            if let Some(status) = self.status {
                out.put_u8(status.class().digit().saturating_add(b'0'));
                out.put_u8(b'.');
                put_number(status.subject(), out);
                out.put_u8(b'.');
                put_number(status.detail(), out);
                out.put_u8(b' ');
            }
            out.extend_from_slice(text.as_str().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Parses a whole reply: one or more lines, each with its CRLF, and nothing behind the last.
    ///
    /// An enhanced code is taken for one if its class is the reply's (RFC 2034 §4) and it stands in every line.
    ///
    /// # Errors
    /// A line that is none, lines with different codes, octets behind the last line.
    pub fn parse(octets: &[u8]) -> Result<Self, ParseError> {
        let mut code = None;
        let mut texts = Vec::new();
        let mut rest = octets;
        loop {
            let offset = octets.len().saturating_sub(rest.len());
            let Some(end) = memchr_crlf(rest) else { return Err(ParseError::new(ParseErrorKind::Text, offset)) };
            let (line, behind) = rest.split_at(end);
            let (this, is_last, text) = reply_line(line).ok_or(ParseError::new(ParseErrorKind::ReplyCode, offset))?;
            if *code.get_or_insert(this) != this {
                return Err(ParseError::new(ParseErrorKind::ReplyCode, offset));
            }
            texts.push(text);
            rest = behind.get(2..).unwrap_or_default();
            if is_last {
                break;
            }
        }
        let offset = octets.len().saturating_sub(rest.len());
        let Some(code) = code.filter(|_| rest.is_empty()) else {
            return Err(ParseError::new(ParseErrorKind::End, offset));
        };
        let status = common_status(code, &texts);
        let skipped = status.map_or(0, |status| status.to_string().len() + 1);
        let lines = texts
            .iter()
            .map(|text| ReplyText::try_from(text.get(skipped..).unwrap_or_default()))
            .collect::<Result<_, _>>()?;
        Ok(Self { code, status, lines })
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = BytesMut::new();
        self.encode(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

/// A number of three digits at the most, which all those of a reply are. Every reply has several, and `write!` would take
/// longer for them than for all the rest.
fn put_number(number: u16, out: &mut BytesMut) {
    let digit = |power: u16| u8::try_from(number / power % 10).unwrap_or_default().saturating_add(b'0');
    let digits = [digit(100), digit(10), digit(1)];
    let skipped = if number < 10 { 2 } else { usize::from(number < 100) };
    out.extend_from_slice(digits.get(skipped..).unwrap_or_default());
}

fn memchr_crlf(octets: &[u8]) -> Option<usize> {
    octets.windows(2).position(|pair| pair == b"\r\n")
}

/// Code, whether it is the last line, text.
fn reply_line(line: &[u8]) -> Option<(ReplyCode, bool, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = std::str::from_utf8(digits).ok()?.parse().ok().and_then(ReplyCode::new)?;
    match rest {
        [] => Some((code, true, rest)),
        [b' ', text @ ..] => Some((code, true, text)),
        [b'-', text @ ..] => Some((code, false, text)),
        _ => None,
    }
}

fn common_status(code: ReplyCode, texts: &[&[u8]]) -> Option<EnhancedStatusCode> {
    let of_line = |text: &&[u8]| match status_code(text) {
        Ok(([] | [b' ', ..], status)) if u16::from(status.class().digit()) == code.value() / 100 => Some(status),
        _ => None,
    };
    let first = of_line(texts.first()?)?;
    texts.iter().all(|text| of_line(text) == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_answers() {
        for octets in [
            "250 OK\r\n",
            "250 2.1.5 \r\n",
            "221 foo.com Service closing transmission channel\r\n",
            "250-foo.com greets bar.com\r\n250-8BITMIME\r\n250-SIZE\r\n250-DSN\r\n250 HELP\r\n",
            "550-5.1.1 no such user\r\n550 5.1.1 ask postmaster\r\n",
        ] {
            let reply = Reply::parse(octets.as_bytes()).expect(octets);
            assert_eq!(reply.to_string(), octets);
        }
        let reply = Reply::parse(b"550-5.1.1 a\r\n550 5.1.1 b\r\n").unwrap();
        assert_eq!(reply.status(), Some(EnhancedStatusCode::permanent(1, 1)));
        assert_eq!(reply.lines().len(), 2);
        assert_eq!(Reply::parse(b"250\r\n").unwrap().to_string(), "250 \r\n");
        assert_eq!(Reply::parse(b"250 5.1.1 not of its class\r\n").unwrap().status(), None);
        for bad in [
            &b""[..],
            b"250 OK",
            b"250 OK\n",
            b"250-OK\r\n",
            b"25 OK\r\n",
            b"2500 OK\r\n",
            b"150 OK\r\n",
            b"+50 OK\r\n",
            b"250-a\r\n251 b\r\n",
            b"250 a\r\n250 b\r\n",
            b"250_a\r\n",
            b"250 a\0\r\n",
            b"250 a\rb\r\n",
        ] {
            assert!(Reply::parse(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn no_line_is_longer_than_512_octets() {
        let status = EnhancedStatusCode::permanent(999, 999);
        let reply = Reply::of(554, status, &"x".repeat(1000)).with_line(ReplyText::lossy(&"y".repeat(1000)));
        for line in reply.to_string().split_inclusive("\r\n") {
            assert!(line.len() <= Reply::MAX_LINE);
        }
    }

    proptest! {
        #[test]
        fn parse_inverts_encode(
            code in 200u16..560,
            status in proptest::option::of((0u16..1000, 0u16..1000)),
            lines in prop::collection::vec("[ -~&&[^245]][ -~\t]{0,40}", 1..5),
        ) {
            let Some(code) = ReplyCode::new(code) else { return Ok(()) };
            let status = status.and_then(|(subject, detail)| match code.class() {
                ReplyClass::Completion => Some(EnhancedStatusCode::success(subject, detail)),
                ReplyClass::TransientNegative => Some(EnhancedStatusCode::transient(subject, detail)),
                ReplyClass::PermanentNegative => Some(EnhancedStatusCode::permanent(subject, detail)),
                _ => None,
            });
            let reply = Reply { code, status, lines: lines.iter().map(|line| ReplyText::lossy(line)).collect() };
            let mut out = BytesMut::new();
            reply.encode(&mut out);
            prop_assert_eq!(Reply::parse(&out), Ok(reply));
        }

        #[test]
        fn nothing_panics(octets: Vec<u8>) {
            let _ = Reply::parse(&octets);
        }
    }
}
