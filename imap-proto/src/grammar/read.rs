//! Parsers of the words, over complete slices. None of them calls itself.

use std::borrow::Cow;
use std::num::NonZeroU32;

use mail_wire::octet_set::OctetSet;
use mailstore_traits::{Flag, Flags, Keyword, SystemFlag, Timestamp};
use nom::{IResult, Parser};

use super::{Date, Dialect, Mailbox, MessageSet, OctetString, SeqBound, SequenceSet, class, month_of, plain_span};
use crate::command::CommandErrorKind;

/// What a parser gives.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Fault>;

/// Why it gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) CommandErrorKind);

impl<'a> nom::error::ParseError<&'a [u8]> for Fault {
    fn from_error_kind(_: &'a [u8], _: nom::error::ErrorKind) -> Self {
        Self(CommandErrorKind::Expected("something else"))
    }

    fn append(_: &'a [u8], _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

/// What can still be tried another way.
pub(crate) fn expected<T>(what: &'static str) -> Result<T, nom::Err<Fault>> {
    Err(nom::Err::Error(Fault(CommandErrorKind::Expected(what))))
}

/// What is wrong whichever way it is read.
pub(crate) fn wrong<T>(kind: CommandErrorKind) -> Result<T, nom::Err<Fault>> {
    Err(nom::Err::Failure(Fault(kind)))
}

/// Names what was expected where a parser has found something else.
pub(crate) fn named<'a, T>(
    what: &'static str,
    mut parser: impl Parser<&'a [u8], Output = T, Error = Fault>,
) -> impl FnMut(&'a [u8]) -> Parsed<'a, T> {
    move |input| match parser.parse(input) {
        Err(nom::Err::Error(_)) => expected(what),
        other => other,
    }
}

pub(crate) fn space(input: &[u8]) -> Parsed<'_, ()> {
    match input {
        [b' ', rest @ ..] => Ok((rest, ())),
        _ => expected("a space"),
    }
}

/// A word in any case of letters.
pub(crate) fn word<'a>(word: &'static str) -> impl FnMut(&'a [u8]) -> Parsed<'a, ()> {
    move |input| match input.split_at_checked(word.len()) {
        Some((found, rest)) if found.eq_ignore_ascii_case(word.as_bytes()) => Ok((rest, ())),
        _ => expected(word),
    }
}

/// A word in upper case, if it is no longer than the longest one that means anything.
pub(crate) struct Upper<const LONGEST: usize> {
    octets: [u8; LONGEST_OF_ALL],
    length: usize,
}

/// The longest that is asked for.
const LONGEST_OF_ALL: usize = 24;

impl<const LONGEST: usize> Upper<LONGEST> {
    /// A longer word is an empty one, which means nothing.
    #[inline]
    pub(crate) fn of(word: &[u8]) -> Self {
        const { assert!(LONGEST <= LONGEST_OF_ALL) };
        let mut octets = [0; LONGEST_OF_ALL];
        if word.len() > LONGEST {
            return Self { octets, length: 0 };
        }
        if let Some((word, slot)) = up_to_sixteen(word).zip(octets.first_chunk_mut::<16>()) {
            let [front, back] = [word as u64, (word >> 64) as u64].map(upper);
            *slot = (u128::from(back) << 64 | u128::from(front)).to_le_bytes();
        } else if let Some(slot) = octets.get_mut(..word.len()) {
            slot.copy_from_slice(word);
            slot.make_ascii_uppercase();
        }
        Self { octets, length: word.len() }
    }

    #[inline]
    pub(crate) fn as_octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

/// A word of four octets to sixteen as a number, the octet in front the smallest part: two looks at it, which overlap,
/// where a copy of a length that is not known would be a call.
#[inline]
fn up_to_sixteen(word: &[u8]) -> Option<u128> {
    if let (Some(front), Some(back), 8..=16) = (word.first_chunk(), word.last_chunk(), word.len()) {
        let (front, back) = (u64::from_le_bytes(*front), u64::from_le_bytes(*back));
        return Some(u128::from(front) | u128::from(back) << (8 * (word.len() - 8)));
    }
    if let (Some(front), Some(back), 4..8) = (word.first_chunk(), word.last_chunk(), word.len()) {
        let (front, back) = (u32::from_le_bytes(*front), u32::from_le_bytes(*back));
        return Some(u128::from(u64::from(front) | u64::from(back) << (8 * (word.len() - 4))));
    }
    None
}

/// Eight octets with their ASCII letters in upper case.
#[inline]
const fn upper(word: u64) -> u64 {
    const fn each(octet: u8) -> u64 {
        u64::from_le_bytes([octet; 8])
    }
    // Seven bits, so that no sum reaches the next octet; its highest bit tells whether it is that letter or one behind.
    let seven = word & each(0x7f);
    let from_a = seven.wrapping_add(each(0x80 - b'a'));
    let behind_z = seven.wrapping_add(each(0x7f - b'z'));
    word ^ ((from_a & !behind_z & !word & each(0x80)) >> 2)
}

/// Items in parentheses with one space between them: at least one, at the most so many (attack row M7).
pub(crate) fn list<'a, T>(
    most: usize,
    what: &'static str,
    item: impl FnMut(&'a [u8]) -> Parsed<'a, T>,
) -> impl FnMut(&'a [u8]) -> Parsed<'a, Vec<T>> {
    let mut items = items(most, what, item);
    move |input| {
        let (input, ()) = open(input)?;
        let (input, items) = items(input)?;
        let (input, ()) = close(input)?;
        Ok((input, items))
    }
}

/// Items with one space between them: at least one, at the most so many.
pub(crate) fn items<'a, T>(
    most: usize,
    what: &'static str,
    mut item: impl FnMut(&'a [u8]) -> Parsed<'a, T>,
) -> impl FnMut(&'a [u8]) -> Parsed<'a, Vec<T>> {
    move |input| {
        let (mut input, first) = named(what, &mut item).parse(input)?;
        // Lists of two to six are usual: their memory does not grow.
        let mut items = Vec::with_capacity(8);
        items.push(first);
        while let Ok((rest, ())) = space(input) {
            if items.len() >= most {
                return wrong(CommandErrorKind::TooMany);
            }
            match item(rest) {
                Ok((rest, next)) => {
                    items.push(next);
                    input = rest;
                }
                // The space is somebody else's.
                Err(nom::Err::Error(_)) => break,
                Err(other) => return Err(other),
            }
        }
        Ok((input, items))
    }
}

pub(crate) fn open(input: &[u8]) -> Parsed<'_, ()> {
    match input {
        [b'(', rest @ ..] => Ok((rest, ())),
        _ => expected("an opening parenthesis"),
    }
}

pub(crate) fn close(input: &[u8]) -> Parsed<'_, ()> {
    match input {
        [b')', rest @ ..] => Ok((rest, ())),
        _ => expected("a closing parenthesis"),
    }
}

/// `atom`.
pub(crate) fn atom(input: &[u8]) -> Parsed<'_, &[u8]> {
    some(&class::ATOM, "an atom")(input)
}

/// One octet or more of that class.
pub(crate) fn some<'a>(class: &'static OctetSet, what: &'static str) -> impl Fn(&'a [u8]) -> Parsed<'a, &'a [u8]> {
    move |input| match class.split(input) {
        ([], _) => expected(what),
        (taken, rest) => Ok((rest, taken)),
    }
}

