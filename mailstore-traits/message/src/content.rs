//! The structured values of MIME header fields: Content-Type (RFC 2045 §5.1), Content-Disposition (RFC 2183 §2),
//! Content-Transfer-Encoding (RFC 2045 §6.1). Total: every value gives something, a bad one gives less.
//!
//! ```abnf
//! content   := "Content-Type" ":" type "/" subtype *(";" parameter)
//! parameter := attribute "=" value
//! value     := token / quoted-string
//! ```
//!
//! Comments may stand between any two of these, and in the wild much else does: a `;` at the end or twice, spaces and
//! `tspecials` in a value without quotes (RFC 2045 §5.1 itself warns of the latter), a quoted string that never ends.

use std::borrow::Cow;

use crate::field::unfold;
use crate::kept::Kept;
use crate::{Limits, Parameters};

/// The value of a field of the form `token *(";" parameter)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Structured<'a> {
    /// What stands before the parameters; with its subtype, if one was asked for.
    pub(crate) value: &'a [u8],
    pub(crate) subtype: &'a [u8],
    pub(crate) parameters: Parameters,
    /// Whether there were more parameters than are here.
    pub(crate) too_many: bool,
    /// Whether a name or a value was cut.
    pub(crate) cut: bool,
}

/// A Content-Type value. `None` if it has no type and subtype.
pub(crate) fn content_type<'a>(value: &'a [u8], limits: &Limits, kept: &mut Kept) -> Option<Structured<'a>> {
    let (media_type, rest) = token(skip_cfws(value))?;
    let (subtype, rest) = token(skip_cfws(skip_cfws(rest).strip_prefix(b"/")?))?;
    // RFC 6838 §4.2: no longer than 127. What is longer is no type that anybody registered.
    if media_type.len() > 127 || subtype.len() > 127 {
        return None;
    }
    Some(parameters(Structured { value: media_type, subtype, ..Structured::EMPTY }, rest, limits, kept))
}

/// A Content-Disposition value. `None` if it does not begin with a token.
pub(crate) fn disposition<'a>(value: &'a [u8], limits: &Limits, kept: &mut Kept) -> Option<Structured<'a>> {
    let (value, rest) = token(skip_cfws(value))?;
    Some(parameters(Structured { value, ..Structured::EMPTY }, rest, limits, kept))
}

/// The first token of a value, without the comments around it.
pub(crate) fn first_token(value: &[u8]) -> Option<&[u8]> {
    token(skip_cfws(value)).map(|(token, _)| token)
}

impl Structured<'_> {
    const EMPTY: Self =
        Self { value: b"", subtype: b"", parameters: Parameters { list: Vec::new() }, too_many: false, cut: false };
}

/// Reads the parameters; each turn takes at least the semicolon off `rest`, and nothing is read twice.
fn parameters<'a>(mut structured: Structured<'a>, mut rest: &[u8], limits: &Limits, kept: &mut Kept) -> Structured<'a> {
    loop {
        // A comment may hold a semicolon.
        rest = skip_cfws(rest);
        rest = match rest {
            [b';', behind @ ..] => behind,
            _ => {
                let Some(semicolon) = memchr::memchr(b';', rest) else { break };
                rest.get(semicolon.saturating_add(1)..).unwrap_or_default()
            }
        };
        rest = skip_cfws(rest);
        let Some((name, behind)) = token(rest) else { continue };
        // What was read of a parameter without a value is not read again: many of them, each with a comment that never
        // ends, would cost the square of their number (attack row M11).
        rest = skip_cfws(behind);
        let Some(behind) = rest.strip_prefix(b"=") else { continue };
        let behind = skip_cfws(behind);
        let (behind, value) = if behind.first() == Some(&b'"') { quoted(behind) } else { bare(behind) };
        rest = behind;
        if structured.parameters.len() >= limits.parameters {
            structured.too_many = true;
            break;
        }
        if name.len() > limits.parameter_octets {
            structured.cut = true;
            continue;
        }
        structured.cut |= value.len() > limits.parameter_octets;
        let value = value.get(..limits.parameter_octets).unwrap_or(&value);
        structured.parameters.list.push((kept.keep_word(name), kept.keep_word(value)));
    }
    structured
}

