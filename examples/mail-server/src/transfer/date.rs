//! Dates as mail files have them: in a header field, and in an mbox's `From ` line.

use mailstore_traits::Timestamp;
use time::{Date, Month, OffsetDateTime, Time};

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Reads a `date-time` (RFC 5322 §3.3), the obsolete years and zones of §4.3 too. Comments are passed over.
pub(super) fn header_date(text: &str) -> Option<Timestamp> {
    // `09 : 55` is one word (§4.3).
    let text = without_comments(text).split(':').map(str::trim).collect::<Vec<_>>().join(":");
    let mut words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()).peekable();
    words.next_if(|word| DAYS.contains(&word.to_ascii_lowercase().as_str()));
    let (day, month, year) = (words.next()?.parse().ok()?, month(words.next()?)?, words.next()?);
    let year = match (year.len(), year.parse::<i32>().ok()?) {
        (..=2, year @ 0..=49) => year.checked_add(2000)?,
        (..=3, year) => year.checked_add(1900)?,
        (_, year) => year,
    };
    let (clock, zone) = (words.next()?, words.next().and_then(offset).unwrap_or(0));
    moment(year, month, day, clock, zone)
}

/// Reads the date of a line such as `From ada@example.org Sat Jan  3 01:05:34 1996`; in UTC unless it says otherwise.
/// Without a date the line is no separator of messages, but a sentence.
pub(super) fn from_line_date(line: &[u8]) -> Option<Timestamp> {
    let line = std::str::from_utf8(line.strip_prefix(b"From ")?).ok()?;
    let words: Vec<&str> = line.split_whitespace().collect();
    words.windows(4).enumerate().find_map(|(at, window)| {
        let [weekday, name, day, clock] = window else { return None };
        if !DAYS.contains(&weekday.to_ascii_lowercase().as_str()) {
            return None;
        }
        let (month, day) = (month(name)?, day.parse().ok()?);
        let rest = words.get(at.checked_add(4)?..)?;
        let year = rest.iter().find_map(|word| word.parse().ok().filter(|_| word.len() == 4))?;
        let zone = rest
            .iter()
            .find_map(|word| if word.len() == 4 && !word.contains(['+', '-']) { None } else { offset(word) });
        moment(year, month, day, clock, zone.unwrap_or(0))
    })
}

/// Writes the date of a `From ` line, in UTC.
pub(super) fn asctime(time: Timestamp) -> String {
    let time = OffsetDateTime::from_unix_timestamp(time.unix_seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (weekday, month) = (time.weekday().to_string(), time.month().to_string());
    let short = |name: &str| name.chars().take(3).collect::<String>();
    let (hour, minute, second) = time.to_hms();
    let (weekday, month, day, year) = (short(&weekday), short(&month), time.day(), time.year());
    format!("{weekday} {month} {day:2} {hour:02}:{minute:02}:{second:02} {year}")
}

fn month(name: &str) -> Option<Month> {
    let at = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(month))?;
    Month::try_from(u8::try_from(at.checked_add(1)?).ok()?).ok()
}

/// Minutes east of UTC.
fn offset(zone: &str) -> Option<i16> {
    let named = [("UT", 0), ("UTC", 0), ("GMT", 0), ("Z", 0), ("EDT", -4), ("EST", -5), ("CDT", -5), ("CST", -6)];
    let named = named.into_iter().chain([("MDT", -6), ("MST", -7), ("PDT", -7), ("PST", -8)]);
    for (name, hours) in named {
        if zone.eq_ignore_ascii_case(name) {
            return Some(hours * 60);
        }
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 {
        return None;
    }
    let number: i16 = digits.parse().ok()?;
    Some(sign * (number / 100 * 60 + number % 100))
}

fn moment(year: i32, month: Month, day: u8, clock: &str, zone: i16) -> Option<Timestamp> {
    let mut parts = clock.split(':').map(|part| part.parse::<u8>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    // A leap second is the last one once more.
    let time = Time::from_hms(hour, minute, second.min(59)).ok()?;
    let told = Date::from_calendar_date(year, month, day).ok()?.with_time(time).assume_utc().unix_timestamp();
    let seconds = told.checked_sub(i64::from(zone).checked_mul(60)?)?;
    Some(Timestamp::from_unix(seconds).with_offset_minutes(zone))
}

fn without_comments(text: &str) -> String {
    let mut depth = 0_u32;
    let keep = |c: &char| match c {
        '(' => {
            depth = depth.saturating_add(1);
            false
        }
        ')' => {
            depth = depth.saturating_sub(1);
            false
        }
        _ => depth == 0,
    };
    text.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(time: Option<Timestamp>) -> Option<(i64, i16)> {
        time.map(|time| (time.unix_seconds(), time.offset_minutes()))
    }

    #[test]
    fn dates_of_header_fields() {
        for (text, expected) in [
            ("Fri, 21 Nov 1997 09:55:06 -0600", Some((880_127_706, -360))),
            ("21 Nov 97 09:55:06 GMT", Some((880_106_106, 0))),
            ("Fri, 21 Nov 1997 09(comment):55  :  06 -0600", Some((880_127_706, -360))),
            (" Thu, 13 Feb 1969 23:32 -0330 (Newfoundland Time)", Some((-27_723_480, -210))),
            ("Sat, 31 Dec 2016 23:59:60 +0000", Some((1_483_228_799, 0))),
            ("30 Feb 2020 00:00:00 +0000", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(told(header_date(text)), expected, "{text}");
        }
    }

    #[test]
    fn dates_of_from_lines() {
        for (line, expected) in [
            ("From ada@example.org Sat Jan  3 01:05:34 1996", Some((820_631_134, 0))),
            ("From - Sat Jan 03 01:05:34 1996\r\n", Some((820_631_134, 0))),
            ("From ada at example.org  Sat Jan  3 01:05:34 1996", Some((820_631_134, 0))),
            ("From ada Sat Jan  3 01:05:34 +0100 1996", Some((820_627_534, 60))),
            ("From ada Sat Jan  3 01:05 EST 1996", Some((820_649_100, -300))),
            ("From what I hear, Sat Jan 3 was fine", None),
            ("From \u{e4}", None),
            (">From ada Sat Jan  3 01:05:34 1996", None),
        ] {
            assert_eq!(told(from_line_date(line.as_bytes())), expected, "{line}");
        }
    }

    #[test]
    fn a_date_that_was_written_is_read_again() {
        for seconds in [0, 820_631_134, 1_709_164_800, -1] {
            let line = format!("From x {}", asctime(Timestamp::from_unix(seconds)));
            assert_eq!(told(from_line_date(line.as_bytes())), Some((seconds, 0)), "{line}");
        }
        assert_eq!(asctime(Timestamp::from_unix(0)), "Thu Jan  1 00:00:00 1970");
    }
}