/// An atom as text: it is ASCII.
pub(crate) fn boxed(atom: &[u8]) -> Box<str> {
    text(atom).unwrap_or_default().into()
}

fn text(octets: &[u8]) -> Option<&str> {
    std::str::from_utf8(octets).ok()
}

/// `quoted`: seven bits, or UTF-8 in its dialect; CR, LF and NUL never.
pub(crate) fn quoted(input: &[u8], dialect: Dialect) -> Parsed<'_, Cow<'_, [u8]>> {
    if let Some((rest, plain)) = plain_quoted(input) {
        return Ok((rest, Cow::Borrowed(plain)));
    }
    let [b'"', rest @ ..] = input else { return expected("a quote") };
    let Some(end) = memchr::memchr2(b'"', b'\\', rest) else { return expected("a closing quote") };
    let (inside, rest) = rest.split_at(end);
    let (rest, inside) = match rest {
        [b'"', rest @ ..] => (rest, Cow::Borrowed(inside)),
        _ => escaped(rest, inside.to_vec())?,
    };
    if memchr::memchr3(0, b'\r', b'\n', &inside).is_some() {
        return expected("no CR, LF or NUL between quotes");
    }
    if !(inside.is_ascii() || dialect.utf8 && text(&inside).is_some()) {
        return expected(if dialect.utf8 { "UTF-8 between quotes" } else { "seven-bit text between quotes" });
    }
    Ok((rest, inside))
}

