//! The words that responses are made of, written without allocating (RFC 9051 §9).
//!
//! Whatever octets a message or a peer brings, what comes out is one string of the grammar: nothing in it can end a line
//! or begin a response (attack row I1).

use mailstore_traits::{Flag, Flags, Timestamp, UidSet};

use crate::grammar::{Dialect, Mailbox, OctetString, are_plain, class, is_plain, month_name};

pub use super::pen::{Out, Pen};

/// Strings up to so many octets are quoted where they can be; longer ones go as literals, which nobody has to scan.
pub(crate) const QUOTED_MOST: usize = 1024;

/// A number in decimal.
pub fn number(mut value: u64, out: &mut impl Out) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at = at.saturating_sub(1);
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0'.wrapping_add((value % 10) as u8);
        }
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.octets(digits.get(at..).unwrap_or_default());
}

/// `NIL`.
pub fn nil(out: &mut impl Out) {
    out.octets(b"NIL");
}

/// `{octets}` CRLF: so many octets have to follow.
pub fn literal_head(octets: u64, out: &mut impl Out) {
    out.octet(b'{');
    number(octets, out);
    out.octets(b"}\r\n");
}

/// `~{octets}` CRLF: a literal8, in which NUL is legal (RFC 3516 §4.1).
pub fn literal8_head(octets: u64, out: &mut impl Out) {
    out.octet(b'~');
    literal_head(octets, out);
}

/// A `string`: quoted where it is short and of seven bits without controls, a literal otherwise. In UTF-8's dialect
/// valid UTF-8 is quoted too (RFC 9051 §4.3). NUL, which no string may hold, is left out.
pub fn string(text: &[u8], dialect: Dialect, out: &mut impl Out) {
    if text.len() <= QUOTED_MOST {
        if is_plain(text) {
            return out.quoted(text);
        }
        if is_quotable(text, dialect) {
            return quoted(text, out);
        }
    }
    let nuls = memchr::memchr_iter(0, text).count();
    literal_head(text.len().saturating_sub(nuls) as u64, out);
    if nuls == 0 {
        out.octets(text);
    } else {
        text.split(|&octet| octet == 0).for_each(|piece| out.octets(piece));
    }
}

/// An `nstring`: a [`string`], or `NIL`.
pub fn nstring(text: Option<&[u8]>, dialect: Dialect, out: &mut impl Out) {
    match text {
        Some(text) => string(text, dialect, out),
        None => nil(out),
    }
}

/// An [`OctetString`] as a [`string`].
#[inline]
pub(crate) fn octet_string(text: &OctetString, dialect: Dialect, out: &mut Pen<'_>) {
    match text.as_short() {
        Some((slots, length)) if are_plain(slots, length) => out.quoted_slots(slots, length),
        _ => string(text, dialect, out),
    }
}

/// An `nstring`: an [`octet_string`], or `NIL`.
pub(crate) fn octet_nstring(text: Option<&OctetString>, dialect: Dialect, out: &mut Pen<'_>) {
    match text {
        Some(text) => octet_string(text, dialect, out),
        None => nil(out),
    }
}

/// An `astring`: an atom where it is one, a [`string`] otherwise.
pub fn astring(text: &[u8], dialect: Dialect, out: &mut impl Out) {
    // An atom NIL would be taken for no string at all.
    let is_atom = !text.is_empty() && text.len() <= 255 && class::ASTRING.has_all(text);
    if is_atom && !text.eq_ignore_ascii_case(b"NIL") {
        out.octets(text);
    } else {
        string(text, dialect, out);
    }
}

/// A `mailbox`: modified UTF-7 or UTF-8, as the client reads it; INBOX in upper case.
pub fn mailbox(name: &Mailbox, dialect: Dialect, out: &mut impl Out) {
    // Names are short: the one copy is the encoded name's.
    astring(&name.encoded(dialect), dialect, out);
}

/// `(\Seen $Forwarded)`: flags in their parentheses, `\Recent` among them where it is told (RFC 3501 §2.3.2).
pub fn flags(flags: &Flags, recent: bool, out: &mut impl Out) {
    flag_list(flags.iter().map(Flag::as_str).chain(recent.then_some("\\Recent")), out);
}

/// Words in parentheses with one space between them.
pub fn flag_list<'a>(words: impl IntoIterator<Item = &'a str>, out: &mut impl Out) {
    out.octet(b'(');
    for (at, word) in words.into_iter().enumerate() {
        if at > 0 {
            out.octet(b' ');
        }
        out.octets(word.as_bytes());
    }
    out.octet(b')');
}

