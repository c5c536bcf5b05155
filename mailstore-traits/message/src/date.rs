//! The day that a Date field names (RFC 5322 §3.3).

/// The year, the month and the day of a Date field, as they are written there: the zone counts for nothing (SENTON and
/// its like, RFC 9051 §6.4.4). Obsolete forms are read (RFC 5322 §4.3). `None` for what names no day; whether the
/// calendar has it is not looked at.
pub fn day_of(field: &[u8]) -> Option<(u16, u8, u8)> {
    let mut words = Words { rest: field };
    let mut word = words.next()?;
    // The day of the week says nothing that the date does not.
    if !word.first()?.is_ascii_digit() {
        word = words.next()?;
    }
    let day = number(word).filter(|day| (1..=31).contains(day))?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| month.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(name)))?;
    let digits = words.next()?;
    let year = number(digits)?;
    let year = match digits.len() {
        2 if year < 50 => year.checked_add(2000)?,
        2 | 3 => year.checked_add(1900)?,
        4 => year,
        _ => return None,
    };
    Some((year, u8::try_from(month.checked_add(1)?).ok()?, u8::try_from(day).ok()?))
}

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0u16, |sum, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        sum.checked_mul(10)?.checked_add(u16::try_from(digit).ok()?)
    })
}

/// Words of letters or digits; white space, commas, hyphens and comments are between them.
struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a [u8]> {
        let mut depth = 0usize;
        let start = self.rest.iter().position(|octet| {
            match octet {
                b'(' => depth = depth.saturating_add(1),
                b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && octet.is_ascii_alphanumeric()
        })?;
        let from = self.rest.get(start..)?;
        let digits = from.first()?.is_ascii_digit();
        let same = |octet: &u8| if digits { octet.is_ascii_digit() } else { octet.is_ascii_alphabetic() };
        let (word, rest) = from.split_at(from.iter().position(|octet| !same(octet)).unwrap_or(from.len()));
        self.rest = rest;
        Some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_they_are_written() {
        for (field, day) in [
            (" Fri, 21 Nov 1997 09:55:06 -0600", Some((1997, 11, 21))),
            ("21 Nov 97 09:55:06 GMT", Some((1997, 11, 21))),
            (
                "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)",
                Some((1969, 2, 13)),
            ),
            ("Mon (a 9 b), 1 Jan 24 00:00 +0000", Some((2024, 1, 1))),
            ("1-Jan-2024", Some((2024, 1, 1))),
            ("01 January 2024", Some((2024, 1, 1))),
            ("1 Jan 100", Some((2000, 1, 1))),
            ("Monday", None),
            ("32 Jan 2024", None),
            ("1 Foo 2024", None),
            ("1 Jan", None),
            ("1 Jan 20244", None),
            ("", None),
            ("((((", None),
        ] {
            assert_eq!(day_of(field.as_bytes()), day, "{field}");
        }
    }
}