/// What nearly every `quoted` is: plain to its end.
#[inline]
fn plain_quoted(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let [b'"', rest @ ..] = input else { return None };
    match rest.split_at_checked(plain_span(rest))? {
        (plain, [b'"', rest @ ..]) => Some((rest, plain)),
        _ => None,
    }
}

/// What is left of a quoted string from its first backslash on.
fn escaped(mut input: &[u8], mut inside: Vec<u8>) -> Parsed<'_, Cow<'_, [u8]>> {
    loop {
        input = match input {
            [b'"', rest @ ..] => return Ok((rest, Cow::Owned(inside))),
            [b'\\', octet @ (b'"' | b'\\'), rest @ ..] => {
                inside.push(*octet);
                let plain = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                let (plain, rest) = rest.split_at(plain);
                inside.extend_from_slice(plain);
                rest
            }
            [b'\\', ..] => return expected("a quote or a backslash behind a backslash"),
            _ => return expected("a closing quote"),
        };
    }
}

/// `literal` with its octets behind it; NUL has no place in it (RFC 9051 §9, CHAR8).
pub(crate) fn literal(input: &[u8]) -> Parsed<'_, &[u8]> {
    let [b'{', rest @ ..] = input else { return expected("a string") };
    let (rest, octets) = literal_octets(rest, "a string")?;
    if memchr::memchr(0, octets).is_some() { wrong(CommandErrorKind::Nul) } else { Ok((rest, octets)) }
}

/// `literal8` with its octets behind it, in which NUL is legal (RFC 3516 §4.1).
pub(crate) fn literal8(input: &[u8]) -> Parsed<'_, &[u8]> {
    let [b'~', b'{', rest @ ..] = input else { return expected("a literal8") };
    literal_octets(rest, "a literal8")
}

/// What stands behind the opening brace.
fn literal_octets<'a>(input: &'a [u8], what: &'static str) -> Parsed<'a, &'a [u8]> {
    let (digits, rest) = class::DIGIT.split(input);
    let ([b'}', b'\r', b'\n', rest @ ..] | [b'+', b'}', b'\r', b'\n', rest @ ..]) = rest else {
        return expected(what);
    };
    // Ten digits are more than any literal of 32 bits needs.
    let octets = number_of(digits).filter(|_| (1..=10).contains(&digits.len()));
    let Some(octets) = octets.and_then(|octets| usize::try_from(octets).ok()) else { return expected(what) };
    match rest.split_at_checked(octets) {
        Some((octets, rest)) => Ok((rest, octets)),
        None => expected("a whole literal"),
    }
}

/// `string`.
pub(crate) fn string(input: &[u8], dialect: Dialect) -> Parsed<'_, Cow<'_, [u8]>> {
    match input {
        [b'"', ..] => quoted(input, dialect),
        _ => literal(input).map(|(rest, octets)| (rest, Cow::Borrowed(octets))),
    }
}

