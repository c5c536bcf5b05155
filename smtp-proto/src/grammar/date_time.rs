//! RFC 3339 §5.6, `date-time`: a moment, as RFC 4865 and RFC 7293 write it.

use std::fmt;

use super::{Parsed, fail, parsed_type};
use crate::error::ParseErrorKind;

/// A moment to the second. Fractions of one are read and forgotten.
///
/// ```
/// # use smtp_proto::grammar::DateTime;
/// let moment: DateTime = "2014-04-03T23:01:00-02:30".parse()?;
/// assert_eq!(moment.unix_seconds(), 1_396_575_060);
/// # Ok::<(), smtp_proto::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DateTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    /// East of Greenwich.
    offset_minutes: i16,
}

impl DateTime {
    /// Seconds since 1970-01-01T00:00:00Z. A leap second counts as the second behind it.
    pub fn unix_seconds(&self) -> i64 {
        // Years begin in March, so that the leap day is a year's last; an era is 400 years of 146,097 days.
        let month = i64::from(self.month);
        let year = i64::from(self.year) - i64::from(month <= 2);
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468;
        let minutes = i64::from(self.hour) * 60 + i64::from(self.minute) - i64::from(self.offset_minutes);
        days * 86_400 + minutes * 60 + i64::from(self.second)
    }
}

parsed_type!(DateTime, ParseErrorKind::DateTime, date_time);

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, offset_minutes } = *self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        match offset_minutes {
            0 => f.write_str("Z"),
            offset => {
                let sign = if offset < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", offset.unsigned_abs() / 60, offset.unsigned_abs() % 60)
            }
        }
    }
}

fn date_time(input: &[u8]) -> Parsed<'_, DateTime> {
    match read(input) {
        Some((rest, moment)) => Ok((rest, moment)),
        None => fail(input, ParseErrorKind::DateTime),
    }
}

fn read(input: &[u8]) -> Option<(&[u8], DateTime)> {
    let (input, century) = two(input)?;
    let (input, of_century) = two(input)?;
    let (input, month) = two(one(input, b"-")?)?;
    let (input, day) = two(one(input, b"-")?)?;
    let (input, hour) = two(one(input, b"Tt")?)?;
    let (input, minute) = two(one(input, b":")?)?;
    let (input, second) = two(one(input, b":")?)?;
    let year = u16::from(century) * 100 + u16::from(of_century);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let input = match input {
        [b'.', rest @ ..] => {
            let digits = rest.iter().take_while(|octet| octet.is_ascii_digit()).count();
            rest.get(digits..).filter(|_| (1..=9).contains(&digits))?
        }
        _ => input,
    };
    let (input, offset_minutes) = match input {
        [b'Z' | b'z', rest @ ..] => (rest, 0),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let (rest, hours) = two(rest)?;
            let (rest, minutes) = two(one(rest, b":")?)?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = i16::from(hours) * 60 + i16::from(minutes);
            (rest, if *sign == b'-' { -offset } else { offset })
        }
        _ => return None,
    };
    Some((input, DateTime { year, month, day, hour, minute, second, offset_minutes }))
}

fn one<'a>(input: &'a [u8], of: &[u8]) -> Option<&'a [u8]> {
    input.split_first().filter(|(octet, _)| of.contains(octet)).map(|(_, rest)| rest)
}

fn two(input: &[u8]) -> Option<(&[u8], u8)> {
    match input {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', rest @ ..] => Some((rest, (tens - b'0') * 10 + (ones - b'0'))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        for (text, written, seconds) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 0),
            ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50Z", 482_196_050),
            ("1996-12-19T16:39:57-08:00", "1996-12-19T16:39:57-08:00", 851_042_397),
            ("1990-12-31t23:59:60z", "1990-12-31T23:59:60Z", 662_688_000),
            ("2000-02-29T12:00:00+00:00", "2000-02-29T12:00:00Z", 951_825_600),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z", -62_167_219_200),
        ] {
            let moment: DateTime = text.parse().expect(text);
            assert_eq!((moment.to_string().as_str(), moment.unix_seconds()), (written, seconds));
            assert_eq!(written.parse(), Ok(moment));
        }
        for text in [
            "",
            "2014-04-03",
            "2014-04-03T23:01:00",
            "2014-04-03 23:01:00Z",
            "2014-13-03T23:01:00Z",
            "2014-00-03T23:01:00Z",
            "2014-02-29T23:01:00Z",
            "1900-02-29T23:01:00Z",
            "2014-04-31T23:01:00Z",
            "2014-04-03T24:01:00Z",
            "2014-04-03T23:60:00Z",
            "2014-04-03T23:01:61Z",
            "2014-04-03T23:01:00.Z",
            "2014-04-03T23:01:00+24:00",
            "2014-04-03T23:01:00Zx",
            "+014-04-03T23:01:00Z",
        ] {
            assert!(text.parse::<DateTime>().is_err(), "{text}");
        }
    }
}