/// A `date-time` between its quotes: `"17-Jul-1996 02:44:25 -0700"`. Years are held within four digits.
pub fn date_time(moment: Timestamp, out: &mut impl Out) {
    let local = moment.unix_seconds().saturating_add(i64::from(moment.offset_minutes()).saturating_mul(60));
    let (days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
    let (year, month, day) = crate::grammar::civil(days);
    let offset = i64::from(moment.offset_minutes());
    let year = year.clamp(0, 9999);
    let [[y1, y2], [y3, y4]] = [two(year / 100), two(year)];
    let [d1, d2] = two(i64::from(day));
    // The day is two characters wide, and a space fills it (RFC 9051 §9, date-day-fixed).
    let d1 = if d1 == b'0' { b' ' } else { d1 };
    let [[h1, h2], [m1, m2], [s1, s2]] = [two(second / 3600), two(second / 60 % 60), two(second % 60)];
    let [[oh1, oh2], [om1, om2]] = [two(offset.abs() / 60), two(offset.abs() % 60)];
    let sign = if offset < 0 { b'-' } else { b'+' };
    out.octets(&[b'"', d1, d2, b'-']);
    out.octets(month_name(month).as_bytes());
    out.octets(&[b'-', y1, y2, y3, y4, b' ', h1, h2, b':', m1, m2, b':', s1, s2, b' ', sign, oh1, oh2, om1, om2, b'"']);
}

/// The last two digits.
fn two(value: i64) -> [u8; 2] {
    let digit = |value: i64| b'0'.wrapping_add(value.rem_euclid(10) as u8);
    [digit(value / 10), digit(value)]
}

/// `1:3,7`: ranges of numbers. Nothing for none.
pub fn ranges(ranges: impl IntoIterator<Item = (u32, u32)>, out: &mut impl Out) {
    for (at, (first, last)) in ranges.into_iter().enumerate() {
        if at > 0 {
            out.octet(b',');
        }
        number(u64::from(first), out);
        if last != first {
            out.octet(b':');
            number(u64::from(last), out);
        }
    }
}

/// `1:3,7`: a `uid-set`. Nothing for none.
pub fn uid_set(uids: &UidSet, out: &mut impl Out) {
    ranges(uids.ranges().map(|range| (range.start().value(), range.end().value())), out);
}

/// Between quotes, with a backslash before those and itself. What cannot stand there is the caller's to keep out.
pub(super) fn quoted(text: &[u8], out: &mut impl Out) {
    out.octet(b'"');
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let (head, tail) = rest.split_at(at);
        out.octets(head);
        out.octet(b'\\');
        out.octets(tail.get(..1).unwrap_or_default());
        rest = tail.get(1..).unwrap_or_default();
    }
    out.octets(rest);
    out.octet(b'"');
}

fn is_quotable(text: &[u8], dialect: Dialect) -> bool {
    text.iter().all(|&octet| !matches!(octet, 0 | b'\r' | b'\n') && (octet.is_ascii() || dialect.utf8))
        && (!dialect.utf8 || std::str::from_utf8(text).is_ok())
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    fn written(write: impl FnOnce(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        write(&mut out);
        out.escape_ascii().to_string()
    }

    #[test]
    fn sec_i1_no_string_can_end_its_line() {
        for (text, ascii, utf8) in [
            (&b"plain"[..], r#"\"plain\""#, r#"\"plain\""#),
            (b"", r#"\"\""#, r#"\"\""#),
            (b"a\"b\\c", r#"\"a\\\"b\\\\c\""#, r#"\"a\\\"b\\\\c\""#),
            (b"a\r\n* BYE", r"{8}\r\na\r\n* BYE", r"{8}\r\na\r\n* BYE"),
            (b"a\0b", r"{2}\r\nab", r"{2}\r\nab"),
            ("é".as_bytes(), r"{2}\r\n\xc3\xa9", r#"\"\xc3\xa9\""#),
            (b"\xff", r"{1}\r\n\xff", r"{1}\r\n\xff"),
        ] {
            assert_eq!(written(|out| string(text, Dialect::ASCII, out)), ascii);
            assert_eq!(written(|out| string(text, Dialect::UTF8, out)), utf8);
        }
        let long = vec![b'x'; 2000];
        assert!(written(|out| string(&long, Dialect::ASCII, out)).starts_with(r"{2000}\r\nx"));
    }

    #[test]
    fn an_astring_is_an_atom_where_it_can_be() {
        for (text, expected) in [
            (&b"INBOX"[..], "INBOX"),
            (b"a b", "\\\"a b\\\""),
            (b"", "\\\"\\\""),
            (b"nil", "\\\"nil\\\""),
            (b"a]", "a]"),
        ] {
            assert_eq!(written(|out| astring(text, Dialect::ASCII, out)), expected);
        }
    }

    #[test]
    fn numbers_are_written_in_full() {
        for value in [0, 9, 10, 4_294_967_295, u64::MAX] {
            assert_eq!(written(|out| number(value, out)), value.to_string());
        }
    }

    #[test]
    fn an_internal_date_is_told_in_its_zone() {
        for (moment, expected) in [
            // RFC 3501 §7.4.2.
            (Timestamp::from_unix(837_596_665).with_offset_minutes(-420), "17-Jul-1996 02:44:25 -0700"),
            (Timestamp::from_unix(0), " 1-Jan-1970 00:00:00 +0000"),
            (Timestamp::from_unix(-1).with_offset_minutes(90), " 1-Jan-1970 01:29:59 +0130"),
            (Timestamp::from_unix(951_782_400), "29-Feb-2000 00:00:00 +0000"),
        ] {
            let told = written(|out| date_time(moment, out));
            assert_eq!(told, format!("\\\"{expected}\\\""));
        }
        for moment in [i64::MIN, i64::MAX] {
            assert_eq!(written(|out| date_time(Timestamp::from_unix(moment), out)).len(), 30);
        }
    }

    #[test]
    fn flags_and_sets_are_written_as_lists() {
        let set: Flags = [Flag::parse("\\seen").unwrap(), Flag::parse("$Forwarded").unwrap()].into_iter().collect();
        assert_eq!(written(|out| flags(&set, false, out)), "(\\\\Seen $Forwarded)");
        assert_eq!(written(|out| flags(&Flags::new(), true, out)), "(\\\\Recent)");
        assert_eq!(written(|out| ranges([(1, 3), (7, 7)], out)), "1:3,7");
    }
}