/// `string`, to be kept.
#[inline]
pub(crate) fn octet_string(input: &[u8], dialect: Dialect) -> Parsed<'_, OctetString> {
    match plain_quoted(input) {
        // What stands behind it is room to copy from.
        Some((rest, plain)) => Ok((rest, OctetString::at_front(input.get(1..).unwrap_or_default(), plain.len()))),
        None => string(input, dialect).map(|(rest, octets)| (rest, OctetString::from(&*octets))),
    }
}

/// `nstring`, to be kept.
#[inline]
pub(crate) fn octet_nstring(input: &[u8], dialect: Dialect) -> Parsed<'_, Option<OctetString>> {
    match input {
        [b'N' | b'n', b'I' | b'i', b'L' | b'l', rest @ ..] => Ok((rest, None)),
        _ => octet_string(input, dialect).map(|(rest, octets)| (rest, Some(octets))),
    }
}

/// `astring`.
pub(crate) fn astring(input: &[u8], dialect: Dialect) -> Parsed<'_, Cow<'_, [u8]>> {
    match input {
        [b'"' | b'{', ..] => string(input, dialect),
        _ => some(&class::ASTRING, "a string")(input).map(|(rest, octets)| (rest, Cow::Borrowed(octets))),
    }
}

/// `nstring`.
pub(crate) fn nstring(input: &[u8], dialect: Dialect) -> Parsed<'_, Option<Cow<'_, [u8]>>> {
    match input {
        [b'N' | b'n', b'I' | b'i', b'L' | b'l', rest @ ..] => Ok((rest, None)),
        _ => string(input, dialect).map(|(rest, octets)| (rest, Some(octets))),
    }
}

/// `mailbox`.
pub(crate) fn mailbox(input: &[u8], dialect: Dialect) -> Parsed<'_, Mailbox> {
    let (rest, octets) = match astring(input, dialect) {
        Err(nom::Err::Error(_)) if !matches!(input, [b'"' | b'{', ..]) => return expected("a mailbox name"),
        other => other?,
    };
    match Mailbox::decode(&octets, dialect) {
        Ok(mailbox) => Ok((rest, mailbox)),
        Err(_) => wrong(CommandErrorKind::MailboxName),
    }
}

/// `list-mailbox`: a pattern, decoded. The wildcards are ASCII, so that decoding leaves them where they are.
pub(crate) fn list_mailbox(input: &[u8], dialect: Dialect, most: usize) -> Parsed<'_, String> {
    let (rest, octets) = match input {
        [b'"' | b'{', ..] => string(input, dialect)?,
        _ => some(&class::LIST, "a pattern")(input).map(|(rest, octets)| (rest, Cow::Borrowed(octets)))?,
    };
    if octets.len() > most {
        return wrong(CommandErrorKind::TooMany);
    }
    match Mailbox::decode(&octets, dialect) {
        Ok(mailbox) => Ok((rest, mailbox.as_str().to_owned())),
        Err(_) => wrong(CommandErrorKind::MailboxName),
    }
}

fn number_of(digits: &[u8]) -> Option<u64> {
    // Eighteen nines have 60 bits.
    if digits.len() <= 18 {
        let add = |sum: u64, digit: &u8| sum.wrapping_mul(10).wrapping_add(u64::from(digit.wrapping_sub(b'0')));
        return Some(digits.iter().fold(0, add));
    }
    digits.iter().try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0'))))
}

/// `number64` and `mod-sequence-value`: 63 bits (RFC 9051 §9, RFC 7162 §7).
pub(crate) fn number64(input: &[u8]) -> Parsed<'_, u64> {
    let (digits, rest) = class::DIGIT.split(input);
    match number_of(digits) {
        Some(number) if !digits.is_empty() && i64::try_from(number).is_ok() => Ok((rest, number)),
        _ => expected("a number"),
    }
}