/// `token := 1*<any (US-ASCII) CHAR except SPACE, CTLs, or tspecials>`, and what is behind it.
fn token(input: &[u8]) -> Option<(&[u8], &[u8])> {
    #[allow(clippy::indexing_slicing, reason = "the table has a place for every octet")]
    let end = input.iter().position(|octet| !TOKEN[usize::from(*octet)]).unwrap_or(input.len());
    input.split_at_checked(end).filter(|_| end > 0)
}

static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut octet = b'!';
    while octet <= b'~' {
        #[allow(clippy::indexing_slicing, reason = "the table has a place for every octet")]
        {
            table[octet as usize] =
                !matches!(octet, b'(' | b')' | b'<' | b'>' | b'@' | b',' | b';' | b':' | b'\\' | b'"')
                    && !matches!(octet, b'/' | b'[' | b']' | b'?' | b'=');
        }
        octet += 1;
    }
    table
};

/// What is behind white space, line ends and comments.
fn skip_cfws(mut input: &[u8]) -> &[u8] {
    loop {
        input = match input {
            [b' ' | b'\t' | b'\r' | b'\n', behind @ ..] => behind,
            [b'(', behind @ ..] => skip_comment(behind),
            _ => return input,
        };
    }
}

/// What is behind a comment, of which the parenthesis has been taken, and all that are nested in it: they are counted and
/// not recursed into. One that never ends takes all.
fn skip_comment(mut rest: &[u8]) -> &[u8] {
    let mut depth = 1_usize;
    while depth > 0
        && let Some((octet, behind)) = rest.split_first()
    {
        rest = behind;
        match octet {
            b'(' => depth = depth.saturating_add(1),
            b')' => depth = depth.saturating_sub(1),
            b'\\' => rest = rest.get(1..).unwrap_or_default(),
            _ => {}
        }
    }
    rest
}

/// What stands between the quotes, with quoted pairs and folding undone (RFC 5322 §3.2.4), and what is behind it. One that
/// never ends takes all.
fn quoted(input: &[u8]) -> (&[u8], Cow<'_, [u8]>) {
    let mut rest = input.get(1..).unwrap_or_default();
    // Nearly every value stands there as it is.
    if let Some(end) = memchr::memchr3(b'"', b'\\', b'\r', rest)
        && let Some((value, [b'"', behind @ ..])) = rest.split_at_checked(end)
        && memchr::memchr(b'\n', value).is_none()
    {
        return (behind, Cow::Borrowed(value));
    }
    let mut value = Vec::new();
    while let Some((octet, behind)) = rest.split_first() {
        rest = behind;
        match octet {
            b'"' => break,
            b'\r' | b'\n' => {}
            b'\\' => {
                value.extend(rest.first());
                rest = rest.get(1..).unwrap_or_default();
            }
            octet => value.push(*octet),
        }
    }
    (rest, Cow::Owned(value))
}