/// `nz-number`.
pub(crate) fn nz_number(input: &[u8]) -> Parsed<'_, NonZeroU32> {
    let (digits, rest) = class::DIGIT.split(input);
    match number_of(digits).and_then(|number| NonZeroU32::new(u32::try_from(number).ok()?)) {
        Some(number) => Ok((rest, number)),
        None => expected("a number from 1 to 4294967295"),
    }
}

fn seq_number<'a>(input: &'a [u8], what: &'static str) -> Parsed<'a, SeqBound> {
    match input {
        [b'*', rest @ ..] => Ok((rest, SeqBound::Star)),
        _ => match nz_number(input) {
            Ok((rest, number)) => Ok((rest, SeqBound::Number(number))),
            Err(_) => expected(what),
        },
    }
}

/// `sequence-set`: ranges stay ranges, and there are only so many (attack row M8).
pub(crate) fn sequence_set(input: &[u8], most: usize) -> Parsed<'_, SequenceSet> {
    let mut ranges = Vec::with_capacity(2);
    let mut input = input;
    loop {
        let (rest, first) = seq_number(input, "a set of messages")?;
        let (rest, last) = match rest {
            [b':', rest @ ..] => seq_number(rest, "the end of a range")?,
            _ => (rest, first),
        };
        if ranges.len() >= most {
            return wrong(CommandErrorKind::TooMany);
        }
        ranges.push((first, last));
        match rest {
            [b',', rest @ ..] => input = rest,
            _ => {
                return match SequenceSet::new(ranges) {
                    Some(set) => Ok((rest, set)),
                    None => expected("a set of messages"),
                };
            }
        }
    }
}

/// A `sequence-set` or `$` (RFC 9051 §9, seq-last-command).
pub(crate) fn message_set(input: &[u8], most: usize) -> Parsed<'_, MessageSet> {
    match input {
        [b'$', rest @ ..] => Ok((rest, MessageSet::Saved)),
        _ => sequence_set(input, most).map(|(rest, set)| (rest, MessageSet::Set(set))),
    }
}

/// `flag`: `None` for one of the system's that is not known, and for `\Recent`, which nobody sets.
pub(crate) fn flag(input: &[u8]) -> Parsed<'_, Option<Flag>> {
    if let [b'\\', rest @ ..] = input {
        let (rest, name) = some(&class::ATOM, "a flag")(rest)?;
        let named = |flag: &SystemFlag| flag.as_str().as_bytes().get(1..).unwrap_or_default();
        let known = SystemFlag::ALL.into_iter().find(|flag| named(flag).eq_ignore_ascii_case(name));
        return Ok((rest, known.map(Flag::System)));
    }
    let (rest, name) = some(&class::ATOM, "a flag")(input)?;
    match text(name).and_then(|name| Keyword::new(name).ok()) {
        Some(keyword) => Ok((rest, Some(Flag::Keyword(keyword)))),
        None => expected("a keyword of at most 255 octets"),
    }
}

/// `flag-list`, which may be empty.
pub(crate) fn flag_list(input: &[u8], most: usize) -> Parsed<'_, Flags> {
    match input {
        [b'(', b')', rest @ ..] => Ok((rest, Flags::new())),
        _ => list(most, "a flag", flag)(input).map(|(rest, flags)| (rest, flags.into_iter().flatten().collect())),
    }
}

/// `date`, quoted or not.
pub(crate) fn date(input: &[u8]) -> Parsed<'_, Date> {
    const A_DATE: &str = "a date such as 1-Feb-1994";
    let (is_quoted, text) = match input {
        [b'"', rest @ ..] => (true, rest),
        _ => (false, input),
    };
    let (day, rest) = class::DIGIT.split(text);
    let ([b'-', m1, m2, m3, b'-', rest @ ..], 1..=2) = (rest, day.len()) else { return expected(A_DATE) };
    let (year, rest) = class::DIGIT.split(rest);
    let number = |digits| number_of(digits).and_then(|number| u16::try_from(number).ok());
    let day = number(day).and_then(|day| u8::try_from(day).ok());
    let date = match (day, month_of(&[*m1, *m2, *m3]), number(year).filter(|_| year.len() == 4)) {
        (Some(day), Some(month), Some(year)) => Date::new(year, month, day),
        _ => None,
    };
    match (date, is_quoted, rest) {
        (Some(date), true, [b'"', rest @ ..]) | (Some(date), false, rest) => Ok((rest, date)),
        _ => expected(A_DATE),
    }
}

/// `date-time` between its quotes. A leap second is the second before it.
pub(crate) fn date_time(input: &[u8]) -> Parsed<'_, Timestamp> {
    match input.split_first_chunk() {
        Some((text, rest)) => match moment_of(text) {
            Some(moment) => Ok((rest, moment)),
            None => expected(A_DATE_TIME),
        },
        None => expected(A_DATE_TIME),
    }
}

const A_DATE_TIME: &str = "a date such as \"17-Jul-1996 02:44:25 -0700\"";