/// A value without quotes: all up to the next semicolon or comment. `name=report (1).pdf` begins a comment and
/// `name=report(1).pdf` does not, because many programs send the latter and hardly one a comment without a space.
fn bare(input: &[u8]) -> (&[u8], Cow<'_, [u8]>) {
    let mut blank = false;
    let end = input.iter().position(|octet| {
        let ends = *octet == b';' || (blank && *octet == b'(');
        blank = octet.is_ascii_whitespace();
        ends
    });
    let (value, rest) = input.split_at_checked(end.unwrap_or(input.len())).unwrap_or((input, b""));
    (skip_cfws(rest), unfold(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (&'static str, Option<(&'static str, &'static str, &'static [(&'static str, &'static str)])>);
    type Parsed = (String, String, Vec<(String, String)>);

    fn text(octets: &[u8]) -> String {
        octets.escape_ascii().to_string()
    }

    fn parse(value: &str) -> Option<Parsed> {
        let parsed = content_type(value.as_bytes(), &Limits::default(), &mut Kept::default())?;
        let list = parsed.parameters.iter().map(|(name, value)| (text(name), text(value))).collect();
        Some((text(parsed.value), text(parsed.subtype), list))
    }

    #[test]
    fn content_types_are_read_as_sent_in_order() {
        let rows: [Row; 22] = [
            (" text/plain", Some(("text", "plain", &[]))),
            ("TEXT / HTML ; CharSet=UTF-8", Some(("TEXT", "HTML", &[("CharSet", "UTF-8")]))),
            ("text/plain; charset=us-ascii (Plain text)", Some(("text", "plain", &[("charset", "us-ascii")]))),
            ("text/plain; charset=\"us-ascii\"", Some(("text", "plain", &[("charset", "us-ascii")]))),
            ("(a (nested) \\) one) text/(x)plain(y); (z) a (b) = (c) d", Some(("text", "plain", &[("a", "d")]))),
            ("a/b; x=\"q\\\"u; \\\\o\r\n te\"; y=z", Some(("a", "b", &[("x", "q\\\"u; \\\\o te"), ("y", "z")]))),
            ("a/b;; ;x=1;", Some(("a", "b", &[("x", "1")]))),
            ("a/b; x; y=2", Some(("a", "b", &[("y", "2")]))),
            ("a/b x=1; y=2", Some(("a", "b", &[("y", "2")]))),
            ("a/b; boundary=gc0p:08j/U=?", Some(("a", "b", &[("boundary", "gc0p:08j/U=?")]))),
            ("a/b; name=two words.txt; y=2", Some(("a", "b", &[("name", "two words.txt"), ("y", "2")]))),
            ("a/b; name=copy(1).pdf", Some(("a", "b", &[("name", "copy(1).pdf")]))),
            ("a/b; name=\"never ends; y=2", Some(("a", "b", &[("name", "never ends; y=2")]))),
            ("a/b; name=\"x\" junk; y=2", Some(("a", "b", &[("name", "x"), ("y", "2")]))),
            ("a/b; name=", Some(("a", "b", &[("name", "")]))),
            ("a/b; name=\"\\", Some(("a", "b", &[("name", "")]))),
            ("a/b; x\r\n =\r\n\t1", Some(("a", "b", &[("x", "1")]))),
            ("a/b (c; d) ; x=1", Some(("a", "b", &[("x", "1")]))),
            ("a/b (unfinished; x=1", Some(("a", "b", &[]))),
            ("text", None),
            ("/plain", None),
            ("", None),
        ];
        for (value, expected) in rows {
            let expected = expected.map(|(media, sub, list)| {
                let list = list.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
                (media.to_string(), sub.to_string(), list)
            });
            assert_eq!(parse(value), expected, "{value:?}");
        }
    }

    #[test]
    fn a_disposition_may_have_parameters() {
        let limits = Limits::default();
        let parsed = disposition(b" attachment; filename=\"a.b\"", &limits, &mut Kept::default()).unwrap();
        assert_eq!(parsed.value, b"attachment");
        assert_eq!(parsed.parameters.value("FILENAME").unwrap().octets, &b"a.b"[..]);
        assert_eq!(disposition(b"; filename=x", &limits, &mut Kept::default()), None);
    }

    #[test]
    fn an_encoding_is_its_first_token() {
        assert_eq!(first_token(b" (c) base64 (x)\r\n"), Some(&b"base64"[..]));
        assert_eq!(first_token(b"  "), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn sec_m11_nested_comments_are_counted_and_not_recursed_into() {
        let value = [b"text/plain".as_slice(), &[b'('; 1 << 20]].concat();
        assert!(content_type(&value, &Limits::default(), &mut Kept::default()).is_some());
    }
}