/// Every one has the same length: its day is two characters wide (RFC 9051 §9, date-day-fixed).
#[rustfmt::skip]
fn moment_of(text: &[u8; 28]) -> Option<Timestamp> {
    let [b'"', d1, d2, b'-', month @ .., b'"'] = text else { return None };
    let [m1, m2, m3, b'-', y1, y2, y3, y4, b' ', h1, h2, b':', i1, i2, b':', s1, s2, b' ', sign, zh1, zh2, zi1, zi2] =
        month
    else {
        return None;
    };
    let two = |tens: &u8, ones: &u8| {
        let digits = class::DIGIT.has(*tens) && class::DIGIT.has(*ones);
        digits.then(|| i64::from(tens.wrapping_sub(b'0')) * 10 + i64::from(ones.wrapping_sub(b'0')))
    };
    let day = if *d1 == b' ' { two(&b'0', d2)? } else { two(d1, d2)? };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let date = Date::new(u16::try_from(year).ok()?, month_of(&[*m1, *m2, *m3])?, u8::try_from(day).ok()?)?;
    let (hour, minute, second) = (two(h1, h2)?, two(i1, i2)?, two(s1, s2)?);
    let (zone_hours, zone_minutes) = (two(zh1, zh2)?, two(zi1, zi2)?);
    if hour > 23 || minute > 59 || second > 60 || zone_hours > 23 || zone_minutes > 59 {
        return None;
    }
    let offset = zone_hours * 60 + zone_minutes;
    let offset = match sign {
        b'+' => offset,
        b'-' => -offset,
        _ => return None,
    };
    let local = date.days_since_epoch() * 86_400 + hour * 3600 + minute * 60 + second.min(59);
    Some(Timestamp::from_unix(local - offset * 60).with_offset_minutes(i16::try_from(offset).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASCII: Dialect = Dialect::ASCII;

    #[test]
    fn strings_are_atoms_quotes_and_literals() {
        for (input, expected) in [
            (&b"abc] x"[..], Some((&b"abc]"[..], &b" x"[..]))),
            (b"\"a b\"x", Some((b"a b", b"x"))),
            (br#""a\"\\b" "#, Some((br#"a"\b"#, b" "))),
            (b"{3}\r\na\r\nb", Some((b"a\r\n", b"b"))),
            (b"{0+}\r\n", Some((b"", b""))),
            (b"\"\"", Some((b"", b""))),
            (b"{3}\r\nab", None),
            (b"{3}ab", None),
            (b"{99999999999}\r\n", None),
            (b"{1}\r\n\0", None),
            (b"\"a", None),
            (br#""a\"#, None),
            (br#""a\n""#, None),
            (b"\"a\xff\"", None),
            (b"\"a\rb\"", None),
            (b"(", None),
            (b"", None),
        ] {
            let read = astring(input, ASCII).ok();
            let read = read.as_ref().map(|(rest, octets)| (&**octets, *rest));
            assert_eq!(read, expected, "{}", input.escape_ascii());
        }
        assert!(quoted("\"é\"".as_bytes(), Dialect::UTF8).is_ok() && quoted(b"\"\xe9\"", Dialect::UTF8).is_err());
        assert_eq!(nstring(b"nil", ASCII), Ok((&b""[..], None)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn words_are_put_in_upper_case_whatever_their_length() {
        for length in 0..=20 {
            for octet in 0..=u8::MAX {
                for at in 0..length {
                    let mut word = vec![b'x'; length];
                    word[at] = octet;
                    let expected = word.to_ascii_uppercase();
                    assert_eq!(Upper::<20>::of(&word).as_octets(), expected);
                    assert_eq!(Upper::<10>::of(&word).as_octets(), if length > 10 { b"" } else { &expected[..] });
                }
            }
        }
    }

    #[test]
    fn sec_m8_sets_have_only_so_many_ranges_and_no_number_is_zero() {
        for set in [&b"1"[..], b"1:4294967295", b"*:1", b"9:3,*,1:*"] {
            assert!(sequence_set(set, 3).is_ok_and(|(rest, _)| rest.is_empty()), "{}", set.escape_ascii());
        }
        for no_set in [&b"0"[..], b"4294967296", b"1:0", b"", b",1", b"1,", b"1:", b"a", b"99999999999999999999999"] {
            assert!(sequence_set(no_set, 3).is_err(), "{}", no_set.escape_ascii());
        }
        assert_eq!(sequence_set(b"1,2,3,4", 3), wrong(CommandErrorKind::TooMany));
        let many = vec!["7"; 10_000].join(",");
        assert!(sequence_set(many.as_bytes(), 10_000).is_ok());
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, days) in [("1-Feb-1994", Some(8797)), ("\"01-feb-1994\"", Some(8797)), ("29-Feb-2000", Some(11_016))]
        {
            assert_eq!(date(text.as_bytes()).ok().map(|(_, date)| date.days_since_epoch()), days, "{text}");
        }
        for text in ["30-Feb-2000", "1-Foo-2000", "001-Feb-2000", "1-Feb-94", "\"1-Feb-1994"] {
            assert!(date(text.as_bytes()).is_err(), "{text}");
        }
        let moment = Timestamp::from_unix(837_596_665).with_offset_minutes(-420);
        assert_eq!(date_time(b"\"17-Jul-1996 02:44:25 -0700\""), Ok((&b""[..], moment)));
        assert!(date_time(b"\" 7-Jul-1996 02:44:25 +0000\"").is_ok());
        for text in ["\"7-Jul-1996 02:44:25 +0000\"", "\"17-Jul-1996 24:00:00 +0000\"", "\"17-Jul-1996 02:44:25 0000\""]
        {
            assert!(date_time(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn flags_that_nobody_knows_are_passed_over() {
        let (_, flags) = flag_list(b"(\\SEEN \\Recent \\Foo $Forwarded $FORWARDED)", 10).unwrap();
        assert_eq!(flags.iter().map(Flag::as_str).collect::<Vec<_>>(), ["\\Seen", "$Forwarded"]);
        assert!(flag_list(b"()", 10).is_ok());
        for text in [&b"(\\Seen"[..], b"\\Seen", b"(a  b)", b"(a b) c".get(..4).unwrap(), b"(a])", b"(*)"] {
            assert!(flag_list(text, 10).is_err(), "{}", text.escape_ascii());
        }
        assert_eq!(flag_list(b"(a b c)", 2), wrong(CommandErrorKind::TooMany));
    }
}
